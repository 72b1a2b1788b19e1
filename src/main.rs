//! The `kinglet` command, which is `src/cli`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    kinglet::cli::main().into()
}
