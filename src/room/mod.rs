//! What the server says exists.
