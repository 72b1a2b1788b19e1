//! Commands of the application for [`LocalTracks`].

use serde_json::{Value, json};

use super::LocalTracks;
use super::input::LocalInput;
use super::outlet::SendPacket;
use super::output::{LocalOutput, push};
use crate::command::{Answer, CommandError, Ticket};
use crate::engine::outbox::Outbox;
use crate::event::By;
use crate::media::prompt::Recording;

impl LocalTracks {
    /// Mutes or unmutes the microphone.
    pub(in crate::engine) fn set_muted(
        &mut self,
        is_muted: bool,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) -> Answer {
        self.check_microphone("there is no input to mute")?;
        self.change_mute(|mute| mute.set(is_muted), By::Us, input, out);
        Ok(Value::Null)
    }

    /// Holds or releases the talk key. The answer is whether sound is sent now, which a mute prevents.
    pub(in crate::engine) fn talk(
        &mut self,
        is_held: bool,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) -> Answer {
        self.check_microphone("there is no input to mute")?;
        self.change_mute(|mute| mute.talk(is_held, input.now), By::Us, input, out);
        Ok(json!({ "sending": self.microphone_status().is_some_and(|status| status.is_open) }))
    }

    /// Publishes our track again after it was ended, by us or by a moderator.
    pub(in crate::engine) fn publish(&mut self, input: &LocalInput<'_>, out: &mut Outbox) -> Answer {
        let Some(microphone) = &mut self.microphone else {
            return Err(CommandError::refused("there is no input to publish"));
        };
        microphone.want();
        if input.has_signal && !input.may_speak() {
            return Err(CommandError::refused("the server does not allow us a microphone"));
        }
        microphone.allow();
        if input.has_signal {
            self.announce_microphone(input, out);
            push(&mut self.outputs, LocalOutput::Offer);
        }
        Ok(Value::Null)
    }

    /// Ends our track until it is published again.
    pub(in crate::engine) fn unpublish(&mut self, input: &LocalInput<'_>, out: &mut Outbox) -> Answer {
        self.check_microphone("there is no input that is published")?;
        self.close_microphone(out);
        if let Some(microphone) = &mut self.microphone {
            microphone.unpublish(out);
        }
        if input.has_signal {
            push(&mut self.outputs, LocalOutput::Offer);
        }
        Ok(Value::Null)
    }

    /// Whether a recording may be announced now, or why not.
    pub(in crate::engine) fn may_announce(&self, input: &LocalInput<'_>) -> Result<(), &'static str> {
        self.announcements.may_begin(input)
    }

    /// Plays a recording into the room; `ticket` is answered at its end.
    pub(in crate::engine) fn announce(
        &mut self,
        ticket: Ticket,
        recording: Recording,
        input: &LocalInput<'_>,
        send: &mut SendPacket<'_>,
        out: &mut Outbox,
    ) {
        match self.announcements.begin(ticket, recording, input) {
            Ok(()) => self.advance_announcement(input, send, out),
            Err(why) => out.answer(ticket, Err(CommandError::refused(why))),
        }
    }

    /// Ends the announcement, where there is one, and why.
    pub(in crate::engine) fn end_announcement(
        &mut self,
        by: By,
        why: &str,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) {
        self.announcements.end(by, Err(why.to_owned()), input.has_signal, out, &mut self.outputs);
    }

    fn check_microphone(&self, otherwise: &str) -> Result<(), CommandError> {
        self.has_microphone().then_some(()).ok_or_else(|| CommandError::refused(otherwise))
    }
}
