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

use super::check_targets;
use crate::error::Error;
use crate::linalg::{kernel::dot, scale_columns};
use crate::operator::{Gram, LinearMap};
use crate::{Mat, MatRef};

/// `f(U) = (1/m) |A(U diag(s) U^T) - b|^2`, with `U` of shape `d x k` and symmetric measurements.
#[derive(Clone)]
pub struct SymmetricLoss<'a> {
    map: &'a dyn LinearMap,
    targets: &'a [f64],
    signs: Vec<f64>,
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
    /// assert_eq!(loss.value(u.as_ref()), 36.0);
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
        Ok(SymmetricLoss { map, targets, signs })
    }

    /// The map `A`.
    pub fn map(&self) -> &dyn LinearMap {
        self.map
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

    /// Value at `U`.
    pub fn value(&self, u: MatRef<'_, f64>) -> f64 {
        let residual = self.residual(u);
        dot(&residual, &residual) / self.targets.len() as f64
    }

    /// Value and gradient at `U`: `(4/m) A*(r) U diag(s)`.
    pub fn value_and_gradient(&self, u: MatRef<'_, f64>) -> (f64, Mat<f64>) {
        let m = self.targets.len() as f64;
        let residual = self.residual(u);
        let mut gradient = Mat::zeros(u.nrows(), u.ncols());
        let signed = scale_columns(u, &self.signs);
        self.map.adjoint_times(&residual, signed.as_ref(), gradient.as_mut());
        gradient *= faer::Scale(4.0 / m);
        (dot(&residual, &residual) / m, gradient)
    }

    /// Quadratic form of the Hessian at `U` along `V`.
    pub fn hessian_form(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>) -> f64 {
        let residual = self.residual(u);
        let (along, second) = (self.form(u, v), self.form(v, v));
        let m = self.targets.len() as f64;
        2.0 / m * (4.0 * dot(&along, &along) + 2.0 * dot(&residual, &second))
    }

    /// Trace of the Hessian at `U`, exact at every point.
    pub fn trace(&self, u: MatRef<'_, f64>) -> f64 {
        let m = self.targets.len() as f64;
        let gram: Gram = self.map.grams().0;
        let signs: f64 = self.signs.iter().sum();
        let residual = self.residual(u);
        // sum_i r_i tr A_i = tr A*(r).
        let back = self.map.adjoint_matrix(&residual);
        let traces: f64 = (0..back.nrows()).map(|i| back[(i, i)]).sum();
        8.0 / m * gram.form(u) + 4.0 / m * signs * traces
    }
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
                        sum += loss.hessian_form(u.as_ref(), v.as_ref());
                    }
                }
                approx::assert_relative_eq!(loss.trace(u.as_ref()), sum, max_relative = 1e-12);
            }
        }
    }
}
