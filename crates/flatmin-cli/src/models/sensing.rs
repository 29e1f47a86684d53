//! Matrix sensing: an array of measurement matrices and their targets.

use super::{Model, Problem};
use crate::Error;
use crate::read::{self, npz::Archive};
use clap::Args;
use flatmin::core::{Error as CoreError, FactoredLoss, LinearMap, Objective, Program, Rescaling};
use flatmin::sensing::Sensing;
use std::path::PathBuf;

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

/// A sensing problem and where it came from.
#[derive(Debug)]
pub struct Posed {
    problem: Sensing,
    place: String,
}

impl Model for SensingFiles {
    const NAME: &'static str = "sensing";
    type Arrays = Arrays;
    type Problem = Posed;

    fn read(&self) -> Result<Arrays, Error> {
        let shown = |path: &PathBuf| path.display().to_string();
        let (measurements, targets, places) = match (&self.data, &self.measurements, &self.targets)
        {
            (None, Some(a), Some(b)) => (read::array(a)?, read::array(b)?, [shown(a), shown(b)]),
            (Some(path), ..) => {
                let mut archive = Archive::open(path)?;
                let places = ["measurements", "targets"].map(|field| archive.place(field));
                (archive.read("measurements")?, archive.read("targets")?, places)
            }
            _ => {
                return Err(Error::NoData { options: "--measurements and --targets, or --data" });
            }
        };
        let (rows, cols, measurements) = measurements.into_stack(&places[0])?;
        let targets = targets.into_vector(&places[1])?;
        let place = match &self.data {
            Some(path) => shown(path),
            None => places.join(" and "),
        };
        Ok(Arrays { rows, cols, measurements, targets, place })
    }

    fn pose(arrays: Arrays) -> Result<Posed, Error> {
        let Arrays { rows, cols, measurements, targets, place } = arrays;
        match Sensing::from_arrays(rows, cols, measurements, targets) {
            Ok(problem) => Ok(Posed { problem, place }),
            Err(source) => Err(Error::Problem { place, source }),
        }
    }
}

impl Problem for Posed {
    fn map(&self) -> &dyn LinearMap {
        self.problem.map()
    }

    fn program(&self, objective: Objective) -> Program<'_> {
        match objective {
            Objective::Flat => self.problem.flat(),
            Objective::Nuclear => self.problem.nuclear(),
        }
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
}
