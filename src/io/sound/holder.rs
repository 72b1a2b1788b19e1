//! Programs that have a PCM open, as the kernel reports for each subdevice in `/proc/asound`.

use serde::Serialize;

use crate::io::sound::sizes::StreamDirection;
use crate::limits::CARD_HOLDERS_MAX;

/// A program that has a PCM open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Holder {
    /// Process id of the program.
    pub pid: u32,
    /// What it is called; empty if we may not know.
    pub program: String,
}

/// The programs that have this device open; none if the kernel does not report them.
pub fn of(card: i32, device: u32, direction: StreamDirection) -> Vec<Holder> {
    let letter = match direction {
        StreamDirection::Capture => 'c',
        StreamDirection::Playback => 'p',
    };
    let mut holders: Vec<Holder> = Vec::new();
    for sub in 0..CARD_HOLDERS_MAX {
        let path = format!("/proc/asound/card{card}/pcm{device}{letter}/sub{sub}/status");
        let Ok(status) = std::fs::read_to_string(path) else { break };
        let Some(pid) = owner(&status).filter(|pid| holders.iter().all(|holder| holder.pid != *pid)) else {
            continue;
        };
        let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        holders.push(Holder { pid, program: program.trim_end().to_owned() });
    }
    holders
}

/// A thread, for a program with several: its name is that of the thread.
fn owner(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("owner_pid"))?;
    line.trim_start_matches([' ', ':']).trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let running = "state: RUNNING\nowner_pid   : 1234\ntrigger_time: 0.0\n";
        assert_eq!(owner(running), Some(1234));
        assert_eq!((owner("closed\n"), owner("owner_pid : x")), (None, None));
        assert!(of(99, 0, StreamDirection::Capture).is_empty());
    }
}
