//! Another configuration while the box runs: what of it can be taken as it is, and what needs another session or
//! other cards.

use super::named::Named;
use crate::config::Config;
use crate::io::sound::setup::SoundSetup;

/// The sections for which the box has to begin anew: none where it can stay in the room.
pub(super) fn begins_anew_for(
    (before, cards, named): (&Config, &SoundSetup, &Named),
    (after, new_cards, new): (&Config, &SoundSetup, &Named),
) -> Vec<&'static str> {
    // The volume is a command like any other.
    let audio = |config: &Config| {
        let mut audio = config.audio.clone();
        audio.volume_percent = None;
        audio
    };
    // The server is told of methods by nobody, but the engine answers for those it was given.
    let methods = |config: &Config| -> Vec<Option<String>> {
        config.wiring.outputs.iter().map(|output| output.rpc.clone()).collect()
    };
    [
        ("board", before.board != after.board || cards != new_cards),
        ("server", before.server != after.server),
        ("agent", before.agent != after.agent),
        ("server.token.key_file", named.key != new.key),
        ("server.ca", named.ca != new.ca),
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
    fn only_another_session_or_other_cards_begin_anew() {
        let config = |text: &str| Config::read(text).0.expect("usable");
        let (cards, named) = (SoundSetup::default(), Named::default());
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
                begins_anew_for((&before, &cards, &named), (&after, &cards, &named)),
                expected,
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_in_the_files_counts_too() {
        let key = TempFile::new("key", b"LIVEKIT_API_SECRET=old");
        let ca = TempFile::new("ca", b"one");
        let config = |more: &str| {
            let token =
                format!("token={{key_file='{}'}}\n{more}room='r'\nidentity='i'", key.path().display());
            Config::read(&DOOR.replace("token={file='/t'}", &token)).0.expect("usable")
        };
        let (before, cards) = (config(""), SoundSetup::default());
        let named = Named::read(&before.server);
        assert!(
            begins_anew_for((&before, &cards, &named), (&before, &cards, &Named::read(&before.server)))
                .is_empty()
        );
        std::fs::write(key.path(), "LIVEKIT_API_SECRET=new").expect("written");
        let new = Named::read(&before.server);
        assert_eq!(
            begins_anew_for((&before, &cards, &named), (&before, &cards, &new)),
            ["server.token.key_file"]
        );
        std::fs::write(key.path(), "LIVEKIT_API_SECRET=old").expect("written");
        let with_ca = config(&format!("ca='{}'\n", ca.path().display()));
        let named = Named::read(&with_ca.server);
        std::fs::write(ca.path(), "another").expect("written");
        let new = Named::read(&with_ca.server);
        assert_eq!(begins_anew_for((&with_ca, &cards, &named), (&with_ca, &cards, &new)), ["server.ca"]);
        let other_cards = cards.clone().waiting();
        assert_eq!(begins_anew_for((&before, &cards, &named), (&before, &other_cards, &named)), ["board"]);
    }
}
