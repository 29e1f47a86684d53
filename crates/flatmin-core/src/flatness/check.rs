//! The law of symmetric operators, for any implementation; and means over draws against their values.

use super::SymmetricOperator;
use super::operator::image;
use crate::Error;
use crate::linalg::{inner, product};
use crate::rng::{Role, Stream};

/// How far an operator is from `<u, H v> = <H u, v>` and from treating each column of a block on its own,
/// relative to `|H u| |v|`, at random vectors drawn from `seed`.
///
/// ```
/// use flatmin_core::{Gram, Mat, flatness::check};
/// let h = Gram::Dense(Mat::from_fn(5, 5, |i, j| 1.0 / (1.0 + (i + j) as f64)));
/// assert!(check::asymmetry(&h, 1)? < 1e-14);
/// let skew = Gram::Dense(Mat::from_fn(5, 5, |i, j| i as f64 - j as f64));
/// assert!(check::asymmetry(&skew, 1)? > 1e-2);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When a product is not finite.
pub fn asymmetry(operator: &dyn SymmetricOperator, seed: u64) -> Result<f64, Error> {
    let n = operator.order();
    let block = Stream::new(seed, "asymmetry", 0, 0, Role::Probe).gaussian_matrix(n, 3);
    let images = image(operator, block.as_ref())?;
    let form = product(block.transpose(), images.as_ref());
    let size = (0..3)
        .map(|j| images.col(j).norm_l2() * block.col(j).norm_l2())
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut worst = (form.as_ref() - form.transpose()).norm_max() / size;
    for j in 0..3 {
        let column = block.as_ref().subcols(j, 1);
        let alone = image(operator, column)?;
        let difference = alone.as_ref() - images.as_ref().subcols(j, 1);
        let error = inner(difference.as_ref(), difference.as_ref()).sqrt();
        worst = worst.max(error * column.norm_l2() / size);
    }
    Ok(worst)
}

/// How far the mean of `drawn(trial)` over 400 trials lies from what is expected, in standard errors of that
/// mean: what a value of the population is held against.
///
/// ```
/// use flatmin_core::flatness::check;
/// use flatmin_core::rng::{Role, Stream};
/// let drawn = |trial| Stream::new(1, "squares", 0, trial, Role::Noise).gaussian().powi(2);
/// assert!(check::deviations(1.0, drawn).abs() < 3.5);
/// assert!(check::deviations(2.0, drawn).abs() > 3.5);
/// ```
pub fn deviations(expected: f64, drawn: impl Fn(u64) -> f64) -> f64 {
    const TRIALS: u64 = 400;
    let values: Vec<f64> = (0..TRIALS).map(drawn).collect();
    let n = TRIALS as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean - expected) / (variance / n).sqrt()
}
