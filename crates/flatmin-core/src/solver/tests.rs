//! Laws of the solver, road by road.

use super::*;
use crate::Rescaling;
use crate::audit::Audit;
use crate::linalg::{operator_norm, product};
use crate::operator::{DenseMap, Entries, RankOne};
use crate::planted::low_rank;
use crate::rng::{Role, Stream};
use std::ops::ControlFlow;

fn stream(seed: u64, role: Role) -> Stream {
    Stream::new(seed, "solver", 0, 0, role)
}

fn sensing(
    d1: usize,
    d2: usize,
    rank: usize,
    m: usize,
    seed: u64,
) -> (DenseMap, Vec<f64>, Mat<f64>) {
    let truth = low_rank(d1, d2, rank, &mut stream(seed, Role::Truth)).unwrap();
    let data = stream(seed, Role::Measurements).gaussian_vector(d1 * d2 * m);
    let map = DenseMap::new(d1, d2, data).unwrap();
    let mut b = vec![0.0; m];
    map.apply(truth.as_ref(), &mut b);
    (map, b, truth)
}

fn completion(
    d1: usize,
    d2: usize,
    rank: usize,
    p: f64,
    seed: u64,
) -> (Entries, Vec<f64>, Mat<f64>) {
    let truth = low_rank(d1, d2, rank, &mut stream(seed, Role::Truth)).unwrap();
    let mut sampling = stream(seed, Role::Measurements);
    let (i, j): (Vec<usize>, Vec<usize>) = (0..d1)
        .flat_map(|i| (0..d2).map(move |j| (i, j)))
        .filter(|_| sampling.uniform() < p)
        .unzip();
    let map = Entries::new(d1, d2, &i, &j).unwrap();
    let mut b = vec![0.0; i.len()];
    map.apply(truth.as_ref(), &mut b);
    (map, b, truth)
}

/// Checks the certificate from scratch: `D1`, `D2` by their definition, the dual vector by its norm.
fn audit(map: &dyn LinearMap, b: &[f64], answer: &Recovery) {
    let mut w = map.adjoint_matrix(&answer.dual);
    if answer.objective_kind == Objective::Flat {
        let rescaling = Rescaling::new(map).unwrap();
        let inverse = |gram: &crate::Gram| {
            let (values, q) =
                crate::linalg::symmetric_eigen(gram.to_dense().as_ref(), Par::Seq).unwrap();
            let floor = 1e-12 * max_abs(&values);
            let weights: Vec<f64> =
                values.iter().map(|&v| if v > floor { v.powf(-0.5) } else { 0.0 }).collect();
            product(crate::linalg::scale_columns(q.as_ref(), &weights).as_ref(), q.transpose())
        };
        let (left, right) = (inverse(&rescaling.d1_squared), inverse(&rescaling.d2_squared));
        w = product(product(left.as_ref(), w.as_ref()).as_ref(), right.as_ref());
    }
    let size = operator_norm(w.as_ref()).unwrap();
    assert!(size <= 1.0 + 1e-11, "the dual vector has norm {size}");
    let bound: f64 = answer.dual.iter().zip(b).map(|(y, b)| y * b).sum();
    let scale = answer.objective.abs().max(f64::MIN_POSITIVE);
    assert!((bound - answer.lower_bound).abs() <= 1e-11 * scale);
    let (lower, upper) = (answer.lower_bound, answer.objective);
    assert!(
        lower <= upper * (1.0 + 1e-11),
        "bound {lower} above {upper}, feasibility {:e}",
        answer.feasibility
    );
    let mut image = vec![0.0; b.len()];
    map.apply(answer.matrix().as_ref(), &mut image);
    image.iter_mut().zip(b).for_each(|(i, b)| *i -= b);
    assert!(norm(&image) <= 1e-8 * norm(b), "A(X) misses b");
}

#[test]
fn certifies_on_both_sides_of_the_transition() {
    for objective in [Objective::Flat, Objective::Nuclear] {
        for (d1, d2, m) in [(12, 12, 176), (16, 10, 72), (12, 15, 40), (9, 9, 81), (6, 5, 90)] {
            let (map, b, _) = sensing(d1, d2, 2, m, 1);
            let answer = Program::new(&map, &b, objective).solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{d1} x {d2}, m = {m}");
            audit(&map, &b, &answer);
        }
        for (d1, d2, p) in [(20, 20, 0.7), (20, 25, 0.4), (15, 10, 0.3), (10, 10, 0.1)] {
            let (map, b, _) = completion(d1, d2, 2, p, 2);
            let answer = Program::new(&map, &b, objective).solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{d1} x {d2}, p = {p}");
            audit(&map, &b, &answer);
        }
    }
}

/// The least scaled trace is four times the optimal value, and the flat factors attain it.
#[test]
fn flat_factors_attain_the_least_scaled_trace() {
    for (m, seed) in [(60, 3), (150, 4)] {
        let (map, b, _) = sensing(10, 12, 2, m, seed);
        let flat = Program::new(&map, &b, Objective::Flat).solve().unwrap();
        approx::assert_relative_eq!(flat.scaled_trace, 4.0 * flat.objective, max_relative = 1e-9);
        let nuclear = Program::new(&map, &b, Objective::Nuclear).solve().unwrap();
        assert!(nuclear.scaled_trace >= flat.scaled_trace * (1.0 - 1e-9));
    }
}

/// With `A` the identity FLAT and NUC have the same solution.
#[test]
fn flat_and_nuclear_coincide_for_the_identity() {
    let (map, b, truth) = completion(7, 7, 3, 1.1, 5);
    for objective in [Objective::Flat, Objective::Nuclear] {
        let answer = Program::new(&map, &b, objective).solve().unwrap();
        assert_eq!(answer.rank, 3);
        assert!(answer.unique);
        assert!((answer.matrix() - &truth).norm_l2() < 1e-12);
    }
}

/// The roads agree: the splitting method against the one that `solve` took.
#[test]
fn splitting_agrees_with_the_other_roads() {
    let (map, b, _) = completion(20, 24, 2, 0.35, 6);
    let reference = Program::new(&map, &b, Objective::Nuclear).solve().unwrap();
    let problem = Equality {
        map: &map,
        domain: Domain::General,
        b: &b,
        norm_b: norm(&b),
        slack: Slack::Exact,
        tolerance: 1e-8,
        par: Par::Seq,
    };
    let mut incumbent = Incumbent::default();
    let mut monitor =
        Monitor { observer: None, limit: 3000, iterations: 0, stop: None, scale: 1.0 };
    exact::large(&problem, &mut incumbent, &mut monitor).unwrap();
    assert!(incumbent.gap() <= 1e-8);
    approx::assert_relative_eq!(incumbent.upper(), reference.objective, max_relative = 3e-8);
}

#[test]
fn unseen_rows_and_columns_are_named() {
    let map = Entries::new(4, 3, &[0, 0, 2, 2], &[0, 2, 0, 2]).unwrap();
    for objective in [Objective::Flat, Objective::Nuclear] {
        let b = [1.0, 2.0, 2.0, 4.0];
        let answer = Program::new(&map, &b, objective).solve().unwrap();
        assert_eq!(answer.status, Status::Certified);
        assert_eq!(answer.unidentified_rows, [1, 3]);
        assert_eq!(answer.unidentified_cols, [1]);
        assert_eq!(answer.matrix()[(1, 1)], 0.0);
        audit(&map, &b, &answer);
    }
    // One dense measurement of rank one leaves all but one direction a side unidentified.
    let map = DenseMap::new(2, 2, vec![1.0; 4]).unwrap();
    let answer = Program::new(&map, &[4.0], Objective::Flat).solve().unwrap();
    let hidden = Warning::UnidentifiedDirections { left: 1, right: 1 };
    assert!(answer.warnings.contains(&hidden));
    assert!((answer.matrix() - Mat::from_fn(2, 2, |_, _| 1.0)).norm_l2() < 1e-12);
    audit(&map, &[4.0], &answer);
}

#[test]
fn repeated_measurements_change_nothing() {
    let (map, b, _) = sensing(8, 7, 2, 40, 7);
    let mut data = map.as_slice().to_vec();
    data.extend_from_slice(&map.as_slice()[..2 * 56]);
    let twice = DenseMap::new(8, 7, data).unwrap();
    let b_twice: Vec<f64> = b.iter().chain(&b[..2]).copied().collect();
    let once = Program::new(&map, &b, Objective::Nuclear).solve().unwrap();
    let answer = Program::new(&twice, &b_twice, Objective::Nuclear).solve().unwrap();
    assert_eq!(answer.status, Status::Certified);
    approx::assert_relative_eq!(answer.objective, once.objective, max_relative = 2e-8);
    audit(&twice, &b_twice, &answer);
}

#[test]
fn contradictions_are_reported_with_a_least_squares_fit() {
    // The same measurement with two answers.
    let map = DenseMap::new(1, 2, vec![1.0, 0.0, 1.0, 0.0]).unwrap();
    let answer = Program::new(&map, &[1.0, 3.0], Objective::Nuclear).solve().unwrap();
    assert_eq!(answer.status, Status::Inconsistent);
    assert!((answer.matrix()[(0, 0)] - 2.0).abs() < 1e-12);
    assert!(answer.warnings.iter().any(|w| matches!(w, Warning::Residual(_))));
    // More noisy measurements than entries.
    let (map, mut b, _) = sensing(4, 3, 1, 30, 8);
    b.iter_mut().enumerate().for_each(|(i, b)| *b += 0.01 * (i as f64).sin());
    let answer = Program::new(&map, &b, Objective::Flat).solve().unwrap();
    assert_eq!(answer.status, Status::Inconsistent);
    assert!(answer.feasibility > 1e-4 && answer.feasibility < 0.1);
}

#[test]
fn tiny_and_extreme_problems() {
    for scale in [1e-300, 1e-8, 1.0, 1e300] {
        for objective in [Objective::Flat, Objective::Nuclear] {
            let (map, b, truth) = completion(6, 5, 1, 0.8, 9);
            let b: Vec<f64> = b.iter().map(|b| b * scale).collect();
            let answer = Program::new(&map, &b, objective).solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "scale {scale:e}");
            let error = (0..5)
                .flat_map(|j| (0..6).map(move |i| (i, j)))
                .map(|(i, j)| (answer.matrix()[(i, j)] / scale - truth[(i, j)]).abs())
                .fold(0.0, f64::max);
            assert!(error < 1e-9, "scale {scale:e}: off by {error:e}");
        }
    }
    let map = DenseMap::new(1, 1, vec![2.0]).unwrap();
    let answer = Program::new(&map, &[3.0], Objective::Flat).solve().unwrap();
    assert_eq!(
        (answer.status, (answer.matrix()[(0, 0)] - 1.5).abs() < 1e-15),
        (Status::Certified, true)
    );
    let answer = Program::new(&map, &[0.0], Objective::Flat).solve().unwrap();
    assert_eq!((answer.status, answer.rank), (Status::Certified, 0));
    assert_eq!(answer.warnings, [Warning::ZeroTargets]);
    // Measurements that are all zero see nothing.
    let blind = DenseMap::new(2, 2, vec![0.0; 8]).unwrap();
    let answer = Program::new(&blind, &[1.0, 2.0], Objective::Flat).solve().unwrap();
    assert_eq!(answer.status, Status::Inconsistent);
    assert_eq!(answer.unidentified_rows, [0, 1]);
}

#[test]
fn warm_starts_save_work_and_observers_stop_it() {
    let (map, b, _) = sensing(12, 12, 2, 120, 10);
    let cold = Program::new(&map, &b, Objective::Flat).solve().unwrap();
    let warm = Program::new(&map, &b, Objective::Flat).warm_start(&cold).solve().unwrap();
    assert_eq!(warm.status, Status::Certified);
    assert!(warm.iterations <= cold.iterations);
    let stopped = Program::new(&map, &b, Objective::Flat)
        .observe(|_| ControlFlow::Break(()))
        .solve()
        .unwrap();
    assert_eq!(stopped.status, Status::Interrupted);
    let limited = Program::new(&map, &b, Objective::Flat).max_iterations(1).solve().unwrap();
    assert_eq!(limited.status, Status::IterationLimit);
}

#[test]
fn names_what_the_caller_got_wrong() {
    let (map, b, _) = sensing(3, 4, 1, 10, 11);
    let program = |b: &'static [f64]| Program::new(&map, b, Objective::Flat).solve();
    assert!(matches!(program(&[1.0]), Err(Error::Shape { what: "targets", .. })));
    let poisoned: Vec<f64> =
        b.iter().enumerate().map(|(i, b)| if i == 3 { f64::NAN } else { *b }).collect();
    let error = Program::new(&map, &poisoned, Objective::Flat).solve().unwrap_err();
    assert!(matches!(error, Error::NotFinite { what: "targets", index: 3, .. }));
    for tolerance in [0.0, 1.0, -1.0, f64::NAN] {
        let error = Program::new(&map, &b, Objective::Flat).tolerance(tolerance).solve();
        assert!(matches!(error, Err(Error::Parameter { name: "the tolerance", .. })));
    }
    assert!(Program::new(&map, &b, Objective::Flat).rank(0).solve().is_err());
    assert!(Program::new(&map, &b, Objective::Flat).threads(0).solve().is_err());
    // A rank hint beyond the matrix is only a hint.
    let answer = Program::new(&map, &b, Objective::Flat).rank(50).solve().unwrap();
    assert_eq!(answer.status, Status::Certified);
}

/// Measurements in units twenty decades apart: the optimum is (1, 1) for both objectives, and what
/// is measured is never called unseen.
#[test]
fn units_of_the_measurements_do_not_matter() {
    for unit in [1e-10, 1e-3, 1.0, 1e5, 1e10] {
        let map = DenseMap::new(2, 2, vec![unit, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]).unwrap();
        let b = [unit, 1.0];
        for objective in [Objective::Flat, Objective::Nuclear] {
            let answer = Program::new(&map, &b, objective).solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{objective}, unit {unit:e}");
            let x = answer.matrix();
            let error = (x[(0, 0)] - 1.0).abs().max((x[(0, 1)] - 1.0).abs());
            // FLAT gives the column its weight, so its digits are those of D1 X D2.
            assert!(error < 1e-6, "{objective}, unit {unit:e}: off by {error:e}");
            assert_eq!(answer.unidentified_cols, [0usize; 0]);
            // By hand: D1 X D2 = (1/4) (unit^2 + 1)^{1/2} (unit, 1) on the first row.
            let expected = match objective {
                Objective::Flat => (unit * unit + 1.0) / 4.0,
                _ => 2f64.sqrt(),
            };
            approx::assert_relative_eq!(answer.objective, expected, max_relative = 1e-8);
        }
    }
}

/// Smoothed weights go from flat to nuclear, and are audited in between; unseen rows stay zero.
#[test]
fn smoothing_goes_from_flat_to_nuclear() {
    let (dense, b, _) = sensing(6, 8, 2, 30, 5);
    let (entries, c, _) = completion(9, 7, 2, 0.5, 11);
    let hidden = Entries::new(4, 3, &[0, 0, 1, 3, 3], &[0, 2, 0, 0, 2]).unwrap();
    let d = vec![1.0, 2.0, -1.0, 0.5, 2.0];
    let cases: [(&dyn LinearMap, _); 3] = [(&dense, b), (&entries, c), (&hidden, d)];
    for (map, b) in cases {
        let solve = |objective| {
            let answer = Program::new(map, &b, objective).solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{objective}");
            let audit = crate::audit::Audit::new(map, &b, &answer).unwrap();
            assert!(audit.dual_norm <= 1.0 + 1e-11, "{objective}: {}", audit.dual_norm);
            approx::assert_relative_eq!(audit.objective, answer.objective, max_relative = 1e-9);
            approx::assert_relative_eq!(audit.lower_bound, answer.lower_bound, max_relative = 1e-9);
            answer
        };
        let (flat, nuclear) = (solve(Objective::Flat), solve(Objective::Nuclear));
        let most = solve(Objective::Smoothed(1.0));
        let least = solve(Objective::Smoothed(0.0));
        assert_eq!(least.objective, flat.objective);
        let rescaling = Rescaling::new(map).unwrap();
        let dims = map.dims();
        // D1 = (tr D1^2 / d1)^{1/2} I.
        let unit = (rescaling.d1_squared.trace() / dims.rows as f64)
            * (rescaling.d2_squared.trace() / dims.cols as f64);
        let unit = unit.sqrt();
        approx::assert_relative_eq!(most.objective, unit * nuclear.objective, max_relative = 2e-8);
        solve(Objective::Smoothed(1e-3));
        solve(Objective::Smoothed(0.5));
    }
    let (map, b, _) = sensing(2, 2, 1, 3, 5);
    for s in [-0.1, 1.5, f64::NAN] {
        assert!(Program::new(&map, &b, Objective::Smoothed(s)).solve().is_err());
    }
}

/// Scaling a measurement and its target is a change of unit: NUC does not see it, below the
/// transition or above.
#[test]
fn graded_measurements_have_the_same_solution() {
    for (m, seed) in [(40, 21), (80, 22)] {
        let (map, b, _) = sensing(8, 7, 2, m, seed);
        let plain = Program::new(&map, &b, Objective::Nuclear).solve().unwrap();
        let unit = |i: usize| 10f64.powi((i as i32 * 7) % 11 - 5);
        let data = map.as_slice().iter().enumerate().map(|(at, a)| a * unit(at / 56)).collect();
        let graded = DenseMap::new(8, 7, data).unwrap();
        let b: Vec<f64> = b.iter().enumerate().map(|(i, b)| b * unit(i)).collect();
        let answer = Program::new(&graded, &b, Objective::Nuclear).solve().unwrap();
        assert_eq!(answer.status, Status::Certified);
        approx::assert_relative_eq!(answer.objective, plain.objective, max_relative = 2e-8);
        audit(&graded, &b, &answer);
        let flat = Program::new(&graded, &b, Objective::Flat).solve().unwrap();
        assert_eq!(flat.status, Status::Certified);
        audit(&graded, &b, &flat);
    }
}

/// Two measurements that differ by little more than rounding still say what they say.
#[test]
fn nearly_repeated_measurements_are_consistent() {
    for (m, apart) in [(20, 1e-8), (20, 1e-6), (60, 1e-8)] {
        let (map, mut b, truth) = sensing(8, 7, 2, m, 23);
        let mut data = map.as_slice().to_vec();
        let extra = stream(24, Role::Measurements).gaussian_vector(56);
        data.extend(map.as_slice()[..56].iter().zip(&extra).map(|(a, e)| a + apart * e));
        let near = DenseMap::new(8, 7, data).unwrap();
        b.resize(m + 1, 0.0);
        near.apply(truth.as_ref(), &mut b);
        let answer = Program::new(&near, &b, Objective::Nuclear).solve().unwrap();
        assert_ne!(answer.status, Status::Inconsistent, "m = {m}, {apart:e} apart");
        assert!(answer.feasibility < 1e-9);
        // Against the same two measurements taken apart: A_1 and the difference, magnified.
        let mut data = map.as_slice().to_vec();
        data.extend(&extra);
        let apart = DenseMap::new(8, 7, data).unwrap();
        apart.apply(truth.as_ref(), &mut b);
        let reference = Program::new(&apart, &b, Objective::Nuclear).solve().unwrap();
        approx::assert_relative_eq!(answer.objective, reference.objective, max_relative = 1e-6);
    }
}

/// Rows without entries take no memory in the solve, however many there are.
#[test]
fn entries_far_apart_are_a_small_problem() {
    let far = 1_000_000;
    let map = Entries::new(far + 1, far + 1, &[0, far, 0], &[0, 0, far]).unwrap();
    let b = [1.0, 2.0, 3.0];
    // |Z|_*^2 = |Z|_F^2 + 2 |det Z| for a 2 x 2 matrix, minimised by hand over its free entry.
    for (objective, expected) in [(Objective::Flat, 2.0), (Objective::Nuclear, 1.0)] {
        let answer = Program::new(&map, &b, objective).solve().unwrap();
        assert_eq!(answer.status, Status::Certified);
        let (l, r) = answer.factors();
        let corner: f64 = (0..l.ncols()).map(|j| l[(far, j)] * r[(far, j)]).sum();
        assert!((corner - expected).abs() < 1e-3, "{objective}: {corner}");
        assert_eq!(answer.unidentified_rows.len(), far - 1);
    }
    assert!(matches!(Entries::new(usize::MAX, 1, &[0], &[0]), Err(Error::Parameter { .. })));
}

/// Beyond the range of double precision nothing is guessed.
#[test]
fn magnitudes_without_digits_are_refused() {
    let (map, b, _) = completion(6, 5, 1, 0.8, 9);
    for scale in [1e-310, 1e-306, 1e307] {
        let b: Vec<f64> = b.iter().map(|b| b * scale).collect();
        let error = Program::new(&map, &b, Objective::Flat).solve().unwrap_err();
        assert!(matches!(error, Error::Scale { .. }), "scale {scale:e}: {error}");
    }
    // Fine targets, but the answer would be about 1e400.
    let map = DenseMap::new(1, 1, vec![1e-120]).unwrap();
    let error = Program::new(&map, &[1e280], Objective::Nuclear).solve().unwrap_err();
    assert!(matches!(error, Error::Scale { .. }), "{error}");
}

/// A solve that is stopped at once still returns its best, and claims nothing about it.
#[test]
fn a_stopped_solve_claims_nothing() {
    for (map, b) in [
        (
            Box::new(sensing(12, 12, 2, 120, 10).0) as Box<dyn LinearMap>,
            sensing(12, 12, 2, 120, 10).1,
        ),
        (Box::new(completion(9, 9, 2, 0.5, 3).0), completion(9, 9, 2, 0.5, 3).1),
    ] {
        for limit in 1..6 {
            let program = Program::new(map.as_ref(), &b, Objective::Flat).max_iterations(limit);
            let answer = program.solve().unwrap();
            if answer.status == Status::Certified {
                continue;
            }
            assert_eq!(answer.status, Status::IterationLimit);
            assert!(answer.objective.is_sign_positive() && answer.rank > 0);
            assert!(answer.relative_gap > 1e-8 && !answer.unique);
        }
    }
}

mod domains;
mod noise;
