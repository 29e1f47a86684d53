//! Experiments that are no sweep over planted matrices, a folder each: what is done (`mod.rs`), the claims
//! about it, its figures, its tables in the report.

pub mod bias;
pub mod depth_matrix;
pub mod estimators;
pub mod ratings;
