//! Sound from before an agent came, as a byte stream to the agents: [`RecordingStream`].
//!
//! ```text
//!   begin ─► header ─► chunk ─► chunk ─► … ─► end          cut: chunks that SCTP does not have are withdrawn,
//!                      ▲ only while little waits                and the end reports that it is incomplete
//! ```
//!
//! Agents know from `TF_PRECONNECT_BUFFER` on our track that the stream follows, and take it before what they hear.

use std::collections::BTreeMap;

use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::reliable::Withdrawn;
use crate::data::stream_tx;
use crate::limits::{PRECONNECT_SAMPLE_RATE_HZ, STREAM_CHUNK_BYTES};
use crate::signal::sid::Sid;

/// Topic of the stream, as agents expect it.
const TOPIC: &str = "lk.agent.pre-connect-audio-buffer";

/// Why the stream ends before its end, for its receivers.
const CLOSED: &str = "the microphone was closed";

/// The recording that is under way, if there is one.
#[derive(Debug, Default)]
pub(super) struct RecordingStream {
    stream: Option<Recording>,
}

#[derive(Debug)]
struct Recording {
    id: String,
    to: Vec<String>,
    pcm: Vec<u8>,
    sent_bytes: usize,
    next_index: u64,
    /// Numbers of its packets, header and end included.
    sequences: Vec<u32>,
    is_ended: bool,
}

impl RecordingStream {
    /// A recording of `track` goes to the agents `to`: the header, which is the packet `sequence`.
    pub(super) fn begin(
        &mut self,
        id: String,
        (track, pcm): (Sid, Vec<u8>),
        to: Vec<String>,
        timestamp_ms: i64,
        sequence: u32,
    ) -> Outgoing {
        let attributes = [
            ("trackId", track.to_string()),
            ("sampleRate", PRECONNECT_SAMPLE_RATE_HZ.to_string()),
            ("channels", "1".to_owned()),
        ];
        let header = StreamHeader {
            id: id.clone(),
            timestamp_ms,
            topic: TOPIC.to_owned(),
            mime_type: "application/octet-stream".to_owned(),
            total_bytes: Some(pcm.len() as u64),
            attributes: BTreeMap::from(attributes.map(|(key, value)| (key.to_owned(), value))),
            byte_name: Some("preconnect-buffer".to_owned()),
        };
        let destinations = to.clone();
        let sequences = vec![sequence];
        self.stream =
            Some(Recording { id, to, pcm, sent_bytes: 0, next_index: 0, sequences, is_ended: false });
        Outgoing { destinations, content: Content::StreamHeader(header) }
    }

    /// The next packet, if there is one; it gets the number `sequence`.
    pub(super) fn next_packet(&mut self, sequence: u32) -> Option<Outgoing> {
        let stream = self.stream.as_mut().filter(|stream| !stream.is_ended)?;
        let rest = stream.pcm.get(stream.sent_bytes..).unwrap_or_default();
        let content = rest.get(..STREAM_CHUNK_BYTES).unwrap_or(rest).to_vec();
        stream.sent_bytes += content.len();
        stream.sequences.push(sequence);
        let content = if content.is_empty() {
            // Its packets may still wait.
            (stream.is_ended, stream.pcm) = (true, Vec::new());
            stream_tx::end(&stream.id, "")
        } else {
            let index = stream.next_index;
            stream.next_index += 1;
            Content::StreamChunk { id: stream.id.clone(), index, content }
        };
        Some(Outgoing { destinations: stream.to.clone(), content })
    }

    /// Numbers of the packets of a recording that is under way.
    pub(super) fn sequences(&self) -> &[u32] {
        self.stream.as_ref().map_or(&[], |stream| &stream.sequences)
    }

    /// The recording is private from now on, and its packets are withdrawn as `withdrawn` says. Returns the end of the
    /// stream, if a receiver waits for it.
    pub(super) fn cut(&mut self, withdrawn: Withdrawn) -> Option<Outgoing> {
        let stream = self.stream.take()?;
        let is_whole = stream.is_ended && withdrawn.removed == 0;
        let is_begun = withdrawn.removed < stream.sequences.len();
        let content = stream_tx::end(&stream.id, CLOSED);
        (is_begun && !is_whole).then_some(Outgoing { destinations: stream.to, content })
    }

    /// The recording cannot be sent, or its session is lost.
    pub(super) fn forget(&mut self) {
        self.stream = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKS: usize = 3;

    fn begun() -> RecordingStream {
        let mut recording = RecordingStream::default();
        let track = Sid::new("TR_door").expect("a SID");
        let pcm = vec![0; CHUNKS * STREAM_CHUNK_BYTES - 1];
        let header = recording.begin("r".into(), (track, pcm), vec!["agent".into()], 0, 7);
        let Content::StreamHeader(header) = header.content else { panic!("a header comes first") };
        assert_eq!(header.total_bytes, Some(CHUNKS as u64 * STREAM_CHUNK_BYTES as u64 - 1));
        assert_eq!(header.attributes["trackId"], "TR_door");
        recording
    }

    #[test]
    fn a_recording_is_header_chunks_and_an_end() {
        let mut recording = begun();
        for index in 0..CHUNKS {
            let packet = recording.next_packet(8 + index as u32).expect("a chunk");
            assert!(matches!(packet.content, Content::StreamChunk { index: i, .. } if i == index as u64));
            assert_eq!(packet.destinations, ["agent"]);
        }
        let end = recording.next_packet(11).expect("the end").content;
        assert_eq!(end, stream_tx::end("r", ""));
        assert_eq!(recording.next_packet(12), None);
        assert_eq!(recording.sequences(), [7, 8, 9, 10, 11]);
        // All of it is with SCTP: nothing is left to cut.
        assert_eq!(recording.cut(Withdrawn { removed: 0, under_way: 2 }), None);
        assert!(recording.sequences().is_empty());
    }

    #[test]
    fn a_recording_that_is_cut_ends_where_a_receiver_waits() {
        let mut recording = begun();
        assert!(recording.next_packet(8).is_some());
        let end = recording.cut(Withdrawn { removed: 1, under_way: 1 }).expect("the header has left");
        assert_eq!(end.content, stream_tx::end("r", CLOSED));
        assert_eq!((end.destinations, recording.next_packet(9)), (vec!["agent".to_owned()], None));
        let mut recording = begun();
        assert_eq!(recording.cut(Withdrawn { removed: 1, under_way: 0 }), None, "nothing of it has left");
    }
}
