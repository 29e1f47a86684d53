//! A record of a run: loss, trace, gap to the flat optimum, distance to the truth, imbalance, length of the path.

use super::run::Snapshot;
use crate::loss::{Factorised, Traced};
use crate::{Error, Mat, MatRef};
use std::ops::ControlFlow;

/// What was seen at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waypoint {
    /// The step.
    pub step: usize,
    /// The loss.
    pub loss: f64,
    /// The (scaled) trace of the Hessian.
    pub trace: f64,
    /// `trace / optimum - 1`, where the optimum was given. Before the loss vanishes it may be negative.
    pub gap: Option<f64>,
    /// `|X - M|_F`, where `M` was given.
    pub error: Option<f64>,
    /// [`Factorised::imbalance`].
    pub imbalance: f64,
    /// Length of the path.
    pub path: f64,
    /// Distance from the start.
    pub displacement: f64,
    /// Step of the method.
    pub eta: f64,
    /// What its bias may add to the loss.
    pub rise: f64,
}

/// Records the way of a run, as an observer: every tenth step. Drop the [`Descent`](super::Descent) that borrows it
/// before [`Trajectory::finish`].
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, LabelNoise, Trajectory}};
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let mut way = Trajectory::new(&loss).optimum(4.0);
/// let mut descent = Descent::default().observer(|seen| way.record(seen));
/// descent.run(&mut LabelNoise::new(&loss), &[3.0, 0.5])?;
/// drop(descent);
/// let points = way.finish()?;
/// assert!(points[0].gap > points[points.len() - 1].gap);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct Trajectory<'a, L> {
    loss: &'a L,
    optimum: Option<f64>,
    truth: Option<Mat<f64>>,
    points: Vec<Waypoint>,
    failure: Option<Error>,
}

impl<'a, L: Factorised + Traced> Trajectory<'a, L> {
    /// A record of a run on a loss.
    pub fn new(loss: &'a L) -> Trajectory<'a, L> {
        Trajectory { loss, optimum: None, truth: None, points: Vec::new(), failure: None }
    }

    /// The least trace that interpolates: [`Recovery::scaled_trace`](crate::Recovery::scaled_trace) of FLAT.
    #[must_use]
    pub fn optimum(mut self, trace: f64) -> Self {
        self.optimum = Some(trace);
        self
    }

    /// The matrix to recover.
    #[must_use]
    pub fn truth(mut self, truth: MatRef<'_, f64>) -> Self {
        self.truth = Some(truth.to_owned());
        self
    }

    /// Looks at a snapshot. What fails ends the run, and comes back from [`Trajectory::finish`].
    pub fn record(&mut self, seen: &Snapshot<'_>) -> ControlFlow<()> {
        match self.waypoint(seen) {
            Ok(point) => {
                self.points.push(point);
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn waypoint(&self, seen: &Snapshot<'_>) -> Result<Waypoint, Error> {
        let trace = self.loss.trace_and_gradient(seen.x, &mut vec![0.0; seen.x.len()])?;
        let error = match &self.truth {
            None => None,
            Some(truth) => {
                let x = self.loss.matrix(seen.x)?;
                if x.shape() != truth.shape() {
                    return Err(Error::Shape {
                        what: "the matrix to recover",
                        expected: format!("shape {} x {}", x.nrows(), x.ncols()),
                        got: format!("{} x {}", truth.nrows(), truth.ncols()),
                    });
                }
                Some((&x - truth).norm_l2())
            }
        };
        Ok(Waypoint {
            step: seen.step,
            loss: seen.loss,
            trace,
            gap: self.optimum.map(|optimum| trace / optimum - 1.0),
            error,
            imbalance: self.loss.imbalance(seen.x)?,
            path: seen.path,
            displacement: seen.displacement,
            eta: seen.stage.step,
            rise: seen.stage.rise,
        })
    }

    /// What was seen.
    ///
    /// # Errors
    /// When the loss refused a point, or the truth is of another shape.
    pub fn finish(self) -> Result<Vec<Waypoint>, Error> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.points),
        }
    }
}
