//! Descent on a randomly smoothed loss: gradients at points that are shaken by Gaussian noise `w`,
//!
//! ```text
//! E f(x + sigma w) = f(x) + (sigma^2/2) tr H(x) + O(sigma^4)
//! ```
//!
//! Each step takes the mean of the gradients at `x + sigma w` and `x - sigma w`, which removes the part of the noise
//! that is linear in `w`. `sigma` is chosen so that the second term is the stage's rise. (Noise of isotropic steps
//! follows the trace; for `d1 != d2` the scaled trace weighs the two factors differently.)

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::{axpy, dot};
use crate::loss::Loss;
use crate::rng::Stream;

/// Noise-injected descent on a loss.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, Smoothed}};
/// // Along l r = 1 the trace 2 l^2 + 2 r^2 is least at (1, 1): it falls from 17 to near 4.
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let end = Descent::default().run(&mut Smoothed::new(&loss), &[2.0, 0.5])?;
/// assert!(2.0 * (end.x[0].powi(2) + end.x[1].powi(2)) < 4.4);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct Smoothed<'a> {
    loss: &'a dyn Loss,
}

impl<'a> Smoothed<'a> {
    /// Descent on a loss.
    pub fn new(loss: &'a dyn Loss) -> Smoothed<'a> {
        Smoothed { loss }
    }
}

impl Direction for Smoothed<'_> {
    fn name(&self) -> &'static str {
        "noise injection"
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
        let sigma = (2.0 * stage.rise / stage.trace).sqrt();
        let w = stream.gaussian_vector(x.len());
        let (mut shaken, mut other) = (x.to_vec(), vec![0.0; x.len()]);
        axpy(sigma, &w, &mut shaken);
        self.loss.value_and_gradient(&shaken, out)?;
        axpy(-2.0 * sigma, &w, &mut shaken);
        self.loss.value_and_gradient(&shaken, &mut other)?;
        out.iter_mut().zip(&other).for_each(|(a, b)| *a = 0.5 * (*a + b));
        Ok(dot(out, out))
    }
}
