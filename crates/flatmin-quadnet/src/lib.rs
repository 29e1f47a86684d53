//! Networks with one hidden layer and quadratic activations, by flat minima.

mod model;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use model::QuadNet;
