//! What can go wrong around an experiment, said so that the reader can mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a run of the laboratory could not start or finish. How a single solve ended is never an
/// error: it is a status in its record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An option that does not exist.
    #[error("unknown option {option}: see --help")]
    UnknownOption {
        /// The option as given.
        option: String,
    },
    /// An option without its value.
    #[error("{option} needs a value: {rule}")]
    MissingValue {
        /// The option.
        option: &'static str,
        /// Its domain in words.
        rule: &'static str,
    },
    /// An option with a value outside its domain.
    #[error("{option} must be {rule}, got '{got}'")]
    BadValue {
        /// The option.
        option: &'static str,
        /// Its domain in words.
        rule: &'static str,
        /// What was given.
        got: String,
    },
    /// Options that contradict each other.
    #[error("{first} and {second} cannot be used together: {why}")]
    Conflict {
        /// One option.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why.
        why: &'static str,
    },
    /// An experiment that does not exist.
    #[error("there is no experiment '{name}'; there are: {known}")]
    UnknownExperiment {
        /// The name as given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A sweep that is not valid TOML, or has keys or types that a sweep does not have.
    #[error("{}: {message}", path.display())]
    SpecSyntax {
        /// The sweep's file.
        path: PathBuf,
        /// Line, column and reason.
        message: String,
    },
    /// A key of a sweep whose value makes no sense.
    #[error("{}: {key} {rule}, got {got}", path.display())]
    Spec {
        /// The sweep's file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What must hold.
        rule: &'static str,
        /// What was given.
        got: String,
    },
    /// The output directory belongs to another run.
    #[error(
        "{} holds the records of another run:{differences}\nnothing was changed; give another \
         directory with --out, or discard what it holds with --fresh",
        dir.display()
    )]
    OtherRun {
        /// The output directory.
        dir: PathBuf,
        /// What differs, a line each.
        differences: Differences,
    },
    /// Another process is writing to the output directory.
    #[error("{} is being written by another run: wait for it, or give another --out", dir.display())]
    Busy {
        /// The output directory.
        dir: PathBuf,
    },
    /// A journal that is not one.
    #[error("{} is not a journal of this version: move it away or use --fresh", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// A data file that does not hold what it should.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Ratings that could not be fitted.
    #[error("cannot fit {data}: {message}")]
    Ratings {
        /// The data set.
        data: &'static str,
        /// What the library said.
        message: String,
    },
    /// A task of a study that could not be performed: a mistake of the program.
    #[error("cannot perform {task}: {message}")]
    Task {
        /// The task.
        task: String,
        /// What the library said.
        message: String,
    },
    /// A record that could not be written as text.
    #[error("cannot write a record: {0}")]
    Record(#[from] csv::Error),
    /// A figure that could not be drawn.
    #[error("cannot draw {figure}: {message}")]
    Figure {
        /// The figure.
        figure: String,
        /// What the drawing library said.
        message: String,
    },
    /// The worker threads could not be started.
    #[error("cannot start {jobs} worker threads: {message}; use a smaller --jobs")]
    Threads {
        /// How many were asked for.
        jobs: usize,
        /// What the system said.
        message: String,
    },
}

impl Error {
    /// Names the file in an error of the system.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }
}

/// Settings that differ between two runs: name, what the directory has, what this run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences(pub Vec<(String, String, String)>);

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, there, here) in &self.0 {
            write!(f, "\n  {name}: {there} there, {here} in this run")?;
        }
        Ok(())
    }
}
