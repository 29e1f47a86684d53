//! What a step of a descent method follows.

use crate::Error;
use crate::loss::Loss;
use crate::rng::Stream;

/// A descent method, as [`Descent`](super::Descent) runs it: the vector that a step goes against. A method of
/// one's own implements it.
pub trait Direction {
    /// Name for the reader.
    fn name(&self) -> &'static str;

    /// The loss that is descended on.
    fn loss(&self) -> &dyn Loss;

    /// Whether the method has a strength, by which it trades loss against curvature or size: it is then annealed
    /// in stages. Otherwise it ends where the loss vanishes.
    fn is_biased(&self) -> bool;

    /// Forgets earlier runs.
    fn begin(&mut self) {}

    /// Whether the vector is a gradient, or estimates one: then its step may be set by curvature.
    fn is_gradient(&self) -> bool {
        true
    }

    /// Residuals that are drawn at a time; `None` for all of them.
    fn batch(&self) -> Option<usize> {
        None
    }

    /// The function whose gradient is followed, at `x`; `None` when the steps are random.
    ///
    /// # Errors
    /// When the loss refuses the point.
    fn objective(&self, _x: &[f64], _stage: &Stage) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// The vector that a step from `x` goes against, into `out`; returns how fast the objective falls along it,
    /// or its squared norm where the steps are random.
    ///
    /// # Errors
    /// When the loss refuses the point.
    fn gradient(
        &mut self,
        x: &[f64],
        stage: &Stage,
        stream: &mut Stream,
        out: &mut [f64],
    ) -> Result<f64, Error>;
}

/// Part of a run in which nothing but the point changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Number of the stage, from 0.
    pub number: usize,
    /// Step `eta`.
    pub step: f64,
    /// What the method may add to the loss, `mu tr H` for the weight `mu` that it puts on the trace.
    pub rise: f64,
    /// Value of the loss at `x = 0`, by which losses are judged.
    pub scale: f64,
    /// Trace of the Hessian where the stage began.
    pub trace: f64,
    /// Its largest eigenvalue there.
    pub curvature: f64,
    /// `|x|^2` there.
    pub square: f64,
}

impl Stage {
    /// Bound on the curvature that a step along `batch` residuals meets: the mean over draws of the largest
    /// eigenvalue of their Hessian is at most `(1 - 1/B) lambda + tr H / B`, which is the largest eigenvalue for
    /// all and the trace for one.
    pub fn curvature_of(&self, batch: Option<usize>) -> f64 {
        batch.map_or(self.curvature, |b| {
            let share = 1.0 / b as f64;
            (1.0 - share) * self.curvature + share * self.trace
        })
    }
}
