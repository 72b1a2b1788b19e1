//! Announcements: a recording that is played into the room, as a track of its own beside the microphone.
//!
//! ```text
//!   loaded, and the one before forgotten ─► AddTrack, offer ─► published ─► somebody hears it, or a second is over
//!     ─► 20 ms each 20 ms ─► its end ─► unpublished
//! ```
//!
//! The track exists as long as the announcement; its line in the peer connection stays, for the next one. It neither
//! waits for the microphone nor is muted with it: a box with privacy on may still announce that nobody is at home.

use std::time::{Duration, Instant};

use serde_json::json;

use super::input::LocalInput;
use super::outlet::SendPacket;
use super::output::{LocalOutput, Outputs, push};
use super::track::LocalTrack;
use crate::command::{CommandError, Ticket};
use crate::engine::outbox::Outbox;
use crate::event::By;
use crate::media::block::{BLOCK_MS, Block};
use crate::media::prompt::{Player, Recording};
use crate::media::send::adapt::Plan;
use crate::media::send::encode::{EncoderSettings, PacketDuration};
use crate::rtc::Line;
use crate::signal::request::AddTrack;
use crate::signal::sid::Sid;

/// Its name, for people.
const NAME: &str = "announcement";

/// From the load to the track and the connection that carries it.
const TRACK_PATIENCE: Duration = Duration::from_secs(12);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long the first word waits for a listener: a subscription takes a round trip or two.
const LISTENER_PATIENCE: Duration = Duration::from_secs(1);

/// From the first subscription on, so that it is not only asked for but there, and others may follow.
const SETTLING: Duration = Duration::from_millis(200);

/// Blocks of silence after the last word: listeners play out what their buffers hold before the track ends.
const TAIL_BLOCKS: u32 = 400 / BLOCK_MS;

/// Settings for speech, with one copy of each packet if the connection takes RED: there are no loss reports for this
/// track.
const PLAN: Plan = Plan { bitrate_bps: 24_000, packet: PacketDuration::Ms20, copies: 1, fec_permille: 0 };

/// Our second track, and what is played on it.
pub(super) struct Announcements {
    track: LocalTrack,
    /// RTP time of the line counts from here.
    epoch: Instant,
    current: Option<Announcement>,
}

struct Announcement {
    /// Answered at its end.
    ticket: Ticket,
    seconds: f32,
    player: Player,
    given_up_at: Instant,
    stage: Stage,
    /// When something is to be done.
    due_at: Instant,
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
    /// None yet. `cid`: our name of the track. `epoch`: a time before the first.
    pub(super) fn new(cid: String, epoch: Instant) -> Announcements {
        let track = LocalTrack::new(Line::Announcement, cid, NAME.to_owned(), false);
        Announcements { track, epoch, current: None }
    }

    /// The announcement's track.
    pub(super) fn track(&self) -> &LocalTrack {
        &self.track
    }

    /// Whether an announcement could begin now, or why it could not.
    pub(super) fn may_begin(&self, input: &LocalInput<'_>) -> Result<(), &'static str> {
        if !input.has_signal {
            Err("there is no room to announce it in")
        } else if !input.may_speak() {
            Err("the token does not allow a microphone, as which the server takes it")
        } else if self.current.is_some() {
            Err("another announcement is still spoken: 'quiet' ends it")
        } else {
            Ok(())
        }
    }

    /// Begins an announcement, which is to be advanced at once. `ticket` is answered at its end.
    ///
    /// # Errors
    /// It cannot begin, and why.
    pub(super) fn begin(
        &mut self,
        ticket: Ticket,
        recording: Recording,
        input: &LocalInput<'_>,
    ) -> Result<(), String> {
        self.may_begin(input)?;
        let settings = EncoderSettings { bitrate_bps: PLAN.bitrate_bps, ..EncoderSettings::default() };
        self.track.open_sender(settings, PLAN).map_err(|error| error.to_string())?;
        let (seconds, mut player) = (recording.seconds(), Player::default());
        player.play(recording);
        self.current = Some(Announcement {
            ticket,
            seconds,
            player,
            given_up_at: input.now + TRACK_PATIENCE,
            stage: Stage::Loaded,
            due_at: input.now,
        });
        Ok(())
    }

    /// The server has named the track.
    pub(super) fn published(&mut self, cid: &str, sid: Sid, out: &mut Outbox) {
        self.track.published(cid, sid, out);
    }

    /// The track has a subscriber.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Some(Announcement { stage: Stage::Published { speaks_at }, due_at, .. }) = &mut self.current {
            *speaks_at = (*speaks_at).min(now + SETTLING);
            *due_at = *speaks_at;
        }
    }

    /// When [`Announcements::advance`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.due_at)
    }

    /// Does what is due, one step. `no_red`: copies are not wanted on our tracks.
    pub(super) fn advance(
        &mut self,
        no_red: bool,
        input: &LocalInput<'_>,
        send: &mut SendPacket<'_>,
        out: &mut Outbox,
        outputs: &mut Outputs,
    ) {
        let now = input.now;
        let is_there = self.track.publication().sid().is_some() && input.is_connected;
        let is_held = self.track.is_held(input.room);
        let Some(current) = &mut self.current else { return };
        current.due_at = match &mut current.stage {
            Stage::Loaded if !is_held => {
                current.stage = Stage::Asked;
                self.track.allow();
                self.track.announce(AddTrack { no_dtx: true, no_red, ..AddTrack::default() }, out);
                push(outputs, LocalOutput::Offer);
                now + LOOK
            }
            Stage::Asked if is_there => {
                let speaks_at = now + LISTENER_PATIENCE;
                current.stage = Stage::Published { speaks_at };
                speaks_at
            }
            Stage::Loaded | Stage::Asked if now >= current.given_up_at => {
                let why = "the server has not taken the track in time".to_owned();
                return self.end(By::Us, Err(why), input.has_signal, out, outputs);
            }
            Stage::Loaded | Stage::Asked => now + LOOK,
            Stage::Published { speaks_at } if *speaks_at > now => *speaks_at,
            Stage::Published { .. } => {
                // RTP time of the line continues between two announcements, as the server expects of one source (RFC
                // 3550 §5.1).
                let elapsed_ms = now.saturating_duration_since(self.epoch).as_millis() as u64;
                self.track.skip((elapsed_ms / u64::from(BLOCK_MS)) as u32);
                current.stage = Stage::Speaking { next_at: now };
                now
            }
            Stage::Ending { blocks: 0, .. } => {
                let seconds = current.seconds;
                return self.end(By::Us, Ok(seconds), input.has_signal, out, outputs);
            }
            Stage::Speaking { .. } | Stage::Ending { .. } => {
                return self.speak(input, send, outputs);
            }
        };
    }

    /// Sends what is due by now, block by block.
    fn speak(&mut self, input: &LocalInput<'_>, send: &mut SendPacket<'_>, outputs: &mut Outputs) {
        let Some(Announcement { player, stage, due_at, .. }) = &mut self.current else { return };
        let mut is_sent = false;
        *due_at = loop {
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
            is_sent |= self.track.push(&block, None, input.takes_red, send);
            *next_at += Duration::from_millis(u64::from(BLOCK_MS));
            if *next_at > input.now {
                break *next_at;
            }
        };
        if is_sent {
            push(outputs, LocalOutput::PacketsSent);
        }
    }

    /// Ends the announcement, where there is one: as long as it was, or why it was cut short.
    pub(super) fn end(
        &mut self,
        by: By,
        how: Result<f32, String>,
        has_signal: bool,
        out: &mut Outbox,
        outputs: &mut Outputs,
    ) {
        if self.stop(by, how, out) && has_signal {
            push(outputs, LocalOutput::Offer);
        }
    }

    /// The session has ended, and the announcement with it.
    pub(super) fn session_lost(&mut self, out: &mut Outbox) {
        self.stop(By::Us, Err("the session was lost".to_owned()), out);
        self.track.session_lost(out);
    }

    /// Whether there was one.
    fn stop(&mut self, by: By, how: Result<f32, String>, out: &mut Outbox) -> bool {
        let Some(current) = self.current.take() else { return false };
        self.track.unpublish(by, out);
        self.track.close_sender();
        let answer = how.map(|seconds| json!({ "seconds": seconds })).map_err(CommandError::refused);
        out.answer(current.ticket, answer);
        true
    }
}
