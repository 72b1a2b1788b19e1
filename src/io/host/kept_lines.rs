//! Whether this kernel keeps the level of a GPIO line that is released.
//!
//! Raspberry Pi OS does (raspberrypi/linux#6117, #6150), so that `gpioset` needs not to stay: a line that was driven when
//! its program was killed stays driven. `dtparam=strict_gpiod` in `config.txt` undoes it, as a parameter of the pin drivers:
//! `pinctrl-bcm2835` of the first four boards, `pinctrl-rp1` of the fifth.

use std::path::Path;

/// The parameter, below the root. A kernel from before it keeps levels.
const PARAMETERS: [&str; 2] = [
    "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs",
    "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs",
];

/// What board this is.
const MODEL: &str = "proc/device-tree/model";

/// Whether a line that is released keeps its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The line keeps its level.
    Yes,
    /// It does not.
    No,
    /// A Raspberry Pi whose kernel does not report it.
    Unknown,
    /// No Raspberry Pi.
    Elsewhere,
}

/// Reads the setting of the system below `root`.
pub fn kept(root: &Path) -> Kept {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let values: Vec<String> = PARAMETERS.into_iter().filter_map(read).collect();
    if values.iter().any(|value| matches!(value.trim(), "Y" | "1")) {
        return Kept::Yes;
    }
    match read(MODEL).is_some_and(|model| model.starts_with("Raspberry Pi")) {
        _ if !values.is_empty() => Kept::No,
        true => Kept::Unknown,
        false => Kept::Elsewhere,
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kept::Yes => {
                "this kernel keeps the level of a released line (persist_gpio_outputs): if the program is \
                 killed, only its systemd unit sets driven lines to rest; set `dtparam=strict_gpiod` in config.txt, and \
                 use a one-shot relay for a door that matters"
            }
            Kept::Unknown => {
                "this kernel does not report whether it keeps the level of a released line (persist_gpio_outputs): \
                 update it, and set `dtparam=strict_gpiod` in config.txt; use a one-shot relay for a door that \
                 matters"
            }
            Kept::No => "a released line falls back to its resistor",
            Kept::Elsewhere => "the level of a released line depends on its chip: give the line of a door a resistor of its own",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_of_either_driver_counts() {
        let root = std::env::temp_dir().join(format!("kinglet-kept-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        assert_eq!(kept(&root), Kept::Elsewhere);
        write(MODEL, "Raspberry Pi Zero 2 W Rev 1.0\0");
        assert_eq!(kept(&root), Kept::Unknown);
        for (parameter, value, expected) in [
            (PARAMETERS[0], "N\n", Kept::No),
            (PARAMETERS[1], "Y\n", Kept::Yes),
            (PARAMETERS[1], "N\n", Kept::No),
            (PARAMETERS[0], "Y\n", Kept::Yes),
        ] {
            write(parameter, value);
            assert_eq!(kept(&root), expected, "{parameter} {value}");
        }
        std::fs::remove_dir_all(root).expect("removed");
    }
}
