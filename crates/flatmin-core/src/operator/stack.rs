//! Blocks of factor pairs: `(vec U, vec V)` one a column, as two wide matrices.

use faer::{Mat, MatMut, MatRef};

/// The pairs `U_c` (`d1 x k`), `V_c` (`d2 x k`) of a block whose columns are `(vec U_c, vec V_c)`,
/// column-major, side by side: `[U_1 .. U_p]` of shape `d1 x k p` and `[V_1 .. V_p]` of shape `d2 x k p`.
///
/// ```
/// use flatmin_core::{Mat, operator::{stack, unstack}};
/// // Two pairs of a 2 x 1 and a 1 x 1 matrix.
/// let block = Mat::from_fn(3, 2, |i, c| (i + 10 * c) as f64);
/// let (u, v) = unstack(block.as_ref(), 2, 1);
/// assert_eq!((u[(1, 1)], v[(0, 1)]), (11.0, 12.0));
/// let mut again = Mat::zeros(3, 2);
/// stack(u.as_ref(), v.as_ref(), again.as_mut());
/// assert_eq!(again, block);
/// ```
pub fn unstack(block: MatRef<'_, f64>, d1: usize, d2: usize) -> (Mat<f64>, Mat<f64>) {
    let (k, p) = (block.nrows() / (d1 + d2).max(1), block.ncols());
    let (mut left, mut right) = (Mat::zeros(d1, k * p), Mat::zeros(d2, k * p));
    for (c, column) in block.col_iter().enumerate() {
        for j in 0..k {
            left.col_mut(c * k + j).copy_from(column.subrows(j * d1, d1));
            right.col_mut(c * k + j).copy_from(column.subrows(k * d1 + j * d2, d2));
        }
    }
    (left, right)
}

/// The inverse of [`unstack`]: `p` columns of `out` from `k p` columns of either matrix.
pub fn stack(left: MatRef<'_, f64>, right: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
    let (d1, d2, p) = (left.nrows(), right.nrows(), out.ncols());
    let k = left.ncols() / p.max(1);
    for c in 0..p {
        let mut column = out.as_mut().col_mut(c);
        for j in 0..k {
            column.as_mut().subrows_mut(j * d1, d1).copy_from(left.col(c * k + j));
            column.as_mut().subrows_mut(k * d1 + j * d2, d2).copy_from(right.col(c * k + j));
        }
    }
}
