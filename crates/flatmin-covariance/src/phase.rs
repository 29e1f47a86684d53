//! Phase retrieval: the signal whose squares were measured.

use flatmin_core::linalg::{Par, symmetric_eigen};
use flatmin_core::{Domain, Error, Mat, Recovery};

/// A signal `s` with `s s^T` nearest to a recovered matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// `s` (length `d`), up to its sign, which squares `(x_i^T s)^2` do not show: the entry of
    /// largest magnitude, the first of them if several, is positive.
    pub values: Vec<f64>,
    /// The part `|s|^2 / tr X` of the matrix's trace that it carries: 1 for a matrix of rank one,
    /// and for the zero matrix; less says that the data are not the squares of one signal, or not
    /// enough of them.
    pub share: f64,
}

/// The leading eigenvector of the recovered matrix times the square root of its eigenvalue.
///
/// ```
/// use flatmin_covariance::{Covariance, signal};
/// // Squares of the products of s = (-1, 2) with three vectors.
/// let probes = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
/// let flat = Covariance::from_arrays(2, probes, vec![1.0, 4.0, 1.0])?.flat().solve()?;
/// let s = signal(&flat)?;
/// assert!((s.values[0] + 1.0).abs() < 1e-6 && (s.values[1] - 2.0).abs() < 1e-6);
/// assert!(s.share > 1.0 - 1e-6);
/// # Ok::<(), flatmin_covariance::Error>(())
/// ```
///
/// # Errors
/// When the answer was not sought among positive semidefinite matrices.
pub fn signal(answer: &Recovery) -> Result<Signal, Error> {
    if answer.domain != Domain::Semidefinite {
        return Err(Error::Parameter {
            name: "the domain of an answer that a signal is read from",
            rule: "positive semidefinite",
            got: answer.domain.to_string(),
        });
    }
    let x = answer.matrix();
    let (order, scale) = (x.nrows(), x.norm_max());
    if scale == 0.0 {
        return Ok(Signal { values: vec![0.0; order], share: 1.0 });
    }
    let unit = Mat::from_fn(order, order, |i, j| x[(i, j)] / scale);
    let (values, vectors) = symmetric_eigen(unit.as_ref(), Par::Seq)?;
    let leading = values.last().copied().unwrap_or(0.0).max(0.0);
    let trace: f64 = values.iter().map(|v| v.max(0.0)).sum();
    let vector: Vec<f64> = vectors.col(order - 1).iter().copied().collect();
    let largest = vector.iter().fold(0.0, |m: f64, &v| if v.abs() > m.abs() { v } else { m });
    // Two roots, so that the product cannot overflow.
    let size = leading.sqrt() * scale.sqrt() * largest.signum();
    Ok(Signal { values: vector.iter().map(|v| v * size).collect(), share: leading / trace })
}
