//! The problem from the user's arrays.

use flatmin_core::{DenseMap, Domain, Error, MatRef, Measured};
use std::ops::Deref;

/// `m` measurements `b_i = <A_i, M>` of an unknown `d1 x d2` matrix.
///
/// ```
/// use flatmin_sensing::{Mat, Sensing};
/// let matrices = [Mat::<f64>::identity(2, 2), Mat::full(2, 2, 1.0)];
/// let problem = Sensing::from_matrices(matrices.iter().map(|a| a.as_ref()), vec![2.0, 4.0])?;
/// let flat = problem.flat().solve()?;
/// println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
/// assert!(flat.status.is_certified());
/// # Ok::<(), flatmin_sensing::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sensing(Measured<DenseMap>);

impl Deref for Sensing {
    type Target = Measured<DenseMap>;

    fn deref(&self) -> &Measured<DenseMap> {
        &self.0
    }
}

impl Sensing {
    /// A measurement map and its targets `b` (length `m`).
    ///
    /// # Errors
    /// When there is not one finite target a measurement.
    pub fn new(map: DenseMap, targets: Vec<f64>) -> Result<Sensing, Error> {
        Measured::new(map, targets, Domain::General).map(Sensing)
    }

    /// The `m x d1 x d2` array of measurements in C order, and the targets (length `m`).
    ///
    /// # Errors
    /// When the shapes disagree, something is empty, or a value is not finite.
    pub fn from_arrays(
        rows: usize,
        cols: usize,
        measurements: Vec<f64>,
        targets: Vec<f64>,
    ) -> Result<Sensing, Error> {
        Sensing::new(DenseMap::new(rows, cols, measurements)?, targets)
    }

    /// The measurement matrices, all of one shape, and the targets (length `m`).
    ///
    /// # Errors
    /// When the shapes disagree, there is no matrix, or a value is not finite.
    pub fn from_matrices<'a>(
        matrices: impl IntoIterator<Item = MatRef<'a, f64>>,
        targets: Vec<f64>,
    ) -> Result<Sensing, Error> {
        Sensing::new(DenseMap::from_matrices(matrices)?, targets)
    }
}
