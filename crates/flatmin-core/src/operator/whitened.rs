//! A map seen through a change of variables `X = P1 Z P2^T`.

use super::{Dims, LinearMap, Whitening};
use crate::linalg;
use faer::{Mat, MatMut, MatRef};

/// `B(Z) = A(P1 Z P2^T)`: in these variables FLAT becomes `min |Z|_*  s.t.  B(Z) = b`.
pub(crate) struct Whitened<'a> {
    pub(crate) map: &'a dyn LinearMap,
    pub(crate) left: &'a Whitening,
    pub(crate) right: &'a Whitening,
}

impl Whitened<'_> {
    /// `P1 Z P2^T`.
    fn lift(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        let half = self.left.times(z);
        self.right.times(half.transpose()).transpose().to_owned()
    }

    /// `P1^T G P2`.
    fn lower(&self, g: MatRef<'_, f64>) -> Mat<f64> {
        let half = self.left.transpose_times(g);
        self.right.transpose_times(half.transpose()).transpose().to_owned()
    }
}

impl LinearMap for Whitened<'_> {
    fn dims(&self) -> Dims {
        Dims {
            rows: self.left.rank(),
            cols: self.right.rank(),
            measurements: self.map.dims().measurements,
        }
    }

    fn apply(&self, z: MatRef<'_, f64>, out: &mut [f64]) {
        self.map.apply(self.lift(z).as_ref(), out);
    }

    fn adjoint(&self, y: &[f64], mut out: MatMut<'_, f64>) {
        out.copy_from(self.lower(self.map.adjoint_matrix(y).as_ref()));
    }

    fn measurement(&self, i: usize) -> Mat<f64> {
        self.lower(self.map.measurement(i).as_ref())
    }

    fn residual_and_adjoint(
        &self,
        z: MatRef<'_, f64>,
        targets: &[f64],
        residual: &mut [f64],
        mut back: MatMut<'_, f64>,
    ) {
        let mut full = Mat::zeros(self.left.order(), self.right.order());
        let x = self.lift(z);
        self.map.residual_and_adjoint(x.as_ref(), targets, residual, full.as_mut());
        back.copy_from(self.lower(full.as_ref()));
    }

    fn residual_and_gradient(
        &self,
        (u, s, v): (MatRef<'_, f64>, &[f64], MatRef<'_, f64>),
        targets: &[f64],
        residual: &mut [f64],
        mut left: MatMut<'_, f64>,
        mut right: MatMut<'_, f64>,
    ) {
        let (u, v) = (self.left.times(u), self.right.times(v));
        let mut gl = Mat::zeros(u.nrows(), u.ncols());
        let mut gr = Mat::zeros(v.nrows(), v.ncols());
        let frames = (u.as_ref(), s, v.as_ref());
        self.map.residual_and_gradient(frames, targets, residual, gl.as_mut(), gr.as_mut());
        left.copy_from(self.left.transpose_times(gl.as_ref()));
        right.copy_from(self.right.transpose_times(gr.as_ref()));
    }

    fn apply_factored(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>, out: &mut [f64]) {
        self.map.apply_factored(self.left.times(l).as_ref(), self.right.times(r).as_ref(), out);
    }

    fn adjoint_times(&self, y: &[f64], r: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let mut full = Mat::zeros(self.left.order(), r.ncols());
        self.map.adjoint_times(y, self.right.times(r).as_ref(), full.as_mut());
        out.copy_from(self.left.transpose_times(full.as_ref()));
    }

    fn adjoint_transpose_times(&self, y: &[f64], l: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let mut full = Mat::zeros(self.right.order(), l.ncols());
        self.map.adjoint_transpose_times(y, self.left.times(l).as_ref(), full.as_mut());
        out.copy_from(self.right.transpose_times(full.as_ref()));
    }

    fn tangent_normal(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let k = u.ncols();
        let (d1, d2) = (self.left.order(), self.right.order());
        let (rho1, rho2) = (self.left.rank(), self.right.rank());
        let mut full = Mat::zeros(k * (d1 + d2), k * (d1 + d2));
        let (u, v) = (self.left.times(u), self.right.times(v));
        self.map.tangent_normal(u.as_ref(), v.as_ref(), full.as_mut());
        linalg::symmetrise_from_lower(full.as_mut());
        // Congruence with diag(P1, .., P1, P2, .., P2), block by block of the lower triangle.
        let block = |c: usize| {
            if c < k {
                (self.left, c * d1, d1, c * rho1, rho1)
            } else {
                (self.right, k * d1 + (c - k) * d2, d2, k * rho1 + (c - k) * rho2, rho2)
            }
        };
        for c in 0..2 * k {
            let (p, from, d, to, rho) = block(c);
            for e in 0..=c {
                let (q, from_e, d_e, to_e, rho_e) = block(e);
                let half = p.transpose_times(full.as_ref().submatrix(from, from_e, d, d_e));
                let both = q.transpose_times(half.transpose());
                out.as_mut().submatrix_mut(to, to_e, rho, rho_e).copy_from(both.transpose());
            }
        }
    }

    fn gradient_normal(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (k, d, rho) = (v.ncols(), self.left.order(), self.left.rank());
        let mut full = Mat::zeros(k * d, k * d);
        self.map.gradient_normal(self.right.times(v).as_ref(), full.as_mut());
        linalg::symmetrise_from_lower(full.as_mut());
        for c in 0..k {
            for e in 0..=c {
                let half = self.left.transpose_times(full.as_ref().submatrix(c * d, e * d, d, d));
                let both = self.left.transpose_times(half.transpose());
                out.as_mut().submatrix_mut(c * rho, e * rho, rho, rho).copy_from(both.transpose());
            }
        }
    }

    fn schur(
        &self,
        w1: MatRef<'_, f64>,
        w2: MatRef<'_, f64>,
        w12: Option<MatRef<'_, f64>>,
        out: MatMut<'_, f64>,
    ) {
        let congruence = |p: &Whitening, w: MatRef<'_, f64>| {
            let half = p.times(w);
            p.times(half.transpose())
        };
        let (w1, w2) = (congruence(self.left, w1), congruence(self.right, w2));
        let w12 = w12.map(|w| self.lift(w));
        self.map.schur(w1.as_ref(), w2.as_ref(), w12.as_ref().map(|w| w.as_ref()), out);
    }

    fn diagonal_gram(&self, w1: &[f64], w2: &[f64]) -> Option<Vec<f64>> {
        self.map.diagonal_gram(&self.left.spread_diagonal(w1)?, &self.right.spread_diagonal(w2)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::product;
    use crate::operator::check;
    use crate::rng::{Role, Stream};
    use crate::{DenseMap, Entries, Rescaling};

    #[test]
    fn obeys_the_law_of_linear_maps_and_whitens() {
        let mut stream = Stream::new(1, "whitened", 0, 0, Role::Measurements);
        let dense = DenseMap::new(4, 6, stream.gaussian_vector(4 * 6 * 10)).unwrap();
        // The last row is never seen, so the map acts on its range only.
        let entries = Entries::new(5, 3, &[0, 1, 1, 2, 3], &[0, 0, 1, 2, 1]).unwrap();
        for map in [&dense as &dyn LinearMap, &entries] {
            let rescaling = Rescaling::new(map).unwrap();
            for weighted in [true, false] {
                let left = Whitening::new(&rescaling.d1_squared, weighted).unwrap();
                let right = Whitening::new(&rescaling.d2_squared, weighted).unwrap();
                let whitened = Whitened { map, left: &left, right: &right };
                assert!(check::adjoint(&whitened, 5) < 1e-12);
                if weighted {
                    let p = left.times(Mat::<f64>::identity(left.rank(), left.rank()).as_ref());
                    let g = rescaling.d1_squared.to_dense();
                    let whitened_gram =
                        product(p.transpose(), product(g.as_ref(), p.as_ref()).as_ref());
                    let error =
                        (whitened_gram - Mat::<f64>::identity(left.rank(), left.rank())).norm_l2();
                    assert!(error < 1e-12, "P^T G P differs from I by {error:e}");
                }
            }
        }
    }
}
