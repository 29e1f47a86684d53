//! Entries of a matrix, completed; of ratings also what they say of pairs and of rows.
//!
//! Without a word of ratings this is what is done for every model. With one, offsets are taken off
//! first, and the answer for the rest makes a model that predicts.

use super::Written;
use super::measured::{self, Outputs as MatrixOutputs};
use super::wanted::Wanted;
use super::watch::Watch;
use crate::args::{CompletionSettings, Penalty, Smoothing};
use crate::models::{CompletionFiles, MOST_ENTRIES, Model, Problem};
use crate::read::ratings::{Ids, Side};
use crate::report::{RatingReport, Report};
use crate::write::{self, Output, Sink};
use crate::{Ending, Error};
use flatmin::completion::ratings::{
    self, Centring, Holdout, Ratings, RatingsModel, Shrinkage, Stage, Weights,
};
use flatmin::core::solver::Warning;
use flatmin::core::{Mat, Objective, Program, Recovery, Status};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// The files that answer and predictions go to.
struct Outputs {
    matrix: MatrixOutputs,
    predictions: Option<Sink>,
    recommendations: Option<Sink>,
    row_ids: Option<Output>,
    col_ids: Option<Output>,
}

impl Outputs {
    /// Checks every path, so that nothing is lost after a long solve.
    fn new(settings: &CompletionSettings, inputs: &[&Path]) -> Result<Outputs, Error> {
        let asked = &settings.ratings;
        let json = settings.recovery.solve.json;
        let table = |path: &Option<_>| path.as_deref().map(Output::table).transpose();
        let sink = |is_asked: bool, path: &Option<_>| {
            Ok(is_asked.then_some(table(path)?).map(|file| Sink::new(file, json)))
        };
        let outputs = Outputs {
            matrix: MatrixOutputs::new(&settings.recovery)?,
            predictions: sink(asked.predict.is_some(), &asked.predictions)?,
            recommendations: sink(asked.top.is_some(), &asked.recommendations)?,
            row_ids: table(&asked.row_ids)?,
            col_ids: table(&asked.col_ids)?,
        };
        let sinks = [&outputs.predictions, &outputs.recommendations].into_iter().flatten();
        let tables =
            outputs.row_ids.iter().chain(&outputs.col_ids).chain(sinks.filter_map(Sink::file));
        write::distinct(outputs.matrix.paths().chain(tables.map(Output::path)), inputs)?;
        Ok(outputs)
    }

    /// Whether standard output is taken by predictions.
    fn take_stdout(&self) -> bool {
        [&self.predictions, &self.recommendations].into_iter().flatten().any(Sink::is_stdout)
    }

    /// Writes what a model says; what goes into the report is put there.
    fn write_wanted<'a>(
        &'a self,
        wanted: &Wanted,
        model: &RatingsModel,
        ids: &Ids,
        report: &mut RatingReport,
        written: &mut Written<'a>,
    ) -> Result<(), Error> {
        if let Some(sink) = &self.predictions {
            let values = wanted.predictions(model);
            (report.predictions, report.unseen) = (Some(values.len()), Some(wanted.unseen(model)));
            let named = wanted.pairs.iter().zip(&values);
            let lines = named.map(|((i, j), &v)| (i.name(&ids.rows), j.name(&ids.cols), v));
            match sink {
                Sink::Report => report.predicted = Some(values),
                Sink::File(file) => written.add(file.path(), file.predictions(lines)),
                Sink::Stdout => write::predictions_to_stdout(lines)?,
            }
        }
        if let Some(sink) = &self.recommendations {
            let mut count = 0;
            let lines = wanted.recommendations(model).map(|(i, j, v)| {
                count += 1;
                (i.name(&ids.rows).into_owned().into(), ids.cols.name(j), v)
            });
            match sink {
                Sink::Report => report.recommend(lines),
                Sink::File(file) => written.add(file.path(), file.predictions(lines)),
                Sink::Stdout => write::predictions_to_stdout(lines)?,
            }
            report.recommendations = Some(count);
        }
        Ok(())
    }

    fn write_ids<'a>(&'a self, ids: &Ids, shape: (usize, usize), written: &mut Written<'a>) {
        let sides = [(&self.row_ids, &ids.rows, shape.0), (&self.col_ids, &ids.cols, shape.1)];
        for (output, side, count) in sides {
            if let Some(file) = output {
                written.add(file.path(), file.ids((0..count).map(|n| Side::name(side, n))));
            }
        }
    }
}

/// The answer alone, or the model of ratings that it belongs to.
enum Answer {
    Matrix(Box<Recovery>),
    Ratings(Box<RatingsModel>),
}

impl Answer {
    fn recovery(&self) -> &Recovery {
        match self {
            Answer::Matrix(recovery) => recovery,
            Answer::Ratings(model) => &model.recovery,
        }
    }

    /// A warning in words: what no entry sees is zero, or what the offsets say.
    fn say(&self, warning: &Warning) -> String {
        let lines = match warning {
            Warning::UnidentifiedRows(n) => format!("{n} row(s)"),
            Warning::UnidentifiedCols(n) => format!("{n} column(s)"),
            _ => return warning.to_string(),
        };
        match self {
            Answer::Ratings(model) if model.offsets.centring() != Centring::None => {
                format!("{lines} are seen by no measurement and get what the offsets say")
            }
            _ => warning.to_string(),
        }
    }

    /// The whole matrix, offsets included, kept within a range.
    fn matrix(&self, range: Option<(f64, f64)>) -> Mat<f64> {
        let x = self.recovery().matrix();
        let Answer::Ratings(model) = self else { return clipped(x, range) };
        let at = |i, j| x[(i, j)] + model.offsets.at(Some(i), Some(j));
        clipped(Mat::from_fn(x.nrows(), x.ncols(), at), range)
    }
}

fn clipped(x: Mat<f64>, range: Option<(f64, f64)>) -> Mat<f64> {
    match range {
        Some((low, high)) => {
            Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)].max(low).min(high))
        }
        None => x,
    }
}

/// Runs the subcommand for completion.
///
/// # Errors
/// For bad input, and when the report or predictions cannot be written.
pub fn run(files: &CompletionFiles, settings: &CompletionSettings) -> Result<Ending, Error> {
    settings.check()?;
    let (recovery, asked) = (&settings.recovery, &settings.ratings);
    let inputs: Vec<&Path> = files.inputs().into_iter().chain(asked.predict.as_deref()).collect();
    let outputs = Outputs::new(settings, &inputs)?;
    let mut arrays = files.read()?;
    let (ids, notes) = arrays.take_ids();
    let shape = arrays.shape();
    if recovery.out.is_some() {
        check_dense(shape, arrays.place())?;
    }
    let wanted = Wanted::read(asked, &ids, shape)?;

    let watch = Watch::new();
    let start = Instant::now();
    let problem = CompletionFiles::pose(arrays)?;
    let (dims, layout) = (problem.map().dims(), problem.layout());
    let range = asked.clip.then(|| range(problem.targets()));
    let answer = if settings.models_ratings() {
        let (problem, _, place) = problem.into_parts();
        let refused = |source| Error::Problem { place: place.clone(), source };
        let ratings = Ratings::from_completion(problem).map_err(refused)?;
        Answer::Ratings(Box::new(model(&ratings, settings, &watch, &place)?))
    } else {
        let program = problem.program(recovery.objective.into());
        Answer::Matrix(Box::new(measured::solve(program, recovery, &watch, problem.place())?))
    };
    let seconds = start.elapsed().as_secs_f64();

    let solution = answer.recovery();
    let mut report = Report::of_recovery(CompletionFiles::NAME, dims, seconds, solution);
    report.warnings = notes;
    report.warnings.extend(solution.warnings.iter().map(|warning| answer.say(warning)));
    let mut written = outputs.matrix.write(solution, || answer.matrix(range), layout);
    outputs.write_ids(&ids, shape, &mut written);
    if let Answer::Ratings(model) = &answer {
        let mut said = RatingReport::new(model);
        outputs.write_wanted(&wanted, model, &ids, &mut said, &mut written)?;
        report.warnings.extend(wanted.warnings(model));
        report.ratings = Some(said);
    }
    let exact = recovery.penalty.is_none() && recovery.noise.is_none();
    if exact && matches!(solution.status, Status::Stalled | Status::Inconsistent) {
        report.warnings.push(
            "nothing was proved for entries that are taken to be exact: for ratings, or other entries \
             with noise, see --penalty auto and --center row-col"
                .to_owned(),
        );
    }
    let solved = solution.status.is_certified();
    match outputs.take_stdout() {
        true => written.conclude_aside(&report, solved),
        false => written.conclude(&report, recovery.solve.json, solved),
    }
}

/// A matrix of labels may have more entries than can be written.
fn check_dense((rows, cols): (usize, usize), place: &str) -> Result<(), Error> {
    match rows.checked_mul(cols) {
        Some(count) if count <= MOST_ENTRIES => Ok(()),
        _ => Err(Error::TooWide { place: place.to_owned(), rows, cols, limit: MOST_ENTRIES }),
    }
}

/// Least and largest.
fn range(values: &[f64]) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    values.iter().fold(start, |(low, high), &v| (low.min(v), high.max(v)))
}

/// The model of ratings: chosen on held-out ones, or of the program that the settings name.
fn model(
    ratings: &Ratings,
    settings: &CompletionSettings,
    watch: &Watch,
    place: &str,
) -> Result<RatingsModel, Error> {
    let (recovery, asked) = (&settings.recovery, &settings.ratings);
    let (centring, clip) = (asked.center.into(), !asked.no_clip);
    let refused = |source| Error::of_problem(place, source);
    if recovery.penalty != Some(Penalty::Auto) {
        let objective = match asked.smoothing {
            Some(Smoothing::Given(share)) if share > 0.0 => Objective::Smoothed(share),
            _ => recovery.objective.into(),
        };
        let offsets = ratings.offsets(centring, Shrinkage::default()).map_err(refused)?;
        let rest = offsets.residuals(ratings);
        let program = Program::new(ratings.completion().map(), &rest, objective);
        let answer = measured::solve(program, recovery, watch, place)?;
        return RatingsModel::of(ratings, offsets, answer, clip).map_err(refused);
    }
    let weights = match (Objective::from(recovery.objective), asked.smoothing) {
        (Objective::Nuclear, _) => Weights::Nuclear,
        (_, Some(Smoothing::Given(share))) => Weights::Smoothed(share),
        _ => Weights::Auto,
    };
    let mut fit = ratings
        .fit()
        .centring(centring)
        .clip(clip)
        .weights(weights)
        .penalty(ratings::Penalty::Auto)
        .seed(recovery.solve.seed.unwrap_or(0))
        .tolerance(recovery.solve.tol)
        .threads(recovery.solve.threads as usize)
        .observe(|stage| match stage {
            Stage::Solve(progress) => watch.see(progress),
            Stage::Trial(trial) => watch.see_trial(trial),
            _ => ControlFlow::Continue(()),
        });
    if let Some(folds) = asked.folds {
        fit = fit.holdout(Holdout::Folds(folds as usize));
    }
    if let Some(rank) = recovery.solve.rank {
        fit = fit.rank(rank as usize);
    }
    if let Some(limit) = recovery.solve.max_iters {
        fit = fit.max_iterations(limit as usize);
    }
    let model = fit.solve();
    watch.clear();
    model.map_err(refused)
}
