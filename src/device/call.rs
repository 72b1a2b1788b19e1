//! A call, as a box at a door knows it.
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
//! With [`JoinWhen::OnRing`] the box is in the room for calls only: it enters when a ring begins, its
//! microphone already open, so that the first words are kept; it leaves a moment after the call. With
//! [`JoinWhen::Always`] it can be rung from the room too.
//!
//! For a telephone, the gateway reports answer and end (`participants.rs`). If every party is a telephone and the last
//! that was called could not be reached, the ring ends `HUNT_PATIENCE` later.
//!
//! A lost connection does not end a call: the session comes back by itself, and the other party gets
//! [`RETURN_PATIENCE`] to come back as well.

use std::time::{Duration, Instant};

use super::allow::Allow;
pub use super::refused::Refused;
use crate::command::Tone;
use crate::event::{CallFacts, Event, ParticipantKind};
use crate::limits::CALL_DECISIONS_MAX;

/// The other party may be away for this long: a new session of theirs takes a few seconds.
pub const RETURN_PATIENCE: Duration = Duration::from_secs(10);

/// Between the end of a call and leaving the room: the last tone is played, the last message sent.
const LINGER: Duration = Duration::from_secs(2);

/// A telephone is busy: a gateway that calls the next one does so within this.
const HUNT_PATIENCE: Duration = Duration::from_secs(5);

/// Reasons by which a telephone that was called is not answered.
const UNREACHABLE: [&str; 4] = ["user_unavailable", "user_rejected", "sip_trunk_failure", "media_failure"];

/// When the box is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinWhen {
    /// From the start to the end.
    Always,
    /// For a call.
    OnRing,
}

/// How a call goes.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSettings {
    /// When the box is in the room.
    pub join: JoinWhen,
    /// How long it rings before the call is missed.
    pub ring_timeout: Duration,
    /// The longest call; none if it has no end.
    pub call_max: Option<Duration>,
    /// Participants that may answer our ring, and that may ring us.
    pub parties: Allow,
    /// Whose ring is answered at once.
    pub answers_at_once: Allow,
}

/// Where the call stands.
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

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Join the room, unless we are in it.
    Enter,
    /// Leave the room.
    Leave,
    /// Open or close the microphone for the call. Mute and talk key apply in addition.
    Microphone(bool),
    /// Play this tone from its beginning; what played before ends, [`Tone::Ringing`] repeats.
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
    /// The other party is away and is expected back by then.
    returns_by: Option<Instant>,
    /// Why the call is over if it is not.
    lost: &'static str,
    leaves_at: Option<Instant>,
    decisions: heapless::Deque<Decision, CALL_DECISIONS_MAX>,
}

impl Call {
    /// No call yet. A box that is always in the room enters it now.
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

    /// Takes other settings. A present call continues, and ends at the same time as before.
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

    /// Where it stands.
    pub fn stage(&self) -> CallStage {
        self.stage
    }

    /// Identity of the other party; empty while any party may answer, or without a call.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// Whether the box is in the room without a call too.
    pub fn is_always_in_room(&self) -> bool {
        self.settings.join == JoinWhen::Always
    }

    /// How long the present stage lasts.
    pub fn lasts(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Rings `whom`, or every party (`None`). The kind of a participant that is not in the room yet is unknown (`None`)
    /// and is checked when it answers.
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

    /// `identity` rings us, by RPC.
    ///
    /// # Errors
    /// It may not, or there is a call already.
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

    /// Answers the participant that rings us, from the box: by a button, or `ctl`.
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

    /// `identity` answers our ring: by RPC or attribute, or by its open microphone.
    ///
    /// # Errors
    /// We do not ring, or not it.
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

    /// Ends the call, from the box.
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

    /// `identity` hangs up, declines (`remote`: by RPC or attribute) or cannot be reached: why.
    ///
    /// # Errors
    /// It has no call with us.
    pub fn hung_up_by(&mut self, identity: &str, reason: &'static str, now: Instant) -> Result<(), Refused> {
        if self.party != identity || identity.is_empty() {
            return Err(Refused::NoCall);
        }
        self.hang_up(reason, now)
    }

    /// No telephone is left that could answer our ring: the last one could not be reached, for this reason. Another one
    /// may be called in its place.
    pub fn unreachable(&mut self, reason: &'static str, now: Instant) {
        if self.stage == CallStage::RingingOut && self.party.is_empty() {
            (self.returns_by, self.lost) = (Some(now + HUNT_PATIENCE), reason);
        }
    }

    /// Whether it may answer our ring, and ring us.
    pub fn is_party(&self, identity: &str, kind: ParticipantKind) -> bool {
        self.settings.parties.permits(identity, kind)
    }

    /// Whether every party is a telephone.
    pub fn rings_telephones_only(&self) -> bool {
        self.settings.parties.is_of(ParticipantKind::Sip)
    }

    /// A party is in the room.
    pub fn reachable(&mut self) {
        if self.stage == CallStage::RingingOut {
            self.returns_by = None;
        }
    }

    /// A participant is in the room, and connected.
    pub fn came(&mut self, identity: &str) {
        if self.party == identity {
            self.returns_by = None;
        }
    }

    /// A participant has left the room.
    pub fn went(&mut self, identity: &str, now: Instant) {
        if self.stage == CallStage::RingingIn && self.party == identity {
            self.end("left", now);
        } else if self.stage == CallStage::Talking && self.party == identity {
            (self.returns_by, self.lost) = (Some(now + RETURN_PATIENCE), "left");
        }
    }

    /// What is to be done next. Every other call but the readers may add something.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// When [`Call::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.ends_at, self.returns_by, self.leaves_at].into_iter().flatten().min()
    }

    /// What time brings.
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
            // Sound between the bell and the answer is for the party that answers.
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
        // The caller takes all decisions after each input; one input makes fewer than fit.
        let is_kept = self.decisions.push_back(decision).is_ok();
        debug_assert!(is_kept, "decisions are not taken");
    }
}

impl CallStage {
    /// The stage in one word, as in attributes, `status` and logs.
    pub fn word(self) -> &'static str {
        match self {
            CallStage::Idle => "idle",
            CallStage::RingingOut | CallStage::RingingIn => "ringing",
            CallStage::Talking => "talking",
        }
    }
}
