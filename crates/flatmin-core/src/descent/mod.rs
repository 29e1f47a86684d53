//! Descent on the losses.
mod lbfgs;
mod multipliers;

pub use lbfgs::{Lbfgs, Minimum};
pub use multipliers::{Constrained, Multipliers, SquaredDistance, TraceOf};

use crate::Error;

/// Refuses a setting that is not a positive number.
fn check_positive(name: &'static str, value: f64) -> Result<(), Error> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Parameter { name, rule: "a positive number", got: value.to_string() })
}

#[cfg(test)]
mod tests;
