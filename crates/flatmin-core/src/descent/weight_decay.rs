//! Gradient descent with weight decay, `f(x) + w |x|^2`, and `w` annealed: what is left at the end has the least
//! norm among the zeros nearby. For factor pairs that is the least nuclear norm, not the flat solution
//! (N. Srebro, J. Rennie, T. Jaakkola, *Maximum-margin matrix factorization*, NIPS 2004).

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::{axpy, dot};
use crate::loss::Loss;
use crate::rng::Stream;

/// Descent on a loss with weight decay, which begins at the stage's rise.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, WeightDecay}};
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let end = Descent::default().run(&mut WeightDecay::new(&loss), &[2.0, 0.5])?;
/// assert!((end.x[0] - end.x[1]).abs() < 1e-3);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct WeightDecay<'a> {
    loss: &'a dyn Loss,
}

impl<'a> WeightDecay<'a> {
    /// Descent on a loss.
    pub fn new(loss: &'a dyn Loss) -> WeightDecay<'a> {
        WeightDecay { loss }
    }
}

impl Direction for WeightDecay<'_> {
    fn name(&self) -> &'static str {
        "weight decay"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        true
    }

    fn objective(&self, x: &[f64], stage: &Stage) -> Result<Option<f64>, Error> {
        Ok(Some(self.loss.value(x)? + stage.rise / stage.square * dot(x, x)))
    }

    fn gradient(
        &mut self,
        x: &[f64],
        stage: &Stage,
        _: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        self.loss.value_and_gradient(x, out)?;
        axpy(2.0 * stage.rise / stage.square, x, out);
        Ok(dot(out, out))
    }
}
