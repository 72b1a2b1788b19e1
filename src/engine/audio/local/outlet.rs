//! The last step of each packet of a track: copies of earlier ones, and the publisher.

use crate::media::send::adapt::Plan;
use crate::media::send::packetizer::SentPacket;
use crate::media::send::red::RedPacker;
use crate::rtc::{Line, OutgoingPacket};

/// Gives a packet to the publisher; whether the publisher has taken it.
pub(in crate::engine) type SendPacket<'a> = dyn FnMut(Line, OutgoingPacket<'_>) -> bool + 'a;

/// Where the Opus packets of one track leave the program.
pub(super) struct Outlet {
    line: Line,
    plan: Plan,
    red: RedPacker,
    /// RTP time is behind captured time by the pauses that were left out on the way into the room.
    left_out_samples: u64,
    sent_bytes: u64,
}

impl Outlet {
    /// An outlet that sends on `line` by `plan`.
    pub(super) fn new(line: Line, plan: Plan) -> Outlet {
        Outlet { line, plan, red: RedPacker::new(), left_out_samples: 0, sent_bytes: 0 }
    }

    /// Sends a packet; whether it is on its way, and the publisher must be advanced.
    ///
    /// Every Opus payload of every track leaves here: end-to-end encryption belongs between the packet and its copies,
    /// since a frame is encrypted once, however often it is sent.
    pub(super) fn send(
        &mut self,
        packet: &SentPacket<'_>,
        takes_red: bool,
        send: &mut SendPacket<'_>,
    ) -> bool {
        let rtp_time = packet.rtp_time - self.left_out_samples;
        // Also without copies: the server forwards no other codec than the track began with.
        let payload = match takes_red {
            true => self.red.pack(rtp_time, packet.payload, self.plan.copies),
            false => packet.payload,
        };
        let outgoing = OutgoingPacket {
            sample_time: rtp_time,
            starts_talkspurt: packet.starts_talkspurt,
            minus_dbov: packet.level.minus_dbov,
            voice: packet.level.voice,
            is_red: takes_red,
            payload,
        };
        let is_sent = send(self.line, outgoing);
        self.sent_bytes += if is_sent { payload.len() as u64 } else { 0 };
        is_sent
    }

    /// A pause is left out: what follows has an RTP time that is earlier by as much.
    pub(super) fn leave_out(&mut self, samples: u64) {
        self.left_out_samples += samples;
    }

    /// Forgets the packets that would be sent again as copies.
    pub(super) fn forget_copies(&mut self) {
        self.red.forget();
    }

    /// What is sent at the moment.
    pub(super) fn plan(&self) -> Plan {
        self.plan
    }

    /// Sends otherwise from now on.
    pub(super) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Bytes of payload that were sent.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }
}
