//! Centring: what a row and a column add to every rating of theirs.
//!
//! With the mean `mu` of the ratings `y`, and `n_i`, `n_j` ratings in row `i` and column `j`, the
//! offsets solve
//!
//! ```text
//! min  sum_seen (mu + a_i + b_j - y_ij)^2 + beta1 sum_i a_i^2 + beta2 sum_j b_j^2,
//!
//! (n_i + beta1) a_i + sum_{j in i} b_j = sum_{j in i} (y_ij - mu),
//! (n_j + beta2) b_j + sum_{i in j} a_i = sum_{i in j} (y_ij - mu),
//! ```
//!
//! so that each is a mean of what the other leaves, shrunken as if `beta` more ratings had said
//! nothing: Y. Koren, R. Bell, C. Volinsky, *Matrix factorization techniques for recommender
//! systems*, Computer 42(8), 2009. Columns are eliminated and rows found by conjugate gradients,
//! at `O(m)` a step.

use super::{Ratings, Shrinkage};
use crate::Error;
use flatmin_core::linalg::max_abs;
use std::fmt;

/// What is taken off the ratings before a low-rank matrix is fitted to the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Centring {
    /// Nothing.
    None,
    /// The mean of all ratings.
    Global,
    /// The mean, and an offset of each row and of each column.
    #[default]
    RowCol,
}

impl fmt::Display for Centring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Centring::None => "none",
            Centring::Global => "global",
            Centring::RowCol => "row-col",
        })
    }
}

/// The mean `mu`, the row offsets `a` and the column offsets `b` of ratings.
///
/// ```
/// use flatmin_completion::ratings::{Centring, Ratings, Shrinkage};
/// let ratings = Ratings::new(2, 2, &[0, 0, 1], &[0, 1, 0], vec![4.0, 6.0, 2.0])?;
/// let plain = ratings.offsets(Centring::RowCol, Shrinkage { rows: 0.0, cols: 0.0 })?;
/// // Without shrinkage three numbers fit three ratings.
/// assert!((plain.at(Some(1), Some(0)) - 2.0).abs() < 1e-9);
/// assert!((plain.at(Some(1), Some(1)) - 4.0).abs() < 1e-9);
/// // A row that nobody has met is the mean row.
/// assert_eq!(plain.at(None, None), 4.0);
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Offsets {
    centring: Centring,
    shrinkage: Shrinkage,
    mean: f64,
    rows: Vec<f64>,
    cols: Vec<f64>,
}

impl Offsets {
    /// Offsets of the kind that is asked for.
    ///
    /// # Errors
    /// When a shrinkage is negative or not finite.
    pub fn fit(
        ratings: &Ratings,
        centring: Centring,
        shrinkage: Shrinkage,
    ) -> Result<Offsets, Error> {
        shrinkage.check()?;
        let (d1, d2) = ratings.shape();
        let mut offsets =
            Offsets { centring, shrinkage, mean: 0.0, rows: vec![0.0; d1], cols: vec![0.0; d2] };
        let scale = max_abs(ratings.values());
        if centring == Centring::None || scale == 0.0 {
            return Ok(offsets);
        }
        let mean = ratings.values().iter().map(|y| y / scale).sum::<f64>() / ratings.len() as f64;
        // A mean of equals is that value, not its neighbour.
        let (low, high) = ratings.range();
        offsets.mean = (mean * scale).clamp(low, high);
        if centring == Centring::RowCol {
            let left = ratings.values().iter().map(|y| y / scale - offsets.mean / scale).collect();
            let (a, b) = Normal::new(ratings, left, shrinkage).solve();
            offsets.rows = a.into_iter().map(|a| scale * a).collect();
            offsets.cols = b.into_iter().map(|b| scale * b).collect();
        }
        Ok(offsets)
    }

    /// `mu + a_i + b_j`; `None`, like an index beyond the matrix, is a row or column without an
    /// offset.
    pub fn at(&self, row: Option<usize>, col: Option<usize>) -> f64 {
        self.mean + (self.row(row) + self.col(col))
    }

    /// The mean `mu`; 0 where nothing was centred.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// `a_i`, 0 for a row that was never seen.
    pub fn row(&self, row: Option<usize>) -> f64 {
        row.and_then(|i| self.rows.get(i)).copied().unwrap_or(0.0)
    }

    /// `b_j`, 0 for a column that was never seen.
    pub fn col(&self, col: Option<usize>) -> f64 {
        col.and_then(|j| self.cols.get(j)).copied().unwrap_or(0.0)
    }

    /// The kind.
    pub fn centring(&self) -> Centring {
        self.centring
    }

    /// The shrinkage they were fitted with.
    pub fn shrinkage(&self) -> Shrinkage {
        self.shrinkage
    }

    /// Root mean square of what they leave of ratings; `None` for no ratings.
    pub fn rmse(&self, observations: &[super::Observation]) -> Option<f64> {
        super::rmse(observations.iter().map(|&(i, j, y)| self.at(i, j) - y))
    }

    /// `y - mu - a_i - b_j` for each rating. What is left by rounding alone is zero.
    pub fn residuals(&self, ratings: &Ratings) -> Vec<f64> {
        let rest: Vec<f64> =
            ratings.iter().map(|(i, j, y)| y - self.at(Some(i), Some(j))).collect();
        if max_abs(&rest) <= 1e-13 * max_abs(ratings.values()) {
            return vec![0.0; rest.len()];
        }
        rest
    }

    /// The offset of a new row that rates columns, by its normal equation: `a = sum (y_j - mu - b_j)
    /// / (n + beta1)`.
    pub(super) fn of_new_row(&self, ratings: &[(usize, f64)]) -> f64 {
        if self.centring != Centring::RowCol || ratings.is_empty() {
            return 0.0;
        }
        let n = ratings.len() as f64 + self.shrinkage.rows;
        ratings.iter().map(|&(j, y)| (y - self.at(None, Some(j))) / n).sum()
    }
}

/// The normal equations, for ratings less their mean.
struct Normal<'a> {
    ratings: &'a Ratings,
    values: Vec<f64>,
    /// `n_i + beta1` and `n_j + beta2`.
    rows: Vec<f64>,
    cols: Vec<f64>,
}

/// Relative residual at which the conjugate gradients end.
const CLOSE: f64 = 1e-14;

/// Most steps; a few dozen are usual.
const STEPS: usize = 1000;

impl<'a> Normal<'a> {
    fn new(ratings: &'a Ratings, values: Vec<f64>, shrinkage: Shrinkage) -> Normal<'a> {
        let (d1, d2) = ratings.shape();
        let (mut rows, mut cols) = (vec![shrinkage.rows; d1], vec![shrinkage.cols; d2]);
        for (i, j, _) in ratings.iter() {
            rows[i] += 1.0;
            cols[j] += 1.0;
        }
        Normal { ratings, values, rows, cols }
    }

    /// `(N2 + beta2)^{-1} sum_{i in j} (y_ij - a_i)` for each column `j`.
    fn columns(&self, values: Option<&[f64]>, a: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.cols.len()];
        for (t, (i, j, _)) in self.ratings.iter().enumerate() {
            sums[j] += values.map_or(0.0, |y| y[t]) - a[i];
        }
        sums.iter().zip(&self.cols).map(|(s, &n)| divide(*s, n)).collect()
    }

    /// `sum_{j in i} (y_ij - b_j)` for each row `i`.
    fn row_sums(&self, values: Option<&[f64]>, b: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.rows.len()];
        for (t, (i, j, _)) in self.ratings.iter().enumerate() {
            sums[i] += values.map_or(0.0, |y| y[t]) - b[j];
        }
        sums
    }

    /// `S a = (N1 + beta1) a - W (N2 + beta2)^{-1} W^T a`, the equations of the rows alone.
    fn schur(&self, a: &[f64]) -> Vec<f64> {
        // The columns' answer to `a` alone, `b = -(N2 + beta2)^{-1} W^T a`.
        let sums = self.row_sums(None, &self.columns(None, a));
        sums.iter().zip(&self.rows).zip(a).map(|((s, n), a)| n * a - s).collect()
    }

    fn solve(&self) -> (Vec<f64>, Vec<f64>) {
        let mut a = vec![0.0; self.rows.len()];
        let b = self.columns(Some(&self.values), &a);
        let mut residual = self.row_sums(Some(&self.values), &b);
        let scaled = |r: &[f64]| -> Vec<f64> {
            r.iter().zip(&self.rows).map(|(r, &n)| divide(*r, n)).collect()
        };
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let mut preconditioned = scaled(&residual);
        let mut direction = preconditioned.clone();
        let mut size = dot(&residual, &preconditioned);
        let enough = CLOSE * CLOSE * size;
        for _ in 0..STEPS {
            let image = self.schur(&direction);
            let curvature = dot(&direction, &image);
            if size <= enough || curvature <= 0.0 {
                break;
            }
            let step = size / curvature;
            a.iter_mut().zip(&direction).for_each(|(a, d)| *a += step * d);
            residual.iter_mut().zip(&image).for_each(|(r, q)| *r -= step * q);
            preconditioned = scaled(&residual);
            let next = dot(&residual, &preconditioned);
            let turn = next / size;
            direction.iter_mut().zip(&preconditioned).for_each(|(d, p)| *d = p + turn * *d);
            size = next;
        }
        let b = self.columns(Some(&self.values), &a);
        (a, b)
    }
}

/// A line without ratings or shrinkage has no equation.
fn divide(sum: f64, n: f64) -> f64 {
    if n > 0.0 { sum / n } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::rng::{Role, Stream};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn ratings(rows: usize, cols: usize, p: f64, scale: f64, trial: u64) -> Option<Ratings> {
        let mut stream = Stream::new(3, "offsets", 0, trial, Role::Measurements);
        let (mut i, mut j, mut y) = (vec![], vec![], vec![]);
        for row in 0..rows {
            for col in 0..cols {
                if stream.uniform() < p {
                    i.push(row);
                    j.push(col);
                    y.push(scale * (3.0 + row as f64 / 7.0 + stream.gaussian()));
                }
            }
        }
        Ratings::new(rows, cols, &i, &j, y).ok()
    }

    /// Largest residual of the normal equations, relative to the sums in them.
    fn unsolved(ratings: &Ratings, offsets: &Offsets) -> f64 {
        let (d1, d2) = ratings.shape();
        let Shrinkage { rows, cols } = offsets.shrinkage();
        let mut sums: Vec<f64> = (0..d1).map(|i| rows * offsets.row(Some(i))).collect();
        sums.extend((0..d2).map(|j| cols * offsets.col(Some(j))));
        for (i, j, y) in ratings.iter() {
            let misfit = offsets.at(Some(i), Some(j)) - y;
            sums[i] += misfit;
            sums[d1 + j] += misfit;
        }
        max_abs(&sums) / (max_abs(ratings.values()) * ratings.len() as f64)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::with_cases(128)
        })]

        /// Whatever the pattern, disconnected or full, the shrinkage, and the scale.
        #[test]
        fn normal_equations_hold(
            d1 in 1usize..25, d2 in 1usize..25, p in 0.02f64..1.0, trial in 0u64..1000,
            rows in prop::sample::select(vec![0.0, 0.3, 5.0, 1e9]),
            cols in prop::sample::select(vec![0.0, 0.3, 5.0, 1e9]),
            scale in prop::sample::select(vec![1e-140, 1.0, -1.0, 1e140]),
        ) {
            if let Some(ratings) = ratings(d1, d2, p, scale, trial) {
                let shrinkage = Shrinkage { rows, cols };
                let offsets = ratings.offsets(Centring::RowCol, shrinkage).unwrap();
                let unsolved = unsolved(&ratings, &offsets);
                prop_assert!(unsolved < 1e-12, "{unsolved:e}");
            }
        }
    }

    #[test]
    fn equal_ratings_leave_nothing() {
        for value in [3.7, -0.1, 0.0, 1e-300, 1e150] {
            let ratings = Ratings::new(3, 3, &[0, 1, 2], &[0, 1, 1], vec![value; 3]).unwrap();
            for centring in [Centring::Global, Centring::RowCol] {
                let offsets = ratings.offsets(centring, Shrinkage::default()).unwrap();
                assert_eq!(offsets.at(Some(0), None), value);
                assert_eq!(offsets.residuals(&ratings), [0.0; 3]);
            }
        }
    }

    #[test]
    fn each_kind_takes_off_what_it_says() {
        let ratings = Ratings::new(2, 3, &[0, 0, 1], &[0, 1, 0], vec![4.0, 6.0, 2.0]).unwrap();
        let offsets = |centring| ratings.offsets(centring, Shrinkage::default()).unwrap();
        assert_eq!(offsets(Centring::None).residuals(&ratings), ratings.values());
        assert_eq!(offsets(Centring::Global).residuals(&ratings), [0.0, 2.0, -2.0]);
        let both = offsets(Centring::RowCol);
        assert!(both.row(Some(0)) > 0.0 && both.row(Some(1)) < 0.0);
        // Never seen, out of the matrix, or nobody.
        assert_eq!([both.col(Some(2)), both.col(Some(9)), both.col(None)], [0.0; 3]);
        for beta in [-1.0, f64::NAN, f64::INFINITY] {
            let fitted = ratings.offsets(Centring::RowCol, Shrinkage { rows: 1.0, cols: beta });
            assert!(matches!(fitted, Err(Error::Parameter { .. })));
        }
    }
}
