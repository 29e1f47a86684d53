//! The `flatmin` command; see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    flatmin_cli::run(std::env::args_os())
}
