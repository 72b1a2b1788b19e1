//! Tests of the device as stories: its calls, and the whole of it.

mod call;
mod intercom;
