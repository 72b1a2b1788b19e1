//! When to look at the cards: at once when `/dev/snd` changes, and once more when it has come to rest.
//!
//! A card that is plugged in brings several nodes, one after the other, and each gets its rights a moment later; what
//! `auto` means is decided when nothing has changed for [`SETTLE`]. Without inotify the cards are looked at each second.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::io::sound::hotplug::Hotplug;

/// Watches for cards that come and go.
#[derive(Debug, Default)]
pub struct Watch {
    hotplug: Option<Hotplug>,
    is_begun: bool,
    look_at: Option<Instant>,
    settles_at: Option<Instant>,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct News {
    /// Cards may have come or gone.
    pub has_changed: bool,
    /// They did a moment ago, and nothing has changed since.
    pub is_settled: bool,
}

impl Watch {
    /// What there is to be done now. `is_woken`: the descriptor may have woken us.
    pub fn attend(&mut self, is_woken: bool, now: Instant) -> News {
        let mut has_changed = match &mut self.hotplug {
            Some(hotplug) => is_woken && hotplug.take(),
            None => false,
        };
        if self.hotplug.is_none() && (!self.is_begun || self.look_at.is_some_and(|at| at <= now)) {
            self.is_begun = true;
            self.hotplug = Hotplug::new();
            self.look_at = self.hotplug.is_none().then_some(now + LOOK_EVERY);
            // What came before the watch is seen by looking now.
            has_changed = true;
        }
        if has_changed {
            self.settles_at = Some(now + SETTLE);
        }
        News { has_changed, is_settled: self.settles_at.take_if(|at| *at <= now).is_some() }
    }

    /// A card was lost, which the kernel may not have reported yet.
    pub fn lost_one(&mut self, now: Instant) {
        self.settles_at.get_or_insert(now + SETTLE);
    }

    /// Cards have changed, by order of a test.
    #[cfg(test)]
    pub fn wake(&mut self, now: Instant) {
        (self.hotplug, self.look_at) = (None, Some(now));
    }

    /// The descriptor that wakes.
    pub fn raw_fd(&self) -> Option<RawFd> {
        self.hotplug.as_ref().map(Hotplug::raw_fd)
    }

    /// When to attend even if no descriptor wakes.
    pub fn next_due(&self) -> Option<Instant> {
        [self.look_at, self.settles_at].into_iter().flatten().min()
    }
}

/// The nodes of a USB card appear within some milliseconds of each other, and udev is done with them in less than 100 ms
/// on a busy Pi. A human plugs slower than twice this.
const SETTLE: Duration = Duration::from_millis(200);

/// Between two looks where the kernel has no inotify for us.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;

    #[test]
    fn once_at_the_beginning_and_then_silent() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let news = |has_changed, is_settled| News { has_changed, is_settled };
        assert_eq!(watch.attend(true, start), news(true, false));
        assert!(watch.raw_fd().is_some());
        assert_eq!(watch.next_due(), Some(start + SETTLE));
        assert_eq!(watch.attend(false, start + SETTLE / 2), news(false, false));
        assert_eq!(watch.attend(false, start + SETTLE), news(false, true));
        assert_eq!(watch.next_due(), None, "no wake-up while nothing happens");
        watch.lost_one(start + SETTLE);
        watch.lost_one(start + SETTLE * 3 / 2);
        assert_eq!(watch.next_due(), Some(start + SETTLE * 2));
    }

    #[test]
    fn without_inotify_a_look_a_second() {
        let start = Instant::now();
        let mut watch = Watch { is_begun: true, look_at: Some(start), ..Watch::default() };
        assert!(!watch.attend(true, start - SETTLE).has_changed);
        assert!(watch.attend(false, start).has_changed);
    }
}
