//! LiveKit's cloud as a client sees it: many names of one server, some of which do not answer, and a list of them.

use std::collections::VecDeque;

/// The cloud of one client.
#[derive(Default)]
pub struct Cloud {
    /// Where the source of tokens says that the server is.
    pub named: Option<String>,
    /// Names at which every connection is refused.
    pub gone: Vec<String>,
    /// What `/settings/regions` answers; without one it does not.
    pub list: Option<String>,
    /// The names that were dialled, in order.
    pub dialled: Vec<String>,
    /// How often the list was asked for.
    pub asked: u32,
    /// Answers on their way.
    pub answers: VecDeque<String>,
}

impl Cloud {
    /// A list of these regions, as it is written.
    pub fn list_of(hosts: &[&str]) -> String {
        let region =
            |host: &&str| format!(r#"{{"region": "{host}", "url": "wss://{host}", "distance": "1"}}"#);
        format!(r#"{{"regions": [{}]}}"#, hosts.iter().map(region).collect::<Vec<_>>().join(","))
    }

    /// Whether nobody answers where it dialled last.
    pub fn is_gone(&self) -> bool {
        self.dialled.last().is_some_and(|host| self.gone.contains(host))
    }

    /// The list is asked for.
    pub fn ask(&mut self) {
        self.asked += 1;
        self.answers.extend(self.list.clone());
    }
}
