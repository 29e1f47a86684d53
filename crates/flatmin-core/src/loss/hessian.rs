//! The Hessian of the factored loss, as an operator on blocks of vectors.
//!
//! With `E = A*(A(L R^T) - b)` and `w_i = <A_i, U R^T + L V^T>`,
//!
//! ```text
//! D2f(L, R) (U, V) = (2/m) ( A*(w) R + E V,  A*(w)^T L + E^T U )
//! tr D2f(L, R)     = (2/m) ( sum_i |A_i R|_F^2 + sum_i |A_i^T L|_F^2 )
//! ```
//!
//! in the coordinates `(vec L, vec R)`, column-major. The residual couples the two blocks only, so that
//! the traces hold at every `(L, R)`.

use super::FactoredLoss;
use crate::error::finite;
use crate::flatness::{PairOperator, SymmetricOperator, leading_direction};
use crate::linalg::{kernel::dot, multiply, product};
use crate::operator::{LinearMap, stack, unstack};
use crate::{Error, Mat, MatMut, MatRef};

/// The image of the residual under `A*`.
enum Back {
    /// As a matrix.
    Matrix(Mat<f64>),
    /// By the residual itself: sampled entries need no matrix of `d1 x d2` numbers.
    Residual(Vec<f64>),
}

/// Hessian of `f(L, R) = (1/m) |A(L R^T) - b|^2` at one point, of order `k (d1 + d2)`; made by
/// [`FactoredLoss::hessian`].
pub struct FactoredHessian<'a> {
    map: &'a dyn LinearMap,
    l: Mat<f64>,
    r: Mat<f64>,
    back: Back,
    value: f64,
    gradient: (Mat<f64>, Mat<f64>),
}

impl<'a> FactoredLoss<'a> {
    /// The Hessian at `(L, R)`, in the coordinates `(vec L, vec R)`, column-major, with the value and the
    /// gradient there: one pass over the measurements.
    ///
    /// ```
    /// use flatmin_core::flatness::{PairOperator, SymmetricOperator};
    /// use flatmin_core::{DenseMap, FactoredLoss, Mat};
    /// // f(l, r) = (l r - 1)^2 at l = 2, r = 3.
    /// let map = DenseMap::new(1, 1, vec![1.0])?;
    /// let (l, r) = (Mat::full(1, 1, 2.0), Mat::full(1, 1, 3.0));
    /// let hessian = FactoredLoss::new(&map, &[1.0])?.hessian(l.as_ref(), r.as_ref())?;
    /// assert_eq!(hessian.value(), 25.0);
    /// assert_eq!(hessian.traces(), (18.0, 8.0));
    /// // The columns of the Hessian itself.
    /// let mut columns = Mat::zeros(2, 2);
    /// hessian.apply(Mat::<f64>::identity(2, 2).as_ref(), columns.as_mut());
    /// assert_eq!(columns, Mat::from_fn(2, 2, |i, j| [[18.0, 22.0], [22.0, 8.0]][i][j]));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the factors do not fit the map or one another, have no columns, or hold a NaN or an infinity.
    pub fn hessian(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<FactoredHessian<'a>, Error> {
        let dims = self.map.dims();
        self.check_factors("the factors", l, r)?;
        check_factor("the left factor", l)?;
        check_factor("the right factor", r)?;
        let (mut gl, mut gr) = (Mat::zeros(l.nrows(), l.ncols()), Mat::zeros(r.nrows(), r.ncols()));
        let mut residual = vec![0.0; self.targets.len()];
        let dense = self.map.pattern().is_none();
        let matrix = dense.then(|| {
            let mut back = Mat::zeros(dims.rows, dims.cols);
            let x = product(l, r.transpose());
            let (x, image) = (x.as_ref(), back.as_mut());
            self.map.residual_and_adjoint(x, self.targets, &mut residual, image);
            multiply(gl.as_mut(), back.as_ref(), r);
            multiply(gr.as_mut(), back.transpose(), l);
            back
        });
        if !dense {
            let (ones, left, right) = (vec![1.0; l.ncols()], gl.as_mut(), gr.as_mut());
            self.map.residual_and_gradient((l, &ones, r), self.targets, &mut residual, left, right);
        }
        let m = self.targets.len() as f64;
        gl *= faer::Scale(2.0 / m);
        gr *= faer::Scale(2.0 / m);
        Ok(FactoredHessian {
            map: self.map,
            l: l.to_owned(),
            r: r.to_owned(),
            value: dot(&residual, &residual) / m,
            back: matrix.map_or_else(|| Back::Residual(residual), Back::Matrix),
            gradient: (gl, gr),
        })
    }
}

/// A factor of at least one column, of finite numbers.
pub(super) fn check_factor(what: &'static str, factor: MatRef<'_, f64>) -> Result<(), Error> {
    if factor.ncols() == 0 {
        return Err(Error::Empty { what: "the list of columns of the factors" });
    }
    finite(what, &crate::linalg::row_major(factor))
}

impl FactoredHessian<'_> {
    /// Value of the loss.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Gradient of the loss, of shapes `d1 x k` and `d2 x k`.
    pub fn gradient(&self) -> (&Mat<f64>, &Mat<f64>) {
        (&self.gradient.0, &self.gradient.1)
    }
}

impl PairOperator for FactoredHessian<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.l.nrows(), self.r.nrows())
    }

    /// In one pass over the measurements.
    fn traces(&self) -> (f64, f64) {
        let scale = 2.0 / self.map.dims().measurements as f64;
        let (by_r, by_l) = self.map.energies(self.l.as_ref(), self.r.as_ref());
        (scale * by_r, scale * by_l)
    }
}

impl SymmetricOperator for FactoredHessian<'_> {
    fn order(&self) -> usize {
        self.l.ncols() * (self.l.nrows() + self.r.nrows())
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        self.map.tangent_times(self.l.as_ref(), self.r.as_ref(), v, out.as_mut());
        // (E V, E^T U), for all columns at once.
        let (us, vs) = unstack(v, self.l.nrows(), self.r.nrows());
        let (mut left, mut right) =
            (Mat::zeros(us.nrows(), us.ncols()), Mat::zeros(vs.nrows(), vs.ncols()));
        match &self.back {
            Back::Matrix(e) => {
                multiply(left.as_mut(), e.as_ref(), vs.as_ref());
                multiply(right.as_mut(), e.transpose(), us.as_ref());
            }
            Back::Residual(y) => {
                self.map.adjoint_times(y, vs.as_ref(), left.as_mut());
                self.map.adjoint_transpose_times(y, us.as_ref(), right.as_mut());
            }
        }
        let mut coupling = Mat::zeros(v.nrows(), v.ncols());
        stack(left.as_ref(), right.as_ref(), coupling.as_mut());
        out += coupling;
        out *= faer::Scale(2.0 / self.map.dims().measurements as f64);
    }

    fn exact_trace(&self) -> Option<f64> {
        let (left, right) = self.traces();
        Some(left + right)
    }

    fn leading_direction(&self) -> Option<Vec<f64>> {
        leading_direction(self.l.as_ref(), self.r.as_ref())
    }
}
