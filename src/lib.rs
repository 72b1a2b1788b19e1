//! kinglet
pub mod event;
pub mod limits;
pub mod media;
pub mod room;
pub mod signal;
pub mod io;
