//! Matrix sensing: an array of measurement matrices and their targets.

use super::{Model, Posed};
use crate::Error;
use crate::read::Source;
use clap::Args;
use flatmin::sensing::Sensing;
use std::path::{Path, PathBuf};

/// Where the data of a sensing problem are.
#[derive(Debug, Args)]
pub struct SensingFiles {
    /// Measurement matrices, shape (m, d1, d2): a .npy file
    #[arg(long, value_name = "A.npy", required_unless_present = "data", requires = "targets")]
    pub measurements: Option<PathBuf>,
    /// Targets b, shape (m,): a .npy or .csv file
    #[arg(long, value_name = "b.npy", required_unless_present = "data", requires = "measurements")]
    pub targets: Option<PathBuf>,
    /// An .npz file with the fields measurements and targets, instead of separate files
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["measurements", "targets"])]
    pub data: Option<PathBuf>,
}

/// The data of a sensing problem.
#[derive(Debug)]
pub struct Arrays {
    rows: usize,
    cols: usize,
    measurements: Vec<f64>,
    targets: Vec<f64>,
    place: String,
}

impl Model for SensingFiles {
    const NAME: &'static str = "sensing";
    type Arrays = Arrays;
    type Problem = Posed<Sensing>;

    fn inputs(&self) -> Vec<&Path> {
        [&self.measurements, &self.targets, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    fn read(&self) -> Result<Arrays, Error> {
        let mut source = Source::open(self.data.as_deref())?;
        let measurements = source.array("measurements", self.measurements.as_ref())?;
        let targets = source.array("targets", self.targets.as_ref())?;
        let (rows, cols, measurements) = measurements.into_stack()?;
        let (targets, place) = (targets.into_vector()?, source.place());
        Ok(Arrays { rows, cols, measurements, targets, place })
    }

    fn pose(arrays: Arrays) -> Result<Posed<Sensing>, Error> {
        let Arrays { rows, cols, measurements, targets, place } = arrays;
        Posed::new(Sensing::from_arrays(rows, cols, measurements, targets), place)
    }
}
