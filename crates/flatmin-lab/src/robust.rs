//! One trial of robust PCA: draw a corrupted matrix, split it in both forms, compare with the truth.

use crate::record::{Record, SUCCESS, Timed};
use crate::regularity::Regularity;
use crate::runner::Draw;
use crate::spec::{Objective, Sampling};
use crate::trial::{each_objective, failure, refused};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{Error, Mat};
use flatmin::rpca::theory::{incoherence, most_per_line};
use flatmin::rpca::{Decomposition, Planted};
use std::time::Instant;

fn planted(draw: &Draw<'_>) -> Result<Planted, Error> {
    let cell = draw.cell;
    let Sampling::Corrupted { corruption, missing, magnitude } = cell.sampling else {
        let (rule, got) = ("of robust PCA", cell.to_string());
        return Err(Error::Parameter { name: "the cell", rule, got });
    };
    let (family, key) = cell.key();
    let stream = |role| Stream::new(draw.seed, family, key, u64::from(draw.trial), role);
    let planted = Planted::bernoulli(
        cell.rows,
        cell.cols,
        cell.rank,
        corruption.value(),
        magnitude.value(),
        &mut stream(Role::Truth),
        &mut stream(Role::Noise),
    )?;
    if missing.0 == 0 {
        return Ok(planted);
    }
    planted.hidden(missing.value(), &mut stream(Role::Measurements))
}

/// Runs one draw; whatever happens is in the records.
pub(crate) fn run(draw: &Draw<'_>) -> Vec<Timed> {
    let planted = planted(draw);
    let coherence = planted.as_ref().ok().and_then(|p| incoherence(p.truth.as_ref()).ok());
    each_objective(draw, &planted, |planted, objective, mut record| {
        record.incoherence = coherence;
        record.m = planted.problem.seen_entries();
        record.most_per_line = Some(most_per_line(planted.sparse.as_ref()));
        let problem = &planted.problem;
        let program = match objective {
            Objective::Constrained => problem.constrained(planted.tau()),
            Objective::Penalised => problem.penalised(problem.default_lambda()),
            _ => return refused(record),
        };
        let clock = Instant::now();
        let answer = program.tolerance(draw.sweep.tolerance).solve();
        let seconds = clock.elapsed().as_secs_f64();
        match answer {
            Ok(answer) => fill(&mut record, &answer, &planted.truth),
            Err(e) => record.status = failure(&e),
        }
        Timed::new(record, seconds)
    })
}

fn fill(record: &mut Record, answer: &Decomposition, truth: &Mat<f64>) {
    let error = (answer.matrix() - truth).norm_l2() / truth.norm_l2();
    record.status = answer.status.to_string();
    record.certified = answer.status.is_certified();
    record.value = Some(answer.objective);
    record.lower_bound = Some(answer.lower_bound);
    record.relative_gap = Some(answer.relative_gap);
    record.feasibility = Some(answer.feasibility);
    record.rank_found = Some(answer.rank);
    record.error = Some(error);
    record.success = error < SUCCESS;
    record.iterations = answer.iterations;
    record.scaled_trace = Some(answer.scaled_trace);
    record.lambda = Some(answer.lambda);
    record.tau = Some(answer.tau);
    let (l, r) = answer.factors();
    if let Ok(found) = Regularity::of(l, r) {
        record.factor_norm = Some(found.factor_norm);
        record.imbalance = Some(found.imbalance);
        record.imbalance_frobenius = Some(found.imbalance_frobenius);
        record.imbalance_relative =
            (found.factor_norm > 0.0).then_some(found.imbalance / found.factor_norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Cell, Millionths, Sweep};
    use crate::trial::NOTHING_SAMPLED;

    fn records(missing: u32, objectives: &[Objective]) -> Vec<Record> {
        let sampling = Sampling::Corrupted {
            corruption: Millionths(50_000),
            missing: Millionths(missing),
            magnitude: Millionths(5_000_000),
        };
        let cell = Cell::exact(30, 36, 1, sampling);
        let sweep = Sweep {
            id: "x".to_owned(),
            title: String::new(),
            objectives: objectives.to_vec(),
            cells: vec![cell],
            trials: 1,
            tolerance: 1e-8,
            alone: false,
        };
        let rows = run(&Draw { sweep: &sweep, cell, trial: 0, seed: 3 });
        rows.into_iter().map(|row| row.record).collect()
    }

    #[test]
    fn few_wrong_entries_are_found_in_both_forms() {
        for missing in [0, 100_000] {
            for record in records(missing, &[Objective::Constrained, Objective::Penalised]) {
                assert!(record.certified && record.success, "{record:?}");
                assert_eq!(record.rank_found, Some(1));
                assert!(record.most_per_line > Some(0) && record.incoherence > Some(1.0));
                assert_eq!(record.m < 1080, missing > 0);
            }
        }
    }

    #[test]
    fn what_cannot_be_solved_is_said() {
        let [record] = records(0, &[Objective::Flat]).try_into().unwrap();
        assert!(record.status.contains("not an objective") && !record.success);
        let [record] = records(1_000_000, &[Objective::Penalised]).try_into().unwrap();
        assert_eq!(record.status, NOTHING_SAMPLED);
    }
}
