//! Certificates from the definitions, in every regime.

use crate::{Depth, Hadamard, Objective, Sparse, Status, Warning};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Error, Mat, MatRef};
use std::ops::ControlFlow;

mod noise;

const DEPTHS: [Depth; 7] = [
    Depth::Finite(2),
    Depth::Finite(3),
    Depth::Finite(4),
    Depth::Finite(5),
    Depth::Finite(8),
    Depth::Finite(1000),
    Depth::Infinite,
];

fn image(a: MatRef<'_, f64>, x: &[f64]) -> Vec<f64> {
    (0..a.nrows()).map(|i| (0..a.ncols()).map(|j| a[(i, j)] * x[j]).sum()).collect()
}

/// Largest absolute value.
fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// `|v|_e`, safe against overflow.
fn norm(v: &[f64], e: f64) -> f64 {
    let top = largest(v);
    if e == f64::INFINITY || top == 0.0 {
        return top;
    }
    top * v.iter().map(|v| (v.abs() / top).powf(e)).sum::<f64>().powf(1.0 / e)
}

/// What an answer claims, from the definitions and the caller's arrays alone: feasibility, objective, dual norm
/// and bound.
fn audit(problem: &Hadamard, answer: &Sparse) -> [f64; 4] {
    let (a, b) = (problem.matrix(), problem.targets());
    let (m, d) = a.shape();
    let (p, q) = (answer.depth.exponent().unwrap(), answer.depth.dual_exponent().unwrap());
    let (mut objective, mut dual) = (Vec::new(), Vec::new());
    for j in 0..d {
        let column: Vec<f64> = (0..m).map(|i| a[(i, j)]).collect();
        let size = norm(&column, 2.0);
        if size == 0.0 {
            assert_eq!(answer.x[j], 0.0);
            continue;
        }
        // w_j^{1/p}.
        let root = match answer.objective_kind {
            Objective::Flat => size.powf(2.0 / p) / (m as f64).powf(1.0 / p),
            _ => 1.0,
        };
        objective.push(root * answer.x[j]);
        let s: f64 = column.iter().zip(&answer.dual).map(|(a, y)| a * y).sum();
        dual.push(s / root);
    }
    let misfits: Vec<f64> = image(a, &answer.x).iter().zip(b).map(|(i, b)| i - b).collect();
    let bound = answer.dual.iter().zip(b).map(|(y, b)| y * b).sum();
    [norm(&misfits, 2.0) / norm(b, 2.0), norm(&objective, p), norm(&dual, q), bound]
}

/// Checks every claim of an answer to one program, which must be certified to `gap`.
fn assert_certified(what: &str, problem: &Hadamard, answer: &Sparse, gap: f64) {
    let [feasibility, objective, dual_norm, bound] = audit(problem, answer);
    let says = format!(
        "{what}, depth {} {:?}: {}, gap {:e}, objective {objective:e}, bound {bound:e}, dual norm 1 + {:e}, \
         feasibility {feasibility:e}, {:?}",
        answer.depth,
        answer.objective_kind,
        answer.status,
        answer.relative_gap,
        dual_norm - 1.0,
        answer.warnings,
    );
    assert_eq!(answer.status, Status::Certified, "{says}");
    assert!(answer.relative_gap <= gap, "{says}");
    assert!(feasibility <= 1e-11, "{says}");
    assert!(dual_norm <= 1.0, "{says}");
    // Where y is large the sum <b, y> cancels, and its rounding counts.
    let b = problem.targets();
    let terms: f64 = b.iter().zip(&answer.dual).map(|(b, y)| (b * y).abs()).sum();
    let rounding = 1e-13 * objective + 1e-14 * terms;
    assert!((objective - answer.objective).abs() <= rounding, "{says}");
    assert!((bound - answer.lower_bound).abs() <= rounding, "{says}");
    assert!(bound <= objective + rounding, "{says}");
    assert!(objective - bound <= gap * objective + rounding, "{says}");
}

/// Both programs at all depths.
fn assert_all(what: &str, problem: &Hadamard, gap: f64) {
    for depth in DEPTHS {
        for program in [problem.flat(depth), problem.nuclear(depth)] {
            assert_certified(what, problem, &program.solve().unwrap(), gap);
        }
    }
}

/// Matrices that are hard each in its own way, from a Gaussian one.
fn matrices(g: &Mat<f64>, signs: &[f64]) -> Vec<(&'static str, Mat<f64>)> {
    let (m, d) = g.shape();
    let of = |f: &dyn Fn(usize, usize) -> f64| Mat::from_fn(m, d, f);
    vec![
        ("Gaussian", g.clone()),
        ("signs", of(&|i, j| signs[i * d + j])),
        ("zero or one", of(&|i, j| if g[(i, j)] > 0.5 { 1.0 } else { 0.0 })),
        ("small integers", of(&|i, j| (1.5 * g[(i, j)]).round())),
        ("columns twice", of(&|i, j| g[(i, j / 2)])),
        (
            "columns and negatives",
            of(&|i, j| if j % 2 == 1 { -g[(i, j / 2)] } else { g[(i, j / 2)] }),
        ),
        ("unit vectors", of(&|i, j| if i == j % m { 1.0 } else { 0.0 })),
        ("rows of low rank", of(&|i, j| g[(i / 2, j)] + if i > 2 { g[(0, j)] } else { 0.0 })),
        ("units of rows", of(&|i, j| g[(i, j)] * [1e-6, 1.0, 1e6][i % 3])),
        ("tiny", of(&|i, j| 1e-120 * g[(i, j)])),
        ("huge", of(&|i, j| 1e120 * g[(i, j)])),
    ]
}

/// Sparse, half full and full vectors, with many equal values and without, at every shape.
#[test]
fn certified_above_at_and_below_the_transition_however_degenerate() {
    for seed in 0..3u64 {
        let mut s = Stream::new(seed, "hadamard", 0, 0, Role::Measurements);
        for (m, d) in [(1, 1), (1, 6), (5, 5), (7, 4), (6, 15), (20, 60), (40, 100)] {
            let (g, signs) = (s.gaussian_matrix(m, d), s.signs(m * d));
            for (name, a) in matrices(&g, &signs) {
                for nonzeros in [1, m / 8 + 1, m / 3 + 1, d] {
                    let mut x = vec![0.0; d];
                    for _ in 0..nonzeros {
                        let j = ((s.uniform() * d as f64) as usize).min(d - 1);
                        x[j] = s.gaussian();
                    }
                    if seed == 1 {
                        x.iter_mut().for_each(|x| *x = x.signum() * x.abs().ceil());
                    }
                    let b = image(a.as_ref(), &x);
                    if largest(&b) == 0.0 {
                        continue;
                    }
                    let what = format!("{name}, {m} x {d}, {nonzeros} nonzeros, seed {seed}");
                    assert_all(&what, &Hadamard::new(a.clone(), b).unwrap(), 1e-11);
                }
            }
        }
    }
}

/// Columns whose sizes differ by eight digits, which flat weights see as sixteen.
#[test]
fn columns_of_very_different_size_are_certified() {
    for seed in 0..4u64 {
        let mut s = Stream::new(seed, "hadamard grades", 0, 0, Role::Measurements);
        for (m, d) in [(5, 5), (6, 15), (20, 60), (40, 100)] {
            let g = s.gaussian_matrix(m, d);
            for unit in [1e-8, 1e8] {
                let a = Mat::from_fn(m, d, |i, j| g[(i, j)] * if j % 3 == 0 { unit } else { 1.0 });
                for nonzeros in [m / 8 + 2, d] {
                    let x: Vec<f64> =
                        (0..d).map(|j| if j < nonzeros { s.gaussian() } else { 0.0 }).collect();
                    let b = image(a.as_ref(), &x);
                    let problem = Hadamard::new(a.clone(), b).unwrap();
                    for depth in DEPTHS {
                        let what = format!("{m} x {d}, {unit:e}, {nonzeros} nonzeros, seed {seed}");
                        let flat = problem.flat(depth).solve().unwrap();
                        assert_certified(&what, &problem, &flat, 1e-8);
                    }
                }
            }
        }
    }
}

/// Without weights, unknowns of columns of size `1e-8` are known to that accuracy at best: the targets' own
/// rounding moves them by as much.
#[test]
fn what_rounding_hides_is_not_called_certified() {
    let mut s = Stream::new(1, "hadamard grades", 0, 0, Role::Measurements);
    let g = s.gaussian_matrix(5, 5);
    let a = Mat::from_fn(5, 5, |i, j| g[(i, j)] * if j % 2 == 0 { 1e-12 } else { 1.0 });
    let problem = Hadamard::new(a.clone(), image(a.as_ref(), &[1.0; 5])).unwrap();
    for depth in DEPTHS {
        let answer = problem.nuclear(depth).solve().unwrap();
        let [_, objective, dual_norm, bound] = audit(&problem, &answer);
        assert_eq!(answer.status, Status::Stalled);
        assert!(
            answer.warnings.iter().any(|w| matches!(w, Warning::IllConditioned(e) if *e > 1e-8))
        );
        assert!(dual_norm <= 1.0 && bound <= objective, "{dual_norm}");
    }
}

/// Factors `alpha` of the matrix and `beta` of the targets scale everything as the formulas say.
#[test]
fn scales_are_those_of_the_formulas() {
    let mut s = Stream::new(5, "hadamard scales", 0, 0, Role::Measurements);
    let (a, b) = (s.gaussian_matrix(4, 9), s.gaussian_vector(4));
    let plain = Hadamard::new(a.clone(), b.clone()).unwrap();
    for (alpha, beta) in [(1e-140, 1e150), (1e150, 1e-140), (1.0, 1e150), (3.0, 1e-150)] {
        let scaled = Mat::from_fn(4, 9, |i, j| alpha * a[(i, j)]);
        let targets = b.iter().map(|b| beta * b).collect();
        let problem = Hadamard::new(scaled, targets).unwrap();
        for depth in DEPTHS {
            for (weighted, one, two) in [
                (true, plain.flat(depth), problem.flat(depth)),
                (false, plain.nuclear(depth), problem.nuclear(depth)),
            ] {
                let p = depth.exponent().unwrap();
                let (one, two) = match (one.solve().unwrap(), two.solve()) {
                    (one, Ok(two)) => (one, two),
                    // beta / alpha may leave double precision, which is said.
                    (_, Err(error)) => {
                        assert!(matches!(error, Error::Scale { .. }), "{error}");
                        continue;
                    }
                };
                assert_certified("scaled", &problem, &two, 1e-11);
                let unit = if weighted { alpha.powf(2.0 / p - 1.0) } else { 1.0 / alpha };
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b.abs();
                assert!(near(two.objective, one.objective * unit * beta));
                assert!(near(largest(&two.dual), largest(&one.dual) * unit), "depth {depth}");
                assert!(near(largest(&two.x), largest(&one.x) * (beta / alpha)));
                if let Depth::Finite(_) = depth {
                    let unit = (alpha.powf(2.0 / p - 1.0) * beta).powf(p);
                    assert!(near(two.trace, one.trace * unit), "{} {}", two.trace, one.trace);
                }
            }
        }
    }
}

/// Optimal values by HiGHS (two factors) and CLARABEL (more), for `A_ij = cos(i + 2 j + i j)` with `m = 5`,
/// `d = 12` and `b_i = sin(i) + 1`, indices from 0:
///
/// ```text
/// g = (np.linalg.norm(A, axis=0)**2 / m)**(1 / p)          # or ones(d)
/// linprog(r_[g, g], A_eq=c_[A, -A], b_eq=b, method="highs").fun
/// cp.Problem(cp.Minimize(cp.pnorm(z, p, approx=False)), [(A / g) @ z == b]).solve(solver="CLARABEL")
/// ```
#[test]
fn optima_are_those_of_other_solvers() {
    let a = Mat::from_fn(5, 12, |i, j| ((i + 2 * j + i * j) as f64).cos());
    let problem = Hadamard::new(a, (0..5).map(|i| (i as f64).sin() + 1.0).collect()).unwrap();
    for (k, flat, nuclear) in REFERENCE {
        let of = |program: crate::Program<'_>| program.solve().unwrap().objective;
        let (found, other) = (of(problem.flat(k)), of(problem.nuclear(k)));
        assert!((found / flat - 1.0).abs() < 1e-8, "depth {k}: {found} and {flat}");
        assert!((other / nuclear - 1.0).abs() < 1e-8, "depth {k}: {other} and {nuclear}");
    }
}

const REFERENCE: [(usize, f64, f64); 4] = [
    (2, 1.65664835776, 2.39605399174),
    (3, 1.34740762161, 1.75482987989),
    (4, 1.25219562545, 1.57994056891),
    (8, 1.15073634426, 1.40213331120),
];

#[test]
fn large_depths_approach_the_limit() {
    let mut s = Stream::new(2, "hadamard limit", 0, 0, Role::Measurements);
    let problem = Hadamard::new(s.gaussian_matrix(6, 20), s.gaussian_vector(6)).unwrap();
    let limit = problem.flat(Depth::Infinite).solve().unwrap();
    let apart = |k: usize| {
        let flat = problem.flat(k).solve().unwrap();
        let off: Vec<f64> = flat.x.iter().zip(&limit.x).map(|(x, y)| x - y).collect();
        norm(&off, 2.0) / norm(&limit.x, 2.0)
    };
    let (near, nearer, nearest) = (apart(100), apart(1000), apart(100_000));
    assert!((near / nearer - 10.0).abs() < 0.5, "{near:e} {nearer:e}");
    assert!((nearer / nearest - 100.0).abs() < 5.0, "{nearer:e} {nearest:e}");
    assert_eq!(limit.trace, f64::INFINITY);
    assert!(limit.factors().is_none());
}

#[test]
fn zero_targets_have_the_answer_zero() {
    let a = Mat::from_fn(2, 3, |i, j| if j == 1 { 0.0 } else { (i + j + 1) as f64 });
    let problem = Hadamard::new(a, vec![0.0, 0.0]).unwrap();
    for depth in DEPTHS {
        let flat = problem.flat(depth).solve().unwrap();
        assert_eq!((flat.status, flat.objective, flat.rank), (Status::Certified, 0.0, 0));
        assert_eq!((flat.x, flat.unidentified), (vec![0.0; 3], vec![1]));
        assert!(flat.warnings.contains(&Warning::ZeroTargets) && !flat.unique);
    }
}

#[test]
fn what_nothing_measures_is_zero_and_said_so() {
    let mut s = Stream::new(3, "hadamard unseen", 0, 0, Role::Measurements);
    let g = s.gaussian_matrix(3, 8);
    let a = Mat::from_fn(3, 8, |i, j| if j % 4 == 1 { 0.0 } else { g[(i, j)] });
    let problem = Hadamard::new(a, s.gaussian_vector(3)).unwrap();
    for depth in DEPTHS {
        let flat = problem.flat(depth).solve().unwrap();
        assert_certified("unseen", &problem, &flat, 1e-12);
        assert_eq!((flat.unidentified.as_slice(), flat.unique), (&[1, 5][..], false));
        assert!(flat.warnings.contains(&Warning::Unidentified(2)));
        assert!(problem.nuclear(depth).solve().unwrap().unique, "depth {depth}");
    }
}

#[test]
fn targets_that_nothing_fits_get_a_least_squares_fit() {
    let mut s = Stream::new(4, "hadamard misfit", 0, 0, Role::Measurements);
    // More measurements than unknowns; then measurements that repeat one another, with other targets.
    let g = s.gaussian_matrix(9, 4);
    let h = s.gaussian_matrix(4, 10);
    let repeated = Mat::from_fn(5, 10, |i, j| if i == 4 { h[(0, j)] } else { h[(i, j)] });
    for a in [g, repeated] {
        let b = s.gaussian_vector(a.nrows());
        let problem = Hadamard::new(a.clone(), b.clone()).unwrap();
        for depth in DEPTHS {
            let flat = problem.flat(depth).solve().unwrap();
            assert_eq!(
                (flat.status, flat.relative_gap),
                (Status::Inconsistent, 1.0),
                "depth {depth}"
            );
            assert!(flat.warnings.iter().any(|w| matches!(w, Warning::Residual(r) if *r > 0.01)));
            // The residual is orthogonal to the columns.
            let misfits: Vec<f64> =
                image(a.as_ref(), &flat.x).iter().zip(&b).map(|(i, b)| i - b).collect();
            assert!((norm(&misfits, 2.0) / norm(&b, 2.0) - flat.feasibility).abs() < 1e-13);
            let along = image(a.transpose(), &misfits);
            assert!(largest(&along) < 1e-12, "depth {depth}: {:e}", largest(&along));
        }
    }
    // Nothing at all is measured.
    let problem = Hadamard::new(Mat::zeros(2, 3), vec![1.0, 0.0]).unwrap();
    let flat = problem.flat(2).solve().unwrap();
    assert_eq!(
        (flat.status, flat.x.clone(), flat.feasibility),
        (Status::Inconsistent, vec![0.0; 3], 1.0)
    );
    // Zero is the best fit.
    let problem = Hadamard::new(Mat::from_fn(2, 1, |i, _| [1.0, 0.0][i]), vec![0.0, 1.0]).unwrap();
    let flat = problem.flat(3).solve().unwrap();
    assert_eq!(
        (flat.status, flat.x.clone(), flat.feasibility),
        (Status::Inconsistent, vec![0.0], 1.0)
    );
}

#[test]
fn a_solution_that_is_not_the_only_one_is_not_called_unique() {
    // Equal columns share what they explain.
    let problem = Hadamard::from_arrays(1, 2, vec![1.0, 1.0], vec![3.0]).unwrap();
    let flat = problem.flat(2).solve().unwrap();
    assert_certified("equal columns", &problem, &flat, 1e-12);
    assert!(!flat.unique);
    let deeper = problem.flat(3).solve().unwrap();
    assert!(deeper.unique && (deeper.x[0] - 1.5).abs() < 1e-12);
    let problem = Hadamard::from_arrays(1, 2, vec![1.0, 0.9], vec![3.0]).unwrap();
    assert!(problem.nuclear(2).solve().unwrap().unique);
}

#[test]
fn observers_see_and_stop_a_solve() {
    let mut s = Stream::new(6, "hadamard observers", 0, 0, Role::Measurements);
    let problem = Hadamard::new(s.gaussian_matrix(20, 50), s.gaussian_vector(20)).unwrap();
    for k in [2, 3] {
        let mut seen = Vec::new();
        let done = problem.flat(k).observe(|progress| {
            seen.push((progress.iteration, progress.lower_bound));
            ControlFlow::Continue(())
        });
        let done = done.solve().unwrap();
        assert_eq!(seen.len(), done.iterations);
        assert!(seen.iter().all(|(_, lower)| *lower <= done.objective * (1.0 + 1e-12)));
        let stopped = problem.flat(k).observe(|_| ControlFlow::Break(())).solve().unwrap();
        assert_eq!((stopped.status, stopped.iterations), (Status::Interrupted, 1));
        let limited = problem.flat(k).max_iterations(1).tolerance(1e-14).solve().unwrap();
        assert_eq!((limited.status, limited.iterations), (Status::IterationLimit, 1));
        // What was proved until then holds.
        let [.., dual_norm, bound] = audit(&problem, &limited);
        assert!(dual_norm <= 1.0 && bound <= done.objective);
    }
}

#[test]
fn what_a_caller_gets_wrong_is_an_error() {
    let new = |m, d, a: Vec<f64>, b: Vec<f64>| Hadamard::from_arrays(m, d, a, b).err();
    assert!(matches!(new(0, 1, vec![], vec![]), Some(Error::Empty { .. })));
    assert!(matches!(new(1, 0, vec![], vec![1.0]), Some(Error::Empty { .. })));
    assert!(matches!(new(1, 2, vec![1.0], vec![1.0]), Some(Error::Shape { .. })));
    assert!(matches!(new(usize::MAX, 2, vec![1.0], vec![1.0]), Some(Error::Shape { .. })));
    assert!(matches!(new(1, 1, vec![1.0], vec![1.0, 2.0]), Some(Error::Shape { .. })));
    let not_finite = new(2, 2, vec![0.0, 0.0, f64::NAN, 0.0], vec![1.0, 2.0]);
    assert!(matches!(not_finite, Some(Error::NotFinite { index: 2, .. })));
    assert!(matches!(new(1, 1, vec![1.0], vec![f64::INFINITY]), Some(Error::NotFinite { .. })));
    let problem = Hadamard::from_arrays(1, 2, vec![1.0, 2.0], vec![1.0]).unwrap();
    for depth in [0, 1] {
        let error = problem.flat(depth).solve().err().unwrap();
        assert!(matches!(error, Error::Parameter { name: "the depth", .. }));
        assert!(error.to_string().contains("equally flat"));
    }
    assert!(matches!(problem.flat(2).tolerance(0.0).solve(), Err(Error::Parameter { .. })));
    assert!(matches!(problem.flat(2).tolerance(f64::NAN).solve(), Err(Error::Parameter { .. })));
    assert!(matches!(problem.flat(2).max_iterations(0).solve(), Err(Error::Parameter { .. })));
    let huge = Hadamard::from_arrays(1, 1, vec![1e200], vec![1.0]).unwrap();
    assert!(matches!(huge.flat(2).solve(), Err(Error::Scale { .. })));
    let uneven = Hadamard::from_arrays(1, 2, vec![1e-80, 1.0], vec![1.0]).unwrap();
    assert!(matches!(uneven.flat(2).solve(), Err(Error::Scale { .. })));
    assert!(uneven.nuclear(2).solve().unwrap().status.is_certified());
}
