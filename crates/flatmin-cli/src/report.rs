//! What the command says about an answer: one JSON object, or a few lines for a reader.

mod curvature;
mod ratings;
mod sparse;

pub use curvature::{Estimated, Largest, Sharpness};
pub use ratings::{RatingReport, Recommended, Trial};

use crate::Error;
use flatmin::core::{Dims, Domain, Objective, Recovery};
use flatmin::rpca::{Decomposition, Form, RobustPca};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// The answer of `flatmin recover`. Numbers that are not finite become `null` in JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the model.
    pub model: &'static str,
    /// `flat` or `nuclear`.
    pub objective_kind: String,
    /// How the solve ended.
    pub status: String,
    /// `|D1 X D2|_*` or `|X|_*`; of a split `|X|_* + lambda sum |Y - X|`, or `|X|_*` under `tau`.
    pub objective: f64,
    /// No matrix that fits has a smaller objective.
    pub lower_bound: f64,
    /// `(objective - lower_bound) / objective`.
    pub relative_gap: f64,
    /// `|A(X) - b| / |b|`, with a noise bound its excess over that; of a split the excess of
    /// `sum |Y - X|` over `tau`.
    pub feasibility: f64,
    /// `delta`, where `|A(X) - b| <= delta` is all that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// `lambda` of the penalised form, or the one that `delta` implies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty: Option<f64>,
    /// Rank of the answer.
    pub rank: usize,
    /// Whether the answer is proved to be the only solution, where that is looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<bool>,
    /// Scaled trace of the Hessian at the factors.
    pub scaled_trace: f64,
    /// Iterations of the solve.
    pub iterations: usize,
    /// Wall time from data in memory to the certified answer.
    pub seconds: f64,
    /// Rows.
    pub d1: usize,
    /// Columns.
    pub d2: usize,
    /// Measurements.
    pub m: usize,
    /// Rows that no measurement depends on.
    pub unidentified_rows: Vec<usize>,
    /// Columns that no measurement depends on.
    pub unidentified_cols: Vec<usize>,
    /// What else to know.
    pub warnings: Vec<String>,
    /// What a split has besides.
    #[serde(flatten)]
    pub split: Option<Split>,
    /// What ratings have besides.
    #[serde(flatten)]
    pub ratings: Option<RatingReport>,
    /// What was solved, for a reader.
    #[serde(skip)]
    headline: String,
    /// What [`Report::unique`] says, where that is the question.
    #[serde(skip)]
    uniqueness: Option<&'static str>,
    /// What a reader calls the numbers.
    #[serde(skip)]
    names: Names,
}

/// What a reader calls the numbers.
#[derive(Debug, Clone, Copy)]
struct Names {
    rank: &'static str,
    trace: &'static str,
    rows: &'static str,
}

impl Default for Names {
    fn default() -> Names {
        Names { rank: "rank", trace: "scaled trace", rows: "rows" }
    }
}

/// The sparse part of a split, and the two programs that it solves.
#[derive(Debug, Clone, Serialize)]
pub struct Split {
    /// Weight of the sparse part in the penalised program.
    pub lambda: f64,
    /// Its absolute sum `sum |Y - X|`: the bound in the constrained program.
    pub tau: f64,
    /// Number of its nonzero entries.
    pub sparse_entries: usize,
}

impl Report {
    /// The report of an answer.
    pub fn of_recovery(model: &'static str, dims: Dims, seconds: f64, answer: &Recovery) -> Report {
        let Dims { rows, cols, measurements } = dims;
        let kind = answer.objective_kind;
        Report {
            model,
            objective_kind: kind.to_string(),
            status: answer.status.to_string(),
            objective: answer.objective,
            lower_bound: answer.lower_bound,
            relative_gap: answer.relative_gap,
            feasibility: answer.feasibility,
            noise: answer.noise,
            penalty: answer.penalty,
            rank: answer.rank,
            unique: Some(answer.unique),
            scaled_trace: answer.scaled_trace,
            iterations: answer.iterations,
            seconds,
            d1: rows,
            d2: cols,
            m: measurements,
            unidentified_rows: answer.unidentified_rows.clone(),
            unidentified_cols: answer.unidentified_cols.clone(),
            warnings: answer.warnings.iter().map(ToString::to_string).collect(),
            split: None,
            ratings: None,
            headline: format!("{kind} solution, {rows} x {cols} from {measurements} measurements"),
            uniqueness: Some(uniqueness(answer)),
            names: Names::default(),
        }
    }

    /// The report of a split; `kind` is what was asked for, and both are the same program.
    pub fn of_split(
        model: &'static str,
        kind: Objective,
        problem: &RobustPca,
        seconds: f64,
        answer: &Decomposition,
    ) -> Report {
        let ((rows, cols), seen) = (problem.shape(), problem.seen_entries());
        let program = match answer.form {
            Form::Penalised { lambda } => format!("at lambda = {}", digits(lambda)),
            Form::Constrained { tau } => format!("at tau = {}", digits(tau)),
        };
        Report {
            model,
            objective_kind: kind.to_string(),
            status: answer.status.to_string(),
            objective: answer.objective,
            lower_bound: answer.lower_bound,
            relative_gap: answer.relative_gap,
            feasibility: answer.feasibility,
            noise: None,
            penalty: None,
            rank: answer.rank,
            unique: None,
            scaled_trace: answer.scaled_trace,
            iterations: answer.iterations,
            seconds,
            d1: rows,
            d2: cols,
            m: seen,
            unidentified_rows: answer.unidentified_rows.clone(),
            unidentified_cols: answer.unidentified_cols.clone(),
            warnings: answer.warnings.iter().map(ToString::to_string).collect(),
            split: Some(Split {
                lambda: answer.lambda,
                tau: answer.tau,
                sparse_entries: answer.sparse_entries(),
            }),
            ratings: None,
            headline: format!("{rows} x {cols}, {seen} entries seen, split {program}"),
            uniqueness: None,
            names: Names::default(),
        }
    }
}

/// Every positive semidefinite matrix that fits quadratic measurements is equally flat, so that
/// the certificate says nothing about which one was planted; that only one fits may.
fn uniqueness(answer: &Recovery) -> &'static str {
    match (answer.domain, answer.objective_kind, answer.unique) {
        (Domain::Semidefinite, Objective::Flat, true) => {
            "proved: no other X >= 0 fits the measurements"
        }
        (Domain::Semidefinite, Objective::Flat, false) => {
            "not proved: another X >= 0 may fit, and would be equally flat"
        }
        (Domain::Semidefinite, Objective::Nuclear, true) => {
            "proved: every other X >= 0 that fits has a larger trace"
        }
        (Domain::Semidefinite, Objective::Nuclear, false) => {
            "not proved: another X >= 0 may fit with the same trace"
        }
        (_, _, true) => "proved: every other matrix that fits has a larger objective",
        (_, _, false) => "not proved",
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.model, self.headline)?;
        writeln!(f, "  status        {}", self.status)?;
        writeln!(f, "  objective     {}", digits(self.objective))?;
        write!(f, "  lower bound   {}", digits(self.lower_bound))?;
        writeln!(f, "  (relative gap {:.1e})", self.relative_gap)?;
        writeln!(f, "  feasibility   {:.1e}", self.feasibility)?;
        if let Some(delta) = self.noise {
            write!(f, "  noise bound   {}", digits(delta))?;
            match self.penalty {
                Some(lambda) => writeln!(f, " (as by a penalty of {})", digits(lambda))?,
                None => writeln!(f)?,
            }
        } else if let Some(lambda) = self.penalty {
            writeln!(f, "  penalty       {}", digits(lambda))?;
        }
        writeln!(f, "  {:<12}  {}", self.names.rank, self.rank)?;
        if let Some(Split { lambda, tau, sparse_entries }) = &self.split {
            let (lambda, tau) = (digits(*lambda), digits(*tau));
            writeln!(f, "  sparse part   {sparse_entries} entries (lambda {lambda}, tau {tau})")?;
        }
        if let Some(uniqueness) = self.uniqueness {
            writeln!(f, "  unique        {uniqueness}")?;
        }
        writeln!(f, "  {:<12}  {}", self.names.trace, digits(self.scaled_trace))?;
        write!(f, "  time          {:.3} s, {} iterations", self.seconds, self.iterations)?;
        if let Some(ratings) = &self.ratings {
            write!(f, "{ratings}")?;
        }
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        for (what, list) in
            [(self.names.rows, &self.unidentified_rows), ("columns", &self.unidentified_cols)]
        {
            if !list.is_empty() {
                let shown: Vec<String> = list.iter().take(10).map(usize::to_string).collect();
                let rest = if list.len() > 10 { ", ..." } else { "" };
                write!(f, "\n  unidentified {what}: {}{rest}", shown.join(", "))?;
            }
        }
        Ok(())
    }
}

/// A number to eleven significant digits.
fn digits(value: f64) -> String {
    significant(value, 11)
}

/// A number to some significant digits.
fn significant(value: f64, count: i32) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        "0".to_owned()
    } else if (1e-4..1e10).contains(&magnitude) {
        let decimals = count - 1 - magnitude.log10().floor() as i32;
        format!("{value:.*}", decimals.max(0) as usize)
    } else {
        format!("{value:.*e}", (count - 1).max(0) as usize)
    }
}

/// Prints a report on standard output, as JSON or for a reader. A reader that has gone away is no
/// error.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(report: &(impl Serialize + fmt::Display), json: bool) -> Result<(), Error> {
    let text = if json {
        serde_json::to_string(report).map_err(io::Error::from)
    } else {
        Ok(report.to_string())
    };
    line(text)
}

/// Prints a line on standard output.
///
/// # Errors
/// As [`print()`].
pub fn line(text: io::Result<String>) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = text.and_then(|text| writeln!(out, "{text}").and_then(|()| out.flush()));
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Io { action: "write", path: "standard output".into(), source: e })
        }
        _ => Ok(()),
    }
}

/// Prints lines on standard error, where standard output is taken. That they cannot be written leaves
/// nowhere to say so.
pub fn aside(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_get_eleven_digits() {
        assert_eq!(digits(1.33166321873), "1.3316632187");
        assert_eq!(digits(0.00437159353153), "0.0043715935315");
        assert_eq!(digits(-12345.678901234), "-12345.678901");
        assert_eq!(digits(9999999999.4), "9999999999.4");
        assert_eq!(digits(-0.0), "0");
        assert_eq!(digits(3e-9), "3.0000000000e-9");
        assert_eq!(digits(f64::NAN), "NaN");
    }
}
