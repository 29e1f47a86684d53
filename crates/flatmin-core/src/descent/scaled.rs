//! Scaled gradient descent with damping, for factors wider than the rank.
//!
//! ```text
//! L <- L - eta D_L f (R^T R + lambda I)^{-1},      R <- R - eta D_R f (L^T L + lambda I)^{-1}
//! ```
//!
//! converges at a rate that the condition of the matrix does not slow (T. Tong, C. Ma, Y. Chi, *Accelerating
//! ill-conditioned low-rank matrix estimation via scaled gradient descent*, JMLR 22, 2021). For factors wider than
//! the rank the Grams are singular at the solution, and the damping must fall with the error (J. Zhang, S. Fattahi,
//! R. Zhang, *Preconditioned gradient descent for over-parameterized nonconvex matrix factorization*, NeurIPS 2021).
//! Here it is `(f(x) / f(0))^{1/2}` times the largest eigenvalue of the Gram.

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::dot;
use crate::loss::{Factorised, Loss};
use crate::rng::Stream;

/// Scaled gradient descent on a loss of factors, by line search: its direction has no curvature to set a step by.
///
/// ```
/// use flatmin_core::{Entries, FactoredLoss, descent::{Descent, ScaledGradient, Step}};
/// let map = Entries::new(2, 2, &[0, 0, 1, 1], &[0, 1, 0, 1])?;
/// // Condition number 1000.
/// let loss = FactoredLoss::new(&map, &[1.0, 0.0, 0.0, 1e-3])?.of_width(2)?;
/// let start = [0.5, 0.1, -0.2, 0.4, 0.3, -0.1, 0.2, 0.5];
/// let end = Descent::default().step(Step::LineSearch).run(&mut ScaledGradient::new(&loss), &start)?;
/// assert!(end.loss < 1e-12 && end.steps < 200);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct ScaledGradient<'a> {
    loss: &'a dyn Factorised,
}

impl<'a> ScaledGradient<'a> {
    /// Descent on a loss of factors.
    pub fn new(loss: &'a dyn Factorised) -> ScaledGradient<'a> {
        ScaledGradient { loss }
    }
}

impl Direction for ScaledGradient<'_> {
    fn name(&self) -> &'static str {
        "scaled gradient descent"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        false
    }

    fn is_gradient(&self) -> bool {
        false
    }

    fn objective(&self, x: &[f64], _: &Stage) -> Result<Option<f64>, Error> {
        self.loss.value(x).map(Some)
    }

    fn gradient(
        &mut self,
        x: &[f64],
        stage: &Stage,
        _: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        let value = self.loss.value_and_gradient(x, out)?;
        let gradient = out.to_vec();
        let damping = (value / stage.scale).sqrt().min(1.0);
        self.loss.scale_gradient(x, damping, out)?;
        Ok(dot(&gradient, out))
    }
}
