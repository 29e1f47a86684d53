//! A matrix split into a part of low rank and a sparse one.

use super::Written;
use super::watch::Watch;
use crate::args::SplitSettings;
use crate::models::{Arrangement, Observed, RpcaFiles, Split};
use crate::report::Report;
use crate::write::{self, FrameFolder, Output};
use crate::{Ending, Error};
use flatmin::core::MatRef;
use flatmin::rpca::Decomposition;
use std::path::Path;
use std::time::Instant;

/// The files that the answer goes to.
struct Outputs<'a> {
    matrix: Option<Output>,
    sparse: Option<Output>,
    factors: Option<[Output; 2]>,
    dual: Option<Output>,
    frames: Option<FrameFolder<'a>>,
}

impl<'a> Outputs<'a> {
    /// Checks every path, so that nothing is lost after a long solve.
    fn new(settings: &'a SplitSettings, inputs: &[&Path]) -> Result<Outputs<'a>, Error> {
        let matrix = settings.out.as_deref().map(Output::matrix_or_picture).transpose()?;
        let sparse = settings.sparse.as_deref().map(Output::numbers).transpose()?;
        let factors = Output::pair(settings.factors.as_deref())?;
        let dual = settings.dual.as_deref().map(Output::numbers).transpose()?;
        let frames = settings.frames_out.as_deref().map(FrameFolder::new).transpose()?;
        let all = matrix.iter().chain(&sparse).chain(factors.iter().flatten()).chain(&dual);
        let all = all.map(Output::path).chain(frames.iter().map(FrameFolder::path));
        write::distinct(all, inputs)?;
        frames.iter().try_for_each(|folder| folder.apart(inputs))?;
        Ok(Outputs { matrix, sparse, factors, dual, frames })
    }

    /// Checks that what was read can be written so.
    fn fit(&self, matrix: &Observed) -> Result<(), Error> {
        match (matrix.arrangement(), &self.frames) {
            (Arrangement::Frames { .. }, frames) => {
                self.matrix.iter().chain(&self.sparse).try_for_each(Output::check_stack)?;
                frames.as_ref().map_or(Ok(()), FrameFolder::create)
            }
            (Arrangement::Matrix(_), None) => Ok(()),
            (Arrangement::Matrix(_), Some(_)) => Err(matrix.no_frames()),
        }
    }

    /// Writes everything; where one file fails the others are still written.
    fn write(&self, answer: &Decomposition, arrangement: Arrangement) -> Written<'_> {
        let part = |output: &Output, part: MatRef<'_, f64>| match arrangement {
            Arrangement::Matrix(layout) => output.matrix(part, layout),
            Arrangement::Frames { height, width } => output.stack(part, height, width),
        };
        let mut written = Written::default();
        if self.matrix.is_some() || self.frames.is_some() {
            let low_rank = answer.matrix();
            if let Some(output) = &self.matrix {
                written.add(output.path(), part(output, low_rank.as_ref()));
            }
            if let (Some(folder), Arrangement::Frames { width, .. }) = (&self.frames, arrangement) {
                let result = folder.write(low_rank.as_ref(), answer.sparse(), width);
                written.add(folder.path(), result);
            }
        }
        if let Some(output) = &self.sparse {
            written.add(output.path(), part(output, answer.sparse()));
        }
        if let Some([to_left, to_right]) = &self.factors {
            let (left, right) = answer.factors();
            written.add(to_left.path(), to_left.matrix(left, Default::default()));
            written.add(to_right.path(), to_right.matrix(right, Default::default()));
        }
        if let Some(output) = &self.dual {
            let dual = answer.dual.as_ref();
            written.add(output.path(), output.matrix(dual, Default::default()));
        }
        written
    }
}

/// Runs the subcommand for robust PCA.
///
/// # Errors
/// For bad input, and when the report cannot be written.
pub fn run(files: &RpcaFiles, settings: &SplitSettings) -> Result<Ending, Error> {
    let outputs = Outputs::new(settings, &files.inputs())?;
    let matrix = files.read()?;
    outputs.fit(&matrix)?;
    let arrangement = matrix.arrangement();

    let watch = Watch::new();
    let start = Instant::now();
    let split = matrix.pose()?;
    let answer = solve(&split, settings, &watch)?;
    let seconds = start.elapsed().as_secs_f64();

    let written = outputs.write(&answer, arrangement);
    let kind = settings.objective.into();
    let report = Report::of_split(RpcaFiles::NAME, kind, split.problem(), seconds, &answer);
    written.conclude(&report, settings.solve.json, answer.status.is_certified())
}

fn solve(split: &Split, settings: &SplitSettings, watch: &Watch) -> Result<Decomposition, Error> {
    let problem = split.problem();
    let program = match (settings.tau, settings.lambda) {
        (Some(tau), _) => problem.constrained(tau),
        (None, Some(lambda)) => problem.penalised(lambda),
        (None, None) => problem.penalised(problem.default_lambda()),
    };
    let mut program = program
        .tolerance(settings.solve.tol)
        .threads(settings.solve.threads as usize)
        .observe(|progress| watch.see(progress));
    if let Some(rank) = settings.solve.rank {
        program = program.rank(rank as usize);
    }
    if let Some(limit) = settings.solve.max_iters {
        program = program.max_iterations(limit as usize);
    }
    let answer = program.solve();
    watch.clear();
    answer.map_err(|source| Error::of_problem(split.place(), source))
}
