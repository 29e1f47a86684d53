//! Products of factors: a matrix and its targets, and perhaps the number of factors.

use crate::Error;
use crate::read::{Named, Source};
use clap::Args;
use flatmin::hadamard::{Depth, Hadamard};
use std::path::{Path, PathBuf};

/// Where the data of a sparse recovery problem are.
#[derive(Debug, Args)]
pub struct HadamardFiles {
    /// The matrix A, shape (m, d): a .npy or .csv file
    #[arg(long, value_name = "A.npy", required_unless_present = "data", requires = "targets")]
    pub matrix: Option<PathBuf>,
    /// Targets b, shape (m,): a .npy or .csv file
    #[arg(long, value_name = "b.npy", required_unless_present = "data", requires = "matrix")]
    pub targets: Option<PathBuf>,
    /// An .npz file with the fields matrix and targets, and optionally depth, instead of separate files
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["matrix", "targets"])]
    pub data: Option<PathBuf>,
}

/// The data of a sparse recovery problem.
#[derive(Debug)]
pub struct Arrays {
    length: usize,
    matrix: Vec<f64>,
    targets: Vec<f64>,
    depth: Option<Depth>,
    place: String,
}

impl HadamardFiles {
    /// Name of the model, as its subcommand.
    pub const NAME: &'static str = "hadamard";

    /// The files that are read.
    pub fn inputs(&self) -> Vec<&Path> {
        [&self.matrix, &self.targets, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or its arrays do not have the shapes that the model asks for.
    pub fn read(&self) -> Result<Arrays, Error> {
        let mut source = Source::open(self.data.as_deref())?;
        let matrix = source.array("matrix", self.matrix.as_ref())?;
        let targets = source.array("targets", self.targets.as_ref())?;
        let depth = source.optional("depth")?.map(depth).transpose()?;
        let (length, matrix) = matrix.into_vectors()?;
        let (targets, place) = (targets.into_vector()?, source.place());
        Ok(Arrays { length, matrix, targets, depth, place })
    }
}

/// One number: whole, at least 2, or infinite.
fn depth(array: Named) -> Result<Depth, Error> {
    let (value, place) = array.into_number()?;
    match value {
        f64::INFINITY => Ok(Depth::Infinite),
        _ => match crate::read::whole(value) {
            Some(k) if k >= 2 => Ok(Depth::Finite(k)),
            _ => Err(Error::Depth { place, value }),
        },
    }
}

/// A sparse recovery problem and where it came from.
#[derive(Debug)]
pub struct Sensed {
    problem: Hadamard,
    place: String,
}

impl Arrays {
    /// Poses the problem.
    ///
    /// # Errors
    /// When the arrays do not fit one another, or hold what a solver cannot use.
    pub fn pose(self) -> Result<Sensed, Error> {
        let Arrays { length, matrix, targets, place, .. } = self;
        match Hadamard::from_arrays(matrix.len() / length, length, matrix, targets) {
            Ok(problem) => Ok(Sensed { problem, place }),
            Err(source) => Err(Error::Problem { place, source }),
        }
    }

    /// The number of factors that comes with the data.
    pub fn depth(&self) -> Option<Depth> {
        self.depth
    }
}

impl Sensed {
    /// The problem.
    pub fn problem(&self) -> &Hadamard {
        &self.problem
    }

    /// Where the data came from, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }
}
