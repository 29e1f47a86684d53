//! Ratings as users have them: noisy, uneven, from rows and columns that run high or low.
//!
//! Of `m` ratings `y_ij` in a `d1 x d2` matrix the model is offsets and a matrix of low rank,
//!
//! ```text
//! y_ij ~ mu + a_i + b_j + X_ij,      X = argmin 1/2 sum_seen (X_ij - e_ij)^2 + lambda |D1 X D2|_*,
//! ```
//!
//! `e` being what the offsets leave. Each step is a law of its own:
//!
//! 1. **Centring** ([`Centring`], [`Offsets`]): offsets by least squares, shrunken as if each row and
//!    column had `beta` more ratings, of the mean ([`Shrinkage`]).
//! 2. **Weights** ([`Weights`]): flat ones are the empirical counts, smoothed ones put a share `s` of
//!    them evenly, and at `s = 1` the norm is the nuclear one. [`bridge`] derives what they have to do
//!    with the regularisers of alternating least squares.
//! 3. **Penalty** ([`Penalty`], [`Holdout`]): `lambda`, and `s` if wished, by the error on a held-out
//!    tenth or by folds, along a path of warm starts. Every fit of the path comes with its duality gap
//!    ([`Trial`]), and the last one, to all ratings, is certified to the tolerance
//!    ([`RatingsModel::recovery`]).
//! 4. **Prediction** ([`RatingsModel::predict`]): clipped to the range of the ratings. Whom the model has
//!    never met gets what the offsets say.
//! 5. **Folding in** ([`RatingsModel::transform`]): a new row by the two equations that its offset and
//!    its factor would solve had it been there, with all else held fast. [`Row::top`] lists the columns
//!    that a row, old or new, would rate highest.
//!
//! Everything but the solves is `O(m)`, a row's list `O(d2 k)` for factors of `k` columns; no `d1 x d2`
//! array is formed.
//!
//! ```
//! use flatmin_completion::ratings::{Penalty, Ratings};
//! // (row, column, value), counted from 0.
//! let (rows, cols) = ([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 0, 2]);
//! let ratings = Ratings::new(3, 3, &rows, &cols, vec![5.0, 4.0, 2.0, 1.0, 4.0, 3.0])?;
//! let model = ratings.fit().penalty(Penalty::Given(0.1)).solve()?;
//! assert!(model.recovery.status.is_certified());
//! assert!((1.0..=5.0).contains(&model.predict(Some(0), Some(2))));
//! // A row that comes later, and the column that it would rate highest of those it has not rated.
//! let new = model.transform(&[(1, 5.0), (2, 4.0)])?;
//! assert_eq!(new.top(1, new.seen())[0].0, 0);
//! # Ok::<(), flatmin_completion::Error>(())
//! ```

pub mod bridge;
mod data;
mod fit;
mod model;
mod offsets;
mod row;
mod selection;
mod shrinkage;

pub use data::{Observation, Ratings};
pub use fit::{Fit, Holdout, Penalty, Stage, Weights};
pub use model::RatingsModel;
pub use offsets::{Centring, Offsets};
pub use row::Row;
pub use selection::Trial;
pub use shrinkage::Shrinkage;

/// Root mean square of errors; `None` for none.
fn rmse(errors: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = errors.len();
    (n > 0).then(|| (errors.map(|e| e * e).sum::<f64>() / n as f64).sqrt())
}
