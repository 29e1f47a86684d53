//! Studies: experiments that are no sweep over planted matrices, but a list of independent tasks with rows of
//! their own.
//!
//! A task is a function of its name and the root seed, and is performed on one thread. Each finished task is
//! appended to the journal of the study as one block, in a single write:
//!
//! ```text
//! task,NAME,SEED,SECONDS
//! row,...                    one a row, in the order of the fields
//! end,NAME,NUMBER OF ROWS
//! ```
//!
//! Whatever is cut off before its whole last line is computed again: a number that lost digits is another
//! number. Rows are always those that the journal gives back, so that an interrupted run and an undisturbed one
//! end with the same bytes.

use crate::Error;
use crate::claims::Claim;
use crate::experiment::{Experiment, How};
use crate::figure::Figure;
use crate::journal::append_block;
use crate::progress::Progress;
use crate::record::finish;
use crate::spec::Scale;
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// What the table of experiments says of a study.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Name on the command line and of its files.
    pub id: &'static str,
    /// One line for the reader.
    pub title: &'static str,
    /// What it must show.
    pub must_show: &'static str,
}

/// An experiment made of independent tasks.
pub trait Study: Sync {
    /// One task. Its text is its name: without commas, of this task alone, and with all that its rows depend on
    /// beside the seed.
    type Task: Clone + Send + Sync + fmt::Display;
    /// What a task gives: a flat structure, without times, and without line breaks in its texts.
    type Row: Serialize + DeserializeOwned + Clone + Send;
    /// What it is.
    const ABOUT: About;

    /// All tasks of a scale.
    fn tasks(&self, scale: Scale) -> Vec<Self::Task>;

    /// Performs a task, on one thread. What a method did not reach is said in a row.
    ///
    /// # Errors
    /// Where the program is wrong: [`failed`] names the task.
    fn perform(&self, task: &Self::Task, seed: u64) -> Result<Vec<Self::Row>, Error>;

    /// How much there is to do at a scale, for `--list`.
    fn extent(&self, scale: Scale) -> String {
        format!("{} tasks", self.tasks(scale).len())
    }
}

/// Rows as evidence: what the report makes of them.
pub trait Evidence: Sized {
    /// The claims that they are about.
    fn claims(rows: &[Self]) -> Vec<Claim>;

    /// Their figures.
    ///
    /// # Errors
    /// When the drawing library fails.
    fn figures(rows: &[Self]) -> Result<Vec<Figure>, Error>;

    /// HTML that explains a figure.
    fn caption(figure: &Figure) -> &'static str;

    /// Writes text and tables of the report, with the helpers of `report`.
    fn write(rows: &[Self], page: &mut String);
}

/// What was found by an experiment that is no sweep.
pub trait Findings: fmt::Debug {
    /// The records as CSV with a header.
    ///
    /// # Errors
    /// None for what was measured.
    fn records_csv(&self) -> Result<Vec<u8>, csv::Error>;

    /// The seconds of its parts as CSV with a header.
    ///
    /// # Errors
    /// None for what was measured.
    fn timings_csv(&self) -> Result<Vec<u8>, csv::Error>;

    /// The claims that it is about.
    fn claims(&self) -> Vec<Claim>;

    /// Its figures.
    ///
    /// # Errors
    /// When the drawing library fails.
    fn figures(&self) -> Result<Vec<Figure>, Error>;

    /// HTML that explains a figure.
    fn caption(&self, figure: &Figure) -> &'static str;

    /// Writes text and tables of the report.
    fn write(&self, page: &mut String);

    /// Entries of `timings.js`: pairs of a key and a text.
    fn times(&self) -> Vec<(String, String)>;

    /// Why not everything was measured.
    fn skipped(&self) -> Option<&str> {
        None
    }
}

/// Computes what a journal lacks; `None` where not all is there and nothing is asked for.
pub(crate) type Find = fn(&Request<'_>) -> Result<Option<Box<dyn Findings>>, Error>;

/// What a study is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The scale.
    pub scale: Scale,
    /// Root seed.
    pub seed: u64,
    /// Worker threads.
    pub jobs: usize,
    /// The journal of the study, which need not exist.
    pub journal: &'a Path,
    /// Folder of data, where one was named.
    pub data: Option<&'a Path>,
    /// Whether it is to be computed now; otherwise what is complete is shown.
    pub asked: bool,
    /// Whether it was asked for by its name.
    pub named: bool,
    /// Where to say how far it is.
    pub progress: &'a Progress,
}

impl Experiment {
    /// The entry of a study in the table of experiments.
    pub const fn study<S>() -> Experiment
    where
        S: Study<Row: Evidence + fmt::Debug + 'static> + Default,
    {
        Experiment {
            id: S::ABOUT.id,
            group: S::ABOUT.id,
            title: S::ABOUT.title,
            must_show: S::ABOUT.must_show,
            how: How::Study { find: find::<S>, extent: extents::<S> },
        }
    }
}

fn find<S>(request: &Request<'_>) -> Result<Option<Box<dyn Findings>>, Error>
where
    S: Study<Row: Evidence + fmt::Debug + 'static> + Default,
{
    let study = S::default();
    let Request { scale, seed, jobs, journal, asked, progress, .. } = *request;
    if !asked && !is_complete(&study, journal, scale, seed)? {
        return Ok(None);
    }
    let done = run(&study, journal, (scale, seed, jobs), progress)?;
    Ok(Some(Box::new(Outcome::new(S::ABOUT.id, done))))
}

fn extents<S: Study + Default>() -> Vec<String> {
    let extent = |scale| format!("{scale}: {}", S::default().extent(scale));
    [Scale::Quick, Scale::Paper].map(extent).to_vec()
}

/// A finished task.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<R> {
    /// Its name.
    pub task: String,
    /// What it gave.
    pub rows: Vec<R>,
    /// One thread's wall time.
    pub seconds: f64,
}

/// The rows of a study, in the order of its tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<R> {
    id: &'static str,
    rows: Vec<R>,
    seconds: Vec<(String, f64)>,
}

impl<R> Outcome<R> {
    /// Rows and times of the tasks of a study.
    pub fn new(id: &'static str, done: Vec<Done<R>>) -> Outcome<R> {
        let seconds = done.iter().map(|done| (done.task.clone(), done.seconds)).collect();
        Outcome { id, rows: done.into_iter().flat_map(|done| done.rows).collect(), seconds }
    }

    /// All rows.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }
}

impl<R: Evidence + Serialize + fmt::Debug> Findings for Outcome<R> {
    fn records_csv(&self) -> Result<Vec<u8>, csv::Error> {
        rows_csv(&self.rows)
    }

    fn timings_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["task", "seconds"])?;
        for timed in &self.seconds {
            writer.serialize(timed)?;
        }
        finish(writer)
    }

    fn claims(&self) -> Vec<Claim> {
        R::claims(&self.rows)
    }

    fn figures(&self) -> Result<Vec<Figure>, Error> {
        R::figures(&self.rows)
    }

    fn caption(&self, figure: &Figure) -> &'static str {
        R::caption(figure)
    }

    fn write(&self, page: &mut String) {
        R::write(&self.rows, page);
        page.push_str(&format!(
            "<p class=\"soft\" data-time=\"{0}\">Times: see timings-{0}.csv.</p>\n",
            self.id
        ));
    }

    fn times(&self) -> Vec<(String, String)> {
        let seconds = || self.seconds.iter().map(|(_, seconds)| *seconds);
        let told = format!(
            "Time of the {} tasks (one thread each): {:.1} s in all, the longest {:.2} s.",
            self.seconds.len(),
            seconds().sum::<f64>(),
            seconds().fold(0.0, f64::max)
        );
        vec![(self.id.to_owned(), told)]
    }
}

/// Rows as CSV with a header.
///
/// # Errors
/// When a row is no flat structure.
pub fn rows_csv<'a, R: Serialize + 'a>(
    rows: impl IntoIterator<Item = &'a R>,
) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    finish(writer)
}

/// Names the task in an error of the libraries below.
pub fn failed<E: fmt::Display>(task: &impl fmt::Display) -> impl Fn(E) -> Error {
    let task = task.to_string();
    move |error| Error::Task { task: task.clone(), message: error.to_string() }
}

/// Performs the tasks that the journal lacks, and returns all of them, in their order.
///
/// # Errors
/// When the journal cannot be used, the workers cannot be started, or a task comes back with an error.
pub fn run<S: Study>(
    study: &S,
    journal: &Path,
    (scale, seed, jobs): (Scale, u64, usize),
    progress: &Progress,
) -> Result<Vec<Done<S::Row>>, Error> {
    let mut found = read(journal, seed)?;
    let tasks = study.tasks(scale);
    let known: Vec<Option<Done<S::Row>>> =
        tasks.iter().map(|task| found.remove(&task.to_string())).collect();
    let missing = known.iter().filter(|done| done.is_none()).count();
    if missing == 0 {
        return Ok(known.into_iter().flatten().collect());
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|e| Error::Threads { jobs, message: e.to_string() })?;
    progress.start_tasks(S::ABOUT.id, (missing, tasks.len() - missing));
    let lock = Mutex::new(());
    let complete = |(task, known): (&S::Task, Option<Done<S::Row>>)| {
        if let Some(done) = known {
            return Ok(done);
        }
        let clock = Instant::now();
        let rows = study.perform(task, seed)?;
        let done = Done { task: task.to_string(), rows, seconds: clock.elapsed().as_secs_f64() };
        let block = encode(&done, seed)?;
        let back = decode(&block, seed).remove(&done.task).ok_or_else(|| Error::Task {
            task: done.task.clone(),
            message: "its rows cannot be read back from the journal".to_owned(),
        })?;
        // A poisoned lock only says that another worker panicked; the file is still whole.
        let held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        append_block(journal, block)?;
        drop(held);
        progress.task_done();
        Ok(back)
    };
    let done = pool.install(|| {
        let all = tasks.par_iter().zip(known).with_max_len(1);
        all.map(complete).collect::<Result<Vec<_>, Error>>()
    })?;
    progress.end_tasks(S::ABOUT.id);
    Ok(done)
}

/// Whether a journal holds every task of a scale.
fn is_complete<S: Study>(
    study: &S,
    journal: &Path,
    scale: Scale,
    seed: u64,
) -> Result<bool, Error> {
    let found = read::<S::Row>(journal, seed)?;
    Ok(study.tasks(scale).iter().all(|task| found.contains_key(&task.to_string())))
}

/// The finished tasks of a journal that need not exist, by their names.
fn read<R: DeserializeOwned>(path: &Path, seed: u64) -> Result<HashMap<String, Done<R>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(decode(&bytes, seed)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

/// The tags of the lines of a block.
const TASK: &str = "task";
const ROW: &str = "row";
const END: &str = "end";

fn encode<R: Serialize>(done: &Done<R>, seed: u64) -> Result<Vec<u8>, csv::Error> {
    let mut builder = csv::WriterBuilder::new();
    let mut writer = builder.has_headers(false).flexible(true).from_writer(Vec::new());
    writer.serialize((TASK, &done.task, seed, done.seconds))?;
    for row in &done.rows {
        writer.serialize((ROW, row))?;
    }
    writer.serialize((END, &done.task, done.rows.len()))?;
    finish(writer)
}

/// The whole blocks of a journal.
fn decode<R: DeserializeOwned>(bytes: &[u8], seed: u64) -> HashMap<String, Done<R>> {
    let mut found = HashMap::new();
    let mut open: Option<Done<R>> = None;
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        // A line that belongs to no block, or is none, ends the one before.
        let block = open.take();
        if let Some((task, of, seconds)) = tagged::<(String, u64, f64)>(TASK, line) {
            open = (of == seed).then_some(Done { task, rows: Vec::new(), seconds });
        } else if let Some(mut done) = block {
            if let Some(row) = tagged(ROW, line) {
                done.rows.push(row);
                open = Some(done);
            } else if tagged(END, line) == Some((done.task.clone(), done.rows.len())) {
                found.insert(done.task.clone(), done);
            }
        }
    }
    found
}

/// What a whole line with this tag holds.
fn tagged<T: DeserializeOwned>(tag: &str, line: &[u8]) -> Option<T> {
    let rest = line.strip_prefix(tag.as_bytes())?.strip_prefix(b",")?;
    rest.ends_with(b"\n").then_some(())?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(rest);
    reader.deserialize().next()?.ok()
}
