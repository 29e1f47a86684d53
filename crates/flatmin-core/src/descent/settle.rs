//! From a point near the zero set of a loss onto it, by the shortest way that Newton's method takes.
//!
//! Each step is the least-norm solution of the linear least-squares problem `J p = -r`, by conjugate gradients on its
//! normal equations from 0: a step along normals of the zero set. The iteration stops early while the residual is
//! large, which keeps it from directions in which the residual hardly changes (the columns that factors wider than
//! the rank have to spare).

use super::check_positive;
use crate::Error;
use crate::error::finite;
use crate::linalg::kernel::{axpy, dot};
use crate::linalg::norm;
use crate::loss::{LeastSquares, check_point};

/// Steps at most.
const STEPS: usize = 60;

/// Halvings of a step.
const HALVINGS: usize = 40;

/// Where a loss vanishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The point.
    pub x: Vec<f64>,
    /// The loss there.
    pub loss: f64,
    /// Its distance from the start.
    pub moved: f64,
    /// Gauss-Newton steps.
    pub steps: usize,
    /// Products with Jacobians and with their transposes.
    pub products: usize,
    /// Whether the loss reached the tolerance.
    pub converged: bool,
}

/// Goes from `start` to a nearby point where `f(x) <= tolerance^2 f(0)`.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::settle};
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let on = settle(&loss, &[2.0, 0.6], 1e-12)?;
/// // The nearest point of l r = 1 is (1.97594..., 0.50608...).
/// assert!(on.converged && (on.x[0] * on.x[1] - 1.0).abs() < 1e-12);
/// assert!((on.x[0] - 1.97594).abs() < 1e-2);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the tolerance is not positive, the start has not as many finite numbers as the loss takes, or the loss is
/// not finite there.
pub fn settle(loss: &dyn LeastSquares, start: &[f64], tolerance: f64) -> Result<Settled, Error> {
    check_positive("the tolerance of the loss", tolerance)?;
    check_point(loss.order(), start)?;
    finite("the start", start)?;
    let m = loss.measurements();
    let mut silent = vec![0.0; m];
    loss.residual(&vec![0.0; start.len()], &mut silent)?;
    let mut at = Point::new(loss, start.to_vec())?;
    finite("the residuals at the start", &at.residual)?;
    let scale = norm(&silent).max(f64::MIN_POSITIVE);
    let goal = tolerance * scale;
    let (mut steps, mut products) = (0, 0);
    while at.size > goal && steps < STEPS {
        // Fast at the end: the system is solved the better the smaller the residual.
        let accuracy = (at.size / scale).clamp(1e-8, 0.1);
        let (step, spent) = least_norm(loss, &at, accuracy)?;
        products += spent;
        let Some(next) = shortened(loss, &at, &step)? else {
            break;
        };
        at = next;
        steps += 1;
    }
    let off: Vec<f64> = at.x.iter().zip(start).map(|(x, s)| x - s).collect();
    let (moved, converged) = (norm(&off), at.size <= goal);
    Ok(Settled { loss: at.size * at.size / m as f64, x: at.x, moved, steps, products, converged })
}

struct Point {
    x: Vec<f64>,
    residual: Vec<f64>,
    size: f64,
}

impl Point {
    fn new(loss: &dyn LeastSquares, x: Vec<f64>) -> Result<Point, Error> {
        let mut residual = vec![0.0; loss.measurements()];
        loss.residual(&x, &mut residual)?;
        let size = norm(&residual);
        Ok(Point { x, residual, size })
    }
}

/// Conjugate gradients on `J^T J p = -J^T r`, and the products that they took.
fn least_norm(
    loss: &dyn LeastSquares,
    at: &Point,
    accuracy: f64,
) -> Result<(Vec<f64>, usize), Error> {
    let (n, m) = (at.x.len(), at.residual.len());
    let (mut p, mut slope, mut image) = (vec![0.0; n], vec![0.0; n], vec![0.0; m]);
    let mut left: Vec<f64> = at.residual.iter().map(|r| -r).collect();
    loss.pull_back(&at.x, &left, &mut slope)?;
    let mut direction = slope.clone();
    let mut square = dot(&slope, &slope);
    let goal = accuracy * accuracy * square;
    let mut products = 1;
    while square > goal && products < 4 * n {
        loss.push_forward(&at.x, &direction, &mut image)?;
        let curvature = dot(&image, &image);
        if curvature == 0.0 {
            break;
        }
        let step = square / curvature;
        axpy(step, &direction, &mut p);
        axpy(-step, &image, &mut left);
        loss.pull_back(&at.x, &left, &mut slope)?;
        products += 2;
        let next = dot(&slope, &slope);
        direction.iter_mut().zip(&slope).for_each(|(d, s)| *d = s + next / square * *d);
        square = next;
    }
    Ok((p, products))
}

/// The first of the halved steps with a smaller residual.
fn shortened(loss: &dyn LeastSquares, at: &Point, step: &[f64]) -> Result<Option<Point>, Error> {
    let mut t = 1.0;
    for _ in 0..HALVINGS {
        let mut x = at.x.clone();
        axpy(t, step, &mut x);
        let to = Point::new(loss, x)?;
        if to.size < (1.0 - 1e-4 * t) * at.size {
            return Ok(Some(to));
        }
        t *= 0.5;
    }
    Ok(None)
}
