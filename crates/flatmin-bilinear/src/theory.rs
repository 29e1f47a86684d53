//! What theory predicts for Gaussian vectors.
//!
//! With `w_i = |b_i|^2 / d2` the rescaling is a weighted sample covariance,
//!
//! ```text
//! D1^2 = (1/m) sum_i w_i a_i a_i^T,      E w_i = 1,   E w_i^2 = 1 + 2/d2,
//! ```
//!
//! of `m` vectors of length `d1`, where dense measurements average over `m d2` of them: `D1` and
//! `D2` stray further from the identity, by a factor of about `sqrt(min(d1, d2))`, and flat and
//! least-norm factors differ more. `D2` is the same with the sides exchanged.

use flatmin_core::{Error, Gram, MatRef, Rescaling};

pub use flatmin_core::theory::{degrees_of_freedom, statistical_dimension};

/// `r (d1 + d2)`: a constant times this many pairs of Gaussian vectors are proved to suffice for
/// every flat solution to equal the planted matrix, when `min(d1, d2)` exceeds a constant times
/// `log m`. The proof leaves the constants open.
///
/// [`statistical_dimension`] says where the nuclear norm begins to succeed for *dense* Gaussian
/// measurements; nothing of the kind is proved for pairs of vectors.
///
/// ```
/// assert_eq!(flatmin_bilinear::theory::sample_complexity(40, 60, 2), 200);
/// ```
pub fn sample_complexity(rows: usize, cols: usize, rank: usize) -> usize {
    rank.saturating_mul(rows.saturating_add(cols))
}

/// The rescaling of the population, `E D1^2 = I` and `E D2^2 = I`.
///
/// ```
/// let population = flatmin_bilinear::theory::expected_rescaling(3, 4);
/// assert_eq!(population.kappa()?, 1.0);
/// # Ok::<(), flatmin_bilinear::Error>(())
/// ```
pub fn expected_rescaling(rows: usize, cols: usize) -> Rescaling {
    Rescaling {
        d1_squared: Gram::Diagonal(vec![1.0; rows]),
        d2_squared: Gram::Diagonal(vec![1.0; cols]),
    }
}

/// Root mean square `s1`, `s2` of the distances of the eigenvalues of `D1^2` and `D2^2` from one,
/// exactly:
///
/// ```text
/// s1^2 = E |D1^2 - I|_F^2 / d1 = ((d1 + 2)(1 + 2/d2) - 1) / m,
/// ```
///
/// since `E |w a a^T|_F^2 = E w^2 E |a|^4 = (1 + 2/d2) d1 (d1 + 2)`, and `s2` likewise.
///
/// ```
/// assert_eq!(flatmin_bilinear::theory::expected_spread(2, 2, 7), (1.0, 1.0));
/// ```
pub fn expected_spread(rows: usize, cols: usize, m: usize) -> (f64, f64) {
    let side = |d: f64, other: f64| (((d + 2.0) * (1.0 + 2.0 / other) - 1.0) / m as f64).sqrt();
    let (d1, d2) = (rows as f64, cols as f64);
    (side(d1, d2), side(d2, d1))
}

/// How far `D1`, `D2` of `m` pairs of Gaussian vectors stray from the identity: their eigenvalues
/// lie within about `1 ± e`, `e = sqrt(max(d1 (1 + 2/d2), d2 (1 + 2/d1)) / m)`.
///
/// For weights all one the eigenvalues of `D1` fill the interval `1 ± sqrt(d1/m)` (V. Marchenko,
/// L. Pastur, 1967). Weights of mean one widen the law of `D1^2` to first order by the root of
/// their second moment, here `1 + 2/d2`. An approximation for `m` well above `d1` and `d2`, which
/// tests hold against measured values.
///
/// ```
/// assert_eq!(flatmin_bilinear::theory::expected_deviation(8, 8, 1000), 0.1);
/// ```
pub fn expected_deviation(rows: usize, cols: usize, m: usize) -> f64 {
    let (d1, d2) = (rows as f64, cols as f64);
    ((d1 * (1.0 + 2.0 / d2)).max(d2 * (1.0 + 2.0 / d1)) / m as f64).sqrt()
}

/// The regularity constant `kappa = (1 + e) / (1 - e)` that goes with [`expected_deviation`];
/// infinite where `e >= 1`, when there may be directions that no measurement sees.
///
/// ```
/// assert_eq!(flatmin_bilinear::theory::expected_kappa(8, 8, 40), 3.0);
/// ```
pub fn expected_kappa(rows: usize, cols: usize, m: usize) -> f64 {
    let e = expected_deviation(rows, cols, m);
    if e < 1.0 { (1.0 + e) / (1.0 - e) } else { f64::INFINITY }
}

/// Traces of the `L` block and of the `R` block of the Hessian of the loss, averaged over Gaussian vectors,
/// at factors `L` (`d1 x k`) and `R` (`d2 x k`): `2 d1 |R|_F^2` and `2 d2 |L|_F^2`, whatever the
/// residual, since `E A_i A_i^T = d2 I` and `E A_i^T A_i = d1 I`.
///
/// ```
/// use flatmin_core::Mat;
/// let (l, r) = (Mat::full(3, 1, 1.0), Mat::full(2, 1, 2.0));
/// let traces = flatmin_bilinear::theory::population_traces(l.as_ref(), r.as_ref())?;
/// assert_eq!(traces, (48.0, 12.0));
/// # Ok::<(), flatmin_bilinear::Error>(())
/// ```
///
/// # Errors
/// When the factors have different numbers of columns.
pub fn population_traces(l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<(f64, f64), Error> {
    expected_rescaling(l.nrows(), r.nrows()).traces(l, r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Planted;
    use flatmin_core::flatness::PairOperator;
    use flatmin_core::flatness::check::deviations;
    use flatmin_core::rng::{Role, Stream};

    fn rescaling(rows: usize, cols: usize, m: usize, trial: u64) -> Rescaling {
        let stream = |role| Stream::new(5, "bilinear theory", 0, trial, role);
        let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
        let planted = Planted::gaussian(rows, cols, 1, m, &mut t, &mut a).unwrap();
        planted.problem.rescaling().unwrap()
    }

    /// Mean and spread of `D1^2` and `D2^2` over many draws, against their closed forms.
    #[test]
    fn the_rescaling_has_its_mean_and_its_spread() {
        const TRIALS: u64 = 400;
        for (rows, cols, m) in [(6, 6, 20), (3, 9, 15), (10, 2, 30)] {
            let (mut traces, mut squares) = ((0.0, 0.0), (0.0, 0.0));
            for trial in 0..TRIALS {
                let drawn = rescaling(rows, cols, m, trial);
                let moments = |gram: &Gram| {
                    let g = gram.to_dense();
                    let d = g.nrows() as f64;
                    let trace = (0..g.nrows()).map(|i| g[(i, i)]).sum::<f64>() / d;
                    let identity = flatmin_core::Mat::<f64>::identity(g.nrows(), g.nrows());
                    (trace, (g - identity).squared_norm_l2() / d)
                };
                let (left, right) = (moments(&drawn.d1_squared), moments(&drawn.d2_squared));
                traces = (traces.0 + left.0, traces.1 + right.0);
                squares = (squares.0 + left.1, squares.1 + right.1);
            }
            let n = TRIALS as f64;
            let spread = expected_spread(rows, cols, m);
            for (trace, square, spread) in
                [(traces.0, squares.0, spread.0), (traces.1, squares.1, spread.1)]
            {
                assert!((trace / n - 1.0).abs() < 0.03, "{rows} x {cols}: mean {}", trace / n);
                let ratio = (square / n).sqrt() / spread;
                assert!((ratio - 1.0).abs() < 0.06, "{rows} x {cols}: spread off by {ratio}");
            }
        }
    }

    /// Measured kappa, where the sizes are large enough for the extremes to concentrate.
    #[test]
    fn kappa_of_gaussian_vectors_is_as_predicted() {
        for (rows, cols, m) in [(30, 30, 400), (40, 20, 600), (15, 45, 500), (60, 60, 3000)] {
            let kappa = rescaling(rows, cols, m, 0).kappa().unwrap();
            let ratio = (kappa - 1.0) / (expected_kappa(rows, cols, m) - 1.0);
            assert!((0.75..1.15).contains(&ratio), "{rows} x {cols}, {m}: {ratio}");
        }
    }

    #[test]
    fn too_few_measurements_leave_directions_unseen() {
        assert_eq!(expected_kappa(6, 2, 5), f64::INFINITY);
        assert_eq!(rescaling(6, 2, 5, 0).kappa().unwrap(), f64::INFINITY);
    }

    #[test]
    fn traces_have_their_means() {
        let mut s = Stream::new(6, "bilinear theory", 0, 0, Role::Start);
        for (rows, cols, k, m) in [(4, 4, 1, 3), (3, 6, 2, 5), (5, 1, 3, 4)] {
            let (l, r) = (s.gaussian_matrix(rows, k), s.gaussian_matrix(cols, k));
            let expected = population_traces(l.as_ref(), r.as_ref()).unwrap();
            // At factors that do not fit the targets.
            let drawn = |trial: u64| {
                let stream = |role| Stream::new(6, "bilinear theory", 0, trial, role);
                let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
                let planted = Planted::gaussian(rows, cols, 1, m, &mut t, &mut a).unwrap();
                let loss = planted.problem.loss().unwrap();
                loss.hessian(l.as_ref(), r.as_ref()).unwrap().traces()
            };
            for off in
                [deviations(expected.0, |t| drawn(t).0), deviations(expected.1, |t| drawn(t).1)]
            {
                assert!(off.abs() < 3.5, "{rows} x {cols}: {off} standard errors");
            }
        }
        let (l, r) = (s.gaussian_matrix(2, 1), s.gaussian_matrix(2, 2));
        assert!(matches!(population_traces(l.as_ref(), r.as_ref()), Err(Error::Shape { .. })));
    }
}
