//! Faults that the server plays on us when asked (`SimulateScenario`): for tests of how we come back.

use super::wire;
use wire::simulate_scenario::Scenario as Wire;

/// How long `speaker_update` lets us be a speaker.
const SPEAKING_SECONDS: i32 = 3;

/// One of the server's faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "LiveKit's names")]
pub enum Scenario {
    SpeakerUpdate,
    NodeFailure,
    Migration,
    ServerLeave,
    SwitchCandidateProtocolToTcp,
    SwitchCandidateProtocolToUdp,
    DisconnectSignalOnResume,
    DisconnectSignalOnResumeNoMessages,
    LeaveRequestFullReconnect,
}

/// All of them, by LiveKit's names.
pub const SCENARIOS: [(&str, Scenario); 9] = [
    ("speaker_update", Scenario::SpeakerUpdate),
    ("node_failure", Scenario::NodeFailure),
    ("migration", Scenario::Migration),
    ("server_leave", Scenario::ServerLeave),
    ("switch_candidate_protocol_tcp", Scenario::SwitchCandidateProtocolToTcp),
    ("switch_candidate_protocol_udp", Scenario::SwitchCandidateProtocolToUdp),
    ("disconnect_signal_on_resume", Scenario::DisconnectSignalOnResume),
    ("disconnect_signal_on_resume_no_messages", Scenario::DisconnectSignalOnResumeNoMessages),
    ("leave_request_full_reconnect", Scenario::LeaveRequestFullReconnect),
];

impl Scenario {
    /// The scenario of this name.
    pub fn of_name(name: &str) -> Option<Scenario> {
        SCENARIOS.iter().find(|(other, _)| *other == name).map(|&(_, scenario)| scenario)
    }

    pub(super) fn to_wire(self) -> wire::SimulateScenario {
        use wire::CandidateProtocol as Protocol;
        let scenario = match self {
            Scenario::SpeakerUpdate => Wire::SpeakerUpdate(SPEAKING_SECONDS),
            Scenario::NodeFailure => Wire::NodeFailure(true),
            Scenario::Migration => Wire::Migration(true),
            Scenario::ServerLeave => Wire::ServerLeave(true),
            Scenario::SwitchCandidateProtocolToTcp => Wire::SwitchCandidateProtocol(Protocol::Tcp as i32),
            Scenario::SwitchCandidateProtocolToUdp => Wire::SwitchCandidateProtocol(Protocol::Udp as i32),
            Scenario::DisconnectSignalOnResume => Wire::DisconnectSignalOnResume(true),
            Scenario::DisconnectSignalOnResumeNoMessages => Wire::DisconnectSignalOnResumeNoMessages(true),
            Scenario::LeaveRequestFullReconnect => Wire::LeaveRequestFullReconnect(true),
        };
        wire::SimulateScenario { scenario: Some(scenario) }
    }
}
