//! All outputs of a box, and requests for them: by name, by RPC method or by DTMF digits.
//!
//! | request | allowed for |
//! | --- | --- |
//! | `ctl pulse` | every program that may use the control socket |
//! | RPC | participants on the output's list, with or without a call: for example an app that opens the door |
//! | DTMF | participants on the list, in an answered call with the box; digits of others are refused |
//!
//! A refused request causes an event, and a tone for the person who waits at the box.

use std::time::{Duration, Instant};

use super::call::Refused;
use super::codes::{Candidate, Codes, Verdict};
use super::keypad::DIGIT_PATIENCE;
use super::output::{Granted, Output};
use super::settings::OutputSettings;
use crate::event::{Event, ParticipantKind};
use crate::limits::CONFIG_SECTIONS_MAX;

/// Time between two attempts to set an output to rest, for example if a GPIO expander does not respond.
const REST_AGAIN: Duration = Duration::from_millis(100);

/// The most refusals that one input can cause: a code that ends with the call, and the request itself.
const REFUSALS_MAX: usize = 2;

/// The outputs, in the caller's order: the position is the number.
#[derive(Debug)]
pub(super) struct Outputs {
    outputs: Vec<KnownOutput>,
    codes: Codes,
    /// The other party of an answered call.
    party: Option<(String, ParticipantKind)>,
    /// The participant whose digits were refused last, and the time of the last digit.
    denied: Option<(String, Instant)>,
    refusals: heapless::Deque<(Event, bool), REFUSALS_MAX>,
}

/// A change of an output, by its number, for the caller to carry out.
#[derive(Debug)]
pub(super) enum OutputChange {
    /// Drive the output, and report this event.
    Pulse(usize, Event),
    /// Set the output to rest.
    Rest(usize),
}

#[derive(Debug)]
struct KnownOutput {
    settings: OutputSettings,
    output: Output,
    /// The last state that was returned to the caller.
    was_driven: bool,
    /// The state before the last pulse: `true` if the line could not be set to rest.
    was_held: bool,
    /// The event of a pulse that has not been returned to the caller yet.
    pulse: Option<Event>,
    /// When to retry a line that could not be set to rest.
    again_at: Option<Instant>,
    /// Whether that failure has been reported.
    is_stuck: bool,
}

impl Outputs {
    /// Creates the outputs, all at rest.
    pub(super) fn new(settings: Vec<OutputSettings>) -> Outputs {
        let known = |settings: OutputSettings| KnownOutput {
            output: Output::new(settings.pulse, settings.allow.clone()),
            settings,
            was_driven: false,
            was_held: false,
            pulse: None,
            again_at: None,
            is_stuck: false,
        };
        let outputs: Vec<KnownOutput> = settings.into_iter().take(CONFIG_SECTIONS_MAX).map(known).collect();
        let codes = Codes::new(outputs.len());
        Outputs { outputs, codes, party: None, denied: None, refusals: heapless::Deque::new() }
    }

    /// Replaces the outputs; the new ones are at rest. An output that keeps its name keeps its lock-out.
    pub(super) fn rewire(&mut self, settings: Vec<OutputSettings>) {
        let mut new = Outputs::new(settings);
        let before = |name: &str| self.outputs.iter().position(|known| known.settings.name == name);
        new.codes = self.codes.renumbered(new.outputs.iter().map(|known| before(&known.settings.name)));
        *self = new;
    }

    /// Drives the output of this name once, unless it is driven already.
    ///
    /// # Errors
    /// There is no output of this name.
    pub(super) fn pulse(&mut self, name: &str, now: Instant) -> Result<(), Refused> {
        let known = self.outputs.iter_mut().find(|known| known.settings.name == name);
        let known = known.ok_or(Refused::NoOutput)?;
        let granted = known.output.drive(now);
        known.granted(granted, "");
        Ok(())
    }

    /// Takes an RPC call of `who`. `wish` is the same number for each copy of the call. Returns `None` if no output has
    /// this method.
    pub(super) fn handle_rpc(
        &mut self,
        who: (&str, ParticipantKind),
        method: &str,
        wish: u64,
        now: Instant,
    ) -> Option<Result<(), Refused>> {
        let is_asked = |known: &&mut KnownOutput| known.settings.rpc.as_deref() == Some(method);
        let known = self.outputs.iter_mut().find(is_asked)?;
        let result = known.ask(who, Some(wish), now);
        if result.is_err() {
            let number = self.outputs.iter().position(|known| known.settings.rpc.as_deref() == Some(method));
            self.refuse(number, who.0, "rpc", "not_allowed");
        }
        Some(result)
    }

    /// Sets the other party of an answered call, the only participant whose digits count; `None` without such a call.
    pub(super) fn set_party(&mut self, party: Option<(&str, ParticipantKind)>, now: Instant) {
        let identity = party.map(|(identity, _)| identity);
        if self.party.as_ref().map(|(identity, _)| identity.as_str()) != identity
            && let Some((identity, kind)) = self.party.take()
        {
            let candidates = candidates(&self.outputs, (&identity, kind));
            let verdict = self.codes.hang_up(&candidates, now);
            self.judged(verdict, (&identity, kind), now);
        }
        self.party = party.map(|(identity, kind)| (identity.to_owned(), kind));
    }

    /// Takes a DTMF digit of a participant.
    pub(super) fn handle_digit(&mut self, who: (&str, ParticipantKind), digit: &str, now: Instant) {
        let Some(digit) = single(digit).filter(|_| self.outputs.iter().any(|known| known.code().is_some()))
        else {
            return;
        };
        let is_party = self.is_party(who.0);
        let candidates = candidates(&self.outputs, who);
        if candidates.is_empty() || !is_party {
            let reason = if candidates.is_empty() { "not_allowed" } else { "no_call" };
            // Digits that follow a refusal closely cause no further refusal.
            let goes_on = self.denied.as_ref().is_some_and(|(identity, at)| {
                identity == who.0 && now.saturating_duration_since(*at) < DIGIT_PATIENCE
            });
            self.denied = Some((who.0.to_owned(), now));
            if !goes_on {
                self.refuse(self.only_one(who), who.0, "dtmf", reason);
            }
            return;
        }
        let verdict = self.codes.press(digit, &candidates, now);
        self.judged(verdict, who, now);
    }

    /// Returns the next refusal: its event, and whether a tone is played at the box.
    pub(super) fn poll_refusal(&mut self) -> Option<(Event, bool)> {
        self.refusals.pop_front()
    }

    /// Returns the next change of an output.
    pub(super) fn poll_change(&mut self, now: Instant) -> Option<OutputChange> {
        self.outputs.iter_mut().enumerate().find_map(|(number, known)| {
            if let Some(event) = known.pulse.take() {
                known.was_held = std::mem::replace(&mut known.was_driven, true);
                (known.again_at, known.is_stuck) = (None, false);
                return Some(OutputChange::Pulse(number, event));
            }
            let rests = known.was_driven && !known.output.is_driven(now);
            if !rests || known.again_at.is_some_and(|at| at > now) {
                return None;
            }
            (known.was_driven, known.again_at) = (false, None);
            Some(OutputChange::Rest(number))
        })
    }

    /// Reports that an output could not be driven. Its pulse is cancelled, and a line that could not be set to rest
    /// before is retried.
    pub(super) fn not_driven(&mut self, number: usize, now: Instant) {
        if let Some(known) = self.outputs.get_mut(number) {
            known.output.not_driven();
            known.was_driven = known.was_held;
            known.again_at = known.was_held.then(|| now + REST_AGAIN);
            known.is_stuck = known.was_held;
        }
    }

    /// Reports that an output could not be set to rest; it is retried until it succeeds. Returns `true` for the first
    /// failure.
    pub(super) fn not_at_rest(&mut self, number: usize, now: Instant) -> bool {
        let Some(known) = self.outputs.get_mut(number) else { return false };
        (known.was_driven, known.again_at) = (true, Some(now + REST_AGAIN));
        !std::mem::replace(&mut known.is_stuck, true)
    }

    /// Whether all outputs are at rest.
    pub(super) fn are_resting(&self, now: Instant) -> bool {
        self.outputs.iter().all(|known| !known.output.is_driven(now))
    }

    /// Returns when [`Outputs::handle_timeout`] must be called next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        // A line that is driven rests at the end of its pulse; nothing is retried before.
        let due = self.outputs.iter().map(|known| known.output.poll_timeout().or(known.again_at));
        due.chain([self.codes.poll_timeout()]).flatten().min()
    }

    /// Applies everything that is due at `now`.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.outputs.iter_mut().for_each(|known| known.output.handle_timeout(now));
        if let Some((identity, kind)) = self.party.take() {
            let candidates = candidates(&self.outputs, (&identity, kind));
            let verdict = self.codes.handle_timeout(&candidates, now);
            self.judged(verdict, (&identity, kind), now);
            self.party = Some((identity, kind));
        }
    }

    fn judged(&mut self, verdict: Option<Verdict>, who: (&str, ParticipantKind), now: Instant) {
        match verdict {
            Some(Verdict::Opens(number)) => {
                if let Some(known) = self.outputs.get_mut(number) {
                    // The candidates were permitted, so this cannot be refused.
                    let _ = known.ask(who, None, now);
                }
            }
            Some(Verdict::Wrong) => self.refuse(self.only_one(who), who.0, "dtmf", "wrong_code"),
            Some(Verdict::LockedOut) => self.refuse(self.only_one(who), who.0, "dtmf", "locked_out"),
            None => {}
        }
    }

    /// The output that the digits of `who` must mean: `Some` if there is only one that it may open by a code.
    fn only_one(&self, who: (&str, ParticipantKind)) -> Option<usize> {
        match candidates(&self.outputs, who)[..] {
            [(number, _)] => Some(number),
            _ => None,
        }
    }

    fn is_party(&self, identity: &str) -> bool {
        self.party.as_ref().is_some_and(|(party, _)| party == identity)
    }

    /// Refuses a request. A tone is played only in a call with the participant, or if the participant may open an
    /// output: strangers cannot make the box play tones.
    fn refuse(&mut self, number: Option<usize>, identity: &str, path: &'static str, reason: &'static str) {
        let named = number.and_then(|number| self.outputs.get(number));
        let name = named.map(|known| known.settings.name.clone()).unwrap_or_default();
        let is_known = self.outputs.iter().any(|known| known.settings.allow.may_permit(identity));
        let is_heard = self.is_party(identity) || is_known;
        let event = Event::OutputRefused { name, identity: identity.to_owned(), path, reason };
        // The caller takes all refusals after each input.
        let _ = self.refusals.push_back((event, is_heard));
    }
}

/// The outputs that `who` may open by a code.
fn candidates<'s>(
    outputs: &'s [KnownOutput],
    (identity, kind): (&str, ParticipantKind),
) -> Vec<Candidate<'s>> {
    let may = |known: &KnownOutput| known.settings.allow.permits(identity, kind);
    let numbered = outputs.iter().enumerate().filter(|(_, known)| may(known));
    numbered.filter_map(|(number, known)| Some((number, known.code()?))).collect()
}

/// Returns the telephone key, one of sixteen; `None` if `digit` is anything else.
fn single(digit: &str) -> Option<char> {
    let mut characters = digit.chars();
    let key = characters.next().filter(|key| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D'))?;
    characters.next().is_none().then_some(key)
}

impl KnownOutput {
    fn code(&self) -> Option<&str> {
        self.settings.dtmf.as_deref()
    }

    fn ask(&mut self, who: (&str, ParticipantKind), wish: Option<u64>, now: Instant) -> Result<(), Refused> {
        match self.output.ask(who, wish, now) {
            Ok(granted) => {
                self.granted(granted, who.0);
                Ok(())
            }
            Err(super::output::OutputRefused::NotAllowed) => Err(Refused::NotAllowed),
        }
    }

    fn granted(&mut self, granted: Granted, by: &str) {
        if granted == Granted::Driven {
            self.pulse = Some(Event::OutputPulsed { name: self.settings.name.clone(), by: by.to_owned() });
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;
    use crate::device::allow::Allow;

    #[test]
    fn an_output_that_could_not_be_driven_is_driven_for_the_next_request() {
        let allow = Allow::new(["flat-*".to_owned()]).expect("usable");
        let (name, rpc) = ("door".to_owned(), Some("open".to_owned()));
        let pulse = Duration::from_secs(3);
        let mut outputs = Outputs::new(vec![OutputSettings { name, pulse, rpc, dtmf: None, allow }]);
        let mut now = Instant::now();
        let mut ask = |outputs: &mut Outputs, wish| {
            now += Duration::from_millis(10);
            assert_eq!(
                outputs.handle_rpc(("flat-1", ParticipantKind::Standard), "open", wish, now),
                Some(Ok(()))
            );
            (
                matches!(outputs.poll_change(now), Some(OutputChange::Pulse(0, Event::OutputPulsed { .. }))),
                now,
            )
        };
        assert!(ask(&mut outputs, 1).0);
        outputs.not_driven(0, Instant::now());
        let (is_driven, at) = ask(&mut outputs, 1);
        assert!(is_driven, "a copy of the request that failed");
        assert!(!ask(&mut outputs, 1).0 && !ask(&mut outputs, 2).0, "it is driven");
        assert_eq!(outputs.poll_timeout(), Some(at + pulse));
        outputs.handle_timeout(at + pulse);
        assert!(matches!(outputs.poll_change(at + pulse), Some(OutputChange::Rest(0))));
        // An output that was not driven does not need to be set to rest.
        outputs.pulse("door", at + pulse).expect("there is one");
        assert!(outputs.poll_change(at + pulse).is_some());
        outputs.not_driven(0, at + pulse);
        assert!(outputs.are_resting(at + pulse) && outputs.poll_timeout().is_none());
        assert!(outputs.poll_change(at + 3 * pulse).is_none());
    }

    #[test]
    fn an_output_that_cannot_be_set_to_rest_is_retried_despite_new_requests() {
        let (name, pulse) = ("door".to_owned(), Duration::from_secs(3));
        let allow = Allow::new(Vec::new()).expect("usable");
        let mut outputs = Outputs::new(vec![OutputSettings { name, pulse, rpc: None, dtmf: None, allow }]);
        let mut now = Instant::now();
        outputs.pulse("door", now).expect("there is one");
        let mut wait = |outputs: &mut Outputs, duration| {
            now += duration;
            outputs.handle_timeout(now);
            (outputs.poll_change(now), now)
        };
        assert!(matches!(wait(&mut outputs, REST_AGAIN).0, Some(OutputChange::Pulse(..))));
        let (rest, at) = wait(&mut outputs, pulse);
        assert!(matches!(rest, Some(OutputChange::Rest(0))) && outputs.not_at_rest(0, at), "first");
        // At the next request, it cannot be driven either.
        outputs.pulse("door", at).expect("there is one");
        assert!(matches!(outputs.poll_change(at), Some(OutputChange::Pulse(..))));
        outputs.not_driven(0, at);
        assert!(outputs.poll_change(at).is_none(), "not at once");
        let (rest, at) = wait(&mut outputs, REST_AGAIN);
        assert!(matches!(rest, Some(OutputChange::Rest(0))) && !outputs.not_at_rest(0, at), "known");
        // Driven again before the next attempt: the only deadline is the end of the pulse.
        outputs.pulse("door", at).expect("there is one");
        assert!(matches!(outputs.poll_change(at), Some(OutputChange::Pulse(..))));
        outputs.not_at_rest(0, at);
        assert_eq!(outputs.poll_timeout(), Some(at + pulse));
        let (rest, at) = wait(&mut outputs, pulse);
        assert!(matches!(rest, Some(OutputChange::Rest(0))));
        outputs.not_at_rest(0, at);
        let (rest, at) = wait(&mut outputs, REST_AGAIN);
        assert!(matches!(rest, Some(OutputChange::Rest(0))), "and again, until it rests");
        assert!(outputs.poll_change(at).is_none() && outputs.poll_timeout().is_none());
    }
}
