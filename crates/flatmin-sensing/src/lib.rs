//! Matrix sensing by flat minima: `b_i = <A_i, M>` with full measurement matrices `A_i`.

pub mod instance;
mod model;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::Sensing;
