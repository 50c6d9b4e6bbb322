//! The scimgate command.

use std::process::ExitCode;

fn main() -> ExitCode {
    scimgate::cli::run()
}
