//! The roads to a certified vector, and the report on it.
//!
//! | road | file | when |
//! |---|---|---|
//! | closed forms | here | as many independent measurements as unknowns, or `p = 2` |
//! | interior point, with an exact end on the support | `interior_point.rs`, `support.rs` | `p = 1`: two factors |
//! | Newton on the dual | `newton.rs` | `1 < p < 2` |
//! | those of targets with noise | `noisy.rs` | a penalty, or a bound on the misfit |

mod bridge;
mod frame;
mod incumbent;
mod interior_point;
mod lasso;
mod newton;
mod noisy;
mod posed;
mod support;
#[cfg(test)]
mod tests;

use crate::depth::Depth;
use crate::program::{Form, Program, check};
use crate::sparse::{Sparse, Warning};
use flatmin_core::linalg::{max_abs, norm};
use flatmin_core::solver::{Monitor, Stop};
use flatmin_core::{Error, Objective, Status};
use incumbent::{Incumbent, power_norm};
use noisy::{Goal, Noisy};
use posed::Posed;

/// Part of the tolerance at which the roads end, and the gap that no road need go below.
const GOAL: (f64, f64) = (1e-4, 1e-15);

/// Largest `|A x - b| / |b|` and backward error of a measurement in a certified answer.
const CLOSE: f64 = 1e-8;
const BACKWARD: f64 = 1e-6;

/// Entries of the least-norm `z` below this part of the largest that count as rounding.
const NOISE: f64 = 1e-14;

/// Entries of `w_j^{1/p} x_j` above this part of the largest count for the rank.
const NONZERO: f64 = 1e-7;

/// Part of `|b|` up to which a bound on the misfit is none.
const ROUNDING: f64 = 1e-13;

pub(crate) fn solve(mut program: Program<'_>) -> Result<Sparse, Error> {
    check(&program)?;
    let problem = program.problem;
    if max_abs(&problem.targets) == 0.0 {
        return zero(&program, Status::Certified);
    }
    let weighted = program.objective == Objective::Flat;
    if problem.matrix.norm_max() == 0.0 {
        return zero(&program, Status::Inconsistent);
    }
    let mut posed = posed(&program)?;
    let goal = goal(&program, &posed);
    let mut observer = program.observer.take();
    let mut monitor = Monitor {
        observer: match &mut observer {
            Some(observer) => Some(observer.as_mut()),
            None => None,
        },
        limit: program.max_iterations,
        iterations: 0,
        stop: None,
        scale: match goal {
            Some(Goal::Penalty(_)) => posed.size * posed.size,
            _ => objective_scale(&posed, weighted),
        },
    };
    let part = (program.tolerance * GOAL.0).max(GOAL.1);
    let mut incumbent = Incumbent::default();
    if max_abs(&posed.c) == 0.0 {
        // No vector is nearer to the targets than zero.
        return zero(&program, Status::Inconsistent);
    }
    if let Some(goal) = goal {
        posed.targets = scaled_targets(&program, &posed);
        let mut noisy = Noisy::new(&posed, goal);
        noisy.solve(part, &mut monitor)?;
        return report_noisy(&program, &noisy, &monitor);
    }
    if posed.rank() == posed.length() || posed.p == 2.0 {
        closed_form(&posed, &mut incumbent);
        incumbent.unique = true;
    } else if posed.p == 1.0 {
        interior_point::search(&posed, part, &mut incumbent, &mut monitor);
    } else {
        newton::search(&posed, part, &mut incumbent, &mut monitor);
        incumbent.unique = true;
    }
    report(&program, &posed, incumbent, &monitor)
}

/// The least penalty at which the answer is zero.
pub(crate) fn largest_penalty(program: &Program<'_>) -> Result<f64, Error> {
    check(program)?;
    let problem = program.problem;
    if max_abs(&problem.targets) == 0.0 || problem.matrix.norm_max() == 0.0 {
        return Ok(0.0);
    }
    let mut posed = posed(program)?;
    posed.targets = scaled_targets(program, &posed);
    let unit = dual_scale(&posed, program.objective == Objective::Flat);
    let largest = noisy::largest_penalty(&posed) / unit * posed.size;
    in_range("the largest penalty", &[largest])?;
    Ok(largest)
}

/// The variables of the solve.
fn posed(program: &Program<'_>) -> Result<Posed, Error> {
    let exponents = (program.depth.exponent()?, program.depth.dual_exponent()?);
    Posed::new(program.problem, exponents, program.objective == Objective::Flat)
}

/// The targets as given: those of the least-squares fit differ.
fn scaled_targets(program: &Program<'_>, posed: &Posed) -> Vec<f64> {
    program.problem.targets.iter().map(|b| b / posed.size).collect()
}

/// What a form for targets with noise asks for; `None` where it is `A x = b`, or a bound that no vector obeys.
fn goal(program: &Program<'_>, posed: &Posed) -> Option<Goal> {
    match program.form {
        Form::Exact => None,
        Form::Penalised(lambda) => {
            let unit = dual_scale(posed, program.objective == Objective::Flat);
            Some(Goal::Penalty(lambda * unit / posed.size))
        }
        Form::Bounded(delta) => {
            let delta = delta / posed.size;
            let size = norm(&scaled_targets(program, posed));
            let least = posed.misfit.unwrap_or(0.0).max(ROUNDING);
            (delta > least * size).then_some(Goal::Noise(delta))
        }
    }
}

/// The least-norm `z`, which is the only one or the best for `p = 2`, and the slopes that attain its norm.
fn closed_form(posed: &Posed, incumbent: &mut Incumbent) {
    let mut z = posed.adjoint(&posed.c);
    for _ in 0..2 {
        let more = posed.adjoint(&posed.residual(&z));
        z.iter_mut().zip(more).for_each(|(z, more)| *z += more);
    }
    let largest = max_abs(&z);
    // What is but rounding must not ask for multipliers.
    let slope = |z: &f64| match z.abs() / largest {
        size if size <= NOISE => 0.0,
        size => z.signum() * size.powf(posed.p - 1.0),
    };
    let u = posed.apply(&z.iter().map(slope).collect::<Vec<_>>());
    let s = posed.adjoint(&u);
    incumbent.offer_dual(posed, &u);
    incumbent.offer(posed, &z);
    if posed.p == 1.0 {
        let set = support::guess(posed.rank(), &z, &s);
        support::finish(posed, set, &z, &u, incumbent);
    }
}

/// From the objective in the variables of the solve to the caller's: `alpha^{2/p - 1} beta` with weights,
/// `beta / alpha` without.
fn objective_scale(posed: &Posed, weighted: bool) -> f64 {
    dual_scale(posed, weighted) * posed.size
}

/// The same for `y`.
fn dual_scale(posed: &Posed, weighted: bool) -> f64 {
    if weighted { posed.unit.powf(2.0 / posed.p - 1.0) } else { 1.0 / posed.unit }
}

/// Coordinates that no measurement depends on.
fn unidentified(program: &Program<'_>) -> Vec<usize> {
    let zero = |j: &usize| max_abs(program.problem.matrix.col_as_slice(*j)) == 0.0;
    (0..program.problem.matrix.ncols()).filter(zero).collect()
}

/// The answer zero, to targets that are zero or that no vector comes near.
fn zero(program: &Program<'_>, status: Status) -> Result<Sparse, Error> {
    let (m, d) = program.problem.shape();
    let unidentified = unidentified(program);
    let targets = &program.problem.targets;
    let size = norm(targets);
    let (noise, penalty) = asked(program);
    let fits = match program.form {
        Form::Exact => status.is_certified(),
        Form::Bounded(delta) => delta >= size,
        Form::Penalised(_) => true,
    };
    let mut warnings = Vec::new();
    if status.is_certified() {
        warnings.push(Warning::ZeroTargets);
    } else if !fits {
        warnings.push(Warning::Residual(1.0));
    }
    if !unidentified.is_empty() {
        warnings.push(Warning::Unidentified(unidentified.len()));
    }
    // A^T b = 0: y = b / lambda proves 1/2 |b|^2.
    let objective = if penalty.is_some() { 0.5 * size * size } else { 0.0 };
    let dual = penalty.map_or(vec![0.0; m], |lambda| targets.iter().map(|b| b / lambda).collect());
    in_range("the answer", &[objective, max_abs(&dual)])?;
    let misfit = if size == 0.0 { 0.0 } else { 1.0 };
    Ok(Sparse {
        depth: program.depth,
        objective_kind: program.objective,
        noise,
        penalty,
        status: if fits { Status::Certified } else { status },
        x: vec![0.0; d],
        objective,
        lower_bound: objective,
        relative_gap: if fits { 0.0 } else { 1.0 },
        feasibility: noise.map_or(misfit, |delta| (1.0 - delta / size).max(0.0)),
        rank: 0,
        unique: fits && (unidentified.is_empty() || program.objective == Objective::Nuclear),
        trace: 0.0,
        iterations: 0,
        unidentified,
        warnings,
        dual,
    })
}

/// The bound on the noise and the penalty that were asked for.
fn asked(program: &Program<'_>) -> (Option<f64>, Option<f64>) {
    match program.form {
        Form::Exact => (None, None),
        Form::Penalised(lambda) => (None, Some(lambda)),
        Form::Bounded(delta) => (Some(delta), None),
    }
}

/// What a road ends with, in the variables of the solve.
struct End {
    z: Vec<f64>,
    value: f64,
    lower: f64,
    y: Vec<f64>,
    /// From the objective to the caller's.
    scale: f64,
    status: Status,
    gap: f64,
    feasibility: f64,
    unique: bool,
    warnings: Vec<Warning>,
    iterations: usize,
}

/// How a solve ended that met the tolerance or did not.
fn status(met: bool, monitor: &Monitor<'_>) -> Status {
    match monitor.stop {
        _ if met => Status::Certified,
        Some(Stop::Limit) => Status::IterationLimit,
        Some(Stop::Interrupted) => Status::Interrupted,
        None => Status::Stalled,
    }
}

/// The report on targets with noise.
fn report_noisy(
    program: &Program<'_>,
    noisy: &Noisy<'_>,
    monitor: &Monitor<'_>,
) -> Result<Sparse, Error> {
    let posed = noisy.posed;
    let nothing = || (vec![0.0; posed.length()], 0.0);
    let (z, value) = noisy.best.clone().unwrap_or_else(nothing);
    let misfit = norm(&posed.misfits(&z));
    let (y, lower) = noisy.bound.clone().unwrap_or_else(|| (vec![0.0; posed.targets.len()], 0.0));
    let gap = match &noisy.best {
        Some(_) if value > 0.0 => (value - lower).abs() / value,
        Some(_) => 0.0,
        None => 1.0,
    };
    let (scale, feasibility) = match noisy.goal {
        Goal::Penalty(_) => (posed.size * posed.size, misfit / noisy.size),
        Goal::Noise(delta) => {
            let scale = objective_scale(posed, program.objective == Objective::Flat);
            (scale, (misfit - delta).max(0.0) / noisy.size)
        }
    };
    let mut warnings = Vec::new();
    let blur = max_abs(&posed.slope_errors(&y));
    if blur > program.tolerance && gap > program.tolerance {
        warnings.push(Warning::IllConditioned(blur));
    }
    let status = status(gap <= program.tolerance, monitor);
    let (unique, iterations) = (noisy.unique, monitor.iterations);
    assemble(
        program,
        posed,
        End { z, value, lower, y, scale, status, gap, feasibility, unique, warnings, iterations },
    )
}

/// Says what was found, in the caller's scale, where every claim is made anew.
fn report(
    program: &Program<'_>,
    posed: &Posed,
    incumbent: Incumbent,
    monitor: &Monitor<'_>,
) -> Result<Sparse, Error> {
    let weighted = program.objective == Objective::Flat;
    let found = incumbent.upper().is_finite();
    let z = incumbent.best.map_or_else(|| vec![0.0; posed.length()], |best| best.z);
    let x: Vec<f64> = z.iter().zip(&posed.spread).map(|(z, spread)| z * spread).collect();
    let value = power_norm(&z, posed.p);

    let m = posed.targets.len();
    let (y, lower) = incumbent.bound.unwrap_or_else(|| (vec![0.0; m], 0.0));
    let scale = objective_scale(posed, weighted);

    let given = scaled_targets(program, posed);
    let apart = posed.targets.iter().zip(&given);
    let misfits: Vec<f64> =
        posed.misfits(&z).iter().zip(apart).map(|(r, (fit, b))| r + (b - fit)).collect();
    let delta = asked(program).0.unwrap_or(0.0) / posed.size;
    let lower = lower - delta * norm(&y);
    let feasibility = (norm(&misfits) - delta).max(0.0) / norm(&given);
    let worst = posed.worst(&given, &misfits, &x);
    let slip = misfits.iter().zip(&y).map(|(r, y)| (r * y).abs()).sum::<f64>() / value;
    let gap = (value - lower).abs() / value;
    let fitted = feasibility <= CLOSE && worst <= BACKWARD;
    let tolerance = program.tolerance;
    let status = match posed.misfit {
        Some(_) => Status::Inconsistent,
        None => status(found && gap <= tolerance && slip <= tolerance && fitted, monitor),
    };

    let mut warnings = Vec::new();
    if posed.rank() < m {
        warnings.push(Warning::RedundantMeasurements(m - posed.rank()));
    }
    let blur = max_abs(&posed.slope_errors(&y));
    if blur > tolerance && gap > tolerance {
        warnings.push(Warning::IllConditioned(blur));
    }
    match posed.misfit {
        Some(misfit) => warnings.push(Warning::Residual(misfit)),
        None if gap <= tolerance && !fitted => warnings.push(Warning::Uneven(worst)),
        None if gap <= tolerance && slip > tolerance => warnings.push(Warning::Sensitive(slip)),
        None => {}
    }

    let gap = if posed.misfit.is_some() || !found { 1.0 } else { gap };
    let (unique, iterations) = (incumbent.unique, monitor.iterations);
    assemble(
        program,
        posed,
        End { z, value, lower, y, scale, status, gap, feasibility, unique, warnings, iterations },
    )
}

/// The answer in the caller's scale.
fn assemble(program: &Program<'_>, posed: &Posed, end: End) -> Result<Sparse, Error> {
    let weighted = program.objective == Objective::Flat;
    let (m, d) = program.problem.shape();
    let unidentified = unidentified(program);
    let mut warnings = Vec::new();
    if !unidentified.is_empty() {
        warnings.push(Warning::Unidentified(unidentified.len()));
    }
    warnings.extend(end.warnings);
    let unit = dual_scale(posed, weighted);
    let z = end.z;
    let x: Vec<f64> = z.iter().zip(&posed.spread).map(|(z, spread)| z * spread).collect();
    let mut full = vec![0.0; d];
    for (&j, x) in posed.seen.iter().zip(&x) {
        full[j] = x * (posed.size / posed.unit);
    }
    let largest = max_abs(&z);
    let trace = match program.depth {
        // 2 k times the p-th power of the weighted norm.
        Depth::Finite(k) => {
            let columns = posed.columns.iter().zip(&x);
            let sum: f64 = columns.map(|(a, x)| a * a * x.abs().powf(posed.p)).sum();
            let unit = (posed.unit.powf(2.0 / posed.p - 1.0) * posed.size).powf(posed.p);
            2.0 * k as f64 * (sum / m as f64) * unit
        }
        Depth::Infinite if largest == 0.0 => 0.0,
        Depth::Infinite => f64::INFINITY,
    };
    let objective = end.value * end.scale;
    let lower_bound = end.lower * end.scale;
    let dual: Vec<f64> = end.y.iter().map(|y| y * unit).collect();
    let (noise, penalty) = asked(program);
    let implied = noise.map(|delta| delta / norm(&dual)).filter(|v| v.is_finite() && *v > 0.0);
    in_range("the answer", &[objective, max_abs(&full), max_abs(&dual)])?;
    if let Depth::Finite(_) = program.depth {
        in_range("the trace of the Hessian", &[trace])?;
    }
    Ok(Sparse {
        depth: program.depth,
        objective_kind: program.objective,
        noise,
        penalty: penalty.or(implied),
        status: end.status,
        x: full,
        objective,
        lower_bound,
        relative_gap: end.gap,
        feasibility: end.feasibility,
        rank: z.iter().filter(|z| z.abs() > NONZERO * largest).count(),
        unique: end.unique && end.status.is_certified() && (unidentified.is_empty() || !weighted),
        trace,
        iterations: end.iterations,
        unidentified,
        warnings,
        dual,
    })
}

/// Magnitudes of an answer that keep their digits.
const SANE: (f64, f64) = (1e-305, 1e305);

/// Refuses what leaves double precision.
fn in_range(what: &str, magnitudes: &[f64]) -> Result<(), Error> {
    let sane = |v: f64| v == 0.0 || (SANE.0..=SANE.1).contains(&v);
    match magnitudes.iter().find(|&&v| !sane(v)) {
        None => Ok(()),
        Some(&magnitude) => Err(Error::Scale { what: what.into(), magnitude, sane: SANE }),
    }
}
