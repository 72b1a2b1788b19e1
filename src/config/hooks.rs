//! `[on]`: programs to start when something happens.
//!
//! Each is a list of arguments, of which the first is the program: no shell reads them. `{identity}` in an argument stands
//! for the other party, `{output}` for the output that is driven. Both are data ([`argument`]): alone in an argument the
//! word is never read as an option, within a longer one it is percent-encoded.

use super::section::Section;
use crate::signal::argument;

/// A program for each event that has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    programs: Vec<(Occasion, Vec<String>)>,
    environment: Vec<String>,
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
    /// The call was not answered.
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

/// The values of placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words<'w> {
    /// `{identity}`: the other party, or the button.
    pub identity: &'w str,
    /// `{output}`: the output.
    pub output: &'w str,
}

impl Words<'_> {
    fn placeholders(&self) -> [(&'static str, &str); 2] {
        [("{identity}", self.identity), ("{output}", self.output)]
    }
}

impl Occasion {
    /// Its word in the configuration.
    pub fn word(self) -> &'static str {
        OCCASIONS.iter().find(|(_, of)| *of == self).map_or("", |(word, _)| word)
    }
}

impl Hooks {
    pub(super) fn read(on: &mut Section<'_>) -> Hooks {
        let program = |(key, occasion)| {
            let argv = on.argv(key)?;
            let words = Words { identity: "", output: "" };
            if words
                .placeholders()
                .iter()
                .any(|(placeholder, _)| argv.first().is_some_and(|program| program.contains(placeholder)))
            {
                on.wrong(key, "the first text is the program: it has no placeholder");
            }
            Some((occasion, argv))
        };
        let programs = OCCASIONS.into_iter().filter_map(program).collect();
        let environment = on.texts("environment").unwrap_or_default();
        if let Some(name) = environment.iter().find(|name| !is_variable(name)) {
            on.wrong(
                "environment",
                format!("\"{name}\" is not the name of a variable, such as DOOR_KEY; a value must not be written here"),
            );
        }
        Hooks { programs, environment }
    }

    /// The arguments of the program for `occasion`, its placeholders filled.
    pub fn program(&self, occasion: Occasion, words: Words<'_>) -> Option<Vec<String>> {
        let (_, argv) = self.programs.iter().find(|(of, _)| *of == occasion)?;
        Some(argv.iter().map(|argument| filled(argument, words)).collect())
    }

    /// Variables of our environment that the programs get beside the usual ones.
    pub fn environment(&self) -> &[String] {
        &self.environment
    }
}

fn filled(argument: &str, words: Words<'_>) -> String {
    let placeholders = words.placeholders();
    match placeholders.iter().find(|(placeholder, _)| argument == *placeholder) {
        Some((_, word)) => argument::alone(word),
        // Values have no braces, so they are not taken for the next placeholder.
        None => placeholders.into_iter().fold(argument.to_owned(), |filled, (placeholder, word)| {
            filled.replace(placeholder, &argument::within(word))
        }),
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::read;

    fn argv(argument: &str, identity: &str) -> String {
        let (hooks, problems) = read(&format!("ring = ['p', '{argument}']"), Hooks::read);
        assert_eq!(problems, []);
        hooks.program(Occasion::Ring, Words { identity, output: "door" }).expect("configured").remove(1)
    }

    #[test]
    fn a_program_gets_the_other_party_as_data() {
        for (argument, identity, expected) in [
            (
                "https://a.example/ring?from={identity}",
                "flat 1&x={a,b}",
                "https://a.example/ring?from=flat%201%26x%3D%7Ba%2Cb%7D",
            ),
            ("{identity}", "Flat 1; reboot", "Flat 1; reboot"),
            ("{identity}", "--upload-file=/etc/passwd", "%2D-upload-file%3D%2Fetc%2Fpasswd"),
            ("{identity}", "x\nunmute", "x%0Aunmute"),
            ("{identity}", "{output}", "%7Boutput%7D"),
            ("{identity}", "a{output}", "a{output}"),
            ("x{identity}", "a{output}", "xa%7Boutput%7D"),
            ("from={identity}", "@/etc/passwd", "from=%40%2Fetc%2Fpasswd"),
            ("{identity}{identity}", "-x", "%2Dx%2Dx"),
            ("echo {identity}", "$(reboot) -x", "echo %24%28reboot%29%20-x"),
            ("{output}/{identity}", "flat-1", "door/flat-1"),
            ("{output}", "flat-1", "door"),
        ] {
            assert_eq!(argv(argument, identity), expected, "{argument} for {identity:?}");
        }
        let none = Words { identity: "", output: "" };
        assert_eq!(read("ring = ['p']", Hooks::read).0.program(Occasion::Ended, none), None);
    }

    #[test]
    fn variables_are_listed_by_name() {
        let (hooks, problems) = read("environment = ['DOOR_KEY', 'http_proxy']", Hooks::read);
        assert_eq!((hooks.environment().len(), problems.len()), (2, 0));
    }

    #[test]
    fn says_what_is_wrong() {
        let (_, problems) = read("ring = 'curl x'\nended = []\nrung = ['x']", Hooks::read);
        assert_eq!(problems.len(), 3, "{problems:?}");
        for text in
            ["ring = ['{identity}']", "environment = ['A=1']", "environment = ['1A']", "environment = 'A'"]
        {
            assert_eq!(read(text, Hooks::read).1.len(), 1, "{text}");
        }
    }
}
