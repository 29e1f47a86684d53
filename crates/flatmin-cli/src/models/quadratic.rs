//! What the models of quadratic measurements `y_i = x_i^T X x_i` read: vectors and their targets.

use super::Posed;
use crate::Error;
use crate::read::Source;
use flatmin::core::Error as CoreError;
use std::path::PathBuf;

/// The data of quadratic measurements.
#[derive(Debug)]
pub struct Quadratic {
    order: usize,
    /// The `x_i`, one after the other.
    vectors: Vec<f64>,
    targets: Vec<f64>,
    place: String,
}

impl Quadratic {
    /// Reads the vectors, a field and an option called `name`, and the targets.
    pub(super) fn read(
        name: &'static str,
        vectors: &Option<PathBuf>,
        targets: &Option<PathBuf>,
        data: &Option<PathBuf>,
    ) -> Result<Quadratic, Error> {
        let mut source = Source::open(data.as_deref())?;
        let vectors = source.array(name, vectors.as_ref())?;
        let targets = source.array("targets", targets.as_ref())?;
        let (order, vectors) = vectors.into_vectors()?;
        Ok(Quadratic { order, vectors, targets: targets.into_vector()?, place: source.place() })
    }

    /// Poses the problem that a model's constructor makes of order, vectors and targets.
    pub(super) fn pose<P>(
        self,
        from_arrays: impl FnOnce(usize, Vec<f64>, Vec<f64>) -> Result<P, CoreError>,
    ) -> Result<Posed<P>, Error> {
        Posed::new(from_arrays(self.order, self.vectors, self.targets), self.place)
    }
}
