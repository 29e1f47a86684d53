//! What a solve returns: the two parts, the bound that proves them, and what could not be known.

use crate::problem::RobustPca;
use crate::program::Form;
use flatmin_core::linalg::product;
use flatmin_core::{Mat, MatRef, Status};
use std::fmt;

/// Something a careful reader of the answer should know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Rows of which no entry is seen; they are zero in the answer.
    UnidentifiedRows(usize),
    /// Columns of which no entry is seen; they are zero in the answer.
    UnidentifiedCols(usize),
    /// Every seen entry is zero, so both parts are.
    ZeroMatrix,
    /// The low-rank part is zero: all of the matrix counts as sparse.
    AllSparse,
    /// The sparse part is zero: all of the matrix counts as of low rank.
    AllLowRank,
    /// What the rounding of `L R^T` alone would add to the objective, as a part of it, where `X = Y` is
    /// meant to the last digit and `lambda` is so large that this matters.
    Rounding(f64),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::UnidentifiedRows(n) => {
                write!(f, "{n} row(s) have no seen entry and are set to zero")
            }
            Warning::UnidentifiedCols(n) => {
                write!(f, "{n} column(s) have no seen entry and are set to zero")
            }
            Warning::ZeroMatrix => f.write_str("every entry is zero, so both parts are"),
            Warning::AllSparse => f.write_str(
                "all of the matrix counts as sparse and the low-rank part is zero: a larger lambda, \
                 or a smaller tau, asks for more of it",
            ),
            Warning::AllLowRank => f.write_str(
                "nothing counts as sparse, so that no entry is corrected: a smaller lambda, or a \
                 larger tau, asks for more",
            ),
            Warning::Rounding(part) => write!(
                f,
                "X = Y is meant exactly: lambda is so large that the rounding of L R^T would count as \
                 sparse, and add {part:.0e} of the objective"
            ),
        }
    }
}

/// The low-rank and the sparse part, with the proof that no better pair exists.
#[derive(Debug, Clone)]
pub struct Decomposition {
    /// The program that was solved.
    pub form: Form,
    /// How the solve ended.
    pub status: Status,
    /// `|X|_* + lambda sum |Y - X|` (penalised) or `|X|_*` (constrained).
    pub objective: f64,
    /// `<Y, Q>` (penalised) or `<Y, Q> - tau max|Q_ij|` (constrained) for the matrix `Q` of
    /// [`Decomposition::dual`]: no feasible `X` has a smaller objective.
    pub lower_bound: f64,
    /// `(objective - lower_bound) / objective`, in absolute value. In the constrained form an excess
    /// of `sum |Y - X|` over `tau`, weighed by the multiplier, is part of it.
    pub relative_gap: f64,
    /// Excess of `sum |Y - X|` over `tau`, as a part of `sum |Y|`; 0 in the penalised form.
    pub feasibility: f64,
    /// Number of singular values of the low-rank part above `1e-7` of the largest. The factors may
    /// carry more columns.
    pub rank: usize,
    /// Exact scaled trace of the majoriser's Hessian at [`Decomposition::factors`]: `2 |L|_F^2 +
    /// 2 |R|_F^2` where everything is seen ([`Majoriser`](crate::Majoriser) has the general formula).
    pub scaled_trace: f64,
    /// Iterations over all roads.
    pub iterations: usize,
    /// The `lambda` of the penalised form; in the constrained form the one that `tau` implies, the
    /// multiplier `max|Q_ij|`: its penalised program has the same solution.
    pub lambda: f64,
    /// `sum |Y - X|`, zero where `X = Y` is meant to the last digit: the `tau` for which the
    /// constrained program has the same solution.
    pub tau: f64,
    /// Rows of which no entry is seen.
    pub unidentified_rows: Vec<usize>,
    /// Columns of which no entry is seen.
    pub unidentified_cols: Vec<usize>,
    /// What else the reader should know.
    pub warnings: Vec<Warning>,
    /// The certificate `Q` (`d1 x d2`): `|Q|_op <= 1`, `|Q_ij| <= lambda`, and zero where nothing is
    /// seen.
    pub dual: Mat<f64>,
    pub(crate) left: Mat<f64>,
    pub(crate) right: Mat<f64>,
    pub(crate) sparse: Mat<f64>,
}

impl Decomposition {
    /// Balanced factors `L = U S^{1/2}` (`d1 x k`) and `R = V S^{1/2}` (`d2 x k`) of the low-rank
    /// part `X = U S V^T`: of all pairs with this product the flattest, where everything is seen.
    pub fn factors(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (self.left.as_ref(), self.right.as_ref())
    }

    /// The low-rank part `X = L R^T`, `d1 x d2`.
    pub fn matrix(&self) -> Mat<f64> {
        product(self.left.as_ref(), self.right.transpose())
    }

    /// The sparse part `Y - X`, `d1 x d2`, zero where nothing is seen, and where the two agree to
    /// the accuracy of the answer.
    pub fn sparse(&self) -> MatRef<'_, f64> {
        self.sparse.as_ref()
    }

    /// Number of nonzero entries of the sparse part.
    pub fn sparse_entries(&self) -> usize {
        self.sparse.col_iter().map(|c| c.iter().filter(|&&v| v != 0.0).count()).sum()
    }
}

/// Rows and columns without a seen entry.
pub(crate) fn unidentified(problem: &RobustPca) -> (Vec<usize>, Vec<usize>) {
    let Some(seen) = &problem.seen else { return Default::default() };
    let (mut rows, mut cols) = (vec![true; problem.rows], Vec::new());
    for (j, column) in seen.chunks_exact(problem.rows).enumerate() {
        if !column.contains(&true) {
            cols.push(j);
        }
        rows.iter_mut().zip(column).for_each(|(unseen, seen)| *unseen &= !seen);
    }
    let rows = rows.iter().enumerate().filter(|(_, unseen)| **unseen).map(|(i, _)| i);
    (rows.collect(), cols)
}
