//! Curvature at the factors of a product.

use super::{Curvature, factor, finish};
use crate::args::ProductSharpnessSettings;
use crate::models::HadamardFiles;
use crate::{Ending, Error, read};
use flatmin::core::Error as CoreError;
use flatmin::core::loss::Loss;
use std::path::PathBuf;

/// Runs the subcommand for products of factors: the loss is `(1/m) |A (v_1 o ... o v_K) - b|^2`. The blocks
/// are the first factor and the others, and nothing is scaled.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run(files: &HadamardFiles, settings: &ProductSharpnessSettings) -> Result<Ending, Error> {
    let (factors, place) = factors(&settings.factors)?;
    let sensed = files.read()?.pose()?;
    let refused = |source| Error::Problem { place: place.clone(), source };
    let (_, d) = sensed.problem().shape();
    if let Some(other) = factors.iter().find(|v| v.len() != d) {
        return Err(refused(CoreError::Shape {
            what: "the factors",
            expected: format!("{d} numbers each, one a column of the matrix"),
            got: format!("{}", other.len()),
        }));
    }
    let loss = sensed.problem().loss(factors.len()).map_err(refused)?;
    let v = factors.concat();
    let hessian = loss.hessian_at(&v).map_err(refused)?;
    let traces = hessian.traces();
    let traces = (traces[0], traces[1..].iter().sum::<f64>() + 0.0);
    let curvature = Curvature {
        model: HadamardFiles::NAME,
        loss: loss.value(&v).map_err(refused)?,
        traces,
        scaled_trace: traces.0 + traces.1,
        blocks: ["in the first factor", "in the others"],
        hessian: &hessian,
    };
    finish(&curvature.measure(&settings.estimate, &place)?, settings.json)
}

/// The factors: the rows of one array, or a file each.
fn factors(paths: &[PathBuf]) -> Result<(Vec<Vec<f64>>, String), Error> {
    let place: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let place = place.join(", ");
    if let [path] = paths {
        let factors = factor(path)?;
        let row = |i: usize| factors.row(i).iter().copied().collect();
        return Ok(((0..factors.nrows()).map(row).collect(), place));
    }
    let vector = |path: &PathBuf| {
        let place = path.display().to_string();
        let values = read::array(path)?.into_vector(&place)?;
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(n) => {
                let remedy = "factors must be finite";
                Err(Error::of_element(place, &[values.len()], n, values[n], remedy))
            }
        }
    };
    Ok((paths.iter().map(vector).collect::<Result<_, _>>()?, place))
}
