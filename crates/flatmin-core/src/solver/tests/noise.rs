//! Laws of the solver for targets with noise of known size.

use super::domains::quadratic;
use super::*;

/// `(map, targets with noise, domain)` of every kind, and the noise.
type Case = (Box<dyn LinearMap>, Vec<f64>, Domain);

fn cases() -> Vec<Case> {
    let noisy = |b: &[f64]| -> Vec<f64> {
        let noise = stream(70, Role::Noise).gaussian_vector(b.len());
        b.iter().zip(noise).map(|(b, e)| b + 0.05 * e).collect()
    };
    let (dense, b1, _) = sensing(8, 9, 2, 60, 71);
    let (entries, b2, _) = completion(9, 7, 2, 0.6, 72);
    let (indefinite, b3, _) = quadratic(8, &[1.0, 1.0, -1.0], 40, 73);
    let (definite, b4, _) = quadratic(8, &[1.0, 1.0], 30, 74);
    let (many, b5, _) = sensing(4, 5, 2, 50, 75);
    let (more, b6, _) = quadratic(5, &[1.0, -1.0], 40, 76);
    let (psd, b7, _) = quadratic(5, &[1.0], 40, 77);
    let (left, right) = (stream(79, Role::Measurements), stream(79, Role::Probe));
    let pairs = |mut stream: Stream, d: usize| stream.gaussian_vector(45 * d);
    let bilinear = RankOne::new(8, 6, pairs(left, 8), pairs(right, 6)).unwrap();
    let truth = low_rank(8, 6, 2, &mut stream(79, Role::Truth)).unwrap();
    let mut b8 = vec![0.0; 45];
    bilinear.apply(truth.as_ref(), &mut b8);
    vec![
        (Box::new(dense), noisy(&b1), Domain::General),
        (Box::new(entries), noisy(&b2), Domain::General),
        (Box::new(indefinite), noisy(&b3), Domain::Symmetric),
        (Box::new(definite), noisy(&b4), Domain::Semidefinite),
        (Box::new(many), noisy(&b5), Domain::General),
        (Box::new(more), noisy(&b6), Domain::Symmetric),
        (Box::new(psd), noisy(&b7), Domain::Semidefinite),
        (Box::new(bilinear), noisy(&b8), Domain::General),
    ]
}

/// Certified over every domain and map, the certificate is checked anew, and the constraint is
/// active and met.
#[test]
fn certifies_bounded_problems() {
    for (index, (map, b, domain)) in cases().into_iter().enumerate() {
        let floor =
            Program::new(map.as_ref(), &b, Objective::Nuclear).over(domain).solve().unwrap();
        for scale in [1e-8, 1.0, 1e8] {
            let b: Vec<f64> = b.iter().map(|b| b * scale).collect();
            let size = norm(&b);
            for objective in [Objective::Flat, Objective::Nuclear] {
                for part in [1e-6, 1e-3, 0.1, 0.5, 0.99] {
                    let delta = size * (floor.feasibility + part * (1.0 - floor.feasibility));
                    let program =
                        Program::new(map.as_ref(), &b, objective).over(domain).noise(delta);
                    let answer = program.solve().unwrap();
                    let says = format!(
                        "{index}: {domain}, {objective}, scale {scale:e}, part {part}: gap {:e}, \
                         excess {:e}, {} iterations, {}",
                        answer.relative_gap, answer.feasibility, answer.iterations, answer.status
                    );
                    assert_eq!(answer.status, Status::Certified, "{says}");
                    let audit = Audit::new(map.as_ref(), &b, &answer).unwrap();
                    assert!(audit.dual_norm < 1.0 + 1e-9, "{says}: {:e}", audit.dual_norm);
                    assert!(audit.outside < 1e-12, "{says}");
                    assert!(audit.feasibility < 1e-12, "{says}");
                    let (value, bound) = (answer.objective, answer.lower_bound);
                    approx::assert_relative_eq!(audit.objective, value, max_relative = 1e-9);
                    approx::assert_relative_eq!(audit.lower_bound, bound, max_relative = 1e-9);
                }
            }
        }
    }
}

/// The two forms for noise are one family: at the `lambda` that `delta` implies, and at the `delta`
/// that `lambda` leaves, they have the same solution.
#[test]
fn agrees_with_the_penalised_form() {
    for (map, b, domain) in cases() {
        for objective in [Objective::Flat, Objective::Nuclear] {
            let program =
                || Program::new(map.as_ref(), &b, objective).over(domain).tolerance(1e-11);
            let penalised = program().penalty(0.2).solve().unwrap();
            let delta = penalised.feasibility * norm(&b);
            let bounded = program().noise(delta).solve().unwrap();
            let says = format!("{domain}, {objective}: {bounded:?}");
            assert!(penalised.relative_gap < 1e-9 && bounded.relative_gap < 1e-9, "{says}");
            // The norm of the penalised answer is what its objective has beside the misfit.
            let value = (penalised.objective - 0.5 * delta * delta) / 0.2;
            approx::assert_relative_eq!(bounded.objective, value, max_relative = 1e-7);
            approx::assert_relative_eq!(bounded.penalty.unwrap(), 0.2, max_relative = 1e-4);
            let apart = (bounded.matrix() - penalised.matrix()).norm_l2();
            assert!(apart < 1e-4 * bounded.matrix().norm_l2(), "{says}: {apart:e} apart");
            let again = program().penalty(bounded.penalty.unwrap()).solve().unwrap();
            approx::assert_relative_eq!(again.feasibility * norm(&b), delta, max_relative = 1e-4);
        }
    }
}

/// With every entry seen the singular values are thresholded, by as much as the bound allows.
#[test]
fn a_bound_on_the_identity_soft_thresholds() {
    let y = stream(78, Role::Noise).gaussian_matrix(7, 5);
    let (i, j): (Vec<_>, Vec<_>) = (0..7).flat_map(|i| (0..5).map(move |j| (i, j))).unzip();
    let map = Entries::new(7, 5, &i, &j).unwrap();
    let b: Vec<f64> = i.iter().zip(&j).map(|(&i, &j)| y[(i, j)]).collect();
    let svd = crate::linalg::svd(y.as_ref(), Par::Seq).unwrap();
    for lambda in [1e-3, 0.5, 2.0] {
        let cut: Vec<f64> = svd.s.iter().map(|s| s.min(lambda)).collect();
        let kept: Vec<f64> = svd.s.iter().map(|s| (s - lambda).max(0.0)).collect();
        let program = Program::new(&map, &b, Objective::Nuclear).noise(norm(&cut));
        let answer = program.tolerance(1e-10).solve().unwrap();
        assert_eq!(answer.status, Status::Certified, "lambda = {lambda}");
        let left = crate::linalg::scale_columns(svd.u.as_ref(), &kept);
        let error = (answer.matrix() - product(left.as_ref(), svd.v.transpose())).norm_l2();
        assert!(error < 1e-4, "lambda = {lambda}: off by {error:e}");
        approx::assert_relative_eq!(
            answer.objective,
            kept.iter().sum::<f64>(),
            max_relative = 1e-9
        );
        approx::assert_relative_eq!(answer.penalty.unwrap(), lambda, max_relative = 1e-3);
    }
}

/// Nothing is allowed: the equality form. Everything is: zero. Less than the noise: no answer.
#[test]
fn the_ends_of_the_range() {
    for (map, b, domain) in cases() {
        let program = || Program::new(map.as_ref(), &b, Objective::Flat).over(domain);
        let exact = program().solve().unwrap();
        let none = program().noise(0.0).solve().unwrap();
        assert_eq!((none.status, none.objective), (exact.status, exact.objective), "{domain}");
        assert_eq!((none.lower_bound, &none.dual), (exact.lower_bound, &exact.dual), "{domain}");
        for delta in [norm(&b), 2.0 * norm(&b), 1e300] {
            let zero = program().noise(delta).solve().unwrap();
            assert_eq!((zero.status, zero.objective, zero.rank), (Status::Certified, 0.0, 0));
            assert!(zero.unique && zero.penalty.is_none() && zero.feasibility == 0.0);
            assert_eq!(Audit::new(map.as_ref(), &b, &zero).unwrap().lower_bound, 0.0);
        }
        for delta in [-1.0, f64::NAN, f64::INFINITY] {
            let error = program().noise(delta).solve();
            assert!(matches!(error, Err(Error::Parameter { name: "the noise bound", .. })));
        }
        // Every size of noise between them.
        for digits in 1..14 {
            let part = 10f64.powi(-digits);
            if exact.status == Status::Certified {
                let answer = program().noise(part * norm(&b)).solve().unwrap();
                let says = format!("{domain}, {part:e}: {answer:?}");
                assert_eq!(answer.status, Status::Certified, "{says}");
                let (low, high) = (exact.objective * (1.0 - 30.0 * part), exact.objective);
                assert!(answer.objective > low && answer.lower_bound <= high, "{says}");
            }
        }
        if exact.status == Status::Inconsistent && domain != Domain::Semidefinite {
            for part in [1e-6, 0.5, 0.999] {
                let delta = part * exact.feasibility * norm(&b);
                let answer = program().noise(delta).solve().unwrap();
                assert_eq!(answer.status, Status::Inconsistent, "{domain}, {part}: {answer:?}");
                let excess = (1.0 - part) * exact.feasibility;
                approx::assert_relative_eq!(answer.feasibility, excess, max_relative = 1e-6);
                assert_eq!(answer.relative_gap, 1.0);
            }
        }
    }
}

/// Rows never seen, one measurement, measurements of nothing, zero targets, and the same entry of two
/// readings.
#[test]
fn edges_of_bounded_problems() {
    let map = Entries::new(4, 3, &[0, 0, 2, 2], &[0, 2, 0, 2]).unwrap();
    for objective in [Objective::Flat, Objective::Nuclear] {
        let answer =
            Program::new(&map, &[1.0, 2.0, 2.0, 4.5], objective).noise(0.3).solve().unwrap();
        assert_eq!(answer.status, Status::Certified);
        assert_eq!((&answer.unidentified_rows, &answer.unidentified_cols), (&vec![1, 3], &vec![1]));
        let zero = Program::new(&map, &[0.0; 4], objective).noise(0.3).solve().unwrap();
        assert_eq!((zero.status, zero.objective), (Status::Certified, 0.0));
        // (x - 1)^2 + (x - 2)^2 <= delta^2 has its least x at 1.5 - (delta^2 / 2 - 1/4)^{1/2}.
        let twice = DenseMap::new(1, 1, vec![1.0, 1.0]).unwrap();
        let answer = Program::new(&twice, &[1.0, 2.0], objective).noise(1.0).solve().unwrap();
        assert_eq!(answer.status, Status::Certified);
        assert!((answer.matrix()[(0, 0)] - 1.0).abs() < 1e-7, "{answer:?}");
        let answer = Program::new(&twice, &[1.0, 2.0], objective).noise(0.7).solve().unwrap();
        assert_eq!(answer.status, Status::Inconsistent);
        // Dependent, but fewer than the unknowns.
        let data = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let repeated = DenseMap::new(2, 2, data).unwrap();
        for (delta, status) in [(0.8, Status::Certified), (0.6, Status::Inconsistent)] {
            let b = [1.0, 2.0, 3.0];
            let answer = Program::new(&repeated, &b, objective).noise(delta).solve().unwrap();
            assert_eq!(answer.status, status, "{objective}, {delta}: {answer:?}");
        }
        let nothing = DenseMap::new(2, 2, vec![0.0; 8]).unwrap();
        for (delta, status) in [(2.0, Status::Certified), (1.0, Status::Inconsistent)] {
            let answer =
                Program::new(&nothing, &[1.0, 1.0], objective).noise(delta).solve().unwrap();
            assert_eq!(answer.status, status);
        }
    }
}

/// Along a path every answer is that of a solve of its own, at fewer iterations, and cheaper ones.
#[test]
fn paths_are_certified_and_save_iterations() {
    for (map, b, domain) in cases() {
        for objective in [Objective::Flat, Objective::Nuclear] {
            let program = || Program::new(map.as_ref(), &b, objective).over(domain);
            let largest = program().largest_penalty().unwrap();
            let zero = program().penalty(largest * (1.0 + 1e-9)).solve().unwrap();
            let little = program().penalty(largest * 0.99).solve().unwrap();
            assert!(zero.rank == 0 && little.rank > 0, "{domain}, {objective}");
            let lambdas: Vec<f64> = (0..25).map(|k| largest * 0.75f64.powi(k)).collect();
            let (mut cold, mut warm) = (0, 0);
            let answers: Vec<Recovery> =
                program().path(lambdas.clone()).map(Result::unwrap).collect();
            assert_eq!(answers.len(), lambdas.len());
            for (answer, &lambda) in answers.iter().zip(&lambdas) {
                let says = format!("{domain}, {objective}, {lambda:e}: {answer:?}");
                assert_eq!(answer.status, Status::Certified, "{says}");
                let alone = program().penalty(lambda).solve().unwrap();
                approx::assert_relative_eq!(alone.objective, answer.objective, max_relative = 2e-8);
                let audit = Audit::new(map.as_ref(), &b, answer).unwrap();
                assert!(audit.dual_norm < 1.0 + 1e-9 && audit.outside < 1e-12, "{says}");
                let bound = answer.lower_bound;
                approx::assert_relative_eq!(audit.lower_bound, bound, max_relative = 1e-9);
                (cold, warm) = (cold + alone.iterations, warm + answer.iterations);
            }
            assert!(4 * warm < 3 * cold, "{domain}, {objective}: {warm} against {cold}");
        }
    }
}

/// Exact data at the boundary of the cone, as many measurements as unknowns or nearly, and a slight
/// bound: the direct road stalls at some of these, and the penalised form takes over.
#[test]
fn slight_bounds_on_exact_data() {
    for (d, m, seed) in [(4, 13, 80), (4, 10, 81), (4, 7, 82), (5, 14, 83), (5, 15, 84), (3, 6, 85)]
    {
        let (map, b, _) = quadratic(d, &[1.0], m, seed);
        for domain in [Domain::Symmetric, Domain::Semidefinite] {
            for objective in [Objective::Flat, Objective::Nuclear] {
                for part in [1e-9, 1e-7, 1e-6, 1e-5] {
                    let program = Program::new(&map, &b, objective).over(domain);
                    let answer = program.noise(part * norm(&b)).solve().unwrap();
                    let says = format!("{d}, {m}, {domain}, {objective}, {part:e}: {answer:?}");
                    assert_eq!(answer.status, Status::Certified, "{says}");
                    let audit = Audit::new(&map, &b, &answer).unwrap();
                    assert!(audit.dual_norm < 1.0 + 1e-9 && audit.feasibility < 1e-8, "{says}");
                }
            }
        }
    }
}

/// Whole numbers of which many repeat one another, exact data, and a slight bound: whatever comes of
/// it, it is an answer and no error.
#[test]
fn repeated_measurements_under_slight_bounds() {
    for seed in 0..60 {
        let (d, m) = (3, 10);
        let probes = stream(100 + seed, Role::Measurements).gaussian_vector(d * m);
        let probes = probes.into_iter().map(f64::round).collect();
        let map = RankOne::symmetric(d, probes).unwrap();
        let u = stream(100 + seed, Role::Truth).gaussian_matrix(d, 1);
        let u = Mat::from_fn(d, 1, |i, _| u[(i, 0)].round());
        let mut b = vec![0.0; m];
        map.apply(product(u.as_ref(), u.transpose()).as_ref(), &mut b);
        for objective in [Objective::Flat, Objective::Nuclear] {
            let program = Program::new(&map, &b, objective).over(Domain::Semidefinite);
            let answer = program.noise(1e-6 * norm(&b)).solve().unwrap();
            assert!(answer.relative_gap.is_finite(), "{seed}: {answer:?}");
        }
    }
}
