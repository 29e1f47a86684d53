//! Low-rank matrix recovery by flat minima.

pub use flatmin_completion as completion;
pub use flatmin_core as core;
pub use flatmin_sensing as sensing;

/// What most programs need.
pub mod prelude {
    pub use flatmin_completion::Completion;
    pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
    pub use flatmin_sensing::Sensing;
}
