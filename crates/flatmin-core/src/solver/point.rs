//! Points of fixed rank, and the map restricted to the tangent space at one of them.

use super::domain::{Domain, symmetrise};
use crate::linalg::{self, Cholesky, Par, Svd, product, scale_columns};
use crate::operator::{Dims, LinearMap};
use crate::{Error, Mat, MatRef};

/// `Z = U diag(s) V^T` with orthonormal frames and `s` nonincreasing; over a symmetric domain
/// `V = U diag(±1)`.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) u: Mat<f64>,
    pub(super) s: Vec<f64>,
    pub(super) v: Mat<f64>,
}

impl From<Svd> for Point {
    fn from(Svd { u, s, v }: Svd) -> Point {
        Point { u, s, v }
    }
}

impl Point {
    /// The zero matrix.
    pub(super) fn zero(dims: Dims) -> Point {
        Point { u: Mat::zeros(dims.rows, 0), s: vec![], v: Mat::zeros(dims.cols, 0) }
    }

    /// The leading `rank` terms.
    pub(super) fn leading(&self, rank: usize) -> Point {
        let rank = rank.min(self.s.len());
        Point {
            u: self.u.subcols(0, rank).to_owned(),
            s: self.s[..rank].to_vec(),
            v: self.v.subcols(0, rank).to_owned(),
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

    /// Frames that span those of two points, with `s = 0`.
    pub(super) fn joined(&self, other: &Point, domain: Domain) -> Result<Point, Error> {
        let u = beside(self.u.as_ref(), other.u.as_ref());
        let mut frames = if domain.is_symmetric() {
            let u = linalg::thin_qr(u.as_ref()).0;
            Point { v: u.clone(), s: vec![0.0; u.ncols()], u }
        } else {
            Point::from_factors(u.as_ref(), beside(self.v.as_ref(), other.v.as_ref()).as_ref())?
        };
        frames.s.fill(0.0);
        Ok(frames)
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
    pub(super) fn trimmed(self, fraction: f64) -> Point {
        let floor = fraction * self.s.first().copied().unwrap_or(0.0);
        let rank = self.s.iter().filter(|&&s| s > floor).count();
        if rank == self.s.len() { self } else { self.leading(rank) }
    }

    /// The tangent vector with these coordinates, as a product `A B^T`.
    fn tangent_factors(&self, domain: Domain, coordinates: &[f64]) -> (Mat<f64>, Mat<f64>) {
        let (d1, d2, k) = (self.u.nrows(), self.v.nrows(), self.rank());
        if domain.is_symmetric() {
            let r = MatRef::from_column_major_slice(coordinates, d1, k);
            return (beside(self.u.as_ref(), r), beside(r, self.u.as_ref()));
        }
        let (lt, rt) = coordinates.split_at(d1 * k);
        let lt = MatRef::from_column_major_slice(lt, d1, k);
        let rt = MatRef::from_column_major_slice(rt, d2, k);
        (beside(self.u.as_ref(), lt), beside(rt, self.v.as_ref()))
    }

    /// The tangent vector with these coordinates.
    pub(super) fn tangent_matrix(&self, domain: Domain, coordinates: &[f64]) -> Mat<f64> {
        let (a, b) = self.tangent_factors(domain, coordinates);
        product(a.as_ref(), b.transpose())
    }

    /// Coordinates of the tangent part `P_T(G)`.
    pub(super) fn tangent_part(&self, domain: Domain, g: &Mat<f64>) -> Vec<f64> {
        let (u, v) = (&self.u, &self.v);
        if domain.is_symmetric() {
            // R = G U - U (U^T G U) / 2.
            let mut r = product(g.as_ref(), u.as_ref());
            let half = product(u.transpose(), r.as_ref()) * faer::Scale(0.5);
            r -= product(u.as_ref(), half.as_ref());
            return stack(&[&r]);
        }
        let rt = product(g.transpose(), u.as_ref());
        let mut lt = product(g.as_ref(), v.as_ref());
        lt -= product(u.as_ref(), product(u.transpose(), lt.as_ref()).as_ref());
        stack(&[&lt, &rt])
    }

    /// Truncation of `Z` plus the tangent vector with these coordinates to the rank of `Z`, by a
    /// decomposition of order `2r`.
    pub(super) fn retract(&self, domain: Domain, coordinates: &[f64]) -> Result<Point, Error> {
        let (d1, k) = (self.u.nrows(), self.rank());
        if domain.is_symmetric() {
            // [U R] [diag(±s), I; I, 0] [U R]^T.
            let r = MatRef::from_column_major_slice(coordinates, d1, k);
            let (q, t) = linalg::thin_qr(beside(self.u.as_ref(), r).as_ref());
            let mut middle = Mat::zeros(2 * k, 2 * k);
            for j in 0..k {
                let sign =
                    linalg::inner(self.u.as_ref().subcols(j, 1), self.v.as_ref().subcols(j, 1));
                middle[(j, j)] = self.s[j] * sign.signum();
                (middle[(k + j, j)], middle[(j, k + j)]) = (1.0, 1.0);
            }
            let mut core = product(product(t.as_ref(), middle.as_ref()).as_ref(), t.transpose());
            symmetrise(&mut core);
            return domain.lifted(q.as_ref(), core.as_ref(), k);
        }
        let (lt, rt) = coordinates.split_at(d1 * k);
        let mut right = scale_columns(self.v.as_ref(), &self.s);
        right += MatRef::from_column_major_slice(rt, self.v.nrows(), k);
        let l = beside(self.u.as_ref(), MatRef::from_column_major_slice(lt, d1, k));
        let r = beside(right.as_ref(), self.v.as_ref());
        Ok(Point::from_factors(l.as_ref(), r.as_ref())?.leading(k))
    }
}

/// `[a, b]`, side by side.
pub(super) fn beside(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), a.ncols() + b.ncols());
    out.as_mut().subcols_mut(0, a.ncols()).copy_from(a);
    out.as_mut().subcols_mut(a.ncols(), b.ncols()).copy_from(b);
    out
}

/// The columns of the matrices, one below the other.
pub(super) fn stack(blocks: &[&Mat<f64>]) -> Vec<f64> {
    blocks.iter().flat_map(|b| b.col_iter()).flat_map(|c| c.iter().copied()).collect()
}

/// The Jacobian `J` of tangent coordinates, with its normal matrix factored: `(Lt, Rt) ->
/// B(U Rt^T + Lt V^T)`, or `R -> B(U R^T + R U^T)` over a symmetric domain.
///
/// The coordinates have a gauge: `(U K, -V K^T)` maps to zero for every `r x r` matrix `K`, and so
/// does `U K` for a skew `K` over a symmetric domain. Adding the projector on these directions makes
/// the matrix definite, and leaves every solution with a right-hand side in the range of `J^T` the
/// one of least norm.
pub(super) struct Tangent {
    domain: Domain,
    at: Point,
    normal: Cholesky,
}

impl Tangent {
    /// `None` when `B` is not injective on the tangent space, unless a `ridge` (a fraction of the
    /// mean diagonal of the normal matrix) makes up for it.
    pub(super) fn new(
        map: &dyn LinearMap,
        domain: Domain,
        point: &Point,
        ridge: f64,
        par: Par,
    ) -> Option<Tangent> {
        let (u, v, k) = (&point.u, &point.v, point.rank());
        let n = if domain.is_symmetric() { k * u.nrows() } else { k * (u.nrows() + v.nrows()) };
        let mut normal = Mat::zeros(n, n);
        if domain.is_symmetric() {
            map.gradient_normal(u.as_ref(), normal.as_mut());
            normal *= faer::Scale(4.0);
        } else {
            map.tangent_normal(u.as_ref(), v.as_ref(), normal.as_mut());
        }
        let largest = (0..n).map(|i| normal[(i, i)]).fold(0.0, f64::max);
        let gauge = 0.5 * (0..n).map(|i| normal[(i, i)]).sum::<f64>() / n as f64;
        if domain.is_symmetric() {
            fix_rotations(&mut normal, u, gauge);
        } else {
            fix_mixtures(&mut normal, u, v, gauge);
        }
        (0..n).for_each(|i| normal[(i, i)] += 2.0 * gauge * ridge);
        let normal = Cholesky::new(normal, par)?;
        let smallest = (0..n).map(|i| normal.lower()[(i, i)].powi(2)).fold(f64::INFINITY, f64::min);
        (ridge > 0.0 || smallest > 1e-13 * largest).then(|| Tangent {
            domain,
            at: point.clone(),
            normal,
        })
    }

    /// `J^T y` from the back-projections `W V` and `W^T U` of `W = B*(y)`.
    pub(super) fn gradient(&self, left: &Mat<f64>, right: &Mat<f64>) -> Vec<f64> {
        if self.domain.is_symmetric() {
            stack(&[right]).into_iter().map(|g| 2.0 * g).collect()
        } else {
            stack(&[left, right])
        }
    }

    /// `J^T y` for the `y` with `B*(y) = U V^T`.
    fn sign_gradient(&self) -> Vec<f64> {
        // W V = U, and W^T U = V.
        self.gradient(&self.at.u, &self.at.v)
    }

    /// `(J^T J)^+ g` for a right-hand side in the range of `J^T`.
    pub(super) fn solve(&self, mut g: Vec<f64>) -> Vec<f64> {
        self.normal.solve_vector(&mut g);
        g
    }

    /// `J t`.
    fn apply(&self, map: &dyn LinearMap, coordinates: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; map.dims().measurements];
        let (a, b) = self.at.tangent_factors(self.domain, coordinates);
        map.apply_factored(a.as_ref(), b.as_ref(), &mut out);
        out
    }

    /// Frames `U` and `V` of the point.
    pub(super) fn frames(&self) -> (&Mat<f64>, &Mat<f64>) {
        (&self.at.u, &self.at.v)
    }

    /// `J^T y`.
    pub(super) fn adjoint(&self, map: &dyn LinearMap, y: &[f64]) -> Vec<f64> {
        let (u, v) = self.frames();
        let (mut left, mut right) =
            (Mat::zeros(u.nrows(), u.ncols()), Mat::zeros(v.nrows(), v.ncols()));
        if !self.domain.is_symmetric() {
            map.adjoint_times(y, v.as_ref(), left.as_mut());
        }
        map.adjoint_transpose_times(y, u.as_ref(), right.as_mut());
        self.gradient(&left, &right)
    }

    /// The vector of least norm among those with `P_T(B*(y)) = U V^T`.
    pub(super) fn least_norm_dual(&self, map: &dyn LinearMap) -> Vec<f64> {
        self.apply(map, &self.solve(self.sign_gradient()))
    }

    /// The part of `y` that leaves `P_T(B*(y))` as it is: `y - J (J^T J)^+ J^T y`.
    pub(super) fn remainder(&self, map: &dyn LinearMap, y: &[f64]) -> Vec<f64> {
        let along = self.apply(map, &self.solve(self.adjoint(map, y)));
        y.iter().zip(&along).map(|(y, a)| y - a).collect()
    }

    /// The vector nearest to `y` among those with `P_T(B*(y)) = U V^T`.
    pub(super) fn meet(&self, map: &dyn LinearMap, y: &[f64]) -> Vec<f64> {
        let mut g = self.adjoint(map, y);
        g.iter_mut().zip(self.sign_gradient()).for_each(|(g, s)| *g -= s);
        let excess = self.apply(map, &self.solve(g));
        y.iter().zip(&excess).map(|(y, e)| y - e).collect()
    }
}

/// Adds the projector on the gauge `(U K, -V K^T)`, times a factor, to a lower triangle.
fn fix_mixtures(normal: &mut Mat<f64>, u: &Mat<f64>, v: &Mat<f64>, factor: f64) {
    let (d1, d2, k) = (u.nrows(), v.nrows(), u.ncols());
    for b in 0..k {
        for j in 0..d1 {
            for i in j..d1 {
                let uu: f64 = (0..k).map(|a| u[(i, a)] * u[(j, a)]).sum();
                normal[(b * d1 + i, b * d1 + j)] += factor * uu;
            }
        }
        for j in 0..d2 {
            for i in j..d2 {
                let vv: f64 = (0..k).map(|a| v[(i, a)] * v[(j, a)]).sum();
                normal[(k * d1 + b * d2 + i, k * d1 + b * d2 + j)] += factor * vv;
            }
        }
        for a in 0..k {
            for j in 0..d1 {
                for i in 0..d2 {
                    normal[(k * d1 + a * d2 + i, b * d1 + j)] -= factor * v[(i, b)] * u[(j, a)];
                }
            }
        }
    }
}

/// The same for the gauge `U K` with `K` skew: `R -> U (U^T R - R^T U) / 2`, times two.
fn fix_rotations(normal: &mut Mat<f64>, u: &Mat<f64>, factor: f64) {
    let (d, k) = (u.nrows(), u.ncols());
    for c in 0..k {
        for j in 0..d {
            for b in c..k {
                let first = if b == c { j } else { 0 };
                for i in first..d {
                    let along: f64 =
                        if b == c { (0..k).map(|a| u[(i, a)] * u[(j, a)]).sum() } else { 0.0 };
                    normal[(b * d + i, c * d + j)] += factor * (along - u[(i, c)] * u[(j, b)]);
                }
            }
        }
    }
}
