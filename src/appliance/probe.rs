//! The cards of a box and its access to the room, for `kinglet doctor`, which checks both. It joins the room without
//! sending or playing sound.

use super::plan::{options, setup, specs};
use super::{RunError, ServiceEnvironment};
use crate::config::Config;
use crate::io::client::Options;
use crate::io::credentials::Source;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::spec::{InputSpec, OutputSpec};

/// The cards, and their sound settings.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    /// The configured input.
    pub input: InputSpec,
    /// The configured output.
    pub output: OutputSpec,
    /// The sound settings of the board file.
    pub setup: SoundSetup,
}

/// Returns the cards of this configuration. Unlike the box, a check does not wait for missing cards.
///
/// # Errors
/// The board file or the name of a PCM is invalid.
pub fn cards(config: &Config) -> Result<Cards, RunError> {
    let (input, output) = specs(config)?;
    let mut setup = setup(config)?;
    (setup.capture.request.waits, setup.playback.request.waits) = (false, false);
    Ok(Cards { input, output, setup })
}

/// Returns the options of a client with the identity of the box. It neither publishes nor subscribes, and joins the
/// room only when it is requested to.
///
/// # Errors
/// The box cannot start with this configuration.
pub fn silent(config: &Config, environment: &ServiceEnvironment) -> Result<Options, RunError> {
    let mut options = options(config, environment)?;
    (options.input, options.output) = (InputSpec::None, OutputSpec::None);
    (options.settings.publish, options.settings.listens) = (None, false);
    options.settings.rpc_methods.clear();
    // A check must not start a call.
    options.settings.attributes.clear();
    options.token_source = options.token_source.map(Source::without_agent);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::TempFile;

    #[test]
    fn a_check_dispatches_no_agent() {
        let key = TempFile::new("visit-key", b"LIVEKIT_API_KEY=a\nLIVEKIT_API_SECRET=b\n");
        let path = key.path().display();
        let text = format!(
            "[server]\nurl = 'wss://a.example'\ntoken = {{ key_file = '{path}' }}\nroom = 'r'\nidentity = 'i'\n\
             [agent]\nname = 'hotel'\n"
        );
        let config = Config::read(&text).0.expect("usable");
        let agent_of = |options: Options| match options.token_source {
            Some(Source::Made { grant, .. }) => grant.details.agent.map(|agent| agent.name),
            other => panic!("{other:?}"),
        };
        let environment = ServiceEnvironment::default();
        let called = agent_of(options(&config, &environment).expect("usable"));
        assert_eq!(called.as_deref(), Some("hotel"));
        assert_eq!(agent_of(silent(&config, &environment).expect("usable")), None);
    }
}
