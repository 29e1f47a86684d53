//! Networks of quadratic activations: inputs and their targets.

use super::quadratic::Quadratic;
use super::{Model, Posed};
use crate::Error;
use clap::Args;
use flatmin::quadnet::QuadNet;
use std::path::{Path, PathBuf};

/// Where the data of a network are.
#[derive(Debug, Args)]
pub struct QuadNetFiles {
    /// Inputs x_i, shape (m, d): a .npy or .csv file
    #[arg(long, value_name = "x.npy", required_unless_present = "data", requires = "targets")]
    pub inputs: Option<PathBuf>,
    /// Targets y, shape (m,): a .npy or .csv file
    #[arg(long, value_name = "y.npy", required_unless_present = "data", requires = "inputs")]
    pub targets: Option<PathBuf>,
    /// An .npz file with the fields inputs and targets, instead of separate files
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["inputs", "targets"])]
    pub data: Option<PathBuf>,
}

impl Model for QuadNetFiles {
    const NAME: &'static str = "quadnet";
    type Arrays = Quadratic;
    type Problem = Posed<QuadNet>;

    fn inputs(&self) -> Vec<&Path> {
        [&self.inputs, &self.targets, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    fn read(&self) -> Result<Quadratic, Error> {
        Quadratic::read("inputs", &self.inputs, &self.targets, &self.data)
    }

    fn pose(arrays: Quadratic) -> Result<Posed<QuadNet>, Error> {
        arrays.pose(QuadNet::from_arrays)
    }
}
