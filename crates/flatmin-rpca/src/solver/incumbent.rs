//! The best pair and the best bound so far, found together or not.
//!
//! Weak duality is all the proof there is: for every `X` and every `Q` with `|Q|_op <= 1` and
//! `|Q_ij| <= lambda`, zero where nothing is seen,
//!
//! ```text
//! <Y, Q> = <X, Q> + <Y - X, Q> <= |X|_* + lambda sum |Y - X|,
//! ```
//!
//! and, with `lambda = max|Q_ij|`, `<Y, Q> - tau lambda <= |X|_*` whenever `sum |Y - X| <= tau`.

use super::posed::Posed;
use flatmin_core::linalg::{self, Par, Svd};
use flatmin_core::{Error, Mat, MatRef};

/// An `X = U diag(s) V^T` and what it costs.
pub(super) struct Pair {
    pub(super) x: Svd,
    /// `|X|_*`.
    pub(super) nuclear: f64,
    /// `sum |Y - X|`.
    pub(super) deviation: f64,
}

/// A valid dual matrix and its value.
pub(super) struct Bound {
    pub(super) q: Vec<f64>,
    pub(super) lower: f64,
    /// `max|Q_ij|`: the multiplier of the constraint.
    pub(super) largest: f64,
}

#[derive(Default)]
pub(super) struct Incumbent {
    pub(super) best: Option<Pair>,
    pub(super) bound: Option<Bound>,
}

impl Incumbent {
    /// Keeps the pair of less cost among those that meet the constraint to the tolerance; while there
    /// is none, the one that comes nearest.
    pub(super) fn offer(&mut self, posed: &Posed<'_>, pair: Pair) {
        let value = self.value(posed, &pair);
        let better = match &self.best {
            None => true,
            Some(old) => {
                if posed.meets(pair.deviation) && posed.meets(old.deviation) {
                    value < self.value(posed, old)
                } else {
                    pair.deviation < old.deviation
                }
            }
        };
        if value.is_finite() && better {
            self.best = Some(pair);
        }
    }

    /// Keeps the larger bound, of a `Q` that obeys `|Q_ij| <= lambda` and has at most the operator
    /// norm `norm`. Nothing is copied unless it is kept.
    pub(super) fn offer_dual(&mut self, posed: &Posed<'_>, q: &[f64], norm: f64) {
        let scale = 1.0 / norm.max(1.0);
        let (pairing, largest) = posed.pairing(q);
        let lower = posed.dual_value(pairing * scale, largest * scale);
        // Zero is a bound from the start: Q = 0 proves it.
        if !(lower.is_finite() && lower >= self.lower()) {
            return;
        }
        let mut kept = self.bound.take().map(|bound| bound.q).unwrap_or_default();
        kept.clear();
        kept.extend(q.iter().map(|q| q * scale));
        self.bound = Some(Bound { q: kept, lower, largest: largest * scale });
    }

    /// Cost of a pair, the excess over `tau` weighed by the multiplier.
    pub(super) fn value(&self, posed: &Posed<'_>, pair: &Pair) -> f64 {
        let multiplier = self.bound.as_ref().map_or(0.0, |bound| bound.largest);
        posed.objective(pair.nuclear, pair.deviation, multiplier)
    }

    pub(super) fn upper(&self, posed: &Posed<'_>) -> f64 {
        self.best.as_ref().map_or(f64::INFINITY, |best| self.value(posed, best))
    }

    pub(super) fn lower(&self) -> f64 {
        self.bound.as_ref().map_or(0.0, |bound| bound.lower)
    }

    /// Relative duality gap; infinite without a pair.
    pub(super) fn gap(&self, posed: &Posed<'_>) -> f64 {
        let (upper, lower) = (self.upper(posed), self.lower());
        if upper == lower {
            0.0
        } else {
            (upper - lower).abs() / upper.abs().max(f64::MIN_POSITIVE)
        }
    }

    /// Whether the gap is closed and the constraint met, both to the tolerance.
    pub(super) fn certified(&self, posed: &Posed<'_>) -> bool {
        let met = self.best.as_ref().is_some_and(|pair| posed.meets(pair.deviation));
        met && self.gap(posed) <= posed.tolerance
    }
}

/// An upper bound on `|Q|_op`, tight up to rounding: the largest eigenvalue of the smaller Gram
/// matrix.
pub(super) fn operator_norm(q: MatRef<'_, f64>, par: Par) -> Result<f64, Error> {
    let q = if q.ncols() > q.nrows() { q.transpose() } else { q };
    let n = q.ncols();
    let mut gram = Mat::zeros(n, n);
    linalg::multiply_lower_par(gram.as_mut(), q.transpose(), q, par);
    let largest = linalg::symmetric_eigenvalues(gram.as_ref())?.last().copied().unwrap_or(0.0);
    let rounding = 1.0 + 4.0 * f64::EPSILON * (q.nrows() as f64).sqrt();
    Ok(largest.max(0.0).sqrt() * rounding)
}
