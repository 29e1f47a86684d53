//! The problem from the user's arrays.

use flatmin_core::{Entries, Error, FactoredLoss, MatRef, Objective, Program, Rescaling};

/// Some entries of an unknown `d1 x d2` matrix.
#[derive(Debug, Clone)]
pub struct Completion {
    map: Entries,
    targets: Vec<f64>,
}

impl Completion {
    /// Observed entries: positions (counted from 0) and values, in any order.
    ///
    /// # Errors
    /// When there is none, a position lies outside the matrix or is given twice, the lists differ
    /// in length, or a value is not finite.
    pub fn new(
        rows: usize,
        cols: usize,
        row_indices: &[usize],
        col_indices: &[usize],
        values: Vec<f64>,
    ) -> Result<Completion, Error> {
        let map = Entries::new(rows, cols, row_indices, col_indices)?;
        FactoredLoss::new(&map, &values)?;
        Ok(Completion {
            map,
            targets: values,
        })
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
    /// When every entry is a hole, or one is infinite.
    pub fn from_holes(matrix: MatRef<'_, f64>) -> Result<Completion, Error> {
        Completion::from_seen(matrix, |i, j| !matrix[(i, j)].is_nan())
    }

    /// A matrix and which of its entries are seen, entries in row-major order.
    ///
    /// # Errors
    /// When nothing is seen, or a seen entry is not finite.
    pub fn from_seen(
        matrix: MatRef<'_, f64>,
        seen: impl Fn(usize, usize) -> bool,
    ) -> Result<Completion, Error> {
        let (rows, cols) = matrix.shape();
        let entries: Vec<_> = (0..rows)
            .flat_map(|i| (0..cols).map(move |j| (i, j)))
            .filter(|&(i, j)| seen(i, j))
            .map(|(i, j)| (i, j, matrix[(i, j)]))
            .collect();
        Completion::from_triplets(rows, cols, &entries)
    }

    /// The sampling map; its order of entries is the order of the dual vector.
    pub fn map(&self) -> &Entries {
        &self.map
    }

    /// The observed values `b`, in the order of [`Completion::map`].
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// The program whose solution is flat: `min |D1 X D2|_*  s.t.  A(X) = b`.
    pub fn flat(&self) -> Program<'_> {
        Program::new(&self.map, &self.targets, Objective::Flat)
    }

    /// The program of least nuclear norm: `min |X|_*  s.t.  A(X) = b`.
    pub fn nuclear(&self) -> Program<'_> {
        Program::new(&self.map, &self.targets, Objective::Nuclear)
    }

    /// The overparameterised loss `(1/m) |A(L R^T) - b|^2`.
    ///
    /// # Errors
    /// None for a problem that was constructed.
    pub fn loss(&self) -> Result<FactoredLoss<'_>, Error> {
        FactoredLoss::new(&self.map, &self.targets)
    }

    /// The rescaling matrices `D1`, `D2`: square roots of the observed counts, up to scale.
    ///
    /// # Errors
    /// None for a problem that was constructed.
    pub fn rescaling(&self) -> Result<Rescaling, Error> {
        Rescaling::new(&self.map)
    }
}
