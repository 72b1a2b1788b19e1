//! Which card `auto` means.
//!
//! `auto` is a function of the cards that are there, and of nothing else: neither the order in which they were
//! found nor what was in use before changes it.
//!
//! 1. The first card that has both directions.
//! 2. Without one: the first microphone and the first loudspeaker.
//! 3. Virtual cards (`snd-aloop`, `snd-dummy`) only where nothing else has that direction.
//!
//! Built-in cards come before USB cards, then cards are in the order of their ids. So a card that is plugged in does
//! not replace the one that the device was built with, and two starts choose the same.
//!
//! HDMI does not count as a loudspeaker: a monitor without speakers takes sound and is silent. Cards are named by
//! `CARD=<id>`, which stays the same over restarts and unplugging; indices do not.

use std::fmt;

use crate::io::sound::list::{CardListing, PcmListing, scan};
use crate::io::sound::open_error::OpenError;
use crate::io::sound::sizes::StreamDirection;

/// What `auto` means on this machine now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AutoChoice {
    /// PCM of the microphone.
    pub input: Option<String>,
    /// PCM of the loudspeaker.
    pub output: Option<String>,
    /// Why these PCMs were chosen.
    pub why: Why,
}

/// Why `auto` means these PCMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Why {
    /// No card has either direction.
    #[default]
    NoCard,
    /// It is the only card with both directions.
    OneCard,
    /// Several cards have both directions; it is the first of so many.
    FirstOf(usize),
    /// No card has both directions: each is the first of its kind.
    Apart,
    /// There is nothing but virtual cards for a direction.
    Virtual,
}

impl AutoChoice {
    /// The PCM for this direction.
    pub fn of(&self, direction: StreamDirection) -> Option<&str> {
        match direction {
            StreamDirection::Capture => self.input.as_deref(),
            StreamDirection::Playback => self.output.as_deref(),
        }
    }
}

/// Looks at the cards of this machine and chooses.
pub fn auto_choice() -> AutoChoice {
    choose(&cards())
}

/// Chooses among these cards.
pub fn choose(cards: &[CardListing]) -> AutoChoice {
    let mut cards: Vec<&CardListing> = cards.iter().collect();
    cards.sort_by_key(|card| (is_virtual(card), card.driver == USB, &card.id));
    let mut real_pairs = cards.iter().filter(|card| !is_virtual(card)).filter_map(|card| pair(card));
    let (input, output, why) = match real_pairs.next() {
        Some((input, output)) => {
            let why = match real_pairs.count() {
                0 => Why::OneCard,
                more => Why::FirstOf(more + 1),
            };
            (Some(input), Some(output), why)
        }
        None => apart(&cards),
    };
    let name = |pcm: &PcmListing| pcm.name.clone();
    AutoChoice { input: input.map(name), output: output.map(name), why }
}

/// The PCM that `auto` means for this direction.
pub fn auto_pcm(direction: StreamDirection) -> Result<String, OpenError> {
    let cards = cards();
    let pcm = choose(&cards).of(direction).map(str::to_owned);
    pcm.ok_or_else(|| OpenError::NoCard {
        direction,
        others: cards.into_iter().map(|card| card.id).collect(),
    })
}

impl fmt::Display for AutoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |pcm: &Option<String>| pcm.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "microphone {}, loudspeaker {}", or_none(&self.input), or_none(&self.output))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NoCard => f.write_str("no card has either"),
            Why::OneCard => f.write_str("the only card with both directions"),
            Why::FirstOf(count) => {
                write!(f, "the first of {count} cards with both directions; built-in cards come before USB")
            }
            Why::Apart => f.write_str("no card has both directions"),
            Why::Virtual => f.write_str("no real card has it, so a virtual one is taken"),
        }
    }
}

/// Each direction by itself. A virtual card that has both, where no real card has either, is both.
fn apart<'a>(cards: &[&'a CardListing]) -> (Option<&'a PcmListing>, Option<&'a PcmListing>, Why) {
    let input = cards.iter().find_map(|card| Some((card, microphone(card)?)));
    let output = cards.iter().find_map(|card| Some((card, loudspeaker(card)?)));
    let is_of_virtual = |found: Option<(&&CardListing, _)>| found.is_some_and(|(card, _)| is_virtual(card));
    let why = match (is_of_virtual(input), is_of_virtual(output)) {
        _ if input.is_none() && output.is_none() => Why::NoCard,
        (false, false) => Why::Apart,
        _ => Why::Virtual,
    };
    if let (true, true) = (is_of_virtual(input), is_of_virtual(output))
        && let Some((input, output)) = cards.iter().find_map(|card| pair(card))
    {
        return (Some(input), Some(output), why);
    }
    (input.map(|(_, pcm)| pcm), output.map(|(_, pcm)| pcm), why)
}

/// Whether the card is virtual, with the id that its driver gives it. A virtual card with an id of its own was
/// configured for use.
/// its own wants it used.
fn is_virtual(card: &CardListing) -> bool {
    let is_of = |driver: &str| card.driver == driver && card.id.starts_with(driver);
    VIRTUAL.into_iter().any(is_of)
}

fn pair(card: &CardListing) -> Option<(&PcmListing, &PcmListing)> {
    Some((microphone(card)?, loudspeaker(card)?))
}

fn microphone(card: &CardListing) -> Option<&PcmListing> {
    card.pcms.iter().find(|pcm| pcm.direction == StreamDirection::Capture)
}

fn loudspeaker(card: &CardListing) -> Option<&PcmListing> {
    card.pcms.iter().find(|pcm| {
        let of_hdmi = |text: &str| text.to_ascii_lowercase().contains("hdmi");
        pcm.direction == StreamDirection::Playback
            && ![&card.id, &card.name, &card.driver, &pcm.description].into_iter().any(|text| of_hdmi(text))
    })
}

/// The cards of this machine, or of a test.
fn cards() -> Vec<CardListing> {
    #[cfg(test)]
    if let Some(cards) = crate::io::sound::tests::scripted::cards() {
        return cards;
    }
    scan()
}

/// Drivers of `snd-aloop` and `snd-dummy`, which begin their cards' ids, too.
const VIRTUAL: [&str; 2] = ["Loopback", "Dummy"];

/// The driver of USB cards.
const USB: &str = "USB-Audio";

#[cfg(test)]
mod tests {
    use super::*;

    /// A card from `id: PCM description…`, each PCM with `<` (capture) or `>` (playback) before it.
    fn card(id: &str, pcms: &[&str]) -> CardListing {
        let driver = match pcms.iter().any(|pcm| pcm.contains("USB Audio")) {
            true => USB,
            false => id.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit()),
        };
        let pcms = pcms.iter().enumerate().map(|(device, text)| PcmListing {
            name: format!("plughw:CARD={id},DEV={device}"),
            description: text[1..].to_owned(),
            direction: if text.starts_with('<') {
                StreamDirection::Capture
            } else {
                StreamDirection::Playback
            },
            ..PcmListing::default()
        });
        CardListing {
            id: id.to_owned(),
            driver: driver.to_owned(),
            pcms: pcms.collect(),
            ..CardListing::default()
        }
    }

    #[test]
    fn chooses_as_promised_whatever_the_order() {
        let headphones = || card("Headphones", &[">bcm2835 Headphones"]);
        let hdmi = || card("vc4hdmi0", &[">MAI PCM i2s-hifi-0"]);
        let camera = || card("C920", &["<USB Audio"]);
        let speakerphone = || card("Jabra", &[">USB Audio", "<USB Audio"]);
        let second = || card("Jabra_1", &[">USB Audio", "<USB Audio"]);
        let laptop = || card("PCH", &[">HDMI 0", ">ALC257 Analog", "<ALC257 Analog"]);
        let cable = || card("Loopback", &[">Loopback PCM", "<Loopback PCM"]);
        let another_cable = || card("Loopback_1", &[">Loopback PCM", "<Loopback PCM"]);
        let dummy = || card("Dummy", &[">Dummy PCM", "<Dummy PCM"]);
        // The administrator gave it an id of its own when loading the driver.
        let named_cable = || CardListing { driver: "Loopback".to_owned(), ..card("Intercom", &[">a", "<b"]) };
        let plughw = |id: &str, device: u32| Some(format!("plughw:CARD={id},DEV={device}"));
        let table = [
            (vec![], None, None, Why::NoCard),
            (vec![hdmi()], None, None, Why::NoCard),
            (vec![headphones()], None, plughw("Headphones", 0), Why::Apart),
            (vec![hdmi(), headphones(), camera()], plughw("C920", 0), plughw("Headphones", 0), Why::Apart),
            (
                vec![headphones(), camera(), speakerphone()],
                plughw("Jabra", 1),
                plughw("Jabra", 0),
                Why::OneCard,
            ),
            (vec![laptop(), speakerphone()], plughw("PCH", 2), plughw("PCH", 1), Why::FirstOf(2)),
            (vec![speakerphone(), second()], plughw("Jabra", 1), plughw("Jabra", 0), Why::FirstOf(2)),
            (vec![hdmi(), camera()], plughw("C920", 0), None, Why::Apart),
            (vec![cable(), speakerphone()], plughw("Jabra", 1), plughw("Jabra", 0), Why::OneCard),
            (vec![cable(), camera(), headphones()], plughw("C920", 0), plughw("Headphones", 0), Why::Apart),
            (vec![cable(), camera(), hdmi()], plughw("C920", 0), plughw("Loopback", 0), Why::Virtual),
            (vec![cable(), another_cable(), dummy()], plughw("Dummy", 1), plughw("Dummy", 0), Why::Virtual),
            (vec![cable(), named_cable()], plughw("Intercom", 1), plughw("Intercom", 0), Why::OneCard),
        ];
        for (mut cards, input, output, why) in table {
            let expected = AutoChoice { input, output, why };
            for turn in 0..cards.len().max(1) {
                assert_eq!(choose(&cards), expected, "{cards:?}");
                cards.reverse();
                assert_eq!(choose(&cards), expected, "{cards:?}");
                cards.reverse();
                cards.rotate_left(turn.min(1));
            }
        }
    }
}
