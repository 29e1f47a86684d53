//! A better certificate on the same tangent space.
//!
//! The least-norm `y` with `P_T(B*(y)) = U V^T` proves optimality when the rest of `B*(y)` stays
//! below one, and just above the phase transition it just does not. Any `y` of the same affine set
//! will do. Alternating projections look for one: cap the singular values beyond the tangent space
//! a little below one, take the nearest `B*(y)`, return to the affine set.

use super::equality::{Equality, Incumbent, Monitor};
use super::splitting::InverseGram;
use crate::Error;
use crate::linalg::{self, scale_columns};

/// Where the singular values are capped: below one, so that the projections meet after finitely
/// many rounds.
const CAP: f64 = 0.95;

/// Largest norm beyond the tangent space that is worth repairing; what lies further from a
/// certificate has none, as a rule.
const WITHIN_REACH: f64 = 1.5;

/// Rounds before giving up, and the progress that five of them must make.
const ROUNDS: usize = 40;

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
