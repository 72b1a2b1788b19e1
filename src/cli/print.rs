//! Events → lines, for people or for programs.
//!
//! JSON is one object a line: `event`, `t_ms` since the start of the program, and the event's own
//! members. Words are one line that a person reads in a terminal or a journal.

use std::time::Instant;

use kinglet::event::{By, CallFacts, Event, TrackFacts};
use kinglet::io::lines::Lines;
use kinglet::signal::text::one_line;
use serde::Serialize;

/// A line for people: the longest is `stats` of sixteen tracks.
const LINE_BYTES_MAX: usize = 2000;

/// Writes events as they come.
pub struct Printer {
    lines: Lines,
    json: bool,
    verbosity: u8,
    began: Instant,
}

#[derive(Serialize)]
struct Stamped<'a> {
    #[serde(flatten)]
    event: &'a Event,
    t_ms: u64,
}

impl Printer {
    /// `began` is time 0.
    pub fn new(lines: Lines, json: bool, verbosity: u8, began: Instant) -> Self {
        Self { lines, json, verbosity, began }
    }

    /// Writes one event.
    pub fn print(&mut self, event: &Event, now: Instant) {
        let t_ms = now.saturating_duration_since(self.began).as_millis() as u64;
        if self.json {
            // Events are plain data: they always serialise.
            if let Ok(line) = serde_json::to_string(&Stamped { event, t_ms }) {
                self.lines.write(&line);
            }
        } else if let Some(text) = words(event, self.verbosity) {
            // Identities and names are others' words: no escape sequence of theirs reaches a terminal.
            self.lines.write(&format!("{:>8.3} {}", t_ms as f64 / 1000.0, one_line(&text, LINE_BYTES_MAX)));
        }
    }

    /// The last words: what a slow reader did not take.
    pub fn finish(&mut self) {
        self.lines.finish();
        if self.lines.dropped() > 0 {
            eprintln!("kinglet: {} lines of events were dropped: nobody read them", self.lines.dropped());
        }
    }
}

/// One line for a person; `None` for what only a careful one wants to know (`-v`).
fn words(event: &Event, verbosity: u8) -> Option<String> {
    let by = |by: &By| match by {
        By::Us => "",
        By::Server => " by the server",
    };
    let track = |facts: &TrackFacts| format!("{}'s {:?} ({})", facts.identity, facts.source, facts.sid);
    Some(match event {
        Event::Connected { room, identity, server, .. } => {
            format!("connected to room {room} as {identity} ({server})")
        }
        Event::Reconnecting { cause } => format!("connection lost: {cause}"),
        Event::Resumed { gap_ms } => format!("connection mended after {:.1} s", *gap_ms as f64 / 1000.0),
        Event::Reconnected { gap_ms } => format!("connected again after {:.1} s", *gap_ms as f64 / 1000.0),
        Event::Disconnected { reason, will_retry: true, retry_in_ms } => {
            format!("disconnected ({reason}), next attempt in {:.1} s", *retry_in_ms as f64 / 1000.0)
        }
        Event::Disconnected { reason, .. } => format!("disconnected ({reason})"),
        Event::ParticipantJoined(who) => format!("{} is in the room", who.identity),
        Event::ParticipantLeft(who) => format!("{} left", who.identity),
        Event::ParticipantChanged(who) if verbosity > 0 => format!("{} changed", who.identity),
        Event::TrackSubscribed(facts) => format!("hearing {}", track(facts)),
        Event::TrackUnsubscribed(facts) => format!("no longer hearing {}", track(facts)),
        Event::TrackMuted(facts) => format!("{} muted", track(facts)),
        Event::TrackUnmuted(facts) => format!("{} unmuted", track(facts)),
        Event::TrackPublished(facts) if verbosity > 0 => format!("{} published", track(facts)),
        Event::TrackUnpublished(facts) if verbosity > 0 => format!("{} ended", track(facts)),
        Event::LocalTrackPublished { name, .. } => format!("speaking as {name}"),
        Event::LocalTrackUnpublished { name, by: who, .. } => {
            format!("{name} no longer published{}", by(who))
        }
        Event::LocalMuted { by: who, .. } => format!("muted{}", by(who)),
        Event::LocalUnmuted { by: who, .. } => format!("unmuted{}", by(who)),
        Event::HeardBy { .. } => "somebody hears us".to_owned(),
        Event::Speakers { speakers } if verbosity > 0 => {
            let names: Vec<&str> = speakers.iter().map(|speaker| speaker.identity.as_str()).collect();
            format!("speaking: {}", if names.is_empty() { "nobody".into() } else { names.join(", ") })
        }
        Event::PermissionsChanged { publish, subscribe, data } => {
            format!("now allowed: speak {publish}, hear {subscribe}, data {data}")
        }
        Event::Data(data) => match std::str::from_utf8(&data.payload) {
            Ok(text) => format!("{} ({}): {text}", data.identity, data.topic),
            Err(_) => format!("{} ({}): {} bytes", data.identity, data.topic, data.payload.len()),
        },
        Event::Chat { identity, text, .. } => format!("{identity} writes: {text}"),
        Event::TextStream(text) => format!("{} ({}): {}", text.identity, text.topic, text.text),
        Event::ByteStream(file) => {
            let place = file.path.as_deref().unwrap_or("not stored");
            format!("{} sends {}, {} bytes: {place}", file.identity, file.name, file.bytes)
        }
        Event::RpcInvoked(call) => format!("{} calls {}", call.identity, call.method),
        Event::RpcAnswered(answer) => match (&answer.payload, answer.code) {
            (Some(payload), _) => format!("{} answers {}: {payload}", answer.identity, answer.method),
            (None, code) => {
                let message = answer.message.as_deref().unwrap_or_default();
                format!("{} of {}: {message} ({})", answer.method, answer.identity, code.unwrap_or_default())
            }
        },
        Event::Dtmf { identity, digit } => format!("{identity} presses {digit}"),
        Event::Transcription(said) if said.is_final || verbosity > 0 => {
            format!("{} said: {}", said.identity, said.text)
        }
        Event::DataUnconfirmed { topic, count } => {
            format!("{count} messages ({topic}) may not have arrived")
        }
        Event::Ringing(call) => format!("it rings{}", with(call)),
        Event::CallAnswered(call) => format!("a call{} ({})", with(call), call.reason),
        Event::CallEnded(call) => {
            format!("the call{} is over after {} s ({})", with(call), call.seconds, call.reason)
        }
        Event::CallMissed(call) => {
            format!("nobody answered{} for {} s ({})", with(call), call.seconds, call.reason)
        }
        Event::Button { name, action } => format!("button {name} {action}"),
        Event::OutputPulsed { name, by } if by.is_empty() => format!("{name} is driven"),
        Event::OutputPulsed { name, by } => format!("{name} is driven for {by}"),
        Event::Reloaded { anew_for, .. } if anew_for.is_empty() => {
            "another configuration is taken".to_owned()
        }
        Event::Reloaded { anew_for, after_call } => {
            let when = if *after_call { "after the call" } else { "now" };
            format!("another configuration: begins anew {when}, for {}", anew_for.join(", "))
        }
        Event::AudioDevice { card, state } => format!("sound: {card} {state}"),
        Event::Warning { text } => format!("warning: {text}"),
        Event::Log { text } if verbosity > 0 => text.clone(),
        Event::Stats(stats) => {
            let heard: Vec<String> = stats
                .tracks
                .iter()
                .map(|t| {
                    format!(
                        "{} buffer {} ms, lost {}, concealed {:.1} permille",
                        t.identity, t.buffer_ms, t.lost, t.concealed_permille
                    )
                })
                .collect();
            format!(
                "rtt {} ms, sent {} kbit/s, loss {} permille, xruns {}/{}, cpu {:.1} %, {} kB, {} threads; {}",
                stats.rtt_ms,
                stats.bitrate_out / 1000,
                stats.loss_out_permille,
                stats.xruns_in,
                stats.xruns_out,
                stats.cpu_percent,
                stats.rss_kb,
                stats.threads,
                heard.join("; ")
            )
        }
        Event::CommandResult { command, ok, error, .. } => match error {
            Some(error) => format!("{command}: {}", error.message),
            None => format!("{command}: {}", if *ok { "done" } else { "not done" }),
        },
        _ => return None,
    })
}

fn with(call: &CallFacts) -> String {
    if call.identity.is_empty() { String::new() } else { format!(" with {}", call.identity) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_promised_members() {
        let event = Event::LocalMuted { sid: "TR_1".into(), name: "microphone".into(), by: By::Us };
        let json = serde_json::to_value(Stamped { event: &event, t_ms: 7 }).expect("serialises");
        let expected = serde_json::json!({
            "event": "local_muted", "t_ms": 7, "sid": "TR_1", "name": "microphone", "by": "self"
        });
        assert_eq!(json, expected);
        assert!(words(&event, 0).is_some_and(|text| !text.contains('\n')));
    }
}
