//! Gauss-Newton on the matrices of one rank that fit sampled entries, by variable projection.
//!
//! With `X = L V^T` and `L` the least-squares fit for `V`, a step solves the reduced normal equations
//! of the tangent space ([`tangent`](super::tangent)) by conjugate gradients, only as far as the
//! quadratic convergence of the outer iteration warrants. The first direction of the inner iteration
//! is the least-squares fit of `R` for `L`, so that a step cut short is one of alternating least
//! squares; that step, which cannot fail to descend, also takes over where a full one does not.
//!
//! Reference: Golub, Pereyra, *Separable nonlinear least squares: the variable projection method and
//! its applications*, Inverse Problems 19, 2003.

use super::Posed;
use super::blocks::Blocks;
use super::scaled::orthonormal;
use super::tangent::Tangent;
use crate::linalg::kernel::dot;
use crate::linalg::norm;
use crate::linalg::thin::Thin;
use crate::solver::equality::FEASIBLE;
use crate::solver::monitor::Monitor;

/// Steps at one rank.
const STEPS: usize = 60;

/// Relative size of a step at which the next would only be rounding.
const ARRIVED: f64 = 1e-13;

/// Largest relative residual of the inner iteration, and its most steps.
const INNER: (f64, usize) = (0.1, 60);

/// Misfit that alone shows in `|b|^2 - <rhs, L>`, whose digits cancel.
const VISIBLE: f64 = 1e-6;

/// A step below this part of the misfit means that the rank cannot fit.
const STUCK: f64 = 0.02;

/// Where the iteration ended.
pub(super) struct Fitted<'a> {
    pub(super) tangent: Tangent<'a>,
    /// `A(X) - b`, in row order.
    pub(super) residual: Vec<f64>,
    /// `|A(X) - b| / |b|`.
    pub(super) infeasibility: f64,
}

impl Fitted<'_> {
    pub(super) fn fits(&self) -> bool {
        self.infeasibility <= FEASIBLE
    }
}

/// Fits a matrix of the rank of `v`, starting from its columns.
pub(super) fn fit<'a>(posed: &Posed<'a>, v: Thin, monitor: &mut Monitor<'_>) -> Fitted<'a> {
    let (by_row, by_col) = (posed.pattern.by_row(), posed.pattern.by_col());
    let squares = dot(&posed.by_row, &posed.by_row);
    let rank = v.width();
    let mut v = orthonormal(&v);
    let mut fallback: Option<Thin> = None;
    let (mut before, mut last, mut cautious, mut slow) = (f64::INFINITY, f64::INFINITY, 0, 0);
    let mut step = 0;
    loop {
        step += 1;
        // L given V.
        let (gram, mut l) = by_row.normal(posed.par, &posed.by_row, &v);
        let left = Blocks::new(posed.par, gram);
        let rhs = l.clone();
        left.solve(posed.par, &mut l);
        let misfit = ((squares - rhs.dot(&l)) / squares).max(0.0).sqrt();
        if misfit > VISIBLE
            && misfit > 1.001 * before
            && let Some(safe) = fallback.take()
        {
            v = safe;
            cautious = 3;
            continue;
        }
        let stalled = misfit > VISIBLE && misfit > 0.97 * before;
        slow = if stalled { slow + 1 } else { 0 };
        before = misfit;
        // The step of R given L.
        let (gram, mut g) = by_col.normal(posed.par, &posed.by_col, &l);
        let right = Blocks::new(posed.par, gram);
        let mut along = v.clone();
        right.times(posed.par, &mut along);
        g.combine(1.0, -1.0, &along);
        let mut alternating = g.clone();
        right.solve(posed.par, &mut alternating);
        let size = (g.dot(&alternating).max(0.0) / squares).sqrt();
        let tangent = Tangent { pattern: posed.pattern, par: posed.par, l, v, left, right };
        let rounded = size < 1e-11 && size > 0.5 * last;
        last = size;
        let stuck = misfit > VISIBLE && (size < STUCK * misfit || slow >= 5);
        let go_on = monitor.tick("fitting entries", 0.0, 0.0, misfit.max(size), rank);
        if !go_on || size <= ARRIVED || rounded || stuck || step >= STEPS {
            let mut residual = by_row.values(posed.par, &tangent.l, &tangent.v);
            residual.iter_mut().zip(&posed.by_row).for_each(|(r, b)| *r -= b);
            let infeasibility = norm(&residual) / posed.norm_b;
            return Fitted { tangent, residual, infeasibility };
        }
        let mut next = tangent.v.clone();
        next.combine(1.0, 1.0, &alternating);
        fallback = Some(orthonormal(&next));
        if cautious > 0 {
            cautious -= 1;
        } else {
            // Far away precision is wasted, and near the end more than is left to gain.
            let wanted = misfit.max(size).max(0.1 * ARRIVED / size).min(INNER.0);
            let rt = tangent.reduced(g, wanted, INNER.1);
            next.clone_from(&tangent.v);
            next.combine(1.0, 1.0, &rt);
        }
        v = orthonormal(&next);
    }
}
