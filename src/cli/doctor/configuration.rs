//! The file that `kinglet run` would read.

use std::path::Path;

use kinglet::config::{Config, Severity};
use kinglet::io::process;

use super::finding::Finding;

/// The file, as far as it can be used, and a line for all that is wrong with it.
pub fn read(path: &Path) -> (Option<Config>, Vec<Finding>) {
    let name = path.display();
    let failed = |text: String| (None, vec![Finding::failed("config", text)]);
    let text = match process::read_small(path) {
        Ok(Some(text)) => text,
        Ok(None) => return failed(format!("{name}: there is no such file")),
        Err(error) => return failed(format!("{name}: {error}")),
    };
    let (config, problems) = Config::read(&text);
    let mut findings: Vec<Finding> = problems
        .iter()
        .map(|problem| match problem.severity {
            Severity::Wrong => Finding::failed("config", format!("{name}: {problem}")),
            Severity::Unknown | Severity::Risky => Finding::warning("config", format!("{name}: {problem}")),
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("config", name.to_string()));
    }
    (config, findings)
}
