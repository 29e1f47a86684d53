//! Matrices from linear measurements of them.

use super::Written;
use super::watch::Watch;
use crate::args::{Penalty, RecoverySettings};
use crate::models::{Model, Problem};
use crate::read::image::Layout;
use crate::report::Report;
use crate::write::{self, Output};
use crate::{Ending, Error};
use flatmin::core::{Mat, Program, Recovery};
use std::path::Path;
use std::time::Instant;

/// The files that the answer goes to.
pub(super) struct Outputs {
    matrix: Option<Output>,
    factors: Option<[Output; 2]>,
    dual: Option<Output>,
}

impl Outputs {
    /// Checks every path, so that nothing is lost after a long solve.
    pub(super) fn new(settings: &RecoverySettings) -> Result<Outputs, Error> {
        let matrix = settings.out.as_deref().map(Output::matrix_or_picture).transpose()?;
        let factors = Output::pair(settings.factors.as_deref())?;
        let dual = settings.dual.as_deref().map(Output::numbers).transpose()?;
        Ok(Outputs { matrix, factors, dual })
    }

    /// Where they are.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let (factors, dual) = (self.factors.iter().flatten(), &self.dual);
        self.matrix.iter().chain(factors).chain(dual).map(Output::path)
    }

    /// Writes everything, the matrix as given; where one file fails the others are still written.
    pub(super) fn write(
        &self,
        answer: &Recovery,
        matrix: impl FnOnce() -> Mat<f64>,
        layout: Layout,
    ) -> Written<'_> {
        let (left, right) = answer.factors();
        let mut written = Written::default();
        if let Some(output) = &self.matrix {
            written.add(output.path(), output.matrix(matrix().as_ref(), layout));
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
    if settings.penalty == Some(Penalty::Auto) {
        let rule = "is for completion, which can hold entries out: give a number";
        return Err(Error::Combination { option: "--penalty auto", rule });
    }
    let outputs = Outputs::new(settings)?;
    write::distinct(outputs.paths(), &files.inputs())?;
    let arrays = files.read()?;

    let watch = Watch::new();
    let start = Instant::now();
    let problem = M::pose(arrays)?;
    let program = problem.program(settings.objective.into());
    let answer = solve(program, settings, &watch, problem.place())?;
    let seconds = start.elapsed().as_secs_f64();

    let written = outputs.write(&answer, || answer.matrix(), problem.layout());
    let report = Report::of_recovery(M::NAME, problem.map().dims(), seconds, &answer);
    written.conclude(&report, settings.solve.json, answer.status.is_certified())
}

/// Solves a program of a problem from `place`.
pub(super) fn solve(
    program: Program<'_>,
    settings: &RecoverySettings,
    watch: &Watch,
    place: &str,
) -> Result<Recovery, Error> {
    let mut program = program
        .tolerance(settings.solve.tol)
        .threads(settings.solve.threads as usize)
        .observe(|progress| watch.see(progress));
    if let Some(rank) = settings.solve.rank {
        program = program.rank(rank as usize);
    }
    if let Some(Penalty::Given(penalty)) = settings.penalty {
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
    answer.map_err(|source| Error::of_problem(place, source))
}
