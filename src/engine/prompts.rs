//! What the box itself says into its loudspeaker: tones, and recordings that the io ring reads from disk.
//!
//! ```text
//!   play FILE ─► LoadRecording ─► handle_recording ─► Player ─► mix ─► playback, echo canceller
//! ```

use serde_json::json;

use super::{Action, Engine};
use crate::command::{Answer, CommandError, Reply, Ticket, Tone};
use crate::limits::RECORDINGS_LOADING_MAX;
use crate::media::prompt::{Player, Recording};

/// What plays, and what is on its way from the disk.
#[derive(Default)]
pub(super) struct Prompts {
    pub(super) player: Player,
    /// Recordings that are being read, and what each is for: a tone's place, or to be played.
    loading: heapless::Vec<(Ticket, Option<Tone>), RECORDINGS_LOADING_MAX>,
}

impl Engine {
    /// Plays a file as soon as it is read; the answer comes then.
    pub(super) fn play_file(&mut self, path: String) -> Reply {
        match self.settings.listens {
            true => self.load(None, path),
            false => Err(CommandError::refused("there is no loudspeaker to play it")).into(),
        }
    }

    /// Puts a file in the place of a tone, or the tone itself again.
    pub(super) fn set_tone_file(&mut self, tone: Tone, path: Option<String>) -> Reply {
        match path {
            Some(path) => self.load(Some(tone), path),
            None => {
                self.listener.prompts.player.replace(tone, None);
                Ok(serde_json::Value::Null).into()
            }
        }
    }

    /// What has become of a [`Action::LoadRecording`]: the sound, or in words why there is none.
    pub fn handle_recording(&mut self, ticket: Ticket, loaded: Result<Recording, String>) {
        let Some(place) = self.listener.prompts.loading.iter().position(|(other, _)| *other == ticket) else {
            return;
        };
        let (_, tone) = self.listener.prompts.loading.swap_remove(place);
        let answer: Answer = loaded.map_err(CommandError::refused).map(|recording| {
            let answer = json!({ "seconds": recording.seconds() });
            match tone {
                Some(tone) => self.listener.prompts.player.replace(tone, Some(recording)),
                None => self.listener.prompts.player.play(recording),
            }
            answer
        });
        self.answer(ticket, answer);
    }

    fn load(&mut self, tone: Option<Tone>, path: String) -> Reply {
        if self.listener.prompts.loading.is_full() {
            return Err(CommandError::refused("too many files are being read already")).into();
        }
        match self.take_ticket() {
            Ok(ticket) => {
                // There is a place, see above.
                let _ = self.listener.prompts.loading.push((ticket, tone));
                self.act(Action::LoadRecording { ticket, path });
                Reply::Later(ticket)
            }
            Err(error) => Err(error).into(),
        }
    }
}
