//! The roads to a certified split, and the report on it.
//!
//! | road | file | when |
//! |---|---|---|
//! | closed forms | `extremes.rs` | `lambda` or `tau` so large or so small that one part is zero |
//! | rank, completion, certificate | `identify.rs`, `certificate.rs` | first: an exact decomposition exists |
//! | rounds of splitting | `rounds.rs`, `splitting.rs` | otherwise |

mod certificate;
mod extremes;
mod identify;
mod incumbent;
mod posed;
mod rounds;
mod spectrum;
mod splitting;
#[cfg(test)]
mod tests;

use crate::decomposition::{Decomposition, Warning, unidentified};
use crate::problem::RobustPca;
use crate::program::{Form, Program, check};
use flatmin_core::linalg::{Par, max_abs, scale_columns};
use flatmin_core::solver::{Monitor, Stop};
use flatmin_core::{Error, Mat, MatRef, Status};
use incumbent::{Incumbent, Pair};
use posed::Posed;
use rounds::Rounds;
use spectrum::Spectrum;

/// Binary exponents of the largest entry within which squares keep all digits.
const SANE_EXPONENTS: f64 = 100.0;

/// First penalty, as a multiple of `1 / |Y|_op`.
const PENALTY: f64 = 1.25;

/// Entries of the sparse part below this part of the root mean square of `Y`, or the tolerance,
/// count as zero.
const ZERO: f64 = 1e-10;

pub(crate) fn solve(mut program: Program<'_>) -> Result<Decomposition, Error> {
    check(&program)?;
    let problem = program.problem;
    let par = if program.threads == 1 { Par::Seq } else { Par::rayon(program.threads) };
    let largest = max_abs(&problem.values);
    // Only what is far out of range is copied; a power of two keeps every digit.
    let exponent = if largest > 0.0 { largest.log2().floor() } else { 0.0 };
    let scale = if exponent.abs() > SANE_EXPONENTS { exponent.exp2() } else { 1.0 };
    let scaled: Vec<f64>;
    let y = if scale == 1.0 {
        &problem.values
    } else {
        scaled = problem.values.iter().map(|y| y / scale).collect();
        &scaled
    };
    let form = match program.form {
        Form::Constrained { tau } => Form::Constrained { tau: tau / scale },
        penalised => penalised,
    };
    let posed = Posed::new(problem, y, form, program.tolerance, par);
    let mut monitor = Monitor {
        observer: match &mut program.observer {
            Some(observer) => Some(observer.as_mut()),
            None => None,
        },
        limit: program.max_iterations,
        iterations: 0,
        stop: None,
        scale,
    };
    let mut incumbent = Incumbent::default();
    extremes::try_all(&posed, &mut incumbent)?;
    if !incumbent.certified(&posed) {
        travel(&posed, problem, program.rank, &mut incumbent, &mut monitor)?;
    }
    Ok(report(&posed, problem, program.form, scale, incumbent, &monitor))
}

/// Takes one road after the other until the answer is certified.
fn travel(
    posed: &Posed<'_>,
    problem: &RobustPca,
    hint: Option<usize>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let lambda = match posed.form {
        Form::Penalised { lambda } => lambda,
        Form::Constrained { .. } => problem.default_lambda(),
    };
    let mut spectrum = Spectrum::new(posed.rows, posed.cols, hint, posed.par);
    let norm = spectrum.above(posed.view(posed.y), |largest| 0.5 * largest)?.s[0];
    let q = 1.0 / norm.max(max_abs(posed.y) / lambda);
    let form = Form::Penalised { lambda };
    let mut rounds = Rounds::new(posed, form, PENALTY / norm, q);
    if let Some(x) = identify::rank(posed, &mut rounds, &mut spectrum, hint, monitor)? {
        let mut q = vec![0.0; posed.y.len()];
        rounds.multiplier(posed, &mut q);
        certificate::exactly(posed, &rounds, x, &q, incumbent, monitor)?;
    }
    if incumbent.certified(posed) {
        return Ok(());
    }
    rounds.adopt(posed, posed.form);
    splitting::splitting(posed, &mut rounds, &mut spectrum, incumbent, monitor)
}

/// Says what was found, in the caller's scale.
fn report(
    posed: &Posed<'_>,
    problem: &RobustPca,
    form: Form,
    scale: f64,
    incumbent: Incumbent,
    monitor: &Monitor<'_>,
) -> Decomposition {
    let gap = incumbent.gap(posed);
    let certified = incumbent.certified(posed);
    let pair = incumbent.best.unwrap_or_else(|| Pair::zero(posed));
    let (q, lower, largest) = match incumbent.bound {
        Some(bound) => (bound.q, bound.lower, bound.largest),
        None => (vec![0.0; posed.y.len()], 0.0, 0.0),
    };
    let (objective, lambda) = match posed.form {
        Form::Penalised { lambda } => (pair.nuclear + lambda * pair.deviation, lambda),
        Form::Constrained { .. } => (pair.nuclear, largest),
    };
    let feasibility = posed.excess(pair.deviation);
    let largest = pair.x.s.first().copied().unwrap_or(0.0);
    let roots: Vec<f64> = pair.x.s.iter().map(|s| (s * scale).sqrt()).collect();
    let (unidentified_rows, unidentified_cols) = unidentified(problem);
    let mut left = scale_columns(pair.x.u.as_ref(), &roots);
    let mut right = scale_columns(pair.x.v.as_ref(), &roots);
    // What nothing is known of is zero, not nearly so.
    unidentified_rows.iter().for_each(|&i| left.row_mut(i).fill(0.0));
    unidentified_cols.iter().for_each(|&j| right.row_mut(j).fill(0.0));
    let sparse = sparse_part(posed, scale, left.as_ref(), right.as_ref());
    let status = if certified {
        Status::Certified
    } else {
        match monitor.stop {
            Some(Stop::Limit) => Status::IterationLimit,
            Some(Stop::Interrupted) => Status::Interrupted,
            None => Status::Stalled,
        }
    };
    let zero = |m: &Mat<f64>| m.col_iter().all(|c| c.iter().all(|&v| v == 0.0));
    let mut warnings = Vec::new();
    if !unidentified_rows.is_empty() {
        warnings.push(Warning::UnidentifiedRows(unidentified_rows.len()));
    }
    if !unidentified_cols.is_empty() {
        warnings.push(Warning::UnidentifiedCols(unidentified_cols.len()));
    }
    match (max_abs(posed.y) == 0.0, pair.x.s.is_empty(), zero(&sparse)) {
        (true, ..) => warnings.push(Warning::ZeroMatrix),
        (_, true, _) if certified => warnings.push(Warning::AllSparse),
        (.., true) if certified => warnings.push(Warning::AllLowRank),
        _ => {}
    }
    if let (Form::Penalised { lambda }, true) = (posed.form, pair.deviation == 0.0) {
        let part = lambda * apart(posed, scale, left.as_ref(), right.as_ref()) / objective;
        if part > posed.tolerance {
            warnings.push(Warning::Rounding(part));
        }
    }
    Decomposition {
        form,
        status,
        // Sums of nothing are -0.
        objective: objective * scale + 0.0,
        lower_bound: lower * scale + 0.0,
        relative_gap: gap.min(1.0),
        feasibility,
        rank: pair.x.s.iter().filter(|&&s| s > 1e-7 * largest).count(),
        scaled_trace: scaled_trace(posed, left.as_ref(), right.as_ref()),
        iterations: monitor.iterations,
        lambda,
        tau: pair.deviation * scale,
        unidentified_rows,
        unidentified_cols,
        warnings,
        dual: posed.view(&q).to_owned(),
        left,
        right,
        sparse,
    }
}

/// `(2 / d1) sum_j n_j |R_j|^2 + (2 / d2) sum_i n_i |L_i|^2`, the `n` counting the seen entries of
/// columns and rows: `2 |L|_F^2 + 2 |R|_F^2` where everything is seen.
fn scaled_trace(posed: &Posed<'_>, left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> f64 {
    let (mut in_rows, mut in_cols) = (vec![0.0; posed.rows], vec![0.0; posed.cols]);
    for (j, count) in in_cols.iter_mut().enumerate() {
        let column = posed.seen.map(|seen| &seen[j * posed.rows..(j + 1) * posed.rows]);
        for (i, in_row) in in_rows.iter_mut().enumerate() {
            if column.is_none_or(|seen| seen[i]) {
                *in_row += 1.0;
                *count += 1.0;
            }
        }
    }
    let weighed = |a: MatRef<'_, f64>, n: &[f64]| -> f64 {
        a.col_iter().map(|c| c.iter().zip(n).map(|(v, n)| n * v * v).sum::<f64>()).sum()
    };
    2.0 / posed.rows as f64 * weighed(right, &in_cols)
        + 2.0 / posed.cols as f64 * weighed(left, &in_rows)
        + 0.0
}

/// `sum |Y - L R^T|` over the seen entries.
fn apart(posed: &Posed<'_>, scale: f64, left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> f64 {
    let x = flatmin_core::linalg::product(left, right.transpose());
    let x: Vec<f64> = x.col_iter().flat_map(|c| c.iter().map(|x| x / scale)).collect();
    posed.deviation(&x)
}

/// `Y - L R^T` where something is seen and the two differ by more than the answer's accuracy.
fn sparse_part(
    posed: &Posed<'_>,
    scale: f64,
    left: MatRef<'_, f64>,
    right: MatRef<'_, f64>,
) -> Mat<f64> {
    let zero = ZERO.max(0.1 * posed.tolerance) * posed.norm() / (posed.y.len() as f64).sqrt();
    let mut sparse = Mat::zeros(posed.rows, posed.cols);
    flatmin_core::linalg::multiply_par(sparse.as_mut(), left, right.transpose(), posed.par);
    for (j, column) in sparse.col_iter_mut().enumerate() {
        let start = j * posed.rows;
        for (i, x) in column.iter_mut().enumerate() {
            let seen = posed.seen.is_none_or(|seen| seen[start + i]);
            let rest = posed.y[start + i] - *x / scale;
            *x = if seen && rest.abs() > zero { rest * scale } else { 0.0 };
        }
    }
    sparse
}
