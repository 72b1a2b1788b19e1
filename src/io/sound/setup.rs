//! How cards are used: by a board file, or by default.

use crate::config::board::{Board, BoardChannel, BoardFormat, BoardLevel, BoardPcm, BoardSide, BoardValue};
use crate::io::sound::mixer::{Level, LevelValue};
use crate::io::sound::pcm_name::card_of;
use crate::io::sound::pcm_settings::PcmRequest;
use crate::io::sound::sizes::{Buffering, StreamDirection};
use crate::io::sound::spec::{InputSpec, OutputSpec};
use crate::media::channel_input::{ChannelInputSettings, ChannelSelection};
use crate::media::sample_format::SampleFormat;

/// How the cards are to be used. The default suits every card that hides nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoundSetup {
    /// The microphone's side.
    pub capture: CaptureSetup,
    /// The loudspeaker's side.
    pub playback: PlaybackSetup,
    /// Mixer controls, set whenever a card of these is opened: cards that were unplugged forget them.
    pub levels: Vec<Level>,
}

/// How a microphone's card is to be used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CaptureSetup {
    /// The PCM that `auto` means; `None` is what suits best of what is there.
    pub pcm: Option<String>,
    /// The request for the PCM.
    pub request: PcmRequest,
    /// What is done to its samples.
    pub channel: ChannelInputSettings,
}

/// How a loudspeaker's card is to be used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlaybackSetup {
    /// The PCM that `auto` means; `None` is what suits best of what is there.
    pub pcm: Option<String>,
    /// The request for the PCM.
    pub request: PcmRequest,
    /// The mixer control that is the volume; `None` is the first of the usual names.
    pub volume_control: Option<String>,
    /// What the card's own figure of its delay leaves out: converters, and the air to the microphone.
    pub echo_delay_ms: u32,
}

impl SoundSetup {
    /// The setup of a board file.
    pub fn of_board(board: &Board) -> SoundSetup {
        let selection = match board.channel {
            BoardChannel::Number(number) => ChannelSelection::Channel(number),
            BoardChannel::Mean => ChannelSelection::Mean,
        };
        SoundSetup {
            capture: CaptureSetup {
                pcm: board.capture.pcm.clone(),
                request: request(&board.capture),
                channel: ChannelInputSettings {
                    selection,
                    gain_db: board.gain_db,
                    blocks_dc: board.blocks_dc,
                },
            },
            playback: PlaybackSetup {
                pcm: board.playback.pcm.clone(),
                request: request(&board.playback),
                volume_control: board.volume.clone(),
                echo_delay_ms: board.echo_delay_ms.unwrap_or(0),
            },
            levels: board.mixer.iter().map(level).collect(),
        }
    }

    /// The setup without settings for other cards than those named.
    pub fn for_specs(mut self, input: &InputSpec, output: &OutputSpec) -> SoundSetup {
        let is_other = |named: &str, pcm: &Option<String>| {
            pcm.as_ref().is_some_and(|pcm| card_of(named) != card_of(pcm))
        };
        if let InputSpec::Alsa(named) = input
            && is_other(named, &self.capture.pcm)
        {
            let request = self.capture.request.for_another_card();
            self.capture = CaptureSetup { request, ..CaptureSetup::default() };
        }
        if let OutputSpec::Alsa(named) = output
            && is_other(named, &self.playback.pcm)
        {
            let request = self.playback.request.for_another_card();
            self.playback = PlaybackSetup { request, ..PlaybackSetup::default() };
        }
        self
    }

    /// Cards that cannot be had yet are waited for.
    pub fn waiting(mut self) -> SoundSetup {
        self.capture.request.waits = true;
        self.playback.request.waits = true;
        self
    }

    /// Both directions with this much sound between us and the card.
    pub fn with_buffering(mut self, buffering: Buffering) -> SoundSetup {
        self.capture.request.buffering = buffering;
        self.playback.request.buffering = buffering;
        self
    }
}

fn request(pcm: &BoardPcm) -> PcmRequest {
    let usual = Buffering::default();
    PcmRequest {
        rate_hz: pcm.rate_hz,
        format: pcm.format.map(|format| match format {
            BoardFormat::S16 => SampleFormat::S16,
            BoardFormat::S24Packed => SampleFormat::S24Packed,
            BoardFormat::S24 => SampleFormat::S24,
            BoardFormat::S32 => SampleFormat::S32,
            BoardFormat::Float => SampleFormat::Float,
        }),
        channels: pcm.channels,
        buffering: Buffering { period_ms: pcm.period_ms.unwrap_or(usual.period_ms), ..usual },
        waits: false,
    }
}

fn level(level: &BoardLevel) -> Level {
    Level {
        control: level.control.clone(),
        side: level.side.map(|side| match side {
            BoardSide::Capture => StreamDirection::Capture,
            BoardSide::Playback => StreamDirection::Playback,
        }),
        value: match &level.value {
            BoardValue::Percent(percent) => LevelValue::Percent(*percent),
            BoardValue::Decibels(db) => LevelValue::Decibels(*db),
            BoardValue::Switch(on) => LevelValue::Switch(*on),
            BoardValue::Choice(name) => LevelValue::Choice(name.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_for_its_own_cards() {
        let text = "title='T'\ntested_on='nothing yet'\necho_delay_ms=9\n[capture]\npcm='hw:CARD=Hat,DEV=0'\nformat='S32_LE'\n\
            gain_db=20\nperiod_ms=20\n[playback]\npcm='hw:CARD=Hat,DEV=0'\nvolume='Speaker'\n";
        let setup = SoundSetup::of_board(&Board::read(text).0.expect("usable"));
        assert_eq!(setup.capture.request.format, Some(SampleFormat::S32));
        assert_eq!(
            (setup.capture.request.buffering.period_ms, setup.playback.request.buffering.period_ms),
            (20, 10)
        );
        let specs = |input: &str, output: &str| (input.parse().unwrap(), output.parse().unwrap());
        let (input, output) = specs("alsa:plughw:CARD=Hat", "auto");
        assert_eq!(setup.clone().for_specs(&input, &output), setup);
        let (input, output) = specs("alsa:hw:CARD=Usb", "alsa:default");
        let other = setup.for_specs(&input, &output);
        assert_eq!((other.capture.pcm, other.capture.channel.gain_db), (None, 0.0));
        assert_eq!((other.playback.volume_control, other.playback.echo_delay_ms), (None, 0));
        assert_eq!(other.capture.request.buffering.period_ms, 20, "what the board's bus needs stays");
    }
}
