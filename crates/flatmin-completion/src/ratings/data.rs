//! Ratings as they are given: who rated what, and how.

use super::{Centring, Fit, Offsets, Shrinkage};
use crate::{Completion, Error};

/// One rating `(row, column, value)` to be compared with a prediction; `None` stands for a row or a
/// column that the model has never met.
pub type Observation = (Option<usize>, Option<usize>, f64);

/// Ratings `y_t` of columns `j_t` by rows `i_t`, checked once.
///
/// ```
/// use flatmin_completion::ratings::Ratings;
/// let ratings = Ratings::new(2, 3, &[0, 0, 1], &[0, 2, 2], vec![4.0, 5.0, 2.0])?;
/// assert_eq!((ratings.len(), ratings.range()), (3, (2.0, 5.0)));
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ratings(Completion);

impl Ratings {
    /// Rows and columns (counted from 0, in any order) and the values given there (length `m`).
    ///
    /// # Errors
    /// When there is none, the lists differ in length, a position lies outside `rows x cols` or is
    /// given twice, a value is not finite, or is larger than `1e150`.
    pub fn new(
        rows: usize,
        cols: usize,
        row_indices: &[usize],
        col_indices: &[usize],
        values: Vec<f64>,
    ) -> Result<Ratings, Error> {
        Ratings::from_completion(Completion::new(rows, cols, row_indices, col_indices, values)?)
    }

    /// Seen entries as ratings.
    ///
    /// # Errors
    /// When one is larger than `1e150`, so that squares would overflow.
    pub fn from_completion(problem: Completion) -> Result<Ratings, Error> {
        check_values("the ratings", problem.targets().iter().copied())?;
        Ok(Ratings(problem))
    }

    /// The problem of completing them as they are.
    pub fn completion(&self) -> &Completion {
        &self.0
    }

    /// Number of rows `d1`, of columns `d2`.
    pub fn shape(&self) -> (usize, usize) {
        let dims = flatmin_core::LinearMap::dims(self.0.map());
        (dims.rows, dims.cols)
    }

    /// Number of ratings `m`.
    #[allow(clippy::len_without_is_empty)] // There is at least one.
    pub fn len(&self) -> usize {
        self.0.targets().len()
    }

    /// The values, in the order given.
    pub fn values(&self) -> &[f64] {
        self.0.targets()
    }

    /// The ratings `(row, column, value)`, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, usize, f64)> + '_ {
        self.0.map().positions().zip(self.values()).map(|((i, j), &y)| (i, j, y))
    }

    /// Least and largest value.
    pub fn range(&self) -> (f64, f64) {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        self.values().iter().fold(start, |(low, high), &y| (low.min(y), high.max(y)))
    }

    /// Fits offsets alone: the baseline of every model of ratings.
    ///
    /// # Errors
    /// As [`Offsets::fit`].
    pub fn offsets(&self, centring: Centring, shrinkage: Shrinkage) -> Result<Offsets, Error> {
        Offsets::fit(self, centring, shrinkage)
    }

    /// The settings of a fit, to be changed as wished and solved.
    pub fn fit(&self) -> Fit<'_> {
        Fit::new(self)
    }

    /// Those of the ratings at the given places.
    pub(super) fn subset(&self, places: impl Iterator<Item = usize>) -> Result<Ratings, Error> {
        let positions: Vec<_> = self.0.map().positions().collect();
        let (mut rows, mut cols, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for t in places {
            rows.push(positions[t].0);
            cols.push(positions[t].1);
            values.push(self.values()[t]);
        }
        let (d1, d2) = self.shape();
        Ratings::new(d1, d2, &rows, &cols, values)
    }
}

/// Largest rating: its square is still far from overflow.
const LARGEST: f64 = 1e150;

/// Finite values of a sane size.
pub(super) fn check_values(
    what: &'static str,
    values: impl Iterator<Item = f64>,
) -> Result<(), Error> {
    for (index, value) in values.enumerate() {
        if !value.is_finite() {
            return Err(Error::NotFinite { what, index, value });
        }
        if value.abs() > LARGEST {
            let (what, magnitude) = (format!("entry {index} of {what}"), value.abs());
            return Err(Error::Scale { what, magnitude, sane: (0.0, LARGEST) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_wrong() {
        let new = |rows: &[usize], cols: &[usize], values: &[f64]| {
            Ratings::new(2, 2, rows, cols, values.to_vec()).unwrap_err()
        };
        assert!(matches!(new(&[], &[], &[]), Error::Empty { .. }));
        assert!(matches!(new(&[0], &[0, 1], &[1.0]), Error::Shape { .. }));
        assert!(matches!(new(&[0], &[0], &[1.0, 2.0]), Error::Shape { .. }));
        assert!(matches!(new(&[0, 2], &[0, 0], &[1.0; 2]), Error::OutOfRange { position: 1, .. }));
        let twice = new(&[0, 1, 0], &[1, 1, 1], &[1.0; 3]);
        assert!(matches!(twice, Error::Duplicate { first: 0, second: 2, .. }));
        assert!(matches!(new(&[0], &[0], &[f64::NAN]), Error::NotFinite { .. }));
        assert!(matches!(new(&[0], &[0], &[1e200]), Error::Scale { .. }));
    }
}
