//! What we say: captured blocks → chain → packets → publisher.

use std::time::{Duration, Instant};

use super::preconnect::Early;
use crate::engine::Engine;
use crate::engine::settings::PublishSettings;
use crate::media::block::Block;
use crate::media::recent::RecentLevel;
use crate::media::send::adapt::{Adaptation, Plan};
use crate::media::send::audio_processor::{AudioProcessor, Duplex};
use crate::media::send::encode::{EncoderError, EncoderSettings};
use crate::media::send::overload::{LoadAdvice, OverloadGovernor};
use crate::media::send::packetizer::{Packetizer, SentPacket};
use crate::media::send::red::RedPacker;
use crate::rtc::{Line, OutgoingPacket, Peer, Publisher};

/// The sending half of the sound.
pub(in crate::engine) struct Microphone {
    /// What it brings, before anything is done to it.
    pub(in crate::engine) recent: RecentLevel,
    chain: Option<Box<AudioProcessor>>,
    pub(in crate::engine) sender: Packetizer,
    load: OverloadGovernor,
    adaptation: Adaptation,
    pub(in crate::engine) outlet: Outlet,
    /// What is said on the way into the room.
    pub(in crate::engine) early: Option<Box<Early>>,
    pub(in crate::engine) dtx: bool,
    pub(in crate::engine) loss_permille: u32,
    /// Blocks to come that were captured before the sound was discarded.
    stale_blocks: u32,
}

/// Blocks that may be on their way from the converter to the encoder: the chain's 13 ms, and a period of the card with
/// what its resampler holds.
const STALE_BLOCKS: u32 = 5;

/// The last step of each packet: copies of earlier ones, and the publisher.
pub(in crate::engine) struct Outlet {
    line: Line,
    plan: Plan,
    red: RedPacker,
    /// RTP time is behind captured time by the pauses that were left out on the way into the room.
    pub(in crate::engine) left_out_samples: u64,
    pub(in crate::engine) sent_bytes: u64,
}

impl Outlet {
    pub(in crate::engine) fn new(line: Line, plan: Plan) -> Outlet {
        Outlet { line, plan, red: RedPacker::new(), left_out_samples: 0, sent_bytes: 0 }
    }

    /// Whether the packet is on its way; the publisher must be advanced then.
    pub(in crate::engine) fn send(
        &mut self,
        packet: &SentPacket<'_>,
        publisher: &mut Publisher,
        now: Instant,
    ) -> bool {
        let rtp_time = packet.rtp_time - self.left_out_samples;
        // Also without copies: the server forwards no other codec than the track began with.
        let is_red = publisher.takes_red();
        let payload = match is_red {
            true => self.red.pack(rtp_time, packet.payload, self.plan.copies),
            false => packet.payload,
        };
        let outgoing = OutgoingPacket {
            sample_time: rtp_time,
            starts_talkspurt: packet.starts_talkspurt,
            minus_dbov: packet.level.minus_dbov,
            voice: packet.level.voice,
            is_red,
            payload,
        };
        let is_sent = publisher.send(self.line, outgoing, now);
        self.sent_bytes += if is_sent { payload.len() as u64 } else { 0 };
        is_sent
    }
}

impl Microphone {
    pub(in crate::engine) fn new(settings: &PublishSettings) -> Result<Self, EncoderError> {
        let encoder = EncoderSettings {
            dtx: settings.dtx,
            packet: settings.profile.packet(),
            bitrate_bps: settings.profile.initial_bitrate_bps(),
            ..EncoderSettings::default()
        };
        let adaptation = Adaptation::new(settings.profile, settings.redundancy);
        let mut sender = Packetizer::new(encoder)?;
        sender.set_muted(settings.is_muted);
        Ok(Self {
            recent: RecentLevel::default(),
            chain: AudioProcessor::new(settings.profile.allows(settings.duplex)).map(Box::new),
            sender,
            load: OverloadGovernor::new(),
            outlet: Outlet::new(Line::Microphone, adaptation.plan(true)),
            adaptation,
            early: None,
            dtx: settings.dtx,
            loss_permille: 0,
            stale_blocks: 0,
        })
    }

    /// Opens or closes the gate; whether it closes now, and [`Microphone::discard`] is to follow.
    pub(in crate::engine) fn set_muted(&mut self, muted: bool) -> bool {
        let closes = muted && !self.sender.is_muted();
        self.sender.set_muted(muted);
        closes
    }

    /// Discards all sound that was captured until now and has not left yet, wherever it waits.
    pub(in crate::engine) fn discard(&mut self) {
        self.sender.discard();
        self.outlet.red.forget();
        self.stale_blocks = STALE_BLOCKS;
        if let Some(early) = &mut self.early {
            early.discard();
        }
    }

    /// Whether packets may carry earlier ones again.
    pub(in crate::engine) fn may_repeat(&self) -> bool {
        self.adaptation.may_repeat()
    }

    /// The server names the track: packets of an earlier session are not repeated to this one.
    pub(in crate::engine) fn published(&mut self) {
        self.outlet.red.forget();
    }

    /// What is done to the sound, when all goes well.
    pub(in crate::engine) fn duplex(&self) -> Duplex {
        self.chain.as_ref().map_or(Duplex::Untouched, |chain| chain.wanted())
    }

    /// Takes the very block that the loudspeaker gets.
    pub(in crate::engine) fn played(&mut self, block: &Block) {
        if let Some(chain) = &mut self.chain {
            chain.played(block);
        }
    }
}

impl Engine {
    /// Whether sound that is captured now is of use: it is sent, or kept on the way into the room.
    pub fn takes_sound(&self) -> bool {
        let is_kept = self.local.microphone.as_ref().is_some_and(|microphone| microphone.early.is_some());
        !self.session.is_leaving() && (self.is_publishing() || is_kept)
    }

    /// Takes the next 10 ms from the microphone. Before the track is published it is kept or dropped, as it is
    /// set. `lag` is how many samples (at 48 kHz) wait at this moment in the loudspeaker's card, to be heard, and
    /// in the microphone's behind this block, to be read; `None` where they are not cards.
    pub fn capture(&mut self, block: &Block, lag: Option<f32>, now: Instant) {
        if !self.takes_sound() {
            return;
        }
        let Some(microphone) = self.local.microphone.as_deref_mut() else { return };
        let Microphone { recent, chain, sender, early, outlet, stale_blocks, .. } = microphone;
        recent.add(block);
        let mut cleaned = *block;
        if let Some(chain) = chain {
            chain.process(&mut cleaned, lag);
        }
        if *stale_blocks > 0 {
            *stale_blocks -= 1;
            cleaned = Block::SILENCE;
        }
        let is_open = !sender.is_muted();
        let packet = sender.push(&cleaned);
        if let Some(sound) = early.as_mut().and_then(|early| early.recorded()).filter(|_| is_open) {
            sound.hear(&cleaned);
        }
        let is_sent = match (packet, early.as_mut().and_then(|early| early.held())) {
            (Some(packet), Some(sound)) => {
                sound.keep(&packet);
                false
            }
            (Some(packet), None) => self
                .transports
                .publisher
                .as_mut()
                .is_some_and(|publisher| outlet.send(&packet, publisher, now)),
            (None, _) => false,
        };
        if is_sent {
            self.advance(Peer::Publisher, now);
        }
        self.early_moves(now);
    }

    /// How long the turn took that began at `now`: where too many take too long, work is given up.
    pub fn handle_turn(&mut self, took: Duration, now: Instant) {
        let Some(microphone) = &mut self.local.microphone else { return };
        let Some(chain) = &mut microphone.chain else { return };
        let advice = microphone.load.turn(took, now);
        let lighter = chain.now().lighter();
        match (advice, lighter) {
            (Some(LoadAdvice::Shed), Some(lighter)) => {
                chain.set(lighter);
                self.out.warn(format!("this board is too slow for it: from now on {lighter}"));
            }
            (Some(LoadAdvice::Restore), _) if chain.now() != chain.wanted() => {
                let heavier = chain.heavier();
                chain.set(heavier);
                self.out.warn(format!("this board has time again: {heavier}"));
            }
            _ => {}
        }
    }

    /// The receiver's report.
    pub(in crate::engine) fn feedback(&mut self, loss_permille: u32) {
        let Some(microphone) = &mut self.local.microphone else { return };
        microphone.loss_permille = loss_permille;
        microphone.adaptation.report(loss_permille.min(1000) as u16, microphone.outlet.plan);
        self.adapt();
    }

    /// A check on the way up took this long.
    pub(in crate::engine) fn round_trip(&mut self, round_trip: Duration, now: Instant) {
        let Some(microphone) = &mut self.local.microphone else { return };
        microphone.adaptation.round_trip(round_trip, microphone.outlet.plan, now);
        self.adapt();
    }

    /// What is sent takes another path from now on.
    pub(in crate::engine) fn path_up_changed(&mut self) {
        if let Some(microphone) = &mut self.local.microphone {
            microphone.adaptation.path_changed();
        }
    }

    /// Rate, packets, copies and FEC follow what was seen.
    fn adapt(&mut self) {
        let has_red = self.transports.publisher.as_ref().is_some_and(Publisher::takes_red);
        let Some(microphone) = &mut self.local.microphone else { return };
        let plan = microphone.adaptation.plan(has_red);
        let before = std::mem::replace(&mut microphone.outlet.plan, plan);
        microphone.sender.set_packet(plan.packet);
        // The encoder keeps its old setting where it refuses one.
        if plan.bitrate_bps != before.bitrate_bps {
            let _ = microphone.sender.set_bitrate_bps(plan.bitrate_bps);
        }
        if plan.fec_permille != before.fec_permille {
            let _ = microphone.sender.set_loss_permille(plan.fec_permille);
        }
    }
}
