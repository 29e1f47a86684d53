//! Certified solutions of FLAT and NUC.
//!
//! Both are `min |Z|_*  s.t.  B(Z) = b` after the change of variables `X = P1 Z P2^T`
//! (`P_i = D_i^{-1}` for FLAT, `I` for NUC, on the directions that the measurements see). The fast
//! road, Gauss-Newton on matrices of one rank, guesses a rank and proves the answer afterwards. What
//! it cannot prove goes to the convex road: an interior-point method, or a splitting method where
//! that is too large. Whatever the road, the answer carries a dual vector `y` with
//! `|B*(y)|_op <= 1`, hence the lower bound `<b, y>`. Targets with noise have a road of their own
//! (`penalised.rs`).

mod domain;
mod equality;
mod exact;
mod fit;
mod gauss_newton;
mod interior_point;
mod linear;
mod matching;
mod monitor;
mod newton;
mod path;
mod penalised;
mod point;
mod polish;
mod program;
mod recovery;
mod repair;
mod sampled;
mod slack;
mod splitting;
mod variables;

pub use domain::Domain;
pub use monitor::{Monitor, Observer, Stop};
pub use path::Path;
pub use program::{Objective, Program};
pub use recovery::{Progress, Recovery, Status, Warning};

use crate::Mat;
use crate::error::Error;
use crate::linalg::{Par, max_abs, norm};
use crate::operator::{Dims, LinearMap, Selection, Whitened, Whitening};
use equality::{Bound, Equality, FEASIBLE, Incumbent, relative_gap};
use exact::Outcome;
use fit::{BACKWARD, CLOSE, Fit, in_range};
use point::Point;
use program::Form;
use sampled::{Posed, bounded, penalised as penalised_entries};
use slack::Slack;
use variables::Variables;

/// Largest noise bound, as a part of `|b|`, at which the equality form is tried first: its answer is
/// feasible, and its dual vector proves it but for `delta |y|`.
const SLIGHT: f64 = 1e-7;

/// Relative error of a sum over all measurements, generously.
const CANCELLED: f64 = 1e-14;

/// Solves a program; see [`Program::solve`].
fn solve(program: &mut Program<'_>) -> Result<Recovery, Error> {
    program::check(program)?;
    if let Form::Bounded(delta) = program.form {
        let size = norm(program.targets);
        if delta <= SLIGHT * size {
            let answer = solve_as(program, Form::Exact)?;
            let done = matches!(
                answer.status,
                Status::Certified | Status::Interrupted | Status::IterationLimit
            );
            // Below rounding a noise bound is none.
            if done || delta <= FEASIBLE * size {
                return Ok(answer);
            }
        }
    }
    solve_as(program, program.form)
}

/// Solves a program in its form, or with equality constraints; its report is of its own form.
fn solve_as(program: &mut Program<'_>, form: Form) -> Result<Recovery, Error> {
    let map = program.map;
    let variables = Variables::of(program)?;
    let Variables { rescaling, left, right } = &variables;
    let flat = program.objective == Objective::Flat;
    let domain = program.domain;
    let (penalty, noise) = match program.form {
        Form::Exact => (None, None),
        Form::Penalised(lambda) => (Some(lambda), None),
        Form::Bounded(delta) => (None, Some(delta)),
    };
    let delta = noise.unwrap_or(0.0);
    let penalised = penalty.is_some();
    let exact = form == Form::Exact;
    let mut observer = program.observer.take();
    let mut monitor = Monitor {
        observer: match &mut observer {
            Some(observer) => Some(observer.as_mut()),
            None => None,
        },
        limit: program.max_iterations,
        iterations: 0,
        stop: None,
        scale: max_abs(program.targets),
    };
    let seen = variables.dims(map);
    let found = match sparse(program, &variables, form, &mut monitor)? {
        Some(found) if found.is_final(program.tolerance, (seen, exact), &monitor) => found,
        other => dense(program, &variables, form, other, &mut monitor)?,
    };
    let Found { incumbent, outcome, weights, scale } = found;

    // Back to the caller's variables, where every claim is made.
    let point = match &incumbent.best {
        Some(best) => best.point.clone(),
        None => Point::zero(seen),
    };
    let none = || vec![0.0; program.targets.len()];
    let mut dual = incumbent.bound.as_ref().map_or_else(none, |bound| bound.y.clone());
    weigh(&mut dual, weights.as_deref());
    let (l, r) = point.balanced();
    let root = scale.sqrt();
    let grow = |p: &Whitening, f: &Mat<f64>| p.times(f.as_ref()) * faer::Scale(root);
    let (l, r) = (grow(left, &l), grow(right, &r));
    // lambda |Z|_* + |B(Z) - b|^2 / 2 is lambda times the objective at the ridge.
    let cost = incumbent.best.as_ref().map_or(0.0, |best| best.value);
    let unit = scale * penalty.unwrap_or(1.0);
    let (objective, mut lower_bound) = (unit * cost, unit * incumbent.lower());
    if exact {
        lower_bound -= delta * norm(&dual);
    }
    if delta > 0.0 {
        // <b, y> and delta |y| may cancel: what rounding leaves of them proves nothing.
        lower_bound -= CANCELLED * (lower_bound.abs() + 2.0 * delta * norm(&dual));
    }
    // Symmetric factors enter the loss twice: each block of the Hessian counts for two.
    let twice = if domain.is_symmetric() { 2.0 } else { 1.0 };
    let scaled_trace = twice
        * if flat {
            // 2 |D1 L|^2 + 2 |D2 R|^2 for factors of D1 X D2 = U S V^T.
            4.0 * scale * point.nuclear_norm()
        } else {
            rescaling.scaled_trace(l.as_ref(), r.as_ref())?
        };
    in_range("the answer", scale > 0.0, &[objective, scaled_trace, l.norm_max(), r.norm_max()])?;
    let norms = map.norms();
    let fit = Fit::of(map, &norms, program.targets, delta, &dual, l.as_ref(), r.as_ref());
    // What the Gram does not carry nobody can certify.
    let blur = left.error() + right.error();
    let slip = if objective > 0.0 && !penalised { fit.slip / objective } else { 0.0 };
    let fitted =
        penalised || (fit.feasibility <= CLOSE && (noise.is_some() || fit.worst <= BACKWARD));
    let sound = slip <= program.tolerance && blur <= program.tolerance && fitted;
    let fits = scale == 0.0 || incumbent.upper().is_finite();
    let gap = if fits { relative_gap(objective, lower_bound) } else { 1.0 };
    let shown = if exact || delta > 0.0 { gap } else { 0.0 };
    let proved = incumbent.gap().max(shown) <= program.tolerance;
    let status = match monitor.stop {
        _ if scale == 0.0 || (proved && sound) => Status::Certified,
        _ if outcome.misfit.is_some() && blur <= FEASIBLE => Status::Inconsistent,
        Some(Stop::Limit) => Status::IterationLimit,
        Some(Stop::Interrupted) => Status::Interrupted,
        None => Status::Stalled,
    };

    let unidentified_rows = rescaling.d1_squared.null_rows();
    let unidentified_cols = rescaling.d2_squared.null_rows();
    let mut warnings = Vec::new();
    if scale == 0.0 {
        warnings.push(Warning::ZeroTargets);
    }
    if !unidentified_rows.is_empty() {
        warnings.push(Warning::UnidentifiedRows(unidentified_rows.len()));
    }
    if !unidentified_cols.is_empty() {
        warnings.push(Warning::UnidentifiedCols(unidentified_cols.len()));
    }
    let seen_rows = rescaling.d1_squared.order() - unidentified_rows.len();
    let seen_cols = rescaling.d2_squared.order() - unidentified_cols.len();
    let (hidden_left, hidden_right) = (seen_rows - left.rank(), seen_cols - right.rank());
    let unseen = left.rank() < left.order() || right.rank() < right.order();
    if hidden_left + hidden_right > 0 {
        warnings.push(Warning::UnidentifiedDirections { left: hidden_left, right: hidden_right });
    }
    if outcome.redundant > 0 {
        warnings.push(Warning::RedundantMeasurements(outcome.redundant));
    }
    if blur > program.tolerance {
        warnings.push(Warning::IllConditioned(blur));
    }
    if !fitted && incumbent.gap() <= program.tolerance {
        warnings.push(Warning::Uneven(fit.worst));
    }
    if slip > program.tolerance && incumbent.gap() <= program.tolerance {
        warnings.push(Warning::Sensitive(slip));
    }
    if let Some(misfit) = outcome.misfit {
        warnings.push(Warning::Residual(misfit));
    }
    let iterations = monitor.iterations;
    program.observer = observer;
    Ok(Recovery {
        objective_kind: program.objective,
        domain,
        noise,
        penalty: penalty.or(noise.and_then(|delta| implied_penalty(delta, &dual))),
        status,
        objective,
        lower_bound,
        relative_gap: gap,
        feasibility: fit.feasibility,
        rank: numerical_rank(&point.s),
        // Along what no measurement sees nothing changes D1 X D2.
        unique: incumbent.unique && status.is_certified() && !(flat && unseen),
        scaled_trace,
        iterations,
        unidentified_rows,
        unidentified_cols,
        warnings,
        dual,
        left: l,
        right: r,
    })
}

/// The `lambda` at which the penalised form has the same solution: `b - A(X) = lambda y`.
fn implied_penalty(delta: f64, dual: &[f64]) -> Option<f64> {
    let size = norm(dual);
    (size > 0.0).then(|| delta / size)
}

/// What the roads found, in whitened variables and normalised targets.
struct Found {
    incumbent: Incumbent,
    outcome: Outcome,
    /// Factors that brought the measurements to one size.
    weights: Option<Vec<f64>>,
    /// Largest target after that, by which all were divided.
    scale: f64,
}

/// Matrices of more entries than this are not formed where the measurements do not ask for it.
const LARGEST_FORMED: usize = 1 << 20;

impl Found {
    /// Whether the roads that form matrices have nothing to add, or cannot.
    fn is_final(&self, tolerance: f64, (seen, exact): (Dims, bool), monitor: &Monitor<'_>) -> bool {
        let proved = self.incumbent.gap() <= tolerance;
        let large = if exact {
            seen.rows.saturating_mul(seen.cols) > LARGEST_FORMED
        } else {
            slack::is_large(seen)
        };
        proved || monitor.stop.is_some() || large
    }
}

/// `y_t <- w_t y_t`.
fn weigh(y: &mut [f64], weights: Option<&[f64]>) {
    y.iter_mut().zip(weights.into_iter().flatten()).for_each(|(y, w)| *y *= w);
}

fn threads(program: &Program<'_>) -> Par {
    if program.threads == 1 { Par::Seq } else { Par::rayon(program.threads) }
}

/// The road for many sampled entries, on which no matrix is formed; `None` where it does not lead.
fn sparse(
    program: &Program<'_>,
    variables: &Variables,
    form: Form,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Found>, Error> {
    let seen = variables.dims(program.map);
    let scale = max_abs(program.targets);
    let many = seen.rows.saturating_mul(seen.cols) >= sampled::LARGE
        || (form != Form::Exact && slack::is_large(seen));
    if program.domain != Domain::General || !many || scale == 0.0 {
        return Ok(None);
    }
    let Some(pattern) = program.map.pattern() else { return Ok(None) };
    let tolerance = program.tolerance;
    let unit = 1.0 / scale;
    let posed =
        Posed::new(&pattern, (program.targets, unit), variables, tolerance, threads(program));
    let Some(posed) = posed else { return Ok(None) };
    let mut incumbent = Incumbent::default();
    let start = variables.warm_start(program, scale)?;
    match form {
        Form::Exact => sampled::search(&posed, start, program.rank, &mut incumbent, monitor)?,
        Form::Penalised(lambda) => {
            let rho = lambda / scale;
            penalised_entries::search(&posed, rho, tolerance, start, &mut incumbent, monitor)?;
        }
        Form::Bounded(delta) => {
            bounded::search(&posed, delta / scale, start, &mut incumbent, monitor)?;
        }
    }
    Ok(Some(Found { incumbent, outcome: Outcome::default(), weights: None, scale }))
}

/// All other roads, from what is known already.
fn dense(
    program: &Program<'_>,
    variables: &Variables,
    form: Form,
    known: Option<Found>,
    monitor: &mut Monitor<'_>,
) -> Result<Found, Error> {
    let (map, domain, exact) = (program.map, program.domain, form == Form::Exact);
    let Variables { left, right, .. } = variables;
    // The map in whitened variables, its measurements brought to one size where they are not.
    let inner;
    let whitened = Whitened { map, left, right };
    let operator: &dyn LinearMap = if left.is_identity() && right.is_identity() {
        map
    } else if let Some(map) = map.in_variables(left, right) {
        inner = map;
        inner.as_ref()
    } else {
        &whitened
    };
    // Slack weighs the misfits as they are.
    let norms = map.norms();
    let weights = if exact { equilibration(&norms, operator, left, right) } else { None };
    let equilibrated;
    let operator = match &weights {
        None => operator,
        Some(weights) => {
            equilibrated = Selection::weighted(operator, weights.clone());
            &equilibrated
        }
    };
    let mut b = program.targets.to_vec();
    weigh(&mut b, weights.as_deref());
    let scale = max_abs(&b);
    b.iter_mut().for_each(|b| *b /= scale);
    let problem = Equality {
        map: operator,
        domain,
        b: &b,
        norm_b: norm(&b),
        slack: match form {
            Form::Exact => Slack::Exact,
            Form::Penalised(lambda) => Slack::Ridge(lambda / scale),
            Form::Bounded(delta) => Slack::Ball(delta / scale),
        },
        tolerance: program.tolerance,
        par: threads(program),
    };
    monitor.scale = scale;
    // In the same units what is known serves as it is.
    let known = known.filter(|_| weights.is_none()).map(|found| found.incumbent);
    let fitting = known.as_ref().and_then(|known| known.best.as_ref());
    let start = match fitting.filter(|best| best.is_feasible()) {
        Some(best) => Some(best.point.clone()),
        None => variables.warm_start(program, scale)?,
    };
    let mut incumbent = known.unwrap_or_default();
    let flat = program.objective == Objective::Flat;
    if flat && domain == Domain::Semidefinite && exact && scale > 0.0 {
        incumbent.bound = equally_flat(&problem, map.dims(), &norms, weights.as_deref());
    }
    let outcome = if scale > 0.0 && !exact {
        penalised::travel(&problem, start, &mut incumbent, monitor)?
    } else if scale > 0.0 {
        exact::travel(&problem, start, program.rank, &mut incumbent, monitor)?
    } else {
        Outcome::default()
    };
    Ok(Found { incumbent, outcome, weights, scale })
}

/// Measurements whose norms differ by more than this factor are brought to one size: systems in
/// them have the square of it in their condition.
const UNEVEN: f64 = 1e3;

/// Weights `1 / |B_i|_F` for the measurements in whitened variables, when their sizes differ much.
///
/// `|B_i|` lies within the condition of `P1` and `P2` of `|A_i|`, which is known: `plain`.
fn equilibration(
    plain: &[f64],
    whitened: &dyn LinearMap,
    left: &Whitening,
    right: &Whitening,
) -> Option<Vec<f64>> {
    let uneven = |norms: &[f64]| {
        let seen = norms.iter().filter(|&&n| n > 0.0);
        max_abs(norms) / seen.fold(f64::INFINITY, |a, &b| a.min(b))
    };
    if uneven(plain) * left.condition() * right.condition() <= UNEVEN {
        return None;
    }
    let norms = whitened.norms();
    let weight = |n: f64| if n > 0.0 { 1.0 / n } else { 1.0 };
    (uneven(&norms) > UNEVEN).then(|| norms.into_iter().map(weight).collect())
}

/// The bound that holds with equality at every `X >= 0` that fits, if there is one.
///
/// For measurements of rank one, `A_i = x_i x_i^T`, `A_i A_i^T = |A_i|_F A_i`, so that with
/// `y_i = |A_i|_F / (m d)`
///
/// ```text
/// tr(D X D) = <D^2, X> = sum_i |A_i|_F <A_i, X> / (m d) = <b, y>:
/// ```
///
/// all positive semidefinite matrices that fit are equally flat.
fn equally_flat(
    problem: &Equality<'_>,
    dims: Dims,
    norms: &[f64],
    weights: Option<&[f64]>,
) -> Option<Bound> {
    let unit = (dims.measurements * dims.rows) as f64;
    let mut y: Vec<f64> = norms.iter().map(|n| n / unit).collect();
    y.iter_mut().zip(weights.into_iter().flatten()).for_each(|(y, w)| *y /= w);
    // In whitened variables D^2 is the identity.
    let mut off = problem.map.adjoint_matrix(&y);
    (0..off.nrows()).for_each(|i| off[(i, i)] -= 1.0);
    let error = off.norm_l2();
    (error < 1e-10).then(|| problem.bound_of(y, 1.0 + error))
}

/// Number of singular values above [`RANK_FLOOR`] of the largest.
fn numerical_rank(s: &[f64]) -> usize {
    let floor = RANK_FLOOR * s.first().copied().unwrap_or(0.0);
    s.iter().filter(|&&s| s > floor).count()
}

/// Singular values below this fraction of the largest do not count towards the rank.
const RANK_FLOOR: f64 = 1e-7;

#[cfg(test)]
mod tests;
