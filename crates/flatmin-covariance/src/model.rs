//! The problem from the user's arrays.

use flatmin_core::{Domain, Error, Measured, RankOne};
use std::ops::Deref;

/// `m` quadratic measurements `y_i = x_i^T M x_i` of an unknown positive semidefinite `d x d`
/// matrix.
///
/// ```
/// use flatmin_covariance::Covariance;
/// // Two probes see the rank-one matrix [1, 1; 1, 1] along the axes, a third along the diagonal.
/// let probes = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
/// let problem = Covariance::from_arrays(2, probes, vec![1.0, 1.0, 4.0])?;
/// let flat = problem.flat().solve()?;
/// println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
/// assert!(flat.status.is_certified() && flat.unique);
/// # Ok::<(), flatmin_covariance::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Covariance(Measured<RankOne>);

impl Deref for Covariance {
    type Target = Measured<RankOne>;

    fn deref(&self) -> &Measured<RankOne> {
        &self.0
    }
}

impl Covariance {
    /// The probes `x_i` (`m x d`, in C order) and the targets (length `m`).
    ///
    /// # Errors
    /// When the shapes disagree, something is empty, a value is not finite, or a target is
    /// negative beyond rounding, which no positive semidefinite matrix gives (with noise, set such
    /// targets to zero and solve with a penalty).
    pub fn from_arrays(
        order: usize,
        probes: Vec<f64>,
        targets: Vec<f64>,
    ) -> Result<Covariance, Error> {
        let map = RankOne::symmetric(order, probes)?;
        let problem = Measured::new(map, targets, Domain::Semidefinite)?;
        // Rounding may leave a square a little below zero.
        let largest = problem.targets().iter().fold(0.0, |a: f64, y| a.max(y.abs()));
        let negative = |&y: &f64| y < -1e-12 * largest;
        if let Some(index) = problem.targets().iter().position(negative) {
            let name = "x^T X x for a positive semidefinite X, and so every target,";
            let got = format!("{} at index {index}", problem.targets()[index]);
            return Err(Error::Parameter { name, rule: "at least 0", got });
        }
        Ok(Covariance(problem))
    }
}
