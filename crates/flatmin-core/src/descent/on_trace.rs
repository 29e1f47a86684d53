//! Direct descent on loss and curvature, `f(x) + mu str H(x)`, and `mu` annealed.
//!
//! [`Multipliers`](super::Multipliers) reach the limit of small `mu` to many digits; this is the same bias with steps
//! like those of the other methods.

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::{axpy, dot};
use crate::loss::{Loss, Traced};
use crate::rng::Stream;

/// Descent on a loss and its (scaled) trace, which begins at the stage's rise.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, OnTrace}};
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let end = Descent::default().run(&mut OnTrace::new(&loss), &[2.0, 0.5])?;
/// assert!((end.x[0] - end.x[1]).abs() < 1e-3);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct OnTrace<'a> {
    loss: &'a dyn Traced,
    /// `mu`, and the stage that it belongs to.
    weight: Option<(usize, f64)>,
}

impl<'a> OnTrace<'a> {
    /// Descent on a loss.
    pub fn new(loss: &'a dyn Traced) -> OnTrace<'a> {
        OnTrace { loss, weight: None }
    }
}

impl Direction for OnTrace<'_> {
    fn name(&self) -> &'static str {
        "descent on the trace"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        true
    }

    fn begin(&mut self) {
        self.weight = None;
    }

    fn objective(&self, x: &[f64], stage: &Stage) -> Result<Option<f64>, Error> {
        let trace = self.loss.trace_and_gradient(x, &mut vec![0.0; x.len()])?;
        // The weight is settled by the gradient, which comes first.
        let mu = self.weight.filter(|w| w.0 == stage.number).map_or(0.0, |w| w.1);
        Ok(Some(self.loss.value(x)? + mu * trace))
    }

    fn gradient(
        &mut self,
        x: &[f64],
        stage: &Stage,
        _: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        let mut slope = vec![0.0; x.len()];
        let trace = self.loss.trace_and_gradient(x, &mut slope)?;
        let mu = match self.weight {
            Some((number, mu)) if number == stage.number => mu,
            _ => stage.rise / trace,
        };
        self.weight = Some((stage.number, mu));
        self.loss.value_and_gradient(x, out)?;
        axpy(mu, &slope, out);
        Ok(dot(out, out))
    }
}
