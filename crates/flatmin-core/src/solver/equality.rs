//! The problem that every road solves, and what proves an answer:
//!
//! ```text
//! min |Z|_*  s.t.  B(Z) = b                    max <b, y>  s.t.  |B*(y)|_op <= 1
//! min |Z|_* + |B(Z) - b|^2 / (2 rho)           max <b, y> - (rho / 2) |y|^2  s.t.  the same
//! min |Z|_*  s.t.  |B(Z) - b| <= delta         max <b, y> - delta |y|        s.t.  the same
//! ```
//!
//! The first is the limit of the others as `rho` or `delta` goes to zero; see [`slack`](super::slack).

use super::domain::Domain;
use super::point::{Point, Tangent};
use super::slack::{Slack, best_multiple};
use crate::linalg::{self, Par, kernel::dot, norm};
use crate::operator::LinearMap;
use crate::theory::{degrees_of_freedom, symmetric_degrees_of_freedom};
use crate::{Error, Mat};

/// `min |Z|_*  s.t.  B(Z) = b` over a domain, in whitened variables and normalised targets, or a form
/// of it with slack.
pub(super) struct Equality<'a> {
    pub(super) map: &'a dyn LinearMap,
    pub(super) domain: Domain,
    pub(super) b: &'a [f64],
    pub(super) norm_b: f64,
    pub(super) slack: Slack,
    pub(super) tolerance: f64,
    pub(super) par: Par,
}

impl Equality<'_> {
    /// A point with what it costs, and how far it is from being feasible.
    pub(super) fn candidate(&self, point: Point) -> Candidate {
        let residual = self.residual(&point);
        let point = match self.slack {
            Slack::Ball(delta) => self.scaled_to(delta, point, &residual),
            _ => point,
        };
        let misfit = match self.slack {
            Slack::Ball(_) => norm(&self.residual(&point)),
            _ => norm(&residual),
        };
        let value = point.nuclear_norm() + self.slack.cost(misfit);
        Candidate { point, infeasibility: self.slack.excess(misfit) / self.norm_b, value }
    }

    /// The least multiple of a point whose misfit is `delta`, where there is one.
    fn scaled_to(&self, delta: f64, mut point: Point, residual: &[f64]) -> Point {
        let image: Vec<f64> = residual.iter().zip(self.b).map(|(r, b)| r + b).collect();
        if let Some(multiple) = best_multiple(&image, residual, delta) {
            point.s.iter_mut().for_each(|s| *s *= multiple);
        }
        point
    }

    /// The dual objective: `<b, y>` less what the slack takes off.
    pub(super) fn dual_value(&self, y: &[f64]) -> f64 {
        dot(y, self.b) - self.slack.dual_cost(y)
    }

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
        if self.domain.is_symmetric() {
            symmetric_degrees_of_freedom(dims.rows, rank)
        } else {
            degrees_of_freedom(dims.rows, dims.cols, rank)
        }
    }

    /// The bound of a dual vector, and the values of `B*(y)` that its feasibility bounds by one.
    pub(super) fn bound(&self, mut y: Vec<f64>) -> Result<(Bound, Vec<f64>), Error> {
        let mut w = self.map.adjoint_matrix(&y);
        if !(norm(&y).is_finite() && w.norm_l2().is_finite()) {
            // What has overflowed proves nothing.
            y.fill(0.0);
            w.fill(0.0);
        }
        let values = self.domain.dual_values(w.as_ref(), self.par)?;
        let largest = values.first().copied().unwrap_or(0.0);
        Ok((self.bound_of(y, largest), values))
    }

    /// The bound of `y`, given the dual norm of `B*(y)`.
    pub(super) fn bound_of(&self, mut y: Vec<f64>, largest: f64) -> Bound {
        // Scaled by its norm any dual vector is feasible. The margin keeps it so under the
        // rounding errors of whoever checks it.
        let longest = 1.0 / (largest.max(0.0) * (1.0 + 1e-14));
        let scale = self.slack.multiple(dot(&y, self.b), dot(&y, &y), longest);
        y.iter_mut().for_each(|y| *y *= scale);
        let lower = self.dual_value(&y);
        Bound { y, lower }
    }
}

/// A dual vector scaled to be feasible, `|B*(y)|_op <= 1`, and the lower bound `<b, y>` that it proves.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) y: Vec<f64>,
    pub(super) lower: f64,
}

/// A point that may be the answer.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) point: Point,
    /// By how much `|B(Z) - b|` is too large, relative to `|b|`.
    pub(super) infeasibility: f64,
    /// Its objective.
    pub(super) value: f64,
}

impl Candidate {
    /// A point under equality constraints.
    pub(super) fn fitting(point: Point, infeasibility: f64) -> Candidate {
        let value = point.nuclear_norm();
        Candidate { point, infeasibility, value }
    }

    pub(super) fn is_feasible(&self) -> bool {
        self.infeasibility <= FEASIBLE
    }
}

/// The best answer so far: a point that fits the measurements, and a bound, found together or not.
#[derive(Default)]
pub(super) struct Incumbent {
    pub(super) best: Option<Candidate>,
    pub(super) bound: Option<Bound>,
    /// Tangent space at an interpolating point of low rank, on which dual vectors are sharpened.
    pub(super) tangent: Option<Tangent>,
    pub(super) unique: bool,
    /// Whether the bound grew beyond all that a feasible point could cost.
    pub(super) unbounded: bool,
}

/// Largest `|B(Z) - b| / |b|` of an answer that counts as fitting the measurements: little more than
/// rounding, since measurements that nearly repeat one another say much by small differences.
pub(super) const FEASIBLE: f64 = 1e-11;

impl Incumbent {
    /// Keeps the feasible point of least cost; an infeasible one only for want of a better.
    pub(super) fn offer(&mut self, candidate: Candidate) {
        if !(candidate.infeasibility.is_finite() && candidate.value.is_finite()) {
            return;
        }
        let better = match &self.best {
            None => true,
            Some(old) if !old.is_feasible() => candidate.infeasibility < old.infeasibility,
            Some(old) => candidate.is_feasible() && candidate.value < old.value,
        };
        if better {
            self.best = Some(candidate);
        }
    }

    /// Offers a point under equality constraints.
    pub(super) fn offer_point(&mut self, point: Point, infeasibility: f64) {
        self.offer(Candidate::fitting(point, infeasibility));
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
        match &self.bound {
            Some(bound) if self.upper().is_finite() => relative_gap(self.upper(), bound.lower),
            _ => f64::INFINITY,
        }
    }

    /// Objective of the feasible point; infinite without one.
    pub(super) fn upper(&self) -> f64 {
        self.best.as_ref().filter(|best| best.is_feasible()).map_or(f64::INFINITY, |b| b.value)
    }

    pub(super) fn lower(&self) -> f64 {
        self.bound.as_ref().map_or(0.0, |bound| bound.lower)
    }
}

/// `|upper - lower| / |upper|`, zero when both vanish.
pub(super) fn relative_gap(upper: f64, lower: f64) -> f64 {
    if upper == lower { 0.0 } else { (upper - lower).abs() / upper.abs().max(f64::MIN_POSITIVE) }
}

/// `a + t b`.
pub(super) fn combine(a: &Mat<f64>, t: f64, b: &Mat<f64>) -> Mat<f64> {
    let mut out = a.clone();
    for (o, b) in out.col_iter_mut().zip(b.col_iter()) {
        o.iter_mut().zip(b.iter()).for_each(|(o, b)| *o += t * b);
    }
    out
}
