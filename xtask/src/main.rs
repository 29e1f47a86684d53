//! `cargo xtask`: the project's own commands. It needs cargo and rustc only, and links no part of
//! flatmin, so that it builds in seconds.

mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Usage: cargo xtask COMMAND

  reproduce [EXPERIMENT...] [OPTIONS]   run the experiments: records, figures, report (--help)
  tidy                                  check the crate floors and the house rules
  ci                                    everything that must pass: the same as .ci/run
  doc                                   build the documentation, warnings denied
";

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let command = words.next();
    let rest: Vec<String> = words.collect();
    let known = matches!(command.as_deref(), Some("tidy" | "ci" | "doc"));
    if known && !rest.is_empty() {
        return usage(&format!("unexpected argument '{}'", rest.join(" ")));
    }
    match command.as_deref() {
        Some("reproduce") => reproduce(&rest),
        Some("tidy") => match tidy::run(&root()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(message) => {
                eprintln!("error: {message}");
                ExitCode::from(1)
            }
        },
        Some("ci") => run(Command::new(root().join(".ci").join("run"))),
        Some("doc") => {
            let mut cargo = cargo(&["doc", "--workspace", "--no-deps"]);
            cargo.env("RUSTDOCFLAGS", "-D warnings");
            run(cargo)
        }
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Some(other) => usage(&format!("unknown command '{other}'")),
        None => usage("a command is needed"),
    }
}

/// Runs the laboratory where the user is, so that relative paths mean what they say.
fn reproduce(rest: &[String]) -> ExitCode {
    let mut cargo = cargo(&["run", "--release", "--package", "flatmin-lab", "--"]);
    cargo.args(rest);
    run(cargo)
}

fn usage(problem: &str) -> ExitCode {
    eprint!("error: {problem}\n\n{HELP}");
    ExitCode::from(2)
}

/// The cargo that runs this program.
fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words);
    command
}

/// Runs a command and passes its exit code through.
fn run(mut command: Command) -> ExitCode {
    match command.status() {
        // A command that a signal stopped has no code.
        Ok(status) => status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::from(1), ExitCode::from),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", command.get_program().to_string_lossy());
            ExitCode::from(1)
        }
    }
}

/// The workspace, one above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
