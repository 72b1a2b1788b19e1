//! `kinglet token`: a development token on stdout.

use kinglet::io::clock;
use kinglet::io::credentials::{ApiKey, Grant, make};

/// Prints a token for `grant`.
pub fn print(key: &ApiKey, grant: &Grant) {
    println!("{}", make(key, grant, clock::unix_time_s()).reveal());
}
