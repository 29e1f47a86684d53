//! The problem that every road solves: `min |Z|_*  s.t.  B(Z) = b`, and what proves an answer.

use super::domain::Domain;
use super::point::{Point, Tangent};
use super::program::Observer;
use super::recovery::Progress;
use crate::linalg::{self, Par, kernel::dot, norm};
use crate::operator::LinearMap;
use crate::{Error, Mat};
use std::ops::ControlFlow;

/// `min |Z|_*  s.t.  B(Z) = b` over a domain, in whitened variables and normalised targets.
pub(super) struct Equality<'a> {
    pub(super) map: &'a dyn LinearMap,
    pub(super) domain: Domain,
    pub(super) b: &'a [f64],
    pub(super) norm_b: f64,
    pub(super) tolerance: f64,
    pub(super) par: Par,
}

impl Equality<'_> {
    /// `|B(Z) - b| / |b|`.
    pub(super) fn infeasibility(&self, point: &Point) -> f64 {
        norm(&self.residual(point)) / self.norm_b
    }

    /// `B(Z) - b`.
    pub(super) fn residual(&self, point: &Point) -> Vec<f64> {
        let (l, r) = point.balanced();
        let mut residual = vec![0.0; self.b.len()];
        self.map.apply_factored(l.as_ref(), r.as_ref(), &mut residual);
        residual.iter_mut().zip(self.b).for_each(|(r, b)| *r -= b);
        residual
    }

    /// Degrees of freedom of the matrices of rank `r`: `r (rho1 + rho2 - r)`, or
    /// `r rho - r (r - 1) / 2` over a symmetric domain.
    pub(super) fn freedom(&self, rank: usize) -> usize {
        let dims = self.map.dims();
        let rank = rank.min(dims.rows).min(dims.cols);
        if self.domain.is_symmetric() {
            rank * dims.rows - rank * rank.saturating_sub(1) / 2
        } else {
            rank * (dims.rows + dims.cols - rank)
        }
    }

    /// The bound of a dual vector, and the values of `B*(y)` that its feasibility bounds by one.
    pub(super) fn bound(&self, y: Vec<f64>) -> Result<(Bound, Vec<f64>), Error> {
        let w = self.map.adjoint_matrix(&y);
        let values = self.domain.dual_values(w.as_ref(), self.par)?;
        let largest = values.first().copied().unwrap_or(0.0);
        Ok((self.bound_of(y, largest), values))
    }

    /// The bound of `y`, given the dual norm of `B*(y)`.
    pub(super) fn bound_of(&self, mut y: Vec<f64>, largest: f64) -> Bound {
        // Scaled by its norm any dual vector is feasible. The margin keeps it so under the
        // rounding errors of whoever checks it.
        let scale = 1.0 / (largest * (1.0 + 1e-14)).max(1.0);
        y.iter_mut().for_each(|y| *y *= scale);
        let lower = dot(&y, self.b);
        Bound { y, lower }
    }
}

/// A dual vector scaled to be feasible, `|B*(y)|_op <= 1`, and the lower bound `<b, y>` that it proves.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) y: Vec<f64>,
    pub(super) lower: f64,
}

/// The best answer so far: a point that fits the measurements, and a bound, found together or not.
#[derive(Default)]
pub(super) struct Incumbent {
    pub(super) point: Option<(Point, f64)>,
    pub(super) bound: Option<Bound>,
    /// Tangent space at an interpolating point of low rank, on which dual vectors are sharpened.
    pub(super) tangent: Option<Tangent>,
    pub(super) unique: bool,
}

/// Largest `|B(Z) - b| / |b|` of an answer that counts as fitting the measurements.
pub(super) const FEASIBLE: f64 = 1e-9;

impl Incumbent {
    /// Keeps the feasible point of least norm; an infeasible one only for want of a better.
    pub(super) fn offer_point(&mut self, point: Point, infeasibility: f64) {
        let better = match &self.point {
            None => true,
            Some((_, old)) if *old > FEASIBLE => infeasibility < *old,
            Some((best, _)) => {
                infeasibility <= FEASIBLE && point.nuclear_norm() < best.nuclear_norm()
            }
        };
        if better {
            self.point = Some((point, infeasibility));
        }
    }

    /// Keeps the larger bound.
    pub(super) fn offer_bound(&mut self, bound: Bound) {
        if self.bound.as_ref().is_none_or(|best| bound.lower > best.lower) {
            self.bound = Some(bound);
        }
    }

    /// Moves `y` onto `P_T(B*(y)) = U V^T`, where `<b, y> = |Z|_*` exactly, and offers its bound,
    /// which proves the interpolating point optimal when `|B*(y)|_op = 1`. Does nothing without
    /// such a point.
    pub(super) fn sharpen(&mut self, problem: &Equality<'_>, y: &[f64]) -> Result<(), Error> {
        let Some(tangent) = &self.tangent else {
            return Ok(());
        };
        let y = tangent.meet(problem.map, y);
        self.prove(problem, y)
    }

    /// Offers the bound of a `y` with `P_T(B*(y)) = U V^T`.
    pub(super) fn prove(&mut self, problem: &Equality<'_>, y: Vec<f64>) -> Result<(), Error> {
        let Some(tangent) = &self.tangent else { return Ok(()) };
        let (u, v) = tangent.frames();
        let w = problem.map.adjoint_matrix(&y);
        // Beyond the tangent space the norm has room: with injectivity on it, no other matrix is
        // as good.
        let mut beyond = w.clone();
        linalg::subtract_product(beyond.as_mut(), u.as_ref(), v.transpose());
        let domain = problem.domain;
        let slack = domain.dual_norm_below(beyond.as_ref(), 1.0 - 1e-6);
        // Most often the norm is one, up to rounding: one Cholesky factor shows it, a spectrum is
        // not needed.
        let margin = 1.0 + 4.0 * f64::EPSILON * (w.nrows() + w.ncols()) as f64;
        let largest = if slack && domain.dual_norm_below(w.as_ref(), margin) {
            margin
        } else {
            domain.dual_norm(w.as_ref(), problem.par)?
        };
        self.offer_bound(problem.bound_of(y, largest));
        self.unique |= slack && self.gap() <= problem.tolerance;
        Ok(())
    }

    /// Relative duality gap; infinite without a feasible point and a bound.
    pub(super) fn gap(&self) -> f64 {
        match (&self.point, &self.bound) {
            (Some((point, infeasibility)), Some(bound)) if *infeasibility <= FEASIBLE => {
                relative_gap(point.nuclear_norm(), bound.lower)
            }
            _ => f64::INFINITY,
        }
    }

    /// Norm of the feasible point; infinite without one.
    pub(super) fn upper(&self) -> f64 {
        match &self.point {
            Some((point, infeasibility)) if *infeasibility <= FEASIBLE => point.nuclear_norm(),
            _ => f64::INFINITY,
        }
    }

    pub(super) fn lower(&self) -> f64 {
        self.bound.as_ref().map_or(0.0, |bound| bound.lower)
    }
}

/// `|upper - lower| / |upper|`, zero when both vanish.
pub(super) fn relative_gap(upper: f64, lower: f64) -> f64 {
    if upper == lower { 0.0 } else { (upper - lower).abs() / upper.abs().max(f64::MIN_POSITIVE) }
}

/// Why a road was left before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Limit,
    Interrupted,
}

/// Counts iterations over all roads and speaks to the observer.
pub(super) struct Monitor<'a> {
    pub(super) observer: Option<Box<Observer<'a>>>,
    pub(super) limit: usize,
    pub(super) iterations: usize,
    pub(super) stop: Option<Stop>,
    /// Factor from normalised targets back to the caller's.
    pub(super) scale: f64,
}

impl Monitor<'_> {
    /// Counts an iteration; `false` when the road must be left.
    pub(super) fn tick(
        &mut self,
        road: &'static str,
        objective: f64,
        lower: f64,
        feasibility: f64,
        rank: usize,
    ) -> bool {
        if self.stop.is_some() {
            return false;
        }
        if self.iterations >= self.limit {
            self.stop = Some(Stop::Limit);
            return false;
        }
        self.iterations += 1;
        if let Some(observer) = &mut self.observer {
            let progress = Progress {
                iteration: self.iterations,
                road,
                objective: objective * self.scale,
                lower_bound: lower * self.scale,
                feasibility,
                rank,
            };
            if let ControlFlow::Break(()) = observer(&progress) {
                self.stop = Some(Stop::Interrupted);
                return false;
            }
        }
        true
    }
}

/// `a + t b`.
pub(super) fn combine(a: &Mat<f64>, t: f64, b: &Mat<f64>) -> Mat<f64> {
    let mut out = a.clone();
    for (o, b) in out.col_iter_mut().zip(b.col_iter()) {
        o.iter_mut().zip(b.iter()).for_each(|(o, b)| *o += t * b);
    }
    out
}
