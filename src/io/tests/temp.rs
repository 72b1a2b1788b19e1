//! Files and pipes for tests, gone when the test ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A file in the folder for such.
#[derive(Debug)]
pub struct TempFile(PathBuf);

/// A named pipe there.
#[derive(Debug)]
pub struct TempPipe(TempFile);

impl TempFile {
    /// A file with this content.
    pub fn new(name: &str, content: &[u8]) -> TempFile {
        let file = TempFile(unused(name));
        std::fs::write(file.path(), content).unwrap();
        file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl TempPipe {
    /// A pipe that is not open anywhere.
    pub fn new(name: &str) -> TempPipe {
        let pipe = TempPipe(TempFile(unused(name)));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, pipe.path(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        pipe
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

fn unused(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("kinglet-{}-{n}-{name}", std::process::id()))
}
