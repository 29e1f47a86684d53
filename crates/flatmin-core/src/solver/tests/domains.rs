//! Laws of the solver over symmetric and semidefinite matrices, and of the penalised form.

use super::*;

/// `x_i^T M x_i` for Gaussian vectors and a matrix with eigenvalues of the given signs.
pub(super) fn quadratic(
    d: usize,
    signs: &[f64],
    m: usize,
    seed: u64,
) -> (RankOne, Vec<f64>, Mat<f64>) {
    let u = stream(seed, Role::Truth).gaussian_matrix(d, signs.len());
    let signed = crate::linalg::scale_columns(u.as_ref(), signs);
    let truth = product(signed.as_ref(), u.transpose());
    let truth = &truth * faer::Scale(1.0 / truth.norm_l2());
    let map =
        RankOne::symmetric(d, stream(seed, Role::Measurements).gaussian_vector(d * m)).unwrap();
    let mut b = vec![0.0; m];
    map.apply(truth.as_ref(), &mut b);
    (map, b, truth)
}

/// Over symmetric matrices, below the transition and above, at one of few unknowns, and determined.
#[test]
fn certifies_over_symmetric_matrices() {
    for (d, m, seed) in
        [(10, 49, 31), (12, 43, 32), (15, 110, 33), (5, 15, 34), (6, 40, 35), (1, 2, 36)]
    {
        let signs = [1.0, 1.0, -1.0];
        let (map, b, truth) = quadratic(d, &signs[..d.min(3)], m, seed);
        for objective in [Objective::Flat, Objective::Nuclear] {
            let program = Program::new(&map, &b, objective).over(Domain::Symmetric);
            let answer = program.solve().unwrap();
            let says = format!("{objective}, d = {d}, m = {m}: gap {:e}", answer.relative_gap);
            assert_eq!(answer.status, Status::Certified, "{says}");
            let audit = Audit::new(&map, &b, &answer).unwrap();
            assert!(audit.dual_norm < 1.0 + 1e-11 && audit.feasibility < 1e-8, "{says}");
            assert_eq!(audit.outside, 0.0, "{says}");
            approx::assert_relative_eq!(audit.objective, answer.objective, max_relative = 1e-9);
            if m > 100 || m >= d * (d + 1) / 2 {
                let error = (answer.matrix() - &truth).norm_l2();
                assert!(error < 1e-7 && answer.unique, "{says}: off by {error:e}");
            }
            // Over all matrices the value is the same.
            let general = Program::new(&map, &b, objective).solve().unwrap();
            if general.status.is_certified() {
                let value = general.objective;
                approx::assert_relative_eq!(answer.objective, value, max_relative = 3e-8);
            }
        }
    }
}

/// Over positive semidefinite matrices; all that fit are equally flat.
#[test]
fn certifies_over_semidefinite_matrices() {
    for (d, r, m, seed) in
        [(15, 2, 87, 41), (12, 1, 60, 42), (10, 2, 15, 43), (6, 3, 12, 44), (5, 1, 15, 45)]
    {
        let (map, b, truth) = quadratic(d, &vec![1.0; r], m, seed);
        for objective in [Objective::Flat, Objective::Nuclear] {
            let program = Program::new(&map, &b, objective).over(Domain::Semidefinite);
            let answer = program.solve().unwrap();
            let says = format!("{objective}, d = {d}, m = {m}: gap {:e}", answer.relative_gap);
            assert_eq!(answer.status, Status::Certified, "{says}");
            let audit = Audit::new(&map, &b, &answer).unwrap();
            assert!(audit.dual_norm < 1.0 + 1e-11 && audit.feasibility < 1e-8, "{says}");
            assert!(audit.outside < 1e-13, "{says}: {:e}", audit.outside);
            if m > 50 || m >= d * (d + 1) / 2 {
                assert!((answer.matrix() - &truth).norm_l2() < 1e-7, "{says}");
                assert!(answer.unique, "{says}");
            }
            if objective == Objective::Flat {
                let norms = map.norms();
                let value: f64 = norms.iter().zip(&b).map(|(n, b)| n * b).sum();
                let value = value / (d * m) as f64;
                approx::assert_relative_eq!(answer.objective, value, max_relative = 1e-9);
            } else {
                let symmetric = Program::new(&map, &b, objective).over(Domain::Symmetric);
                let value = symmetric.solve().unwrap().lower_bound;
                assert!(answer.objective >= value * (1.0 - 1e-9), "{says}");
            }
        }
    }
}

#[test]
fn a_symmetric_domain_needs_symmetric_measurements() {
    let (map, b, _) = sensing(4, 4, 1, 10, 46);
    let error = Program::new(&map, &b, Objective::Flat).over(Domain::Symmetric).solve();
    assert!(matches!(error, Err(Error::Parameter { name: "the measurements", .. })));
    let (map, b, _) = sensing(4, 3, 1, 10, 47);
    let error = Program::new(&map, &b, Objective::Flat).over(Domain::Semidefinite).solve();
    assert!(matches!(error, Err(Error::Shape { .. })));
}

/// With every entry seen the penalised form has a closed solution: soft-thresholded singular values.
#[test]
fn a_penalty_on_the_identity_soft_thresholds() {
    let mut noise = stream(51, Role::Noise);
    let y = noise.gaussian_matrix(7, 5);
    let (i, j): (Vec<_>, Vec<_>) = (0..7).flat_map(|i| (0..5).map(move |j| (i, j))).unzip();
    let map = Entries::new(7, 5, &i, &j).unwrap();
    let b: Vec<f64> = i.iter().zip(&j).map(|(&i, &j)| y[(i, j)]).collect();
    let svd = crate::linalg::svd(y.as_ref(), Par::Seq).unwrap();
    for lambda in [1e-3, 0.5, 2.0, 50.0] {
        let program = Program::new(&map, &b, Objective::Nuclear).penalty(lambda);
        let answer = program.tolerance(1e-10).solve().unwrap();
        assert_eq!(answer.status, Status::Certified, "lambda = {lambda}");
        let kept: Vec<f64> = svd.s.iter().map(|s| (s - lambda).max(0.0)).collect();
        let left = crate::linalg::scale_columns(svd.u.as_ref(), &kept);
        let expected = product(left.as_ref(), svd.v.transpose());
        let error = (answer.matrix() - &expected).norm_l2();
        assert!(error < 1e-4, "lambda = {lambda}: off by {error:e}");
        assert_eq!(answer.rank, kept.iter().filter(|&&s| s > 0.0).count(), "lambda = {lambda}");
    }
}

/// Noisy targets, over every domain and map: certified, and the certificate is checked anew.
#[test]
fn certifies_penalised_problems() {
    let noisy = |b: &[f64], seed: u64, scale: f64| -> Vec<f64> {
        let noise = stream(seed, Role::Noise).gaussian_vector(b.len());
        b.iter().zip(noise).map(|(b, e)| scale * (b + 0.05 * e)).collect()
    };
    let (dense, b1, _) = sensing(8, 9, 2, 60, 52);
    let (entries, b2, _) = completion(9, 7, 2, 0.6, 53);
    let (indefinite, b3, _) = quadratic(8, &[1.0, 1.0, -1.0], 40, 54);
    let (definite, b4, _) = quadratic(8, &[1.0, 1.0], 40, 55);
    // More measurements than unknowns.
    let (many, b5, _) = sensing(4, 5, 2, 50, 57);
    let (more, b6, _) = quadratic(5, &[1.0, -1.0], 40, 58);
    let cases: [(&dyn LinearMap, &[f64], Domain); 7] = [
        (&dense, &b1, Domain::General),
        (&entries, &b2, Domain::General),
        (&indefinite, &b3, Domain::Symmetric),
        (&definite, &b4, Domain::Semidefinite),
        (&many, &b5, Domain::General),
        (&more, &b6, Domain::Symmetric),
        (&more, &b6, Domain::Semidefinite),
    ];
    for (map, b, domain) in cases {
        for scale in [1e-8, 1.0, 1e8] {
            let b = noisy(b, 56, scale);
            for objective in [Objective::Flat, Objective::Nuclear] {
                for lambda in [1e-6 * scale, 0.01 * scale, scale] {
                    let program = Program::new(map, &b, objective).over(domain).penalty(lambda);
                    let answer = program.solve().unwrap();
                    let gap = answer.relative_gap;
                    let says = format!("{domain}, {objective}, {lambda:e}: gap {gap:e}");
                    assert_eq!(answer.status, Status::Certified, "{says}");
                    let audit = Audit::new(map, &b, &answer).unwrap();
                    assert!(audit.dual_norm < 1.0 + 1e-9, "{says}: {:e}", audit.dual_norm);
                    assert!(audit.outside < 1e-12, "{says}");
                    let (value, bound) = (answer.objective, answer.lower_bound);
                    approx::assert_relative_eq!(audit.objective, value, max_relative = 1e-9);
                    approx::assert_relative_eq!(audit.lower_bound, bound, max_relative = 1e-9);
                }
            }
        }
    }
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Program::new(&dense, &b1, Objective::Flat).penalty(lambda).solve();
        assert!(matches!(error, Err(Error::Parameter { name: "the penalty", .. })));
    }
}

/// Small whole numbers, where a polished point may come out as nothing at all: it must not win.
#[test]
fn a_failed_polish_changes_nothing() {
    let cases: [(usize, &[f64], &[f64]); 2] = [
        (3, &[0., 0., 1., 0., -1., -1., -1., 0., 0.], &[2., 4., 1.]),
        (4, &[0., -1., 1., 0., 0., 0., 1., -1., 1., 0., 0., 0.], &[8., 8., 1.]),
    ];
    for (d, probes, b) in cases {
        let map = RankOne::symmetric(d, probes.to_vec()).unwrap();
        for objective in [Objective::Flat, Objective::Nuclear] {
            let program = Program::new(&map, b, objective).over(Domain::Semidefinite);
            let answer = program.solve().unwrap();
            assert_eq!(answer.status, Status::Certified, "{objective}, d = {d}");
            let audit = Audit::new(&map, b, &answer).unwrap();
            assert!(audit.feasibility < 1e-9 && audit.outside < 1e-13);
        }
    }
}

/// Two measurements that differ in the ninth digit say as much as any two: `X12 = 2`. Where rounding
/// blurs that, nothing is certified, and never another matrix.
#[test]
fn nearly_equal_measurements_are_not_taken_for_one() {
    for eps in [1e-6, 1e-8, 1e-9, 1e-10] {
        let data = vec![1.0, 0.0, 0.0, 1.0, 1.0, eps, 0.0, 1.0];
        let map = DenseMap::new(2, 2, data).unwrap();
        let b = [2.0, 2.0 + 2.0 * eps];
        let answer = Program::new(&map, &b, Objective::Nuclear).solve().unwrap();
        assert!((answer.objective - 2.5).abs() < 1e-4, "{eps:e}: {}", answer.objective);
        let certain = answer.status == Status::Certified;
        assert!(certain || answer.warnings.iter().any(|w| matches!(w, Warning::Sensitive(_))));
    }
}

/// Vectors that were centred in double precision: the direction of their mean is seen by rounding
/// only, and counts as not seen.
#[test]
fn what_rounding_alone_sees_is_not_seen() {
    let mut x = stream(61, Role::Measurements).gaussian_vector(6 * 40);
    for row in x.chunks_exact_mut(6) {
        row.iter_mut().for_each(|v| *v += 100.0);
        let mean = row.iter().sum::<f64>() / 6.0;
        row.iter_mut().for_each(|v| *v -= mean);
    }
    let map = RankOne::symmetric(6, x).unwrap();
    let truth = crate::planted::symmetric(6, 1, 1, &mut stream(61, Role::Truth)).unwrap();
    let mut b = vec![0.0; 40];
    map.apply(truth.as_ref(), &mut b);
    for objective in [Objective::Flat, Objective::Nuclear] {
        let answer = Program::new(&map, &b, objective).over(Domain::Symmetric).solve().unwrap();
        assert_eq!(answer.status, Status::Certified, "{objective}");
        let hidden = Warning::UnidentifiedDirections { left: 1, right: 1 };
        assert!(answer.warnings.contains(&hidden));
    }
}

/// Noise that no positive semidefinite matrix explains is said to be that.
#[test]
fn names_targets_that_no_covariance_has() {
    let (map, mut b, _) = quadratic(12, &[1.0], 40, 62);
    let noise = stream(62, Role::Noise).gaussian_vector(40);
    b.iter_mut().zip(noise).for_each(|(b, e)| *b = (*b + 0.05 * e).abs());
    for objective in [Objective::Flat, Objective::Nuclear] {
        let answer = Program::new(&map, &b, objective).over(Domain::Semidefinite).solve().unwrap();
        assert_eq!(answer.status, Status::Inconsistent, "{objective}");
        assert_eq!(answer.lower_bound, 0.0);
    }
}
