//! A sparse vector as a product of factors.

use super::Written;
use super::watch::Watch;
use crate::args::ProductSettings;
use crate::models::{HadamardFiles, Sensed};
use crate::report::Report;
use crate::write::{self, Output};
use crate::{Ending, Error};
use flatmin::core::Objective;
use flatmin::hadamard::{Depth, Sparse};
use std::path::Path;
use std::time::Instant;

/// The files that the answer goes to.
struct Outputs {
    vector: Option<Output>,
    /// One for all factors, or one for each.
    factors: Vec<Output>,
    dual: Option<Output>,
}

impl Outputs {
    /// Checks every path, so that nothing is lost after a long solve.
    fn new(settings: &ProductSettings, inputs: &[&Path]) -> Result<Outputs, Error> {
        let vector = settings.out.as_deref().map(Output::numbers).transpose()?;
        let factors = settings.factors.iter().flatten().map(|path| Output::numbers(path));
        let factors = factors.collect::<Result<Vec<_>, _>>()?;
        let dual = settings.dual.as_deref().map(Output::numbers).transpose()?;
        let all = vector.iter().chain(&factors).chain(&dual);
        write::distinct(all.map(Output::path), inputs)?;
        Ok(Outputs { vector, factors, dual })
    }

    /// Checks that there are as many files as factors, or one.
    fn fit(&self, depth: Depth) -> Result<(), Error> {
        match (self.factors.len(), depth) {
            (0, _) | (1, Depth::Finite(_)) => Ok(()),
            (_, Depth::Infinite) => {
                let rule =
                    "needs a finite --depth: in the limit of many the factors are infinitely many";
                Err(Error::Combination { option: "--factors", rule })
            }
            (files, Depth::Finite(factors)) if files == factors => Ok(()),
            (files, Depth::Finite(factors)) => Err(Error::FactorFiles { factors, files }),
        }
    }

    /// Whether all factors of vectors of length `d` can be held.
    fn hold(&self, depth: Depth, d: usize) -> Result<(), Error> {
        if self.factors.is_empty() || depth.factors_fit(d) {
            return Ok(());
        }
        let rule = "would be more than 2^31 numbers at this --depth: leave it out, they are all alike but for signs";
        Err(Error::Combination { option: "--factors", rule })
    }

    /// Writes everything; where one file fails the others are still written.
    fn write(&self, answer: &Sparse) -> Written<'_> {
        let mut written = Written::default();
        if let Some(output) = &self.vector {
            written.add(output.path(), output.vector(&answer.x));
        }
        let wanted = !self.factors.is_empty();
        if let Some(factors) = wanted.then(|| answer.factors()).flatten() {
            match &self.factors[..] {
                [output] => {
                    let result = output.matrix(factors.transpose(), Default::default());
                    written.add(output.path(), result);
                }
                outputs => outputs.iter().enumerate().for_each(|(i, output)| {
                    written.add(output.path(), output.vector(factors.col_as_slice(i)));
                }),
            }
        }
        if let Some(output) = &self.dual {
            written.add(output.path(), output.vector(&answer.dual));
        }
        written
    }
}

/// Runs the subcommand for products of factors.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run(files: &HadamardFiles, settings: &ProductSettings) -> Result<Ending, Error> {
    let outputs = Outputs::new(settings, &files.inputs())?;
    let arrays = files.read()?;
    let depth = settings.depth.or(arrays.depth()).unwrap_or(Depth::Finite(2));
    outputs.fit(depth)?;

    let watch = Watch::new();
    let start = Instant::now();
    let sensed = arrays.pose()?;
    outputs.hold(depth, sensed.problem().shape().1)?;
    let answer = solve(&sensed, depth, settings, &watch)?;
    let seconds = start.elapsed().as_secs_f64();

    let written = outputs.write(&answer);
    let (m, _) = sensed.problem().shape();
    let report = Report::of_sparse(HadamardFiles::NAME, m, seconds, &answer);
    written.conclude(&report, settings.json, answer.status.is_certified())
}

fn solve(
    sensed: &Sensed,
    depth: Depth,
    settings: &ProductSettings,
    watch: &Watch,
) -> Result<Sparse, Error> {
    let program = match settings.objective.into() {
        Objective::Nuclear => sensed.problem().nuclear(depth),
        _ => sensed.problem().flat(depth),
    };
    let mut program = program.tolerance(settings.tol).observe(|progress| watch.see(progress));
    if let Some(lambda) = settings.penalty {
        program = program.penalty(lambda);
    }
    if let Some(delta) = settings.noise {
        program = program.noise(delta);
    }
    if let Some(limit) = settings.max_iters {
        program = program.max_iterations(limit as usize);
    }
    let answer = program.solve();
    watch.clear();
    answer.map_err(|source| Error::of_problem(sensed.place(), source))
}
