//! Sharpness-aware minimisation: a step along the gradient at the top of a short ascent,
//!
//! ```text
//! x <- x - eta Df( x + rho Df(x) / |Df(x)| )
//! ```
//!
//! (P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, *Sharpness-aware minimization for efficiently improving
//! generalization*, ICLR 2021). Near the zero set it drifts as if `f + (rho^2/2) lambda_max(H)` were minimised when
//! the gradient is that of all residuals, and `f + (rho^2/2) tr H` when it is that of one (K. Wen, T. Ma, Z. Li,
//! *How sharpness-aware minimization minimizes sharpness*, ICLR 2023). `rho` is chosen so that either adds the
//! stage's rise to the loss.

use super::mini_batch::{Batches, batch_gradient};
use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::{axpy, dot};
use crate::linalg::norm;
use crate::loss::{LeastSquares, Loss};
use crate::rng::Stream;

/// Sharpness-aware minimisation of a loss.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, Sam}};
/// // Along l r = 1 the Hessian has rank one: its largest eigenvalue is its trace, least at (1, 1).
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let end = Descent::default().run(&mut Sam::new(&loss), &[2.0, 0.1])?;
/// assert!((end.x[0] - end.x[1]).abs() < 0.2);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct Sam<'a> {
    loss: &'a dyn LeastSquares,
    batches: Option<Batches>,
}

impl<'a> Sam<'a> {
    /// With the gradient of all residuals.
    pub fn new(loss: &'a dyn LeastSquares) -> Sam<'a> {
        Sam { loss, batches: None }
    }

    /// With the gradient of `batch` residuals at a time, the same ones for the ascent and for the step.
    ///
    /// # Errors
    /// When the batch is empty, or larger than the number of residuals.
    pub fn of_batch(loss: &'a dyn LeastSquares, batch: usize) -> Result<Sam<'a>, Error> {
        Ok(Sam { loss, batches: Some(Batches::new(loss.measurements(), batch)?) })
    }
}

impl Direction for Sam<'_> {
    fn name(&self) -> &'static str {
        "sharpness-aware minimisation"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        true
    }

    fn begin(&mut self) {
        if let Some(batches) = &mut self.batches {
            batches.reset();
        }
    }

    fn batch(&self) -> Option<usize> {
        self.batches.as_ref().map(Batches::size)
    }

    fn gradient(
        &mut self,
        x: &[f64],
        stage: &Stage,
        stream: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        let rho = (2.0 * stage.rise / stage.curvature_of(self.batch())).sqrt();
        let loss = self.loss;
        let batch = self.batches.as_mut().map(|batches| batches.draw(stream));
        let gradient = |x: &[f64], out: &mut [f64]| match batch {
            Some(batch) => batch_gradient(loss, x, batch, out),
            None => loss.value_and_gradient(x, out).map(|_| ()),
        };
        gradient(x, out)?;
        let size = norm(out);
        if size > 0.0 {
            let mut top = x.to_vec();
            axpy(rho / size, out, &mut top);
            gradient(&top, out)?;
        }
        Ok(dot(out, out))
    }
}
