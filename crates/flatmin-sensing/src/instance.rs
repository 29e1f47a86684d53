//! Planted problems: a low-rank matrix, and Gaussian measurements of it.

use crate::Sensing;
use flatmin_core::rng::Stream;
use flatmin_core::{DenseMap, Error, Mat, planted};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: Sensing,
    /// The matrix that was measured.
    pub truth: Mat<f64>,
}

impl Planted {
    /// `m` measurements of a random matrix of unit Frobenius norm, with independent standard normal
    /// entries, drawn one matrix after the other and row by row.
    ///
    /// ```
    /// use flatmin_sensing::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut measurements) = (stream(Role::Truth), stream(Role::Measurements));
    /// let planted = Planted::gaussian(8, 10, 1, 68, &mut truth, &mut measurements)?;
    /// let flat = planted.problem.flat().solve()?;
    /// assert!((flat.matrix() - &planted.truth).norm_l2() < 1e-6);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a size or `m` is zero, or the rank is zero or above `min(rows, cols)`.
    pub fn gaussian(
        rows: usize,
        cols: usize,
        rank: usize,
        m: usize,
        truth: &mut Stream,
        measurements: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::low_rank(rows, cols, rank, truth)?;
        let map = DenseMap::new(rows, cols, measurements.gaussian_vector(rows * cols * m))?;
        Planted::measured(truth, map)
    }

    /// Measurements of a given matrix by a given map.
    ///
    /// # Errors
    /// When the matrix does not fit the map, or its measurements are not finite.
    pub fn measured(truth: Mat<f64>, map: DenseMap) -> Result<Planted, Error> {
        let targets = planted::targets(&truth, &map)?;
        let problem = Sensing::new(map, targets)?;
        Ok(Planted { problem, truth })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::rng::Role;

    fn planted(rows: usize, cols: usize, rank: usize, m: usize) -> Result<Planted, Error> {
        let stream = |role| Stream::new(2, "instance", 0, 0, role);
        let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
        Planted::gaussian(rows, cols, rank, m, &mut t, &mut a)
    }

    #[test]
    fn names_the_parameter_at_fault() {
        assert!(matches!(planted(3, 4, 0, 5), Err(Error::Parameter { .. })));
        assert!(matches!(planted(3, 4, 4, 5), Err(Error::Parameter { .. })));
        assert!(matches!(planted(0, 4, 1, 5), Err(Error::Shape { .. })));
        assert!(matches!(planted(3, 4, 1, 0), Err(Error::Empty { .. })));
        let map = DenseMap::new(1, 2, vec![1.0, 1.0]).unwrap();
        let misfit = Planted::measured(Mat::zeros(2, 1), map);
        assert!(matches!(misfit, Err(Error::Shape { .. })));
    }

    #[test]
    fn the_planted_matrix_fits() {
        let planted = planted(5, 3, 2, 7).unwrap();
        assert_eq!(planted.problem.targets().len(), 7);
        let loss = planted.problem.loss().unwrap();
        let identity = Mat::from_fn(3, 3, |i, j| if i == j { 1.0 } else { 0.0 });
        let value = loss.value(planted.truth.as_ref(), identity.as_ref()).unwrap();
        assert!(value < 1e-28, "{value:e}");
    }
}
