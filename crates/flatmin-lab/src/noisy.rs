//! One trial under noise: draw a planted problem, disturb its targets, solve each norm under the noise
//! bound and in the penalised form with the `lambda` that the bound implies.

use crate::record::Timed;
use crate::runner::Draw;
use crate::spec::Objective;
use crate::trial::{Planted, each_objective, failure, fill, refused};
use flatmin::core::linalg::norm;
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{Error, Recovery};
use std::time::Instant;

/// A draw whose targets are disturbed: independent normal numbers, of standard deviation the cell's
/// noise times the root mean square of the exact targets.
struct Noisy {
    planted: Planted,
    targets: Vec<f64>,
    /// Norm of the noise.
    delta: f64,
}

impl Noisy {
    fn draw(draw: &Draw<'_>) -> Result<Noisy, Error> {
        let planted = Planted::draw(draw)?;
        let exact = planted.posed().targets;
        let (family, key) = draw.cell.key();
        let mut stream = Stream::new(draw.seed, family, key, u64::from(draw.trial), Role::Noise);
        let deviation = draw.cell.noise.value() * norm(exact) / (exact.len() as f64).sqrt();
        let noise: Vec<f64> =
            stream.gaussian_vector(exact.len()).into_iter().map(|g| deviation * g).collect();
        let targets = exact.iter().zip(&noise).map(|(b, e)| b + e).collect();
        Ok(Noisy { planted, targets, delta: norm(&noise) })
    }
}

/// Runs one draw; whatever happens is in the records.
pub(crate) fn run(draw: &Draw<'_>) -> Vec<Timed> {
    let noisy = Noisy::draw(draw);
    let kappa = noisy.as_ref().ok().and_then(|n| n.planted.posed().kappa().ok());
    // Answers under the bound, for the penalised forms that come after them.
    let mut bounded: Vec<(Objective, Recovery)> = Vec::new();
    each_objective(draw, &noisy, |noisy, objective, mut record| {
        record.kappa = kappa;
        record.m = noisy.targets.len();
        record.delta = Some(noisy.delta);
        let clock = Instant::now();
        let answer = solve(draw, noisy, objective, &bounded);
        let seconds = clock.elapsed().as_secs_f64();
        match answer {
            Some(Ok(answer)) => {
                let error = (answer.matrix() - &noisy.planted.truth).norm_l2();
                fill(&mut record, &answer, error);
                record.lambda = answer.penalty;
                let twin = bounded.iter().find(|(o, _)| objective.bounded() == Some(*o));
                record.apart = twin.map(|(_, twin)| (answer.matrix() - twin.matrix()).norm_l2());
                bounded.push((objective, answer));
            }
            Some(Err(e)) => record.status = failure(&e),
            None => return refused(record),
        }
        Timed::new(record, seconds)
    })
}

/// The answer for an objective; `None` for one without a `lambda` to go by.
fn solve(
    draw: &Draw<'_>,
    noisy: &Noisy,
    objective: Objective,
    bounded: &[(Objective, Recovery)],
) -> Option<Result<Recovery, Error>> {
    let posed = noisy.planted.posed().with_targets(&noisy.targets);
    let program = |goal| posed.program(goal).tolerance(draw.sweep.tolerance);
    if let Some(goal) = objective.linear() {
        return Some(program(goal).noise(noisy.delta).solve());
    }
    let twin = objective.bounded()?;
    let (_, answer) = bounded.iter().find(|(o, _)| *o == twin)?;
    Some(program(twin.linear()?).penalty(answer.penalty?).solve())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::spec::{Billionths, Cell, Sampling, Sweep};
    use crate::trial::{NOT_OF_THIS_MODEL, NOTHING_SAMPLED};

    fn records(sampling: Sampling, noise: u32, objectives: &[Objective]) -> Vec<Record> {
        let cell = Cell { noise: Billionths(noise), ..Cell::exact(12, 12, 1, sampling) };
        let sweep = Sweep {
            id: "x".to_owned(),
            title: String::new(),
            objectives: objectives.to_vec(),
            cells: vec![cell],
            trials: 1,
            tolerance: 1e-9,
            alone: false,
        };
        let rows = run(&Draw { sweep: &sweep, cell, trial: 0, seed: 3 });
        rows.into_iter().map(|row| row.record).collect()
    }

    #[test]
    fn both_forms_of_both_norms_lie_within_a_constant_times_the_noise() {
        for sampling in [
            Sampling::Gaussian { measurements: 100 },
            Sampling::Bilinear { measurements: 110 },
            Sampling::Bernoulli { p: crate::spec::Millionths(800_000) },
            Sampling::Covariance { measurements: 70 },
            Sampling::Quadnet { measurements: 70, negative: 1 },
        ] {
            let cell = Cell { noise: Billionths(1), ..Cell::exact(12, 12, 1, sampling) };
            for noise in [10_000, 10_000_000] {
                let level = f64::from(noise) * 1e-9;
                let all = records(sampling, noise, cell.objectives());
                for record in &all {
                    let error = record.error.unwrap();
                    assert!(record.certified && error < 5.0 * level, "{record:?}");
                    assert!(record.lambda > Some(0.0) && record.delta > Some(0.0));
                    let apart = record.objective.bounded().map(|_| 0.1 * error);
                    assert_eq!(record.apart.is_some(), apart.is_some());
                    assert!(record.apart <= apart, "{record:?}");
                }
                assert_eq!(all[0].lambda, all[2].lambda);
            }
        }
    }

    #[test]
    fn a_penalised_form_needs_the_bounded_one() {
        let sampling = Sampling::Gaussian { measurements: 100 };
        let [record] = records(sampling, 1000, &[Objective::FlatPenalised]).try_into().unwrap();
        assert_eq!(record.status, NOT_OF_THIS_MODEL);
        let hidden = Sampling::Bernoulli { p: crate::spec::Millionths(0) };
        let [record] = records(hidden, 1000, &[Objective::Flat]).try_into().unwrap();
        assert_eq!(record.status, NOTHING_SAMPLED);
    }
}
