//! The best vector and the best bound so far, found together or not.

use super::posed::{Posed, ROUNDING};
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

/// `|B^T u|_q` for `y = L^{-T} u`, with what rounding may hide.
pub(super) fn dual_norm(posed: &Posed, y: &[f64]) -> f64 {
    let slopes = posed.slopes(y).into_iter().zip(posed.slope_errors(y));
    let slopes: Vec<f64> = slopes.map(|(s, error)| s.abs() + error).collect();
    power_norm(&slopes, posed.q) * (1.0 + ROUNDING)
}

/// Misfit `|A x - b| / |b|` up to which a vector counts as one that fits.
const FEASIBLE: f64 = 1e-11;

/// A vector, and how it fits.
pub(super) struct Point {
    pub(super) z: Vec<f64>,
    /// `|z|_p`.
    value: f64,
    /// `b - A x`, and its norm relative to `b`.
    misfits: Vec<f64>,
    misfit: f64,
}

impl Point {
    /// Whether it counts as one that fits.
    fn fits(&self) -> bool {
        self.misfit <= FEASIBLE
    }
}

/// Differences of cost that are but rounding.
const LEVEL: f64 = 1e-14;

#[derive(Default)]
pub(super) struct Incumbent {
    /// The best vector.
    pub(super) best: Option<Point>,
    /// `y`, of dual norm one, and `<b, y>`.
    pub(super) bound: Option<(Vec<f64>, f64)>,
    /// Whether strict complementarity proves the vector to be the only solution.
    pub(super) unique: bool,
}

impl Incumbent {
    /// Keeps `z` when it costs less among those that fit; while none does, the one that comes nearest.
    pub(super) fn offer(&mut self, posed: &Posed, z: &[f64]) {
        self.consider(posed, z, 1.0);
    }

    /// Keeps `z` and `u`, the last word of a road, unless they are worse by more than rounding.
    pub(super) fn settle(&mut self, posed: &Posed, z: &[f64], u: &[f64]) {
        self.consider(posed, z, 1.0 + LEVEL);
        self.prove(posed, u, 1.0 - LEVEL);
    }

    fn consider(&mut self, posed: &Posed, z: &[f64], slack: f64) {
        let misfits = posed.misfits(z);
        let misfit = norm(&misfits) / norm(&posed.targets);
        let value = power_norm(z, posed.p);
        let new = Point { z: z.to_vec(), value, misfits, misfit };
        let better = match &self.best {
            None => true,
            Some(old) if old.fits() => new.fits() && self.cost(&new) < slack * self.cost(old),
            Some(old) => new.misfit < old.misfit,
        };
        if value.is_finite() && misfit.is_finite() && better {
            self.best = Some(new);
        }
    }

    /// `|z|_p`, and as much as what is left of the misfit may move it.
    fn cost(&self, point: &Point) -> f64 {
        let slip = |(y, _): &(Vec<f64>, f64)| {
            point.misfits.iter().zip(y).map(|(r, y)| (r * y).abs()).sum::<f64>()
        };
        point.value + self.bound.as_ref().map_or(0.0, slip)
    }

    /// Keeps `u` when it proves more, at the dual norm that holds however sums are rounded.
    pub(super) fn offer_dual(&mut self, posed: &Posed, u: &[f64]) {
        self.prove(posed, u, 1.0);
    }

    fn prove(&mut self, posed: &Posed, u: &[f64], slack: f64) {
        let y = posed.multipliers(u);
        let size = dual_norm(posed, &y);
        let lower = posed.targets.iter().zip(&y).map(|(b, y)| b * y).sum::<f64>() / size;
        if size > 0.0 && lower.is_finite() && lower > slack * self.lower() {
            self.bound = Some((y.iter().map(|y| y / size).collect(), lower));
        }
    }

    /// Cost of the best vector that fits.
    pub(super) fn upper(&self) -> f64 {
        let fits = self.best.as_ref().filter(|best| best.fits());
        fits.map_or(f64::INFINITY, |best| self.cost(best))
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
