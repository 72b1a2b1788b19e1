//! `[on]`: programs to start when something happens.
//!
//! Each is a list of arguments, of which the first is the program: no shell reads them. `{identity}` in
//! an argument stands for the other party; it is put in as it is, so a program that gives its arguments
//! to a shell must quote them.

use super::section::Section;

/// A program for each event that has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    programs: Vec<(Occasion, Vec<String>)>,
}

/// When a program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A call begins to ring, here or there.
    Ring,
    /// A call is answered.
    Answered,
    /// An answered call is over.
    Ended,
    /// Nobody answered.
    Missed,
    /// A button was pressed.
    Button,
    /// An output is driven.
    Output,
    /// The room is entered, or entered again.
    Connected,
    /// The room is lost.
    Disconnected,
}

const OCCASIONS: [(&str, Occasion); 8] = [
    ("ring", Occasion::Ring),
    ("answered", Occasion::Answered),
    ("ended", Occasion::Ended),
    ("missed", Occasion::Missed),
    ("button", Occasion::Button),
    ("output", Occasion::Output),
    ("connected", Occasion::Connected),
    ("disconnected", Occasion::Disconnected),
];

impl Hooks {
    pub(super) fn read(on: &mut Section<'_>) -> Hooks {
        let program = |(key, occasion)| on.argv(key).map(|argv| (occasion, argv));
        Hooks { programs: OCCASIONS.into_iter().filter_map(program).collect() }
    }

    /// The arguments of the program for `occasion`, its placeholders filled by `value`.
    pub fn program(&self, occasion: Occasion, identity: &str) -> Option<Vec<String>> {
        let (_, argv) = self.programs.iter().find(|(of, _)| *of == occasion)?;
        Some(argv.iter().map(|argument| argument.replace("{identity}", identity)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::read;

    #[test]
    fn a_program_gets_the_other_party_as_an_argument() {
        let (hooks, problems) =
            read("ring = ['curl', '-fsSm5', 'https://a.example/ring?from={identity}']", Hooks::read);
        assert_eq!(problems, []);
        let argv = hooks.program(Occasion::Ring, "flat-1; reboot").expect("configured");
        assert_eq!(argv, ["curl", "-fsSm5", "https://a.example/ring?from=flat-1; reboot"]);
        assert_eq!(hooks.program(Occasion::Ended, "flat-1"), None);
    }

    #[test]
    fn says_what_is_wrong() {
        let (_, problems) = read("ring = 'curl x'\nended = []\nrung = ['x']", Hooks::read);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
