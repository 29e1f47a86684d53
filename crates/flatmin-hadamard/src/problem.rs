//! The problem from the user's arrays.

use crate::depth::Depth;
use crate::program::Program;
use flatmin_core::error::finite;
use flatmin_core::linalg::norm;
use flatmin_core::{Error, Mat, MatRef, Objective};

/// `m` measurements `b = A x` of an unknown vector of length `d`.
///
/// ```
/// use flatmin_hadamard::Hadamard;
/// let problem = Hadamard::from_arrays(2, 3, vec![1., 0., 1., 0., 1., 1.], vec![2.0, 2.0])?;
/// let flat = problem.flat(2).solve()?;
/// println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
/// assert!(flat.status.is_certified());
/// # Ok::<(), flatmin_hadamard::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Hadamard {
    pub(crate) matrix: Mat<f64>,
    pub(crate) targets: Vec<f64>,
}

impl Hadamard {
    /// A matrix `A` (`m x d`) and the targets `b` (length `m`).
    ///
    /// # Errors
    /// When the matrix has no entry, there is not one target a row, or a value is not finite (the
    /// error's index counts row by row).
    pub fn new(matrix: Mat<f64>, targets: Vec<f64>) -> Result<Hadamard, Error> {
        let (m, d) = matrix.shape();
        if m == 0 || d == 0 {
            return Err(Error::Empty { what: "the matrix" });
        }
        if targets.len() != m {
            return Err(Error::Shape {
                what: "the targets",
                expected: format!("length {m}, one a row of the matrix"),
                got: format!("length {}", targets.len()),
            });
        }
        for i in 0..m {
            if let Some(j) = matrix.row(i).iter().position(|v| !v.is_finite()) {
                let (index, value) = (i * d + j, matrix[(i, j)]);
                return Err(Error::NotFinite { what: "the matrix", index, value });
            }
        }
        finite("the targets", &targets)?;
        Ok(Hadamard { matrix, targets })
    }

    /// The entries of `A` one after the other in C order, `rows * cols` of them, and the targets
    /// (length `rows`).
    ///
    /// # Errors
    /// When their number is another one, and as [`Hadamard::new`].
    pub fn from_arrays(
        rows: usize,
        cols: usize,
        matrix: Vec<f64>,
        targets: Vec<f64>,
    ) -> Result<Hadamard, Error> {
        if rows.checked_mul(cols) != Some(matrix.len()) {
            return Err(Error::Shape {
                what: "the matrix",
                expected: format!("{rows} x {cols} entries"),
                got: format!("{}", matrix.len()),
            });
        }
        let matrix = MatRef::from_row_major_slice(&matrix, rows, cols).to_owned();
        Hadamard::new(matrix, targets)
    }

    /// Measurements and length of the vector, `(m, d)`.
    pub fn shape(&self) -> (usize, usize) {
        self.matrix.shape()
    }

    /// The matrix `A`, `m x d`.
    pub fn matrix(&self) -> MatRef<'_, f64> {
        self.matrix.as_ref()
    }

    /// The targets `b`, of length `m`.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// The weights `w_j = |a_j|^2 / m` of the coordinates, of length `d`; zero where no measurement
    /// depends on one.
    ///
    /// ```
    /// let problem = flatmin_hadamard::Hadamard::from_arrays(1, 2, vec![3.0, 0.0], vec![1.0])?;
    /// assert_eq!(problem.weights(), [9.0, 0.0]);
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    pub fn weights(&self) -> Vec<f64> {
        let m = self.targets.len() as f64;
        let column = |j: usize| norm(self.matrix.col_as_slice(j));
        (0..self.matrix.ncols()).map(|j| column(j).powi(2) / m).collect()
    }

    /// FLAT for products of `depth` factors: `min (sum_j w_j |x_j|^p)^(1/p)  s.t.  A x = b` with
    /// `w_j = |a_j|^2 / m`, `p = 2 - 2/k`. Its solutions are the products of the flat minima.
    pub fn flat(&self, depth: impl Into<Depth>) -> Program<'_> {
        Program::new(self, depth.into(), Objective::Flat)
    }

    /// The same without weights, `min (sum_j |x_j|^p)^(1/p)  s.t.  A x = b`: at two factors what NUC is
    /// for matrices, factors of least Euclidean norm.
    pub fn nuclear(&self, depth: impl Into<Depth>) -> Program<'_> {
        Program::new(self, depth.into(), Objective::Nuclear)
    }
}
