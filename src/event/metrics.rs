//! Figures for a collector: Prometheus's text format, version 0.0.4, which OpenMetrics collectors read too.
//!
//! Counters only grow, in base units; rates are differences of two readings. Names begin with `kinglet_`, those of the
//! process are the usual ones. No label holds a value that others chose.

use std::fmt::Write;

/// The text, as it grows.
#[derive(Debug, Default)]
pub struct Metrics {
    text: String,
}

/// What a figure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, from the start of the program on.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Metrics {
    /// Adds a figure.
    pub fn one(&mut self, kind: MetricKind, name: &str, help: &str, value: f64) {
        self.head(kind, name, help);
        // A string takes everything.
        let _ = writeln!(self.text, "{name} {value}");
    }

    /// Adds a figure with several values, distinguished by one label.
    pub fn each<'v>(
        &mut self,
        kind: MetricKind,
        (name, label): (&str, &str),
        help: &str,
        values: impl IntoIterator<Item = (&'v str, f64)>,
    ) {
        self.head(kind, name, help);
        for (which, value) in values {
            let _ = writeln!(self.text, "{name}{{{label}=\"{which}\"}} {value}");
        }
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }

    fn head(&mut self, kind: MetricKind, name: &str, help: &str) {
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_collectors_want_it() {
        let mut metrics = Metrics::default();
        metrics.one(MetricKind::Gauge, "kinglet_connected", "In the room.", 1.0);
        let values = [("red", 3.0), ("fec", 0.25)];
        metrics.each(MetricKind::Counter, ("kinglet_x_total", "by"), "Of x.", values);
        let expected = "# HELP kinglet_connected In the room.\n# TYPE kinglet_connected gauge\nkinglet_connected 1\n\
            # HELP kinglet_x_total Of x.\n# TYPE kinglet_x_total counter\nkinglet_x_total{by=\"red\"} 3\n\
            kinglet_x_total{by=\"fec\"} 0.25\n";
        assert_eq!(metrics.into_text(), expected);
    }
}
