//! Derivatives against finite differences, and Hessians against the laws that they obey.

use super::{FactoredLoss, LeastSquares, Loss, SymmetricLoss, Traced, along};
use crate::flatness::{self, Differences, image};
use crate::linalg::{inner, kernel::dot};
use crate::rng::{Role, Stream};
use crate::{Error, Mat, MatRef};

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
        let found = loss.value_and_gradient(l.as_ref(), r.as_ref());
        let inner = |(_, gl, gr): (f64, Mat<f64>, Mat<f64>)| {
            along((gl.as_ref(), gr.as_ref()), (u.as_ref(), v.as_ref()))
        };
        found.map_or(f64::NAN, inner)
    };
    let value = |t: f64| {
        let (l, r) = step(t);
        loss.value(l.as_ref(), r.as_ref()).unwrap_or(f64::NAN)
    };
    let curvature = loss.hessian_form(l.as_ref(), r.as_ref(), u.as_ref(), v.as_ref());
    against_differences(&value, &slope, curvature.unwrap_or(f64::NAN))
}

/// The same for a loss of symmetric factors.
pub fn symmetric_derivatives(loss: &SymmetricLoss<'_>, seed: u64) -> (f64, f64) {
    let (d, k) = (loss.map().dims().rows, loss.width());
    let mut stream = Stream::new(seed, "check", 0, 0, Role::Probe);
    let (u, v) = (stream.gaussian_matrix(d, k), stream.gaussian_matrix(d, k));
    let at = |t: f64| combine(u.as_ref(), t, v.as_ref());
    let value = |t: f64| loss.value(at(t).as_ref()).unwrap_or(f64::NAN);
    let slope = |t: f64| {
        let found = loss.value_and_gradient(at(t).as_ref());
        found.map_or(f64::NAN, |(_, gradient)| inner(gradient.as_ref(), v.as_ref()))
    };
    let curvature = loss.hessian_form(u.as_ref(), v.as_ref());
    against_differences(&value, &slope, curvature.unwrap_or(f64::NAN))
}

/// By how much a loss fails the laws of its derivatives at a point, each relative to what is compared.
#[derive(Debug, Clone, Copy)]
pub struct Curvature {
    /// The gradient along a random direction against fourth-order differences of the value.
    pub gradient: f64,
    /// A product with the Hessian against fourth-order differences of the gradient.
    pub product: f64,
    /// [`flatness::check::asymmetry`] of the Hessian.
    pub asymmetry: f64,
    /// The exact trace against that of the columns of the Hessian, relative to their absolute sum; 0 where no
    /// exact trace is given.
    pub trace: f64,
}

/// Tries the laws of the derivatives of any loss at `x`, along a random direction drawn from `seed`.
///
/// For the losses of this project, quartics along any line, `gradient` and `product` come out near `1e-11`,
/// the others near `1e-15`. It costs `n` products.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, loss::check};
/// let map = DenseMap::new(1, 2, vec![1.0, 2.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let found = check::curvature(&loss, &[1.0, 0.5, -1.0], 1)?;
/// assert!(found.gradient < 1e-9 && found.product < 1e-9);
/// assert!(found.asymmetry < 1e-14 && found.trace < 1e-14);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the loss refuses the point, or a product is not finite.
pub fn curvature(loss: &dyn Loss, x: &[f64], seed: u64) -> Result<Curvature, Error> {
    let n = loss.order();
    let v = Stream::new(seed, "curvature", 0, 0, Role::Probe).gaussian_vector(n);
    let hessian = loss.hessian(x)?;
    let h = 1e-3;
    let value = |t: f64| {
        let moved: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x + t * h * v).collect();
        loss.value(&moved).unwrap_or(f64::NAN)
    };
    let slope = (8.0 * (value(1.0) - value(-1.0)) - (value(2.0) - value(-2.0))) / (12.0 * h);
    let mut gradient = vec![0.0; n];
    loss.value_and_gradient(x, &mut gradient)?;

    let column = MatRef::from_column_major_slice(&v, n, 1);
    let by_differences = |x: &[f64], out: &mut [f64]| {
        if loss.value_and_gradient(x, out).is_err() {
            out.fill(f64::NAN);
        }
    };
    let differences = Differences::new(x.to_vec(), by_differences)?.fourth_order();
    let expected = image(&differences, column)?;
    let product = image(hessian.as_ref(), column)?;

    let columns = image(hessian.as_ref(), Mat::<f64>::identity(n, n).as_ref())?;
    let (mut trace, mut absolute) = (0.0, f64::MIN_POSITIVE);
    for i in 0..n {
        trace += columns[(i, i)];
        absolute += columns[(i, i)].abs();
    }
    let least = f64::MIN_POSITIVE;
    // Where the gradient vanishes: its size within the reach of the differences.
    let size = dot(&gradient, &gradient).sqrt() + h * expected.norm_l2();
    Ok(Curvature {
        gradient: (slope - dot(&gradient, &v)).abs() / (size * dot(&v, &v).sqrt()).max(least),
        product: (&product - &expected).norm_l2() / expected.norm_l2().max(least),
        asymmetry: flatness::check::asymmetry(hessian.as_ref(), seed)?,
        trace: hessian.exact_trace().map_or(0.0, |exact| (exact - trace).abs() / absolute),
    })
}

/// By how much a loss fails the laws of a mean of squares, each relative to what is compared.
#[derive(Debug, Clone, Copy)]
pub struct Squares {
    /// The value against `|r|^2 / m`.
    pub value: f64,
    /// The gradient against `(2/m) J^T r`.
    pub gradient: f64,
    /// `<J v, y>` against `<v, J^T y>`.
    pub adjoint: f64,
    /// `J v` against fourth-order differences of the residuals.
    pub differences: f64,
}

/// Tries the laws of a mean of squares at `x`, along directions drawn from `seed`.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, loss::check};
/// let map = DenseMap::new(1, 2, vec![1.0, 2.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let found = check::least_squares(&loss, &[1.0, 0.5, -1.0], 1)?;
/// assert!(found.value < 1e-14 && found.gradient < 1e-14);
/// assert!(found.adjoint < 1e-14 && found.differences < 1e-9);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the loss refuses the point.
pub fn least_squares(loss: &dyn LeastSquares, x: &[f64], seed: u64) -> Result<Squares, Error> {
    let (n, m) = (loss.order(), loss.measurements());
    let mut stream = Stream::new(seed, "least squares", 0, 0, Role::Probe);
    let (v, y) = (stream.gaussian_vector(n), stream.gaussian_vector(m));
    let size = |a: &[f64]| dot(a, a).sqrt().max(f64::MIN_POSITIVE);
    let off = |a: &[f64], b: &[f64]| {
        let off: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        dot(&off, &off).sqrt()
    };
    let (mut residual, mut gradient, mut back) = (vec![0.0; m], vec![0.0; n], vec![0.0; n]);
    let value = loss.value_and_gradient(x, &mut gradient)?;
    loss.residual(x, &mut residual)?;
    let mean = dot(&residual, &residual) / m as f64;

    let weighted: Vec<f64> = residual.iter().map(|r| 2.0 / m as f64 * r).collect();
    loss.pull_back(x, &weighted, &mut back)?;
    let slope = off(&gradient, &back) / size(&gradient);

    let mut image = vec![0.0; m];
    loss.push_forward(x, &v, &mut image)?;
    loss.pull_back(x, &y, &mut back)?;
    let h = 1e-3;
    let mut differences = vec![0.0; m];
    for (steps, weight) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
        let moved: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x + steps * h * v).collect();
        loss.residual(&moved, &mut residual)?;
        differences.iter_mut().zip(&residual).for_each(|(d, r)| *d += weight / (12.0 * h) * r);
    }
    Ok(Squares {
        value: (value - mean).abs() / mean.abs().max(f64::MIN_POSITIVE),
        gradient: slope,
        adjoint: (dot(&image, &y) - dot(&v, &back)).abs() / (size(&v) * size(&back)),
        differences: off(&image, &differences) / size(&image),
    })
}

/// By how much a loss fails the laws of its trace at `x`, along a direction drawn from `seed`, relative to what
/// is compared: the trace against the weighted diagonal of the Hessian (relative to its absolute sum), and its
/// gradient against fourth-order differences. It costs `n` products.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, loss::check};
/// let map = DenseMap::new(1, 2, vec![1.0, 2.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let [trace, gradient] = check::traced(&loss, &[1.0, 0.5, -1.0], 1)?;
/// assert!(trace < 1e-14 && gradient < 1e-9);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the loss refuses the point, or a product is not finite.
pub fn traced(loss: &dyn Traced, x: &[f64], seed: u64) -> Result<[f64; 2], Error> {
    let n = loss.order();
    let v = Stream::new(seed, "traced", 0, 0, Role::Probe).gaussian_vector(n);
    let mut gradient = vec![0.0; n];
    let trace = loss.trace_and_gradient(x, &mut gradient)?;
    let columns = image(loss.hessian(x)?.as_ref(), Mat::<f64>::identity(n, n).as_ref())?;
    let diagonal = loss.weights().into_iter().enumerate().map(|(i, s)| s * columns[(i, i)]);
    let (sum, absolute) =
        diagonal.fold((0.0, f64::MIN_POSITIVE), |(sum, all), d| (sum + d, all + d.abs()));
    let along = |t: f64| -> Result<f64, Error> {
        let moved: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x + t * v).collect();
        loss.trace_and_gradient(&moved, &mut vec![0.0; n])
    };
    let slope = fourth_order(along)?;
    let size = (dot(&v, &v) * dot(&gradient, &gradient)).sqrt().max(f64::MIN_POSITIVE);
    Ok([(trace - sum).abs() / absolute, (slope - dot(&v, &gradient)).abs() / size])
}

/// Derivative of `f` at 0 by fourth-order central differences, exact for quartics up to rounding.
fn fourth_order(f: impl Fn(f64) -> Result<f64, Error>) -> Result<f64, Error> {
    let h = 1e-3;
    Ok((8.0 * (f(h)? - f(-h)?) - (f(2.0 * h)? - f(-2.0 * h)?)) / (12.0 * h))
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
