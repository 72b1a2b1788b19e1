//! A WAV file as a [`Recording`]: read whole, converted, and no longer than is kept. Blocks, hence on a thread.

use std::path::Path;

use crate::io::sound::open_error::OpenError;
use crate::io::sound::status::Captured;
use crate::io::sound::wav_reader::WavReader;
use crate::limits::RECORDING_SAMPLES_MAX;
use crate::media::block::{Block, SAMPLE_RATE_HZ};
use crate::media::prompt::Recording;
use crate::media::sample_format::to_s16;

/// Reads a file of any rate and number of channels.
///
/// # Errors
/// It cannot be read, or played, or is too long; the text names the file.
pub fn load(path: &Path) -> Result<Recording, OpenError> {
    let fail = |reason: String| OpenError::File { name: path.display().to_string(), reason };
    let mut reader = WavReader::open(path, false)?;
    // Room for the longest: pages that are never written take no memory, and nothing is copied as it grows.
    let mut samples: Vec<i16> = Vec::with_capacity(RECORDING_SAMPLES_MAX);
    let mut block = Block::SILENCE;
    while reader.read(&mut block) == Captured::Block {
        if samples.len() + block.0.len() > RECORDING_SAMPLES_MAX {
            let seconds = RECORDING_SAMPLES_MAX / SAMPLE_RATE_HZ as usize;
            return Err(fail(format!("it is longer than {seconds} s")));
        }
        samples.extend(block.0.iter().map(|sample| to_s16(*sample)));
    }
    match reader.fault() {
        Some(kind) => Err(fail(kind.to_string())),
        None => Recording::new(&samples).ok_or_else(|| fail("it holds no sound".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sound::wav_header;
    use crate::io::tests::temp::TempFile;

    fn wav(samples: impl ExactSizeIterator<Item = i16>) -> Vec<u8> {
        let mut bytes = wav_header::header(2 * samples.len() as u64).to_vec();
        bytes.extend(samples.flat_map(i16::to_le_bytes));
        bytes
    }

    #[test]
    fn samples_come_as_they_lie_in_the_file() {
        let file = TempFile::new("recording.wav", &wav((0..960).map(|sample| sample * 34)));
        let expected: Vec<i16> = (0..960).map(|sample| sample * 34).collect();
        assert_eq!(load(file.path()).expect("read"), Recording::new(&expected).expect("sound"));
    }

    #[test]
    fn what_cannot_be_played_is_told_in_a_line_that_names_it() {
        let minutes = TempFile::new("long.wav", &wav((0..RECORDING_SAMPLES_MAX as i32 + 1).map(|_| 0)));
        let empty = TempFile::new("empty.wav", &wav([].into_iter())[..44]);
        let text = TempFile::new("text.wav", b"no sound at all, but words");
        for (path, why) in [
            (minutes.path(), "longer than 60 s"),
            (empty.path(), "holds no sound"),
            (text.path(), "not a WAV file"),
            (Path::new("/nowhere/x.wav"), "No such file"),
        ] {
            let error = load(path).expect_err(why).to_string();
            assert!(error.contains(why) && error.contains(&path.display().to_string()), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
    }
}
