//! What the files hold that a configuration names, as far as a session stands on it: the same words may mean something
//! else tomorrow. A token and the header lines of an endpoint are not among them, which are read whenever they are needed,
//! nor is the board, whose file is the cards that it describes.

use std::path::Path;

use crate::config::server::{ServerConfig, TokenSource};
use crate::io::fingerprint::Fingerprint;

/// What they held when the configuration was read.
#[derive(Clone, Default)]
pub(super) struct Named {
    /// `server.token.key_file`
    pub(super) key: Option<Fingerprint>,
    /// `server.ca`
    pub(super) ca: Option<Fingerprint>,
}

impl Named {
    /// Reads them; that one cannot be read says whoever uses it. Blocks.
    ///
    /// To be called before they are read for use: one that changes meanwhile is found changed by the next reload then.
    pub(super) fn read(server: &ServerConfig) -> Named {
        let of = |path: &Path| Fingerprint::of_file(path).ok();
        let key_file = match &server.token {
            TokenSource::KeyFile(path) => Some(path),
            _ => None,
        };
        Named { key: key_file.and_then(|path| of(path)), ca: server.ca.as_deref().and_then(of) }
    }
}
