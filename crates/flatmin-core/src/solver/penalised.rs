//! The penalised form `min |Z|_* + |B(Z) - b|^2 / (2 rho)`, for targets with noise.
//!
//! Every `Z` is feasible, and `y = (b - B(Z)) / rho` is optimal where `Z` is, so that scaled to be
//! feasible it proves how close any `Z` comes.

use super::LARGEST_CONE;
use super::equality::{Equality, Incumbent, Monitor};
use super::interior_point::interior_point;
use super::linear::LARGEST_SYSTEM;
use super::point::Point;
use crate::Error;
use crate::linalg::{inner, kernel::dot};

/// Offers the best answer that can be found.
pub(super) fn travel(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let dims = problem.map.dims();
    incumbent.offer(problem.candidate(Point::zero(dims)));
    if dims.rows == 0 || dims.cols == 0 {
        // Measurements that see nothing have only the zero matrix, whose misfit is their dual.
        let y = problem.b.iter().map(|b| b / problem.ridge).collect();
        incumbent.offer_bound(problem.bound_of(y, 0.0));
        return Ok(());
    }
    // Where the penalty is heavy enough zero is the answer.
    let (bound, _) = problem.bound(problem.b.iter().map(|b| b / problem.ridge).collect())?;
    incumbent.offer_bound(bound);
    if incumbent.gap() <= problem.tolerance {
        return Ok(());
    }
    if dims.measurements > LARGEST_SYSTEM || dims.rows + dims.cols > LARGEST_CONE {
        let got = format!("{} measurements of {} x {}", dims.measurements, dims.rows, dims.cols);
        let rule = "at most 6000 measurements, and at most 700 rows and columns together";
        return Err(Error::Parameter { name: "a penalised problem", rule, got });
    }
    // The multiple of B*(b) that fits best sets the size of the first iterate.
    let back = problem.map.adjoint_matrix(problem.b);
    let mut image = vec![0.0; dims.measurements];
    problem.map.apply(back.as_ref(), &mut image);
    let step = inner(back.as_ref(), back.as_ref()) / dot(&image, &image).max(f64::MIN_POSITIVE);
    interior_point(problem, back * faer::Scale(step), None, incumbent, monitor)
}
