//! The overparameterised losses whose curvature flatness speaks of.

pub mod check;
mod hessian;
mod smooth;
mod symmetric;
mod vectors;

pub use hessian::FactoredHessian;
pub use smooth::{Factorised, LeastSquares, Loss, Traced, check_point};
pub use symmetric::{SymmetricHessian, SymmetricLoss};
pub use vectors::OfWidth;

use crate::error::finite;
use crate::linalg::{inner, kernel::dot};
use crate::operator::LinearMap;
use crate::{Error, Mat, MatRef};

/// `f(L, R) = (1/m) |A(L R^T) - b|^2`, with `L` of shape `d1 x k` and `R` of shape `d2 x k`.
#[derive(Clone, Copy)]
pub struct FactoredLoss<'a> {
    map: &'a dyn LinearMap,
    targets: &'a [f64],
}

impl<'a> FactoredLoss<'a> {
    /// The loss of a map and its targets `b`.
    ///
    /// # Errors
    /// When there is not one finite target a measurement.
    pub fn new(map: &'a dyn LinearMap, targets: &'a [f64]) -> Result<FactoredLoss<'a>, Error> {
        check_targets(map, targets)?;
        Ok(FactoredLoss { map, targets })
    }

    /// The residual `A(L R^T) - b`.
    fn residual(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Vec<f64> {
        let mut residual = vec![0.0; self.targets.len()];
        self.map.apply_factored(l, r, &mut residual);
        residual.iter_mut().zip(self.targets).for_each(|(r, b)| *r -= b);
        residual
    }

    /// Refuses factors that do not fit the map or one another.
    fn check_factors(
        &self,
        what: &'static str,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<(), Error> {
        let dims = self.map.dims();
        if l.nrows() == dims.rows && r.nrows() == dims.cols && l.ncols() == r.ncols() {
            return Ok(());
        }
        Err(Error::Shape {
            what,
            expected: format!("shapes {} x k and {} x k", dims.rows, dims.cols),
            got: format!("{} x {} and {} x {}", l.nrows(), l.ncols(), r.nrows(), r.ncols()),
        })
    }

    /// Value at `(L, R)`.
    ///
    /// # Errors
    /// When the factors do not fit the map or one another.
    pub fn value(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<f64, Error> {
        self.check_factors("the factors", l, r)?;
        let residual = self.residual(l, r);
        Ok(dot(&residual, &residual) / self.targets.len() as f64)
    }

    /// Value and gradient at `(L, R)`: `(2/m) A*(A(L R^T) - b) R` and its mirror image.
    ///
    /// # Errors
    /// As [`FactoredLoss::value`].
    pub fn value_and_gradient(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<(f64, Mat<f64>, Mat<f64>), Error> {
        self.check_factors("the factors", l, r)?;
        let m = self.targets.len() as f64;
        let (mut gl, mut gr) = (Mat::zeros(l.nrows(), l.ncols()), Mat::zeros(r.nrows(), r.ncols()));
        let mut residual = vec![0.0; self.targets.len()];
        let ones = vec![1.0; l.ncols()];
        let (left, right) = (gl.as_mut(), gr.as_mut());
        self.map.residual_and_gradient((l, &ones, r), self.targets, &mut residual, left, right);
        for gradient in [&mut gl, &mut gr] {
            gradient.col_iter_mut().for_each(|c| c.iter_mut().for_each(|g| *g *= 2.0 / m));
        }
        Ok((dot(&residual, &residual) / m, gl, gr))
    }

    /// Quadratic form of the Hessian at `(L, R)` along `(U, V)`:
    /// `(2/m) ( |A(U R^T + L V^T)|^2 + 2 <A(L R^T) - b, A(U V^T)> )`.
    ///
    /// # Errors
    /// When the factors or the direction do not fit the map or one another.
    pub fn hessian_form(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        u: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
    ) -> Result<f64, Error> {
        self.check_factors("the factors", l, r)?;
        self.check_factors("the direction", u, v)?;
        if u.ncols() != l.ncols() {
            return Err(Error::Shape {
                what: "the direction",
                expected: format!("the {} columns of the factors", l.ncols()),
                got: format!("{} columns", u.ncols()),
            });
        }
        let m = self.targets.len();
        let residual = self.residual(l, r);
        let (mut along, mut second) = (vec![0.0; m], vec![0.0; m]);
        self.map.apply_factored(u, r, &mut along);
        self.map.apply_factored(l, v, &mut second);
        along.iter_mut().zip(&second).for_each(|(a, s)| *a += s);
        self.map.apply_factored(u, v, &mut second);
        Ok(2.0 / m as f64 * (dot(&along, &along) + 2.0 * dot(&residual, &second)))
    }
}

pub(crate) fn check_targets(map: &dyn LinearMap, targets: &[f64]) -> Result<(), Error> {
    let dims = map.dims();
    crate::operator::check_dims(dims)?;
    if targets.len() != dims.measurements {
        return Err(Error::Shape {
            what: "targets",
            expected: format!("length {}, one a measurement", dims.measurements),
            got: format!("length {}", targets.len()),
        });
    }
    finite("targets", targets)
}

/// Directional derivative `<gradient, direction>` over both blocks.
pub(crate) fn along(
    gradient: (MatRef<'_, f64>, MatRef<'_, f64>),
    direction: (MatRef<'_, f64>, MatRef<'_, f64>),
) -> f64 {
    inner(gradient.0, direction.0) + inner(gradient.1, direction.1)
}

#[cfg(test)]
mod tests;
