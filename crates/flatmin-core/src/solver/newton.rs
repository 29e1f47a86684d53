//! From a point near the solution of the penalised form: Newton's method in the factors.
//!
//! With as many columns as the solution has, or more, the penalised form is the smooth problem
//!
//! ```text
//! min  (|L|_F^2 + |R|_F^2) / 2 + |B(L R^T) - b|^2 / (2 rho),
//! ```
//!
//! and with `W = B*(y)`, `y = (b - B(L R^T)) / rho`, its Hessian takes `(U, V)` to
//!
//! ```text
//! (U - W V, V - W^T U) + J^T J (U, V) / rho,        J (U, V) = B(U R^T + L V^T).
//! ```
//!
//! Where `|W|_op <= 1`, which is what optimality asks of `W`, it is semidefinite, and definite but for
//! the rotations of the factors. Columns that the solution does not have go to zero, quadratically,
//! too; where it has one more, `W` shows it: `|W|_op > 1`, and the leading singular pair is added.
//! Over symmetric domains `R = L S`, `S = diag(±1)`, and the same holds of half the objective.

use super::domain::Domain;
use super::equality::{Bound, Equality, Incumbent};
use super::gauss_newton::LARGEST_TANGENT;
use super::monitor::Monitor;
use super::point::{Point, beside, stack};
use super::slack::Slack;
use crate::linalg::{self, Cholesky, inner, norm, product};
use crate::{Error, Mat, MatRef};

/// Damping beside the identity, for the rotations.
const DAMPING: f64 = 1e-10;

/// Steps at one rank, and ranks, before another road is taken.
const STEPS: usize = 20;
const RANKS: usize = 6;

/// Excess of `|W|_op` over one from which a rank is too low.
const FAR: f64 = 1e-3;

/// Decrease of the objective, relative to it, below which a rank has given what it has.
const SETTLED: f64 = 1e-13;

/// A point with what a step from it needs.
struct Here {
    point: Point,
    value: f64,
    bound: Bound,
    w: Mat<f64>,
    /// Values of `W` that optimality bounds by one.
    largest: f64,
}

impl Here {
    fn new(problem: &Equality<'_>, rho: f64, point: Point) -> Result<Here, Error> {
        let y: Vec<f64> = problem.residual(&point).iter().map(|r| -r / rho).collect();
        let value = point.nuclear_norm() + problem.slack.cost(rho * norm(&y));
        let w = problem.map.adjoint_matrix(&y);
        let largest = problem.domain.dual_norm(w.as_ref(), problem.par)?;
        Ok(Here { point, value, bound: problem.bound_of(y, largest), w, largest })
    }
}

/// Offers what it finds from `start`; says nothing where it loses its way.
pub(super) fn newton(
    problem: &Equality<'_>,
    start: Point,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let Slack::Ridge(rho) = problem.slack else { return Ok(()) };
    let dims = problem.map.dims();
    let width = if problem.domain.is_symmetric() { dims.rows } else { dims.rows + dims.cols };
    let mut here = Here::new(problem, rho, start)?;
    for _ in 0..RANKS {
        for _ in 0..STEPS {
            incumbent.offer_bound(here.bound.clone());
            incumbent.offer(problem.candidate(here.point.clone()));
            let rank = here.point.rank();
            if incumbent.gap() <= problem.tolerance || rank == 0 || rank * width > LARGEST_TANGENT {
                break;
            }
            let lower = incumbent.lower();
            if !monitor.tick("Newton", here.value, lower, 0.0, rank) {
                return Ok(());
            }
            let before = here.value;
            match step(problem, rho, &here)? {
                Some(next) => here = next,
                None => break,
            }
            // A rank too low need not be exhausted.
            let open = here.largest > 1.0 + FAR;
            let gap = here.value - here.bound.lower;
            let enough = if open { 0.01 * gap } else { SETTLED * before };
            if before - here.value <= enough {
                break;
            }
        }
        incumbent.offer_bound(here.bound.clone());
        incumbent.offer(problem.candidate(here.point.clone()));
        let full = here.point.rank() >= dims.rows.min(dims.cols);
        if incumbent.gap() <= problem.tolerance || here.largest <= 1.0 || full {
            break;
        }
        match widened(problem, rho, &here)? {
            Some(point) => here = Here::new(problem, rho, point)?,
            None => break,
        }
    }
    Ok(())
}

/// A damped step that lowers the objective.
fn step(problem: &Equality<'_>, rho: f64, here: &Here) -> Result<Option<Here>, Error> {
    let (l, r) = here.point.balanced();
    let (w, symmetric) = (here.w.as_ref(), problem.domain.is_symmetric());
    let (d1, d2, k) = (l.nrows(), r.nrows(), l.ncols());
    let n = if symmetric { k * d1 } else { k * (d1 + d2) };
    let mut hessian = Mat::zeros(n, n);
    if symmetric {
        problem.map.gradient_normal(r.as_ref(), hessian.as_mut());
        hessian *= faer::Scale(2.0 / rho);
    } else {
        problem.map.tangent_normal(l.as_ref(), r.as_ref(), hessian.as_mut());
        hessian *= faer::Scale(1.0 / rho);
    }
    // What W has beyond one would make the rest indefinite.
    let damping = DAMPING + 1.1 * (here.largest - 1.0).max(0.0);
    (0..n).for_each(|i| hessian[(i, i)] += 1.0 + damping);
    for c in 0..k {
        if symmetric {
            let sign = inner(here.point.u.subcols(c, 1), here.point.v.subcols(c, 1)).signum();
            subtract(&mut hessian, (c * d1, c * d1), sign, w);
        } else {
            subtract(&mut hessian, (k * d1 + c * d2, c * d1), 1.0, w.transpose());
        }
    }
    let Some(factor) = Cholesky::new(hessian, problem.par) else { return Ok(None) };
    let left = &l - product(w, r.as_ref());
    let right = &r - product(w.transpose(), l.as_ref());
    let mut direction = if symmetric { stack(&[&left]) } else { stack(&[&left, &right]) };
    factor.solve_vector(&mut direction);
    let mut size = 1.0;
    while size > 1e-3 {
        let moved = |f: &Mat<f64>, from: usize| {
            let part = &direction[from..from + f.nrows() * k];
            f - MatRef::from_column_major_slice(part, f.nrows(), k) * faer::Scale(size)
        };
        let left = moved(&l, 0);
        let right = if symmetric {
            let signs: Vec<f64> = (0..k)
                .map(|c| inner(here.point.u.subcols(c, 1), here.point.v.subcols(c, 1)).signum())
                .collect();
            linalg::scale_columns(left.as_ref(), &signs)
        } else {
            moved(&r, k * d1)
        };
        let point = problem.domain.point_of(left.as_ref(), right.as_ref())?.trimmed(1e-14);
        let next = Here::new(problem, rho, point)?;
        if next.value < here.value {
            return Ok(Some(next));
        }
        size *= 0.25;
    }
    Ok(None)
}

/// Subtracts `factor W` at a corner of a lower triangle.
fn subtract(lower: &mut Mat<f64>, (i, j): (usize, usize), factor: f64, w: MatRef<'_, f64>) {
    let mut block = lower.as_mut().submatrix_mut(i, j, w.nrows(), w.ncols());
    for (column, w) in block.as_mut().col_iter_mut().zip(w.col_iter()) {
        column.iter_mut().zip(w.iter()).for_each(|(l, w)| *l -= factor * w);
    }
}

/// More columns, along leading pairs of `W` beyond one, half as many again at most, and as far as
/// pays: `F` falls along `t u v^T` by `t (w - 1) - t^2 |B(u v^T)|^2 / (2 rho)`.
fn widened(problem: &Equality<'_>, rho: f64, here: &Here) -> Result<Option<Point>, Error> {
    let pairs = problem.domain.decompose(here.w.as_ref(), problem.par)?;
    let beyond = pairs.s.iter().take_while(|&&w| w > 1.0 + FAR).count();
    let count = beyond.clamp(1, here.point.rank() / 2 + 1).min(pairs.rank());
    let mut lead = pairs.leading(count);
    for j in 0..count {
        let mut image = vec![0.0; problem.b.len()];
        let (u, v) = (lead.u.as_ref().subcols(j, 1), lead.v.as_ref().subcols(j, 1));
        problem.map.apply_factored(u, v, &mut image);
        let length = norm(&image);
        if length == 0.0 {
            return Ok(None);
        }
        lead.s[j] = rho * (lead.s[j] - 1.0).max(0.0) / (length * length * count as f64);
    }
    if count == 0 {
        return Ok(None);
    }
    let ((l, r), (u, v)) = (here.point.balanced(), lead.balanced());
    let (l, r) = (beside(l.as_ref(), u.as_ref()), beside(r.as_ref(), v.as_ref()));
    if problem.domain == Domain::General {
        return Ok(Some(Point::from_factors(l.as_ref(), r.as_ref())?));
    }
    Ok(Some(problem.domain.point_of(l.as_ref(), r.as_ref())?))
}
