//! What was left out of messages.

/// What was left out of messages because it was past a limit or had no usable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Truncated {
    /// How many participants.
    pub participants: u32,
    /// How many tracks.
    pub tracks: u32,
    /// How many names, metadata, attributes and other texts.
    pub texts: u32,
    /// How many entries of other lists.
    pub entries: u32,
}

impl Truncated {
    /// Whether anything was left out.
    pub fn is_empty(self) -> bool {
        self == Truncated::default()
    }
}

impl std::fmt::Display for Truncated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Truncated { participants, tracks, texts, entries } = self;
        let parts =
            [(participants, "participants"), (tracks, "tracks"), (texts, "texts"), (entries, "list entries")];
        let mut separator = "";
        for (count, what) in parts.into_iter().filter(|(count, _)| **count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl std::ops::AddAssign for Truncated {
    fn add_assign(&mut self, other: Truncated) {
        self.participants = self.participants.saturating_add(other.participants);
        self.tracks = self.tracks.saturating_add(other.tracks);
        self.texts = self.texts.saturating_add(other.texts);
        self.entries = self.entries.saturating_add(other.entries);
    }
}
