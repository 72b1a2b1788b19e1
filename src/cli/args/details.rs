//! Options for the token beside room and identity, as in `lk token create`: the agent to dispatch, metadata and
//! attributes.

use kinglet::signal::token_details::{AgentDispatch, DetailsError, TokenDetails, attribute, name};
use lexopt::Parser;

use super::values::text;
use crate::cli::Failed;

/// The words, as they were given.
#[derive(Default)]
pub(super) struct DetailWords {
    agent: Option<String>,
    job_metadata: Option<String>,
    deployment: Option<String>,
    details: TokenDetails,
}

impl DetailWords {
    /// Takes the value of `option`, where it is one of these; `false` if it is another.
    ///
    /// # Errors
    /// The value cannot be used.
    pub(super) fn take(&mut self, option: &str, parser: &mut Parser) -> Result<bool, Failed> {
        let wrong = |error: DetailsError| Failed::usage(format!("--{option}: {error}"));
        match option {
            "agent" => self.agent = Some(name(&text(parser)?).map_err(wrong)?),
            "deployment" => self.deployment = Some(name(&text(parser)?).map_err(wrong)?),
            "job-metadata" => self.job_metadata = Some(text(parser)?),
            "metadata" => self.details.metadata = Some(text(parser)?),
            "attribute" => {
                let (key, value) = attribute(&text(parser)?).map_err(wrong)?;
                self.details.attributes.insert(key, value);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// All of it, checked.
    ///
    /// # Errors
    /// The words do not go together, or are too long for a token.
    pub(super) fn check(self) -> Result<TokenDetails, Failed> {
        let DetailWords { agent, job_metadata, deployment, mut details } = self;
        if agent.is_none() && job_metadata.is_some() {
            return Err(Failed::usage("--job-metadata is for the job of an agent: --agent is missing"));
        }
        if agent.is_none() && deployment.is_some() {
            return Err(Failed::usage("--deployment is that of an agent: --agent is missing"));
        }
        details.agent = agent.map(|name| AgentDispatch { name, metadata: job_metadata, deployment });
        let options = "--job-metadata, --metadata, --attribute";
        details.check().map_err(|error| Failed::usage(format!("{options}: {error}")))?;
        Ok(details)
    }
}
