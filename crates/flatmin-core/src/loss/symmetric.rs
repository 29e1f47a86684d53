//! The loss of symmetric factors: `f(U) = (1/m) |A(U diag(s) U^T) - b|^2` with signs `s_j = ±1`.
//!
//! For measurements `A_i = x_i x_i^T` this is the squared error of a network with one hidden layer,
//! quadratic activations and output weights `s`. With `r_i` the residuals,
//!
//! ```text
//! D2f(U)[V] = (2/m) sum_i ( 4 <A_i U diag(s), V>^2 + 2 r_i <A_i, V diag(s) V^T> )
//! tr D2f(U) = (8/m) <sum_i A_i^2, U U^T> + (4/m) (sum_j s_j) sum_i r_i tr A_i
//! ```
//!
//! at every `U`; the second term vanishes where the loss does.

use super::{check_targets, hessian::check_factor, vectors::Curvature};
use crate::flatness::SymmetricOperator;
use crate::linalg::{Par, kernel::dot, product, scale_columns, svd};
use crate::operator::{LinearMap, stack, unstack};
use crate::{Error, Mat, MatMut, MatRef};
use std::sync::OnceLock;

/// `f(U) = (1/m) |A(U diag(s) U^T) - b|^2`, with `U` of shape `d x k` and symmetric measurements.
#[derive(Clone)]
pub struct SymmetricLoss<'a> {
    map: &'a dyn LinearMap,
    targets: &'a [f64],
    signs: Vec<f64>,
    /// What its trace is made of, once that was asked for.
    pub(super) curvature: OnceLock<Curvature>,
}

impl<'a> SymmetricLoss<'a> {
    /// The loss of a map with symmetric measurements, its targets `b`, and `k` signs: the first
    /// `positive` columns of `U` count as `+1`, the `negative` others as `-1`.
    ///
    /// ```
    /// use flatmin_core::{RankOne, Mat, loss::SymmetricLoss};
    /// // y = x^T U U^T x at x = 2, U = 3.
    /// let map = RankOne::symmetric(1, vec![2.0])?;
    /// let loss = SymmetricLoss::new(&map, &[30.0], 1, 0)?;
    /// let u = Mat::from_fn(1, 1, |_, _| 3.0);
    /// assert_eq!(loss.value(u.as_ref())?, 36.0);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is not one finite target a measurement, or the map is not square.
    pub fn new(
        map: &'a dyn LinearMap,
        targets: &'a [f64],
        positive: usize,
        negative: usize,
    ) -> Result<SymmetricLoss<'a>, Error> {
        check_targets(map, targets)?;
        let dims = map.dims();
        if dims.rows != dims.cols {
            return Err(Error::Shape {
                what: "a symmetric matrix",
                expected: "as many rows as columns".into(),
                got: format!("{} x {}", dims.rows, dims.cols),
            });
        }
        let signs = [vec![1.0; positive], vec![-1.0; negative]].concat();
        Ok(SymmetricLoss { map, targets, signs, curvature: OnceLock::new() })
    }

    /// The map `A`.
    pub fn map(&self) -> &dyn LinearMap {
        self.map
    }

    /// The targets `b`.
    pub fn targets(&self) -> &[f64] {
        self.targets
    }

    /// The signs `s`, one a column of `U`.
    pub fn signs(&self) -> &[f64] {
        &self.signs
    }

    /// Columns `k` of `U`.
    pub fn width(&self) -> usize {
        self.signs.len()
    }

    /// The residual `A(U diag(s) U^T) - b`.
    fn residual(&self, u: MatRef<'_, f64>) -> Vec<f64> {
        let mut residual = self.form(u, u);
        residual.iter_mut().zip(self.targets).for_each(|(r, b)| *r -= b);
        residual
    }

    /// `<A_i, U diag(s) V^T>`.
    fn form(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>) -> Vec<f64> {
        let mut out = vec![0.0; self.targets.len()];
        self.map.apply_factored(scale_columns(u, &self.signs).as_ref(), v, &mut out);
        out
    }

    /// Refuses a matrix that is not of shape `d x k`.
    fn check_shape(&self, what: &'static str, u: MatRef<'_, f64>) -> Result<(), Error> {
        let (d, k) = (self.map.dims().rows, self.width());
        if u.shape() == (d, k) {
            return Ok(());
        }
        let (expected, got) =
            (format!("shape {d} x {k}"), format!("{} x {}", u.nrows(), u.ncols()));
        Err(Error::Shape { what, expected, got })
    }

    /// Value at `U`.
    ///
    /// # Errors
    /// When `U` is not of shape `d x k`.
    pub fn value(&self, u: MatRef<'_, f64>) -> Result<f64, Error> {
        self.check_shape("the factor", u)?;
        let residual = self.residual(u);
        Ok(dot(&residual, &residual) / self.targets.len() as f64)
    }

    /// Value and gradient at `U`: `(4/m) A*(r) U diag(s)`.
    ///
    /// # Errors
    /// As [`SymmetricLoss::value`].
    pub fn value_and_gradient(&self, u: MatRef<'_, f64>) -> Result<(f64, Mat<f64>), Error> {
        self.check_shape("the factor", u)?;
        let mut gradient = Mat::zeros(u.nrows(), u.ncols());
        let value = self.value_and_gradient_into(u, gradient.as_mut());
        Ok((value, gradient))
    }

    /// The same, with the gradient into an array of the shape of `U`.
    pub(super) fn value_and_gradient_into(
        &self,
        u: MatRef<'_, f64>,
        mut gradient: MatMut<'_, f64>,
    ) -> f64 {
        let m = self.targets.len() as f64;
        let residual = self.residual(u);
        let signed = scale_columns(u, &self.signs);
        self.map.adjoint_times(&residual, signed.as_ref(), gradient.as_mut());
        gradient *= faer::Scale(4.0 / m);
        dot(&residual, &residual) / m
    }

    /// Quadratic form of the Hessian at `U` along `V`.
    ///
    /// # Errors
    /// When `U` or `V` is not of shape `d x k`.
    pub fn hessian_form(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>) -> Result<f64, Error> {
        self.check_shape("the factor", u)?;
        self.check_shape("the direction", v)?;
        let residual = self.residual(u);
        let (along, second) = (self.form(u, v), self.form(v, v));
        let m = self.targets.len() as f64;
        Ok(2.0 / m * (4.0 * dot(&along, &along) + 2.0 * dot(&residual, &second)))
    }

    /// Trace of the Hessian at `U`, exact at every point.
    ///
    /// # Errors
    /// As [`SymmetricLoss::value`].
    pub fn trace(&self, u: MatRef<'_, f64>) -> Result<f64, Error> {
        let (positive, negative) = self.traces(u)?;
        Ok(positive + negative)
    }

    /// The parts of the trace of the Hessian at `U` that belong to the columns of sign `+1` and to those of
    /// sign `-1`, exact at every point:
    /// `(8/m) sum_i |A_i U_s|_F^2 + (4/m) s k_s sum_i r_i tr A_i` for the `k_s` columns `U_s` of sign `s`.
    ///
    /// ```
    /// use flatmin_core::{Mat, RankOne, SymmetricLoss};
    /// // f(u, v) = (u^2 - v^2 - 1)^2 at u = 2, v = 1: second derivatives 12 u^2 - 4 v^2 - 4 and
    /// // 12 v^2 - 4 u^2 + 4.
    /// let map = RankOne::symmetric(1, vec![1.0])?;
    /// let loss = SymmetricLoss::new(&map, &[1.0], 1, 1)?;
    /// let u = Mat::from_fn(1, 2, |_, j| [2.0, 1.0][j]);
    /// assert_eq!(loss.traces(u.as_ref())?, (40.0, 0.0));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`SymmetricLoss::value`].
    pub fn traces(&self, u: MatRef<'_, f64>) -> Result<(f64, f64), Error> {
        self.check_shape("the factor", u)?;
        Ok(self.traces_given(u, trace_of(self.residual_and_back(u).1.as_ref())))
    }

    /// The same, given `tr A*(residual)`.
    fn traces_given(&self, u: MatRef<'_, f64>, back: f64) -> (f64, f64) {
        let m = self.targets.len() as f64;
        let positive = self.signs.iter().filter(|s| **s > 0.0).count();
        let negative = self.width() - positive;
        // The two in one pass, the narrower one padded with zeros.
        let padded = |first: usize, count: usize| {
            let mut out = Mat::zeros(u.nrows(), positive.max(negative));
            out.as_mut().subcols_mut(0, count).copy_from(u.subcols(first, count));
            out
        };
        let (u1, u2) = (padded(0, positive), padded(positive, negative));
        let (by_positive, by_negative) = self.map.energies(u2.as_ref(), u1.as_ref());
        (
            (8.0 * by_positive + 4.0 * positive as f64 * back) / m,
            (8.0 * by_negative - 4.0 * negative as f64 * back) / m,
        )
    }

    /// The residual and its image `A*(residual)`, in one pass.
    fn residual_and_back(&self, u: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
        let x = product(scale_columns(u, &self.signs).as_ref(), u.transpose());
        let (mut residual, mut back) =
            (vec![0.0; self.targets.len()], Mat::zeros(u.nrows(), u.nrows()));
        self.map.residual_and_adjoint(x.as_ref(), self.targets, &mut residual, back.as_mut());
        (residual, back)
    }

    /// The Hessian at `U`, in the coordinates `vec U`, column-major, with the value and the gradient there:
    /// one pass over the measurements.
    ///
    /// ```
    /// use flatmin_core::{Mat, RankOne, SymmetricLoss, flatness::SymmetricOperator};
    /// // f(u, v) = (u^2 - v^2 - 1)^2 at u = 2, v = 1.
    /// let map = RankOne::symmetric(1, vec![1.0])?;
    /// let u = Mat::from_fn(1, 2, |_, j| [2.0, 1.0][j]);
    /// let hessian = SymmetricLoss::new(&map, &[1.0], 1, 1)?.hessian(u.as_ref())?;
    /// let mut columns = Mat::zeros(2, 2);
    /// hessian.apply(Mat::<f64>::identity(2, 2).as_ref(), columns.as_mut());
    /// assert_eq!(columns, Mat::from_fn(2, 2, |i, j| [[40.0, -16.0], [-16.0, 0.0]][i][j]));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `U` is not of shape `d x k`, has no columns, or holds a NaN or an infinity.
    pub fn hessian(&self, u: MatRef<'_, f64>) -> Result<SymmetricHessian<'a>, Error> {
        self.check_shape("the factor", u)?;
        check_factor("the factor", u)?;
        let m = self.targets.len() as f64;
        let (residual, back) = self.residual_and_back(u);
        let signed = scale_columns(u, &self.signs);
        let gradient = product(back.as_ref(), signed.as_ref()) * faer::Scale(4.0 / m);
        let value = dot(&residual, &residual) / m;
        Ok(SymmetricHessian { loss: self.clone(), u: u.to_owned(), signed, back, value, gradient })
    }
}

/// Hessian of the loss of symmetric factors at one point, of order `d k`; made by
/// [`SymmetricLoss::hessian`]. With `w_i = <A_i, U diag(s) V^T>` and `E = A*(residual)`,
///
/// ```text
/// D2f(U) V = (8/m) A*(w) U diag(s) + (4/m) E V diag(s)
/// ```
pub struct SymmetricHessian<'a> {
    loss: SymmetricLoss<'a>,
    u: Mat<f64>,
    /// `U diag(s)`.
    signed: Mat<f64>,
    /// `E`.
    back: Mat<f64>,
    value: f64,
    gradient: Mat<f64>,
}

impl SymmetricHessian<'_> {
    /// Value of the loss.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Gradient of the loss, of shape `d x k`.
    pub fn gradient(&self) -> &Mat<f64> {
        &self.gradient
    }

    /// As [`SymmetricLoss::traces`].
    pub fn traces(&self) -> (f64, f64) {
        self.loss.traces_given(self.u.as_ref(), trace_of(self.back.as_ref()))
    }
}

impl SymmetricOperator for SymmetricHessian<'_> {
    fn order(&self) -> usize {
        self.u.nrows() * self.u.ncols()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        self.loss.map.gradient_times(self.signed.as_ref(), v, out.as_mut());
        let (mut vs, none) = unstack(v, self.u.nrows(), 0);
        for (j, column) in vs.col_iter_mut().enumerate() {
            let sign = self.loss.signs[j % self.u.ncols()];
            column.iter_mut().for_each(|v| *v *= sign);
        }
        let image = product(self.back.as_ref(), vs.as_ref());
        let mut coupling = Mat::zeros(v.nrows(), v.ncols());
        stack(image.as_ref(), none.as_ref(), coupling.as_mut());
        let m = self.loss.targets.len() as f64;
        out *= faer::Scale(8.0 / m);
        out += coupling * faer::Scale(4.0 / m);
    }

    fn exact_trace(&self) -> Option<f64> {
        let (positive, negative) = self.traces();
        Some(positive + negative)
    }

    /// `V = u (diag(s) v)^T` for the leading singular vectors of `U`, by which `U diag(s) V^T` is
    /// `|U|_op u u^T`.
    fn leading_direction(&self) -> Option<Vec<f64>> {
        let leading = svd(self.u.as_ref(), Par::Seq).ok()?;
        let size = *leading.s.first()?;
        let (u, v) = (leading.u.col(0), leading.v.col(0));
        let columns = v.iter().zip(&self.loss.signs);
        let direction = columns.flat_map(|(v, s)| u.iter().map(move |u| s * v * u)).collect();
        (size > 0.0).then_some(direction)
    }
}

fn trace_of(a: MatRef<'_, f64>) -> f64 {
    (0..a.nrows()).map(|i| a[(i, i)]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::operator::{DenseMap, RankOne};
    use crate::rng::{Role, Stream};

    fn maps() -> Vec<Box<dyn LinearMap>> {
        let mut stream = Stream::new(2, "symmetric loss", 0, 0, Role::Measurements);
        let mut data = stream.gaussian_vector(9 * 5);
        for a in data.chunks_exact_mut(9) {
            (a[3], a[6], a[7]) = (a[1], a[2], a[5]);
        }
        vec![
            Box::new(RankOne::symmetric(4, stream.gaussian_vector(4 * 7)).unwrap()),
            Box::new(RankOne::symmetric(1, stream.gaussian_vector(3)).unwrap()),
            Box::new(DenseMap::new(3, 3, data).unwrap()),
        ]
    }

    #[test]
    fn derivatives_agree_with_finite_differences() {
        for map in maps() {
            let m = map.dims().measurements;
            let b = Stream::new(4, "symmetric loss", 0, 0, Role::Noise).gaussian_vector(m);
            for (positive, negative) in [(1, 0), (2, 1), (0, 2)] {
                let loss = SymmetricLoss::new(map.as_ref(), &b, positive, negative).unwrap();
                let (gradient, hessian) = check::symmetric_derivatives(&loss, 8);
                assert!(gradient < 1e-7, "gradient off by {gradient:e}");
                assert!(hessian < 1e-5, "Hessian off by {hessian:e}");
            }
        }
    }

    /// The exact trace, at a point with residual, against the sum over basis vectors.
    #[test]
    fn the_exact_trace_equals_the_basis_vector_trace() {
        for map in maps() {
            let dims = map.dims();
            let mut stream = Stream::new(9, "symmetric loss", 0, 0, Role::Start);
            let b = stream.gaussian_vector(dims.measurements);
            for (positive, negative) in [(1, 0), (2, 1), (1, 3)] {
                let loss = SymmetricLoss::new(map.as_ref(), &b, positive, negative).unwrap();
                let u = stream.gaussian_matrix(dims.rows, loss.width());
                let mut sum = 0.0;
                for i in 0..dims.rows {
                    for j in 0..loss.width() {
                        let mut v = Mat::zeros(dims.rows, loss.width());
                        v[(i, j)] = 1.0;
                        sum += loss.hessian_form(u.as_ref(), v.as_ref()).unwrap();
                    }
                }
                approx::assert_relative_eq!(
                    loss.trace(u.as_ref()).unwrap(),
                    sum,
                    max_relative = 1e-12
                );
            }
        }
    }
}
