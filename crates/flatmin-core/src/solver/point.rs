//! Points of fixed rank, and the map restricted to the tangent space at one of them.

use crate::linalg::{self, Cholesky, Par, product, scale_columns};
use crate::operator::{Dims, LinearMap};
use crate::{Error, Mat, MatRef};

/// `Z = U diag(s) V^T` with orthonormal frames and `s` nonincreasing.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) u: Mat<f64>,
    pub(super) s: Vec<f64>,
    pub(super) v: Mat<f64>,
}

impl Point {
    /// The zero matrix.
    pub(super) fn zero(dims: Dims) -> Point {
        Point { u: Mat::zeros(dims.rows, 0), s: vec![], v: Mat::zeros(dims.cols, 0) }
    }

    /// Best approximation of rank at most `rank` of a matrix.
    pub(super) fn truncate(z: MatRef<'_, f64>, rank: usize, par: Par) -> Result<Point, Error> {
        Ok(Point::leading(linalg::svd(z, par)?, rank))
    }

    /// The leading `rank` terms of a decomposition.
    pub(super) fn leading(svd: linalg::Svd, rank: usize) -> Point {
        let rank = rank.min(svd.s.len());
        Point {
            u: svd.u.subcols(0, rank).to_owned(),
            s: svd.s[..rank].to_vec(),
            v: svd.v.subcols(0, rank).to_owned(),
        }
    }

    /// The point `L R^T` for any factors.
    pub(super) fn from_factors(l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<Point, Error> {
        let (ql, rl) = linalg::thin_qr(l);
        let (qr, rr) = linalg::thin_qr(r);
        let core = linalg::svd(product(rl.as_ref(), rr.transpose()).as_ref(), Par::Seq)?;
        Ok(Point {
            u: product(ql.as_ref(), core.u.as_ref()),
            s: core.s,
            v: product(qr.as_ref(), core.v.as_ref()),
        })
    }

    pub(super) fn rank(&self) -> usize {
        self.s.len()
    }

    pub(super) fn nuclear_norm(&self) -> f64 {
        self.s.iter().fold(0.0, |sum, s| sum + s)
    }

    pub(super) fn matrix(&self) -> Mat<f64> {
        product(scale_columns(self.u.as_ref(), &self.s).as_ref(), self.v.transpose())
    }

    /// Balanced factors `U s^{1/2}`, `V s^{1/2}`.
    pub(super) fn balanced(&self) -> (Mat<f64>, Mat<f64>) {
        let root: Vec<f64> = self.s.iter().map(|s| s.sqrt()).collect();
        (scale_columns(self.u.as_ref(), &root), scale_columns(self.v.as_ref(), &root))
    }

    /// The point without the singular values below `fraction` of the largest.
    pub(super) fn trimmed(mut self, fraction: f64) -> Point {
        let floor = fraction * self.s.first().copied().unwrap_or(0.0);
        let rank = self.s.iter().filter(|&&s| s > floor).count();
        self.s.truncate(rank);
        self.u = self.u.subcols(0, rank).to_owned();
        self.v = self.v.subcols(0, rank).to_owned();
        self
    }

    /// Rank-`r` truncation of `Z + U Rt^T + Lt V^T`, by a decomposition of order `2r`.
    pub(super) fn retract(&self, lt: MatRef<'_, f64>, rt: MatRef<'_, f64>) -> Result<Point, Error> {
        let mut right = scale_columns(self.v.as_ref(), &self.s);
        right += rt;
        let l = beside(self.u.as_ref(), lt);
        let r = beside(right.as_ref(), self.v.as_ref());
        let sum = Point::from_factors(l.as_ref(), r.as_ref())?;
        let rank = self.rank().min(sum.rank());
        Ok(Point {
            u: sum.u.subcols(0, rank).to_owned(),
            s: sum.s[..rank].to_vec(),
            v: sum.v.subcols(0, rank).to_owned(),
        })
    }
}

/// `[a, b]`, side by side.
pub(super) fn beside(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), a.ncols() + b.ncols());
    out.as_mut().subcols_mut(0, a.ncols()).copy_from(a);
    out.as_mut().subcols_mut(a.ncols(), b.ncols()).copy_from(b);
    out
}

/// The Jacobian `J : (Lt, Rt) -> B(U Rt^T + Lt V^T)` with its normal matrix factored.
///
/// The coordinates have a gauge: `(U K, -V K^T)` maps to zero for every `r x r` matrix `K`. Adding
/// the projector on these directions makes the matrix definite, and leaves every solution with a
/// right-hand side in the range of `J^T` the one of least norm.
pub(super) struct Tangent {
    u: Mat<f64>,
    v: Mat<f64>,
    normal: Cholesky,
}

impl Tangent {
    /// `None` when `B` is not injective on the tangent space, unless a `ridge` (a fraction of the
    /// mean diagonal of the normal matrix) makes up for it.
    pub(super) fn new(
        map: &dyn LinearMap,
        u: &Mat<f64>,
        v: &Mat<f64>,
        ridge: f64,
        par: Par,
    ) -> Option<Tangent> {
        let (d1, d2, k) = (u.nrows(), v.nrows(), u.ncols());
        let n = k * (d1 + d2);
        let mut normal = Mat::zeros(n, n);
        map.tangent_normal(u.as_ref(), v.as_ref(), normal.as_mut());
        let largest = (0..n).map(|i| normal[(i, i)]).fold(0.0, f64::max);
        let gauge = 0.5 * (0..n).map(|i| normal[(i, i)]).sum::<f64>() / n as f64;
        for b in 0..k {
            for j in 0..d1 {
                for i in j..d1 {
                    let uu: f64 = (0..k).map(|a| u[(i, a)] * u[(j, a)]).sum();
                    normal[(b * d1 + i, b * d1 + j)] += gauge * uu;
                }
            }
            for j in 0..d2 {
                for i in j..d2 {
                    let vv: f64 = (0..k).map(|a| v[(i, a)] * v[(j, a)]).sum();
                    normal[(k * d1 + b * d2 + i, k * d1 + b * d2 + j)] += gauge * vv;
                }
            }
            for a in 0..k {
                for j in 0..d1 {
                    for i in 0..d2 {
                        normal[(k * d1 + a * d2 + i, b * d1 + j)] -= gauge * v[(i, b)] * u[(j, a)];
                    }
                }
            }
        }
        (0..n).for_each(|i| normal[(i, i)] += 2.0 * gauge * ridge);
        let normal = Cholesky::new(normal, par)?;
        let smallest = (0..n).map(|i| normal.lower()[(i, i)].powi(2)).fold(f64::INFINITY, f64::min);
        (ridge > 0.0 || smallest > 1e-13 * largest).then(|| Tangent {
            u: u.clone(),
            v: v.clone(),
            normal,
        })
    }

    /// `(J^T J)^+ (gl, gr)` for a right-hand side in the range of `J^T`.
    pub(super) fn solve(&self, gl: MatRef<'_, f64>, gr: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
        let mut rhs: Vec<f64> =
            gl.col_iter().chain(gr.col_iter()).flat_map(|c| c.iter().copied()).collect();
        self.normal.solve_vector(&mut rhs);
        let (left, right) = rhs.split_at(gl.nrows() * gl.ncols());
        let unstack = |flat: &[f64], shape: MatRef<'_, f64>| {
            MatRef::from_column_major_slice(flat, shape.nrows(), shape.ncols()).to_owned()
        };
        (unstack(left, gl), unstack(right, gr))
    }

    /// `J (Lt, Rt)`.
    fn apply(&self, map: &dyn LinearMap, lt: &Mat<f64>, rt: &Mat<f64>) -> Vec<f64> {
        let mut out = vec![0.0; map.dims().measurements];
        let l = beside(self.u.as_ref(), lt.as_ref());
        let r = beside(rt.as_ref(), self.v.as_ref());
        map.apply_factored(l.as_ref(), r.as_ref(), &mut out);
        out
    }

    /// Frames `U` and `V` of the point.
    pub(super) fn frames(&self) -> (&Mat<f64>, &Mat<f64>) {
        (&self.u, &self.v)
    }

    fn rank(&self) -> usize {
        self.u.ncols()
    }

    /// The vector of least norm among those with `P_T(B*(y)) = U V^T`.
    pub(super) fn least_norm_dual(&self, map: &dyn LinearMap) -> Vec<f64> {
        let (lt, rt) = self.solve(self.u.as_ref(), self.v.as_ref());
        self.apply(map, &lt, &rt)
    }

    /// The vector nearest to `y` among those with `P_T(B*(y)) = U V^T`.
    pub(super) fn meet(&self, map: &dyn LinearMap, y: &[f64]) -> Vec<f64> {
        // J^T y - g, where g = (U, V) are the coordinates of U V^T.
        let (mut gl, mut gr) =
            (Mat::zeros(self.u.nrows(), self.rank()), Mat::zeros(self.v.nrows(), self.rank()));
        map.adjoint_times(y, self.v.as_ref(), gl.as_mut());
        map.adjoint_transpose_times(y, self.u.as_ref(), gr.as_mut());
        gl -= &self.u;
        gr -= &self.v;
        let (lt, rt) = self.solve(gl.as_ref(), gr.as_ref());
        let excess = self.apply(map, &lt, &rt);
        y.iter().zip(&excess).map(|(y, e)| y - e).collect()
    }
}
