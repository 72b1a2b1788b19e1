//! Chat messages that come twice: as a packet for older clients, and as a text stream, under one id.

use super::fair;
use super::packet::Origin;
use crate::limits::CHAT_IDS_MAX;

/// Sender and id of the last chat messages, the oldest first.
#[derive(Debug, Default)]
pub struct ChatIds {
    ids: heapless::Vec<(Origin, String), CHAT_IDS_MAX>,
}

impl ChatIds {
    /// Whether the message of this id was not here yet; it is from now on. Messages without an id are new.
    pub fn is_new(&mut self, origin: Origin, id: &str) -> bool {
        if id.is_empty() {
            return true;
        }
        if self.ids.iter().any(|(sender, known)| known == id && *sender == origin) {
            return false;
        }
        if self.ids.is_full() {
            // A flood of one sender makes room for itself: messages of the others are still known.
            if let Some(place) = fair::first_of_largest(self.ids.iter().map(|(sender, _)| sender)) {
                self.ids.remove(place);
            }
        }
        // There is room for one now.
        let _ = self.ids.push((origin, id.to_owned()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_new_once_whatever_others_send() {
        let sender = |name: &str| Origin::Identity(name.to_owned());
        let mut ids = ChatIds::default();
        assert!(ids.is_new(sender("anna"), "1") && ids.is_new(sender("bert"), "1"));
        for number in 0..10 * CHAT_IDS_MAX {
            assert!(ids.is_new(sender("flood"), &number.to_string()));
        }
        assert!(!ids.is_new(sender("anna"), "1") && !ids.is_new(sender("bert"), "1"));
        assert!(ids.is_new(sender("anna"), "") && ids.is_new(sender("anna"), ""));
        assert_eq!(ids.ids.len(), CHAT_IDS_MAX);
    }
}
