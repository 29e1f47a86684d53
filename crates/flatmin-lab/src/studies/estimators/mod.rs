//! Estimators of traces: error against products, beside the exact value, and whether their error bars hold.
//!
//! Six operators of known trace are shown to every estimator as black boxes, with budgets that double, and
//! until tolerances are met. A draw is a seed: all estimators of an operator have the same seeds, and so
//! may be compared in pairs.

mod claims;
mod figure;
pub mod operators;
mod report;
pub mod summary;

use crate::Error;
use crate::claims::Claim;
use crate::figure::{Figure, finished};
use crate::spec::Scale;
use crate::study::{About, Evidence, Study};
use flatmin::core::flatness::{Estimator, Method, Probes};
use operators::{Built, Operator};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

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

/// Rows as estimates, in the order of operators, draws, estimators and budgets.
#[derive(Debug, Clone, Copy)]
pub struct Estimates<'a>(pub &'a [Row]);

impl<'a> Estimates<'a> {
    /// The first of an operator.
    fn first(self, operator: Operator) -> Option<&'a Row> {
        self.0.iter().find(|row| row.operator == operator)
    }

    /// The estimates of an estimator for an operator.
    pub fn of(self, operator: Operator, contender: Contender) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |row| row.operator == operator && row.is_of(contender))
    }

    /// The same with a budget, in the order of draws.
    pub fn at(self, operator: Operator, contender: Contender, matvecs: usize) -> Vec<&'a Row> {
        self.of(operator, contender).filter(|row| row.matvecs == Some(matvecs)).collect()
    }

    /// The budgets of an operator.
    pub fn budgets(self, operator: Operator) -> Vec<usize> {
        let rows = self.0.iter().filter(|row| row.operator == operator);
        let mut budgets: Vec<usize> = rows.filter_map(|row| row.matvecs).collect();
        budgets.sort_unstable();
        budgets.dedup();
        budgets
    }
}

impl Evidence for Row {
    fn claims(rows: &[Row]) -> Vec<Claim> {
        claims::of(Estimates(rows))
    }

    fn figures(rows: &[Row]) -> Result<Vec<Figure>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let estimates = Estimates(rows);
        Ok(vec![
            finished("estimators".to_owned(), figure::errors(estimates))?,
            finished("estimators-coverage".to_owned(), figure::coverage(estimates))?,
        ])
    }

    fn caption(figure: &Figure) -> &'static str {
        report::caption(figure)
    }

    fn write(rows: &[Row], page: &mut String) {
        report::write(page, Estimates(rows));
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

/// Seed of the probes of a draw.
fn probe_seed(seed: u64, operator: Operator, trial: u32) -> u64 {
    let run = seed.wrapping_mul(8).wrapping_add(operator as u64);
    run.wrapping_mul(1 << 20).wrapping_add(u64::from(trial))
}

/// All estimates of an operator from one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    operator: Operator,
    scale: Scale,
    trial: u32,
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Draw { operator, scale, trial } = self;
        write!(f, "{operator:?} of order {}: draw {trial}", operator.order(*scale))
    }
}

/// On which an operator depends.
type Key = (Operator, Scale, u64);

/// The study: operators, and how many draws of each.
#[derive(Default)]
pub struct Estimators {
    /// Some of the operators and so many draws, in place of all.
    pub only: Option<(Vec<Operator>, u32)>,
    built: Mutex<HashMap<Key, Arc<OnceLock<Built>>>>,
}

impl Estimators {
    /// Only these operators, and so many draws of each.
    pub fn only(operators: &[Operator], trials: u32) -> Estimators {
        Estimators { only: Some((operators.to_vec(), trials)), ..Estimators::default() }
    }

    /// The operator, built once for all its draws.
    fn built(&self, draw: &Draw, seed: u64) -> Arc<OnceLock<Built>> {
        let key = (draw.operator, draw.scale, seed);
        // A poisoned lock only says that another worker panicked; the map is still whole.
        let mut built = self.built.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Arc::clone(built.entry(key).or_default())
    }
}

impl Study for Estimators {
    type Task = Draw;
    type Row = Row;
    const ABOUT: About = About {
        id: "estimators",
        title: "Estimators of traces: error against products with the operator",
        must_show: "error bars hold; the automatic choice is within 1.3 of the best estimator at every \
                    budget; XNysTrace is at least as good as orthogonal probes, and exact beyond the rank; \
                    runs to a tolerance end within it",
    };

    fn tasks(&self, scale: Scale) -> Vec<Draw> {
        let all = || (Operator::ALL.to_vec(), trials(scale));
        let (operators, trials) = self.only.clone().unwrap_or_else(all);
        let draws = |operator| (0..trials).map(move |trial| Draw { operator, scale, trial });
        operators.into_iter().flat_map(draws).collect()
    }

    fn perform(&self, draw: &Draw, seed: u64) -> Result<Vec<Row>, Error> {
        let built = self.built(draw, seed);
        let built = built.get_or_init(|| draw.operator.build(draw.scale, seed));
        Ok(estimates(draw.operator, built, (seed, draw.trial)))
    }

    fn extent(&self, scale: Scale) -> String {
        let estimates: usize = self.tasks(scale).iter().map(|draw| asks(draw.operator).len()).sum();
        let (operators, trials) = (Operator::ALL.len(), trials(scale));
        format!("{operators} operators, {trials} draws each, {estimates} estimates")
    }
}

/// All estimates of a draw.
fn estimates(operator: Operator, built: &Built, (seed, trial): (u64, u32)) -> Vec<Row> {
    let seed = probe_seed(seed, operator, trial);
    let estimate = |ask: Ask| {
        let Contender { method, control } = ask.contender;
        let mut estimator = Estimator::new(method).seed(seed).matvecs(ask.matvecs.unwrap_or(LIMIT));
        estimator.tolerance = ask.tolerance;
        let estimate = match built.control.as_ref().filter(|_| control) {
            Some(control) => estimator.trace_with_control(built.operator.as_ref(), control),
            None => estimator.trace(built.operator.as_ref()),
        };
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
        row
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
