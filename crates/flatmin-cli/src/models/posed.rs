//! A problem in memory, whatever its model.

use crate::Error;
use crate::read::image::Layout;
use flatmin::core::{Domain, FactoredLoss, Rescaling};
use flatmin::core::{Error as CoreError, LinearMap, Measured, Objective, Program};
use std::ops::Deref;

/// A model's problem and where it came from.
#[derive(Debug)]
pub struct Posed<P> {
    problem: P,
    layout: Layout,
    place: String,
}

impl<P> Posed<P> {
    /// The outcome of a model's constructor, for data from `place`.
    ///
    /// # Errors
    /// What the model says, with the place.
    pub(super) fn new(problem: Result<P, CoreError>, place: String) -> Result<Posed<P>, Error> {
        match problem {
            Ok(problem) => Ok(Posed { problem, layout: Layout::Grey, place }),
            Err(source) => Err(Error::Problem { place, source }),
        }
    }

    /// The problem, what the columns of its matrix mean, and where it came from.
    pub fn into_parts(self) -> (P, Layout, String) {
        (self.problem, self.layout, self.place)
    }

    /// The same problem, of a picture.
    pub(super) fn with_layout(self, layout: Layout) -> Posed<P> {
        Posed { layout, ..self }
    }
}

/// What the subcommands ask of a problem.
pub trait Problem {
    /// Its linear map.
    fn map(&self) -> &dyn LinearMap;

    /// Its targets, one a measurement.
    fn targets(&self) -> &[f64];

    /// The matrices among which its solution is sought.
    fn domain(&self) -> Domain;

    /// The convex program of an objective.
    fn program(&self, objective: Objective) -> Program<'_>;

    /// The overparameterised loss of two factors.
    ///
    /// # Errors
    /// None for a problem that was posed.
    fn loss(&self) -> Result<FactoredLoss<'_>, CoreError>;

    /// The rescaling matrices.
    ///
    /// # Errors
    /// When the Grams of the map leave double precision.
    fn rescaling(&self) -> Result<Rescaling, CoreError>;

    /// Where the data came from, for messages.
    fn place(&self) -> &str;

    /// What the columns of the matrix mean when it is a picture.
    fn layout(&self) -> Layout;
}

impl<M: LinearMap + 'static, P: Deref<Target = Measured<M>>> Problem for Posed<P> {
    fn map(&self) -> &dyn LinearMap {
        self.problem.map()
    }

    fn targets(&self) -> &[f64] {
        self.problem.targets()
    }

    fn domain(&self) -> Domain {
        self.problem.domain()
    }

    fn program(&self, objective: Objective) -> Program<'_> {
        self.problem.program(objective)
    }

    fn loss(&self) -> Result<FactoredLoss<'_>, CoreError> {
        self.problem.loss()
    }

    fn rescaling(&self) -> Result<Rescaling, CoreError> {
        self.problem.rescaling()
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn layout(&self) -> Layout {
        self.layout
    }
}
