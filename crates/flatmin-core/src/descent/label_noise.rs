//! Gradient descent with fresh noise on the targets in every step.
//!
//! With targets `b + sigma xi`, `xi_i = ±1`, the noise of a gradient has covariance `(2 sigma^2 / m) H` where the
//! loss vanishes, so the point moves about with covariance `(eta sigma^2 / m) I` across the zero set, and
//! drifts along it as if
//!
//! ```text
//! f(x) + (eta sigma^2 / (2 m)) tr H(x)
//! ```
//!
//! were minimised (G. Blanc, N. Gupta, G. Valiant, P. Valiant, *Implicit regularization for deep neural networks
//! driven by an Ornstein-Uhlenbeck like process*, COLT 2020; A. Damian, T. Ma, J. Lee, *Label noise SGD provably
//! prefers flat global minimizers*, NeurIPS 2021), for small `eta lambda_max`: larger steps weigh large eigenvalues
//! more. `sigma` is chosen so that the weight is the stage's.

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::{axpy, dot};
use crate::loss::{LeastSquares, Loss};
use crate::rng::Stream;

/// Descent under label noise.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, LabelNoise}};
/// // Along l r = 1 the trace 2 l^2 + 2 r^2 is least at (1, 1): it falls from 17 to near 4.
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let end = Descent::default().run(&mut LabelNoise::new(&loss), &[2.0, 0.5])?;
/// assert!(2.0 * (end.x[0].powi(2) + end.x[1].powi(2)) < 4.4);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct LabelNoise<'a> {
    loss: &'a dyn LeastSquares,
}

impl<'a> LabelNoise<'a> {
    /// Descent on a loss.
    pub fn new(loss: &'a dyn LeastSquares) -> LabelNoise<'a> {
        LabelNoise { loss }
    }
}

impl Direction for LabelNoise<'_> {
    fn name(&self) -> &'static str {
        "label noise"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        true
    }

    fn gradient(
        &mut self,
        x: &[f64],
        stage: &Stage,
        stream: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        let m = self.loss.measurements();
        let mut residual = vec![0.0; m];
        self.loss.residual(x, &mut residual)?;
        let sigma = (2.0 * m as f64 * stage.rise / (stage.trace * stage.step)).sqrt();
        axpy(-sigma, &stream.signs(m), &mut residual);
        residual.iter_mut().for_each(|r| *r *= 2.0 / m as f64);
        self.loss.pull_back(x, &residual, out)?;
        Ok(dot(out, out))
    }
}
