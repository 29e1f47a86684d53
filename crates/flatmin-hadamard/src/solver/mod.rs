//! The roads to a certified vector, and the report on it.
//!
//! | road | file | when |
//! |---|---|---|
//! | closed forms | here | as many independent measurements as unknowns, or `p = 2` |
//! | interior point, with an exact end on the support | `interior_point.rs`, `support.rs` | `p = 1`: two factors |
//! | Newton on the dual | `newton.rs` | `1 < p < 2` |

mod frame;
mod incumbent;
mod interior_point;
mod newton;
mod posed;
mod support;
#[cfg(test)]
mod tests;

use crate::depth::Depth;
use crate::program::{Program, check};
use crate::sparse::{Sparse, Warning};
use flatmin_core::linalg::{max_abs, norm};
use flatmin_core::solver::{Monitor, Stop};
use flatmin_core::{Error, Objective, Status};
use incumbent::{Incumbent, power_norm};
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

pub(crate) fn solve(mut program: Program<'_>) -> Result<Sparse, Error> {
    check(&program)?;
    let problem = program.problem;
    if max_abs(&problem.targets) == 0.0 {
        return Ok(zero(&program, Status::Certified));
    }
    let exponents = (program.depth.exponent()?, program.depth.dual_exponent()?);
    let weighted = program.objective == Objective::Flat;
    if problem.matrix.norm_max() == 0.0 {
        return Ok(zero(&program, Status::Inconsistent));
    }
    let posed = Posed::new(problem, exponents, weighted)?;
    let mut observer = program.observer.take();
    let mut monitor = Monitor {
        observer: match &mut observer {
            Some(observer) => Some(observer.as_mut()),
            None => None,
        },
        limit: program.max_iterations,
        iterations: 0,
        stop: None,
        scale: objective_scale(&posed, weighted),
    };
    let goal = (program.tolerance * GOAL.0).max(GOAL.1);
    let mut incumbent = Incumbent::default();
    if max_abs(&posed.c) == 0.0 {
        // No vector is nearer to the targets than zero.
        return Ok(zero(&program, Status::Inconsistent));
    }
    if posed.rank() == posed.length() || posed.p == 2.0 {
        closed_form(&posed, &mut incumbent);
        incumbent.unique = true;
    } else if posed.p == 1.0 {
        interior_point::search(&posed, goal, &mut incumbent, &mut monitor);
    } else {
        newton::search(&posed, goal, &mut incumbent, &mut monitor);
        incumbent.unique = true;
    }
    report(&program, &posed, incumbent, &monitor)
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
fn zero(program: &Program<'_>, status: Status) -> Sparse {
    let (m, d) = program.problem.shape();
    let unidentified = unidentified(program);
    let fits = status.is_certified();
    let mut warnings = vec![if fits { Warning::ZeroTargets } else { Warning::Residual(1.0) }];
    if !unidentified.is_empty() {
        warnings.push(Warning::Unidentified(unidentified.len()));
    }
    Sparse {
        depth: program.depth,
        objective_kind: program.objective,
        status,
        x: vec![0.0; d],
        objective: 0.0,
        lower_bound: 0.0,
        relative_gap: if fits { 0.0 } else { 1.0 },
        feasibility: if fits { 0.0 } else { 1.0 },
        rank: 0,
        unique: fits && (unidentified.is_empty() || program.objective == Objective::Nuclear),
        trace: 0.0,
        iterations: 0,
        unidentified,
        warnings,
        dual: vec![0.0; m],
    }
}

/// Says what was found, in the caller's scale, where every claim is made anew.
fn report(
    program: &Program<'_>,
    posed: &Posed,
    incumbent: Incumbent,
    monitor: &Monitor<'_>,
) -> Result<Sparse, Error> {
    let problem = program.problem;
    let weighted = program.objective == Objective::Flat;
    let (m, d) = problem.shape();
    let found = incumbent.upper().is_finite();
    let z = incumbent.best.map_or_else(|| vec![0.0; posed.length()], |best| best.z);
    let x: Vec<f64> = z.iter().zip(&posed.spread).map(|(z, spread)| z * spread).collect();
    let value = power_norm(&z, posed.p);

    let (y, lower) = incumbent.bound.unwrap_or_else(|| (vec![0.0; m], 0.0));
    let unit = dual_scale(posed, weighted);
    let scale = objective_scale(posed, weighted);

    // The targets as given: those of the least-squares fit differ.
    let given: Vec<f64> = problem.targets.iter().map(|b| b / posed.size).collect();
    let apart = posed.targets.iter().zip(&given);
    let misfits: Vec<f64> =
        posed.misfits(&z).iter().zip(apart).map(|(r, (fit, b))| r + (b - fit)).collect();
    let feasibility = norm(&misfits) / norm(&given);
    let worst = posed.worst(&given, &misfits, &x);
    let slip = misfits.iter().zip(&y).map(|(r, y)| (r * y).abs()).sum::<f64>() / value;
    let gap = (value - lower).abs() / value;
    let fitted = feasibility <= CLOSE && worst <= BACKWARD;
    let tolerance = program.tolerance;
    let status = match monitor.stop {
        _ if posed.misfit.is_some() => Status::Inconsistent,
        _ if found && gap <= tolerance && slip <= tolerance && fitted => Status::Certified,
        Some(Stop::Limit) => Status::IterationLimit,
        Some(Stop::Interrupted) => Status::Interrupted,
        None => Status::Stalled,
    };

    let mut warnings = Vec::new();
    let unidentified = unidentified(program);
    if !unidentified.is_empty() {
        warnings.push(Warning::Unidentified(unidentified.len()));
    }
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
        Depth::Infinite => f64::INFINITY,
    };
    let objective = value * scale;
    let lower_bound = lower * scale;
    let dual: Vec<f64> = y.iter().map(|y| y * unit).collect();
    in_range("the answer", &[objective, max_abs(&full), max_abs(&dual)])?;
    if let Depth::Finite(_) = program.depth {
        in_range("the trace of the Hessian", &[trace])?;
    }
    Ok(Sparse {
        depth: program.depth,
        objective_kind: program.objective,
        status,
        x: full,
        objective,
        lower_bound,
        relative_gap: if posed.misfit.is_some() || !found { 1.0 } else { gap },
        feasibility,
        rank: z.iter().filter(|z| z.abs() > NONZERO * largest).count(),
        unique: incumbent.unique && status.is_certified() && (unidentified.is_empty() || !weighted),
        trace,
        iterations: monitor.iterations,
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
