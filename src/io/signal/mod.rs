//! The signal connection, and the HTTP requests to the same server.
//!
//! ```text
//!   websocket.rs ──┐
//!   validate.rs ───┼─► dial.rs ─► dns.rs ─► proxy.rs ─► tcp.rs ─► tls.rs ─► server
//!   http.rs ───────┘    look-up, a proxy where there is one, connection, TLS
//!   probe.rs            the same steps one at a time, for `kinglet doctor`
//! ```

pub(super) mod dial;
pub(super) mod dns;
pub(super) mod http;
pub mod probe;
pub mod proxy;
pub(super) mod tcp;
pub mod tls;
mod validate;
pub(super) mod websocket;
