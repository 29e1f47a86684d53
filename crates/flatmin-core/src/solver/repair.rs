//! A better certificate on the same tangent space.
//!
//! The least-norm `y` with `P_T(B*(y)) = U V^T` proves optimality when the rest of `B*(y)` stays
//! below one, and just above the phase transition it just does not. Any `y` of the same affine set
//! will do. Alternating projections look for one: cap the singular values beyond the tangent space
//! a little below one, take the nearest `B*(y)`, return to the affine set.

use super::equality::{Equality, Incumbent};
use super::monitor::Monitor;
use super::splitting::InverseGram;
use crate::Error;
use crate::linalg::{self, kernel::dot, scale_columns};

/// Where the singular values are capped: below one, so that the projections meet after finitely
/// many rounds.
const CAP: f64 = 0.95;

/// Largest norm beyond the tangent space that is worth repairing; what lies further from a
/// certificate has none, as a rule.
const WITHIN_REACH: f64 = 1.5;

/// Rounds before giving up, and the progress that five of them must make.
const ROUNDS: usize = 40;

/// Conjugate-gradient steps of [`shorten`].
const STEPS: usize = 8;

/// Looks for a certificate with a shorter part beyond the tangent space: the least-norm `y` makes `y`
/// short, not `B*(y)`. Conjugate gradients minimise `|B*(y)|_F` over the affine set, a product with
/// `B` and one with `B*` a step, and a few often do.
pub(super) fn shorten(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let Some(tangent) = &incumbent.tangent else { return Ok(()) };
    let (u, v) = tangent.frames();
    let mut y = tangent.least_norm_dual(problem.map);
    // W less U V^T, which stays beyond the tangent space.
    let mut w = problem.map.adjoint_matrix(&y);
    linalg::subtract_product(w.as_mut(), u.as_ref(), v.transpose());
    let mut image = vec![0.0; y.len()];
    problem.map.apply(w.as_ref(), &mut image);
    let mut r: Vec<f64> = tangent.remainder(problem.map, &image).iter().map(|r| -r).collect();
    let mut p = r.clone();
    let mut square = dot(&r, &r);
    for _ in 0..STEPS {
        let (norm, lower) = (incumbent.upper(), incumbent.lower());
        if square == 0.0 || !monitor.tick("certificate repair", norm, lower, 0.0, u.ncols()) {
            break;
        }
        let step_w = problem.map.adjoint_matrix(&p);
        let alpha = square / linalg::inner(step_w.as_ref(), step_w.as_ref());
        y.iter_mut().zip(&p).for_each(|(y, p)| *y += alpha * p);
        w += faer::Scale(alpha) * &step_w;
        if problem.domain.dual_norm_below(w.as_ref(), 1.0 - 1e-6) {
            let y = tangent.meet(problem.map, &y);
            return incumbent.prove(problem, y);
        }
        problem.map.apply(step_w.as_ref(), &mut image);
        let change = tangent.remainder(problem.map, &image);
        r.iter_mut().zip(&change).for_each(|(r, c)| *r -= alpha * c);
        let next = dot(&r, &r);
        p.iter_mut().zip(&r).for_each(|(p, r)| *p = r + next / square * *p);
        square = next;
    }
    Ok(())
}

/// Looks for a certificate of the incumbent's interpolating point; `inverse` applies `(B B*)^{-1}`.
pub(super) fn repair(
    problem: &Equality<'_>,
    inverse: &InverseGram<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let Some(tangent) = &incumbent.tangent else { return Ok(()) };
    let (u, v) = tangent.frames();
    let rank = u.ncols();
    let mut y = tangent.least_norm_dual(problem.map);
    let mut correction = vec![0.0; y.len()];
    let mut milestone = f64::INFINITY;
    for round in 0..ROUNDS {
        let mut beyond = problem.map.adjoint_matrix(&y);
        linalg::subtract_product(beyond.as_mut(), u.as_ref(), v.transpose());
        let spectrum = problem.domain.decompose(beyond.as_ref(), problem.par)?;
        let largest = spectrum.s.first().copied().unwrap_or(0.0);
        if largest < 1.0 - 1e-6 {
            return incumbent.prove(problem, y);
        }
        if round % 5 == 0 {
            if largest > WITHIN_REACH || largest > 1.0 + 0.6 * (milestone - 1.0) {
                break;
            }
            milestone = largest;
        }
        let (norm, lower) = (incumbent.upper(), incumbent.lower());
        if !monitor.tick("certificate repair", norm, lower, 0.0, rank) {
            break;
        }
        let excess: Vec<f64> =
            spectrum.s.iter().map(|s| s - CAP).take_while(|&e| e > 0.0).collect();
        let over = excess.len();
        let left = scale_columns(spectrum.u.as_ref().subcols(0, over), &excess);
        let right = spectrum.v.as_ref().subcols(0, over);
        problem.map.apply_factored(left.as_ref(), right, &mut correction);
        inverse(&mut correction);
        y.iter_mut().zip(&correction).for_each(|(y, c)| *y -= c);
        y = tangent.meet(problem.map, &y);
    }
    Ok(())
}
