//! What theory predicts for Gaussian measurements.

use flatmin_core::{Error, Gram, MatRef, Rescaling};

pub use flatmin_core::theory::{
    degrees_of_freedom, statistical_dimension, transition_deviation, transition_width,
};

/// `r (d1 + d2)`: a constant times this many Gaussian measurements are proved to suffice for every
/// flat solution to equal the planted matrix. The proof leaves the constant open;
/// [`statistical_dimension`] says where the nuclear norm begins to succeed, and flat solutions are
/// seen to begin at nearly the same place.
///
/// ```
/// assert_eq!(flatmin_sensing::theory::sample_complexity(40, 60, 2), 200);
/// ```
pub fn sample_complexity(rows: usize, cols: usize, rank: usize) -> usize {
    rank.saturating_mul(rows.saturating_add(cols))
}

/// The rescaling of the population, `E D1^2 = I` and `E D2^2 = I`: with ever more Gaussian
/// measurements the flat solution becomes that of least nuclear norm.
///
/// ```
/// let population = flatmin_sensing::theory::expected_rescaling(3, 4);
/// assert_eq!(population.kappa()?, 1.0);
/// # Ok::<(), flatmin_sensing::Error>(())
/// ```
pub fn expected_rescaling(rows: usize, cols: usize) -> Rescaling {
    Rescaling {
        d1_squared: Gram::Diagonal(vec![1.0; rows]),
        d2_squared: Gram::Diagonal(vec![1.0; cols]),
    }
}

/// How far `D1`, `D2` of `m` Gaussian measurements stray from the identity: their eigenvalues lie
/// within `1 ± e`, `e = sqrt(max(d1/d2, d2/d1) / m)`, in expectation.
///
/// `sqrt(m d2) D1` has the singular values of a Gaussian `d1 x m d2` matrix, whose expected
/// extremes are bounded by `sqrt(m d2) ± sqrt(d1)`; and likewise for `D2`. Source: K. Davidson,
/// S. Szarek, *Local operator theory, random matrices and Banach spaces*, 2001, Theorem II.13.
///
/// ```
/// assert_eq!(flatmin_sensing::theory::expected_deviation(40, 40, 400), 0.05);
/// ```
pub fn expected_deviation(rows: usize, cols: usize, m: usize) -> f64 {
    let (d1, d2) = (rows as f64, cols as f64);
    ((d1 / d2).max(d2 / d1) / m as f64).sqrt()
}

/// The regularity constant `kappa = (1 + e) / (1 - e)` that goes with [`expected_deviation`];
/// infinite where `e >= 1`, when there may be directions that no measurement sees.
///
/// ```
/// assert_eq!(flatmin_sensing::theory::expected_kappa(1, 9, 36), 3.0);
/// ```
pub fn expected_kappa(rows: usize, cols: usize, m: usize) -> f64 {
    let e = expected_deviation(rows, cols, m);
    if e < 1.0 { (1.0 + e) / (1.0 - e) } else { f64::INFINITY }
}

/// Traces of the `L` block and of the `R` block of the Hessian of the loss, averaged over Gaussian measurements,
/// at factors `L` (`d1 x k`) and `R` (`d2 x k`): `2 d1 |R|_F^2` and `2 d2 |L|_F^2`, whatever the
/// residual, since `E A_i A_i^T = d2 I` and `E A_i^T A_i = d1 I`.
///
/// ```
/// use flatmin_core::Mat;
/// let (l, r) = (Mat::full(3, 1, 1.0), Mat::full(2, 1, 2.0));
/// let traces = flatmin_sensing::theory::population_traces(l.as_ref(), r.as_ref())?;
/// assert_eq!(traces, (48.0, 12.0));
/// # Ok::<(), flatmin_sensing::Error>(())
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

    /// Measured kappa lies below the bound on the expectation and, for sizes where the extremes
    /// concentrate, not far below it.
    #[test]
    fn kappa_of_gaussian_measurements_is_as_predicted() {
        for (rows, cols, m) in [(30, 30, 40), (40, 20, 60), (15, 45, 100)] {
            let stream = |role| Stream::new(5, "theory", 0, 0, role);
            let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
            let planted = Planted::gaussian(rows, cols, 1, m, &mut t, &mut a).unwrap();
            let kappa = planted.problem.rescaling().unwrap().kappa().unwrap();
            let ratio = (kappa - 1.0) / (expected_kappa(rows, cols, m) - 1.0);
            assert!((0.7..1.1).contains(&ratio), "{rows} x {cols}, {m}: {ratio}");
        }
    }

    #[test]
    fn too_few_measurements_leave_directions_unseen() {
        // One measurement of a 6 x 2 matrix sees two directions of six.
        assert_eq!(expected_kappa(6, 2, 1), f64::INFINITY);
        let stream = |role| Stream::new(5, "theory", 0, 0, role);
        let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
        let planted = Planted::gaussian(6, 2, 1, 1, &mut t, &mut a).unwrap();
        assert_eq!(planted.problem.rescaling().unwrap().kappa().unwrap(), f64::INFINITY);
    }

    #[test]
    fn traces_have_their_means() {
        let mut s = Stream::new(6, "theory", 0, 0, Role::Start);
        for (rows, cols, k, m) in [(4, 4, 1, 3), (3, 6, 2, 5), (5, 1, 3, 4)] {
            let (l, r) = (s.gaussian_matrix(rows, k), s.gaussian_matrix(cols, k));
            let expected = population_traces(l.as_ref(), r.as_ref()).unwrap();
            // At factors that do not fit the targets.
            let drawn = |trial: u64| {
                let stream = |role| Stream::new(6, "theory", 0, trial, role);
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
