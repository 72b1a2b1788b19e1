//! Captions: the speech of participants as text, each caption once.
//!
//! LiveKit's agents send a caption twice, under two segment ids: as `Transcription` packets, for older clients, and as
//! a text stream of the topic `lk.transcription`. So the packets of a sender count only as long as it sends no such
//! stream.
//!
//! ```text
//!   first packet of a sender ─► held ──┬─ HOLD has passed ─► reported; later packets at once
//!                                      └─ a stream begins ─► dropped; later packets, too
//! ```
//!
//! An agent sends the first packet some milliseconds before the first stream (livekit-agents 1.8.9,
//! `_ParticipantTranscriptionOutput`), over the same ordered channel: hence the wait.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::{Duration, Instant};

use super::packet::{Origin, Segment};
use crate::limits::{CAPTION_SENDERS_MAX, CAPTIONS_HELD_MAX};
use crate::signal::sid::Sid;

/// How long the first packets of a sender wait for a stream. Both leave the agent in the same turn of its event loop;
/// half a second covers a busy one, and a reader does not notice it.
pub const HOLD: Duration = Duration::from_millis(500);

/// A part of the speech of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// The speaker: the sender, or the participant on whose behalf an agent sends it.
    pub identity: String,
    /// The text. Later texts of the same segment replace earlier ones.
    pub segment: Segment,
}

/// The senders of captions. The sender that was silent longest is removed first.
#[derive(Debug, Default)]
pub struct Captions {
    senders: heapless::Vec<Sender, CAPTION_SENDERS_MAX>,
}

#[derive(Debug)]
struct Sender {
    origin: Origin,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Unknown { until: Instant, held: Box<heapless::Vec<Caption, CAPTIONS_HELD_MAX>> },
    Packets,
    Streams,
}

impl Captions {
    /// A caption came as a packet. Gives the captions to report now, in order.
    pub fn packet(&mut self, origin: &Origin, caption: Caption, now: Instant) -> Vec<Caption> {
        let (sender, mut released) = self.sender(origin, now);
        match &mut sender.form {
            Form::Packets => released.push(caption),
            Form::Streams => {}
            Form::Unknown { held, .. } => {
                let same = held.iter_mut().find(|other| other.is_older_text_of(&caption));
                match same {
                    Some(older) => *older = caption,
                    None => {
                        if let Err(caption) = held.push(caption) {
                            // No agent sends so many at once: its packets are all there is.
                            released.extend(sender.form.settle());
                            released.push(caption);
                        }
                    }
                }
            }
        }
        released
    }

    /// A stream of captions begins: the sender's packets are copies. Gives captions of another sender that is
    /// forgotten in its place.
    pub fn stream(&mut self, origin: &Origin, now: Instant) -> Vec<Caption> {
        let (sender, released) = self.sender(origin, now);
        sender.form = Form::Streams;
        released
    }

    /// When [`Captions::take_due`] has something.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.senders.iter().filter_map(|sender| sender.form.held_until()).min()
    }

    /// The captions whose sender has begun no stream in time.
    pub fn take_due(&mut self, now: Instant) -> Vec<Caption> {
        let due = |sender: &&mut Sender| sender.form.held_until().is_some_and(|until| until <= now);
        self.senders.iter_mut().filter(due).flat_map(|sender| sender.form.settle()).collect()
    }

    /// A participant left. Gives its captions that were held.
    pub fn sender_left(&mut self, sid: Sid, identity: &str) -> Vec<Caption> {
        let place = self.senders.iter().position(|sender| sender.origin.is(sid, identity));
        place.map_or_else(Vec::new, |place| self.senders.remove(place).form.settle())
    }

    /// The session is lost. Gives all captions that were held.
    pub fn session_lost(&mut self) -> Vec<Caption> {
        std::mem::take(self).senders.into_iter().flat_map(|mut sender| sender.form.settle()).collect()
    }

    /// The sender, which is the last one from now on, and captions of one that was forgotten for it.
    fn sender(&mut self, origin: &Origin, now: Instant) -> (&mut Sender, Vec<Caption>) {
        let known = self.senders.iter().position(|sender| sender.origin == *origin);
        let mut released = Vec::new();
        let sender = match known {
            Some(place) => self.senders.remove(place),
            None => {
                if self.senders.is_full() {
                    released = self.senders.remove(0).form.settle();
                }
                let form = Form::Unknown { until: now + HOLD, held: Box::default() };
                Sender { origin: origin.clone(), form }
            }
        };
        // One was removed where there was no room.
        let _ = self.senders.push(sender);
        let last = self.senders.len() - 1;
        (&mut self.senders[last], released)
    }
}

impl Caption {
    fn is_older_text_of(&self, newer: &Caption) -> bool {
        self.segment.id == newer.segment.id && self.identity == newer.identity
    }
}

impl Form {
    fn held_until(&self) -> Option<Instant> {
        match self {
            Form::Unknown { until, held } if !held.is_empty() => Some(*until),
            _ => None,
        }
    }

    /// Packets are all that this sender sends. Gives those that were held.
    fn settle(&mut self) -> Vec<Caption> {
        match std::mem::replace(self, Form::Packets) {
            Form::Unknown { held, .. } => held.into_iter().collect(),
            Form::Packets => Vec::new(),
            Form::Streams => {
                *self = Form::Streams;
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn agent(number: usize) -> Origin {
        Origin::Session(Sid::new(&format!("PA_{number}")).expect("a SID"))
    }

    fn caption(id: &str, text: &str) -> Caption {
        let segment = Segment { id: id.to_owned(), text: text.to_owned(), is_final: false };
        Caption { identity: "box".to_owned(), segment }
    }

    #[test]
    fn packets_of_a_sender_that_streams_are_copies() {
        let now = base();
        let mut captions = Captions::default();
        assert_eq!(captions.packet(&agent(1), caption("p1", "open"), now), []);
        assert_eq!(captions.stream(&agent(1), now), []);
        assert_eq!((captions.take_due(now + HOLD), captions.poll_timeout()), (Vec::new(), None));
        assert_eq!(captions.packet(&agent(1), caption("p1", "open it"), now + 2 * HOLD), []);
        // Others are not concerned.
        assert_eq!(captions.packet(&agent(2), caption("p", "yes"), now + HOLD), []);
        assert_eq!(captions.take_due(now + 2 * HOLD), [caption("p", "yes")]);
    }

    #[test]
    fn a_sender_without_streams_is_reported_late_once_and_at_once_from_then_on() {
        let now = base();
        let mut captions = Captions::default();
        captions.packet(&agent(1), caption("p1", "o"), now);
        captions.packet(&agent(1), caption("p1", "open"), now);
        captions.packet(&agent(1), caption("p2", "it"), now);
        assert_eq!(captions.poll_timeout(), Some(now + HOLD));
        assert_eq!(captions.take_due(now), []);
        assert_eq!(captions.take_due(now + HOLD), [caption("p1", "open"), caption("p2", "it")]);
        assert_eq!(captions.packet(&agent(1), caption("p3", "now"), now + HOLD), [caption("p3", "now")]);
        // One that begins to stream after all.
        captions.stream(&agent(1), now + HOLD);
        assert_eq!(captions.packet(&agent(1), caption("p4", "now"), now + HOLD), []);
    }

    #[test]
    fn what_is_held_is_bounded_and_never_lost() {
        let now = base();
        let mut captions = Captions::default();
        let mut reported = 0;
        let sent = 3 * CAPTION_SENDERS_MAX * (CAPTIONS_HELD_MAX + 3);
        for number in 0..3 * CAPTION_SENDERS_MAX {
            for part in 0..CAPTIONS_HELD_MAX + 3 {
                let text = caption(&part.to_string(), "word");
                reported += captions.packet(&agent(number), text, now).len();
            }
        }
        assert_eq!(reported, sent);
        captions.packet(&agent(1000), caption("p", "left"), now);
        let sid = Sid::new("PA_1000").expect("a SID");
        assert_eq!(captions.sender_left(sid, "agent"), [caption("p", "left")]);
        captions.packet(&agent(1001), caption("p", "lost"), now);
        assert_eq!(captions.session_lost(), [caption("p", "lost")]);
        assert_eq!(captions.poll_timeout(), None);
    }
}
