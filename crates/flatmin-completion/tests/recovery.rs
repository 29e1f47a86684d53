//! Completion from end to end: every answer is audited from the definitions, under even and uneven
//! sampling, at the edges of size and scale, and on input that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin_completion::{Completion, Error, Mat, Planted, Program, Recovery, Status};
use flatmin_core::audit::Audit;
use flatmin_core::linalg::{Par, singular_values};
use flatmin_core::rng::{Role, Stream};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::ops::ControlFlow;

fn streams(trial: u64) -> (Stream, Stream) {
    let stream = |role| Stream::new(1, "completion", 0, trial, role);
    (stream(Role::Truth), stream(Role::Measurements))
}

fn bernoulli(rows: usize, cols: usize, rank: usize, p: f64, trial: u64) -> Planted {
    let (mut truth, mut sampling) = streams(trial);
    Planted::bernoulli(rows, cols, rank, p, &mut truth, &mut sampling).unwrap()
}

/// Both programs of a problem.
fn programs(problem: &Completion) -> [Program<'_>; 2] {
    [problem.flat(), problem.nuclear()]
}

/// Everything that a certified answer claims, checked from the definitions.
fn assert_certified(problem: &Completion, answer: &Recovery) {
    assert_eq!(answer.status, Status::Certified, "gap {:e}", answer.relative_gap);
    assert!(answer.relative_gap <= 1e-8);
    let audit = Audit::new(problem.map(), problem.targets(), answer).unwrap();
    assert!(audit.dual_norm <= 1.0 + 1e-10, "dual norm 1 + {:e}", audit.dual_norm - 1.0);
    assert!(audit.feasibility <= 1e-8, "feasibility {:e}", audit.feasibility);
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * answer.objective;
    assert!(close(audit.objective, answer.objective), "{audit:?}");
    assert!(close(audit.lower_bound, answer.lower_bound), "{audit:?}");
    assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
    let (l, r) = answer.factors();
    let trace = problem.rescaling().unwrap().scaled_trace(l, r).unwrap();
    assert!((trace - answer.scaled_trace).abs() <= 1e-12 * trace);
}

fn distance(answer: &Recovery, truth: &Mat<f64>) -> f64 {
    (answer.matrix() - truth).norm_l2()
}

/// Flat solutions recover every one of these; the nuclear norm misses a few, on which it must have
/// found a matrix of smaller norm.
#[test]
fn recovers_the_planted_matrix_from_enough_entries() {
    let mut missed = 0;
    for (rows, cols, rank, p) in
        [(15, 15, 1, 0.8), (20, 20, 2, 0.75), (12, 25, 1, 0.75), (25, 12, 2, 0.9), (40, 40, 2, 0.6)]
    {
        for trial in 0..3 {
            let Planted { problem, truth } = bernoulli(rows, cols, rank, p, trial);
            let flat = problem.flat().solve().unwrap();
            assert_certified(&problem, &flat);
            assert!(distance(&flat, &truth) < 1e-6, "{rows} x {cols}, trial {trial}");
            assert_eq!(flat.rank, rank);
            let nuclear = problem.nuclear().solve().unwrap();
            assert_certified(&problem, &nuclear);
            if distance(&nuclear, &truth) >= 1e-6 {
                missed += 1;
                let norm: f64 = singular_values(truth.as_ref(), Par::Seq).unwrap().iter().sum();
                assert!(nuclear.objective < norm);
            }
        }
    }
    assert!(missed <= 3, "the nuclear norm missed {missed} of 15");
}

/// Under uneven sampling weighing rows and columns by what is seen of them pays: summed over
/// trials, the flat solution is nearer to the planted matrix.
#[test]
fn flat_beats_nuclear_under_uneven_sampling() {
    let (mut flat_error, mut nuclear_error) = (0.0, 0.0);
    for trial in 0..5 {
        let (mut t, mut s) = streams(trial);
        let Planted { problem, truth } =
            Planted::power_law(30, 30, 2, 360.0, 0.6, &mut t, &mut s).unwrap();
        let flat = problem.flat().solve().unwrap();
        let nuclear = problem.nuclear().solve().unwrap();
        assert_certified(&problem, &flat);
        assert_certified(&problem, &nuclear);
        assert!((flat.scaled_trace - 4.0 * flat.objective).abs() < 1e-9 * flat.scaled_trace);
        assert!(flat.scaled_trace < nuclear.scaled_trace);
        flat_error += distance(&flat, &truth);
        nuclear_error += distance(&nuclear, &truth);
    }
    assert!(1.1 * flat_error < nuclear_error, "{flat_error} against {nuclear_error}");
}

#[test]
fn finds_the_optimum_where_it_is_not_the_planted_matrix() {
    for (rows, cols, rank, p) in [(12, 12, 2, 0.4), (8, 20, 2, 0.4), (20, 8, 3, 0.5)] {
        for trial in 0..3 {
            let Planted { problem, truth } = bernoulli(rows, cols, rank, p, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(distance(&answer, &truth) > 1e-3);
            }
        }
    }
}

/// Everything seen: the answer is the matrix, whatever its rank.
#[test]
fn tiny_and_full_matrices_are_returned_as_they_are() {
    for (rows, cols, rank) in [(1, 1, 1), (1, 6, 1), (6, 1, 1), (2, 2, 2), (5, 4, 4)] {
        let Planted { problem, truth } = bernoulli(rows, cols, rank, 1.0, 0);
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            assert_certified(&problem, &answer);
            assert!(distance(&answer, &truth) < 1e-7, "{rows} x {cols}");
        }
    }
}

/// One entry `v` at `(i, j)`: `X = v e_i e_j^T`, all other rows and columns unidentified, and the
/// flat objective is `|v| / sqrt(d1 d2)`.
#[test]
fn one_entry_has_its_closed_form() {
    let problem = Completion::from_triplets(3, 2, &[(1, 0, -5.0)]).unwrap();
    for (program, value) in programs(&problem).into_iter().zip([5.0 / 6f64.sqrt(), 5.0]) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert!((answer.objective - value).abs() < 1e-7);
        assert_eq!(answer.unidentified_rows, [0, 2]);
        assert_eq!(answer.unidentified_cols, [1]);
        let x = answer.matrix();
        assert!((x[(1, 0)] + 5.0).abs() < 1e-7 && x[(0, 0)] == 0.0 && x[(1, 1)] == 0.0);
    }
}

/// A single row leaves nothing to couple its entries: what is not seen is a column not seen.
#[test]
fn one_row_keeps_what_it_sees() {
    let seen = Mat::from_fn(1, 5, |_, j| if j == 3 { f64::NAN } else { j as f64 - 1.0 });
    let problem = Completion::from_holes(seen.as_ref()).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert_eq!(answer.unidentified_cols, [3]);
        let expected = Mat::from_fn(1, 5, |_, j| if j == 3 { 0.0 } else { j as f64 - 1.0 });
        assert!(distance(&answer, &expected) < 1e-7);
    }
}

#[test]
fn names_rows_and_columns_that_are_never_seen() {
    let truth = Mat::from_fn(9, 8, |i, j| (1.0 + 0.1 * i as f64) * (2.0 - 0.1 * j as f64));
    let seen = |i, j| i != 3 && i != 7 && j != 0 && (i + j) % 4 != 0;
    let problem = Completion::from_seen(truth.as_ref(), seen).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert_eq!(answer.unidentified_rows, [3, 7]);
        assert_eq!(answer.unidentified_cols, [0]);
        let warnings: Vec<String> = answer.warnings.iter().map(|w| w.to_string()).collect();
        assert!(warnings.iter().any(|w| w.starts_with("2 row(s)")), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.starts_with("1 column(s)")), "{warnings:?}");
        let x = answer.matrix();
        assert!((0..8).all(|j| x[(3, j)] == 0.0 && x[(7, j)] == 0.0));
        assert!((0..9).all(|i| x[(i, 0)] == 0.0));
        // What is identified is recovered.
        let identified = |i, j| i != 3 && i != 7 && j != 0;
        for (i, j) in (0..9).flat_map(|i| (0..8).map(move |j| (i, j))) {
            assert!(!identified(i, j) || (x[(i, j)] - truth[(i, j)]).abs() < 1e-6);
        }
    }
}

#[test]
fn zero_targets_have_the_zero_answer() {
    let problem =
        Completion::from_triplets(3, 3, &[(0, 0, 0.0), (1, 2, 0.0), (2, 1, 0.0)]).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_eq!((answer.status, answer.rank), (Status::Certified, 0));
        assert_eq!((answer.objective, answer.relative_gap), (0.0, 0.0));
        assert_eq!(answer.matrix(), Mat::<f64>::zeros(3, 3));
        assert!(answer.warnings.iter().any(|w| w.to_string().contains("zero")));
    }
}

/// Targets of any size have the same answer, up to that size.
#[test]
fn extreme_targets_scale_the_answer() {
    let Planted { problem, truth } = bernoulli(9, 10, 1, 0.8, 1);
    for scale in [1e-300, 1e-160, 1e160, 1e300] {
        let entries: Vec<_> = problem
            .map()
            .positions()
            .zip(problem.targets())
            .map(|((i, j), b)| (i, j, b * scale))
            .collect();
        let scaled = Completion::from_triplets(9, 10, &entries).unwrap();
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified);
            let x = answer.matrix();
            let back = Mat::from_fn(9, 10, |i, j| x[(i, j)] / scale);
            assert!((back - &truth).norm_l2() < 1e-6, "{scale:e}");
            let audit = Audit::new(scaled.map(), scaled.targets(), &answer).unwrap();
            assert!(audit.dual_norm <= 1.0 + 1e-10 && audit.feasibility < 1e-8, "{audit:?}");
        }
    }
}

/// The four ways to give a problem give the same one, and the order of entries does not matter to
/// the answer.
#[test]
fn constructors_agree() {
    let Planted { problem, truth } = bernoulli(8, 6, 1, 0.7, 0);
    let positions: Vec<(usize, usize)> = problem.map().positions().collect();
    let mask = Mat::from_fn(8, 6, |i, j| positions.contains(&(i, j)));
    let holes = Mat::from_fn(8, 6, |i, j| if mask[(i, j)] { truth[(i, j)] } else { f64::NAN });
    for other in [
        Completion::from_masked(truth.as_ref(), mask.as_ref()).unwrap(),
        Completion::from_masked(holes.as_ref(), mask.as_ref()).unwrap(),
        Completion::from_holes(holes.as_ref()).unwrap(),
    ] {
        assert!(other.map().positions().eq(positions.iter().copied()));
        assert_eq!(other.targets(), problem.targets());
    }
    let reversed: Vec<_> = positions.iter().rev().map(|&(i, j)| (i, j, truth[(i, j)])).collect();
    let reversed = Completion::from_triplets(8, 6, &reversed).unwrap();
    let (a, b) = (problem.flat().solve().unwrap(), reversed.flat().solve().unwrap());
    assert_certified(&reversed, &b);
    assert!((a.matrix() - b.matrix()).norm_l2() < 1e-7);
}

#[test]
fn names_what_is_wrong() {
    let triplets = |entries: &[(usize, usize, f64)]| {
        Completion::from_triplets(2, 3, entries).unwrap_err().to_string()
    };
    let masked = |matrix: &Mat<f64>, mask: &Mat<bool>| {
        Completion::from_masked(matrix.as_ref(), mask.as_ref()).unwrap_err().to_string()
    };
    let ones = Mat::full(2, 3, 1.0);
    let infinite = Mat::from_fn(2, 3, |i, j| if i + j == 3 { f64::INFINITY } else { 1.0 });
    let nothing = Mat::full(2, 3, f64::NAN);
    let holes =
        |matrix: &Mat<f64>| Completion::from_holes(matrix.as_ref()).unwrap_err().to_string();
    let lists = Completion::new(2, 3, &[0, 1], &[0, 1], vec![1.0]).unwrap_err().to_string();
    for (error, culprits) in [
        (triplets(&[]), ["measurements", "empty"]),
        (triplets(&[(0, 1, 1.0), (1, 1, 2.0), (0, 1, 1.0)]), ["(0, 1)", "positions 0 and 2"]),
        (triplets(&[(0, 1, 1.0), (2, 0, 1.0)]), ["(2, 0) at position 1", "2 x 3"]),
        (triplets(&[(0, 3, 1.0)]), ["(0, 3) at position 0", "start at 0"]),
        (triplets(&[(0, 1, 1.0), (1, 1, f64::NAN)]), ["targets", "index 1"]),
        (lists, ["targets", "length 1"]),
        (holes(&infinite), ["the matrix", "index 5"]),
        (holes(&nothing), ["measurements", "empty"]),
        (holes(&Mat::zeros(0, 3)), ["at least one row", "0 x 3"]),
        (masked(&ones, &Mat::full(3, 2, true)), ["the mask", "3 x 2"]),
        (masked(&nothing, &Mat::full(2, 3, true)), ["the matrix", "index 0"]),
        (masked(&ones, &Mat::full(2, 3, false)), ["measurements", "empty"]),
    ] {
        for culprit in culprits {
            assert!(error.contains(culprit), "{error:?} does not name {culprit:?}");
        }
    }
    let lists = Completion::new(2, 3, &[0, 1], &[0], vec![1.0, 2.0]).unwrap_err();
    assert!(matches!(lists, Error::Shape { .. }));
}

#[test]
fn a_warm_start_gives_the_same_answer_with_no_more_work() {
    for p in [0.45, 0.8] {
        let Planted { problem, .. } = bernoulli(15, 15, 2, p, 2);
        for (cold, warm) in programs(&problem).into_iter().zip(programs(&problem)) {
            let cold = cold.solve().unwrap();
            let warm = warm.warm_start(&cold).solve().unwrap();
            assert_certified(&problem, &warm);
            assert!((warm.objective - cold.objective).abs() <= 2e-8 * cold.objective);
            assert!(
                warm.iterations <= cold.iterations,
                "{} > {}",
                warm.iterations,
                cold.iterations
            );
        }
    }
}

#[test]
fn an_observer_sees_every_iteration_and_can_stop_the_solve() {
    let Planted { problem, .. } = bernoulli(15, 15, 2, 0.45, 0);
    let mut seen = Vec::new();
    let answer = problem
        .flat()
        .observe(|progress| {
            seen.push(progress.iteration);
            ControlFlow::Continue(())
        })
        .solve()
        .unwrap();
    assert_certified(&problem, &answer);
    assert!(seen.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(seen.last(), Some(&answer.iterations));
    let answer = problem.flat().observe(|_| ControlFlow::Break(())).solve().unwrap();
    assert_eq!(answer.status, Status::Interrupted);
    assert_eq!(answer.matrix().shape(), (15, 15));
}

/// The same bits again, in any company.
#[test]
fn answers_are_reproducible_to_the_bit() {
    let bits = |p: f64| -> Vec<u64> {
        let Planted { problem, .. } = bernoulli(14, 17, 2, p, 4);
        let mut bits = Vec::new();
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            let x = answer.matrix();
            bits.extend(x.col_iter().flat_map(|c| c.iter()).map(|v| v.to_bits()));
            bits.extend(answer.dual.iter().map(|v| v.to_bits()));
            bits.extend([answer.objective, answer.lower_bound].map(f64::to_bits));
        }
        bits
    };
    for p in [0.5, 0.85] {
        let alone = bits(p);
        assert_eq!(alone, bits(p));
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| bits(p))).collect();
            for worker in workers {
                assert!(alone == worker.join().unwrap(), "another thread got other bits");
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(48)
    })]

    /// Whatever the shape and the pattern: no panic, and what is called certified is. Entries of a
    /// matrix can always be fitted, so nothing is inconsistent.
    #[test]
    fn certified_means_proved(
        rows in 1usize..10, cols in 1usize..10, rank in 1usize..10, p in 0.05f64..1.0,
        noise in prop::sample::select(vec![0.0, 1e-3]), trial in 0u64..1000,
    ) {
        let rank = rank.min(rows).min(cols);
        let (mut t, mut s) = streams(trial);
        let mut matrix = flatmin_core::planted::low_rank(rows, cols, rank, &mut t).unwrap();
        matrix.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v += noise * t.gaussian()));
        let mask = Mat::from_fn(rows, cols, |_, _| s.uniform() < p);
        let Ok(problem) = Completion::from_masked(matrix.as_ref(), mask.as_ref()) else {
            // Nothing was seen.
            prop_assert!(mask.col_iter().all(|c| c.iter().all(|seen| !seen)));
            return Ok(());
        };
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
            prop_assert!(answer.status.is_certified(), "{}: {audit:?}", answer.status);
            prop_assert!(audit.dual_norm <= 1.0 + 1e-10, "{audit:?}");
            prop_assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
            prop_assert!(audit.feasibility <= 1e-8, "{audit:?}");
        }
    }

    /// Entries of any content make a problem or an error, never a panic.
    #[test]
    fn any_entries_are_a_problem_or_an_error(
        rows in 0usize..5, cols in 0usize..5,
        entries in prop::collection::vec((0usize..5, 0usize..5, prop::num::f64::ANY), 0..9),
    ) {
        if let Ok(problem) = Completion::from_triplets(rows, cols, &entries) {
            prop_assert_eq!(problem.targets().len(), entries.len());
            for program in programs(&problem) {
                if let Ok(answer) = program.max_iterations(200).solve() {
                    prop_assert!(answer.matrix().is_all_finite(), "{:?}", answer);
                }
            }
        }
    }
}
