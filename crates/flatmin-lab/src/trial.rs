//! One trial: draw a planted problem, solve it with each objective, compare with the truth.

use crate::record::{Record, SUCCESS, Timed};
use crate::regularity::Regularity;
use crate::runner::Draw;
use crate::spec::{Objective, Sampling};
use crate::{noisy, robust, scattered};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{self, Domain, Error, LinearMap, Mat, Measured, Program, Recovery, Rescaling};
use flatmin::{bilinear, completion, covariance, quadnet, sensing};
use std::time::Instant;

/// Status of a draw in which no entry was sampled: a failure to recover, not an error.
pub const NOTHING_SAMPLED: &str = "nothing sampled";

/// Status of an objective that the cell's model does not have.
pub(crate) const NOT_OF_THIS_MODEL: &str = "error: not an objective of this model";

/// A drawn problem.
pub(crate) struct Planted {
    problem: Problem,
    pub(crate) truth: Mat<f64>,
}

/// The problem of a model.
enum Problem {
    Sensing(sensing::Sensing),
    Bilinear(bilinear::Bilinear),
    Completion(completion::Completion),
    Covariance(covariance::Covariance),
    Quadnet(quadnet::QuadNet),
}

impl Planted {
    pub(crate) fn draw(draw: &Draw<'_>) -> Result<Planted, Error> {
        let (family, key) = draw.cell.key();
        let stream = |role| Stream::new(draw.seed, family, key, u64::from(draw.trial), role);
        let (mut truth, mut data) = (stream(Role::Truth), stream(Role::Measurements));
        let (rows, cols, rank) = (draw.cell.rows, draw.cell.cols, draw.cell.rank);
        let (t, d) = (&mut truth, &mut data);
        let (problem, truth) = match draw.cell.sampling {
            Sampling::Gaussian { measurements } => {
                let planted = sensing::Planted::gaussian(rows, cols, rank, measurements, t, d)?;
                (Problem::Sensing(planted.problem), planted.truth)
            }
            Sampling::Bilinear { measurements } => {
                let planted = bilinear::Planted::gaussian(rows, cols, rank, measurements, t, d)?;
                (Problem::Bilinear(planted.problem), planted.truth)
            }
            Sampling::Covariance { measurements } => {
                let planted = covariance::Planted::gaussian(rows, rank, measurements, t, d)?;
                (Problem::Covariance(planted.problem), planted.truth)
            }
            Sampling::Quadnet { measurements, negative } => {
                let positive = rank.saturating_sub(negative);
                let planted =
                    quadnet::Planted::gaussian(rows, positive, negative, measurements, t, d)?;
                (Problem::Quadnet(planted.problem), planted.truth)
            }
            Sampling::Bernoulli { p } => {
                let planted = completion::Planted::bernoulli(rows, cols, rank, p.value(), t, d)?;
                (Problem::Completion(planted.problem), planted.truth)
            }
            Sampling::PowerLaw { entries, exponent } => {
                let (entries, exponent) = (entries as f64, exponent.value());
                let planted =
                    completion::Planted::power_law(rows, cols, rank, entries, exponent, t, d)?;
                (Problem::Completion(planted.problem), planted.truth)
            }
            Sampling::Scattered { .. } | Sampling::Corrupted { .. } => {
                let (rule, got) =
                    ("of measurements of a matrix that is formed", draw.cell.to_string());
                return Err(Error::Parameter { name: "the cell", rule, got });
            }
        };
        Ok(Planted { problem, truth })
    }

    pub(crate) fn posed(&self) -> Posed<'_> {
        match &self.problem {
            Problem::Sensing(problem) => Posed::from(&**problem),
            Problem::Bilinear(problem) => Posed::from(&**problem),
            Problem::Completion(problem) => Posed::from(&**problem),
            Problem::Covariance(problem) => Posed::from(&**problem),
            Problem::Quadnet(problem) => Posed::from(&**problem),
        }
    }
}

/// A problem of any model.
#[derive(Clone, Copy)]
pub(crate) struct Posed<'a> {
    map: &'a dyn LinearMap,
    pub(crate) targets: &'a [f64],
    domain: Domain,
}

impl<'a, M: LinearMap> From<&'a Measured<M>> for Posed<'a> {
    fn from(problem: &'a Measured<M>) -> Posed<'a> {
        Posed { map: problem.map(), targets: problem.targets(), domain: problem.domain() }
    }
}

impl<'a> Posed<'a> {
    /// The same measurements with other targets.
    pub(crate) fn with_targets(self, targets: &'a [f64]) -> Posed<'a> {
        Posed { targets, ..self }
    }

    pub(crate) fn program(self, objective: core::Objective) -> Program<'a> {
        Program::new(self.map, self.targets, objective).over(self.domain)
    }

    pub(crate) fn kappa(self) -> Result<f64, Error> {
        Rescaling::new(self.map)?.kappa()
    }

    /// `sum_i |x_i|^2 y_i / (m d)` for measurements `x_i^T X x_i` over `X >= 0`.
    ///
    /// `|x_i|^2` is the norm of `x_i x_i^T`.
    fn common_value(self) -> Option<f64> {
        let dims = self.map.dims();
        let unit = dims.measurements as f64 * dims.rows as f64;
        let norms = self.map.norms();
        let sum: f64 = norms.iter().zip(self.targets).map(|(norm, y)| norm * y).sum();
        (self.domain == Domain::Semidefinite).then_some(sum / unit)
    }
}

/// Runs one draw; whatever happens is in the records.
pub fn run(draw: &Draw<'_>) -> Vec<Timed> {
    match draw.cell.sampling {
        Sampling::Corrupted { .. } => return robust::run(draw),
        Sampling::Scattered { .. } => return scattered::run(draw),
        _ => {}
    }
    if draw.cell.noise.0 > 0 {
        return noisy::run(draw);
    }
    let planted = Planted::draw(draw);
    let posed = planted.as_ref().ok().map(Planted::posed);
    let kappa = posed.and_then(|p| p.kappa().ok());
    let common_value = posed.and_then(Posed::common_value);
    let mut rows = each_objective(draw, &planted, |planted, objective, mut record| {
        record.kappa = kappa;
        record.common_value = common_value;
        let Some(goal) = objective.linear() else { return refused(record) };
        let posed = planted.posed();
        record.m = posed.targets.len();
        let program = posed.program(goal).tolerance(draw.sweep.tolerance);
        let clock = Instant::now();
        let answer = program.solve();
        let seconds = clock.elapsed().as_secs_f64();
        match answer {
            Ok(answer) => {
                let error = (answer.matrix() - &planted.truth).norm_l2();
                fill(&mut record, &answer, error);
            }
            Err(e) => record.status = failure(&e),
        }
        Timed::new(record, seconds)
    });
    compare(&mut rows);
    rows
}

/// The record of each objective of a draw, as `solve` fills it in; a draw that failed is said in all.
pub(crate) fn each_objective<P>(
    draw: &Draw<'_>,
    planted: &Result<P, Error>,
    mut solve: impl FnMut(&P, Objective, Record) -> Timed,
) -> Vec<Timed> {
    let row = |&objective: &Objective| {
        let mut record = Record::blank(&draw.sweep.id, &draw.cell, draw.trial, objective);
        record.seed = draw.seed;
        record.tolerance = draw.sweep.tolerance;
        match planted {
            Ok(planted) => return solve(planted, objective, record),
            Err(Error::Empty { .. }) => record.status = NOTHING_SAMPLED.to_owned(),
            Err(e) => record.status = failure(e),
        }
        Timed::new(record, 0.0)
    };
    draw.sweep.objectives.iter().map(row).collect()
}

/// The record of an objective that the cell's model does not have.
pub(crate) fn refused(mut record: Record) -> Timed {
    record.status = NOT_OF_THIS_MODEL.to_owned();
    Timed::new(record, 0.0)
}

/// An error as a status; a record is one line.
pub(crate) fn failure(error: &Error) -> String {
    format!("error: {error}").replace(['\n', '\r'], " ")
}

pub(crate) fn fill(record: &mut Record, answer: &Recovery, error: f64) {
    record.status = answer.status.to_string();
    record.certified = answer.status.is_certified();
    record.value = Some(answer.objective);
    record.lower_bound = Some(answer.lower_bound);
    record.relative_gap = Some(answer.relative_gap);
    record.feasibility = Some(answer.feasibility);
    record.rank_found = Some(answer.rank);
    record.unique = Some(answer.unique);
    record.error = Some(error);
    record.success = error < SUCCESS;
    record.iterations = answer.iterations;
    record.scaled_trace = Some(answer.scaled_trace);
    if answer.domain != Domain::General {
        return;
    }
    let (l, r) = answer.factors();
    if let Ok(found) = Regularity::of(l, r) {
        record.factor_norm = Some(found.factor_norm);
        record.imbalance = Some(found.imbalance);
        record.imbalance_frobenius = Some(found.imbalance_frobenius);
        record.imbalance_relative =
            (found.factor_norm > 0.0).then_some(found.imbalance / found.factor_norm);
    }
}

/// Sets the norm of FLAT's factors beside the least that NUC found on the same draw.
fn compare(rows: &mut [Timed]) {
    let nuclear = rows.iter().find(|row| row.record.objective == Objective::Nuclear);
    let Some(least) = nuclear.and_then(|row| row.record.value).map(|value| 2.0 * value) else {
        return;
    };
    for Timed { record, .. } in rows {
        let Some(norm) = record.factor_norm.filter(|_| record.objective == Objective::Flat) else {
            continue;
        };
        record.least_norm = Some(least);
        record.norm_excess = Some(norm - least);
        record.norm_excess_relative = (least > 0.0).then_some((norm - least) / least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Cell, Sweep};

    /// The records of one draw of a cell.
    fn records(sampling: Sampling, rank: usize) -> Vec<Record> {
        let cell = Cell::exact(12, 12, rank, sampling);
        let sweep = Sweep {
            id: "x".to_owned(),
            title: String::new(),
            objectives: vec![Objective::Flat, Objective::Nuclear],
            cells: vec![cell],
            trials: 1,
            tolerance: 1e-8,
            alone: false,
        };
        let rows = run(&Draw { sweep: &sweep, cell, trial: 0, seed: 3 });
        rows.into_iter().map(|row| row.record).collect()
    }

    #[test]
    fn every_model_is_recovered_from_enough_measurements() {
        for (sampling, rank) in [
            (Sampling::Gaussian { measurements: 110 }, 2),
            (Sampling::Bilinear { measurements: 120 }, 2),
            (Sampling::Covariance { measurements: 70 }, 2),
            (Sampling::Quadnet { measurements: 76, negative: 1 }, 3),
        ] {
            for record in records(sampling, rank) {
                assert!(record.certified && record.success, "{record:?}");
                assert_eq!(record.rank_found, Some(rank));
                assert_eq!(record.kappa.map(f64::is_finite), Some(true));
                let symmetric = record.model.is_symmetric();
                assert_eq!(record.factor_norm.is_none(), symmetric);
                let semidefinite = matches!(sampling, Sampling::Covariance { .. });
                assert_eq!(record.common_value.is_some(), semidefinite);
            }
        }
    }

    #[test]
    fn flat_factors_are_within_the_bounds_and_not_norm_minimal() {
        let sampling = Sampling::Bilinear { measurements: 120 };
        let [flat, nuclear] = records(sampling, 2).try_into().unwrap();
        assert!(flat.norm_excess_relative > Some(1e-6) && flat.imbalance_relative > Some(1e-6));
        assert!(flat.imbalance_frobenius <= flat.imbalance);
        let used = crate::regularity::bounds_used(&flat).unwrap();
        assert!(used.iter().all(|&u| u > 0.0 && u < 1.0), "{used:?}");
        // Those of the nuclear norm are both, to rounding.
        assert_eq!(nuclear.norm_excess, None);
        assert!(nuclear.imbalance_relative < Some(1e-12));
        let (norm, value) = (nuclear.factor_norm.unwrap(), nuclear.value.unwrap());
        assert!((norm - 2.0 * value).abs() < 1e-10 * norm);
    }

    #[test]
    fn semidefinite_matrices_that_fit_are_equally_flat() {
        // Too few to single one out.
        for record in records(Sampling::Covariance { measurements: 20 }, 2) {
            let common = record.common_value.unwrap();
            assert!((record.scaled_trace.unwrap() / 8.0 - common).abs() < 1e-7 * common);
            assert!(!record.success && record.unique == Some(false), "{record:?}");
        }
    }
}
