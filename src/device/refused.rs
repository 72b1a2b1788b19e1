//! Why a box refuses a request: [`Refused`].

/// Why something asked for is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is a call already.
    Busy,
    /// There is nothing to answer or to hang up.
    NoCall,
    /// The requester is not on the list.
    NotAllowed,
    /// No output is called so.
    NoOutput,
    /// Its line could not be driven.
    NotDriven,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refused::Busy => "there is a call already",
            Refused::NoCall => "there is no such call",
            Refused::NoOutput => "no output is called so",
            Refused::NotDriven => "the output's line could not be driven",
            Refused::NotAllowed => "not on the list of allowed participants",
        })
    }
}

impl std::error::Error for Refused {}
