//! The reasons for which a box refuses a request: [`Refused`].

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A call is already in progress.
    Busy,
    /// There is no call to answer or to end.
    NoCall,
    /// The participant is not on the list.
    NotAllowed,
    /// No output has this name.
    NoOutput,
    /// The output's line could not be driven.
    NotDriven,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refused::Busy => "a call is already in progress",
            Refused::NoCall => "there is no call to answer or to end",
            Refused::NoOutput => "no output has this name",
            Refused::NotDriven => "the output's line could not be driven",
            Refused::NotAllowed => "not on the list of allowed participants",
        })
    }
}

impl std::error::Error for Refused {}
