//! Bilinear sensing from end to end: every answer is audited from the definitions, on both sides of
//! the transition, at the edges of size and scale, and on input that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin_bilinear::theory::degrees_of_freedom;
use flatmin_bilinear::{Bilinear, Error, Mat, Planted, Program, RankOne, Recovery, Status};
use flatmin_core::LinearMap;
use flatmin_core::audit::Audit;
use flatmin_core::rng::{Role, Stream};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn planted(rows: usize, cols: usize, rank: usize, m: usize, trial: u64) -> Planted {
    let stream = |role| Stream::new(1, "bilinear", 0, trial, role);
    let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
    Planted::gaussian(rows, cols, rank, m, &mut t, &mut a).unwrap()
}

/// Both programs of a problem.
fn programs(problem: &Bilinear) -> [Program<'_>; 2] {
    [problem.flat(), problem.nuclear()]
}

/// Everything that a certified answer claims, checked from the definitions.
fn assert_certified(problem: &Bilinear, answer: &Recovery) {
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

/// `|L^T L - R^T R|_F`.
fn imbalance(answer: &Recovery) -> f64 {
    let (l, r) = answer.factors();
    (l.transpose() * l - r.transpose() * r).norm_l2()
}

#[test]
fn recovers_the_planted_matrix_above_the_transition() {
    for (rows, cols, rank) in [(12, 12, 2), (8, 14, 2), (15, 6, 1), (20, 20, 3), (5, 5, 5)] {
        let m = (5 * degrees_of_freedom(rows, cols, rank)).min(rows * cols);
        for trial in 0..3 {
            let Planted { problem, truth } = planted(rows, cols, rank, m, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(distance(&answer, &truth) < 1e-6, "{rows} x {cols}, rank {rank}");
                assert_eq!(answer.rank, rank);
            }
        }
    }
}

#[test]
fn finds_the_optimum_where_it_is_not_the_planted_matrix() {
    for (rows, cols, rank, m) in [(10, 10, 2, 45), (16, 10, 2, 60), (6, 18, 3, 50), (12, 12, 1, 20)]
    {
        for trial in 0..3 {
            let Planted { problem, truth } = planted(rows, cols, rank, m, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(distance(&answer, &truth) > 1e-3);
            }
        }
    }
}

/// The identity map: all pairs of unit vectors.
fn every_entry(truth: &Mat<f64>) -> Bilinear {
    let (rows, cols) = truth.shape();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
        left.extend((0..rows).map(|p| if p == i { 1.0 } else { 0.0 }));
        right.extend((0..cols).map(|q| if q == j { 1.0 } else { 0.0 }));
    }
    let map = RankOne::new(rows, cols, left, right).unwrap();
    Planted::measured(truth.clone(), map).unwrap().problem
}

/// For the identity map flat, norm-minimal and balanced are one: `D1 = D2 = I / sqrt(d1 d2)`. For
/// Gaussian vectors they are three, even where all find the planted matrix.
#[test]
fn flat_norm_minimal_and_balanced_are_one_for_the_identity_only() {
    let Planted { problem: gaussian, truth } = planted(6, 9, 2, 54, 0);
    let identity = every_entry(&truth);
    let (flat, nuclear) = (identity.flat().solve().unwrap(), identity.nuclear().solve().unwrap());
    assert_certified(&identity, &flat);
    assert_certified(&identity, &nuclear);
    assert!((54.0 * flat.objective - nuclear.objective).abs() < 1e-7);
    assert!((flat.matrix() - nuclear.matrix()).norm_l2() < 1e-7);
    assert!(imbalance(&flat) < 1e-7 && imbalance(&nuclear) < 1e-7);
    let norm = |answer: &Recovery| {
        let (l, r) = answer.factors();
        l.squared_norm_l2() + r.squared_norm_l2()
    };
    assert!((norm(&flat) - norm(&nuclear)).abs() < 1e-7);

    let (flat, nuclear) = (gaussian.flat().solve().unwrap(), gaussian.nuclear().solve().unwrap());
    assert!((flat.matrix() - nuclear.matrix()).norm_l2() < 1e-6);
    assert!((flat.scaled_trace - 4.0 * flat.objective).abs() < 1e-9 * flat.scaled_trace);
    assert!(flat.scaled_trace < nuclear.scaled_trace * (1.0 - 1e-4));
    assert!(norm(&flat) > norm(&nuclear) * (1.0 + 1e-4));
    assert!(imbalance(&flat) > 1e-2 && imbalance(&nuclear) < 1e-7);
}

#[test]
fn tiny_shapes_are_solved() {
    for (rows, cols) in [(1, 1), (1, 2), (1, 7), (7, 1), (2, 2)] {
        for m in 1..=rows * cols + 2 {
            let Planted { problem, truth } = planted(rows, cols, 1, m, 0);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                if m >= rows * cols {
                    assert!(distance(&answer, &truth) < 1e-6, "{rows} x {cols}, m = {m}");
                }
            }
        }
    }
}

/// One measurement: `X = y a b^T / (|a|^2 |b|^2)`, of nuclear norm `|y| / (|a| |b|)` and flat value
/// `|y| |a| |b| / sqrt(d1 d2)`.
#[test]
fn one_measurement_has_its_closed_form() {
    let (a, b, y) = (vec![3.0, 0.0, 4.0], vec![5.0, -12.0], -6.0);
    let problem = Bilinear::from_arrays(3, 2, a.clone(), b.clone(), vec![y]).unwrap();
    for (program, value) in programs(&problem).into_iter().zip([390.0 / 6f64.sqrt(), 6.0 / 65.0]) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert!((answer.objective - value).abs() < 1e-7 * value);
        let expected = Mat::from_fn(3, 2, |i, j| y * a[i] * b[j] / (25.0 * 169.0));
        assert!(distance(&answer, &expected) < 1e-8);
        assert_eq!(answer.unidentified_rows, [1]);
    }
}

#[test]
fn zero_targets_have_the_zero_answer() {
    let Planted { problem, .. } = planted(4, 3, 1, 6, 0);
    let problem = Bilinear::new(problem.map().clone(), vec![0.0; 6]).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_eq!((answer.status, answer.rank), (Status::Certified, 0));
        assert_eq!((answer.objective, answer.relative_gap), (0.0, 0.0));
        assert_eq!(answer.matrix(), Mat::<f64>::zeros(4, 3));
        assert!(answer.warnings.iter().any(|w| w.to_string().contains("zero")));
    }
}

/// A coordinate that is zero in every vector is a row, or a column, that nothing sees.
#[test]
fn names_rows_and_columns_that_no_measurement_sees() {
    let mut stream = Stream::new(3, "bilinear", 0, 0, Role::Measurements);
    let (rows, cols, m) = (6, 5, 18);
    let (mut left, mut right) =
        (stream.gaussian_vector(rows * m), stream.gaussian_vector(cols * m));
    left.chunks_exact_mut(rows).for_each(|a| a[4] = 0.0);
    right.chunks_exact_mut(cols).for_each(|b| b[1] = 0.0);
    let truth = flatmin_core::planted::low_rank(rows, cols, 1, &mut stream).unwrap();
    let map = RankOne::new(rows, cols, left, right).unwrap();
    let Planted { problem, truth } = Planted::measured(truth, map).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert_eq!(answer.unidentified_rows, [4]);
        assert_eq!(answer.unidentified_cols, [1]);
        assert!(answer.warnings.len() >= 2);
        let x = answer.matrix();
        for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
            let expected = if i == 4 || j == 1 { 0.0 } else { truth[(i, j)] };
            assert!((x[(i, j)] - expected).abs() < 1e-6, "({i}, {j})");
        }
    }
}

/// Measurements that contradict one another are said to, whatever the sizes.
#[test]
fn contradictions_are_not_certified() {
    for (left, right, targets) in [
        (vec![0.0], vec![1.0, 0.0], vec![1.0]),
        (vec![1.0, 0.0], vec![1.0, 0.0, 1.0, 0.0], vec![1.0, 1.0]),
        (vec![1.0, 1.0], vec![1.0, 2.0, 1.0, 2.0], vec![1.0, 2.0]),
    ] {
        let problem = Bilinear::from_arrays(1, 2, left, right, targets).unwrap();
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Inconsistent);
            assert!(answer.matrix().is_all_finite());
        }
    }
}

/// Targets of any size have the same answer, up to that size.
#[test]
fn extreme_targets_scale_the_answer() {
    let Planted { problem, truth } = planted(6, 7, 1, 42, 0);
    for scale in [1e-300, 1e-160, 1e160, 1e300] {
        let targets = problem.targets().iter().map(|b| b * scale).collect();
        let scaled = Bilinear::new(problem.map().clone(), targets).unwrap();
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified);
            let x = answer.matrix();
            let back = Mat::from_fn(6, 7, |i, j| x[(i, j)] / scale);
            assert!((back - &truth).norm_l2() < 1e-6, "{scale:e}");
            let audit = Audit::new(scaled.map(), scaled.targets(), &answer).unwrap();
            assert!(audit.dual_norm <= 1.0 + 1e-10 && audit.feasibility < 1e-8, "{audit:?}");
        }
    }
}

/// The scale of the vectors cancels from the answer; what cannot be squared twice is refused.
#[test]
fn extreme_vectors_are_solved_or_refused() {
    let Planted { problem, truth } = planted(6, 7, 1, 36, 0);
    let scaled = |a: flatmin_bilinear::MatRef<'_, f64>, scale: f64| -> Vec<f64> {
        a.col_iter().flat_map(|c| c.iter().map(|v| v * scale).collect::<Vec<_>>()).collect()
    };
    for (by, on) in [(1e-60, 1e-60), (1e-60, 1e60), (1e60, 1e60), (1e-30, 1.0), (1.0, 1e60)] {
        let left = scaled(problem.map().left(), by);
        let right = scaled(problem.map().right(), on);
        let map = RankOne::new(6, 7, left, right).unwrap();
        let scaled = Planted::measured(truth.clone(), map).unwrap().problem;
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{by:e}, {on:e}");
            assert!(distance(&answer, &truth) < 1e-6, "{by:e}, {on:e}");
        }
    }
    for scale in [1e-200, 1e200] {
        let left = scaled(problem.map().left(), scale);
        let error = RankOne::new(6, 7, left, scaled(problem.map().right(), 1.0)).unwrap_err();
        assert!(matches!(error, Error::Scale { .. }), "{error}");
    }
}

#[test]
fn names_what_is_wrong() {
    let message = |rows, cols, left: &[f64], right: &[f64], targets: &[f64]| {
        Bilinear::from_arrays(rows, cols, left.to_vec(), right.to_vec(), targets.to_vec())
            .unwrap_err()
            .to_string()
    };
    let ones = [1.0; 8];
    for (error, culprits) in [
        (message(2, 2, &ones, &ones, &[1.0]), ["targets", "length 4"]),
        (message(4, 4, &ones, &ones, &[1.0, f64::NAN]), ["targets", "index 1"]),
        (message(4, 4, &ones, &ones, &[f64::INFINITY, 1.0]), ["targets", "index 0"]),
        (message(2, 2, &ones[..7], &ones, &[1.0]), ["left vectors", "7 entries"]),
        (message(2, 2, &ones, &ones[..6], &[1.0]), ["right vectors", "3 vectors"]),
        (message(2, 2, &[], &[], &[]), ["left vectors", "empty"]),
        (message(0, 2, &ones, &ones, &[1.0]), ["at least one row", "0 x 2"]),
        (message(2, 0, &ones, &ones, &[1.0]), ["at least one row and one column", "2 x 0"]),
        (message(1, 2, &[0.0], &[0.0, f64::NAN], &[1.0]), ["right vectors", "index 1"]),
        (message(1, 2, &[1e-300], &[1.0, 0.0], &[1.0]), ["left vectors", "rescale"]),
        (message(usize::MAX, 2, &[1.0], &ones, &[1.0]), ["left vectors", "1 entries"]),
    ] {
        for culprit in culprits {
            assert!(error.contains(culprit), "{error:?} does not name {culprit:?}");
        }
    }
    let map = RankOne::new(1, 2, vec![1.0], vec![1.0, 1.0]).unwrap();
    let misfit = Planted::measured(Mat::zeros(2, 1), map);
    assert!(matches!(misfit, Err(Error::Shape { .. })));
    let stream = || Stream::new(1, "bilinear", 0, 0, Role::Truth);
    for (rank, m) in [(0, 5), (4, 5), (1, 0)] {
        assert!(Planted::gaussian(3, 4, rank, m, &mut stream(), &mut stream()).is_err());
    }
}

/// The same bits again, in any company; and with two threads inside the solve the same answer.
#[test]
fn answers_are_reproducible() {
    let bits = |m: usize, threads: usize| -> Vec<u64> {
        let Planted { problem, .. } = planted(11, 13, 2, m, 4);
        let mut bits = Vec::new();
        for program in programs(&problem) {
            let answer = program.threads(threads).solve().unwrap();
            assert_certified(&problem, &answer);
            let x = answer.matrix();
            bits.extend(x.col_iter().flat_map(|c| c.iter()).map(|v| v.to_bits()));
            bits.extend(answer.dual.iter().map(|v| v.to_bits()));
            bits.extend([answer.objective, answer.lower_bound].map(f64::to_bits));
        }
        bits
    };
    for m in [70, 130] {
        let alone = bits(m, 1);
        assert_eq!(alone, bits(m, 1));
        assert!(alone == bits(m, 2), "two threads got other bits");
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| bits(m, 1))).collect();
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

    /// Whatever the shape, the rank and the number of measurements: no panic, and what is called
    /// certified is.
    #[test]
    fn certified_means_proved(
        rows in 1usize..9, cols in 1usize..9, rank in 1usize..9, m in 1usize..50,
        noise in prop::sample::select(vec![0.0, 1e-3]), trial in 0u64..1000,
    ) {
        let rank = rank.min(rows).min(cols);
        let Planted { problem, .. } = planted(rows, cols, rank, m, trial);
        let mut stream = Stream::new(1, "bilinear", 0, trial, Role::Noise);
        let targets = problem.targets().iter().map(|b| b + noise * stream.gaussian()).collect();
        let problem = Bilinear::new(problem.map().clone(), targets).unwrap();
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
            prop_assert!(audit.dual_norm <= 1.0 + 1e-10, "{audit:?}");
            if answer.status.is_certified() {
                prop_assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
                prop_assert!(audit.feasibility <= 1e-8, "{audit:?}");
            } else {
                // Noisy and overdetermined: nothing fits.
                let overdetermined = m > rows * cols;
                prop_assert!(noise > 0.0 && overdetermined, "{} {audit:?}", answer.status);
            }
        }
    }

    /// Arrays of any content make a problem or an error, never a panic.
    #[test]
    fn any_array_is_a_problem_or_an_error(
        rows in 0usize..4, cols in 0usize..4,
        left in prop::collection::vec(prop::num::f64::ANY, 0..9),
        right in prop::collection::vec(prop::num::f64::ANY, 0..9),
        targets in prop::collection::vec(prop::num::f64::ANY, 0..4),
    ) {
        if let Ok(problem) = Bilinear::from_arrays(rows, cols, left, right, targets) {
            prop_assert_eq!(problem.map().dims().measurements, problem.targets().len());
            for program in programs(&problem) {
                if let Ok(answer) = program.max_iterations(200).solve() {
                    prop_assert!(answer.matrix().is_all_finite(), "{:?}", answer);
                }
            }
        }
    }
}
