//! The command line: `cargo xtask reproduce [EXPERIMENT...] [OPTIONS]`.

use crate::Error;
use crate::spec::Scale;
use std::path::{Path, PathBuf};

/// Text of `--help`.
pub const HELP: &str = "\
Runs the experiments and writes records, figures and a report.

Usage: cargo xtask reproduce [EXPERIMENT...] [OPTIONS]

Without a name every experiment is run; --list shows their names.

Options:
  --scale quick|paper   small grids, a few minutes (quick, the default), or the paper's own
  --jobs N              worker threads; the default is one a core. Results do not depend on it
  --seed S              root seed of all random draws (default 1)
  --out DIR             output directory (default out/reproduce/SCALE, with -seedS for another seed)
  --spec FILE.toml      run a sweep of your own instead; docs: crates/flatmin-lab/src/spec_file.rs
  --data DIR            folder of ratings (.npz); the default is $FLATMIN_DATA, then ../shared/data
  --fresh               discard the records that the output directory holds
  --list                show the experiments and what each must show
  --help                show this

A run that was stopped, however rudely, goes on where it stopped when it is started again.
Exit codes: 0 done, 2 bad usage or a bad sweep, 1 anything else that went wrong.
";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Show [`HELP`].
    Help,
    /// Show the experiments.
    List,
    /// Run experiments.
    Run(Options),
}

/// Options of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Names of experiments; empty for all.
    pub experiments: Vec<String>,
    /// The scale.
    pub scale: Scale,
    /// Worker threads; `None` for one a core.
    pub jobs: Option<usize>,
    /// Root seed.
    pub seed: u64,
    /// Output directory, if not the default.
    pub out: Option<PathBuf>,
    /// A user's own sweep.
    pub spec: Option<PathBuf>,
    /// Folder of ratings, if not the default.
    pub data: Option<PathBuf>,
    /// Whether to discard earlier records.
    pub fresh: bool,
}

/// Root seed unless another is given.
pub const DEFAULT_SEED: u64 = 1;

/// Reads the command line, without the program's name. Values may follow their option or be joined
/// to it by `=`.
///
/// # Errors
/// For unknown options, missing values and values outside their domain.
///
/// ```
/// use flatmin_lab::args::{Command, parse};
/// let words = ["fig3", "--jobs=2", "--seed", "7"].map(str::to_owned);
/// let Command::Run(options) = parse(words)? else { unreachable!() };
/// assert_eq!((options.jobs, options.seed), (Some(2), 7));
/// # Ok::<(), flatmin_lab::Error>(())
/// ```
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Command, Error> {
    let mut options = Options {
        experiments: Vec::new(),
        scale: Scale::Quick,
        jobs: None,
        seed: DEFAULT_SEED,
        out: None,
        spec: None,
        data: None,
        fresh: false,
    };
    let (mut list, mut scaled) = (false, false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (option, mut joined) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = |option: &'static str, rule: &'static str| {
            let next = joined.take().or_else(|| words.next().filter(|w| !w.starts_with("--")));
            next.ok_or(Error::MissingValue { option, rule })
        };
        match option {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => list = true,
            "--fresh" => options.fresh = true,
            "--scale" => {
                let rule = "quick or paper";
                options.scale = match value("--scale", rule)?.as_str() {
                    "quick" => Scale::Quick,
                    "paper" => Scale::Paper,
                    got => {
                        let got = got.to_owned();
                        return Err(Error::BadValue { option: "--scale", rule, got });
                    }
                };
                scaled = true;
            }
            "--jobs" => {
                let rule = "a whole number from 1 to 1024";
                let got = value("--jobs", rule)?;
                let jobs = got.parse().ok().filter(|n| (1..=1024).contains(n));
                options.jobs = Some(jobs.ok_or(Error::BadValue { option: "--jobs", rule, got })?);
            }
            "--seed" => {
                let rule = "a whole number from 0 to 18446744073709551615";
                let got = value("--seed", rule)?;
                let seed = got.parse().ok();
                options.seed = seed.ok_or(Error::BadValue { option: "--seed", rule, got })?;
            }
            "--out" => options.out = Some(value("--out", "a directory")?.into()),
            "--data" => {
                let rule = "a folder of ratings";
                let got = value("--data", rule)?;
                if !Path::new(&got).is_dir() {
                    return Err(Error::BadValue { option: "--data", rule, got });
                }
                options.data = Some(got.into());
            }
            "--spec" => options.spec = Some(value("--spec", "a TOML file")?.into()),
            option if option.starts_with('-') => {
                return Err(Error::UnknownOption { option: option.to_owned() });
            }
            _ => options.experiments.push(word.clone()),
        }
        if joined.is_some() {
            return Err(Error::UnknownOption { option: word });
        }
    }
    if options.spec.is_some() && (scaled || !options.experiments.is_empty()) {
        let first = if scaled { "--scale" } else { "an experiment's name" };
        let why = "a sweep of your own has its own grid";
        return Err(Error::Conflict { first, second: "--spec", why });
    }
    Ok(if list { Command::List } else { Command::Run(options) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_contracts_lines_are_understood() {
        let line = "fig3 nonuniform --scale paper --jobs 2 --seed 7 --out DIR --data . --fresh";
        let expected = Options {
            experiments: vec!["fig3".to_owned(), "nonuniform".to_owned()],
            scale: Scale::Paper,
            jobs: Some(2),
            seed: 7,
            out: Some("DIR".into()),
            spec: None,
            data: Some(".".into()),
            fresh: true,
        };
        assert_eq!(parse_line(line), Ok(Command::Run(expected)));
        assert_eq!(parse_line("--list"), Ok(Command::List));
        assert_eq!(
            parse_line("--jobs 0 --help"),
            Err("--jobs must be a whole number from 1 to 1024, got '0'".to_owned())
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            ("--job 2", "unknown option --job"),
            ("--jobs", "--jobs needs a value"),
            ("--jobs --seed 1", "--jobs needs a value"),
            ("--scale big", "quick or paper, got 'big'"),
            ("--seed -1", "got '-1'"),
            ("--list=yes", "unknown option --list=yes"),
            ("--data nowhere", "a folder of ratings, got 'nowhere'"),
            ("--spec a.toml --scale paper", "own grid"),
            ("fig3 --spec a.toml", "own grid"),
        ] {
            let message = parse_line(line).err().unwrap_or_default();
            assert!(message.contains(part), "'{part}' is not in '{message}'");
        }
    }
}
