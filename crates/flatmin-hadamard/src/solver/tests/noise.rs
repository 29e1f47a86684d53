//! Targets with noise: certificates from the definitions, other solvers' optima, and the laws of both forms.

use super::{DEPTHS, assert_certified, image, largest, matrices, norm};
use crate::{Depth, Hadamard, Objective, Program, Sparse, Status, Warning};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Error, Mat};
use std::ops::ControlFlow;

fn program(problem: &Hadamard, depth: Depth, weighted: bool) -> Program<'_> {
    if weighted { problem.flat(depth) } else { problem.nuclear(depth) }
}

/// Checks every claim of a certified answer, from the definitions and the caller's arrays alone. How far it
/// is from its proof, relative to the objective.
fn audit(what: &str, problem: &Hadamard, answer: &Sparse) -> f64 {
    let [_, value, dual_norm, along] = super::audit(problem, answer);
    let (a, b) = (problem.matrix(), problem.targets());
    let misfits: Vec<f64> = image(a, &answer.x).iter().zip(b).map(|(v, b)| v - b).collect();
    let (misfit, size, length) = (norm(&misfits, 2.0), norm(b, 2.0), norm(&answer.dual, 2.0));
    let says = format!(
        "{what}, depth {} {:?}: {answer:?}, dual norm 1 + {:e}",
        answer.depth,
        answer.objective_kind,
        dual_norm - 1.0
    );
    assert_eq!(answer.status, Status::Certified, "{says}");
    assert!(dual_norm <= 1.0, "{says}");
    let (objective, bound) = match (answer.noise, answer.penalty) {
        (Some(delta), penalty) => {
            // Sums of this size are rounded.
            let sums: Vec<f64> = (0..a.nrows())
                .map(|i| (0..a.ncols()).map(|j| (a[(i, j)] * answer.x[j]).abs()).sum())
                .collect();
            let rounding = 1e-15 * (size + norm(&sums, 2.0));
            assert!(misfit <= delta + rounding, "{:e} beyond, {says}", misfit / delta - 1.0);
            assert_eq!(answer.feasibility, 0.0, "{says}");
            if let Some(penalty) = penalty {
                assert!((penalty * length / delta - 1.0).abs() < 1e-13, "{says}");
            }
            (value, along - delta * length)
        }
        (None, Some(lambda)) => {
            assert!((answer.feasibility - misfit / size).abs() < 1e-13, "{says}");
            let bound = lambda * (along - 0.5 * lambda * length * length);
            (0.5 * misfit * misfit + lambda * value, bound)
        }
        (None, None) => (value, along),
    };
    // Where y is large its sums cancel, and their rounding counts.
    let terms: f64 = b.iter().zip(&answer.dual).map(|(b, y)| (b * y).abs()).sum();
    let unit = if answer.noise.is_some() { 1.0 } else { answer.penalty.unwrap_or(1.0) };
    let rounding = 1e-13 * objective + 1e-14 * terms * unit;
    assert!((objective - answer.objective).abs() <= rounding, "{objective:e}, {says}");
    assert!((bound - answer.lower_bound).abs() <= rounding, "{bound:e}, {says}");
    assert!(bound <= objective + rounding, "{says}");
    assert!(objective - bound <= 1e-8 * objective + rounding, "{says}");
    answer.relative_gap
}

/// Every shape and every hard matrix, at penalties and bounds from almost none to almost all.
#[test]
fn certified_however_degenerate() {
    let mut worst = [0.0f64; 2];
    for seed in 0..2u64 {
        let mut s = Stream::new(seed, "hadamard noise", 0, 0, Role::Measurements);
        for (m, d) in [(1, 1), (1, 6), (5, 5), (7, 4), (6, 15), (20, 60)] {
            let (g, signs) = (s.gaussian_matrix(m, d), s.signs(m * d));
            for (name, a) in matrices(&g, &signs) {
                let x: Vec<f64> =
                    (0..d).map(|j| if j % 4 == 0 { s.gaussian() } else { 0.0 }).collect();
                let exact = image(a.as_ref(), &x);
                // Noise in the units of each measurement.
                let row = |i: usize| norm(&(0..d).map(|j| a[(i, j)]).collect::<Vec<_>>(), 2.0);
                let noise = 0.1 * norm(&x, 2.0) / (d as f64).sqrt();
                let pairs = exact.iter().enumerate();
                let b: Vec<f64> = pairs.map(|(i, b)| b + noise * row(i) * s.gaussian()).collect();
                let size = norm(&b, 2.0);
                if size == 0.0 {
                    continue;
                }
                let problem = Hadamard::new(a, b).unwrap();
                for depth in DEPTHS {
                    for weighted in [true, false] {
                        let new = || program(&problem, depth, weighted);
                        let most = new().largest_penalty().unwrap();
                        let fit = new().solve().unwrap();
                        let least =
                            if fit.status == Status::Inconsistent { fit.feasibility } else { 0.0 };
                        for part in [0.9, 0.1, 1e-3] {
                            let what = format!("{name}, {m} x {d}, {part}, seed {seed}");
                            let answer = new().penalty(part * most).solve().unwrap();
                            let gap = audit(&what, &problem, &answer);
                            worst[0] = worst[0].max(gap);
                            let part = least + part * (1.0 - least);
                            let size = norm(problem.targets(), 2.0);
                            let answer = new().noise(part * size).solve().unwrap();
                            worst[1] = worst[1].max(audit(&what, &problem, &answer));
                        }
                    }
                }
            }
        }
    }
    assert!(worst[0] <= 1e-12 && worst[1] <= 1e-11, "worst gaps {worst:?}");
}

/// `A_ij = cos(i + 2 j + i j)`, `b_i = sin(i) + 1`, indices from 0, for the reference.
fn smooth(m: usize, d: usize) -> Hadamard {
    let a = Mat::from_fn(m, d, |i, j| ((i + 2 * j + i * j) as f64).cos());
    Hadamard::new(a, (0..m).map(|i| (i as f64).sin() + 1.0).collect()).unwrap()
}

/// Optimal values by CLARABEL through cvxpy, at all tolerances `1e-13` (where it may stop a little earlier):
///
/// ```text
/// g = (np.linalg.norm(A, axis=0)**2 / m)**(1 / p)          # or ones(d)
/// H = A / g;  N = cp.pnorm(z, p, approx=False)
/// lam = part * np.linalg.norm(H.T @ b, q);   cp.Problem(cp.Minimize(0.5 * cp.sum_squares(H @ z - b) + lam * N))
/// delta = part * np.linalg.norm(b);          cp.Problem(cp.Minimize(N), [cp.norm(H @ z - b, 2) <= delta])
/// ```
#[test]
fn optima_are_those_of_another_solver() {
    for (m, d, k, weighted, penalised, part, optimum) in REFERENCE {
        let problem = smooth(m, d);
        let depth = if k == 0 { Depth::Infinite } else { Depth::Finite(k) };
        let new = || program(&problem, depth, weighted);
        let answer = if penalised {
            new().penalty(part * new().largest_penalty().unwrap())
        } else {
            new().noise(part * norm(problem.targets(), 2.0))
        };
        let answer = answer.solve().unwrap();
        let what = format!("{m} x {d}, depth {k}, {weighted}, {penalised}");
        audit(&what, &problem, &answer);
        let apart = (answer.objective / optimum - 1.0).abs();
        assert!(apart < 1e-7, "{what}: {apart:e}");
    }
}

/// `m`, `d`, depth (0 without limit), weighted, penalised, part, optimum.
const REFERENCE: [(usize, usize, usize, bool, bool, f64, f64); 39] = [
    (5, 12, 2, true, true, 0.1, 1.06675243395e+00),
    (5, 12, 2, true, false, 0.2, 1.21305015625e+00),
    (5, 12, 2, false, true, 0.1, 1.15594011135e+00),
    (5, 12, 2, false, false, 0.2, 1.66601112911e+00),
    (5, 12, 3, true, true, 0.1, 1.00788070446e+00),
    (5, 12, 3, true, false, 0.2, 1.03970217675e+00),
    (5, 12, 3, false, true, 0.1, 9.85478715959e-01),
    (5, 12, 3, false, false, 0.2, 1.32618563328e+00),
    (5, 12, 4, true, true, 0.1, 1.00004591099e+00),
    (5, 12, 4, true, false, 0.2, 9.74896439993e-01),
    (5, 12, 4, false, true, 0.1, 9.61713949587e-01),
    (5, 12, 4, false, false, 0.2, 1.21662761337e+00),
    (5, 12, 8, true, true, 0.1, 9.92855360937e-01),
    (5, 12, 8, true, false, 0.2, 9.01961241233e-01),
    (5, 12, 8, false, true, 0.1, 9.48677380167e-01),
    (5, 12, 8, false, false, 0.2, 1.09755166578e+00),
    (5, 12, 0, true, true, 0.1, 9.89014698595e-01),
    (5, 12, 0, true, false, 0.2, 8.48780684074e-01),
    (5, 12, 0, false, true, 0.1, 9.46555935539e-01),
    (5, 12, 0, false, false, 0.2, 1.01334452058e+00),
    (12, 5, 2, true, true, 0.1, 9.30119384562e+00),
    (12, 5, 3, true, true, 0.1, 9.28682087734e+00),
    (12, 5, 4, true, true, 0.1, 9.28281752541e+00),
    (12, 5, 8, true, true, 0.1, 9.27901020525e+00),
    (12, 5, 0, true, true, 0.1, 9.27678144804e+00),
    (8, 8, 2, true, true, 0.1, 1.84312645385e+00),
    (8, 8, 2, true, false, 0.2, 1.55950220921e+00),
    (8, 8, 3, true, true, 0.1, 1.46833021864e+00),
    (8, 8, 3, true, false, 0.2, 1.23496321615e+00),
    (8, 8, 4, true, true, 0.1, 1.41411351711e+00),
    (8, 8, 4, true, false, 0.2, 1.15283297501e+00),
    (8, 8, 8, true, true, 0.1, 1.39025790712e+00),
    (8, 8, 8, true, false, 0.2, 1.07440183489e+00),
    (8, 8, 0, true, true, 0.1, 1.39697448961e+00),
    (8, 8, 0, true, false, 0.2, 1.02658723375e+00),
    (12, 5, 2, true, false, 0.995, 7.42403384818e-02),
    (12, 5, 3, true, false, 0.995, 7.86138742112e-02),
    (12, 5, 4, true, false, 0.995, 7.94932466350e-02),
    (12, 5, 8, true, false, 0.995, 8.00969711434e-02),
];

/// The answer to a bound solves the penalised form at the penalty that it implies, and back.
#[test]
fn both_forms_have_the_same_solutions() {
    let mut s = Stream::new(8, "hadamard noise", 0, 0, Role::Measurements);
    for (m, d) in [(12, 30), (20, 8), (10, 10)] {
        let problem = Hadamard::new(s.gaussian_matrix(m, d), s.gaussian_vector(m)).unwrap();
        let size = norm(problem.targets(), 2.0);
        for depth in DEPTHS {
            for weighted in [true, false] {
                let new = || program(&problem, depth, weighted);
                let lambda = 0.2 * new().largest_penalty().unwrap();
                let one = new().penalty(lambda).tolerance(1e-11).solve().unwrap();
                let two = new().noise(one.feasibility * size).tolerance(1e-11).solve().unwrap();
                let off: Vec<f64> = one.x.iter().zip(&two.x).map(|(x, y)| x - y).collect();
                let off = norm(&off, 2.0) / norm(&one.x, 2.0);
                let implied = two.penalty.unwrap();
                let says = format!("{m} x {d}, depth {depth}: {off:e}, {lambda} and {implied}");
                assert!(off < 1e-7, "{says}");
                assert!((implied / lambda - 1.0).abs() < 1e-7, "{says}");
                assert!(one.unique && two.unique, "{says}");
            }
        }
    }
}

/// Where two factors recover, the error is at most a multiple of the noise, and the same multiple.
#[test]
fn errors_follow_the_noise() {
    let (m, d) = (60, 120);
    let mut s = Stream::new(9, "hadamard noise", 0, 0, Role::Measurements);
    let a = s.gaussian_matrix(m, d);
    let x: Vec<f64> = (0..d).map(|j| if j % 15 == 0 { s.gaussian() } else { 0.0 }).collect();
    let (exact, noise) = (image(a.as_ref(), &x), s.gaussian_vector(m));
    for weighted in [true, false] {
        let error = |part: f64| {
            let b = exact.iter().zip(&noise).map(|(b, n)| b + part * n).collect();
            let problem = Hadamard::new(a.clone(), b).unwrap();
            let answer = program(&problem, Depth::Finite(2), weighted);
            let answer = answer.noise(part * norm(&noise, 2.0)).solve().unwrap();
            audit("errors", &problem, &answer);
            let off: Vec<f64> = answer.x.iter().zip(&x).map(|(x, y)| x - y).collect();
            norm(&off, 2.0) / part
        };
        let errors = [1e-2, 1e-4, 1e-6, 1e-8].map(error);
        for error in errors {
            assert!((error / errors[1] - 1.0).abs() < 0.05, "{errors:?}");
        }
    }
}

/// Orthonormal columns: each entry is shrunken on its own.
#[test]
fn orthonormal_columns_are_thresholded() {
    let b = [3.0, -2.0, 0.5, 0.0, 1.5];
    let problem = Hadamard::new(Mat::identity(5, 4), b.to_vec()).unwrap();
    let answer = problem.nuclear(2).penalty(1.0).solve().unwrap();
    assert_eq!(answer.rank, 2);
    for (x, wanted) in answer.x.iter().zip([2.0, -1.0, 0.0, 0.0]) {
        assert!((x - wanted).abs() < 1e-14, "{:?}", answer.x);
    }
    // 1.5 is beyond reach: |r|^2 = 1 + 1 + 0.25 + 2.25.
    let answer = problem.nuclear(2).noise(4.5f64.sqrt()).solve().unwrap();
    audit("thresholds", &problem, &answer);
    assert!((answer.objective - 3.0).abs() < 1e-12 && answer.unique, "{answer:?}");
    assert!((answer.penalty.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn the_ends_are_zero_the_exact_form_and_the_least_squares_fit() {
    let mut s = Stream::new(10, "hadamard noise", 0, 0, Role::Measurements);
    let wide = Hadamard::new(s.gaussian_matrix(6, 14), s.gaussian_vector(6)).unwrap();
    let tall = Hadamard::new(s.gaussian_matrix(9, 4), s.gaussian_vector(9)).unwrap();
    for depth in DEPTHS {
        for weighted in [true, false] {
            for problem in [&wide, &tall] {
                let new = || program(problem, depth, weighted);
                let (most, size) = (new().largest_penalty().unwrap(), norm(problem.targets(), 2.0));
                for zero in [
                    new().penalty(most * (1.0 + 1e-12)),
                    new().penalty(7.0 * most),
                    new().noise(size * (1.0 + 1e-15)),
                    new().noise(2.0 * size),
                ] {
                    let zero = zero.solve().unwrap();
                    audit("zero", problem, &zero);
                    assert!(zero.x.iter().all(|x| *x == 0.0) && zero.unique && zero.rank == 0);
                }
                let below = new().penalty(most * (1.0 - 1e-6)).solve().unwrap();
                audit("almost zero", problem, &below);
                assert!(largest(&below.x) > 0.0, "depth {depth}");
            }
            let new = || program(&wide, depth, weighted);
            let (none, exact) = (new().noise(0.0).solve().unwrap(), new().solve().unwrap());
            assert_eq!((&none.x, none.noise, exact.noise), (&exact.x, Some(0.0), None));
            assert_certified("no noise", &wide, &none, 1e-8);
            let new = || program(&tall, depth, weighted);
            let fit = new().solve().unwrap();
            let least = fit.feasibility * norm(tall.targets(), 2.0);
            let none = new().noise(0.99 * least).solve().unwrap();
            assert_eq!((none.status, none.relative_gap), (Status::Inconsistent, 1.0));
            assert_eq!(none.x, fit.x);
            assert!(none.warnings.iter().any(|w| matches!(w, Warning::Residual(_))));
            let some = new().noise(1.01 * least).solve().unwrap();
            audit("above the least squares", &tall, &some);
        }
    }
}

#[test]
fn scales_are_those_of_the_formulas() {
    let mut s = Stream::new(11, "hadamard noise", 0, 0, Role::Measurements);
    let (a, b) = (s.gaussian_matrix(5, 9), s.gaussian_vector(5));
    let plain = Hadamard::new(a.clone(), b.clone()).unwrap();
    for (alpha, beta) in [(1e100, 1e-100), (1e-100, 1e100), (1.0, 1e100), (1e-100, 1.0)] {
        let scaled = Mat::from_fn(5, 9, |i, j| alpha * a[(i, j)]);
        let problem = Hadamard::new(scaled, b.iter().map(|b| beta * b).collect()).unwrap();
        for depth in DEPTHS {
            for weighted in [true, false] {
                let [one, two] = [&plain, &problem].map(|problem| {
                    let new = || program(problem, depth, weighted);
                    let most = new().largest_penalty().unwrap();
                    let answers = [
                        new().penalty(0.3 * most),
                        new().noise(0.3 * norm(problem.targets(), 2.0)),
                    ];
                    answers.map(|answer| answer.solve().unwrap())
                });
                for (one, two) in one.iter().zip(&two) {
                    assert_eq!(two.status, Status::Certified, "{alpha:e} {beta:e} {two:?}");
                    let off = one.x.iter().zip(&two.x).map(|(x, y)| x - y / (beta / alpha));
                    let off = largest(&off.collect::<Vec<_>>()) / largest(&one.x);
                    assert!(off < 1e-7, "{alpha:e} {beta:e} depth {depth}: {off:e}");
                }
                let unit = beta * beta;
                assert!((two[0].objective / unit / one[0].objective - 1.0).abs() < 1e-11);
            }
        }
    }
}

#[test]
fn what_nothing_measures_is_zero() {
    let nothing = Hadamard::new(Mat::zeros(2, 3), vec![3.0, 4.0]).unwrap();
    let answer = nothing.nuclear(2).penalty(0.5).solve().unwrap();
    assert_eq!(
        (answer.status, answer.objective, answer.lower_bound),
        (Status::Certified, 12.5, 12.5)
    );
    assert_eq!(nothing.flat(3).noise(5.0).solve().unwrap().status, Status::Certified);
    let answer = nothing.flat(3).noise(4.0).solve().unwrap();
    assert_eq!(answer.status, Status::Inconsistent);
    assert!((answer.feasibility - 0.2).abs() < 1e-15);
    let zero = Hadamard::from_arrays(1, 2, vec![1.0, 2.0], vec![0.0]).unwrap();
    for program in [zero.flat(2).noise(0.1), zero.flat(2).penalty(0.1), zero.flat(3).noise(0.0)] {
        let answer = program.solve().unwrap();
        assert_eq!((answer.status, answer.objective), (Status::Certified, 0.0));
        assert_eq!((answer.lower_bound, answer.feasibility), (0.0, 0.0));
    }
    assert_eq!(zero.flat(2).largest_penalty().unwrap(), 0.0);
}

#[test]
fn what_a_caller_gets_wrong_is_an_error() {
    let problem = Hadamard::from_arrays(1, 2, vec![1.0, 2.0], vec![1.0]).unwrap();
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        let error = problem.flat(2).noise(value).solve().err().unwrap();
        assert!(matches!(error, Error::Parameter { name: "the noise bound", .. }));
        let error = problem.flat(2).penalty(value).solve().err().unwrap();
        assert!(matches!(error, Error::Parameter { name: "the penalty", .. }));
    }
    assert!(matches!(problem.flat(2).penalty(0.0).solve(), Err(Error::Parameter { .. })));
    // The last one counts.
    let answer = problem.flat(2).penalty(0.1).noise(0.5).solve().unwrap();
    assert_eq!(answer.noise, Some(0.5));
    assert_eq!(answer.objective_kind, Objective::Flat);
}

/// What was proved until the end of an early end holds, and more iterations prove more.
#[test]
fn early_ends_keep_what_was_proved() {
    let mut s = Stream::new(13, "hadamard noise", 0, 0, Role::Measurements);
    let problem = Hadamard::new(s.gaussian_matrix(20, 50), s.gaussian_vector(20)).unwrap();
    let size = norm(problem.targets(), 2.0);
    for depth in [2, 3] {
        let most = problem.flat(depth).largest_penalty().unwrap();
        let forms =
            || [problem.flat(depth).noise(0.1 * size), problem.flat(depth).penalty(0.1 * most)];
        let optima = forms().map(|form| form.solve().unwrap().objective);
        for limit in [1, 3] {
            for (form, optimum) in forms().into_iter().zip(optima) {
                let answer = form.max_iterations(limit).tolerance(1e-13).solve().unwrap();
                assert_eq!((answer.status, answer.iterations), (Status::IterationLimit, limit));
                let says = format!("depth {depth}, {limit}: {answer:?}");
                assert!(answer.lower_bound <= optimum * (1.0 + 1e-12), "{says}");
                assert!(limit == 1 || answer.lower_bound > 0.0, "{says}");
                let feasible = answer.feasibility == 0.0 || answer.noise.is_none();
                assert!(!feasible || answer.objective >= optimum * (1.0 - 1e-12), "{says}");
            }
        }
        for form in forms() {
            let stopped = form.observe(|_| ControlFlow::Break(())).solve().unwrap();
            assert_eq!((stopped.status, stopped.iterations), (Status::Interrupted, 1));
        }
    }
}

/// Columns whose sizes differ by eight digits, which flat weights see as sixteen: every claim holds, and with
/// these weights and independent measurements every answer is certified.
#[test]
fn columns_of_very_different_size_are_claimed_with_care() {
    let (mut certified, mut all) = (0, 0);
    for seed in 0..3u64 {
        let mut s = Stream::new(seed, "hadamard grades", 0, 0, Role::Measurements);
        for (m, d) in [(5, 5), (6, 15), (20, 60), (30, 12)] {
            let g = s.gaussian_matrix(m, d);
            for unit in [1e-8, 1e8] {
                let a = Mat::from_fn(m, d, |i, j| g[(i, j)] * if j % 3 == 0 { unit } else { 1.0 });
                let problem = Hadamard::new(a, s.gaussian_vector(m)).unwrap();
                let size = norm(problem.targets(), 2.0);
                for (depth, weighted) in DEPTHS.iter().flat_map(|k| [(*k, true), (*k, false)]) {
                    let new = || program(&problem, depth, weighted);
                    let most = new().largest_penalty().unwrap();
                    for part in [0.9, 0.1, 1e-3] {
                        let bounded = new().noise((0.9 + 0.1 * part) * size);
                        for form in [new().penalty(part * most), bounded] {
                            let answer = form.solve().unwrap();
                            let what = format!("{m} x {d}, {unit:e}, {part}, seed {seed}");
                            all += 1;
                            if answer.status == Status::Certified {
                                audit(&what, &problem, &answer);
                                certified += 1;
                            } else {
                                assert!(!weighted || m > d, "{what}: {answer:?}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(100 * certified >= 99 * all, "{certified} of {all} certified");
}
