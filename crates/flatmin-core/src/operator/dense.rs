//! Dense measurements: `m` full matrices `A_i`, read once a pass.

mod energy;

use super::{Dims, Gram, LinearMap, check_dims, stack, unstack};
use crate::Error;
use crate::error::finite;
use crate::linalg;
use crate::linalg::kernel::{axpy_inline, dot_inline, measurement_gradient, vectorised};
use faer::{Mat, MatMut, MatRef};

/// Measurement matrices whose squares would leave double precision are refused.
const SANE: (f64, f64) = (1e-140, 1e140);

/// A map given by its `m` measurement matrices, stored one after the other, each row by row.
///
/// ```
/// use flatmin_core::{DenseMap, LinearMap, Mat};
/// // Two measurements of a 1 x 2 matrix: its entries.
/// let map = DenseMap::new(1, 2, vec![1.0, 0.0, 0.0, 1.0])?;
/// let mut b = [0.0; 2];
/// map.apply(Mat::from_fn(1, 2, |_, j| 5.0 + j as f64).as_ref(), &mut b);
/// assert_eq!(b, [5.0, 6.0]);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DenseMap {
    dims: Dims,
    data: Vec<f64>,
}

impl DenseMap {
    /// Takes the `m x d1 x d2` array in C order; `m` follows from its length.
    ///
    /// # Errors
    /// When the array is empty, does not divide into `rows x cols` matrices, holds a NaN or an
    /// infinity, or is so large or small that its squares leave double precision.
    pub fn new(rows: usize, cols: usize, data: Vec<f64>) -> Result<DenseMap, Error> {
        let size = rows.checked_mul(cols).unwrap_or(0);
        if size == 0 {
            check_dims(Dims { rows, cols, measurements: 1 })?;
        }
        if size == 0 || !data.len().is_multiple_of(size) {
            return Err(Error::Shape {
                what: "measurements",
                expected: format!("a multiple of {rows} x {cols} entries"),
                got: format!("{} entries", data.len()),
            });
        }
        let dims = Dims { rows, cols, measurements: data.len() / size };
        check_dims(dims)?;
        finite("measurements", &data)?;
        // Each on its own: one that is too small would vanish beside the others.
        for (i, a) in data.chunks_exact(size).enumerate() {
            let magnitude = linalg::max_abs(a);
            if magnitude != 0.0 && !(SANE.0..=SANE.1).contains(&magnitude) {
                let what = format!("number {i} of the measurements");
                return Err(Error::Scale { what, magnitude, sane: SANE });
            }
        }
        Ok(DenseMap { dims, data })
    }

    /// Takes a list of measurement matrices, all of one shape.
    ///
    /// # Errors
    /// As [`DenseMap::new`], and when the shapes differ.
    pub fn from_matrices<'a>(
        matrices: impl IntoIterator<Item = MatRef<'a, f64>>,
    ) -> Result<DenseMap, Error> {
        let mut data = Vec::new();
        let mut shape = None;
        for a in matrices {
            let (rows, cols) = *shape.get_or_insert(a.shape());
            if a.shape() != (rows, cols) {
                return Err(Error::Shape {
                    what: "every measurement matrix",
                    expected: format!("the first one's shape {rows} x {cols}"),
                    got: format!("{} x {}", a.nrows(), a.ncols()),
                });
            }
            data.extend((0..rows).flat_map(|i| (0..cols).map(move |j| a[(i, j)])));
        }
        let Some((rows, cols)) = shape else {
            return Err(Error::Empty { what: "the list of measurements" });
        };
        DenseMap::new(rows, cols, data)
    }

    /// Tabulates a linear map that is known only through a function `X -> A(X)`.
    ///
    /// Linearity is the caller's promise; the map is probed on the `d1 d2` unit matrices.
    ///
    /// # Errors
    /// As [`DenseMap::new`], and when the images differ in length.
    pub fn from_fn(
        rows: usize,
        cols: usize,
        mut map: impl FnMut(MatRef<'_, f64>) -> Vec<f64>,
    ) -> Result<DenseMap, Error> {
        check_dims(Dims { rows, cols, measurements: 1 })?;
        let mut unit = Mat::zeros(rows, cols);
        let mut images = Vec::with_capacity(rows * cols);
        for i in 0..rows {
            for j in 0..cols {
                unit[(i, j)] = 1.0;
                images.push(map(unit.as_ref()));
                unit[(i, j)] = 0.0;
            }
        }
        let m = images[0].len();
        if let Some(odd) = images.iter().find(|image| image.len() != m) {
            return Err(Error::Shape {
                what: "every image of the map",
                expected: format!("the first one's length {m}"),
                got: format!("length {}", odd.len()),
            });
        }
        let data = (0..m).flat_map(|i| images.iter().map(move |image| image[i])).collect();
        DenseMap::new(rows, cols, data)
    }

    /// The array the map was made of, in C order.
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    fn size(&self) -> usize {
        self.dims.rows * self.dims.cols
    }

    /// Measurement `i`, row by row.
    fn slice(&self, i: usize) -> &[f64] {
        &self.data[i * self.size()..(i + 1) * self.size()]
    }

    /// The whole array as a column-major `d1 d2 x m` matrix, one measurement a column.
    fn columns(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data, self.size(), self.dims.measurements)
    }

    /// The rows of the Jacobian of `(L, R) -> A(L R^T)`, for one block of measurements after the other: hands
    /// `f` the `A_i R`, row-major, one a column (`k d1 x w`), and the `A_i^T L`, column-major (`k d2 x w`;
    /// none without `L`).
    fn jacobian(
        &self,
        l: Option<MatRef<'_, f64>>,
        r: MatRef<'_, f64>,
        mut f: impl FnMut(MatRef<'_, f64>, MatRef<'_, f64>),
    ) {
        let Dims { rows, cols, measurements } = self.dims;
        let (k, size) = (r.ncols(), self.size());
        let block = (BLOCK / 4 / size).clamp(1, measurements);
        let mut left = vec![0.0; k * rows * block];
        let mut right = Mat::zeros(if l.is_some() { k * cols } else { 0 }, block);
        for data in self.data.chunks(block * size) {
            let width = data.len() / size;
            let left = &mut left[..k * rows * width];
            // All rows of the block, one a column.
            let stacked = MatRef::from_column_major_slice(data, cols, rows * width);
            let images = MatMut::from_column_major_slice_mut(left, k, rows * width);
            linalg::multiply(images, r.transpose(), stacked);
            if let Some(l) = l {
                for i in 0..width {
                    let image = right.col_as_slice_mut(i);
                    let image = MatMut::from_column_major_slice_mut(image, cols, k);
                    linalg::multiply(image, stacked.subcols(i * rows, rows), l);
                }
            }
            let left = MatRef::from_column_major_slice(left, k * rows, width);
            f(left, right.as_ref().subcols(0, width));
        }
    }

    /// `J^T J v` for the Jacobian above, or without `L` for its left part alone.
    fn jacobian_times(
        &self,
        l: Option<MatRef<'_, f64>>,
        r: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
        mut out: MatMut<'_, f64>,
    ) {
        let (rows, k, p) = (self.dims.rows, r.ncols(), v.ncols());
        let (us, vs) = v.split_at_row(k * rows);
        // Row-major, as the A_i R are.
        let us = Mat::from_fn(k * rows, p, |a, c| us[(a % k * rows + a / k, c)]);
        let mut left = Mat::zeros(k * rows, p);
        let (mut out_left, mut right) = out.as_mut().split_at_row_mut(k * rows);
        right.fill(0.0);
        self.jacobian(l, r, |on_left, on_right| {
            let mut w = linalg::product(on_left.transpose(), us.as_ref());
            linalg::accumulate(w.as_mut(), on_right.transpose(), vs);
            linalg::accumulate(left.as_mut(), on_left, w.as_ref());
            linalg::accumulate(right.as_mut(), on_right, w.as_ref());
        });
        for c in 0..p {
            let column = out_left.as_mut().col_mut(c).iter_mut().enumerate();
            column.for_each(|(a, o)| *o = left[(a % rows * k + a / rows, c)]);
        }
    }

    /// `Y_c = sum_i A_i <A_i, X_c>` for matrices kept row-major, one a column (`d1 d2 x p`), in one
    /// pass over the measurements.
    fn normal(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut y = Mat::zeros(self.size(), x.ncols());
        if x.ncols() == 1 {
            let (x, sum) = (linalg::row_major(x), y.col_as_slice_mut(0));
            vectorised(
                #[inline(always)]
                || {
                    for a in self.data.chunks_exact(x.len()) {
                        axpy_inline(dot_inline(a, &x), a, sum);
                    }
                },
            );
            return y;
        }
        let m = self.dims.measurements;
        // A few megabytes: the nearer caches hold what products of such blocks reuse.
        let block = (BLOCK / self.size()).clamp(1, m);
        let mut w = Mat::zeros(block, x.ncols());
        for start in (0..m).step_by(block) {
            let a = self.columns().subcols(start, block.min(m - start));
            let mut w = w.as_mut().subrows_mut(0, a.ncols());
            linalg::multiply(w.as_mut(), a.transpose(), x);
            linalg::accumulate(y.as_mut(), a, w.as_ref());
        }
        y
    }
}

/// Numbers in a block of measurements that is multiplied twice.
const BLOCK: usize = 1 << 18;

/// Up to so many columns of the factors a row of the Jacobian is faster formed by the kernel that reads a
/// measurement once than by matrix products.
const NARROW: usize = 4;

/// Column `c` of a block of row-major `d1 x d2` matrices as the transpose, `d2 x d1`.
fn transposed(block: &Mat<f64>, c: usize, cols: usize) -> MatRef<'_, f64> {
    let column = block.col_as_slice(c);
    MatRef::from_column_major_slice(column, cols, column.len() / cols)
}

/// The same, to be written.
fn transposed_mut(block: &mut Mat<f64>, c: usize, cols: usize) -> MatMut<'_, f64> {
    let column = block.col_as_slice_mut(c);
    let rows = column.len() / cols;
    MatMut::from_column_major_slice_mut(column, cols, rows)
}

fn unpack(flat: &[f64], mut out: MatMut<'_, f64>) {
    let cols = out.ncols();
    for j in 0..cols {
        for (i, o) in out.as_mut().col_mut(j).iter_mut().enumerate() {
            *o = flat[i * cols + j];
        }
    }
}

impl LinearMap for DenseMap {
    fn dims(&self) -> Dims {
        self.dims
    }

    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]) {
        let flat = linalg::row_major(x);
        vectorised(
            #[inline(always)]
            || {
                for (o, a) in out.iter_mut().zip(self.data.chunks_exact(flat.len())) {
                    *o = dot_inline(a, &flat);
                }
            },
        );
    }

    fn adjoint(&self, y: &[f64], out: MatMut<'_, f64>) {
        let mut flat = vec![0.0; self.size()];
        vectorised(
            #[inline(always)]
            || {
                for (&y, a) in y.iter().zip(self.data.chunks_exact(flat.len())) {
                    axpy_inline(y, a, &mut flat);
                }
            },
        );
        unpack(&flat, out);
    }

    fn measurement(&self, i: usize) -> Mat<f64> {
        let Dims { rows, cols, .. } = self.dims;
        MatRef::from_row_major_slice(self.slice(i), rows, cols).to_owned()
    }

    fn norms(&self) -> Vec<f64> {
        vectorised(
            #[inline(always)]
            || self.data.chunks_exact(self.size()).map(|a| dot_inline(a, a).sqrt()).collect(),
        )
    }

    fn residual_and_adjoint(
        &self,
        x: MatRef<'_, f64>,
        targets: &[f64],
        residual: &mut [f64],
        back: MatMut<'_, f64>,
    ) {
        let flat = linalg::row_major(x);
        let mut sum = vec![0.0; self.size()];
        vectorised(
            #[inline(always)]
            || {
                let rows = self.data.chunks_exact(flat.len());
                for ((r, &b), a) in residual.iter_mut().zip(targets).zip(rows) {
                    // The measurement is still in the nearest cache when it is read again.
                    *r = dot_inline(a, &flat) - b;
                    axpy_inline(*r, a, &mut sum);
                }
            },
        );
        unpack(&sum, back);
    }

    fn grams(&self) -> (Gram, Gram) {
        let Dims { rows, cols, measurements } = self.dims;
        // Row p of all measurements of a block, one after the other, is column p of a panel.
        let mut left = Mat::zeros(rows, rows);
        let block = ((1 << 17) / self.size()).clamp(1, measurements);
        for data in self.data.chunks(block * self.size()) {
            let width = data.len() / self.size();
            let mut panel = Mat::zeros(width * cols, rows);
            for (i, a) in data.chunks_exact(self.size()).enumerate() {
                for (p, row) in a.chunks_exact(cols).enumerate() {
                    panel.col_as_slice_mut(p)[i * cols..(i + 1) * cols].copy_from_slice(row);
                }
            }
            linalg::accumulate_lower(left.as_mut(), panel.transpose(), panel.as_ref());
        }
        linalg::symmetrise_from_lower(left.as_mut());
        // All rows of all measurements, one a column: one long product.
        let stacked = MatRef::from_column_major_slice(&self.data, cols, rows * measurements);
        let mut right = Mat::zeros(cols, cols);
        linalg::multiply_lower(right.as_mut(), stacked, stacked.transpose());
        linalg::symmetrise_from_lower(right.as_mut());
        (Gram::Dense(left), Gram::Dense(right))
    }

    fn tangent_normal(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let Dims { rows, measurements, .. } = self.dims;
        let k = u.ncols();
        let u_rows = linalg::row_major(u);
        let v_columns: Vec<f64> = v.col_iter().flat_map(|c| c.iter().copied()).collect();
        linalg::sum_of_squares(out, measurements, |i, gradient| {
            let (left, right) = gradient.split_at_mut(k * rows);
            vectorised(
                #[inline(always)]
                || measurement_gradient(self.slice(i), &u_rows, &v_columns, k, left, right),
            );
        });
    }

    fn gradient_normal(&self, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let Dims { rows, cols, measurements } = self.dims;
        linalg::sum_of_squares(out, measurements, |i, gradient| {
            let image = MatMut::from_column_major_slice_mut(gradient, rows, v.ncols());
            linalg::multiply(image, MatRef::from_row_major_slice(self.slice(i), rows, cols), v);
        });
    }

    fn tangent_times(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
        out: MatMut<'_, f64>,
    ) {
        let Dims { rows, cols, measurements } = self.dims;
        let (k, p) = (l.ncols(), v.ncols());
        // Flops a measurement, over 4: d1 d2 p by way of the matrices U R^T + L V^T; k d1 d2 for a
        // row of the Jacobian and k (d1 + d2) p for its products.
        if k * (self.size() + (rows + cols) * p) < self.size() * p {
            if k > NARROW {
                return self.jacobian_times(Some(l), r, v, out);
            }
            let (l_rows, r_columns) = (linalg::row_major(l), linalg::row_major(r.transpose()));
            linalg::sum_of_squares_times(v, out, measurements, |i, gradient| {
                let (left, right) = gradient.split_at_mut(k * rows);
                vectorised(
                    #[inline(always)]
                    || measurement_gradient(self.slice(i), &l_rows, &r_columns, k, left, right),
                );
            });
            return;
        }
        let (mut us, mut vs) = unstack(v, rows, cols);
        let mut x = Mat::zeros(self.size(), p);
        for c in 0..p {
            let (u, v) = (us.as_ref().subcols(c * k, k), vs.as_ref().subcols(c * k, k));
            let mut x = transposed_mut(&mut x, c, cols);
            linalg::multiply(x.as_mut(), r, u.transpose());
            linalg::accumulate(x, v, l.transpose());
        }
        let y = self.normal(x.as_ref());
        for c in 0..p {
            let y = transposed(&y, c, cols);
            linalg::multiply(us.as_mut().subcols_mut(c * k, k), y.transpose(), r);
            linalg::multiply(vs.as_mut().subcols_mut(c * k, k), y, l);
        }
        stack(us.as_ref(), vs.as_ref(), out);
    }

    fn gradient_times(&self, v: MatRef<'_, f64>, x: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let Dims { rows, cols, .. } = self.dims;
        let (k, p) = (v.ncols(), x.ncols());
        // As above, over 2, with half as much to do for a row of the Jacobian.
        if k * (self.size() + 2 * rows * p) < 2 * self.size() * p {
            return self.jacobian_times(None, v, x, out);
        }
        let (mut xs, none) = unstack(x, rows, 0);
        let mut full = Mat::zeros(self.size(), p);
        for c in 0..p {
            let x = xs.as_ref().subcols(c * k, k);
            linalg::multiply(transposed_mut(&mut full, c, cols), v, x.transpose());
        }
        let y = self.normal(full.as_ref());
        for c in 0..p {
            let y = transposed(&y, c, cols);
            linalg::multiply(xs.as_mut().subcols_mut(c * k, k), y.transpose(), v);
        }
        stack(xs.as_ref(), none.as_ref(), out);
    }

    fn energies(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> (f64, f64) {
        let Dims { rows, cols, .. } = self.dims;
        let k = l.ncols();
        let (mut by_r, mut by_l) = (0.0, 0.0);
        if k > NARROW {
            self.jacobian(Some(l), r, |left, right| {
                by_r += left.squared_norm_l2();
                by_l += right.squared_norm_l2();
            });
            return (by_r, by_l);
        }
        let (l_rows, r_columns) = (linalg::row_major(l), linalg::row_major(r.transpose()));
        let (mut left, mut right) = (vec![0.0; k * rows], vec![0.0; k * cols]);
        vectorised(
            #[inline(always)]
            || {
                for a in self.data.chunks_exact(self.size()) {
                    measurement_gradient(a, &l_rows, &r_columns, k, &mut left, &mut right);
                    by_r += dot_inline(&left, &left);
                    by_l += dot_inline(&right, &right);
                }
            },
        );
        (by_r, by_l)
    }

    fn core_energy(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        left: MatMut<'_, f64>,
        right: MatMut<'_, f64>,
    ) -> f64 {
        energy::of_core(self, l, r, left, right)
    }

    fn schur(
        &self,
        w1: MatRef<'_, f64>,
        w2: MatRef<'_, f64>,
        w12: Option<MatRef<'_, f64>>,
        mut out: MatMut<'_, f64>,
    ) {
        let Dims { rows, cols, measurements: m } = self.dims;
        // In blocks of measurements, so that the images stay within a few megabytes. In transposed
        // storage, T = A^T, an image is (W1 A W2 + W12 A^T W12)^T = (W2 T) W1 + ((W12 T) W12)^T,
        // and the inner products of a whole block are one product with its stacked columns.
        let block = ((1 << 18) / self.size()).clamp(1, m);
        let mut images = Mat::zeros(self.size(), block);
        let mut half = Mat::zeros(cols, rows * block);
        let mut other = Mat::zeros(rows, rows * block);
        for start in (0..m).step_by(block) {
            let width = block.min(m - start);
            let data = &self.data[start * self.size()..(start + width) * self.size()];
            let stacked = MatRef::from_column_major_slice(data, cols, rows * width);
            linalg::multiply(half.as_mut().subcols_mut(0, rows * width), w2, stacked);
            if let Some(w12) = w12 {
                linalg::multiply(other.as_mut().subcols_mut(0, rows * width), w12, stacked);
            }
            for j in 0..width {
                let image = images.col_as_slice_mut(j);
                let mut image = MatMut::from_column_major_slice_mut(image, cols, rows);
                linalg::multiply(image.as_mut(), half.as_ref().subcols(j * rows, rows), w1);
                if let Some(w12) = w12 {
                    let other = other.as_ref().subcols(j * rows, rows);
                    linalg::accumulate(image, w12.transpose(), other.transpose());
                }
            }
            // Columns start.. of the lower triangle.
            let below = m - start;
            linalg::multiply(
                out.as_mut().submatrix_mut(start, start, below, width),
                self.columns().subcols(start, below).transpose(),
                images.as_ref().subcols(0, width),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::{Selection, check};
    use crate::rng::{Role, Stream};

    #[test]
    fn obeys_the_law_of_linear_maps() {
        for (rows, cols, m) in [(1, 1, 1), (1, 5, 3), (4, 1, 2), (6, 9, 20), (17, 8, 40)] {
            let mut stream = Stream::new(3, "dense", 0, 0, Role::Measurements);
            let map = DenseMap::new(rows, cols, stream.gaussian_vector(rows * cols * m)).unwrap();
            assert!(check::adjoint(&map, 11) < 1e-12, "{rows} x {cols}, m = {m}");
        }
    }

    /// Every way of multiplying a block, against the methods that all maps inherit.
    #[test]
    fn products_with_blocks_do_not_depend_on_the_way() {
        let mut stream = Stream::new(4, "dense", 0, 0, Role::Measurements);
        for (rows, cols, m) in [(30, 40, 70), (41, 26, 300)] {
            let map = DenseMap::new(rows, cols, stream.gaussian_vector(rows * cols * m)).unwrap();
            let inherited = Selection::of(&map, (0..m).collect());
            for k in [NARROW, NARROW + 1] {
                let (l, r) = (stream.gaussian_matrix(rows, k), stream.gaussian_matrix(cols, k));
                let (l, r) = (l.as_ref(), r.as_ref());
                let (by_r, by_l) = inherited.energies(l, r);
                let energies = map.energies(l, r);
                assert!((energies.0 - by_r).abs() < 1e-13 * by_r);
                assert!((energies.1 - by_l).abs() < 1e-13 * by_l);
                for p in [1, 3, 30] {
                    let v = stream.gaussian_matrix(k * (rows + cols), p);
                    let x = v.subrows(0, k * rows);
                    let mut pairs = [Mat::full(v.nrows(), p, 9.0), Mat::full(v.nrows(), p, 9.0)];
                    let mut sides = [Mat::full(x.nrows(), p, 9.0), Mat::full(x.nrows(), p, 9.0)];
                    for (n, map) in [&map as &dyn LinearMap, &inherited].into_iter().enumerate() {
                        map.tangent_times(l, r, v.as_ref(), pairs[n].as_mut());
                        map.gradient_times(r, x, sides[n].as_mut());
                    }
                    for [one, other] in [&pairs, &sides] {
                        let error = (one - other).norm_l2() / other.norm_l2();
                        assert!(error < 1e-13, "{rows} x {cols}, k = {k}, p = {p}: {error:e}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_tabulated_function_is_the_same_map() {
        let mut stream = Stream::new(5, "dense", 0, 0, Role::Measurements);
        let map = DenseMap::new(3, 4, stream.gaussian_vector(3 * 4 * 5)).unwrap();
        let copy = DenseMap::from_fn(3, 4, |x| {
            let mut out = vec![0.0; 5];
            map.apply(x, &mut out);
            out
        })
        .unwrap();
        assert_eq!(map.as_slice(), copy.as_slice());
    }

    #[test]
    fn names_what_is_wrong() {
        assert!(matches!(DenseMap::new(2, 2, vec![]), Err(Error::Empty { .. })));
        assert!(matches!(DenseMap::new(0, 2, vec![1.0]), Err(Error::Shape { .. })));
        assert!(matches!(DenseMap::new(2, 2, vec![1.0; 5]), Err(Error::Shape { .. })));
        let bad = DenseMap::new(1, 2, vec![1.0, f64::NAN]);
        assert!(matches!(bad, Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(DenseMap::new(1, 1, vec![1e300]), Err(Error::Scale { .. })));
    }
}
