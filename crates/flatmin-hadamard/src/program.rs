//! The convex program and the settings of its solve.

use crate::depth::Depth;
use crate::problem::Hadamard;
use crate::sparse::Sparse;
use flatmin_core::linalg::max_abs;
use flatmin_core::solver::Observer;
use flatmin_core::{Error, Objective, Progress};
use std::ops::ControlFlow;

/// One of the programs of a [`Hadamard`] problem, with the settings of its solve.
///
/// ```
/// use flatmin_hadamard::{Depth, Hadamard};
/// let problem = Hadamard::from_arrays(1, 2, vec![1.0, 2.0], vec![2.0])?;
/// // Two factors: |a_1| |x_1| + ... prefers the smaller column. Many: x = b a^+ as by least squares.
/// assert_eq!(problem.flat(2).tolerance(1e-9).solve()?.x, [2.0, 0.0]);
/// assert!((problem.nuclear(Depth::Infinite).solve()?.x[1] - 0.8).abs() < 1e-12);
/// # Ok::<(), flatmin_hadamard::Error>(())
/// ```
pub struct Program<'a> {
    pub(crate) problem: &'a Hadamard,
    pub(crate) depth: Depth,
    pub(crate) objective: Objective,
    /// Relative duality gap to certify; default `1e-8`.
    pub tolerance: f64,
    /// Iterations; default 500.
    pub max_iterations: usize,
    pub(crate) observer: Option<Box<Observer<'a>>>,
}

impl<'a> Program<'a> {
    pub(crate) fn new(problem: &'a Hadamard, depth: Depth, objective: Objective) -> Program<'a> {
        Program { problem, depth, objective, tolerance: 1e-8, max_iterations: 500, observer: None }
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

    /// Calls `observer` once an iteration; it stops the solve by returning `ControlFlow::Break`.
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(&Progress) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Solves the program.
    ///
    /// # Errors
    /// For what the caller got wrong: a depth below 2, a tolerance outside `(0, 1)`, no iteration,
    /// magnitudes beyond double precision.
    pub fn solve(self) -> Result<Sparse, Error> {
        crate::solver::solve(self)
    }
}

/// Magnitudes within which an answer keeps its digits.
const SANE: (f64, f64) = (1e-150, 1e150);

/// Everything that a caller can get wrong.
pub(crate) fn check(program: &Program<'_>) -> Result<(), Error> {
    program.depth.exponent()?;
    let tolerance = program.tolerance;
    if !(tolerance > 0.0 && tolerance < 1.0) {
        let got = tolerance.to_string();
        return Err(Error::Parameter { name: "the tolerance", rule: "in (0, 1)", got });
    }
    if program.max_iterations == 0 {
        let (name, rule) = ("the iteration limit", "at least 1");
        return Err(Error::Parameter { name, rule, got: "0".into() });
    }
    let problem = program.problem;
    let entries = problem.matrix.col_iter().map(|c| c.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
    for (what, magnitude) in [
        ("the largest entry of the matrix", entries.fold(0.0, f64::max)),
        ("the largest target", max_abs(&problem.targets)),
    ] {
        if magnitude > 0.0 && !(SANE.0..=SANE.1).contains(&magnitude) {
            return Err(Error::Scale { what: what.into(), magnitude, sane: SANE });
        }
    }
    Ok(())
}
