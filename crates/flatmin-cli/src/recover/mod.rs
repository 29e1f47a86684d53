//! `flatmin recover`: read, solve, write, report.

mod completion;
mod measured;
mod product;
mod split;
mod wanted;
mod watch;

pub use completion::run as completion;
pub use measured::run as measured;
pub use product::run as product;
pub use split::run as split;

use crate::report::{self, Report};
use crate::{Ending, Error};
use std::path::Path;

/// What came of writing the answer, a file or folder each.
#[derive(Default)]
struct Written<'a>(Vec<(&'a Path, Result<(), Error>)>);

impl<'a> Written<'a> {
    fn add(&mut self, path: &'a Path, result: Result<(), Error>) {
        self.0.push((path, result));
    }

    /// Reports an answer and where it was written, and says how the run ended.
    fn conclude(self, report: &Report, json: bool, solved: bool) -> Result<Ending, Error> {
        report::print(report, json)?;
        if !json {
            self.list().try_for_each(|line| report::line(Ok(line)))?;
        }
        self.end(solved)
    }

    /// The same, where standard output is taken: on standard error.
    fn conclude_aside(self, report: &Report, solved: bool) -> Result<Ending, Error> {
        report::aside(&report.to_string());
        self.list().for_each(|line| report::aside(&line));
        self.end(solved)
    }

    fn list(&self) -> impl Iterator<Item = String> {
        let written = self.0.iter().filter(|(_, result)| result.is_ok());
        written.map(|(path, _)| format!("  wrote {}", path.display()))
    }

    fn end(self, solved: bool) -> Result<Ending, Error> {
        let results = self.0.into_iter().map(|(_, result)| result);
        let failures: Vec<Error> = results.filter_map(Result::err).collect();
        if !failures.is_empty() {
            return Ok(Ending::Unwritten(failures));
        }
        Ok(if solved { Ending::Solved } else { Ending::Stopped })
    }
}
