//! Derivatives against finite differences.

use super::{FactoredLoss, SymmetricLoss, along};
use crate::linalg::inner;
use crate::rng::{Role, Stream};
use crate::{Mat, MatRef};

/// Relative errors of the gradient and of the Hessian form against central differences, at a random
/// point and along a random direction of width `k` drawn from `seed`.
///
/// ```
/// use flatmin_core::loss::{check, FactoredLoss};
/// let map = flatmin_core::Entries::new(2, 2, &[0, 1], &[1, 0])?;
/// let loss = FactoredLoss::new(&map, &[1.0, 2.0])?;
/// let (gradient, hessian) = check::derivatives(&loss, 2, 1);
/// assert!(gradient < 1e-8 && hessian < 1e-6);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub fn derivatives(loss: &FactoredLoss<'_>, k: usize, seed: u64) -> (f64, f64) {
    let dims = loss.map.dims();
    let mut stream = Stream::new(seed, "check", 0, 0, Role::Probe);
    let (l, r) = (stream.gaussian_matrix(dims.rows, k), stream.gaussian_matrix(dims.cols, k));
    let (u, v) = (stream.gaussian_matrix(dims.rows, k), stream.gaussian_matrix(dims.cols, k));
    let step = |t: f64| -> (Mat<f64>, Mat<f64>) {
        (combine(l.as_ref(), t, u.as_ref()), combine(r.as_ref(), t, v.as_ref()))
    };
    let slope = |t: f64| {
        let (l, r) = step(t);
        let (_, gl, gr) = loss.value_and_gradient(l.as_ref(), r.as_ref());
        along((gl.as_ref(), gr.as_ref()), (u.as_ref(), v.as_ref()))
    };
    let value = |t: f64| {
        let (l, r) = step(t);
        loss.value(l.as_ref(), r.as_ref())
    };
    let curvature = loss.hessian_form(l.as_ref(), r.as_ref(), u.as_ref(), v.as_ref());
    against_differences(&value, &slope, curvature)
}

/// The same for a loss of symmetric factors.
pub fn symmetric_derivatives(loss: &SymmetricLoss<'_>, seed: u64) -> (f64, f64) {
    let (d, k) = (loss.map().dims().rows, loss.width());
    let mut stream = Stream::new(seed, "check", 0, 0, Role::Probe);
    let (u, v) = (stream.gaussian_matrix(d, k), stream.gaussian_matrix(d, k));
    let at = |t: f64| combine(u.as_ref(), t, v.as_ref());
    let value = |t: f64| loss.value(at(t).as_ref());
    let slope = |t: f64| inner(loss.value_and_gradient(at(t).as_ref()).1.as_ref(), v.as_ref());
    against_differences(&value, &slope, loss.hessian_form(u.as_ref(), v.as_ref()))
}

/// Errors of a slope and a curvature at 0, given the value and the slope along a line, by
/// fourth-order central differences: the losses are quartics along any line, so these are exact up to
/// rounding.
fn against_differences(
    value: &dyn Fn(f64) -> f64,
    slope: &dyn Fn(f64) -> f64,
    curvature: f64,
) -> (f64, f64) {
    let h = 1e-4;
    let central =
        |f: &dyn Fn(f64) -> f64| (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h);
    let relative = |a: f64, b: f64| (a - b).abs() / b.abs().max(1.0);
    (relative(central(value), slope(0.0)), relative(central(slope), curvature))
}

fn combine(a: MatRef<'_, f64>, t: f64, b: MatRef<'_, f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] + t * b[(i, j)])
}
