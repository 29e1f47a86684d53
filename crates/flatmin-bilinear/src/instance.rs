//! Planted problems: a low-rank matrix, and Gaussian bilinear measurements of it.

use crate::Bilinear;
use flatmin_core::rng::Stream;
use flatmin_core::{Error, Mat, RankOne, planted};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: Bilinear,
    /// The matrix that was measured.
    pub truth: Mat<f64>,
}

impl Planted {
    /// `m` measurements `a_i^T M b_i` of a random matrix of unit Frobenius norm, the `a_i` and
    /// `b_i` with independent standard normal entries; all `a_i` are drawn before the first `b_i`.
    ///
    /// ```
    /// use flatmin_bilinear::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut vectors) = (stream(Role::Truth), stream(Role::Measurements));
    /// let planted = Planted::gaussian(8, 10, 1, 80, &mut truth, &mut vectors)?;
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
        vectors: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::low_rank(rows, cols, rank, truth)?;
        let left = vectors.gaussian_vector(rows * m);
        let right = vectors.gaussian_vector(cols * m);
        Planted::measured(truth, RankOne::new(rows, cols, left, right)?)
    }

    /// Measurements of a given matrix by a given map.
    ///
    /// # Errors
    /// When the matrix does not fit the map, or its measurements are not finite.
    pub fn measured(truth: Mat<f64>, map: RankOne) -> Result<Planted, Error> {
        let targets = planted::targets(&truth, &map)?;
        let problem = Bilinear::new(map, targets)?;
        Ok(Planted { problem, truth })
    }
}
