//! How many lines of one source reach the journal: [`Quota`].
//!
//! ```text
//!   event ─► source (what it is about, who caused it) ─► its bucket ─► a line, or one more left out
//!                                                 └─► and that of all sources of the kind
//! ```
//!
//! A source may have 20 lines at once, and one more every three seconds; all sources of a kind together 100, and one a
//! second. So a participant that sends many messages hides neither its own calls nor those of others. Omitted lines are
//! counted, and the count is a line. Actions at the box itself are always shown.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::{Duration, Instant};

use kinglet::event::Event;

/// Of one source: lines at once, and the time until there may be one more.
const OF_ONE: (u32, Duration) = (20, Duration::from_secs(3));

/// Of all sources of a kind together.
const OF_ALL: (u32, Duration) = (100, Duration::from_secs(1));

/// Sources remembered: every participant that a room can hold, with two kinds of events. Further ones share the common
/// quota.
const SOURCES_MAX: usize = 256;

/// A count that nothing follows is written after this.
const COUNT_AFTER: Duration = Duration::from_secs(10);

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Calls and keys pressed.
    Call,
    /// Participants and tracks that come and go.
    Presence,
    /// Messages, texts, files, methods called.
    Message,
    /// Warnings of the client.
    Warning,
    /// Our track, muted and unmuted.
    Mute,
    /// How the connection goes.
    Connection,
}

const KINDS: usize = Kind::Connection as usize + 1;

/// Lines that may be written.
#[derive(Debug)]
pub struct Quota {
    all: [Bucket; KINDS],
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    kind: Kind,
    who: String,
    bucket: Bucket,
    left_out: u64,
    last_left_out: Option<Instant>,
}

/// Full at first; every `period` brings one token back.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When it will be full again, as if tokens came one by one.
    full_at: Option<Instant>,
    limit: (u32, Duration),
}

impl Bucket {
    fn new(limit: (u32, Duration)) -> Bucket {
        Bucket { full_at: None, limit }
    }

    fn has_token(&self, now: Instant) -> bool {
        let (tokens, period) = self.limit;
        self.full_at.is_none_or(|at| at.saturating_duration_since(now) + period <= period * tokens)
    }

    fn take(&mut self, now: Instant) {
        let at = self.full_at.filter(|at| *at > now).unwrap_or(now);
        self.full_at = Some(at + self.limit.1);
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

impl Quota {
    /// Nothing was written yet.
    pub fn new() -> Quota {
        Quota { all: [Bucket::new(OF_ALL); KINDS], sources: Vec::new() }
    }

    /// Whether the line of `event` may be written; and how many lines of which source were left out since its last one.
    pub fn admits(&mut self, event: &Event, now: Instant) -> (bool, Option<(String, u64)>) {
        let Some((kind, who)) = source(event) else { return (true, None) };
        let all = &mut self.all[kind as usize];
        let Some(place) = place(&mut self.sources, kind, who, now) else {
            let has_token = all.has_token(now);
            if has_token {
                all.take(now);
            }
            return (has_token, None);
        };
        let source = &mut self.sources[place];
        if source.bucket.has_token(now) && all.has_token(now) {
            source.bucket.take(now);
            all.take(now);
            (true, source.take_count())
        } else {
            source.left_out += 1;
            source.last_left_out = Some(now);
            (false, None)
        }
    }

    /// The next count of a source that has had no line for a while; of any source where `is_end`.
    pub fn take_count(&mut self, is_end: bool, now: Instant) -> Option<(String, u64)> {
        let is_due = |at: Instant| is_end || now.saturating_duration_since(at) >= COUNT_AFTER;
        self.sources.iter_mut().find(|source| source.last_left_out.is_some_and(is_due))?.take_count()
    }
}

impl Source {
    fn take_count(&mut self) -> Option<(String, u64)> {
        self.last_left_out = None;
        let count = std::mem::take(&mut self.left_out);
        (count > 0).then(|| (self.who.clone(), count))
    }
}

/// Where a source stands, which is made where there is room.
fn place(sources: &mut Vec<Source>, kind: Kind, who: &str, now: Instant) -> Option<usize> {
    let known = sources.iter().position(|source| source.kind == kind && source.who == who);
    if known.is_some() {
        return known;
    }
    if sources.len() == SOURCES_MAX {
        // Those whose bucket is full again are as if they had never been there.
        sources.retain(|source| source.left_out > 0 || !source.bucket.is_full(now));
    }
    if sources.len() == SOURCES_MAX {
        return None;
    }
    let is_of_others = matches!(kind, Kind::Call | Kind::Presence | Kind::Message);
    let limit = if is_of_others { OF_ONE } else { OF_ALL };
    let bucket = Bucket::new(limit);
    sources.push(Source { kind, who: who.to_owned(), bucket, left_out: 0, last_left_out: None });
    Some(sources.len() - 1)
}

/// Kind and source of an event; `None` for events that are always written.
fn source(event: &Event) -> Option<(Kind, &str)> {
    Some(match event {
        Event::Ringing(call)
        | Event::CallAnswered(call)
        | Event::CallEnded(call)
        | Event::CallMissed(call) => (Kind::Call, &call.identity),
        Event::Dtmf { identity, .. } => (Kind::Call, identity),
        Event::OutputRefused { identity, .. } => (Kind::Call, identity),
        Event::ParticipantJoined(who) | Event::ParticipantChanged(who) => (Kind::Presence, &who.identity),
        Event::ParticipantLeft(left) => (Kind::Presence, &left.who.identity),
        Event::ParticipantActive { identity } => (Kind::Presence, identity),
        Event::TrackPublished(track)
        | Event::TrackUnpublished(track)
        | Event::TrackSubscribed(track)
        | Event::TrackUnsubscribed(track)
        | Event::TrackMuted(track)
        | Event::TrackUnmuted(track) => (Kind::Presence, &track.identity),
        Event::TrackSubscriptionFailed { identity, .. }
        | Event::TrackStreamState { identity, .. }
        | Event::TrackPermission { identity, .. }
        | Event::HeardBy { identity } => (Kind::Presence, identity),
        Event::Speakers { .. } => (Kind::Presence, "who speaks"),
        Event::Data(data) => (Kind::Message, &data.identity),
        Event::Chat { identity, .. } => (Kind::Message, identity),
        Event::TextStream(text) => (Kind::Message, &text.identity),
        Event::ByteStream(file) => (Kind::Message, &file.identity),
        Event::Transcription(said) => (Kind::Message, &said.identity),
        Event::RpcInvoked(call) => (Kind::Message, &call.identity),
        Event::RpcAnswered(answer) => (Kind::Message, &answer.identity),
        Event::Warning { .. } => (Kind::Warning, "warnings"),
        Event::LocalMuted { .. } | Event::LocalUnmuted { .. } => (Kind::Mute, "mute"),
        Event::Reconnecting { .. }
        | Event::Resumed { .. }
        | Event::Reconnected { .. }
        | Event::Disconnected { .. } => (Kind::Connection, "the connection"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinglet::event::CallFacts;
    use kinglet::io::clock;

    fn chat(identity: &str) -> Event {
        Event::Chat { identity: identity.to_owned(), text: "x".repeat(600), id: String::new() }
    }

    #[test]
    fn a_source_has_few_lines_and_what_is_left_out_is_counted() {
        let (mut quota, began) = (Quota::new(), clock::now());
        let mut lines = 0;
        let mut counted = 0;
        for number in 0..9_000_u64 {
            let (is_written, count) = quota.admits(&chat("anna"), began + Duration::from_millis(number));
            lines += u64::from(is_written);
            counted += count.map_or(0, |(who, count)| if who == "anna" { count } else { 0 });
        }
        assert_eq!(lines, 20 + 2, "nine seconds");
        let later = began + Duration::from_secs(30);
        let (who, rest) = quota.take_count(false, later).expect("some were left out");
        assert_eq!((who.as_str(), lines + counted + rest), ("anna", 9_000));
        assert_eq!(quota.take_count(true, later), None);
        assert!(quota.admits(&chat("anna"), later).0);
    }

    #[test]
    fn no_flood_hides_a_call_another_one_or_a_door() {
        let (mut quota, now) = (Quota::new(), clock::now());
        let written = |quota: &mut Quota, event: &Event| quota.admits(event, now).0;
        let lines = (0..2_000).filter(|number| written(&mut quota, &chat(&format!("flat-{number}")))).count();
        assert_eq!(lines, 100, "of all together, under whatever names");
        let call = CallFacts { identity: "flat-1".into(), reason: "rpc", seconds: 0 };
        assert!(written(&mut quota, &Event::Ringing(call)));
        assert!(written(&mut quota, &Event::Warning { text: "the sound card is gone".into() }));
        for _ in 0..1_000 {
            assert!(written(&mut quota, &Event::OutputPulsed { name: "door".into(), by: "flat-1".into() }));
        }
        assert!(quota.sources.len() <= SOURCES_MAX);
    }
}
