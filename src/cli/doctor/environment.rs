//! Where no configuration is: the server and the credentials that the environment names, as `join` takes them.

use kinglet::io::client::Options;
use kinglet::io::credentials::{Grant, Source};
use kinglet::io::process;
use kinglet::io::sound::spec::{InputSpec, OutputSpec};
use kinglet::session::recovery::Retry;
use kinglet::signal::secret::Secret;
use kinglet::signal::token_details::TokenDetails;

use crate::cli::{credentials, proxy};

/// The room that is entered for a moment if the token is made here: an own one, without participants.
const ROOM: &str = "kinglet-doctor";

/// As long as a look takes, and a clock may be wrong by.
const TTL_S: u64 = 600;

/// A client that neither speaks nor hears, and waits until it is asked to enter; `None` if no server is named.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn silent(environment: &dyn Fn(&str) -> Option<String>) -> Option<Result<Options, String>> {
    Some(options(&environment("LIVEKIT_URL")?, environment))
}

fn options(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Options, String> {
    let url = url.parse().map_err(|error| format!("LIVEKIT_URL: {error}"))?;
    let source = source(environment)
        .ok_or("LIVEKIT_URL is set, but neither LIVEKIT_TOKEN nor LIVEKIT_API_KEY and LIVEKIT_API_SECRET")?;
    let mut options = Options::new(url, Secret::default()).map_err(|error| error.to_string())?;
    options.proxies = proxy::checked_for(&options.settings.url, environment).map_err(|failed| failed.text)?;
    options.token_source = Some(source);
    (options.input, options.output) = (InputSpec::None, OutputSpec::None);
    let settings = &mut options.settings;
    (settings.publish, settings.listens) = (None, false);
    (settings.renews_token, settings.retry) = (true, Retry::Service);
    Ok(options)
}

fn source(environment: &dyn Fn(&str) -> Option<String>) -> Option<Source> {
    if let Some(token) = credentials::token(environment) {
        return Some(token);
    }
    let key = credentials::api_key(environment).ok()?;
    let identity = process::known_as("hostname").unwrap_or_else(|| ROOM.to_owned());
    Some(Source::Made {
        key,
        grant: Grant { room: ROOM.to_owned(), identity, ttl_s: TTL_S, details: TokenDetails::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(variables: &[(&str, &str)]) -> Option<Result<Options, String>> {
        silent(&|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_server_is_looked_for_where_one_is_named_and_a_token_can_be_had() {
        assert!(made(&[("LIVEKIT_TOKEN", "a.b.c")]).is_none());
        let url = ("LIVEKIT_URL", "ws://127.0.0.1:7880");
        let token = made(&[url, ("LIVEKIT_TOKEN", "a.b.c")]).expect("a server").expect("usable");
        assert!(matches!(token.token_source, Some(Source::Token(_))) && token.settings.publish.is_none());
        let key = made(&[url, ("LIVEKIT_API_KEY", "k"), ("LIVEKIT_API_SECRET", "s")]).expect("a server");
        assert!(matches!(key.expect("usable").token_source, Some(Source::Made { .. })));
        for (variables, why) in
            [(&[url][..], "LIVEKIT_TOKEN"), (&[("LIVEKIT_URL", "nowhere")], "LIVEKIT_URL: ")]
        {
            let error = made(variables).expect("a server").err().expect("of no use");
            assert!(error.contains(why), "{error}");
        }
    }
}
