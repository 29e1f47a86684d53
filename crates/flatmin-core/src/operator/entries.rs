//! Sampled entries: `A(X)_t = X_{i_t j_t}`, sparse end to end.

use super::{Dims, Gram, LinearMap, Pattern, Whitening, check_dims};
use crate::Error;
use crate::linalg::kernel::{axpy_inline, dot_inline, vectorised};
use crate::linalg::{self, row_major, scale_columns};
use faer::{Mat, MatMut, MatRef};

/// The map that reads a set of distinct entries, in the order given.
///
/// Products with factors cost `O(m k)` and no `d1 x d2` array is formed; both Grams are diagonal,
/// with the number of observed entries a row and a column.
#[derive(Debug, Clone)]
pub struct Entries {
    dims: Dims,
    rows: Vec<usize>,
    cols: Vec<usize>,
    /// `A_t = weights_t e_{i_t} e_{j_t}^T`: ones, but for a map in other variables.
    weights: Vec<f64>,
}

/// Most rows or columns: each takes a few numbers of memory, seen or not.
const LARGEST_SIDE: usize = 1 << 28;

impl Entries {
    /// Positions `(row_indices[t], col_indices[t])` of a `rows x cols` matrix, counted from 0.
    ///
    /// # Errors
    /// When there is none, the index lists differ in length, a position lies outside the matrix, or
    /// is given twice (the error names it and both places).
    pub fn new(
        rows: usize,
        cols: usize,
        row_indices: &[usize],
        col_indices: &[usize],
    ) -> Result<Entries, Error> {
        let m = row_indices.len();
        if col_indices.len() != m {
            return Err(Error::Shape {
                what: "the column indices",
                expected: format!("length {m}, as the row indices"),
                got: format!("length {}", col_indices.len()),
            });
        }
        let dims = Dims { rows, cols, measurements: m };
        check_dims(dims)?;
        for (name, size) in [("the number of rows", rows), ("the number of columns", cols)] {
            if size > LARGEST_SIDE {
                let rule = "at most 2^28: number the ones that occur";
                return Err(Error::Parameter { name, rule, got: size.to_string() });
            }
        }
        for (position, (&row, &col)) in row_indices.iter().zip(col_indices).enumerate() {
            if row >= rows || col >= cols {
                return Err(Error::OutOfRange { row, col, position, rows, cols });
            }
        }
        if let Some((first, second)) = repeated(row_indices, col_indices) {
            let (row, col) = (row_indices[first], col_indices[first]);
            return Err(Error::Duplicate { row, col, first, second });
        }
        Ok(Entries {
            dims,
            rows: row_indices.to_vec(),
            cols: col_indices.to_vec(),
            weights: vec![1.0; m],
        })
    }

    /// Positions in the order given.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        self.rows.iter().copied().zip(self.cols.iter().copied())
    }

    /// The first `W` columns of [`LinearMap::tangent_times`], for row-major factors; returns `W`.
    fn tangent_columns<const W: usize>(
        &self,
        l: &[f64],
        r: &[f64],
        v: MatRef<'_, f64>,
        mut out: MatMut<'_, f64>,
    ) -> usize {
        let Dims { rows, cols, .. } = self.dims;
        let k = l.len() / rows.max(1);
        let us = interleaved::<W>(v.subrows(0, k * rows), rows);
        let vs = interleaved::<W>(v.subrows(k * rows, k * cols), cols);
        let (mut left, mut right) = (vec![[0.0; W]; k * rows], vec![[0.0; W]; k * cols]);
        vectorised(
            #[inline(always)]
            || {
                for ((i, j), weight) in self.positions().zip(&self.weights) {
                    let (at_i, at_j) = (i * k..(i + 1) * k, j * k..(j + 1) * k);
                    let (l_i, r_j) = (&l[at_i.clone()], &r[at_j.clone()]);
                    let mut w = [0.0; W];
                    add_rows(&us[at_i.clone()], r_j, &mut w);
                    add_rows(&vs[at_j.clone()], l_i, &mut w);
                    w.iter_mut().for_each(|w| *w *= weight * weight);
                    add_outer(r_j, &w, &mut left[at_i]);
                    add_outer(l_i, &w, &mut right[at_j]);
                }
            },
        );
        separate(&left, rows, out.as_mut().subrows_mut(0, k * rows));
        separate(&right, cols, out.subrows_mut(k * rows, k * cols));
        W
    }

    /// The first `W` columns of [`LinearMap::gradient_times`], for a row-major factor; returns `W`.
    fn gradient_columns<const W: usize>(
        &self,
        v: &[f64],
        x: MatRef<'_, f64>,
        out: MatMut<'_, f64>,
    ) -> usize {
        let Dims { rows, cols, .. } = self.dims;
        let k = v.len() / cols.max(1);
        let xs = interleaved::<W>(x, rows);
        let mut sums = vec![[0.0; W]; k * rows];
        vectorised(
            #[inline(always)]
            || {
                for ((i, j), weight) in self.positions().zip(&self.weights) {
                    let (at_i, v_j) = (i * k..(i + 1) * k, &v[j * k..(j + 1) * k]);
                    let mut w = [0.0; W];
                    add_rows(&xs[at_i.clone()], v_j, &mut w);
                    w.iter_mut().for_each(|w| *w *= weight * weight);
                    add_outer(v_j, &w, &mut sums[at_i]);
                }
            },
        );
        separate(&sums, rows, out);
        W
    }
}

/// The first `W` columns of a block of column-major matrices of `n` rows, with the rows of the matrices
/// one after the other and the columns of the block innermost.
fn interleaved<const W: usize>(block: MatRef<'_, f64>, n: usize) -> Vec<[f64; W]> {
    let k = block.nrows() / n.max(1);
    let mut out = vec![[0.0; W]; block.nrows()];
    for c in 0..W {
        for (at, value) in block.col(c).iter().enumerate() {
            out[at % n * k + at / n][c] = *value;
        }
    }
    out
}

/// The inverse of [`interleaved`].
fn separate<const W: usize>(rows: &[[f64; W]], n: usize, mut out: MatMut<'_, f64>) {
    let k = rows.len() / n.max(1);
    for c in 0..W {
        for (at, value) in out.as_mut().col_mut(c).iter_mut().enumerate() {
            *value = rows[at % n * k + at / n][c];
        }
    }
}

/// `w_c += sum_j x_jc f_j`.
#[inline(always)]
fn add_rows<const W: usize>(x: &[[f64; W]], f: &[f64], w: &mut [f64; W]) {
    for (x, f) in x.iter().zip(f) {
        (0..W).for_each(|c| w[c] += x[c] * f);
    }
}

/// `out_jc += f_j w_c`.
#[inline(always)]
fn add_outer<const W: usize>(f: &[f64], w: &[f64; W], out: &mut [[f64; W]]) {
    for (out, f) in out.iter_mut().zip(f) {
        (0..W).for_each(|c| out[c] += f * w[c]);
    }
}

/// The first position, in row-major order, that is given twice, by its first two places.
fn repeated(rows: &[usize], cols: &[usize]) -> Option<(usize, usize)> {
    let position = |t: usize| (rows[t], cols[t]);
    // Most lists come in order, which is cheap to see.
    if (1..rows.len()).all(|t| position(t - 1) < position(t)) {
        return None;
    }
    let mut order: Vec<(usize, usize, usize)> =
        (0..rows.len()).map(|t| (rows[t], cols[t], t)).collect();
    order.sort_unstable();
    let twice = order.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1))?;
    Some((twice[0].2, twice[1].2))
}

/// `out[target_t] += w_t y_t factor[source_t]`, row by row.
fn scatter(
    weights: &[f64],
    y: &[f64],
    targets: &[usize],
    sources: &[usize],
    factor: MatRef<'_, f64>,
    mut out: MatMut<'_, f64>,
) {
    let k = factor.ncols();
    let flat = row_major(factor);
    let mut sum = vec![0.0; out.nrows() * k];
    vectorised(
        #[inline(always)]
        || {
            for (((&w, &y), &i), &j) in weights.iter().zip(y).zip(targets).zip(sources) {
                axpy_inline(w * y, &flat[j * k..(j + 1) * k], &mut sum[i * k..(i + 1) * k]);
            }
        },
    );
    for j in 0..k {
        for (i, o) in out.as_mut().col_mut(j).iter_mut().enumerate() {
            *o = sum[i * k + j];
        }
    }
}

/// For each row its place among the kept ones, and its weight; zeros where it is not kept.
fn renumbered(whitening: &Whitening) -> Option<(Vec<usize>, Vec<f64>)> {
    let (kept, kept_weights) = whitening.diagonal()?;
    let (mut places, mut weights) = (vec![0; whitening.order()], vec![0.0; whitening.order()]);
    for (place, (&i, &w)) in kept.iter().zip(kept_weights).enumerate() {
        (places[i], weights[i]) = (place, w);
    }
    Some((places, weights))
}

impl LinearMap for Entries {
    fn dims(&self) -> Dims {
        self.dims
    }

    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]) {
        for ((o, w), (i, j)) in out.iter_mut().zip(&self.weights).zip(self.positions()) {
            *o = w * x[(i, j)];
        }
    }

    fn adjoint(&self, y: &[f64], mut out: MatMut<'_, f64>) {
        out.fill(0.0);
        for ((y, w), (i, j)) in y.iter().zip(&self.weights).zip(self.positions()) {
            out[(i, j)] = w * y;
        }
    }

    fn apply_factored(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>, out: &mut [f64]) {
        let k = l.ncols();
        let (l, r) = (row_major(l), row_major(r));
        vectorised(
            #[inline(always)]
            || {
                let positions = self.rows.iter().zip(&self.cols).zip(&self.weights);
                for (o, ((&i, &j), w)) in out.iter_mut().zip(positions) {
                    *o = w * dot_inline(&l[i * k..(i + 1) * k], &r[j * k..(j + 1) * k]);
                }
            },
        );
    }

    fn residual_and_gradient(
        &self,
        (u, s, v): (MatRef<'_, f64>, &[f64], MatRef<'_, f64>),
        targets: &[f64],
        residual: &mut [f64],
        left: MatMut<'_, f64>,
        right: MatMut<'_, f64>,
    ) {
        self.apply_factored(scale_columns(u, s).as_ref(), v, residual);
        residual.iter_mut().zip(targets).for_each(|(r, b)| *r -= b);
        self.adjoint_times(residual, v, left);
        self.adjoint_transpose_times(residual, u, right);
    }

    fn adjoint_times(&self, y: &[f64], r: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        scatter(&self.weights, y, &self.rows, &self.cols, r, out);
    }

    fn adjoint_transpose_times(&self, y: &[f64], l: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        scatter(&self.weights, y, &self.cols, &self.rows, l, out);
    }

    fn grams(&self) -> (Gram, Gram) {
        let count = |indices: &[usize], n: usize| {
            let mut counts = vec![0.0; n];
            indices.iter().zip(&self.weights).for_each(|(&i, w)| counts[i] += w * w);
            Gram::Diagonal(counts)
        };
        (count(&self.rows, self.dims.rows), count(&self.cols, self.dims.cols))
    }

    fn tangent_normal(&self, u: MatRef<'_, f64>, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        // One entry (i, j) has the gradient V_j at row i of Lt and U_i at row j of Rt.
        let (rows, cols, k) = (self.dims.rows, self.dims.cols, u.ncols());
        out.fill(0.0);
        for ((i, j), w) in self.positions().zip(&self.weights) {
            for c in 0..k {
                let (u_c, v_c) = (w * w * u[(i, c)], w * w * v[(j, c)]);
                for e in 0..=c {
                    out[(c * rows + i, e * rows + i)] += v_c * v[(j, e)];
                    out[(k * rows + c * cols + j, k * rows + e * cols + j)] += u_c * u[(i, e)];
                }
                for e in 0..k {
                    out[(k * rows + c * cols + j, e * rows + i)] += u_c * v[(j, e)];
                }
            }
        }
    }

    fn gradient_normal(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (rows, k) = (self.dims.rows, v.ncols());
        out.fill(0.0);
        for ((i, j), w) in self.positions().zip(&self.weights) {
            for c in 0..k {
                let v_c = w * w * v[(j, c)];
                for e in 0..=c {
                    out[(c * rows + i, e * rows + i)] += v_c * v[(j, e)];
                }
            }
        }
    }

    fn tangent_times(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
        mut out: MatMut<'_, f64>,
    ) {
        let (l, r) = (row_major(l), row_major(r));
        let mut first = 0;
        while first < v.ncols() {
            let v = v.subcols(first, v.ncols() - first);
            let out = out.as_mut().subcols_mut(first, v.ncols());
            first += match v.ncols() {
                1 => self.tangent_columns::<1>(&l, &r, v, out),
                2 | 3 => self.tangent_columns::<2>(&l, &r, v, out),
                _ => self.tangent_columns::<4>(&l, &r, v, out),
            };
        }
    }

    fn gradient_times(&self, v: MatRef<'_, f64>, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let v = row_major(v);
        let mut first = 0;
        while first < x.ncols() {
            let x = x.subcols(first, x.ncols() - first);
            let out = out.as_mut().subcols_mut(first, x.ncols());
            first += match x.ncols() {
                1 => self.gradient_columns::<1>(&v, x, out),
                2 | 3 => self.gradient_columns::<2>(&v, x, out),
                _ => self.gradient_columns::<4>(&v, x, out),
            };
        }
    }

    fn energies(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> (f64, f64) {
        let (g1, g2) = self.grams();
        (g2.form(r), g1.form(l))
    }

    fn core_energy(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        mut left: MatMut<'_, f64>,
        mut right: MatMut<'_, f64>,
    ) -> f64 {
        // |L^T e_i e_j^T R|_F = |l_i| |r_j| for the rows of the factors.
        let squares = |a: MatRef<'_, f64>| linalg::row_products(a, a);
        let (l2, r2) = (squares(l), squares(r));
        let (mut by_row, mut by_col) = (vec![0.0; l2.len()], vec![0.0; r2.len()]);
        for ((i, j), weight) in self.positions().zip(&self.weights) {
            by_row[i] += weight * weight * r2[j];
            by_col[j] += weight * weight * l2[i];
        }
        left.copy_from(Gram::Diagonal(by_row).times(l));
        right.copy_from(Gram::Diagonal(by_col).times(r));
        linalg::inner(left.as_ref(), l)
    }

    fn schur(
        &self,
        w1: MatRef<'_, f64>,
        w2: MatRef<'_, f64>,
        w12: Option<MatRef<'_, f64>>,
        mut out: MatMut<'_, f64>,
    ) {
        // <E_ij, W1 E_pq W2 + W12 E_pq^T W12> = W1_ip W2_qj + W12_iq W12_pj.
        for (t, (p, q)) in self.positions().enumerate() {
            let weights = &self.weights[t..];
            let (w1_p, w2_q) = (w1.col(p), w2.col(q));
            let below = out.as_mut().col_mut(t).subrows_mut(t, self.rows.len() - t);
            let positions = self.rows[t..].iter().zip(&self.cols[t..]);
            match w12 {
                None => {
                    for (o, (&i, &j)) in below.iter_mut().zip(positions) {
                        *o = w1_p[i] * w2_q[j];
                    }
                }
                Some(w12) => {
                    let (w12_q, w12_p) = (w12.col(q), w12.row(p));
                    for (o, (&i, &j)) in below.iter_mut().zip(positions) {
                        *o = w1_p[i] * w2_q[j] + w12_q[i] * w12_p[j];
                    }
                }
            }
            let below = out.as_mut().col_mut(t).subrows_mut(t, self.rows.len() - t);
            for (o, w) in below.iter_mut().zip(weights) {
                *o *= weights[0] * w;
            }
        }
    }

    fn diagonal_gram(&self, w1: &[f64], w2: &[f64]) -> Option<Vec<f64>> {
        let squares = self.weights.iter().map(|w| w * w);
        Some(self.positions().zip(squares).map(|((i, j), w)| w * w1[i] * w2[j]).collect())
    }

    fn measurement(&self, t: usize) -> Mat<f64> {
        let mut a = Mat::zeros(self.dims.rows, self.dims.cols);
        a[(self.rows[t], self.cols[t])] = self.weights[t];
        a
    }

    fn norms(&self) -> Vec<f64> {
        self.weights.iter().map(|w| w.abs()).collect()
    }

    fn pattern(&self) -> Option<Pattern> {
        let plain = self.weights.iter().all(|&w| w == 1.0);
        plain.then(|| Pattern::new(self.dims.rows, self.dims.cols, &self.rows, &self.cols))?
    }

    /// Sampled entries of `Z`, weighted; rows and columns without entries take no space.
    fn in_variables(&self, left: &Whitening, right: &Whitening) -> Option<Box<dyn LinearMap>> {
        let (rows, row_weights) = renumbered(left)?;
        let (cols, col_weights) = renumbered(right)?;
        let weights = self.positions().zip(&self.weights);
        Some(Box::new(Entries {
            dims: Dims { rows: left.rank(), cols: right.rank(), ..self.dims },
            rows: self.rows.iter().map(|&i| rows[i]).collect(),
            cols: self.cols.iter().map(|&j| cols[j]).collect(),
            weights: weights.map(|((i, j), w)| w * row_weights[i] * col_weights[j]).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::check;

    #[test]
    fn obeys_the_law_of_linear_maps() {
        let map = Entries::new(5, 4, &[0, 4, 2, 2, 1], &[3, 0, 1, 2, 3]).unwrap();
        assert!(check::adjoint(&map, 1) < 1e-13);
        assert!(check::adjoint(&Entries::new(1, 1, &[0], &[0]).unwrap(), 1) < 1e-13);
    }

    /// `B(Z) = A(P1 Z P2^T)`, against the wrapper that transforms every argument.
    #[test]
    fn keeps_its_structure_in_other_variables() {
        let map = Entries::new(5, 4, &[0, 4, 2, 2, 1], &[3, 0, 1, 3, 3]).unwrap();
        let (g1, g2) = map.grams();
        for weighted in [true, false] {
            let left = Whitening::new(&g1, weighted).unwrap();
            let right = Whitening::new(&g2, weighted).unwrap();
            let inner = map.in_variables(&left, &right).unwrap();
            assert_eq!((inner.dims().rows, inner.dims().cols), (4, 3));
            assert!(check::adjoint(inner.as_ref(), 1) < 1e-13);
            let wrapped = super::super::Whitened { map: &map, left: &left, right: &right };
            let y = [1.0, -2.0, 3.0, 0.5, 1.5];
            let (one, other) = (inner.adjoint_matrix(&y), wrapped.adjoint_matrix(&y));
            assert!((one - other).norm_max() < 1e-15);
        }
    }

    #[test]
    fn grams_count_the_observed_entries() {
        let map = Entries::new(3, 2, &[0, 0, 2], &[0, 1, 1]).unwrap();
        let (Gram::Diagonal(rows), Gram::Diagonal(cols)) = map.grams() else {
            panic!("sampled entries have diagonal Grams");
        };
        assert_eq!((rows, cols), (vec![2.0, 0.0, 1.0], vec![1.0, 2.0]));
    }

    #[test]
    fn names_the_entry_at_fault() {
        let twice = Entries::new(2, 2, &[0, 1, 0], &[1, 1, 1]);
        assert_eq!(twice.unwrap_err(), Error::Duplicate { row: 0, col: 1, first: 0, second: 2 });
        let outside = Entries::new(2, 2, &[0, 2], &[1, 1]);
        assert!(matches!(outside, Err(Error::OutOfRange { row: 2, position: 1, .. })));
        assert!(matches!(Entries::new(2, 2, &[], &[]), Err(Error::Empty { .. })));
        assert!(matches!(Entries::new(2, 2, &[0], &[]), Err(Error::Shape { .. })));
    }
}
