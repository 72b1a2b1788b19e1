//! [`Admission`]: who may hear us, and whom we hear: the rule of a box, and the exceptions of the application.
//!
//! ```text
//!   Admit(rule) ─► rule ──────────────────────────┬─► Audience ─► the server, before a track, after each join and resume
//!   heard-by ────► exception, instead of the rule ┘
//!   hear ────────► the policy alone, instead of the rule
//! ```
//!
//! Functions: `set_rule`, `set_audience` and `policy_set` for the commands `admit`, `heard-by` and `hear`;
//! `update_audience` and `restate_audience` send the request; `is_heard`, `may_hear`, `heard_by` and `hearing_rule` are
//! read by others.
//!
//! The server takes a list of identities, so the rule is applied to every participant in the room. The party, and
//! identities that the rule names in full, are on the list while they are away, too, and hear us as soon as they come.
//! A participant that matches a pattern is added when the server shows it: at once if it publishes, otherwise within 3
//! s (livekit-server 1.13.5, `subscriberUpdateInterval`). A participant that the server hides is on no list; it hears
//! us only if everybody may. Recorders (the token's grant `recorder`) hear everything: the server does not check their
//! permission.

use serde_json::{Value, json};

use crate::command::CommandError;
use crate::command::admitted::Admitted;
use crate::engine::outbox::Outbox;
use crate::event::ParticipantKind;
use crate::limits::{IDENTITY_BYTES_MAX, PATTERNS_MAX};
use crate::room::{Participant, Room};
use crate::signal::request::{Audience, Request};

/// A participant: its identity and what it is.
pub(in crate::engine) type Who<'a> = (&'a str, ParticipantKind);

pub(in crate::engine) fn who(participant: &Participant) -> Who<'_> {
    (&participant.identity, participant.kind)
}

/// The rule, the exceptions to it, and the last request to the server.
#[derive(Debug, Default)]
pub(in crate::engine) struct Admission {
    rule: Option<Admitted>,
    /// Set by `heard-by`.
    said: Option<Audience>,
    /// `hear` was given since.
    is_policy_said: bool,
    told: Option<Audience>,
}

impl Admission {
    /// Sets the rule of a box, and removes all exceptions. Returns whether it admits more participants than before.
    pub(in crate::engine) fn set_rule(&mut self, rule: Admitted) -> bool {
        let before = self.rule.replace(rule);
        (self.said, self.is_policy_said) = (None, false);
        before.is_some_and(|before| self.rule.as_ref().is_some_and(|rule| !rule.is_within(&before)))
    }

    /// Sets who may hear us, with precedence over the rule; kept over sessions, until the next rule.
    pub(in crate::engine) fn set_audience(&mut self, identities: Vec<String>) -> Result<(), CommandError> {
        let audience = match &identities[..] {
            [] => return Err(CommandError::usage("heard-by needs all, none or identities")),
            [word] if word == "all" => Audience::Everybody,
            [word] if word == "none" => Audience::Only(Vec::new()),
            _ if identities.len() > PATTERNS_MAX
                || identities.iter().any(|identity| identity.len() > IDENTITY_BYTES_MAX) =>
            {
                return Err(CommandError::usage(format!("at most {PATTERNS_MAX} identities")));
            }
            _ => Audience::Only(identities),
        };
        self.said = Some(audience);
        Ok(())
    }

    /// `hear` was given: its policy alone decides whom we hear, until the next rule.
    pub(in crate::engine) fn policy_set(&mut self) {
        self.is_policy_said = true;
    }

    /// A participant came, or the rule has changed: sends the permission to the server if it has changed.
    pub(in crate::engine) fn update_audience(&mut self, room: &Room, has_signal: bool, out: &mut Outbox) {
        if has_signal && let Some(audience) = self.poll(room.participants().map(who)) {
            out.request(&Request::SubscriptionPermission(audience));
        }
    }

    /// A session has begun or is resumed: sends the permission in any case. In a new session everybody may hear us
    /// unless a permission is sent before there is sound; in a resumed one the last request may have been lost.
    pub(in crate::engine) fn restate_audience(&mut self, room: &Room, has_signal: bool, out: &mut Outbox) {
        self.told = None;
        self.update_audience(room, has_signal, out);
    }

    /// Whether a participant is heard, as far as the rule decides.
    pub(in crate::engine) fn is_heard(&self, who: Who<'_>) -> bool {
        self.is_policy_said || self.rule.as_ref().is_none_or(|rule| rule.permits(who.0, who.1))
    }

    /// Whether a participant may hear us.
    pub(in crate::engine) fn may_hear(&self, who: Who<'_>) -> bool {
        match (&self.said, &self.rule) {
            (Some(Audience::Everybody), _) | (None, None) => true,
            (Some(Audience::Only(identities)), _) => identities.iter().any(|said| said == who.0),
            (None, Some(rule)) => rule.permits(who.0, who.1),
        }
    }

    /// The permission to send, if the server does not have it.
    fn poll<'a>(&mut self, room: impl Iterator<Item = Who<'a>>) -> Option<Audience> {
        let audience = match (&self.said, &self.rule) {
            (Some(said), _) => said.clone(),
            (None, Some(rule)) if rule.is_everybody() => Audience::Everybody,
            (None, Some(rule)) => {
                let mut identities: Vec<String> = Vec::new();
                let party = Some(rule.party.as_str()).filter(|party| !party.is_empty());
                let others = room.filter(|who| rule.permits(who.0, who.1)).map(|who| who.0);
                for identity in party.into_iter().chain(rule.listed.names()).chain(others) {
                    if !identities.iter().any(|known| known == identity) {
                        identities.push(identity.to_owned());
                    }
                }
                Audience::Only(identities)
            }
            // Everybody may hear us until a permission is sent.
            (None, None) => return None,
        };
        if self.told.as_ref() == Some(&audience) {
            return None;
        }
        self.told = Some(audience.clone());
        Some(audience)
    }

    /// For `status`: who may hear us.
    pub(in crate::engine) fn heard_by<'a>(&self, room: impl Iterator<Item = Who<'a>>) -> Value {
        match (&self.said, &self.rule) {
            (Some(Audience::Everybody), _) | (None, None) => json!("all"),
            (Some(Audience::Only(identities)), _) => json!(identities),
            (None, Some(rule)) if rule.is_everybody() => json!("all"),
            (None, Some(_)) => {
                let admitted = room.filter(|who| self.may_hear(*who)).map(|who| who.0);
                json!(admitted.collect::<Vec<_>>())
            }
        }
    }

    /// The rule that decides whom we hear, if one does.
    pub(in crate::engine) fn hearing_rule(&self) -> Option<&Admitted> {
        self.rule.as_ref().filter(|_| !self.is_policy_said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::allow::Allow;
    use crate::event::ParticipantKind::Standard;

    const STRANGER: Who<'_> = ("stranger", Standard);
    const ROOM: [Who<'_>; 3] = [("flat-1", Standard), ("flat-2", Standard), STRANGER];

    fn rule(party: &str, listed: &str) -> Admitted {
        let listed = Allow::new(Some(listed.to_owned()).filter(|listed| !listed.is_empty())).expect("usable");
        Admitted { party: party.to_owned(), listed }
    }

    fn only(identities: &[&str]) -> Option<Audience> {
        Some(Audience::Only(identities.iter().map(|identity| identity.to_string()).collect()))
    }

    #[test]
    fn the_server_is_told_what_it_does_not_know() {
        let mut admission = Admission::default();
        let poll = |admission: &mut Admission| admission.poll(ROOM.into_iter());
        assert_eq!(poll(&mut admission), None, "without a rule nothing is sent");
        admission.set_rule(rule("", "flat-*"));
        assert_eq!(admission.poll(std::iter::empty()), only(&[]));
        assert_eq!(poll(&mut admission), only(&["flat-1", "flat-2"]));
        assert_eq!(poll(&mut admission), None);
        admission.set_rule(rule("flat-9", ""));
        assert_eq!(poll(&mut admission), only(&["flat-9"]), "also while it is away");
        admission.set_rule(rule("flat-1", "concierge"));
        assert_eq!(
            poll(&mut admission),
            only(&["flat-1", "concierge"]),
            "and the identity that is named in full"
        );
        admission.set_rule(rule("", "*"));
        assert_eq!(poll(&mut admission), Some(Audience::Everybody));
    }

    #[test]
    fn what_is_said_over_a_rule_ends_with_the_next_one() {
        let mut admission = Admission::default();
        assert!(admission.is_heard(STRANGER) && admission.may_hear(STRANGER));
        admission.set_rule(rule("", "flat-*"));
        assert!(!admission.is_heard(STRANGER) && !admission.may_hear(STRANGER));
        admission.said = only(&["stranger"]);
        admission.is_policy_said = true;
        assert!(admission.is_heard(STRANGER) && admission.may_hear(STRANGER));
        assert!(!admission.may_hear(ROOM[0]));
        assert_eq!(admission.poll(ROOM.into_iter()), only(&["stranger"]));
        admission.set_rule(rule("flat-1", ""));
        assert!(!admission.is_heard(STRANGER) && !admission.may_hear(STRANGER));
        assert_eq!(admission.poll(ROOM.into_iter()), only(&["flat-1"]));
        assert_eq!(admission.heard_by(ROOM.into_iter()), json!(["flat-1"]));
    }

    #[test]
    fn a_rule_that_admits_somebody_new_is_known_as_one() {
        let mut admission = Admission::default();
        for (next, is_wider) in [
            (rule("", "flat-*"), false),
            (rule("flat-1", ""), false),
            (rule("", "flat-*"), true),
            (rule("", "*"), true),
            (rule("", "flat-*"), false),
        ] {
            assert_eq!(admission.set_rule(next.clone()), is_wider, "{next}");
        }
    }
}
