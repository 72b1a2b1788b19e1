//! A [`Sid`] is the server's name of a room (`RM_…`), participant (`PA_…`) or track (`TR_…`).
//!
//! It is compared and copied all the time, so it is stored inline and is `Copy`.

use std::fmt;

use crate::limits::SID_BYTES_MAX;

/// The server's name of a room, participant or track: 1 to [`SID_BYTES_MAX`] visible ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// Zero past `len`, so that the derived comparisons are those of the text.
    bytes: [u8; SID_BYTES_MAX],
    len: u8,
}

impl Sid {
    /// `None` if `text` is empty, too long, or holds anything but visible ASCII: no server makes such.
    pub fn new(text: &str) -> Option<Sid> {
        if text.is_empty() || text.len() > SID_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let mut bytes = [0; SID_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Sid { bytes, len: text.len() as u8 })
    }

    /// The text, as the server wrote it.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, so the conversion never fails.
        let text = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<&str> for Sid {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

const _: () = assert!(SID_BYTES_MAX <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_a_server_writes() {
        let sid = Sid::new("TR_AMk2vQxq9mTgXw").unwrap();
        assert_eq!(sid.as_str(), "TR_AMk2vQxq9mTgXw");
        assert_eq!(sid.to_string(), "TR_AMk2vQxq9mTgXw");
        assert_eq!(format!("{sid:>20}"), "   TR_AMk2vQxq9mTgXw");
    }

    #[test]
    fn refuses_what_no_server_writes() {
        for text in ["", "PA 1", "PA_ü", "PA_\n", &"x".repeat(SID_BYTES_MAX + 1)] {
            assert_eq!(Sid::new(text), None, "{text:?}");
        }
        assert!(Sid::new(&"x".repeat(SID_BYTES_MAX)).is_some());
    }

    #[test]
    fn compares_as_text() {
        let sid = |text| Sid::new(text).unwrap();
        assert_eq!(sid("PA_a"), sid("PA_a"));
        assert!(sid("PA_a") < sid("PA_ab") && sid("PA_ab") < sid("PA_b"));
    }
}
