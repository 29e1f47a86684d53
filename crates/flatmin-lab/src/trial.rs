//! One trial: draw a planted problem, solve it with each objective, compare with the truth.

use crate::record::{Record, SUCCESS, Timed};
use crate::runner::Draw;
use crate::spec::Sampling;
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{Error, Mat, Objective, Program, Recovery};
use flatmin::{completion, sensing};
use std::time::Instant;

/// Status of a draw in which no entry was sampled: a failure to recover, not an error.
pub const NOTHING_SAMPLED: &str = "nothing sampled";

/// A drawn problem of either model.
enum Planted {
    Sensing(sensing::Planted),
    Completion(completion::Planted),
}

impl Planted {
    fn draw(draw: &Draw<'_>) -> Result<Planted, Error> {
        let (family, key) = draw.cell.key();
        let stream = |role| Stream::new(draw.seed, family, key, u64::from(draw.trial), role);
        let (mut truth, mut data) = (stream(Role::Truth), stream(Role::Measurements));
        let (rows, cols, rank) = (draw.cell.rows, draw.cell.cols, draw.cell.rank);
        match draw.cell.sampling {
            Sampling::Gaussian { measurements } => {
                sensing::Planted::gaussian(rows, cols, rank, measurements, &mut truth, &mut data)
                    .map(Planted::Sensing)
            }
            Sampling::Bernoulli { p } => {
                completion::Planted::bernoulli(rows, cols, rank, p.value(), &mut truth, &mut data)
                    .map(Planted::Completion)
            }
            Sampling::PowerLaw { entries, exponent } => completion::Planted::power_law(
                rows,
                cols,
                rank,
                entries as f64,
                exponent.value(),
                &mut truth,
                &mut data,
            )
            .map(Planted::Completion),
        }
    }

    fn truth(&self) -> &Mat<f64> {
        match self {
            Planted::Sensing(planted) => &planted.truth,
            Planted::Completion(planted) => &planted.truth,
        }
    }

    fn measurements(&self) -> usize {
        match self {
            Planted::Sensing(planted) => planted.problem.targets().len(),
            Planted::Completion(planted) => planted.problem.targets().len(),
        }
    }

    fn kappa(&self) -> Result<f64, Error> {
        match self {
            Planted::Sensing(planted) => planted.problem.rescaling()?.kappa(),
            Planted::Completion(planted) => planted.problem.rescaling()?.kappa(),
        }
    }

    fn program(&self, objective: Objective) -> Program<'_> {
        match (self, objective) {
            (Planted::Sensing(planted), Objective::Flat) => planted.problem.flat(),
            (Planted::Sensing(planted), Objective::Nuclear) => planted.problem.nuclear(),
            (Planted::Completion(planted), Objective::Flat) => planted.problem.flat(),
            (Planted::Completion(planted), Objective::Nuclear) => planted.problem.nuclear(),
        }
    }
}

/// Runs one draw; whatever happens is in the records.
pub fn run(draw: &Draw<'_>) -> Vec<Timed> {
    let planted = Planted::draw(draw);
    let kappa = planted.as_ref().ok().and_then(|p| p.kappa().ok());
    draw.sweep
        .objectives
        .iter()
        .map(|&objective| {
            let mut record = Record::blank(&draw.sweep.id, &draw.cell, draw.trial, objective);
            record.seed = draw.seed;
            record.tolerance = draw.sweep.tolerance;
            record.kappa = kappa;
            let mut seconds = 0.0;
            match &planted {
                Ok(planted) => {
                    record.m = planted.measurements();
                    let program = planted.program(objective).tolerance(draw.sweep.tolerance);
                    let clock = Instant::now();
                    let answer = program.solve();
                    seconds = clock.elapsed().as_secs_f64();
                    match answer {
                        Ok(answer) => fill(&mut record, &answer, planted.truth()),
                        Err(e) => record.status = failure(&e),
                    }
                }
                Err(Error::Empty { .. }) => record.status = NOTHING_SAMPLED.to_owned(),
                Err(e) => record.status = failure(e),
            }
            Timed { record, seconds }
        })
        .collect()
}

/// An error as a status; a record is one line.
fn failure(error: &Error) -> String {
    format!("error: {error}").replace(['\n', '\r'], " ")
}

fn fill(record: &mut Record, answer: &Recovery, truth: &Mat<f64>) {
    let error = (answer.matrix() - truth).norm_l2();
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
}
