//! Covariance estimation from end to end: every answer is audited from the definitions, on both
//! sides of the transition, at the edges of size and scale, and on input that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin_core::audit::Audit;
use flatmin_core::linalg::{Par, inner, symmetric_eigen};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{LinearMap, Objective, RankOne, SymmetricLoss};
use flatmin_covariance::theory::{degrees_of_freedom, flat_dual, flat_value};
use flatmin_covariance::{
    Covariance, Error, Mat, MatRef, Planted, Program, Recovery, Status, signal,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn planted(order: usize, rank: usize, m: usize, trial: u64) -> Planted {
    let stream = |role| Stream::new(1, "covariance", 0, trial, role);
    let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
    Planted::gaussian(order, rank, m, &mut t, &mut x).unwrap()
}

/// Both programs of a problem.
fn programs(problem: &Covariance) -> [Program<'_>; 2] {
    [problem.flat(), problem.nuclear()]
}

/// The probes, scaled, as `from_arrays` takes them.
fn probes(problem: &Covariance, scale: f64) -> Vec<f64> {
    let columns = problem.map().left().col_iter();
    columns.flat_map(|x| x.iter().map(|v| v * scale).collect::<Vec<_>>()).collect()
}

/// The targets of a matrix; a square is not negative, whatever rounding makes of it.
fn measured(order: usize, probes: Vec<f64>, truth: MatRef<'_, f64>) -> Covariance {
    let map = RankOne::symmetric(order, probes.clone()).unwrap();
    let mut targets = vec![0.0; map.dims().measurements];
    map.apply(truth, &mut targets);
    targets.iter_mut().for_each(|y| *y = y.max(0.0));
    Covariance::from_arrays(order, probes, targets).unwrap()
}

/// Everything that a certified answer claims, checked from the definitions.
fn assert_certified(problem: &Covariance, answer: &Recovery) {
    assert_eq!(answer.status, Status::Certified, "gap {:e}", answer.relative_gap);
    assert!(answer.relative_gap <= 1e-8);
    let audit = Audit::new(problem.map(), problem.targets(), answer).unwrap();
    assert!(audit.dual_norm <= 1.0 + 1e-10, "dual norm 1 + {:e}", audit.dual_norm - 1.0);
    assert!(audit.feasibility <= 1e-8, "feasibility {:e}", audit.feasibility);
    assert!(audit.outside <= 1e-14, "{audit:?}");
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * answer.objective;
    assert!(close(audit.objective, answer.objective), "{audit:?}");
    assert!(close(audit.lower_bound, answer.lower_bound), "{audit:?}");
    assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
    if answer.objective_kind == Objective::Flat {
        let value = flat_value(problem);
        assert!((answer.objective - value).abs() <= 2e-8 * value, "not the flat value {value}");
    }
}

fn distance(answer: &Recovery, truth: &Mat<f64>) -> f64 {
    (answer.matrix() - truth).norm_l2()
}

#[test]
fn recovers_the_planted_matrix_above_the_transition() {
    for (order, rank) in [(12, 2), (15, 1), (20, 3), (5, 5), (9, 4)] {
        let m = (4 * degrees_of_freedom(order, rank)).min(order * (order + 1) / 2);
        for trial in 0..3 {
            let Planted { problem, truth } = planted(order, rank, m, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(answer.unique);
                assert!(distance(&answer, &truth) < 1e-6, "{order}, rank {rank}");
                assert_eq!(answer.rank, rank);
            }
        }
    }
}

/// Below the transition the flat value is still attained and proved; that others fit too is said by
/// `unique`, and the nuclear norm's answer is one of them.
#[test]
fn answers_are_proved_where_many_matrices_fit() {
    for (order, rank, m) in [(10, 2, 16), (12, 3, 20), (15, 1, 12), (6, 6, 12)] {
        for trial in 0..3 {
            let Planted { problem, truth } = planted(order, rank, m, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(distance(&answer, &truth) > 1e-3);
                let flat = answer.objective_kind == Objective::Flat;
                assert!(!(flat && answer.unique), "{order}, rank {rank}, {m}: two matrices fit");
            }
        }
    }
}

/// The planted matrix, the flat and the nuclear answer and their means all fit, differ, and have
/// the scaled trace and the flat objective that the targets alone give.
#[test]
fn every_matrix_that_fits_is_equally_flat() {
    let Planted { problem, truth } = planted(9, 2, 14, 0);
    let flat = problem.flat().solve().unwrap().matrix();
    let nuclear = problem.nuclear().solve().unwrap().matrix();
    let mean = Mat::from_fn(9, 9, |i, j| 0.5 * (truth[(i, j)] + flat[(i, j)]));
    let rescaling = problem.rescaling().unwrap();
    let value = flat_value(&problem);
    for x in [&truth, &flat, &nuclear, &mean] {
        let mut fit = vec![0.0; 14];
        problem.map().apply(x.as_ref(), &mut fit);
        let misfit = fit.iter().zip(problem.targets()).map(|(f, y)| (f - y).abs());
        assert!(misfit.fold(0.0, f64::max) < 1e-8);
        // tr(D X D) = <D^2, X>.
        let d = rescaling.d1_squared.to_dense();
        let objective = inner(d.as_ref(), x.as_ref());
        assert!((objective - value).abs() < 1e-8 * value, "{objective} is not {value}");
        // The trace of the Hessian at a factor.
        let (values, vectors) = symmetric_eigen(x.as_ref(), Par::Seq).unwrap();
        let l = Mat::from_fn(9, 9, |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt());
        let loss = SymmetricLoss::new(problem.map(), problem.targets(), 9, 0).unwrap();
        let trace = loss.trace(l.as_ref()).unwrap();
        assert!((trace - 8.0 * 9.0 * value).abs() < 1e-7 * trace);
    }
    for answer in [problem.flat().solve().unwrap(), problem.nuclear().solve().unwrap()] {
        let trace = answer.scaled_trace;
        assert!((trace - 8.0 * value).abs() < 1e-7 * trace, "{}", answer.objective_kind);
    }
    assert!((&flat - &truth).norm_l2() > 1e-2 && (&nuclear - &truth).norm_l2() > 1e-2);

    // The dual vector |x|^2 / (m d) proves it: its whitened image is the identity.
    let mut answer = problem.flat().solve().unwrap();
    answer.dual = flat_dual(&problem);
    let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
    assert!((audit.dual_norm - 1.0).abs() < 1e-10, "{audit:?}");
    assert!((audit.lower_bound - value).abs() < 1e-12 * value);
}

/// A signal is found from the squares of its products, up to its sign.
#[test]
fn retrieves_phases() {
    for (order, m) in [(12, 48), (30, 120), (1, 1)] {
        let mut stream = Stream::new(1, "phase", 0, 0, Role::Truth);
        let mut s = stream.gaussian_vector(order);
        let x = stream.gaussian_vector(order * m);
        let targets: Vec<f64> = x
            .chunks_exact(order)
            .map(|x| x.iter().zip(&s).map(|(x, s)| x * s).sum::<f64>().powi(2))
            .collect();
        let problem = Covariance::from_arrays(order, x, targets).unwrap();
        let found = signal(&problem.flat().solve().unwrap()).unwrap();
        let largest = s.iter().fold(0.0, |m: f64, &v| if v.abs() > m.abs() { v } else { m });
        if largest < 0.0 {
            s.iter_mut().for_each(|v| *v = -*v);
        }
        let off = found.values.iter().zip(&s).map(|(f, s)| (f - s).powi(2)).sum::<f64>().sqrt();
        assert!(off < 1e-6, "{order}, {m}: off by {off:e}");
        assert!(found.share > 1.0 - 1e-6);
    }
    // Two signals at once: the leading one carries its part of the trace.
    let truth = Mat::from_fn(4, 4, |i, j| if i == j { [3.0, 1.0, 0.0, 0.0][i] } else { 0.0 });
    let x = Stream::new(1, "phase", 0, 1, Role::Measurements).gaussian_vector(4 * 10);
    let answer = measured(4, x, truth.as_ref()).flat().solve().unwrap();
    let found = signal(&answer).unwrap();
    assert!((found.share - 0.75).abs() < 1e-6 && (found.values[0] - 3f64.sqrt()).abs() < 1e-6);
    // Another domain is refused.
    let problem = planted(3, 1, 6, 0).problem;
    let general = Program::new(problem.map(), problem.targets(), Objective::Flat).solve().unwrap();
    assert!(signal(&general).unwrap_err().to_string().contains("semidefinite"));
}

#[test]
fn tiny_shapes_are_solved() {
    for order in 1..=3 {
        for m in 1..=order * (order + 1) / 2 + 2 {
            let Planted { problem, truth } = planted(order, 1, m, 0);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                if m >= order * (order + 1) / 2 {
                    assert!(distance(&answer, &truth) < 1e-6, "{order}, m = {m}");
                }
            }
        }
    }
}

/// One probe: the flat value is `|x|^2 y / d`, and the least trace `y / |x|^2`.
#[test]
fn one_probe_has_its_closed_form() {
    let problem = Covariance::from_arrays(2, vec![3.0, 4.0], vec![50.0]).unwrap();
    for (program, value) in programs(&problem).into_iter().zip([625.0, 2.0]) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert!((answer.objective - value).abs() < 1e-7 * value);
    }
}

#[test]
fn zero_targets_have_the_zero_answer() {
    let x = Stream::new(1, "covariance", 0, 0, Role::Measurements).gaussian_vector(4 * 6);
    let problem = Covariance::from_arrays(4, x, vec![0.0; 6]).unwrap();
    assert_eq!(flat_value(&problem), 0.0);
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_eq!((answer.status, answer.rank), (Status::Certified, 0));
        assert_eq!((answer.objective, answer.matrix()), (0.0, Mat::<f64>::zeros(4, 4)));
        let found = signal(&answer).unwrap();
        assert_eq!((found.values, found.share), (vec![0.0; 4], 1.0));
    }
}

#[test]
fn zero_targets_leave_no_gap() {
    let problem = Covariance::from_arrays(1, vec![1.0], vec![0.0]).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_eq!((answer.lower_bound, answer.relative_gap), (0.0, 0.0));
    }
}

/// Where the planted matrix of rank one is alone, or nearly, there is no interior: the least trace
/// has no multipliers, or huge ones.
#[test]
fn the_least_trace_is_proved_where_one_matrix_is_left() {
    for (order, m, cell, trial) in [(10, 17, 10102, 0), (16, 25, 16101, 2), (24, 46, 24101, 1)] {
        let stream = |role| Stream::new(77, "stress", cell, trial, role);
        let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
        let Planted { problem, .. } = Planted::gaussian(order, 1, m, &mut t, &mut x).unwrap();
        assert_certified(&problem, &problem.flat().solve().unwrap());
        assert_certified(&problem, &problem.nuclear().solve().unwrap());
    }
}

/// A coordinate that is zero in every probe is a row that nothing sees.
#[test]
fn names_coordinates_that_no_probe_sees() {
    let mut stream = Stream::new(3, "covariance", 0, 0, Role::Measurements);
    let mut x = stream.gaussian_vector(6 * 24);
    x.chunks_exact_mut(6).for_each(|x| x[4] = 0.0);
    let truth = flatmin_core::planted::symmetric(6, 1, 0, &mut stream).unwrap();
    let problem = measured(6, x, truth.as_ref());
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert_eq!((&answer.unidentified_rows, &answer.unidentified_cols), (&vec![4], &vec![4]));
        let x = answer.matrix();
        for (i, j) in (0..6).flat_map(|i| (0..6).map(move |j| (i, j))) {
            let expected = if i == 4 || j == 4 { 0.0 } else { truth[(i, j)] };
            assert!((x[(i, j)] - expected).abs() < 1e-6, "({i}, {j})");
        }
    }
}

/// Targets that no positive semidefinite matrix has, though a symmetric one does.
#[test]
fn what_only_an_indefinite_matrix_fits_is_not_certified() {
    // [0, 1; 1, 0] along (1, 0), (0, 1), (1, 1); and a probe that repeats with another target.
    let three = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let twice = vec![1.0, 2.0, 1.0, 2.0];
    for (x, y) in [(three, vec![0.0, 0.0, 2.0]), (twice, vec![1.0, 2.0])] {
        let problem = Covariance::from_arrays(2, x, y).unwrap();
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            assert!(!answer.status.is_certified(), "{}", answer.status);
            assert!(!answer.unique && answer.matrix().is_all_finite());
        }
    }
}

#[test]
fn extreme_targets_scale_the_answer() {
    let Planted { problem, truth } = planted(6, 1, 20, 0);
    for scale in [1e-300, 1e-160, 1e160, 1e300] {
        let targets = problem.targets().iter().map(|b| b * scale).collect();
        let scaled = Covariance::from_arrays(6, probes(&problem, 1.0), targets).unwrap();
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified);
            let x = answer.matrix();
            let back = Mat::from_fn(6, 6, |i, j| x[(i, j)] / scale);
            assert!((back - &truth).norm_l2() < 1e-6, "{scale:e}");
            let audit = Audit::new(scaled.map(), scaled.targets(), &answer).unwrap();
            assert!(audit.dual_norm <= 1.0 + 1e-10 && audit.feasibility < 1e-8, "{audit:?}");
            assert!(audit.outside <= 1e-14, "{audit:?}");
            let s = signal(&answer).unwrap();
            assert!(s.share > 1.0 - 1e-6 && s.values.iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn extreme_probes_are_solved_or_refused() {
    let Planted { problem, truth } = planted(6, 1, 20, 0);
    for scale in [1e-60, 1e-30, 1e30, 1e60] {
        let scaled = measured(6, probes(&problem, scale), truth.as_ref());
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{scale:e}");
            assert!(distance(&answer, &truth) < 1e-6, "{scale:e}");
        }
    }
    for scale in [1e-200, 1e200] {
        let error = Covariance::from_arrays(6, probes(&problem, scale), vec![1.0; 20]);
        assert!(matches!(error, Err(Error::Scale { .. })));
    }
}

#[test]
fn names_what_is_wrong() {
    let message = |order, probes: &[f64], targets: &[f64]| {
        let problem = Covariance::from_arrays(order, probes.to_vec(), targets.to_vec());
        problem.unwrap_err().to_string()
    };
    let ones = [1.0; 8];
    for (error, culprits) in [
        (message(2, &ones, &[1.0]), ["targets", "length 4"]),
        (message(4, &ones, &[1.0, f64::NAN]), ["targets", "index 1"]),
        (message(4, &ones, &[1.0, -1e-9]), ["at least 0", "-0.000000001 at index 1"]),
        (message(4, &ones, &[f64::INFINITY, 1.0]), ["targets", "index 0"]),
        (message(2, &ones[..7], &[1.0]), ["probe vectors", "7 entries"]),
        (message(2, &[], &[]), ["probe vectors", "empty"]),
        (message(0, &ones, &[1.0]), ["at least one row", "0 x 0"]),
        (message(2, &[0.0, f64::NAN], &[1.0]), ["probe vectors", "index 1"]),
        (message(2, &[1e-300, 0.0], &[1.0]), ["probe vectors", "rescale"]),
    ] {
        for culprit in culprits {
            assert!(error.contains(culprit), "{error:?} does not name {culprit:?}");
        }
    }
    let stream = || Stream::new(1, "covariance", 0, 0, Role::Truth);
    for (order, rank, m) in [(3, 0, 5), (3, 4, 5), (3, 1, 0), (0, 1, 5)] {
        assert!(Planted::gaussian(order, rank, m, &mut stream(), &mut stream()).is_err());
    }
}

/// The same bits again, in any company; and with two threads inside the solve.
#[test]
fn answers_are_reproducible() {
    let bits = |m: usize, threads: usize| -> Vec<u64> {
        let Planted { problem, .. } = planted(13, 2, m, 4);
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
    for m in [20, 80] {
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

    /// Whatever the order, the rank and the number of probes: the flat program finds what fits and
    /// proves its value, and what either calls certified is.
    #[test]
    fn what_fits_is_certified(
        order in 1usize..9, rank in 1usize..9, m in 1usize..50, trial in 0u64..1000,
    ) {
        let Planted { problem, .. } = planted(order, rank.min(order), m, trial);
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
            let certified = answer.status.is_certified();
            let nuclear = answer.objective_kind == Objective::Nuclear;
            prop_assert!(certified || nuclear, "{} {audit:?}", answer.status);
            prop_assert!(audit.dual_norm <= 1.0 + 1e-10, "{audit:?}");
            prop_assert!(audit.outside <= 1e-14, "{audit:?}");
            if certified {
                prop_assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
                prop_assert!(audit.feasibility <= 1e-8, "{audit:?}");
            }
        }
    }

    /// Arrays of any content make a problem or an error, never a panic.
    #[test]
    fn any_array_is_a_problem_or_an_error(
        order in 0usize..4,
        probes in prop::collection::vec(prop::num::f64::ANY, 0..9),
        targets in prop::collection::vec(prop::num::f64::POSITIVE, 0..4),
    ) {
        if let Ok(problem) = Covariance::from_arrays(order, probes, targets) {
            prop_assert_eq!(problem.map().dims().measurements, problem.targets().len());
            for program in programs(&problem) {
                if let Ok(answer) = program.max_iterations(200).solve() {
                    prop_assert!(answer.matrix().is_all_finite(), "{:?}", answer);
                    prop_assert!(signal(&answer).is_ok());
                }
            }
        }
    }
}
