//! Claims of a token besides room and identity: the agent that is dispatched to the room, and the participant's
//! metadata and attributes.
//!
//! ```text
//!   TokenDetails ─┬─► room_config, participant_metadata, participant_attributes    asked of a token endpoint
//!                 └─► roomConfig, metadata, attributes                             in a token that is made here
//! ```
//!
//! A *named* agent (as LiveKit's own scaffold makes them) joins only where it is dispatched, and the server dispatches the
//! agents of the token with which a room begins. A room that is there already gets none (livekit issue 4390).

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::limits::{ATTRIBUTES_MAX, DATA_NAME_BYTES_MAX, TOKEN_DETAILS_BYTES_MAX};

/// The agent to dispatch, and facts of the participant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenDetails {
    /// The agent to dispatch.
    pub agent: Option<AgentDispatch>,
    /// Metadata of the local participant.
    pub metadata: Option<String>,
    /// Attributes of the local participant.
    pub attributes: BTreeMap<String, String>,
}

/// One agent that is called into the room (`RoomAgentDispatch`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentDispatch {
    /// The name under which its worker has registered.
    pub name: String,
    /// Text for its job.
    pub metadata: Option<String>,
    /// Which deployment of it.
    pub deployment: Option<String>,
}

/// Why details cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailsError {
    /// A name of an agent or deployment is empty, too long, or has control characters.
    Name,
    /// An attribute is not `KEY=VALUE`, or its key is as bad as such a name.
    Attribute,
    /// There are more attributes than a participant has.
    TooMany,
    /// All of it together would make a token that no server takes.
    TooLong,
}

impl fmt::Display for DetailsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DetailsError::Name => {
                write!(f, "allowed are 1 to {DATA_NAME_BYTES_MAX} bytes without control characters")
            }
            DetailsError::Attribute => write!(
                f,
                "allowed is KEY=VALUE, with a key of 1 to {DATA_NAME_BYTES_MAX} bytes without control characters"
            ),
            DetailsError::TooMany => write!(f, "more than {ATTRIBUTES_MAX} attributes"),
            DetailsError::TooLong => write!(
                f,
                "metadata and attributes together are longer than {TOKEN_DETAILS_BYTES_MAX} bytes, too long for a token"
            ),
        }
    }
}

impl std::error::Error for DetailsError {}

impl TokenDetails {
    /// Looks whether a token can carry all of it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), DetailsError> {
        let agent = self.agent.iter().flat_map(|agent| [Some(&agent.name), agent.deployment.as_ref()]);
        for name in agent.flatten() {
            check_name(name)?;
        }
        if self.attributes.len() > ATTRIBUTES_MAX {
            return Err(DetailsError::TooMany);
        }
        for key in self.attributes.keys() {
            check_name(key).map_err(|_| DetailsError::Attribute)?;
        }
        let metadata = self.agent.iter().filter_map(|agent| agent.metadata.as_ref()).chain(&self.metadata);
        let attributes = self.attributes.iter().map(|(key, value)| key.len() + value.len());
        let bytes: usize = metadata.map(String::len).chain(attributes).sum();
        if bytes > TOKEN_DETAILS_BYTES_MAX { Err(DetailsError::TooLong) } else { Ok(()) }
    }

    /// `roomConfig` of a token, in the JSON of protobuf.
    pub fn room_config(&self) -> Option<impl Serialize> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Agent<'a> {
            agent_name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            metadata: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            deployment: Option<&'a str>,
        }
        self.agent.as_ref().map(|AgentDispatch { name, metadata, deployment }| RoomConfig {
            agents: [Agent {
                agent_name: name,
                metadata: metadata.as_deref(),
                deployment: deployment.as_deref(),
            }],
        })
    }

    /// `room_config` of a request to a token endpoint.
    pub fn requested_room_config(&self) -> Option<impl Serialize> {
        #[derive(Serialize)]
        struct Agent<'a> {
            agent_name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            metadata: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            deployment: Option<&'a str>,
        }
        self.agent.as_ref().map(|AgentDispatch { name, metadata, deployment }| RoomConfig {
            agents: [Agent {
                agent_name: name,
                metadata: metadata.as_deref(),
                deployment: deployment.as_deref(),
            }],
        })
    }
}

/// `KEY=VALUE`
///
/// # Errors
/// It is not an attribute.
pub fn attribute(text: &str) -> Result<(String, String), DetailsError> {
    let (key, value) = text.split_once('=').ok_or(DetailsError::Attribute)?;
    check_name(key).map_err(|_| DetailsError::Attribute)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A name that people give to agents and deployments.
///
/// # Errors
/// It cannot be one.
pub fn name(text: &str) -> Result<String, DetailsError> {
    check_name(text).map(|()| text.to_owned())
}

fn check_name(text: &str) -> Result<(), DetailsError> {
    let fits = (1..=DATA_NAME_BYTES_MAX).contains(&text.len());
    if fits && !text.chars().any(char::is_control) { Ok(()) } else { Err(DetailsError::Name) }
}

#[derive(Serialize)]
struct RoomConfig<A> {
    agents: [A; 1],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(agent: AgentDispatch) -> TokenDetails {
        TokenDetails { agent: Some(agent), ..TokenDetails::default() }
    }

    #[test]
    fn an_agent_is_named_as_the_server_and_endpoints_read_it() {
        let json = |config: Option<serde_json::Value>| config.unwrap_or_default().to_string();
        let value = |config: &dyn Fn() -> Option<serde_json::Value>| json(config());
        let all = details(AgentDispatch {
            name: "hotel".into(),
            metadata: Some("{\"floor\":2}".into()),
            deployment: Some("blue".into()),
        });
        let camel = || all.room_config().and_then(|config| serde_json::to_value(config).ok());
        let snake = || all.requested_room_config().and_then(|config| serde_json::to_value(config).ok());
        assert_eq!(
            value(&camel),
            r#"{"agents":[{"agentName":"hotel","deployment":"blue","metadata":"{\"floor\":2}"}]}"#
        );
        assert_eq!(
            value(&snake),
            r#"{"agents":[{"agent_name":"hotel","deployment":"blue","metadata":"{\"floor\":2}"}]}"#
        );
        let short = details(AgentDispatch { name: "hotel".into(), ..AgentDispatch::default() });
        let short = || short.room_config().and_then(|config| serde_json::to_value(config).ok());
        assert_eq!(value(&short), r#"{"agents":[{"agentName":"hotel"}]}"#);
        assert!(TokenDetails::default().room_config().is_none());
    }

    #[test]
    fn what_no_token_carries_is_refused() {
        assert_eq!(attribute("floor=2=b"), Ok(("floor".into(), "2=b".into())));
        assert_eq!(attribute("floor="), Ok(("floor".into(), String::new())));
        for text in ["floor", "=2", "a\nb=2", &format!("{}=1", "k".repeat(257))] {
            assert_eq!(attribute(text), Err(DetailsError::Attribute), "{text}");
        }
        for text in ["", "a\u{7}b", &"n".repeat(257)] {
            assert_eq!(name(text), Err(DetailsError::Name), "{text}");
            let named = details(AgentDispatch { name: text.to_owned(), ..AgentDispatch::default() });
            assert_eq!(named.check(), Err(DetailsError::Name));
        }
        let agent = AgentDispatch { name: "a".into(), metadata: Some("x".repeat(4000)), deployment: None };
        let mut long = details(agent);
        assert_eq!(long.check(), Ok(()));
        long.attributes.insert("key".into(), "y".repeat(94));
        assert_eq!(long.check(), Err(DetailsError::TooLong));
        let numbered = (0..=ATTRIBUTES_MAX).map(|number| (number.to_string(), String::new()));
        let many = TokenDetails { attributes: numbered.collect(), ..TokenDetails::default() };
        assert_eq!(many.check(), Err(DetailsError::TooMany));
    }
}
