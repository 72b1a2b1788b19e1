//! Our address that reached the server: [`LocalAddresses`].
//!
//! ```text
//!   OpenSockets answered ─► home = the address that reaches the server
//!   the device's addresses change ─► is it still among them?
//! ```
//!
//! As long as it exists sound flows, and an additional address is no reason to disturb it. The session decides what
//! follows when it is gone.

use std::net::{IpAddr, SocketAddr};

/// Our address that reached the server.
#[derive(Debug, Default)]
pub(super) struct LocalAddresses {
    home: Option<IpAddr>,
    is_home_gone: bool,
}

impl LocalAddresses {
    /// Sockets were opened: the first of their addresses reaches the server.
    pub(super) fn opened(&mut self, addresses: &[SocketAddr]) {
        self.home = addresses.first().map(SocketAddr::ip);
        self.is_home_gone = false;
    }

    /// The device has these addresses now.
    pub(super) fn changed(&mut self, addresses: &[IpAddr]) {
        self.is_home_gone = self.home.is_some_and(|home| !addresses.contains(&home));
    }

    /// Whether our address that reached the server is gone.
    pub(super) fn is_home_gone(&self) -> bool {
        self.is_home_gone
    }
}
