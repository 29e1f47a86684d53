//! `flatmin sharpness`: the loss and the exact traces of its Hessian at given factors.

use crate::args::SharpnessSettings;
use crate::models::{Model, Problem};
use crate::report::{self, Sharpness};
use crate::{Ending, Error, read};
use flatmin::core::{Error as CoreError, Mat};
use std::path::Path;

/// Runs the subcommand for a model.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run<M: Model>(files: &M, settings: &SharpnessSettings) -> Result<Ending, Error> {
    let [left, right] = &settings.factors[..] else {
        return Err(Error::NoData { options: "two files with --factors".into() });
    };
    let (l, r) = (factor(left)?, factor(right)?);
    let problem = M::pose(files.read()?)?;
    let factors = format!("{} and {}", left.display(), right.display());
    let sharpness = measure::<M>(&problem, &l, &r)
        .map_err(|source| Error::Problem { place: factors, source })?;
    report::print(&sharpness, settings.json)?;
    Ok(Ending::Solved)
}

fn measure<M: Model>(
    problem: &M::Problem,
    l: &Mat<f64>,
    r: &Mat<f64>,
) -> Result<Sharpness, CoreError> {
    let (l, r) = (l.as_ref(), r.as_ref());
    let rescaling = problem.rescaling()?;
    // Checks the shapes of the factors, which the loss takes for granted.
    let (trace_left, trace_right) = rescaling.traces(l, r)?;
    Ok(Sharpness {
        model: M::NAME,
        loss: problem.loss()?.value(l, r),
        trace: trace_left + trace_right,
        scaled_trace: rescaling.scaled_trace(l, r)?,
        trace_left,
        trace_right,
    })
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
