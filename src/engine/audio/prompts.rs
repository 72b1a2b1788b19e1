//! Sound that the box plays by itself: tones into its loudspeaker, and recordings that the io ring reads from disk.
//!
//! ```text
//!   play_tone ───────────────────────────────────────────┬─► Player ─► pull ─► mixed into what is played
//!   play_file, set_tone_sound ─► LoadRecording ─► loaded ─┤
//!   load for the room ─────────►                          └─► returned: a recording for the room
//! ```
//!
//! Functions: `play_tone`, `quiet`, `play_file`, `set_tone_sound`, `load`; `handle_recording`, when a file is read; `pull`,
//! once each 10 ms.

use serde_json::json;

use crate::command::{CommandError, Reply, Ticket, Tone, ToneSound};
use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::limits::RECORDINGS_LOADING_MAX;
use crate::media::block::Block;
use crate::media::prompt::{Player, Recording, ToneOverride};

/// What plays, and what is on its way from the disk.
#[derive(Default)]
pub(in crate::engine) struct Prompts {
    player: Player,
    /// Recordings that are being read.
    loading: heapless::Vec<(Ticket, Purpose), RECORDINGS_LOADING_MAX>,
}

/// What a recording is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Purpose {
    /// To play it at the loudspeaker.
    Play,
    /// The loudspeaker, in the place of a tone.
    Tone(Tone),
    /// To send it to the room.
    Announce,
}

impl Prompts {
    /// Begins a tone.
    pub(in crate::engine) fn play_tone(&mut self, tone: Tone) {
        self.player.play_tone(tone);
    }

    /// Ends what plays.
    pub(in crate::engine) fn quiet(&mut self) {
        self.player.quiet();
    }

    /// Plays a file as soon as it is read; the answer comes then.
    pub(in crate::engine) fn play_file(&mut self, path: String, listens: bool, out: &mut Outbox) -> Reply {
        match listens {
            true => self.load(Purpose::Play, path, out),
            false => Err(CommandError::refused("there is no loudspeaker to play it")).into(),
        }
    }

    /// Puts a file or silence in the place of a tone, or the tone itself again.
    pub(in crate::engine) fn set_tone_sound(
        &mut self,
        tone: Tone,
        sound: ToneSound,
        out: &mut Outbox,
    ) -> Reply {
        let replacement = match sound {
            ToneSound::File(path) => return self.load(Purpose::Tone(tone), path, out),
            ToneSound::Silence => Some(ToneOverride::Silence),
            ToneSound::BuiltIn => None,
        };
        self.player.replace(tone, replacement);
        Ok(serde_json::Value::Null).into()
    }

    /// Reads a file from disk.
    pub(in crate::engine) fn load(&mut self, purpose: Purpose, path: String, out: &mut Outbox) -> Reply {
        if self.loading.is_full() {
            return Err(CommandError::refused("too many files are being read already")).into();
        }
        match out.take_ticket() {
            Ok(ticket) => {
                // There is a place, see above.
                let _ = self.loading.push((ticket, purpose));
                out.act(Action::LoadRecording { ticket, path });
                Reply::Later(ticket)
            }
            Err(error) => Err(error).into(),
        }
    }

    /// A file has been read, or could not be. Returns a recording that is meant for the room, with the ticket for the
    /// answer at its end.
    pub(in crate::engine) fn handle_recording(
        &mut self,
        ticket: Ticket,
        loaded: Result<Recording, String>,
        out: &mut Outbox,
    ) -> Option<(Ticket, Recording)> {
        let place = self.loading.iter().position(|(other, _)| *other == ticket)?;
        let (_, purpose) = self.loading.swap_remove(place);
        let recording = match loaded {
            Ok(recording) => recording,
            Err(why) => {
                out.answer(ticket, Err(CommandError::refused(why)));
                return None;
            }
        };
        let seconds = json!({ "seconds": recording.seconds() });
        match purpose {
            Purpose::Tone(tone) => self.player.replace(tone, Some(ToneOverride::Recorded(recording))),
            Purpose::Play => self.player.play(recording),
            Purpose::Announce => return Some((ticket, recording)),
        }
        out.answer(ticket, Ok(seconds));
        None
    }

    /// Fills `block` with the next 10 ms; `false` if nothing plays.
    pub(in crate::engine) fn pull(&mut self, block: &mut Block) -> bool {
        self.player.pull(block)
    }
}

const _: () = assert!(RECORDINGS_LOADING_MAX == 2 * Tone::ALL.len());

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(reply: Reply) -> Ticket {
        match reply {
            Reply::Later(ticket) => ticket,
            Reply::Now(answer) => panic!("{answer:?}"),
        }
    }

    #[test]
    fn a_recording_goes_where_it_is_meant_to_go() {
        let (mut prompts, mut out) = (Prompts::default(), Outbox::default());
        let recording = || Recording::new(&[1000; 4800]).expect("not empty");
        let mut block = Block::SILENCE;

        let played = ticket(prompts.play_file("bell.wav".into(), true, &mut out));
        assert!(matches!(out.poll_action(), Some(Action::LoadRecording { path, .. }) if path == "bell.wav"));
        assert!(!prompts.pull(&mut block) && out.poll_answer().is_none(), "it is not read yet");
        assert_eq!(prompts.handle_recording(played, Ok(recording()), &mut out), None);
        assert!(matches!(out.poll_answer(), Some((ticket, Ok(_))) if ticket == played));
        assert!(prompts.pull(&mut block));
        prompts.quiet();

        let announced = ticket(prompts.load(Purpose::Announce, "away.wav".into(), &mut out));
        let returned = prompts.handle_recording(announced, Ok(recording()), &mut out);
        assert_eq!(returned, Some((announced, recording())));
        assert!(out.poll_answer().is_none(), "its end answers");
        assert_eq!(prompts.handle_recording(announced, Ok(recording()), &mut out), None, "once");

        let absent = ticket(prompts.set_tone_sound(Tone::Ringing, ToneSound::File("x".into()), &mut out));
        assert_eq!(prompts.handle_recording(absent, Err("no such file".into()), &mut out), None);
        assert!(matches!(out.poll_answer(), Some((_, Err(error))) if error.message == "no such file"));
    }

    #[test]
    fn what_cannot_be_played_is_refused() {
        let (mut prompts, mut out) = (Prompts::default(), Outbox::default());
        let is_refused = |reply| matches!(reply, Reply::Now(Err(_)));
        assert!(is_refused(prompts.play_file("bell.wav".into(), false, &mut out)));
        for _ in 0..RECORDINGS_LOADING_MAX.min(crate::limits::ANSWERS_MAX) {
            ticket(prompts.load(Purpose::Play, "bell.wav".into(), &mut out));
        }
        assert!(is_refused(prompts.load(Purpose::Play, "bell.wav".into(), &mut out)));
    }
}
