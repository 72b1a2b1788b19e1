//! A WAV file being written: s16, mono, 48 kHz.
//!
//! Blocks are gathered and written ten times a second; the header is made true every second and at
//! the end, so that what is there after a power cut can be played. A regular file cannot be written
//! without blocking; the page cache takes what the disk has not.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::io::sound::open_error::OpenError;
use crate::io::sound::wav_header::{HEADER_BYTES, header};
use crate::limits::WAV_WRITE_BYTES;
use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use crate::media::sample_format::to_s16;

/// Bytes of sound between two headers: one second.
const HEADER_EVERY_BYTES: u64 = SAMPLE_RATE_HZ as u64 * 2;

/// A WAV file being written.
#[derive(Debug)]
pub struct WavWriter {
    file: File,
    pending: Vec<u8>,
    /// Bytes of sound in the file.
    written_bytes: u64,
    /// Bytes of sound according to the header.
    header_bytes: u64,
    fault: Option<io::ErrorKind>,
}

impl WavWriter {
    /// Creates or empties a file, and writes its header.
    pub fn open(path: &Path) -> Result<WavWriter, OpenError> {
        let fail = |reason: String| OpenError::File { name: path.display().to_string(), reason };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| fail(error.to_string()))?;
        let kind = file.metadata().map_err(|error| fail(error.to_string()))?.file_type();
        // A character device may be /dev/null, which measurements use.
        if !kind.is_file() && !kind.is_char_device() {
            return Err(fail("a WAV file must be a regular file; pipes can be written with raw:".to_owned()));
        }
        file.write_all_at(&header(0), 0).map_err(|error| fail(error.to_string()))?;
        let pending = Vec::with_capacity(WAV_WRITE_BYTES + BLOCK_FRAMES * 2);
        Ok(WavWriter { file, pending, written_bytes: 0, header_bytes: 0, fault: None })
    }

    /// Adds a block. `false` if it is lost because the disk is full or gone.
    pub fn write(&mut self, block: &Block) -> bool {
        if self.fault.is_some() {
            return false;
        }
        // Room for all of it first: to grow sample by sample is what costs.
        let at = self.pending.len();
        self.pending.resize(at + BLOCK_FRAMES * 2, 0);
        for (bytes, &sample) in self.pending[at..].as_chunks_mut::<2>().0.iter_mut().zip(&block.0) {
            *bytes = to_s16(sample).to_le_bytes();
        }
        if self.pending.len() >= WAV_WRITE_BYTES {
            let header_is_old = self.written_bytes >= self.header_bytes + HEADER_EVERY_BYTES;
            self.flush(header_is_old);
        }
        self.fault.is_none()
    }

    /// Writes all there is, and a true header.
    pub fn finish(&mut self) {
        self.flush(true);
    }

    /// The disk's error when it failed.
    pub fn fault(&self) -> Option<io::ErrorKind> {
        self.fault
    }

    fn flush(&mut self, with_header: bool) {
        if let Err(error) = self.try_flush(with_header) {
            self.fault.get_or_insert(error.kind());
        }
    }

    fn try_flush(&mut self, with_header: bool) -> io::Result<()> {
        self.file.write_all_at(&self.pending, HEADER_BYTES as u64 + self.written_bytes)?;
        self.written_bytes += self.pending.len() as u64;
        self.pending.clear();
        if with_header {
            self.file.write_all_at(&header(self.written_bytes), 0)?;
            self.header_bytes = self.written_bytes;
        }
        Ok(())
    }
}

impl Drop for WavWriter {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sound::wav_header::WavHeader;
    use crate::io::tests::temp::TempFile;
    use std::io::Cursor;

    #[test]
    fn the_header_is_true_each_second_and_at_the_end() {
        let file = TempFile::new("writer.wav", b"old content that is longer than nothing");
        let mut writer = WavWriter::open(file.path()).unwrap();
        let read = || {
            let bytes = std::fs::read(file.path()).unwrap();
            let header = WavHeader::read(&mut Cursor::new(&bytes)).unwrap();
            (header.data_bytes.unwrap_or(0), bytes.len() as u64 - 44)
        };
        assert_eq!(read(), (0, 0));
        for n in 1..=1_234u64 {
            assert!(writer.write(&Block([0.5; BLOCK_FRAMES])));
            let (said, there) = read();
            assert!(said <= there, "never more than there is");
            assert!(said + 2 * 96_000 >= n * 960, "at most two seconds old");
            assert!(there + 9_600 >= n * 960);
        }
        writer.finish();
        assert_eq!(read(), (1_234 * 960, 1_234 * 960));
        drop(writer);
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(bytes[44..].chunks_exact(2).all(|s| s == 16_384i16.to_le_bytes()));
    }

    #[test]
    fn a_full_disk_is_told() {
        let mut writer = WavWriter::open(Path::new("/dev/null")).unwrap();
        assert!(writer.write(&Block::SILENCE));
        assert!(WavWriter::open(Path::new("/dev/full")).unwrap_err().to_string().contains("/dev/full"));
        assert_eq!(WavWriter::open(Path::new("/nowhere/x.wav")).unwrap_err().exit_status().code(), 3);
        assert_eq!(WavWriter::open(&std::env::temp_dir()).unwrap_err().exit_status().code(), 3);
    }
}
