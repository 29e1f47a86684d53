//! Newton's method on the dual of `min |z|_p  s.t.  B z = c` for `1 < p < 2`.
//!
//! ```text
//! phi(u) = <c, u> - (1/q) sum_j |s_j|^q,   s = B^T u        grad = c - B z,  z_j = |s_j|^{q-1} sign s_j
//!                                                           -Hess = (q - 1) B diag(theta) B^T,  theta_j = |s_j|^{q-2}
//! ```
//!
//! is concave, and its maximiser gives the solution `z`. What a Newton step changes of `z` to first order,
//! `theta o B^T v` with `B diag(theta) B^T v = c - B z`, makes `z` fit, so each step has a vector that fits and
//! a bound, and their gap falls like the square of the error.

use super::incumbent::{Incumbent, power_norm};
use super::posed::Posed;
use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::norm;
use flatmin_core::solver::Monitor;

/// Least slope relative to the largest of which the curvature is used as it is.
pub(super) const FLOOR: f64 = 1e-8;

/// Steps without progress before giving up.
const PATIENCE: usize = 5;

/// Runs Newton's method until the gap is `goal`, or does not fall any more.
pub(super) fn search(
    posed: &Posed,
    goal: f64,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) {
    let q = posed.q;
    let mut u = posed.c.clone();
    let mut s = posed.adjoint(&u);
    let mut stuck = 0;
    loop {
        // The best multiple of u.
        let size = power_norm(&s, q);
        let along = dot(&posed.c, &u) / size;
        let t = along.powf(1.0 / (q - 1.0)) / size;
        u.iter_mut().chain(s.iter_mut()).for_each(|v| *v *= t);
        let before = incumbent.gap();
        incumbent.offer_dual(posed, &u);

        let largest = s.iter().fold(0.0, |m: f64, s| m.max(s.abs()));
        let theta: Vec<f64> =
            s.iter().map(|s| s.abs().max(FLOOR * largest).powf(q - 2.0)).collect();
        let mut z: Vec<f64> = s.iter().map(|s| s.signum() * s.abs().powf(q - 1.0)).collect();
        let normal = posed.b.normal(&theta, 0.0);
        let mut v = posed.residual(&z);
        normal.solve_vector(&mut v);
        let step: Vec<f64> = v.iter().map(|v| v / (q - 1.0)).collect();
        for _ in 0..3 {
            let more = posed.adjoint(&v);
            z.iter_mut().zip(theta.iter().zip(more)).for_each(|(z, (theta, s))| *z += theta * s);
            v = posed.residual(&z);
            normal.solve_vector(&mut v);
        }
        incumbent.offer(posed, &z);

        let gap = incumbent.gap();
        stuck = if gap < 0.9 * before || before.is_infinite() { 0 } else { stuck + 1 };
        let feasibility = norm(&posed.residual(&z)) / norm(&posed.c);
        // The gap falls like the square of the error of z: one step more gives z its digits.
        let done = before <= goal || stuck >= PATIENCE;
        if done {
            incumbent.settle(posed, &z, &u);
        }
        let (upper, lower) = (incumbent.upper(), incumbent.lower());
        if !monitor.tick("Newton", upper, lower, feasibility, s.len()) || done {
            return;
        }
        let move_s = posed.adjoint(&step);
        let length = line_search((dot(&posed.c, &step), 0.0), &s, &move_s, q);
        axpy(length, &step, &mut u);
        s = posed.adjoint(&u);
    }
}

/// A step along which the slope `gain - t bend` of the quadratic part of `phi`, less that of its powers, falls to a
/// tenth or less.
pub(super) fn line_search((gain, bend): (f64, f64), s: &[f64], step: &[f64], q: f64) -> f64 {
    let slope = |t: f64| {
        let term = |(s, d): (&f64, &f64)| {
            let s = s + t * d;
            s.signum() * s.abs().powf(q - 1.0) * d
        };
        gain - t * bend - s.iter().zip(step).map(term).sum::<f64>()
    };
    let start = slope(0.0).abs();
    let (mut low, mut high, mut t) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..40 {
        let now = slope(t);
        if now.abs() <= 0.1 * start {
            break;
        }
        if now > 0.0 {
            low = t
        } else {
            high = t
        }
        t = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * t };
    }
    t
}
