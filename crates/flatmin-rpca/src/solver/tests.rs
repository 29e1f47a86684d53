//! The laws of every answer, recomputed from the definitions: weak duality is all the proof there is.

use crate::{Decomposition, Form, Mat, Planted, RobustPca, Status, Warning};
use flatmin_core::linalg::{Par, inner, max_abs, operator_norm, singular_values};
use flatmin_core::rng::{Role, Stream};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn stream(trial: u64, role: Role) -> Stream {
    Stream::new(5, "rpca solver", 0, trial, role)
}

fn planted(shape: (usize, usize), rank: usize, p: f64, trial: u64) -> Planted {
    let (mut truth, mut noise) = (stream(trial, Role::Truth), stream(trial, Role::Noise));
    Planted::bernoulli(shape.0, shape.1, rank, p, 10.0, &mut truth, &mut noise).unwrap()
}

fn noisy(rows: usize, cols: usize, trial: u64) -> RobustPca {
    let y = stream(trial, Role::Noise).gaussian_matrix(rows, cols);
    RobustPca::new(y.as_ref()).unwrap()
}

/// Every claim of an answer, computed again. Returns the duality gap.
fn audit(problem: &RobustPca, answer: &Decomposition) -> f64 {
    let (rows, cols) = problem.shape();
    let (x, y, q) = (answer.matrix(), problem.matrix(), answer.dual.as_ref());
    let rest =
        Mat::from_fn(
            rows,
            cols,
            |i, j| {
                if problem.is_seen(i, j) { y[(i, j)] - x[(i, j)] } else { 0.0 }
            },
        );
    let entries = |m: &Mat<f64>| m.col_iter().flat_map(|c| c.iter().copied()).collect::<Vec<f64>>();
    let size: f64 = problem.absolute_sum();
    let deviation: f64 = entries(&rest).iter().map(|v| v.abs()).sum();
    let nuclear: f64 = singular_values(x.as_ref(), Par::Seq).unwrap().iter().sum();
    let largest = max_abs(&entries(&answer.dual));
    assert!(operator_norm(q).unwrap() <= 1.0 + 1e-12);
    for i in 0..rows {
        for j in 0..cols {
            assert!(problem.is_seen(i, j) || q[(i, j)] == 0.0);
        }
    }
    let (objective, bound) = match answer.form {
        Form::Penalised { lambda } => {
            assert!(largest <= lambda * (1.0 + 1e-14));
            (nuclear + lambda * deviation, inner(y, q))
        }
        Form::Constrained { tau } => {
            assert!(deviation <= tau + 1.1e-6 * size, "{deviation} > {tau}");
            let excess = if deviation > tau { (deviation - tau) / size } else { 0.0 };
            assert!((excess - answer.feasibility).abs() <= 1e-12, "{excess}");
            (nuclear, inner(y, q) - tau * largest)
        }
    };
    let unit = objective.abs().max(1e-9 * y.norm_l2()).max(f64::MIN_POSITIVE);
    assert!((objective - answer.objective).abs() <= 1e-9 * unit, "{objective} {answer:?}");
    assert!((bound - answer.lower_bound).abs() <= 1e-9 * unit, "{bound} {answer:?}");
    assert!((deviation - answer.tau).abs() <= 1e-9 * size.max(f64::MIN_POSITIVE));
    assert!((&rest - answer.sparse()).norm_max() <= 1e-6 * y.norm_max().max(f64::MIN_POSITIVE));
    let (l, r) = answer.factors();
    let balance = l.transpose() * l - r.transpose() * r;
    assert!(balance.norm_max() <= 1e-9 * nuclear.max(f64::MIN_POSITIVE));
    (objective - bound).abs() / unit
}

#[test]
fn planted_splits_are_found_and_proved() {
    for (shape, rank, p) in [((60, 60), 3, 0.05), ((120, 70), 4, 0.1), ((50, 200), 2, 0.1)] {
        let planted = planted(shape, rank, p, 1);
        let problem = &planted.problem;
        for program in [
            problem.penalised(problem.default_lambda()),
            problem.constrained(planted.tau()),
            problem.penalised(problem.default_lambda()).rank(rank),
        ] {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified);
            assert!(audit(problem, &answer) <= 1e-8);
            let error = (answer.matrix() - &planted.truth).norm_l2() / planted.truth.norm_l2();
            assert!(error < 1e-8, "{error:e}");
            assert_eq!((answer.rank, answer.sparse_entries()), (rank, planted.corruptions()));
        }
    }
}

#[test]
fn holes_are_filled_where_a_split_exists() {
    let planted = planted((90, 80), 2, 0.05, 2);
    let planted = planted.hidden(0.2, &mut stream(2, Role::Measurements)).unwrap();
    let problem = &planted.problem;
    for program in [problem.penalised(problem.default_lambda()), problem.constrained(planted.tau())]
    {
        let answer = program.solve().unwrap();
        assert!(answer.status.is_certified() && audit(problem, &answer) <= 1e-8);
        let error = (answer.matrix() - &planted.truth).norm_l2() / planted.truth.norm_l2();
        assert!(error < 1e-8, "{error:e}");
    }
}

#[test]
fn what_is_no_split_is_solved_too() {
    for (problem, trial) in [
        (noisy(12, 9, 1), 1),
        (noisy(9, 30, 2), 2),
        (planted((20, 25), 6, 0.3, 3).problem, 3),
        (noisy(30, 20, 4), 4),
    ] {
        let all = problem.absolute_sum();
        let lambda = problem.default_lambda();
        for program in [
            problem.penalised(lambda),
            problem.penalised(2.0 * lambda),
            problem.constrained(0.3 * all),
            problem.constrained(0.9 * all),
            problem.constrained(1e-3 * all),
        ] {
            let form = program.form;
            let answer = program.tolerance(1e-7).solve().unwrap();
            let gap = audit(&problem, &answer);
            assert!(answer.status.is_certified() && gap <= 1e-6, "{trial} {form:?} {gap:e}");
        }
    }
}

/// `lambda` and `tau` are each other's: the passage leads back to the same solution.
#[test]
fn either_form_solves_the_other() {
    let problem = noisy(14, 10, 7);
    let penalised = problem.penalised(0.3).solve().unwrap();
    assert!(penalised.status.is_certified() && penalised.tau > 0.0);
    let constrained = problem.constrained(penalised.tau).solve().unwrap();
    assert!(constrained.status.is_certified());
    let apart = (penalised.matrix() - constrained.matrix()).norm_l2();
    assert!(apart <= 1e-4 * penalised.matrix().norm_l2(), "{apart:e}");
    assert!((constrained.lambda - 0.3).abs() <= 1e-3, "{}", constrained.lambda);
    let value = constrained.objective + 0.3 * constrained.tau;
    assert!((value - penalised.objective).abs() <= 1e-7 * value);
}

#[test]
fn extremes_have_closed_forms() {
    let problem = noisy(8, 6, 3);
    let (all, y) = (problem.absolute_sum(), problem.matrix());
    let nuclear: f64 = singular_values(y, Par::Seq).unwrap().iter().sum();
    for program in [problem.constrained(all), problem.constrained(2.0 * all)] {
        let answer = program.solve().unwrap();
        assert!(answer.status.is_certified() && answer.objective == 0.0 && answer.rank == 0);
        assert_eq!(answer.warnings, [Warning::AllSparse]);
        assert_eq!(answer.sparse(), y);
    }
    let answer = problem.penalised(1e-9).solve().unwrap();
    assert!(answer.status.is_certified() && answer.warnings == [Warning::AllSparse]);
    for program in [problem.constrained(0.0), problem.penalised(1.0), problem.penalised(1e3)] {
        let answer = program.solve().unwrap();
        assert!(answer.status.is_certified() && audit(&problem, &answer) <= 1e-8);
        assert!((answer.objective - nuclear).abs() <= 1e-12 * nuclear);
        assert_eq!(answer.warnings, [Warning::AllLowRank]);
    }
    // With holes, completion of least nuclear norm.
    let ones = Mat::from_fn(5, 5, |i, j| if i == j { f64::NAN } else { 2.0 });
    let holes = RobustPca::new(ones.as_ref()).unwrap();
    for program in [holes.constrained(0.0), holes.penalised(5.0)] {
        let answer = program.solve().unwrap();
        assert!(answer.status.is_certified() && audit(&holes, &answer) <= 1e-8);
        assert!((answer.matrix()[(2, 2)] - 2.0).abs() < 1e-6);
    }
}

#[test]
fn constants_and_single_rows() {
    for (rows, cols) in [(1, 1), (1, 9), (9, 1), (6, 4), (60, 3)] {
        for value in [1.0, -3e-140, 2e140] {
            let y = Mat::full(rows, cols, value);
            let problem = RobustPca::new(y.as_ref()).unwrap();
            let all = problem.absolute_sum();
            for program in [
                problem.penalised(problem.default_lambda()),
                problem.penalised(0.3),
                problem.constrained(0.25 * all),
            ] {
                let answer = program.solve().unwrap();
                let form = answer.form;
                assert!(answer.status.is_certified(), "{rows} {cols} {value} {answer:?}");
                assert!(audit(&problem, &answer) <= 1e-8, "{rows} {cols} {value} {form:?}");
            }
        }
        let zero = RobustPca::new(Mat::<f64>::zeros(rows, cols).as_ref()).unwrap();
        for program in [zero.penalised(0.1), zero.constrained(0.0), zero.constrained(1.0)] {
            let answer = program.solve().unwrap();
            assert!(answer.status.is_certified() && answer.objective == 0.0);
            assert_eq!(answer.warnings, [Warning::ZeroMatrix]);
        }
    }
}

#[test]
fn unseen_rows_and_columns_are_named_and_zero() {
    let planted = planted((30, 25), 1, 0.03, 4);
    let seen = |i: usize, j: usize| i != 7 && j != 3;
    let problem = RobustPca::from_seen(planted.problem.matrix(), seen).unwrap();
    let answer = problem.penalised(problem.default_lambda()).solve().unwrap();
    assert!(answer.status.is_certified() && audit(&problem, &answer) <= 1e-8);
    assert_eq!(
        (&answer.unidentified_rows[..], &answer.unidentified_cols[..]),
        (&[7][..], &[3][..])
    );
    let expected = [Warning::UnidentifiedRows(1), Warning::UnidentifiedCols(1)];
    assert_eq!(answer.warnings, expected);
    let x = answer.matrix();
    assert!((0..25).all(|j| x[(7, j)] == 0.0) && (0..30).all(|i| x[(i, 3)] == 0.0));
}

#[test]
fn the_answer_does_not_depend_on_the_threads() {
    let planted = planted((150, 130), 4, 0.1, 5);
    let hard = noisy(60, 50, 5);
    for problem in [&planted.problem, &hard] {
        let solve = |threads| {
            let program = problem.penalised(problem.default_lambda()).tolerance(1e-6);
            program.threads(threads).solve().unwrap()
        };
        let (one, two) = (solve(1), solve(2));
        assert_eq!(one.matrix(), two.matrix());
        assert_eq!(one.dual, two.dual);
        assert_eq!(one.objective.to_bits(), two.objective.to_bits());
    }
}

/// Matrices whose first rounds are translations, and for which nothing but the rank is easy.
#[test]
fn nearly_constant_matrices() {
    let square =
        |i: usize, j: usize| (5..11).contains(&(i % 24 - i % 24 % 2 + j % 2)) && i / 24 == j % 32;
    let noise = stream(8, Role::Noise).gaussian_matrix(120, 100);
    for y in [
        Mat::from_fn(2, 2, |i, j| (2 * i + j + 1) as f64),
        Mat::from_fn(4, 3, |i, j| (3 * i + j) as f64),
        Mat::from_fn(10, 10, |i, j| if (i, j) == (2, 1) { 1.3 } else { 1.0 }),
        Mat::from_fn(60, 60, |i, j| if (i, j) == (7, 9) { 2.0 } else { 1.0 }),
        Mat::from_fn(24 * 32, 20, |i, j| if square(i, j) { 20.0 } else { 100.0 + (i % 24) as f64 }),
        Mat::from_fn(120, 100, |i, j| 30.0 + noise[(i, j)]),
        Mat::from_fn(2, 4, |i, j| [[f64::NAN, -2.0, 0.0, -2.0], [f64::NAN, 7.0, 0.0, 7.0]][i][j]),
    ] {
        let problem = RobustPca::new(y.as_ref()).unwrap();
        for lambda in [problem.default_lambda(), 0.525970925379447] {
            let answer = problem.penalised(lambda).max_iterations(1500).solve().unwrap();
            let gap = audit(&problem, &answer);
            assert!(
                answer.status.is_certified() && gap <= 1e-8,
                "{:?} {lambda} {gap:e}",
                y.shape()
            );
        }
    }
}

#[test]
fn taus_next_to_the_extremes() {
    for problem in [noisy(20, 15, 0), planted((24, 18), 2, 0.1, 5).problem] {
        let all = problem.absolute_sum();
        for part in [1e-4, 0.95, 0.99, 0.999, 0.9999] {
            let answer = problem.constrained(part * all).solve().unwrap();
            let gap = audit(&problem, &answer);
            assert!(answer.status.is_certified() && gap <= 1e-8, "{part} {gap:e} {answer:?}");
        }
        // A loose tolerance is no leave to miss the constraint.
        let tau = 1e-3 * all;
        let answer = problem.constrained(tau).tolerance(0.2).solve().unwrap();
        assert!(answer.status.is_certified() && answer.tau <= 1.001 * tau);
    }
}

#[test]
fn a_lambda_beyond_rounding_says_so() {
    let problem = noisy(30, 20, 1);
    let modest = problem.penalised(1.0).solve().unwrap();
    let answer = problem.penalised(1e12).solve().unwrap();
    assert!(answer.status.is_certified() && answer.tau == 0.0);
    assert_eq!(answer.objective, modest.objective);
    assert!(
        matches!(answer.warnings[..], [Warning::AllLowRank, Warning::Rounding(part)] if part > 1e-4)
    );
    assert!(problem.penalised(1e-320).solve().is_err());
}

#[test]
fn a_stopped_solve_returns_its_best() {
    let problem = noisy(40, 30, 6);
    let answer = problem.penalised(0.2).max_iterations(1).solve().unwrap();
    assert_eq!(answer.status, Status::IterationLimit);
    assert!(answer.objective.is_finite() && answer.relative_gap <= 1.0);
    audit(&problem, &answer);
    let stop = |_: &crate::Progress| std::ops::ControlFlow::Break(());
    let answer = problem.constrained(1.0).observe(stop).solve().unwrap();
    assert_eq!(answer.status, Status::Interrupted);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(120)
    })]

    /// Small matrices of few distinct values, with ties, zeros and holes.
    #[test]
    fn small_matrices_of_any_kind(
        rows in 1usize..6,
        cols in 1usize..6,
        picks in proptest::collection::vec(0usize..6, 25),
        strength in 0.05f64..1.5,
        constrained in proptest::bool::ANY,
    ) {
        let values = [0.0, 1.0, 1.0, -2.0, 7.0, f64::NAN];
        let y = Mat::from_fn(rows, cols, |i, j| values[picks[i * 5 + j]]);
        let Ok(problem) = RobustPca::new(y.as_ref()) else { return Ok(()) };
        let program = if constrained {
            problem.constrained(strength * 0.5 * problem.absolute_sum())
        } else {
            problem.penalised(strength * problem.default_lambda())
        };
        let answer = program.tolerance(1e-6).solve().unwrap();
        let gap = audit(&problem, &answer);
        prop_assert!(answer.status.is_certified() && gap <= 1e-5, "{y:?} {answer:?}");
    }
}
