//! From a nearly optimal matrix to one of the optimal rank that fits the measurements exactly.

use super::equality::{Candidate, Equality, Incumbent};
use super::gauss_newton::{LARGEST_TANGENT, gauss_newton};
use super::linear::{LARGEST_SYSTEM, conjugate_gradients, definite};
use super::monitor::Monitor;
use super::point::{Point, Tangent};
use crate::linalg::product;
use crate::{Error, Mat};

/// Largest `|B(Z) - b| / |b|` of a polished point: the point it replaces fits to rounding.
const EXACT: f64 = 1e-12;

/// Ridge of a correction, as a fraction of the normal matrix's mean diagonal.
const RIDGE: f64 = 1e-12;

/// Replaces the incumbent's point by one of the rank of `near`, when that proves as good.
///
/// When the measurements pin a matrix of this rank down, Gauss-Newton finds it, and the dual vector
/// is sharpened on its tangent space. Otherwise corrections of least norm within the tangent
/// space restore `B(Z) = b`; they change the objective by `<W, T> = <y, B(T)>`, which is nothing at
/// this accuracy.
pub(super) fn polish(
    problem: &Equality<'_>,
    mut near: Point,
    y: &[f64],
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let rank = near.rank();
    if problem.freedom(rank) <= problem.b.len() {
        let arrival = gauss_newton(problem, near, monitor)?;
        let upper = incumbent.upper();
        let good = accept(problem, arrival.point.clone(), arrival.infeasibility, incumbent);
        if good || incumbent.upper() < upper {
            incumbent.tangent = arrival.tangent;
            incumbent.sharpen(problem, y)?;
            if incumbent.gap() <= problem.tolerance {
                return Ok(());
            }
        }
        // Some directions (a row with fewer entries than the rank, say) stay free.
        near = arrival.point;
    }
    let mut point = near;
    for _ in 0..8 {
        let residual = problem.residual(&point);
        let infeasibility = crate::linalg::norm(&residual) / problem.norm_b;
        if infeasibility <= 1e-13 {
            break;
        }
        let correction = tangent_correction(problem, &point, &residual);
        point = point.retract(problem.domain, &correction)?;
    }
    let infeasibility = problem.infeasibility(&point);
    accept(problem, point, infeasibility, incumbent);
    Ok(())
}

/// Takes the point when it fits the measurements and the bound at hand proves it optimal; failing
/// that, when it fits and has a smaller norm.
fn accept(
    problem: &Equality<'_>,
    point: Point,
    infeasibility: f64,
    incumbent: &mut Incumbent,
) -> bool {
    let old = incumbent.best.replace(Candidate::fitting(point, infeasibility));
    let good = infeasibility <= EXACT && incumbent.gap() <= problem.tolerance;
    if !good {
        let polished = std::mem::replace(&mut incumbent.best, old);
        polished.filter(|_| infeasibility <= EXACT).into_iter().for_each(|p| incumbent.offer(p));
    }
    good
}

/// Coordinates of the tangent vector of least norm with `B(T) = -residual`: `T = P_T(B*(lambda))`
/// with `B(P_T(B*(lambda))) = -residual`.
fn tangent_correction(problem: &Equality<'_>, point: &Point, residual: &[f64]) -> Vec<f64> {
    let domain = problem.domain;
    let part = |y: &[f64]| point.tangent_part(domain, &problem.map.adjoint_matrix(y));
    let step = regularised_step(problem, point, residual).unwrap_or_else(|| {
        let lambda = direct(problem, point, residual).unwrap_or_else(|| {
            conjugate_gradients(residual, 1e-8, 500, |lambda, image| {
                let t = point.tangent_matrix(domain, &part(lambda));
                problem.map.apply(t.as_ref(), image);
            })
        });
        part(&lambda)
    });
    step.into_iter().map(|t| -t).collect()
}

/// The same by the normal matrix of Gauss-Newton with a ridge, where that is the smaller system:
/// directions that the measurements do not see stay put, and the next correction makes up for what
/// the ridge held back.
fn regularised_step(problem: &Equality<'_>, point: &Point, residual: &[f64]) -> Option<Vec<f64>> {
    let rank = point.rank();
    let order = rank * (point.u.nrows() + point.v.nrows());
    if order > LARGEST_TANGENT || problem.freedom(rank) > problem.b.len() {
        return None;
    }
    let tangent = Tangent::new(problem.map, problem.domain, point, RIDGE, problem.par)?;
    Some(tangent.solve(tangent.adjoint(problem.map, residual)))
}

/// The solution by Cholesky, where the system is small and definite.
fn direct(problem: &Equality<'_>, point: &Point, residual: &[f64]) -> Option<Vec<f64>> {
    let m = problem.b.len();
    if m > LARGEST_SYSTEM || problem.freedom(point.rank()) < m {
        return None;
    }
    let mut lambda = residual.to_vec();
    definite(tangent_gram(problem, point), problem.par)?.solve_vector(&mut lambda);
    Some(lambda)
}

/// `<B_i, P_T B_j>` (lower triangle).
fn tangent_gram(problem: &Equality<'_>, point: &Point) -> Mat<f64> {
    let m = problem.b.len();
    let (u, v) = (&point.u, &point.v);
    let left = product(u.as_ref(), u.transpose());
    let right = product(v.as_ref(), v.transpose());
    let identity = Mat::<f64>::identity(v.nrows(), v.nrows());
    let beyond = Mat::<f64>::identity(u.nrows(), u.nrows()) - &left;
    let (mut first, mut second) = (Mat::zeros(m, m), Mat::zeros(m, m));
    problem.map.schur(left.as_ref(), identity.as_ref(), None, first.as_mut());
    problem.map.schur(beyond.as_ref(), right.as_ref(), None, second.as_mut());
    first += &second;
    first
}
