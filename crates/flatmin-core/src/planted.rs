//! Planted matrices for experiments and tests.

use crate::Mat;
use crate::linalg::product;
use crate::rng::Stream;

/// A random `rows x cols` matrix of the given rank with unit Frobenius norm: the product of two
/// Gaussian factors, normalised, as in the paper's experiments.
///
/// ```
/// use flatmin_core::rng::{Role, Stream};
/// let mut stream = Stream::new(0, "docs", 0, 0, Role::Truth);
/// let m = flatmin_core::planted::low_rank(5, 4, 2, &mut stream);
/// assert!((m.norm_l2() - 1.0).abs() < 1e-14);
/// ```
pub fn low_rank(rows: usize, cols: usize, rank: usize, stream: &mut Stream) -> Mat<f64> {
    let (u, v) = (
        stream.gaussian_matrix(rows, rank),
        stream.gaussian_matrix(cols, rank),
    );
    let mut m = product(u.as_ref(), v.transpose());
    let norm = m.norm_l2();
    if norm > 0.0 {
        m.col_iter_mut()
            .for_each(|c| c.iter_mut().for_each(|v| *v /= norm));
    }
    m
}
