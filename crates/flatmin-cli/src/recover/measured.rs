//! Matrices from linear measurements of them.

use super::Written;
use super::watch::Watch;
use crate::args::RecoverySettings;
use crate::models::{Model, Problem};
use crate::report::Report;
use crate::write::{self, Output};
use crate::{Ending, Error};
use flatmin::core::Recovery;
use std::path::Path;
use std::time::Instant;

/// The files that the answer goes to.
struct Outputs {
    matrix: Option<Output>,
    factors: Option<[Output; 2]>,
    dual: Option<Output>,
}

impl Outputs {
    /// Checks every path, so that nothing is lost after a long solve.
    fn new(settings: &RecoverySettings, inputs: &[&Path]) -> Result<Outputs, Error> {
        let matrix = settings.out.as_deref().map(Output::matrix_or_picture).transpose()?;
        let factors = Output::pair(settings.factors.as_deref())?;
        let dual = settings.dual.as_deref().map(Output::numbers).transpose()?;
        let all = matrix.iter().chain(factors.iter().flatten()).chain(&dual);
        write::distinct(all.map(Output::path), inputs)?;
        Ok(Outputs { matrix, factors, dual })
    }

    /// Writes everything; where one file fails the others are still written.
    fn write(&self, answer: &Recovery, problem: &impl Problem) -> Written<'_> {
        let (left, right) = answer.factors();
        let mut written = Written::default();
        if let Some(output) = &self.matrix {
            let matrix = answer.matrix();
            written.add(output.path(), output.matrix(matrix.as_ref(), problem.layout()));
        }
        if let Some([to_left, to_right]) = &self.factors {
            written.add(to_left.path(), to_left.matrix(left, Default::default()));
            written.add(to_right.path(), to_right.matrix(right, Default::default()));
        }
        if let Some(output) = &self.dual {
            written.add(output.path(), output.vector(&answer.dual));
        }
        written
    }
}

/// Runs the subcommand for a model.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run<M: Model>(files: &M, settings: &RecoverySettings) -> Result<Ending, Error> {
    let outputs = Outputs::new(settings, &files.inputs())?;
    let arrays = files.read()?;

    let watch = Watch::new();
    let start = Instant::now();
    let problem = M::pose(arrays)?;
    let answer = solve(&problem, settings, &watch)?;
    let seconds = start.elapsed().as_secs_f64();

    let written = outputs.write(&answer, &problem);
    let report = Report::of_recovery(M::NAME, problem.map().dims(), seconds, &answer);
    written.conclude(&report, settings.solve.json, answer.status.is_certified())
}

fn solve(
    problem: &impl Problem,
    settings: &RecoverySettings,
    watch: &Watch,
) -> Result<Recovery, Error> {
    let mut program = problem
        .program(settings.objective.into())
        .tolerance(settings.solve.tol)
        .threads(settings.solve.threads as usize)
        .observe(|progress| watch.see(progress));
    if let Some(rank) = settings.solve.rank {
        program = program.rank(rank as usize);
    }
    if let Some(penalty) = settings.penalty {
        program = program.penalty(penalty);
    }
    if let Some(delta) = settings.noise {
        program = program.noise(delta);
    }
    if let Some(limit) = settings.solve.max_iters {
        program = program.max_iterations(limit as usize);
    }
    let answer = program.solve();
    watch.clear();
    answer.map_err(|source| Error::of_problem(problem.place(), source))
}
