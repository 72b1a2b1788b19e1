//! What the server will do later, in order of time and, at one instant, in order of entry.

use std::collections::BTreeMap;
use std::time::Instant;

/// A list of jobs by due time.
#[derive(Debug)]
pub struct Schedule<Job> {
    jobs: BTreeMap<(Instant, u64), Job>,
    number: u64,
}

impl<Job> Schedule<Job> {
    /// An empty list.
    pub fn new() -> Schedule<Job> {
        Schedule { jobs: BTreeMap::new(), number: 0 }
    }

    /// Enters a job.
    pub fn enter(&mut self, at: Instant, job: Job) {
        self.number += 1;
        self.jobs.insert((at, self.number), job);
    }

    /// When the next job is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.jobs.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes a job that is due.
    pub fn take(&mut self, now: Instant) -> Option<Job> {
        if self.poll_timeout()? > now { None } else { self.jobs.pop_first().map(|(_, job)| job) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn jobs_come_in_order() {
        let clock = Clock::new();
        let mut schedule = Schedule::new();
        for (at, job) in [(20, 'c'), (10, 'a'), (10, 'b')] {
            schedule.enter(clock.at_ms(at), job);
        }
        let due: Vec<char> = std::iter::from_fn(|| schedule.take(clock.at_ms(10))).collect();
        assert_eq!((due, schedule.poll_timeout()), (vec!['a', 'b'], Some(clock.at_ms(20))));
    }
}
