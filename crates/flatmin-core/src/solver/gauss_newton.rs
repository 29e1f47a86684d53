//! The fast road: Gauss-Newton on the matrices of one rank, certified afterwards.
//!
//! With `Z = U S V^T` of rank `r`, a step solves `min |B(Z + T) - b|` over the tangent space
//! (`T = U Rt^T + Lt V^T`, say) and retracts by a small decomposition; it converges quadratically to an
//! interpolating matrix when there is one of that rank. The rank need not be known: it is read off
//! the spectrum of `B*(b)`, raised while the residual stalls, and judged by the certificate, the
//! least-norm `y` with `P_T(B*(y)) = U V^T`.

use super::equality::{Equality, FEASIBLE, Incumbent};
use super::monitor::Monitor;
use super::point::{Point, Tangent};
use crate::linalg::norm;
use crate::{Error, Mat};

/// Residual at which an iterate interpolates to the last digits.
const INTERPOLATES: f64 = 1e-14;

/// Ranks tried before the convex road is taken.
const RANKS_TRIED: usize = 5;

/// Ratio of successive singular values that sets signal apart from the bulk.
const CLEAR_GAP: f64 = 1.25;

/// Largest order of a normal matrix that is formed and factored.
pub(super) const LARGEST_TANGENT: usize = 4000;

/// A point with its residual and the back-projections that a step needs.
struct Evaluated {
    point: Point,
    infeasibility: f64,
    residual: Vec<f64>,
    left: Mat<f64>,
    right: Mat<f64>,
}

impl Evaluated {
    fn new(problem: &Equality<'_>, point: Point) -> Evaluated {
        let k = point.rank();
        let mut residual = vec![0.0; problem.b.len()];
        let mut left = Mat::zeros(point.u.nrows(), k);
        let mut right = Mat::zeros(point.v.nrows(), k);
        problem.map.residual_and_gradient(
            (point.u.as_ref(), &point.s, point.v.as_ref()),
            problem.b,
            &mut residual,
            left.as_mut(),
            right.as_mut(),
        );
        let infeasibility = norm(&residual) / problem.norm_b;
        Evaluated { point, infeasibility, residual, left, right }
    }
}

/// Where Gauss-Newton ended.
pub(super) struct Arrival {
    pub(super) point: Point,
    pub(super) infeasibility: f64,
    /// Tangent space at the last step.
    pub(super) tangent: Option<Tangent>,
    residual: Vec<f64>,
}

/// Gauss-Newton from a point, at its rank, until it interpolates or stalls.
pub(super) fn gauss_newton(
    problem: &Equality<'_>,
    start: Point,
    monitor: &mut Monitor<'_>,
) -> Result<Arrival, Error> {
    let mut at = Evaluated::new(problem, start);
    let mut tangent = None;
    let mut slow = 0;
    while at.infeasibility > INTERPOLATES {
        let objective = at.point.nuclear_norm();
        if !monitor.tick("Gauss-Newton", objective, 0.0, at.infeasibility, at.point.rank()) {
            break;
        }
        let Some(here) = Tangent::new(problem.map, problem.domain, &at.point, 0.0, problem.par)
        else {
            break;
        };
        let direction = here.solve(here.gradient(&at.left, &at.right));
        tangent = Some(here);
        let mut step = 1.0;
        let next = loop {
            let scaled: Vec<f64> = direction.iter().map(|t| -step * t).collect();
            let trial = at.point.retract(problem.domain, &scaled)?;
            let trial = Evaluated::new(problem, trial);
            if trial.infeasibility < at.infeasibility {
                break Some(trial);
            }
            step *= 0.5;
            if step < 0.1 {
                break None;
            }
        };
        let Some(next) = next else { break };
        // Far from a solution progress may be slow for a while, near one it never is.
        let ratio = next.infeasibility / at.infeasibility;
        slow = if ratio > 0.7 { slow + 1 } else { 0 };
        at = next;
        if slow >= 3 || (at.infeasibility < 1e-10 && ratio > 0.25) {
            break;
        }
    }
    Ok(Arrival { point: at.point, infeasibility: at.infeasibility, tangent, residual: at.residual })
}

/// Tries ranks in turn, starting from `start` or from the spectrum of `B*(b)`; whatever it finds is
/// offered to the incumbent.
pub(super) fn search(
    problem: &Equality<'_>,
    start: Option<Point>,
    rank: Option<usize>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let dims = problem.map.dims();
    let short = dims.rows.min(dims.cols);
    // Beyond this rank the measurements cannot pin a matrix down, or its tangent space is too large.
    let identifiable = |r: usize| {
        let order =
            r * if problem.domain.is_symmetric() { dims.rows } else { dims.rows + dims.cols };
        r <= short && problem.freedom(r) <= problem.b.len() && order <= LARGEST_TANGENT
    };
    let mut point = match start {
        Some(point) => point,
        None => {
            let back = problem.map.adjoint_matrix(problem.b);
            let width = rank.unwrap_or(0).max(4) + 8;
            let spectrum = problem.domain.leading(back.as_ref(), width, problem.par)?;
            let guess = rank.unwrap_or_else(|| spectral_rank(&spectrum.s, identifiable).0);
            let mut point = spectrum.leading(guess.clamp(1, short));
            point.s.fill(0.0);
            point
        }
    };
    for _ in 0..RANKS_TRIED {
        if !identifiable(point.rank()) {
            break;
        }
        let arrival = gauss_newton(problem, point, monitor)?;
        if arrival.infeasibility <= FEASIBLE {
            return settle(problem, arrival, incumbent, monitor);
        }
        if monitor.stop.is_some() {
            // The best answer so far, for want of a better.
            incumbent.offer_point(arrival.point, arrival.infeasibility);
            break;
        }
        // One rank more, along the steepest direction of the residual.
        let back = problem.map.adjoint_matrix(&arrival.residual);
        let downhill = back * faer::Scale(-1.0);
        let steepest = problem.domain.leading(downhill.as_ref(), short, problem.par)?.leading(1);
        point = arrival.point.joined(&steepest, problem.domain)?;
    }
    Ok(())
}

/// Rank at the last clear gap of a spectrum, or else at its widest: too large a guess is trimmed
/// later, too small a one costs another start. Whether there was a clear gap is said beside it.
pub(super) fn spectral_rank(s: &[f64], admissible: impl Fn(usize) -> bool) -> (usize, bool) {
    let ratio = |r: usize| s[r - 1] / s[r].max(f64::MIN_POSITIVE);
    let ranks = || (1..=s.len() / 2).filter(|&r| admissible(r));
    if let Some(rank) = ranks().rfind(|&r| ratio(r) > CLEAR_GAP) {
        return (rank, true);
    }
    (ranks().max_by(|&a, &b| ratio(a).total_cmp(&ratio(b))).unwrap_or(1), false)
}

/// Certifies an interpolating point, after dropping the rank that it does not use.
fn settle(
    problem: &Equality<'_>,
    arrival: Arrival,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let used = arrival.point.clone().trimmed(1e-7);
    let arrival = if used.rank() < arrival.point.rank() {
        let again = gauss_newton(problem, used, monitor)?;
        if again.infeasibility <= FEASIBLE { again } else { arrival }
    } else {
        arrival
    };
    let tangent = match arrival.tangent {
        Some(tangent) => Some(tangent),
        None => Tangent::new(problem.map, problem.domain, &arrival.point, 0.0, problem.par),
    };
    incumbent.offer_point(arrival.point, arrival.infeasibility);
    if let Some(tangent) = tangent {
        let y = tangent.least_norm_dual(problem.map);
        incumbent.tangent = Some(tangent);
        incumbent.prove(problem, y)?;
    }
    Ok(())
}
