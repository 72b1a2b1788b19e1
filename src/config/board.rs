//! A board file: the sound of one device. Which PCMs, at what rate, how loud, and what is known of its echo.
//!
//! ```toml
//! title = "Raspberry Pi Zero 2 W with a ReSpeaker 2-Mics HAT"
//! tested_on = "nothing yet"
//! mixer = ["Speaker = -6 dB", "Mic capture = 80 %", "Left Boost = on", "Playback Path = HP"]
//! echo_delay_ms = 12
//! [capture]
//! pcm = "hw:CARD=seeed2micvoicec,DEV=0"     # or "auto"
//! rate_hz = 48000
//! format = "S16_LE"
//! channels = 2
//! channel = "left"                          # or "right", "mean", "2" (from 0)
//! gain_db = 0
//! blocks_dc = false
//! period_ms = 10
//! [playback]
//! pcm = "hw:CARD=seeed2micvoicec,DEV=0"
//! volume = "Speaker"                        # the mixer control that is the volume
//! [lines]                                   # GPIO lines that the device itself uses, by names that say what for;
//! button = "GPIO17"                         # a button may be read by the box
//! ```
//!
//! All but `title` and `tested_on` may be left out: then it is found out, or as usual.

use super::problem::{Problem, Severity};
use super::section::{Section, read};
use crate::limits::{BOARD_LEVELS_MAX, CARD_CHANNELS_MAX, CARD_RATE_HZ_MAX};

/// The sound of one device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Board {
    /// What it is, for people.
    pub title: String,
    /// On what this file has been tried, honestly.
    pub tested_on: String,
    /// The microphone's side.
    pub capture: BoardPcm,
    /// Which channel of the microphone's frames is the voice.
    pub channel: BoardChannel,
    /// How much louder the microphone is made, in decibels.
    pub gain_db: f32,
    /// Whether a constant offset of the microphone is taken out.
    pub blocks_dc: bool,
    /// The loudspeaker's side.
    pub playback: BoardPcm,
    /// The mixer control that is the volume.
    pub volume: Option<String>,
    /// Mixer controls and their values.
    pub mixer: Vec<BoardLevel>,
    /// Delay from loudspeaker to microphone that the cards do not report: converters, and the air.
    pub echo_delay_ms: Option<u32>,
    /// GPIO lines that the device itself uses: what for, and the line.
    pub lines: Vec<(String, String)>,
}

/// One PCM and how it is opened. What is left out suits us best of what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardPcm {
    /// Its name; `None` is `auto`.
    pub pcm: Option<String>,
    /// Frames per second.
    pub rate_hz: Option<u32>,
    /// Sample format of the PCM.
    pub format: Option<BoardFormat>,
    /// Samples of one frame.
    pub channels: Option<u32>,
    /// Time between two wake-ups.
    pub period_ms: Option<u32>,
}

/// A sample format, by ALSA's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BoardFormat {
    S16,
    S24Packed,
    S24,
    S32,
    Float,
}

/// Which channel is the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoardChannel {
    /// This one, from 0.
    Number(u32),
    /// The mean of all.
    Mean,
}

impl Default for BoardChannel {
    fn default() -> Self {
        BoardChannel::Number(0)
    }
}

/// A mixer control and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardLevel {
    /// Its simple name.
    pub control: String,
    /// On which side; `None` is each that it has.
    pub side: Option<BoardSide>,
    /// What it is set to.
    pub value: BoardValue,
}

/// A side of a mixer control: many cards have a microphone of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BoardSide {
    Capture,
    Playback,
}

/// What a mixer control is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum BoardValue {
    /// A volume, in percent of its steps.
    Percent(u8),
    /// A volume, in decibels.
    Decibels(f32),
    /// Position of a switch.
    Switch(bool),
    /// One of the names of an enumeration.
    Choice(String),
}

/// The boards that come with the program: name and file.
pub const BUILT_IN: [(&str, &str); 8] = [
    ("pi3-usb-speakerphone", include_str!("../../boards/pi3-usb-speakerphone.toml")),
    ("pi4-usb-speakerphone", include_str!("../../boards/pi4-usb-speakerphone.toml")),
    ("pi5-usb-speakerphone", include_str!("../../boards/pi5-usb-speakerphone.toml")),
    ("rig", include_str!("../../boards/rig.toml")),
    ("usb-card", include_str!("../../boards/usb-card.toml")),
    ("zero2w-i2s-mems", include_str!("../../boards/zero2w-i2s-mems.toml")),
    ("zero2w-respeaker2mic", include_str!("../../boards/zero2w-respeaker2mic.toml")),
    ("zero2w-usb-speakerphone", include_str!("../../boards/zero2w-usb-speakerphone.toml")),
];

impl Board {
    /// Reads the text of a file. The board, where the file can be used, and all that is wrong with it.
    pub fn read(text: &str) -> (Option<Board>, Vec<Problem>) {
        let (board, problems) = read(text, |root| {
            let (title, tested_on) = (root.text("title"), root.text("tested_on"));
            for (key, value, why) in [
                ("title", &title, "the device in words"),
                ("tested_on", &tested_on, "on what this file has been tried, or \"nothing yet\""),
            ] {
                if value.is_none() && !root.has(key) {
                    root.missing(key, why);
                }
            }
            let mut board = Board {
                title: title.unwrap_or_default(),
                tested_on: tested_on.unwrap_or_default(),
                mixer: levels(root),
                echo_delay_ms: root.number("echo_delay_ms", 0..=1000).map(|ms| ms as u32),
                ..Board::default()
            };
            root.section("capture", |capture| {
                board.capture = pcm(capture);
                board.channel = channel(capture, board.capture.channels);
                board.gain_db = capture.decimal("gain_db", -40.0..=60.0).unwrap_or_default() as f32;
                board.blocks_dc = capture.flag("blocks_dc").unwrap_or_default();
            });
            root.section("playback", |playback| {
                board.playback = pcm(playback);
                board.volume = playback.text("volume");
            });
            board.lines = root.named_texts("lines");
            board
        });
        let is_usable = problems.iter().all(|problem| problem.severity == Severity::Unknown);
        (is_usable.then_some(board), problems)
    }
}

const FORMATS: [(&str, BoardFormat); 5] = [
    ("S16_LE", BoardFormat::S16),
    ("S24_3LE", BoardFormat::S24Packed),
    ("S24_LE", BoardFormat::S24),
    ("S32_LE", BoardFormat::S32),
    ("FLOAT_LE", BoardFormat::Float),
];

fn pcm(section: &mut Section<'_>) -> BoardPcm {
    // All of them are within 32 bits by their ranges.
    BoardPcm {
        pcm: section.text("pcm").filter(|name| name != "auto"),
        rate_hz: section.number("rate_hz", 8_000..=i64::from(CARD_RATE_HZ_MAX)).map(|hz| hz as u32),
        format: section.word("format", &FORMATS),
        channels: section.number("channels", 1..=i64::from(CARD_CHANNELS_MAX)).map(|count| count as u32),
        period_ms: section.number("period_ms", 5..=40).map(|ms| ms as u32),
    }
}

fn channel(capture: &mut Section<'_>, channels: Option<u32>) -> BoardChannel {
    let count = channels.unwrap_or(CARD_CHANNELS_MAX);
    let parse = |word: &str| {
        match word {
        "left" => Ok(BoardChannel::Number(0)),
        "right" => Ok(BoardChannel::Number(1)),
        "mean" => Ok(BoardChannel::Mean),
        number => number.parse().ok().filter(|number| *number < count).map(BoardChannel::Number).ok_or_else(
            || format!("is not a channel; allowed is \"left\", \"right\", \"mean\" or a number from \"0\" to \"{}\"", count - 1),
        ),
    }
    };
    capture.parsed("channel", parse).unwrap_or_default()
}

fn levels(root: &mut Section<'_>) -> Vec<BoardLevel> {
    let texts = root.texts("mixer").unwrap_or_default();
    if texts.len() > BOARD_LEVELS_MAX {
        root.wrong("mixer", format!("more than {BOARD_LEVELS_MAX} controls"));
    }
    let mut levels = Vec::new();
    for text in texts.iter().take(BOARD_LEVELS_MAX) {
        match level(text) {
            Some(level) => levels.push(level),
            None => root.wrong(
                "mixer",
                format!("{text:?}; allowed is \"CONTROL = 80 %\", \"CONTROL = -6 dB\", \"CONTROL = on\", \"CONTROL = off\" or \"CONTROL = NAME\""),
            ),
        }
    }
    levels
}

fn level(text: &str) -> Option<BoardLevel> {
    let (control, value) = text.split_once('=')?;
    let (control, value) = (control.trim(), value.trim());
    let number = |unit: &str| value.strip_suffix(unit).map(str::trim_end);
    let value = match value {
        "on" => BoardValue::Switch(true),
        "off" => BoardValue::Switch(false),
        "" => return None,
        _ => match (number("%"), number("dB")) {
            (Some(percent), _) => {
                BoardValue::Percent(percent.parse().ok().filter(|percent| *percent <= 100)?)
            }
            (_, Some(db)) => {
                BoardValue::Decibels(db.parse().ok().filter(|db: &f32| (-200.0..=60.0).contains(db))?)
            }
            _ => BoardValue::Choice(value.to_owned()),
        },
    };
    let (control, side) = match (control.strip_suffix(" capture"), control.strip_suffix(" playback")) {
        (Some(control), _) => (control.trim_end(), Some(BoardSide::Capture)),
        (_, Some(control)) => (control.trim_end(), Some(BoardSide::Playback)),
        _ => (control, None),
    };
    (!control.is_empty()).then(|| BoardLevel { control: control.to_owned(), side, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_that_comes_with_the_program_can_be_used() {
        for (name, text) in BUILT_IN {
            let (board, problems) = Board::read(text);
            assert_eq!(problems, [], "{name}");
            let board = board.expect("usable");
            assert!(!board.tested_on.is_empty(), "{name} says on what it was tried");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/boards");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("boards")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
            .collect();
        files.sort();
        assert_eq!(files, BUILT_IN.map(|(name, _)| name), "each file of boards/ is built in, by its name");
    }

    #[test]
    fn every_key_is_read() {
        let text = "title = 'T'\ntested_on = 'nothing yet'\necho_delay_ms = 12\n\
            mixer = ['Speaker = -6 dB', 'Mic capture=80%', 'Left Boost = on', 'Playback Path = HP']\n\
            [capture]\npcm = 'hw:CARD=A'\nrate_hz = 16000\nformat = 'S32_LE'\nchannels = 2\nchannel = 'right'\n\
            gain_db = 12\nblocks_dc = true\nperiod_ms = 20\n[playback]\npcm = 'auto'\nvolume = 'Speaker'\n";
        let (board, problems) = Board::read(text);
        assert_eq!(problems, []);
        let board = board.expect("usable");
        let expected = BoardPcm {
            pcm: Some("hw:CARD=A".into()),
            rate_hz: Some(16_000),
            format: Some(BoardFormat::S32),
            channels: Some(2),
            period_ms: Some(20),
        };
        assert_eq!((board.capture, board.channel), (expected, BoardChannel::Number(1)));
        assert_eq!((board.gain_db, board.blocks_dc, board.echo_delay_ms), (12.0, true, Some(12)));
        assert_eq!((board.playback, board.volume), (BoardPcm::default(), Some("Speaker".into())));
        assert_eq!((board.mixer[1].control.as_str(), board.mixer[1].side), ("Mic", Some(BoardSide::Capture)));
        let values: Vec<BoardValue> = board.mixer.into_iter().map(|level| level.value).collect();
        let choice = BoardValue::Choice("HP".into());
        assert_eq!(
            values,
            [BoardValue::Decibels(-6.0), BoardValue::Percent(80), BoardValue::Switch(true), choice]
        );
        let (mean, _) = Board::read("title='T'\ntested_on='-'\n[capture]\nchannel='mean'\n");
        assert_eq!(mean.expect("usable").channel, BoardChannel::Mean);
    }

    #[test]
    fn lines_have_names_and_are_texts() {
        let head = "title='T'\ntested_on='-'\n[lines]\n";
        let (board, _) = Board::read(&format!("{head}button='GPIO17'\ni2s_out='GPIO21'"));
        let lines = board.expect("usable").lines;
        let expected = [("button", "GPIO17"), ("i2s_out", "GPIO21")];
        assert_eq!(lines, expected.map(|(name, line)| (name.to_owned(), line.to_owned())));
        let (board, problems) = Board::read(&format!("{head}button=17\n'The LED'='GPIO1'"));
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(board.is_none() && told[0].starts_with("line 4: lines.button: is 17; allowed is a text"));
        assert!(told[1].starts_with("line 5: lines.The LED: a name has"), "{told:?}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text = "title = 'T'\nmixer = ['loud', 'A = 101 %', '= on']\n[capture]\nrate_hz = 44\nformat = 'S16'\n\
            channels = 2\nchannel = '2'\n[playback]\nperiode_ms = 10\n";
        let (board, problems) = Board::read(text);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for part in [
            "line 1: tested_on: is missing",
            "line 2: mixer: \"loud\"; allowed is \"CONTROL = 80 %\"",
            "line 2: mixer: \"A = 101 %\"",
            "line 2: mixer: \"= on\"",
            "line 4: capture.rate_hz: is 44; allowed is a whole number from 8000 to 192000",
            "line 5: capture.format: is \"S16\"; allowed is \"S16_LE\" or \"S24_3LE\"",
            "line 7: capture.channel: is not a channel; allowed is \"left\", \"right\", \"mean\"",
            "line 9: playback.periode_ms: no such key; did you mean period_ms?",
        ] {
            assert!(told.iter().any(|line| line.starts_with(part)), "{part}: {told:#?}");
        }
        assert_eq!((board, told.len()), (None, 8));
    }
}
