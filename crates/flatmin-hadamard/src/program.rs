//! The convex program and the settings of its solve.

use crate::depth::Depth;
use crate::problem::Hadamard;
use crate::solver::largest_penalty;
use crate::sparse::Sparse;
use flatmin_core::linalg::max_abs;
use flatmin_core::solver::Observer;
use flatmin_core::{Error, Objective, Progress};
use std::ops::ControlFlow;

/// What takes the place of `A x = b`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// Nothing.
    Exact,
    /// `1/2 |A x - b|^2` beside `lambda` times the norm.
    Penalised(f64),
    /// `|A x - b| <= delta`.
    Bounded(f64),
}

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
    pub(crate) form: Form,
    /// Relative duality gap to certify; default `1e-8`.
    pub tolerance: f64,
    /// Iterations; default 500.
    pub max_iterations: usize,
    pub(crate) observer: Option<Box<Observer<'a>>>,
}

impl<'a> Program<'a> {
    pub(crate) fn new(problem: &'a Hadamard, depth: Depth, objective: Objective) -> Program<'a> {
        Program {
            problem,
            depth,
            objective,
            form: Form::Exact,
            tolerance: 1e-8,
            max_iterations: 500,
            observer: None,
        }
    }

    /// For targets with noise of unknown size: `min 1/2 |A x - b|_2^2 + lambda N(x)` instead of `A x = b`, with `N`
    /// the objective of the exact form; at two factors the LASSO. From [`Program::largest_penalty`] on, the
    /// answer is zero.
    ///
    /// ```
    /// // One unknown x: min (x - 3)^2 / 2 + |x| at x = 2.
    /// let problem = flatmin_hadamard::Hadamard::from_arrays(1, 1, vec![1.0], vec![3.0])?;
    /// let answer = problem.flat(2).penalty(1.0).solve()?;
    /// assert!(answer.status.is_certified());
    /// assert!((answer.x[0] - 2.0).abs() < 1e-12 && (answer.objective - 2.5).abs() < 1e-12);
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    ///
    /// Source: R. Tibshirani, *Regression shrinkage and selection via the lasso*, Journal of the Royal
    /// Statistical Society B 58, 1996.
    #[must_use]
    pub fn penalty(mut self, lambda: f64) -> Self {
        self.form = Form::Penalised(lambda);
        self
    }

    /// For targets with noise of known size: `min N(x)  s.t.  |A x - b|_2 <= delta` instead of `A x = b`; at two
    /// factors basis pursuit denoising. At `delta = 0` that is the same; from `delta = |b|_2` on the answer is
    /// zero. Of [`Program::penalty`] and this the last one counts.
    ///
    /// For any `y` whose dual norm `N*(A^T y)` is at most 1 no vector within the bound has an objective below
    /// `<b, y> - delta |y|_2`. The solution is that of the penalised form at `lambda = delta / |y|_2`
    /// ([`Sparse::penalty`]).
    ///
    /// ```
    /// // One unknown x: min 4 |x| subject to |2 x - 6| <= 2, at x = 2.
    /// let problem = flatmin_hadamard::Hadamard::from_arrays(1, 1, vec![2.0], vec![6.0])?;
    /// let answer = problem.flat(2).noise(2.0).solve()?;
    /// assert!(answer.status.is_certified());
    /// assert!((answer.x[0] - 2.0).abs() < 1e-12 && (answer.objective - 8.0).abs() < 1e-11);
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    ///
    /// Source: S. Chen, D. Donoho, M. Saunders, *Atomic decomposition by basis pursuit*, SIAM Journal on
    /// Scientific Computing 20, 1998.
    #[must_use]
    pub fn noise(mut self, delta: f64) -> Self {
        self.form = Form::Bounded(delta);
        self
    }

    /// The least `lambda` of the penalised form at which the answer is zero: the dual norm of `A^T b`,
    /// `(sum_j w_j^(-q/p) |a_j^T b|^q)^(1/q)`.
    ///
    /// ```
    /// // min (2 x - 3)^2 / 2 + lambda |x| is zero at x = 0 from lambda = 6 on.
    /// let problem = flatmin_hadamard::Hadamard::from_arrays(1, 1, vec![2.0], vec![3.0])?;
    /// assert!((problem.nuclear(2).largest_penalty()? - 6.0).abs() < 1e-12);
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::solve`].
    pub fn largest_penalty(&self) -> Result<f64, Error> {
        largest_penalty(self)
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
    /// For what the caller got wrong: a depth below 2, a tolerance outside `(0, 1)`, no iteration, a penalty
    /// that is not positive, a negative bound on the noise, magnitudes beyond double precision.
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
    match program.form {
        Form::Penalised(lambda) if !(lambda > 0.0 && lambda.is_finite()) => {
            let rule = "a positive number";
            return Err(Error::Parameter { name: "the penalty", rule, got: lambda.to_string() });
        }
        Form::Bounded(delta) if !(delta >= 0.0 && delta.is_finite()) => {
            let rule = "zero or a positive number, the largest |A x - b|";
            return Err(Error::Parameter { name: "the noise bound", rule, got: delta.to_string() });
        }
        _ => {}
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
