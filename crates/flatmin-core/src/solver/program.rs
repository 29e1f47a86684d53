//! The convex programs and their settings.

use super::domain::Domain;
use super::fit::in_range;
use super::monitor::Observer;
use super::recovery::{Progress, Recovery};
use crate::linalg::max_abs;
use crate::loss::check_targets;
use crate::operator::LinearMap;
use crate::{Error, Mat};
use std::fmt;
use std::ops::ControlFlow;

/// Which of the interpolating matrices is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Objective {
    /// `|D1 X D2|_*`: the flat solution.
    #[default]
    Flat,
    /// `|X|_*`: the solution of least nuclear norm.
    Nuclear,
    /// `|D1 X D2|_*` with `(1 - s) D_i^2 + s (tr D_i^2 / d_i) I` in place of `D_i^2`, `0 <= s <= 1`, on
    /// the rows and columns that are seen: from flat at `s = 0` to `|X|_*` over `(d1 d2)^{1/2}` times
    /// the root of the mean square of a measurement's norm at `s = 1`. For sampled entries these are the smoothed
    /// weights of R. Foygel, R. Salakhutdinov, O. Shamir, N. Srebro, *Learning with the weighted
    /// trace-norm under arbitrary sampling distributions*, 2011.
    Smoothed(f64),
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Objective::Flat => f.pad("flat"),
            Objective::Nuclear => f.pad("nuclear"),
            Objective::Smoothed(s) => f.pad(&format!("smoothed {s}")),
        }
    }
}

/// How closely the targets are to be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// `A(X) = b`.
    Exact,
    /// `1/2 |A(X) - b|^2` beside `lambda` times the norm.
    Penalised(f64),
    /// `|A(X) - b| <= delta`.
    Bounded(f64),
}

/// `min |D1 X D2|_*` or `min |X|_*` subject to `A(X) = b`, with the settings of its solve.
///
/// ```
/// use flatmin_core::{Entries, Objective, Program};
/// // A 2 x 2 matrix of rank one, three entries seen.
/// let map = Entries::new(2, 2, &[0, 0, 1], &[0, 1, 0])?;
/// let answer = Program::new(&map, &[1.0, 1.0, 1.0], Objective::Nuclear).solve()?;
/// assert!(answer.status.is_certified());
/// assert!((answer.matrix()[(1, 1)] - 1.0).abs() < 1e-6);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct Program<'a> {
    pub(super) map: &'a dyn LinearMap,
    pub(super) targets: &'a [f64],
    pub(super) objective: Objective,
    pub(super) domain: Domain,
    /// Relative duality gap to certify; default `1e-8`.
    pub tolerance: f64,
    /// Iterations over all roads; default 2000.
    pub max_iterations: usize,
    /// Rank that the fast road tries first; the certificate decides, so a wrong guess costs time
    /// only.
    pub rank: Option<usize>,
    /// Threads inside the solve; default 1.
    pub threads: usize,
    pub(super) form: Form,
    pub(super) warm_start: Option<(Mat<f64>, Mat<f64>)>,
    pub(super) observer: Option<Box<Observer<'a>>>,
}

impl<'a> Program<'a> {
    /// The program of a map, its targets `b` (length `m`) and an objective. Everything is checked
    /// by [`Program::solve`].
    pub fn new(map: &'a dyn LinearMap, targets: &'a [f64], objective: Objective) -> Program<'a> {
        Program {
            map,
            targets,
            objective,
            domain: Domain::General,
            tolerance: 1e-8,
            max_iterations: 2000,
            rank: None,
            threads: 1,
            form: Form::Exact,
            warm_start: None,
            observer: None,
        }
    }

    /// Looks for the solution among the matrices of a domain; all, if it is not said.
    ///
    /// ```
    /// use flatmin_core::{Domain, Objective, Program, RankOne};
    /// // x^T X x for three vectors x; X = [1, 2; 2, 0].
    /// let map = RankOne::symmetric(2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
    /// let program = Program::new(&map, &[1.0, 0.0, 5.0], Objective::Flat);
    /// let answer = program.over(Domain::Symmetric).solve()?;
    /// assert!((answer.matrix()[(0, 1)] - 2.0).abs() < 1e-6);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    #[must_use]
    pub fn over(mut self, domain: Domain) -> Self {
        self.domain = domain;
        self
    }

    /// For targets with noise of unknown size: `min 1/2 |A(X) - b|^2 + lambda |D1 X D2|_*` (or `|X|_*`) instead of
    /// `A(X) = b`. From `lambda = |D1^{-1} A*(b) D2^{-1}|_op` on, the answer is zero.
    ///
    /// ```
    /// use flatmin_core::{DenseMap, Objective, Program};
    /// // One unknown x: min (x - 3)^2 / 2 + |x| at x = 2.
    /// let map = DenseMap::new(1, 1, vec![1.0])?;
    /// let answer = Program::new(&map, &[3.0], Objective::Nuclear).penalty(1.0).solve()?;
    /// assert!(answer.status.is_certified());
    /// assert!((answer.matrix()[(0, 0)] - 2.0).abs() < 1e-6 && (answer.objective - 2.5).abs() < 1e-7);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    #[must_use]
    pub fn penalty(mut self, lambda: f64) -> Self {
        self.form = Form::Penalised(lambda);
        self
    }

    /// For targets with noise of known size: `min |D1 X D2|_*` (or `|X|_*`) subject to
    /// `|A(X) - b|_2 <= delta` instead of `A(X) = b`. At `delta = 0` that is the same; from
    /// `delta = |b|_2` on the answer is zero. Of [`Program::penalty`] and this the last one counts.
    ///
    /// For any `y` with `|D1^{-1} A*(y) D2^{-1}|_op <= 1` no matrix within the bound has an objective
    /// below `<b, y> - delta |y|_2`. The solution is that of the penalised form at
    /// `lambda = delta / |y|_2` ([`Recovery::penalty`]).
    ///
    /// ```
    /// use flatmin_core::{DenseMap, Objective, Program};
    /// // One unknown x: min |x| subject to |2 x - 6| <= 2, at x = 2.
    /// let map = DenseMap::new(1, 1, vec![2.0])?;
    /// let answer = Program::new(&map, &[6.0], Objective::Nuclear).noise(2.0).solve()?;
    /// assert!(answer.status.is_certified());
    /// assert!((answer.matrix()[(0, 0)] - 2.0).abs() < 1e-7);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// [`Recovery::penalty`]: crate::Recovery::penalty
    #[must_use]
    pub fn noise(mut self, delta: f64) -> Self {
        self.form = Form::Bounded(delta);
        self
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

    /// Starts from the answer of a related solve.
    #[must_use]
    pub fn warm_start(mut self, answer: &Recovery) -> Self {
        let (l, r) = answer.factors();
        self.warm_start = Some((l.to_owned(), r.to_owned()));
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
    /// For what the caller got wrong: targets that do not fit the map or are not finite, a
    /// tolerance outside `(0, 1)`, a start of another shape, measurements that are not symmetric
    /// where the domain is, magnitudes beyond double precision.
    pub fn solve(mut self) -> Result<Recovery, Error> {
        super::solve(&mut self)
    }
}

/// Everything that a caller can get wrong.
pub(super) fn check(program: &Program<'_>) -> Result<(), Error> {
    check_targets(program.map, program.targets)?;
    let largest = max_abs(program.targets);
    in_range("the largest target", largest > 0.0, &[largest])?;
    let dims = program.map.dims();
    if program.domain.is_symmetric() {
        check_symmetric(program, largest)?;
    }
    let tolerance = program.tolerance;
    if !(tolerance > 0.0 && tolerance < 1.0) {
        let got = tolerance.to_string();
        return Err(Error::Parameter { name: "the tolerance", rule: "in (0, 1)", got });
    }
    if let Objective::Smoothed(s) = program.objective
        && !(0.0..=1.0).contains(&s)
    {
        let rule = "from 0 (flat) to 1 (nuclear)";
        return Err(Error::Parameter { name: "the smoothing", rule, got: s.to_string() });
    }
    if let Form::Bounded(delta) = program.form
        && !(delta >= 0.0 && delta.is_finite())
    {
        let rule = "zero or a positive number, the largest |A(X) - b|";
        return Err(Error::Parameter { name: "the noise bound", rule, got: delta.to_string() });
    }
    if let Form::Penalised(penalty) = program.form {
        let unit = if largest > 0.0 { penalty / largest } else { penalty };
        if !(1e-15..=1e15).contains(&unit) {
            let got = format!("{penalty:e} for targets up to {largest:e}");
            let rule = "positive, and within 1e-15 and 1e15 times the largest target";
            return Err(Error::Parameter { name: "the penalty", rule, got });
        }
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
    if let Some((l, r)) = &program.warm_start
        && (l.nrows() != dims.rows || r.nrows() != dims.cols)
    {
        return Err(Error::Shape {
            what: "the warm start",
            expected: format!("the answer of a {} x {} problem", dims.rows, dims.cols),
            got: format!("one of a {} x {} problem", l.nrows(), r.nrows()),
        });
    }
    Ok(())
}

/// Over a symmetric domain the measurements must be symmetric, too: `A*(b)` shows it.
fn check_symmetric(program: &Program<'_>, scale: f64) -> Result<(), Error> {
    let dims = program.map.dims();
    if dims.rows != dims.cols {
        return Err(Error::Shape {
            what: "a symmetric matrix",
            expected: "as many rows as columns".into(),
            got: format!("{} x {}", dims.rows, dims.cols),
        });
    }
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let unit: Vec<f64> = program.targets.iter().map(|b| b / scale).collect();
    let back = program.map.adjoint_matrix(&unit);
    if (&back - back.transpose()).norm_max() > 1e-10 * back.norm_max() {
        let got = "measurements that are not".into();
        let rule = "symmetric matrices, to look for a symmetric matrix";
        return Err(Error::Parameter { name: "the measurements", rule, got });
    }
    Ok(())
}
