//! What the application asks: each [`Command`] to its place, and the answers that come later.
//!
//! ```text
//!   handle_command ─┬─► Reply::Now(answer)
//!                   └─► Reply::Later(ticket) … poll_answer ─► (ticket, answer)
//! ```

use std::time::Instant;

use serde_json::Value;

use super::Engine;
use super::audio::prompts::Purpose;
use crate::command::{Answer, Command, CommandError, Reply, Ticket};
use crate::event::{By, Metrics};
use crate::session::cause::Cause;
use crate::session::recovery::Outcome;
use crate::signal::request::{ProfileChange, Request};
use crate::signal::scenario::{SCENARIOS, Scenario};

impl Engine {
    /// Something that the application asks for.
    pub fn handle_command(&mut self, command: Command, now: Instant) -> Reply {
        let change = ProfileChange::default();
        match command {
            Command::Status => Ok(self.status()).into(),
            Command::Participants => Ok(self.list_participants()).into(),
            Command::Paths => Ok(self.transports.paths()).into(),
            Command::Stats => Ok(self.stats_value(now)).into(),
            Command::Metrics => {
                let mut metrics = Metrics::default();
                self.write_metrics(&mut metrics);
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
                Err(CommandError::refused("this is no box: that is for `kinglet run`")).into()
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

    /// Asks the server to play a fault on us, to see how we come back.
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
