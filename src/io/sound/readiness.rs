//! Whether the descriptors of a card are believed: such as stay ready and bring nothing would take all of the CPU.
//! After three such wakes they are left alone, and the period is counted by our clock.

/// What a card's descriptors are worth.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Wakes in a row that brought nothing.
    empty_wakes: u32,
    is_lie: bool,
}

impl Readiness {
    /// Whether to wait for them.
    pub fn is_believed(&self) -> bool {
        !self.is_lie
    }

    /// A wake brought something.
    pub fn was_true(&mut self) {
        self.empty_wakes = 0;
    }

    /// A wake brought nothing. Says whether they are not believed from now on.
    pub fn was_false(&mut self) -> bool {
        self.empty_wakes = self.empty_wakes.saturating_add(1);
        let is_lie = self.empty_wakes >= EMPTY_WAKES_MAX;
        is_lie && !std::mem::replace(&mut self.is_lie, is_lie)
    }
}

/// Wakes without a frame, in a row, after which descriptors are left alone.
const EMPTY_WAKES_MAX: u32 = 3;
