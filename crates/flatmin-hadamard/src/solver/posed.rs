//! The program in the variables in which it is solved.
//!
//! With `z_j = w_j^{1/p} x_j` the objective is `|z|_p`, and with `H = A diag(w_j^{-1/p}) = L B`, the rows of
//! `B` orthonormal, the program and its dual are
//!
//! ```text
//! min |z|_p  s.t.  B z = c,    c = L^{-1} b           max <c, u>  s.t.  |B^T u|_q <= 1,    y = L^{-T} u.
//! ```
//!
//! `L` comes from a Cholesky factor of `H H^T` where that keeps its digits. Elsewhere the rank is told by a
//! pivoted QR decomposition of `A` with rows and columns brought to one size, and `L` from one of `H` with
//! its columns sorted by size, which is accurate column by column however different these are (A. Cox,
//! N. Higham, *Stability of Householder QR factorization for weighted least squares problems*, 1998).

use super::frame::{Frame, sorted_qr};
use crate::problem::Hadamard;
use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::{self, Cholesky, Par, max_abs, norm};
use flatmin_core::{Error, Mat, MatMut, MatRef};

/// Least pivot of a Cholesky factor of a matrix with unit diagonal that keeps its digits.
const PIVOT: f64 = 1e-3;

/// Pivots of a QR decomposition of vectors of unit length below this count as zero.
const ZERO: f64 = 1e-12;

/// Largest backward error of a measurement that a vector fits.
const FITS: f64 = 1e-9;

/// Least norm of a column relative to the largest entry of the matrix.
const LEAST: f64 = 1e-70;

/// Rounding error of an inner product, relative to the sum of magnitudes, generously.
pub(super) const ROUNDING: f64 = 2.0 * f64::EPSILON;

/// A program at a sane scale.
pub(super) struct Posed {
    /// `A` without the columns that are zero, over [`Posed::unit`].
    pub(super) a: Mat<f64>,
    /// Norms of its columns and of its rows.
    pub(super) columns: Vec<f64>,
    pub(super) rows: Vec<f64>,
    /// Targets, over [`Posed::size`]; those of the least-squares fit where none fits exactly.
    pub(super) targets: Vec<f64>,
    /// Positions of the columns.
    pub(super) seen: Vec<usize>,
    /// `w_j^{-1/p}`.
    pub(super) spread: Vec<f64>,
    /// The exponents of the norm and of its dual.
    pub(super) p: f64,
    pub(super) q: f64,
    /// `B`, `r x d`.
    pub(super) b: Frame,
    /// `c`.
    pub(super) c: Vec<f64>,
    /// Rows of `A` that make those of `H`, and their factors.
    chosen: Vec<usize>,
    weights: Vec<f64>,
    /// `L^T`.
    upper: Mat<f64>,
    /// The caller's matrix and targets are these, and all numbers, times powers of two.
    pub(super) unit: f64,
    pub(super) size: f64,
    /// `|A x - b| / |b|` of the least-squares fit, where none fits exactly.
    pub(super) misfit: Option<f64>,
}

/// The power of two below a magnitude.
fn power(magnitude: f64) -> f64 {
    if magnitude > 0.0 { magnitude.log2().floor().exp2() } else { 1.0 }
}

impl Posed {
    /// Brings a problem with targets that are not all zero to these variables.
    pub(super) fn new(
        problem: &Hadamard,
        (p, q): (f64, f64),
        weighted: bool,
    ) -> Result<Posed, Error> {
        let (m, d) = problem.shape();
        let largest = |j: &usize| max_abs(problem.matrix.col_as_slice(*j));
        let seen: Vec<usize> = (0..d).filter(|j| largest(j) > 0.0).collect();
        let unit = power(seen.iter().map(largest).fold(0.0, f64::max));
        let size = power(max_abs(&problem.targets));
        let a = Mat::from_fn(m, seen.len(), |i, j| problem.matrix[(i, seen[j])] / unit);
        let columns: Vec<f64> = (0..seen.len()).map(|j| norm(a.col_as_slice(j))).collect();
        let squares = linalg::row_products(a.as_ref(), a.as_ref());
        let rows: Vec<f64> = squares.iter().map(|s| s.sqrt()).collect();
        if let (true, Some(j)) = (weighted, columns.iter().position(|n| *n < LEAST)) {
            let what = format!("column {} of the matrix, relative to its largest entry,", seen[j]);
            return Err(Error::Scale { what, magnitude: columns[j], sane: (LEAST, 1.0 / LEAST) });
        }
        let root = (m as f64).sqrt();
        let spread = |n: &f64| if weighted { (root / n).powf(2.0 / p) } else { 1.0 };
        let mut posed = Posed {
            spread: columns.iter().map(spread).collect(),
            targets: problem.targets.iter().map(|b| b / size).collect(),
            b: Frame::new(Mat::zeros(0, 0)),
            c: Vec::new(),
            chosen: Vec::new(),
            weights: Vec::new(),
            upper: Mat::zeros(0, 0),
            misfit: None,
            a,
            columns,
            rows,
            seen,
            p,
            q,
            unit,
            size,
        };
        let full = posed.by_cholesky();
        if !full {
            posed.by_orthogonal_factors();
        }
        posed.aim();
        if !full && !posed.fits() {
            posed.take_nearest();
        }
        Ok(posed)
    }

    /// Length of `z`.
    pub(super) fn length(&self) -> usize {
        self.seen.len()
    }

    /// Number of independent measurements.
    pub(super) fn rank(&self) -> usize {
        self.chosen.len()
    }

    /// Rows `rows` of `H`, of unit length by the second.
    fn scaled_rows(&self, rows: &[usize]) -> (Mat<f64>, Vec<f64>) {
        let entry = |i: usize, j: usize| self.a[(rows[i], j)] * self.spread[j];
        let mut h = Mat::from_fn(rows.len(), self.length(), entry);
        let size = |i: usize| norm(&h.row(i).iter().copied().collect::<Vec<_>>());
        let weights: Vec<f64> = (0..rows.len()).map(|i| 1.0 / size(i)).collect();
        for column in h.col_iter_mut() {
            column.iter_mut().zip(&weights).for_each(|(h, w)| *h *= w);
        }
        (h, weights)
    }

    /// `H H^T = L L^T` over all rows; `false` where that loses digits.
    fn by_cholesky(&mut self) -> bool {
        let m = self.targets.len();
        if m > self.length() || self.rows.contains(&0.0) {
            return false;
        }
        let all: Vec<usize> = (0..m).collect();
        let (mut h, weights) = self.scaled_rows(&all);
        let mut gram = Mat::zeros(m, m);
        linalg::multiply_lower(gram.as_mut(), h.as_ref(), h.transpose());
        let Some(factor) = Cholesky::new(gram, Par::Seq) else { return false };
        let lower = factor.lower();
        if (0..m).any(|i| lower[(i, i)].is_nan() || lower[(i, i)] < PIVOT) {
            return false;
        }
        factor.forward_in_place(h.as_mut());
        self.upper = Mat::from_fn(m, m, |i, j| if i <= j { lower[(j, i)] } else { 0.0 });
        (self.b, self.chosen, self.weights) = (Frame::new(h), all, weights);
        true
    }

    /// The rank by one pivoted QR decomposition, `L` by another.
    fn by_orthogonal_factors(&mut self) {
        let d = self.length();
        let nonzero: Vec<usize> = (0..self.rows.len()).filter(|&i| self.rows[i] > 0.0).collect();
        // Unit columns, then unit rows.
        let mut even =
            Mat::from_fn(d, nonzero.len(), |j, i| self.a[(nonzero[i], j)] / self.columns[j]);
        for row in even.col_iter_mut() {
            let size = row.norm_l2();
            row.iter_mut().for_each(|v| *v /= size);
        }
        let (_, r, order) = linalg::pivoted_qr(even.as_ref());
        let rank = (0..r.nrows()).take_while(|&i| r[(i, i)].abs() > ZERO).count();
        let rows: Vec<usize> = order[..rank].iter().map(|&i| nonzero[i]).collect();

        let (h, weights) = self.scaled_rows(&rows);
        let (frame, upper, order) = sorted_qr(h.as_ref());
        (self.b, self.upper) = (Frame::new(frame), upper);
        self.chosen = order.iter().map(|&i| rows[i]).collect();
        self.weights = order.iter().map(|&i| weights[i]).collect();
    }

    /// Sets `c` to what the targets ask for.
    fn aim(&mut self) {
        self.c = self.whiten(&self.targets);
    }

    /// `L^{-1} r` for numbers a measurement.
    fn whiten(&self, r: &[f64]) -> Vec<f64> {
        let mut c: Vec<f64> =
            self.chosen.iter().zip(&self.weights).map(|(&i, w)| w * r[i]).collect();
        let n = c.len();
        if n > 0 {
            let out = MatMut::from_column_major_slice_mut(&mut c, n, 1);
            linalg::solve_upper_transpose(self.upper.as_ref(), out);
        }
        c
    }

    /// `y = L^{-T} u`.
    pub(super) fn multipliers(&self, u: &[f64]) -> Vec<f64> {
        let mut v = u.to_vec();
        if !v.is_empty() {
            let n = v.len();
            linalg::solve_upper(
                self.upper.as_ref(),
                MatMut::from_column_major_slice_mut(&mut v, n, 1),
            );
        }
        let mut y = vec![0.0; self.targets.len()];
        for ((&i, w), v) in self.chosen.iter().zip(&self.weights).zip(v) {
            y[i] = w * v;
        }
        y
    }

    /// `b - A x` at `x_j = w_j^{-1/p} z_j`.
    pub(super) fn misfits(&self, z: &[f64]) -> Vec<f64> {
        let mut r = self.targets.clone();
        for (j, z) in z.iter().enumerate().filter(|(_, z)| **z != 0.0) {
            axpy(-z * self.spread[j], self.a.col_as_slice(j), &mut r);
        }
        r
    }

    /// `c - B z`, from the measurements themselves.
    pub(super) fn residual(&self, z: &[f64]) -> Vec<f64> {
        self.whiten(&self.misfits(z))
    }

    /// `w_j^{-1/p} a_j^T y`, which is `B^T u`, from the measurements themselves.
    pub(super) fn slopes(&self, y: &[f64]) -> Vec<f64> {
        (0..self.length()).map(|j| self.spread[j] * dot(self.a.col_as_slice(j), y)).collect()
    }

    /// What rounding may add to each of these.
    pub(super) fn slope_errors(&self, y: &[f64]) -> Vec<f64> {
        let sizes: Vec<f64> = y.iter().map(|y| ROUNDING * y.abs()).collect();
        let sum = |j: usize| {
            let terms = self.a.col_as_slice(j).iter().zip(&sizes).map(|(a, y)| a.abs() * y);
            self.spread[j] * terms.sum::<f64>()
        };
        (0..self.length()).map(sum).collect()
    }

    /// `B^T u`.
    pub(super) fn adjoint(&self, u: &[f64]) -> Vec<f64> {
        self.b.adjoint(u)
    }

    /// `B z`.
    pub(super) fn apply(&self, z: &[f64]) -> Vec<f64> {
        self.b.apply(z)
    }

    /// Largest backward error of a measurement.
    pub(super) fn worst(&self, targets: &[f64], misfits: &[f64], x: &[f64]) -> f64 {
        let x = norm(x);
        let rows = misfits.iter().zip(targets).zip(&self.rows);
        let error =
            |((r, b), a): ((&f64, &f64), &f64)| r.abs() / (a * x + b.abs()).max(f64::MIN_POSITIVE);
        rows.map(error).fold(0.0, f64::max)
    }

    /// Whether the least-norm solution for the chosen rows fits the others.
    fn fits(&self) -> bool {
        let mut z = self.adjoint(&self.c);
        let again = self.adjoint(&self.residual(&z));
        z.iter_mut().zip(again).for_each(|(z, more)| *z += more);
        let x: Vec<f64> = z.iter().zip(&self.spread).map(|(z, spread)| z * spread).collect();
        self.worst(&self.targets, &self.misfits(&z), &x) <= FITS
    }

    /// Replaces the targets by the nearest that some vector fits.
    fn take_nearest(&mut self) {
        let unit: Vec<f64> = self.columns.iter().map(|n| 1.0 / n).collect();
        let (basis, _, _) =
            linalg::pivoted_qr(linalg::scale_columns(self.a.as_ref(), &unit).as_ref());
        let basis = basis.as_ref().subcols(0, self.rank().min(basis.ncols()));
        let before = MatRef::from_column_major_slice(&self.targets, self.targets.len(), 1);
        let nearest = linalg::product(basis, linalg::product(basis.transpose(), before).as_ref());
        let apart = (before - &nearest).norm_l2() / before.norm_l2();
        self.targets = nearest.col_as_slice(0).to_vec();
        self.misfit = Some(apart);
        self.aim();
    }
}
