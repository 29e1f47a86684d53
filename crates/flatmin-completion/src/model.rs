//! The problem from the user's arrays.

use flatmin_core::{Domain, Entries, Error, MatRef, Measured};
use std::ops::Deref;

/// Some entries `b_t = M_{i_t j_t}` of an unknown `d1 x d2` matrix.
///
/// ```
/// use flatmin_completion::{Completion, Mat};
/// // A matrix whose holes are NaN.
/// let seen = Mat::from_fn(3, 2, |i, j| if (i, j) == (2, 1) { f64::NAN } else { 1.0 });
/// let problem = Completion::from_holes(seen.as_ref())?;
/// let flat = problem.flat().solve()?;
/// println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
/// assert!((flat.matrix()[(2, 1)] - 1.0).abs() < 1e-6);
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Completion(Measured<Entries>);

/// The sampling map's order of entries is that of the targets and of the dual vector; `D1`, `D2` are
/// square roots of the observed counts, up to scale.
impl Deref for Completion {
    type Target = Measured<Entries>;

    fn deref(&self) -> &Measured<Entries> {
        &self.0
    }
}

impl Completion {
    /// Positions (counted from 0, in any order) and the values `b` seen there (length `m`).
    ///
    /// # Errors
    /// When there is none, a position lies outside the matrix or is given twice, the lists differ
    /// in length, or a value is not finite.
    pub fn new(
        rows: usize,
        cols: usize,
        row_indices: &[usize],
        col_indices: &[usize],
        targets: Vec<f64>,
    ) -> Result<Completion, Error> {
        let map = Entries::new(rows, cols, row_indices, col_indices)?;
        Measured::new(map, targets, Domain::General).map(Completion)
    }

    /// Observed entries as `(row, column, value)`.
    ///
    /// # Errors
    /// As [`Completion::new`].
    pub fn from_triplets(
        rows: usize,
        cols: usize,
        entries: &[(usize, usize, f64)],
    ) -> Result<Completion, Error> {
        let i: Vec<usize> = entries.iter().map(|e| e.0).collect();
        let j: Vec<usize> = entries.iter().map(|e| e.1).collect();
        Completion::new(rows, cols, &i, &j, entries.iter().map(|e| e.2).collect())
    }

    /// A matrix whose holes are NaN, entries in row-major order.
    ///
    /// # Errors
    /// When every entry is a hole, or one is infinite (the error's index counts row by row).
    pub fn from_holes(matrix: MatRef<'_, f64>) -> Result<Completion, Error> {
        Completion::from_seen(matrix, |i, j| !matrix[(i, j)].is_nan())
    }

    /// A matrix and a mask of its shape, `true` where an entry is seen; entries in row-major order.
    /// What stands in the unseen ones does not matter.
    ///
    /// ```
    /// use flatmin_completion::{Completion, Mat};
    /// let (matrix, mask) = (Mat::full(3, 3, 2.0), Mat::from_fn(3, 3, |i, j| i + j < 4));
    /// assert_eq!(Completion::from_masked(matrix.as_ref(), mask.as_ref())?.targets().len(), 8);
    /// # Ok::<(), flatmin_completion::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shapes differ, nothing is seen, or a seen entry is not finite (the error's index
    /// counts row by row).
    pub fn from_masked(
        matrix: MatRef<'_, f64>,
        mask: MatRef<'_, bool>,
    ) -> Result<Completion, Error> {
        if mask.shape() != matrix.shape() {
            return Err(Error::Shape {
                what: "the mask",
                expected: format!("the matrix's shape {} x {}", matrix.nrows(), matrix.ncols()),
                got: format!("{} x {}", mask.nrows(), mask.ncols()),
            });
        }
        Completion::from_seen(matrix, |i, j| mask[(i, j)])
    }

    /// A matrix and which of its entries are seen, entries in row-major order.
    ///
    /// # Errors
    /// When nothing is seen, or a seen entry is not finite (the error's index counts row by row).
    pub fn from_seen(
        matrix: MatRef<'_, f64>,
        seen: impl Fn(usize, usize) -> bool,
    ) -> Result<Completion, Error> {
        let (rows, cols) = matrix.shape();
        let mut entries = Vec::new();
        for i in 0..rows {
            for j in 0..cols {
                if !seen(i, j) {
                    continue;
                }
                let value = matrix[(i, j)];
                if !value.is_finite() {
                    let index = i * cols + j;
                    return Err(Error::NotFinite { what: "the matrix", index, value });
                }
                entries.push((i, j, value));
            }
        }
        Completion::from_triplets(rows, cols, &entries)
    }
}
