//! Targets with noise for `1 < p <= 2`, by the power of the norm.
//!
//! The solutions of both forms are those of `min (1/p) |z|_p^p + |H z - b|^2 / (2 rho)` at some `rho`, the
//! maximisers of its dual
//!
//! ```text
//! phi(u) = <b, u> - (1/q) |s|_q^q - (rho/2) |u|^2,   s = H^T u
//! grad   = b - H z - rho u,                          z_j = |s_j|^{q-1} sign s_j
//! ```
//!
//! with the misfit `b - H z = rho u`, so that `delta = rho |u|`, `lambda = rho |s|_q` and `y = u / |s|_q`. Newton's
//! method in `u` starts from the answer at the last `rho`, and `d u / d rho = -K^{-1} u`, `K` its matrix,
//! gives a safeguarded Newton's method for `log rho`. At `p = 2` a singular value decomposition of `H` gives `u`
//! at every `rho`.

use super::incumbent::power_norm;
use super::newton::{FLOOR, line_search};
use super::noisy::{Goal, Noisy};
use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::{self, Par, norm};
use flatmin_core::solver::Monitor;
use flatmin_core::{Error, MatRef};

/// Steps at one `rho`, steps of `rho`, and steps without progress before giving up.
const STEPS: usize = 60;
const ROOTS: usize = 100;
const PATIENCE: usize = 3;

/// Part of the targets that Newton's method leaves.
const SMALL: f64 = 1e-15;

/// A safeguarded Newton's method for a zero of an increasing function.
struct Root {
    low: f64,
    high: f64,
}

impl Root {
    fn new() -> Root {
        Root { low: f64::NEG_INFINITY, high: f64::INFINITY }
    }

    /// From the value and the slope at `t` to the next argument.
    fn next(&mut self, t: f64, value: f64, slope: f64) -> f64 {
        if value > 0.0 {
            self.high = t;
        } else {
            self.low = t;
        }
        let newton = t - (value / slope).clamp(-10.0, 10.0);
        match self.high - self.low {
            _ if self.low < newton && newton < self.high => newton,
            width if width.is_finite() => 0.5 * (self.low + self.high),
            _ => t - value.signum(),
        }
    }
}

/// What `rho` is sought for: `rho |u|` or `rho |s|_q`.
fn aim(noisy: &Noisy<'_>) -> f64 {
    match noisy.goal {
        Goal::Penalty(lambda) => lambda,
        Goal::Noise(delta) => noisy.room(delta),
    }
}

/// Logarithm of what is attained at `rho` over the aim, and its slope in `log rho`, from `u`, `s` and
/// `du = K^{-1} u`, `ds = H^T du`.
fn excess(noisy: &Noisy<'_>, rho: f64, [u, s, du, ds]: [&[f64]; 4]) -> (f64, f64) {
    let (attained, change) = match noisy.goal {
        Goal::Noise(_) => (norm(u), dot(u, du) / dot(u, u)),
        Goal::Penalty(_) => {
            let (q, size) = (noisy.posed.q, power_norm(s, noisy.posed.q));
            let term = |(s, ds): (&f64, &f64)| {
                let part = s / size;
                part.signum() * part.abs().powf(q - 1.0) * ds
            };
            (size, s.iter().zip(ds).map(term).sum::<f64>() / size)
        }
    };
    ((rho * attained / aim(noisy)).ln(), 1.0 - rho * change)
}

/// Searches `rho` until the gap is `part`, or does not fall any more.
pub(super) fn search(noisy: &mut Noisy<'_>, part: f64, monitor: &mut Monitor<'_>) {
    let q = noisy.posed.q;
    // As if the misfit were a part tau of the targets: H z = (1 - tau) c at best along u = t c.
    let tau = match noisy.goal {
        Goal::Penalty(lambda) => lambda / noisy.largest_penalty(),
        Goal::Noise(_) => aim(noisy) / norm(&noisy.c),
    };
    let along = power_norm(&noisy.frame.adjoint(&noisy.c), q);
    let square = dot(&noisy.c, &noisy.c);
    let t = ((1.0 - tau).max(1e-3) * square / along).powf(1.0 / (q - 1.0)) / along;
    let mut u: Vec<f64> = noisy.c.iter().map(|c| t * c).collect();
    let mut log = (tau / t).ln();
    let mut root = Root::new();
    let mut stuck = 0;
    for _ in 0..ROOTS {
        let rho = log.exp();
        let Some((z, du)) = at(noisy, rho, &mut u, monitor) else {
            let s = noisy.frame.adjoint(&u);
            let z: Vec<f64> = s.iter().map(|s| s.signum() * s.abs().powf(q - 1.0)).collect();
            noisy.offer(&z);
            noisy.offer_dual(&noisy.lift(&u, rho));
            return;
        };
        let s = noisy.frame.adjoint(&u);
        let before = noisy.gap();
        noisy.offer(&z);
        noisy.enclose(&z);
        noisy.offer_dual(&noisy.lift(&u, rho));
        let gap = noisy.gap();
        stuck = if gap < 0.9 * before || before.is_infinite() { 0 } else { stuck + 1 };
        let ds = noisy.frame.adjoint(&du);
        let (value, slope) = excess(noisy, rho, [&u, &s, &du, &ds]);
        let near = value.abs() < 1e-6;
        // One step more than the gap asks for gives z its digits.
        if before <= part || (near && stuck >= PATIENCE) || value == 0.0 {
            return;
        }
        let next = root.next(log, value, slope);
        axpy(rho - next.exp(), &du, &mut u);
        if next == log {
            return;
        }
        log = next;
    }
}

/// The maximiser `u` of `phi` from the one given; its `z`, with `H z = b - rho u`, and `K^{-1} u`. `None` once the
/// solve must stop.
fn at(
    noisy: &Noisy<'_>,
    rho: f64,
    u: &mut [f64],
    monitor: &mut Monitor<'_>,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let (q, frame) = (noisy.posed.q, &noisy.frame);
    let size = norm(&noisy.c);
    let (mut least, mut stuck) = (f64::INFINITY, 0);
    for step in 0..STEPS {
        let s = frame.adjoint(u);
        let largest = linalg::max_abs(&s);
        let theta: Vec<f64> =
            s.iter().map(|s| s.abs().max(FLOOR * largest).powf(q - 2.0)).collect();
        let mut z: Vec<f64> = s.iter().map(|s| s.signum() * s.abs().powf(q - 1.0)).collect();
        let normal = frame.normal(&theta, rho / (q - 1.0));
        let residual = |z: &[f64]| -> Vec<f64> {
            let misfits = noisy.c.iter().zip(frame.apply(z)).map(|(c, v)| c - v);
            misfits.zip(u.iter()).map(|(r, u)| r - rho * u).collect()
        };
        let mut v = residual(&z);
        let left = norm(&v) / size;
        stuck = if left < 0.5 * least { 0 } else { stuck + 1 };
        least = least.min(left);
        normal.solve_vector(&mut v);
        v.iter_mut().for_each(|v| *v /= q - 1.0);
        if !v.iter().all(|v| v.is_finite()) {
            return None;
        }
        if !monitor.tick("Newton", noisy.upper(), noisy.lower(), left, s.len()) {
            return None;
        }
        let along = frame.adjoint(&v);
        if left <= SMALL || (stuck >= PATIENCE && left < 1e-6) || step + 1 == STEPS {
            let change = |(z, (t, s)): (&mut f64, (&f64, &f64))| *z += (q - 1.0) * t * s;
            z.iter_mut().zip(theta.iter().zip(&along)).for_each(change);
            axpy(1.0, &v, u);
            let mut du = u.to_vec();
            normal.solve_vector(&mut du);
            du.iter_mut().for_each(|v| *v /= q - 1.0);
            return Some((z, du));
        }
        let gain = dot(&noisy.c, &v) - rho * dot(u, &v);
        let length = line_search((gain, rho * dot(&v, &v)), &s, &along, q);
        axpy(length, &v, u);
    }
    None
}

/// The solution for `p = 2`, from `H = U diag(sigma) V^T`: `u = U (U^T b) / (sigma^2 + rho)`.
///
/// # Errors
/// When the decomposition fails.
pub(super) fn by_singular_values(noisy: &mut Noisy<'_>) -> Result<(), Error> {
    let svd = linalg::svd(noisy.frame.rows.as_ref(), Par::Seq)?;
    let c = MatRef::from_column_major_slice(&noisy.c, noisy.c.len(), 1);
    let beta = linalg::product(svd.u.transpose(), c);
    let (beta, sigma) = (beta.col_as_slice(0), &svd.s);
    // What no singular vector reaches has rho u = c for every rho.
    let outside: Vec<f64> = {
        let mut rest = c.to_owned();
        let reached = MatRef::from_column_major_slice(beta, beta.len(), 1);
        linalg::subtract_product(rest.as_mut(), svd.u.as_ref(), reached);
        rest.col_as_slice(0).to_vec()
    };
    let beyond = dot(&outside, &outside);
    let goal = aim(noisy);
    // The square of rho |u| or rho |s|, and its slope in log rho.
    let attained = |rho: f64| {
        let term = |(beta, sigma): (&f64, &f64)| {
            let part = rho / (sigma * sigma + rho) * beta;
            let (part, kept) = match noisy.goal {
                Goal::Noise(_) => (part, sigma * sigma / (sigma * sigma + rho)),
                Goal::Penalty(_) => (part * sigma, sigma * sigma / (sigma * sigma + rho)),
            };
            (part * part, 2.0 * part * part * kept)
        };
        let start = if matches!(noisy.goal, Goal::Noise(_)) { beyond } else { 0.0 };
        beta.iter().zip(sigma).map(term).fold((start, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    let mut log = sigma.iter().fold(0.0, |m: f64, s| m.max(*s)).ln() * 2.0;
    let mut root = Root::new();
    for _ in 0..2 * ROOTS {
        let (square, slope) = attained(log.exp());
        let value = 0.5 * (square / (goal * goal)).ln();
        let next = root.next(log, value, 0.5 * slope / square);
        if next == log || value == 0.0 {
            break;
        }
        log = next;
    }
    let rho = log.exp();
    let combine = |frame: MatRef<'_, f64>, power: i32, rho: f64| -> Vec<f64> {
        let part = |(beta, sigma): (&f64, &f64)| sigma.powi(power) * beta / (sigma * sigma + rho);
        let parts: Vec<f64> = beta.iter().zip(sigma).map(part).collect();
        let parts = MatRef::from_column_major_slice(&parts, parts.len(), 1);
        linalg::product(frame, parts).col_as_slice(0).to_vec()
    };
    let mut u = combine(svd.u.as_ref(), 0, rho);
    axpy(1.0 / rho, &outside, &mut u);
    noisy.offer_dual(&noisy.lift(&u, rho));
    // A little less, where rounding carries the misfit beyond its bound.
    let mut less = f64::EPSILON;
    noisy.offer(&combine(svd.v.as_ref(), 1, rho));
    while noisy.best.is_none() && less < 1e-6 {
        noisy.offer(&combine(svd.v.as_ref(), 1, rho * (1.0 - less)));
        less *= 2.0;
    }
    Ok(())
}
