//! The penalised form `min |Z|_* + |B(Z) - b|^2 / (2 rho)`, for targets with noise.
//!
//! Every `Z` is feasible, and `y = (b - B(Z)) / rho` is optimal where `Z` is, so that scaled to be
//! feasible it proves how close any `Z` comes.

use super::LARGEST_CONE;
use super::equality::{Equality, Incumbent, Monitor};
use super::interior_point::interior_point;
use super::linear::{LARGEST_SYSTEM, Rows, Unknowns, measurement_gram};
use super::point::Point;
use crate::Error;
use crate::linalg::{Cholesky, norm, row_major};
use crate::operator::DenseMap;

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
        let rule = "at most 6000 measurements, and 700 rows and columns together";
        return Err(Error::Parameter { name: "the size of a penalised problem", rule, got });
    }
    match Reduced::new(problem) {
        None => solve(problem, incumbent, monitor),
        Some(reduced) => {
            let smaller = Equality {
                map: &reduced.map,
                b: &reduced.targets,
                norm_b: norm(&reduced.targets),
                ..*problem
            };
            let mut inner = Incumbent::default();
            solve(&smaller, &mut inner, monitor)?;
            if let Some(bound) = inner.bound {
                incumbent.offer_bound(problem.bound(reduced.spread(&bound.y, problem))?.0);
            }
            inner.best.into_iter().for_each(|b| incumbent.offer(problem.candidate(b.point)));
            Ok(())
        }
    }
}

/// The interior-point method from the ridge regression `min |B(Z) - b|^2 + rho |Z|_F^2`, whose misfit
/// is of the right size.
fn solve(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let mut gram = measurement_gram(problem.map);
    (0..gram.nrows()).for_each(|i| gram[(i, i)] += problem.ridge);
    let mut weights = problem.b.to_vec();
    let what = "the factorisation of a penalised problem";
    Cholesky::new(gram, problem.par)
        .ok_or(Error::Factorisation { what })?
        .solve_vector(&mut weights);
    interior_point(problem, problem.map.adjoint_matrix(&weights), None, incumbent, monitor)
}

/// More measurements than unknowns, as many as unknowns: with `[vec B_i]_i = Q R`,
///
/// ```text
/// |B(Z) - b|^2 = |R vec Z - Q^T b|^2 + |b - Q Q^T b|^2,
/// ```
///
/// and the part of `y` beyond the range of `Q` is that of `b / rho`. Without this step a small ridge
/// would have to hold up the system in all the directions that no `Z` reaches.
struct Reduced {
    map: DenseMap,
    /// `Q^T b`.
    targets: Vec<f64>,
    rows: Rows,
}

impl Reduced {
    fn new(problem: &Equality<'_>) -> Option<Reduced> {
        let dims = problem.map.dims();
        let unknowns = Unknowns::new(problem);
        if dims.measurements <= unknowns.count() {
            return None;
        }
        let rows = Rows::new(problem, &unknowns)?;
        let mut data = Vec::with_capacity(rows.rank() * dims.rows * dims.cols);
        for i in 0..rows.rank() {
            data.extend(row_major(unknowns.measurement(&rows.row(i)).as_ref()));
        }
        let map = DenseMap::new(dims.rows, dims.cols, data).ok()?;
        Some(Reduced { map, targets: rows.project(problem.b), rows })
    }

    /// The dual vector over all measurements: `Q y + (b - Q Q^T b) / rho`.
    fn spread(&self, y: &[f64], problem: &Equality<'_>) -> Vec<f64> {
        let inside: Vec<f64> =
            y.iter().zip(&self.targets).map(|(y, b)| y - b / problem.ridge).collect();
        let spread = self.rows.combine(&inside);
        spread.iter().zip(problem.b).map(|(s, b)| s + b / problem.ridge).collect()
    }
}
