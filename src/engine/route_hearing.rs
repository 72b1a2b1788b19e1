//! What [`Hearing`], [`Admission`](super::audio::admission::Admission) and [`Prompts`](super::audio::prompts::Prompts) take
//! from the other parts, and give to them.
//!
//! | card | while it is away | when it is back |
//! | --- | --- | --- |
//! | microphone | no packets, as while muted | `skip_capture`: RTP time has gone on, listeners see a pause |
//! | loudspeaker | packets come, the buffers keep the newest | `restart_playback`: nobody hears what is long over |

use std::time::Instant;

use serde_json::Value;

use super::Engine;
use super::audio::admission::who;
use super::audio::hearing::{Hearing, HearingInput};
use super::outbox::Outbox;
use crate::command::admitted::Admitted;
use crate::command::{Answer, CommandError, Ticket};
use crate::limits::M_LINES_MAX;
use crate::local::policy::SubscriptionPolicy;
use crate::media::block::Block;
use crate::media::prompt::Recording;
use crate::room::Participant;
use crate::signal::sid::Sid;

impl Engine {
    /// Fills `out` with the next 10 ms to play: always all of it, exact zeros where nobody is heard.
    pub fn playback(&mut self, out: &mut Block, now: Instant) {
        let mut prompt = Block::SILENCE;
        let prompt = self.prompts.pull(&mut prompt).then_some(&prompt);
        self.hearing.playback(prompt, out, now);
        self.local.played(out);
    }

    /// The loudspeaker was away and is back.
    pub fn restart_playback(&mut self) {
        self.hearing.restart_playback();
    }

    /// Whether the card's mixer has been set to the volume, as far as it goes; else the samples are changed.
    pub fn set_volume_by_card(&mut self, is_by_card: bool) {
        self.hearing.output_volume().set_by_card(is_by_card);
    }

    /// So many blocks of time have passed without a microphone: nothing is sent for them.
    pub fn skip_capture(&mut self, blocks: u32) {
        self.local.skip_capture(blocks);
    }

    /// What has become of an [`Action::LoadRecording`](super::Action::LoadRecording): the sound, or in words why there is
    /// none.
    pub fn handle_recording(&mut self, ticket: Ticket, loaded: Result<Recording, String>, now: Instant) {
        if let Some((ticket, recording)) = self.prompts.handle_recording(ticket, loaded, &mut self.out) {
            self.with_local(now, |local, input, out, send| {
                local.announce(ticket, recording, input, send, out)
            });
        }
    }

    /// Whom we hear without being named one by one, whatever the rule says.
    pub(super) fn set_policy(&mut self, words: &str) -> Answer {
        let policy: SubscriptionPolicy =
            words.parse().map_err(|error| CommandError::usage(format!("hear: {error}")))?;
        self.admission.policy_set();
        self.with_hearing(|hearing, input, out| hearing.set_policy(policy, input, out));
        Ok(Value::Null)
    }

    /// Who may hear us, whatever the rule says.
    pub(super) fn set_audience(&mut self, identities: Vec<String>) -> Answer {
        self.admission.set_audience(identities)?;
        self.admission.update_audience(&self.room, self.session.has_signal(), &mut self.out);
        Ok(Value::Null)
    }

    /// A box's rule, from now on.
    pub(super) fn admit(&mut self, rule: Admitted, now: Instant) -> Answer {
        if self.admission.set_rule(rule) {
            // What was said under the rule before is not for them.
            self.with_local(now, |local, _, out, _| local.discard_sound(out));
        }
        self.admission.update_audience(&self.room, self.session.has_signal(), &mut self.out);
        self.with_hearing(Hearing::forget_wanted);
        Ok(Value::Null)
    }

    /// Calls `act` with what decides which tracks are heard.
    pub(super) fn with_hearing<R>(
        &mut self,
        act: impl FnOnce(&mut Hearing, &HearingInput<'_>, &mut Outbox) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let Self { transports, room, hearing, admission, out, .. } = self;
        let carried = transports.tracks();
        let carried: heapless::Vec<Sid, M_LINES_MAX> = carried.take(M_LINES_MAX).collect();
        let is_admitted = |participant: &Participant| admission.is_heard(who(participant));
        act(hearing, &HearingInput { room, carried: &carried, has_signal, is_admitted: &is_admitted }, out)
    }
}
