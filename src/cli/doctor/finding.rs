//! What a check came to: one line for a person, one object for a program.

use std::io::{self, Write};

use kinglet::signal::text::one_line;
use serde::Serialize;

/// A line is as long as it must be to name the remedy; texts of others in it are cut.
const TEXT_BYTES_MAX: usize = 600;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// A call survives it, and would be better without.
    Warning,
    /// A fault without whose repair no call is possible.
    Failed,
}

/// One check, and what to do where it is not ok.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub state: State,
    /// What was looked at.
    pub check: &'static str,
    pub text: String,
}

/// All of them, printed as they come.
pub struct Findings<'o> {
    out: &'o mut dyn Write,
    all: Vec<Finding>,
    is_json: bool,
    result: io::Result<()>,
}

impl Finding {
    pub fn ok(check: &'static str, text: impl AsRef<str>) -> Finding {
        Finding::new(State::Ok, check, text.as_ref())
    }

    pub fn warning(check: &'static str, text: impl AsRef<str>) -> Finding {
        Finding::new(State::Warning, check, text.as_ref())
    }

    pub fn failed(check: &'static str, text: impl AsRef<str>) -> Finding {
        Finding::new(State::Failed, check, text.as_ref())
    }

    fn new(state: State, check: &'static str, text: &str) -> Finding {
        Finding { state, check, text: one_line(text, TEXT_BYTES_MAX) }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What failed is seen from afar.
        let state = match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "FAILED",
        };
        write!(f, "{state:<8}{:<12} {}", self.check, self.text)
    }
}

impl<'o> Findings<'o> {
    pub fn new(out: &'o mut dyn Write, is_json: bool) -> Self {
        Self { out, all: Vec::new(), is_json, result: Ok(()) }
    }

    /// Some checks take seconds: a person sees each when it is done.
    pub fn push(&mut self, finding: Finding) {
        if !self.is_json && self.result.is_ok() {
            self.result = writeln!(self.out, "{finding}").and_then(|()| self.out.flush());
        }
        self.all.push(finding);
    }

    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// The end: whether one of them failed.
    ///
    /// # Errors
    /// They could not be written.
    pub fn finish(self) -> io::Result<bool> {
        self.result?;
        if self.is_json {
            serde_json::to_writer(&mut *self.out, &self.all)?;
            writeln!(self.out)?;
        }
        Ok(self.all.iter().any(|finding| finding.state == State::Failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_people_and_objects_for_programs() {
        let all = [Finding::ok("time", "13:02 UTC"), Finding::failed("name", "no\nsuch host")];
        let mut out = Vec::new();
        let mut findings = Findings::new(&mut out, false);
        findings.extend(all.clone());
        assert!(findings.finish().expect("written"));
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "ok      time         13:02 UTC\nFAILED  name         no such host\n"
        );
        let mut out = Vec::new();
        let mut findings = Findings::new(&mut out, true);
        findings.extend(all.into_iter().take(1));
        assert!(!findings.finish().expect("written"));
        assert_eq!(out, b"[{\"state\":\"ok\",\"check\":\"time\",\"text\":\"13:02 UTC\"}]\n");
    }
}
