//! What theory predicts for Gaussian inputs.
//!
//! The rescaling is a sample covariance whose weights grow with the inputs themselves,
//!
//! ```text
//! D^2 = (1/m) sum_i (|x_i|^2 / d) x_i x_i^T,      E D^2 = (1 + 2/d) I.
//! ```

use crate::Network;
use flatmin_core::{Gram, Rescaling};

pub use flatmin_core::theory::symmetric_degrees_of_freedom as degrees_of_freedom;

/// `(r1 + r2) d`: a constant times this many Gaussian inputs are proved to suffice for every flat
/// student to be the teacher, which has `r1` positive and `r2` negative units, when `d` exceeds a
/// constant times `log m`. The proof leaves the constants open.
///
/// ```
/// assert_eq!(flatmin_quadnet::theory::sample_complexity(40, 2, 1), 120);
/// ```
pub fn sample_complexity(order: usize, positive: usize, negative: usize) -> usize {
    positive.saturating_add(negative).saturating_mul(order)
}

/// The rescaling of the population, `E D^2 = (1 + 2/d) I`: with ever more Gaussian inputs the flat
/// solution becomes that of least nuclear norm.
///
/// ```
/// let population = flatmin_quadnet::theory::expected_rescaling(4);
/// assert_eq!(population.kappa()?, 1.0);
/// assert_eq!(population.d1_squared.to_dense()[(0, 0)], 1.5);
/// # Ok::<(), flatmin_quadnet::Error>(())
/// ```
pub fn expected_rescaling(order: usize) -> Rescaling {
    let gram = Gram::Diagonal(vec![1.0 + 2.0 / order as f64; order]);
    Rescaling { d1_squared: gram.clone(), d2_squared: gram }
}

/// Root mean square of the distances of the eigenvalues of `D^2` from `1 + 2/d`, relative to that,
/// exactly: by `E |x|^8 = d (d+2) (d+4) (d+6)`,
///
/// ```text
/// E |D^2 - (1 + 2/d) I|_F^2 / (d (1 + 2/d)^2) = ((d+4)(d+6)/(d+2) - 1) / m.
/// ```
///
/// ```
/// assert_eq!(flatmin_quadnet::theory::expected_spread(2, 11), 1.0);
/// ```
pub fn expected_spread(order: usize, m: usize) -> f64 {
    let d = order as f64;
    (((d + 4.0) * (d + 6.0) / (d + 2.0) - 1.0) / m as f64).sqrt()
}

/// How far `D` strays from a multiple of the identity: its eigenvalues lie within about `1 ± e` of
/// their mean, `e^2 = (d+4)(d+6) / ((d+2) m)`.
///
/// `D^2` averages `|x|^4 u u^T / d` over the directions `u` of the inputs, whose lengths are
/// independent of them. As for sample covariances (V. Marchenko, L. Pastur, 1967), the law of its
/// eigenvalues has to first order the half-width `2 e`, with `e^2` the number of coordinates over
/// that of inputs, times the second moment `E |x|^8 / (E |x|^4)^2` of the weights. An approximation
/// for `m` well above `d`, which tests hold against measured values.
///
/// ```
/// assert_eq!(flatmin_quadnet::theory::expected_deviation(2, 48), 0.5);
/// ```
pub fn expected_deviation(order: usize, m: usize) -> f64 {
    let d = order as f64;
    ((d + 4.0) * (d + 6.0) / ((d + 2.0) * m as f64)).sqrt()
}

/// The regularity constant `kappa = (1 + e) / (1 - e)` that goes with [`expected_deviation`];
/// infinite where `e >= 1`, when there may be directions that no input sees.
///
/// ```
/// assert_eq!(flatmin_quadnet::theory::expected_kappa(2, 48), 3.0);
/// ```
pub fn expected_kappa(order: usize, m: usize) -> f64 {
    let e = expected_deviation(order, m);
    if e < 1.0 { (1.0 + e) / (1.0 - e) } else { f64::INFINITY }
}

/// The parts of the trace of the Hessian of the loss that belong to the positive and to the negative units
/// of a student (`U1` of shape `d x k1`, `U2` of shape `d x k2`), averaged over Gaussian inputs, for a
/// teacher `M` of trace `trace`: with `e = |U1|_F^2 - |U2|_F^2 - tr M`,
///
/// ```text
/// (d + 2) (8 |U1|_F^2 + 4 k1 e),      (d + 2) (8 |U2|_F^2 - 4 k2 e).
/// ```
///
/// The terms with `e` vanish where the student is the teacher.
///
/// ```
/// use flatmin_quadnet::{Mat, Network, theory::population_traces};
/// // E x^4 (u^2 - v^2 - 1)^2 at u = 2, v = 1: 3 (12 u^2 - 4 v^2 - 4) and 3 (12 v^2 - 4 u^2 + 4).
/// let student = Network::new(Mat::full(1, 1, 2.0), Mat::full(1, 1, 1.0))?;
/// assert_eq!(population_traces(&student, 1.0), (120.0, 0.0));
/// # Ok::<(), flatmin_quadnet::Error>(())
/// ```
pub fn population_traces(student: &Network, trace: f64) -> (f64, f64) {
    let (d, (k1, k2)) = (student.order() as f64, student.widths());
    let (plus, minus) = (student.u1().squared_norm_l2(), student.u2().squared_norm_l2());
    let e = plus - minus - trace;
    let part = |size: f64, signed: f64| (d + 2.0) * (8.0 * size + 4.0 * signed * e);
    (part(plus, k1 as f64), part(minus, -(k2 as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Planted;
    use flatmin_core::SymmetricLoss;
    use flatmin_core::flatness::check::deviations;
    use flatmin_core::rng::{Role, Stream};

    fn rescaling(order: usize, m: usize, trial: u64) -> Rescaling {
        let stream = |role| Stream::new(5, "quadnet theory", 0, trial, role);
        let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
        let planted = Planted::gaussian(order, 1, 0, m, &mut t, &mut x).unwrap();
        planted.problem.rescaling().unwrap()
    }

    #[test]
    fn the_rescaling_has_its_mean_and_its_spread() {
        const TRIALS: u64 = 1000;
        for (order, m) in [(12, 30), (6, 40), (3, 60)] {
            let (mut mean, mut square) = (0.0, 0.0);
            let (expected, d) = (1.0 + 2.0 / order as f64, order as f64);
            let centre = expected_rescaling(order).d1_squared.to_dense();
            for trial in 0..TRIALS {
                let g = rescaling(order, m, trial).d1_squared.to_dense();
                mean += (0..order).map(|i| g[(i, i)]).sum::<f64>() / d;
                square += (g - &centre).squared_norm_l2() / d;
            }
            let n = TRIALS as f64;
            assert!((mean / n / expected - 1.0).abs() < 0.03, "{order}: mean {}", mean / n);
            let ratio = (square / n).sqrt() / expected / expected_spread(order, m);
            assert!((ratio - 1.0).abs() < 0.1, "{order}: spread off by {ratio}");
        }
    }

    /// Measured kappa, where the sizes are large enough for the extremes to concentrate.
    #[test]
    fn kappa_of_gaussian_inputs_is_as_predicted() {
        for (order, m) in [(30, 400), (60, 1000), (40, 2000)] {
            let kappa = rescaling(order, m, 0).kappa().unwrap();
            let ratio = (kappa - 1.0) / (expected_kappa(order, m) - 1.0);
            assert!((0.75..1.15).contains(&ratio), "{order}, {m}: {ratio}");
        }
    }

    #[test]
    fn degrees_of_freedom_end_at_all_symmetric_matrices() {
        for order in 0..6 {
            assert_eq!(degrees_of_freedom(order, order), order * (order + 1) / 2);
            assert_eq!(degrees_of_freedom(order, order + 3), order * (order + 1) / 2);
            assert_eq!(degrees_of_freedom(order, 0), 0);
        }
    }

    /// At students that do not fit the targets.
    #[test]
    fn traces_have_their_means() {
        let mut s = Stream::new(6, "quadnet theory", 0, 0, Role::Start);
        let truth_stream = || Stream::new(6, "quadnet theory", 0, 0, Role::Truth);
        for (order, k1, k2, m) in [(4, 2, 1, 10), (6, 1, 3, 20), (2, 1, 1, 30)] {
            let (u1, u2) = (s.gaussian_matrix(order, k1), s.gaussian_matrix(order, k2));
            let student = Network::new(u1, u2).unwrap();
            // The same teacher in every draw.
            let draw = |trial: u64| {
                let mut x = Stream::new(6, "quadnet theory", 0, trial, Role::Measurements);
                Planted::gaussian(order, 1, 1, m, &mut truth_stream(), &mut x).unwrap()
            };
            let truth = draw(0).truth;
            let trace = (0..order).map(|i| truth[(i, i)]).sum();
            let expected = population_traces(&student, trace);
            let weights = student.weights();
            let drawn = |trial: u64| {
                let Planted { problem, .. } = draw(trial);
                let loss = SymmetricLoss::new(problem.map(), problem.targets(), k1, k2).unwrap();
                loss.traces(weights.as_ref()).unwrap()
            };
            for off in
                [deviations(expected.0, |t| drawn(t).0), deviations(expected.1, |t| drawn(t).1)]
            {
                assert!(off.abs() < 3.5, "{order}: {off} standard errors");
            }
        }
    }
}
