//! An interior-point method for `min sum |z_j|  s.t.  B z = c`, feasible from the first step.
//!
//! With `z = x - x'`, `x, x' > 0`, and the slacks `w = 1 - s`, `w' = 1 + s` of the dual constraints on
//! `s = B^T u`, a Newton step on `x w = mu`, `x' w' = mu` solves
//!
//! ```text
//! B diag(x/w + x'/w') B^T du = c - B z - B (r/w - r'/w'),        dx = (r + x ds)/w,   dx' = (r' - x' ds)/w'.
//! ```
//!
//! and with a multiple `slack` of `u` in the equations, as for targets with noise, `slack I` is added. `u = 0` and
//! the least-norm `z` are a start. Predictor and corrector are those of S. Mehrotra, *On the implementation
//! of a primal-dual interior point method*, SIAM Journal on Optimization 2, 1992. Every iterate is tried as a
//! guess of the support (`support.rs`), which ends the solve exactly.

use super::frame::{Frame, Normal};
use super::incumbent::Incumbent;
use super::posed::Posed;
use super::support;
use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::norm;
use flatmin_core::solver::Monitor;

/// Part of the way to the boundary that a step may take.
const WAY: f64 = 0.995;

/// Gap below which supports are tried.
const CLOSE: f64 = 0.3;

/// Steps without progress before giving up.
const PATIENCE: usize = 8;

/// Primal and dual iterates, a pair for each sign.
pub(super) struct Iterate {
    pub(super) u: Vec<f64>,
    x: [Vec<f64>; 2],
    w: [Vec<f64>; 2],
    /// The multiple of `u` in the equations.
    slack: f64,
}

/// Signs of the two parts of `z`.
const SIGNS: [f64; 2] = [1.0, -1.0];

impl Iterate {
    /// At `u = 0`, with the parts of `z` away from zero.
    pub(super) fn start(rank: usize, z: &[f64], slack: f64) -> Iterate {
        let mean = z.iter().map(|z| z.abs()).sum::<f64>() / z.len() as f64;
        let part = |sign: f64| z.iter().map(|z| (sign * z).max(0.0) + mean).collect();
        let ones = vec![1.0; z.len()];
        Iterate { u: vec![0.0; rank], x: SIGNS.map(part), w: [ones.clone(), ones], slack }
    }

    pub(super) fn z(&self) -> Vec<f64> {
        self.x[0].iter().zip(&self.x[1]).map(|(x, y)| x - y).collect()
    }

    /// Mean complementarity after a step.
    fn mu(&self, step: &Step, (primal, dual): (f64, f64)) -> f64 {
        let part = |k: usize| {
            let x = self.x[k].iter().zip(&step.x[k]).map(|(x, dx)| x + primal * dx);
            let w = self.w[k].iter().zip(&step.w[k]).map(|(w, dw)| w + dual * dw);
            x.zip(w).map(|(x, w)| x * w).sum::<f64>()
        };
        (part(0) + part(1)) / (2 * self.x[0].len()) as f64
    }

    /// The Newton step towards the products `target`, less `cross` of the predictor.
    fn step(
        &self,
        frame: &Frame,
        normal: &Normal,
        residual: &[f64],
        target: f64,
        cross: Option<&Step>,
    ) -> Step {
        let rest = [0, 1].map(|k| {
            let products = self.x[k].iter().zip(&self.w[k]).map(|(x, w)| target - x * w);
            match cross {
                None => products.collect::<Vec<f64>>(),
                Some(step) => {
                    let cross = step.x[k].iter().zip(&step.w[k]).map(|(dx, dw)| dx * dw);
                    products.zip(cross).map(|(r, c)| r - c).collect()
                }
            }
        });
        let n = self.x[0].len();
        let moved: Vec<f64> =
            (0..n).map(|j| rest[0][j] / self.w[0][j] - rest[1][j] / self.w[1][j]).collect();
        let theta = self.theta();
        let goal: Vec<f64> =
            residual.iter().zip(frame.apply(&moved)).map(|(r, moved)| r - moved).collect();
        let mut u = goal.clone();
        normal.solve_vector(&mut u);
        // One refinement.
        let image: Vec<f64> = frame.adjoint(&u).iter().zip(&theta).map(|(s, t)| s * t).collect();
        let mut more: Vec<f64> = goal.iter().zip(frame.apply(&image)).map(|(g, v)| g - v).collect();
        axpy(-self.slack, &u, &mut more);
        normal.solve_vector(&mut more);
        axpy(1.0, &more, &mut u);
        let s = frame.adjoint(&u);
        let x = [0, 1].map(|k| {
            let part = |j: usize| (rest[k][j] + SIGNS[k] * self.x[k][j] * s[j]) / self.w[k][j];
            (0..n).map(part).collect::<Vec<f64>>()
        });
        let w = SIGNS.map(|sign| s.iter().map(|s| -sign * s).collect());
        Step { u, x, w }
    }

    pub(super) fn theta(&self) -> Vec<f64> {
        let ratio = |j: usize| self.x[0][j] / self.w[0][j] + self.x[1][j] / self.w[1][j];
        (0..self.x[0].len()).map(ratio).collect()
    }

    /// Largest steps that keep the parts and the slacks positive.
    fn room(&self, step: &Step) -> (f64, f64) {
        let room = |v: &[Vec<f64>; 2], dv: &[Vec<f64>; 2]| {
            let pairs = v.iter().flatten().zip(dv.iter().flatten());
            pairs.filter(|(_, dv)| **dv < 0.0).fold(f64::INFINITY, |t, (v, dv)| t.min(-v / dv))
        };
        (room(&self.x, &step.x), room(&self.w, &step.w))
    }

    /// One step of predictor and corrector. With slack the equations hold both iterates, which then move
    /// alike.
    pub(super) fn proceed(&mut self, frame: &Frame, normal: &Normal, residual: &[f64]) {
        let together = |(primal, dual): (f64, f64)| match self.slack {
            0.0 => (primal, dual),
            _ => (primal.min(dual), primal.min(dual)),
        };
        let mean = self.complementarity() / (2 * self.x[0].len()) as f64;
        let predictor = self.step(frame, normal, residual, 0.0, None);
        let (primal, dual) = together(self.room(&predictor));
        let after = self.mu(&predictor, (primal.min(1.0), dual.min(1.0)));
        let centring = (after / mean).powi(3).clamp(1e-8, 1.0);
        let step = self.step(frame, normal, residual, centring * mean, Some(&predictor));
        let (primal, dual) = together(self.room(&step));
        self.advance(&step, ((WAY * primal).min(1.0), (WAY * dual).min(1.0)));
    }

    /// Sum of the products.
    pub(super) fn complementarity(&self) -> f64 {
        dot(&self.x[0], &self.w[0]) + dot(&self.x[1], &self.w[1])
    }

    pub(super) fn is_finite(&self) -> bool {
        self.u.iter().chain(self.x.iter().flatten()).all(|v| v.is_finite())
    }

    fn advance(&mut self, step: &Step, (primal, dual): (f64, f64)) {
        axpy(dual, &step.u, &mut self.u);
        for k in 0..2 {
            axpy(primal, &step.x[k], &mut self.x[k]);
            axpy(dual, &step.w[k], &mut self.w[k]);
        }
    }
}

struct Step {
    u: Vec<f64>,
    x: [Vec<f64>; 2],
    w: [Vec<f64>; 2],
}

/// Runs the method until the gap is `goal`, or does not fall any more.
pub(super) fn search(
    posed: &Posed,
    goal: f64,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) {
    let size = norm(&posed.c);
    let mut at = Iterate::start(posed.rank(), &posed.adjoint(&posed.c), 0.0);
    let (mut stuck, mut least, mut last) = (0, f64::INFINITY, Vec::new());
    loop {
        let s = posed.adjoint(&at.u);
        incumbent.offer_dual(posed, &at.u);
        let theta = at.theta();
        let normal = posed.b.normal(&theta, 0.0);
        // The nearest that fits, in the metric of the step.
        let mut z = at.z();
        for _ in 0..2 {
            let mut v = posed.residual(&z);
            normal.solve_vector(&mut v);
            let more = posed.adjoint(&v);
            z.iter_mut().zip(theta.iter().zip(more)).for_each(|(z, (theta, s))| *z += theta * s);
        }
        incumbent.offer(posed, &z);
        if incumbent.gap() <= CLOSE {
            let set = support::guess(posed.rank(), &z, &s);
            if support::worthwhile(posed, &set, &last, incumbent.gap()) {
                support::finish(posed, set.clone(), &z, &at.u, incumbent);
            }
            last = set;
        }
        let gap = incumbent.gap();
        let residual = posed.residual(&at.z());
        let mu = at.complementarity();
        let measure = if gap.is_finite() { gap.max(mu / incumbent.upper()) } else { mu / size };
        stuck = if measure < 0.9 * least { 0 } else { stuck + 1 };
        least = least.min(measure);
        let (upper, lower) = (incumbent.upper(), incumbent.lower());
        let feasibility = norm(&posed.residual(&z)) / size;
        let nonzeros = s.iter().filter(|s| s.abs() > 0.999).count();
        if !monitor.tick("interior point", upper, lower, feasibility, nonzeros)
            || gap <= goal
            || stuck >= PATIENCE
        {
            return;
        }
        at.proceed(&posed.b, &normal, &residual);
        if !at.is_finite() {
            return;
        }
    }
}
