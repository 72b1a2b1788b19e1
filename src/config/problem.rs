//! What is wrong with a file: where, which key, and what would be right.

use crate::event::is_hidden;
use crate::limits::CONFIG_PROBLEMS_MAX;

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: usize,
    /// The key with the tables that it is in, `gpio.door.pulse_ms`; empty if the file is not TOML.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub text: String,
    /// Whether the file can be used nevertheless.
    pub severity: Severity,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A key that nothing reads: a typing error, or a key of a newer version. A box whose package was rolled back must
    /// start with it, but its owner must see the warning.
    Unknown,
    /// It is valid but hardly wanted: a door that opens for everybody, or for nobody.
    Risky,
    /// The file cannot be used.
    Wrong,
}

impl std::fmt::Display for Problem {
    /// Without the file's name, which the caller has.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Problem { line, key, text, .. } = self;
        if key.is_empty() {
            write!(f, "line {line}: {text}")
        } else {
            write!(f, "line {line}: {key}: {text}")
        }
    }
}

/// Collects what is wrong with one text, up to a bound.
#[derive(Debug)]
pub(super) struct Report<'t> {
    text: &'t str,
    problems: std::cell::RefCell<Vec<Problem>>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Report<'t> {
        Report { text, problems: std::cell::RefCell::default() }
    }

    /// Adds a problem with what stands at byte `at` of the text.
    pub(super) fn add(&self, at: usize, key: String, text: String, severity: Severity) {
        let line = self.line_of(at);
        let mut problems = self.problems.borrow_mut();
        if problems.len() < CONFIG_PROBLEMS_MAX {
            problems.push(Problem { line, key: printable(&key), text: printable(&text), severity });
        }
    }

    /// Adds a fault of the text itself, unless its line has one.
    pub(super) fn add_once_a_line(&self, at: usize, text: String) {
        let line = self.line_of(at);
        if !self.problems.borrow().iter().any(|problem| problem.line == line) {
            self.add(at, String::new(), text, Severity::Wrong);
        }
    }

    /// All of them, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    fn line_of(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// Keys and values are quoted from the file: characters that a terminal does not show are escaped.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}
