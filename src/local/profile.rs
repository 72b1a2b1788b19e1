//! What others see of us beyond the token: name, metadata, attributes that were set in the call.
//!
//! The server keeps them for one session. After a full reconnect the missing ones are sent again, so that a box that
//! has set an attribute keeps it over a short network failure.

use std::collections::BTreeMap;

use crate::limits::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX};
use crate::signal::request::ProfileChange;

/// Everything that was set, and that the server has accepted.
#[derive(Debug, Default)]
pub struct Profile {
    set: ProfileChange,
}

/// Why a change is not even asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileError {
    /// An empty name or metadata: for the server that is one that stays as it is.
    Empty,
    /// Past the limits of `crate::limits`.
    TooLong,
}

impl Profile {
    /// Attributes that are wanted from the start.
    pub fn with_attributes(attributes: BTreeMap<String, String>) -> Profile {
        let mut profile = Profile::default();
        profile.accepted(ProfileChange { attributes, ..ProfileChange::default() });
        profile
    }

    /// Looks whether `change` can be sent.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn check(change: &ProfileChange) -> Result<(), ProfileError> {
        let texts = [(&change.name, NAME_BYTES_MAX), (&change.metadata, METADATA_BYTES_MAX)];
        for (text, bytes_max) in texts {
            match text {
                Some(text) if text.is_empty() => return Err(ProfileError::Empty),
                Some(text) if text.len() > bytes_max => return Err(ProfileError::TooLong),
                _ => {}
            }
        }
        let bytes: usize = change.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > ATTRIBUTES_BYTES_MAX || change.attributes.len() > ATTRIBUTES_MAX {
            return Err(ProfileError::TooLong);
        }
        Ok(())
    }

    /// The server has accepted `change`.
    pub fn accepted(&mut self, change: ProfileChange) {
        self.set.name = change.name.or(self.set.name.take());
        self.set.metadata = change.metadata.or(self.set.metadata.take());
        for (key, value) in change.attributes {
            if self.set.attributes.contains_key(&key) || self.set.attributes.len() < ATTRIBUTES_MAX {
                self.set.attributes.insert(key, value);
            }
        }
    }

    /// The changes to send to a server that has these values.
    pub fn missing(
        &self,
        name: &str,
        metadata: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Option<ProfileChange> {
        let has = |key: &String, value: &String| {
            attributes.get(key).map_or(value.is_empty(), |known| known == value)
        };
        let missing = ProfileChange {
            name: self.set.name.clone().filter(|set| set != name),
            metadata: self.set.metadata.clone().filter(|set| set != metadata),
            attributes: self
                .set
                .attributes
                .iter()
                .filter(|(key, value)| !has(key, value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        };
        (missing != ProfileChange::default()).then_some(missing)
    }
}

impl std::fmt::Display for ProfileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProfileError::Empty => f.write_str("an empty one is not possible: the server keeps the old one"),
            ProfileError::TooLong => write!(
                f,
                "too long: at most {NAME_BYTES_MAX} bytes of name, {METADATA_BYTES_MAX} of metadata, \
                 {ATTRIBUTES_BYTES_MAX} of {ATTRIBUTES_MAX} attributes"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> ProfileChange {
        let attributes = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ProfileChange { attributes, ..ProfileChange::default() }
    }

    #[test]
    fn only_what_is_missing_is_told_again() {
        let mut profile = Profile::default();
        assert_eq!(profile.missing("door", "", &BTreeMap::new()), None);
        profile.accepted(ProfileChange { name: Some("Door".into()), ..attributes(&[("lock", "open")]) });
        profile.accepted(attributes(&[("lock", "shut"), ("old", "")]));
        let told = ProfileChange { name: Some("Door".into()), ..attributes(&[("lock", "shut")]) };
        let missing = profile.missing("door", "", &BTreeMap::new());
        assert_eq!(missing, Some(told), "a removed one is not there anyway");
        let known = attributes(&[("lock", "shut"), ("old", "x")]).attributes;
        assert_eq!(profile.missing("Door", "", &known), Some(attributes(&[("old", "")])));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_here() {
        let name = |text: String| ProfileChange { name: Some(text), ..ProfileChange::default() };
        assert_eq!(Profile::check(&name("Door".into())), Ok(()));
        assert_eq!(Profile::check(&name(String::new())), Err(ProfileError::Empty));
        assert_eq!(Profile::check(&name("x".repeat(NAME_BYTES_MAX + 1))), Err(ProfileError::TooLong));
        let long = "v".repeat(ATTRIBUTES_BYTES_MAX);
        assert_eq!(Profile::check(&attributes(&[("key", &long)])), Err(ProfileError::TooLong));
    }
}
