//! Equality constraints: one road after the other until the incumbent is certified.

use super::domain::Domain;
use super::equality::{Bound, Candidate, Equality, FEASIBLE, Incumbent};
use super::linear::{self, LARGEST_SYSTEM};
use super::monitor::Monitor;
use super::point::Point;
use super::{gauss_newton, interior_point, repair, splitting};
use crate::Error;
use crate::linalg::norm;

/// Measurements of a map with a diagonal Gram from which first-order rounds come before the interior
/// point, and how many.
const FIRST_ORDER_FIRST: usize = 1500;
const FIRST_ROUNDS: usize = 500;

/// First-order rounds after an interior-point method that stalled.
const LAST_ROUNDS: usize = 1000;

/// Largest `d1 + d2` for the semidefinite systems of the interior-point method.
pub(super) const LARGEST_CONE: usize = 700;

/// The splitting method, with the best way at hand to apply `(B B*)^{-1}`.
pub(super) fn large(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let dims = problem.map.dims();
    let (ones1, ones2) = (vec![1.0; dims.rows], vec![1.0; dims.cols]);
    if let Some(diagonal) = problem.map.diagonal_gram(&ones1, &ones2) {
        let inverse = |y: &mut [f64]| y.iter_mut().zip(&diagonal).for_each(|(y, d)| *y /= d);
        return splitting::splitting(problem, &inverse, usize::MAX, incumbent, monitor);
    }
    let kernel = if dims.measurements <= LARGEST_SYSTEM {
        linear::definite(linear::measurement_gram(problem.map), problem.par)
    } else {
        None
    };
    if let Some(kernel) = kernel {
        return splitting::splitting(
            problem,
            &|y| kernel.solve_vector(y),
            usize::MAX,
            incumbent,
            monitor,
        );
    }
    let inverse = |y: &mut [f64]| {
        let solution = linear::conjugate_gradients(y, 1e-12, 1000, |x, out| {
            problem.map.apply(problem.map.adjoint_matrix(x).as_ref(), out);
        });
        y.copy_from_slice(&solution);
    };
    splitting::splitting(problem, &inverse, usize::MAX, incumbent, monitor)
}

/// What the measurements turned out to be.
#[derive(Default)]
pub(super) struct Outcome {
    /// Measurements that are combinations of the others.
    pub(super) redundant: usize,
    /// Relative residual of the least-squares fit, when no matrix fits.
    pub(super) misfit: Option<f64>,
}

/// Takes one road after the other until the incumbent is certified.
pub(super) fn travel(
    problem: &Equality<'_>,
    start: Option<Point>,
    rank: Option<usize>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let dims = problem.map.dims();
    if dims.rows == 0 || dims.cols == 0 {
        // Measurements that see nothing cannot have targets.
        outcome.misfit = Some(1.0);
        return Ok(outcome);
    }
    gauss_newton::search(problem, start, rank, incumbent, monitor)?;
    let done = |incumbent: &Incumbent, monitor: &Monitor<'_>| {
        incumbent.gap() <= problem.tolerance || monitor.stop.is_some()
    };
    if done(incumbent, monitor) {
        // A bound known in advance certifies any X >= 0 that fits; whether it is alone is another
        // question, which a dual vector with room beyond the tangent space answers.
        let open = problem.domain == Domain::Semidefinite && monitor.stop.is_none();
        if open && !incumbent.unique {
            repair::shorten(problem, incumbent, monitor)?;
        }
        if open && !incumbent.unique && dims.measurements <= LARGEST_SYSTEM {
            let gram = linear::measurement_gram(problem.map);
            if let Some(kernel) = linear::definite(gram, problem.par) {
                let inverse = |y: &mut [f64]| kernel.solve_vector(y);
                repair::repair(problem, &inverse, incumbent, monitor)?;
            }
        }
        return Ok(outcome);
    }
    repair::shorten(problem, incumbent, monitor)?;
    if done(incumbent, monitor) {
        return Ok(outcome);
    }
    if let Some(misfit) = linear::determined(problem, incumbent)? {
        outcome.misfit = (misfit > FEASIBLE).then_some(misfit);
        return Ok(outcome);
    }
    if dims.measurements > LARGEST_SYSTEM || dims.rows + dims.cols > LARGEST_CONE {
        large(problem, incumbent, monitor)?;
        return Ok(outcome);
    }
    if let Some(diagonal) = problem.map.diagonal_gram(&vec![1.0; dims.rows], &vec![1.0; dims.cols])
    {
        let inverse = |y: &mut [f64]| y.iter_mut().zip(&diagonal).for_each(|(y, d)| *y /= d);
        repair::repair(problem, &inverse, incumbent, monitor)?;
        if done(incumbent, monitor) {
            return Ok(outcome);
        }
        // A round costs a decomposition of order d, a step of the interior point one of order m.
        if dims.measurements > FIRST_ORDER_FIRST {
            splitting::splitting(problem, &inverse, FIRST_ROUNDS, incumbent, monitor)?;
            if done(incumbent, monitor) {
                return Ok(outcome);
            }
        }
    }
    let gram = linear::measurement_gram(problem.map);
    if let Some(kernel) = linear::definite(gram.clone(), problem.par) {
        repair::repair(problem, &|y: &mut [f64]| kernel.solve_vector(y), incumbent, monitor)?;
        if done(incumbent, monitor) {
            return Ok(outcome);
        }
        let z0 = linear::least_norm(problem, &kernel);
        let y0 = vec![0.0; problem.b.len()];
        interior_point::interior_point(problem, z0, y0, Some(&kernel), incumbent, monitor)?;
        if incumbent.unbounded {
            return no_fit(problem, outcome, incumbent);
        }
        if !done(incumbent, monitor) {
            // Degenerate to the limits of the Schur complement: first-order rounds go on from here.
            let inverse = |y: &mut [f64]| kernel.solve_vector(y);
            splitting::splitting(problem, &inverse, LAST_ROUNDS, incumbent, monitor)?;
        }
        return Ok(outcome);
    }
    // Dependent measurements: an independent set says all, unless the others contradict it.
    let subset = linear::independent(problem.map, gram);
    let b = subset.gather(problem.b);
    let smaller = Equality { map: &subset, b: &b, norm_b: norm(&b), ..*problem };
    if let Some(kernel) = linear::definite(linear::measurement_gram(&subset), problem.par) {
        let z0 = linear::least_norm(&smaller, &kernel);
        let misfit = norm(&linear::residual(problem, z0.as_ref())) / problem.norm_b;
        if misfit <= REPEATED {
            outcome.redundant = problem.b.len() - subset.kept.len();
            let mut inner = Incumbent::default();
            let y0 = vec![0.0; b.len()];
            interior_point::interior_point(&smaller, z0, y0, Some(&kernel), &mut inner, monitor)?;
            return adopt(problem, inner, |y| subset.spread(&y), outcome, incumbent);
        }
    }
    // Their Gram squares what sets nearly equal measurements apart; an orthonormal basis does not.
    if let Some(basis) = linear::orthonormal(problem) {
        outcome.redundant = problem.b.len() - basis.rank();
        let smaller = Equality {
            map: &basis.map,
            b: &basis.targets,
            norm_b: norm(&basis.targets),
            ..*problem
        };
        if let Some(kernel) = linear::definite(linear::measurement_gram(&basis.map), problem.par) {
            let z0 = linear::least_norm(&smaller, &kernel);
            let mut inner = Incumbent::default();
            let y0 = vec![0.0; basis.rank()];
            interior_point::interior_point(&smaller, z0, y0, Some(&kernel), &mut inner, monitor)?;
            return adopt(problem, inner, |y| basis.spread(y), outcome, incumbent);
        }
    }
    no_fit(problem, outcome, incumbent)
}

/// The least-squares fit of measurements that no matrix of the domain fits; bounds mean nothing.
pub(super) fn no_fit(
    problem: &Equality<'_>,
    mut outcome: Outcome,
    incumbent: &mut Incumbent,
) -> Result<Outcome, Error> {
    let (point, misfit) = linear::least_squares(problem)?;
    outcome.misfit = (misfit > FEASIBLE).then_some(misfit);
    *incumbent =
        Incumbent { best: Some(Candidate::fitting(point, misfit)), ..Incumbent::default() };
    Ok(outcome)
}

/// Largest misfit of the measurements that are left out as repeating others: rounding.
const REPEATED: f64 = 1e-13;

/// Offers the answer of an equivalent problem with fewer measurements; `spread` takes its dual
/// vectors to those of the whole.
fn adopt(
    problem: &Equality<'_>,
    inner: Incumbent,
    spread: impl Fn(Vec<f64>) -> Vec<f64>,
    outcome: Outcome,
    incumbent: &mut Incumbent,
) -> Result<Outcome, Error> {
    if inner.unbounded {
        return no_fit(problem, outcome, incumbent);
    }
    if let Some(Bound { y, lower }) = inner.bound {
        incumbent.offer_bound(Bound { y: spread(y), lower });
    }
    if let Some(best) = inner.best {
        incumbent.offer(problem.candidate(best.point));
    }
    incumbent.unique = inner.unique;
    Ok(outcome)
}
