//! What we ask of a PCM, and what it grants.
//!
//! Requested are one channel, 48 kHz and periods of 10 ms, unless a [`PcmRequest`] says otherwise. The nearest settings
//! of the card are taken, and converted by us; only a format that cannot be converted is refused.

use alsa::ValueOr;
use alsa::pcm::{Access, Format, Frames, HwParams, PCM};

use crate::io::sound::open_error::CardFault;
use crate::io::sound::sizes::{Buffering, Sizes, StreamDirection};
use crate::limits::{CARD_CHANNELS_MAX, CARD_RATE_HZ_MAX};
use crate::media::block::SAMPLE_RATE_HZ;
use crate::media::sample_format::SampleFormat;

/// What is wanted of a PCM. Left out: what suits us best of what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PcmRequest {
    /// Frames per second.
    pub rate_hz: Option<u32>,
    /// Sample format of the PCM.
    pub format: Option<SampleFormat>,
    /// Samples of one frame.
    pub channels: Option<u32>,
    /// Period and depth.
    pub buffering: Buffering,
    /// A card that cannot be had yet is waited for: a box starts before its sound driver does.
    pub waits: bool,
}

impl PcmRequest {
    /// The same for another card: without the settings that are specific to this one.
    pub fn for_another_card(self) -> PcmRequest {
        PcmRequest { rate_hz: None, format: None, channels: None, ..self }
    }
}

/// What a PCM was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmSettings {
    /// Frames per second.
    pub rate_hz: u32,
    /// Samples of one frame.
    pub channels: u32,
    /// How one sample lies.
    pub format: SampleFormat,
    /// Period, buffer and thresholds.
    pub sizes: Sizes,
}

impl PcmSettings {
    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.channels as usize * self.format.bytes()
    }
}

/// Settles with a PCM what both can do, and prepares it.
pub fn negotiate(
    pcm: &PCM,
    direction: StreamDirection,
    request: &PcmRequest,
) -> Result<PcmSettings, CardFault> {
    let refused = |what: &'static str| move |error: alsa::Error| CardFault::of(error.errno(), what);
    let hw = HwParams::any(pcm).map_err(refused("has no settings"))?;
    hw.set_access(Access::RWInterleaved).map_err(refused("refuses interleaved frames"))?;
    let format = match request.format {
        Some(format) => {
            hw.set_format(alsa_format(format)).map_err(refused("refuses the sample format"))?;
            format
        }
        None => SampleFormat::OF_CARDS
            .into_iter()
            .find(|&format| hw.set_format(alsa_format(format)).is_ok())
            .ok_or(CardFault::Refused("has none of the sample formats that we know", libc::EINVAL))?,
    };
    let channels = match request.channels {
        Some(channels) => hw.set_channels(channels).map(|()| channels),
        None => hw.set_channels_near(1),
    };
    let channels = channels.map_err(refused("refuses a number of channels"))?;
    let rate_hz = match request.rate_hz {
        Some(rate_hz) => hw.set_rate(rate_hz, ValueOr::Nearest).map(|()| rate_hz),
        None => hw.set_rate_near(SAMPLE_RATE_HZ, ValueOr::Nearest),
    };
    let rate_hz = rate_hz.map_err(refused("refuses a rate"))?;
    if channels == 0 || channels > CARD_CHANNELS_MAX {
        return Err(CardFault::Refused("has too many channels", libc::EINVAL));
    }
    if !(RATE_HZ_MIN..=CARD_RATE_HZ_MAX).contains(&rate_hz) {
        return Err(CardFault::Refused("has no rate between 8 and 192 kHz", libc::EINVAL));
    }
    let (period_frames, buffer_frames) = request.buffering.wanted(direction, rate_hz);
    hw.set_period_size_near(period_frames as Frames, ValueOr::Nearest)
        .map_err(refused("refuses a period"))?;
    hw.set_buffer_size_near(buffer_frames as Frames).map_err(refused("refuses a buffer size"))?;
    pcm.hw_params(&hw).map_err(refused("refuses its own settings"))?;

    let granted = |frames: alsa::Result<Frames>| frames.ok().and_then(|frames| u32::try_from(frames).ok());
    let sizes = match (granted(hw.get_period_size()), granted(hw.get_buffer_size())) {
        (Some(period), Some(buffer)) => request.buffering.granted(direction, rate_hz, period, buffer),
        _ => None,
    };
    let sizes = sizes.ok_or(CardFault::Refused("has a buffer of less than two blocks", libc::EINVAL))?;
    let sw = pcm.sw_params_current().map_err(refused("has no software settings"))?;
    sw.set_avail_min(sizes.avail_min_frames as Frames)
        .and_then(|()| sw.set_start_threshold(sizes.start_threshold_frames as Frames))
        .and_then(|()| pcm.sw_params(&sw))
        .map_err(refused("refuses software settings"))?;
    pcm.prepare().map_err(refused("cannot be prepared"))?;
    Ok(PcmSettings { rate_hz, channels, format, sizes })
}

/// ALSA's constant for a sample format.
pub fn alsa_format(format: SampleFormat) -> Format {
    match format {
        SampleFormat::U8 => Format::U8,
        SampleFormat::S16 => Format::S16LE,
        SampleFormat::S24Packed => Format::S243LE,
        SampleFormat::S24 => Format::S24LE,
        SampleFormat::S32 => Format::S32LE,
        SampleFormat::Float => Format::FloatLE,
    }
}

/// Lowest rate of a card: that of a telephone.
const RATE_HZ_MIN: u32 = 8_000;
