//! Events → lines, for people or for programs.
//!
//! JSON is one object a line: `event`, `t_ms` since the start of the program, and the event's own
//! members. Words are one line that a person reads in a terminal or a journal.

use std::time::Instant;

use kinglet::command::line;
use kinglet::event::{By, CallFacts, Event, TrackFacts, escaped};
use kinglet::io::lines::Lines;
use kinglet::signal::text::{one_line, shown};
use serde::Serialize;

use super::quota::Quota;

/// A line for people: the longest is `stats` of sixteen tracks.
const LINE_BYTES_MAX: usize = 2000;

/// Writes events as they come.
pub struct Printer {
    lines: Lines,
    json: bool,
    verbosity: u8,
    began: Instant,
    /// Of a journal, which others could fill.
    quota: Option<Quota>,
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
        Self { lines, json, verbosity, began, quota: None }
    }

    /// For a journal: in words, and no more of them than [`Quota`] admits.
    pub fn journal(lines: Lines, verbosity: u8, began: Instant) -> Self {
        Self { quota: Some(Quota::new()), ..Self::new(lines, false, verbosity, began) }
    }

    /// Writes one event.
    pub fn print(&mut self, event: &Event, now: Instant) {
        let t_ms = now.saturating_duration_since(self.began).as_millis() as u64;
        if self.json {
            // Events are plain data: they always serialise.
            if let Ok(line) = serde_json::to_string(&Stamped { event, t_ms }) {
                self.lines.write(&escaped(line));
            }
        } else if let Some(text) = words(event, self.verbosity) {
            self.write_counts(false, now);
            let (is_admitted, left_out) =
                self.quota.as_mut().map_or((true, None), |quota| quota.admits(event, now));
            if let Some((who, count)) = left_out {
                self.write_count(&who, count, now);
            }
            if is_admitted {
                self.write_words(&text, now);
            }
        }
    }

    fn write_words(&mut self, text: &str, now: Instant) {
        let t_s = now.saturating_duration_since(self.began).as_secs_f64();
        // Texts of others are escaped: no escape sequence of theirs reaches a terminal.
        self.lines.write(&format!("{t_s:>8.3} {}", one_line(text, LINE_BYTES_MAX)));
    }

    fn write_counts(&mut self, is_end: bool, now: Instant) {
        while let Some((who, count)) = self.quota.as_mut().and_then(|quota| quota.take_count(is_end, now)) {
            self.write_count(&who, count, now);
        }
    }

    fn write_count(&mut self, who: &str, count: u64, now: Instant) {
        let text =
            format!("{count} more lines about {} were left out (kinglet ctl watch shows all)", shown(who));
        self.write_words(&text, now);
    }

    /// The last words: what was left out, and what a slow reader did not take.
    pub fn finish(&mut self, now: Instant) {
        self.write_counts(true, now);
        self.lines.finish();
        if self.lines.dropped() > 0 {
            eprintln!(
                "kinglet: {} lines of events were dropped: they were not read in time",
                self.lines.dropped()
            );
        }
    }
}

/// One line for a person; `None` for details that are shown only with `-v`. The contents of messages are shown with
/// `-v` only, and the keys of a telephone, which may be the code of a door, never.
fn words(event: &Event, verbosity: u8) -> Option<String> {
    let by = |by: &By| match by {
        By::Us => "",
        By::Server => " by the server",
    };
    let track =
        |facts: &TrackFacts| format!("{}'s {:?} ({})", shown(&facts.identity), facts.source, facts.sid);
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
        Event::ParticipantJoined(who) => format!("{} is in the room", shown(&who.identity)),
        Event::ParticipantLeft(left) => {
            format!("{} left{}", shown(&left.who.identity), because(&left.reason))
        }
        Event::ParticipantActive { identity } if verbosity > 0 => {
            format!("{} is connected", shown(identity))
        }
        Event::ParticipantChanged(who) if verbosity > 0 => format!("{} changed", shown(&who.identity)),
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
        Event::HeardBy { .. } => "a participant hears us".to_owned(),
        Event::Speakers { speakers } if verbosity > 0 => {
            let names: Vec<_> = speakers.iter().map(|speaker| shown(&speaker.identity)).collect();
            format!("speaking: {}", if names.is_empty() { "nobody".into() } else { names.join(", ") })
        }
        Event::PermissionsChanged { publish, subscribe, data } => {
            format!("now allowed: speak {publish}, hear {subscribe}, data {data}")
        }
        Event::Data(data) => match std::str::from_utf8(&data.payload) {
            Ok(text) if verbosity > 0 => {
                format!("{} ({}): {text}", shown(&data.identity), shown(&data.topic))
            }
            _ => message(&data.identity, "data", &data.topic, data.payload.len()),
        },
        Event::Chat { identity, text, .. } if verbosity > 0 => format!("{} writes: {text}", shown(identity)),
        Event::Chat { identity, text, .. } => message(identity, "chat", "", text.len()),
        Event::TextStream(text) if verbosity > 0 => {
            format!("{} ({}): {}", shown(&text.identity), shown(&text.topic), text.text)
        }
        Event::TextStream(text) => message(&text.identity, "text", &text.topic, text.text.len()),
        Event::ByteStream(file) => {
            let place = file.path.as_deref().unwrap_or("not stored");
            format!("{} sends {}, {} bytes: {place}", shown(&file.identity), shown(&file.name), file.bytes)
        }
        Event::RpcInvoked(call) => format!("{} calls {}", shown(&call.identity), shown(&call.method)),
        Event::RpcAnswered(answer) => {
            let (whom, method) = (shown(&answer.identity), shown(&answer.method));
            match (&answer.payload, answer.code) {
                (Some(payload), _) if verbosity > 0 => format!("{whom} answers {method}: {payload}"),
                (Some(payload), _) => format!("{whom} answers {method} ({} bytes)", payload.len()),
                (None, code) => {
                    let message = answer.message.as_deref().unwrap_or_default();
                    format!("{method} of {whom}: {message} ({})", code.unwrap_or_default())
                }
            }
        }
        Event::Dtmf { identity, .. } => format!("{} presses a key", shown(identity)),
        Event::Transcription(said) if verbosity > 0 => {
            format!("{} said: {}", shown(&said.identity), said.text)
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
        Event::OutputPulsed { name, by } => format!("{name} is driven for {}", shown(by)),
        Event::OutputRefused { name, identity, path, reason } => {
            let name = if name.is_empty() { "an output" } else { name };
            format!("{name} is refused to {} ({path}: {reason})", shown(identity))
        }
        Event::Reloaded { anew_for, .. } if anew_for.is_empty() => {
            "another configuration is taken".to_owned()
        }
        Event::Reloaded { anew_for, after_call } => {
            let when = if *after_call { "after the call" } else { "now" };
            format!("another configuration: begins anew {when}, for {}", anew_for.join(", "))
        }
        Event::AudioDevice { card, state, why: None } => format!("sound: {card} {state}"),
        Event::AudioDevice { card, state, why: Some(why) } => format!("sound: {card} {state} ({why})"),
        Event::Warning { text } => format!("warning: {text}"),
        Event::Log { text } if verbosity > 0 => text.clone(),
        Event::Stats(stats) => {
            let heard: Vec<String> = stats
                .tracks
                .iter()
                .map(|t| {
                    format!(
                        "{} buffer {} ms, lost {}, concealed {:.1} permille",
                        shown(&t.identity),
                        t.buffer_ms,
                        t.lost,
                        t.concealed_permille
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
        Event::CommandResult { command, ok, error, .. } => {
            // The rest may be a message, or a code.
            let command = line::name(command);
            let command = shown(&command);
            match error {
                Some(error) => format!("{command}: {}", error.message),
                None => format!("{command}: {}", if *ok { "done" } else { "not done" }),
            }
        }
        _ => return None,
    })
}

/// The reason why a participant left, if it is of interest.
fn because(reason: &str) -> String {
    if matches!(reason, "client_initiated" | "unknown_reason") {
        String::new()
    } else {
        format!(" ({reason})")
    }
}

fn message(identity: &str, what: &str, topic: &str, bytes: usize) -> String {
    let topic = if topic.is_empty() { String::new() } else { format!("{}, ", shown(topic)) };
    format!("{} sends {what} ({topic}{bytes} bytes)", shown(identity))
}

fn with(call: &CallFacts) -> String {
    if call.identity.is_empty() { String::new() } else { format!(" with {}", shown(&call.identity)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinglet::event::{DataFacts, RpcAnswerFacts, TranscriptionFacts};

    #[test]
    fn contents_are_told_when_asked_for_and_codes_never() {
        let (identity, secret) = ("flat-1".to_owned(), "open sesame");
        let said = TranscriptionFacts {
            identity: identity.clone(),
            text: secret.to_owned(),
            is_final: true,
            segment: String::new(),
        };
        let data = DataFacts {
            identity: identity.clone(),
            topic: "t".into(),
            payload: secret.into(),
            reliable: true,
        };
        let answer = RpcAnswerFacts {
            identity: identity.clone(),
            method: "m".into(),
            payload: Some(secret.to_owned()),
            code: None,
            message: None,
        };
        for event in [
            Event::Chat { identity: identity.clone(), text: secret.to_owned(), id: String::new() },
            Event::Transcription(said),
            Event::Data(data),
            Event::RpcAnswered(answer),
        ] {
            assert!(!words(&event, 0).is_some_and(|text| text.contains("sesame")), "{event:?}");
            assert!(words(&event, 1).is_some_and(|text| text.contains("sesame")), "{event:?}");
        }
        let pressed = Event::Dtmf { identity, digit: "7".into() };
        let command = Event::answered(r#"["dtmf","77"]"#.to_owned(), Ok(serde_json::Value::Null));
        for verbosity in 0..3 {
            assert_eq!(words(&pressed, verbosity).as_deref(), Some("flat-1 presses a key"));
            assert_eq!(words(&command, verbosity).as_deref(), Some("dtmf: done"));
        }
    }

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
