//! Targets with noise: the penalised form and the one with a bound on the misfit.
//!
//! With `H = A diag(w_j^{-1/p})` and `z_j = w_j^{1/p} x_j` as in `posed.rs`, the programs and their duals are
//!
//! ```text
//! min 1/2 |H z - b|^2 + lambda |z|_p              max lambda <b, y> - lambda^2 |y|^2 / 2   s.t.  |H^T y|_q <= 1
//! min |z|_p  s.t.  |H z - b| <= delta             max <b, y> - delta |y|                   s.t.  |H^T y|_q <= 1.
//! ```
//!
//! Both have the solutions of `b - H z = lambda y` with `<y, H z> = |z|_p`, along which `lambda` and the
//! misfit grow together, so that one search over a scalar serves both. Any `y`, scaled, proves a bound.
//!
//! | road | file | when |
//! |---|---|---|
//! | interior point, with an exact end on the support | `lasso.rs` | `p = 1`: two factors |
//! | Newton on the dual | `bridge.rs` | `1 < p < 2` |
//! | singular values | `bridge.rs` | `p = 2` |

use super::frame::Frame;
use super::incumbent::{dual_norm, power_norm};
use super::posed::Posed;
use flatmin_core::linalg::kernel::dot;
use flatmin_core::linalg::{self, norm};
use flatmin_core::solver::Monitor;
use flatmin_core::{Error, Mat, MatRef};

/// What is asked, in the variables of the solve.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// The weight of the norm.
    Penalty(f64),
    /// The largest misfit.
    Noise(f64),
}

/// Part of `|b|` that a misfit stays below its bound, so that rounding does not carry it beyond.
const MARGIN: f64 = 1e-14;

/// A program of a problem with noise, and the best answers to it so far.
pub(super) struct Noisy<'a> {
    pub(super) posed: &'a Posed,
    pub(super) goal: Goal,
    /// Rows of `H` in an orthonormal basis of what they reach, and the targets there.
    pub(super) frame: Frame,
    pub(super) c: Vec<f64>,
    basis: Option<Mat<f64>>,
    /// What the basis leaves of the targets, and its norm.
    beyond: Vec<f64>,
    pub(super) apart: f64,
    /// `|b|`.
    pub(super) size: f64,
    /// The best vector and its objective.
    pub(super) best: Option<(Vec<f64>, f64)>,
    /// `y` and what it proves.
    pub(super) bound: Option<(Vec<f64>, f64)>,
    /// Solutions whose misfits are nearest to the bound from either side.
    within: Option<Vec<f64>>,
    outside: Option<Vec<f64>>,
    pub(super) unique: bool,
}

impl<'a> Noisy<'a> {
    pub(super) fn new(posed: &'a Posed, goal: Goal) -> Noisy<'a> {
        let h = linalg::scale_columns(posed.a.as_ref(), &posed.spread);
        let b = &posed.targets;
        let (m, d) = h.shape();
        let (frame, c, basis, beyond) = if m <= d {
            (h, b.clone(), None, vec![0.0; m])
        } else {
            let sizes: Vec<f64> = h.col_iter().map(|column| column.norm_l2()).collect();
            let inverse: Vec<f64> = sizes.iter().map(|n| 1.0 / n).collect();
            let (q, r) = linalg::thin_qr(linalg::scale_columns(h.as_ref(), &inverse).as_ref());
            let mut beyond = MatRef::from_column_major_slice(b, m, 1).to_owned();
            let mut c = Mat::zeros(q.ncols(), 1);
            for _ in 0..2 {
                let more = linalg::product(q.transpose(), beyond.as_ref());
                linalg::subtract_product(beyond.as_mut(), q.as_ref(), more.as_ref());
                c += more;
            }
            let rows = linalg::scale_columns(r.as_ref(), &sizes);
            (rows, c.col_as_slice(0).to_vec(), Some(q), beyond.col_as_slice(0).to_vec())
        };
        Noisy {
            posed,
            goal,
            frame: Frame::new(frame),
            c,
            basis,
            apart: norm(&beyond),
            beyond,
            size: norm(b),
            best: None,
            bound: None,
            within: None,
            outside: None,
            unique: posed.p > 1.0,
        }
    }

    /// Least penalty of which the answer is zero.
    pub(super) fn largest_penalty(&self) -> f64 {
        largest_penalty(self.posed)
    }

    /// The bound on the misfit in the basis, a little less than what is asked.
    pub(super) fn room(&self, delta: f64) -> f64 {
        let delta = delta - MARGIN * self.size;
        ((delta - self.apart).max(0.0) * (delta + self.apart)).sqrt()
    }

    /// `y` of all measurements for the misfit `lambda u` in the basis.
    pub(super) fn lift(&self, u: &[f64], lambda: f64) -> Vec<f64> {
        let Some(basis) = &self.basis else { return u.to_vec() };
        let y = linalg::product(basis.as_ref(), MatRef::from_column_major_slice(u, u.len(), 1));
        y.col_as_slice(0).iter().zip(&self.beyond).map(|(y, b)| y + b / lambda).collect()
    }

    /// Keeps `z` when its objective is less.
    pub(super) fn offer(&mut self, z: &[f64]) {
        let (misfit, value) = (norm(&self.posed.misfits(z)), power_norm(z, self.posed.p));
        let (objective, allowed) = match self.goal {
            Goal::Penalty(lambda) => (0.5 * misfit * misfit + lambda * value, true),
            Goal::Noise(delta) => (value, misfit <= delta),
        };
        let better = self.best.as_ref().is_none_or(|(_, old)| objective < *old);
        if allowed && objective.is_finite() && better {
            self.best = Some((z.to_vec(), objective));
        }
    }

    /// Keeps `y`, scaled, when it proves more, however sums are rounded.
    pub(super) fn offer_dual(&mut self, y: &[f64]) {
        let size = dual_norm(self.posed, y);
        let (along, length) = (dot(&self.posed.targets, y), norm(y));
        let (factor, lower) = match self.goal {
            Goal::Penalty(lambda) => {
                // lambda t <b, y> - (lambda t |y|)^2 / 2 is largest at lambda t = <b, y> / |y|^2.
                let most = if size > 0.0 { lambda / size } else { f64::INFINITY };
                let step = (along / (length * length)).clamp(0.0, most);
                (step / lambda, step * (along - 0.5 * step * length * length))
            }
            Goal::Noise(delta) => (1.0 / size, (along - delta * length) / size),
        };
        let better = self.bound.as_ref().is_none_or(|(_, old)| lower > *old);
        if factor.is_finite() && lower.is_finite() && better {
            self.bound = Some((y.iter().map(|y| factor * y).collect(), lower));
        }
    }

    /// Of two solutions, one within the bound on the misfit and one outside, the combination on it: the
    /// error of its objective is of the order of the square of their distance.
    pub(super) fn enclose(&mut self, z: &[f64]) {
        let Goal::Noise(delta) = self.goal else { return };
        let misfit = |z: &[f64]| norm(&self.posed.misfits(z));
        let inside = misfit(z) <= delta;
        let side = if inside { &self.within } else { &self.outside };
        let nearer = |old: &Vec<f64>| (misfit(z) > misfit(old)) == inside;
        if !side.as_ref().is_none_or(nearer) {
            return;
        }
        if inside {
            self.within = Some(z.to_vec())
        } else {
            self.outside = Some(z.to_vec())
        }
        let (Some(near), Some(far)) = (&self.within, &self.outside) else { return };
        let (r, s) = (self.posed.misfits(near), self.posed.misfits(far));
        let step: Vec<f64> = s.iter().zip(&r).map(|(s, r)| s - r).collect();
        // |r + t step| = delta, less a margin.
        let aim = (delta - MARGIN * self.size).max(norm(&r));
        let (a, half, left) = (dot(&step, &step), dot(&step, &r), aim * aim - dot(&r, &r));
        let root = half + half.signum() * (half * half + a * left).max(0.0).sqrt();
        let t = if half > 0.0 { left / root } else { -root / a };
        if t.is_finite() {
            let t = t.clamp(0.0, 1.0);
            let mixed: Vec<f64> = near.iter().zip(far).map(|(n, f)| n + t * (f - n)).collect();
            self.offer(&mixed);
        }
    }

    pub(super) fn upper(&self) -> f64 {
        self.best.as_ref().map_or(f64::INFINITY, |(_, objective)| *objective)
    }

    pub(super) fn lower(&self) -> f64 {
        self.bound.as_ref().map_or(0.0, |(_, lower)| *lower)
    }

    /// Relative duality gap; infinite without a vector.
    pub(super) fn gap(&self) -> f64 {
        let upper = self.upper();
        if upper.is_finite() { (upper - self.lower()).abs() / upper } else { f64::INFINITY }
    }

    /// Solves to the gap `part`.
    ///
    /// # Errors
    /// When a singular value decomposition fails.
    pub(super) fn solve(&mut self, part: f64, monitor: &mut Monitor<'_>) -> Result<(), Error> {
        let zero = match self.goal {
            Goal::Penalty(lambda) => lambda >= self.largest_penalty(),
            Goal::Noise(delta) => delta >= self.size,
        };
        if zero {
            self.unique = true;
            self.best = Some((vec![0.0; self.frame.length()], 0.0));
            match self.goal {
                Goal::Noise(_) => self.bound = Some((vec![0.0; self.posed.targets.len()], 0.0)),
                Goal::Penalty(_) => {
                    self.best = None;
                    self.offer(&vec![0.0; self.frame.length()]);
                    self.offer_dual(&self.posed.targets);
                }
            }
        } else if self.posed.p == 1.0 {
            super::lasso::search(self, part, monitor);
        } else if self.posed.p == 2.0 {
            super::bridge::by_singular_values(self)?;
        } else {
            super::bridge::search(self, part, monitor);
        }
        Ok(())
    }
}

/// `|H^T b|_q`, the least penalty of which the answer is zero.
pub(super) fn largest_penalty(posed: &Posed) -> f64 {
    power_norm(&posed.slopes(&posed.targets), posed.q)
}
