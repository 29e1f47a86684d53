//! `flatmin sharpness`: the loss, the exact traces and the largest eigenvalue of its Hessian at given
//! factors, and what an estimator makes of the trace from products with the Hessian alone.
//!
//! Symmetric models have one block of factors `U = (U1, U2)` with signs `s`, and the loss
//! `(1/m) |A(U diag(s) U^T) - b|^2`; the others have the loss `(1/m) |A(L R^T) - b|^2` of two blocks.

mod product;

pub use product::run as product;

use crate::args::{Budget, EstimateSettings, SharpnessSettings, SplitSharpnessSettings};
use crate::models::{Model, Problem, RpcaFiles};
use crate::report::{self, Estimated, Largest, Sharpness};
use crate::{Ending, Error, read};
use flatmin::core::flatness::spectrum::{Extreme, Lanczos, Stopping};
use flatmin::core::flatness::{Estimator, FromFn, Method, PairOperator, SymmetricOperator};
use flatmin::core::{Domain, Error as CoreError, Mat, MatMut, MatRef, SymmetricLoss};
use flatmin::rpca::RobustLoss;
use std::path::{Path, PathBuf};

/// By how much of a column's largest element two columns may differ and count as equal.
const ROUNDING: f64 = 1e-12;

/// Residual of the largest eigenvalue, relative to the norm of the Hessian. The eigenvalue itself is then
/// off by the square of it, divided by the gap to the next.
const RESIDUAL: f64 = 1e-8;

/// Numbers that the vectors of Lanczos may fill: 1 GB.
const MEMORY: usize = 1 << 27;

/// Runs the subcommand for a model.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run<M: Model, B: Budget>(
    files: &M,
    settings: &SharpnessSettings<B>,
) -> Result<Ending, Error> {
    let (l, r, place) = factors(&settings.factors)?;
    let (l, r) = (l.as_ref(), r.as_ref());
    let problem = M::pose(files.read()?)?;
    let refused = |source| Error::Problem { place: place.clone(), source };
    let dims = problem.map().dims();
    fit((dims.rows, dims.cols), l, r).map_err(refused)?;
    let report = match problem.domain() {
        Domain::General => {
            let loss = problem.loss().map_err(refused)?;
            let hessian = loss.hessian(l, r).map_err(refused)?;
            let curvature = Curvature::of_pair(M::NAME, hessian.value(), &hessian);
            curvature.measure(&settings.estimate, &place)?
        }
        Domain::Symmetric | Domain::Semidefinite => {
            let signs = signs(l, r).map_err(|column| {
                let place = place.clone();
                Error::Asymmetric { place, column }
            })?;
            let (u, positive) = sorted(l, &signs);
            let negative = signs.len() - positive;
            let loss = SymmetricLoss::new(problem.map(), problem.targets(), positive, negative);
            let hessian = loss.and_then(|loss| loss.hessian(u.as_ref())).map_err(refused)?;
            let (left, right) = hessian.traces();
            let curvature = Curvature {
                model: M::NAME,
                loss: hessian.value(),
                traces: (left, right),
                scaled_trace: (left + right) / dims.rows as f64,
                blocks: ["where R = L", "where R = -L"],
                hessian: &hessian,
            };
            curvature.measure(&settings.estimate, &place)?
        }
    };
    finish(&report, settings.json)
}

/// Runs the subcommand for robust PCA: the loss is `dist^2(Y - L R^T, {sum |S| <= tau})`, and the
/// Hessian that of the smooth majoriser that touches it at the factors.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn split(files: &RpcaFiles, settings: &SplitSharpnessSettings) -> Result<Ending, Error> {
    let (l, r, place) = factors(&settings.factors)?;
    let (l, r) = (l.as_ref(), r.as_ref());
    let split = files.read()?.pose()?;
    let refused = |source| Error::of_problem(&place, source);
    let loss = RobustLoss::new(split.problem(), settings.tau).map_err(refused)?;
    let value = loss.value(l, r).map_err(refused)?;
    let majoriser = loss.majoriser(l, r).map_err(refused)?;
    let hessian = majoriser.hessian(l, r).map_err(refused)?;
    let curvature = Curvature::of_pair(RpcaFiles::NAME, value, &hessian);
    finish(&curvature.measure(&settings.estimate, &place)?, settings.json)
}

fn finish(report: &Sharpness, json: bool) -> Result<Ending, Error> {
    report::print(report, json)?;
    let stopped = report.estimate.as_ref().is_some_and(Estimated::stopped);
    Ok(if stopped { Ending::Stopped } else { Ending::Solved })
}

/// A Hessian and what is known of it in closed form.
struct Curvature<'a> {
    model: &'static str,
    loss: f64,
    traces: (f64, f64),
    scaled_trace: f64,
    blocks: [&'static str; 2],
    hessian: &'a dyn SymmetricOperator,
}

impl<'a> Curvature<'a> {
    /// Curvature in both factors.
    fn of_pair<H: PairOperator>(model: &'static str, loss: f64, hessian: &'a H) -> Curvature<'a> {
        Curvature {
            model,
            loss,
            traces: hessian.traces(),
            scaled_trace: hessian.scaled_trace(),
            blocks: ["in L", "in R"],
            hessian,
        }
    }

    /// The report, with what is found from products with the Hessian.
    fn measure<B: Budget>(
        &self,
        settings: &EstimateSettings<B>,
        place: &str,
    ) -> Result<Sharpness, Error> {
        let (trace_left, trace_right) = self.traces;
        Ok(Sharpness {
            model: self.model,
            loss: self.loss,
            trace: trace_left + trace_right,
            scaled_trace: self.scaled_trace,
            trace_left,
            trace_right,
            blocks: self.blocks,
            estimate: estimate(self.hessian, settings, place)?,
            largest: Largest::new(largest(self.hessian, settings.seed)),
        })
    }
}

/// The largest eigenvalue. Stopping by the residual proves that there is an eigenvalue this near.
fn largest(hessian: &dyn SymmetricOperator, seed: u64) -> Result<Extreme, CoreError> {
    let limit = (MEMORY / hessian.order().max(1)).clamp(32, 500);
    let lanczos = Lanczos::default().tolerance(RESIDUAL).stopping(Stopping::Residual);
    lanczos.seed(seed).limit(limit).largest(hessian).map_err(of_scale)
}

/// What is not finite in products with a Hessian was finite in the factors.
fn of_scale(error: CoreError) -> CoreError {
    match error {
        CoreError::NotFinite { value, .. } => CoreError::Scale {
            what: "a product with the Hessian".into(),
            magnitude: value.abs(),
            sane: (0.0, f64::MAX),
        },
        error => error,
    }
}

/// What the estimator finds that is asked for. But for the method that is exact by name it sees products
/// only, since the closed form is what it is compared with.
fn estimate<B: Budget>(
    hessian: &dyn SymmetricOperator,
    settings: &EstimateSettings<B>,
    place: &str,
) -> Result<Option<Estimated>, Error> {
    let Some(method) = settings.method() else { return Ok(None) };
    let matvecs = settings.budget.products();
    let estimator = Estimator { method, matvecs, seed: settings.seed, tolerance: settings.tol };
    let products = FromFn::new(hessian.order(), |v: MatRef<'_, f64>, out: MatMut<'_, f64>| {
        hessian.apply(v, out);
    });
    let seen: &dyn SymmetricOperator = if method == Method::Exact { hessian } else { &products };
    let found = estimator.trace(seen).map_err(|source| match source {
        CoreError::Parameter { .. } => Error::Option { option: B::OPTION, source },
        _ => Error::Problem { place: place.to_owned(), source: of_scale(source) },
    })?;
    Ok(Some(Estimated::new(method, settings.tol, &found)))
}

/// Whether there are factors of the problem's shape.
fn fit(
    (rows, cols): (usize, usize),
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
) -> Result<(), CoreError> {
    if l.nrows() == rows && r.nrows() == cols && l.ncols() == r.ncols() {
        return Ok(());
    }
    Err(CoreError::Shape {
        what: "the factors",
        expected: format!("shapes {rows} x k and {cols} x k"),
        got: format!("{} x {} and {} x {}", l.nrows(), l.ncols(), r.nrows(), r.ncols()),
    })
}

/// The columns of `U`, those of sign `+1` first, and how many these are.
fn sorted(u: MatRef<'_, f64>, signs: &[f64]) -> (Mat<f64>, usize) {
    let of_sign = |sign: f64| (0..signs.len()).filter(move |&j| signs[j] == sign);
    let columns: Vec<usize> = of_sign(1.0).chain(of_sign(-1.0)).collect();
    (Mat::from_fn(u.nrows(), u.ncols(), |i, j| u[(i, columns[j])]), of_sign(1.0).count())
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
