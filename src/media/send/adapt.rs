//! From what the receiver reports to how we send.
//!
//! | reported | copies (RED) | in-band FEC | bit rate |
//! | --- | --- | --- | --- |
//! | nothing yet | 1 | off | the profile's middle |
//! | no loss for five reports | 1 | off | its highest |
//! | 8 % lost, until below 4 % | 2 | off | its middle |
//! | 10 % lost while the round trip has grown by 150 ms | 2 | off | its lowest: we ourselves fill the link |
//! | a profile or server without RED | 0 | from 1 % lost, until none is | as above |
//!
//! The profile says whether there are copies, and [`Redundancy`] overrules it.
//!
//! Copies and FEC repair the same packets, and FEC takes a third of the rate from the voice, so there is
//! only one of them. Losses rise at once and are forgotten slowly; each threshold has another one back.

use std::time::Duration;

use crate::media::send::profile::Profile;

/// Loss at which a second copy begins to pay: with one copy, one packet in 150 is missing.
const SECOND_COPY_PERMILLE: u16 = 80;
const SECOND_COPY_ENDS_PERMILLE: u16 = 40;

/// Loss that together with a longer round trip is a queue of our own making.
const CONGESTED_PERMILLE: u16 = 100;
const CONGESTED_RTT: Duration = Duration::from_millis(150);

/// Loss below which a report is calm, and how many of those let the rate rise.
const CALM_PERMILLE: u16 = 10;
const CALM_REPORTS: u32 = 5;

/// Whether packets carry earlier ones again (RED).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redundancy {
    /// As the profile has it.
    #[default]
    Auto,
    /// Always, where the server takes it.
    On,
    /// Never, and the server is told so.
    Off,
}

impl Redundancy {
    /// What they are called by those who choose.
    pub const NAMES: [(&str, Redundancy); 3] =
        [("auto", Redundancy::Auto), ("on", Redundancy::On), ("off", Redundancy::Off)];

    /// Whether there may be copies with `profile`.
    pub fn may_repeat(self, profile: Profile) -> bool {
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
    /// Earlier packets that each packet carries again.
    pub copies: usize,
    /// The loss that in-band FEC is made for; 0 is none.
    pub fec_permille: u16,
}

/// Turns reports into a plan.
#[derive(Debug)]
pub struct Adaptation {
    profile: Profile,
    may_repeat: bool,
    loss_permille: u16,
    shortest_rtt: Option<Duration>,
    calm_reports: u32,
    has_second_copy: bool,
    is_congested: bool,
}

impl Adaptation {
    /// Nothing was reported.
    pub fn new(profile: Profile, redundancy: Redundancy) -> Self {
        Self {
            profile,
            may_repeat: redundancy.may_repeat(profile),
            loss_permille: 0,
            shortest_rtt: None,
            calm_reports: 0,
            has_second_copy: false,
            is_congested: false,
        }
    }

    /// The receiver's report.
    pub fn report(&mut self, loss_permille: u16, rtt: Option<Duration>) {
        let forgotten = (u32::from(self.loss_permille) * 7 + u32::from(loss_permille) * 3) / 10;
        self.loss_permille = loss_permille.max(forgotten as u16).min(1000);
        let is_calm = self.loss_permille < CALM_PERMILLE;
        self.calm_reports = if is_calm { self.calm_reports.saturating_add(1) } else { 0 };
        let begins = self.loss_permille >= SECOND_COPY_PERMILLE;
        self.has_second_copy =
            begins || self.has_second_copy && self.loss_permille >= SECOND_COPY_ENDS_PERMILLE;
        let grown = rtt.zip(self.shortest_rtt).map(|(rtt, shortest)| rtt.saturating_sub(shortest));
        let has_queue = grown.is_some_and(|grown| grown >= CONGESTED_RTT);
        self.is_congested = self.loss_permille >= CONGESTED_PERMILLE && (has_queue || self.is_congested);
        self.shortest_rtt = self.shortest_rtt.into_iter().chain(rtt).min();
    }

    /// Whether the server is to be asked for RED.
    pub fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    /// How to send now. `has_red`: the server takes copies.
    pub fn plan(&self, has_red: bool) -> Plan {
        let rates = self.profile.bitrate_bps();
        let bitrate_bps = match () {
            () if self.is_congested => *rates.start(),
            () if self.calm_reports >= CALM_REPORTS => *rates.end(),
            () => self.profile.initial_bitrate_bps(),
        };
        let copies = match has_red && self.may_repeat {
            true => 1 + usize::from(self.has_second_copy),
            false => 0,
        };
        let needs_fec = copies == 0 && self.loss_permille >= CALM_PERMILLE;
        Plan { bitrate_bps, copies, fec_permille: if needs_fec { self.loss_permille } else { 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Option<Duration> = Some(Duration::from_millis(40));

    fn plans(profile: Profile, reports: &[u16]) -> Vec<Plan> {
        let mut adaptation = Adaptation::new(profile, Redundancy::Auto);
        let plan = |loss: &u16| {
            adaptation.report(*loss, RTT);
            adaptation.plan(true)
        };
        reports.iter().map(plan).collect()
    }

    #[test]
    fn a_good_link_gets_the_best_rate_and_one_copy() {
        let plans = plans(Profile::Default, &[0; 6]);
        assert_eq!((plans[0].bitrate_bps, plans[0].copies, plans[0].fec_permille), (24_000, 1, 0));
        assert_eq!((plans[5].bitrate_bps, plans[5].copies), (32_000, 1));
    }

    #[test]
    fn heavy_loss_gets_a_second_copy_at_once_and_keeps_it_for_a_while() {
        let copies: Vec<usize> = plans(Profile::Default, &[0, 100, 60, 50, 60, 30, 0, 0, 0])
            .iter()
            .map(|plan| plan.copies)
            .collect();
        assert_eq!(copies, [1, 2, 2, 2, 2, 2, 2, 1, 1]);
    }

    #[test]
    fn a_link_that_we_fill_ourselves_gets_the_least() {
        let mut adaptation = Adaptation::new(Profile::Default, Redundancy::Auto);
        adaptation.report(0, RTT);
        adaptation.report(200, RTT);
        assert_eq!(adaptation.plan(true).bitrate_bps, 24_000, "lost by chance: less rate would not help");
        adaptation.report(200, Some(Duration::from_millis(400)));
        assert_eq!(adaptation.plan(true).bitrate_bps, 16_000);
        adaptation.report(150, RTT);
        assert_eq!(adaptation.plan(true).bitrate_bps, 16_000, "not from one report to the next");
        for _ in 0..12 {
            adaptation.report(0, RTT);
        }
        assert_eq!(adaptation.plan(true).bitrate_bps, 32_000);
    }

    #[test]
    fn without_red_the_decoder_repairs() {
        let plans = plans(Profile::Metered, &[50, 0, 0, 0, 0, 0, 0]);
        assert_eq!((plans[0].copies, plans[0].fec_permille), (0, 50));
        assert_eq!(plans[6].fec_permille, 0);
        let mut adaptation = Adaptation::new(Profile::Default, Redundancy::Auto);
        adaptation.report(50, None);
        assert_eq!(adaptation.plan(false), Plan { bitrate_bps: 24_000, copies: 0, fec_permille: 50 });
    }

    #[test]
    fn copies_are_as_the_profile_has_them_unless_said_otherwise() {
        for (profile, redundancy, copies) in [
            (Profile::Default, Redundancy::Auto, 1),
            (Profile::Default, Redundancy::Off, 0),
            (Profile::Metered, Redundancy::Auto, 0),
            (Profile::Metered, Redundancy::On, 1),
        ] {
            let adaptation = Adaptation::new(profile, redundancy);
            assert_eq!(adaptation.plan(true).copies, copies, "{profile:?} {redundancy:?}");
            assert_eq!(adaptation.plan(false).copies, 0);
        }
    }
}
