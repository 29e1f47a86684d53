//! Limited-memory BFGS: a minimiser of any smooth function.
//!
//! The direction is `-H g` with the inverse Hessian `H` that the last `memory` pairs of steps `s` and changes of
//! the gradient `y` give, by the two-loop recursion (J. Nocedal, *Updating quasi-Newton matrices with limited
//! storage*, Math. Comp. 35, 1980). Steps satisfy the weak Wolfe conditions by bisection (A. Lewis, M. Overton,
//! *Nonsmooth optimization via quasi-Newton methods*, Math. Program. 141, 2013); where values no longer tell two
//! points apart, slopes do (W. Hager, H. Zhang, *A new conjugate gradient method with guaranteed descent and an
//! efficient line search*, SIAM J. Optim. 16, 2005).

use super::check_positive;
use crate::Error;
use crate::error::finite;
use crate::linalg::kernel::{axpy, dot};
use crate::linalg::norm;
use crate::loss::{Loss, check_point};
use std::collections::VecDeque;

/// Sufficient decrease, as a part of what the slope promises.
const DECREASE: f64 = 1e-4;

/// Slope left at the end of a step, as a part of the first.
const CURVATURE: f64 = 0.9;

/// Values closer than this, relatively, are not told apart.
const ROUNDING: f64 = 1e-14;

/// Trials of a line search.
const TRIALS: usize = 60;

/// A minimiser and its settings.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::Lbfgs};
/// // (l r - 1)^2 has its minima on a hyperbola.
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
/// let found = Lbfgs::default().minimise(&loss, &[2.0, 0.1])?;
/// assert!(found.converged && (found.x[0] * found.x[1] - 1.0).abs() < 1e-8);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    /// Pairs that are kept: 20.
    pub memory: usize,
    /// Norm of the gradient at which to stop, relative to that at the start: `1e-8`.
    pub tolerance: f64,
    /// Iterations at most: 1000.
    pub limit: usize,
}

impl Default for Lbfgs {
    fn default() -> Lbfgs {
        Lbfgs { memory: 20, tolerance: 1e-8, limit: 1000 }
    }
}

/// Where a minimiser ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The point.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// Norm of the gradient there.
    pub gradient: f64,
    /// Iterations.
    pub iterations: usize,
    /// Values and gradients that were computed.
    pub evaluations: usize,
    /// Whether the gradient reached the tolerance; otherwise the limit came, or rounding leaves nothing to gain.
    pub converged: bool,
}

impl Lbfgs {
    /// The gradient's norm, relative to that at the start, at which to stop.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Lbfgs {
        self.tolerance = tolerance;
        self
    }

    /// The most iterations.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Lbfgs {
        self.limit = limit;
        self
    }

    /// Minimises a function from `start`.
    ///
    /// # Errors
    /// When the tolerance is not positive, the start has not [`Loss::order`] finite numbers, or the function
    /// refuses it or is not finite there.
    pub fn minimise(&self, loss: &dyn Loss, start: &[f64]) -> Result<Minimum, Error> {
        check_positive("the tolerance of the gradient", self.tolerance)?;
        self.until(loss, start, |first| self.tolerance * first)
    }

    /// The same until the gradient is as small as a function of its norm at the start says.
    pub(super) fn until(
        &self,
        loss: &dyn Loss,
        start: &[f64],
        small: impl Fn(f64) -> f64,
    ) -> Result<Minimum, Error> {
        check_point(loss.order(), start)?;
        finite("the start", start)?;
        let n = start.len();
        let mut at = Point { x: start.to_vec(), value: 0.0, gradient: vec![0.0; n] };
        at.value = loss.value_and_gradient(&at.x, &mut at.gradient)?;
        finite("the value at the start", &[at.value])?;
        finite("the gradient at the start", &at.gradient)?;
        let (mut evaluations, mut iterations) = (1, 0);
        let small = small(norm(&at.gradient));
        let mut pairs = Pairs { kept: VecDeque::new(), memory: self.memory };
        let mut converged = norm(&at.gradient) <= small;
        while !converged && iterations < self.limit {
            let mut direction = pairs.times(&at.gradient);
            direction.iter_mut().for_each(|d| *d = -*d);
            if dot(&direction, &at.gradient) >= 0.0 {
                pairs.kept.clear();
                direction = at.gradient.iter().map(|g| -g).collect();
            }
            // Without pairs the first trial moves as far as the point is from 0, at most.
            let trial =
                if pairs.kept.is_empty() { norm(&at.x).max(1e-3) / norm(&direction) } else { 1.0 };
            let Some((next, spent)) = search(loss, &at, &direction, trial)? else {
                // Nothing is gained along the gradient either: rounding.
                if pairs.kept.is_empty() {
                    break;
                }
                pairs.kept.clear();
                continue;
            };
            evaluations += spent;
            iterations += 1;
            pairs.push(&at, &next);
            at = next;
            converged = norm(&at.gradient) <= small;
        }
        let gradient = norm(&at.gradient);
        Ok(Minimum { x: at.x, value: at.value, gradient, iterations, evaluations, converged })
    }
}

struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// The last pairs `(s, y, 1 / <s, y>)`, the newest last.
struct Pairs {
    kept: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    memory: usize,
}

impl Pairs {
    /// `H g`.
    fn times(&self, g: &[f64]) -> Vec<f64> {
        let mut q = g.to_vec();
        let mut shares = Vec::with_capacity(self.kept.len());
        for (s, y, rho) in self.kept.iter().rev() {
            let share = rho * dot(s, &q);
            axpy(-share, y, &mut q);
            shares.push(share);
        }
        if let Some((_, y, rho)) = self.kept.back() {
            let scale = 1.0 / (rho * dot(y, y));
            q.iter_mut().for_each(|q| *q *= scale);
        }
        for ((s, y, rho), share) in self.kept.iter().zip(shares.into_iter().rev()) {
            axpy(share - rho * dot(y, &q), s, &mut q);
        }
        q
    }

    /// Keeps the pair of a step along which the function is convex.
    fn push(&mut self, from: &Point, to: &Point) {
        let s = difference(&to.x, &from.x);
        let y = difference(&to.gradient, &from.gradient);
        let product = dot(&s, &y);
        if product > f64::EPSILON * norm(&s) * norm(&y) && self.memory > 0 {
            if self.kept.len() == self.memory {
                self.kept.pop_front();
            }
            self.kept.push_back((s, y, 1.0 / product));
        }
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// A step along `direction` under the weak Wolfe conditions, with the evaluations that it took; `None` where none
/// is found.
fn search(
    loss: &dyn Loss,
    at: &Point,
    direction: &[f64],
    trial: f64,
) -> Result<Option<(Point, usize)>, Error> {
    let slope = dot(direction, &at.gradient);
    let (mut low, mut high, mut t) = (0.0, f64::INFINITY, trial);
    let mut fallback: Option<Point> = None;
    for spent in 1..=TRIALS {
        let mut to = Point { x: at.x.clone(), value: 0.0, gradient: vec![0.0; at.x.len()] };
        axpy(t, direction, &mut to.x);
        to.value = loss.value_and_gradient(&to.x, &mut to.gradient)?;
        let end = dot(direction, &to.gradient);
        let gained = to.value <= at.value + DECREASE * t * slope
            || (to.value <= at.value + ROUNDING * at.value.abs()
                && end <= (2.0 * DECREASE - 1.0) * slope);
        if !(gained && end.is_finite()) {
            high = t;
        } else if end < CURVATURE * slope {
            low = t;
            fallback = Some(to);
        } else {
            return Ok(Some((to, spent)));
        }
        t = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * t };
        let narrow = high.is_finite() && high - low <= f64::EPSILON * high;
        if narrow || !t.is_finite() {
            break;
        }
    }
    Ok(fallback.map(|to| (to, TRIALS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descent::SquaredDistance;

    /// Rosenbrock's chain, of which the minimum is 0 at ones.
    struct Chain(usize);

    impl Loss for Chain {
        fn order(&self) -> usize {
            self.0
        }
        fn value(&self, x: &[f64]) -> Result<f64, Error> {
            let link = |w: &[f64]| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2);
            Ok(x.windows(2).map(link).sum())
        }
        fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
            gradient.fill(0.0);
            for i in 0..x.len() - 1 {
                let off = x[i + 1] - x[i] * x[i];
                gradient[i] += -400.0 * off * x[i] - 2.0 * (1.0 - x[i]);
                gradient[i + 1] += 200.0 * off;
            }
            self.value(x)
        }
    }

    /// A function plus a constant.
    struct Plus(Box<dyn Loss>, f64);

    impl Loss for Plus {
        fn order(&self) -> usize {
            self.0.order()
        }
        fn value(&self, x: &[f64]) -> Result<f64, Error> {
            Ok(self.0.value(x)? + self.1)
        }
        fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
            Ok(self.0.value_and_gradient(x, gradient)? + self.1)
        }
    }

    #[test]
    fn finds_the_minimum_of_a_bent_valley() {
        for n in [2, 7, 40] {
            let found = Lbfgs::default().minimise(&Chain(n), &vec![0.5; n]).unwrap();
            assert!(found.converged && found.value < 1e-10, "{n}: {found:?}");
            assert!(found.iterations < 400, "{n}: {} iterations", found.iterations);
        }
    }

    #[test]
    fn stops_where_nothing_is_to_be_gained() {
        // The last digits of a minimum that is not 0.
        let shifted = SquaredDistance { from: vec![0.1, 1.0 / 3.0] };
        let sharp = Lbfgs::default().tolerance(1e-300).limit(5000);
        let found = sharp.minimise(&Plus(Box::new(shifted), 1.0), &[3.0, 4.0]).unwrap();
        assert!(found.gradient < 1e-15 && found.iterations < 100, "{found:?}");
        let short = Lbfgs::default().limit(3).minimise(&Chain(5), &[0.0; 5]).unwrap();
        assert!(!short.converged && short.iterations == 3);
    }

    #[test]
    fn refuses_what_is_not_a_start() {
        let lbfgs = Lbfgs::default();
        assert!(matches!(lbfgs.minimise(&Chain(3), &[0.0]), Err(Error::Shape { .. })));
        assert!(matches!(lbfgs.minimise(&Chain(1), &[f64::NAN]), Err(Error::NotFinite { .. })));
        let loose = lbfgs.tolerance(0.0).minimise(&Chain(2), &[0.0; 2]);
        assert!(matches!(loose, Err(Error::Parameter { .. })));
        let huge = lbfgs.minimise(&Chain(2), &[1e200; 2]);
        assert!(matches!(huge, Err(Error::NotFinite { .. })));
    }
}
