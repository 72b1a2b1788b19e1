//! Why a session ends ([`DisconnectReason`]) and what the server wants done about it ([`LeaveAction`]).
//!
//! The close code of the WebSocket is always 1000: only this message explains anything.

use std::fmt;

use super::wire;

/// The action that the server requests with a `leave` (`LeaveRequest.Action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveAction {
    /// The session is over.
    Disconnect,
    /// Come back to the same session (`reconnect=1`).
    Resume,
    /// Come back with a new session.
    Reconnect,
}

/// Why a session ended (`DisconnectReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "`words` describes each one")]
pub enum DisconnectReason {
    #[default]
    Unknown,
    ClientInitiated,
    DuplicateIdentity,
    ServerShutdown,
    ParticipantRemoved,
    RoomDeleted,
    StateMismatch,
    JoinFailure,
    Migration,
    SignalClose,
    RoomClosed,
    UserUnavailable,
    UserRejected,
    SipTrunkFailure,
    ConnectionTimeout,
    MediaFailure,
    AgentError,
}

impl DisconnectReason {
    /// LiveKit's name of the reason, as in its protocol files: `PARTICIPANT_REMOVED`.
    pub fn name(self) -> &'static str {
        self.to_wire().as_str_name()
    }

    /// What happened, for a person.
    pub fn words(self) -> &'static str {
        match self {
            DisconnectReason::Unknown => "the server gave no reason",
            DisconnectReason::ClientInitiated => "we left",
            DisconnectReason::DuplicateIdentity => "another client with the same identity joined the room",
            DisconnectReason::ServerShutdown => "the server is shutting down",
            DisconnectReason::ParticipantRemoved => "removed from the room",
            DisconnectReason::RoomDeleted => "the room was deleted",
            DisconnectReason::StateMismatch => "the server does not know the session any more",
            DisconnectReason::JoinFailure => "the connection for sound did not come up in time",
            DisconnectReason::Migration => "the server moves the session to another node",
            DisconnectReason::SignalClose => "the signal connection was lost",
            DisconnectReason::RoomClosed => "the room was closed: all others had left",
            DisconnectReason::UserUnavailable => "the called party did not answer",
            DisconnectReason::UserRejected => "the called party declined",
            DisconnectReason::SipTrunkFailure => "the telephone line failed",
            DisconnectReason::ConnectionTimeout => "the connection for sound timed out",
            DisconnectReason::MediaFailure => "the connection for sound failed",
            DisconnectReason::AgentError => "an agent failed",
        }
    }

    /// Whether the removal was intended: the client must not come back at once. All other reasons are failures, after
    /// which it comes back.
    pub fn is_removal(self) -> bool {
        matches!(
            self,
            DisconnectReason::ParticipantRemoved
                | DisconnectReason::DuplicateIdentity
                | DisconnectReason::RoomDeleted
                | DisconnectReason::RoomClosed
        )
    }

    /// Numbers that newer servers may add are [`DisconnectReason::Unknown`].
    pub(super) fn from_wire(number: i32) -> DisconnectReason {
        ALL.into_iter().find(|reason| reason.to_wire() as i32 == number).unwrap_or_default()
    }

    pub(super) fn to_wire(self) -> wire::DisconnectReason {
        use wire::DisconnectReason as Wire;
        match self {
            DisconnectReason::Unknown => Wire::UnknownReason,
            DisconnectReason::ClientInitiated => Wire::ClientInitiated,
            DisconnectReason::DuplicateIdentity => Wire::DuplicateIdentity,
            DisconnectReason::ServerShutdown => Wire::ServerShutdown,
            DisconnectReason::ParticipantRemoved => Wire::ParticipantRemoved,
            DisconnectReason::RoomDeleted => Wire::RoomDeleted,
            DisconnectReason::StateMismatch => Wire::StateMismatch,
            DisconnectReason::JoinFailure => Wire::JoinFailure,
            DisconnectReason::Migration => Wire::Migration,
            DisconnectReason::SignalClose => Wire::SignalClose,
            DisconnectReason::RoomClosed => Wire::RoomClosed,
            DisconnectReason::UserUnavailable => Wire::UserUnavailable,
            DisconnectReason::UserRejected => Wire::UserRejected,
            DisconnectReason::SipTrunkFailure => Wire::SipTrunkFailure,
            DisconnectReason::ConnectionTimeout => Wire::ConnectionTimeout,
            DisconnectReason::MediaFailure => Wire::MediaFailure,
            DisconnectReason::AgentError => Wire::AgentError,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LeaveAction {
    /// `can_reconnect` is what servers older than protocol 13 send instead of an action.
    pub(super) fn from_wire(action: i32, can_reconnect: bool) -> LeaveAction {
        match wire::leave_request::Action::try_from(action) {
            Ok(wire::leave_request::Action::Resume) => LeaveAction::Resume,
            Ok(wire::leave_request::Action::Reconnect) => LeaveAction::Reconnect,
            Ok(wire::leave_request::Action::Disconnect) if can_reconnect => LeaveAction::Reconnect,
            Ok(wire::leave_request::Action::Disconnect) => LeaveAction::Disconnect,
            // A kind of coming back that we do not know: a new session is always right.
            Err(_) => LeaveAction::Reconnect,
        }
    }
}

const ALL: [DisconnectReason; 17] = [
    DisconnectReason::Unknown,
    DisconnectReason::ClientInitiated,
    DisconnectReason::DuplicateIdentity,
    DisconnectReason::ServerShutdown,
    DisconnectReason::ParticipantRemoved,
    DisconnectReason::RoomDeleted,
    DisconnectReason::StateMismatch,
    DisconnectReason::JoinFailure,
    DisconnectReason::Migration,
    DisconnectReason::SignalClose,
    DisconnectReason::RoomClosed,
    DisconnectReason::UserUnavailable,
    DisconnectReason::UserRejected,
    DisconnectReason::SipTrunkFailure,
    DisconnectReason::ConnectionTimeout,
    DisconnectReason::MediaFailure,
    DisconnectReason::AgentError,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_livekits_numbers_and_names() {
        for number in 0..17 {
            let official = livekit_protocol::DisconnectReason::try_from(number).unwrap();
            assert_eq!(DisconnectReason::from_wire(number).name(), official.as_str_name());
        }
        assert_eq!(DisconnectReason::from_wire(17), DisconnectReason::Unknown);
        assert_eq!(DisconnectReason::from_wire(-1), DisconnectReason::Unknown);
    }

    #[test]
    fn four_reasons_are_somebodys_will() {
        let removals: Vec<_> =
            ALL.into_iter().filter(|reason| reason.is_removal()).map(|r| r.name()).collect();
        assert_eq!(removals, ["DUPLICATE_IDENTITY", "PARTICIPANT_REMOVED", "ROOM_DELETED", "ROOM_CLOSED"]);
        assert_eq!(removals, crate::event::REMOVALS, "as in events");
    }

    #[test]
    fn actions_of_old_and_future_servers() {
        assert_eq!(LeaveAction::from_wire(0, false), LeaveAction::Disconnect);
        assert_eq!(LeaveAction::from_wire(0, true), LeaveAction::Reconnect);
        assert_eq!(LeaveAction::from_wire(1, true), LeaveAction::Resume);
        assert_eq!(LeaveAction::from_wire(2, true), LeaveAction::Reconnect);
        assert_eq!(LeaveAction::from_wire(3, false), LeaveAction::Reconnect);
    }
}
