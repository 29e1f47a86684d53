//! Losses as functions of one vector: what descends on a loss, or measures its curvature, asks for.

use crate::flatness::{Differences, SymmetricOperator};
use crate::{Error, Mat};

/// A twice differentiable function `f : R^n -> R`: a loss of this project, with its factors as one
/// vector, or one of the caller's own.
///
/// ```
/// use flatmin_core::{Error, Mat};
/// use flatmin_core::loss::Loss;
///
/// /// `sum_i cosh x_i`, with the Hessian by differences of the gradient.
/// struct Cosh(usize);
/// impl Loss for Cosh {
///     fn order(&self) -> usize {
///         self.0
///     }
///     fn value(&self, x: &[f64]) -> Result<f64, Error> {
///         Ok(x.iter().map(|x| x.cosh()).sum())
///     }
///     fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
///         gradient.iter_mut().zip(x).for_each(|(g, x)| *g = x.sinh());
///         self.value(x)
///     }
/// }
/// let mut image = Mat::zeros(2, 1);
/// Cosh(2).hessian(&[0.0, 1.0])?.apply(Mat::full(2, 1, 1.0).as_ref(), image.as_mut());
/// assert!((image[(1, 0)] - 1f64.cosh()).abs() < 1e-9);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub trait Loss: Send + Sync {
    /// Length `n` of the vector.
    fn order(&self) -> usize;

    /// Value at `x`.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers, or the loss refuses it.
    fn value(&self, x: &[f64]) -> Result<f64, Error>;

    /// Value at `x`, and the gradient there into `gradient`, as long as `x`. What `gradient` holds
    /// before is not defined.
    ///
    /// # Errors
    /// When `x` or `gradient` has not [`Loss::order`] numbers, or the loss refuses the point.
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error>;

    /// The Hessian at `x`; by [`Differences`] of the gradient unless an implementation knows better.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers or holds a NaN or an infinity.
    fn hessian<'a>(&'a self, x: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        check_point(self.order(), x)?;
        let gradient = move |x: &[f64], out: &mut [f64]| {
            // Differences have no way to hand on an error; a product that is not finite is refused.
            if self.value_and_gradient(x, out).is_err() {
                out.fill(f64::NAN);
            }
        };
        Ok(Box::new(Differences::new(x.to_vec(), gradient)?))
    }
}

/// A loss that is a mean of squares, `f(x) = (1/m) |r(x)|^2` with `m` residuals: then single residuals may be
/// drawn, weighted or shifted, which stochastic methods and methods of multipliers do.
///
/// [`check::least_squares`](super::check::least_squares) tries the laws.
pub trait LeastSquares: Loss {
    /// Number `m` of residuals.
    fn measurements(&self) -> usize;

    /// The residuals `r(x)` into `residual`, of length `m`.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers, or `residual` has not `m`.
    fn residual(&self, x: &[f64], residual: &mut [f64]) -> Result<(), Error>;

    /// `out = J(x) v` for the Jacobian `J` of the residuals and a direction `v`, as long as `x`; of length `m`.
    ///
    /// # Errors
    /// When `x` or `v` has not [`Loss::order`] numbers, or `out` has not `m`.
    fn push_forward(&self, x: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), Error>;

    /// `out = J(x)^T y` for the Jacobian `J` of the residuals and `y` of length `m`; the gradient of the loss
    /// is `(2/m) J^T r`.
    ///
    /// # Errors
    /// When `x` or `out` has not [`Loss::order`] numbers, or `y` has not `m`.
    fn pull_back(&self, x: &[f64], y: &[f64], out: &mut [f64]) -> Result<(), Error>;
}

/// A loss of which the trace that flatness is measured by is known, with its gradient: what can be descended
/// on directly.
///
/// [`check::traced`](super::check::traced) tries the laws.
pub trait Traced: Loss {
    /// Weights `s_i` of the coordinates in the trace `sum_i s_i D2f(x)[e_i]`, of length [`Loss::order`]: ones
    /// for the trace itself. For the scaled trace a block counts for one over its number of rows.
    fn weights(&self) -> Vec<f64> {
        vec![1.0; self.order()]
    }

    /// That trace at `x`, and its gradient there into `gradient`.
    ///
    /// # Errors
    /// When `x` or `gradient` has not [`Loss::order`] numbers, or the loss refuses the point.
    fn trace_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error>;
}

/// A loss of a matrix in factors: what can be said of the matrix, and of how its factors share it.
pub trait Factorised: Loss {
    /// The matrix `X` of the factors in `x`.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers.
    fn matrix(&self, x: &[f64]) -> Result<Mat<f64>, Error>;

    /// `|L^T L - R^T R|_*`, the nuclear norm of the difference of the Grams of neighbouring factors.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers, or holds a NaN or an infinity.
    fn imbalance(&self, x: &[f64]) -> Result<f64, Error>;

    /// Multiplies each block of a gradient by the inverse of the Gram of the factor that it is multiplied by, damped:
    /// `D_L f (R^T R + damping |R|_op^2 I)^{-1}`, and likewise for the others.
    ///
    /// # Errors
    /// When `x` or `gradient` has not [`Loss::order`] numbers, or `damping` is not positive.
    fn scale_gradient(&self, x: &[f64], damping: f64, gradient: &mut [f64]) -> Result<(), Error>;
}

/// Refuses a point that is not of the length that a loss takes.
///
/// # Errors
/// When it is not.
///
/// ```
/// assert!(flatmin_core::loss::check_point(3, &[1.0, 2.0]).is_err());
/// ```
pub fn check_point(order: usize, x: &[f64]) -> Result<(), Error> {
    check_length("the point", order, x)
}

/// Refuses a point or a gradient that is not of the length that a loss takes.
pub(crate) fn check_length(what: &'static str, order: usize, x: &[f64]) -> Result<(), Error> {
    if x.len() == order {
        return Ok(());
    }
    Err(Error::Shape {
        what,
        expected: format!("length {order}"),
        got: format!("length {}", x.len()),
    })
}
