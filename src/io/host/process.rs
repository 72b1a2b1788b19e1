//! What the operating system knows of this process: CPU time, memory, threads, randomness.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::Timespec;

use crate::event::{MetricKind, Metrics, Stats};
use crate::signal::parameters::JoinParameters;

/// Randomness for what must not be guessable from outside (identifiers, jitter): from the OS.
pub fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    // The kernel always has some after boot; if not, 0 only makes retries less spread.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

/// Facts about this device for the server.
pub fn join_parameters() -> JoinParameters {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let version = release.lines().find_map(|line| line.strip_prefix("VERSION_ID="));
    // The device tree's strings end with a zero byte.
    let model = std::fs::read_to_string("/proc/device-tree/model").unwrap_or_default();
    JoinParameters {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        os_version: version.unwrap_or_default().trim_matches('"').to_owned(),
        device_model: model.trim_end_matches('\0').to_owned(),
        resume: None,
    }
}

/// What this device is known as: `serial` (of the board), `hostname`, `machine-id`.
pub fn known_as(word: &str) -> Option<String> {
    let path = match word {
        "serial" => "/proc/device-tree/serial-number",
        "hostname" => "/proc/sys/kernel/hostname",
        "machine-id" => "/etc/machine-id",
        _ => return None,
    };
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// Forbids core files of this process and of the programs that it starts: they would hold tokens. Collectors of core files
/// (systemd-coredump) respect the limit, too.
pub fn forbid_core_files() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // To lower a limit is always allowed.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}

/// Why others may get at the secret in a file, in words; `None` if only its owner and group may read it.
pub fn open_to_others(path: &Path) -> Option<&'static str> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    match mode {
        _ if mode & 0o022 != 0 => Some("others may replace it"),
        _ if mode & 0o004 != 0 => Some("every user of this device may read it"),
        _ => None,
    }
}

/// The text of a small file; `None` if the file does not exist.
///
/// # Errors
/// It is there and cannot be read.
pub fn read_small(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads and removes such a file; `None` if it cannot be read. Blocks.
pub fn take_small(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok();
    let _ = std::fs::remove_file(path);
    text
}

/// Puts `text` into the place of the file, whole or not at all, also when the power fails. Blocks.
///
/// # Errors
/// The folder cannot be written to, or the disk is full; the old file is as it was.
pub fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// CPU use between two `stats`.
pub struct Usage {
    at: Instant,
    cpu: Duration,
}

impl Usage {
    /// Counts from `now` on.
    pub fn since(now: Instant) -> Self {
        Self { at: now, cpu: cpu_time() }
    }

    /// Fills in what is of this process.
    pub fn add_to(&mut self, stats: &mut Stats, now: Instant) {
        let before = std::mem::replace(self, Self::since(now));
        let wall = now.saturating_duration_since(before.at).as_secs_f32();
        if wall > 0.0 {
            stats.cpu_percent = self.cpu.saturating_sub(before.cpu).as_secs_f32() / wall * 100.0;
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        stats.rss_kb = status_field(&status, "VmRSS:");
        stats.threads = status_field(&status, "Threads:");
    }
}

/// Adds what the kernel knows of this process, by the usual names.
pub fn write_metrics(metrics: &mut Metrics) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let cpu_s = cpu_time().as_secs_f64();
    metrics.one(MetricKind::Counter, "process_cpu_seconds_total", "CPU time.", cpu_s);
    let bytes = f64::from(status_field(&status, "VmRSS:")) * 1024.0;
    metrics.one(MetricKind::Gauge, "process_resident_memory_bytes", "Resident memory.", bytes);
    let threads = f64::from(status_field(&status, "Threads:"));
    metrics.one(MetricKind::Gauge, "process_threads", "Threads.", threads);
    let version = [(env!("CARGO_PKG_VERSION"), 1.0)];
    metrics.each(MetricKind::Gauge, ("kinglet_build_info", "version"), "The running version.", version);
}

fn cpu_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(tv_sec.unsigned_abs(), tv_nsec.unsigned_abs() as u32)
}

fn status_field(status: &str, name: &str) -> u32 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let path = std::env::temp_dir().join(format!("kinglet-replaced-{}", std::process::id()));
        assert_eq!(read_small(&path).expect("readable"), None);
        replace_file(&path, "yes").expect("written");
        replace_file(&path, "no").expect("written again");
        assert_eq!(read_small(&path).expect("readable").as_deref(), Some("no"));
        std::fs::remove_file(&path).expect("there");
        assert!(replace_file(Path::new("/nowhere/muted"), "yes").is_err());
    }

    #[test]
    fn reads_what_the_kernel_says() {
        assert_eq!(status_field("Name:\tx\nVmRSS:\t    8300 kB\nThreads:\t1\n", "VmRSS:"), 8300);
        assert_eq!(status_field("nonsense", "VmRSS:"), 0);
        let mut stats = Stats::default();
        let now = crate::io::runtime::clock::now();
        Usage::since(now).add_to(&mut stats, now);
        assert!(stats.rss_kb > 0 && stats.threads > 0);
    }
}
