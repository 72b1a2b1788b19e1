//! Commands of the application: passes each [`Command`] to its part, and returns late answers.
//!
//! ```text
//!   handle_command ─┬─► Reply::Now(answer)
//!                   └─► Reply::Later(ticket) … poll_answer ─► (ticket, answer)
//! ```

use std::time::Instant;

use serde_json::Value;

use super::Engine;
use super::audio::hearing::Hearing;
use super::audio::prompts::Purpose;
use crate::command::admitted::Admitted;
use crate::command::{Answer, Command, CommandError, Reply, Ticket};
use crate::event::{By, Metrics};
use crate::local::policy::SubscriptionPolicy;
use crate::session::cause::Cause;
use crate::session::recovery::Outcome;
use crate::signal::request::{ProfileChange, Request};
use crate::signal::scenario::{SCENARIOS, Scenario};

impl Engine {
    /// Carries out a command of the application.
    pub fn handle_command(&mut self, command: Command, now: Instant) -> Reply {
        let change = ProfileChange::default();
        match command {
            Command::Status => Ok(self.report().status()).into(),
            Command::Participants => Ok(self.report().participants()).into(),
            Command::Paths => Ok(self.transports.paths()).into(),
            Command::Stats => {
                // Plain numbers and texts: they always serialise.
                Ok(serde_json::to_value(self.take_stats(now)).unwrap_or_default()).into()
            }
            Command::Metrics => {
                let mut metrics = Metrics::default();
                self.report().write_metrics(&mut metrics);
                Ok(metrics.into_text().into()).into()
            }
            Command::Mute => {
                self.with_local(now, |local, input, out, _| local.set_muted(true, input, out)).into()
            }
            Command::Unmute => {
                self.with_local(now, |local, input, out, _| local.set_muted(false, input, out)).into()
            }
            Command::Talk(is_held) => {
                self.with_local(now, |local, input, out, _| local.talk(is_held, input, out)).into()
            }
            Command::Publish => self.with_local(now, |local, input, out, _| local.publish(input, out)).into(),
            Command::Unpublish => {
                self.with_local(now, |local, input, out, _| local.unpublish(input, out)).into()
            }
            Command::Volume(percent) => {
                self.hearing.output_volume().set_percent(percent);
                Ok(Value::Null).into()
            }
            Command::Play(path) => self.prompts.play_file(path, self.settings.listens, &mut self.out),
            Command::Announce(path) => {
                match self.with_local(now, |local, input, _, _| local.may_announce(input)) {
                    Ok(()) => self.prompts.load(Purpose::Announce, path, &mut self.out),
                    Err(why) => Err(CommandError::refused(why)).into(),
                }
            }
            Command::Tone(tone) => {
                self.prompts.play_tone(tone);
                Ok(Value::Null).into()
            }
            Command::ToneSound { tone, sound } => self.prompts.set_tone_sound(tone, sound, &mut self.out),
            Command::Quiet => {
                self.prompts.quiet();
                self.with_local(now, |local, input, out, _| {
                    local.end_announcement(By::Us, "it was ended", input, out);
                });
                Ok(Value::Null).into()
            }
            Command::Hear(words) => self.set_policy(&words).into(),
            Command::Subscribe(whom) => {
                self.with_hearing(|hearing, input, out| hearing.set_wanted(&whom, true, input, out)).into()
            }
            Command::Unsubscribe(whom) => {
                self.with_hearing(|hearing, input, out| hearing.set_wanted(&whom, false, input, out)).into()
            }
            Command::Pause(whom) => {
                self.with_hearing(|hearing, input, out| hearing.set_paused(&whom, true, input, out)).into()
            }
            Command::Resume(whom) => {
                self.with_hearing(|hearing, input, out| hearing.set_paused(&whom, false, input, out)).into()
            }
            Command::TalkerVolume { whom, percent } => {
                self.hearing.set_talker_volume(&whom, percent, &self.room).into()
            }
            Command::HeardBy(identities) => self.set_audience(identities).into(),
            Command::Admit(rule) => self.admit(rule, now).into(),
            Command::Name(name) => self.own.update(
                ProfileChange { name: Some(name), ..change },
                self.session.has_signal(),
                now,
                &mut self.out,
            ),
            Command::Metadata(metadata) => self.own.update(
                ProfileChange { metadata: Some(metadata), ..change },
                self.session.has_signal(),
                now,
                &mut self.out,
            ),
            Command::Attributes(attributes) => self.own.update(
                ProfileChange { attributes, ..change },
                self.session.has_signal(),
                now,
                &mut self.out,
            ),
            Command::Simulate(name) => self.simulate(&name).into(),
            Command::Chat(text) => {
                self.with_data(now, |data, context, _| data.send_chat(text, context, now)).into()
            }
            Command::Data(message) => {
                self.with_data(now, |data, context, out| data.send_data(message, context, out)).into()
            }
            Command::Text(message) => {
                self.with_data(now, |data, context, _| data.send_text(message, context, now)).into()
            }
            Command::File(message) => {
                self.with_data(now, |data, context, out| data.send_file(message, context, out))
            }
            Command::Rpc(call) => {
                self.with_data(now, |data, context, out| data.call(call, context, now, out))
            }
            Command::RpcAnswer(answer) => self.with_data(now, |data, _, _| data.answer_call(answer)).into(),
            Command::Dtmf(digits) => {
                self.with_data(now, |data, context, _| data.send_dtmf(&digits, context)).into()
            }
            Command::Reconnect => {
                self.lost(Cause::Asked, now);
                Ok(Value::Null).into()
            }
            Command::Leave => self.leave_by_command(Some(Outcome::as_asked()), now),
            Command::Ring(_) | Command::Answer | Command::HangUp | Command::Pulse(_) | Command::Reload => {
                Err(CommandError::refused("this command needs a box: `kinglet run`")).into()
            }
            Command::Enter => {
                self.enter(now);
                Ok(Value::Null).into()
            }
            Command::Exit => self.leave_by_command(None, now),
        }
    }

    /// Next answer to a command that was answered with [`Reply::Later`].
    pub fn poll_answer(&mut self) -> Option<(Ticket, Answer)> {
        self.out.poll_answer()
    }

    /// Leaves. The answer comes when all messages have arrived, or names those that have not.
    fn leave_by_command(&mut self, outcome: Option<Outcome>, now: Instant) -> Reply {
        self.leave(outcome, now);
        match self.session.await_farewell(&mut self.out) {
            Some(ticket) => Reply::Later(ticket),
            None => Ok(Value::Null).into(),
        }
    }

    /// Sets the policy for tracks that are not named one by one; it takes precedence over the rule.
    fn set_policy(&mut self, words: &str) -> Answer {
        let policy: SubscriptionPolicy =
            words.parse().map_err(|error| CommandError::usage(format!("hear: {error}")))?;
        self.admission.policy_set();
        self.with_hearing(|hearing, input, out| hearing.set_policy(policy, input, out));
        Ok(Value::Null)
    }

    /// Sets who may hear us; it takes precedence over the rule.
    fn set_audience(&mut self, identities: Vec<String>) -> Answer {
        self.admission.set_audience(identities)?;
        self.admission.update_audience(&self.room, self.session.has_signal(), &mut self.out);
        Ok(Value::Null)
    }

    /// Sets the rule of a box.
    fn admit(&mut self, rule: Admitted, now: Instant) -> Answer {
        if self.admission.set_rule(rule) {
            // Sound that was captured under the previous rule is not for newly admitted participants.
            self.with_local(now, |local, _, out, _| local.discard_sound(out));
        }
        self.admission.update_audience(&self.room, self.session.has_signal(), &mut self.out);
        self.with_hearing(Hearing::forget_wanted);
        Ok(Value::Null)
    }

    /// Requests a simulated fault from the server, to test the recovery.
    fn simulate(&mut self, name: &str) -> Answer {
        let Some(scenario) = Scenario::of_name(name) else {
            let names: Vec<&str> = SCENARIOS.iter().map(|&(name, _)| name).collect();
            return Err(CommandError::usage(format!("one of: {}", names.join(", "))));
        };
        if !self.session.has_signal() {
            return Err(CommandError::refused("not connected to the server at the moment"));
        }
        self.out.request(&Request::Simulate(scenario));
        Ok(Value::Null)
    }
}
