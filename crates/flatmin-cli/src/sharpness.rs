//! `flatmin sharpness`: the loss and the exact traces of its Hessian at given factors.
//!
//! Symmetric models have one block of factors `U = (U1, U2)` with signs `s`, and the loss
//! `(1/m) |A(U diag(s) U^T) - b|^2`; with residuals `r_i`, the columns of `U` of one sign share
//!
//! ```text
//! (8/m) <sum_i A_i^2, U_j U_j^T> + (4/m) k_j s_j sum_i r_i tr A_i,      k_j columns of sign s_j
//! ```
//!
//! of the trace of its Hessian.

use crate::args::{SharpnessSettings, SplitSharpnessSettings};
use crate::models::{Model, Problem, RpcaFiles};
use crate::report::{self, Sharpness};
use crate::{Ending, Error, read};
use flatmin::core::{Domain, Error as CoreError, Mat, MatRef, SymmetricLoss};
use flatmin::rpca::RobustLoss;
use std::path::{Path, PathBuf};

/// By how much of a column's largest element two columns may differ and count as equal.
const ROUNDING: f64 = 1e-12;

/// Runs the subcommand for a model.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run<M: Model>(files: &M, settings: &SharpnessSettings) -> Result<Ending, Error> {
    let (l, r, place) = factors(&settings.factors)?;
    let (l, r) = (l.as_ref(), r.as_ref());
    let problem = M::pose(files.read()?)?;
    let refused = |source| Error::Problem { place: place.clone(), source };
    // Says whether the factors fit the problem, which the losses take for granted.
    let factored = factored::<M>(&problem, l, r).map_err(refused)?;
    let sharpness = match problem.domain() {
        Domain::General => factored,
        Domain::Symmetric | Domain::Semidefinite => {
            let signs = signs(l, r).map_err(|column| {
                let place = place.clone();
                Error::Asymmetric { place, column }
            })?;
            symmetric::<M>(&problem, l, &signs).map_err(refused)?
        }
    };
    report::print(&sharpness, settings.json)?;
    Ok(Ending::Solved)
}

/// Runs the subcommand for robust PCA: the loss is `dist^2(Y - L R^T, {sum |S| <= tau})`, and the
/// traces are those of the smooth majoriser that touches it at the factors.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn split(files: &RpcaFiles, settings: &SplitSharpnessSettings) -> Result<Ending, Error> {
    let (l, r, place) = factors(&settings.factors)?;
    let (l, r) = (l.as_ref(), r.as_ref());
    let split = files.read()?.pose()?;
    let measure = || {
        let loss = RobustLoss::new(split.problem(), settings.tau)?;
        let value = loss.value(l, r)?;
        let majoriser = loss.majoriser(l, r)?;
        let (trace_left, trace_right) = majoriser.traces(l, r)?;
        Ok(Sharpness {
            model: RpcaFiles::NAME,
            loss: value,
            trace: trace_left + trace_right,
            scaled_trace: majoriser.scaled_trace(l, r)?,
            trace_left,
            trace_right,
            blocks: ["in L", "in R"],
        })
    };
    let sharpness = measure().map_err(|source| Error::of_problem(&place, source))?;
    report::print(&sharpness, settings.json)?;
    Ok(Ending::Solved)
}

/// Curvature in both factors.
fn factored<M: Model>(
    problem: &M::Problem,
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
) -> Result<Sharpness, CoreError> {
    let rescaling = problem.rescaling()?;
    let (trace_left, trace_right) = rescaling.traces(l, r)?;
    Ok(Sharpness {
        model: M::NAME,
        loss: problem.loss()?.value(l, r),
        trace: trace_left + trace_right,
        scaled_trace: rescaling.scaled_trace(l, r)?,
        trace_left,
        trace_right,
        blocks: ["in L", "in R"],
    })
}

/// Curvature in the one factor `U` of `U diag(s) U^T`, given with the signs of its columns.
fn symmetric<M: Model>(
    problem: &M::Problem,
    u: MatRef<'_, f64>,
    signs: &[f64],
) -> Result<Sharpness, CoreError> {
    let with_sign = |sign: f64| {
        let columns: Vec<usize> = (0..signs.len()).filter(|&j| signs[j] == sign).collect();
        Mat::from_fn(u.nrows(), columns.len(), |i, j| u[(i, columns[j])])
    };
    let (u1, u2) = (with_sign(1.0), with_sign(-1.0));
    let (map, targets) = (problem.map(), problem.targets());
    let (d, m) = (u.nrows() as f64, targets.len() as f64);
    let loss = SymmetricLoss::new(map, targets, u1.ncols(), u2.ncols())?;
    let both = Mat::from_fn(u.nrows(), u.ncols(), |i, j| match j.checked_sub(u1.ncols()) {
        None => u1[(i, j)],
        Some(j) => u2[(i, j)],
    });

    let signed = Mat::from_fn(u.nrows(), u.ncols(), |i, j| signs[j] * u[(i, j)]);
    let mut residual = vec![0.0; targets.len()];
    map.apply_factored(u, signed.as_ref(), &mut residual);
    residual.iter_mut().zip(targets).for_each(|(r, b)| *r -= b);
    // sum_i r_i tr A_i = tr A*(r).
    let back = map.adjoint_matrix(&residual);
    let traces: f64 = (0..back.nrows()).map(|i| back[(i, i)]).sum();

    // D^2 = sum_i A_i^2 / (m d).
    let gram = problem.rescaling()?.d1_squared;
    let part = |u: &Mat<f64>, sign: f64| {
        8.0 * d * gram.form(u.as_ref()) + sign * u.ncols() as f64 * 4.0 / m * traces
    };
    let trace = loss.trace(both.as_ref());
    Ok(Sharpness {
        model: M::NAME,
        loss: loss.value(both.as_ref()),
        trace,
        scaled_trace: trace / d,
        trace_left: part(&u1, 1.0),
        trace_right: part(&u2, -1.0),
        blocks: ["where R = L", "where R = -L"],
    })
}

/// The signs with `R = L diag(s)`, or the first column that has none. A column of zeros counts as
/// positive.
fn signs(l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<Vec<f64>, usize> {
    let sign = |j: usize| {
        let largest = l.col(j).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let equal = |sign: f64| {
            let mut pairs = l.col(j).iter().zip(r.col(j).iter());
            pairs.all(|(l, r)| (sign * l - r).abs() <= ROUNDING * largest)
        };
        [1.0, -1.0].into_iter().find(|&sign| equal(sign)).ok_or(j)
    };
    (0..l.ncols()).map(sign).collect()
}

/// The two factors, and where they lie.
fn factors(paths: &[PathBuf]) -> Result<(Mat<f64>, Mat<f64>, String), Error> {
    let [left, right] = paths else {
        return Err(Error::NoData { options: "two files with --factors".into() });
    };
    let place = format!("{} and {}", left.display(), right.display());
    Ok((factor(left)?, factor(right)?, place))
}

fn factor(path: &Path) -> Result<Mat<f64>, Error> {
    let place = path.display().to_string();
    let factor = read::array(path)?.into_matrix(&place)?;
    for i in 0..factor.nrows() {
        for j in 0..factor.ncols() {
            let value = factor[(i, j)];
            if !value.is_finite() {
                let remedy = "factors must be finite";
                return Err(Error::Entry { place, row: i, col: j, value, remedy });
            }
        }
    }
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_told_column_by_column() {
        let l = Mat::from_fn(2, 3, |i, j| [[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]][i][j]);
        let r = Mat::from_fn(2, 3, |i, j| [1.0, -1.0, -1.0][j] * l[(i, j)]);
        assert_eq!(signs(l.as_ref(), r.as_ref()), Ok(vec![1.0, -1.0, 1.0]));
        let off = Mat::from_fn(2, 3, |i, j| if (i, j) == (1, 1) { 4.0 } else { r[(i, j)] });
        assert_eq!(signs(l.as_ref(), off.as_ref()), Err(1));
        let near = Mat::from_fn(2, 3, |i, j| r[(i, j)] * (1.0 + 1e-15));
        assert!(signs(l.as_ref(), near.as_ref()).is_ok());
    }
}
