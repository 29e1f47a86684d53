//! The two convex programs and the settings of their solve.

use crate::decomposition::Decomposition;
use crate::problem::RobustPca;
use flatmin_core::solver::Observer;
use flatmin_core::{Error, Progress};
use std::ops::ControlFlow;

/// Which of the twin programs, sums running over the seen entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// `min |X|_* + lambda sum |Y - X|`.
    Penalised {
        /// Weight of the sparse part.
        lambda: f64,
    },
    /// `min |X|_*  s.t.  sum |Y - X| <= tau`.
    Constrained {
        /// Absolute sum that the sparse part may have.
        tau: f64,
    },
}

/// One of the programs of a [`RobustPca`], with the settings of its solve.
///
/// ```
/// use flatmin_rpca::{Mat, RobustPca};
/// let y = Mat::from_fn(6, 5, |i, j| if (i, j) == (2, 1) { 9.0 } else { 1.0 });
/// let problem = RobustPca::new(y.as_ref())?;
/// // The sparse part has absolute sum 8.
/// let parts = problem.constrained(8.0).tolerance(1e-9).solve()?;
/// assert!(parts.status.is_certified() && (parts.objective - 30f64.sqrt()).abs() < 1e-8);
/// # Ok::<(), flatmin_rpca::Error>(())
/// ```
pub struct Program<'a> {
    pub(crate) problem: &'a RobustPca,
    pub(crate) form: Form,
    /// Relative duality gap to certify; default `1e-8`.
    pub tolerance: f64,
    /// Iterations over all roads; default 5000.
    pub max_iterations: usize,
    /// Rank that the fast road tries first; the certificate decides, so a wrong guess costs time
    /// only.
    pub rank: Option<usize>,
    /// Threads inside the solve; default 1. The answer does not depend on it.
    pub threads: usize,
    pub(crate) observer: Option<Box<Observer<'a>>>,
}

impl<'a> Program<'a> {
    pub(crate) fn new(problem: &'a RobustPca, form: Form) -> Program<'a> {
        Program {
            problem,
            form,
            tolerance: 1e-8,
            max_iterations: 5000,
            rank: None,
            threads: 1,
            observer: None,
        }
    }

    /// Sets the relative duality gap to certify.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the iteration limit.
    #[must_use]
    pub fn max_iterations(mut self, limit: usize) -> Self {
        self.max_iterations = limit;
        self
    }

    /// Sets the rank that the fast road tries first.
    #[must_use]
    pub fn rank(mut self, rank: usize) -> Self {
        self.rank = Some(rank);
        self
    }

    /// Sets the number of threads inside the solve.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Calls `observer` once an iteration; it stops the solve by returning `ControlFlow::Break`.
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(&Progress) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Solves the program.
    ///
    /// # Errors
    /// For what the caller got wrong: a `lambda` that is not positive, a negative `tau`, a tolerance
    /// outside `(0, 1)`, magnitudes beyond double precision.
    pub fn solve(self) -> Result<Decomposition, Error> {
        crate::solver::solve(self)
    }
}

/// Magnitudes within which an answer keeps its digits.
const SANE: (f64, f64) = (1e-150, 1e150);

/// Values of `lambda` that keep their digits.
const LAMBDA: (f64, f64) = (1e-305, 1e305);

/// Everything that a caller can get wrong.
pub(crate) fn check(program: &Program<'_>) -> Result<(), Error> {
    let largest = flatmin_core::linalg::max_abs(&program.problem.values);
    if largest > 0.0 && !(SANE.0..=SANE.1).contains(&largest) {
        let what = "the largest entry of the matrix".into();
        return Err(Error::Scale { what, magnitude: largest, sane: SANE });
    }
    let tolerance = program.tolerance;
    if !(tolerance > 0.0 && tolerance < 1.0) {
        let got = tolerance.to_string();
        return Err(Error::Parameter { name: "the tolerance", rule: "in (0, 1)", got });
    }
    match program.form {
        Form::Penalised { lambda } if !(LAMBDA.0..=LAMBDA.1).contains(&lambda) => {
            let (rule, got) = ("positive, and between 1e-305 and 1e305", lambda.to_string());
            return Err(Error::Parameter { name: "lambda", rule, got });
        }
        Form::Constrained { tau } if !(tau >= 0.0 && tau.is_finite()) => {
            let (rule, got) = ("zero or positive, and finite", tau.to_string());
            return Err(Error::Parameter { name: "tau", rule, got });
        }
        _ => {}
    }
    let positive = [
        ("the rank", program.rank.unwrap_or(1)),
        ("the iteration limit", program.max_iterations),
        ("the number of threads", program.threads),
    ];
    for (name, value) in positive {
        if value == 0 {
            return Err(Error::Parameter { name, rule: "at least 1", got: "0".into() });
        }
    }
    Ok(())
}
