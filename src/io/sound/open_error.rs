//! Messages for a card or file that cannot be opened.

use std::fmt;

use crate::error::ExitStatus;
use crate::io::sound::sizes::StreamDirection;

/// Why sound cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// `auto` found no card for this direction.
    NoCard {
        /// Capture or playback.
        direction: StreamDirection,
        /// Cards that are there and do not suit, for the message.
        others: Vec<String>,
    },
    /// A PCM cannot be opened.
    Card {
        /// Name of the PCM.
        pcm: String,
        /// Cause of the failure.
        fault: CardFault,
    },
    /// A file, pipe or device cannot be opened or is not what it should be.
    File {
        /// Its path; `-` is standard input or output.
        name: String,
        /// Why, as the end of a sentence.
        reason: String,
    },
}

/// Why a PCM cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardFault {
    /// There is no PCM or card of this name.
    Missing,
    /// Another program has it.
    Busy,
    /// We may not open it.
    Forbidden,
    /// It does not do what we need: what, and errno.
    Refused(&'static str, i32),
}

impl OpenError {
    /// The exit status of a program that cannot start without it: 6 for cards, 3 for files.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            OpenError::NoCard { .. } | OpenError::Card { .. } => ExitStatus::SoundCard,
            OpenError::File { .. } => ExitStatus::Configuration,
        }
    }
}

impl CardFault {
    /// By errno; other errors are reported with the operation that failed.
    pub fn of(errno: i32, what: &'static str) -> CardFault {
        match errno {
            libc::ENOENT | libc::ENODEV | libc::ENXIO => CardFault::Missing,
            libc::EBUSY | libc::EAGAIN => CardFault::Busy,
            libc::EACCES | libc::EPERM => CardFault::Forbidden,
            errno => CardFault::Refused(what, errno),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NoCard { direction, others } => {
                let (what, option) = match direction {
                    StreamDirection::Capture => ("microphone", "--input"),
                    StreamDirection::Playback => ("loudspeaker (HDMI apart)", "--output"),
                };
                if others.is_empty() {
                    write!(f, "there is no sound card: connect one, or name a file with {option} wav:FILE")
                } else {
                    let others = others.join(", ");
                    write!(
                        f,
                        "no sound card has a {what} (there are: {others}): name one with {option} alsa:PCM"
                    )
                }
            }
            OpenError::Card { pcm, fault } => write!(f, "sound card '{}' {fault}", pcm.escape_debug()),
            OpenError::File { name, reason } if name == "-" => {
                write!(f, "standard input or output: {reason}")
            }
            OpenError::File { name, reason } => write!(f, "file '{}': {reason}", name.escape_debug()),
        }
    }
}

impl std::error::Error for OpenError {}

impl fmt::Display for CardFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            CardFault::Missing => f.write_str("is not there: 'kinglet devices' lists those that are"),
            CardFault::Busy => {
                f.write_str("is in use by another program ('kinglet devices' shows which): end it, or share the card with dmix and dsnoop")
            }
            CardFault::Forbidden => f.write_str("may not be opened by this user: join the group 'audio'"),
            CardFault::Refused(what, errno) => {
                write!(f, "{what} ({})", std::io::Error::from_raw_os_error(errno))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let no_card = |others: &[&str]| OpenError::NoCard {
            direction: StreamDirection::Playback,
            others: others.iter().map(|&id| id.to_owned()).collect(),
        };
        let of_card =
            |errno| OpenError::Card { pcm: "hw:X".to_owned(), fault: CardFault::of(errno, "is odd") };
        for (error, part, status) in [
            (no_card(&[]), "--output wav:FILE", 6),
            (no_card(&["vc4hdmi0"]), "there are: vc4hdmi0", 6),
            (of_card(libc::ENODEV), "'hw:X' is not there", 6),
            (of_card(libc::EBUSY), "another program", 6),
            (of_card(libc::EACCES), "group 'audio'", 6),
            (of_card(libc::EINVAL), "is odd (Invalid argument", 6),
            (OpenError::File { name: "-".into(), reason: "odd".into() }, "standard input", 3),
            (OpenError::File { name: "a\nb".into(), reason: "odd".into() }, r"a\nb", 3),
        ] {
            let text = error.to_string();
            assert!(text.contains(part) && !text.contains('\n'), "{text}");
            assert_eq!(error.exit_status().code(), status);
        }
    }
}
