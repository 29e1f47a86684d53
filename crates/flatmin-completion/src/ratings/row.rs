//! One row against all columns: what it would rate highest, and rows that come later.
//!
//! At the optimum of the penalised form row `i` of the left factor is the answer of the ridge
//! regression that the others leave to it,
//!
//! ```text
//! l_i = argmin_l  1/2 sum_{j in i} (<l, r_j> - e_ij)^2 + lambda/2 (D1^2)_ii |l|^2,
//! ```
//!
//! `e` being what the offsets leave. A new row is folded in by the same two equations, for its offset
//! and for its factor, with the columns held fast and `(D1^2)_ii` that of its own number of ratings,
//! as if it had been there from the start. Folding in the very ratings of a row that the model was
//! fitted to gives that row.

use super::RatingsModel;
use super::data::check_values;
use super::model::{clip, product};
use crate::{Error, Mat};
use flatmin_core::linalg::{solve_upper, thin_qr};

/// A row of a model: one that it was fitted to, or a new one that was folded in.
#[derive(Debug, Clone)]
pub struct Row<'m> {
    model: &'m RatingsModel,
    offset: f64,
    factor: Vec<f64>,
    seen: Vec<usize>,
}

impl<'m> Row<'m> {
    pub(super) fn new(
        model: &'m RatingsModel,
        offset: f64,
        factor: Vec<f64>,
        seen: Vec<usize>,
    ) -> Row<'m> {
        Row { model, offset, factor, seen }
    }

    pub(super) fn fold_in(
        model: &'m RatingsModel,
        ratings: &[(usize, f64)],
    ) -> Result<Row<'m>, Error> {
        let seen = check(model, ratings)?;
        let offset = model.offsets.of_new_row(ratings);
        let factor = ridge(model, offset, ratings);
        Ok(Row { model, offset, factor, seen })
    }

    /// The row's offset `a`.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// The row's factor `l`, as long as those of the columns; empty for a row that the model has
    /// never met.
    pub fn factor(&self) -> &[f64] {
        &self.factor
    }

    /// The columns that it has rated, sorted.
    pub fn seen(&self) -> &[usize] {
        &self.seen
    }

    /// Its predicted rating of a column; what the offsets say for `None`, an index beyond the
    /// matrix, or a column without ratings.
    pub fn predict(&self, col: Option<usize>) -> f64 {
        clip(self.raw(col), self.model.range)
    }

    /// The `n` columns of the highest predictions, highest first, with these; of equal ones the
    /// first. Columns in `except` ([`Row::seen`], say) and those without ratings are left out.
    ///
    /// ```
    /// use flatmin_completion::ratings::{Penalty, Ratings};
    /// let (rows, cols) = ([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 0, 2]);
    /// let ratings = Ratings::new(3, 3, &rows, &cols, vec![5.0, 4.0, 2.0, 1.0, 4.0, 3.0])?;
    /// let model = ratings.fit().penalty(Penalty::Given(0.1)).solve()?;
    /// let row = model.row(Some(2));
    /// assert_eq!(row.seen(), [0, 2]);
    /// assert_eq!(row.top(10, row.seen()), [(1, model.predict(Some(2), Some(1)))]);
    /// assert_eq!(row.top(10, &[]).len(), 3);
    /// # Ok::<(), flatmin_completion::Error>(())
    /// ```
    pub fn top(&self, n: usize, except: &[usize]) -> Vec<(usize, f64)> {
        let cols = self.model.shape().1;
        let mut open: Vec<bool> = (0..cols).map(|j| self.model.popularity(j) > 0).collect();
        except.iter().for_each(|&j| open.get_mut(j).into_iter().for_each(|o| *o = false));
        // By what they are before the range makes them equal.
        let mut ranked: Vec<(usize, f64)> =
            (0..cols).filter(|&j| open[j]).map(|j| (j, self.raw(Some(j)))).collect();
        let order = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if n < ranked.len() {
            ranked.select_nth_unstable_by(n, order);
            ranked.truncate(n);
        }
        ranked.sort_unstable_by(order);
        ranked.iter_mut().for_each(|(_, value)| *value = clip(*value, self.model.range));
        ranked
    }

    fn raw(&self, col: Option<usize>) -> f64 {
        let right = col.map_or(&[][..], |j| self.model.factors.right(j));
        let offsets = &self.model.offsets;
        offsets.mean() + (self.offset + offsets.col(col)) + product(&self.factor, right)
    }
}

/// What a caller can get wrong; the columns, sorted.
fn check(model: &RatingsModel, ratings: &[(usize, f64)]) -> Result<Vec<usize>, Error> {
    let (_, cols) = model.shape();
    if let Some(position) = ratings.iter().position(|r| r.0 >= cols) {
        let col = ratings[position].0;
        return Err(Error::OutOfRange { row: 0, col, position, rows: 1, cols });
    }
    check_values("the new row's ratings", ratings.iter().map(|r| r.1))?;
    let mut order: Vec<usize> = (0..ratings.len()).collect();
    order.sort_unstable_by_key(|&t| (ratings[t].0, t));
    for pair in order.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if ratings[first].0 == ratings[second].0 {
            return Err(Error::Duplicate { row: 0, col: ratings[first].0, first, second });
        }
    }
    Ok(order.into_iter().map(|t| ratings[t].0).collect())
}

/// The factor of a new row, by a QR decomposition of the stacked least-squares problem.
fn ridge(model: &RatingsModel, offset: f64, ratings: &[(usize, f64)]) -> Vec<f64> {
    let (n, k) = (ratings.len(), model.factors.width);
    let ridge = (model.penalty * model.weight.of(n)).sqrt();
    if n == 0 || k == 0 || ridge <= 0.0 {
        return vec![0.0; k];
    }
    let right: Vec<&[f64]> = ratings.iter().map(|&(j, _)| model.factors.right(j)).collect();
    let stacked = Mat::from_fn(n + k, k, |i, c| match i.checked_sub(n) {
        None => right[i].get(c).copied().unwrap_or(0.0),
        Some(i) if i == c => ridge,
        Some(_) => 0.0,
    });
    let (q, r) = thin_qr(stacked.as_ref());
    let misfit = |&(j, y): &(usize, f64)| y - model.offsets.at(None, Some(j)) - offset;
    let misfits: Vec<f64> = ratings.iter().map(misfit).collect();
    let mut l = Mat::from_fn(k, 1, |c, _| (0..n).map(|t| q[(t, c)] * misfits[t]).sum());
    solve_upper(r.as_ref(), l.as_mut());
    l.col(0).iter().copied().collect()
}
