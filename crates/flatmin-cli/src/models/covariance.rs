//! Covariance estimation and phase retrieval: probes and their targets.

use super::quadratic::Quadratic;
use super::{Model, Posed};
use crate::Error;
use clap::Args;
use flatmin::covariance::Covariance;
use std::path::{Path, PathBuf};

/// Where the data of a covariance problem are.
#[derive(Debug, Args)]
pub struct CovarianceFiles {
    /// Probes x_i, shape (m, d): a .npy or .csv file
    #[arg(long, value_name = "x.npy", required_unless_present = "data", requires = "targets")]
    pub probes: Option<PathBuf>,
    /// Targets y, none of them negative, shape (m,): a .npy or .csv file
    #[arg(long, value_name = "y.npy", required_unless_present = "data", requires = "probes")]
    pub targets: Option<PathBuf>,
    /// An .npz file with the fields probes and targets, instead of separate files
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["probes", "targets"])]
    pub data: Option<PathBuf>,
}

impl Model for CovarianceFiles {
    const NAME: &'static str = "covariance";
    type Arrays = Quadratic;
    type Problem = Posed<Covariance>;

    fn inputs(&self) -> Vec<&Path> {
        [&self.probes, &self.targets, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    fn read(&self) -> Result<Quadratic, Error> {
        Quadratic::read("probes", &self.probes, &self.targets, &self.data)
    }

    fn pose(arrays: Quadratic) -> Result<Posed<Covariance>, Error> {
        arrays.pose(Covariance::from_arrays)
    }
}
