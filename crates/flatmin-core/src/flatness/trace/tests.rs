//! The estimators against the definitions: leave-one-out by leaving one out, unbiasedness over seeds, and what
//! must not go wrong.

use super::probes::{Subspace, gaussian, orthonormal};
use super::*;
use crate::flatness::FromFn;
use crate::linalg::{product, scale_columns, thin_qr};
use crate::operator::Gram;
use crate::rng::{Role, Stream};

/// A symmetric matrix with these eigenvalues in a random basis, as a black box.
fn rotated(values: &[f64], seed: u64) -> (Mat<f64>, impl SymmetricOperator + use<>) {
    let n = values.len();
    let gaussian = Stream::new(seed, "basis", 0, 0, Role::Truth).gaussian_matrix(n, n);
    let q = thin_qr(gaussian.as_ref()).0;
    let h = product(scale_columns(q.as_ref(), values).as_ref(), q.transpose());
    (h.clone(), black_box(h))
}

/// The operator, without its closed forms.
fn black_box(h: Mat<f64>) -> impl SymmetricOperator {
    FromFn::new(h.nrows(), move |v: MatRef<'_, f64>, out: MatMut<'_, f64>| {
        crate::linalg::multiply(out, h.as_ref(), v);
    })
}

fn decaying(n: usize) -> Vec<f64> {
    (1..=n).map(|i| 1.0 / (i as f64).powf(1.5)).collect()
}

fn flat(n: usize) -> Vec<f64> {
    (0..n).map(|i| 1.0 + 2.0 * i as f64 / n as f64).collect()
}

/// A hard edge: half of the eigenvalues are zero.
fn edged(n: usize) -> Vec<f64> {
    (0..n).map(|i| if i < n / 2 { 1.0 + i as f64 / n as f64 } else { 0.0 }).collect()
}

fn indefinite(n: usize) -> Vec<f64> {
    (1..=n).map(|i| if i % 5 == 0 { -1.0 } else { 1.0 } / (i as f64).sqrt()).collect()
}

fn stochastic() -> impl Iterator<Item = Method> {
    Method::ALL.into_iter().filter(|&method| method != Method::Exact)
}

/// The mean over seeds is the trace, to within its own error; and the error bars speak of that spread.
#[test]
fn estimates_are_unbiased_and_their_bars_cover() {
    let (n, seeds) = (60, 300);
    let spectra = [decaying(n), flat(n), edged(n), indefinite(n)];
    for (case, values) in spectra.iter().enumerate() {
        let trace: f64 = values.iter().sum();
        let (_, h) = rotated(values, case as u64);
        for method in stochastic() {
            for matvecs in [12, 24] {
                let estimator = Estimator::new(method).matvecs(matvecs);
                let runs: Vec<Estimate> = (0..seeds)
                    .map(|seed| estimator.seed(seed).trace(&h).unwrap())
                    .inspect(|run| assert!(run.matvecs <= matvecs && run.converged))
                    .collect();
                let mean = Mean::of(&runs.iter().map(|run| run.value).collect::<Vec<_>>());
                let label = format!("{method}, {matvecs} products, spectrum {case}");
                // Where the estimator is decided from the probes, a bias far below its spread is the price.
                let sampling = 4.0 * mean.std_err;
                let allowed = match method {
                    Method::Auto | Method::XNysTrace => 1.5 * sampling,
                    _ => sampling,
                };
                assert!((mean.value - trace).abs() < allowed, "{label}: {mean:?}, not {trace}");
                let covers = |run: &&Estimate| (run.value - trace).abs() <= 2.0 * run.std_err;
                let covered = runs.iter().filter(covers).count() as f64 / seeds as f64;
                // Few probes of a decaying spectrum have skew forms; of 300 seeds 5 % may fall short of 90 %.
                assert!(covered >= 0.88, "{label}: covered {covered}");
            }
        }
    }
}

/// `t_u` by predicting what was left out, from the definition.
fn nystrom_without(
    h: MatRef<'_, f64>,
    basis: MatRef<'_, f64>,
    out: &[usize],
    i: usize,
    shift: f64,
) -> f64 {
    let (n, k) = basis.shape();
    let kept: Vec<usize> = (0..k).filter(|j| !out.contains(j)).collect();
    let s = Mat::from_fn(n, kept.len(), |row, j| basis[(row, kept[j])]);
    let image = product(h, s.as_ref());
    let mut inner = product(s.transpose(), image.as_ref());
    (0..kept.len()).for_each(|j| inner[(j, j)] += shift);
    let beyond = &image - product(s.as_ref(), product(s.transpose(), image.as_ref()).as_ref());
    let factor = crate::linalg::Cholesky::new(inner, crate::linalg::Par::Seq).unwrap();
    let mut solved = beyond.transpose().to_owned();
    factor.solve_in_place(solved.as_mut());
    // G = H_CS (H_SS + l)^{-1} H_SC on the complement C of S.
    let predicted = product(beyond.as_ref(), solved.as_ref());
    let trace = |m: MatRef<'_, f64>| (0..m.nrows()).map(|i| m[(i, i)]).sum::<f64>();
    let u = basis.subcols(i, 1);
    let form = |m: MatRef<'_, f64>| product(u.transpose(), product(m, u).as_ref())[(0, 0)];
    let known = trace(product(s.transpose(), image.as_ref()).as_ref());
    let left = (n - kept.len()) as f64;
    known + trace(predicted.as_ref()) + left * (form(h) - form(predicted.as_ref()))
}

#[test]
fn xnystrace_is_its_definition() {
    let (n, k) = (14, 5);
    let (h, _) = rotated(&decaying(n), 3);
    let basis = orthonormal(Mat::zeros(n, 0).as_ref(), gaussian(1, n, 0..k));
    let subspace = Subspace { images: product(h.as_ref(), basis.as_ref()), basis };
    for shift in [0.0, 0.01, 1.0] {
        let definition =
            |out: &[usize], i| nystrom_without(h.as_ref(), subspace.basis.as_ref(), out, i, shift);
        let (single, without) = nystrom::over_basis(&subspace, shift).unwrap();
        for i in 0..k {
            approx::assert_relative_eq!(single[i], definition(&[i], i), max_relative = 1e-10);
        }
        for j in 0..k {
            let others = (0..k).filter(|&i| i != j);
            let mean = others.map(|i| definition(&[i, j], i)).sum::<f64>() / (k - 1) as f64;
            approx::assert_relative_eq!(without[j], mean, max_relative = 1e-10);
        }
        // The mean over all bases, by many of them.
        let average = nystrom::over_sphere(&subspace, shift).unwrap();
        let mut stream = Stream::new(5, "bases", 0, 0, Role::Probe);
        let samples: Vec<f64> = (0..4000)
            .map(|_| {
                let turn = thin_qr(stream.gaussian_matrix(k, k).as_ref()).0;
                let turned = Subspace {
                    basis: product(subspace.basis.as_ref(), turn.as_ref()),
                    images: product(subspace.images.as_ref(), turn.as_ref()),
                };
                let (single, _) = nystrom::over_basis(&turned, shift).unwrap();
                single.iter().sum::<f64>() / k as f64
            })
            .collect();
        let mean = Mean::of(&samples);
        assert!((average - mean.value).abs() < 4.0 * mean.std_err + 1e-12, "{average} {mean:?}");
    }
}

/// `t_i` and the estimates without a probe, from the definition.
#[test]
fn xtrace_is_its_definition() {
    let (n, k) = (15, 5);
    let (h, operator) = rotated(&indefinite(n), 4);
    let probes = gaussian(2, n, 0..k);
    let images = product(h.as_ref(), probes.as_ref());
    let without = |out: &[usize], i: usize| -> f64 {
        let kept: Vec<usize> = (0..k).filter(|j| !out.contains(j)).collect();
        let range = Mat::from_fn(n, kept.len(), |row, j| images[(row, kept[j])]);
        let q = thin_qr(range.as_ref()).0;
        let w = probes.as_ref().subcols(i, 1);
        let p = w.to_owned() - product(q.as_ref(), product(q.transpose(), w).as_ref());
        let form = |v: MatRef<'_, f64>| product(v.transpose(), product(h.as_ref(), v).as_ref());
        let inside: f64 = (0..kept.len()).map(|j| form(q.as_ref().subcols(j, 1))[(0, 0)]).sum();
        inside + (n - kept.len()) as f64 / p.squared_norm_l2() * form(p.as_ref())[(0, 0)]
    };
    let mean = (0..k).map(|i| without(&[i], i)).sum::<f64>() / k as f64;
    let left_out: Vec<f64> = (0..k)
        .map(|j| {
            let others = (0..k).filter(|&i| i != j);
            others.map(|i| without(&[i, j], i)).sum::<f64>() / (k - 1) as f64
        })
        .collect();
    let jackknife = xtrace::jackknife(&left_out, k) * error_bar::student(k - 1);

    let mut products = Products::new(&operator);
    let range = xtrace::Range::new(products.times(probes.as_ref()).unwrap().as_ref());
    let found = xtrace::estimate(&mut products, probes.as_ref(), &range).unwrap();
    approx::assert_relative_eq!(found.value * products.unit(), mean, max_relative = 1e-11);
    approx::assert_relative_eq!(found.std_err * products.unit(), jackknife, max_relative = 1e-9);
}

/// Beyond the rank nothing is left to chance, and nothing breaks.
#[test]
fn operators_of_low_rank_are_exact() {
    let n = 90;
    for rank in [1, 4, 11] {
        let values: Vec<f64> =
            (0..n).map(|i| if i < rank { 1.0 + i as f64 } else { 0.0 }).collect();
        let trace: f64 = values.iter().sum();
        let (_, h) = rotated(&values, rank as u64);
        for method in [Method::XNysTrace, Method::Auto, Method::XTrace, Method::HutchPlusPlus] {
            for matvecs in [40, 60, 88] {
                for seed in 0..10 {
                    let estimator = Estimator::new(method).matvecs(matvecs).seed(seed);
                    let estimate = estimator.trace(&h).unwrap();
                    let error = (estimate.value / trace - 1.0).abs();
                    assert!(
                        error < 1e-12,
                        "{method} at rank {rank}, {matvecs} products: {error:e}"
                    );
                    assert!(estimate.std_err < 1e-11 * trace, "{estimate:?}");
                }
            }
        }
    }
}

/// The scale of an operator, over most of the range of doubles, is that of the answer.
#[test]
fn scaled_operators_give_scaled_answers() {
    for values in [decaying(40), indefinite(40), edged(40)] {
        let (h, _) = rotated(&values, 6);
        for method in stochastic() {
            let estimator = Estimator::new(method).matvecs(20).seed(3);
            let plain = estimator.trace(&black_box(h.clone())).unwrap();
            for scale in [1e-12, 1e12, 1e-150, 1e150, 1e-290, 1e290] {
                let mut scaled = h.clone();
                scaled *= faer::Scale(scale);
                let estimate = estimator.trace(&black_box(scaled)).unwrap();
                let label = format!("{method} at {scale:e}: {estimate:?}, not {plain:?}");
                let error = (estimate.value / scale - plain.value).abs();
                assert!(error < 1e-12 * plain.value.abs() + 1e-3 * plain.std_err, "{label}");
                assert!((estimate.std_err / scale / plain.std_err - 1.0).abs() < 1e-6, "{label}");
                assert_eq!(estimate.method, plain.method, "{label}");
            }
        }
    }
}

#[test]
fn small_and_empty_operators() {
    let zero = black_box(Mat::zeros(30, 30));
    let one = black_box(Mat::full(1, 1, -7.0));
    for method in Method::ALL {
        for matvecs in [6, 12, 29, 30, 100] {
            let estimate = Estimator::new(method).matvecs(matvecs).trace(&zero).unwrap();
            assert_eq!((estimate.value, estimate.std_err), (0.0, 0.0), "{method}");
            let estimate = Estimator::new(method).matvecs(matvecs).trace(&one).unwrap();
            assert_eq!(estimate.value, -7.0, "{method}");
            assert!(estimate.std_err < 1e-15, "{estimate:?}");
        }
        let error = Estimator::new(method).trace(&black_box(Mat::zeros(0, 0)));
        assert!(matches!(error, Err(Error::Empty { .. })));
    }
    // Every order and every budget.
    for n in 1..9 {
        let (h, _) = rotated(&decaying(n), n as u64);
        let trace: f64 = decaying(n).iter().sum();
        for method in stochastic() {
            let least = method.least();
            // A single product is refused or exact.
            match Estimator::new(method).matvecs(1).trace(&black_box(h.clone())) {
                Ok(estimate) => assert_eq!((n, estimate.std_err), (1, 0.0)),
                Err(error) => assert!(matches!(error, Error::Parameter { .. }), "{error}"),
            }
            for matvecs in least..12 {
                let estimator = Estimator::new(method).matvecs(matvecs).seed(n as u64);
                let estimate = estimator.trace(&black_box(h.clone())).unwrap();
                assert!(estimate.value.is_finite() && estimate.std_err.is_finite(), "{method}");
                if matvecs >= n && !matches!(method, Method::Hutchinson(_)) {
                    approx::assert_relative_eq!(estimate.value, trace, max_relative = 1e-13);
                    assert_eq!((estimate.std_err, estimate.method), (0.0, Method::Exact));
                }
            }
        }
    }
}

#[test]
fn settings_and_products_that_make_no_sense_are_refused() {
    let (h, operator) = rotated(&flat(20), 1);
    let refused = |estimator: Estimator| estimator.trace(&operator).unwrap_err();
    for method in stochastic() {
        let error = refused(Estimator::new(method).matvecs(method.least() - 1));
        assert!(
            matches!(error, Error::Parameter { name: "the number of products", .. }),
            "{error}"
        );
    }
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(Estimator::new(Method::Auto).tolerance(tolerance));
        assert!(matches!(error, Error::Parameter { name: "the tolerance", .. }), "{error}");
    }
    let mut spoilt = h.clone();
    spoilt[(3, 4)] = f64::NAN;
    for method in Method::ALL {
        let error = Estimator::new(method).matvecs(10).trace(&black_box(spoilt.clone()));
        assert!(matches!(error, Err(Error::NotFinite { .. })), "{method}");
    }
    let estimator = Estimator::new(Method::Orthogonal).matvecs(8);
    let other = Gram::Diagonal(vec![1.0; 19]);
    let error = estimator.trace_with_control(&operator, &other).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    let error = estimator.trace_with_control(&operator, &operator).unwrap_err();
    assert!(error.to_string().contains("closed form"), "{error}");
    let error = Estimator::new(Method::XTrace).matvecs(8).diagonal(&operator).unwrap_err();
    assert!(error.to_string().contains("hutch++ or auto"), "{error}");
}

/// What `Auto` decides, on operators that leave no doubt.
#[test]
fn auto_decides_as_it_should() {
    let n = 300;
    let made = |values: &[f64]| {
        let estimator = Estimator::new(Method::Auto).matvecs(48).seed(1);
        estimator.trace(&rotated(values, 2).1).unwrap().method
    };
    assert_eq!(made(&decaying(n)), Method::XNysTrace);
    let spiked: Vec<f64> = (0..n)
        .map(|i| {
            if i >= 6 {
                0.01
            } else if i % 2 == 0 {
                100.0
            } else {
                -90.0
            }
        })
        .collect();
    assert_eq!(made(&spiked), Method::XTrace);
    let uneven: Vec<f64> = (0..n).map(|i| (i * i) as f64).collect();
    let diagonal = Mat::from_fn(n, n, |i, j| if i == j { uneven[i] } else { 0.0 });
    let estimate =
        Estimator::new(Method::Auto).matvecs(48).trace(&black_box(diagonal.clone())).unwrap();
    assert_eq!(estimate.method, Method::Hutchinson(Probes::Rademacher));
    approx::assert_relative_eq!(estimate.value, uneven.iter().sum::<f64>(), max_relative = 1e-13);
    // A closed form costs nothing.
    let estimate = Estimator::new(Method::Auto).trace(&Gram::Dense(diagonal)).unwrap();
    assert_eq!((estimate.method, estimate.matvecs), (Method::Exact, 0));
}

#[test]
fn runs_to_a_tolerance_end_within_it() {
    let n = 250;
    for (case, values) in [decaying(n), flat(n), edged(n), indefinite(n)].iter().enumerate() {
        let trace: f64 = values.iter().sum();
        let (_, h) = rotated(values, 20 + case as u64);
        for method in [Method::Auto, Method::Orthogonal, Method::XNysTrace, Method::XTrace] {
            for tolerance in [3e-2, 1e-2] {
                let seeds = 20;
                let within = (0..seeds).filter(|&seed| {
                    let estimator = Estimator::new(method).tolerance(tolerance).seed(seed);
                    let run = estimator.trace(&h).unwrap();
                    let close = (run.value / trace - 1.0).abs() <= tolerance;
                    // XTrace pays for its rounds anew, and may come to the limit.
                    assert!(run.converged || method == Method::XTrace, "{run:?}");
                    assert!(run.matvecs <= n, "{run:?}");
                    close || !run.converged
                });
                assert!(within.count() >= 19, "{method} to {tolerance:e}, spectrum {case}");
            }
        }
    }
}

/// A run of `Auto` to a tolerance that is out of reach ends exact, at the order.
#[test]
fn runs_end_exact_at_the_order() {
    for n in [33, 50, 100] {
        let entry = |i: usize, j: usize| match i == j {
            true => 1.0 + (i * i) as f64,
            false => (7.0 * i as f64 + 7.0 * j as f64).sin(),
        };
        let h = Mat::from_fn(n, n, entry);
        let trace: f64 = (0..n).map(|i| h[(i, i)]).sum();
        for method in [Method::Auto, Method::Orthogonal, Method::XNysTrace] {
            let estimator = Estimator::new(method).tolerance(1e-12);
            for estimator in [estimator, estimator.matvecs(1000)] {
                let run = estimator.trace(&black_box(h.clone())).unwrap();
                assert!(run.converged && run.matvecs == n, "{run:?}");
                approx::assert_relative_eq!(run.value, trace, max_relative = 1e-13);
            }
        }
    }
}

/// Signs of a coupled pair that agree in all of few probes do not pass for certainty.
#[test]
fn equal_forms_of_few_signs_keep_a_bar() {
    let pair = black_box(Mat::from_fn(2, 2, |i, j| if i == j { 8.0 } else { 14.0 }));
    let signs = Method::Hutchinson(Probes::Rademacher);
    for matvecs in [2, 4, 6] {
        let estimator = Estimator::new(signs).matvecs(matvecs);
        let covered = (0..400)
            .map(|seed| estimator.seed(seed).trace(&pair).unwrap())
            .inspect(|run| assert!(run.std_err > 0.0, "{run:?}"))
            .filter(|run| (run.value - 16.0).abs() <= 2.0 * run.std_err);
        assert!(covered.count() >= 360, "{matvecs} products");
    }
}

/// Few probes see little of an operator of rank one, and know it.
#[test]
fn one_direction_is_found_by_six_probes() {
    let n = 200;
    let u = Stream::new(3, "direction", 0, 0, Role::Truth).gaussian_vector(n);
    let h = black_box(Mat::from_fn(n, n, |i, j| u[i] * u[j]));
    let trace: f64 = u.iter().map(|u| u * u).sum();
    for seed in 0..200 {
        let found = Estimator::new(Method::XNysTrace).matvecs(6).seed(seed).trace(&h).unwrap();
        assert!((found.value / trace - 1.0).abs() < 1e-9, "seed {seed}: {found:?}");
    }
}

/// Rounds build on one another: the last gives what one run of that size gives.
#[test]
fn rounds_lose_nothing() {
    let (_, h) = rotated(&flat(400), 8);
    for method in [Method::Hutchinson(Probes::Sphere), Method::Orthogonal, Method::XNysTrace] {
        let run = Estimator::new(method).tolerance(4e-3).seed(2).trace(&h).unwrap();
        assert!(run.converged && run.matvecs > 32, "{run:?}");
        let once = Estimator::new(method).matvecs(run.matvecs).seed(2).trace(&h).unwrap();
        approx::assert_relative_eq!(run.value, once.value, max_relative = 1e-12);
        approx::assert_relative_eq!(run.std_err, once.std_err, max_relative = 1e-6);
    }
}

#[test]
fn diagonals() {
    let n = 80;
    for (case, values) in [decaying(n), flat(n), indefinite(n)].iter().enumerate() {
        let (h, operator) = rotated(values, 30 + case as u64);
        let exact = Estimator::new(Method::Exact).diagonal(&operator).unwrap();
        (0..n).for_each(|i| assert!((exact.values[i] - h[(i, i)]).abs() < 1e-14));
        for method in [Method::Hutchinson(Probes::Rademacher), Method::HutchPlusPlus, Method::Auto]
        {
            let (mut covered, mut total) = (0, 0);
            for seed in 0..20 {
                let estimator = Estimator::new(method).matvecs(36).seed(seed);
                let found = estimator.diagonal(&operator).unwrap();
                assert!(found.matvecs <= 36);
                covered += (0..n)
                    .filter(|&i| (found.values[i] - h[(i, i)]).abs() <= 2.0 * found.std_err[i])
                    .count();
                total += n;
            }
            let share = covered as f64 / total as f64;
            assert!(share > 0.92, "{method}, spectrum {case}: covered {share}");
        }
    }
    let decided = Estimator::new(Method::Auto).matvecs(36);
    let method = |values: &[f64]| decided.diagonal(&rotated(values, 1).1).unwrap().method;
    assert_eq!(method(&decaying(n)), Method::HutchPlusPlus);
    assert_eq!(method(&flat(n)), Method::Hutchinson(Probes::Rademacher));
}
