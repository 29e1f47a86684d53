//! What a solve returns: the answer, the bound that proves it, and what could not be known.

use crate::{Mat, MatRef};
use std::fmt;

use super::Objective;
use super::domain::{Domain, symmetrise};

/// How a solve ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The matrix fits the measurements and the lower bound proves it optimal to the tolerance.
    Certified,
    /// The iteration limit came first.
    IterationLimit,
    /// No further progress is possible in double precision; the gap says how close the answer is.
    Stalled,
    /// The observer asked to stop.
    Interrupted,
    /// No matrix fits the measurements exactly, or within the noise bound; the answer is a
    /// least-squares fit.
    Inconsistent,
}

impl Status {
    /// Whether the answer is proved optimal to the tolerance that was asked for.
    pub fn is_certified(self) -> bool {
        self == Status::Certified
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Certified => "certified",
            Status::IterationLimit => "iteration limit",
            Status::Stalled => "stalled",
            Status::Interrupted => "interrupted",
            Status::Inconsistent => "inconsistent",
        })
    }
}

/// Something a careful reader of the answer should know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Rows that no measurement depends on; they are zero in the answer.
    UnidentifiedRows(usize),
    /// Columns that no measurement depends on; they are zero in the answer.
    UnidentifiedCols(usize),
    /// Directions, not aligned with rows or columns, that no measurement depends on.
    UnidentifiedDirections {
        /// Directions of the row side (`R^{d1}`).
        left: usize,
        /// Directions of the column side (`R^{d2}`).
        right: usize,
    },
    /// All targets are zero, so the answer is the zero matrix.
    ZeroTargets,
    /// Measurements that repeat what the others say.
    RedundantMeasurements(usize),
    /// `D1` or `D2` is known to this relative accuracy only, which is coarser than the tolerance.
    IllConditioned(f64),
    /// How far what rounding leaves of the misfit may move the objective, relative to it, when that
    /// is more than the tolerance: measurements that nearly repeat one another have large
    /// multipliers.
    Sensitive(f64),
    /// The worst backward error of a measurement, `|A(X) - b|_i / (|A_i| |X| + |b_i|)`, when one of a
    /// small unit is missed although the whole is fitted.
    Uneven(f64),
    /// The least-squares residual of inconsistent measurements, relative to the targets.
    Residual(f64),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::UnidentifiedRows(n) => {
                write!(f, "{n} row(s) are seen by no measurement and are set to zero")
            }
            Warning::UnidentifiedCols(n) => {
                write!(f, "{n} column(s) are seen by no measurement and are set to zero")
            }
            Warning::UnidentifiedDirections { left, right } => write!(
                f,
                "no measurement depends on {left} row-side and {right} column-side direction(s); \
                 the answer has no component along them"
            ),
            Warning::ZeroTargets => f.write_str("all targets are zero, so the answer is zero"),
            Warning::RedundantMeasurements(n) => {
                write!(f, "{n} measurement(s) are combinations of the others")
            }
            Warning::IllConditioned(error) => write!(
                f,
                "D1 or D2 is so ill-conditioned that double precision gives it to {error:.0e} only: \
                 nothing can be certified beyond that"
            ),
            Warning::Sensitive(slip) => write!(
                f,
                "the measurements nearly depend on one another: the rounding error of the fit may \
                 move the objective by {slip:.0e} of itself"
            ),
            Warning::Uneven(error) => write!(
                f,
                "the units of the measurements differ so much that one is missed by {error:.0e} of its \
                 size: bring them to one scale"
            ),
            Warning::Residual(r) => write!(
                f,
                "no matrix fits the measurements: the least-squares residual is {r:.2e} of the \
                 targets' norm; the data are inconsistent, or noisy and want a penalty or a larger \
                 noise bound"
            ),
        }
    }
}

/// A snapshot that observers get once an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Iterations so far, over all roads.
    pub iteration: usize,
    /// The road being travelled, in words.
    pub road: &'static str,
    /// Objective at the current point, when one is at hand.
    pub objective: f64,
    /// Best proved lower bound so far.
    pub lower_bound: f64,
    /// `|A(X) - b| / |b|`, or what the constraint of another program is missed by.
    pub feasibility: f64,
    /// Rank of the current point.
    pub rank: usize,
}

/// The answer of a solve, with its proof.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The problem that was solved.
    pub objective_kind: Objective,
    /// The matrices among which it was solved.
    pub domain: Domain,
    /// `delta` of the form with a noise bound, `|A(X) - b|_2 <= delta`; `None` in the others.
    pub noise: Option<f64>,
    /// `lambda` of the penalised form; with a noise bound the one that it implies, `delta / |y|_2`, at
    /// which the penalised form has the same solution (`None` for a zero answer, where every large
    /// `lambda` has). `None` for equality constraints.
    pub penalty: Option<f64>,
    /// How the solve ended.
    pub status: Status,
    /// `|D1 X D2|_*` (flat) or `|X|_*` (nuclear); in the penalised form
    /// `1/2 |A(X) - b|^2 + lambda` times that.
    pub objective: f64,
    /// `<b, y>` for the dual vector [`Recovery::dual`], `lambda <b, y> - lambda^2 |y|^2 / 2` in the
    /// penalised form, `<b, y> - delta |y|` with a noise bound: no feasible matrix has a smaller
    /// objective.
    pub lower_bound: f64,
    /// `(objective - lower_bound) / objective`, in absolute value; 1 for an answer that does not fit
    /// the measurements, about which a bound says nothing.
    pub relative_gap: f64,
    /// `|A(X) - b|_2 / |b|_2`; with a noise bound the excess, `max(|A(X) - b|_2 - delta, 0) / |b|_2`.
    pub feasibility: f64,
    /// Numerical rank of the answer: singular values (of `D1 X D2` for flat) above `1e-7` of the
    /// largest. The factors may carry more columns.
    pub rank: usize,
    /// Whether the answer is proved to be the only solution (to the precision of the certificate);
    /// `false` says only that this was not proved. For measurements `x x^T` of a positive
    /// semidefinite matrix every matrix that fits is equally flat, so there it says that only one
    /// fits.
    pub unique: bool,
    /// Exact scaled trace of the Hessian at [`Recovery::factors`].
    pub scaled_trace: f64,
    /// Iterations over all roads.
    pub iterations: usize,
    /// Rows that no measurement depends on.
    pub unidentified_rows: Vec<usize>,
    /// Columns that no measurement depends on.
    pub unidentified_cols: Vec<usize>,
    /// What else the reader should know.
    pub warnings: Vec<Warning>,
    /// The certificate `y` (length `m`), with `|D1^{-1} A*(y) D2^{-1}|_op <= 1` (flat) or
    /// `|A*(y)|_op <= 1` (nuclear); over positive semidefinite matrices no eigenvalue of that matrix
    /// exceeds 1.
    pub dual: Vec<f64>,
    pub(super) left: Mat<f64>,
    pub(super) right: Mat<f64>,
}

impl Recovery {
    /// Factors `L` (`d1 x k`) and `R` (`d2 x k`) with `X = L R^T`: the flat pair
    /// `L = D1^{-1} U S^{1/2}`, `R = D2^{-1} V S^{1/2}` of `D1 X D2 = U S V^T`, or the balanced pair
    /// for the nuclear norm. Over a symmetric domain `R = L diag(±1)`, and over a semidefinite one
    /// `R = L`.
    pub fn factors(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (self.left.as_ref(), self.right.as_ref())
    }

    /// The matrix `X = L R^T`, `d1 x d2`.
    pub fn matrix(&self) -> Mat<f64> {
        let mut x = crate::linalg::product(self.left.as_ref(), self.right.transpose());
        if self.domain.is_symmetric() {
            symmetrise(&mut x);
        }
        x
    }
}
