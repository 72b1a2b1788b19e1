//! Where sound comes from and goes to, as people write it on the command line and in files.
//!
//! `auto | alsa[:PCM] | wav:FILE | raw:FILE | raw:- | tone[:HZ] | none`, the tone for inputs only.
//! Nothing is opened here; [`super::auto`] finds out what `auto` means.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Pitch of `tone` where none is named: the concert A.
pub const TONE_HZ_DEFAULT: u32 = 440;

/// Lowest pitch of `tone`.
pub const TONE_HZ_MIN: u32 = 20;

/// Highest pitch of `tone`: what Opus carries (RFC 6716 §2: fullband ends at 20 kHz).
pub const TONE_HZ_MAX: u32 = 20_000;

/// Where the sound that we send comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum InputSpec {
    /// The card that suits best.
    #[default]
    Auto,
    /// This PCM, by any name that ALSA accepts.
    Alsa(String),
    /// A WAV file of any rate and channel count.
    Wav(PathBuf),
    /// Bare samples: s16le, 48 kHz, mono.
    Raw(RawSpec),
    /// A sine of this many hertz.
    Tone(u32),
    /// Nothing: no track is published.
    None,
}

/// Where the sound that we hear goes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OutputSpec {
    /// The card that suits best.
    #[default]
    Auto,
    /// This PCM, by any name that ALSA accepts.
    Alsa(String),
    /// A WAV file: s16, 48 kHz, mono.
    Wav(PathBuf),
    /// Bare samples: s16le, 48 kHz, mono.
    Raw(RawSpec),
    /// Nowhere: no track is subscribed to.
    None,
}

/// A place for bare samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawSpec {
    /// Standard input or output.
    Standard,
    /// A file, named pipe or device.
    File(PathBuf),
}

/// Why a specification was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    text: String,
    why: Why,
}

impl InputSpec {
    /// Whether this is a file or pipe, which has an end.
    pub fn is_file(&self) -> bool {
        matches!(self, InputSpec::Wav(_) | InputSpec::Raw(_))
    }

    /// Whether this may be a sound card, in the sense of `--dtx` and echo cancellation.
    pub fn is_card(&self) -> bool {
        matches!(self, InputSpec::Auto | InputSpec::Alsa(_))
    }
}

impl OutputSpec {
    /// Whether this may be a sound card, in the sense of echo cancellation.
    pub fn is_card(&self) -> bool {
        matches!(self, OutputSpec::Auto | OutputSpec::Alsa(_))
    }

    /// Whether standard output carries sound, so that events have to go elsewhere.
    pub fn is_standard_output(&self) -> bool {
        *self == OutputSpec::Raw(RawSpec::Standard)
    }
}

impl FromStr for InputSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (kind, rest) = split(text);
        let fail = |why| Err(SpecError { text: text.to_owned(), why });
        match (kind, rest) {
            ("tone", None) => Ok(InputSpec::Tone(TONE_HZ_DEFAULT)),
            ("tone", Some(hz)) => match hz.parse() {
                Ok(hz) if (TONE_HZ_MIN..=TONE_HZ_MAX).contains(&hz) => Ok(InputSpec::Tone(hz)),
                _ => fail(Why::Pitch),
            },
            _ => match common(kind, rest) {
                Ok(Common::Auto) => Ok(InputSpec::Auto),
                Ok(Common::Alsa(pcm)) => Ok(InputSpec::Alsa(pcm)),
                Ok(Common::Wav(path)) => Ok(InputSpec::Wav(path)),
                Ok(Common::Raw(place)) => Ok(InputSpec::Raw(place)),
                Ok(Common::None) => Ok(InputSpec::None),
                Err(Why::Unknown { .. }) => fail(Why::Unknown { allowed: INPUTS }),
                Err(why) => fail(why),
            },
        }
    }
}

impl FromStr for OutputSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (kind, rest) = split(text);
        match common(kind, rest) {
            Ok(Common::Auto) => Ok(OutputSpec::Auto),
            Ok(Common::Alsa(pcm)) => Ok(OutputSpec::Alsa(pcm)),
            Ok(Common::Wav(path)) => Ok(OutputSpec::Wav(path)),
            Ok(Common::Raw(place)) => Ok(OutputSpec::Raw(place)),
            Ok(Common::None) => Ok(OutputSpec::None),
            Err(why) => Err(SpecError { text: text.to_owned(), why }),
        }
    }
}

impl fmt::Display for InputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputSpec::Auto => f.write_str("auto"),
            InputSpec::Alsa(pcm) => write!(f, "alsa:{pcm}"),
            InputSpec::Wav(path) => write!(f, "wav:{}", path.display()),
            InputSpec::Raw(place) => write!(f, "raw:{place}"),
            InputSpec::Tone(hz) => write!(f, "tone:{hz}"),
            InputSpec::None => f.write_str("none"),
        }
    }
}

impl fmt::Display for OutputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputSpec::Auto => f.write_str("auto"),
            OutputSpec::Alsa(pcm) => write!(f, "alsa:{pcm}"),
            OutputSpec::Wav(path) => write!(f, "wav:{}", path.display()),
            OutputSpec::Raw(place) => write!(f, "raw:{place}"),
            OutputSpec::None => f.write_str("none"),
        }
    }
}

impl fmt::Display for RawSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RawSpec::Standard => f.write_str("-"),
            RawSpec::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sound '{}': ", self.text.escape_debug())?;
        match self.why {
            Why::Unknown { allowed } => write!(f, "not one of {allowed}"),
            Why::FileMissing => f.write_str("a file name is missing after the colon"),
            Why::PcmMissing => {
                f.write_str("a PCM name is missing after 'alsa:' ('alsa' alone is its default)")
            }
            Why::ZeroByte => f.write_str("a name cannot hold a zero byte"),
            Why::Pitch => write!(f, "the pitch must be a whole number of {TONE_HZ_MIN} to {TONE_HZ_MAX} Hz"),
        }
    }
}

impl std::error::Error for SpecError {}

/// The forms of an input, as the message names them.
const INPUTS: &str = "auto, alsa[:PCM], wav:FILE, raw:FILE, raw:-, tone[:HZ], none";

/// The forms of an output.
const OUTPUTS: &str = "auto, alsa[:PCM], wav:FILE, raw:FILE, raw:-, none";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Unknown { allowed: &'static str },
    FileMissing,
    PcmMissing,
    ZeroByte,
    Pitch,
}

/// What inputs and outputs have in common.
enum Common {
    Auto,
    Alsa(String),
    Wav(PathBuf),
    Raw(RawSpec),
    None,
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (text, None),
    }
}

fn common(kind: &str, rest: Option<&str>) -> Result<Common, Why> {
    if rest.is_some_and(|rest| rest.contains('\0')) {
        return Err(Why::ZeroByte);
    }
    match (kind, rest) {
        ("auto", None) => Ok(Common::Auto),
        ("alsa", None) => Ok(Common::Alsa("default".to_owned())),
        ("alsa", Some("")) => Err(Why::PcmMissing),
        ("alsa", Some(pcm)) => Ok(Common::Alsa(pcm.to_owned())),
        ("wav" | "raw", None | Some("")) => Err(Why::FileMissing),
        ("wav", Some(file)) => Ok(Common::Wav(file.into())),
        ("raw", Some("-")) => Ok(Common::Raw(RawSpec::Standard)),
        ("raw", Some(file)) => Ok(Common::Raw(RawSpec::File(file.into()))),
        ("none", None) => Ok(Common::None),
        _ => Err(Why::Unknown { allowed: OUTPUTS }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs() {
        let file = |name: &str| RawSpec::File(name.into());
        let table = [
            ("auto", InputSpec::Auto),
            ("alsa", InputSpec::Alsa("default".into())),
            ("alsa:plughw:CARD=Mic,DEV=0", InputSpec::Alsa("plughw:CARD=Mic,DEV=0".into())),
            ("wav:/a b/c:d.wav", InputSpec::Wav("/a b/c:d.wav".into())),
            ("raw:-", InputSpec::Raw(RawSpec::Standard)),
            ("raw:pipe", InputSpec::Raw(file("pipe"))),
            ("raw:./-", InputSpec::Raw(file("./-"))),
            ("tone:1000", InputSpec::Tone(1000)),
            ("none", InputSpec::None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            let again = if text == "alsa" { "alsa:default" } else { text };
            assert_eq!(expected.to_string(), again);
        }
        assert_eq!("tone".parse(), Ok(InputSpec::Tone(440)));
    }

    #[test]
    fn outputs() {
        assert_eq!("alsa".parse(), Ok(OutputSpec::Alsa("default".into())));
        assert_eq!("wav:x".parse(), Ok(OutputSpec::Wav("x".into())));
        assert!("raw:-".parse::<OutputSpec>().unwrap().is_standard_output());
        assert!("auto".parse::<OutputSpec>().unwrap().is_card());
        assert!("tone".parse::<OutputSpec>().is_err());
    }

    #[test]
    fn refusals_name_what_is_allowed() {
        let table = [
            ("", "tone[:HZ]"),
            ("mic", "alsa[:PCM]"),
            ("auto:x", "not one of"),
            ("wav", "file name"),
            ("raw:", "file name"),
            ("alsa:", "PCM name"),
            ("alsa:a\0b", "zero byte"),
            ("tone:0", "20 to 20000"),
            ("tone:high", "20 to 20000"),
        ];
        for (text, part) in table {
            let error = text.parse::<InputSpec>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(!"mic".parse::<OutputSpec>().unwrap_err().to_string().contains("tone"));
    }
}
