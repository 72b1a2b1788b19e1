//! The server's half of a subscriber peer connection: which tracks it carries on which lines, and when it offers.
//!
//! ```text
//! subscribe / unsubscribe ─► debounce (10 ms, or 150 ms if the last offer is younger) ─► offer ─► answer ─► packets flow
//! ```
//!
//! One offer is outstanding at a time; what changes meanwhile goes into the next one, made as soon as the answer is here
//! (`S:rtc/transport.go:negotiationFrequency, fastNegotiationFrequency`). A line whose track has ended is offered
//! `recvonly` and is used again for the next track, with a new msid and a new SSRC (pion's transceiver reuse).

use crate::server::forward::DownTrack;
use crate::server::sdp::{Description, Msid};
use crate::server::transport::Transport;
use livekit_protocol::SessionDescription;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use str0m::change::SdpPendingOffer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::RtpPacket;

/// `negotiationFrequency`.
pub const DEBOUNCE: Duration = Duration::from_millis(150);
/// `fastNegotiationFrequency`.
pub const DEBOUNCE_FAST: Duration = Duration::from_millis(10);
/// `negotiationFailedTimeout`.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The subscriber peer connection of one participant.
pub struct Subscriber {
    /// The peer connection.
    pub transport: Transport,
    lines: Vec<Line>,
    next_id: u32,
    last_offer: Option<Instant>,
    due: Option<Instant>,
    outstanding: Option<Outstanding>,
    /// Candidates of the client that came before its answer: an ICE restart would throw them away.
    held: Vec<String>,
    answered: bool,
    restart: bool,
    failed: bool,
}

struct Line {
    /// Its mid, once it has been offered.
    mid: Option<Mid>,
    /// An answer has named it.
    answered: bool,
    down: Option<DownTrack>,
    /// What the newest offer says of it: the track's SID.
    offered: Option<String>,
}

struct Outstanding {
    id: u32,
    since: Instant,
    pending: SdpPendingOffer,
}

impl Subscriber {
    /// A peer connection that has offered nothing. Offers count from `first_id`.
    pub fn new(transport: Transport, first_id: u32) -> Subscriber {
        Subscriber {
            transport,
            lines: Vec::new(),
            next_id: first_id,
            last_offer: None,
            due: None,
            outstanding: None,
            held: Vec::new(),
            answered: false,
            restart: false,
            failed: false,
        }
    }

    /// Carries a track, if it does not already. Returns whether that is new.
    pub fn subscribe(&mut self, track: &str, publisher: &str, now: Instant) -> bool {
        if self.carries(track) {
            return false;
        }
        let down = DownTrack::new(track.to_string(), publisher.to_string());
        match self.lines.iter_mut().find(|line| line.down.is_none()) {
            Some(line) => line.down = Some(down),
            None => self.lines.push(Line { mid: None, answered: false, down: Some(down), offered: None }),
        }
        self.negotiate(now);
        true
    }

    /// Carries a track no longer.
    pub fn unsubscribe(&mut self, track: &str, now: Instant) {
        let ended = |line: &&mut Line| line.down.as_ref().is_some_and(|down| down.track == track);
        if let Some(line) = self.lines.iter_mut().find(ended) {
            line.down = None;
            self.negotiate(now);
        }
        // A line that was never offered leaves no trace.
        self.lines.retain(|line| line.mid.is_some() || line.down.is_some());
    }

    /// Whether the track is subscribed.
    pub fn carries(&self, track: &str) -> bool {
        self.down_tracks().any(|down| down.track == track)
    }

    /// All tracks that it carries.
    pub fn down_tracks(&self) -> impl Iterator<Item = &DownTrack> {
        self.lines.iter().filter_map(|line| line.down.as_ref())
    }

    /// One of the tracks that it carries.
    pub fn down_track(&mut self, track: &str) -> Option<&mut DownTrack> {
        self.lines.iter_mut().filter_map(|line| line.down.as_mut()).find(|down| down.track == track)
    }

    /// Restarts ICE with the next offer, which is due at once. An answer that is still outstanding is void.
    pub fn restart(&mut self, now: Instant) {
        self.restart = true;
        self.due = Some(now);
        if self.outstanding.take().is_some() {
            // Lines that only the void offer had named were never made.
            for line in self.lines.iter_mut().filter(|line| !line.answered) {
                (line.mid, line.offered) = (None, None);
            }
        }
    }

    /// The first offer, with the data section only, is due at once.
    pub fn begin(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// Passes a packet on, if the track is bound.
    pub fn forward(&mut self, track: &str, packet: &RtpPacket, now: Instant) {
        self.write(track, now, |down| down.forward(packet, now));
    }

    /// When [`Subscriber::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Instant {
        let silence = self.down_tracks().filter_map(DownTrack::poll_timeout);
        let answer =
            self.outstanding.as_ref().filter(|_| !self.failed).map(|offer| offer.since + ANSWER_TIMEOUT);
        let offer = self.due.filter(|_| self.outstanding.is_none());
        silence.chain(answer).chain(offer).fold(self.transport.poll_timeout(), Instant::min)
    }

    /// Tells time. An offer that is due is returned, with the candidates to trickle after it, if it needs any.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<(SessionDescription, Option<Vec<String>>)> {
        self.transport.advance(now);
        let silent: Vec<String> = self
            .down_tracks()
            .filter(|down| down.poll_timeout().is_some_and(|due| due <= now))
            .map(|down| down.track.clone())
            .collect();
        for track in silent {
            self.write(&track, now, |down| down.silence(now));
        }
        if self.outstanding.is_none() && self.due.is_some_and(|due| due <= now) {
            self.offer(now)
        } else {
            None
        }
    }

    /// Whether an answer is overdue, or was of no use: the server ends such a session. Said once.
    pub fn take_failure(&mut self, now: Instant) -> bool {
        let overdue = self.outstanding.as_ref().is_some_and(|offer| now >= offer.since + ANSWER_TIMEOUT);
        overdue && !std::mem::replace(&mut self.failed, true)
    }

    /// Takes an answer. `Err` is what LiveKit answers with a full reconnect.
    pub fn accept_answer(&mut self, answer: &SessionDescription, now: Instant) -> Result<(), String> {
        let Some(offer) = self.outstanding.take_if(|offer| answer.id == 0 || offer.id == answer.id) else {
            // A mismatch is only logged by the server.
            return Ok(());
        };
        self.transport.accept_answer(offer.pending, &answer.sdp, now)?;
        self.answered = true;
        for line in std::mem::take(&mut self.held) {
            self.transport.add_remote_candidate(&line, now)?;
        }
        let answered = Description::read(&answer.sdp);
        for line in &mut self.lines {
            line.answered |= line.mid.is_some();
            let (Some(mid), Some(down)) = (line.mid, &mut line.down) else { continue };
            let section = answered.sections.iter().find(|section| section.mid() == &*mid);
            down.takes_red = section.is_some_and(|section| section.payload_type("red").is_some());
            down.bound = line.offered.as_ref() == Some(&down.track);
        }
        Ok(())
    }

    /// Takes a candidate that the client trickles.
    pub fn add_remote_candidate(&mut self, line: &str, now: Instant) -> Result<(), String> {
        if self.outstanding.is_some() {
            self.held.push(line.to_string());
            return Ok(());
        }
        self.transport.add_remote_candidate(line, now)
    }

    fn negotiate(&mut self, now: Instant) {
        let wait = match self.last_offer {
            Some(last) if now.duration_since(last) > DEBOUNCE => DEBOUNCE_FAST,
            _ => DEBOUNCE,
        };
        self.due.get_or_insert(now + wait);
    }

    fn offer(&mut self, now: Instant) -> Option<(SessionDescription, Option<Vec<String>>)> {
        self.due = None;
        let restart = std::mem::take(&mut self.restart);
        let first = !self.answered;
        self.prepare_lines();
        let mut changes = self.transport.rtc().sdp_api();
        if first {
            for config in Transport::channel_configs() {
                changes.add_channel_with_config(config);
            }
        }
        if restart {
            changes.ice_restart(true);
        }
        // The first offer is made before the asynchronous subscriptions exist.
        for line in self.lines.iter_mut().filter(|_| !first) {
            let carried = line.down.as_ref().map(|down| down.track.clone());
            match (line.mid, carried == line.offered) {
                (_, true) => {}
                (None, _) => {
                    line.mid =
                        Some(changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None))
                }
                (Some(mid), _) => {
                    changes.set_direction(mid, Direction::RecvOnly);
                    if carried.is_some() {
                        changes.set_direction(mid, Direction::SendRecv);
                    }
                }
            }
            line.offered = carried;
        }
        let (offer, pending) = changes.apply()?;
        self.transport.advance(now);
        if restart {
            self.transport.restart();
        }
        let mut description = Description::read(&offer.to_sdp_string());
        description.hoist_fingerprint();
        if first || restart {
            description.drop_candidates();
        }
        let msids = self.msids();
        description.set_msids(|mid| msids.get(mid).cloned());
        let id = self.next_id;
        self.next_id += 1;
        self.last_offer = Some(now);
        self.outstanding = Some(Outstanding { id, since: now, pending });
        let message = SessionDescription {
            r#type: "offer".to_string(),
            sdp: description.write(),
            id,
            mid_to_track_id: msids.into_iter().map(|(mid, msid)| (mid, msid.track)).collect(),
        };
        let candidates = (first || restart).then(|| self.transport.candidates(description.ufrag()));
        Some((message, candidates))
    }

    /// A line that is used again gets a new sender, hence a new SSRC.
    fn prepare_lines(&mut self) {
        let mut direct = self.transport.rtc().direct_api();
        for line in &self.lines {
            let carried = line.down.as_ref().map(|down| &down.track);
            let (Some(mid), Some(_)) = (line.mid, carried) else { continue };
            if carried == line.offered.as_ref() {
                continue;
            }
            if let Some(old) = direct.stream_tx_by_mid(mid, None).map(|stream| stream.ssrc()) {
                direct.remove_stream_tx(old);
            }
            let ssrc = direct.new_ssrc();
            direct.declare_stream_tx(ssrc, None, mid, None);
        }
    }

    fn msids(&self) -> HashMap<String, Msid> {
        let live = self.lines.iter().filter_map(|line| {
            let (mid, down) = (line.mid?, line.down.as_ref()?);
            line.offered.as_ref()?;
            let stream = format!("{}|{}", down.publisher, down.track);
            Some((mid.to_string(), Msid { stream, track: down.track.clone() }))
        });
        live.collect()
    }

    fn write(
        &mut self,
        track: &str,
        now: Instant,
        packet: impl FnOnce(&mut DownTrack) -> Option<str0m::rtp::RtpWrite>,
    ) {
        let carrying = |line: &&mut Line| line.down.as_ref().is_some_and(|down| down.track == track);
        let Some(line) = self.lines.iter_mut().find(carrying) else { return };
        let (Some(mid), Some(down)) = (line.mid, &mut line.down) else { return };
        if !self.transport.connected {
            return;
        }
        let Some(write) = packet(down) else { return };
        if let Some(stream) = self.transport.rtc().direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
        }
        self.transport.advance(now);
    }
}
