//! Stochastic gradient descent: each step along the gradient of `B` residuals, drawn without replacement in epochs.
//!
//! Where all residuals vanish so does the noise: nothing moves the point along the zero set once it is reached.

use super::{Direction, Stage};
use crate::Error;
use crate::linalg::kernel::dot;
use crate::loss::{LeastSquares, Loss};
use crate::rng::Stream;

/// Batches of residuals in random order, each residual once an epoch.
#[derive(Debug, Clone)]
pub(super) struct Batches {
    order: Vec<usize>,
    next: usize,
    size: usize,
}

impl Batches {
    /// Refuses a size of zero, or beyond the number of residuals.
    pub(super) fn new(m: usize, size: usize) -> Result<Batches, Error> {
        if size == 0 || size > m {
            return Err(Error::Parameter {
                name: "the size of a batch",
                rule: "at least 1 and at most the number of measurements",
                got: format!("{size} of {m}"),
            });
        }
        Ok(Batches { order: (0..m).collect(), next: m, size })
    }

    /// As new.
    pub(super) fn reset(&mut self) {
        let m = self.order.len();
        self.order = (0..m).collect();
        self.next = m;
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The next batch; the last of an epoch may be smaller.
    pub(super) fn draw(&mut self, stream: &mut Stream) -> &[usize] {
        let m = self.order.len();
        if self.next >= m {
            for i in (1..m).rev() {
                let j = (stream.uniform() * (i + 1) as f64) as usize;
                self.order.swap(i, j.min(i));
            }
            self.next = 0;
        }
        let first = self.next;
        self.next = (first + self.size).min(m);
        &self.order[first..self.next]
    }
}

/// The gradient of the mean over a batch, `(2/B) sum_{i in batch} r_i D r_i`.
pub(super) fn batch_gradient(
    loss: &dyn LeastSquares,
    x: &[f64],
    batch: &[usize],
    out: &mut [f64],
) -> Result<(), Error> {
    let mut residual = vec![0.0; loss.measurements()];
    loss.residual(x, &mut residual)?;
    let mut drawn = vec![0.0; residual.len()];
    batch.iter().for_each(|&i| drawn[i] = 2.0 / batch.len() as f64 * residual[i]);
    loss.pull_back(x, &drawn, out)
}

/// Stochastic gradient descent on a loss.
///
/// ```
/// use flatmin_core::{Entries, FactoredLoss, descent::{Descent, MiniBatch}};
/// let map = Entries::new(2, 2, &[0, 0, 1], &[0, 1, 0])?;
/// let loss = FactoredLoss::new(&map, &[1.0, 2.0, 3.0])?.of_width(1)?;
/// let end = Descent::default().run(&mut MiniBatch::new(&loss, 1)?, &[1.0, 1.0, 1.0, 1.0])?;
/// assert!(end.loss < 1e-10);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct MiniBatch<'a> {
    loss: &'a dyn LeastSquares,
    batches: Batches,
}

impl<'a> MiniBatch<'a> {
    /// Descent on a loss, `batch` residuals at a time.
    ///
    /// # Errors
    /// When the batch is empty, or larger than the number of residuals.
    pub fn new(loss: &'a dyn LeastSquares, batch: usize) -> Result<MiniBatch<'a>, Error> {
        Ok(MiniBatch { loss, batches: Batches::new(loss.measurements(), batch)? })
    }
}

impl Direction for MiniBatch<'_> {
    fn name(&self) -> &'static str {
        "mini-batches"
    }

    fn loss(&self) -> &dyn Loss {
        self.loss
    }

    fn is_biased(&self) -> bool {
        false
    }

    fn begin(&mut self) {
        self.batches.reset();
    }

    fn batch(&self) -> Option<usize> {
        Some(self.batches.size())
    }

    fn gradient(
        &mut self,
        x: &[f64],
        _: &Stage,
        stream: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error> {
        let batch = self.batches.draw(stream);
        batch_gradient(self.loss, x, batch, out)?;
        Ok(dot(out, out))
    }
}
