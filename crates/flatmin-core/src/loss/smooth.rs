//! Losses as functions of one vector: what descends on a loss, or measures its curvature, asks for.

use super::{FactoredLoss, SymmetricLoss};
use crate::flatness::{Differences, SymmetricOperator};
use crate::linalg::kernel::dot;
use crate::{Error, MatMut, MatRef};

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
fn check_length(what: &'static str, order: usize, x: &[f64]) -> Result<(), Error> {
    if x.len() == order {
        return Ok(());
    }
    Err(Error::Shape {
        what,
        expected: format!("length {order}"),
        got: format!("length {}", x.len()),
    })
}

/// [`FactoredLoss`] for factors of one width `k`, as a function of `(vec L, vec R)`, column-major; made by
/// [`FactoredLoss::of_width`].
#[derive(Clone, Copy)]
pub struct OfWidth<'a> {
    loss: FactoredLoss<'a>,
    width: usize,
}

impl<'a> FactoredLoss<'a> {
    /// The loss as a function of one vector `(vec L, vec R)`, for factors of `k` columns.
    ///
    /// ```
    /// use flatmin_core::{DenseMap, FactoredLoss, loss::Loss};
    /// // (l r - 1)^2 at l = 2, r = 3.
    /// let map = DenseMap::new(1, 1, vec![1.0])?;
    /// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
    /// let mut gradient = [0.0; 2];
    /// assert_eq!(loss.value_and_gradient(&[2.0, 3.0], &mut gradient)?, 25.0);
    /// assert_eq!(gradient, [30.0, 20.0]);
    /// assert_eq!(loss.hessian(&[2.0, 3.0])?.exact_trace(), Some(26.0));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `k` is zero.
    pub fn of_width(self, k: usize) -> Result<OfWidth<'a>, Error> {
        if k == 0 {
            let (name, rule) = ("the width of the factors", "at least 1");
            return Err(Error::Parameter { name, rule, got: k.to_string() });
        }
        Ok(OfWidth { loss: self, width: k })
    }
}

impl OfWidth<'_> {
    /// The factors in a vector.
    fn factors<'x>(&self, x: &'x [f64]) -> (MatRef<'x, f64>, MatRef<'x, f64>) {
        let (dims, k) = (self.loss.map.dims(), self.width);
        let (l, r) = x.split_at(k * dims.rows);
        (
            MatRef::from_column_major_slice(l, dims.rows, k),
            MatRef::from_column_major_slice(r, dims.cols, k),
        )
    }
}

impl Loss for OfWidth<'_> {
    fn order(&self) -> usize {
        let dims = self.loss.map.dims();
        self.width * (dims.rows + dims.cols)
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        let (l, r) = self.factors(x);
        self.loss.value(l, r)
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_length("the gradient", self.order(), gradient)?;
        let (dims, k, m) = (self.loss.map.dims(), self.width, self.loss.targets.len());
        let (l, r) = self.factors(x);
        let (left, right) = gradient.split_at_mut(k * dims.rows);
        let left = MatMut::from_column_major_slice_mut(left, dims.rows, k);
        let right = MatMut::from_column_major_slice_mut(right, dims.cols, k);
        let (ones, mut residual) = (vec![1.0; k], vec![0.0; m]);
        let targets = self.loss.targets;
        self.loss.map.residual_and_gradient((l, &ones, r), targets, &mut residual, left, right);
        gradient.iter_mut().for_each(|g| *g *= 2.0 / m as f64);
        Ok(dot(&residual, &residual) / m as f64)
    }

    fn hessian<'a>(&'a self, x: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        check_point(self.order(), x)?;
        let (l, r) = self.factors(x);
        Ok(Box::new(self.loss.hessian(l, r)?))
    }
}

/// As a function of `vec U`, column-major.
///
/// ```
/// use flatmin_core::{RankOne, SymmetricLoss, loss::Loss};
/// let map = RankOne::symmetric(1, vec![2.0])?;
/// let loss = SymmetricLoss::new(&map, &[30.0], 1, 0)?;
/// assert_eq!(Loss::value(&loss, &[3.0])?, 36.0);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
impl Loss for SymmetricLoss<'_> {
    fn order(&self) -> usize {
        self.map().dims().rows * self.width()
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        SymmetricLoss::value(self, self.factor(x))
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_length("the gradient", self.order(), gradient)?;
        let (d, k) = (self.map().dims().rows, self.width());
        let out = MatMut::from_column_major_slice_mut(gradient, d, k);
        Ok(self.value_and_gradient_into(self.factor(x), out))
    }

    fn hessian<'a>(&'a self, x: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        check_point(self.order(), x)?;
        Ok(Box::new(SymmetricLoss::hessian(self, self.factor(x))?))
    }
}

impl SymmetricLoss<'_> {
    /// The factor in a vector.
    fn factor<'x>(&self, x: &'x [f64]) -> MatRef<'x, f64> {
        MatRef::from_column_major_slice(x, self.map().dims().rows, self.width())
    }
}
