//! Linear maps `A : R^{d1 x d2} -> R^m`, `A(X)_i = <A_i, X>`, each with its structure kept.
//!
//! [`LinearMap`] asks for three methods; every other one has a default built on them, which an
//! implementation overrides where its structure pays. [`check::adjoint`] tests the law that ties
//! them together.

pub mod check;
mod dense;
mod entries;
mod pattern;
mod rank_one;
mod selection;
mod stack;
mod whitened;
mod whitening;

use crate::Error;
use crate::linalg::scale_columns;
use faer::{Mat, MatMut, MatRef};

pub use dense::DenseMap;
pub use entries::Entries;
pub use pattern::Pattern;
pub use rank_one::RankOne;
pub(crate) use selection::Selection;
pub use stack::{stack, unstack};
pub(crate) use whitened::Whitened;
pub(crate) use whitening::Side;
pub use whitening::Whitening;

/// Sizes of a linear map `R^{rows x cols} -> R^measurements`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dims {
    /// `d1`.
    pub rows: usize,
    /// `d2`.
    pub cols: usize,
    /// `m`.
    pub measurements: usize,
}

/// A Gram matrix `sum_i A_i A_i^T` or `sum_i A_i^T A_i`, positive semidefinite.
#[derive(Debug, Clone)]
pub enum Gram {
    /// Full symmetric matrix.
    Dense(Mat<f64>),
    /// Diagonal matrix, by its diagonal.
    Diagonal(Vec<f64>),
}

impl Gram {
    /// Order of the matrix.
    pub fn order(&self) -> usize {
        match self {
            Gram::Dense(g) => g.nrows(),
            Gram::Diagonal(g) => g.len(),
        }
    }

    /// Rows that are zero: no measurement depends on them.
    pub fn null_rows(&self) -> Vec<usize> {
        let zero = |i: &usize| match self {
            Gram::Dense(g) => g[(*i, *i)] == 0.0,
            Gram::Diagonal(g) => g[*i] == 0.0,
        };
        (0..self.order()).filter(zero).collect()
    }

    /// The matrix multiplied by a scalar.
    pub fn scaled(self, factor: f64) -> Gram {
        match self {
            Gram::Dense(mut g) => {
                for j in 0..g.ncols() {
                    g.col_mut(j).iter_mut().for_each(|v| *v *= factor);
                }
                Gram::Dense(g)
            }
            Gram::Diagonal(g) => Gram::Diagonal(g.into_iter().map(|v| v * factor).collect()),
        }
    }

    /// The trace.
    pub fn trace(&self) -> f64 {
        match self {
            Gram::Dense(g) => (0..g.nrows()).map(|i| g[(i, i)]).sum(),
            Gram::Diagonal(g) => g.iter().sum(),
        }
    }

    /// `(1 - s) G + s (tr G / d) I`, zero rows left as they are.
    ///
    /// ```
    /// use flatmin_core::Gram;
    /// let Gram::Diagonal(g) = Gram::Diagonal(vec![3.0, 0.0, 0.0, 1.0]).smoothed(0.5) else { panic!() };
    /// assert_eq!(g, [2.0, 0.0, 0.0, 1.0]);
    /// ```
    #[must_use]
    pub fn smoothed(&self, s: f64) -> Gram {
        let level = s * self.trace() / self.order().max(1) as f64;
        let mut smoothed = self.clone().scaled(1.0 - s);
        match (&mut smoothed, self) {
            (Gram::Dense(to), Gram::Dense(of)) => {
                let seen = (0..of.nrows()).filter(|&i| of[(i, i)] > 0.0);
                seen.for_each(|i| to[(i, i)] += level);
            }
            (Gram::Diagonal(to), Gram::Diagonal(of)) => {
                to.iter_mut().zip(of).filter(|(_, of)| **of > 0.0).for_each(|(to, _)| *to += level);
            }
            _ => {}
        }
        smoothed
    }

    /// The full matrix.
    pub fn to_dense(&self) -> Mat<f64> {
        match self {
            Gram::Dense(g) => g.clone(),
            Gram::Diagonal(g) => {
                Mat::from_fn(g.len(), g.len(), |i, j| if i == j { g[i] } else { 0.0 })
            }
        }
    }

    /// `G F` for a factor `F` with [`Gram::order`] rows.
    pub fn times(&self, factor: MatRef<'_, f64>) -> Mat<f64> {
        match self {
            Gram::Dense(g) => crate::linalg::product(g.as_ref(), factor),
            Gram::Diagonal(g) => {
                Mat::from_fn(factor.nrows(), factor.ncols(), |i, j| g[i] * factor[(i, j)])
            }
        }
    }

    /// The quadratic form `<G F, F>` at a factor `F` with [`Gram::order`] rows.
    pub fn form(&self, factor: MatRef<'_, f64>) -> f64 {
        match self {
            Gram::Dense(_) => crate::linalg::inner(self.times(factor).as_ref(), factor),
            Gram::Diagonal(g) => (0..factor.ncols())
                .map(|j| factor.col(j).iter().zip(g).map(|(f, w)| w * f * f).sum::<f64>())
                .sum(),
        }
    }
}

/// A linear map `A : R^{d1 x d2} -> R^m` with `A(X)_i = <A_i, X>`.
///
/// The adjoint satisfies `<A(X), y> = <X, A*(y)>`; [`check::adjoint`] tests it. Implementations may
/// assume that the shapes they are called with match [`LinearMap::dims`]: the solvers check every
/// caller's arrays before they reach a map.
pub trait LinearMap: Send + Sync {
    /// Sizes of the map.
    fn dims(&self) -> Dims;

    /// `out = A(X)`, with `X` of shape `d1 x d2`.
    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]);

    /// `out = A*(y) = sum_i y_i A_i`, of shape `d1 x d2`.
    fn adjoint(&self, y: &[f64], out: MatMut<'_, f64>);

    /// `residual = A(X) - b` and `back = A*(residual)`, together: maps whose cost is reading their
    /// own data override this with a single pass.
    fn residual_and_adjoint(
        &self,
        x: MatRef<'_, f64>,
        targets: &[f64],
        residual: &mut [f64],
        back: MatMut<'_, f64>,
    ) {
        self.apply(x, residual);
        for (r, b) in residual.iter_mut().zip(targets) {
            *r -= b;
        }
        self.adjoint(residual, back);
    }

    /// Residual `A(U diag(s) V^T) - b` and its back-projections `left = A*(residual) V` (`d1 x k`)
    /// and `right = A*(residual)^T U` (`d2 x k`). With `s = 1` these are the gradient blocks of the
    /// factored loss, up to the factor `2 / m`.
    fn residual_and_gradient(
        &self,
        (u, s, v): (MatRef<'_, f64>, &[f64], MatRef<'_, f64>),
        targets: &[f64],
        residual: &mut [f64],
        left: MatMut<'_, f64>,
        right: MatMut<'_, f64>,
    ) {
        let x = crate::linalg::product(scale_columns(u, s).as_ref(), v.transpose());
        let mut back = Mat::zeros(u.nrows(), v.nrows());
        self.residual_and_adjoint(x.as_ref(), targets, residual, back.as_mut());
        crate::linalg::multiply(left, back.as_ref(), v);
        crate::linalg::multiply(right, back.transpose(), u);
    }

    /// `out = A(L R^T)`, with `L` of shape `d1 x k` and `R` of shape `d2 x k`.
    fn apply_factored(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>, out: &mut [f64]) {
        self.apply(crate::linalg::product(l, r.transpose()).as_ref(), out);
    }

    /// `out = A*(y) R`, of shape `d1 x k`.
    fn adjoint_times(&self, y: &[f64], r: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let back = self.adjoint_matrix(y);
        crate::linalg::multiply(out.as_mut(), back.as_ref(), r);
    }

    /// `out = A*(y)^T L`, of shape `d2 x k`.
    fn adjoint_transpose_times(&self, y: &[f64], l: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let back = self.adjoint_matrix(y);
        crate::linalg::multiply(out.as_mut(), back.transpose(), l);
    }

    /// `A*(y)` as a new matrix.
    fn adjoint_matrix(&self, y: &[f64]) -> Mat<f64> {
        let Dims { rows, cols, .. } = self.dims();
        let mut out = Mat::zeros(rows, cols);
        self.adjoint(y, out.as_mut());
        out
    }

    /// The measurement `A_i` as a matrix.
    fn measurement(&self, i: usize) -> Mat<f64> {
        let mut unit = vec![0.0; self.dims().measurements];
        unit[i] = 1.0;
        self.adjoint_matrix(&unit)
    }

    /// `|A_i|_F`, one a measurement.
    fn norms(&self) -> Vec<f64> {
        (0..self.dims().measurements).map(|i| self.measurement(i).norm_l2()).collect()
    }

    /// The map in the variables `X = P1 Z P2^T`, `Z -> A(P1 Z P2^T)`, when its structure carries
    /// over; `None` leaves it to a wrapper that transforms every argument.
    fn in_variables(&self, _left: &Whitening, _right: &Whitening) -> Option<Box<dyn LinearMap>> {
        None
    }

    /// The positions of a map that reads entries, `A(X)_t = X_{i_t j_t}`, and nothing else: then
    /// large problems are solved without forming a matrix. `None` for all others.
    ///
    /// ```
    /// use flatmin_core::{Entries, LinearMap};
    /// let map = Entries::new(2, 2, &[1, 0], &[0, 1])?;
    /// assert_eq!(map.pattern().unwrap().by_row().indices(), [1, 0]);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    fn pattern(&self) -> Option<Pattern> {
        None
    }

    /// `(sum_i A_i A_i^T, sum_i A_i^T A_i)`, of orders `d1` and `d2`.
    fn grams(&self) -> (Gram, Gram) {
        let Dims { rows, cols, measurements } = self.dims();
        let (mut left, mut right) = (Mat::zeros(rows, rows), Mat::zeros(cols, cols));
        for i in 0..measurements {
            let a = self.measurement(i);
            crate::linalg::accumulate(left.as_mut(), a.as_ref(), a.transpose());
            crate::linalg::accumulate(right.as_mut(), a.transpose(), a.as_ref());
        }
        (Gram::Dense(left), Gram::Dense(right))
    }

    /// Lower triangle of `J^T J`, of order `k (d1 + d2)`, for the Jacobian `J` of
    /// `(Lt, Rt) -> A(U Rt^T + Lt V^T)` in the coordinates `(vec Lt, vec Rt)`, column-major: the
    /// normal matrix of Gauss-Newton. Entries above the diagonal may hold anything.
    fn tangent_normal(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        crate::linalg::sum_of_squares(out, self.dims().measurements, |i, gradient| {
            let a = self.measurement(i);
            let left = crate::linalg::product(a.as_ref(), v);
            let right = crate::linalg::product(a.transpose(), u);
            let columns = left.col_iter().chain(right.col_iter()).flat_map(|c| c.iter());
            gradient.iter_mut().zip(columns).for_each(|(g, v)| *g = *v);
        });
    }

    /// Lower triangle of `sum_i g_i g_i^T`, `g_i = vec(A_i V)` column-major, of order `k d1`: the
    /// normal matrix of `L -> A(L V^T)`. Entries above the diagonal may hold anything.
    fn gradient_normal(&self, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        crate::linalg::sum_of_squares(out, self.dims().measurements, |i, gradient| {
            let image = crate::linalg::product(self.measurement(i).as_ref(), v);
            let columns = image.col_iter().flat_map(|c| c.iter());
            gradient.iter_mut().zip(columns).for_each(|(g, v)| *g = *v);
        });
    }

    /// `out_c = J^T J v_c` for the columns of a block `v` (`k (d1 + d2) x p`, and `out` likewise): what
    /// [`LinearMap::tangent_normal`] at `(L, R)` multiplies, without forming it. With
    /// `v_c = (vec U, vec V)` and `w_i = <A_i, U R^T + L V^T>` it is `(vec A*(w) R, vec A*(w)^T L)`.
    fn tangent_times(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
        out: MatMut<'_, f64>,
    ) {
        let (k, p) = (l.ncols(), v.ncols());
        let (mut left, mut right) = unstack(v, l.nrows(), r.nrows());
        let mut w = vec![0.0; self.dims().measurements];
        for c in 0..p {
            // U R^T + L V^T = [U, L] [R, V]^T.
            let (u, v) = (left.as_ref().subcols(c * k, k), right.as_ref().subcols(c * k, k));
            let (us, rs) = (beside(u, l), beside(r, v));
            self.apply_factored(us.as_ref(), rs.as_ref(), &mut w);
            self.adjoint_times(&w, r, left.as_mut().subcols_mut(c * k, k));
            self.adjoint_transpose_times(&w, l, right.as_mut().subcols_mut(c * k, k));
        }
        stack(left.as_ref(), right.as_ref(), out);
    }

    /// `out_c = vec A*(w) V` with `w_i = <A_i, X_c V^T>` for the columns `vec X_c` of a block `x`
    /// (`k d1 x p`, and `out` likewise): what [`LinearMap::gradient_normal`] multiplies.
    fn gradient_times(&self, v: MatRef<'_, f64>, x: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let k = v.ncols();
        let (mut xs, none) = unstack(x, self.dims().rows, 0);
        let mut w = vec![0.0; self.dims().measurements];
        for c in 0..x.ncols() {
            self.apply_factored(xs.as_ref().subcols(c * k, k), v, &mut w);
            self.adjoint_times(&w, v, xs.as_mut().subcols_mut(c * k, k));
        }
        stack(xs.as_ref(), none.as_ref(), out);
    }

    /// `(sum_i |A_i R|_F^2, sum_i |A_i^T L|_F^2)`: the traces of the two diagonal blocks of
    /// [`LinearMap::tangent_normal`], `<G2 R, R>` and `<G1 L, L>` without the Grams.
    fn energies(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> (f64, f64) {
        let (mut by_r, mut by_l) = (0.0, 0.0);
        for i in 0..self.dims().measurements {
            let a = self.measurement(i);
            by_r += crate::linalg::product(a.as_ref(), r).squared_norm_l2();
            by_l += crate::linalg::product(a.transpose(), l).squared_norm_l2();
        }
        (by_r, by_l)
    }

    /// `sum_i |L^T A_i R|_F^2` for `L` of shape `d1 x p` and `R` of shape `d2 x q`: the trace of the normal
    /// matrix of `W -> A(L W R^T)`. Half of its gradient goes into `left = sum_i A_i R R^T A_i^T L` and
    /// `right = sum_i A_i^T L L^T A_i R`, of the shapes of `L` and `R`.
    ///
    /// ```
    /// use flatmin_core::{DenseMap, LinearMap, Mat};
    /// // (2 l r)^2 at l = 3, r = 5.
    /// let map = DenseMap::new(1, 1, vec![2.0])?;
    /// let (l, r) = (Mat::full(1, 1, 3.0), Mat::full(1, 1, 5.0));
    /// let (mut left, mut right) = (Mat::zeros(1, 1), Mat::zeros(1, 1));
    /// let energy = map.core_energy(l.as_ref(), r.as_ref(), left.as_mut(), right.as_mut());
    /// assert_eq!((energy, left[(0, 0)], right[(0, 0)]), (900.0, 300.0, 180.0));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    fn core_energy(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        mut left: MatMut<'_, f64>,
        mut right: MatMut<'_, f64>,
    ) -> f64 {
        use crate::linalg::{accumulate, product};
        left.fill(0.0);
        right.fill(0.0);
        let mut energy = 0.0;
        for i in 0..self.dims().measurements {
            let a = self.measurement(i);
            let (on_left, on_right) = (product(a.as_ref(), r), product(a.transpose(), l));
            let core = product(l.transpose(), on_left.as_ref());
            energy += core.squared_norm_l2();
            accumulate(left.as_mut(), on_left.as_ref(), core.transpose());
            accumulate(right.as_mut(), on_right.as_ref(), core.as_ref());
        }
        energy
    }

    /// `out_ij = <A_i, W1 A_j W2 + W12 A_j^T W12>` for symmetric `W1` (`d1 x d1`), `W2` (`d2 x d2`)
    /// and `W12` (`d1 x d2`): the Schur complement of the interior-point method, and with
    /// `W12 = 0` the Gram matrix of the rescaled measurements. Only the lower triangle is read.
    fn schur(
        &self,
        w1: MatRef<'_, f64>,
        w2: MatRef<'_, f64>,
        w12: Option<MatRef<'_, f64>>,
        mut out: MatMut<'_, f64>,
    ) {
        use crate::linalg::product;
        let m = self.dims().measurements;
        let mut column = vec![0.0; m];
        for j in 0..m {
            let a = self.measurement(j);
            let mut image = product(product(w1, a.as_ref()).as_ref(), w2);
            if let Some(w12) = w12 {
                image += product(product(w12, a.transpose()).as_ref(), w12);
            }
            self.apply(image.as_ref(), &mut column);
            out.as_mut().col_mut(j).iter_mut().zip(&column).for_each(|(o, v)| *o = *v);
        }
    }

    /// Diagonal of the Gram matrix `<A_i, diag(w1) A_j diag(w2)>` when that matrix is diagonal for
    /// all weights, as it is for sampled entries; `None` otherwise.
    fn diagonal_gram(&self, _w1: &[f64], _w2: &[f64]) -> Option<Vec<f64>> {
        None
    }
}

/// `[A, B]`.
fn beside(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let k = a.ncols();
    let mut out = Mat::zeros(a.nrows(), k + b.ncols());
    out.as_mut().subcols_mut(0, k).copy_from(a);
    out.as_mut().subcols_mut(k, b.ncols()).copy_from(b);
    out
}

/// Checks that a map's sizes can carry a problem at all.
pub(crate) fn check_dims(dims: Dims) -> Result<(), Error> {
    if dims.rows == 0 || dims.cols == 0 {
        return Err(Error::Shape {
            what: "the matrix to recover",
            expected: "at least one row and one column".into(),
            got: format!("{} x {}", dims.rows, dims.cols),
        });
    }
    if dims.measurements == 0 {
        return Err(Error::Empty { what: "the list of measurements" });
    }
    Ok(())
}
