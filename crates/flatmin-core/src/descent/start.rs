//! Random starts of a given size.

use super::check_positive;
use crate::Error;
use crate::linalg::norm;
use crate::loss::LeastSquares;
use crate::rng::{Role, Stream};

/// Least size: predictions are differences of residuals, which lose the digits of smaller ones.
const LEAST: f64 = 1e-10;

/// Halvings of the interval that holds the length of a start.
const BISECTIONS: usize = 60;

/// Gaussian numbers, drawn from `seed`, times the factor at which what they predict is `size` times as large as
/// the targets: `|r(x) - r(0)| = size |r(0)|`, to a part in `1e5` or better. At `1e-6` a start is small,
/// at 1 as large as the solution, whatever the units of the data.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::start, loss::Loss};
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[100.0])?.of_width(1)?;
/// let x = start(&loss, 0.5, 7)?;
/// assert!(((x[0] * x[1]).abs() - 50.0).abs() < 1e-3);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the size is below `1e-10`, or no multiple of the draw has it: the targets are all zero, say.
pub fn start(loss: &dyn LeastSquares, size: f64, seed: u64) -> Result<Vec<f64>, Error> {
    check_positive("the size of the start", size)?;
    if size < LEAST {
        let (name, rule) = ("the size of the start", "at least 1e-10");
        return Err(Error::Parameter { name, rule, got: size.to_string() });
    }
    let (n, m) = (loss.order(), loss.measurements());
    let w = Stream::new(seed, "descent", 0, 0, Role::Start).gaussian_vector(n);
    let mut silent = vec![0.0; m];
    loss.residual(&vec![0.0; n], &mut silent)?;
    let goal = size * norm(&silent);
    let at = |factor: f64| -> Vec<f64> { w.iter().map(|w| factor * w).collect() };
    let beyond = |factor: f64| -> Result<bool, Error> {
        let mut residual = vec![0.0; m];
        loss.residual(&at(factor), &mut residual)?;
        residual.iter_mut().zip(&silent).for_each(|(r, s)| *r -= s);
        Ok(norm(&residual) > goal)
    };
    // Powers of two, to either side; then bisection of the exponent.
    let (mut low, mut high) = (0.0, 0.0);
    while beyond(f64::exp2(low))? && low > -1000.0 {
        (high, low) = (low, low - 8.0);
    }
    while !beyond(f64::exp2(high))? && high < 1000.0 {
        (low, high) = (high, high + 8.0);
    }
    if goal <= 0.0 || !(goal.is_finite() && high - low <= 8.0) || high >= 1000.0 || low <= -1000.0 {
        return Err(Error::Scale {
            what: "the targets, or what the factors predict,".into(),
            magnitude: goal / size,
            sane: (f64::MIN_POSITIVE, f64::MAX),
        });
    }
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if beyond(f64::exp2(middle))? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(at(f64::exp2(0.5 * (low + high))))
}
