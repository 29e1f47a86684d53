//! What theory predicts for Gaussian measurements.

use flatmin_core::{Gram, Rescaling};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Planted;
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
}
