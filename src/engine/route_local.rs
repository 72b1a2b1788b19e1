//! What [`LocalTracks`] take from the other parts, and what their outputs mean for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Engine;
use super::audio::admission::who;
use super::audio::local::{LocalInput, LocalOutput, LocalTracks, PreconnectRecording, SendPacket};
use super::outbox::Outbox;
use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::stream_tx;
use crate::event::Event;
use crate::limits::{FILE_AHEAD_BYTES, PRECONNECT_SAMPLE_RATE_HZ, RELIABLE_BYTES_MAX, STREAM_CHUNK_BYTES};
use crate::media::block::Block;
use crate::room::Participant;
use crate::rtc::Peer;

/// Topic of the recording, as agents expect it.
const TOPIC: &str = "lk.agent.pre-connect-audio-buffer";

/// Why a recording ends before its end, for who gets it.
const CLOSED: &str = "the microphone was closed";

/// The recording on its way to agents.
pub(super) struct EarlyStream {
    id: String,
    to: Vec<String>,
    pcm: Vec<u8>,
    sent_bytes: usize,
    next_index: u64,
    /// Numbers of its packets, header and end included.
    sequences: Vec<u32>,
    is_ended: bool,
}

impl Engine {
    /// Whether sound that is captured now is of use: it is sent, or kept on the way into the room.
    pub fn takes_sound(&self) -> bool {
        let is_connected = self.transports.is_connected();
        !self.session.is_leaving() && self.local.takes_sound(is_connected)
    }

    /// Takes the next 10 ms from the microphone. Before the track is published it is kept or dropped, as it is
    /// set. `lag` is how many samples (at 48 kHz) wait at this moment in the loudspeaker's card, to be heard, and
    /// in the microphone's behind this block, to be read; `None` where they are not cards.
    pub fn capture(&mut self, block: &Block, lag: Option<f32>, now: Instant) {
        if self.takes_sound() {
            self.with_local(now, |local, input, out, send| local.capture(block, lag, input, send, out));
        }
    }

    /// How long the turn took that began at `now`: where too many take too long, work is given up.
    pub fn handle_turn(&mut self, took: Duration, now: Instant) {
        self.local.handle_turn(took, now, &mut self.out);
    }

    /// Does what is due of our tracks.
    pub(super) fn attend_local(&mut self, now: Instant) {
        while self.with_local(now, |local, input, out, send| local.handle_timeout(input, send, out)) {}
    }

    /// Calls `act` with what our tracks need to know, and carries out what follows.
    pub(super) fn with_local<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut LocalTracks, &LocalInput<'_>, &mut Outbox, &mut SendPacket<'_>) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let Self { transports, room, local, admission, out, .. } = self;
        let may_hear = |participant: &Participant| admission.may_hear(who(participant));
        let input = LocalInput {
            now,
            room,
            has_signal,
            is_connected: transports.is_connected(),
            takes_red: transports.takes_red(),
            may_hear: &may_hear,
        };
        let result = act(local, &input, out, &mut |line, packet| transports.send(line, packet, now));
        while let Some(output) = self.local.poll_output() {
            self.route_local(output, now);
        }
        result
    }

    fn route_local(&mut self, output: LocalOutput, now: Instant) {
        match output {
            LocalOutput::PacketsSent => {
                self.with_transports(now, |transports, ctx| transports.drive(Peer::Publisher, ctx));
            }
            LocalOutput::Offer => self.offer(now),
            LocalOutput::SoundDiscarded => self.withdraw_recording(now),
            LocalOutput::Recording(recording) => self.send_recording(recording, now),
            LocalOutput::Leave(outcome) => self.leave(Some(outcome), now),
        }
    }

    /// Sends what was said before anybody heard us to agents, as a stream of bytes.
    fn send_recording(&mut self, recording: PreconnectRecording, now: Instant) {
        let PreconnectRecording { pcm, track, destinations: to } = recording;
        if self.may_send_data().is_err() {
            return self
                .out
                .warn("what was said before an agent came is lost: the token does not allow data");
        }
        let seconds = pcm.len() as f32 / (2 * PRECONNECT_SAMPLE_RATE_HZ) as f32;
        // Nothing of it may be left: that is said, since an agent waits for it.
        if !pcm.is_empty() {
            self.out.emit(Event::Log {
                text: format!("{seconds:.1} s of earlier sound go to {}", to.join(", ")),
            });
        }
        let id = self.new_id();
        let attributes = [
            ("trackId", track.to_string()),
            ("sampleRate", PRECONNECT_SAMPLE_RATE_HZ.to_string()),
            ("channels", "1".to_owned()),
        ];
        let header = StreamHeader {
            id: id.clone(),
            timestamp_ms: self.unix_ms(now),
            topic: TOPIC.to_owned(),
            mime_type: "application/octet-stream".to_owned(),
            total_bytes: Some(pcm.len() as u64),
            attributes: BTreeMap::from(attributes.map(|(key, value)| (key.to_owned(), value))),
            byte_name: Some("preconnect-buffer".to_owned()),
        };
        let outgoing = Outgoing { destinations: to.clone(), content: Content::StreamHeader(header) };
        let sequences = vec![self.data.next_sequence()];
        if self.send_reliable(None, &outgoing, now).is_ok() {
            let is_ended = false;
            self.data.early =
                Some(EarlyStream { id, to, pcm, sent_bytes: 0, next_index: 0, sequences, is_ended });
            self.recording_moves(now);
        }
    }

    /// What was captured has become private: a recording on its way is cut short.
    fn withdraw_recording(&mut self, now: Instant) {
        let Some(stream) = self.data.early.take() else { return };
        let withdrawn = self.data.withdraw(&stream.sequences);
        let is_whole = stream.is_ended && withdrawn.removed == 0;
        let is_begun = withdrawn.removed < stream.sequences.len();
        if is_begun && !is_whole {
            let content = stream_tx::end(&stream.id, CLOSED);
            // Where there is no room for it, the receiver's own limits end the stream.
            let _ = self.send_reliable(None, &Outgoing { destinations: stream.to, content }, now);
        }
    }

    /// Sends as much of the recording as leaves room for messages between.
    pub(super) fn recording_moves(&mut self, now: Instant) {
        while self.data.room() >= RELIABLE_BYTES_MAX - FILE_AHEAD_BYTES {
            let sequence = self.data.next_sequence();
            let Some(stream) = self.data.early.as_mut().filter(|stream| !stream.is_ended) else { return };
            let rest = &stream.pcm[stream.sent_bytes..];
            let content = rest[..rest.len().min(STREAM_CHUNK_BYTES)].to_vec();
            let (id, destinations) = (stream.id.clone(), stream.to.clone());
            let is_end = content.is_empty();
            stream.sent_bytes += content.len();
            let content = match is_end {
                true => stream_tx::end(&id, ""),
                false => Content::StreamChunk { id, index: stream.next_index, content },
            };
            stream.next_index += 1;
            stream.sequences.push(sequence);
            if is_end {
                // Its packets may still wait.
                (stream.is_ended, stream.pcm) = (true, Vec::new());
            }
            if self.send_reliable(None, &Outgoing { destinations, content }, now).is_err() {
                self.data.early = None;
            }
        }
    }
}
