//! Quadratic networks from end to end: every answer is audited from the definitions, on both sides
//! of the transition, at the edges of size and scale, and on input that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin_core::audit::Audit;
use flatmin_core::linalg::{Par, product, singular_values, symmetric_eigen};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{LinearMap, Objective, RankOne};
use flatmin_quadnet::theory::degrees_of_freedom;
use flatmin_quadnet::{Error, Mat, MatRef, Planted, Program, QuadNet, Recovery, Status};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn planted(order: usize, positive: usize, negative: usize, m: usize, trial: u64) -> Planted {
    let stream = |role| Stream::new(1, "quadnet", 0, trial, role);
    let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
    Planted::gaussian(order, positive, negative, m, &mut t, &mut x).unwrap()
}

/// Both programs of a problem.
fn programs(problem: &QuadNet) -> [Program<'_>; 2] {
    [problem.flat(), problem.nuclear()]
}

/// The inputs, scaled, as `from_arrays` takes them.
fn inputs(problem: &QuadNet, scale: f64) -> Vec<f64> {
    let columns = problem.map().left().col_iter();
    columns.flat_map(|x| x.iter().map(|v| v * scale).collect::<Vec<_>>()).collect()
}

/// The outputs of a teacher's matrix.
fn measured(order: usize, inputs: Vec<f64>, truth: MatRef<'_, f64>) -> QuadNet {
    let map = RankOne::symmetric(order, inputs.clone()).unwrap();
    let mut targets = vec![0.0; map.dims().measurements];
    map.apply(truth, &mut targets);
    QuadNet::from_arrays(order, inputs, targets).unwrap()
}

/// Everything that a certified answer claims, checked from the definitions.
fn assert_certified(problem: &QuadNet, answer: &Recovery) {
    assert_eq!(answer.status, Status::Certified, "gap {:e}", answer.relative_gap);
    assert!(answer.relative_gap <= 1e-8);
    let audit = Audit::new(problem.map(), problem.targets(), answer).unwrap();
    assert!(audit.dual_norm <= 1.0 + 1e-10, "dual norm 1 + {:e}", audit.dual_norm - 1.0);
    assert!(audit.feasibility <= 1e-8, "feasibility {:e}", audit.feasibility);
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * answer.objective;
    assert!(close(audit.objective, answer.objective), "{audit:?}");
    assert!(close(audit.lower_bound, answer.lower_bound), "{audit:?}");
    assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
    // Exactly symmetric.
    assert_eq!(answer.matrix().as_ref(), answer.matrix().transpose());
}

fn distance(answer: &Recovery, truth: &Mat<f64>) -> f64 {
    (answer.matrix() - truth).norm_l2()
}

#[test]
fn recovers_the_teacher_above_the_transition() {
    for (order, positive, negative) in [(12, 1, 1), (15, 1, 0), (12, 0, 2), (20, 2, 1), (5, 3, 2)] {
        let rank = positive + negative;
        let m = (4 * degrees_of_freedom(order, rank)).min(order * (order + 1) / 2);
        for trial in 0..3 {
            let Planted { problem, truth } = planted(order, positive, negative, m, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(distance(&answer, &truth) < 1e-6, "{order}, {positive} - {negative}");
                assert_eq!(answer.rank, rank);
            }
        }
    }
}

#[test]
fn finds_the_optimum_where_it_is_not_the_teacher() {
    for (order, positive, negative, m) in [(10, 1, 1, 20), (12, 2, 1, 30), (15, 1, 0, 12)] {
        for trial in 0..3 {
            let Planted { problem, truth } = planted(order, positive, negative, m, trial);
            for program in programs(&problem) {
                let answer = program.solve().unwrap();
                assert_certified(&problem, &answer);
                assert!(distance(&answer, &truth) > 1e-3);
            }
        }
    }
}

/// Over all matrices the least value is the same, but solutions are many when the teacher is
/// indefinite: the skew part `e D^{-1} (u v^T - v u^T) D^{-1}`, for unit eigenvectors `u`, `v` of
/// `D X D` of opposite sign, is seen by no input, and costs nothing up to the lesser of the two
/// eigenvalues.
#[test]
fn over_all_matrices_the_value_is_the_same_and_the_solution_is_not() {
    let Planted { problem, truth } = planted(8, 1, 1, 36, 0);
    let flat = problem.flat().solve().unwrap();
    assert_certified(&problem, &flat);
    assert!(distance(&flat, &truth) < 1e-6);
    let general = Program::new(problem.map(), problem.targets(), Objective::Flat).solve().unwrap();
    assert_eq!(general.status, Status::Certified);
    assert!((general.objective - flat.objective).abs() <= 2e-8 * flat.objective);
    assert!(!general.unique);

    let (d, _) = problem.rescaling().unwrap().matrices().unwrap();
    let d = d.to_dense();
    let (values, q) = symmetric_eigen(d.as_ref(), Par::Seq).unwrap();
    let scaled = Mat::from_fn(8, 8, |i, j| q[(i, j)] / values[j]);
    let inverse = product(scaled.as_ref(), q.transpose());
    let sandwich =
        |d: &Mat<f64>, x: &Mat<f64>| product(product(d.as_ref(), x.as_ref()).as_ref(), d.as_ref());
    let value = |x: &Mat<f64>| -> f64 {
        singular_values(sandwich(&d, x).as_ref(), Par::Seq).unwrap().iter().sum()
    };
    let (values, q) = symmetric_eigen(sandwich(&d, &truth).as_ref(), Par::Seq).unwrap();
    let room = values[7].min(-values[0]);
    assert!(room > 0.0);
    for (part, costs) in [(0.5, false), (1.0, false), (1.5, true)] {
        let skew = Mat::from_fn(8, 8, |i, j| {
            part * room * (q[(i, 7)] * q[(j, 0)] - q[(i, 0)] * q[(j, 7)])
        });
        let x = &truth + sandwich(&inverse, &skew);
        let mut outputs = vec![0.0; 36];
        problem.map().apply(x.as_ref(), &mut outputs);
        let misfit = outputs.iter().zip(problem.targets()).map(|(a, b)| (a - b).abs());
        assert!(misfit.fold(0.0, f64::max) < 1e-12);
        assert!((&x - &truth).norm_l2() > 1e-2);
        assert_eq!(value(&x) > value(&truth) * (1.0 + 1e-9), costs, "{part}");
    }
}

#[test]
fn tiny_shapes_are_solved() {
    for order in 1..=3 {
        for m in 1..=order * (order + 1) / 2 + 2 {
            for (positive, negative) in [(1, 0), (0, 1), (1, 1)] {
                if positive + negative > order {
                    continue;
                }
                let Planted { problem, truth } = planted(order, positive, negative, m, 0);
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
}

/// One input: the least nuclear norm is `|y| / |x|^2`, and the flat value `|x|^2 |y| / d`.
#[test]
fn one_input_has_its_closed_form() {
    let problem = QuadNet::from_arrays(2, vec![3.0, 4.0], vec![-50.0]).unwrap();
    for (program, value) in programs(&problem).into_iter().zip([625.0, 2.0]) {
        let answer = program.solve().unwrap();
        assert_certified(&problem, &answer);
        assert!((answer.objective - value).abs() < 1e-7 * value);
        assert!((answer.matrix()[(0, 1)] + 50.0 * 12.0 / 625.0).abs() < 1e-6);
    }
}

#[test]
fn zero_targets_have_the_zero_answer() {
    let Planted { problem, .. } = planted(4, 1, 0, 6, 0);
    let problem = QuadNet::from_arrays(4, inputs(&problem, 1.0), vec![0.0; 6]).unwrap();
    for program in programs(&problem) {
        let answer = program.solve().unwrap();
        assert_eq!((answer.status, answer.rank), (Status::Certified, 0));
        assert_eq!((answer.objective, answer.relative_gap), (0.0, 0.0));
        assert_eq!(answer.matrix(), Mat::<f64>::zeros(4, 4));
        assert!(answer.warnings.iter().any(|w| w.to_string().contains("zero")));
    }
}

/// A coordinate that is zero in every input is a row that nothing sees.
#[test]
fn names_coordinates_that_no_input_sees() {
    let mut stream = Stream::new(3, "quadnet", 0, 0, Role::Measurements);
    let mut x = stream.gaussian_vector(6 * 21);
    x.chunks_exact_mut(6).for_each(|x| x[4] = 0.0);
    let truth = flatmin_core::planted::symmetric(6, 1, 1, &mut stream).unwrap();
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

/// The same input with two outputs, and an input of zero with an output.
#[test]
fn contradictions_are_not_certified() {
    for (x, y) in [
        (vec![1.0, 2.0, 1.0, 2.0], vec![1.0, 2.0]),
        (vec![1.0, 2.0, -1.0, -2.0], vec![1.0, 2.0]),
        (vec![0.0, 0.0], vec![1.0]),
    ] {
        let problem = QuadNet::from_arrays(2, x, y).unwrap();
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Inconsistent);
            assert!(answer.matrix().is_all_finite());
        }
    }
}

#[test]
fn extreme_targets_scale_the_answer() {
    let Planted { problem, truth } = planted(6, 1, 1, 21, 0);
    for scale in [1e-300, 1e-160, 1e160, 1e300] {
        let targets = problem.targets().iter().map(|b| b * scale).collect();
        let scaled = QuadNet::from_arrays(6, inputs(&problem, 1.0), targets).unwrap();
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified);
            let x = answer.matrix();
            let back = Mat::from_fn(6, 6, |i, j| x[(i, j)] / scale);
            assert!((back - &truth).norm_l2() < 1e-6, "{scale:e}");
            let audit = Audit::new(scaled.map(), scaled.targets(), &answer).unwrap();
            assert!(audit.dual_norm <= 1.0 + 1e-10 && audit.feasibility < 1e-8, "{audit:?}");
        }
    }
}

#[test]
fn extreme_inputs_are_solved_or_refused() {
    let Planted { problem, truth } = planted(6, 1, 1, 20, 0);
    for scale in [1e-60, 1e-30, 1e30, 1e60] {
        let scaled = measured(6, inputs(&problem, scale), truth.as_ref());
        for program in programs(&scaled) {
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{scale:e}");
            assert!(distance(&answer, &truth) < 1e-6, "{scale:e}");
        }
    }
    for scale in [1e-200, 1e200] {
        let error = QuadNet::from_arrays(6, inputs(&problem, scale), vec![1.0; 20]);
        assert!(matches!(error, Err(Error::Scale { .. })));
    }
}

#[test]
fn names_what_is_wrong() {
    let message = |order, inputs: &[f64], targets: &[f64]| {
        let problem = QuadNet::from_arrays(order, inputs.to_vec(), targets.to_vec());
        problem.unwrap_err().to_string()
    };
    let ones = [1.0; 8];
    for (error, culprits) in [
        (message(2, &ones, &[1.0]), ["targets", "length 4"]),
        (message(4, &ones, &[1.0, f64::NAN]), ["targets", "index 1"]),
        (message(4, &ones, &[f64::NEG_INFINITY, 1.0]), ["targets", "index 0"]),
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
    let stream = || Stream::new(1, "quadnet", 0, 0, Role::Truth);
    for (order, positive, negative, m) in
        [(3, 0, 0, 5), (3, 2, 2, 5), (3, 1, 0, 0), (0, 1, 0, 5), (3, usize::MAX, 1, 5)]
    {
        let planted = Planted::gaussian(order, positive, negative, m, &mut stream(), &mut stream());
        assert!(planted.is_err());
    }
}

/// The same bits again, in any company; and with two threads inside the solve.
#[test]
fn answers_are_reproducible() {
    let bits = |m: usize, threads: usize| -> Vec<u64> {
        let Planted { problem, .. } = planted(13, 1, 1, m, 4);
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
    for m in [25, 80] {
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

    /// Whatever the order, the teacher and the number of inputs: no panic, and what is called
    /// certified is.
    #[test]
    fn certified_means_proved(
        order in 1usize..9, positive in 0usize..5, negative in 0usize..5, m in 1usize..50,
        noise in prop::sample::select(vec![0.0, 1e-3]), trial in 0u64..1000,
    ) {
        let positive = positive.min(order);
        let negative = negative.min(order - positive);
        prop_assume!(positive + negative > 0);
        let Planted { problem, .. } = planted(order, positive, negative, m, trial);
        let mut stream = Stream::new(1, "quadnet", 0, trial, Role::Noise);
        let targets = problem.targets().iter().map(|b| b + noise * stream.gaussian()).collect();
        let problem = QuadNet::from_arrays(order, inputs(&problem, 1.0), targets).unwrap();
        for program in programs(&problem) {
            let answer = program.solve().unwrap();
            let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
            prop_assert!(audit.dual_norm <= 1.0 + 1e-10, "{audit:?}");
            prop_assert_eq!(audit.outside, 0.0);
            if answer.status.is_certified() {
                prop_assert!(audit.lower_bound <= audit.objective * (1.0 + 1e-9), "{audit:?}");
                prop_assert!(audit.feasibility <= 1e-8, "{audit:?}");
            } else {
                // Noisy and overdetermined: nothing fits.
                let overdetermined = m > order * (order + 1) / 2;
                prop_assert!(noise > 0.0 && overdetermined, "{} {audit:?}", answer.status);
            }
        }
    }

    /// Arrays of any content make a problem or an error, never a panic.
    #[test]
    fn any_array_is_a_problem_or_an_error(
        order in 0usize..4,
        inputs in prop::collection::vec(prop::num::f64::ANY, 0..9),
        targets in prop::collection::vec(prop::num::f64::ANY, 0..4),
    ) {
        if let Ok(problem) = QuadNet::from_arrays(order, inputs, targets) {
            prop_assert_eq!(problem.map().dims().measurements, problem.targets().len());
            for program in programs(&problem) {
                if let Ok(answer) = program.max_iterations(200).solve() {
                    prop_assert!(answer.matrix().is_all_finite(), "{:?}", answer);
                }
            }
        }
    }
}
