//! What a caller can get wrong, said so that the caller can mend it.

/// An input that makes any answer meaningless. What merely *happened* during a solve is a
/// [`Status`](crate::solver::Status), never an error.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array without entries where at least one is needed.
    #[error("{what} is empty: give at least one")]
    Empty {
        /// The array.
        what: &'static str,
    },
    /// An array of the wrong shape or length.
    #[error("{what} must have {expected}, but has {got}")]
    Shape {
        /// The array.
        what: &'static str,
        /// The shape it should have.
        expected: String,
        /// The shape it has.
        got: String,
    },
    /// A NaN or an infinity.
    #[error("{what} holds {value} at index {index}: remove or replace it")]
    NotFinite {
        /// The array.
        what: &'static str,
        /// Position in the order the caller gave.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A setting outside its domain.
    #[error("{name} must be {rule}, got {got}")]
    Parameter {
        /// The setting.
        name: &'static str,
        /// Its domain in words.
        rule: &'static str,
        /// What was given.
        got: String,
    },
    /// Magnitudes that leave the range in which double precision keeps its digits.
    #[error("{what} has magnitude {magnitude:e}, outside [{:e}, {:e}]: rescale the data", sane.0, sane.1)]
    Scale {
        /// The array or quantity, and which part of it.
        what: String,
        /// Its largest absolute value.
        magnitude: f64,
        /// Least and largest magnitude that can be worked with.
        sane: (f64, f64),
    },
    /// The same entry of a matrix observed twice.
    #[error("entry ({row}, {col}) is given twice, at positions {first} and {second}: keep one")]
    Duplicate {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        col: usize,
        /// Position of its first occurrence.
        first: usize,
        /// Position of its second occurrence.
        second: usize,
    },
    /// An entry outside the matrix.
    #[error(
        "entry ({row}, {col}) at position {position} lies outside the {rows} x {cols} matrix (indices start at 0)"
    )]
    OutOfRange {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        col: usize,
        /// Position in the order the caller gave.
        position: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        cols: usize,
    },
    /// A matrix factorisation failed to converge, which finite input of sane scale does not cause.
    #[error("{what} did not converge: check the scale of the data")]
    Factorisation {
        /// The factorisation.
        what: &'static str,
    },
}

/// First entry of `values` that is not finite, as an error that names `what`.
///
/// ```
/// assert!(flatmin_core::error::finite("targets", &[1.0, f64::NAN]).is_err());
/// ```
pub fn finite(what: &'static str, values: &[f64]) -> Result<(), Error> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite { what, index, value: values[index] }),
    }
}
