//! The method of multipliers: the least value of a function over the points where a loss vanishes.
//!
//! With residuals `r(x)` and an objective `g(x)`,
//!
//! ```text
//! min g(x)  s.t.  r(x) = 0        by        x = argmin g(x) + (rho/2) |r(x) + u|^2,   u <- u + r(x).
//! ```
//!
//! The multipliers are `y = -rho u`; at a solution `J(x)^T y = D g(x)`. For the scaled trace of a factored loss
//! that solution is the flat pair, and `y` is, up to a factor, the certificate of the convex problem. It is
//! descent on loss + weight * trace with targets that are shifted until the weight no longer matters. Second-order
//! sufficiency makes it converge linearly also where the multipliers are not unique, as they are not for factors
//! wider than the rank (D. Fernández, M. Solodov, *Local convergence of exact and inexact augmented Lagrangian
//! methods under the second-order sufficient optimality condition*, SIAM J. Optim. 22, 2012). Nothing says that a
//! minimum found in the factors is a global one: the convex programs of [`solver`](crate::solver) do.

use super::{Lbfgs, check_positive};
use crate::Error;
use crate::linalg::kernel::{axpy, dot};
use crate::linalg::norm;
use crate::loss::{LeastSquares, Loss, Traced};

/// Predictions that are faint, in parts of the targets.
const FAINT: f64 = 0.1;

/// Part to which the residual must fall in a round, or the weight of the residual grows.
const PROGRESS: f64 = 0.25;

/// By which it grows.
const GROWTH: f64 = 4.0;

/// Gradient of the objective that is left without multipliers in the last round, relative to it.
const STATIONARY: f64 = 1e-7;

/// A minimiser over the zero set of a loss, and its settings.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Multipliers, TraceOf}};
/// // Among all l r = 1, measured once: the scaled trace 2 l^2 + 2 r^2 is least, 4, where |l| = |r|.
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let flat = Multipliers::default().minimise(&TraceOf(&loss), &loss, &[3.0, 0.5])?;
/// assert!(flat.converged && (flat.value - 4.0).abs() < 1e-9);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multipliers {
    /// Norm of the residual, relative to that at `x = 0` (at the start, where zero fits), at which to stop: `1e-9`.
    pub tolerance: f64,
    /// Rounds at most: 60.
    pub rounds: usize,
    /// Iterations of a round at most: 2000.
    pub iterations: usize,
}

impl Default for Multipliers {
    fn default() -> Multipliers {
        Multipliers { tolerance: 1e-9, rounds: 60, iterations: 2000 }
    }
}

/// Where the method of multipliers ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Constrained {
    /// The point.
    pub x: Vec<f64>,
    /// The objective there.
    pub value: f64,
    /// Norm of the residual there, relative to that at `x = 0`.
    pub residual: f64,
    /// `|D g - J^T y|` relative to `|D g|`.
    pub stationarity: f64,
    /// The multipliers `y`, one a residual.
    pub multipliers: Vec<f64>,
    /// Rounds.
    pub rounds: usize,
    /// Values and gradients of the augmented function that were computed.
    pub evaluations: usize,
    /// Whether the residual reached the tolerance at a stationary point.
    pub converged: bool,
}

impl Multipliers {
    /// The residual, relative to that at `x = 0`, at which to stop.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Multipliers {
        self.tolerance = tolerance;
        self
    }

    /// The most rounds.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Multipliers {
        self.rounds = rounds;
        self
    }

    /// Minimises `objective` over the zeros of `loss`, from `start`, which need not be one. Zero is a stationary
    /// point of every loss in factors: do not start there.
    ///
    /// # Errors
    /// When the tolerance is not positive, the two are not of one order, the start has not as many finite numbers,
    /// or a function refuses it or is not finite there.
    pub fn minimise(
        &self,
        objective: &dyn Loss,
        loss: &dyn LeastSquares,
        start: &[f64],
    ) -> Result<Constrained, Error> {
        check_positive("the tolerance of the residual", self.tolerance)?;
        if objective.order() != loss.order() {
            return Err(Error::Shape {
                what: "the objective",
                expected: format!("the order {} of the loss", loss.order()),
                got: format!("order {}", objective.order()),
            });
        }
        let (n, m) = (loss.order(), loss.measurements());
        let (mut residual, mut back, mut gradient) = (vec![0.0; m], vec![0.0; n], vec![0.0; n]);
        loss.residual(&vec![0.0; n], &mut residual)?;
        let scale = norm(&residual);
        let mut x = start.to_vec();
        let silent = residual.clone();
        loss.residual(&x, &mut residual)?;
        let told: Vec<f64> = residual.iter().zip(&silent).map(|(r, s)| r - s).collect();
        // From where nothing is predicted, or nothing to be gained, towards a fit first: the two could not be weighed.
        if norm(&told) < FAINT * scale || objective.value(&x)? == 0.0 {
            x = Lbfgs::default().tolerance(1e-3).minimise(loss, &x)?.x;
            loss.residual(&x, &mut residual)?;
        }
        let scale = if scale > 0.0 { scale } else { norm(&residual).max(f64::MIN_POSITIVE) };
        // As much of the one as of the other, where both are as large as they get.
        let first = objective.value(&x)?.abs().max(f64::MIN_POSITIVE);
        let mut rho = 10.0 * first / (scale * scale);
        let mut shift = vec![0.0; m];
        let (mut evaluations, mut rounds, mut idle, mut tolerance) = (0, 0, 0, 1e-2);
        let mut left = norm(&residual) / scale;
        loop {
            rounds += 1;
            let augmented = Augmented { objective, loss, rho, shift: &shift };
            objective.value_and_gradient(&x, &mut gradient)?;
            let small = tolerance * norm(&gradient);
            let inner = Lbfgs { memory: 30, limit: self.iterations, ..Lbfgs::default() };
            let found = inner.until(&augmented, &x, |_| small)?;
            evaluations += found.evaluations;
            x = found.x;
            loss.residual(&x, &mut residual)?;
            axpy(1.0, &residual, &mut shift);
            let now = norm(&residual) / scale;

            let value = objective.value_and_gradient(&x, &mut gradient)?;
            let size = norm(&gradient).max(f64::MIN_POSITIVE);
            let y: Vec<f64> = shift.iter().map(|u| -rho * u).collect();
            loss.pull_back(&x, &y, &mut back)?;
            axpy(-1.0, &back, &mut gradient);
            let stationarity = norm(&gradient) / size;
            let converged = now <= self.tolerance && stationarity <= STATIONARY;
            // Twice without a step: rounding leaves nothing to gain.
            idle = if found.iterations == 0 { idle + 1 } else { 0 };
            if converged || rounds >= self.rounds || idle == 2 {
                let (multipliers, residual) = (y, now);
                return Ok(Constrained {
                    x,
                    value,
                    residual,
                    stationarity,
                    multipliers,
                    rounds,
                    evaluations,
                    converged,
                });
            }
            if now > PROGRESS * left && now > self.tolerance {
                rho *= GROWTH;
                shift.iter_mut().for_each(|u| *u /= GROWTH);
            }
            left = now;
            tolerance = (0.1 * tolerance).clamp(0.1 * STATIONARY, 1e-2);
        }
    }
}

/// `g(x) + (rho/2) |r(x) + u|^2`.
struct Augmented<'a> {
    objective: &'a dyn Loss,
    loss: &'a dyn LeastSquares,
    rho: f64,
    shift: &'a [f64],
}

impl Augmented<'_> {
    fn shifted(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let mut residual = vec![0.0; self.shift.len()];
        self.loss.residual(x, &mut residual)?;
        axpy(1.0, self.shift, &mut residual);
        Ok(residual)
    }
}

impl Loss for Augmented<'_> {
    fn order(&self) -> usize {
        self.loss.order()
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        let residual = self.shifted(x)?;
        Ok(self.objective.value(x)? + 0.5 * self.rho * dot(&residual, &residual))
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        let residual = self.shifted(x)?;
        let mut back = vec![0.0; x.len()];
        self.loss.pull_back(x, &residual, &mut back)?;
        let value = self.objective.value_and_gradient(x, gradient)?;
        axpy(self.rho, &back, gradient);
        Ok(value + 0.5 * self.rho * dot(&residual, &residual))
    }
}

/// The trace of a loss as a function: an objective for [`Multipliers`].
#[derive(Clone, Copy)]
pub struct TraceOf<'a, T: Traced + ?Sized>(pub &'a T);

impl<T: Traced + ?Sized> Loss for TraceOf<'_, T> {
    fn order(&self) -> usize {
        self.0.order()
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        self.0.trace_and_gradient(x, &mut vec![0.0; x.len()])
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        self.0.trace_and_gradient(x, gradient)
    }
}

/// `|x - c|^2`: as an objective for [`Multipliers`], how far the zeros of a loss are from a point.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Multipliers, SquaredDistance}};
/// // From the origin the nearest points of l r = 1 are (1, 1) and (-1, -1).
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let origin = SquaredDistance { from: vec![0.0; 2] };
/// let nearest = Multipliers::default().minimise(&origin, &loss, &[0.5, 2.0])?;
/// assert!((nearest.value - 2.0).abs() < 1e-9);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SquaredDistance {
    /// The point `c`.
    pub from: Vec<f64>,
}

impl Loss for SquaredDistance {
    fn order(&self) -> usize {
        self.from.len()
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        self.value_and_gradient(x, &mut vec![0.0; x.len()])
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        crate::loss::check_point(self.order(), x)?;
        crate::loss::check_point(self.order(), gradient)?;
        let off = x.iter().zip(&self.from).map(|(x, c)| x - c);
        gradient.iter_mut().zip(off).for_each(|(g, off)| *g = 2.0 * off);
        Ok(0.25 * dot(gradient, gradient))
    }
}
