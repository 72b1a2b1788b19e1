//! The call of a box: its states, and what starts and ends it.
//!
//! ```text
//!             ring: button, ctl                 answer: their RPC, or their open microphone
//!   Idle ───────────────────────► Ringing (out) ─────────────────────────────────► Talking
//!    │ ▲      their RPC                                                              │ ▲
//!    ├─│──────────────────────────► Ringing (in) ─── answer: button, ctl, own list ──│─┘
//!    │ └── nobody answered, hung up ────┘                                            │
//!    └─────────────── hung up, they left, longest call over ─────────────────────────┘
//! ```
//!
//! With [`JoinWhen::OnRing`] the box is in the room for calls only. It joins when a ring begins, with the microphone
//! already open so that the first words are kept, and leaves shortly after the call. With [`JoinWhen::Always`],
//! participants in the room can ring it too.
//!
//! For a telephone, the SIP gateway reports answer and end (`participants.rs`). If every party is a telephone and the
//! last one that was called cannot be reached, the ring ends `HUNT_PATIENCE` later.
//!
//! A lost connection does not end a call: the session reconnects by itself, and the other party has [`RETURN_PATIENCE`]
//! to come back.

use std::time::{Duration, Instant};

use super::allow::Allow;
pub use super::refused::Refused;
use crate::command::Tone;
use crate::event::{CallFacts, Event, ParticipantKind};
use crate::limits::CALL_DECISIONS_MAX;

/// How long the other party may be absent: a new session takes a few seconds.
pub const RETURN_PATIENCE: Duration = Duration::from_secs(10);

/// Time between the end of a call and leaving the room, to play the last tone and send the last message.
const LINGER: Duration = Duration::from_secs(2);

/// How long a ring continues after a telephone was busy: a gateway calls the next telephone within this time.
const HUNT_PATIENCE: Duration = Duration::from_secs(5);

/// Disconnect reasons of a called telephone that was not answered.
const UNREACHABLE: [&str; 4] = ["user_unavailable", "user_rejected", "sip_trunk_failure", "media_failure"];

/// When the box is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinWhen {
    /// As long as the program runs.
    Always,
    /// During calls only.
    OnRing,
}

/// The settings of calls.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSettings {
    /// When the box is in the room.
    pub join: JoinWhen,
    /// How long a ring lasts before the call counts as missed.
    pub ring_timeout: Duration,
    /// The maximum length of a call; `None` for no limit.
    pub call_max: Option<Duration>,
    /// Participants that may answer our ring, and may ring us.
    pub parties: Allow,
    /// Participants whose ring is answered at once.
    pub answers_at_once: Allow,
}

/// The state of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStage {
    /// No call.
    Idle,
    /// We ring a party.
    RingingOut,
    /// A party rings us.
    RingingIn,
    /// An answered call.
    Talking,
}

/// A decision for the caller to carry out. Decisions are carried out in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Join the room, unless the box is in it.
    Enter,
    /// Leave the room.
    Leave,
    /// Open or close the microphone for the call. Mute and talk key apply in addition.
    Microphone(bool),
    /// Play this tone from its beginning; it replaces the previous tone. [`Tone::Ringing`] repeats.
    Play(Tone),
    /// Report an event.
    Tell(Event),
}

/// The call of one box: at most one at a time.
#[derive(Debug)]
pub struct Call {
    settings: CallSettings,
    stage: CallStage,
    since: Instant,
    /// Identity of the other party; empty while any party may answer.
    party: String,
    ends_at: Option<Instant>,
    /// When the call ends if the absent party has not come back.
    returns_by: Option<Instant>,
    /// The reason for the end of the call at that time.
    lost: &'static str,
    leaves_at: Option<Instant>,
    decisions: heapless::Deque<Decision, CALL_DECISIONS_MAX>,
}

impl Call {
    /// Starts without a call. With [`JoinWhen::Always`] the box joins the room now.
    pub fn new(settings: CallSettings, now: Instant) -> Call {
        let mut call = Call {
            stage: CallStage::Idle,
            since: now,
            party: String::new(),
            ends_at: None,
            returns_by: None,
            lost: "left",
            leaves_at: None,
            decisions: heapless::Deque::new(),
            settings,
        };
        if call.settings.join == JoinWhen::Always {
            call.decide(Decision::Enter);
        }
        call
    }

    /// Replaces the settings. A current call continues, and ends at the same time as before.
    pub fn configure(&mut self, settings: CallSettings, now: Instant) {
        let before = std::mem::replace(&mut self.settings, settings);
        match (before.join, self.settings.join) {
            (JoinWhen::OnRing, JoinWhen::Always) => {
                self.leaves_at = None;
                self.decide(Decision::Enter);
            }
            (JoinWhen::Always, JoinWhen::OnRing) if self.stage == CallStage::Idle => {
                self.leaves_at = Some(now + LINGER);
            }
            _ => {}
        }
    }

    /// The state of the call.
    pub fn stage(&self) -> CallStage {
        self.stage
    }

    /// The identity of the other party; empty while any party may answer, or without a call.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// Whether the box is also in the room without a call.
    pub fn is_always_in_room(&self) -> bool {
        self.settings.join == JoinWhen::Always
    }

    /// How long the current stage has lasted.
    pub fn lasts(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Rings `whom`, or every party if `None`. The kind of a participant that is not in the room yet is `None`, and is
    /// checked when it answers.
    ///
    /// # Errors
    /// A call is in progress, or `whom` is not a party.
    pub fn ring(
        &mut self,
        whom: Option<(&str, Option<ParticipantKind>)>,
        reason: &'static str,
        now: Instant,
    ) -> Result<(), Refused> {
        let parties = &self.settings.parties;
        let may_answer = |(identity, kind): (&str, Option<ParticipantKind>)| match kind {
            Some(kind) => parties.permits(identity, kind),
            None => parties.may_permit(identity),
        };
        if !whom.is_none_or(may_answer) {
            return Err(Refused::NotAllowed);
        }
        if self.stage != CallStage::Idle {
            return Err(Refused::Busy);
        }
        self.begin(CallStage::RingingOut, whom.map_or("", |(identity, _)| identity), reason, now);
        Ok(())
    }

    /// Takes a ring from `identity`, by RPC.
    ///
    /// # Errors
    /// The participant is not a party, or a call is in progress.
    pub fn rung(&mut self, identity: &str, kind: ParticipantKind, now: Instant) -> Result<(), Refused> {
        if !self.settings.parties.permits(identity, kind) {
            return Err(Refused::NotAllowed);
        }
        if self.stage != CallStage::Idle {
            return Err(Refused::Busy);
        }
        self.begin(CallStage::RingingIn, identity, "rpc", now);
        if self.settings.answers_at_once.permits(identity, kind) {
            self.talk(identity.to_owned(), "list", now);
        }
        Ok(())
    }

    /// Answers the participant that rings us, on request of the box: by a button, or `ctl`.
    ///
    /// # Errors
    /// No participant rings us.
    pub fn answer(&mut self, reason: &'static str, now: Instant) -> Result<(), Refused> {
        if self.stage != CallStage::RingingIn {
            return Err(Refused::NoCall);
        }
        self.talk(self.party.clone(), reason, now);
        Ok(())
    }

    /// Takes an answer to our ring from `identity`: by RPC or attribute, or by an open microphone.
    ///
    /// # Errors
    /// The box does not ring, or does not ring this participant.
    pub fn answered(
        &mut self,
        identity: &str,
        kind: ParticipantKind,
        reason: &'static str,
        now: Instant,
    ) -> Result<(), Refused> {
        if self.stage != CallStage::RingingOut {
            return Err(Refused::NoCall);
        }
        let is_meant = self.party.is_empty() || self.party == identity;
        if !is_meant || !self.settings.parties.permits(identity, kind) {
            return Err(Refused::NotAllowed);
        }
        self.talk(identity.to_owned(), reason, now);
        Ok(())
    }

    /// Ends the call, on request of the box.
    ///
    /// # Errors
    /// There is no call.
    pub fn hang_up(&mut self, reason: &'static str, now: Instant) -> Result<(), Refused> {
        if self.stage == CallStage::Idle {
            return Err(Refused::NoCall);
        }
        self.end(reason, now);
        Ok(())
    }

    /// Ends the call because `identity` hangs up or declines (`remote`: by RPC or attribute), or cannot be reached.
    ///
    /// # Errors
    /// There is no call with this participant.
    pub fn hung_up_by(&mut self, identity: &str, reason: &'static str, now: Instant) -> Result<(), Refused> {
        if self.party != identity || identity.is_empty() {
            return Err(Refused::NoCall);
        }
        self.hang_up(reason, now)
    }

    /// Reports that the last telephone that could answer our ring cannot be reached, and why. Another telephone may be
    /// called in its place.
    pub fn unreachable(&mut self, reason: &'static str, now: Instant) {
        if self.stage == CallStage::RingingOut && self.party.is_empty() {
            (self.returns_by, self.lost) = (Some(now + HUNT_PATIENCE), reason);
        }
    }

    /// Whether the participant may answer our ring, and ring us.
    pub fn is_party(&self, identity: &str, kind: ParticipantKind) -> bool {
        self.settings.parties.permits(identity, kind)
    }

    /// Whether every party is a telephone.
    pub fn rings_telephones_only(&self) -> bool {
        self.settings.parties.is_of(ParticipantKind::Sip)
    }

    /// Reports that a party is in the room.
    pub fn reachable(&mut self) {
        if self.stage == CallStage::RingingOut {
            self.returns_by = None;
        }
    }

    /// Reports that a participant is in the room and connected.
    pub fn came(&mut self, identity: &str) {
        if self.party == identity {
            self.returns_by = None;
        }
    }

    /// Reports that a participant has left the room.
    pub fn went(&mut self, identity: &str, now: Instant) {
        if self.stage == CallStage::RingingIn && self.party == identity {
            self.end("left", now);
        } else if self.stage == CallStage::Talking && self.party == identity {
            (self.returns_by, self.lost) = (Some(now + RETURN_PATIENCE), "left");
        }
    }

    /// Returns the next decision. Every method that takes `&mut self` may add decisions.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// Returns when [`Call::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.ends_at, self.returns_by, self.leaves_at].into_iter().flatten().min()
    }

    /// Applies everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.leaves_at) {
            self.leaves_at = None;
            self.decide(Decision::Leave);
        }
        if is_due(self.returns_by) {
            self.end(self.lost, now);
        } else if is_due(self.ends_at) {
            let reason = if self.stage == CallStage::Talking { "longest" } else { "timeout" };
            self.end(reason, now);
        }
    }

    fn begin(&mut self, stage: CallStage, party: &str, reason: &'static str, now: Instant) {
        self.party = party.to_owned();
        let facts = self.facts(reason, now);
        self.enter_stage(stage, Some(self.settings.ring_timeout), now);
        self.leaves_at = None;
        self.decide(Decision::Enter);
        if stage == CallStage::RingingOut {
            // Sound between the ring and the answer is kept for the party that answers.
            self.decide(Decision::Microphone(true));
        }
        self.decide(Decision::Play(Tone::Ringing));
        self.decide(Decision::Tell(Event::Ringing(facts)));
    }

    fn talk(&mut self, party: String, reason: &'static str, now: Instant) {
        self.party = party;
        let facts = self.facts(reason, now);
        self.enter_stage(CallStage::Talking, self.settings.call_max, now);
        self.decide(Decision::Play(Tone::Answered));
        self.decide(Decision::Microphone(true));
        self.decide(Decision::Tell(Event::CallAnswered(facts)));
    }

    fn end(&mut self, reason: &'static str, now: Instant) {
        let facts = self.facts(reason, now);
        let was_talking = self.stage == CallStage::Talking;
        self.enter_stage(CallStage::Idle, None, now);
        self.party.clear();
        self.decide(Decision::Microphone(false));
        let is_missed = !was_talking && (reason == "timeout" || UNREACHABLE.contains(&reason));
        self.decide(Decision::Play(if is_missed { Tone::Trouble } else { Tone::Ended }));
        let event = if was_talking { Event::CallEnded(facts) } else { Event::CallMissed(facts) };
        self.decide(Decision::Tell(event));
        if self.settings.join == JoinWhen::OnRing {
            self.leaves_at = Some(now + LINGER);
        }
    }

    fn enter_stage(&mut self, stage: CallStage, lasts: Option<Duration>, now: Instant) {
        (self.stage, self.since) = (stage, now);
        self.ends_at = lasts.map(|lasts| now + lasts);
        self.returns_by = None;
    }

    fn facts(&self, reason: &'static str, now: Instant) -> CallFacts {
        let seconds = if self.stage == CallStage::Idle { 0 } else { self.lasts(now).as_secs() };
        CallFacts { identity: self.party.clone(), reason, seconds }
    }

    fn decide(&mut self, decision: Decision) {
        // The caller takes all decisions after each input; one input adds fewer than fit.
        let is_kept = self.decisions.push_back(decision).is_ok();
        debug_assert!(is_kept, "the caller does not take the decisions");
    }
}

impl CallStage {
    /// The stage in one word, as used in attributes, `status` and logs.
    pub fn word(self) -> &'static str {
        match self {
            CallStage::Idle => "idle",
            CallStage::RingingOut | CallStage::RingingIn => "ringing",
            CallStage::Talking => "talking",
        }
    }
}
