//! Compares configurations at a reload: which changes apply at once, and which need a new session or other cards.

use std::path::Path;

use crate::config::Config;
use crate::config::server::{ServerConfig, TokenSource};
use crate::io::fingerprint::Fingerprint;
use crate::io::sound::setup::SoundSetup;

/// Fingerprints of the configured files that a session depends on, taken when the configuration was read: a file may
/// change under the same path. Tokens and header lines of an endpoint are not included, because they are read whenever
/// they are needed; nor is the board file, because the cards that it describes are compared.
#[derive(Clone, Default)]
pub(super) struct FileFingerprints {
    /// `server.token.key_file`
    pub(super) key: Option<Fingerprint>,
    /// `server.ca`
    pub(super) ca: Option<Fingerprint>,
}

impl FileFingerprints {
    /// Reads the files. The code that uses a file reports it if it cannot be read. Blocks.
    ///
    /// Must be called before the files are read for use: the next reload then detects a change in between.
    pub(super) fn read(server: &ServerConfig) -> FileFingerprints {
        let of = |path: &Path| Fingerprint::of_file(path).ok();
        let key_file = match &server.token {
            TokenSource::KeyFile(path) => Some(path),
            _ => None,
        };
        FileFingerprints { key: key_file.and_then(|path| of(path)), ca: server.ca.as_deref().and_then(of) }
    }
}

/// Returns the sections for which the box must start a new client; empty if it can stay in the room.
pub(super) fn begins_anew_for(
    (before, cards, fingerprints): (&Config, &SoundSetup, &FileFingerprints),
    (after, new_cards, new): (&Config, &SoundSetup, &FileFingerprints),
) -> Vec<&'static str> {
    // The volume can be changed by a command.
    let audio = |config: &Config| {
        let mut audio = config.audio.clone();
        audio.volume_percent = None;
        audio
    };
    // The server does not know RPC methods, but the engine answers only those that it was started with.
    let methods = |config: &Config| -> Vec<Option<String>> {
        config.wiring.outputs.iter().map(|output| output.rpc.clone()).collect()
    };
    [
        ("board", before.board != after.board || cards != new_cards),
        ("server", before.server != after.server),
        ("agent", before.agent != after.agent),
        ("server.token.key_file", fingerprints.key != new.key),
        ("server.ca", fingerprints.ca != new.ca),
        ("audio", audio(before) != audio(after)),
        ("call.mode", before.call.is_half_duplex != after.call.is_half_duplex),
        ("gpio (rpc)", methods(before) != methods(after)),
        ("control", before.socket != after.socket),
    ]
    .into_iter()
    .filter_map(|(section, is_other)| is_other.then_some(section))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::TempFile;

    const DOOR: &str = "[server]\nurl='wss://a.example'\ntoken={file='/t'}\n[audio]\nvolume=80\nprofile='default'\n\
        [call]\nring_timeout_s=30\n[gpio]\ndoor={line='A',pulse_ms=100,rpc='open',allow=['x']}\n\
        bell={line='B',press='ring'}\n[control]\nsocket='/run/a'\n";

    #[test]
    fn only_a_new_session_or_other_cards_need_a_new_client() {
        let config = |text: &str| Config::read(text).0.expect("usable");
        let (cards, fingerprints) = (SoundSetup::default(), FileFingerprints::default());
        let before = config(DOOR);
        for (one, other, expected) in [
            ("wss://a.example", "wss://b.example", &["server"][..]),
            ("file='/t'", "file='/u'", &["server"]),
            ("profile='default'", "profile='metered'", &["audio"]),
            ("[audio]", "[agent]\nattributes={a='b'}\n[audio]", &["agent"]),
            ("rpc='open'", "rpc='unlock'", &["gpio (rpc)"]),
            ("[call]", "[call]\nmode='half-duplex'", &["call.mode"]),
            ("/run/a", "/run/b", &["control"]),
            ("[server]", "board='rig'\n[server]", &["board"]),
            ("volume=80", "volume=50", &[]),
            ("ring_timeout_s=30", "ring_timeout_s=20\nmode='push-to-talk'\nparties=['a']", &[]),
            ("line='B'", "line='C'", &[]),
            ("allow=['x']", "allow=['y']", &[]),
            ("[control]", "[on]\nring=['true']\n[control]", &[]),
        ] {
            let after = config(&DOOR.replace(one, other));
            assert_eq!(
                begins_anew_for((&before, &cards, &fingerprints), (&after, &cards, &fingerprints)),
                expected,
                "{other}"
            );
        }
    }

    #[test]
    fn the_contents_of_files_are_compared_too() {
        let key = TempFile::new("key", b"LIVEKIT_API_SECRET=old");
        let ca = TempFile::new("ca", b"one");
        let config = |more: &str| {
            let token =
                format!("token={{key_file='{}'}}\n{more}room='r'\nidentity='i'", key.path().display());
            Config::read(&DOOR.replace("token={file='/t'}", &token)).0.expect("usable")
        };
        let (before, cards) = (config(""), SoundSetup::default());
        let fingerprints = FileFingerprints::read(&before.server);
        assert!(
            begins_anew_for(
                (&before, &cards, &fingerprints),
                (&before, &cards, &FileFingerprints::read(&before.server))
            )
            .is_empty()
        );
        std::fs::write(key.path(), "LIVEKIT_API_SECRET=new").expect("written");
        let new = FileFingerprints::read(&before.server);
        assert_eq!(
            begins_anew_for((&before, &cards, &fingerprints), (&before, &cards, &new)),
            ["server.token.key_file"]
        );
        std::fs::write(key.path(), "LIVEKIT_API_SECRET=old").expect("written");
        let with_ca = config(&format!("ca='{}'\n", ca.path().display()));
        let fingerprints = FileFingerprints::read(&with_ca.server);
        std::fs::write(ca.path(), "another").expect("written");
        let new = FileFingerprints::read(&with_ca.server);
        assert_eq!(
            begins_anew_for((&with_ca, &cards, &fingerprints), (&with_ca, &cards, &new)),
            ["server.ca"]
        );
        let other_cards = cards.clone().waiting();
        assert_eq!(
            begins_anew_for((&before, &cards, &fingerprints), (&before, &other_cards, &fingerprints)),
            ["board"]
        );
    }
}
