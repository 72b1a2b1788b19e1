//! One direction of a network path.
//!
//! ```text
//! send(now, datagram) ─► rate: waits for the wire ─► loss: never arrives ─► delay + U(0, jitter) ─► receive(now)
//! ```
//!
//! Jitter alone reorders, as on a real path with several queues; `keep_order` makes it one queue. Loss is either
//! independent or comes in bursts (Gilbert's two states). A link that is down loses all that is sent into it.

use crate::random::Random;
use kinglet::rtc::Protocol;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One datagram under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// What carries it.
    pub protocol: Protocol,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// How a link loses datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Each with this probability, whatever happened to the one before.
    Random(f64),
    /// Gilbert: nothing is lost in the good state, everything in the bad one.
    Burst {
        /// Probability to enter the bad state, per datagram.
        enter: f64,
        /// Probability to leave it, per datagram: bursts are 1 ÷ `leave` datagrams long on average.
        leave: f64,
    },
}

/// What a link is like. The default is a perfect one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// How it loses.
    pub loss: Loss,
    /// What every datagram takes, in milliseconds.
    pub delay_ms: f64,
    /// What a datagram takes more than that: uniform up to here, in milliseconds.
    pub jitter_ms: f64,
    /// Whether jitter may not let one datagram overtake another.
    pub keep_order: bool,
    /// Probability that a datagram is held back by `reorder_ms` more.
    pub reorder: f64,
    /// By how much, in milliseconds.
    pub reorder_ms: f64,
    /// Bits per second of the wire; 0 is no limit.
    pub rate_bits: u64,
    /// What the queue in front of the wire holds, in milliseconds at its rate; the rest is lost. 0 is no limit.
    pub queue_ms: u64,
}

impl Default for Quality {
    fn default() -> Quality {
        Quality {
            loss: Loss::Random(0.0),
            delay_ms: 0.0,
            jitter_ms: 0.0,
            keep_order: false,
            reorder: 0.0,
            reorder_ms: 0.0,
            rate_bits: 0,
            queue_ms: 0,
        }
    }
}

impl Quality {
    /// A fixed delay and nothing else.
    pub fn delay(delay_ms: f64) -> Quality {
        Quality { delay_ms, ..Quality::default() }
    }
}

/// IPv4 and UDP headers, which the wire carries too.
const OVERHEAD_BYTES: u64 = 28;

/// One direction of a path.
#[derive(Debug)]
pub struct Link {
    quality: Quality,
    random: Random,
    up: bool,
    in_burst: bool,
    wire_free: Option<Instant>,
    last_due: Option<Instant>,
    queue: BinaryHeap<Reverse<Due>>,
    number: u64,
    /// Datagrams lost so far, by loss or while down.
    pub lost: u64,
    /// Datagrams that went through so far.
    pub delivered: u64,
    /// Bytes that were put on it so far, lost ones and IPv4 and UDP headers included.
    pub sent_bytes: u64,
    /// The longest that one of those had to wait for the wire, since it was last looked at.
    longest_wait: Duration,
}

impl Link {
    /// A link of this quality; `random` decides what befalls each datagram.
    pub fn new(quality: Quality, random: Random) -> Link {
        Link {
            quality,
            random,
            up: true,
            in_burst: false,
            wire_free: None,
            last_due: None,
            queue: BinaryHeap::new(),
            number: 0,
            lost: 0,
            delivered: 0,
            sent_bytes: 0,
            longest_wait: Duration::ZERO,
        }
    }

    /// What is sent from now on meets this quality.
    pub fn set_quality(&mut self, quality: Quality) {
        self.quality = quality;
    }

    /// Plugs the link in or out. What is under way arrives all the same.
    pub fn set_up(&mut self, up: bool) {
        self.up = up;
    }

    /// Puts a datagram on the link.
    pub fn send(&mut self, datagram: Datagram, now: Instant) {
        self.sent_bytes += datagram.bytes.len() as u64 + OVERHEAD_BYTES;
        if !self.up || self.loses() || self.is_queue_full(now) {
            self.lost += 1;
            return;
        }
        let mut due = self.through_the_wire(datagram.bytes.len(), now);
        due += ms(self.quality.delay_ms + self.random.unit() * self.quality.jitter_ms);
        if self.random.chance(self.quality.reorder) {
            due += ms(self.quality.reorder_ms);
        } else if self.quality.keep_order {
            due = due.max(self.last_due.unwrap_or(due));
            self.last_due = Some(due);
        }
        self.number += 1;
        self.queue.push(Reverse(Due { at: due, number: self.number, datagram }));
    }

    /// When the next datagram arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(due)| due.at)
    }

    /// A datagram that has arrived by `now`. Ask again until there is none.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.delivered += 1;
        self.queue.pop().map(|Reverse(due)| due.datagram)
    }

    fn loses(&mut self) -> bool {
        match self.quality.loss {
            Loss::Random(probability) => self.random.chance(probability),
            Loss::Burst { enter, leave } => {
                let turn = if self.in_burst { leave } else { enter };
                if self.random.chance(turn) {
                    self.in_burst = !self.in_burst;
                }
                self.in_burst
            }
        }
    }

    /// The longest wait for the wire since the last call.
    pub fn take_longest_wait(&mut self) -> Duration {
        std::mem::take(&mut self.longest_wait)
    }

    fn is_queue_full(&self, now: Instant) -> bool {
        let waits = self.wire_free.map_or(Duration::ZERO, |free| free.saturating_duration_since(now));
        self.quality.queue_ms > 0 && waits >= Duration::from_millis(self.quality.queue_ms)
    }

    fn through_the_wire(&mut self, length: usize, now: Instant) -> Instant {
        let Some(bits) =
            ((length as u64 + OVERHEAD_BYTES) * 8 * 1_000_000_000).checked_div(self.quality.rate_bits)
        else {
            return now;
        };
        let free = self.wire_free.unwrap_or(now).max(now) + Duration::from_nanos(bits);
        self.wire_free = Some(free);
        self.longest_wait = self.longest_wait.max(free - now);
        free
    }
}

/// A reliable, ordered stream of messages: what TCP makes of a link. Lost segments are delay to it.
#[derive(Debug)]
pub struct Pipe<T> {
    delay: Duration,
    up: bool,
    queue: VecDeque<(Instant, T)>,
    held: VecDeque<T>,
}

impl<T> Pipe<T> {
    /// A pipe in which every message takes `delay_ms`.
    pub fn new(delay_ms: f64) -> Pipe<T> {
        Pipe { delay: ms(delay_ms), up: true, queue: VecDeque::new(), held: VecDeque::new() }
    }

    /// Puts a message in.
    pub fn send(&mut self, message: T, now: Instant) {
        if self.up {
            self.queue.push_back((now + self.delay, message));
        } else {
            self.held.push_back(message);
        }
    }

    /// Whether messages flow.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Stops the flow, or lets what was held flow on as TCP's next retransmission would.
    pub fn set_up(&mut self, up: bool, now: Instant) {
        self.up = up;
        if up {
            let due = now + self.delay;
            self.queue.extend(self.held.drain(..).map(|message| (due, message)));
        } else {
            self.held.extend(self.queue.drain(..).map(|(_, message)| message));
        }
    }

    /// When the next message arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.queue.front().map(|(due, _)| *due)
    }

    /// A message that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<T> {
        if self.poll_timeout()? > now { None } else { self.queue.pop_front().map(|(_, message)| message) }
    }
}

#[derive(Debug)]
struct Due {
    at: Instant,
    number: u64,
    datagram: Datagram,
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn datagram(number: usize) -> Datagram {
        let address = SocketAddr::from(([10, 0, 0, 1], 1));
        let bytes = number.to_le_bytes().to_vec();
        Datagram { protocol: Protocol::Udp, source: address, destination: address, bytes }
    }

    fn sent_each_ms(quality: Quality, count: usize) -> Vec<(u64, usize)> {
        let clock = Clock::new();
        let mut link = Link::new(quality, Random::new(3));
        for number in 0..count {
            link.send(datagram(number), clock.at_ms(number as u64));
        }
        let mut arrived = Vec::new();
        while let Some(due) = link.poll_timeout() {
            let datagram = link.receive(due).expect("what is due has arrived");
            let number = usize::from_le_bytes(datagram.bytes.try_into().expect("eight bytes"));
            arrived.push((due.duration_since(clock.now()).as_millis() as u64, number));
        }
        arrived
    }

    #[test]
    fn a_plain_link_only_delays() {
        let arrived = sent_each_ms(Quality::delay(25.0), 100);
        assert!(arrived.iter().enumerate().all(|(i, &(at, number))| number == i && at == i as u64 + 25));
    }

    #[test]
    fn jitter_reorders_unless_it_may_not() {
        let jitter = Quality { jitter_ms: 20.0, ..Quality::default() };
        assert!(sent_each_ms(jitter, 200).windows(2).any(|pair| pair[0].1 > pair[1].1));
        let queue = Quality { keep_order: true, ..jitter };
        assert!(sent_each_ms(queue, 200).windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn bursts_have_their_length() {
        let burst = Quality { loss: Loss::Burst { enter: 0.02, leave: 0.25 }, ..Quality::default() };
        let arrived = sent_each_ms(burst, 50_000);
        let holes = arrived.windows(2).filter(|pair| pair[1].1 - pair[0].1 > 1).count();
        let mean = (50_000 - arrived.len()) as f64 / holes as f64;
        assert!((3.5..4.5).contains(&mean), "bursts of {mean}");
    }

    #[test]
    fn the_wire_takes_its_time() {
        // 8 + 28 bytes at 36 kbit/s are 8 ms each.
        let slow = Quality { rate_bits: 36_000, ..Quality::default() };
        assert_eq!(sent_each_ms(slow, 3).iter().map(|&(at, _)| at).collect::<Vec<_>>(), [8, 16, 24]);
    }

    #[test]
    fn a_queue_holds_so_much_and_no_more() {
        // Each takes 8 ms: after 20 ms of sending at eight times the rate the queue is full.
        let slow = Quality { rate_bits: 36_000, queue_ms: 16, ..Quality::default() };
        let arrived = sent_each_ms(slow, 20);
        assert!((4..=5).contains(&arrived.len()), "{arrived:?}");
        assert!(arrived.iter().all(|&(at, number)| at - number as u64 <= 24), "{arrived:?}");
    }

    #[test]
    fn a_pipe_holds_what_the_outage_stops() {
        let clock = Clock::new();
        let mut pipe = Pipe::new(10.0);
        pipe.send(1, clock.at_ms(0));
        pipe.set_up(false, clock.at_ms(5));
        pipe.send(2, clock.at_ms(6));
        assert_eq!(pipe.poll_timeout(), None);
        pipe.set_up(true, clock.at_ms(100));
        assert_eq!(pipe.poll_timeout(), Some(clock.at_ms(110)));
        assert_eq!((pipe.receive(clock.at_ms(110)), pipe.receive(clock.at_ms(110))), (Some(1), Some(2)));
    }
}
