//! What tests share that need files or pipes.

pub(crate) mod temp;
