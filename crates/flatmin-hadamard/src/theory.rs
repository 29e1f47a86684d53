//! What theory predicts for Gaussian measurements.
//!
//! The weights `|a_j|^2 / m` tend to one, so that at two factors flat solutions are nearly those of least
//! `sum |x_j|`, and recover a vector with `s` nonzeros from about [`transition`] measurements on, an answer
//! that has a closed form. Three factors and more minimise a smooth norm; where `m < d` its gradient, which is
//! in the range of `A^T`, vanishes on no coordinate (almost surely), so that no vector with a zero is ever recovered.
//!
//! Source: D. Amelunxen, M. Lotz, M. McCoy, J. Tropp, *Living on the edge: phase transitions in convex
//! programs with random data*, Information and Inference 3, 2014.

use flatmin_core::theory::{sparse_distance, sparse_statistical_dimension};
use flatmin_core::{Error, MatRef};

/// Number of Gaussian measurements at which two factors recover a vector of length `d` with `s` nonzeros in
/// half of the trials: the statistical dimension of the descent cone of `sum |x_j|`, in the limit of long
/// vectors ([`sparse_statistical_dimension`]).
///
/// ```
/// assert!((flatmin_hadamard::theory::transition(1000, 40) - 173.784).abs() < 1e-3);
/// ```
pub fn transition(d: usize, s: usize) -> f64 {
    sparse_statistical_dimension(d as f64, s as f64)
}

/// Standard deviation of that transition, in measurements: with `Phi` the normal distribution function, the
/// frequency of success at `m` is about `Phi((m - delta) / sigma)`.
///
/// The frequency is, up to one measurement, the distribution function of the cone's intrinsic-volume variable,
/// whose variance is that of the squared length of a Gaussian vector's projection onto the cone, less
/// `2 delta` (M. McCoy, J. Tropp, *From Steiner formulas for cones to concentration of intrinsic volumes*,
/// Discrete and Computational Geometry 51, 2014). That squared length is the squared distance to the multiples
/// of the subdifferential, and at the best multiple `tau` it does not depend on `tau` to first order, so that
///
/// ```text
/// sigma^2 = s (2 + 4 tau^2) + (d - s) [ E (|g| - tau)_+^4 - (E (|g| - tau)_+^2)^2 ] - 2 delta
/// ```
///
/// for long vectors. Derived in this project, and tried against random vectors in its tests.
///
/// ```
/// assert!((flatmin_hadamard::theory::transition_deviation(1000, 40) - 12.062).abs() < 1e-3);
/// ```
pub fn transition_deviation(d: usize, s: usize) -> f64 {
    if s == 0 || s >= d {
        return 0.0;
    }
    let (nonzeros, zeros) = (s as f64, (d - s) as f64);
    // s tau = (d - s) E (|g| - tau)_+.
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let tau = 0.5 * (low + high);
        if nonzeros * tau < zeros * excess(tau, 1) {
            low = tau;
        } else {
            high = tau;
        }
    }
    let tau = 0.5 * (low + high);
    let delta = sparse_distance(d as f64, nonzeros, tau);
    let spread =
        nonzeros * (2.0 + 4.0 * tau * tau) + zeros * (excess(tau, 4) - excess(tau, 2).powi(2));
    (spread - 2.0 * delta).max(0.0).sqrt()
}

/// Measurements from which one trial in ten succeeds to where nine in ten do: `2 Phi^{-1}(0.9)` deviations.
///
/// ```
/// assert!((flatmin_hadamard::theory::transition_width(1000, 40) - 30.916).abs() < 1e-3);
/// ```
pub fn transition_width(d: usize, s: usize) -> f64 {
    2.0 * 1.281_551_565_544_600_4 * transition_deviation(d, s)
}

/// `E (|g| - tau)_+^power` of a standard normal number, by Simpson's rule over ten deviations.
fn excess(tau: f64, power: i32) -> f64 {
    const NODES: usize = 2000;
    let h = 10.0 / NODES as f64;
    let value = |i: usize| {
        let v = i as f64 * h;
        let weight = if i == 0 || i == NODES { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
        weight * v.powi(power) * (-0.5 * (tau + v).powi(2)).exp()
    };
    let sum: f64 = (0..=NODES).map(value).sum();
    (2.0 * std::f64::consts::FRAC_1_PI).sqrt() * sum * h / 3.0
}

/// Deviation `sqrt(2/m)` of the weights `|a_j|^2 / m` of `m` Gaussian measurements from their mean, one.
///
/// ```
/// assert_eq!(flatmin_hadamard::theory::weight_deviation(200), 0.1);
/// ```
pub fn weight_deviation(m: usize) -> f64 {
    (2.0 / m as f64).sqrt()
}

/// Trace of the Hessian of the loss at factors `v_1, ..., v_k` (the columns of a `d x k` matrix), averaged over
/// Gaussian measurements: `2 sum_i |P_i|^2` with `P_i` the product of all factors but one, whatever the
/// residual, since `E |a_j|^2 = m`.
///
/// ```
/// use flatmin_hadamard::{Mat, theory::population_trace};
/// // Factors (1, 1), (1, 2): products (1, 2) and (1, 1).
/// let v = Mat::from_fn(2, 2, |j, i| if (j, i) == (1, 1) { 2.0 } else { 1.0 });
/// assert_eq!(population_trace(v.as_ref())?, 14.0);
/// # Ok::<(), flatmin_hadamard::Error>(())
/// ```
///
/// # Errors
/// When there is no factor, or it has no entry.
pub fn population_trace(factors: MatRef<'_, f64>) -> Result<f64, Error> {
    let (d, k) = factors.shape();
    if d == 0 || k == 0 {
        return Err(Error::Empty { what: "the factors" });
    }
    let but = |j: usize, i: usize| -> f64 {
        (0..k).filter(|&l| l != i).map(|l| factors[(j, l)]).product()
    };
    let energy = |j: usize| (0..k).map(|i| but(j, i).powi(2)).sum::<f64>();
    Ok(2.0 * (0..d).map(energy).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Planted;
    use flatmin_core::flatness::check::deviations;
    use flatmin_core::loss::Traced;
    use flatmin_core::rng::{Role, Stream};

    /// Squared distances of random vectors to the multiples of the subdifferential, each at its own best
    /// multiple: their mean and their variance less twice the mean.
    #[test]
    fn mean_and_deviation_are_those_of_random_projections() {
        for (d, s) in [(200usize, 10usize), (200, 60), (400, 5)] {
            let mut stream = Stream::new(9, "hadamard theory", d as u64, s as u64, Role::Probe);
            let trials = 4000;
            let squares: Vec<f64> = (0..trials)
                .map(|_| {
                    let g = stream.gaussian_vector(d);
                    let slope = |t: f64| {
                        let on: f64 = g[..s].iter().map(|g| t - g).sum();
                        let off: f64 = g[s..].iter().map(|g| (g.abs() - t).max(0.0)).sum();
                        on - off
                    };
                    let (mut low, mut high) = (0.0, 10.0);
                    for _ in 0..40 {
                        let t = 0.5 * (low + high);
                        if slope(t) < 0.0 { low = t } else { high = t }
                    }
                    let on: f64 = g[..s].iter().map(|g| (g - low).powi(2)).sum();
                    on + g[s..].iter().map(|g| (g.abs() - low).max(0.0).powi(2)).sum::<f64>()
                })
                .collect();
            let mean = squares.iter().sum::<f64>() / trials as f64;
            let variance =
                squares.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (trials - 1) as f64;
            // The limit is at most 2 sqrt(d/s) too large.
            let off = transition(d, s) - mean;
            assert!(off > -1.0 && off < 2.0 * (d as f64 / s as f64).sqrt(), "{d}, {s}: {off}");
            let sigma = (variance - 2.0 * mean).sqrt();
            let ratio = sigma / transition_deviation(d, s);
            assert!((ratio - 1.0).abs() < 0.12, "{d}, {s}: {ratio}");
        }
        assert_eq!((transition_deviation(5, 0), transition_deviation(5, 5)), (0.0, 0.0));
    }

    #[test]
    fn weights_and_traces_have_their_means() {
        let (m, d, k) = (50, 400, 3);
        let mut s = Stream::new(6, "hadamard theory", 0, 0, Role::Start);
        let v = s.gaussian_matrix(d, k);
        let flat: Vec<f64> = v.col_iter().flat_map(|c| c.iter().copied()).collect();
        let drawn = |trial: u64| {
            let stream = |role| Stream::new(6, "hadamard theory", 0, trial, role);
            let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
            Planted::gaussian(m, d, 2, &mut t, &mut a).unwrap().problem
        };
        let weights = drawn(0).weights();
        let variance = weights.iter().map(|w| (w - 1.0).powi(2)).sum::<f64>() / d as f64;
        assert!((variance.sqrt() / weight_deviation(m) - 1.0).abs() < 0.15, "{variance}");
        let expected = population_trace(v.as_ref()).unwrap();
        let off = deviations(expected, |trial| {
            let problem = drawn(trial);
            let loss = problem.loss(k).unwrap();
            loss.trace_and_gradient(&flat, &mut vec![0.0; d * k]).unwrap()
        });
        assert!(off.abs() < 3.5, "{off} standard errors");
        assert!(matches!(population_trace(v.as_ref().subcols(0, 0)), Err(Error::Empty { .. })));
    }
}
