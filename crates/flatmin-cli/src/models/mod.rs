//! The models of the command, a file each: its options, how its files are read, its problem.
//!
//! A further model is one more file with a [`Model`], and one more line in [`Models`] and in each
//! match over it. Several named arrays come from a [`Source`](crate::read::Source), and every
//! problem of linear measurements of a matrix is [`Posed`]. Robust PCA has none: it splits the matrix itself;
//! products of factors are measured as one vector. Both have settings of their own.

mod bilinear;
mod completion;
mod covariance;
mod hadamard;
mod posed;
mod quadnet;
mod quadratic;
mod rpca;
mod sensing;

pub use bilinear::BilinearFiles;
pub use completion::{CompletionFiles, MOST_ENTRIES};
pub use covariance::CovarianceFiles;
pub use hadamard::{HadamardFiles, Sensed};
pub use posed::{Posed, Problem};
pub use quadnet::QuadNetFiles;
pub use rpca::{Arrangement, Observed, RpcaFiles, Split};
pub use sensing::SensingFiles;

use crate::Error;
use clap::{Args, Subcommand};
use std::path::Path;

/// What a subcommand does, and the model that it does it for: one of linear measurements, among them
/// completion, whose entries may be ratings, and covariance, whose data are called probes, a split, or a
/// product of factors.
#[derive(Debug, Subcommand)]
pub enum Models<
    Settings: Args,
    CompletionSettings: Args,
    SplitSettings: Args,
    CovarianceSettings: Args,
    ProductSettings: Args,
> {
    /// Matrix sensing: b_i = <A_i, X> with full measurement matrices A_i
    Sensing(Task<SensingFiles, Settings>),
    /// Bilinear sensing: y_i = a_i^T X b_i
    Bilinear(Task<BilinearFiles, Settings>),
    /// Matrix completion: some entries of X are seen
    Completion(Task<CompletionFiles, CompletionSettings>),
    /// Robust PCA: Y = X + S with X of low rank and S sparse, all or some of Y seen
    Rpca(Task<RpcaFiles, SplitSettings>),
    /// Covariance estimation: y_i = x_i^T X x_i with X positive semidefinite (rank 1: phase
    /// retrieval)
    Covariance(Task<CovarianceFiles, CovarianceSettings>),
    /// Network of quadratic activations: y_i = x_i^T X x_i with X = U1 U1^T - U2 U2^T
    #[command(name = "quadnet")]
    QuadNet(Task<QuadNetFiles, Settings>),
    /// Sparse recovery by products of factors: b = A x with x = v_1 o ... o v_K
    Hadamard(Task<HadamardFiles, ProductSettings>),
}

/// The files of a model beside the settings of a subcommand.
#[derive(Debug, Args)]
pub struct Task<Files: Args, Settings: Args> {
    /// Where the data are.
    #[command(flatten)]
    pub files: Files,
    /// What to do with them.
    #[command(flatten)]
    pub settings: Settings,
}

/// The options that say where a model's data are.
pub trait Model {
    /// Name of the model, as its subcommand.
    const NAME: &'static str;
    /// The data in memory.
    type Arrays;
    /// The problem that they pose.
    type Problem: Problem;

    /// The files that are read.
    fn inputs(&self) -> Vec<&Path>;

    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or its arrays do not have the shapes that the model asks for.
    fn read(&self) -> Result<Self::Arrays, Error>;

    /// Poses the problem.
    ///
    /// # Errors
    /// When the arrays do not fit one another, or hold what a solver cannot use.
    fn pose(arrays: Self::Arrays) -> Result<Self::Problem, Error>;
}
