//! Estimators of traces: error against products, beside the exact value, and whether their error bars hold.
//!
//! Six operators of known trace are shown to every estimator as black boxes, with budgets that double, and
//! until tolerances are met. A draw is a seed: all estimators of an operator have the same seeds, and so
//! may be compared in pairs.

mod journal;
pub mod operators;
pub mod summary;

use crate::Error;
use crate::progress::Progress;
use crate::record::finish;
use crate::spec::Scale;
use flatmin::core::flatness::{Estimator, Method, Probes};
use operators::{Built, Operator};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// Products that may be spent, from the least.
pub const BUDGETS: [usize; 5] = [24, 48, 96, 192, 384];

/// Products that XNysTrace has as well, beyond the rank of the smaller Hessian, 576.
const BEYOND: usize = 600;

/// Relative errors at which to stop.
pub const TOLERANCES: [f64; 2] = [1e-2, 1e-3];

/// Most products of a run to a tolerance.
pub const LIMIT: usize = 384;

/// Of the exact trace: no error below it counts, since the trace itself is rounded.
pub const ROUNDING: f64 = 1e-12;

/// Draws of an operator.
pub fn trials(scale: Scale) -> u32 {
    match scale {
        Scale::Quick => 20,
        Scale::Paper => 200,
    }
}

/// An estimator as it is compared: its method, and whether the operator's mean over the measurements is a
/// control variate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    /// The method.
    pub method: Method,
    /// Whether there is a control variate.
    pub control: bool,
}

impl Contender {
    /// All without a control variate, then those with one.
    pub const ALL: [Contender; 9] = [
        Contender::plain(Method::Hutchinson(Probes::Rademacher)),
        Contender::plain(Method::Hutchinson(Probes::Sphere)),
        Contender::plain(Method::Orthogonal),
        Contender::plain(Method::HutchPlusPlus),
        Contender::plain(Method::XTrace),
        Contender::plain(Method::XNysTrace),
        Contender::plain(Method::Auto),
        Contender { method: Method::Hutchinson(Probes::Rademacher), control: true },
        Contender { method: Method::XNysTrace, control: true },
    ];

    /// A method on its own.
    pub const fn plain(method: Method) -> Contender {
        Contender { method, control: false }
    }

    /// Those that can be had for an operator.
    pub fn of(operator: Operator) -> impl Iterator<Item = Contender> {
        Contender::ALL.into_iter().filter(move |c| operator.is_hessian() || !c.control)
    }

    /// For the reader.
    pub fn name(self) -> String {
        let control = if self.control { " with control" } else { "" };
        format!("{}{control}", self.method)
    }
}

/// One estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The operator.
    pub operator: Operator,
    /// Its order.
    pub n: usize,
    /// The estimator.
    pub estimator: String,
    /// Whether the operator's mean over the measurements is a control variate.
    pub control: bool,
    /// Products that may be spent; empty for a run to a tolerance.
    pub matvecs: Option<usize>,
    /// Relative error at which to stop.
    pub tolerance: Option<f64>,
    /// Products that were spent.
    pub spent: Option<usize>,
    /// What the estimator decided for.
    pub method: String,
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// The estimate.
    pub value: Option<f64>,
    /// The trace.
    pub exact: f64,
    /// `(value - exact) / |exact|`.
    pub relative_error: Option<f64>,
    /// Standard error relative to the trace.
    pub relative_std_err: Option<f64>,
    /// Whether the error is at most two standard errors, or rounding.
    pub covered: bool,
    /// Relative standard deviation that theory gives one probe of random signs.
    pub deviation: f64,
    /// Number of the draw, from 0.
    pub trial: u32,
    /// Seed of the probes.
    pub seed: u64,
    /// Why there is no estimate.
    pub failure: String,
    /// Version of flatmin.
    pub version: String,
}

impl Row {
    /// Whether it is of this estimator.
    pub fn is_of(&self, contender: Contender) -> bool {
        self.estimator == contender.method.name() && self.control == contender.control
    }

    /// Size of the relative error, infinite where there is no estimate.
    pub fn error(&self) -> f64 {
        self.relative_error.map_or(f64::INFINITY, f64::abs)
    }
}

/// An estimate with its seconds, one thread's wall time.
pub type Timed = (Row, f64);

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Estimates in the order of operators, draws, estimators and budgets.
    pub rows: Vec<Timed>,
}

impl Outcome {
    /// The estimates of an estimator for an operator.
    pub fn of(&self, operator: Operator, contender: Contender) -> impl Iterator<Item = &Row> {
        let rows = self.rows.iter().map(|(row, _)| row);
        rows.filter(move |row| row.operator == operator && row.is_of(contender))
    }

    /// The same with a budget, in the order of draws.
    pub fn at(&self, operator: Operator, contender: Contender, matvecs: usize) -> Vec<&Row> {
        self.of(operator, contender).filter(|row| row.matvecs == Some(matvecs)).collect()
    }

    /// The budgets of an operator.
    pub fn budgets(&self, operator: Operator) -> Vec<usize> {
        let rows = self.rows.iter().filter(|(row, _)| row.operator == operator);
        let mut budgets: Vec<usize> = rows.filter_map(|(row, _)| row.matvecs).collect();
        budgets.sort_unstable();
        budgets.dedup();
        budgets
    }

    /// The records as CSV with a header.
    ///
    /// # Errors
    /// None for estimates that were made.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (row, _) in &self.rows {
            writer.serialize(row)?;
        }
        finish(writer)
    }

    /// The seconds of each estimate as CSV with a header.
    ///
    /// # Errors
    /// None for estimates that were made.
    pub fn timings_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names =
            ["operator", "estimator", "control", "matvecs", "tolerance", "trial", "seconds"];
        writer.write_record(names)?;
        for (row, seconds) in &self.rows {
            let Row { operator, estimator, control, matvecs, tolerance, trial, .. } = row;
            writer.serialize((operator, estimator, control, matvecs, tolerance, trial, seconds))?;
        }
        finish(writer)
    }
}

/// One estimate to be made.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ask {
    contender: Contender,
    matvecs: Option<usize>,
    tolerance: Option<f64>,
}

/// The estimates of a draw.
fn asks(operator: Operator) -> Vec<Ask> {
    let mut asks = Vec::new();
    for contender in Contender::of(operator) {
        let ask = Ask { contender, matvecs: None, tolerance: None };
        asks.extend(BUDGETS.map(|m| Ask { matvecs: Some(m), ..ask }));
        if operator == Operator::Interpolating && contender == Contender::plain(Method::XNysTrace) {
            asks.push(Ask { matvecs: Some(BEYOND), ..ask });
        }
        if !contender.control {
            asks.extend(TOLERANCES.map(|t| Ask { tolerance: Some(t), ..ask }));
        }
    }
    asks
}

/// How many estimates a run makes.
pub fn estimates(scale: Scale) -> usize {
    let asked: usize = Operator::ALL.iter().map(|&operator| asks(operator).len()).sum();
    asked * trials(scale) as usize
}

/// Seed of the probes of a draw.
fn probe_seed(seed: u64, operator: Operator, trial: u32) -> u64 {
    let run = seed.wrapping_mul(8).wrapping_add(operator as u64);
    run.wrapping_mul(1 << 20).wrapping_add(u64::from(trial))
}

/// Makes the estimates that the journal lacks, and returns all of them.
///
/// # Errors
/// When the journal cannot be used, or the workers cannot be started.
pub fn run(
    path: &Path,
    (scale, seed, jobs): (Scale, u64, usize),
    progress: &Progress,
) -> Result<Outcome, Error> {
    measure(path, &Operator::ALL, trials(scale), (scale, seed, jobs), progress)
}

/// The same for some of the operators and so many draws.
///
/// # Errors
/// As [`run`].
pub fn measure(
    path: &Path,
    operators: &[Operator],
    trials: u32,
    (scale, seed, jobs): (Scale, u64, usize),
    progress: &Progress,
) -> Result<Outcome, Error> {
    let mut found = journal::open(path)?;
    let lock = Mutex::new(());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|e| Error::Threads { jobs, message: e.to_string() })?;
    let mut rows = Vec::new();
    for &operator in operators {
        let mut draws: Vec<Option<Vec<Timed>>> =
            (0..trials).map(|trial| found.remove(&(operator, trial))).collect();
        let missing = draws.iter().filter(|draw| draw.is_none()).count();
        if missing > 0 {
            let clock = Instant::now();
            // One operator at a time: the largest is a matrix of 32 MB.
            let built = operator.build(scale, seed);
            let fill = |(trial, slot): (usize, &mut Option<Vec<Timed>>)| {
                if slot.is_some() {
                    return Ok(());
                }
                let draw = draw(operator, &built, (seed, trial as u32));
                let _held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                journal::append(path, &draw)?;
                *slot = Some(draw);
                Ok::<(), Error>(())
            };
            pool.install(|| draws.par_iter_mut().enumerate().with_max_len(1).try_for_each(fill))?;
            let seconds = clock.elapsed().as_secs_f64();
            progress.note(&format!("{}: {missing} draws, {seconds:.1} s", operator.name()));
        }
        rows.extend(draws.into_iter().flatten().flatten());
    }
    Ok(Outcome { rows })
}

/// All estimates of a draw.
fn draw(operator: Operator, built: &Built, (seed, trial): (u64, u32)) -> Vec<Timed> {
    let seed = probe_seed(seed, operator, trial);
    let estimate = |ask: Ask| {
        let Contender { method, control } = ask.contender;
        let mut estimator = Estimator::new(method).seed(seed).matvecs(ask.matvecs.unwrap_or(LIMIT));
        estimator.tolerance = ask.tolerance;
        let clock = Instant::now();
        let estimate = match built.control.as_ref().filter(|_| control) {
            Some(control) => estimator.trace_with_control(built.operator.as_ref(), control),
            None => estimator.trace(built.operator.as_ref()),
        };
        let seconds = clock.elapsed().as_secs_f64();
        let exact = built.trace;
        let mut row = Row {
            operator,
            n: built.operator.order(),
            estimator: method.name().to_owned(),
            control,
            matvecs: ask.matvecs,
            tolerance: ask.tolerance,
            spent: None,
            method: String::new(),
            converged: false,
            value: None,
            exact,
            relative_error: None,
            relative_std_err: None,
            covered: false,
            deviation: built.deviation,
            trial,
            seed,
            failure: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        match estimate {
            Ok(found) => {
                let error = found.value - exact;
                row.spent = Some(found.matvecs);
                row.method = found.method.name().to_owned();
                row.converged = found.converged;
                row.value = Some(found.value);
                row.relative_error = Some(error / exact.abs());
                row.relative_std_err = Some(found.std_err / exact.abs());
                row.covered = error.abs() <= 2.0 * found.std_err + ROUNDING * exact.abs();
            }
            Err(error) => row.failure = error.to_string(),
        }
        (row, seconds)
    };
    asks(operator).into_iter().map(estimate).collect()
}

#[cfg(test)]
impl Row {
    /// An estimate with this relative error, for tests of what is made of it.
    pub(crate) fn blank(relative_error: f64) -> Row {
        Row {
            operator: Operator::Interpolating,
            n: 800,
            estimator: Method::XNysTrace.name().to_owned(),
            control: false,
            matvecs: Some(96),
            tolerance: None,
            spent: Some(96),
            method: Method::XNysTrace.name().to_owned(),
            converged: true,
            value: Some(1.0 + relative_error),
            exact: 1.0,
            relative_error: Some(relative_error),
            relative_std_err: Some(0.01),
            covered: true,
            deviation: 0.04,
            trial: 0,
            seed: 0,
            failure: String::new(),
            version: String::new(),
        }
    }
}
