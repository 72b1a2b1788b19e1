//! What is said on the way into the room: kept, and sent first when somebody is there to hear it.
//!
//! ```text
//!              published, and somebody hears us ─► Sending ─► Live      people: packets
//!   Holding ─┬─ the same, and an agent is there ────────────► Live      agents: a stream of bytes (below)
//!            └─ nobody came for 2 s ────────────────────────► Live      given up, and counted
//!
//!   the recording: entering ─► … ─► an agent hears us, or 10 s are over
//! ```
//!
//! Packets that are sent before anybody is subscribed are lost in the server: so they wait for
//! `track_subscribed`. An agent is often called only when we enter, and comes seconds later; it knows from
//! `TF_PRECONNECT_BUFFER` that a recording follows, and takes it before what it hears.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::stream_tx;
use crate::engine::Engine;
use crate::engine::audio::admission::who;
use crate::engine::port::Action;
use crate::event::{Event, ParticipantKind};
use crate::limits::{FILE_AHEAD_BYTES, PRECONNECT_SAMPLE_RATE_HZ, RELIABLE_BYTES_MAX, STREAM_CHUNK_BYTES};
use crate::media::block::BLOCK_FRAMES;
use crate::media::send::preconnect::PreconnectBuffer;
use crate::rtc::Peer;

/// Topic of the recording, as agents expect it.
const TOPIC: &str = "lk.agent.pre-connect-audio-buffer";

/// Why a recording ends before its end, for who gets it.
const CLOSED: &str = "the microphone was closed";

/// From our publication to the first who hears it: a subscription takes two round trips and 150 ms.
const HEARD_PATIENCE: Duration = Duration::from_secs(2);

/// From an agent that we see to one that hears us, where the server does not tell: it tells of the first
/// subscription only.
const AGENT_PATIENCE: Duration = Duration::from_millis(500);

/// From the first who hears us to the last word that is said late. Whoever makes no pause in this time is cut
/// short once: no call stays late.
const LATE_PATIENCE: Duration = Duration::from_secs(3);

/// From our publication to the first agent; the official SDKs wait as long.
const RECORDING_PATIENCE: Duration = Duration::from_secs(10);

/// From entering to our publication. A box that finds no server for a minute need not listen all the time.
const PUBLISHED_PATIENCE: Duration = Duration::from_secs(60);

/// Sound of one way into the room.
pub(in crate::engine) struct Early {
    sound: PreconnectBuffer,
    began: Instant,
    published_at: Option<Instant>,
    is_heard: bool,
    packets: Packets,
    blocks_since_packet: usize,
    packet_blocks: usize,
    is_recording: bool,
    agent_since: Option<Instant>,
    is_heard_by_agent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packets {
    Holding,
    Sending { until: Instant },
    Live,
}

/// The recording on its way to agents.
pub(in crate::engine) struct EarlyStream {
    id: String,
    to: Vec<String>,
    pcm: Vec<u8>,
    sent_bytes: usize,
    next_index: u64,
    /// Numbers of its packets, header and end included.
    sequences: Vec<u32>,
    is_ended: bool,
}

impl Early {
    fn new(packet_samples: usize, now: Instant) -> Early {
        Early {
            sound: PreconnectBuffer::new(packet_samples),
            began: now,
            published_at: None,
            is_heard: false,
            packets: Packets::Holding,
            blocks_since_packet: 0,
            packet_blocks: packet_samples / BLOCK_FRAMES,
            is_recording: true,
            agent_since: None,
            is_heard_by_agent: false,
        }
    }

    /// The sound, while packets have to wait in it.
    pub(in crate::engine) fn held(&mut self) -> Option<&mut PreconnectBuffer> {
        (self.packets != Packets::Live).then_some(&mut self.sound)
    }

    /// The sound, while it is recorded.
    pub(in crate::engine) fn recorded(&mut self) -> Option<&mut PreconnectBuffer> {
        self.is_recording.then_some(&mut self.sound)
    }

    /// What was said until now is private; what follows is kept as before.
    pub(in crate::engine) fn discard(&mut self) {
        self.sound.discard();
    }

    fn waits_since_publication(&self, now: Instant) -> Duration {
        self.published_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Lets packets go, where it is time; how many were given up.
    fn release(&mut self, has_agent: bool, now: Instant) -> usize {
        let is_time = self.is_heard || self.waits_since_publication(now) >= HEARD_PATIENCE;
        if self.packets != Packets::Holding || self.published_at.is_none() || !is_time {
            return 0;
        }
        if self.is_heard && !has_agent {
            self.packets = Packets::Sending { until: now + LATE_PATIENCE };
            return 0;
        }
        self.packets = Packets::Live;
        let forgotten = self.sound.forget_packets();
        if has_agent { 0 } else { forgotten }
    }

    /// Whether the recording is to be sent now.
    fn is_due(&mut self, has_agent: bool, now: Instant) -> bool {
        if self.published_at.is_none() || !self.is_recording || !has_agent {
            return false;
        }
        let since = *self.agent_since.get_or_insert(now);
        let first_hearer = self.is_heard && since == now;
        self.is_heard_by_agent |= first_hearer && self.packets == Packets::Holding;
        self.is_heard_by_agent || now.saturating_duration_since(since) >= AGENT_PATIENCE
    }

    fn is_over(&self, now: Instant) -> bool {
        let is_late =
            self.published_at.is_none() && now.saturating_duration_since(self.began) >= PUBLISHED_PATIENCE;
        is_late || self.packets == Packets::Live && !self.is_recording
    }
}

impl Engine {
    /// We enter the room: what is said from now on is kept.
    pub(in crate::engine) fn early_begins(&mut self, now: Instant) {
        let keeps = self.settings.publish.as_ref().is_some_and(|publish| publish.keeps_early_sound);
        if let Some(microphone) = self.local.microphone.as_mut().filter(|_| keeps) {
            microphone.early = Some(Box::new(Early::new(microphone.sender.packet_samples(), now)));
        }
    }

    /// Somebody hears us, the first one.
    pub(in crate::engine) fn early_heard(&mut self) {
        if let Some(early) = self.local.microphone.as_mut().and_then(|microphone| microphone.early.as_mut()) {
            early.is_heard = true;
            early.is_heard_by_agent |= early.agent_since.is_some();
        }
    }

    /// The session is over. A way into the room that has not got there yet goes on with the next one.
    pub(in crate::engine) fn early_lost(&mut self) {
        self.data.early = None;
        if let Some(microphone) = &mut self.local.microphone
            && microphone.early.as_ref().is_some_and(|early| early.published_at.is_some())
        {
            microphone.early = None;
        }
    }

    /// Our track ends, or we leave: what was said until then is private, and nothing more is kept.
    pub(in crate::engine) fn microphone_closes(&mut self, now: Instant) {
        if let Some(microphone) = &mut self.local.microphone {
            microphone.early = None;
        }
        self.discard_sound(now);
    }

    /// A block was captured: sends what can be sent.
    pub(in crate::engine) fn early_moves(&mut self, now: Instant) {
        if self.local.microphone.as_ref().is_none_or(|microphone| microphone.early.is_none()) {
            return;
        }
        let is_publishing = self.is_publishing();
        let has_agent = self.agents_that_hear().next().is_some();
        let Some(early) = self.local.microphone.as_mut().and_then(|microphone| microphone.early.as_mut())
        else {
            return;
        };
        if is_publishing {
            early.published_at.get_or_insert(now);
        }
        // The recording goes first: what follows it is live.
        let is_due = early.is_due(has_agent, now);
        self.out.counters.early_lost += early.release(has_agent, now) as u64 + early.sound.take_lost();
        if is_due {
            early.is_recording = false;
            let pcm = early.sound.to_pcm();
            self.send_recording(pcm, now);
        } else if early.waits_since_publication(now) >= RECORDING_PATIENCE {
            early.is_recording = false;
        }
        self.send_early_packet(now);
        if let Some(microphone) = &mut self.local.microphone
            && microphone.early.as_ref().is_some_and(|early| early.is_over(now))
        {
            microphone.early = None;
        }
    }

    /// Once a packet time the next packet goes out.
    fn send_early_packet(&mut self, now: Instant) {
        let (Some(microphone), Some(publisher)) =
            (&mut self.local.microphone, &mut self.transports.publisher)
        else {
            return;
        };
        let Some(early) = &mut microphone.early else { return };
        let Packets::Sending { until } = early.packets else { return };
        if until <= now {
            self.out.counters.early_lost += early.sound.catch_up() as u64;
        }
        let since = early.blocks_since_packet;
        early.blocks_since_packet = (since + 1) % early.packet_blocks;
        if since != 0 {
            return;
        }
        let Some((packet, pause)) = early.sound.next_packet() else {
            early.packets = Packets::Live;
            return;
        };
        microphone.outlet.left_out_samples += pause;
        if microphone.outlet.send(&packet, publisher, now) {
            early.sound.sent();
            if early.sound.waiting_packets() == 0 {
                early.packets = Packets::Live;
            }
            self.advance(Peer::Publisher, now);
        }
    }

    /// Agents who may hear us: the recording is for them as the track is.
    fn agents_that_hear(&self) -> impl Iterator<Item = &str> {
        let agents = self.room.participants().filter(|who| who.kind == ParticipantKind::Agent);
        agents.filter(|agent| self.admission.may_hear(who(agent))).map(|agent| agent.identity.as_str())
    }

    fn send_recording(&mut self, pcm: Vec<u8>, now: Instant) {
        let to: Vec<String> = self.agents_that_hear().map(str::to_owned).collect();
        let Some(track) = self.local.publication.sid() else { return };
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

    /// The microphone closes, and what was captured until now is private: nothing of it leaves any more. A recording on
    /// its way is cut short.
    pub(in crate::engine) fn discard_sound(&mut self, now: Instant) {
        if let Some(microphone) = &mut self.local.microphone {
            microphone.discard();
        }
        self.out.act(Action::DiscardSound(Peer::Publisher));
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
    pub(in crate::engine) fn recording_moves(&mut self, now: Instant) {
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
