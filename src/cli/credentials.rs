//! The credentials that the environment names, as every LiveKit tool reads them.

use kinglet::io::credentials::{ApiKey, Source};
use kinglet::signal::secret::Secret;

use super::Failed;

/// The token of `LIVEKIT_TOKEN`.
pub fn token(environment: &dyn Fn(&str) -> Option<String>) -> Option<Source> {
    environment("LIVEKIT_TOKEN").map(|token| Source::Token(Secret::new(token)))
}

/// `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`, with which a token is made.
///
/// # Errors
/// One of them is not there.
pub fn api_key(environment: &dyn Fn(&str) -> Option<String>) -> Result<ApiKey, Failed> {
    match (environment("LIVEKIT_API_KEY"), environment("LIVEKIT_API_SECRET")) {
        (Some(key), Some(secret)) => Ok(ApiKey { key, secret: Secret::new(secret) }),
        _ => Err(Failed::usage("set LIVEKIT_API_KEY and LIVEKIT_API_SECRET, with which a token is made")),
    }
}
