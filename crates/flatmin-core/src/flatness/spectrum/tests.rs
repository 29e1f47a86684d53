//! The bounds on the ends of a spectrum, against dense eigenvalues.

pub(super) mod operators;

use super::*;
use crate::flatness::FromFn;
use crate::linalg::{norm, product};
use crate::{Gram, Mat, MatMut, MatRef};
use operators::{sensing_hessian, spectra, with_values};

/// `|A v - theta v|`, by a product.
fn residual(a: &Mat<f64>, found: &Extreme) -> f64 {
    let v = MatRef::from_column_major_slice(&found.vector, a.nrows(), 1);
    let image = product(a.as_ref(), v);
    let difference: Vec<f64> =
        (0..a.nrows()).map(|i| image[(i, 0)] - found.value * v[(i, 0)]).collect();
    norm(&difference)
}

/// Every bound, stopped after any number of products, on spectra of every kind.
#[test]
fn bounds_hold_after_any_number_of_products() {
    let (mut gaps, mut sharpest, mut outer) = (0, 0.0_f64, [0; 2]);
    let runs = 20 * 8 * 8;
    for seed in 0..20 {
        for (name, values) in spectra(60, seed) {
            let (a, values) = with_values(&values, seed);
            let h = Gram::Dense(a.clone());
            let (least, largest) = (values[0], values[59]);
            let slack = 1e-13 * largest.abs().max(least.abs());
            for limit in [1, 2, 3, 5, 8, 13, 21, 34] {
                let lanczos = Lanczos::default().seed(seed).tolerance(0.0).limit(limit);
                let found = lanczos.largest(&h).unwrap();
                assert!(found.products <= limit && !found.met);
                assert!(found.value <= largest + slack, "{name}");
                let nearest =
                    values.iter().map(|v| (v - found.value).abs()).fold(f64::INFINITY, f64::min);
                assert!(
                    nearest <= found.residual + slack,
                    "{name}: {nearest:e} > {:e}",
                    found.residual
                );
                let actual = residual(&a, &found);
                assert!(actual <= found.residual + slack, "{name}: {actual:e}");
                assert!(actual >= 0.99 * found.residual - slack, "{name}: residual not sharp");
                // The gap bound under its hypothesis, on the distinct eigenvalues.
                if let Some(GapBound { bound, threshold }) = found.gap
                    && values.iter().all(|v| *v < threshold || *v > largest - slack)
                {
                    gaps += 1;
                    assert!(largest - found.value <= bound + slack, "{name}, {limit}");
                    if bound > 1e-10 {
                        sharpest = sharpest.max((largest - found.value) / bound);
                    }
                }
                for (count, failure) in outer.iter_mut().zip([0.2, 0.02]) {
                    let bound = found.outer_bound(failure);
                    assert!(bound >= found.value);
                    *count += usize::from(bound < largest - slack);
                }
                let smallest = lanczos.smallest(&h).unwrap();
                assert!(
                    smallest.value >= least - slack
                        && residual(&a, &smallest) <= smallest.residual + slack
                );
                assert!(smallest.outer_bound(1e-9) <= least + slack);
            }
        }
    }
    assert!(gaps > 100, "the hypothesis of the gap bound held {gaps} times only");
    assert!(sharpest > 0.8, "the gap bound is never nearly attained: {sharpest}");
    let shares = outer.map(|count| count as f64 / runs as f64);
    assert!(shares[0] <= 0.2 && shares[1] <= 0.02, "outer bounds failed for {shares:?}");
}

/// The probability of failure is at most the one asked for, over seeds, on each kind of spectrum, and
/// the stop by it is honest.
#[test]
fn stopping_by_probability_is_honest_on_any_spectrum() {
    let trials = 200;
    for (name, values) in spectra(100, 3) {
        let mut h = values.clone();
        h.sort_by(f64::total_cmp);
        let (largest, size) = (h[99], h[99].abs().max(h[0].abs()));
        let operator = Gram::Diagonal(values);
        for tolerance in [1e-1, 1e-2, 1e-3] {
            let settings =
                Lanczos::default().tolerance(tolerance).stopping(Stopping::Probability(0.05));
            let dishonest = (0..trials)
                .map(|seed| settings.clone().seed(seed).largest(&operator).unwrap())
                .filter(|found| found.met && largest - found.value > tolerance * size)
                .count();
            // 5 % of 200, and two standard deviations.
            assert!(dishonest <= 16, "{name}, {tolerance:e}: {dishonest} of {trials}");
        }
    }
}

/// The Hessian of sensing at an interpolating pair, over starting vectors: how many products, and how many
/// stops are honest.
#[test]
fn few_products_and_honest_stops_on_a_sensing_hessian() {
    let (instances, trials) = (3, 40);
    let tolerances = [1e-2, 1e-3, 1e-6];
    for (guessed, most) in [(false, [11.0, 13.0, 19.0]), (true, [7.0, 8.5, 14.5])] {
        let (mut honest, mut products) = ([0; 3], [0; 3]);
        for instance in 0..instances {
            let (a, guess) = sensing_hessian((40, 10, 2000, 8), instance);
            let h = Gram::Dense(a);
            let largest = all(&h).unwrap()[799];
            for (t, tolerance) in tolerances.into_iter().enumerate() {
                for seed in 0..trials {
                    let mut settings = Lanczos::default().tolerance(tolerance).seed(seed);
                    settings.start = guessed.then(|| guess.clone());
                    let found = settings.largest(&h).unwrap();
                    assert!(found.met);
                    honest[t] += usize::from(largest - found.value <= tolerance * largest);
                    products[t] += found.products;
                }
            }
        }
        let runs = (instances * trials) as f64;
        let shares = honest.map(|count| count as f64 / runs);
        let means = products.map(|count| count as f64 / runs);
        assert!(shares.iter().all(|share| *share >= 0.95), "honest stops: {shares:?}");
        assert!(means.iter().zip(&most).all(|(mean, most)| mean <= most), "products: {means:?}");
    }
}

#[test]
fn degenerate_operators_have_their_ends() {
    let zero = Gram::Diagonal(vec![0.0; 5]);
    let one = Gram::Diagonal(vec![-3.0]);
    let identity = Gram::Diagonal(vec![2.0; 7]);
    for settings in [
        Lanczos::default(),
        Lanczos::default().stopping(Stopping::Residual),
        Lanczos::default().stopping(Stopping::Probability(0.01)),
        Lanczos::default().limit(1),
    ] {
        for (h, value) in [(&zero, 0.0), (&one, -3.0), (&identity, 2.0)] {
            for found in [settings.largest(h), settings.smallest(h), settings.dominant(h)] {
                let found = found.unwrap();
                assert!((found.value - value).abs() < 1e-14 && found.met && found.products == 1);
                assert!(found.residual < 1e-13 && (norm(&found.vector) - 1.0).abs() < 1e-14);
                assert!((found.outer_bound(1e-6) - value).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn the_dominant_end_is_the_norm() {
    for seed in 0..20 {
        for (name, values) in spectra(50, seed) {
            let (a, values) = with_values(&values, seed);
            let size = values[0].abs().max(values[49].abs());
            let found = Lanczos::default().seed(seed).dominant(&Gram::Dense(a)).unwrap();
            let error = (found.value.abs() - size).abs();
            let resolved = !["clustered", "pair"].contains(&name);
            assert!(found.met && (!resolved || error <= 2e-6 * size), "{name}: {error:e}");
        }
    }
    let both = Gram::Diagonal(vec![1.0, -1.0, 0.5, -0.25]);
    assert!((Lanczos::default().dominant(&both).unwrap().value.abs() - 1.0).abs() < 1e-12);
}

/// Powers of two change no bit; others and the ends of the range change no digit that matters.
#[test]
fn the_scale_of_the_operator_does_not_matter() {
    let (a, values) = with_values(&spectra(60, 1)[1].1, 1);
    let size = values[59].max(-values[0]);
    let plain = Lanczos::default().largest(&Gram::Dense(a.clone())).unwrap();
    for power in [-500, -40, 40, 500] {
        let scale = 2f64.powi(power);
        let found = Lanczos::default().largest(&Gram::Dense(a.clone()).scaled(scale)).unwrap();
        assert_eq!((found.value / scale, found.products), (plain.value, plain.products));
        assert_eq!(found.vector, plain.vector);
    }
    for scale in [1e-300, 1e-150, 1e-12, 1e12, 1e150, 1e300] {
        for sign in [1.0, -1.0] {
            let h = Gram::Dense(a.clone()).scaled(sign * scale);
            let found = Lanczos::default().dominant(&h).unwrap();
            assert!(found.met && (found.value.abs() / scale - size).abs() < 1e-6 * size);
            let bounds =
                [found.residual, found.error, found.outer_bound(0.01), found.gap.unwrap().bound];
            assert!(bounds.iter().all(|b| b.is_finite()), "{bounds:?} at {scale:e}");
        }
    }
}

#[test]
fn a_tolerance_out_of_reach_is_said_so() {
    let (a, values) = with_values(&spectra(80, 2)[0].1, 2);
    let h = Gram::Dense(a);
    for tolerance in [0.0, 1e-30] {
        let found = Lanczos::default().tolerance(tolerance).largest(&h).unwrap();
        assert!(!found.met && found.products <= 80);
        assert!((found.value - values[79]).abs() < 1e-13);
    }
    let found = Lanczos::default().limit(4).largest(&h).unwrap();
    assert!(!found.met && found.products == 4 && found.error > 1e-6);
}

#[test]
fn same_seed_same_bits_and_another_seed_other_ones() {
    let h = Gram::Dense(with_values(&spectra(60, 1)[0].1, 1).0);
    let of = |seed| Lanczos::default().seed(seed).largest(&h).unwrap();
    let (first, again, other) = (of(1), of(1), of(2));
    assert_eq!((first.value.to_bits(), &first.vector), (again.value.to_bits(), &again.vector));
    assert_ne!(first.vector, other.vector);
}

/// A guess helps when it is good; when it is an eigenvector of another eigenvalue, nothing is missed.
#[test]
fn a_guess_excludes_nothing() {
    let values: Vec<f64> = (0..100).map(|i| 1.0 / (1.0 + i as f64)).collect();
    let h = Gram::Diagonal(values);
    let unit = |k: usize| (0..100).map(|i| if i == k { 1.0 } else { 0.0 }).collect::<Vec<_>>();
    for seed in 0..50 {
        for k in [0, 1, 50] {
            let found = Lanczos::default().seed(seed).start(unit(k)).largest(&h).unwrap();
            assert!(found.met && (found.value - 1.0).abs() < 1e-6, "guess {k}: {}", found.value);
        }
    }
}

#[test]
fn bad_settings_and_products_are_refused() {
    let h = Gram::Diagonal(vec![1.0, 2.0]);
    let bad = [
        Lanczos::default().tolerance(f64::NAN),
        Lanczos::default().tolerance(-1.0),
        Lanczos::default().limit(0),
        Lanczos::default().stopping(Stopping::Probability(0.0)),
        Lanczos::default().stopping(Stopping::Probability(f64::NAN)),
        Lanczos::default().start(vec![1.0]),
        Lanczos::default().start(vec![0.0; 2]),
        Lanczos::default().start(vec![f64::INFINITY, 0.0]),
    ];
    assert!(bad.iter().all(|settings| settings.largest(&h).is_err()));
    assert!(Lanczos::default().largest(&Gram::Diagonal(vec![])).is_err());
    let broken = FromFn::new(3, |_: MatRef<'_, f64>, mut out: MatMut<'_, f64>| out.fill(f64::NAN));
    assert!(Lanczos::default().largest(&broken).is_err());
    assert!(BlockLanczos::new(2).leading(&broken).is_err());
    assert!(Quadrature::default().density(&broken).is_err());
    assert!(Conditioning::default().condition(&broken).is_err());
    assert!(all(&broken).is_err());
}

#[test]
fn all_eigenvalues_hold_at_any_scale() {
    for scale in [1e-300, 1e-150, 1.0, 1e150, 1e300] {
        let (dense, values) = with_values(&[-2.0, -0.5, 0.0, 1.0, 1.0, 3.0], 4);
        let found = all(&Gram::Dense(dense).scaled(scale)).unwrap();
        let error =
            found.iter().zip(&values).map(|(f, v)| (f / scale - v).abs()).fold(0.0, f64::max);
        assert!(error < 1e-14, "off by {error:e} at {scale:e}");
    }
    assert!(matches!(all(&Gram::Diagonal(vec![])), Err(Error::Empty { .. })));
}
