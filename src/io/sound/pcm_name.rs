//! The parts of a PCM's name.

/// The card in a PCM's name: `hw:CARD=Mic,DEV=1`, `plughw:Mic,1` and `plug:'dmix:CARD=Mic'` are of `Mic`.
pub fn card_of(pcm: &str) -> Option<&str> {
    let rest = match pcm.split_once("CARD=") {
        Some((_, rest)) => rest,
        None => pcm.split_once(':')?.1,
    };
    let card = rest.split([',', '\'', ':']).next()?;
    (!card.is_empty()).then_some(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_in_names_of_pcms() {
        for (pcm, card) in [
            ("hw:CARD=Mic,DEV=1", Some("Mic")),
            ("plughw:Mic,1", Some("Mic")),
            ("hw:1", Some("1")),
            ("plug:'dmix:CARD=Mic'", Some("Mic")),
            ("sysdefault:CARD=Mic", Some("Mic")),
            ("default", None),
            ("hw:", None),
        ] {
            assert_eq!(card_of(pcm), card, "{pcm}");
        }
    }
}
