//! Planted problems: a sparse vector, and Gaussian measurements of it.

use crate::Hadamard;
use flatmin_core::linalg::{kernel::axpy, norm};
use flatmin_core::rng::Stream;
use flatmin_core::{Error, Mat};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: Hadamard,
    /// The vector that was measured.
    pub truth: Vec<f64>,
}

impl Planted {
    /// `m` measurements of a random vector of length `d` and unit Euclidean norm: `s` independent standard
    /// normal numbers, normalised, at places drawn at random, seen through a matrix of independent standard
    /// normal entries, drawn row by row.
    ///
    /// ```
    /// use flatmin_hadamard::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut measurements) = (stream(Role::Truth), stream(Role::Measurements));
    /// let planted = Planted::gaussian(30, 60, 4, &mut truth, &mut measurements)?;
    /// let flat = planted.problem.flat(2).solve()?;
    /// assert!(flat.x.iter().zip(&planted.truth).all(|(x, truth)| (x - truth).abs() < 1e-10));
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `m` or `d` is zero, or `s` is zero or above `d`.
    pub fn gaussian(
        m: usize,
        d: usize,
        s: usize,
        truth: &mut Stream,
        measurements: &mut Stream,
    ) -> Result<Planted, Error> {
        if m == 0 || d == 0 {
            return Err(Error::Empty { what: "the matrix" });
        }
        if s == 0 || s > d {
            let (name, rule) = ("the number of nonzeros", "between 1 and the length of the vector");
            return Err(Error::Parameter { name, rule, got: s.to_string() });
        }
        // The first s places of a random order (Fisher-Yates).
        let mut order: Vec<usize> = (0..d).collect();
        for first in 0..s {
            let pick = first + (truth.uniform() * (d - first) as f64) as usize;
            order.swap(first, pick.min(d - 1));
        }
        let values = truth.gaussian_vector(s);
        let size = norm(&values);
        let mut x = vec![0.0; d];
        order.iter().zip(values).for_each(|(&j, value)| x[j] = value / size);
        Planted::measured(x, measurements.gaussian_matrix(m, d))
    }

    /// Measurements `A x` of a given vector by a given matrix.
    ///
    /// # Errors
    /// When the vector does not fit the matrix, or something is not finite.
    pub fn measured(truth: Vec<f64>, matrix: Mat<f64>) -> Result<Planted, Error> {
        if truth.len() != matrix.ncols() {
            return Err(Error::Shape {
                what: "the planted vector",
                expected: format!("length {}, one a column of the matrix", matrix.ncols()),
                got: format!("length {}", truth.len()),
            });
        }
        let mut targets = vec![0.0; matrix.nrows()];
        truth.iter().enumerate().for_each(|(j, x)| axpy(*x, matrix.col_as_slice(j), &mut targets));
        Ok(Planted { problem: Hadamard::new(matrix, targets)?, truth })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::rng::Role;

    fn planted(m: usize, d: usize, s: usize) -> Result<Planted, Error> {
        let stream = |role| Stream::new(2, "instance", 0, 0, role);
        Planted::gaussian(m, d, s, &mut stream(Role::Truth), &mut stream(Role::Measurements))
    }

    #[test]
    fn names_the_parameter_at_fault() {
        assert!(matches!(planted(0, 3, 1), Err(Error::Empty { .. })));
        assert!(matches!(planted(2, 0, 0), Err(Error::Empty { .. })));
        assert!(matches!(planted(2, 3, 0), Err(Error::Parameter { .. })));
        assert!(matches!(planted(2, 3, 4), Err(Error::Parameter { .. })));
        let misfit = Planted::measured(vec![1.0], Mat::zeros(1, 2));
        assert!(matches!(misfit, Err(Error::Shape { .. })));
    }

    #[test]
    fn the_planted_vector_fits_and_is_sparse() {
        for s in [1, 3, 8] {
            let planted = planted(5, 8, s).unwrap();
            assert_eq!(planted.truth.iter().filter(|x| **x != 0.0).count(), s);
            assert!((norm(&planted.truth) - 1.0).abs() < 1e-14);
            let loss = planted.problem.loss(1).unwrap();
            let value = flatmin_core::loss::Loss::value(&loss, &planted.truth).unwrap();
            assert!(value < 1e-28, "{value:e}");
        }
    }
}
