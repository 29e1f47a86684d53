//! Real ratings: what the weights are worth, and how well the penalty has to be known.
//!
//! For each data set, with and without offsets of rows and columns, each norm is fitted along a path of
//! penalties to the training part. Its best penalty is the one with the least error on the validation
//! part; with that, grown as the noise does, both parts are fitted, and the test part judges. Offsets are
//! shrunken as the validation part wants it.

mod claims;
mod data;
mod figure;
mod report;

pub use data::{VARIABLE, folder};

use crate::Error;
use crate::claims::Claim;
use crate::experiment::{Experiment, How};
use crate::figure::{Figure, finished};
use crate::journal::append_block;
use crate::progress::Progress;
use crate::record::finish;
use crate::spec::Scale;
use crate::study::{Findings, Request, rows_csv};
use data::{SETS, Set};
use flatmin::completion::ratings::{
    Centring, Holdout, Observation, Offsets, Ratings, RatingsModel, Shrinkage,
};
use flatmin::core::{self, Program, Recovery};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// Relative gap of each fit: errors of prediction do not depend on more.
const TOLERANCE: f64 = 1e-3;

/// Share of even weights in the smoothed norm.
const SMOOTHING: f64 = 0.5;

/// What an error may lose before its penalty counts as missed.
pub const LOSS: f64 = 0.01;

/// A path ends when its error exceeds the least one by so much: the smaller the penalty, the dearer
/// the fit.
const ENOUGH: f64 = 1.2 * LOSS;

/// From one penalty to the next, and the most of them.
fn steps(scale: Scale) -> (f64, usize) {
    match scale {
        Scale::Quick => (0.7, 16),
        Scale::Paper => (0.7f64.sqrt(), 32),
    }
}

/// What is fitted beside the offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Nothing.
    Offsets,
    /// The flat norm.
    Flat,
    /// Half as flat.
    Smoothed,
    /// The nuclear norm.
    Nuclear,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 4] = [Method::Offsets, Method::Flat, Method::Smoothed, Method::Nuclear];

    fn objective(self) -> Option<core::Objective> {
        match self {
            Method::Offsets => None,
            Method::Flat => Some(core::Objective::Flat),
            Method::Smoothed => Some(core::Objective::Smoothed(SMOOTHING)),
            Method::Nuclear => Some(core::Objective::Nuclear),
        }
    }

    /// For the reader.
    pub fn name(self) -> &'static str {
        match self {
            Method::Offsets => "offsets alone",
            Method::Flat => "FLAT",
            Method::Smoothed => "smoothed 0.5",
            Method::Nuclear => "NUC",
        }
    }
}

/// What was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The training part, to choose by the validation part.
    Training,
    /// Both of these, as chosen.
    Both,
}

/// One fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The file of the data set, without its extension.
    pub data: String,
    /// Its FNV-1a hash.
    pub checksum: String,
    /// Rows.
    pub d1: usize,
    /// Columns.
    pub d2: usize,
    /// Ratings fitted.
    pub m: usize,
    /// Whether offsets of rows and columns were taken off, or the mean alone.
    pub centred: bool,
    /// How many ratings of the mean every row and column is given.
    pub shrinkage: f64,
    /// What was fitted beside them.
    pub method: Method,
    /// To which ratings.
    pub part: Part,
    /// `lambda` as a part of the least one at which the answer is zero.
    pub fraction: Option<f64>,
    /// `lambda`.
    pub lambda: Option<f64>,
    /// How the solve ended.
    pub status: String,
    /// Relative duality gap.
    pub relative_gap: Option<f64>,
    /// Rank of the answer.
    pub rank: usize,
    /// Root mean square error on the training part.
    pub train: f64,
    /// On the validation part.
    pub validation: f64,
    /// On the test part.
    pub test: f64,
    /// Relative gap asked for.
    pub tolerance: f64,
    /// From one penalty of this path to the next.
    pub step: f64,
    /// Whether it is the last of its path.
    pub last: bool,
    /// Version of flatmin.
    pub version: String,
}

/// A fit with its seconds, one thread's wall time.
pub type Timed = (Row, f64);

/// A path of penalties, from the largest down; one fit for offsets alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// Its fits to the training part.
    pub rows: Vec<Row>,
    /// Their seconds.
    pub seconds: Vec<f64>,
    /// The fit of training and validation part at the best penalty.
    pub refit: Option<Timed>,
}

impl Curve {
    /// All fits with their seconds.
    fn timed(&self) -> impl Iterator<Item = (&Row, f64)> {
        let path = self.rows.iter().zip(self.seconds.iter().copied());
        path.chain(self.refit.iter().map(|(row, seconds)| (row, *seconds)))
    }

    /// The fit with the least validation error.
    pub fn best(&self) -> Option<&Row> {
        self.rows.iter().min_by(|a, b| a.validation.total_cmp(&b.validation))
    }

    /// By which factors the penalty may be smaller and larger than the best one before the validation
    /// error loses [`LOSS`], by interpolation; `None` on a side where the path does not get there.
    pub fn leeway(&self) -> (Option<f64>, Option<f64>) {
        let Some(best) = self.best() else { return (None, None) };
        let limit = best.validation + LOSS;
        let Some(at) = best.fraction else { return (None, None) };
        let start = self.rows.iter().position(|row| std::ptr::eq(row, best)).unwrap_or(0);
        let crossing = |rows: &mut dyn Iterator<Item = &Row>| {
            let mut inner = best;
            for row in rows {
                let outer = row.fraction?;
                if row.validation > limit {
                    let t = (limit - inner.validation) / (row.validation - inner.validation);
                    let (from, to) = (inner.fraction?.ln(), outer.ln());
                    return Some((from + t * (to - from)).exp());
                }
                inner = row;
            }
            None
        };
        let below = crossing(&mut self.rows[start + 1..].iter()).map(|to| at / to);
        let above = crossing(&mut self.rows[..start].iter().rev()).map(|to| to / at);
        (below, above)
    }
}

/// What is said of a run that nobody asked for by name.
const UNASKED: &str = "skipped at the quick scale, since it takes longer than all the others: cargo \
                           xtask reproduce ratings";

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Curves in the order of data sets, centring and methods.
    pub curves: Vec<Curve>,
    /// Why nothing or not everything was measured.
    pub skipped: Option<String>,
}

impl Outcome {
    /// Data sets with a curve.
    pub fn sets(&self) -> Vec<&str> {
        let named = |(file, _): &(&'static str, &str)| {
            self.curves.iter().any(|c| c.rows[0].data == *file).then_some(*file)
        };
        SETS.iter().filter_map(named).collect()
    }

    /// The curve of a data set.
    pub fn curve(&self, data: &str, centred: bool, method: Method) -> Option<&Curve> {
        self.curves.iter().find(|curve| {
            let row = &curve.rows[0];
            row.data == data && row.centred == centred && row.method == method
        })
    }
}

impl Findings for Outcome {
    fn records_csv(&self) -> Result<Vec<u8>, csv::Error> {
        rows_csv(self.curves.iter().flat_map(Curve::timed).map(|(row, _)| row))
    }

    fn timings_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["data", "centred", "method", "part", "fraction", "seconds"])?;
        for (row, seconds) in self.curves.iter().flat_map(Curve::timed) {
            let Row { data, centred, method, part, fraction, .. } = row;
            writer.serialize((data, centred, method, part, fraction, seconds))?;
        }
        finish(writer)
    }

    fn claims(&self) -> Vec<Claim> {
        claims::of(self)
    }

    fn figures(&self) -> Result<Vec<Figure>, Error> {
        if self.curves.is_empty() {
            return Ok(Vec::new());
        }
        let draw = |along| figure::draw(self, along);
        Ok(vec![
            finished("ratings".to_owned(), draw(figure::Along::Penalty))?,
            finished("ratings-rank".to_owned(), draw(figure::Along::Rank))?,
        ])
    }

    fn caption(&self, _: &Figure) -> &'static str {
        "Root mean square error on the test part. Markers: the penalty with the least error on the \
         validation part. Above, the mean of the ratings was taken off first; below, offsets of rows and \
         columns. Grey: these offsets alone."
    }

    fn write(&self, page: &mut String) {
        report::write(page, self);
    }

    fn times(&self) -> Vec<(String, String)> {
        report::times(self)
    }

    fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }
}

/// The entry in the table of experiments.
pub(crate) const EXPERIMENT: Experiment = Experiment {
    id: "ratings",
    group: "ratings",
    title: "Ratings: what the weights are worth, and how well the penalty has to be known",
    must_show: "with the mean alone taken off FLAT predicts better than NUC; with offsets of rows and \
                columns they are as good as one another",
    how: How::Study { find, extent },
};

fn extent() -> Vec<String> {
    vec!["reads ratings from the folder that --data names".to_owned()]
}

/// What is asked for; by name at the quick scale, since it takes longer than all others.
fn find(request: &Request<'_>) -> Result<Option<Box<dyn Findings>>, Error> {
    let Request { scale, jobs, journal, data, named, progress, .. } = *request;
    let outcome = if !named && scale == Scale::Quick && !journal.exists() {
        progress.note(&format!("ratings {UNASKED}"));
        Outcome { skipped: Some(UNASKED.to_owned()), ..Outcome::default() }
    } else {
        run(folder(data).as_deref(), journal, (scale, jobs), progress)?
    };
    Ok(Some(Box::new(outcome)))
}

/// Name of a data set for the reader.
pub fn title(data: &str) -> &'static str {
    SETS.iter().find(|(file, _)| *file == data).map_or("", |(_, title)| title)
}

/// One curve to be computed.
struct Task<'s> {
    data: &'static str,
    set: &'s Set,
    centred: bool,
    method: Method,
}

/// Fits what the journal lacks, and returns everything.
///
/// # Errors
/// When a data file or the journal cannot be used.
pub fn run(
    dir: Option<&Path>,
    journal: &Path,
    (scale, jobs): (Scale, usize),
    progress: &Progress,
) -> Result<Outcome, Error> {
    let Some(dir) = dir else {
        let skipped = format!(
            "skipped: no ratings; name their folder with --data DIR or the environment variable {VARIABLE}"
        );
        progress.note(&format!("ratings {skipped}"));
        return Ok(Outcome { curves: Vec::new(), skipped: Some(skipped) });
    };
    let (mut sets, mut absent) = (Vec::new(), Vec::new());
    for (file, _) in SETS {
        match Set::read(dir, file)? {
            Some(set) => sets.push((file, set)),
            None => absent.push(format!("{file}.npz")),
        }
    }
    let skipped = (!absent.is_empty())
        .then(|| format!("skipped: {}, not in the folder of ratings", absent.join(", ")));
    if let Some(skipped) = &skipped {
        progress.note(&format!("ratings {skipped}"));
    }
    let tasks: Vec<Task<'_>> = sets
        .iter()
        .flat_map(|(data, set)| {
            [false, true].into_iter().flat_map(move |centred| {
                Method::ALL.map(|method| Task { data, set, centred, method })
            })
        })
        .collect();
    let found = read_journal(journal)?;
    let step = steps(scale).0;
    let known = |task: &Task<'_>| {
        found.iter().find(|curve| {
            let row = &curve.rows[0];
            row.checksum == task.set.checksum
                && (row.data.as_str(), row.centred, row.method)
                    == (task.data, task.centred, task.method)
                && row.step == step
                && row.tolerance == TOLERANCE
        })
    };
    let lock = Mutex::new(());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|e| Error::Threads { jobs, message: e.to_string() })?;
    let curves = pool.install(|| {
        let compute = |task: &Task<'_>| {
            if let Some(curve) = known(task) {
                return Ok(curve.clone());
            }
            let curve = task.curve(scale)?;
            let _held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            append(journal, &curve)?;
            let seconds: f64 = curve.seconds.iter().sum();
            let centred = if task.centred { "centred" } else { "not centred" };
            let (data, method, fits) = (task.data, task.method.name(), curve.rows.len());
            progress.note(&format!("{data}, {centred}, {method}: {fits} fits, {seconds:.0} s"));
            Ok(curve)
        };
        tasks.par_iter().with_max_len(1).map(compute).collect::<Result<Vec<_>, Error>>()
    })?;
    Ok(Outcome { curves, skipped })
}

impl Task<'_> {
    fn curve(&self, scale: Scale) -> Result<Curve, Error> {
        let (step, most) = steps(scale);
        let core = |e: core::Error| Error::Ratings { data: self.data, message: e.to_string() };
        let train = &self.set.train;
        let centring = if self.centred { Centring::RowCol } else { Centring::Global };
        let clock = Instant::now();
        let held = Holdout::Given(&self.set.validation);
        let shrinkage = Shrinkage::choose(train, held, 0).map_err(core)?;
        let offsets = train.offsets(centring, shrinkage).map_err(core)?;
        let residuals = offsets.residuals(train);
        let mut curve = Curve::default();
        let Some(objective) = self.method.objective() else {
            let row = self.row(step, shrinkage, None, alone(&offsets, train));
            curve.seconds.push(clock.elapsed().as_secs_f64());
            curve.rows.push(row);
            curve.refit = Some(self.refit(&curve, centring, shrinkage, None)?);
            return Ok(curve);
        };
        let map = train.completion().map();
        let program = || Program::new(map, &residuals, objective).tolerance(TOLERANCE);
        let largest = program().largest_penalty().map_err(core)?;
        let fractions: Vec<f64> = (0..most).map(|k| step.powi(k as i32)).collect();
        let mut path = program().path(fractions.iter().map(|f| f * largest));
        let mut least = f64::INFINITY;
        let mut start = None;
        for fraction in &fractions {
            let clock = Instant::now();
            let Some(answer) = path.next() else { break };
            let answer = answer.map_err(core)?;
            curve.seconds.push(clock.elapsed().as_secs_f64());
            let model = RatingsModel::of(train, offsets.clone(), answer, true).map_err(core)?;
            let predict = |i, j| model.predict(i, j);
            let mut row = self.row(step, shrinkage, Some(&model.recovery), predict);
            (row.fraction, row.lambda) = (Some(*fraction), Some(fraction * largest));
            if row.validation < least {
                (least, start) = (row.validation, Some(model.recovery));
            }
            let last = row.validation > least + ENOUGH;
            curve.rows.push(row);
            if last {
                break;
            }
        }
        curve.refit = Some(self.refit(&curve, centring, shrinkage, start)?);
        Ok(curve)
    }

    /// Fits training and validation part as the best of a path, at a penalty that grows as the noise.
    fn refit(
        &self,
        curve: &Curve,
        centring: Centring,
        shrinkage: Shrinkage,
        start: Option<Recovery>,
    ) -> Result<Timed, Error> {
        let core = |e: core::Error| Error::Ratings { data: self.data, message: e.to_string() };
        let both = &self.set.both;
        let clock = Instant::now();
        let offsets = both.offsets(centring, shrinkage).map_err(core)?;
        let residuals = offsets.residuals(both);
        let best = curve.best();
        let grown = (both.len() as f64 / self.set.train.len() as f64).sqrt();
        let lambda = best.and_then(|best| best.lambda).map(|lambda| lambda * grown);
        let answer = match (self.method.objective(), lambda) {
            (Some(objective), Some(lambda)) => {
                let mut program = Program::new(both.completion().map(), &residuals, objective);
                if let Some(start) = &start {
                    program = program.warm_start(start);
                }
                Some(program.penalty(lambda).tolerance(TOLERANCE).solve().map_err(core)?)
            }
            _ => None,
        };
        let seconds = clock.elapsed().as_secs_f64();
        let step = curve.rows.first().map_or(0.0, |row| row.step);
        let row = match answer {
            Some(answer) => {
                let model = RatingsModel::of(both, offsets, answer, true).map_err(core)?;
                let predict = |i, j| model.predict(i, j);
                self.row(step, shrinkage, Some(&model.recovery), predict)
            }
            None => self.row(step, shrinkage, None, alone(&offsets, both)),
        };
        let fraction = best.and_then(|best| best.fraction);
        let (m, part) = (both.len(), Part::Both);
        Ok((Row { m, part, fraction, lambda, last: true, ..row }, seconds))
    }

    /// A fit to the training part with its errors; offsets alone where there is no answer.
    fn row(
        &self,
        step: f64,
        shrinkage: Shrinkage,
        answer: Option<&Recovery>,
        predict: impl Fn(Option<usize>, Option<usize>) -> f64,
    ) -> Row {
        let (d1, d2) = self.set.train.shape();
        let train = self.set.train.iter().map(|(i, j, y)| (Some(i), Some(j), y));
        let train: Vec<Observation> = train.collect();
        let rmse = |observations: &[Observation]| {
            let square = |&(i, j, y): &Observation| (predict(i, j) - y).powi(2);
            (observations.iter().map(square).sum::<f64>() / observations.len() as f64).sqrt()
        };
        Row {
            data: self.data.to_owned(),
            checksum: self.set.checksum.clone(),
            d1,
            d2,
            m: self.set.train.len(),
            centred: self.centred,
            shrinkage: shrinkage.rows,
            method: self.method,
            part: Part::Training,
            fraction: None,
            lambda: None,
            status: answer.map_or("closed form".to_owned(), |a| a.status.to_string()),
            relative_gap: answer.map(|a| a.relative_gap),
            rank: answer.map_or(0, |a| a.rank),
            train: rmse(&train),
            validation: rmse(&self.set.validation),
            test: rmse(&self.set.test),
            tolerance: TOLERANCE,
            step,
            last: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// What offsets alone predict, within the range of the ratings they are of.
fn alone(offsets: &Offsets, ratings: &Ratings) -> impl Fn(Option<usize>, Option<usize>) -> f64 {
    let (low, high) = ratings.range();
    move |i, j| offsets.at(i, j).clamp(low, high)
}

/// The whole curves of a journal that need not exist; an incomplete end is left out.
///
/// # Errors
/// When it cannot be read.
pub fn read_journal(path: &Path) -> Result<Vec<Curve>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", path)(e)),
    };
    let mut curves = Vec::new();
    let mut curve = Curve::default();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
    for line in reader.deserialize::<Timed>() {
        // What was cut off in the middle is computed again.
        let Ok((row, seconds)) = line else {
            curve = Curve::default();
            continue;
        };
        let joins = |first: &Row| {
            (first.data == row.data) && (first.centred, first.method) == (row.centred, row.method)
        };
        let path = row.part == Part::Training;
        let starts = path && row.fraction >= curve.rows.last().and_then(|last| last.fraction);
        if curve.rows.first().is_some_and(|first| !joins(first) || starts) {
            curve = Curve::default();
        }
        if path {
            curve.rows.push(row);
            curve.seconds.push(seconds);
        } else if !curve.rows.is_empty() {
            curve.refit = Some((row, seconds));
            curves.push(std::mem::take(&mut curve));
        }
    }
    Ok(curves)
}

/// Appends a curve in a single write, on lines of its own.
fn append(path: &Path, curve: &Curve) -> Result<(), Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for timed in curve.timed() {
        writer.serialize(timed)?;
    }
    append_block(path, finish(writer)?)
}
