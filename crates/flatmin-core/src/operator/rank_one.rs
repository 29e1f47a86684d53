//! Rank-one measurements `A_i = a_i b_i^T`, kept as their two thin arrays.
//!
//! ```text
//! A(X)_i = a_i^T X b_i,     A*(y) = sum_i y_i a_i b_i^T,
//! sum_i A_i A_i^T = sum_i |b_i|^2 a_i a_i^T,     sum_i A_i^T A_i = sum_i |a_i|^2 b_i b_i^T
//! ```
//!
//! No `m x d1 d2` array is formed: memory is `O(m (d1 + d2))`, and products with factors of `k`
//! columns cost `O(m k (d1 + d2))`.

use super::{Dims, Gram, LinearMap, Whitening, check_dims, stack, unstack};
use crate::error::finite;
use crate::linalg::{self, product, scale_columns};
use crate::{Error, Mat, MatMut, MatRef};
use std::ops::Range;
use std::sync::Arc;

/// Vectors whose fourth powers would leave double precision are refused.
const SANE: (f64, f64) = (1e-70, 1e70);

/// The map `X -> (a_i^T X b_i)_i`.
///
/// ```
/// use flatmin_core::{LinearMap, Mat, RankOne};
/// // Two measurements of a 2 x 1 matrix.
/// let map = RankOne::new(2, 1, vec![1.0, 0.0, 1.0, 2.0], vec![3.0, 1.0])?;
/// let mut b = [0.0; 2];
/// map.apply(Mat::from_fn(2, 1, |i, _| 1.0 + i as f64).as_ref(), &mut b);
/// assert_eq!(b, [3.0, 5.0]);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RankOne {
    /// `a_i`, one a column (`d1 x m`).
    left: Arc<Mat<f64>>,
    /// `b_i`, one a column (`d2 x m`); the same array when the map is symmetric.
    right: Arc<Mat<f64>>,
}

impl RankOne {
    /// Takes the `m x d1` array of the `a_i` and the `m x d2` array of the `b_i`, in C order.
    ///
    /// # Errors
    /// When an array is empty, does not divide into vectors of its length, holds a NaN or an
    /// infinity or a vector beyond the range that can be squared twice, or the two have different
    /// numbers of vectors.
    pub fn new(
        rows: usize,
        cols: usize,
        left: Vec<f64>,
        right: Vec<f64>,
    ) -> Result<RankOne, Error> {
        check_dims(Dims { rows, cols, measurements: 1 })?;
        let left = vectors("the left vectors", rows, left)?;
        let right = vectors("the right vectors", cols, right)?;
        if left.ncols() != right.ncols() {
            return Err(Error::Shape {
                what: "the right vectors",
                expected: format!("{} vectors, as the left ones", left.ncols()),
                got: format!("{} vectors", right.ncols()),
            });
        }
        Ok(RankOne { left: Arc::new(left), right: Arc::new(right) })
    }

    /// The symmetric map `X -> (x_i^T X x_i)_i`, from the `m x d` array of the `x_i` in C order.
    ///
    /// # Errors
    /// As [`RankOne::new`].
    pub fn symmetric(order: usize, probes: Vec<f64>) -> Result<RankOne, Error> {
        check_dims(Dims { rows: order, cols: order, measurements: 1 })?;
        let probes = Arc::new(vectors("the probe vectors", order, probes)?);
        Ok(RankOne { left: Arc::clone(&probes), right: probes })
    }

    /// The vectors `a_i`, one a column (`d1 x m`).
    pub fn left(&self) -> MatRef<'_, f64> {
        self.left.as_ref().as_ref()
    }

    /// The vectors `b_i`, one a column (`d2 x m`).
    pub fn right(&self) -> MatRef<'_, f64> {
        self.right.as_ref().as_ref()
    }

    fn is_symmetric(&self) -> bool {
        Arc::ptr_eq(&self.left, &self.right)
    }

    /// Ranges of measurements of which `width` numbers each make a megabyte.
    fn blocks(&self, width: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let m = self.left.ncols();
        let block = ((1 << 17) / width.max(1)).clamp(1, m);
        (0..m).step_by(block).map(move |start| start..m.min(start + block))
    }
}

/// An array of vectors in C order as a matrix with one a column.
fn vectors(what: &'static str, length: usize, data: Vec<f64>) -> Result<Mat<f64>, Error> {
    if data.is_empty() {
        return Err(Error::Empty { what });
    }
    if !data.len().is_multiple_of(length) {
        return Err(Error::Shape {
            what,
            expected: format!("a multiple of {length} entries"),
            got: format!("{} entries", data.len()),
        });
    }
    finite(what, &data)?;
    for (i, vector) in data.chunks_exact(length).enumerate() {
        let magnitude = linalg::max_abs(vector);
        if magnitude != 0.0 && !(SANE.0..=SANE.1).contains(&magnitude) {
            let what = format!("number {i} of {what}");
            return Err(Error::Scale { what, magnitude, sane: SANE });
        }
    }
    Ok(MatRef::from_column_major_slice(&data, length, data.len() / length).to_owned())
}

/// `out_i = <p_i, q_i>` for the columns of two matrices.
fn column_products(p: MatRef<'_, f64>, q: MatRef<'_, f64>, out: &mut [f64]) {
    for ((o, p), q) in out.iter_mut().zip(p.col_iter()).zip(q.col_iter()) {
        *o = p.iter().zip(q.iter()).map(|(p, q)| p * q).sum();
    }
}

/// Squared norms of the columns.
fn squared_norms(a: MatRef<'_, f64>) -> Vec<f64> {
    a.col_iter().map(|c| c.iter().map(|v| v * v).sum()).collect()
}

/// `sum_i w_i c_i c_i^T` over the columns.
fn weighted_gram(a: MatRef<'_, f64>, weights: &[f64]) -> Mat<f64> {
    let mut gram = Mat::zeros(a.nrows(), a.nrows());
    linalg::multiply_lower(gram.as_mut(), scale_columns(a, weights).as_ref(), a.transpose());
    linalg::symmetrise_from_lower(gram.as_mut());
    gram
}

/// Measurements that are worked on at a time: a megabyte of them.
fn block(order: usize, measurements: usize) -> usize {
    ((1 << 17) / order.max(1)).clamp(1, measurements.max(1))
}

impl LinearMap for RankOne {
    fn dims(&self) -> Dims {
        Dims { rows: self.left.nrows(), cols: self.right.nrows(), measurements: self.left.ncols() }
    }

    // In blocks of measurements, so that no third thin array is formed.
    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]) {
        let Dims { rows, measurements: m, .. } = self.dims();
        let block = block(rows, m);
        for (b, out) in out.chunks_mut(block).enumerate() {
            let right = self.right().subcols(b * block, out.len());
            let left = self.left().subcols(b * block, out.len());
            column_products(left, product(x, right).as_ref(), out);
        }
    }

    fn adjoint(&self, y: &[f64], mut out: MatMut<'_, f64>) {
        let Dims { rows, measurements: m, .. } = self.dims();
        let block = block(rows, m);
        out.fill(0.0);
        for (b, y) in y.chunks(block).enumerate() {
            let right = self.right().subcols(b * block, y.len());
            let left = scale_columns(self.left().subcols(b * block, y.len()), y);
            linalg::accumulate(out.as_mut(), left.as_ref(), right.transpose());
        }
    }

    fn apply_factored(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>, out: &mut [f64]) {
        let p = product(l.transpose(), self.left());
        let q = product(r.transpose(), self.right());
        column_products(p.as_ref(), q.as_ref(), out);
    }

    fn adjoint_times(&self, y: &[f64], r: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let q = scale_columns(product(r.transpose(), self.right()).as_ref(), y);
        linalg::multiply(out, self.left(), q.transpose());
    }

    fn adjoint_transpose_times(&self, y: &[f64], l: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let p = scale_columns(product(l.transpose(), self.left()).as_ref(), y);
        linalg::multiply(out, self.right(), p.transpose());
    }

    fn residual_and_gradient(
        &self,
        (u, s, v): (MatRef<'_, f64>, &[f64], MatRef<'_, f64>),
        targets: &[f64],
        residual: &mut [f64],
        left: MatMut<'_, f64>,
        right: MatMut<'_, f64>,
    ) {
        let p = product(u.transpose(), self.left());
        let q = product(v.transpose(), self.right());
        for (i, (r, b)) in residual.iter_mut().zip(targets).enumerate() {
            let (p, q) = (p.col(i), q.col(i));
            *r = p.iter().zip(q.iter()).zip(s).map(|((p, q), s)| p * s * q).sum::<f64>() - b;
        }
        let q = scale_columns(q.as_ref(), residual);
        linalg::multiply(left, self.left(), q.transpose());
        let p = scale_columns(p.as_ref(), residual);
        linalg::multiply(right, self.right(), p.transpose());
    }

    fn measurement(&self, i: usize) -> Mat<f64> {
        let (a, b) = (self.left.col(i), self.right.col(i));
        Mat::from_fn(a.nrows(), b.nrows(), |p, q| a[p] * b[q])
    }

    fn norms(&self) -> Vec<f64> {
        let (left, right) = (squared_norms(self.left()), squared_norms(self.right()));
        left.iter().zip(&right).map(|(a, b)| (a * b).sqrt()).collect()
    }

    fn in_variables(&self, left: &Whitening, right: &Whitening) -> Option<Box<dyn LinearMap>> {
        let a = Arc::new(left.transpose_times(self.left()));
        let same = self.is_symmetric() && std::ptr::eq(left, right);
        let b = if same { Arc::clone(&a) } else { Arc::new(right.transpose_times(self.right())) };
        Some(Box::new(RankOne { left: a, right: b }))
    }

    fn grams(&self) -> (Gram, Gram) {
        let left = weighted_gram(self.left(), &squared_norms(self.right()));
        if self.is_symmetric() {
            return (Gram::Dense(left.clone()), Gram::Dense(left));
        }
        let right = weighted_gram(self.right(), &squared_norms(self.left()));
        (Gram::Dense(left), Gram::Dense(right))
    }

    fn tangent_normal(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        // The gradient of measurement i is (a_i (b_i^T V), b_i (a_i^T U)).
        let Dims { rows, measurements, .. } = self.dims();
        let p = product(u.transpose(), self.left());
        let q = product(v.transpose(), self.right());
        linalg::sum_of_squares(out, measurements, |i, gradient| {
            let (left, right) = gradient.split_at_mut(u.ncols() * rows);
            outer(self.left.col_as_slice(i), q.col_as_slice(i), left);
            outer(self.right.col_as_slice(i), p.col_as_slice(i), right);
        });
    }

    fn gradient_normal(&self, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let q = product(v.transpose(), self.right());
        linalg::sum_of_squares(out, self.left.ncols(), |i, gradient| {
            outer(self.left.col_as_slice(i), q.col_as_slice(i), gradient);
        });
    }

    fn tangent_times(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
        out: MatMut<'_, f64>,
    ) {
        // w_i = (U^T a_i)^T q_i + (V^T b_i)^T p_i, p_i = L^T a_i, q_i = R^T b_i, for all columns at once.
        let (mut us, mut vs) = unstack(v, l.nrows(), r.nrows());
        let (us_in, vs_in) = (us.clone(), vs.clone());
        us.fill(0.0);
        vs.fill(0.0);
        let pairs = v.ncols();
        for block in self.blocks(us.ncols()) {
            let a = self.left().subcols(block.start, block.len());
            let b = self.right().subcols(block.start, block.len());
            let (p, q) = (product(l.transpose(), a), product(r.transpose(), b));
            let (mut ua, mut vb) = (product(us_in.transpose(), a), product(vs_in.transpose(), b));
            let mut w = vec![0.0; pairs];
            for i in 0..block.len() {
                let (p, q) = (p.col_as_slice(i), q.col_as_slice(i));
                w.fill(0.0);
                add_products(ua.col_as_slice(i), q, &mut w);
                add_products(vb.col_as_slice(i), p, &mut w);
                outer(q, &w, ua.col_as_slice_mut(i));
                outer(p, &w, vb.col_as_slice_mut(i));
            }
            linalg::accumulate(us.as_mut(), a, ua.transpose());
            linalg::accumulate(vs.as_mut(), b, vb.transpose());
        }
        stack(us.as_ref(), vs.as_ref(), out);
    }

    fn gradient_times(&self, v: MatRef<'_, f64>, x: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let (xs_in, none) = unstack(x, self.left.nrows(), 0);
        let mut xs = Mat::zeros(xs_in.nrows(), xs_in.ncols());
        for block in self.blocks(xs.ncols()) {
            let a = self.left().subcols(block.start, block.len());
            let q = product(v.transpose(), self.right().subcols(block.start, block.len()));
            let mut xa = product(xs_in.transpose(), a);
            let mut w = vec![0.0; x.ncols()];
            for i in 0..block.len() {
                w.fill(0.0);
                add_products(xa.col_as_slice(i), q.col_as_slice(i), &mut w);
                outer(q.col_as_slice(i), &w, xa.col_as_slice_mut(i));
            }
            linalg::accumulate(xs.as_mut(), a, xa.transpose());
        }
        stack(xs.as_ref(), none.as_ref(), out);
    }

    fn energies(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> (f64, f64) {
        // |A_i R|_F = |a_i| |R^T b_i|.
        let energy = |a: MatRef<'_, f64>, b: MatRef<'_, f64>, r: MatRef<'_, f64>| {
            let q = squared_norms(product(r.transpose(), b).as_ref());
            linalg::kernel::dot(&squared_norms(a), &q)
        };
        (energy(self.left(), self.right(), r), energy(self.right(), self.left(), l))
    }

    fn core_energy(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        left: MatMut<'_, f64>,
        right: MatMut<'_, f64>,
    ) -> f64 {
        // |L^T A_i R|_F = |L^T a_i| |R^T b_i|.
        let (p, q) = (product(l.transpose(), self.left()), product(r.transpose(), self.right()));
        let (p2, q2) = (squared_norms(p.as_ref()), squared_norms(q.as_ref()));
        linalg::multiply(left, scale_columns(self.left(), &q2).as_ref(), p.transpose());
        linalg::multiply(right, scale_columns(self.right(), &p2).as_ref(), q.transpose());
        linalg::kernel::dot(&p2, &q2)
    }

    fn schur(
        &self,
        w1: MatRef<'_, f64>,
        w2: MatRef<'_, f64>,
        w12: Option<MatRef<'_, f64>>,
        mut out: MatMut<'_, f64>,
    ) {
        // <A_i, W1 A_j W2 + W12 A_j^T W12>
        //     = (a_i^T W1 a_j)(b_i^T W2 b_j) + (a_i^T W12 b_j)(a_j^T W12 b_i).
        let (a, b) = (self.left(), self.right());
        let m = a.ncols();
        let mut second = Mat::zeros(m, m);
        linalg::multiply_lower(out.as_mut(), product(w1, a).transpose(), a);
        linalg::multiply_lower(second.as_mut(), product(w2, b).transpose(), b);
        for j in 0..m {
            let column = out.as_mut().col_mut(j).subrows_mut(j, m - j);
            let factors = second.as_ref().col(j).subrows(j, m - j);
            column.iter_mut().zip(factors.iter()).for_each(|(o, f)| *o *= f);
        }
        if let Some(w12) = w12 {
            linalg::multiply(second.as_mut(), product(w12.transpose(), a).transpose(), b);
            for j in 0..m {
                let column = out.as_mut().col_mut(j).subrows_mut(j, m - j);
                let down = second.as_ref().col(j).subrows(j, m - j);
                let across = second.as_ref().row(j).subcols(j, m - j);
                for ((o, x), y) in column.iter_mut().zip(down.iter()).zip(across.iter()) {
                    *o += x * y;
                }
            }
        }
    }
}

/// `w_c += <x_c, q>` for consecutive pieces `x_c` of a vector.
fn add_products(x: &[f64], q: &[f64], w: &mut [f64]) {
    for (w, x) in w.iter_mut().zip(x.chunks_exact(q.len())) {
        *w += x.iter().zip(q).map(|(x, q)| x * q).sum::<f64>();
    }
}

/// `out = vec(a q^T)`, column-major.
fn outer(a: &[f64], q: &[f64], out: &mut [f64]) {
    for (column, q) in out.chunks_exact_mut(a.len()).zip(q) {
        column.iter_mut().zip(a).for_each(|(o, a)| *o = a * q);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::check;
    use crate::rng::{Role, Stream};

    fn stream() -> Stream {
        Stream::new(3, "rank one", 0, 0, Role::Measurements)
    }

    #[test]
    fn obeys_the_law_of_linear_maps() {
        for (rows, cols, m) in [(1, 1, 1), (1, 5, 3), (4, 1, 2), (6, 9, 20), (17, 8, 40)] {
            let mut stream = stream();
            let (a, b) = (stream.gaussian_vector(rows * m), stream.gaussian_vector(cols * m));
            let map = RankOne::new(rows, cols, a, b).unwrap();
            assert!(check::adjoint(&map, 11) < 1e-12, "{rows} x {cols}, m = {m}");
            let map = RankOne::symmetric(rows, stream.gaussian_vector(rows * m)).unwrap();
            assert!(check::adjoint(&map, 12) < 1e-12, "order {rows}, m = {m}");
        }
    }

    #[test]
    fn keeps_its_structure_in_other_variables() {
        let mut stream = stream();
        let map = RankOne::new(4, 6, stream.gaussian_vector(4 * 9), stream.gaussian_vector(6 * 9));
        let map = map.unwrap();
        let (g1, g2) = map.grams();
        let left = Whitening::new(&g1, true).unwrap();
        let right = Whitening::new(&g2, true).unwrap();
        let inner = map.in_variables(&left, &right).unwrap();
        let wrapped = super::super::Whitened { map: &map, left: &left, right: &right };
        let y = stream.gaussian_vector(9);
        let difference = inner.adjoint_matrix(&y) - wrapped.adjoint_matrix(&y);
        assert!(difference.norm_max() < 1e-13);
        let square = RankOne::symmetric(4, stream.gaussian_vector(4 * 9)).unwrap();
        let p = Whitening::new(&square.grams().0, true).unwrap();
        let inner = square.in_variables(&p, &p).unwrap();
        let w = inner.adjoint_matrix(&y);
        assert!((w.as_ref() - w.transpose()).norm_max() < 1e-13);
    }

    #[test]
    fn names_what_is_wrong() {
        let ones = || vec![1.0; 4];
        assert!(matches!(RankOne::new(2, 2, vec![], ones()), Err(Error::Empty { .. })));
        assert!(matches!(RankOne::new(0, 2, ones(), ones()), Err(Error::Shape { .. })));
        assert!(matches!(RankOne::new(3, 2, ones(), ones()), Err(Error::Shape { .. })));
        assert!(matches!(RankOne::new(2, 4, ones(), ones()), Err(Error::Shape { .. })));
        let mut bad = ones();
        bad[3] = f64::NAN;
        let error = RankOne::symmetric(2, bad.clone());
        assert!(matches!(error, Err(Error::NotFinite { what: "the probe vectors", index: 3, .. })));
        bad[3] = 1e200;
        let error = RankOne::new(2, 2, ones(), bad).unwrap_err();
        assert!(error.to_string().contains("number 1 of the right vectors"), "{error}");
    }
}
