//! What the box itself says: tones into its loudspeaker, and recordings that the io ring reads from disk.
//!
//! ```text
//!   play FILE ─────► LoadRecording ─► handle_recording ─┬─► Player ─► mix ─► playback, echo canceller
//!   announce FILE ──►                                   └─► announce.rs ─► the room
//! ```

use std::time::Instant;

use serde_json::json;

use crate::command::{CommandError, Reply, Ticket, Tone, ToneSound};
use crate::engine::Engine;
use crate::engine::port::Action;
use crate::limits::RECORDINGS_LOADING_MAX;
use crate::media::prompt::{Player, Recording, ToneOverride};

/// What plays, and what is on its way from the disk.
#[derive(Default)]
pub(in crate::engine) struct Prompts {
    pub(in crate::engine) player: Player,
    /// Recordings that are being read.
    loading: heapless::Vec<(Ticket, Purpose), RECORDINGS_LOADING_MAX>,
}

/// What a recording is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Purpose {
    /// Whoever is at the box.
    Play,
    /// A tone's place.
    Tone(Tone),
    /// The room.
    Announce,
}

impl Engine {
    /// Plays a file as soon as it is read; the answer comes then.
    pub(in crate::engine) fn play_file(&mut self, path: String) -> Reply {
        match self.settings.listens {
            true => self.load(Purpose::Play, path),
            false => Err(CommandError::refused("there is no loudspeaker to play it")).into(),
        }
    }

    /// Puts a file or silence in the place of a tone, or the tone itself again.
    pub(in crate::engine) fn set_tone_sound(&mut self, tone: Tone, sound: ToneSound) -> Reply {
        let own = match sound {
            ToneSound::File(path) => return self.load(Purpose::Tone(tone), path),
            ToneSound::Silence => Some(ToneOverride::Silence),
            ToneSound::BuiltIn => None,
        };
        self.hearing.listener.prompts.player.replace(tone, own);
        Ok(serde_json::Value::Null).into()
    }

    /// What has become of a [`Action::LoadRecording`]: the sound, or in words why there is none.
    pub fn handle_recording(&mut self, ticket: Ticket, loaded: Result<Recording, String>, now: Instant) {
        let Some(place) =
            self.hearing.listener.prompts.loading.iter().position(|(other, _)| *other == ticket)
        else {
            return;
        };
        let (_, purpose) = self.hearing.listener.prompts.loading.swap_remove(place);
        let recording = match loaded {
            Ok(recording) => recording,
            Err(why) => return self.out.answer(ticket, Err(CommandError::refused(why))),
        };
        let seconds = json!({ "seconds": recording.seconds() });
        match purpose {
            Purpose::Tone(tone) => {
                self.hearing.listener.prompts.player.replace(tone, Some(ToneOverride::Recorded(recording)))
            }
            Purpose::Play => self.hearing.listener.prompts.player.play(recording),
            // Its answer comes at its end.
            Purpose::Announce => return self.begin_announcement(ticket, recording, now),
        }
        self.out.answer(ticket, Ok(seconds));
    }

    pub(in crate::engine) fn load(&mut self, purpose: Purpose, path: String) -> Reply {
        if self.hearing.listener.prompts.loading.is_full() {
            return Err(CommandError::refused("too many files are being read already")).into();
        }
        match self.out.take_ticket() {
            Ok(ticket) => {
                // There is a place, see above.
                let _ = self.hearing.listener.prompts.loading.push((ticket, purpose));
                self.out.act(Action::LoadRecording { ticket, path });
                Reply::Later(ticket)
            }
            Err(error) => Err(error).into(),
        }
    }
}

const _: () = assert!(RECORDINGS_LOADING_MAX == 2 * Tone::ALL.len());
