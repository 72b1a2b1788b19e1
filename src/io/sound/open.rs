//! Which card `auto` means, and what to say when a card or file cannot be opened.
//!
//! `auto` is the first card that has both directions; without one, the first microphone and the first
//! loudspeaker. HDMI is no loudspeaker here: a monitor without any takes sound and is silent. Cards are
//! named by `CARD=<id>`, which stays the same over restarts and unplugging; indices do not.

use crate::error::ExitStatus;
use std::fmt;

use crate::io::sound::list::{CardListing, PcmListing, scan};
use crate::io::sound::sizes::Way;

/// Why sound cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// `auto` found no card for this direction.
    NoCard {
        /// Which direction.
        way: Way,
        /// Cards that are there and do not suit, for the message.
        others: Vec<String>,
    },
    /// A PCM cannot be opened.
    Card {
        /// Its name.
        pcm: String,
        /// Why.
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
    /// There is no such PCM, or no such card.
    Missing,
    /// Another program has it.
    Busy,
    /// We may not open it.
    Forbidden,
    /// It does not do what we need: what, and errno.
    Refused(&'static str, i32),
}

/// What `auto` means on this machine now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AutoChoice {
    /// PCM of the microphone.
    pub input: Option<String>,
    /// PCM of the loudspeaker.
    pub output: Option<String>,
}

/// Looks at the cards of this machine and chooses.
pub fn auto_choice() -> AutoChoice {
    choose(&scan())
}

/// Chooses among these cards.
pub fn choose(cards: &[CardListing]) -> AutoChoice {
    let with_both = cards.iter().find_map(|card| Some((microphone(card)?, loudspeaker(card)?)));
    let (input, output) = match with_both {
        Some((input, output)) => (Some(input), Some(output)),
        None => (cards.iter().find_map(microphone), cards.iter().find_map(loudspeaker)),
    };
    let name = |pcm: &PcmListing| pcm.name.clone();
    AutoChoice { input: input.map(name), output: output.map(name) }
}

/// The PCM that `auto` means for this direction.
pub fn auto_pcm(way: Way) -> Result<String, OpenError> {
    let cards = scan();
    let choice = choose(&cards);
    let pcm = match way {
        Way::Capture => choice.input,
        Way::Playback => choice.output,
    };
    pcm.ok_or_else(|| OpenError::NoCard { way, others: cards.into_iter().map(|card| card.id).collect() })
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
    /// By errno; what else it is, is told with what the card did.
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
            OpenError::NoCard { way, others } => {
                let (what, option) = match way {
                    Way::Capture => ("microphone", "--input"),
                    Way::Playback => ("loudspeaker (HDMI apart)", "--output"),
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
                f.write_str("is in use by another program ('kinglet devices' says which): end that, or share the card with dmix and dsnoop")
            }
            CardFault::Forbidden => f.write_str("may not be opened by this user: join the group 'audio'"),
            CardFault::Refused(what, errno) => {
                write!(f, "{what} ({})", std::io::Error::from_raw_os_error(errno))
            }
        }
    }
}

impl fmt::Display for AutoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |pcm: &Option<String>| pcm.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "microphone {}, loudspeaker {}", or_none(&self.input), or_none(&self.output))
    }
}

fn microphone(card: &CardListing) -> Option<&PcmListing> {
    card.pcms.iter().find(|pcm| pcm.direction == Way::Capture)
}

fn loudspeaker(card: &CardListing) -> Option<&PcmListing> {
    card.pcms.iter().find(|pcm| {
        let of_hdmi = |text: &str| text.to_ascii_lowercase().contains("hdmi");
        pcm.direction == Way::Playback
            && ![&card.id, &card.name, &card.driver, &pcm.description].into_iter().any(|text| of_hdmi(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card from `id: PCM description…`, each PCM with `<` (capture) or `>` (playback) before it.
    fn card(id: &str, pcms: &[&str]) -> CardListing {
        let pcms = pcms.iter().enumerate().map(|(device, text)| PcmListing {
            name: format!("plughw:CARD={id},DEV={device}"),
            description: text[1..].to_owned(),
            direction: if text.starts_with('<') { Way::Capture } else { Way::Playback },
            ..PcmListing::default()
        });
        CardListing { id: id.to_owned(), pcms: pcms.collect(), ..CardListing::default() }
    }

    #[test]
    fn chooses_as_promised() {
        let headphones = || card("Headphones", &[">bcm2835 Headphones"]);
        let hdmi = || card("vc4hdmi0", &[">MAI PCM i2s-hifi-0"]);
        let camera = || card("C920", &["<USB Audio"]);
        let speakerphone = || card("Jabra", &[">USB Audio", "<USB Audio"]);
        let laptop = || card("PCH", &[">HDMI 0", ">ALC257 Analog", "<ALC257 Analog"]);
        let plughw = |id: &str, device: u32| Some(format!("plughw:CARD={id},DEV={device}"));
        let table = [
            (vec![], None, None),
            (vec![hdmi()], None, None),
            (vec![headphones()], None, plughw("Headphones", 0)),
            (vec![hdmi(), headphones(), camera()], plughw("C920", 0), plughw("Headphones", 0)),
            (vec![headphones(), camera(), speakerphone()], plughw("Jabra", 1), plughw("Jabra", 0)),
            (vec![laptop(), speakerphone()], plughw("PCH", 2), plughw("PCH", 1)),
            (vec![hdmi(), camera()], plughw("C920", 0), None),
        ];
        for (cards, input, output) in table {
            let choice = choose(&cards);
            assert_eq!((choice.input, choice.output), (input, output), "{cards:?}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let no_card = |others: &[&str]| OpenError::NoCard {
            way: Way::Playback,
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
