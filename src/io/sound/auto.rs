//! Which card `auto` means.
//!
//! `auto` is the first card that has both directions; without one, the first microphone and the first
//! loudspeaker. HDMI is no loudspeaker here: a monitor without any takes sound and is silent. Cards are
//! named by `CARD=<id>`, which stays the same over restarts and unplugging; indices do not.

use std::fmt;

use crate::io::sound::list::{CardListing, PcmListing, scan};
use crate::io::sound::open_error::OpenError;
use crate::io::sound::sizes::Way;

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
}
