//! The box that runs on this device, queried through its control socket: it has the cards and the place in the room, so
//! no other client examines them.

#![expect(clippy::indexing_slicing, reason = "serde_json: a member that is missing is null")]

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::finding::Finding;
use super::sound;

/// It answers at once, or its loop is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// A box that runs.
pub struct Service {
    stream: BufReader<UnixStream>,
}

/// The box that listens at this socket; `None` otherwise, with a finding if there is something to report.
pub fn reach(socket: &Path) -> (Option<Service>, Option<Finding>) {
    match UnixStream::connect(socket) {
        Ok(stream) => match stream.set_read_timeout(Some(PATIENCE)) {
            Ok(()) => (Some(Service { stream: BufReader::new(stream) }), None),
            Err(error) => (None, Some(Finding::warning("service", error.to_string()))),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let text = format!(
                "{}: you may not ask it: join the group of the socket, or use sudo",
                socket.display()
            );
            (None, Some(Finding::warning("service", text)))
        }
        // Not there, or left behind by one that was killed.
        Err(_) => (None, Some(Finding::ok("service", "does not run: what it would do is tried here"))),
    }
}

impl Service {
    /// The state that it reports, and its findings.
    pub fn examine(&mut self) -> Vec<Finding> {
        match self.ask("status") {
            Ok(status) => judge(&status),
            Err(why) => vec![Finding::failed("service", format!("{why}: systemctl restart kinglet"))],
        }
    }

    /// The server's addresses, as `paths` lists them.
    pub fn paths(&mut self) -> Option<Value> {
        self.ask("paths").ok()
    }

    fn ask(&mut self, command: &str) -> Result<Value, String> {
        let silent = |error: io::Error| format!("it does not answer ({error})");
        self.stream.get_mut().write_all(format!("{command}\n").as_bytes()).map_err(silent)?;
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(silent)?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| "it went away".to_owned())?;
        match answer["ok"] == Value::Bool(true) {
            true => Ok(answer["result"].clone()),
            false => Err(answer["error"]["message"].as_str().unwrap_or("it refuses").to_owned()),
        }
    }
}

fn judge(status: &Value) -> Vec<Finding> {
    let word = |name: &str| status[name].as_str().unwrap_or("?").to_owned();
    let state = word("state");
    let mut findings = vec![Finding::ok("service", format!("runs; {state}"))];
    if state == "connected" {
        let (room, identity, server) = (word("room"), word("identity"), word("server"));
        findings.push(Finding::ok("access", format!("in room '{room}' as '{identity}', {server}")));
        let may = |what: &str| status["permissions"][what] == Value::Bool(true);
        if !may("publish") || !may("microphone") {
            findings
                .push(Finding::failed("permissions", "the token does not permit a microphone (canPublish)"));
        }
        if !may("subscribe") {
            findings.push(Finding::failed("permissions", "the token does not permit to hear (canSubscribe)"));
        }
    }
    if let Some(loudest) = status["microphone_dbfs"].as_f64() {
        findings.push(sound::recent(loudest as f32));
    }
    if status["privacy"] == Value::Bool(true) {
        findings
            .push(Finding::warning("privacy", "the microphone is muted by its owner (kinglet ctl unmute)"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_keeps_a_box_in_the_room_silent_is_told() {
        let status = json!({
            "state": "connected", "room": "hall", "identity": "door", "server": "LiveKit 1.13.5", "privacy": true,
            "permissions": { "publish": true, "microphone": false, "subscribe": true },
        });
        let found: Vec<(State, &str)> =
            judge(&status).iter().map(|finding| (finding.state, finding.check)).collect();
        let expected = [
            (State::Ok, "service"),
            (State::Ok, "access"),
            (State::Failed, "permissions"),
            (State::Warning, "privacy"),
        ];
        assert_eq!(found, expected);
        assert_eq!(judge(&json!({ "state": "out of the room", "privacy": false })).len(), 1);
        let silent = json!({ "state": "out of the room", "microphone_dbfs": -127.0 });
        let found = judge(&silent);
        assert_eq!(found.last().map(|last| (last.check, last.state)), Some(("level", State::Warning)));
    }
}
