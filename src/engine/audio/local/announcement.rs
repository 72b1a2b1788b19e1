//! Announcements: a recording that is played into the room, as a track of its own beside the microphone.
//!
//! ```text
//!   loaded, and the one before forgotten ─► AddTrack, offer ─► published ─► somebody hears it, or a second is over
//!     ─► 20 ms each 20 ms ─► its end ─► unpublished
//! ```
//!
//! The track is there as long as it is spoken; its line in the peer connection stays, for the next one. It neither
//! waits for the microphone nor is muted with it: a box with its privacy switch on may still say that nobody is at home.

use std::time::{Duration, Instant};

use serde_json::json;

use super::microphone::{Microphone, Outlet};
use crate::command::{CommandError, Reply, Ticket};
use crate::engine::Engine;
use crate::engine::audio::prompts::Purpose;
use crate::event::{By, Event};
use crate::local::publication::Publication;
use crate::media::block::{BLOCK_MS, Block};
use crate::media::prompt::{Player, Recording};
use crate::media::send::adapt::Plan;
use crate::media::send::encode::{EncoderSettings, PacketDuration};
use crate::media::send::packetizer::Packetizer;
use crate::rtc::{Line, Peer, Publisher};
use crate::signal::request::{AddTrack, Request};
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

/// Its name, for people.
const NAME: &str = "announcement";

/// From the load to the track and the connection that carries it.
const TRACK_PATIENCE: Duration = Duration::from_secs(12);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// So long the first word waits for somebody to hear it: a subscription takes a round trip or two.
const LISTENER_PATIENCE: Duration = Duration::from_secs(1);

/// From the first subscription on, so that it is not only asked for but there, and others may follow.
const SETTLING: Duration = Duration::from_millis(200);

/// Blocks of silence after the last word: listeners play out what their buffers hold before the track ends.
const TAIL_BLOCKS: u32 = 400 / BLOCK_MS;

/// Speech, with one copy of each packet where the connection takes RED: nobody reports to it what was lost.
const PLAN: Plan = Plan { bitrate_bps: 24_000, packet: PacketDuration::Ms20, copies: 1, fec_permille: 0 };

/// Our second track.
pub(in crate::engine) struct Announcements {
    pub(in crate::engine) publication: Publication,
    current: Option<Announcement>,
}

struct Announcement {
    /// Answered at its end.
    ticket: Ticket,
    seconds: f32,
    player: Player,
    sender: Packetizer,
    outlet: Outlet,
    given_up_at: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The server may still have to forget the track of the one before.
    Loaded,
    /// The track is asked for.
    Asked,
    /// It is there; the first word waits until then.
    Published { speaks_at: Instant },
    /// The next packet is due then.
    Speaking { next_at: Instant },
    /// The same, after the last word.
    Ending { next_at: Instant, blocks: u32 },
}

impl Announcements {
    /// None yet. `cid`: our name of the track.
    pub(in crate::engine) fn new(cid: String) -> Announcements {
        Announcements { publication: Publication::new(cid, NAME.to_owned(), false), current: None }
    }
}

impl Engine {
    /// Plays a file into the room as soon as it is read.
    pub(in crate::engine) fn announce_file(&mut self, path: String) -> Reply {
        match self.may_announce() {
            Ok(()) => self.prompts.load(Purpose::Announce, path, &mut self.out),
            Err(why) => Err(CommandError::refused(why)).into(),
        }
    }

    /// It is read.
    pub(in crate::engine) fn begin_announcement(
        &mut self,
        ticket: Ticket,
        recording: Recording,
        now: Instant,
    ) {
        let sender = self.may_announce().map_err(str::to_owned).and_then(|()| {
            let settings = EncoderSettings { bitrate_bps: PLAN.bitrate_bps, ..EncoderSettings::default() };
            Packetizer::new(settings).map_err(|error| error.to_string())
        });
        let sender = match sender {
            Ok(sender) => sender,
            Err(why) => return self.out.answer(ticket, Err(CommandError::refused(why))),
        };
        let (seconds, mut player) = (recording.seconds(), Player::default());
        player.play(recording);
        self.local.announcements.current = Some(Announcement {
            ticket,
            seconds,
            player,
            sender,
            outlet: Outlet::new(Line::Announcement, PLAN),
            given_up_at: now + TRACK_PATIENCE,
            stage: Stage::Loaded,
        });
        self.announcement_moves(now);
    }

    /// Asks the server for the track.
    fn ask_for_announcement(&mut self, now: Instant) {
        let publication = &mut self.local.announcements.publication;
        publication.allow();
        publication.announce();
        let add_track = AddTrack {
            cid: publication.cid().to_owned(),
            name: NAME.to_owned(),
            muted: false,
            no_dtx: true,
            no_red: !self.local.microphone.as_deref().is_some_and(Microphone::may_repeat),
            auto_gain_control: false,
            echo_cancellation: false,
            noise_suppression: false,
            preconnect_buffer: false,
        };
        self.out.request(&Request::AddTrack(add_track));
        self.offer(now);
    }

    /// The server names a track, which is not the microphone's.
    pub(in crate::engine) fn announcement_published(&mut self, cid: &str, sid: Sid) {
        if self.local.announcements.publication.published(cid, sid) {
            self.out.emit(Event::LocalTrackPublished { sid: sid.to_string(), name: NAME.to_owned() });
        }
    }

    /// Somebody hears a track of ours.
    pub(in crate::engine) fn announcement_heard(&mut self, sid: Sid, now: Instant) {
        if self.local.announcements.publication.sid() != Some(sid) {
            return;
        }
        if let Some(Announcement { stage: Stage::Published { speaks_at }, .. }) =
            &mut self.local.announcements.current
        {
            *speaks_at = (*speaks_at).min(now + SETTLING);
            self.deadlines.set(Reason::Announcement, *speaks_at);
        }
    }

    /// What is due of it.
    pub(in crate::engine) fn announcement_moves(&mut self, now: Instant) {
        let is_there = self.local.announcements.publication.sid().is_some()
            && self.transports.publisher.as_ref().is_some_and(Publisher::is_connected);
        let is_held = self.is_held(self.local.announcements.publication.last_sid());
        let Some(current) = &mut self.local.announcements.current else { return };
        let next_at = match &mut current.stage {
            Stage::Loaded if !is_held => {
                current.stage = Stage::Asked;
                self.ask_for_announcement(now);
                now + LOOK
            }
            Stage::Asked if is_there => {
                let speaks_at = now + LISTENER_PATIENCE;
                current.stage = Stage::Published { speaks_at };
                speaks_at
            }
            Stage::Loaded | Stage::Asked if now >= current.given_up_at => {
                let why = "the server has not taken the track in time".to_owned();
                return self.end_announcement(By::Us, Err(why), now);
            }
            Stage::Loaded | Stage::Asked => now + LOOK,
            Stage::Published { speaks_at } if *speaks_at > now => *speaks_at,
            Stage::Published { .. } => {
                // The line's time goes on between two announcements, as the server expects of one source (RFC 3550 §5.1).
                let elapsed_ms = now.saturating_duration_since(self.epoch).as_millis() as u64;
                current.sender.skip((elapsed_ms / u64::from(BLOCK_MS)) as u32);
                current.stage = Stage::Speaking { next_at: now };
                now
            }
            Stage::Ending { blocks: 0, .. } => {
                let seconds = current.seconds;
                return self.end_announcement(By::Us, Ok(seconds), now);
            }
            Stage::Speaking { .. } | Stage::Ending { .. } => return self.announcement_speaks(now),
        };
        self.deadlines.set(Reason::Announcement, next_at);
    }

    /// Sends what is due by now, block by block.
    fn announcement_speaks(&mut self, now: Instant) {
        let Some(current) = &mut self.local.announcements.current else { return };
        let Announcement { player, sender, outlet, stage, .. } = current;
        let mut is_sent = false;
        let next_at = loop {
            let mut block = Block::SILENCE;
            let is_spoken = player.pull(&mut block);
            let next_at = match stage {
                Stage::Speaking { next_at } if is_spoken => next_at,
                Stage::Speaking { next_at } => {
                    *stage = Stage::Ending { next_at: *next_at, blocks: TAIL_BLOCKS };
                    continue;
                }
                Stage::Ending { next_at, blocks: 0 } => break *next_at,
                Stage::Ending { next_at, blocks } => {
                    *blocks -= 1;
                    next_at
                }
                Stage::Loaded | Stage::Asked | Stage::Published { .. } => return,
            };
            if let (Some(packet), Some(publisher)) = (sender.push(&block), self.transports.publisher.as_mut())
            {
                is_sent |= outlet.send(&packet, publisher, now);
            }
            *next_at += Duration::from_millis(u64::from(BLOCK_MS));
            if *next_at > now {
                break *next_at;
            }
        };
        self.deadlines.set(Reason::Announcement, next_at);
        if is_sent {
            self.advance(Peer::Publisher, now);
        }
    }

    /// It is over, and how: as long as it was, or why it was cut short.
    pub(in crate::engine) fn end_announcement(&mut self, by: By, how: Result<f32, String>, now: Instant) {
        if self.local.announcements.current.is_none() {
            return;
        }
        self.stop_announcement(by, how);
        if self.session.has_signal() {
            self.offer(now);
        }
    }

    /// The session took it with it.
    pub(in crate::engine) fn announcement_lost(&mut self) {
        self.stop_announcement(By::Us, Err("the session was lost".to_owned()));
        self.local.announcements.publication.session_lost();
    }

    fn stop_announcement(&mut self, by: By, how: Result<f32, String>) {
        let Some(current) = self.local.announcements.current.take() else { return };
        self.deadlines.clear(Reason::Announcement);
        if let Some(sid) = self.local.announcements.publication.unpublish() {
            self.out.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name: NAME.to_owned(), by });
        }
        let answer = how.map(|seconds| json!({ "seconds": seconds })).map_err(CommandError::refused);
        self.out.answer(current.ticket, answer);
    }

    fn may_announce(&self) -> Result<(), &'static str> {
        if !self.session.has_signal() {
            Err("there is no room to announce it in")
        } else if !self.room.own().is_some_and(|own| own.permission.microphone) {
            Err("the token does not allow a microphone, as which the server takes it")
        } else if self.local.announcements.current.is_some() {
            Err("another announcement is still spoken: 'quiet' ends it")
        } else {
            Ok(())
        }
    }
}
