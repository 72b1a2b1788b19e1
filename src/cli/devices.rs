//! `kinglet devices`: the sound cards of this machine, for a person or as JSON.

use std::io::{self, Write};

use serde::Serialize;

use kinglet::io::sound::AutoChoice;
use kinglet::io::sound::auto::choose;
use kinglet::io::sound::holder::Holder;
use kinglet::io::sound::list::{CardListing, PcmListing, list};

/// Prints all cards with what they can do, with what the program would open them, and what `auto` would
/// choose. JSON is one object: `cards` and `auto`.
pub fn print(json: bool, out: &mut impl Write) -> io::Result<()> {
    let cards = list();
    let auto = choose(&cards);
    if json {
        serde_json::to_writer(&mut *out, &Report { auto: Auto::of(&auto), cards: &cards })?;
        return writeln!(out);
    }
    if cards.is_empty() {
        return writeln!(out, "no sound card");
    }
    for card in &cards {
        print_card(card, out)?;
    }
    writeln!(out, "auto: {auto} ({})", auto.why)
}

#[derive(Serialize)]
struct Report<'a> {
    cards: &'a [CardListing],
    auto: Auto<'a>,
}

#[derive(Serialize)]
struct Auto<'a> {
    input: Option<&'a str>,
    output: Option<&'a str>,
    why: String,
}

impl<'a> Auto<'a> {
    fn of(choice: &'a AutoChoice) -> Auto<'a> {
        let (input, output) = (choice.input.as_deref(), choice.output.as_deref());
        Auto { input, output, why: choice.why.to_string() }
    }
}

fn print_card(card: &CardListing, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {} (driver {})", card.id, card.name, card.driver)?;
    for pcm in &card.pcms {
        print_pcm(pcm, out)?;
    }
    if !card.controls.is_empty() {
        let names: Vec<String> = card
            .controls
            .iter()
            .map(|control| match (control.playback, control.capture) {
                (true, false) => format!("{} (playback)", control.name),
                (false, true) => format!("{} (capture)", control.name),
                _ => control.name.clone(),
            })
            .collect();
        writeln!(out, "  mixer: {}", names.join(", "))?;
    }
    if let Some(volume) = &card.volume {
        writeln!(out, "  volume: {volume}")?;
    }
    Ok(())
}

fn print_pcm(pcm: &PcmListing, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  {:<8} alsa:{}  {}", pcm.direction.word(), pcm.name, pcm.description)?;
    if let Some(offers) = &pcm.offers {
        let rates = range(offers.rate_hz_min, offers.rate_hz_max);
        let channels = range(offers.channels_min, offers.channels_max);
        writeln!(out, "    offers   {rates} Hz, {channels} channels, {}", offers.formats.join(" "))?;
    }
    if let Some(opens) = &pcm.opens_as {
        let ms = |frames: u32| f64::from(frames) * 1000.0 / f64::from(opens.rate_hz.max(1));
        writeln!(
            out,
            "    opens as {} Hz, {} channels, {}, period {:.1} ms, buffer {:.1} ms",
            opens.rate_hz,
            opens.channels,
            opens.format,
            ms(opens.period_frames),
            ms(opens.buffer_frames),
        )?;
    }
    if let Some(fault) = &pcm.fault {
        writeln!(out, "    {fault}")?;
    }
    for Holder { pid, program } in &pcm.holders {
        writeln!(out, "    in use by {program} (process {pid})")?;
    }
    Ok(())
}

fn range(min: u32, max: u32) -> String {
    if min == max { min.to_string() } else { format!("{min}-{max}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinglet::io::sound::StreamDirection;
    use kinglet::io::sound::list::{ControlListing, Offers, OpensAs};

    fn card() -> CardListing {
        let pcm = PcmListing {
            name: "plughw:CARD=X,DEV=0".to_owned(),
            description: "USB Audio".to_owned(),
            direction: StreamDirection::Playback,
            offers: Some(Offers {
                rate_hz_min: 8_000,
                rate_hz_max: 48_000,
                channels_min: 2,
                channels_max: 2,
                formats: vec!["S16_LE".to_owned()],
            }),
            opens_as: Some(OpensAs {
                rate_hz: 48_000,
                channels: 2,
                format: "S16_LE".to_owned(),
                period_frames: 480,
                buffer_frames: 1_440,
            }),
            fault: None,
            device: 0,
            holders: vec![Holder { pid: 7, program: "aplay".to_owned() }],
        };
        let control = ControlListing { name: "Master".to_owned(), playback: true, capture: false };
        CardListing {
            index: 0,
            id: "X".to_owned(),
            name: "Example".to_owned(),
            driver: "USB-Audio".to_owned(),
            pcms: vec![pcm],
            controls: vec![control],
            volume: Some("Master".to_owned()),
        }
    }

    #[test]
    fn a_card_for_a_person() {
        let mut out = Vec::new();
        print_card(&card(), &mut out).unwrap();
        let expected = "\
X: Example (driver USB-Audio)
  playback alsa:plughw:CARD=X,DEV=0  USB Audio
    offers   8000-48000 Hz, 2 channels, S16_LE
    opens as 48000 Hz, 2 channels, S16_LE, period 10.0 ms, buffer 30.0 ms
    in use by aplay (process 7)
  mixer: Master (playback)
  volume: Master
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn json_is_one_object_on_one_line() {
        let mut out = Vec::new();
        print(true, &mut out).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert!(report["cards"].is_array() && report["auto"].get("input").is_some());
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
}
