//! The front of a WAV file: what is in it, and where the samples begin.
//!
//! ```text
//! "RIFF" size "WAVE"   { name size payload [pad] }…   among them "fmt " and, after it, "data"
//! ```
//!
//! Files come from anywhere: no size in them is trusted. A `data` size of zero or of all ones means "until the end", as
//! recorders leave it that were interrupted or wrote to a pipe; so does RF64, whose real size is elsewhere. No size of
//! the file is used for an allocation.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use crate::limits::{WAV_CHANNELS_MAX, WAV_CHUNKS_MAX, WAV_RATE_HZ_MAX};
use crate::media::sample_format::SampleFormat;

/// Bytes of the header that we write.
pub const HEADER_BYTES: usize = 44;

/// Lowest rate of a WAV file: below it nothing can be understood.
const WAV_RATE_HZ_MIN: u32 = 1_000;

/// What a WAV file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavHeader {
    /// How one sample lies.
    pub format: SampleFormat,
    /// Samples of one frame.
    pub channels: u16,
    /// Frames per second.
    pub rate_hz: u32,
    /// Where the first frame lies in the file.
    pub data_at: u64,
    /// Bytes of frames according to the file; `None`: to its end.
    pub data_bytes: Option<u64>,
}

/// Why a file cannot be played.
#[derive(Debug)]
pub enum WavError {
    /// It does not begin as a WAV file does.
    NotWav,
    /// It holds compressed sound, by the name of the codec where it is known.
    Compressed(u16, &'static str),
    /// Its numbers cannot be, or are beyond what we take.
    Unusable(&'static str),
    /// It ends before its samples begin.
    NoSamples,
    /// It cannot be read.
    Io(io::Error),
}

impl WavHeader {
    /// Reads up to the first sample, where `file` then stands.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<WavHeader, WavError> {
        let mut riff = [0; 12];
        read_or(file, &mut riff, || WavError::NotWav)?;
        if !matches!(&riff[..4], b"RIFF" | b"RF64") || &riff[8..] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let mut layout = None;
        for _ in 0..WAV_CHUNKS_MAX {
            let mut head = [0; 8];
            read_or(file, &mut head, || WavError::NoSamples)?;
            let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            match &head[..4] {
                b"data" => {
                    let (format, channels, rate_hz) =
                        layout.ok_or(WavError::Unusable("its format does not precede its samples"))?;
                    let data_at = file.stream_position().map_err(WavError::Io)?;
                    let data_bytes = (size != 0 && size != u32::MAX).then_some(u64::from(size));
                    return Ok(WavHeader { format, channels, rate_hz, data_at, data_bytes });
                }
                b"fmt " => {
                    let mut bytes = [0; 40];
                    let taken = bytes.len().min(size as usize);
                    read_or(file, &mut bytes[..taken], || WavError::NoSamples)?;
                    layout = Some(parse_format(&bytes[..taken])?);
                    skip(file, i64::from(size) - taken as i64 + i64::from(size & 1))?;
                }
                _ => skip(file, i64::from(size) + i64::from(size & 1))?,
            }
        }
        Err(WavError::Unusable("it has too many chunks before its samples"))
    }
}

/// The header of our own files: s16, mono, 48 kHz. A file too long for its 32-bit sizes has the largest size; readers
/// then continue to its end.
pub fn header(data_bytes: u64) -> [u8; HEADER_BYTES] {
    let rate_hz = crate::media::block::SAMPLE_RATE_HZ;
    let room = u32::MAX - (HEADER_BYTES as u32 - 8) - 1;
    let data_bytes = u32::try_from(data_bytes).unwrap_or(u32::MAX).min(room);
    let mut header = *b"RIFF....WAVEfmt ....................data....";
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(4, &(data_bytes + (HEADER_BYTES as u32 - 8)).to_le_bytes());
    put(16, &16u32.to_le_bytes());
    put(20, &PCM.to_le_bytes());
    put(22, &1u16.to_le_bytes());
    put(24, &rate_hz.to_le_bytes());
    put(28, &(rate_hz * 2).to_le_bytes());
    put(32, &2u16.to_le_bytes());
    put(34, &16u16.to_le_bytes());
    put(40, &data_bytes.to_le_bytes());
    header
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WavError::NotWav => f.write_str("it is not a WAV file"),
            WavError::Compressed(_, name) if !name.is_empty() => {
                write!(f, "it holds compressed sound ({name}); only PCM and 32-bit float are played")
            }
            WavError::Compressed(tag, _) => {
                write!(
                    f,
                    "it holds sound of an unknown format ({tag:#06x}); only PCM and 32-bit float are played"
                )
            }
            WavError::Unusable(why) => f.write_str(why),
            WavError::NoSamples => f.write_str("it ends before its samples begin"),
            WavError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WavError {}

const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

fn parse_format(bytes: &[u8]) -> Result<(SampleFormat, u16, u32), WavError> {
    let short = |at: usize| match bytes.get(at..at + 2) {
        Some(&[a, b]) => Ok(u16::from_le_bytes([a, b])),
        _ => Err(WavError::Unusable("its format is cut off")),
    };
    let (tag, channels, align, bits) = (short(0)?, short(2)?, short(12)?, short(14)?);
    let rate_hz = u32::from(short(4)?) | u32::from(short(6)?) << 16;
    // WAVE_FORMAT_EXTENSIBLE: the old tag is the first word of the sub-format.
    let tag = if tag == EXTENSIBLE { short(24)? } else { tag };
    let format = match (tag, bits) {
        (PCM, 8) => SampleFormat::U8,
        (PCM, 16) => SampleFormat::S16,
        (PCM, 24) => SampleFormat::S24Packed,
        (PCM, 32) => SampleFormat::S32,
        (IEEE_FLOAT, 32) => SampleFormat::Float,
        (PCM, _) => return Err(WavError::Unusable("its samples are not of 8, 16, 24 or 32 bits")),
        (IEEE_FLOAT, _) => return Err(WavError::Unusable("its float samples are not of 32 bits")),
        (tag, _) => return Err(WavError::Compressed(tag, codec(tag))),
    };
    if channels == 0 || channels > WAV_CHANNELS_MAX {
        return Err(WavError::Unusable("its number of channels is not between 1 and 64"));
    }
    if !(WAV_RATE_HZ_MIN..=WAV_RATE_HZ_MAX).contains(&rate_hz) {
        return Err(WavError::Unusable("its sample rate is not between 1 and 384 kHz"));
    }
    if usize::from(align) != usize::from(channels) * format.bytes() {
        return Err(WavError::Unusable("the size of its frames does not fit its channels"));
    }
    Ok((format, channels, rate_hz))
}

/// Names of the formats that people meet (RFC 2361).
fn codec(tag: u16) -> &'static str {
    match tag {
        0x0002 => "Microsoft ADPCM",
        0x0006 => "A-law",
        0x0007 => "µ-law",
        0x0011 => "IMA ADPCM",
        0x0031 => "GSM 6.10",
        0x0050 => "MPEG",
        0x0055 => "MP3",
        0x00FF => "AAC",
        _ => "",
    }
}

fn skip(file: &mut impl Seek, bytes: i64) -> Result<(), WavError> {
    file.seek(SeekFrom::Current(bytes)).map(drop).map_err(WavError::Io)
}

fn read_or(file: &mut impl Read, bytes: &mut [u8], short: impl FnOnce() -> WavError) -> Result<(), WavError> {
    file.read_exact(bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof { short() } else { WavError::Io(error) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn parse(bytes: &[u8]) -> Result<WavHeader, String> {
        WavHeader::read(&mut Cursor::new(bytes)).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_it_writes() {
        let bytes = header(960);
        let expected = WavHeader {
            format: SampleFormat::S16,
            channels: 1,
            rate_hz: 48_000,
            data_at: 44,
            data_bytes: Some(960),
        };
        assert_eq!(parse(&bytes), Ok(expected));
        assert_eq!(&bytes[4..8], &996u32.to_le_bytes());
        assert_eq!(parse(&header(0)).unwrap().data_bytes, None);
        assert!(parse(&header(u64::MAX)).unwrap().data_bytes > Some(4_000_000_000));
    }

    #[test]
    fn skips_what_it_does_not_know_padding_included() {
        let plain = header(4);
        let mut bytes = plain[..12].to_vec();
        bytes.extend_from_slice(b"LIST\x03\0\0\0abc\0");
        bytes.extend_from_slice(&plain[12..]);
        assert_eq!(parse(&bytes).unwrap().data_at, 56);
    }

    #[test]
    fn refusals_say_why() {
        let change = |at: usize, value: u16| {
            let mut bytes = header(4);
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
            parse(&bytes).unwrap_err()
        };
        for (at, value, part) in [
            (0, 0x3131, "not a WAV"),
            (8, 0x3131, "not a WAV"),
            (12, 0x3131, "does not precede its samples"),
            (20, 0x55, "MP3"),
            (20, 0x1234, "0x1234"),
            (20, 0xFFFE, "cut off"),
            (22, 0, "channels"),
            (22, 65, "channels"),
            (24, 10, "sample rate"),
            (26, 999, "sample rate"),
            (32, 4, "size of its frames"),
            (34, 12, "bits"),
            (36, 0x3131, "ends before"),
        ] {
            let error = change(at, value);
            assert!(error.contains(part), "{at} {value:#x}: {error}");
        }
    }

    #[test]
    fn any_damage_is_an_answer() {
        let good = header(960);
        for cut in 0..good.len() {
            let _ = parse(&good[..cut]);
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut bytes = good;
                bytes[cut] = value;
                let _ = parse(&bytes);
            }
        }
        let mut endless = good[..12].to_vec();
        endless.extend(b"JUNK\0\0\0\0".repeat(WAV_CHUNKS_MAX + 1));
        assert!(parse(&endless).unwrap_err().contains("too many"));
    }
}
