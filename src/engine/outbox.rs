//! Events on their way to the application: [`Outbox`], the one place that takes them in and hands them out.
//!
//! ```text
//!   emit, with_room ─► put ─► ≤ 512 events, ≤ 4 MiB ─► take ─► poll_event
//!                       └─ no room: lost, counted, and said once
//! ```

use crate::event::Event;
use crate::limits::{EVENT_BYTES_MAX, EVENTS_MAX};

/// A queue that is bounded in events and in bytes, whatever their source.
#[derive(Default)]
pub(super) struct Outbox {
    /// With their sizes. Each by itself: there are few, and room for all would be 90 kB, which passes over the stack
    /// when it is made.
    events: heapless::Deque<(usize, Box<Event>), EVENTS_MAX>,
    bytes: usize,
    lost: u64,
    reported_lost: u64,
}

impl Outbox {
    /// Takes an event in. Where there is no room it is lost and counted; one alone always fits.
    pub(super) fn put(&mut self, event: Event) {
        let bytes = event.bytes();
        let fits = self.events.is_empty() || self.bytes + bytes <= EVENT_BYTES_MAX;
        if fits && self.events.push_back((bytes, Box::new(event))).is_ok() {
            self.bytes += bytes;
        } else {
            self.lost += 1;
        }
    }

    /// The next one. What was lost meanwhile becomes a warning behind it.
    pub(super) fn take(&mut self) -> Option<Event> {
        let event = self.events.pop_front().map(|(bytes, event)| {
            self.bytes -= bytes;
            *event
        });
        let lost = self.lost - std::mem::replace(&mut self.reported_lost, self.lost);
        if lost > 0 {
            let text = format!("{lost} events were lost: more happened at once than this program keeps");
            self.put(Event::Warning { text });
        }
        event
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many did not fit, since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ParticipantKind;
    use crate::limits::METADATA_BYTES_MAX;
    use crate::room::Room;
    use crate::signal::leave::DisconnectReason;
    use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission};
    use crate::signal::sid::Sid;

    fn anna() -> ParticipantInfo {
        ParticipantInfo {
            sid: Sid::new("PA_anna").expect("a SID"),
            identity: "anna".into(),
            state: ParticipantState::Active,
            tracks: Vec::new(),
            name: String::new(),
            metadata: String::new(),
            attributes: Default::default(),
            version: 0,
            joined_at_ms: 0,
            permission: Permission::default(),
            kind: ParticipantKind::Standard,
            disconnect_reason: DisconnectReason::Unknown,
        }
    }

    #[test]
    fn what_the_room_puts_in_comes_out_and_leaves_nothing_behind() {
        let (mut room, mut outbox) = (Room::new(), Outbox::default());
        let mut took = 0;
        for round in 0..3_u32 {
            for number in 0..1_000 {
                let metadata = format!("{round} {number} ") + &"m".repeat(METADATA_BYTES_MAX - 20);
                let version = round * 1_000 + number;
                let info = ParticipantInfo { metadata, version, ..anna() };
                room.apply_update(&[info], &mut |event| outbox.put(event));
                assert!(outbox.bytes <= EVENT_BYTES_MAX);
            }
            assert!(
                outbox.bytes > EVENT_BYTES_MAX / 2 && outbox.lost() > 0,
                "participants count their metadata"
            );
            took += std::iter::from_fn(|| outbox.take()).count();
            assert_eq!((outbox.bytes, outbox.is_empty()), (0, true));
        }
        assert!(took > 300);
    }

    #[test]
    fn what_is_lost_is_counted_and_said_once() {
        let mut outbox = Outbox::default();
        let warning = |text: &str| Event::Warning { text: text.to_owned() };
        for _ in 0..EVENTS_MAX + 7 {
            outbox.put(warning("x"));
        }
        assert_eq!(outbox.lost(), 7);
        let last = std::iter::from_fn(|| outbox.take()).last();
        assert!(matches!(last, Some(Event::Warning { text }) if text.starts_with("7 events were lost")));
        assert_eq!((outbox.bytes, outbox.lost()), (0, 7));
        outbox.put(warning(&"y".repeat(EVENT_BYTES_MAX)));
        assert_eq!(outbox.lost(), 7, "one alone fits, whatever its size");
        outbox.put(warning("z"));
        assert_eq!(outbox.lost(), 8);
        assert!(outbox.take().is_some());
        assert!(outbox.take().is_some_and(|event| event.bytes() < 200) && outbox.bytes == 0);
    }
}
