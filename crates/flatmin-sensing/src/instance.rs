//! Planted problems.

use crate::Sensing;
use flatmin_core::rng::Stream;
use flatmin_core::{DenseMap, Error, LinearMap, Mat, planted};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: Sensing,
    /// The matrix that was measured.
    pub truth: Mat<f64>,
}

impl Planted {
    /// `m` Gaussian measurements of a random matrix of unit Frobenius norm.
    ///
    /// # Errors
    /// When a size is zero.
    pub fn gaussian(
        rows: usize,
        cols: usize,
        rank: usize,
        m: usize,
        truth: &mut Stream,
        measurements: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::low_rank(rows, cols, rank, truth);
        let map = DenseMap::new(rows, cols, measurements.gaussian_vector(rows * cols * m))?;
        let mut targets = vec![0.0; m];
        map.apply(truth.as_ref(), &mut targets);
        Ok(Planted {
            problem: Sensing::new(map, targets)?,
            truth,
        })
    }
}
