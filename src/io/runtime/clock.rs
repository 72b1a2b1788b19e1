//! The only reader of the clocks. All other code gets the time as an argument.

#![allow(clippy::disallowed_methods, reason = "this is the place that they are banned in favour of")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time.
pub fn now() -> Instant {
    Instant::now()
}

/// Blocks for this long. For programs that have no sound.
pub fn pause(duration: Duration) {
    let (tv_sec, tv_nsec) = (duration.as_secs().cast_signed(), duration.subsec_nanos().into());
    // A signal that is not for us ends it early, and the question is asked again.
    let _ = rustix::event::poll(&mut [], Some(&rustix::event::Timespec { tv_sec, tv_nsec }));
}

/// Seconds since 1970, for tokens only; 0 on a device whose clock is before that.
pub fn unix_time_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// 2026-10-01: no program of this version ran before.
pub const MADE_S: u64 = 1_790_812_800;

/// Whether the wall clock shows a time before this program was made, as on a board without a battery that has not
/// heard of the time yet.
pub fn is_plainly_wrong() -> bool {
    unix_time_s() < MADE_S
}

/// Whether the wall clock is synchronized, as far as the kernel knows; `None` if it does not report that.
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: a plain structure of integers, for which zero is a value; no mode is set, so that nothing is changed.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    (answer >= 0).then_some(answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}

/// How long ago a moment of the wall clock was, as the kernel stamps datagrams; zero for one that
/// seems to lie ahead (the wall clock was set back meanwhile).
pub fn age_of(seconds: u64, nanoseconds: u32) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::new(seconds, nanoseconds.min(999_999_999)))
}
