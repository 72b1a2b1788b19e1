//! Where access tokens come from.
//!
//! ```text
//!                       ┌─ a token, its file, or an API key (development)
//!   credentials.rs  ────┼─ endpoint.rs       LiveKit's token endpoint, by HTTPS
//!   Source::get         └─ token_command.rs  a program that prints one
//! ```
//!
//! Each may block: the token is asked for on a thread of its own.

pub mod credentials;
pub mod endpoint;
mod token_command;
