//! The whole box: takes inputs of its buttons, its room and its control socket, and decides what to do. [`Intercom`]
//! connects the call with buttons, lamp and outputs. [`MicrophoneGate`] decides whether the microphone is open.

#![expect(
    clippy::indexing_slicing,
    reason = "each index is the result of a search in the same table, or the number of a fixed entry"
)]

use std::time::Instant;

pub use super::action::Action;
use super::attribute::{CallAttributes, Said};
use super::buttons::{Buttons, Touch};
use super::call::{Call, CallStage, Decision, Refused};
use super::chime::Chime;
use super::hearing::Hearing;
use super::lamp::{Lamp, Shows};
use super::microphone::MicrophoneGate;
use super::outputs::{OutputChange, Outputs};
use super::participants::Participants;
use super::settings::{IntercomSettings, Press};
use crate::command::Tone;
use crate::event::{Event, REMOVALS};
use crate::limits::INTERCOM_ACTIONS_MAX;

/// The whole device: its calls, buttons, lamp and outputs.
#[derive(Debug)]
pub struct Intercom {
    call: Call,
    hearing: Hearing,
    microphone: MicrophoneGate,
    is_answered_by_microphone: bool,
    buttons: Buttons,
    outputs: Outputs,
    participants: Participants,
    attributes: CallAttributes,
    lamp: Lamp,
    chime: Chime,
    is_connected: bool,
    /// Whether the card of the loudspeaker, and of the microphone, is missing.
    lost_cards: [bool; 2],
    actions: heapless::Deque<Action, INTERCOM_ACTIONS_MAX>,
}

/// RPC methods that every box answers: ring the box, answer its ring, end the call.
pub const CALL_METHODS: [&str; 3] = ["ring", "answer", "hangup"];

impl Intercom {
    /// Creates a box that has just started.
    pub fn new(settings: IntercomSettings, now: Instant) -> Intercom {
        let mut intercom = Intercom {
            hearing: Hearing::new(settings.heard, settings.call.parties.clone()),
            call: Call::new(settings.call, now),
            microphone: MicrophoneGate::new(settings.gate, settings.is_muted),
            is_answered_by_microphone: settings.is_answered_by_microphone,
            buttons: Buttons::new(settings.buttons),
            outputs: Outputs::new(settings.outputs),
            participants: Participants::default(),
            attributes: CallAttributes::default(),
            lamp: Lamp::new(now),
            chime: Chime::default(),
            is_connected: false,
            lost_cards: [false; 2],
            actions: heapless::Deque::new(),
        };
        // The rule is set before the box joins the room.
        intercom.admit();
        intercom.act(Action::Mute(settings.is_muted));
        intercom.settle(now);
        intercom
    }

    /// Replaces the settings. A current call continues, with the same microphone state and the same end. Buttons and
    /// outputs are created again if their lines are (`is_rewired`). Privacy is not a setting and is kept.
    pub fn configure(&mut self, settings: IntercomSettings, is_rewired: bool, now: Instant) {
        self.hearing.configure(settings.heard, settings.call.parties.clone());
        self.call.configure(settings.call, now);
        self.microphone.set_gate(settings.gate);
        self.is_answered_by_microphone = settings.is_answered_by_microphone;
        if is_rewired {
            self.buttons = Buttons::new(settings.buttons);
            self.outputs.rewire(settings.outputs);
            self.microphone.set_key_held(false);
        }
        self.settle(now);
    }

    /// Whether the box can be interrupted: no call is in progress, and no output is driven.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.call.stage() == CallStage::Idle && self.outputs.are_resting(now)
    }

    /// Whether no output is driven.
    pub fn are_outputs_resting(&self, now: Instant) -> bool {
        self.outputs.are_resting(now)
    }

    /// Takes an event of the room.
    pub fn handle_event(&mut self, event: &Event, now: Instant) {
        self.participants.follow(event, &mut self.call, self.is_answered_by_microphone, now);
        match event {
            Event::Connected { .. } | Event::Reconnected { .. } | Event::Resumed { .. } => {
                self.is_connected = true
            }
            Event::Reconnecting { .. } => self.is_connected = false,
            Event::Disconnected { reason, will_retry, .. } => {
                self.is_connected = false;
                if REMOVALS.contains(&reason.as_str()) {
                    // A call does not wait for a new session. Without a call this has no effect.
                    let _ = self.call.hang_up("removed", now);
                }
                if !will_retry {
                    self.attributes = CallAttributes::default();
                }
            }
            Event::ParticipantJoined(who) => _ = self.attributes.handle(who),
            Event::ParticipantChanged(who) => {
                // Only our own ring can be answered, and only by a party.
                let _ = match self.attributes.handle(who) {
                    Some(Said::Answered) => self.call.answered(&who.identity, who.kind, "attribute", now),
                    Some(Said::Ended) => self.call.hung_up_by(&who.identity, "remote", now),
                    None => Ok(()),
                };
            }
            Event::ParticipantLeft(left) => self.attributes.forget(&left.who.identity),
            Event::AudioDevice { state, .. } => {
                self.lost_cards[usize::from(state.is_microphone)] = state.is_lost;
            }
            Event::Dtmf { identity, digit } => {
                let kind = self.participants.kind(identity);
                self.outputs.handle_digit((identity, kind), digit, now);
            }
            _ => {}
        }
        self.microphone.handle_event(event);
        let is_audience = self.call.stage() == CallStage::Talking || self.microphone.is_always_open();
        let tone = self.chime.handle_event(event, is_audience, now);
        self.remark(tone);
        self.settle(now);
    }

    /// Starts watching a button or key at `now`, with this level; one that is gone counts as up. This is neither a
    /// press nor a release. A button that was held before is no longer held. A talk key that is down opens the
    /// microphone only when it is pressed the next time.
    pub fn handle_start(&mut self, index: usize, is_down: bool, now: Instant) {
        let touch = self.buttons.begin(index, is_down, now);
        self.touched(touch, now);
    }

    /// Takes a new level of a button or key.
    pub fn handle_level(&mut self, button: usize, is_down: bool, now: Instant) {
        let touch = self.buttons.handle_level(button, is_down, now);
        self.touched(touch, now);
    }

    /// Rings `whom`, or every party if `None`, on request of the control socket.
    ///
    /// # Errors
    /// A call is in progress, or `whom` is not a party.
    pub fn ring(&mut self, whom: Option<&str>, now: Instant) -> Result<(), Refused> {
        let whom = whom.map(|identity| (identity, self.participants.known_kind(identity)));
        self.settled(|call| call.ring(whom, "ctl", now), now)
    }

    /// Answers the participant that rings us.
    ///
    /// # Errors
    /// No participant rings us.
    pub fn answer(&mut self, now: Instant) -> Result<(), Refused> {
        self.settled(|call| call.answer("ctl", now), now)
    }

    /// Ends the call.
    ///
    /// # Errors
    /// There is no call.
    pub fn hang_up(&mut self, now: Instant) -> Result<(), Refused> {
        self.settled(|call| call.hang_up("ctl", now), now)
    }

    /// Drives the output of this name once.
    ///
    /// # Errors
    /// There is no output of this name.
    pub fn pulse(&mut self, name: &str, now: Instant) -> Result<(), Refused> {
        self.outputs.pulse(name, now)?;
        self.settle(now);
        Ok(())
    }

    /// Holds or releases the talk key, on request of the control socket.
    pub fn talk(&mut self, is_held: bool, now: Instant) {
        self.microphone.set_key_held(is_held);
        self.settle(now);
    }

    /// Reports that the output with this number could not be driven. The next request for it is granted again.
    pub fn not_driven(&mut self, number: usize, now: Instant) {
        self.outputs.not_driven(number, now);
    }

    /// Reports that the output with this number could not be set to rest, which is retried. Returns `true` for the
    /// first failure.
    pub fn not_at_rest(&mut self, number: usize, now: Instant) -> bool {
        self.outputs.not_at_rest(number, now)
    }

    /// Turns privacy on or off.
    pub fn set_muted(&mut self, is_muted: bool, now: Instant) {
        if self.microphone.set_muted(is_muted) {
            self.act(Action::Mute(is_muted));
            self.remark(Some(if is_muted { Tone::Muted } else { Tone::Unmuted }));
        }
        self.settle(now);
    }

    /// Takes an RPC call of `identity`. `wish` is the same number for each copy of the call. Returns `None` if the box
    /// has no such method.
    ///
    /// # Errors
    /// The call is refused.
    pub fn handle_rpc(
        &mut self,
        identity: &str,
        method: &str,
        wish: u64,
        now: Instant,
    ) -> Option<Result<&'static str, Refused>> {
        let done = |result: Result<(), Refused>| result.map(|()| "");
        let kind = self.participants.kind(identity);
        let result = match method {
            "ring" => done(self.call.rung(identity, kind, now)),
            "answer" => done(self.call.answered(identity, kind, "rpc", now)),
            "hangup" => done(self.call.hung_up_by(identity, "remote", now)),
            _ => done(self.outputs.handle_rpc((identity, kind), method, wish, now)?),
        };
        self.settle(now);
        Some(result)
    }

    /// Returns the next action. Every method that takes `&mut self` may add actions.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns when [`Intercom::handle_timeout`] must be called next.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let buttons = self.buttons.poll_timeout().into_iter();
        buttons
            .chain(self.outputs.poll_timeout())
            .chain(self.call.poll_timeout())
            .chain(self.lamp.poll_timeout(now))
            .chain(self.chime.poll_timeout())
            .min()
    }

    /// Applies everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.call.handle_timeout(now);
        while let Some(touch) = self.buttons.handle_timeout(now) {
            self.touched(Some(touch), now);
        }
        self.outputs.handle_timeout(now);
        let tone = self.chime.handle_timeout(self.call.stage() == CallStage::Talking, now);
        self.remark(tone);
        self.settle(now);
    }

    /// Whether the lamp is lit.
    pub fn is_lit(&self, now: Instant) -> bool {
        self.lamp.is_lit(now)
    }

    /// The state of the call.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Whether privacy is on.
    pub fn is_muted(&self) -> bool {
        self.microphone.gates().is_muted_here()
    }

    fn touched(&mut self, touch: Option<Touch>, now: Instant) {
        let Some(Touch { event, talk, press }) = touch else { return self.settle(now) };
        if let Some(is_held) = talk {
            self.microphone.set_key_held(is_held);
        }
        self.act(Action::Tell(event));
        let stage = self.call.stage();
        // A press that is invalid in the current stage is ignored: a bell that is pressed twice rings once.
        let _ = match press {
            Some(Press::Ring) => self.call.ring(None, "button", now),
            Some(Press::Answer) => self.call.answer("button", now),
            Some(Press::HangUp) => self.call.hang_up("button", now),
            Some(Press::Call) if stage == CallStage::Idle => self.call.ring(None, "button", now),
            Some(Press::Call) if stage == CallStage::RingingIn => self.call.answer("button", now),
            Some(Press::Call) => self.call.hang_up("button", now),
            Some(Press::Mute) => {
                self.set_muted(!self.microphone.gates().is_muted_here(), now);
                Ok(())
            }
            Some(Press::Talk) | None => Ok(()),
        };
        self.settle(now);
    }

    fn remark(&mut self, tone: Option<Tone>) {
        if let Some(tone) = tone {
            self.act(Action::Play(tone));
        }
    }

    fn settled<T>(&mut self, input: impl FnOnce(&mut Call) -> T, now: Instant) -> T {
        let result = input(&mut self.call);
        self.settle(now);
        result
    }

    /// Carries out the consequences of an input.
    fn settle(&mut self, now: Instant) {
        // The rule is set before the microphone opens, and after it has closed, so that no sound reaches others.
        if self.call.stage() != CallStage::Idle {
            self.admit();
        }
        while let Some(decision) = self.call.poll_decision() {
            let action = match decision {
                Decision::Enter => Action::Enter,
                Decision::Leave => Action::Leave,
                Decision::Play(tone) => Action::Play(tone),
                Decision::Tell(event) => Action::Tell(event),
                Decision::Microphone(is_open) => {
                    self.microphone.set_call_open(is_open);
                    continue;
                }
            };
            self.act(action);
        }
        let party = (self.call.stage() == CallStage::Talking).then(|| self.call.party());
        self.outputs.set_party(party.map(|party| (party, self.participants.kind(party))), now);
        while let Some((event, is_heard)) = self.outputs.poll_refusal() {
            self.act(Action::Tell(event));
            self.remark(is_heard.then_some(Tone::Refused));
        }
        if let Some(is_talking) = self.microphone.poll_talking() {
            self.act(Action::Talk(is_talking));
        }
        self.admit();
        while let Some(change) = self.outputs.poll_change(now) {
            self.act(match change {
                OutputChange::Pulse(number, event) => Action::Pulse(number, event),
                OutputChange::Rest(number) => Action::Rest(number),
            });
        }
        self.lamp.show(self.shows(), now);
    }

    fn admit(&mut self) {
        if let Some(rule) = self.hearing.poll(&self.call) {
            self.act(Action::Admit(rule));
        }
    }

    fn shows(&self) -> Shows {
        match self.call.stage() {
            CallStage::RingingIn | CallStage::RingingOut => Shows::Ringing,
            CallStage::Talking if self.lost_cards != [false; 2] => Shows::NoSound,
            CallStage::Talking if !self.microphone.gates().is_open() => Shows::TalkingMuted,
            CallStage::Talking => Shows::Talking,
            // A box that joins the room for calls only is not expected to be connected.
            CallStage::Idle if !self.is_connected && self.call.is_always_in_room() => Shows::Trouble,
            CallStage::Idle if self.lost_cards != [false; 2] => Shows::NoSound,
            CallStage::Idle if self.microphone.gates().is_muted() => Shows::IdleMuted,
            CallStage::Idle if self.microphone.is_always_open() => Shows::Talking,
            CallStage::Idle => Shows::Idle,
        }
    }

    fn act(&mut self, action: Action) {
        // The caller takes all actions after each input; one input adds fewer than fit.
        let is_kept = self.actions.push_back(action).is_ok();
        debug_assert!(is_kept, "the caller does not take the actions");
    }
}
