//! Runs the `flatmin` command itself, over files in temporary folders.

mod inputs;
mod outputs;
mod reference;
mod refusals;
mod sandbox;
