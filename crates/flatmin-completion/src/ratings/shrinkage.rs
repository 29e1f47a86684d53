//! How much offsets are shrunken, and the choice of it.

use super::model::clip;
use super::selection::Fold;
use super::{Centring, Holdout, Ratings};
use crate::Error;

/// How many silent ratings, of the mean, each row and each column is given beside its own: `beta1`
/// and `beta2`. Zero or more; 5 and 5 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrinkage {
    /// `beta1`.
    pub rows: f64,
    /// `beta2`.
    pub cols: f64,
}

impl Default for Shrinkage {
    fn default() -> Shrinkage {
        Shrinkage::both(5.0)
    }
}

/// Shrinkages to choose from.
const SHRINKAGES: [f64; 7] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

impl Shrinkage {
    /// The same of rows and columns.
    pub fn both(beta: f64) -> Shrinkage {
        Shrinkage { rows: beta, cols: beta }
    }

    /// The one, of a few from a half to 50, with which row and column offsets alone predict held-out
    /// ratings best. `O(m)` each, so much cheaper than the choice of a penalty.
    ///
    /// ```
    /// use flatmin_completion::ratings::{Holdout, Ratings, Shrinkage};
    /// // Rows that differ by much, and hardly any noise.
    /// let (i, j): (Vec<_>, Vec<_>) = (0..80).map(|t| (t / 8, t % 8)).unzip();
    /// let values = (0..80).map(|t| (t / 8) as f64 + 0.01 * (t * t % 7) as f64).collect();
    /// let ratings = Ratings::new(10, 8, &i, &j, values)?;
    /// assert_eq!(Shrinkage::choose(&ratings, Holdout::Folds(5), 0)?, Shrinkage::both(0.5));
    /// # Ok::<(), flatmin_completion::Error>(())
    /// ```
    ///
    /// # Errors
    /// For held-out ratings that are none or not finite, and too few ratings to hold some out.
    pub fn choose(ratings: &Ratings, holdout: Holdout<'_>, seed: u64) -> Result<Shrinkage, Error> {
        let folds = Fold::all(ratings, holdout, seed)?;
        let mut best = (f64::INFINITY, Shrinkage::default());
        for shrinkage in SHRINKAGES.map(Shrinkage::both) {
            let mut misfit = 0.0;
            for fold in &folds {
                let offsets = fold.train.offsets(Centring::RowCol, shrinkage)?;
                let range = Some(fold.train.range());
                let errors = fold.held.iter().map(|&(i, j, y)| clip(offsets.at(i, j), range) - y);
                misfit += errors.map(|e| e * e).sum::<f64>();
            }
            if misfit < best.0 {
                best = (misfit, shrinkage);
            }
        }
        Ok(best.1)
    }

    pub(super) fn check(self) -> Result<(), Error> {
        for beta in [self.rows, self.cols] {
            if !(beta >= 0.0 && beta.is_finite()) {
                let (name, rule) = ("the shrinkage", "zero or a positive number of ratings");
                return Err(Error::Parameter { name, rule, got: beta.to_string() });
            }
        }
        Ok(())
    }
}
