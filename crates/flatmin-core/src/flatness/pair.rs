//! Operators on pairs of factors, and their scaling by the sizes of the two blocks.

use super::SymmetricOperator;
use crate::linalg::{Par, svd};
use crate::{Mat, MatMut, MatRef};

/// A symmetric operator on pairs `(U, V)` of shapes `d1 x k` and `d2 x k`, in the coordinates
/// `(vec U, vec V)`, column-major: a Hessian in two factors.
pub trait PairOperator: SymmetricOperator {
    /// `(d1, d2)`.
    fn shape(&self) -> (usize, usize);

    /// Exact traces of the block of `U` and of that of `V`.
    fn traces(&self) -> (f64, f64);

    /// Exact scaled trace: that of the first block over `d1` plus that of the second over `d2`.
    fn scaled_trace(&self) -> f64 {
        let ((d1, d2), (left, right)) = (self.shape(), self.traces());
        left / d1 as f64 + right / d2 as f64
    }

    /// `S^{1/2} H S^{1/2}` with `S = 1/d1` on the first block and `1/d2` on the second: the operator whose
    /// trace is the scaled trace.
    ///
    /// ```
    /// use flatmin_core::flatness::{PairOperator, SymmetricOperator};
    /// use flatmin_core::{Entries, FactoredLoss, Mat};
    /// let map = Entries::new(1, 2, &[0, 0], &[0, 1])?;
    /// let (l, r) = (Mat::full(1, 1, 2.0), Mat::full(2, 1, 3.0));
    /// let hessian = FactoredLoss::new(&map, &[1.0, 1.0])?.hessian(l.as_ref(), r.as_ref())?;
    /// assert_eq!(hessian.traces(), (18.0, 8.0));
    /// assert_eq!(hessian.scaled().exact_trace(), Some(18.0 + 8.0 / 2.0));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    fn scaled(&self) -> Scaled<'_, Self> {
        Scaled { operator: self }
    }
}

/// `S^{1/2} H S^{1/2}`; made by [`PairOperator::scaled`].
pub struct Scaled<'a, H: ?Sized> {
    operator: &'a H,
}

impl<H: PairOperator + ?Sized> Scaled<'_, H> {
    /// `S^{1/2} v` in place.
    fn scale(&self, v: MatMut<'_, f64>) {
        let (d1, d2) = self.operator.shape();
        let left = v.nrows() / (d1 + d2).max(1) * d1;
        let (mut us, mut vs) = v.split_at_row_mut(left);
        us *= faer::Scale(1.0 / (d1 as f64).sqrt());
        vs *= faer::Scale(1.0 / (d2 as f64).sqrt());
    }
}

impl<H: PairOperator + ?Sized> SymmetricOperator for Scaled<'_, H> {
    fn order(&self) -> usize {
        self.operator.order()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let mut scaled = v.to_owned();
        self.scale(scaled.as_mut());
        self.operator.apply(scaled.as_ref(), out.as_mut());
        self.scale(out);
    }

    fn exact_trace(&self) -> Option<f64> {
        Some(self.operator.scaled_trace())
    }
}

/// The leading eigenvector of `(U, V) -> (X R, X^T L)`, `X = U R^T + L V^T`, up to its length: with
/// `(l, sigma, p)` and `(r, rho, q)` the leading singular triplets of `L` and of `R`,
///
/// ```text
/// U = rho l q^T,   V = sigma r p^T,   X = (rho^2 + sigma^2) l r^T,   eigenvalue rho^2 + sigma^2
/// ```
///
/// Hessians of measurements that treat all directions alike have theirs near it. `None` where both factors
/// are zero.
pub(crate) fn leading_direction(l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Option<Vec<f64>> {
    let (left, right) = (svd(l, Par::Seq).ok()?, svd(r, Par::Seq).ok()?);
    let (sigma, rho) = (*left.s.first()?, *right.s.first()?);
    let outer = |scale: f64, u: &Mat<f64>, v: &Mat<f64>| -> Vec<f64> {
        let (u, v) = (u.col(0), v.col(0));
        v.iter().flat_map(|v| u.iter().map(move |u| scale * u * v)).collect()
    };
    let direction = [outer(rho, &left.u, &right.v), outer(sigma, &right.u, &left.v)].concat();
    let size = crate::linalg::norm(&direction);
    (size > 0.0 && size.is_finite()).then(|| direction.iter().map(|x| x / size).collect())
}
