//! Sensing from end to end: every answer is audited from the definitions, on both sides of the
//! transition, at the edges of size and scale, and on input that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin_core::audit::Audit;
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{DenseMap, LinearMap};
use flatmin_sensing::theory::degrees_of_freedom;
use flatmin_sensing::{Error, Mat, Planted, Program, Recovery, Sensing, Status};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::ops::ControlFlow;

fn planted(rows: usize, cols: usize, rank: usize, m: usize, trial: u64) -> Planted {
    let stream = |role| Stream::new(1, "sensing", 0, trial, role);
    let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
    Planted::gaussian(rows, cols, rank, m, &mut t, &mut a).unwrap()
}

/// Both programs of a problem.
fn programs(problem: &Sensing) -> [Program<'_>; 2] {
    [problem.flat(), problem.nuclear()]
}

/// Everything that a certified answer claims, checked from the definitions.
fn assert_certified(problem: &Sensing, answer: &Recovery) {
    assert_eq!(answer.status, Status::Certified, "gap {:e}", answer.relative_gap);
    assert!(answer.relative_gap <= 1e-8);
    let audit = Audit::new(problem.map(), problem.targets(), answer).unwrap();
    assert!(audit.dual_norm <= 1.0 + 1e-10, "dual norm 1 + {:e}", audit.dual_norm - 1.0);
    assert!(audit.feasibility <= 1e-8, "feasibility {:e}", audit.feasibility);
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * answer.objective;
    assert!(close(audit.objective, answer.objective), "{audit:?}");
    assert!(close(audit.lower_bound, answer.lower_bound), "{audit:?}");
    assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
    // At the factors of an answer, flat or not, the scaled trace is what the loss says it is.
    let (l, r) = answer.factors();
    let trace = problem.rescaling().unwrap().scaled_trace(l, r).unwrap();
    assert!((trace - answer.scaled_trace).abs() <= 1e-12 * trace);
}

fn distance(answer: &Recovery, truth: &Mat<f64>) -> f64 {
    (answer.matrix() - truth).norm_l2()
}

#[test]
fn recovers_the_planted_matrix_above_the_transition() {
    for (rows, cols, rank) in [(12, 12, 2), (8, 14, 2), (15, 6, 1), (20, 20, 3), (5, 5, 5)] {
        let m = (4 * degrees_of_freedom(rows, cols, rank)).min(rows * cols);
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

/// Flat factors have the least scaled trace: four times the objective, and less than at the factors
/// of the nuclear-norm solution.
#[test]
fn flat_factors_are_the_flattest() {
    let Planted { problem, .. } = planted(9, 12, 2, 60, 0);
    let flat = problem.flat().solve().unwrap();
    let nuclear = problem.nuclear().solve().unwrap();
    assert!((flat.scaled_trace - 4.0 * flat.objective).abs() < 1e-9 * flat.scaled_trace);
    assert!(flat.scaled_trace < nuclear.scaled_trace);
    let (l, r) = nuclear.factors();
    let imbalance = (l.transpose() * l - r.transpose() * r).norm_l2();
    assert!(imbalance < 1e-9, "the nuclear-norm factors are balanced, not off by {imbalance:e}");
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

/// One measurement: the least nuclear norm with `<A, X> = b` is `|b| / |A|_op`.
#[test]
fn one_measurement_has_its_closed_form() {
    let a = Mat::from_fn(3, 2, |i, j| if i == j { 3.0 - i as f64 } else { 0.0 });
    let problem = Sensing::from_matrices([a.as_ref()], vec![-6.0]).unwrap();
    let answer = problem.nuclear().solve().unwrap();
    assert_certified(&problem, &answer);
    assert!((answer.objective - 2.0).abs() < 1e-7);
    // Flat: D1^2 = diag(9, 4, 0) / 2 and D2^2 = diag(9, 4) / 3 whiten the measurement to
    // sqrt(6) diag(1/3, 1/2). The third row is never measured.
    let answer = problem.flat().solve().unwrap();
    assert_certified(&problem, &answer);
    assert!((answer.objective - 2.0 * 6f64.sqrt()).abs() < 1e-7);
    assert_eq!(answer.unidentified_rows, [2]);
}

#[test]
fn zero_targets_have_the_zero_answer() {
    let Planted { problem, .. } = planted(4, 3, 1, 6, 0);
    let problem = Sensing::new(problem.map().clone(), vec![0.0; 6]).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_eq!((answer.status, answer.rank), (Status::Certified, 0));
        assert_eq!((answer.objective, answer.relative_gap), (0.0, 0.0));
        assert_eq!(answer.matrix(), Mat::<f64>::zeros(4, 3));
        assert!(answer.warnings.iter().any(|w| w.to_string().contains("zero")));
    }
}

#[test]
fn names_rows_and_columns_that_no_measurement_sees() {
    let mut stream = Stream::new(3, "sensing", 0, 0, Role::Measurements);
    let (rows, cols, m) = (6, 5, 14);
    let mut data = stream.gaussian_vector(rows * cols * m);
    for (index, v) in data.iter_mut().enumerate() {
        let (i, j) = (index / cols % rows, index % cols);
        if i == 4 || j == 1 {
            *v = 0.0;
        }
    }
    let truth = flatmin_core::planted::low_rank(rows, cols, 1, &mut stream).unwrap();
    let map = DenseMap::new(rows, cols, data).unwrap();
    let problem = Planted::measured(truth, map).unwrap().problem;
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert_eq!(answer.unidentified_rows, [4]);
        assert_eq!(answer.unidentified_cols, [1]);
        assert!(answer.warnings.len() >= 2);
        let x = answer.matrix();
        let unseen = (0..cols).map(|j| x[(4, j)]).chain((0..rows).map(|i| x[(i, 1)]));
        let largest = unseen.fold(0.0, |a: f64, b| a.max(b.abs()));
        assert!(largest <= 1e-14 * x.norm_max(), "{largest:e}");
    }
}

/// Fewer measurements than directions: the answer lives on the range, and says so.
#[test]
fn says_when_directions_are_unseen() {
    let Planted { problem, .. } = planted(7, 2, 1, 2, 0);
    let answer = problem.flat().solve().unwrap();
    assert_certified(&problem, &answer);
    assert!(answer.unidentified_rows.is_empty());
    assert!(answer.warnings.iter().any(|w| w.to_string().contains("3 row-side")), "{answer:?}");
}

/// Measurements that contradict one another are said to, whatever the sizes.
#[test]
fn contradictions_are_not_certified() {
    for (measurements, targets) in [
        (vec![0.0, 0.0], vec![1.0]),
        (vec![1.0, 0.0, 0.0, 0.0], vec![1.0, 1.0]),
        (vec![1.0, 2.0, 1.0, 2.0], vec![1.0, 2.0]),
    ] {
        let problem = Sensing::from_arrays(1, 2, measurements, targets).unwrap();
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
    let Planted { problem, truth } = planted(6, 7, 1, 40, 0);
    for scale in [1e-300, 1e-160, 1e160, 1e300] {
        let targets = problem.targets().iter().map(|b| b * scale).collect();
        let scaled = Sensing::new(problem.map().clone(), targets).unwrap();
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

/// Measurements of any size within double precision, too: their scale cancels from the answer.
#[test]
fn extreme_measurements_are_solved_or_refused() {
    let Planted { problem, truth } = planted(6, 7, 1, 40, 0);
    for scale in [1e-300f64, 1e-130, 1e-60, 1e60, 1e130, 1e300] {
        let data = problem.map().as_slice().iter().map(|a| a * scale).collect();
        let map = match DenseMap::new(6, 7, data) {
            Ok(map) => map,
            Err(error) => {
                assert!(matches!(error, Error::Scale { .. }) && (scale.log10().abs() > 140.0));
                continue;
            }
        };
        let scaled = Planted::measured(truth.clone(), map).unwrap().problem;
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{scale:e}");
            assert!(distance(&answer, &truth) < 1e-6, "{scale:e}");
        }
    }
}

#[test]
fn names_what_is_wrong() {
    let message = |rows, cols, measurements: &[f64], targets: &[f64]| {
        let problem = Sensing::from_arrays(rows, cols, measurements.to_vec(), targets.to_vec());
        problem.unwrap_err().to_string()
    };
    let ones = [1.0; 8];
    for (error, culprits) in [
        (message(2, 2, &ones, &[1.0]), ["targets", "length 2"]),
        (message(2, 2, &ones, &[1.0, f64::NAN]), ["targets", "index 1"]),
        (message(2, 2, &ones, &[f64::INFINITY, 1.0]), ["targets", "index 0"]),
        (message(2, 2, &ones[..7], &[1.0]), ["measurements", "7 entries"]),
        (message(2, 2, &[], &[]), ["measurements", "empty"]),
        (message(0, 2, &ones, &[1.0]), ["at least one row", "0 x 2"]),
        (message(2, 0, &ones, &[1.0]), ["at least one row and one column", "2 x 0"]),
        (message(1, 2, &[0.0, f64::NAN], &[1.0]), ["measurements", "index 1"]),
        (message(1, 2, &[1e-300, 0.0], &[1.0]), ["measurements", "rescale"]),
        (message(usize::MAX, 2, &[1.0], &[1.0]), ["measurements", "1 entries"]),
    ] {
        for culprit in culprits {
            assert!(error.contains(culprit), "{error:?} does not name {culprit:?}");
        }
    }
    let matrices = [Mat::<f64>::zeros(2, 2), Mat::zeros(2, 3)];
    let error = Sensing::from_matrices(matrices.iter().map(|a| a.as_ref()), vec![0.0; 2]);
    assert!(error.unwrap_err().to_string().contains("2 x 3"));
    let error = Sensing::from_matrices([], vec![]).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }));
}

#[test]
fn refuses_impossible_settings() {
    let Planted { problem, .. } = planted(4, 4, 1, 12, 0);
    let other = planted(3, 4, 1, 12, 0).problem;
    let elsewhere = other.flat().solve().unwrap();
    for tolerance in [0.0, -1.0, 1.0, f64::NAN] {
        let error = problem.flat().tolerance(tolerance).solve().unwrap_err();
        assert!(error.to_string().contains("tolerance"));
    }
    assert!(matches!(problem.flat().threads(0).solve(), Err(Error::Parameter { .. })));
    assert!(matches!(problem.flat().rank(0).solve(), Err(Error::Parameter { .. })));
    assert!(matches!(problem.flat().max_iterations(0).solve(), Err(Error::Parameter { .. })));
    assert!(matches!(problem.flat().warm_start(&elsewhere).solve(), Err(Error::Shape { .. })));
}

/// A guess of the rank costs time only.
#[test]
fn a_wrong_rank_does_not_change_the_answer() {
    let Planted { problem, truth } = planted(10, 9, 2, 75, 1);
    for rank in [1, 2, 3, 9, 100] {
        let answer = problem.flat().rank(rank).solve().unwrap();
        assert_certified(&problem, &answer);
        assert!(distance(&answer, &truth) < 1e-6, "guess {rank}");
    }
}

#[test]
fn a_warm_start_gives_the_same_answer_with_no_more_work() {
    for m in [45, 100] {
        let Planted { problem, .. } = planted(10, 10, 2, m, 2);
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
    let Planted { problem, .. } = planted(12, 12, 2, 60, 0);
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

    let answer = problem
        .flat()
        .observe(|progress| match progress.iteration {
            0 | 1 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        })
        .solve()
        .unwrap();
    assert_eq!(answer.status, Status::Interrupted);
    assert!(answer.iterations <= 2);
    assert_eq!(answer.matrix().shape(), (12, 12));
    let limited = problem.flat().max_iterations(2).solve().unwrap();
    assert_eq!((limited.status, limited.iterations), (Status::IterationLimit, 2));
}

/// The same bits again, in any company.
#[test]
fn answers_are_reproducible_to_the_bit() {
    let bits = |m: usize| -> Vec<u64> {
        let Planted { problem, .. } = planted(11, 13, 2, m, 4);
        programs(&problem)
            .into_iter()
            .flat_map(|program| {
                let answer = program.solve().unwrap();
                let x = answer.matrix();
                let matrix = x.col_iter().flat_map(|c| c.iter().copied()).collect::<Vec<_>>();
                let numbers = [answer.objective, answer.lower_bound, answer.feasibility];
                matrix
                    .into_iter()
                    .chain(answer.dual.clone())
                    .chain(numbers)
                    .map(f64::to_bits)
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    for m in [70, 143] {
        let alone = bits(m);
        assert_eq!(alone, bits(m));
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| bits(m))).collect();
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
        let mut stream = Stream::new(1, "sensing", 0, trial, Role::Noise);
        let targets = problem.targets().iter().map(|b| b + noise * stream.gaussian()).collect();
        let problem = Sensing::new(problem.map().clone(), targets).unwrap();
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
        data in prop::collection::vec(prop::num::f64::ANY, 0..24),
        targets in prop::collection::vec(prop::num::f64::ANY, 0..4),
    ) {
        if let Ok(problem) = Sensing::from_arrays(rows, cols, data, targets) {
            prop_assert_eq!(problem.map().dims().measurements, problem.targets().len());
            for program in programs(&problem) {
                if let Ok(answer) = program.max_iterations(200).solve() {
                    prop_assert!(answer.matrix().is_all_finite(), "{:?}", answer);
                }
            }
        }
    }
}
