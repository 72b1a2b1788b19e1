//! What programs that we start see of our environment: [`Environment`], by list.
//!
//! No other variable is passed on, in particular no secret: `LIVEKIT_API_SECRET`, a proxy's password, the folder of
//! systemd's credentials.

/// Variables that programs need: to find other programs, their files and their language, and the folders that they may
/// write to.
pub const USUAL: [&str; 15] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "STATE_DIRECTORY",
    "RUNTIME_DIRECTORY",
];

/// Variables of a program. They are not printed: one may have been listed that is secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// The usual variables and those of `names`, as far as `variable` knows them.
    pub fn listed(names: &[String], variable: impl Fn(&str) -> Option<String>) -> Environment {
        let names = USUAL.into_iter().chain(names.iter().map(String::as_str));
        Environment(names.filter_map(|name| Some((name.to_owned(), variable(name)?))).collect())
    }

    /// The same with another one.
    pub fn with(mut self, name: &str, value: String) -> Environment {
        self.0.push((name.to_owned(), value));
        self
    }

    /// Each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_passed_on() {
        let ours = |name: &str| match name {
            "PATH" | "LIVEKIT_API_SECRET" | "HTTPS_PROXY" | "CREDENTIALS_DIRECTORY" => {
                Some(format!("our {name}"))
            }
            "DOOR_KEY" => Some("1234".to_owned()),
            _ => None,
        };
        let listed = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Environment::listed(&names, ours).with("KINGLET_EVENT", "ring".to_owned())
        };
        let names = |environment: &Environment| format!("{environment:?}");
        assert_eq!(names(&listed(&[])), r#"["PATH", "KINGLET_EVENT"]"#);
        let more = listed(&["DOOR_KEY", "NOT_SET"]);
        assert_eq!(names(&more), r#"["PATH", "DOOR_KEY", "KINGLET_EVENT"]"#);
        assert!(more.iter().any(|variable| variable == ("DOOR_KEY", "1234")));
    }
}
