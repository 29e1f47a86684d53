//! Bilinear sensing: two arrays of vectors and their targets.

use super::{Model, Posed};
use crate::Error;
use crate::read::Source;
use clap::Args;
use flatmin::bilinear::Bilinear;
use std::path::{Path, PathBuf};

/// Where the data of a bilinear problem are.
#[derive(Debug, Args)]
pub struct BilinearFiles {
    /// Left vectors a_i, shape (m, d1): a .npy or .csv file
    #[arg(
        long,
        value_name = "a.npy",
        required_unless_present = "data",
        requires_all = ["right", "targets"]
    )]
    pub left: Option<PathBuf>,
    /// Right vectors b_i, shape (m, d2): a .npy or .csv file
    #[arg(
        long,
        value_name = "b.npy",
        required_unless_present = "data",
        requires_all = ["left", "targets"]
    )]
    pub right: Option<PathBuf>,
    /// Targets y, shape (m,): a .npy or .csv file
    #[arg(
        long,
        value_name = "y.npy",
        required_unless_present = "data",
        requires_all = ["left", "right"]
    )]
    pub targets: Option<PathBuf>,
    /// An .npz file with the fields left, right and targets, instead of separate files
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["left", "right", "targets"])]
    pub data: Option<PathBuf>,
}

/// The data of a bilinear problem.
#[derive(Debug)]
pub struct Arrays {
    rows: usize,
    cols: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    targets: Vec<f64>,
    place: String,
}

impl Model for BilinearFiles {
    const NAME: &'static str = "bilinear";
    type Arrays = Arrays;
    type Problem = Posed<Bilinear>;

    fn inputs(&self) -> Vec<&Path> {
        [&self.left, &self.right, &self.targets, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    fn read(&self) -> Result<Arrays, Error> {
        let mut source = Source::open(self.data.as_deref())?;
        let left = source.array("left", self.left.as_ref())?;
        let right = source.array("right", self.right.as_ref())?;
        let targets = source.array("targets", self.targets.as_ref())?;
        let ((rows, left), (cols, right)) = (left.into_vectors()?, right.into_vectors()?);
        let (targets, place) = (targets.into_vector()?, source.place());
        Ok(Arrays { rows, cols, left, right, targets, place })
    }

    fn pose(arrays: Arrays) -> Result<Posed<Bilinear>, Error> {
        let Arrays { rows, cols, left, right, targets, place } = arrays;
        Posed::new(Bilinear::from_arrays(rows, cols, left, right, targets), place)
    }
}
