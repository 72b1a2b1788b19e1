//! From what is reported to how we send.
//!
//! | seen | copies (RED) | in-band FEC | bit rate |
//! | --- | --- | --- | --- |
//! | nothing yet | 1 | off | the profile's middle |
//! | no loss for five reports | 1 | off | its highest |
//! | 8 % lost, until below 4 % | 2 | off | such that no more is sent than before the loss |
//! | a queue that stands, or may: the link is full | 0 | from 1 % lost | less, in longer packets (`congestion.rs`) |
//! | a profile or server without RED | 0 | from 1 % lost, until none is | as above |
//!
//! The profile decides whether there are copies, and [`Redundancy`] overrides it; a full link overrides both.
//!
//! Copies and FEC repair the same packets, and FEC takes a third of the rate from the voice, so there is
//! only one of them. Losses rise at once and are forgotten slowly; each threshold has another one back.
//!
//! Packets that are lost by chance are repaired; if packets are lost because we send too much, less is sent. A queue
//! distinguishes the two. A router without a queue gives no sign, so a second copy takes its rate from the voice, and
//! not from the link.

use std::time::{Duration, Instant};

use crate::media::send::congestion::{CongestionControl, Rung, packets_per_second};
use crate::media::send::encode::PacketDuration;
use crate::media::send::profile::AudioProfile;

/// Loss at which a second copy begins to pay: with one copy, one packet in 150 is missing.
const SECOND_COPY_PERMILLE: u16 = 80;
const SECOND_COPY_ENDS_PERMILLE: u16 = 40;

/// Loss below which a report is calm, and how many of those let the rate rise.
const CALM_PERMILLE: u16 = 10;
const CALM_REPORTS: u32 = 5;

/// What RED adds for each copy, in each packet.
const COPY_HEADER_BYTES: u32 = 4;

/// Total rate with a second copy, in percent of the rate before: at a low rate, Opus stays further below the rate that is set.
const SECOND_COPY_PERCENT: u32 = 90;

/// The least that is left of a voice.
const BITRATE_BPS_MIN: u32 = 12_000;

/// Whether packets carry earlier ones again (RED).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redundancy {
    /// As the profile has it.
    #[default]
    Auto,
    /// Always, where the server takes it and the link is not full.
    On,
    /// Never, and RED is not offered to the server.
    Off,
}

impl Redundancy {
    /// The names that users choose from.
    pub const NAMES: [(&str, Redundancy); 3] =
        [("auto", Redundancy::Auto), ("on", Redundancy::On), ("off", Redundancy::Off)];

    /// Whether there may be copies with `profile`.
    pub fn may_repeat(self, profile: AudioProfile) -> bool {
        match self {
            Redundancy::Auto => profile.may_repeat(),
            Redundancy::On => true,
            Redundancy::Off => false,
        }
    }
}

/// How to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Bits a second of Opus.
    pub bitrate_bps: u32,
    /// Sound in one packet.
    pub packet: PacketDuration,
    /// Earlier packets that each packet carries again.
    pub copies: usize,
    /// The loss rate that in-band FEC is made for; 0 is none.
    pub fec_permille: u16,
}

impl Plan {
    /// Bits a second, copies included, and all headers that each packet has anyway left out.
    fn payload_bps(self) -> u32 {
        // At most two copies.
        let copies = self.copies as u32;
        self.bitrate_bps * (1 + copies) + copies * copy_header_bps(self.packet)
    }

    /// Bits a second on the wire.
    fn wire_bps(self) -> u32 {
        let alone = Rung { bitrate_bps: self.bitrate_bps, packet: self.packet };
        alone.wire_bps() + self.payload_bps() - self.bitrate_bps
    }
}

fn copy_header_bps(packet: PacketDuration) -> u32 {
    8 * COPY_HEADER_BYTES * packets_per_second(packet)
}

/// Turns reports and round trips into a plan.
#[derive(Debug)]
pub struct Adaptation {
    profile: AudioProfile,
    may_repeat: bool,
    loss_permille: u16,
    calm_reports: u32,
    has_second_copy: bool,
    /// The most that was sent while nothing was lost; what a new call begins with, before that.
    calm_bps: Option<u32>,
    congestion: CongestionControl,
}

impl Adaptation {
    /// Nothing was reported.
    pub fn new(profile: AudioProfile, redundancy: Redundancy) -> Self {
        Self {
            profile,
            may_repeat: redundancy.may_repeat(profile),
            loss_permille: 0,
            calm_reports: 0,
            has_second_copy: false,
            calm_bps: None,
            congestion: CongestionControl::new(profile),
        }
    }

    /// The receiver's report on what was sent by `sent`.
    pub fn report(&mut self, loss_permille: u16, sent: Plan) {
        let forgotten = (u32::from(self.loss_permille) * 7 + u32::from(loss_permille) * 3) / 10;
        self.loss_permille = loss_permille.max(forgotten as u16).min(1000);
        let is_calm = self.loss_permille < CALM_PERMILLE;
        self.calm_reports = if is_calm { self.calm_reports.saturating_add(1) } else { 0 };
        if is_calm {
            self.calm_bps = self.calm_bps.max(Some(sent.payload_bps()));
        }
        let begins = self.loss_permille >= SECOND_COPY_PERMILLE;
        self.has_second_copy =
            begins || self.has_second_copy && self.loss_permille >= SECOND_COPY_ENDS_PERMILLE;
    }

    /// A round trip was measured on the path while `sent` was sent.
    pub fn round_trip(&mut self, round_trip: Duration, sent: Plan, now: Instant) {
        self.congestion.round_trip(round_trip, self.loss_permille, sent.wire_bps(), now);
    }

    /// The path is another one.
    pub fn path_changed(&mut self) {
        self.congestion.path_changed();
    }

    /// Whether the server is to be asked for RED.
    pub fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    /// How to send now. `has_red`: the server takes copies.
    pub fn plan(&self, has_red: bool) -> Plan {
        let plan = match self.congestion.rung() {
            Some(Rung { bitrate_bps, packet }) => Plan { bitrate_bps, packet, copies: 0, fec_permille: 0 },
            None => self.plan_of_free_link(has_red && self.may_repeat),
        };
        let needs_fec = plan.copies == 0 && self.loss_permille >= CALM_PERMILLE;
        Plan { fec_permille: if needs_fec { self.loss_permille } else { 0 }, ..plan }
    }

    fn plan_of_free_link(&self, has_copies: bool) -> Plan {
        let (packet, middle) = (self.profile.packet(), self.profile.initial_bitrate_bps());
        let is_calm = self.calm_reports >= CALM_REPORTS;
        let bitrate_bps = if is_calm { *self.profile.bitrate_bps().end() } else { middle };
        let plan = Plan { bitrate_bps, packet, copies: usize::from(has_copies), fec_permille: 0 };
        if !(has_copies && self.has_second_copy) {
            return plan;
        }
        let calm_bps = self.calm_bps.unwrap_or(Plan { bitrate_bps: middle, ..plan }.payload_bps());
        let voice_bps = calm_bps.saturating_sub(2 * copy_header_bps(packet)) / 300 * SECOND_COPY_PERCENT;
        Plan { bitrate_bps: voice_bps.clamp(BITRATE_BPS_MIN, middle), copies: 2, ..plan }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(profile: AudioProfile, reports: &[u16]) -> Vec<Plan> {
        let mut adaptation = Adaptation::new(profile, Redundancy::Auto);
        let plan = |loss: &u16| {
            adaptation.report(*loss, adaptation.plan(true));
            adaptation.plan(true)
        };
        reports.iter().map(plan).collect()
    }

    #[test]
    fn a_good_link_gets_the_best_rate_and_one_copy() {
        let plans = plans(AudioProfile::Default, &[0; 6]);
        assert_eq!((plans[0].bitrate_bps, plans[0].copies, plans[0].fec_permille), (24_000, 1, 0));
        assert_eq!((plans[5].bitrate_bps, plans[5].copies), (32_000, 1));
    }

    #[test]
    fn heavy_loss_gets_a_second_copy_at_once_and_keeps_it_for_a_while() {
        let copies: Vec<usize> = plans(AudioProfile::Default, &[0, 100, 60, 50, 60, 30, 0, 0, 0])
            .iter()
            .map(|plan| plan.copies)
            .collect();
        assert_eq!(copies, [1, 2, 2, 2, 2, 2, 2, 1, 1]);
    }

    #[test]
    fn a_second_copy_takes_nothing_from_the_link() {
        for profile in [AudioProfile::Default, AudioProfile::LowLatency] {
            for calm in [0, 1, 10] {
                let reports = [vec![0; calm], vec![200; 20]].concat();
                let plans = plans(profile, &reports);
                let before = match calm {
                    0 => Adaptation::new(profile, Redundancy::Auto).plan(true),
                    calm => plans[calm - 1],
                };
                let after = &plans[calm..];
                assert!(after.iter().all(|plan| plan.copies == 2), "{profile:?} {after:?}");
                let most = after.iter().map(|plan| plan.wire_bps()).max();
                assert!(most <= Some(before.wire_bps()), "{profile:?} {calm}: {most:?}, before {before:?}");
                assert!(after.iter().all(|plan| plan.bitrate_bps >= 13_500), "{after:?}");
            }
        }
    }

    #[test]
    fn a_full_link_gets_less_and_no_copies() {
        #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
        let began = Instant::now();
        let mut adaptation = Adaptation::new(AudioProfile::Default, Redundancy::On);
        let mut sees = |second: u64, ms: u64, loss| {
            let plan = adaptation.plan(true);
            adaptation.report(loss, plan);
            let now = began + Duration::from_secs(second);
            adaptation.round_trip(Duration::from_millis(ms), plan, now);
            adaptation.plan(true)
        };
        let before = sees(0, 20, 0);
        let plans: Vec<Plan> = (1..8).map(|second| sees(second, 320, 200)).collect();
        let full = plans[3];
        assert_eq!((full.copies, full.fec_permille), (0, 200));
        assert!(full.wire_bps() <= before.wire_bps() / 2, "{full:?}, before {before:?}");
        assert!(plans.iter().all(|plan| plan.wire_bps() <= before.wire_bps()), "{plans:?}");
        let free = (8..400).map(|second| sees(second, 20, 0)).last();
        assert_eq!(free.map(|plan| (plan.bitrate_bps, plan.copies)), Some((32_000, 1)), "and all of it back");
    }

    #[test]
    fn without_red_the_decoder_repairs() {
        let plans = plans(AudioProfile::Metered, &[50, 0, 0, 0, 0, 0, 0]);
        assert_eq!((plans[0].copies, plans[0].fec_permille), (0, 50));
        assert_eq!(plans[6].fec_permille, 0);
        let mut adaptation = Adaptation::new(AudioProfile::Default, Redundancy::Auto);
        adaptation.report(50, adaptation.plan(false));
        let packet = PacketDuration::Ms20;
        let expected = Plan { bitrate_bps: 24_000, packet, copies: 0, fec_permille: 50 };
        assert_eq!(adaptation.plan(false), expected);
    }

    #[test]
    fn copies_are_as_the_profile_has_them_unless_said_otherwise() {
        for (profile, redundancy, copies) in [
            (AudioProfile::Default, Redundancy::Auto, 1),
            (AudioProfile::Default, Redundancy::Off, 0),
            (AudioProfile::Metered, Redundancy::Auto, 0),
            (AudioProfile::Metered, Redundancy::On, 1),
        ] {
            let adaptation = Adaptation::new(profile, redundancy);
            assert_eq!(adaptation.plan(true).copies, copies, "{profile:?} {redundancy:?}");
            assert_eq!(adaptation.plan(false).copies, 0);
        }
    }
}
