//! The data of a solve, and the elementwise passes over them.

use crate::problem::RobustPca;
use crate::program::Form;
use flatmin_core::MatRef;
use flatmin_core::linalg::Par;
use flatmin_core::linalg::parallel::{PIECE, map};

/// Largest part of `tau` that a tolerance may miss it by, and the part of `sum |Y|` that counts as
/// rounding.
const LOOSE: f64 = 1e-4;
const ROUNDING: f64 = 1e-9;

/// Relative error of sums over all entries, generously.
const CANCELLED: f64 = 1e-14;

/// A problem at a sane scale, with its form.
pub(super) struct Posed<'a> {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// `Y` by columns, zero where nothing is seen.
    pub(super) y: &'a [f64],
    /// Which entries are seen, by columns; all of them without it.
    pub(super) seen: Option<&'a [bool]>,
    pub(super) form: Form,
    pub(super) tolerance: f64,
    pub(super) par: Par,
}

impl<'a> Posed<'a> {
    /// The problem with the entries `y`, which are those of `problem` up to a factor.
    pub(super) fn new(
        problem: &'a RobustPca,
        y: &'a [f64],
        form: Form,
        tolerance: f64,
        par: Par,
    ) -> Posed<'a> {
        let seen = problem.seen.as_deref();
        Posed { rows: problem.rows, cols: problem.cols, y, seen, form, tolerance, par }
    }

    /// A field of this shape as a matrix.
    pub(super) fn view<'v>(&self, field: &'v [f64]) -> MatRef<'v, f64> {
        MatRef::from_column_major_slice(field, self.rows, self.cols)
    }

    /// The seen entries of a piece; `None` when all are.
    fn mask(&self, start: usize, len: usize) -> Option<&[bool]> {
        self.seen.map(|seen| &seen[start..start + len])
    }

    /// Runs `f(start, y, seen, out)` over the pieces of a field.
    pub(super) fn sweep<T: Send>(
        &self,
        out: &mut [f64],
        f: impl Fn(usize, &[f64], Option<&[bool]>, &mut [f64]) -> T + Sync,
    ) -> Vec<T> {
        let pieces = out.chunks_mut(PIECE).enumerate().collect();
        map(self.par, pieces, |(k, out): (usize, &mut [f64])| {
            let start = k * PIECE;
            f(start, &self.y[start..start + out.len()], self.mask(start, out.len()), out)
        })
    }

    /// Runs `f(start, y, seen)` over the pieces of the data.
    pub(super) fn scan<T: Send>(
        &self,
        f: impl Fn(usize, &[f64], Option<&[bool]>) -> T + Sync,
    ) -> Vec<T> {
        let pieces = self.y.chunks(PIECE).enumerate().collect();
        map(self.par, pieces, |(k, y): (usize, &[f64])| {
            f(k * PIECE, y, self.mask(k * PIECE, y.len()))
        })
    }

    /// `<Y, Q>` and the largest entry of `Q`, which is zero where nothing is seen.
    pub(super) fn pairing(&self, q: &[f64]) -> (f64, f64) {
        let parts = self.scan(|start, y, _| {
            let q = &q[start..start + y.len()];
            let sum: f64 = y.iter().zip(q).map(|(y, q)| y * q).sum();
            (sum, q.iter().fold(0.0, |m: f64, q| m.max(q.abs())))
        });
        parts.iter().fold((0.0, 0.0), |(s, m), part| (s + part.0, m.max(part.1)))
    }

    /// `sum |Y - X|` over the seen entries.
    pub(super) fn deviation(&self, x: &[f64]) -> f64 {
        let parts = self.scan(|start, y, seen| {
            let x = &x[start..start + y.len()];
            let terms = y.iter().zip(x).map(|(y, x)| (y - x).abs());
            match seen {
                None => terms.sum::<f64>(),
                Some(seen) => terms.zip(seen).filter(|(_, seen)| **seen).map(|(t, _)| t).sum(),
            }
        });
        parts.iter().sum()
    }

    /// `|Y|_F`.
    pub(super) fn norm(&self) -> f64 {
        self.scan(|_, y, _| y.iter().map(|y| y * y).sum::<f64>()).iter().sum::<f64>().sqrt()
    }

    /// Objective of an `X` of the given nuclear norm and deviation `sum |Y - X|`; in the
    /// constrained form an excess over `tau` costs what the multiplier `lambda` says.
    pub(super) fn objective(&self, nuclear: f64, deviation: f64, multiplier: f64) -> f64 {
        match self.form {
            Form::Penalised { lambda } => nuclear + lambda * deviation,
            Form::Constrained { tau } => nuclear + multiplier * (deviation - tau).max(0.0),
        }
    }

    /// Excess of a deviation over `tau`, as a part of `sum |Y|`.
    pub(super) fn excess(&self, deviation: f64) -> f64 {
        match self.form {
            Form::Constrained { tau } if deviation > tau => (deviation - tau) / self.absolute_sum(),
            _ => 0.0,
        }
    }

    /// Whether a deviation counts as within `tau`: to the tolerance, at most a part in ten thousand of
    /// `tau`, or to what rounding may leave of `sum |Y|`.
    pub(super) fn meets(&self, deviation: f64) -> bool {
        match self.form {
            Form::Constrained { tau } if deviation > tau => {
                let slack = self.tolerance.min(LOOSE) * tau;
                deviation - tau <= slack.max(ROUNDING * self.absolute_sum())
            }
            _ => true,
        }
    }

    /// `sum |Y|`.
    pub(super) fn absolute_sum(&self) -> f64 {
        self.scan(|_, y, _| y.iter().map(|y| y.abs()).sum::<f64>()).iter().sum()
    }

    /// Dual value of a `Q` of operator norm at most one: `<Y, Q>`, less `tau max|Q_ij|` in the
    /// constrained form, where the two may cancel and what rounding leaves of them is taken off.
    pub(super) fn dual_value(&self, pairing: f64, largest: f64) -> f64 {
        match self.form {
            Form::Penalised { .. } => pairing,
            Form::Constrained { tau } => {
                pairing - tau * largest - CANCELLED * (pairing.abs() + tau * largest)
            }
        }
    }
}
