//! Symmetric operators known through their products with blocks of vectors.

use crate::linalg::multiply;
use crate::operator::Gram;
use crate::{Error, Mat, MatMut, MatRef};

/// A symmetric operator `H : R^n -> R^n`, seen through products with blocks of vectors: a Hessian of this
/// project, or one of the caller's own.
///
/// ```
/// use flatmin_core::flatness::{Estimator, Method, SymmetricOperator};
/// use flatmin_core::{MatMut, MatRef};
///
/// /// `v -> v + (1^T v) 1`, of trace `2 n`.
/// struct Shifted(usize);
/// impl SymmetricOperator for Shifted {
///     fn order(&self) -> usize {
///         self.0
///     }
///     fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
///         for j in 0..v.ncols() {
///             let sum: f64 = v.col(j).iter().sum();
///             out.as_mut().col_mut(j).iter_mut().zip(v.col(j).iter()).for_each(|(o, v)| *o = v + sum);
///         }
///     }
/// }
/// let estimate = Estimator::new(Method::Auto).matvecs(30).trace(&Shifted(100))?;
/// assert!((estimate.value - 200.0).abs() <= 2.0 * estimate.std_err);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub trait SymmetricOperator: Send + Sync {
    /// Order `n`.
    fn order(&self) -> usize;

    /// `out = H V` for a block of vectors, one a column (`n x p`, and `out` likewise). What `out` holds
    /// before is not defined. Each column of `out` must depend on its own column of `V` only.
    fn apply(&self, v: MatRef<'_, f64>, out: MatMut<'_, f64>);

    /// The trace, where a closed form gives it for less than the products would cost.
    fn exact_trace(&self) -> Option<f64> {
        None
    }

    /// A vector near the eigenvector of the largest eigenvalue, of length [`SymmetricOperator::order`], where
    /// the structure of the operator gives one: a start for [`Lanczos`](super::spectrum::Lanczos).
    fn leading_direction(&self) -> Option<Vec<f64>> {
        None
    }
}

/// `H V` as a new matrix.
///
/// # Errors
/// When a product is not finite.
pub(crate) fn image(
    operator: &dyn SymmetricOperator,
    v: MatRef<'_, f64>,
) -> Result<Mat<f64>, Error> {
    let mut out = Mat::zeros(v.nrows(), v.ncols());
    operator.apply(v, out.as_mut());
    for column in out.col_iter() {
        if let Some(index) = column.iter().position(|x| !x.is_finite()) {
            let what = "a product with the operator";
            return Err(Error::NotFinite { what, index, value: column[index] });
        }
    }
    Ok(out)
}

/// A symmetric matrix, by its full storage or its diagonal.
///
/// ```
/// use flatmin_core::{Gram, flatness::SymmetricOperator};
/// assert_eq!(Gram::Diagonal(vec![1.0, 2.0]).exact_trace(), Some(3.0));
/// ```
impl SymmetricOperator for Gram {
    fn order(&self) -> usize {
        Gram::order(self)
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        match self {
            Gram::Dense(g) => multiply(out, g.as_ref(), v),
            Gram::Diagonal(g) => {
                for (o, v) in out.as_mut().col_iter_mut().zip(v.col_iter()) {
                    o.iter_mut().zip(v.iter()).zip(g).for_each(|((o, v), g)| *o = g * v);
                }
            }
        }
    }

    fn exact_trace(&self) -> Option<f64> {
        Some(self.trace())
    }
}

/// An operator given by a function that writes `H V` for a block of vectors `V`.
///
/// Symmetry is the caller's promise; [`asymmetry`](super::check::asymmetry) tests it.
pub struct FromFn<F> {
    order: usize,
    product: F,
}

impl<F: Fn(MatRef<'_, f64>, MatMut<'_, f64>) + Send + Sync> FromFn<F> {
    /// The operator of order `order` with this product.
    ///
    /// ```
    /// use flatmin_core::flatness::{FromFn, SymmetricOperator};
    /// use flatmin_core::{Mat, MatMut, MatRef};
    /// let twice = FromFn::new(3, |v: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
    ///     out.copy_from(v);
    ///     out *= 2.0;
    /// });
    /// let mut image = Mat::zeros(3, 1);
    /// twice.apply(Mat::full(3, 1, 1.0).as_ref(), image.as_mut());
    /// assert_eq!(image[(2, 0)], 2.0);
    /// ```
    pub fn new(order: usize, product: F) -> FromFn<F> {
        FromFn { order, product }
    }
}

impl<F: Fn(MatRef<'_, f64>, MatMut<'_, f64>) + Send + Sync> SymmetricOperator for FromFn<F> {
    fn order(&self) -> usize {
        self.order
    }

    fn apply(&self, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        (self.product)(v, out);
    }
}
