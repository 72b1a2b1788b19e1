//! Who hears a box, and whom it hears: [`Admitted`], one rule for both directions.

use super::allow::Allow;
use crate::event::ParticipantKind;

/// One identity, and a list of patterns. The default admits nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted {
    /// This identity, in whichever session it is; empty for none.
    pub party: String,
    /// These as well.
    pub listed: Allow,
}

impl Admitted {
    /// Whether a participant is admitted.
    pub fn permits(&self, identity: &str, kind: ParticipantKind) -> bool {
        !identity.is_empty() && (self.party == identity || self.listed.permits(identity, kind))
    }

    /// Whether all are admitted, including participants that the server hides.
    pub fn is_everybody(&self) -> bool {
        self.listed.is_everybody()
    }

    /// Whether all admitted participants were admitted by `before`, too, as far as the rules alone show it.
    pub fn is_within(&self, before: &Admitted) -> bool {
        let is_party_within =
            self.party.is_empty() || self.party == before.party || before.listed.may_permit(&self.party);
        let is_list_within = self.listed.is_empty() || before.is_everybody() || self.listed == before.listed;
        is_party_within && is_list_within
    }
}

/// In the syntax of `--hear`: identities, patterns, `microphones` for everybody's, `none`.
impl std::fmt::Display for Admitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_everybody() {
            return f.write_str("microphones");
        }
        match (self.party.is_empty(), self.listed.is_empty()) {
            (true, true) => f.write_str("none"),
            (true, false) => self.listed.fmt(f),
            (false, true) => f.write_str(&self.party),
            (false, false) => write!(f, "{} {}", self.party, self.listed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ParticipantKind::{Sip, Standard};

    fn admitted(party: &str, listed: &[&str]) -> Admitted {
        let listed = Allow::new(listed.iter().map(|pattern| pattern.to_string())).expect("usable");
        Admitted { party: party.to_owned(), listed }
    }

    #[test]
    fn the_party_and_the_list_are_admitted_and_nobody_else() {
        let rule = admitted("concierge", &["flat-*", "sip:+49*"]);
        assert!(rule.permits("concierge", Standard) && rule.permits("flat-2", Standard));
        assert!(rule.permits("sip_+4930", Sip) && !rule.permits("sip_+4930", Standard));
        assert!(!rule.permits("stranger", Standard) && !admitted("", &["*"]).permits("", Standard));
        assert!(
            !Admitted::default().permits("", Standard) && !Admitted::default().permits("flat-2", Standard)
        );
        assert!(admitted("", &["*"]).is_everybody() && !rule.is_everybody());
        for (rule, words) in [
            (admitted("", &["*"]), "microphones"),
            (admitted("flat-1", &[]), "flat-1"),
            (rule, "concierge flat-* sip:+49*"),
            (Admitted::default(), "none"),
        ] {
            assert_eq!(rule.to_string(), words);
        }
    }

    #[test]
    fn a_rule_is_within_another_where_it_admits_nobody_new() {
        let (nobody, party) = (Admitted::default(), admitted("flat-1", &[]));
        let (parties, everybody) = (admitted("", &["flat-*"]), admitted("", &["*"]));
        for (rule, before, is_within) in [
            (&nobody, &nobody, true),
            (&party, &nobody, false),
            (&party, &parties, true),
            (&party, &everybody, true),
            (&parties, &party, false),
            (&parties, &parties, true),
            (&parties, &everybody, true),
            (&everybody, &parties, false),
        ] {
            assert_eq!(rule.is_within(before), is_within, "{rule} in {before}");
        }
        assert!(!admitted("stranger", &[]).is_within(&parties));
    }
}
