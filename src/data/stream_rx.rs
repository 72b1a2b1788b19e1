//! Streams that arrive: header, chunks, trailer ─► text in pieces, or bytes to store.
//!
//! ```text
//!   header ─► [ ≤ 8 streams ] ── chunk ─► text: collected to 64 KiB ─► Step::Text (piece)
//!                  │                      bytes: counted            ─► Step::Bytes
//!                  └── trailer ─► Step::End        hole, too long, sender gone ─► Step::Failed
//! ```
//!
//! Chunks come over the ordered channel, so a hole means that we joined in the middle or that the sender
//! is wrong; either way the stream is of no use. A stream whose sender says nothing for a minute gives its
//! place to a new one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::packet::StreamHeader;
use crate::limits::{
    ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, STREAM_BYTES_MAX, STREAM_TEXT_BYTES_MAX, STREAMS_IN_MAX,
};

/// A stream without chunks for so long may be replaced.
const STALE: Duration = Duration::from_secs(60);

/// The streams under way.
#[derive(Debug, Default)]
pub struct IncomingStreams {
    streams: heapless::Vec<Stream, STREAMS_IN_MAX>,
    next_key: u32,
}

/// One stream, as it is known so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Our number for it.
    pub key: u32,
    /// Who sends it.
    pub sender: String,
    /// How it began; attributes of the trailer are added at the end.
    pub header: StreamHeader,
    /// Bytes that have come.
    pub received_bytes: u64,
    /// Pieces of text that were told.
    pub parts: u32,
    text: Vec<u8>,
    next_index: u64,
    last_heard: Instant,
}

/// What a packet of a stream came to.
#[derive(Debug, PartialEq)]
pub enum Step<'s> {
    /// Nothing to tell yet, or a packet of an unknown stream.
    Nothing,
    /// Bytes of a byte stream, to be stored.
    Bytes(&'s Stream, Vec<u8>),
    /// More text has come; `Some` is a piece that is full.
    Text(&'s Stream, Option<String>),
    /// The stream is complete. For text, the last piece.
    End(Box<Stream>, String),
    /// The stream is of no use, and why.
    Failed(Box<Stream>, String),
}

impl IncomingStreams {
    /// A stream begins; `None` if there is no place for it, or its number is in use.
    pub fn begin(
        &mut self,
        sender: &str,
        header: StreamHeader,
        now: Instant,
    ) -> Option<(&Stream, Option<Stream>)> {
        if self.position(sender, &header.id).is_some() {
            return None;
        }
        let stale = |stream: &Stream| now.saturating_duration_since(stream.last_heard) >= STALE;
        let mut replaced = None;
        if self.streams.is_full() {
            let oldest = self.streams.iter().position(stale)?;
            replaced = Some(self.streams.remove(oldest));
        }
        self.next_key = self.next_key.wrapping_add(1);
        let stream = Stream {
            key: self.next_key,
            sender: sender.to_owned(),
            header,
            received_bytes: 0,
            parts: 0,
            text: Vec::new(),
            next_index: 0,
            last_heard: now,
        };
        self.streams.push(stream).ok()?;
        self.streams.last().map(|stream| (stream, replaced))
    }

    /// A stream goes on.
    pub fn chunk(&mut self, sender: &str, id: &str, index: u64, content: Vec<u8>, now: Instant) -> Step<'_> {
        let Some(place) = self.position(sender, id) else { return Step::Nothing };
        let (stream, bytes) = (&mut self.streams[place], content.len() as u64);
        stream.last_heard = now;
        if index < stream.next_index {
            // Sent twice by one who was not sure.
            return Step::Nothing;
        }
        if let Some(fault) = stream.fault_of(index, bytes) {
            return Step::Failed(Box::new(self.streams.remove(place)), fault);
        }
        let stream = &mut self.streams[place];
        stream.next_index += 1;
        stream.received_bytes += bytes;
        if !stream.is_text() {
            return Step::Bytes(stream, content);
        }
        stream.text.extend_from_slice(&content);
        let piece = stream.take_full_piece();
        Step::Text(stream, piece)
    }

    /// A stream ends. An empty `reason` says that it is complete.
    pub fn trailer(
        &mut self,
        sender: &str,
        id: &str,
        reason: &str,
        attributes: BTreeMap<String, String>,
    ) -> Step<'_> {
        let Some(place) = self.position(sender, id) else { return Step::Nothing };
        let mut stream = self.streams.remove(place);
        if !reason.is_empty() {
            return Step::Failed(Box::new(stream), format!("its sender gave up: {reason}"));
        }
        if stream.header.total_bytes.is_some_and(|total| stream.received_bytes < total) {
            return Step::Failed(Box::new(stream), "it is shorter than it said".to_owned());
        }
        stream.add_attributes(attributes);
        let text = String::from_utf8_lossy(&std::mem::take(&mut stream.text)).into_owned();
        Step::End(Box::new(stream), text)
    }

    /// Whoever sends them is gone (`None`: everybody); gives what stays incomplete.
    pub fn sender_left(&mut self, sender: Option<&str>) -> Vec<Stream> {
        let mut gone = Vec::new();
        while let Some(place) =
            self.streams.iter().position(|stream| sender.is_none_or(|sender| stream.sender == sender))
        {
            gone.push(self.streams.remove(place));
        }
        gone
    }

    /// A stream is given up on our side.
    pub fn take(&mut self, key: u32) -> Option<Stream> {
        let place = self.streams.iter().position(|stream| stream.key == key)?;
        Some(self.streams.remove(place))
    }

    fn position(&self, sender: &str, id: &str) -> Option<usize> {
        self.streams.iter().position(|stream| stream.header.id == id && stream.sender == sender)
    }
}

impl Stream {
    /// Whether it is text, as opposed to bytes.
    pub fn is_text(&self) -> bool {
        self.header.byte_name.is_none()
    }

    /// The text that was not told yet.
    pub fn text_so_far(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// Why the chunk of this index cannot be the next one.
    fn fault_of(&self, index: u64, bytes: u64) -> Option<String> {
        let received_bytes = self.received_bytes + bytes;
        if index > self.next_index {
            Some("a part of it is missing".to_owned())
        } else if self.header.total_bytes.is_some_and(|total| received_bytes > total) {
            Some("it is longer than it said".to_owned())
        } else if received_bytes > STREAM_BYTES_MAX {
            Some(format!("it is longer than {STREAM_BYTES_MAX} bytes"))
        } else {
            None
        }
    }

    /// Everything up to the last whole character, once enough has come.
    fn take_full_piece(&mut self) -> Option<String> {
        if self.text.len() < STREAM_TEXT_BYTES_MAX {
            return None;
        }
        let whole = match std::str::from_utf8(&self.text) {
            Ok(_) => self.text.len(),
            // A character that is cut in two stays for the next piece; other damage is replaced.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.text.len(),
        };
        let rest = self.text.split_off(whole);
        let piece = std::mem::replace(&mut self.text, rest);
        self.parts += 1;
        Some(String::from_utf8_lossy(&piece).into_owned())
    }

    fn add_attributes(&mut self, attributes: BTreeMap<String, String>) {
        let bytes = |pairs: &BTreeMap<String, String>| -> usize {
            pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
        };
        let known = &mut self.header.attributes;
        let fits = known.len() + attributes.len() <= ATTRIBUTES_MAX
            && bytes(known) + bytes(&attributes) <= ATTRIBUTES_BYTES_MAX;
        if fits {
            known.extend(attributes);
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
        streams.begin("anna", header("s", None, None), now).expect("a place");
        // 3 bytes each, cut everywhere.
        let said = "€".repeat(50_000);
        let mut heard = String::new();
        let mut pieces = 0;
        for (index, content) in said.as_bytes().chunks(10_001).enumerate() {
            match streams.chunk("anna", "s", index as u64, content.to_vec(), now) {
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
        let Step::End(stream, rest) = streams.trailer("anna", "s", "", attributes) else { panic!("no end") };
        heard += &rest;
        assert_eq!((heard, pieces), (said, 2));
        assert_eq!(stream.header.attributes["late"], "yes");
    }

    #[test]
    fn what_is_not_whole_says_why() {
        let now = base();
        let mut streams = IncomingStreams::default();
        let begin = |streams: &mut IncomingStreams, total| {
            streams.begin("anna", header("s", Some("a.bin"), total), now).expect("a place");
        };
        let why = |step: Step<'_>| match step {
            Step::Failed(_, why) => why,
            other => panic!("{other:?}"),
        };
        begin(&mut streams, Some(4));
        assert!(why(streams.chunk("anna", "s", 1, vec![0; 2], now)).contains("missing"));
        begin(&mut streams, Some(4));
        assert!(why(streams.chunk("anna", "s", 0, vec![0; 5], now)).contains("longer"));
        begin(&mut streams, Some(4));
        assert!(matches!(streams.chunk("anna", "s", 0, vec![0; 3], now), Step::Bytes(..)));
        assert_eq!(streams.chunk("anna", "s", 0, vec![0; 3], now), Step::Nothing, "twice");
        assert_eq!(streams.chunk("bert", "s", 1, vec![0; 1], now), Step::Nothing, "somebody else's");
        assert!(why(streams.trailer("anna", "s", "", BTreeMap::new())).contains("shorter"));
        begin(&mut streams, None);
        assert!(why(streams.trailer("anna", "s", "cancelled", BTreeMap::new())).contains("cancelled"));
        begin(&mut streams, None);
        assert_eq!(streams.sender_left(Some("bert")).len(), 0);
        assert_eq!(streams.sender_left(Some("anna")).len(), 1);
    }

    #[test]
    fn a_flood_of_streams_takes_eight_places_and_gives_them_back() {
        let now = base();
        let mut streams = IncomingStreams::default();
        let mut taken = 0;
        for number in 0..1000 {
            taken +=
                usize::from(streams.begin("anna", header(&format!("s{number}"), None, None), now).is_some());
        }
        assert_eq!(taken, STREAMS_IN_MAX);
        assert!(streams.begin("anna", header("s0", None, None), now + STALE).is_none(), "a number in use");
        let (_, replaced) =
            streams.begin("anna", header("new", None, None), now + STALE).expect("a stale place");
        assert_eq!(replaced.map(|stream| stream.header.id), Some("s0".to_owned()));
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
                0 => _ = streams.begin("anna", header(&id, (random.bool()).then_some("f"), None), now),
                1 => _ = streams.trailer("anna", &id, "", BTreeMap::new()),
                _ => {
                    let index = random.u64(0..4);
                    let content = std::iter::repeat_with(|| random.u8(..)).take(3000).collect();
                    let _ = streams.chunk("anna", &id, index, content, now);
                }
            }
            assert!(streams.streams.iter().all(|stream| stream.text.len() <= 2 * STREAM_TEXT_BYTES_MAX));
        }
    }
}
