//! Planted problems.

use crate::Completion;
use flatmin_core::rng::Stream;
use flatmin_core::{Error, Mat, planted};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: Completion,
    /// The matrix whose entries were sampled.
    pub truth: Mat<f64>,
}

impl Planted {
    /// Every entry of a random matrix of unit Frobenius norm is seen with probability `p`.
    ///
    /// # Errors
    /// When a size is zero or nothing was seen.
    pub fn bernoulli(
        rows: usize,
        cols: usize,
        rank: usize,
        p: f64,
        truth: &mut Stream,
        sampling: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::low_rank(rows, cols, rank, truth);
        let seen: Vec<bool> = (0..rows * cols).map(|_| sampling.uniform() < p).collect();
        let problem = Completion::from_seen(truth.as_ref(), |i, j| seen[i * cols + j])?;
        Ok(Planted { problem, truth })
    }
}
