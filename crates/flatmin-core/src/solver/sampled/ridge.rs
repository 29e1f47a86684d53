//! One regularised least-squares problem a row, on the entries that the row has:
//!
//! ```text
//! min sum_j (x_i^T y_j - b_ij)^2 + w_i |x_i|^2,        (sum_j y_j y_j^T + w_i I) x_i = sum_j b_ij y_j.
//! ```
//!
//! A row of `n` entries in `k` unknowns takes the smaller of two Cholesky factors: that of the matrix
//! above, or with `Y = (y_j)_j` (`n x k`) that of `Y Y^T + w_i I`, by
//!
//! ```text
//! (Y^T Y + w I)^{-1} Y^T = Y^T (Y Y^T + w I)^{-1},      (Y^T Y + w I)^{-1} = (I - Y^T (Y Y^T + w I)^{-1} Y) / w.
//! ```
//!
//! Most rows of ratings are short, so that `k x k` matrices for all of them would fill the memory.

use crate::MatRef;
use crate::linalg::kernel::{axpy_inline, dot_inline, vectorised};
use crate::linalg::parallel::{cut, map};
use crate::linalg::sampled::Lists;
use crate::linalg::thin::{LANES, Thin};
use crate::linalg::{Par, multiply_lower};
use faer::Mat;

/// Rows that are handed out together.
const ROWS: usize = 64;

/// The factors of all rows, lower triangles row by row, the inverses of the pivots on the diagonal.
pub(super) struct Ridge {
    width: usize,
    /// Where the factor of each row starts; one more than rows.
    starts: Vec<usize>,
    factors: Vec<f64>,
    weights: Vec<f64>,
}

/// Numbers in a lower triangle.
fn packed(order: usize) -> usize {
    order * (order + 1) / 2
}

impl Ridge {
    /// For the entries of `lists`, the rows `y_j` and the weights `w_i > 0`.
    pub(super) fn new(par: Par, lists: &Lists, y: &Thin, weights: Vec<f64>) -> Ridge {
        let (rows, width) = (lists.rows(), y.width());
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        for i in 0..rows {
            starts.push(starts[i] + packed(lists.places(i).len().min(width)));
        }
        let mut factors = vec![0.0; starts[rows]];
        let pieces = cut(&mut factors, &starts, ROWS);
        map(par, pieces, |(first, last, mut out): (usize, usize, &mut [f64])| {
            let mut gathered = Vec::new();
            let mut gram = Mat::zeros(width, width);
            for i in first..last {
                let (here, after) = out.split_at_mut(starts[i + 1] - starts[i]);
                factor(lists, y, i, weights[i], &mut gathered, &mut gram, here);
                out = after;
            }
        });
        Ridge { width, starts, factors, weights }
    }

    /// The least-squares solutions for the values `b`, in the order of the lists.
    pub(super) fn fit(&self, par: Par, lists: &Lists, y: &Thin, b: &[f64]) -> Thin {
        let mut out = Thin::zeros(lists.rows(), self.width);
        self.each(par, lists, &mut out, |i, x, dual| {
            let list = lists.indices_of(i);
            let values = &b[lists.places(i)];
            if list.len() < self.width {
                dual.copy_from_slice(values);
                solve(self.factor(i), dual);
                combine(y, list, dual, x);
            } else {
                combine(y, list, values, x);
                solve(self.factor(i), &mut x[..self.width]);
            }
        });
        out
    }

    /// `x_i <- (sum_j y_j y_j^T + w_i I)^{-1} x_i`.
    pub(super) fn solve(&self, par: Par, lists: &Lists, y: &Thin, x: &mut Thin) {
        self.each(par, lists, x, |i, x, dual| {
            let list = lists.indices_of(i);
            if list.len() < self.width {
                let inverse = 1.0 / self.weights[i];
                for (d, &j) in dual.iter_mut().zip(list) {
                    *d = -dot_inline(y.row(j as usize), x) * inverse;
                }
                solve(self.factor(i), dual);
                x.iter_mut().for_each(|x| *x *= inverse);
                combine(y, list, dual, x);
            } else {
                solve(self.factor(i), &mut x[..self.width]);
            }
        });
    }

    /// `w_i`.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn factor(&self, i: usize) -> &[f64] {
        &self.factors[self.starts[i]..self.starts[i + 1]]
    }

    /// Calls `f` with every row of `x` and room for as many numbers as the row has entries, where
    /// these are fewer than the columns.
    fn each(
        &self,
        par: Par,
        lists: &Lists,
        x: &mut Thin,
        f: impl Fn(usize, &mut [f64], &mut [f64]) + Sync,
    ) {
        let q = x.blocks().max(1);
        let pieces = x.data_mut().chunks_mut(ROWS * q).enumerate().collect();
        map(par, pieces, |(piece, x): (usize, &mut [[f64; LANES]])| {
            let mut room = vec![0.0; self.width];
            vectorised(
                #[inline(always)]
                || {
                    for (i, x) in x.chunks_exact_mut(q).enumerate() {
                        let i = piece * ROWS + i;
                        let n = lists.places(i).len().min(self.width);
                        f(i, x.as_flattened_mut(), &mut room[..n]);
                    }
                },
            );
        });
    }
}

/// `x += sum_j c_j y_j`.
#[inline(always)]
fn combine(y: &Thin, list: &[u32], c: &[f64], x: &mut [f64]) {
    for (c, &j) in c.iter().zip(list) {
        axpy_inline(*c, y.row(j as usize), x);
    }
}

/// The Cholesky factor of a row.
fn factor(
    lists: &Lists,
    y: &Thin,
    i: usize,
    weight: f64,
    gathered: &mut Vec<f64>,
    gram: &mut Mat<f64>,
    out: &mut [f64],
) {
    let list = lists.indices_of(i);
    let (n, k) = (list.len(), y.width());
    let order = n.min(k);
    if order == 0 {
        return;
    }
    gathered.clear();
    list.iter().for_each(|&j| gathered.extend_from_slice(&y.row(j as usize)[..k]));
    // Rows of Y as columns.
    let turned = MatRef::from_column_major_slice(gathered, k, n);
    let corner = gram.as_mut().submatrix_mut(0, 0, order, order);
    if n < k {
        multiply_lower(corner, turned.transpose(), turned);
    } else {
        multiply_lower(corner, turned, turned.transpose());
    }
    let mut at = 0;
    for a in 0..order {
        (0..=a).for_each(|b| out[at + b] = gram[(a, b)]);
        out[at + a] += weight;
        at += a + 1;
    }
    vectorised(
        #[inline(always)]
        || cholesky(order, out),
    );
}

/// The factor in place, row by row.
#[inline(always)]
fn cholesky(order: usize, packed: &mut [f64]) {
    let mut start = 0;
    for a in 0..order {
        let (before, row) = packed.split_at_mut(start);
        let mut at = 0;
        for b in 0..a {
            let other = &before[at..at + b];
            row[b] = (row[b] - dot_inline(&row[..b], other)) * before[at + b];
            at += b + 1;
        }
        let pivot = row[a] - dot_inline(&row[..a], &row[..a]);
        row[a] = if pivot > 0.0 { 1.0 / pivot.sqrt() } else { 0.0 };
        start += a + 1;
    }
}

/// Forward and backward substitution.
#[inline(always)]
fn solve(packed: &[f64], x: &mut [f64]) {
    let mut at = 0;
    for a in 0..x.len() {
        let (before, rest) = x.split_at_mut(a);
        rest[0] = (rest[0] - dot_inline(&packed[at..at + a], before)) * packed[at + a];
        at += a + 1;
    }
    for a in (0..x.len()).rev() {
        at -= a + 1;
        let (before, rest) = x.split_at_mut(a);
        rest[0] *= packed[at + a];
        axpy_inline(-rest[0], &packed[at..at + a], before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Cholesky;
    use crate::operator::Pattern;
    use crate::rng::{Role, Stream};

    /// Both forms against full matrices: rows of no entry, of fewer and of more than columns, in
    /// widths on either side of a register; the same bits on several threads.
    #[test]
    fn rows_are_fitted() {
        let mut stream = Stream::new(1, "ridge", 0, 0, Role::Probe);
        for (rows, cols, k) in [(1, 1, 1), (9, 40, 3), (150, 30, 8), (20, 25, 13)] {
            let (mut i, mut j, mut b) = (vec![], vec![], vec![]);
            for row in 0..rows {
                for col in 0..cols {
                    if row % 4 != 1 && stream.uniform() < [0.05, 0.0, 0.4, 0.9][row % 4] {
                        i.push(row);
                        j.push(col);
                        b.push(stream.gaussian());
                    }
                }
            }
            let pattern = Pattern::new(rows, cols, &i, &j).unwrap();
            let lists = pattern.by_row();
            let y = stream.gaussian_matrix(cols, k);
            let weights: Vec<f64> = (0..rows).map(|i| 0.1 + i as f64).collect();
            let thin = Thin::from_mat(y.as_ref());
            let ridge = Ridge::new(Par::Seq, lists, &thin, weights.clone());
            let fit = ridge.fit(Par::Seq, lists, &thin, &b);
            let given = Thin::from_mat(stream.gaussian_matrix(rows, k).as_ref());
            let mut solved = given.clone();
            ridge.solve(Par::Seq, lists, &thin, &mut solved);
            for row in 0..rows {
                let mut gram = Mat::<f64>::identity(k, k) * faer::Scale(weights[row]);
                let mut rhs = vec![0.0; k];
                for t in lists.places(row) {
                    let y = y.row(lists.indices()[t] as usize);
                    gram += y.transpose() * y;
                    (0..k).for_each(|a| rhs[a] += b[t] * y[a]);
                }
                let factor = Cholesky::new(gram, Par::Seq).unwrap();
                factor.solve_vector(&mut rhs);
                let mut expected = given.row(row)[..k].to_vec();
                factor.solve_vector(&mut expected);
                for a in 0..k {
                    assert!((fit.row(row)[a] - rhs[a]).abs() < 1e-11, "{rows} {k}");
                    assert!((solved.row(row)[a] - expected[a]).abs() < 1e-11, "{rows} {k}");
                }
            }
            let three = Par::rayon(3);
            let other = Ridge::new(three, lists, &thin, weights);
            assert_eq!(ridge.factors, other.factors);
            assert_eq!(fit, other.fit(three, lists, &thin, &b));
        }
    }
}
