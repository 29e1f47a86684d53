//! The problem from the user's arrays.

use flatmin_core::{Domain, Error, Measured, RankOne};
use std::ops::Deref;

/// `m` bilinear measurements `y_i = a_i^T M b_i` of an unknown `d1 x d2` matrix.
///
/// ```
/// use flatmin_bilinear::Bilinear;
/// // Three measurements of a 2 x 2 matrix; it is [2, 1; 1, 1/2].
/// let left = vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
/// let right = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
/// let problem = Bilinear::from_arrays(2, 2, left, right, vec![2.0, 1.0, 1.0])?;
/// let flat = problem.flat().solve()?;
/// println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
/// assert!(flat.status.is_certified());
/// # Ok::<(), flatmin_bilinear::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bilinear(Measured<RankOne>);

impl Deref for Bilinear {
    type Target = Measured<RankOne>;

    fn deref(&self) -> &Measured<RankOne> {
        &self.0
    }
}

impl Bilinear {
    /// A measurement map and its targets (length `m`).
    ///
    /// # Errors
    /// When there is not one finite target a measurement.
    pub fn new(map: RankOne, targets: Vec<f64>) -> Result<Bilinear, Error> {
        Measured::new(map, targets, Domain::General).map(Bilinear)
    }

    /// The vectors `a_i` (`m x d1`) and `b_i` (`m x d2`), both in C order, and the targets (length
    /// `m`).
    ///
    /// # Errors
    /// When the shapes disagree, something is empty, or a value is not finite.
    pub fn from_arrays(
        rows: usize,
        cols: usize,
        left: Vec<f64>,
        right: Vec<f64>,
        targets: Vec<f64>,
    ) -> Result<Bilinear, Error> {
        Bilinear::new(RankOne::new(rows, cols, left, right)?, targets)
    }
}
