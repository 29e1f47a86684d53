//! Gradient descent: `x <- x - eta Df(x)`.
//!
//! From a small start it stays near matrices of low rank (S. Gunasekar et al., *Implicit regularization in matrix
//! factorization*, NeurIPS 2017); from a large one it ends at whatever interpolates nearby.

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::dot;
use crate::loss::Loss;
use crate::rng::Stream;

/// Gradient descent on a loss.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, Gradient, Step}};
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// for step in [Step::LineSearch, Step::Curvature(0.5)] {
///     let end = Descent::default().step(step).run(&mut Gradient::new(&loss), &[2.0, 0.1])?;
///     // The hyperbola l r = 1 is reached, on the side of the start.
///     assert!(end.loss < 1e-11 && end.x[0] > 1.9);
/// }
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct Gradient<'a> {
    loss: &'a dyn Loss,
}

impl<'a> Gradient<'a> {
    /// Descent on a loss.
    pub fn new(loss: &'a dyn Loss) -> Gradient<'a> {
        Gradient { loss }
    }
}

impl Direction for Gradient<'_> {
    fn name(&self) -> &'static str {
        "gradient descent"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        false
    }

    fn objective(&self, x: &[f64], _: &Stage) -> Result<Option<f64>, Error> {
        self.loss.value(x).map(Some)
    }

    fn gradient(
        &mut self,
        x: &[f64],
        _: &Stage,
        _: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        self.loss.value_and_gradient(x, out)?;
        Ok(dot(out, out))
    }
}
