//! Sound that is captured on the way into the room: kept, and sent first when somebody can hear it.
//!
//! ```text
//!              published, and somebody hears us ─► Sending ─► Live      people: packets
//!   Holding ─┬─ the same, and an agent is there ────────────► Live      agents: a stream of bytes (below)
//!            └─ nobody came for 2 s ────────────────────────► Live      given up, and counted
//!
//!   the recording: entering ─► … ─► an agent hears us, or 10 s are over
//! ```
//!
//! Packets that are sent before the first subscription are lost in the server, so they wait for `track_subscribed`. An
//! agent is often dispatched only when we enter, and comes seconds later; it knows from `TF_PRECONNECT_BUFFER` that a
//! recording follows, and plays it before the live sound.

use std::time::{Duration, Instant};

use super::outlet::SendPacket;
use super::track::LocalTrack;
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::send::preconnect::PreconnectBuffer;

/// From our publication to the first subscriber: a subscription takes two round trips and 150 ms.
const HEARD_PATIENCE: Duration = Duration::from_secs(2);

/// From an agent in the room to its subscription, if the server does not report it: it reports only the first one.
const AGENT_PATIENCE: Duration = Duration::from_millis(500);

/// From the first subscriber to the last packet that is sent late. A speaker without a pause in this time is cut once:
/// no call stays delayed.
const LATE_PATIENCE: Duration = Duration::from_secs(3);

/// From our publication to the first agent; the official SDKs wait as long.
const RECORDING_PATIENCE: Duration = Duration::from_secs(10);

/// From entering to our publication. A box that finds no server for a minute need not listen all the time.
const PUBLISHED_PATIENCE: Duration = Duration::from_secs(60);

/// The sound of one way into the room.
pub(super) struct Preconnect {
    buffer: PreconnectBuffer,
    began: Instant,
    published_at: Option<Instant>,
    is_heard: bool,
    packets: Packets,
    blocks_since_packet: usize,
    packet_blocks: usize,
    is_recording: bool,
    agent_since: Option<Instant>,
    is_heard_by_agent: bool,
    lost_packets: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packets {
    Holding,
    Sending { until: Instant },
    Live,
}

impl Preconnect {
    /// An empty recording. `packet_samples` is the length of each packet.
    pub(super) fn new(packet_samples: usize, now: Instant) -> Preconnect {
        Preconnect {
            buffer: PreconnectBuffer::new(packet_samples),
            began: now,
            published_at: None,
            is_heard: false,
            packets: Packets::Holding,
            blocks_since_packet: 0,
            packet_blocks: packet_samples / BLOCK_FRAMES,
            is_recording: true,
            agent_since: None,
            is_heard_by_agent: false,
            lost_packets: 0,
        }
    }

    /// Where packets have to wait, while they have to.
    pub(super) fn held(&mut self) -> Option<&mut PreconnectBuffer> {
        (self.packets != Packets::Live).then_some(&mut self.buffer)
    }

    /// Records a block for agents, while they are waited for.
    pub(super) fn record(&mut self, block: &Block) {
        if self.is_recording {
            self.buffer.hear(block);
        }
    }

    /// Discards all sound until now, which is private; later sound is kept as before.
    pub(super) fn discard(&mut self) {
        self.buffer.discard();
    }

    /// The track has its first subscriber.
    pub(super) fn heard(&mut self) {
        self.is_heard = true;
        self.is_heard_by_agent |= self.agent_since.is_some();
    }

    /// Whether the track was published since the way into the room began.
    pub(super) fn was_published(&self) -> bool {
        self.published_at.is_some()
    }

    /// A block was captured: decides what becomes of what waits. The recording, where it is to be sent now. It goes
    /// first: what follows it is live.
    pub(super) fn advance(&mut self, is_publishing: bool, has_agent: bool, now: Instant) -> Option<Vec<u8>> {
        if is_publishing {
            self.published_at.get_or_insert(now);
        }
        let is_due = self.is_due(has_agent, now);
        self.release(has_agent, now);
        self.lost_packets += self.buffer.take_lost();
        if is_due || self.waits_since_publication(now) >= RECORDING_PATIENCE {
            self.is_recording = false;
        }
        is_due.then(|| self.buffer.to_pcm())
    }

    /// Sends the next packet, once a packet time; whether one was sent.
    pub(super) fn send_packet(
        &mut self,
        track: &mut LocalTrack,
        takes_red: bool,
        send: &mut SendPacket<'_>,
        now: Instant,
    ) -> bool {
        let Packets::Sending { until } = self.packets else { return false };
        if until <= now {
            self.lost_packets += self.buffer.catch_up() as u64;
        }
        let since = self.blocks_since_packet;
        self.blocks_since_packet = (since + 1) % self.packet_blocks;
        if since != 0 {
            return false;
        }
        let Some((packet, pause)) = self.buffer.next_packet() else {
            self.packets = Packets::Live;
            return false;
        };
        let is_sent = track.send_kept(&packet, pause, takes_red, send);
        if is_sent {
            self.buffer.sent();
            if self.buffer.waiting_packets() == 0 {
                self.packets = Packets::Live;
            }
        }
        is_sent
    }

    /// Packets that were dropped unheard, since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost_packets)
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let is_late =
            self.published_at.is_none() && now.saturating_duration_since(self.began) >= PUBLISHED_PATIENCE;
        is_late || self.packets == Packets::Live && !self.is_recording
    }

    fn waits_since_publication(&self, now: Instant) -> Duration {
        self.published_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
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

    /// Lets packets go, where it is time.
    fn release(&mut self, has_agent: bool, now: Instant) {
        let is_time = self.is_heard || self.waits_since_publication(now) >= HEARD_PATIENCE;
        if self.packets != Packets::Holding || self.published_at.is_none() || !is_time {
            return;
        }
        if self.is_heard && !has_agent {
            self.packets = Packets::Sending { until: now + LATE_PATIENCE };
            return;
        }
        self.packets = Packets::Live;
        let forgotten = self.buffer.forget_packets();
        self.lost_packets += if has_agent { 0 } else { forgotten as u64 };
    }
}
