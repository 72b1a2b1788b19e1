//! `[audio]`: what differs from the board file, and how it shall sound.

use super::section::Section;
use crate::media::send::adapt::Redundancy;
use crate::media::send::profile::AudioProfile;

/// How the box sounds. What is left out is the board's, or the usual.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AudioConfig {
    /// The PCM to record from, by its ALSA name.
    pub input: Option<String>,
    /// The PCM to play to.
    pub output: Option<String>,
    /// Loudness in percent.
    pub volume_percent: Option<u8>,
    /// Delay against quality against data.
    pub profile: AudioProfile,
    /// Whether packets carry earlier ones again.
    pub redundancy: Redundancy,
    /// Whether our own loudspeaker is taken out of what we send.
    pub echo_cancellation: Option<bool>,
    /// Whether silence is not sent.
    pub dtx: Option<bool>,
}

impl AudioConfig {
    pub(super) fn read(audio: &mut Section<'_>) -> AudioConfig {
        AudioConfig {
            input: audio.text("input"),
            output: audio.text("output"),
            // Within a byte by its range.
            volume_percent: audio.number("volume", 0..=150).map(|percent| percent as u8),
            profile: audio.word("profile", &AudioProfile::NAMES).unwrap_or_default(),
            redundancy: audio.word("red", &Redundancy::NAMES).unwrap_or_default(),
            echo_cancellation: audio.flag("echo_cancellation"),
            dtx: audio.flag("dtx"),
        }
    }
}
