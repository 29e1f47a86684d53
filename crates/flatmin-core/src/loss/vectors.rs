//! The losses of factor pairs and of symmetric factors as functions of one vector.

use super::smooth::check_length;
use super::{FactoredLoss, Factorised, LeastSquares, Loss, SymmetricLoss, Traced, check_point};
use crate::flatness::{Rescaling, SymmetricOperator};
use crate::linalg::{
    Cholesky, Par, accumulate, inner,
    kernel::{axpy, dot},
    product, scale_columns, symmetric_eigenvalues,
};
use crate::operator::Gram;
use crate::{Error, Mat, MatMut, MatRef};
use std::sync::OnceLock;

/// Numbers of a vector at most.
const MOST: usize = isize::MAX as usize / 8;

/// [`FactoredLoss`] for factors of one width `k`, as a function of `(vec L, vec R)`, column-major; made by
/// [`FactoredLoss::of_width`].
#[derive(Clone)]
pub struct OfWidth<'a> {
    loss: FactoredLoss<'a>,
    width: usize,
    /// `D1`, `D2` once they were asked for.
    rescaling: OnceLock<Rescaling>,
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
    /// When `k` is zero, or too large for any memory.
    pub fn of_width(self, k: usize) -> Result<OfWidth<'a>, Error> {
        if k == 0 {
            let (name, rule) = ("the width of the factors", "at least 1");
            return Err(Error::Parameter { name, rule, got: k.to_string() });
        }
        let dims = self.map.dims();
        if dims.rows.saturating_add(dims.cols).checked_mul(k).is_none_or(|n| n > MOST) {
            let (name, rule) = ("the width of the factors", "so that their numbers can be counted");
            return Err(Error::Parameter { name, rule, got: k.to_string() });
        }
        Ok(OfWidth { loss: self, width: k, rescaling: OnceLock::new() })
    }
}

impl OfWidth<'_> {
    /// Columns `k` of the factors.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The factors `L` (`d1 x k`) and `R` (`d2 x k`) in a vector.
    ///
    /// # Errors
    /// When `x` has not `k (d1 + d2)` numbers.
    pub fn pair<'x>(&self, x: &'x [f64]) -> Result<(MatRef<'x, f64>, MatRef<'x, f64>), Error> {
        check_point(self.order(), x)?;
        Ok(self.factors(x))
    }

    fn factors<'x>(&self, x: &'x [f64]) -> (MatRef<'x, f64>, MatRef<'x, f64>) {
        let (dims, k) = (self.loss.map.dims(), self.width);
        let (l, r) = x.split_at(k * dims.rows);
        (
            MatRef::from_column_major_slice(l, dims.rows, k),
            MatRef::from_column_major_slice(r, dims.cols, k),
        )
    }

    /// The blocks of a gradient.
    fn blocks<'x>(&self, x: &'x mut [f64]) -> (MatMut<'x, f64>, MatMut<'x, f64>) {
        let (dims, k) = (self.loss.map.dims(), self.width);
        let (l, r) = x.split_at_mut(k * dims.rows);
        (
            MatMut::from_column_major_slice_mut(l, dims.rows, k),
            MatMut::from_column_major_slice_mut(r, dims.cols, k),
        )
    }

    fn rescaling(&self) -> Result<&Rescaling, Error> {
        if let Some(rescaling) = self.rescaling.get() {
            return Ok(rescaling);
        }
        let rescaling = Rescaling::new(self.loss.map)?;
        Ok(self.rescaling.get_or_init(|| rescaling))
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
        let (k, m) = (self.width, self.loss.targets.len());
        let (l, r) = self.factors(x);
        let (left, right) = self.blocks(gradient);
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

impl LeastSquares for OfWidth<'_> {
    fn measurements(&self) -> usize {
        self.loss.targets.len()
    }

    fn residual(&self, x: &[f64], residual: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the residuals", self.measurements(), residual)?;
        let (l, r) = self.factors(x);
        self.loss.map.apply_factored(l, r, residual);
        residual.iter_mut().zip(self.loss.targets).for_each(|(r, b)| *r -= b);
        Ok(())
    }

    /// `A(U R^T + L V^T)`.
    fn push_forward(&self, x: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the direction", self.order(), v)?;
        check_length("the image of the direction", self.measurements(), out)?;
        let ((l, r), (u, v)) = (self.factors(x), self.factors(v));
        let mut second = vec![0.0; out.len()];
        self.loss.map.apply_factored(u, r, out);
        self.loss.map.apply_factored(l, v, &mut second);
        axpy(1.0, &second, out);
        Ok(())
    }

    fn pull_back(&self, x: &[f64], y: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the weights of the residuals", self.measurements(), y)?;
        check_length("the gradient", self.order(), out)?;
        let (l, r) = self.factors(x);
        let (left, right) = self.blocks(out);
        self.loss.map.adjoint_times(y, r, left);
        self.loss.map.adjoint_transpose_times(y, l, right);
        Ok(())
    }
}

/// The scaled trace `2 |D1 L|_F^2 + 2 |D2 R|_F^2`, with the gradient `(4 D1^2 L, 4 D2^2 R)`.
impl Traced for OfWidth<'_> {
    fn weights(&self) -> Vec<f64> {
        let (dims, k) = (self.loss.map.dims(), self.width);
        let block = |rows: usize| vec![1.0 / rows as f64; rows * k];
        [block(dims.rows), block(dims.cols)].concat()
    }

    fn trace_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_length("the gradient", self.order(), gradient)?;
        let rescaling = self.rescaling()?;
        let (l, r) = self.factors(x);
        let (mut left, mut right) = self.blocks(gradient);
        left.copy_from(rescaling.d1_squared.times(l) * faer::Scale(4.0));
        right.copy_from(rescaling.d2_squared.times(r) * faer::Scale(4.0));
        // A quadratic form is half of the product with its gradient.
        Ok(dot(x, gradient) / 2.0)
    }
}

impl Factorised for OfWidth<'_> {
    fn matrix(&self, x: &[f64]) -> Result<Mat<f64>, Error> {
        let (l, r) = self.pair(x)?;
        Ok(product(l, r.transpose()))
    }

    fn imbalance(&self, x: &[f64]) -> Result<f64, Error> {
        let (l, r) = self.pair(x)?;
        nuclear_norm((product(l.transpose(), l) - product(r.transpose(), r)).as_ref())
    }

    fn scale_gradient(&self, x: &[f64], damping: f64, gradient: &mut [f64]) -> Result<(), Error> {
        check_length("the gradient", self.order(), gradient)?;
        let (l, r) = self.pair(x)?;
        let (left, right) = self.blocks(gradient);
        solve_damped(r, damping, left)?;
        solve_damped(l, damping, right)
    }
}

/// As the pair `(U, U diag(s))`: its imbalance is `4 |U1^T U2|_*` for the columns `U1` of sign `+1` and `U2` of sign
/// `-1`, and both blocks have one Gram.
impl Factorised for SymmetricLoss<'_> {
    fn matrix(&self, x: &[f64]) -> Result<Mat<f64>, Error> {
        check_point(self.order(), x)?;
        let u = self.factor(x);
        Ok(product(scale_columns(u, self.signs()).as_ref(), u.transpose()))
    }

    fn imbalance(&self, x: &[f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        let u = self.factor(x);
        let signed = scale_columns(u, self.signs());
        let (plain, signed) =
            (product(u.transpose(), u), product(signed.transpose(), signed.as_ref()));
        nuclear_norm((plain - signed).as_ref())
    }

    fn scale_gradient(&self, x: &[f64], damping: f64, gradient: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the gradient", self.order(), gradient)?;
        solve_damped(self.factor(x), damping, self.block(gradient))
    }
}

/// Nuclear norm of a symmetric matrix.
fn nuclear_norm(a: MatRef<'_, f64>) -> Result<f64, Error> {
    Ok(symmetric_eigenvalues(a)?.iter().map(|v| v.abs()).sum())
}

/// `B <- B (F^T F + damping |F|_op^2 I)^{-1}`; unchanged where `F` is zero.
fn solve_damped(f: MatRef<'_, f64>, damping: f64, mut block: MatMut<'_, f64>) -> Result<(), Error> {
    if !(damping > 0.0 && damping.is_finite()) {
        let (name, rule) = ("the damping", "a positive number");
        return Err(Error::Parameter { name, rule, got: damping.to_string() });
    }
    let mut gram = product(f.transpose(), f);
    let largest = symmetric_eigenvalues(gram.as_ref())?.iter().fold(0.0, |a: f64, &v| a.max(v));
    if largest == 0.0 {
        return Ok(());
    }
    (0..gram.nrows()).for_each(|i| gram[(i, i)] += damping.max(f64::EPSILON) * largest);
    let factor =
        Cholesky::new(gram, Par::Seq).ok_or(Error::Factorisation { what: "a Cholesky" })?;
    factor.solve_in_place(block.as_mut().transpose_mut());
    Ok(())
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
        Ok(self.value_and_gradient_into(self.factor(x), self.block(gradient)))
    }

    fn hessian<'a>(&'a self, x: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        check_point(self.order(), x)?;
        Ok(Box::new(SymmetricLoss::hessian(self, self.factor(x))?))
    }
}

impl LeastSquares for SymmetricLoss<'_> {
    fn measurements(&self) -> usize {
        self.targets().len()
    }

    fn residual(&self, x: &[f64], residual: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the residuals", self.measurements(), residual)?;
        let u = self.factor(x);
        self.map().apply_factored(scale_columns(u, self.signs()).as_ref(), u, residual);
        residual.iter_mut().zip(self.targets()).for_each(|(r, b)| *r -= b);
        Ok(())
    }

    /// `2 A(U diag(s) V^T)`.
    fn push_forward(&self, x: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the direction", self.order(), v)?;
        check_length("the image of the direction", self.measurements(), out)?;
        let signed = scale_columns(self.factor(x), self.signs()) * faer::Scale(2.0);
        self.map().apply_factored(signed.as_ref(), self.factor(v), out);
        Ok(())
    }

    /// `2 A*(y) U diag(s)`.
    fn pull_back(&self, x: &[f64], y: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), x)?;
        check_length("the weights of the residuals", self.measurements(), y)?;
        check_length("the gradient", self.order(), out)?;
        let signed = scale_columns(self.factor(x), self.signs()) * faer::Scale(2.0);
        let mut image = self.block(out);
        self.map().adjoint_times(y, signed.as_ref(), image.as_mut());
        Ok(())
    }
}

/// The trace over `d`: with `G = sum_i A_i^2` and `t_i = tr A_i`,
/// `tr = (8/m) <G, U U^T> + (4/m) (sum_j s_j) <r, t>`, whose gradient is
/// `(16/m) G U + (8/m) (sum_j s_j) A*(t) U diag(s)`.
impl Traced for SymmetricLoss<'_> {
    fn weights(&self) -> Vec<f64> {
        vec![1.0 / self.map().dims().rows as f64; self.order()]
    }

    fn trace_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_length("the gradient", self.order(), gradient)?;
        let (d, m) = (self.map().dims().rows as f64, self.measurements() as f64);
        let Curvature { d_squared, traces, energy } = self.curvature()?;
        let u = self.factor(x);
        let image = d_squared.times(u);
        let mut trace = 8.0 * inner(image.as_ref(), u);
        let mut out = self.block(gradient);
        out.copy_from(image * faer::Scale(16.0));
        let balance: f64 = self.signs().iter().sum();
        if balance != 0.0 {
            let mut residual = vec![0.0; self.measurements()];
            self.residual(x, &mut residual)?;
            let share = 4.0 * balance / (m * d);
            trace += share * dot(&residual, traces);
            let signed = scale_columns(u, self.signs()) * faer::Scale(2.0 * share);
            accumulate(out, energy.as_ref(), signed.as_ref());
        }
        Ok(trace)
    }
}

/// What the trace of a loss of symmetric factors is made of.
#[derive(Debug, Clone)]
pub(super) struct Curvature {
    /// `D^2 = G / (m d)`.
    d_squared: Gram,
    /// `t`.
    traces: Vec<f64>,
    /// `A*(t)`.
    energy: Mat<f64>,
}

impl SymmetricLoss<'_> {
    /// The factor in a vector.
    fn factor<'x>(&self, x: &'x [f64]) -> MatRef<'x, f64> {
        MatRef::from_column_major_slice(x, self.map().dims().rows, self.width())
    }

    /// The same for a gradient.
    fn block<'x>(&self, x: &'x mut [f64]) -> MatMut<'x, f64> {
        MatMut::from_column_major_slice_mut(x, self.map().dims().rows, self.width())
    }

    fn curvature(&self) -> Result<&Curvature, Error> {
        if let Some(curvature) = self.curvature.get() {
            return Ok(curvature);
        }
        let (map, d) = (self.map(), self.map().dims().rows);
        let Rescaling { d1_squared: d_squared, .. } = Rescaling::new(map)?;
        let mut traces = vec![0.0; self.measurements()];
        map.apply(Mat::identity(d, d).as_ref(), &mut traces);
        let energy = map.adjoint_matrix(&traces);
        Ok(self.curvature.get_or_init(|| Curvature { d_squared, traces, energy }))
    }
}
