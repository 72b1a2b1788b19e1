//! Scenario tests of the device: its calls, and the whole box.

mod call;
mod intercom;
