//! Counts the events of a box for its metrics.

#![expect(
    clippy::indexing_slicing,
    reason = "each index is the result of a search in the same table, or the number of a fixed entry"
)]

use crate::device::call::CallStage;
use crate::device::intercom::Intercom;
use crate::event::{Event, MetricKind, Metrics};

/// The reasons of [`Event::OutputRefused`].
const REFUSALS: [&str; 4] = ["not_allowed", "no_call", "wrong_code", "locked_out"];

/// Counts of events since the start.
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
    /// Refusals by reason, in the order of [`REFUSALS`].
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

    /// Writes all counts, and the current state of the box.
    pub(super) fn write(&self, intercom: &Intercom, metrics: &mut Metrics) {
        let stage = intercom.call().stage();
        let is = |stages: &[CallStage]| f64::from(u8::from(stages.contains(&stage)));
        let states = [
            ("idle", is(&[CallStage::Idle])),
            ("ringing", is(&[CallStage::RingingIn, CallStage::RingingOut])),
            ("talking", is(&[CallStage::Talking])),
        ];
        let help = "1 for the current state of the call.";
        metrics.each(MetricKind::Gauge, ("kinglet_call", "state"), help, states);
        let privacy = f64::from(u8::from(intercom.is_muted()));
        let help = "1 if the box is muted by a button or command.";
        metrics.one(MetricKind::Gauge, "kinglet_privacy", help, privacy);
        let calls = [
            ("rung", self.rung),
            ("answered", self.answered),
            ("ended", self.ended),
            ("missed", self.missed),
        ];
        let calls = calls.map(|(what, count)| (what, f64::from(count)));
        let help = "Calls that rang, were answered, ended or missed.";
        metrics.each(MetricKind::Counter, ("kinglet_calls_total", "what"), help, calls);
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
        let help = "Requests for an output that were refused.";
        metrics.each(MetricKind::Counter, ("kinglet_output_refusals_total", "reason"), help, refusals);
        let help = "Warnings reported.";
        metrics.one(MetricKind::Counter, "kinglet_warnings_total", help, f64::from(self.warnings));
    }
}
