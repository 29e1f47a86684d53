//! Ratings as users have them: noisy, uneven, with rows and columns that rate high or low.
//!
//! ```
//! use flatmin_completion::ratings::{Penalty, Ratings};
//! let (rows, cols) = ([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 0, 2]);
//! let ratings = Ratings::new(3, 3, &rows, &cols, vec![5.0, 4.0, 2.0, 1.0, 4.0, 3.0])?;
//! let model = ratings.fit().penalty(Penalty::Given(0.1)).solve()?;
//! assert!((1.0..=5.0).contains(&model.predict(Some(0), Some(2))));
//! // A row that comes later, and the column that it would rate highest.
//! let new = model.transform(&[(1, 5.0), (2, 4.0)])?;
//! assert_eq!(new.top(1, new.seen())[0].0, 0);
//! # Ok::<(), flatmin_completion::Error>(())
//! ```

mod data;
mod fit;
mod model;
mod offsets;
mod row;
mod selection;

pub use data::{Observation, Ratings};
pub use fit::{Fit, Holdout, Penalty, Stage, Weights};
pub use model::RatingsModel;
pub use offsets::{Centring, Offsets, Shrinkage};
pub use row::Row;
pub use selection::Trial;

/// Root mean square of errors; `None` for none.
fn rmse(errors: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = errors.len();
    (n > 0).then(|| (errors.map(|e| e * e).sum::<f64>() / n as f64).sqrt())
}
