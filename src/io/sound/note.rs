//! What a person should know of a card, each once.

use crate::io::sound::open_error::OpenError;

/// What has become of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardNote {
    /// It xruns again and again, and has this period now.
    PeriodRaised {
        /// Time between two wake-ups.
        period_ms: u32,
    },
    /// It says that it is ready and is not; our clock serves it.
    ServedByClock,
    /// It cannot be had yet, and is waited for.
    Awaited(OpenError),
}

impl CardNote {
    /// As a sentence; `way` is what is done with the card, `name` its PCM.
    pub fn words(&self, way: &str, name: &str) -> String {
        match self {
            CardNote::PeriodRaised { period_ms } => format!(
                "{way} of '{name}' broke off three times in ten seconds: from now on its period is {period_ms} ms"
            ),
            CardNote::ServedByClock => {
                format!(
                    "{way} of '{name}' says that it is ready when it is not: served by the clock from now on"
                )
            }
            CardNote::Awaited(error) => format!("{way} begins later: {error}"),
        }
    }
}
