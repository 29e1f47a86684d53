//! Planted problems: a teacher network, and its outputs at Gaussian inputs.

use crate::QuadNet;
use flatmin_core::rng::Stream;
use flatmin_core::{Error, Mat, RankOne, planted};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: QuadNet,
    /// The matrix that was measured.
    pub truth: Mat<f64>,
}

impl Planted {
    /// `m` measurements `x_i^T M x_i` of a random symmetric matrix `U1 U1^T - U2 U2^T` of unit
    /// Frobenius norm, by vectors `x_i` with independent standard normal entries.
    ///
    /// ```
    /// use flatmin_quadnet::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut vectors) = (stream(Role::Truth), stream(Role::Measurements));
    /// let planted = Planted::gaussian(8, 1, 1, 60, &mut truth, &mut vectors)?;
    /// let flat = planted.problem.flat().solve()?;
    /// assert!((flat.matrix() - &planted.truth).norm_l2() < 1e-6);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the order or `m` is zero, or the rank is zero or above the order.
    pub fn gaussian(
        order: usize,
        positive: usize,
        negative: usize,
        m: usize,
        truth: &mut Stream,
        vectors: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::symmetric(order, positive, negative, truth)?;
        let vectors = vectors.gaussian_vector(order * m);
        let map = RankOne::symmetric(order, vectors.clone())?;
        let targets = planted::targets(&truth, &map)?;
        let problem = QuadNet::from_arrays(order, vectors, targets)?;
        Ok(Planted { problem, truth })
    }
}
