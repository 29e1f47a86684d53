//! The `flatmin` command: certified flat solutions from files to files.
//!
//! ```text
//! flatmin recover sensing --measurements A.npy --targets b.npy --out X.npy --dual y.npy
//! flatmin recover completion --entries ratings.csv --json
//! flatmin recover completion --entries u.data --center row-col --penalty auto --predict pairs.tsv
//! flatmin recover rpca --matrix Y.npy --out X.npy --sparse S.npy
//! flatmin recover hadamard --matrix A.npy --targets b.npy --depth 2 --out x.npy
//! flatmin recover covariance --probes x.npy --targets y.npy --out X.npy
//! flatmin sharpness sensing --data problem.npz --factors L.npy R.npy --estimator xtrace --probes 96
//! ```
//!
//! A subcommand goes through the same stations for every model: its files are read ([`read`]), they
//! pose a problem ([`models`]), the problem is solved or measured ([`recover`], [`sharpness`]), the
//! answer is written ([`write`](mod@write)) and reported ([`report`]).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod args;
pub mod error;
pub mod models;
pub mod read;
pub mod recover;
pub mod report;
pub mod sharpness;
pub mod write;

pub use error::Error;

use args::{Cli, Command};
use clap::Parser;
use models::Models;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// How a run ended, when its input was good.
#[derive(Debug)]
pub enum Ending {
    /// Solved to the tolerance.
    Solved,
    /// Stopped before the tolerance; the best answer was written.
    Stopped,
    /// Solved, but some files could not be written.
    Unwritten(Vec<Error>),
}

/// Exit code for bad input.
const BAD_INPUT: u8 = 2;
/// Exit code of a solve that stopped before its tolerance.
const STOPPED: u8 = 3;

/// Runs the command on its arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args::told_apart(arguments)) {
        Ok(cli) => cli,
        Err(error) => return refuse_or_help(&error),
    };
    match dispatch(&cli.command) {
        Ok(Ending::Solved) => ExitCode::SUCCESS,
        Ok(Ending::Stopped) => ExitCode::from(STOPPED),
        Ok(Ending::Unwritten(errors)) => {
            errors.iter().for_each(complain);
            ExitCode::from(BAD_INPUT)
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn dispatch(command: &Command) -> Result<Ending, Error> {
    match command {
        Command::Recover { model } => match &**model {
            Models::Sensing(task) => recover::measured(&task.files, &task.settings),
            Models::Bilinear(task) => recover::measured(&task.files, &task.settings),
            Models::Completion(task) => recover::completion(&task.files, &task.settings),
            Models::Rpca(task) => recover::split(&task.files, &task.settings),
            Models::Covariance(task) => recover::measured(&task.files, &task.settings),
            Models::QuadNet(task) => recover::measured(&task.files, &task.settings),
            Models::Hadamard(task) => recover::product(&task.files, &task.settings),
        },
        Command::Sharpness { model } => match &**model {
            Models::Sensing(task) => sharpness::run(&task.files, &task.settings),
            Models::Bilinear(task) => sharpness::run(&task.files, &task.settings),
            Models::Completion(task) => sharpness::run(&task.files, &task.settings),
            Models::Rpca(task) => sharpness::split(&task.files, &task.settings),
            Models::Covariance(task) => sharpness::run(&task.files, &task.settings),
            Models::QuadNet(task) => sharpness::run(&task.files, &task.settings),
            Models::Hadamard(task) => sharpness::product(&task.files, &task.settings),
        },
    }
}

/// One line on standard error. That it cannot be written leaves nowhere to say so.
fn complain(error: &Error) {
    let text =
        error.to_string().replace(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c), " ");
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Prints the help that was asked for, or a complaint about the command line.
fn refuse_or_help(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand as Bare;
    if error.use_stderr() && error.kind() != Bare {
        let _ = writeln!(std::io::stderr(), "{}", args::one_line(error));
    } else {
        // A reader that has gone away is no error.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(BAD_INPUT))
}
