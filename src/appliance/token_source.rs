//! The source of access tokens for this box, and its identity.

use super::{RunError, ServiceEnvironment};
use crate::config::Config;
use crate::config::server::{ServerConfig, TokenSource, fill};
use crate::io::credentials::{ApiKey, Grant, Source};
use crate::io::endpoint::Endpoint;
use crate::io::process;
use crate::signal::endpoint::TokenRequest;

/// Validity of tokens that are created here, in seconds: the default of the official tools.
const TTL_S: u64 = 6 * 3600;

/// Returns the source of access tokens for this box.
///
/// # Errors
/// The source cannot be used: for example no credentials folder, no key in the key file, or no serial number.
pub(super) fn source(config: &Config, environment: &ServiceEnvironment) -> Result<Source, RunError> {
    let (server, details) = (&config.server, &config.agent);
    Ok(match &server.token {
        TokenSource::File(path) => Source::File(path.clone()),
        TokenSource::Command(argv) => Source::Program(argv.clone()),
        TokenSource::Credential(name) => {
            let folder = environment.credentials.as_ref().ok_or_else(|| {
                RunError::Identity(format!(
                    "the unit passes no credentials: LoadCredential={name}:… is missing"
                ))
            })?;
            Source::File(folder.join(name))
        }
        TokenSource::KeyFile(path) => {
            let key = ApiKey::read(path).map_err(RunError::Credentials)?;
            let room = server.room.clone().unwrap_or_default();
            Source::Made {
                key,
                grant: Grant { room, identity: identity(server)?, ttl_s: TTL_S, details: details.clone() },
            }
        }
        TokenSource::Endpoint { url, header_file } => Source::Endpoint(Endpoint {
            url: url.clone(),
            header_file: header_file.clone(),
            request: TokenRequest {
                room: server.room.clone(),
                identity: Some(identity(server)?),
                name: server.name.clone(),
                details: details.clone(),
            },
            ca: server.ca.clone(),
            names_server: server.is_named_with_token,
            proxies: environment.proxies.checked_for(url.server()).map_err(RunError::Proxy)?,
        }),
    })
}

fn identity(server: &ServerConfig) -> Result<String, RunError> {
    let identity = server.identity.as_deref().unwrap_or("{hostname}");
    fill(identity, process::known_as).map_err(RunError::Identity)
}
