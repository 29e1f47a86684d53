//! Targets with noise: the penalised form `min |Z|_* + |B(Z) - b|^2 / (2 rho)` and the bounded one,
//! `min |Z|_*  s.t.  |B(Z) - b| <= delta`.
//!
//! In both the misfit is a positive multiple of the dual vector, `b - B(Z) = rho y` where `Z` and `y`
//! are optimal. In the penalised form `rho` is given and every `Z` is feasible. In the bounded form
//! `rho = delta / |y|`, and any `Z` near the solution has a multiple that is feasible.

use super::equality::{Bound, Equality, Incumbent};
use super::exact::{Outcome, no_fit};
use super::interior_point::interior_point;
use super::linear::{Rows, Unknowns, measurement_gram};
use super::monitor::Monitor;
use super::newton::newton;
use super::point::Point;
use super::slack::{Slack, is_large, too_large};

use crate::linalg::{Cholesky, kernel::dot, norm, operator_norm, row_major};
use crate::operator::DenseMap;
use crate::{Error, Mat};

/// Offers the best answer that can be found.
pub(super) fn travel(
    problem: &Equality<'_>,
    start: Option<Point>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<Outcome, Error> {
    let dims = problem.map.dims();
    incumbent.offer(problem.candidate(Point::zero(dims)));
    let nothing = dims.rows == 0 || dims.cols == 0;
    match problem.slack {
        Slack::Ridge(rho) => {
            // Where the penalty is heavy enough zero is the answer. Measurements that see nothing
            // have only the zero matrix.
            let y: Vec<f64> = problem.b.iter().map(|b| b / rho).collect();
            let bound = if nothing { problem.bound_of(y, 0.0) } else { problem.bound(y)?.0 };
            incumbent.offer_bound(bound);
        }
        _ if incumbent.upper() == 0.0 => {
            incumbent.offer_bound(Bound { y: vec![0.0; dims.measurements], lower: 0.0 });
            incumbent.unique = true;
        }
        _ => {}
    }
    if incumbent.gap() <= problem.tolerance {
        return Ok(Outcome::default());
    }
    if nothing {
        return Ok(Outcome { misfit: Some(1.0), ..Outcome::default() });
    }
    if is_large(dims) {
        return Err(too_large(dims));
    }
    if let Some(start) = start {
        newton(problem, start, incumbent, monitor)?;
        if incumbent.gap() <= problem.tolerance || monitor.stop.is_some() {
            return Ok(Outcome::default());
        }
    }
    let outcome = match convex(problem, incumbent, monitor) {
        // Lost in rounding: what was found so far stands.
        Err(Error::Factorisation { .. }) => Outcome::default(),
        other => other?,
    };
    if let Slack::Ball(delta) = problem.slack
        && incumbent.gap() > problem.tolerance
        && monitor.stop.is_none()
        && outcome.misfit.is_none()
    {
        by_penalty(problem, delta, incumbent, monitor)?;
    }
    if let Some(best) = &incumbent.best
        && incumbent.gap() > problem.tolerance
        && monitor.stop.is_none()
    {
        // The last digits are Newton's.
        let start = best.point.clone().trimmed(1e-7);
        newton(problem, start, incumbent, monitor)?;
    }
    Ok(outcome)
}

/// Least `rho` that double precision carries, targets being at most one.
const SMALLEST: f64 = 1e-15;

/// Penalised problems that are solved in place of one with a bound.
const PENALTIES: usize = 25;

/// The bounded form by the penalised one, where the direct road stalled: the misfit rises with `rho`,
/// and where it is `delta` the two are one. A safeguarded secant on logarithms; an error in `rho`
/// enters the gap by its square.
fn by_penalty(
    problem: &Equality<'_>,
    delta: f64,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let y = incumbent.bound.as_ref().map_or(0.0, |bound| norm(&bound.y));
    let mut log = if y > 0.0 { (delta / y).ln() } else { delta.ln() };
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    let mut before: Option<(f64, f64)> = None;
    for _ in 0..PENALTIES {
        let ridge = Equality { slack: Slack::Ridge(log.exp()), ..*problem };
        let mut inner = Incumbent::default();
        // What another road cannot do either changes nothing.
        if log < SMALLEST.ln() || travel(&ridge, None, &mut inner, monitor).is_err() {
            break;
        }
        let Some(best) = inner.best else { break };
        let misfit = norm(&problem.residual(&best.point)).max(f64::MIN_POSITIVE);
        incumbent.offer(problem.candidate(best.point));
        if let Some(bound) = inner.bound {
            incumbent.offer_bound(problem.bound(bound.y)?.0);
        }
        let off = (misfit / delta).ln();
        if incumbent.gap() <= problem.tolerance || monitor.stop.is_some() || off == 0.0 {
            break;
        }
        if off > 0.0 {
            high = log
        } else {
            low = log
        }
        let slope = before.map_or(1.0, |(log0, off0)| (off - off0) / (log - log0));
        before = Some((log, off));
        let step = (off / slope.clamp(0.05, 2.0)).clamp(-7.0, 7.0);
        let next = log - step;
        log = if next > low && next < high { next } else { 0.5 * (low + high) };
        if !log.is_finite() || high - low <= 1e-9 {
            break;
        }
    }
    Ok(())
}

/// The road that needs no start.
fn convex(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<Outcome, Error> {
    let Some(reduced) = Reduced::new(problem) else {
        return solve(problem, incumbent, monitor);
    };
    let Some(slack) = reduced.slack(problem) else {
        return no_fit(problem, Outcome::default(), incumbent);
    };
    let smaller = Equality {
        map: &reduced.map,
        b: &reduced.targets,
        norm_b: norm(&reduced.targets),
        slack,
        ..*problem
    };
    let mut inner = Incumbent::default();
    let outcome = solve(&smaller, &mut inner, monitor)?;
    if outcome.misfit.is_some() {
        return no_fit(problem, outcome, incumbent);
    }
    if let Some(bound) = inner.bound {
        let y = reduced.spread(&bound.y, slack.weight(&bound.y));
        incumbent.offer_bound(problem.bound(y)?.0);
    }
    inner.best.into_iter().for_each(|b| incumbent.offer(problem.candidate(b.point)));
    Ok(outcome)
}

/// The interior-point method from a ridge regression `min |B(Z) - b|^2 + rho |Z|_F^2` whose misfit is
/// of the right size: `Z = B*(w)` with `b - B(Z) = rho w`, so that `w` has the direction of a dual
/// vector that goes with it.
fn solve(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<Outcome, Error> {
    let gram = measurement_gram(problem.map);
    let weights = match problem.slack {
        Slack::Ball(delta) => Ridge { problem, gram: &gram }.of_misfit(delta),
        _ => Ridge { problem, gram: &gram }.weights(problem.slack.weight(&[])).map(|(w, _)| w),
    };
    let what = "the factorisation of a problem with noise";
    let weights = weights.ok_or(Error::Factorisation { what })?;
    let z0 = problem.map.adjoint_matrix(&weights);
    if !z0.norm_l2().is_finite() {
        return Ok(Outcome::default());
    }
    let mut y = vec![0.0; weights.len()];
    if matches!(problem.slack, Slack::Ball(_)) {
        // Half way to the boundary.
        let half = 0.5 / operator_norm(z0.as_ref())?.max(f64::MIN_POSITIVE);
        y.iter_mut().zip(&weights).for_each(|(y, w)| *y = half * w);
    }
    interior_point(problem, z0, y, None, incumbent, monitor)?;
    if incumbent.unbounded {
        return no_fit(problem, Outcome::default(), incumbent);
    }
    Ok(Outcome::default())
}

/// Misfit of a starting point, as a part of the one that is wanted: near enough.
const NEAR_ENOUGH: f64 = 0.05;

/// Ridge regressions of all strengths: `w = (B B* + rho I)^{-1} b`.
struct Ridge<'a> {
    problem: &'a Equality<'a>,
    gram: &'a Mat<f64>,
}

impl Ridge<'_> {
    /// `w` and `(B B* + rho I)^{-1} w`; `None` where the matrix is not definite.
    fn weights(&self, rho: f64) -> Option<(Vec<f64>, Vec<f64>)> {
        let mut gram = self.gram.clone();
        (0..gram.nrows()).for_each(|i| gram[(i, i)] += rho);
        let factor = Cholesky::new(gram, self.problem.par)?;
        let mut weights = self.problem.b.to_vec();
        factor.solve_vector(&mut weights);
        let mut again = weights.clone();
        factor.solve_vector(&mut again);
        Some((weights, again))
    }

    /// `w` where the misfit `rho |w|` is about `delta`: Newton's method on its logarithm as a function
    /// of that of `rho`, which rises with a slope of at most one.
    fn of_misfit(&self, delta: f64) -> Option<Vec<f64>> {
        let m = self.gram.nrows();
        let size = (0..m).map(|i| self.gram[(i, i)]).sum::<f64>() / m as f64;
        let (mut low, mut high) = (1e-15 * size, 1e15 * size);
        let mut rho = (size * delta / (self.problem.norm_b - delta)).clamp(low, high);
        let mut found = None;
        for _ in 0..40 {
            let Some((w, again)) = self.weights(rho) else {
                low = rho;
                rho = (low * high).sqrt();
                continue;
            };
            let ratio = rho * norm(&w) / delta;
            let slope = 1.0 - rho * dot(&w, &again) / dot(&w, &w);
            found = Some(w);
            if (ratio - 1.0).abs() <= NEAR_ENOUGH || high <= 1.01 * low {
                break;
            }
            if ratio > 1.0 {
                high = rho;
            } else {
                low = rho;
            }
            let next = rho * (-ratio.ln() / slope.max(1e-3)).exp();
            rho = if next > low && next < high { next } else { (low * high).sqrt() };
        }
        found
    }
}

/// More measurements than unknowns, as many as unknowns: with `[vec B_i]_i = Q R`,
///
/// ```text
/// |B(Z) - b|^2 = |R vec Z - Q^T b|^2 + |b - Q Q^T b|^2,
/// ```
///
/// and the part of `y` beyond the range of `Q` is that of `b / rho`. Without this step a small ridge
/// would have to hold up the system in all the directions that no `Z` reaches. A bound `delta`
/// becomes `(delta^2 - |b - Q Q^T b|^2)^{1/2}`.
struct Reduced {
    map: DenseMap,
    /// `Q^T b`.
    targets: Vec<f64>,
    /// `b - Q Q^T b`.
    beyond: Vec<f64>,
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
        let targets = rows.project(problem.b);
        let fitted = rows.combine(&targets);
        let beyond = problem.b.iter().zip(fitted).map(|(b, f)| b - f).collect();
        Some(Reduced { map, targets, beyond, rows })
    }

    /// What the misfit may be within the range; `None` where nothing comes near enough.
    fn slack(&self, problem: &Equality<'_>) -> Option<Slack> {
        let Slack::Ball(delta) = problem.slack else { return Some(problem.slack) };
        let beyond = norm(&self.beyond);
        let within = (delta - beyond) * (delta + beyond);
        (within > 0.0).then(|| Slack::Ball(within.sqrt()))
    }

    /// The dual vector over all measurements: `Q y + (b - Q Q^T b) / rho`.
    fn spread(&self, y: &[f64], rho: f64) -> Vec<f64> {
        self.rows.combine(y).iter().zip(&self.beyond).map(|(q, b)| q + b / rho).collect()
    }
}
