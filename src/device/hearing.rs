//! Which participants hear the box, and which it hears.
//!
//! | stage | [`Heard::Party`] | [`Heard::Parties`] | [`Heard::Room`] |
//! | --- | --- | --- | --- |
//! | no call | `parties` | `parties` | everybody |
//! | the box rings `parties` | `parties` | `parties` | everybody |
//! | the box rings one party, or is rung by one | that party | `parties` | everybody |
//! | call | the other party | `parties` and the other party | everybody |
//!
//! One rule covers both directions. The [microphone](super::microphone) decides whether sound is sent. The rule applies
//! before the answer: parties are admitted from the ring on, because a subscription that is requested only at the
//! answer would lose the first words.

use super::allow::Allow;
use super::call::Call;
use super::call::CallStage;
use crate::command::admitted::Admitted;

/// The participants that hear the box in a call, and that it hears.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heard {
    /// The other party.
    #[default]
    Party,
    /// All of `parties`.
    Parties,
    /// Every participant of the room.
    Room,
}

/// The rule for the current stage of the call, and the last one that was returned.
#[derive(Debug)]
pub struct Hearing {
    heard: Heard,
    parties: Allow,
    given: Option<(CallStage, Admitted)>,
}

impl Hearing {
    /// Creates the state; no rule has been returned yet.
    pub fn new(heard: Heard, parties: Allow) -> Hearing {
        Hearing { heard, parties, given: None }
    }

    /// Replaces the settings.
    pub fn configure(&mut self, heard: Heard, parties: Allow) {
        (self.heard, self.parties) = (heard, parties);
    }

    /// Returns the rule for the current stage of `call`, if the stage or the rule differs from the last result. A new
    /// stage ends the operator's exceptions to the previous rule.
    pub fn poll(&mut self, call: &Call) -> Option<Admitted> {
        let given = (call.stage(), self.rule(call.stage(), call.party()));
        if self.given.as_ref() == Some(&given) {
            return None;
        }
        let (_, rule) = self.given.insert(given);
        Some(rule.clone())
    }

    fn rule(&self, stage: CallStage, party: &str) -> Admitted {
        let is_between_two = stage != CallStage::Idle && !party.is_empty();
        match self.heard {
            Heard::Room => Admitted { party: String::new(), listed: Allow::everybody() },
            Heard::Party if is_between_two => Admitted { party: party.to_owned(), listed: Allow::default() },
            // `parties` may have changed during the call.
            _ => Admitted { party: party.to_owned(), listed: self.parties.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ParticipantKind::Standard;

    const STAGES: [(CallStage, &str); 5] = [
        (CallStage::Idle, ""),
        (CallStage::RingingOut, ""),
        (CallStage::RingingOut, "flat-1"),
        (CallStage::RingingIn, "flat-1"),
        (CallStage::Talking, "flat-1"),
    ];

    fn flats() -> Allow {
        Allow::new(["flat-*".to_owned()]).expect("usable")
    }

    /// Who is admitted in each stage: the party (p), another flat (f), a stranger (s).
    #[test]
    fn the_table_holds() {
        let table = [
            (Heard::Party, ["pf-", "pf-", "p--", "p--", "p--"]),
            (Heard::Parties, ["pf-", "pf-", "pf-", "pf-", "pf-"]),
            (Heard::Room, ["pfs", "pfs", "pfs", "pfs", "pfs"]),
        ];
        for (heard, expected) in table {
            let hearing = Hearing::new(heard, flats());
            for ((stage, party), expected) in STAGES.into_iter().zip(expected) {
                let rule = hearing.rule(stage, party);
                let admitted: String = [("flat-1", 'p'), ("flat-2", 'f'), ("stranger", 's')]
                    .map(|(identity, letter)| if rule.permits(identity, Standard) { letter } else { '-' })
                    .into_iter()
                    .collect();
                assert_eq!(admitted, expected, "{heard:?} {stage:?} {party}");
                // Participants that the server hides are admitted only if all are.
                assert_eq!(rule.is_everybody(), heard == Heard::Room, "{heard:?} {stage:?}");
            }
        }
    }

    #[test]
    fn without_a_list_everybody_is_admitted_outside_a_call_and_only_the_party_in_it() {
        let hearing = Hearing::new(Heard::Party, Allow::everybody());
        for (stage, party) in STAGES {
            assert_eq!(hearing.rule(stage, party).is_everybody(), party.is_empty(), "{stage:?} {party}");
        }
    }

    #[test]
    fn a_party_removed_from_the_list_stays_in_its_call() {
        let mut hearing = Hearing::new(Heard::Parties, flats());
        hearing.configure(Heard::Parties, Allow::default());
        assert!(hearing.rule(CallStage::Talking, "flat-1").permits("flat-1", Standard));
        assert!(!hearing.rule(CallStage::Idle, "").permits("flat-1", Standard));
    }
}
