//! Streams that arrive: header, chunks, trailer ─► text in pieces, or bytes to store.
//!
//! ```text
//!   header ─► [ ≤ 8 streams ] ── chunk ─► text: collected to 64 KiB ─► Step::Text (piece)
//!                  │                      bytes: counted            ─► Step::Bytes
//!                  └── trailer ─► Step::End        hole, too long, sender gone ─► Step::Failed
//! ```
//!
//! Chunks come over the ordered channel, so a hole means that we joined in the middle or that the sender
//! is wrong; either way the stream cannot be completed. Packets are joined by stream id and [`Origin`], because the
//! identity of one sender differs from packet to packet where an agent speaks on behalf of another participant.
//!
//! All eight places taken, a new stream replaces:
//! 1. of the sender with the most streams the one that was idle longest, where that sender keeps at least two more
//!    than the new one's sender: none of them can shut out the others;
//! 2. else the stream that was idle longest, where it was for 15 s (`IDLE`).

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::fair;
use super::packet::{Origin, StreamHeader};
use super::stream::{IncomingStream, Taken};
use crate::limits::STREAMS_IN_MAX;
use crate::signal::sid::Sid;

/// A stream without packets for this long may be replaced if places are short. Captions pause for a breath, files for a
/// resume, which takes up to 15 s and stops the packets of all senders.
const IDLE: Duration = Duration::from_secs(15);

/// The streams under way.
#[derive(Debug, Default)]
pub struct IncomingStreams {
    streams: heapless::Vec<IncomingStream, STREAMS_IN_MAX>,
    next_key: u32,
}

/// What becomes of a stream that begins.
#[derive(Debug, PartialEq)]
pub enum Begun<'s> {
    /// It has a place, which `replaced` had before.
    Taken {
        /// The new one.
        stream: &'s IncomingStream,
        /// The stream that made room, and why.
        replaced: Option<(Box<IncomingStream>, String)>,
    },
    /// The sender has another stream of this id under way.
    Repeated,
    /// There is no place.
    Full {
        /// Places that the sender holds.
        own: usize,
    },
}

/// What a packet of a stream came to.
#[derive(Debug, PartialEq)]
pub enum Step<'s> {
    /// Nothing to report yet, or a packet of an unknown stream.
    Nothing,
    /// Bytes of a byte stream, to be stored.
    Bytes(&'s IncomingStream, Vec<u8>),
    /// More text has come; `Some` is a piece that is full.
    Text(&'s IncomingStream, Option<String>),
    /// The stream is complete. For text, the last piece.
    End(Box<IncomingStream>, String),
    /// The stream is invalid, and why.
    Failed(Box<IncomingStream>, String),
}

impl IncomingStreams {
    /// A stream begins.
    pub fn begin(&mut self, origin: Origin, sender: &str, header: StreamHeader, now: Instant) -> Begun<'_> {
        if self.position(&origin, &header.id).is_some() {
            return Begun::Repeated;
        }
        let mut replaced = None;
        if self.streams.is_full() {
            let own = self.count(&origin);
            let Some((place, why)) = self.place_to_free(own, now) else { return Begun::Full { own } };
            replaced = Some((Box::new(self.streams.remove(place)), why));
        }
        self.next_key = self.next_key.wrapping_add(1);
        let stream = IncomingStream::new(self.next_key, origin, sender, header, now);
        // There is room, see above.
        let _ = self.streams.push(stream);
        let last = self.streams.len() - 1;
        Begun::Taken { stream: &self.streams[last], replaced }
    }

    /// The stream that makes room for one of a sender with `own` streams, and why.
    fn place_to_free(&self, own: usize, now: Instant) -> Option<(usize, String)> {
        let largest = self.origins().map(|origin| self.count(origin)).max()?;
        let of_largest = |stream: &IncomingStream| self.count(&stream.origin) == largest;
        if largest >= own + 2 {
            let place = self.longest_idle(of_largest)?;
            return Some((
                place,
                format!("its sender has {largest} unfinished ones, and others need a place"),
            ));
        }
        let idle = |stream: &IncomingStream| now.saturating_duration_since(stream.last_heard()) >= IDLE;
        let place = self.longest_idle(idle)?;
        Some((place, format!("no part of it came for {} s, and others need a place", IDLE.as_secs())))
    }

    fn longest_idle(&self, is_candidate: impl Fn(&IncomingStream) -> bool) -> Option<usize> {
        let candidates = self.streams.iter().enumerate().filter(|(_, stream)| is_candidate(stream));
        candidates.min_by_key(|(_, stream)| stream.last_heard()).map(|(place, _)| place)
    }

    fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.streams.iter().map(|stream| &stream.origin)
    }

    fn count(&self, origin: &Origin) -> usize {
        fair::share(self.origins(), origin)
    }

    /// The next part of a stream.
    pub fn chunk(
        &mut self,
        origin: &Origin,
        id: &str,
        index: u64,
        content: Vec<u8>,
        now: Instant,
    ) -> Step<'_> {
        let Some(place) = self.position(origin, id) else { return Step::Nothing };
        match self.streams[place].take(index, content, now) {
            Taken::Repeated => Step::Nothing,
            Taken::Bytes(content) => Step::Bytes(&self.streams[place], content),
            Taken::Text(piece) => Step::Text(&self.streams[place], piece),
            Taken::Fault(why) => Step::Failed(Box::new(self.streams.remove(place)), why),
        }
    }

    /// A stream ends. An empty `reason` means that it is complete.
    pub fn trailer(
        &mut self,
        origin: &Origin,
        id: &str,
        reason: &str,
        attributes: BTreeMap<String, String>,
    ) -> Step<'_> {
        let Some(place) = self.position(origin, id) else { return Step::Nothing };
        let mut stream = self.streams.remove(place);
        if !reason.is_empty() {
            return Step::Failed(Box::new(stream), format!("its sender gave up: {reason}"));
        }
        match stream.end(attributes) {
            Ok(text) => Step::End(Box::new(stream), text),
            Err(why) => Step::Failed(Box::new(stream), why),
        }
    }

    /// A participant left; gives its streams, which stay incomplete.
    pub fn sender_left(&mut self, sid: Sid, identity: &str) -> Vec<IncomingStream> {
        self.take_all(|stream| stream.origin.is(sid, identity))
    }

    /// The session is lost; gives all streams, which stay incomplete.
    pub fn session_lost(&mut self) -> Vec<IncomingStream> {
        self.take_all(|_| true)
    }

    fn take_all(&mut self, is_gone: impl Fn(&IncomingStream) -> bool) -> Vec<IncomingStream> {
        let mut gone = Vec::new();
        while let Some(place) = self.streams.iter().position(&is_gone) {
            gone.push(self.streams.remove(place));
        }
        gone
    }

    /// A stream is given up on our side.
    pub fn take(&mut self, key: u32) -> Option<IncomingStream> {
        let place = self.streams.iter().position(|stream| stream.key == key)?;
        Some(self.streams.remove(place))
    }

    fn position(&self, origin: &Origin, id: &str) -> Option<usize> {
        self.streams.iter().position(|stream| stream.header.id == id && stream.origin == *origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STREAM_TEXT_BYTES_MAX;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn anna() -> Origin {
        Origin::Session(Sid::new("PA_anna").expect("a SID"))
    }

    fn begin(streams: &mut IncomingStreams, origin: &Origin, id: &str, now: Instant) -> bool {
        matches!(streams.begin(origin.clone(), "anna", header(id, None, None), now), Begun::Taken { .. })
    }

    fn header(id: &str, byte_name: Option<&str>, total_bytes: Option<u64>) -> StreamHeader {
        StreamHeader {
            id: id.into(),
            timestamp_ms: 0,
            topic: "t".into(),
            mime_type: String::new(),
            total_bytes,
            attributes: BTreeMap::new(),
            byte_name: byte_name.map(str::to_owned),
        }
    }

    #[test]
    fn text_comes_in_pieces_that_cut_no_character() {
        let now = base();
        let mut streams = IncomingStreams::default();
        assert!(begin(&mut streams, &anna(), "s", now));
        // 3 bytes each, cut everywhere.
        let said = "€".repeat(50_000);
        let mut heard = String::new();
        let mut pieces = 0;
        for (index, content) in said.as_bytes().chunks(10_001).enumerate() {
            match streams.chunk(&anna(), "s", index as u64, content.to_vec(), now) {
                Step::Text(_, Some(piece)) => {
                    assert!(piece.len() < STREAM_TEXT_BYTES_MAX + 10_001);
                    heard += &piece;
                    pieces += 1;
                }
                Step::Text(_, None) => {}
                other => panic!("{other:?}"),
            }
        }
        let attributes: BTreeMap<String, String> = [("late".to_owned(), "yes".to_owned())].into();
        let Step::End(stream, rest) = streams.trailer(&anna(), "s", "", attributes) else { panic!("no end") };
        heard += &rest;
        assert_eq!((heard, pieces), (said, 2));
        assert_eq!(stream.header.attributes["late"], "yes");
    }

    #[test]
    fn what_is_not_whole_says_why() {
        let now = base();
        let mut streams = IncomingStreams::default();
        let begin = |streams: &mut IncomingStreams, total| {
            let begun = streams.begin(anna(), "anna", header("s", Some("a.bin"), total), now);
            assert!(matches!(begun, Begun::Taken { replaced: None, .. }));
        };
        let why = |step: Step<'_>| match step {
            Step::Failed(_, why) => why,
            other => panic!("{other:?}"),
        };
        begin(&mut streams, Some(4));
        assert!(why(streams.chunk(&anna(), "s", 1, vec![0; 2], now)).contains("missing"));
        begin(&mut streams, Some(4));
        assert!(why(streams.chunk(&anna(), "s", 0, vec![0; 5], now)).contains("longer"));
        begin(&mut streams, Some(4));
        assert!(matches!(streams.chunk(&anna(), "s", 0, vec![0; 3], now), Step::Bytes(..)));
        assert_eq!(streams.chunk(&anna(), "s", 0, vec![0; 3], now), Step::Nothing, "twice");
        assert_eq!(
            streams.chunk(&Origin::Identity("bert".into()), "s", 1, vec![0; 1], now),
            Step::Nothing,
            "somebody else's"
        );
        assert!(why(streams.trailer(&anna(), "s", "", BTreeMap::new())).contains("shorter"));
        begin(&mut streams, None);
        assert!(why(streams.trailer(&anna(), "s", "cancelled", BTreeMap::new())).contains("cancelled"));
        begin(&mut streams, None);
        let sid = |text| Sid::new(text).expect("a SID");
        assert_eq!(streams.sender_left(sid("PA_older"), "anna").len(), 0, "an earlier session of hers");
        assert_eq!(streams.sender_left(sid("PA_anna"), "anna").len(), 1);
    }

    /// livekit-server leaves the identity that an agent writes on a stream's header, and stamps the agent's own on
    /// what follows; its SID is on all of them.
    #[test]
    fn a_stream_on_behalf_of_another_is_joined_by_the_senders_session() {
        let now = base();
        let mut streams = IncomingStreams::default();
        for number in 0..9 {
            let id = number.to_string();
            let begun = streams.begin(anna(), "box", header(&id, None, None), now);
            assert!(matches!(begun, Begun::Taken { replaced: None, .. }));
            assert!(matches!(streams.chunk(&anna(), &id, 0, b"open".to_vec(), now), Step::Text(..)));
            let Step::End(stream, text) = streams.trailer(&anna(), &id, "", BTreeMap::new()) else {
                panic!("no end")
            };
            assert_eq!((stream.sender.as_str(), text.as_str()), ("box", "open"));
        }
        let same = Origin::new(Sid::new("PA_anna"), "box");
        assert_eq!(same, Origin::new(Sid::new("PA_anna"), "anna"));
        assert_ne!(Origin::new(None, "box"), Origin::new(None, "anna"));
    }

    #[test]
    fn one_sender_cannot_shut_out_the_others() {
        let now = base();
        let mut streams = IncomingStreams::default();
        let taken = (0..1000).filter(|number| begin(&mut streams, &anna(), &format!("s{number}"), now));
        assert_eq!(taken.count(), STREAMS_IN_MAX);
        assert!(!begin(&mut streams, &anna(), "s0", now + IDLE), "an id in use");
        streams.chunk(&anna(), "s0", 0, b"on".to_vec(), now + Duration::from_secs(1));
        // Her longest idle one makes room for each of the others, as long as she keeps more than they.
        let others: Vec<Origin> =
            (0..STREAMS_IN_MAX).map(|number| Origin::Identity(number.to_string())).collect();
        for (place, other) in others.iter().enumerate().take(STREAMS_IN_MAX - 1) {
            match streams.begin(other.clone(), "other", header("s", None, None), now) {
                Begun::Taken { replaced: Some((replaced, why)), .. } => {
                    assert_eq!(replaced.origin, anna());
                    assert_eq!(replaced.header.id, format!("s{}", place + 1));
                    assert!(why.contains("unfinished"), "{why}");
                }
                other => panic!("{other:?}"),
            }
        }
        // Now each has one: none of them gives way before it is idle.
        let last = &others[STREAMS_IN_MAX - 1];
        let begun = streams.begin(last.clone(), "last", header("s", None, None), now);
        assert_eq!(begun, Begun::Full { own: 0 });
        let begun = streams.begin(last.clone(), "last", header("s", None, None), now + IDLE);
        match begun {
            Begun::Taken { replaced: Some((replaced, why)), .. } => {
                assert_eq!(replaced.origin, others[0]);
                assert!(why.contains("15 s"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn random_packets_keep_memory_bounded() {
        let mut now = base();
        let mut random = fastrand::Rng::with_seed(51);
        let mut streams = IncomingStreams::default();
        for _ in 0..30_000 {
            let id = format!("s{}", random.u32(0..12));
            now += Duration::from_millis(random.u64(0..2000));
            match random.u32(0..10) {
                0 => {
                    let name = random.bool().then_some("f");
                    let _ = streams.begin(anna(), "anna", header(&id, name, None), now);
                }
                1 => _ = streams.trailer(&anna(), &id, "", BTreeMap::new()),
                _ => {
                    let index = random.u64(0..4);
                    let content = std::iter::repeat_with(|| random.u8(..)).take(3000).collect();
                    let _ = streams.chunk(&anna(), &id, index, content, now);
                }
            }
            assert!(streams.streams.iter().all(|stream| stream.kept_bytes() <= 2 * STREAM_TEXT_BYTES_MAX));
        }
    }
}
