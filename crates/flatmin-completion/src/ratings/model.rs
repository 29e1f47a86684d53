//! A fitted model: offsets, and a matrix of low rank for what they leave.

use super::selection::Selected;
use super::{Observation, Offsets, Ratings, Row, Trial, Weights};
use crate::{Error, Recovery};
use flatmin_core::Objective;
use flatmin_core::linalg::{kernel::dot, row_major};

/// Predictions `mu + a_i + b_j + <l_i, r_j>` within the range of the ratings.
#[derive(Debug, Clone)]
pub struct RatingsModel {
    /// `mu`, `a` and `b`.
    pub offsets: Offsets,
    /// The certified answer of the penalised form for what the offsets leave; row `i` of its left
    /// factor is `l_i`, row `j` of its right one `r_j`.
    pub recovery: Recovery,
    /// The range that predictions are kept in.
    pub range: Option<(f64, f64)>,
    /// The penalty `lambda` of that answer.
    pub penalty: f64,
    /// The smoothing `s` of its weights: 0 for flat, 1 for nuclear ones.
    pub smoothing: f64,
    /// What was tried on held-out ratings; empty when the penalty was given.
    pub selection: Vec<Trial>,
    pub(super) factors: Factors,
    pub(super) weight: RowWeight,
    seen: Seen,
}

impl RatingsModel {
    pub(super) fn new(
        ratings: &Ratings,
        offsets: Offsets,
        (recovery, penalty): (Recovery, f64),
        range: Option<(f64, f64)>,
        chosen: Selected,
    ) -> RatingsModel {
        let smoothing = chosen.weights.smoothing();
        RatingsModel {
            factors: Factors::new(&recovery),
            weight: RowWeight::new(recovery.objective_kind, smoothing, ratings),
            seen: Seen::new(ratings),
            penalty,
            selection: chosen.trials,
            smoothing,
            offsets,
            recovery,
            range,
        }
    }

    /// The model that an answer makes, whatever program of `offsets.residuals(ratings)` it solves;
    /// `clip` keeps predictions within the range of the ratings. Rows are folded in by its penalty:
    /// where it has none, by their offsets alone.
    ///
    /// ```
    /// use flatmin_completion::ratings::{Centring, Ratings, RatingsModel, Shrinkage};
    /// let ratings = Ratings::new(2, 2, &[0, 0, 1], &[0, 1, 0], vec![1.0, 2.0, 2.0])?;
    /// let offsets = ratings.offsets(Centring::None, Shrinkage::default())?;
    /// let exact = ratings.completion().flat().solve()?;
    /// let model = RatingsModel::of(&ratings, offsets, exact, false)?;
    /// assert!((model.predict(Some(1), Some(1)) - 4.0).abs() < 1e-6);
    /// # Ok::<(), flatmin_completion::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the answer is of another shape than the ratings.
    pub fn of(
        ratings: &Ratings,
        offsets: Offsets,
        recovery: Recovery,
        clip: bool,
    ) -> Result<RatingsModel, Error> {
        let ((d1, d2), (l, r)) = (ratings.shape(), recovery.factors());
        if (l.nrows(), r.nrows()) != (d1, d2) {
            return Err(Error::Shape {
                what: "the answer",
                expected: format!("that of the ratings, {d1} x {d2}"),
                got: format!("{} x {}", l.nrows(), r.nrows()),
            });
        }
        let weights = match recovery.objective_kind {
            Objective::Nuclear => Weights::Nuclear,
            Objective::Smoothed(s) => Weights::Smoothed(s),
            _ => Weights::Flat,
        };
        let penalty = recovery.penalty.unwrap_or(0.0);
        let chosen = Selected::given(weights, Some(penalty));
        let range = clip.then(|| ratings.range());
        Ok(RatingsModel::new(ratings, offsets, (recovery, penalty), range, chosen))
    }

    /// The predicted rating of a column by a row. For `None`, for an index beyond the matrix, and
    /// for a row or column without ratings it is what the offsets say.
    pub fn predict(&self, row: Option<usize>, col: Option<usize>) -> f64 {
        predict(&self.offsets, self.factors.dot(row, col), self.range, row, col)
    }

    /// Root mean square error of the predictions of ratings; `None` for no ratings.
    pub fn rmse(&self, observations: &[Observation]) -> Option<f64> {
        super::rmse(observations.iter().map(|&(i, j, y)| self.predict(i, j) - y))
    }

    /// A row of the model; one that it has never met, if there is no such row.
    pub fn row(&self, row: Option<usize>) -> Row<'_> {
        let known = row.filter(|&i| i < self.shape().0);
        let factor = known.map_or_else(Vec::new, |i| self.factors.left(i).to_vec());
        Row::new(self, self.offsets.row(known), factor, self.seen(known).to_vec())
    }

    /// A new row that rates columns `(column, value)`, folded in without fitting anything anew, in
    /// `O(n k^2 + k^3)` for `n` ratings and factors of `k` columns.
    ///
    /// ```
    /// use flatmin_completion::ratings::{Penalty, Ratings};
    /// let (rows, cols) = ([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 0, 2]);
    /// let ratings = Ratings::new(3, 3, &rows, &cols, vec![5.0, 4.0, 2.0, 1.0, 4.0, 3.0])?;
    /// let model = ratings.fit().penalty(Penalty::Given(0.1)).tolerance(1e-10).solve()?;
    /// // The ratings of row 1 once more.
    /// let again = model.transform(&[(1, 2.0), (2, 1.0)])?;
    /// assert!((again.predict(Some(0)) - model.predict(Some(1), Some(0))).abs() < 1e-4);
    /// # Ok::<(), flatmin_completion::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a column lies outside the matrix or is rated twice, or a value is not finite or larger
    /// than `1e150`.
    pub fn transform(&self, ratings: &[(usize, f64)]) -> Result<Row<'_>, Error> {
        Row::fold_in(self, ratings)
    }

    /// The columns that a row has rated, sorted.
    pub fn seen(&self, row: Option<usize>) -> &[usize] {
        let (starts, cols) = (&self.seen.starts, &self.seen.cols);
        match row.and_then(|i| Some((*starts.get(i)?, *starts.get(i.checked_add(1)?)?))) {
            Some((start, end)) => &cols[start..end],
            None => &[],
        }
    }

    /// Number of ratings of a column; 0 beyond the matrix.
    pub fn popularity(&self, col: usize) -> usize {
        self.seen.counts.get(col).copied().unwrap_or(0)
    }

    /// Number of rows `d1` and of columns `d2`.
    pub fn shape(&self) -> (usize, usize) {
        (self.seen.starts.len() - 1, self.seen.counts.len())
    }
}

/// Offsets, a product of factors, and the range.
pub(super) fn predict(
    offsets: &Offsets,
    product: f64,
    range: Option<(f64, f64)>,
    row: Option<usize>,
    col: Option<usize>,
) -> f64 {
    clip(offsets.at(row, col) + product, range)
}

pub(super) fn clip(value: f64, range: Option<(f64, f64)>) -> f64 {
    range.map_or(value, |(low, high)| value.max(low).min(high))
}

/// Both factors, row by row.
#[derive(Debug, Clone, Default)]
pub(super) struct Factors {
    pub(super) width: usize,
    left: Vec<f64>,
    right: Vec<f64>,
}

impl Factors {
    pub(super) fn new(recovery: &Recovery) -> Factors {
        let (l, r) = recovery.factors();
        Factors { width: l.ncols(), left: row_major(l), right: row_major(r) }
    }

    pub(super) fn left(&self, i: usize) -> &[f64] {
        line(&self.left, self.width, i)
    }

    pub(super) fn right(&self, j: usize) -> &[f64] {
        line(&self.right, self.width, j)
    }

    /// `<l_i, r_j>`; 0 where there is none.
    pub(super) fn dot(&self, row: Option<usize>, col: Option<usize>) -> f64 {
        match (row, col) {
            (Some(i), Some(j)) => product(self.left(i), self.right(j)),
            _ => 0.0,
        }
    }
}

/// Row `i`; nothing beyond the last.
fn line(rows: &[f64], width: usize, i: usize) -> &[f64] {
    let end = i.checked_add(1).and_then(|end| end.checked_mul(width));
    end.and_then(|end| rows.get(i * width..end)).unwrap_or(&[])
}

/// `<l, r>`; 0 where one is missing.
pub(super) fn product(l: &[f64], r: &[f64]) -> f64 {
    if l.len() == r.len() { dot(l, r) } else { 0.0 }
}

/// Entry of `D1^2` of a row with `n` ratings.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowWeight {
    /// What each rating adds.
    each: f64,
    /// What every row has.
    base: f64,
}

impl RowWeight {
    fn new(objective: Objective, smoothing: f64, ratings: &Ratings) -> RowWeight {
        let ((d1, d2), m) = (ratings.shape(), ratings.len() as f64);
        if objective == Objective::Nuclear {
            return RowWeight { each: 0.0, base: 1.0 };
        }
        let (d1, d2) = (d1 as f64, d2 as f64);
        RowWeight { each: (1.0 - smoothing) / (m * d2), base: smoothing / (d1 * d2) }
    }

    pub(super) fn of(self, n: usize) -> f64 {
        n as f64 * self.each + self.base
    }
}

/// Which columns each row has rated.
#[derive(Debug, Clone)]
struct Seen {
    /// Row `i` has `cols[starts[i]..starts[i + 1]]`.
    starts: Vec<usize>,
    cols: Vec<usize>,
    /// Ratings a column.
    counts: Vec<usize>,
}

impl Seen {
    fn new(ratings: &Ratings) -> Seen {
        let (d1, d2) = ratings.shape();
        let (mut starts, mut counts) = (vec![0; d1 + 1], vec![0; d2]);
        for (i, j, _) in ratings.iter() {
            starts[i + 1] += 1;
            counts[j] += 1;
        }
        (0..d1).for_each(|i| starts[i + 1] += starts[i]);
        let (mut next, mut cols) = (starts.clone(), vec![0; ratings.len()]);
        for (i, j, _) in ratings.iter() {
            cols[next[i]] = j;
            next[i] += 1;
        }
        for i in 0..d1 {
            cols[starts[i]..starts[i + 1]].sort_unstable();
        }
        Seen { starts, cols, counts }
    }
}
