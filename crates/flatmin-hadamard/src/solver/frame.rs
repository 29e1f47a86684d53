//! The rows `B` of the equations, and the systems `B diag(theta) B^T + slack I` of Newton's method on them.

use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::{self, Cholesky, Par};
use flatmin_core::{Mat, MatMut, MatRef};

/// Ratio of the pivots of a Cholesky factor below which squares have lost too many digits.
const SHARP: f64 = 1e-6;

/// Rows `B`, `r x d`.
pub(super) struct Frame {
    pub(super) rows: Mat<f64>,
}

impl Frame {
    pub(super) fn new(rows: Mat<f64>) -> Frame {
        Frame { rows }
    }

    /// Number of rows.
    pub(super) fn rank(&self) -> usize {
        self.rows.nrows()
    }

    /// Length of `z`.
    pub(super) fn length(&self) -> usize {
        self.rows.ncols()
    }

    /// Column `j`.
    pub(super) fn column(&self, j: usize) -> &[f64] {
        self.rows.col_as_slice(j)
    }

    /// `B^T u`.
    pub(super) fn adjoint(&self, u: &[f64]) -> Vec<f64> {
        (0..self.length()).map(|j| dot(self.column(j), u)).collect()
    }

    /// `B z`.
    pub(super) fn apply(&self, z: &[f64]) -> Vec<f64> {
        let mut c = vec![0.0; self.rank()];
        z.iter().enumerate().for_each(|(j, z)| axpy(*z, self.column(j), &mut c));
        c
    }

    /// `B diag(theta) B^T + slack I`, factored.
    pub(super) fn normal(&self, theta: &[f64], slack: f64) -> Normal {
        let roots: Vec<f64> = theta.iter().map(|t| t.sqrt()).collect();
        let scaled = linalg::scale_columns(self.rows.as_ref(), &roots);
        let (r, d) = scaled.shape();
        let mut gram = Mat::zeros(r, r);
        linalg::multiply_lower(gram.as_mut(), scaled.as_ref(), scaled.transpose());
        (0..r).for_each(|i| gram[(i, i)] += slack);
        if let Some(factor) = Cholesky::new(gram, Par::Seq) {
            let pivots = (0..r).map(|i| factor.lower()[(i, i)]);
            let (least, most) =
                pivots.fold((f64::INFINITY, 0.0), |(l, m): (f64, f64), p| (l.min(p), m.max(p)));
            if least > SHARP * most {
                return Normal::Squared(factor);
            }
        }
        let (_, upper, order) = if slack == 0.0 {
            sorted_qr(scaled.as_ref())
        } else {
            let diagonal = |i: usize, j: usize| if i == j { slack.sqrt() } else { 0.0 };
            let entry = |i, j| if j < d { scaled[(i, j)] } else { diagonal(i, j - d) };
            sorted_qr(Mat::from_fn(r, d + r, entry).as_ref())
        };
        Normal::Orthogonal { upper, order }
    }
}

/// The matrix of a least-squares problem, factored.
pub(super) enum Normal {
    /// By Cholesky.
    Squared(Cholesky),
    /// As `R^T R` with rows and columns in this order, where squares lose digits.
    Orthogonal {
        /// `R`.
        upper: Mat<f64>,
        /// The order.
        order: Vec<usize>,
    },
}

impl Normal {
    /// Solves with it in place.
    pub(super) fn solve_vector(&self, rhs: &mut [f64]) {
        match self {
            Normal::Squared(factor) => factor.solve_vector(rhs),
            Normal::Orthogonal { upper, order } => {
                let mut sorted: Vec<f64> = order.iter().map(|&i| rhs[i]).collect();
                let n = sorted.len();
                let mut column = MatMut::from_column_major_slice_mut(&mut sorted, n, 1);
                linalg::solve_upper_transpose(upper.as_ref(), column.as_mut());
                linalg::solve_upper(upper.as_ref(), column.as_mut());
                order.iter().zip(sorted).for_each(|(&i, v)| rhs[i] = v);
            }
        }
    }
}

/// `Q^T`, `R` and the order of the rows of `H` in `H^T = Q R`, by a QR decomposition with both pivoting and
/// the columns of `H` sorted by size, which is accurate column by column.
pub(super) fn sorted_qr(h: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>, Vec<usize>) {
    let (r, d) = h.shape();
    let sizes: Vec<f64> = h.col_iter().map(|column| column.norm_l2()).collect();
    let mut sorted: Vec<usize> = (0..d).collect();
    sorted.sort_by(|&i, &j| sizes[j].total_cmp(&sizes[i]));
    let tall = Mat::from_fn(d, r, |k, i| h[(i, sorted[k])]);
    let (q, upper, order) = linalg::pivoted_qr(tall.as_ref());
    let mut frame = Mat::zeros(r, d);
    for (k, &j) in sorted.iter().enumerate() {
        for i in 0..r {
            frame[(i, j)] = q[(k, i)];
        }
    }
    (frame, upper, order)
}
