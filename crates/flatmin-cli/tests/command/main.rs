//! Runs the `flatmin` command itself, over files in temporary folders.

#![allow(clippy::unwrap_used)]

mod curvature;
mod damage;
mod inputs;
mod outputs;
mod reference;
mod refusals;
mod sandbox;
mod spoilt;
mod vectors;
