//! The best vector and the best bound so far, found together or not.

use super::posed::Posed;
use flatmin_core::linalg::{max_abs, norm};

/// `|v|_e`, for `e` from 1 to infinity.
pub(super) fn power_norm(v: &[f64], e: f64) -> f64 {
    if e == 1.0 {
        return v.iter().map(|v| v.abs()).sum();
    }
    let largest = max_abs(v);
    if e == f64::INFINITY || largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    if e == 2.0 {
        return norm(v);
    }
    largest * v.iter().map(|v| (v.abs() / largest).powf(e)).sum::<f64>().powf(1.0 / e)
}

/// Misfit `|c - B z| / |c|` up to which a vector counts as one that fits.
const FEASIBLE: f64 = 1e-10;

#[derive(Default)]
pub(super) struct Incumbent {
    /// `z`, and `|z|_p`.
    pub(super) best: Option<(Vec<f64>, f64)>,
    /// `u`, and `<c, u>` once it is scaled to `|B^T u|_q = 1`.
    pub(super) bound: Option<(Vec<f64>, f64)>,
    /// Whether strict complementarity proves the vector to be the only solution.
    pub(super) unique: bool,
}

impl Incumbent {
    /// Keeps `z` when it fits and costs less; whether it did.
    pub(super) fn offer(&mut self, posed: &Posed, z: &[f64]) -> bool {
        let value = power_norm(z, posed.p);
        let misfit = norm(&posed.residual(z)) / norm(&posed.c);
        let better = value.is_finite() && misfit <= FEASIBLE && value < self.upper();
        if better {
            self.best = Some((z.to_vec(), value));
        }
        better
    }

    /// Keeps `u` when it proves more; `s` is `B^T u`.
    pub(super) fn offer_dual(&mut self, posed: &Posed, u: &[f64], s: &[f64]) {
        let size = power_norm(s, posed.q);
        let lower = posed.c.iter().zip(u).map(|(c, u)| c * u).sum::<f64>() / size;
        if size > 0.0 && lower.is_finite() && lower > self.lower() {
            self.bound = Some((u.iter().map(|u| u / size).collect(), lower));
        }
    }

    pub(super) fn upper(&self) -> f64 {
        self.best.as_ref().map_or(f64::INFINITY, |(_, value)| *value)
    }

    pub(super) fn lower(&self) -> f64 {
        self.bound.as_ref().map_or(0.0, |(_, lower)| *lower)
    }

    /// Relative duality gap; infinite without a vector.
    pub(super) fn gap(&self) -> f64 {
        let upper = self.upper();
        if upper.is_finite() { (upper - self.lower()).abs() / upper } else { f64::INFINITY }
    }
}
