//! What has happened to a box, counted, for its metrics.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use crate::device::call::CallStage;
use crate::device::intercom::Intercom;
use crate::event::{Event, MetricKind, Metrics};

/// Reasons of [`Event::OutputRefused`].
const REFUSALS: [&str; 4] = ["not_allowed", "no_call", "wrong_code", "locked_out"];

/// Counts of events, from the start on.
#[derive(Debug, Default)]
pub(super) struct CallMetrics {
    resumed: u32,
    reconnected: u32,
    disconnected: u32,
    rung: u32,
    answered: u32,
    ended: u32,
    missed: u32,
    pulses: u32,
    /// By reason, as in [`REFUSALS`].
    refusals: [u32; REFUSALS.len()],
    warnings: u32,
}

impl CallMetrics {
    /// Counts an event.
    pub(super) fn count(&mut self, event: &Event) {
        let count = match event {
            Event::Resumed { .. } => &mut self.resumed,
            Event::Reconnected { .. } => &mut self.reconnected,
            Event::Disconnected { .. } => &mut self.disconnected,
            Event::Ringing(_) => &mut self.rung,
            Event::CallAnswered(_) => &mut self.answered,
            Event::CallEnded(_) => &mut self.ended,
            Event::CallMissed(_) => &mut self.missed,
            Event::OutputPulsed { .. } => &mut self.pulses,
            Event::OutputRefused { reason, .. } => {
                let Some(place) = REFUSALS.iter().position(|known| known == reason) else { return };
                &mut self.refusals[place]
            }
            Event::Warning { .. } => &mut self.warnings,
            _ => return,
        };
        *count = count.saturating_add(1);
    }

    /// All of it, and how the box stands.
    pub(super) fn write(&self, intercom: &Intercom, metrics: &mut Metrics) {
        let stage = intercom.call().stage();
        let is = |stages: &[CallStage]| f64::from(u8::from(stages.contains(&stage)));
        let states = [
            ("idle", is(&[CallStage::Idle])),
            ("ringing", is(&[CallStage::RingingIn, CallStage::RingingOut])),
            ("talking", is(&[CallStage::Talking])),
        ];
        metrics.each(MetricKind::Gauge, ("kinglet_call", "state"), "1 for the state of the call.", states);
        let privacy = f64::from(u8::from(intercom.is_muted()));
        metrics.one(
            MetricKind::Gauge,
            "kinglet_privacy",
            "Whether the box is muted by its own people.",
            privacy,
        );
        let calls = [
            ("rung", self.rung),
            ("answered", self.answered),
            ("ended", self.ended),
            ("missed", self.missed),
        ];
        let calls = calls.map(|(what, count)| (what, f64::from(count)));
        metrics.each(MetricKind::Counter, ("kinglet_calls_total", "what"), "What became of calls.", calls);
        let losses = [
            ("resumed", self.resumed),
            ("reconnected", self.reconnected),
            ("disconnected", self.disconnected),
        ];
        let losses = losses.map(|(what, count)| (what, f64::from(count)));
        let help = "Connections that were resumed, replaced by a new session, and ended.";
        metrics.each(MetricKind::Counter, ("kinglet_connection_changes_total", "what"), help, losses);
        let help = "Times that an output was driven.";
        metrics.one(MetricKind::Counter, "kinglet_output_pulses_total", help, f64::from(self.pulses));
        let refusals = std::array::from_fn::<_, { REFUSALS.len() }, _>(|place| {
            (REFUSALS[place], f64::from(self.refusals[place]))
        });
        let help = "Times that an output was asked for and not driven.";
        metrics.each(MetricKind::Counter, ("kinglet_output_refusals_total", "reason"), help, refusals);
        metrics.one(
            MetricKind::Counter,
            "kinglet_warnings_total",
            "Warnings told.",
            f64::from(self.warnings),
        );
    }
}
