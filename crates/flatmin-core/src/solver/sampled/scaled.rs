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

    /// `S S^T` or `S^T S`, the smaller of the two; its lower triangle.
    pub(super) fn gram(&self) -> Mat<f64> {
        let (rows, cols) = (self.p1.len(), self.p2.len());
        // Each entry of the longer side adds the product of its list with itself.
        let (lists, w, outer, inner) = if rows <= cols {
            (self.pattern.by_col(), self.by_col, self.p2, self.p1)
        } else {
            (self.pattern.by_row(), self.by_row, self.p1, self.p2)
        };
        let mut gram = Mat::zeros(inner.len(), inner.len());
        let mut values = Vec::new();
        for (i, outer) in outer.iter().enumerate() {
            let list = lists.indices_of(i);
            values.clear();
            values
                .extend(lists.places(i).zip(list).map(|(t, &j)| w[t] * outer * inner[j as usize]));
            for (a, (&j, v)) in list.iter().zip(&values).enumerate() {
                // Indices rise along a list.
                let mut column = gram.col_mut(j as usize);
                list[a..].iter().zip(&values[a..]).for_each(|(&i, u)| column[i as usize] += u * v);
            }
        }
        gram
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
        let (_, r) = linalg::thin_qr(self.times(&v).to_mat().as_ref());
        let core = linalg::svd(r.as_ref(), Par::Seq)?;
        Ok((core.s, linalg::product(v.to_mat().as_ref(), core.v.as_ref())))
    }
}

/// An orthonormal basis of the columns.
pub(super) fn orthonormal(a: &Thin) -> Thin {
    Thin::from_mat(linalg::thin_qr(a.to_mat().as_ref()).0.as_ref())
}
