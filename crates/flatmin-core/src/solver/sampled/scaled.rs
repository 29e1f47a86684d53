//! The sparse matrix `P1 A*(w) P2` of some values `w`, by products with thin matrices.

use crate::linalg::thin::{LANES, Thin};
use crate::linalg::{self, Par};
use crate::operator::Pattern;
use crate::rng::{Role, Stream};
use crate::{Error, Mat};

/// `S = P1 A*(w) P2` for diagonal `P1`, `P2`.
pub(super) struct Scaled<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) par: Par,
    pub(super) p1: &'a [f64],
    pub(super) p2: &'a [f64],
    /// `w` in row order and in column order.
    pub(super) by_row: &'a [f64],
    pub(super) by_col: &'a [f64],
}

impl Scaled<'_> {
    /// `S X`.
    pub(super) fn times(&self, x: &Thin) -> Thin {
        let mut x = x.clone();
        x.scale_rows(self.p2);
        let mut out = self.pattern.by_row().times(self.par, self.by_row, &x);
        out.scale_rows(self.p1);
        out
    }

    /// `S^T X`.
    pub(super) fn transpose_times(&self, x: &Thin) -> Thin {
        let mut x = x.clone();
        x.scale_rows(self.p1);
        let mut out = self.pattern.by_col().times(self.par, self.by_col, &x);
        out.scale_rows(self.p2);
        out
    }

    /// About the leading singular values, and their right vectors, of `blocks` blocks: subspace
    /// iteration from a fixed random start (Halko, Martinsson, Tropp, *Finding structure with
    /// randomness*, SIAM Review 53, 2011).
    ///
    /// # Errors
    /// When a small decomposition does not converge, which finite input does not cause.
    pub(super) fn leading(
        &self,
        blocks: usize,
        rounds: usize,
    ) -> Result<(Vec<f64>, Mat<f64>), Error> {
        let (d1, d2) = (self.p1.len(), self.p2.len());
        let width = (blocks * LANES).min(d1).min(d2);
        let mut stream = Stream::new(0, "leading entries", d1 as u64, d2 as u64, Role::Start);
        let mut v = Thin::from_mat(stream.gaussian_matrix(d2, width).as_ref());
        for _ in 0..rounds {
            v = self.transpose_times(&orthonormal(&self.times(&v)));
            v = orthonormal(&v);
        }
        let (q, r) = linalg::thin_qr(self.times(&v).to_mat().as_ref());
        drop(q);
        let core = linalg::svd(r.as_ref(), Par::Seq)?;
        Ok((core.s, linalg::product(v.to_mat().as_ref(), core.v.as_ref())))
    }
}

/// An orthonormal basis of the columns.
pub(super) fn orthonormal(a: &Thin) -> Thin {
    Thin::from_mat(linalg::thin_qr(a.to_mat().as_ref()).0.as_ref())
}
