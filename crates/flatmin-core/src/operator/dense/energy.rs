//! `sum_i |L^T A_i R|_F^2` and half of its gradient, for one block of measurements after the other.
//!
//! With `Y_i = A_i R` and `K_i = Y_i^T L` the energy is `sum_i |K_i|_F^2`, and
//!
//! ```text
//! left = sum_i Y_i K_i,      right = sum_i A_i^T (L K_i^T)
//! ```
//!
//! Rows `p` of all `Y_i` of a block, one after the other, are column `p` of a panel, so that every sum over a
//! block is a single product: `2 d1 d2 q + 3 d1 p q` multiplications a measurement.

use super::{BLOCK, DenseMap};
use crate::linalg::{accumulate, multiply, product};
use crate::operator::Dims;
use faer::{Mat, MatMut, MatRef};

pub(super) fn of_core(
    map: &DenseMap,
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
    mut left: MatMut<'_, f64>,
    mut right: MatMut<'_, f64>,
) -> f64 {
    let Dims { rows, cols, measurements } = map.dims;
    let (q, size) = (r.ncols(), map.size());
    left.fill(0.0);
    right.fill(0.0);
    if q == 0 || l.ncols() == 0 {
        return 0.0;
    }
    let block = (BLOCK / 4 / size).clamp(1, measurements);
    let mut images = vec![0.0; q * rows * block];
    let mut energy = 0.0;
    for data in map.data.chunks(block * size) {
        let width = data.len() / size;
        // All rows of the block, one a column, and of the Y_i.
        let stacked = MatRef::from_column_major_slice(data, cols, rows * width);
        let images = &mut images[..q * rows * width];
        let wide = MatMut::from_column_major_slice_mut(images, q, rows * width);
        multiply(wide, r.transpose(), stacked);

        let mut panel = Mat::zeros(width * q, rows);
        for (i, image) in images.chunks_exact(rows * q).enumerate() {
            for (p, row) in image.chunks_exact(q).enumerate() {
                panel.col_as_slice_mut(p)[i * q..(i + 1) * q].copy_from_slice(row);
            }
        }
        let cores = product(panel.as_ref(), l);
        energy += cores.squared_norm_l2();
        accumulate(left.as_mut(), panel.transpose(), cores.as_ref());

        // L K_i^T in the place of Y_i.
        let spread = product(cores.as_ref(), l.transpose());
        for (i, image) in images.chunks_exact_mut(rows * q).enumerate() {
            for (p, row) in image.chunks_exact_mut(q).enumerate() {
                row.copy_from_slice(&spread.col_as_slice(p)[i * q..(i + 1) * q]);
            }
        }
        let wide = MatRef::from_column_major_slice(images, q, rows * width);
        accumulate(right.as_mut(), stacked, wide.transpose());
    }
    energy
}
