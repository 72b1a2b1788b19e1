//! A table of a TOML file, read key by key: each value is returned checked, or reported as a [`Problem`] with its line,
//! its key and the allowed values.
//!
//! ```text
//!   text ─► read(text, |root| …) ─► root.number("ring_timeout_s", 1..=600)
//!                                   root.section("server", |server| …)      ─► value, problems
//! ```
//!
//! Reading continues after a problem, so that one run reports all of them. A key that was never requested is reported
//! when its table has been read, together with the keys that were.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near::is_near;
use super::problem::{Problem, Report, Severity};
use crate::limits::{CONFIG_BYTES_MAX, CONFIG_SECTIONS_MAX};

/// Reads `text` by `reader`; what it gives, and all that is wrong. The value is of use only where no
/// problem is [`Severity::Wrong`].
pub fn read<T>(text: &str, reader: impl FnOnce(&mut Section<'_>) -> T) -> (T, Vec<Problem>) {
    let is_too_long = text.len() > CONFIG_BYTES_MAX;
    let text = if is_too_long { "" } else { text };
    let report = Report::new(text);
    if is_too_long {
        let text = format!("the file is longer than {CONFIG_BYTES_MAX} bytes");
        report.add(0, String::new(), text, Severity::Wrong);
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // The parser continues after a fault, and reports the rest of the line, too.
        let at = error.span().map_or(0, |span| span.start);
        report.add_once_a_line(at, format!("not TOML: {}", error.message()));
    }
    let mut section =
        Section { table: root.get_ref(), at: 0, path: String::new(), asked: Vec::new(), report: &report };
    let value = reader(&mut section);
    if errors.is_empty() {
        section.finish();
    }
    (value, report.into_problems())
}

/// A table of the file, and the keys that were read.
pub struct Section<'d> {
    table: &'d DeTable<'d>,
    /// Where it begins.
    at: usize,
    path: String,
    asked: Vec<&'static str>,
    report: &'d Report<'d>,
}

impl<'d> Section<'d> {
    /// Whether `key` exists, with any value.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// A table, read by `reader`.
    pub fn section<T>(&mut self, key: &'static str, reader: impl FnOnce(&mut Section<'_>) -> T) -> Option<T> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(
                key,
                format!("is {}; allowed is a table, [{}]", kind(value.get_ref()), self.path_of(key)),
            );
            return None;
        };
        Some(self.read_below(key, table, value.span().start, reader))
    }

    /// Tables with names that the user chose, each read by `reader`, in the order of their names.
    pub fn sections<T>(
        &mut self,
        key: &'static str,
        mut reader: impl FnMut(&str, &mut Section<'_>) -> T,
    ) -> Vec<T> {
        let named = self.section(key, |section| {
            let mut read = Vec::new();
            for (name, value) in section.table.iter() {
                let (at, name) = (name.span().start, name.get_ref().as_ref());
                if !is_name(name) {
                    let text = "a name has 1 to 32 of a-z, 0-9, - and _".to_owned();
                    section.report.add(at, section.path_of(name), text, Severity::Wrong);
                } else if read.len() == CONFIG_SECTIONS_MAX {
                    let text = format!("more than {CONFIG_SECTIONS_MAX} of them");
                    section.report.add(at, section.path_of(name), text, Severity::Wrong);
                } else if let Some(table) = value.get_ref().as_table() {
                    read.push(section.read_below(name, table, at, |inner| reader(name, inner)));
                } else {
                    let text = format!("is {}; allowed is a table, {{ … }}", kind(value.get_ref()));
                    section.report.add(at, section.path_of(name), text, Severity::Wrong);
                }
            }
            // The names in this table have been read.
            section.table = empty();
            read
        });
        named.unwrap_or_default()
    }

    /// Texts with names that the user chose, in the order of their names.
    pub fn named_texts(&mut self, key: &'static str) -> Vec<(String, String)> {
        let named = self.section(key, |section| {
            let mut read = Vec::new();
            for (name, value) in section.table.iter() {
                let (at, name) = (name.span().start, name.get_ref().as_ref());
                let fault = match value.get_ref().as_str() {
                    _ if !is_name(name) => "a name has 1 to 32 of a-z, 0-9, - and _".to_owned(),
                    _ if read.len() == CONFIG_SECTIONS_MAX => {
                        format!("more than {CONFIG_SECTIONS_MAX} of them")
                    }
                    None => format!("is {}; allowed is a text", kind(value.get_ref())),
                    Some(text) => {
                        read.push((name.to_owned(), text.to_owned()));
                        continue;
                    }
                };
                section.report.add(at, section.path_of(name), fault, Severity::Wrong);
            }
            section.table = empty();
            read
        });
        named.unwrap_or_default()
    }

    /// Reports a value that cannot be used, for a reason that only the reader knows.
    pub fn wrong(&self, key: &str, text: impl Into<String>) {
        self.report.add(self.place_of(key), self.path_of(key), text.into(), Severity::Wrong);
    }

    /// Reports a value that can be used and should not be.
    pub fn risky(&self, key: &str, text: impl Into<String>) {
        self.report.add(self.place_of(key), self.path_of(key), text.into(), Severity::Risky);
    }

    /// Reports that what stands here together cannot be used.
    pub fn wrong_here(&self, text: impl Into<String>) {
        self.report.add(self.at, self.path.clone(), text.into(), Severity::Wrong);
    }

    /// Reports that `key` is missing; `why` names its purpose.
    pub fn missing(&self, key: &str, why: &str) {
        self.report.add(self.at, self.path_of(key), format!("is missing: {why}"), Severity::Wrong);
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }

    fn read_below<T>(
        &self,
        key: &str,
        table: &DeTable<'_>,
        at: usize,
        reader: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let mut below =
            Section { table, at, path: self.path_of(key), asked: Vec::new(), report: self.report };
        let value = reader(&mut below);
        below.finish();
        value
    }

    fn finish(&self) {
        for (key, _) in self.table.iter().filter(|(key, _)| !self.asked.contains(&key.get_ref().as_ref())) {
            let name: &str = key.get_ref();
            let text = match self.asked.iter().find(|known| is_near(known, name)) {
                Some(near) => format!("no such key; did you mean {near}?"),
                None => format!("no such key; there are {}", self.asked.join(", ")),
            };
            self.report.add(key.span().start, self.path_of(name), text, Severity::Unknown);
        }
    }

    fn place_of(&self, key: &str) -> usize {
        self.table.get_key_value(key).map_or(self.at, |(key, _)| key.span().start)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn empty<'d>() -> &'d DeTable<'d> {
    // One for the program's life, of no size.
    static EMPTY: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);
    &EMPTY
}

fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// What stands there, for people. Texts may be secrets in the wrong place: they are not repeated.
pub(super) fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::String(text) if text.len() <= 24 => format!("\"{text}\""),
        DeValue::String(_) => "another text".to_owned(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CONFIG_LIST_MAX;

    fn problems(text: &str, reader: impl FnOnce(&mut Section<'_>)) -> Vec<String> {
        read(text, reader).1.iter().map(|problem| format!("{problem} ({:?})", problem.severity)).collect()
    }

    #[test]
    fn values_come_out_checked() {
        let text = "name = 'door'\ncount = 0x10\ngain = -3\nlevel = 1.5\nmuted = true\nwords = ['a', 'b']\nmode = 'open'";
        let (values, problems) = read(text, |root| {
            (
                root.text("name"),
                root.number("count", 1..=100),
                root.decimal("gain", -20.0..=20.0),
                root.decimal("level", 0.0..=2.0),
                root.flag("muted"),
                root.texts("words"),
                root.word("mode", &[("open", 1), ("closed", 2)]),
                root.text("absent"),
            )
        });
        let expected = (
            Some("door".into()),
            Some(16),
            Some(-3.0),
            Some(1.5),
            Some(true),
            Some(vec!["a".into(), "b".into()]),
            Some(1),
            None,
        );
        assert_eq!((values, problems), (expected, Vec::new()));
    }

    #[test]
    fn all_that_is_wrong_is_told_with_line_key_and_what_is_allowed() {
        let text = "ring_timout_s = 3\n[call]\nmax_s = 9000\njoin = 'never'\nshade = 1\n[gpio]\nDoor = {}\nbell = 3\nlamp = { line = 4 }\n";
        let told = problems(text, |root| {
            root.number("ring_timeout_s", 1..=600);
            root.section("call", |call| {
                call.number("max_s", 1..=3600);
                call.word("join", &[("always", ()), ("on-ring", ())]);
                call.missing("party", "somebody must answer");
            });
            root.sections("gpio", |_, gpio| gpio.text("line"));
        });
        let expected = [
            "line 1: ring_timout_s: no such key; did you mean ring_timeout_s? (Unknown)",
            "line 2: call.party: is missing: somebody must answer (Wrong)",
            "line 3: call.max_s: is 9000; allowed is a whole number from 1 to 3600 (Wrong)",
            "line 4: call.join: is \"never\"; allowed is \"always\" or \"on-ring\" (Wrong)",
            "line 5: call.shade: no such key; there are max_s, join (Unknown)",
            "line 7: gpio.Door: a name has 1 to 32 of a-z, 0-9, - and _ (Wrong)",
            "line 8: gpio.bell: is 3; allowed is a table, { … } (Wrong)",
            "line 9: gpio.lamp.line: is 4; allowed is a text in quotes, neither empty nor longer than 4096 bytes (Wrong)",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_not_toml_is_told_by_line() {
        let told = problems("a = 1\nb = = 2\n", |root| _ = root.number("a", 0..=9));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("line 2: not TOML: "), "{told:?}");
    }

    #[test]
    fn a_long_text_is_not_repeated() {
        let told =
            problems("mode = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIi'", |root| _ = root.word("mode", &[("open", ())]));
        assert_eq!(told, ["line 1: mode: is another text; allowed is \"open\" (Wrong)"]);
    }

    #[test]
    fn files_lists_and_problems_are_bounded() {
        let told = problems(&"#".repeat(CONFIG_BYTES_MAX + 1), |_| ());
        assert_eq!(told.len(), 1);
        let many: String = (0..10_000).map(|number| format!("k{number} = 1\n")).collect();
        assert!(problems(&many[..CONFIG_BYTES_MAX.min(many.len())], |_| ()).len() <= 64);
        let list = format!("l = [{}]", "'x',".repeat(CONFIG_LIST_MAX + 1));
        assert_eq!(problems(&list, |root| _ = root.texts("l")).len(), 1);
    }

    #[test]
    fn random_bytes_are_told_and_nothing_worse() {
        let mut random = fastrand::Rng::with_seed(5);
        let letters = b"ab=[]{}\"'\n.#,0123-_ \\u\xc3\xa4";
        for _ in 0..5000 {
            let bytes: Vec<u8> =
                (0..random.usize(..60)).map(|_| letters[random.usize(..letters.len())]).collect();
            let text = String::from_utf8_lossy(&bytes);
            read(&text, |root| {
                root.text("a");
                root.section("b", |b| b.number("a", 0..=3));
                root.sections("ab", |_, section| section.decimal("a", 0.0..=1.0));
            });
        }
    }
}
