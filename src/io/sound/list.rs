//! The sound cards of this machine, as `kinglet devices` shows them and `auto` chooses from them.
//!
//! To examine a card takes a few ioctls and disturbs no program. The capabilities of a PCM are known only after opening
//! it for a moment; one that another program has open is shown as busy.

use alsa::card;
use alsa::ctl::{Ctl, DeviceIter};
use alsa::mixer::{Mixer, Selem};
use alsa::pcm::{Access, Format, HwParams, PCM};
use serde::{Serialize, Serializer};

use crate::io::sound::holder::{self, Holder};
use crate::io::sound::mixer::Volume;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pcm::alsa_direction;
use crate::io::sound::pcm_settings::{PcmRequest, alsa_format};
use crate::io::sound::pcm_stream::{PcmStream, quiet};
use crate::io::sound::sizes::StreamDirection;
use crate::limits::CARD_CHANNELS_MAX;

/// A sound card.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CardListing {
    /// Its index now; another one after the next start, perhaps.
    pub index: i32,
    /// Its id, for `CARD=<id>`.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// The kernel driver.
    pub driver: String,
    /// The card's PCMs.
    pub pcms: Vec<PcmListing>,
    /// Its mixer's simple controls.
    pub controls: Vec<ControlListing>,
    /// The control that would be its volume.
    pub volume: Option<String>,
}

/// One direction of one device of a card.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PcmListing {
    /// The name by which `auto` opens it, and `alsa:<name>` does.
    pub name: String,
    /// The device's number on its card.
    pub device: u32,
    /// What the driver calls it.
    pub description: String,
    /// Capture or playback.
    #[serde(serialize_with = "direction_word")]
    pub direction: StreamDirection,
    /// What the hardware can do; none if that could not be found out.
    pub offers: Option<Offers>,
    /// With what the program would open it.
    pub opens_as: Option<OpensAs>,
    /// Why it cannot be opened.
    pub fault: Option<String>,
    /// Programs that have it open.
    pub holders: Vec<Holder>,
}

/// What the hardware of a PCM can do.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Offers {
    /// Lowest rate of the hardware.
    pub rate_hz_min: u32,
    /// Highest rate of the hardware.
    pub rate_hz_max: u32,
    /// Smallest number of channels.
    pub channels_min: u32,
    /// Largest number of channels.
    pub channels_max: u32,
    /// Sample formats, by ALSA's names.
    pub formats: Vec<String>,
}

/// With what the program opens a PCM; it converts to 48 kHz mono itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OpensAs {
    /// Frames per second.
    pub rate_hz: u32,
    /// Samples of one frame.
    pub channels: u32,
    /// Sample format, by ALSA's name.
    pub format: String,
    /// Frames between two wake-ups.
    pub period_frames: u32,
    /// Frames of its ring.
    pub buffer_frames: u32,
}

/// A simple control of a mixer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ControlListing {
    /// Its name, with the index where there are several of that name.
    pub name: String,
    /// It acts on what is played.
    pub playback: bool,
    /// It acts on what is recorded.
    pub capture: bool,
}

/// All cards with all that can be found out. Opens every PCM for a moment.
pub fn list() -> Vec<CardListing> {
    let mut cards = scan();
    for card in &mut cards {
        card.controls = controls(&card.id);
        card.volume = Volume::find(&card.id, None).map(|volume| volume.control().to_owned());
        for pcm in &mut card.pcms {
            // Before we open it ourselves.
            pcm.holders = holder::of(card.index, pcm.device, pcm.direction);
            pcm.offers = offers(&pcm.name, pcm.direction);
            match PcmStream::open(&pcm.name, pcm.direction, &PcmRequest::default()) {
                Ok(stream) => {
                    let settings = stream.settings();
                    pcm.opens_as = Some(OpensAs {
                        rate_hz: settings.rate_hz,
                        channels: settings.channels,
                        format: alsa_format(settings.format).to_string(),
                        period_frames: settings.sizes.period_frames,
                        buffer_frames: settings.sizes.buffer_frames,
                    });
                }
                Err(OpenError::Card { fault, .. }) => pcm.fault = Some(fault.to_string()),
                Err(error) => pcm.fault = Some(error.to_string()),
            }
        }
    }
    cards
}

/// All cards and their PCMs, none of them opened.
pub fn scan() -> Vec<CardListing> {
    quiet();
    card::Iter::new().filter_map(Result::ok).filter_map(|card| look_at(&card)).collect()
}

/// The part of a PCM name after the plugin: `CARD=<id>,DEV=<n>`.
fn look_at(card: &alsa::Card) -> Option<CardListing> {
    let ctl = Ctl::from_card(card, true).ok()?;
    let info = ctl.card_info().ok()?;
    let id = info.get_id().ok()?.to_owned();
    let mut pcms = Vec::new();
    for device in DeviceIter::new(&ctl).filter_map(|device| u32::try_from(device).ok()) {
        for direction in [StreamDirection::Playback, StreamDirection::Capture] {
            if let Ok(pcm) = ctl.pcm_info(device, 0, alsa_direction(direction)) {
                pcms.push(PcmListing {
                    name: format!("plughw:CARD={id},DEV={device}"),
                    device,
                    description: pcm.get_name().unwrap_or_default().to_owned(),
                    direction,
                    ..PcmListing::default()
                });
            }
        }
    }
    Some(CardListing {
        index: card.get_index(),
        id,
        name: info.get_name().unwrap_or_default().to_owned(),
        driver: info.get_driver().unwrap_or_default().to_owned(),
        pcms,
        controls: Vec::new(),
        volume: None,
    })
}

fn offers(plug_name: &str, direction: StreamDirection) -> Option<Offers> {
    // The hardware itself, since the plug layer can do everything.
    let pcm = PCM::new(plug_name.strip_prefix("plug")?, alsa_direction(direction), true).ok()?;
    let hw = HwParams::any(&pcm).ok()?;
    hw.set_access(Access::RWInterleaved).ok()?;
    let formats =
        Format::all().iter().filter(|&&format| format != Format::Unknown && hw.test_format(format).is_ok());
    Some(Offers {
        rate_hz_min: hw.get_rate_min().ok()?,
        rate_hz_max: hw.get_rate_max().ok()?,
        channels_min: hw.get_channels_min().ok()?,
        channels_max: hw.get_channels_max().ok()?.min(CARD_CHANNELS_MAX),
        formats: formats.map(ToString::to_string).collect(),
    })
}

fn controls(card_id: &str) -> Vec<ControlListing> {
    let Ok(mixer) = Mixer::new(&format!("hw:CARD={card_id}"), false) else { return Vec::new() };
    let control = |selem: Selem<'_>| {
        let id = selem.get_id();
        let name = id.get_name().ok()?;
        Some(ControlListing {
            name: if id.get_index() == 0 { name.to_owned() } else { format!("{name},{}", id.get_index()) },
            playback: selem.can_playback(),
            capture: selem.can_capture(),
        })
    };
    mixer.iter().filter_map(Selem::new).filter_map(control).collect()
}

fn direction_word<S: Serializer>(direction: &StreamDirection, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_cards_is_an_empty_list() {
        // With any cards of this machine: names are by id, and nothing panics.
        for card in list() {
            assert!(card.pcms.iter().all(|pcm| pcm.name.contains(&format!("CARD={}", card.id))));
        }
    }

    #[test]
    fn serialises_as_documented() {
        let pcm = PcmListing {
            name: "plughw:CARD=X,DEV=0".into(),
            direction: StreamDirection::Capture,
            ..Default::default()
        };
        let card = CardListing { id: "X".into(), pcms: vec![pcm], ..Default::default() };
        let json = serde_json::to_value(&card).unwrap();
        assert_eq!(json["pcms"][0]["direction"], "capture");
        assert_eq!(json["pcms"][0]["opens_as"], serde_json::Value::Null);
        assert_eq!(json["id"], "X");
    }
}
