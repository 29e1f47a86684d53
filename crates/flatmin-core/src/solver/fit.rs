//! What an answer is held to in the caller's own units, after the fact.

use crate::linalg::{norm, product};
use crate::operator::LinearMap;
use crate::{Error, MatRef};

/// How well an answer fits the caller's measurements.
pub(super) struct Fit {
    /// `|A(L R^T) - b| / |b|`, or its excess over a noise bound.
    pub(super) feasibility: f64,
    /// `sum |y_i (A(L R^T) - b)_i|`, or the excess times `|y|`: how far the misfit may move the
    /// objective.
    pub(super) slip: f64,
    /// Largest `|A(X) - b|_i / (|A_i|_F |X|_F + |b_i|)`: no measurement, however small its unit, is
    /// missed by more than this part of what it could be.
    pub(super) worst: f64,
}

/// Largest backward error of a measurement in a certified answer.
pub(super) const BACKWARD: f64 = 1e-6;

/// Largest `|A(X) - b| / |b|` of a certified answer, in the caller's units.
pub(super) const CLOSE: f64 = 1e-8;

impl Fit {
    pub(super) fn of(
        map: &dyn LinearMap,
        norms: &[f64],
        targets: &[f64],
        noise: f64,
        dual: &[f64],
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Fit {
        let mut residual = vec![0.0; targets.len()];
        map.apply_factored(l, r, &mut residual);
        residual.iter_mut().zip(targets).for_each(|(r, b)| *r -= b);
        let size = norm(targets);
        let excess = (norm(&residual) - noise).max(0.0);
        let x = product(product(r.transpose(), r).as_ref(), product(l.transpose(), l).as_ref());
        let x = (0..x.nrows()).map(|i| x[(i, i)]).sum::<f64>().max(0.0).sqrt();
        let errors = residual.iter().zip(targets).zip(norms);
        let errors = errors.map(|((r, b), a)| r.abs() / (a * x + b.abs()).max(f64::MIN_POSITIVE));
        Fit {
            worst: errors.fold(0.0, f64::max),
            feasibility: if excess == 0.0 { 0.0 } else { excess / size },
            slip: if noise > 0.0 {
                excess * norm(dual)
            } else {
                residual.iter().zip(dual).map(|(r, y)| (r * y).abs()).sum()
            },
        }
    }
}

/// Magnitudes within which an answer keeps its digits: outside, products with it may not.
const SANE: (f64, f64) = (1e-305, 1e305);

/// Checks that what is nonzero stays within double precision.
pub(super) fn in_range(what: &'static str, nonzero: bool, magnitudes: &[f64]) -> Result<(), Error> {
    let sane = |v: f64| v == 0.0 || (SANE.0..=SANE.1).contains(&v.abs());
    match magnitudes.iter().find(|&&v| nonzero && !sane(v)) {
        None => Ok(()),
        Some(&magnitude) => Err(Error::Scale { what: what.into(), magnitude, sane: SANE }),
    }
}
