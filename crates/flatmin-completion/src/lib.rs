//! Matrix completion by flat minima: some entries of a low-rank matrix are seen, the rest is wanted.

pub mod instance;
mod model;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::Completion;
