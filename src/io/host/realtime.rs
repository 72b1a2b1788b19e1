//! What the system gives a program whose sound must not wait: its turn at once, and memory that stays.
//!
//! ```text
//! scheduling   SCHED_FIFO ─► (not allowed) ─► nice -11 ─► (not allowed) ─► as everybody
//! memory       pages stay once they are touched ─► (not allowed) ─► may be swapped out, or read again from the SD card
//! ```
//!
//! A systemd unit gives both with `LimitRTPRIO=`, `LimitNICE=` and `LimitMEMLOCK=infinity`; no daemon is asked.
//! Processes and threads that are started later do not inherit it.

use std::fmt;

/// Below the kernel's interrupt threads (50), which bring the sound.
const PRIORITY: i32 = 10;

/// What sound servers run at.
const NICE: i32 = -11;

/// What was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// When our turn comes.
    pub scheduling: Scheduling,
    /// Memory that is touched stays in memory.
    pub keeps_memory: bool,
}

/// When our turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduling {
    /// Before all normal threads (`SCHED_FIFO`).
    RealTime,
    /// Sooner than that of others.
    Nice,
    /// With the default priority.
    Usual,
}

/// Requests real-time scheduling and locked memory; takes what is granted.
pub fn claim() -> Granted {
    Granted { scheduling: claim_scheduling(), keeps_memory: keep_memory() }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scheduling {
            Scheduling::RealTime => "real-time scheduling",
            Scheduling::Nice => "raised priority (real-time scheduling is not allowed: LimitRTPRIO=)",
            Scheduling::Usual => "default priority (no higher priority is allowed: LimitRTPRIO=, LimitNICE=)",
        })?;
        f.write_str(if self.keeps_memory {
            ", memory is locked"
        } else {
            ", memory may be swapped out (LimitMEMLOCK=infinity)"
        })
    }
}

fn claim_scheduling() -> Scheduling {
    // SAFETY: a plain structure of integers, for which zero is a value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = PRIORITY;
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the structure outlives the call; 0 is this thread.
    if unsafe { libc::sched_setscheduler(0, policy, &parameters) } == 0 {
        return Scheduling::RealTime;
    }
    match rustix::process::setpriority_process(None, NICE) {
        Ok(()) => Scheduling::Nice,
        Err(_) => Scheduling::Usual,
    }
}

/// Only without a limit: under one, all mapped memory counts, touched or not, and later allocations would fail.
fn keep_memory() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    // ONFAULT: what is never used is not read in, so that memory use stays what it is.
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: changes nothing but where pages may be.
    limit.current.is_none() && unsafe { libc::mlockall(flags) } == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // what is claimed ends with the thread
    fn takes_what_is_given_and_says_so_in_one_line() {
        let granted = std::thread::spawn(claim_scheduling).join().expect("no panic");
        let text = Granted { scheduling: granted, keeps_memory: false }.to_string();
        assert!(!text.contains('\n') && text.contains("LimitMEMLOCK"), "{text}");
    }
}
