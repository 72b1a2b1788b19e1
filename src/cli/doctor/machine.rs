//! What the device gives the program: its turn in time, the right time, a processor and a radio that are awake.

use std::path::Path;

use kinglet::io::kept_lines::{self, Kept};
use kinglet::io::realtime::{Granted, Scheduling};
use kinglet::io::wireless::{self, Wireless};
use kinglet::io::{clock, process, realtime};

use super::finding::Finding;

/// The first processor's: all of them follow one governor on the boards that we know.
const GOVERNOR: &str = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";

/// `has_outputs`: the box drives lines that open something.
pub fn examine(has_outputs: bool) -> Vec<Finding> {
    let mut findings =
        vec![scheduling(realtime::claim()), time(clock::unix_time_s(), clock::is_synchronised())];
    let governor = process::read_small(Path::new(GOVERNOR)).ok().flatten();
    findings.extend(governor.map(|governor| processor(governor.trim())));
    if has_outputs {
        findings.push(lines(kept_lines::kept(Path::new("/"))));
    }
    findings.extend(wireless::interfaces().iter().map(radio));
    findings
}

fn scheduling(granted: Granted) -> Finding {
    match granted {
        Granted { scheduling: Scheduling::RealTime, keeps_memory: true } => {
            Finding::ok("scheduling", granted.to_string())
        }
        _ => Finding::warning("scheduling", granted.to_string()),
    }
}

fn time(unix_s: u64, is_synchronised: Option<bool>) -> Finding {
    let text = format!("{:02}:{:02} UTC", unix_s / 3600 % 24, unix_s / 60 % 60);
    if unix_s < clock::MADE_S {
        return Finding::warning(
            "time",
            format!(
                "{unix_s} s since 1970, before this program was made: certificates and tokens may not be valid \
                 yet; set the clock, or install an NTP client"
            ),
        );
    }
    match is_synchronised {
        Some(true) => Finding::ok("time", format!("{text}, synchronised")),
        Some(false) => Finding::warning("time", format!("{text}, not synchronized: install an NTP client")),
        None => {
            Finding::warning("time", format!("{text}; the kernel does not report whether it is synchronized"))
        }
    }
}

fn processor(governor: &str) -> Finding {
    match governor {
        "powersave" => Finding::warning(
            "processor",
            "the governor 'powersave' keeps it at its slowest: choose 'ondemand' or 'schedutil'",
        ),
        governor => Finding::ok("processor", format!("governor '{governor}'")),
    }
}

fn lines(kept: Kept) -> Finding {
    match kept {
        Kept::Yes | Kept::Unknown => Finding::warning("outputs", kept.to_string()),
        Kept::No | Kept::Elsewhere => Finding::ok("outputs", kept.to_string()),
    }
}

fn radio(wireless: &Wireless) -> Finding {
    let name = &wireless.name;
    match (wireless.is_up, wireless.saves_power) {
        (false, _) => Finding::ok("wi-fi", format!("{name}: not connected")),
        (true, Some(false)) => Finding::ok("wi-fi", format!("{name}: power saving is off")),
        (true, Some(true)) => Finding::warning(
            "wi-fi",
            format!(
                "{name}: power saving is on, sound towards us waits up to 100 ms: iw dev {name} set power_save off, \
                 or nmcli connection modify … 802-11-wireless.powersave 2"
            ),
        ),
        (true, None) => Finding::ok(
            "wi-fi",
            format!("{name}: the kernel does not report its power saving (iw dev {name} get power_save)"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_told() {
        let day = 86_400;
        assert_eq!(time(day, Some(true)).state, State::Warning);
        let noon = clock::MADE_S / day * day + 43_200;
        assert_eq!(time(noon, Some(true)), Finding::ok("time", "12:00 UTC, synchronised"));
        assert_eq!(time(noon, Some(false)).state, State::Warning);
    }

    #[test]
    fn what_sleeps_is_told() {
        let states = [(false, Some(true)), (true, Some(true)), (true, Some(false)), (true, None)]
            .map(|(is_up, saves_power)| radio(&Wireless { name: "wlan0".into(), is_up, saves_power }).state);
        assert_eq!(states, [State::Ok, State::Warning, State::Ok, State::Ok]);
        let kept = [Kept::Yes, Kept::Unknown, Kept::No].map(|kept| lines(kept).state);
        assert_eq!(kept, [State::Warning, State::Warning, State::Ok]);
        assert_eq!((processor("powersave").state, processor("ondemand").state), (State::Warning, State::Ok));
    }
}
