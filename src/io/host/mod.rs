//! The machine: its pins and keys, its service manager, this process and others, files and pipes.
//!
//! ```text
//!   pins        gpio.rs  lines ─ kept_lines.rs  what the kernel does with a released one     keys.rs  evdev
//!   service     systemd.rs  readiness, watchdog      signals.rs  SIGTERM, SIGHUP
//!   process     process.rs  usage, small files       realtime.rs  scheduling, locked memory
//!   programs    program.rs  started beside us        environment.rs  what they see of ours
//!   files       files.rs  sent and stored            fingerprint.rs  their digests
//!   text        stdin.rs  lines in                   lines.rs  lines out
//! ```

pub mod environment;
pub(super) mod files;
pub(crate) mod fingerprint;
pub mod gpio;
pub mod kept_lines;
pub mod keys;
pub mod lines;
pub mod process;
pub(crate) mod program;
pub mod realtime;
pub(crate) mod signals;
pub mod stdin;
pub mod systemd;
