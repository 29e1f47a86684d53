//! The spectrum of a symmetric operator: its ends, its leading eigenpairs, its density, its condition.
//!
//! | Measure | What is proved |
//! |---|---|
//! | [`Lanczos`]: largest, smallest, dominant | a residual bound; an outer bound, with a chosen probability |
//! | [`BlockLanczos`]: leading eigenpairs | residual bounds; multiplicities up to the block |
//! | [`Quadrature`]: density, `tr f(A)` | standard errors over probes |
//! | [`Conditioning`]: condition number on the range | exact, or a lower bound that says so |
//! | [`all`] eigenvalues | exact to rounding |
//!
//! References: B. N. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998 (Lanczos, residual and
//! Kato-Temple bounds); K. Wu, H. Simon, *Thick-restart Lanczos method for large symmetric eigenvalue
//! problems*, SIAM J. Matrix Anal. Appl. 22, 2000.

mod block;
mod condition;
mod density;
mod krylov;
mod lanczos;
#[cfg(test)]
mod tests;

pub use block::{BlockLanczos, Eigenpairs};
pub use condition::{Condition, Conditioning};
pub use density::{Density, Integral, Quadrature};
pub use lanczos::{Extreme, GapBound, Lanczos, Stopping};

use super::SymmetricOperator;
use super::operator::image;
use crate::linalg::symmetric_eigenvalues;
use crate::{Error, Mat};

/// Columns of a block of basis vectors: products gain little from wider ones.
const WIDTH: usize = 64;

/// All `n` eigenvalues, nondecreasing: `n` products in blocks, `O(n^3)` operations and `n^2` numbers. For
/// operators of a few thousand.
///
/// ```
/// use flatmin_core::{Gram, flatness::spectrum};
/// assert_eq!(spectrum::all(&Gram::Diagonal(vec![3.0, 1.0, 2.0]))?, [1.0, 2.0, 3.0]);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the order is zero or a product is not finite.
pub fn all(operator: &dyn SymmetricOperator) -> Result<Vec<f64>, Error> {
    let n = order(operator)?;
    let mut dense = Mat::<f64>::zeros(n, n);
    for start in (0..n).step_by(WIDTH) {
        let width = WIDTH.min(n - start);
        let units = Mat::from_fn(n, width, |i, j| if i == start + j { 1.0 } else { 0.0 });
        dense.subcols_mut(start, width).copy_from(image(operator, units.as_ref())?);
    }
    // At unit scale, so that no square leaves double precision.
    let scale = unit(dense.norm_max());
    let symmetric =
        Mat::from_fn(n, n, |i, j| 0.5 * (dense[(i, j)] / scale + dense[(j, i)] / scale));
    let values = symmetric_eigenvalues(symmetric.as_ref())?;
    Ok(values.into_iter().map(|value| value * scale).collect())
}

/// The order, at least 1.
fn order(operator: &dyn SymmetricOperator) -> Result<usize, Error> {
    match operator.order() {
        0 => Err(Error::Empty { what: "the space of the operator" }),
        n => Ok(n),
    }
}

/// The power of two at or below a magnitude, so that dividing by it rounds nothing; 1 for zero.
fn unit(magnitude: f64) -> f64 {
    if magnitude > 0.0 { magnitude.log2().floor().clamp(-1021.0, 1022.0).exp2() } else { 1.0 }
}

/// A tolerance must be a number at least 0.
pub(super) fn check_tolerance(tolerance: f64) -> Result<(), Error> {
    if tolerance >= 0.0 {
        return Ok(());
    }
    Err(Error::Parameter { name: "tolerance", rule: "at least 0", got: tolerance.to_string() })
}
