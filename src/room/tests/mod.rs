//! Tests of the whole room.

pub(super) mod model;
