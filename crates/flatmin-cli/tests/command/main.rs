//! Runs the `flatmin` command itself, over files in temporary folders.

#![allow(clippy::unwrap_used)]

mod curvature;
mod damage;
mod estimates;
mod inputs;
mod noise;
mod outputs;
mod products;
mod ratings;
mod reference;
mod refusals;
mod rpca;
mod sandbox;
mod splits;
mod spoilt;
mod vectors;
