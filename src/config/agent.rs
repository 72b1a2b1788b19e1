//! `[agent]`: the agent that is called into the room with our token, and our attributes.

use super::section::Section;
use super::server::TokenSource;
use crate::signal::token_details::{AgentDispatch, DetailsError, TokenDetails, name};

/// Reads the fields that are put into the token, or requested from the token endpoint.
pub(super) fn read(agent: &mut Section<'_>) -> TokenDetails {
    let named = agent.parsed("name", name);
    let metadata = agent.text("metadata");
    let deployment = agent.parsed("deployment", name);
    let attributes = agent.pairs("attributes").unwrap_or_default();
    if !agent.has("name") {
        for (key, is_there) in [("metadata", metadata.is_some()), ("deployment", deployment.is_some())] {
            if is_there {
                agent.wrong(key, "is of an agent: name is missing");
            }
        }
    }
    let details = TokenDetails {
        agent: named.map(|name| AgentDispatch { name, metadata, deployment }),
        metadata: None,
        attributes,
    };
    match details.check() {
        Err(error @ (DetailsError::Attribute | DetailsError::TooMany)) => {
            agent.wrong("attributes", error.to_string())
        }
        Err(error) => agent.wrong_here(error.to_string()),
        Ok(()) => {}
    }
    details
}

/// An agent can only be called by a token that is made or asked for here.
pub(super) fn check_source(agent: &mut Section<'_>, token: Option<&TokenSource>) {
    let is_given =
        matches!(token, Some(TokenSource::File(_) | TokenSource::Command(_) | TokenSource::Credential(_)));
    if is_given && agent.has("name") {
        agent.wrong("name", "is for server.token = { endpoint = … } or { key_file = … }: other tokens name their agents themselves");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section;

    fn told(text: &str) -> (TokenDetails, Vec<String>) {
        let (value, problems) = section::read(text, read);
        (value, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_agent_is_read_with_its_job() {
        let (details, problems) = told(
            "name = 'hotel'\nmetadata = '{\"floor\":2}'\ndeployment = 'blue'\nattributes = { floor = '2', 'a.b' = '' }",
        );
        assert_eq!(problems, Vec::<String>::new());
        let agent = details.agent.expect("named");
        assert_eq!((agent.name.as_str(), agent.deployment.as_deref()), ("hotel", Some("blue")));
        assert_eq!(details.attributes["floor"], "2");
        assert_eq!(told(""), (TokenDetails::default(), Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told_by_key() {
        for (text, expected) in [
            ("metadata = 'x'", "metadata: is of an agent: name is missing"),
            ("deployment = 'x'", "deployment: is of an agent: name is missing"),
            ("name = \"a\\u0007\"", "name: allowed are 1 to 256 bytes"),
            ("name = 3", "name: is 3"),
            ("attributes = { a = 3 }", "attributes: \"a\" is 3; allowed is a text in quotes"),
            ("attributes = 'a=b'", "attributes: is \"a=b\"; allowed is a table"),
            ("attributes = { '' = 'x' }", "attributes: allowed is KEY=VALUE"),
            ("nmae = 'x'", "nmae: no such key; did you mean name?"),
        ] {
            let (_, problems) = told(text);
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:?}");
        }
        let long = format!(
            "name = 'a'\nmetadata = '{}'\nattributes = {{ a = '{}' }}",
            "x".repeat(4000),
            "y".repeat(97)
        );
        assert!(told(&long).1[0].contains("longer than 4096 bytes"));
    }
}
