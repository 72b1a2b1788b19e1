//! Tests of both peer connections with descriptions that no server writes.

mod mutation;
