//! How the program ends: [`ExitStatus`], a contract with scripts and service managers.

/// Exit status of every `kinglet` command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitStatus {
    /// As requested: end of input, end of the duration, `leave`, SIGINT, SIGTERM.
    AsAsked = 0,
    /// Asked and refused: a control command was not carried out, a check failed.
    Refused = 1,
    /// The command line is wrong: an unknown option, an invalid URL.
    Usage = 2,
    /// Configuration, board file, certificate, token file, or an input or output file cannot be used.
    Configuration = 3,
    /// The server refuses the credentials (HTTP 400, 401, 403, in LiveKit's own words), or they cannot be used at all.
    Credentials = 4,
    /// The server is not reached or does not speak LiveKit: DNS, TCP, TLS, 404, 5xx, time-out, or
    /// a proxy, portal or firewall answers in its place.
    Unreachable = 5,
    /// The sound card cannot be opened at start.
    SoundCard = 6,
    /// The server removed us: PARTICIPANT_REMOVED, DUPLICATE_IDENTITY, ROOM_DELETED, ROOM_CLOSED.
    Removed = 7,
}

impl ExitStatus {
    /// The number itself.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> std::process::ExitCode {
        std::process::ExitCode::from(status.code())
    }
}
