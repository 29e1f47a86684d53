//! Covariance estimation and phase retrieval by flat minima.

pub mod instance;
mod model;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::Covariance;
