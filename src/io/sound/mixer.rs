//! A card's mixer: the levels of a board file, and the volume as one of its controls.
//!
//! | percent | control with decibels | control without |
//! | --- | --- | --- |
//! | 0 | switch off, or the lowest step | the same |
//! | 1–100 | 20·log10(percent / 100) dB below its top, 0 dB at most | as far between bottom and top |
//!
//! So 50 % is half the amplitude, as where we do it digitally. What is above 100 % is ours. The mixer is opened
//! for each change: those are rare, and a card that came back has another one.

use alsa::Round;
use alsa::mixer::{MilliBel, Mixer, Selem, SelemChannelId, SelemId};

use crate::io::sound::pcm_stream::quiet;
use crate::io::sound::sizes::StreamDirection;

/// What a control is set to.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Its simple name, as `kinglet devices` and `amixer` show it.
    pub control: String,
    /// On which side; `None` is each that it has.
    pub side: Option<StreamDirection>,
    /// What it is set to.
    pub value: LevelValue,
}

/// A value of a control.
#[derive(Debug, Clone, PartialEq)]
pub enum LevelValue {
    /// The volume, in percent of the range of steps.
    Percent(u8),
    /// The volume, in decibels.
    Decibels(f32),
    /// Position of the switch.
    Switch(bool),
    /// One of the names of an enumeration.
    Choice(String),
}

/// The control that is the volume of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    card: String,
    control: String,
}

impl Volume {
    /// The control of that name, or else the first of the usual ones that acts on what is played.
    pub fn find(card: &str, name: Option<&str>) -> Option<Volume> {
        let mixer = open(card)?;
        let is_volume = |name: &&str| {
            mixer
                .find_selem(&SelemId::new(name, 0))
                .is_some_and(|control| control.has_playback_volume() && !is_softvol(&control))
        };
        let control = match name {
            Some(name) => Some(name).filter(is_volume),
            None => USUAL.iter().copied().find(is_volume),
        };
        control.map(|control| Volume { card: card.to_owned(), control: control.to_owned() })
    }

    /// Name of the control.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// Sets it; `false` if the card does not.
    pub fn set(&self, percent: u8) -> bool {
        let Some(mixer) = open(&self.card) else { return false };
        let Some(control) = mixer.find_selem(&SelemId::new(&self.control, 0)) else { return false };
        let has_switch = control.has_playback_switch();
        if has_switch {
            // A control that cannot be switched can still be turned down.
            let _ = control.set_playback_switch_all(i32::from(percent > 0));
        }
        let (low_db, high_db) = control.get_playback_db_range();
        let (low, high) = control.get_playback_volume_range();
        let is_set = match decibels(percent, low_db.to_db(), high_db.to_db()) {
            Some(db) => control.set_playback_db_all(MilliBel::from_db(db), Round::Floor),
            None => control.set_playback_volume_all(step(percent, low, high)),
        };
        is_set.is_ok()
    }
}

/// Sets the controls that this card has. Gives the names of those that it has not, or that refuse.
pub fn apply(card: &str, levels: &[Level]) -> Vec<String> {
    if levels.is_empty() {
        return Vec::new();
    }
    let mixer = open(card);
    let refused = levels.iter().filter(|level| {
        let control = mixer.as_ref().and_then(|mixer| mixer.find_selem(&SelemId::new(&level.control, 0)));
        control.is_none_or(|control| set(&control, level).is_none())
    });
    refused.map(|level| level.control.clone()).collect()
}

/// Sets the sides that are asked for; `None` if the control has none of them, or one refuses.
fn set(control: &Selem<'_>, level: &Level) -> Option<()> {
    let asks = |direction| level.side.is_none_or(|side| side == direction);
    let (plays, records) = (asks(StreamDirection::Playback), asks(StreamDirection::Capture));
    let volumes = (plays && control.has_playback_volume(), records && control.has_capture_volume());
    let switches = (plays && control.has_playback_switch(), records && control.has_capture_switch());
    let (is_played, is_recorded) = match &level.value {
        LevelValue::Percent(percent) => (
            volumes.0.then(|| {
                let (low, high) = control.get_playback_volume_range();
                control.set_playback_volume_all(step(*percent, low, high))
            }),
            volumes.1.then(|| {
                let (low, high) = control.get_capture_volume_range();
                control.set_capture_volume_all(step(*percent, low, high))
            }),
        ),
        LevelValue::Decibels(db) => {
            let db = MilliBel::from_db(*db);
            (
                volumes.0.then(|| control.set_playback_db_all(db, Round::Floor)),
                volumes.1.then(|| control.set_capture_db_all(db, Round::Floor)),
            )
        }
        LevelValue::Switch(on) => (
            switches.0.then(|| control.set_playback_switch_all(i32::from(*on))),
            switches.1.then(|| control.set_capture_switch_all(i32::from(*on))),
        ),
        LevelValue::Choice(name) => {
            let items = control.is_enumerated().then(|| control.get_enum_items().ok())??;
            let named = |&index: &u32| control.get_enum_item_name(index).ok().as_ref() == Some(name);
            let index = (0..items).find(named)?;
            (Some(control.set_enum_item(SelemChannelId::mono(), index)), None)
        }
    };
    let is_set = [is_played, is_recorded].into_iter().flatten().map(|result| result.is_ok());
    is_set.reduce(|a, b| a && b).filter(|all| *all).map(|_| ())
}

/// alsa-lib's softvol plugin leaves a control on the card that affects only programs that play through the plugin, as
/// `default` of many cards does; we do not. It can be recognised by its range: 256 steps from -51 to 0 dB.
fn is_softvol(control: &Selem<'_>) -> bool {
    let (low_db, high_db) = control.get_playback_db_range();
    control.get_playback_volume_range() == (0, 255) && (low_db.to_db(), high_db.to_db()) == (-51.0, 0.0)
}

/// Names of volumes, those that act on everything first.
const USUAL: [&str; 8] =
    ["Master", "Speaker", "PCM", "Headphone", "Playback", "Digital", "Headset", "Line Out"];

fn open(card: &str) -> Option<Mixer> {
    quiet();
    Mixer::new(&format!("hw:CARD={card}"), false).ok()
}

/// Decibels for a volume, within the range of the control; `None` if its range is not in decibels.
fn decibels(percent: u8, low_db: f32, high_db: f32) -> Option<f32> {
    let is_range = low_db < high_db && (-200.0..=0.0).contains(&low_db) && high_db <= 60.0;
    let db = high_db.min(0.0) + 20.0 * (f32::from(percent.clamp(1, 100)) / 100.0).log10();
    is_range.then(|| if percent == 0 { low_db } else { db.max(low_db) })
}

/// The step that lies so far between the lowest and the highest.
fn step(percent: u8, low: i64, high: i64) -> i64 {
    low + (high - low).max(0) * i64::from(percent.min(100)) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_percent_is_half_the_amplitude() {
        assert_eq!(decibels(100, -45.0, 0.0), Some(0.0));
        assert_eq!(decibels(100, -51.0, 4.0), Some(0.0), "more than 0 dB only distorts");
        assert_eq!(decibels(100, -60.0, -10.0), Some(-10.0));
        assert!((decibels(50, -45.0, 0.0).unwrap() + 6.02).abs() < 0.01);
        assert_eq!(decibels(0, -45.0, 0.0), Some(-45.0));
        assert_eq!(decibels(1, -20.0, 0.0), Some(-20.0), "never below its bottom");
        assert_eq!(decibels(50, 0.0, 0.0), None);
        assert_eq!(decibels(50, -99_999.99, 0.0), None, "ALSA's value for silence is not a range");
        assert_eq!((step(0, -50, 100), step(50, -50, 100), step(150, 0, 31)), (-50, 25, 31));
    }

    #[test]
    fn a_card_that_is_not_there_has_no_volume() {
        assert_eq!(Volume::find("NoSuchCard", None), None);
        let level = Level { control: "Master".to_owned(), side: None, value: LevelValue::Percent(50) };
        assert_eq!(apply("NoSuchCard", &[level]), ["Master"]);
        assert!(apply("NoSuchCard", &[]).is_empty());
        let gone = Volume { card: "NoSuchCard".to_owned(), control: "Master".to_owned() };
        assert!(!gone.set(50));
    }
}
