//! Runs the draws of sweeps on a pool of workers, through their journals.
//!
//! A draw is a function of its cell, its number and the root seed, and is solved on one thread, so
//! neither the number of workers nor the order in which they finish is visible in the records.

use crate::Error;
use crate::error::Differences;
use crate::journal::{self, Finished, Journal};
use crate::progress::Progress;
use crate::record::Timed;
use crate::spec::{Cell, Sweep};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// One planted problem to draw and solve.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The sweep it belongs to.
    pub sweep: &'a Sweep,
    /// Its cell.
    pub cell: Cell,
    /// Its number within the cell.
    pub trial: u32,
    /// Root seed of the run.
    pub seed: u64,
}

/// Draws a problem and solves it with every objective of its sweep, in their order.
pub type Trial<'a> = dyn Fn(&Draw<'_>) -> Vec<Timed> + Sync + 'a;

/// What the whole run shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Root seed.
    pub seed: u64,
    /// Worker threads.
    pub jobs: usize,
    /// Output directory.
    pub dir: PathBuf,
    /// The scale, or the name of a user's sweep.
    pub scale: String,
}

/// The output directory, locked for this process.
#[derive(Debug)]
pub struct OutDir {
    path: PathBuf,
    _lock: File,
}

/// What identifies a run: two runs that differ here never share a directory.
const RUN: &str = "run.toml";

impl OutDir {
    /// Creates or opens the directory of a run.
    ///
    /// # Errors
    /// When it cannot be written, another process holds it, or it holds records of another seed,
    /// version, build of the solvers, scale or grid.
    pub fn open(settings: &Settings, sweeps: &[Sweep], fresh: bool) -> Result<OutDir, Error> {
        let dir = &settings.dir;
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(Error::Busy { dir: dir.clone() }),
            Err(fs::TryLockError::Error(e)) => return Err(Error::io("lock", &lock_path)(e)),
        }
        let path = dir.join(RUN);
        if fresh {
            let journals = dir.join("journal");
            if journals.exists() {
                fs::remove_dir_all(&journals).map_err(Error::io("remove", &journals))?;
            }
            if path.exists() {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        let mut there = read_identity(&path)?;
        let here = identity(settings, sweeps);
        let differences: Vec<_> = here
            .iter()
            .filter_map(|(key, value)| {
                let old = there.get(key)?;
                (old != value).then(|| (key.clone(), old.clone(), value.clone()))
            })
            .collect();
        if !differences.is_empty() {
            return Err(Error::OtherRun {
                dir: dir.clone(),
                differences: Differences(differences),
            });
        }
        let known = there.len();
        there.extend(here);
        if there.len() != known {
            let mut text = String::from("# What the records in this directory depend on.\n");
            for (key, value) in &there {
                text.push_str(&format!("{} = {}\n", toml_string(key), toml_string(value)));
            }
            write_atomically(&path, text.as_bytes())?;
        }
        Ok(OutDir { path: dir.clone(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal of a sweep.
    pub fn journal(&self, id: &str) -> PathBuf {
        self.path.join("journal").join(format!("{id}.csv"))
    }

    /// All rows of a sweep in the order of its grid; `None` when some are still to be computed.
    ///
    /// # Errors
    /// When its journal cannot be read.
    pub fn rows(&self, sweep: &Sweep) -> Result<Option<Vec<Timed>>, Error> {
        let mut finished = journal::read(&self.journal(&sweep.id), sweep)?;
        let draws: Option<Vec<_>> =
            cells_and_trials(sweep).map(|key| finished.remove(&key)).collect();
        Ok(draws.map(|draws| draws.into_iter().flatten().collect()))
    }
}

fn toml_string(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}

fn read_identity(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|e| Error::SpecSyntax { path: path.to_owned(), message: e.to_string() }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

fn identity(settings: &Settings, sweeps: &[Sweep]) -> BTreeMap<String, String> {
    let mut identity = BTreeMap::from([
        ("scale".to_owned(), settings.scale.clone()),
        ("seed".to_owned(), settings.seed.to_string()),
        ("solver sources".to_owned(), env!("FLATMIN_SOLVERS").to_owned()),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    for sweep in sweeps {
        let grid = sweep.cells.iter().fold(0_u64, |hash, cell| {
            hash.rotate_left(5).wrapping_mul(0x0100_0000_01b3) ^ cell.key().1
        });
        let objectives: Vec<_> = sweep.objectives.iter().map(ToString::to_string).collect();
        let value = format!(
            "{} cells ({grid:016x}), {} trials, {}, tolerance {:e}",
            sweep.cells.len(),
            sweep.trials,
            objectives.join(" and "),
            sweep.tolerance
        );
        identity.insert(format!("grid of {}", sweep.id), value);
    }
    identity
}

/// Writes a file so that it is at every moment either the old or the new one.
///
/// # Errors
/// When the directory cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    fs::write(&part, bytes).map_err(Error::io("write", &part))?;
    fs::rename(&part, path).map_err(Error::io("write", path))
}

fn cells_and_trials(sweep: &Sweep) -> impl Iterator<Item = (Cell, u32)> + '_ {
    sweep.cells.iter().flat_map(|&cell| (0..sweep.trials).map(move |trial| (cell, trial)))
}

/// How much of a run was computed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Draws computed by this run.
    pub computed: usize,
    /// Draws found in the journals.
    pub resumed: usize,
}

/// Computes the draws that the journals lack.
///
/// # Errors
/// When a journal cannot be read or written, or the workers cannot be started.
pub fn run(
    dir: &OutDir,
    settings: &Settings,
    sweeps: &[Sweep],
    trial: &Trial<'_>,
    progress: &Progress,
) -> Result<Tally, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.jobs)
        .build()
        .map_err(|e| Error::Threads { jobs: settings.jobs, message: e.to_string() })?;
    let journals = dir.path.join("journal");
    fs::create_dir_all(&journals).map_err(Error::io("create", &journals))?;
    let mut writers = Vec::new();
    let mut missing = Vec::new();
    let mut total = 0;
    for (index, sweep) in sweeps.iter().enumerate() {
        let path = dir.journal(&sweep.id);
        let (journal, finished): (Journal, Finished) = Journal::open(&path, sweep)?;
        total += sweep.draws();
        missing.extend(
            cells_and_trials(sweep)
                .filter(|key| !finished.contains_key(key))
                .map(|(cell, trial)| (index, cell, trial)),
        );
        writers.push((path, Mutex::new(journal)));
    }
    let tally = Tally { computed: missing.len(), resumed: total - missing.len() };
    progress.start(tally, missing.iter().map(|&(index, cell, _)| (index, cell)));
    let (alone, mut together): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|&(index, ..)| sweeps[index].alone);
    // Cheap and dear cells mixed, so that the time left can be judged from the rate so far.
    together.sort_by_cached_key(|&(index, cell, trial)| (cell.key().1, index, trial));
    let finish = |&(index, cell, number): &(usize, Cell, u32)| {
        let draw = Draw { sweep: &sweeps[index], cell, trial: number, seed: settings.seed };
        let rows = trial(&draw);
        let (path, journal) = &writers[index];
        // A poisoned lock only says that another worker panicked; the file is still whole.
        let mut journal = journal.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        journal.append(path, &rows)?;
        drop(journal);
        progress.finished(index, &cell);
        Ok::<(), Error>(())
    };
    // Before the others, whose memory the process would keep.
    alone.iter().try_for_each(finish)?;
    pool.install(|| together.par_iter().with_max_len(1).try_for_each(finish))?;
    progress.end();
    Ok(tally)
}
