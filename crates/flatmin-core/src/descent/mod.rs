//! Descent on the losses: which methods find the flat minimum?
//!
//! Interpolating factors are many, and flat ones are those of least (scaled) trace of the Hessian. A method has a
//! *bias*: which of them it ends at. [`Descent`] runs a method from a start; the methods are
//!
//! | method | of | its bias |
//! |---|---|---|
//! | [`Gradient`] | any loss | what is near the start |
//! | [`ScaledGradient`] | a loss of factors | the same, in another metric |
//! | [`MiniBatch`] | a mean of squares | the same |
//! | [`LabelNoise`] | a mean of squares | the trace |
//! | [`Smoothed`] | any loss | the trace |
//! | [`Sam`] | a mean of squares | the largest eigenvalue; of single residuals the trace |
//! | [`WeightDecay`] | any loss | the norm of the factors |
//! | [`OnTrace`] | a loss with a known trace | the trace |
//!
//! near the zero set, for small steps and noise, where the Hessian keeps its rank. [`Multipliers`] reach the flat
//! factors themselves, to many digits. [`start`] draws starts of a given size, [`settle`] goes from the end of a noisy
//! run onto the zero set, [`Trajectory`] records the way.
//!
//! All read a loss as a function of one vector ([`Loss`]): those of this project, or one's own.
//!
//! # Rules
//!
//! No constant is chosen for a problem; each follows from the loss.
//!
//! - *Scale.* Losses are judged by `f(0)`, for the losses of this project the mean square of the targets.
//! - *Step.* Either a line search (Armijo's rule, the first trial twice the last step), or
//!   `eta = 2 c / lambda` with `c` of [`Step::Curvature`], one half unless set, and `lambda` the largest eigenvalue
//!   of the Hessian, for batches the bound of [`Stage::curvature_of`]. Where the method has no bias of its own,
//!   `lambda` is taken where a trial descent with line search from the same start fits to a hundredth of the scale,
//!   and the step is kept; where it has, `lambda` is taken anew at each stage,
//!   but never below a tenth of the largest met.
//! - *Divergence.* When the loss exceeds ten times the larger of the scale and its first value, or half of the scale
//!   once a method with a bias has fitted, the run goes back to where the stage began and halves its steps, twenty
//!   times at most.
//! - *Stages.* A method with a bias of its own starts where such a descent ended. A stage has a hundred steps, in
//!   which the method may add `strength f(0) / 2^level` to the loss. When the mean trace over a stage is within
//!   1 % of that over the stage before, the level rises; after eight levels the run has settled.
//! - *End.* Without a bias, at `f(x) <= tolerance^2 f(0)`. [`End`] says why a run ended.

mod direction;
mod gradient;
mod label_noise;
mod lbfgs;
mod mini_batch;
mod multipliers;
mod on_trace;
mod run;
mod sam;
mod scaled;
mod settle;
mod smoothed;
mod start;
mod trajectory;
mod weight_decay;

pub use direction::{Direction, Stage};
pub use gradient::Gradient;
pub use label_noise::LabelNoise;
pub use lbfgs::{Lbfgs, Minimum};
pub use mini_batch::MiniBatch;
pub use multipliers::{Constrained, Multipliers, SquaredDistance, TraceOf};
pub use on_trace::OnTrace;
pub use run::{Descended, Descent, End, Snapshot, Step, Watch};
pub use sam::Sam;
pub use scaled::ScaledGradient;
pub use settle::{Settled, settle};
pub use smoothed::Smoothed;
pub use start::start;
pub use trajectory::{Trajectory, Waypoint};
pub use weight_decay::WeightDecay;

use crate::Error;
#[cfg(doc)]
use crate::loss::Loss;

/// Refuses a setting that is not a positive number.
fn check_positive(name: &'static str, value: f64) -> Result<(), Error> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Parameter { name, rule: "a positive number", got: value.to_string() })
}

#[cfg(test)]
mod tests;
