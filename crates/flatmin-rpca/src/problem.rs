//! The problem from the user's arrays.

use crate::program::{Form, Program};
use flatmin_core::{Error, MatRef};

/// A matrix `Y = M + S` (`d1 x d2`), the sum of one of low rank and a sparse one, of which some
/// entries may be missing.
///
/// ```
/// use flatmin_rpca::{Mat, RobustPca};
/// // A matrix of ones with one gross error.
/// let y = Mat::from_fn(6, 5, |i, j| if (i, j) == (2, 1) { 9.0 } else { 1.0 });
/// let problem = RobustPca::new(y.as_ref())?;
/// let parts = problem.penalised(problem.default_lambda()).solve()?;
/// println!("{} with gap {:.1e}: {}", parts.objective, parts.relative_gap, parts.status);
/// assert!((parts.matrix()[(2, 1)] - 1.0).abs() < 1e-8 && (parts.sparse()[(2, 1)] - 8.0).abs() < 1e-8);
/// # Ok::<(), flatmin_rpca::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RobustPca {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// `Y` by columns, zero where nothing is seen.
    pub(crate) values: Vec<f64>,
    /// Which entries are seen, by columns; all of them without it.
    pub(crate) seen: Option<Vec<bool>>,
}

impl RobustPca {
    /// A matrix; entries that are NaN are missing.
    ///
    /// # Errors
    /// When it has no entry, all are missing, or one is infinite (the error's index counts row by
    /// row).
    pub fn new(matrix: MatRef<'_, f64>) -> Result<RobustPca, Error> {
        RobustPca::from_seen(matrix, |i, j| !matrix[(i, j)].is_nan())
    }

    /// The entries one after the other in C order, `rows * cols` of them; those that are NaN are
    /// missing.
    ///
    /// # Errors
    /// When their number is another one, and as [`RobustPca::new`].
    pub fn from_array(rows: usize, cols: usize, values: &[f64]) -> Result<RobustPca, Error> {
        if rows.checked_mul(cols) != Some(values.len()) {
            return Err(Error::Shape {
                what: "the matrix",
                expected: format!("{rows} x {cols} entries"),
                got: format!("{}", values.len()),
            });
        }
        RobustPca::new(MatRef::from_row_major_slice(values, rows, cols))
    }

    /// A matrix and a mask of its shape, `true` where an entry is seen. What stands in the unseen
    /// ones does not matter.
    ///
    /// ```
    /// use flatmin_rpca::{Mat, RobustPca};
    /// let (y, mask) = (Mat::full(4, 3, 2.0), Mat::from_fn(4, 3, |i, j| i != j));
    /// assert_eq!(RobustPca::from_masked(y.as_ref(), mask.as_ref())?.seen_entries(), 9);
    /// # Ok::<(), flatmin_rpca::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shapes differ, and as [`RobustPca::from_seen`].
    pub fn from_masked(
        matrix: MatRef<'_, f64>,
        mask: MatRef<'_, bool>,
    ) -> Result<RobustPca, Error> {
        if mask.shape() != matrix.shape() {
            return Err(Error::Shape {
                what: "the mask",
                expected: format!("the matrix's shape {} x {}", matrix.nrows(), matrix.ncols()),
                got: format!("{} x {}", mask.nrows(), mask.ncols()),
            });
        }
        RobustPca::from_seen(matrix, |i, j| mask[(i, j)])
    }

    /// A matrix and which of its entries are seen.
    ///
    /// # Errors
    /// When the matrix has no entry, nothing is seen, or a seen entry is not finite (the error's
    /// index counts row by row).
    pub fn from_seen(
        matrix: MatRef<'_, f64>,
        seen: impl Fn(usize, usize) -> bool,
    ) -> Result<RobustPca, Error> {
        let (rows, cols) = matrix.shape();
        if rows == 0 || cols == 0 {
            return Err(Error::Empty { what: "the matrix" });
        }
        let mut values = Vec::with_capacity(rows * cols);
        let mut mask = Vec::with_capacity(rows * cols);
        let mut bad: Option<(usize, f64)> = None;
        for j in 0..cols {
            for i in 0..rows {
                let (value, is_seen) = (matrix[(i, j)], seen(i, j));
                mask.push(is_seen);
                values.push(if is_seen { value } else { 0.0 });
                let index = i * cols + j;
                if is_seen && !value.is_finite() && bad.is_none_or(|(first, _)| index < first) {
                    bad = Some((index, value));
                }
            }
        }
        if let Some((index, value)) = bad {
            return Err(Error::NotFinite { what: "the matrix", index, value });
        }
        if !mask.contains(&true) {
            return Err(Error::Empty { what: "the set of seen entries" });
        }
        let seen = mask.contains(&false).then_some(mask);
        Ok(RobustPca { rows, cols, values, seen })
    }

    /// Rows and columns, `(d1, d2)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Number `m` of entries that are seen.
    pub fn seen_entries(&self) -> usize {
        match &self.seen {
            None => self.values.len(),
            Some(seen) => seen.iter().filter(|&&seen| seen).count(),
        }
    }

    /// Whether entry `(i, j)` is seen; `false` outside the matrix.
    pub fn is_seen(&self, i: usize, j: usize) -> bool {
        let inside = i < self.rows && j < self.cols;
        inside && self.seen.as_ref().is_none_or(|seen| seen[j * self.rows + i])
    }

    /// The matrix `Y`, with zeros where nothing is seen.
    pub fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.values, self.rows, self.cols)
    }

    /// `sum |Y_ij|` over the seen entries: from this `tau` on the low-rank part is zero.
    pub fn absolute_sum(&self) -> f64 {
        self.values.iter().map(|v| v.abs()).sum()
    }

    /// The penalty `1 / sqrt(max(d1, d2))` of Candes, Li, Ma, Wright (*Robust principal component
    /// analysis?*, J. ACM 58, 2011, Theorem 1.1), with which recovery is proved without tuning;
    /// divided by the square root of the fraction of entries seen, as in their Theorem 1.2.
    pub fn default_lambda(&self) -> f64 {
        let fraction = self.seen_entries() as f64 / self.values.len() as f64;
        1.0 / (fraction * self.rows.max(self.cols) as f64).sqrt()
    }

    /// `min |X|_* + lambda sum |Y - X|`, the sum over the seen entries.
    pub fn penalised(&self, lambda: f64) -> Program<'_> {
        Program::new(self, Form::Penalised { lambda })
    }

    /// `min |X|_*  s.t.  sum |Y - X| <= tau`, the sum over the seen entries, `tau` being the absolute
    /// sum of the sparse part. Where everything is seen its solutions are the flat minima of the
    /// robust loss ([`RobustLoss`](crate::RobustLoss)); holes would weigh rows and columns, as in
    /// matrix completion, and are not weighed here.
    pub fn constrained(&self, tau: f64) -> Program<'_> {
        Program::new(self, Form::Constrained { tau })
    }
}
