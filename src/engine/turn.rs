//! One turn of the loop: everything that is due, in a fixed order.
//!
//! ```text
//!   ≤ 16 datagrams ─► playback ─► capture ─► signal ─► timers ─► actions, datagrams out
//! ```
//!
//! Datagrams come first because a late turn finds several waiting together with several blocks to
//! play: played first, those blocks would be concealed although their packets lie in the socket.
//! Sixteen datagrams cost less than a tenth of a block's time.
//!
//! The same code runs over sockets and cards (io ring) and over simulated ones (tests): anything that implements
//! [`Ports`].

use std::net::SocketAddr;
use std::time::Instant;

use super::Engine;
use super::port::{Action, Notice, StreamNotice};
use crate::limits::{DATAGRAM_BYTES_MAX, DATAGRAMS_PER_TURN, SIGNAL_MAILBOX_MESSAGES};
use crate::media::block::Block;
use crate::rtc::{Datagram, Peer, Protocol, Transmit};

/// Blocks served in one turn and direction: what a card's whole buffer can ask for at once, so that
/// a late turn catches up and a broken card cannot hold the loop.
const BLOCKS_PER_TURN: usize = 16;

/// A datagram that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// The peer connection whose socket it came to.
    pub peer: Peer,
    /// What carried it.
    pub protocol: Protocol,
    /// Address of the sender.
    pub source: SocketAddr,
    /// Our address that it was sent to.
    pub destination: SocketAddr,
    /// Bytes of it in the buffer.
    pub len: usize,
    /// Time of arrival, by the kernel's clock if it is available.
    pub arrival: Instant,
}

/// Everything outside, as the engine meets it.
pub trait Ports {
    /// Blocks that the loudspeaker wants now.
    fn wanted(&mut self, now: Instant) -> usize;
    /// Plays one block.
    fn play(&mut self, block: &Block, now: Instant);
    /// Next captured block, if there is one.
    fn captured(&mut self, block: &mut Block, now: Instant) -> bool;
    /// Samples that wait in the cards at this moment, to be heard and to be read behind the last captured
    /// block; `None` if microphone and loudspeaker are not both cards.
    fn lag(&mut self) -> Option<f32>;
    /// Next datagram, if there is one.
    fn received(&mut self, buffer: &mut [u8]) -> Option<Arrived>;
    /// Next notice of the signal connection, if there is one.
    fn noticed(&mut self) -> Option<Notice>;
    /// Next change of a TCP connection for datagrams, if there is one.
    fn stream_changed(&mut self) -> Option<StreamNotice>;
    /// Sends a datagram.
    fn transmit(&mut self, peer: Peer, transmit: &Transmit);
    /// Carries out anything but the opening of sockets.
    fn act(&mut self, action: Action);
    /// Opens sockets for `peer` on each of our addresses, if there is none yet. Returns all their addresses.
    fn open_sockets(
        &mut self,
        peer: Peer,
    ) -> heapless::Vec<SocketAddr, { crate::limits::LOCAL_ADDRESSES_MAX }>;
}

/// Serves everything once. The caller then waits for a port or for `Engine::poll_timeout`. Returns `true` if a limit
/// was reached and more is waiting.
pub fn turn(engine: &mut Engine, ports: &mut impl Ports, mut now: Instant) -> bool {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let mut datagrams = 0;
    while datagrams < DATAGRAMS_PER_TURN
        && let Some(arrived) = ports.received(&mut buffer)
    {
        let Arrived { peer, protocol, source, destination, len, arrival } = arrived;
        // One that came during the turn takes it along: time does not go back.
        now = now.max(arrival);
        let datagram =
            Datagram { protocol, source, destination, bytes: buffer.get(..len).unwrap_or_default() };
        engine.handle_datagram(peer, datagram, arrival);
        flush(engine, ports, now);
        datagrams += 1;
    }
    let mut block = Block::SILENCE;
    for _ in 0..ports.wanted(now).min(BLOCKS_PER_TURN) {
        engine.playback(&mut block, now);
        ports.play(&block, now);
    }
    for _ in 0..BLOCKS_PER_TURN {
        if !ports.captured(&mut block, now) {
            break;
        }
        engine.capture(&block, ports.lag(), now);
        flush(engine, ports, now);
    }
    while let Some(notice) = ports.stream_changed() {
        engine.handle_stream(notice, now);
        flush(engine, ports, now);
    }
    let mut notices = 0;
    while notices < SIGNAL_MAILBOX_MESSAGES
        && let Some(notice) = ports.noticed()
    {
        engine.handle_notice(notice, now);
        flush(engine, ports, now);
        notices += 1;
    }
    if engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
        engine.handle_timeout(now);
    }
    flush(engine, ports, now);
    datagrams == DATAGRAMS_PER_TURN || notices == SIGNAL_MAILBOX_MESSAGES
}

/// Carries out the engine's actions. Opening sockets may cause more.
fn flush(engine: &mut Engine, ports: &mut impl Ports, now: Instant) {
    loop {
        while let Some((peer, transmit)) = engine.poll_transmit() {
            ports.transmit(peer, &transmit);
        }
        match engine.poll_action() {
            Some(Action::OpenSockets(peer)) => {
                let addresses = ports.open_sockets(peer);
                engine.handle_sockets(peer, &addresses, now);
            }
            Some(action) => ports.act(action),
            None => return,
        }
    }
}
