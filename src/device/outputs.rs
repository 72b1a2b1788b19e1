//! All outputs of a box: whoever asks for one, by its name, its RPC method or its DTMF digits.

use std::time::{Duration, Instant};

use super::call::Refused;
use super::output::{Granted, Output};
use super::settings::OutputSettings;
use crate::event::Event;
use crate::limits::CONFIG_SECTIONS_MAX;

/// Digits that belong together follow each other within this, as at telephone exchanges.
const DIGIT_PATIENCE: Duration = Duration::from_secs(4);

/// Between two attempts to let an output rest: a line behind an expander that did not answer.
const REST_AGAIN: Duration = Duration::from_millis(100);

/// Digits looked at together, as many as an output's code may have.
const DIGITS: usize = 8;

/// The outputs, in the order in which the caller numbers them.
#[derive(Debug)]
pub(super) struct Outputs {
    outputs: Vec<Known>,
    /// Digits that were sent to us lately, by whom and when the last came.
    digits: (String, String, Option<Instant>),
}

#[derive(Debug)]
struct Known {
    settings: OutputSettings,
    output: Output,
    /// As the caller was told last.
    was_driven: bool,
    /// It could not be let go of, and is to be tried again.
    again_at: Option<Instant>,
    /// That was told.
    is_stuck: bool,
}

impl Outputs {
    /// All at rest.
    pub(super) fn new(settings: Vec<OutputSettings>) -> Outputs {
        let known = |settings: OutputSettings| Known {
            output: Output::new(settings.pulse, settings.allow.clone()),
            settings,
            was_driven: false,
            again_at: None,
            is_stuck: false,
        };
        let outputs = settings.into_iter().take(CONFIG_SECTIONS_MAX).map(known).collect();
        Outputs { outputs, digits: Default::default() }
    }

    /// Drives the output of this name once; tells it, unless it is driven already.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn pulse(&mut self, name: &str, now: Instant) -> Result<Option<Event>, Refused> {
        let known = self.outputs.iter_mut().find(|known| known.settings.name == name);
        let known = known.ok_or(Refused::NoOutput)?;
        let granted = known.output.drive(now);
        Ok(known.told(granted, ""))
    }

    /// `identity` calls a method; `wish` is the same number for each copy of the call. `None` where no output has it.
    pub(super) fn handle_rpc(
        &mut self,
        identity: &str,
        method: &str,
        wish: u64,
        now: Instant,
    ) -> Option<Result<Option<Event>, Refused>> {
        let is_asked = |known: &&mut Known| known.settings.rpc.as_deref() == Some(method);
        let known = self.outputs.iter_mut().find(is_asked)?;
        Some(known.ask(identity, Some(wish), now))
    }

    /// `identity` presses a digit. Digits come once each: the channel that they come by sorts out copies. Those of
    /// somebody who may open nothing by them do not disturb who is in the middle of a code.
    pub(super) fn handle_digit(&mut self, identity: &str, digit: &str, now: Instant) -> Option<Event> {
        let may = |known: &Known| known.settings.dtmf.is_some() && known.settings.allow.permits(identity);
        if !self.outputs.iter().any(may) {
            return None;
        }
        let (digits, of, last) = &mut self.digits;
        let goes_on =
            of == identity && last.is_some_and(|at| now.saturating_duration_since(at) < DIGIT_PATIENCE);
        if !goes_on {
            digits.clear();
            *of = identity.to_owned();
        }
        *last = Some(now);
        digits.push_str(digit);
        let excess = digits.chars().count().saturating_sub(DIGITS);
        *digits = digits.chars().skip(excess).collect();
        let has_code =
            |known: &&mut Known| known.settings.dtmf.as_deref().is_some_and(|code| digits.ends_with(code));
        let known = self.outputs.iter_mut().find(has_code)?;
        digits.clear();
        known.ask(identity, None, now).ok().flatten()
    }

    /// The next output, by its number, that is to be driven or to rest otherwise than before.
    pub(super) fn poll_change(&mut self, now: Instant) -> Option<(usize, bool)> {
        let is_tried = |(_, known): &(usize, &mut Known)| known.again_at.is_none_or(|at| at <= now);
        self.outputs.iter_mut().enumerate().filter(is_tried).find_map(|(number, known)| {
            known.again_at = None;
            let is_driven = known.output.is_driven(now);
            known.is_stuck &= !is_driven;
            let was_driven = std::mem::replace(&mut known.was_driven, is_driven);
            (was_driven != is_driven).then_some((number, is_driven))
        })
    }

    /// An output could not be let go of: it is tried again, for as long as it takes. Whether that is news.
    pub(super) fn not_at_rest(&mut self, number: usize, now: Instant) -> bool {
        let Some(known) = self.outputs.get_mut(number) else { return false };
        (known.was_driven, known.again_at) = (true, Some(now + REST_AGAIN));
        !std::mem::replace(&mut known.is_stuck, true)
    }

    /// Whether all of them rest.
    pub(super) fn are_resting(&self, now: Instant) -> bool {
        self.outputs.iter().all(|known| !known.output.is_driven(now))
    }

    /// When [`Outputs::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.outputs.iter().flat_map(|known| [known.output.poll_timeout(), known.again_at]);
        due.flatten().min()
    }

    /// What time brings.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.outputs.iter_mut().for_each(|known| known.output.handle_timeout(now));
    }
}

impl Known {
    fn ask(&mut self, identity: &str, wish: Option<u64>, now: Instant) -> Result<Option<Event>, Refused> {
        match self.output.ask(identity, wish, now) {
            Ok(granted) => Ok(self.told(granted, identity)),
            Err(super::output::Refused::NotAllowed) => Err(Refused::NotAllowed),
        }
    }

    fn told(&self, granted: Granted, by: &str) -> Option<Event> {
        let name = self.settings.name.clone();
        (granted == Granted::Driven).then(|| Event::OutputPulsed { name, by: by.to_owned() })
    }
}
