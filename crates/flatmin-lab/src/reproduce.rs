//! A whole run: sweeps through their journals to records, figures and the report.

use crate::Error;
use crate::args::{DEFAULT_SEED, Options};
use crate::claims::{self, Claim, claims};
use crate::estimators;
use crate::experiment::{ESTIMATORS, EXPERIMENTS, Experiment, RATINGS, select};
use crate::figure::{Figure, figures, of_estimators, of_ratings, timed};
use crate::progress::Progress;
use crate::ratings::{self, Outcome, UNASKED};
use crate::record::{Record, Timed, timings_csv, to_csv};
use crate::report::{self, Report};
use crate::runner::{OutDir, Settings, Tally, Trial, run, write_atomically};
use crate::spec::{Scale, Sweep};
use crate::spec_file;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A sweep with everything that was computed from it.
#[derive(Debug)]
pub struct Section {
    /// The sweep.
    pub sweep: Sweep,
    /// The sweep that its records were made by, when it has no solves of its own.
    pub source: Option<String>,
    /// Its records in grid order, with times; those of its source, when it has one.
    pub rows: Vec<Timed>,
    /// The claims it is about.
    pub claims: Vec<Claim>,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// What was measured of ratings, in their section.
    pub ratings: Option<Outcome>,
    /// What was measured of estimators, in their section.
    pub estimates: Option<estimators::Outcome>,
    /// What to type to get it again.
    pub command: String,
}

impl Section {
    /// Whether it is of the draws of a sweep, or of what its source has drawn.
    pub fn is_swept(&self) -> bool {
        self.ratings.is_none() && self.estimates.is_none()
    }

    /// The records without times.
    pub fn records(&self) -> Vec<&Record> {
        self.rows.iter().map(|row| &row.record).collect()
    }
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct Finished {
    /// One section a sweep whose records are complete.
    pub sections: Vec<Section>,
    /// How much was computed now.
    pub tally: Tally,
    /// Wall time of this run in seconds.
    pub seconds: f64,
    /// The report.
    pub report: PathBuf,
}

/// Runs what the options ask for.
///
/// The report covers every experiment of the scale whose records are complete in the output
/// directory, also those of earlier runs.
///
/// # Errors
/// For unknown experiments, bad sweeps, and an output directory that cannot be used.
pub fn reproduce(
    options: &Options,
    trial: &Trial<'_>,
    progress: &Progress,
) -> Result<Finished, Error> {
    let clock = Instant::now();
    let (mut rate, mut estimate) = (false, false);
    let (sweeps, all, scale) = match &options.spec {
        Some(path) => {
            let sweep = spec_file::read(path)?;
            (vec![sweep.clone()], vec![(sweep.clone(), None)], sweep.id)
        }
        None => {
            let mut sweeps: Vec<Sweep> = Vec::new();
            for experiment in select(&options.experiments)? {
                match experiment.id {
                    RATINGS => rate = true,
                    ESTIMATORS => estimate = true,
                    _ => {}
                }
                if !experiment.is_swept() {
                    continue;
                }
                let sweep = experiment.origin().sweep(options.scale);
                if !sweeps.contains(&sweep) {
                    sweeps.push(sweep);
                }
            }
            let section = |e: &Experiment| (e.sweep(options.scale), e.source);
            let swept = EXPERIMENTS.iter().filter(|e| e.is_swept());
            (sweeps, swept.map(section).collect(), options.scale.to_string())
        }
    };
    let settings = Settings {
        seed: options.seed,
        jobs: options.jobs.unwrap_or_else(cores),
        dir: options.out.clone().unwrap_or_else(|| default_dir(&scale, options.seed)),
        scale,
    };
    let dir = OutDir::open(&settings, &sweeps, options.fresh)?;
    let tally = run(&dir, &settings, &sweeps, trial, progress)?;

    let mut sections: Vec<Section> = Vec::new();
    for (sweep, source) in all {
        let rows = match source {
            None => dir.rows(&sweep)?,
            // Read already: a source stands before its views.
            Some(id) => sections.iter().find(|s| s.sweep.id == id).map(|s| s.rows.clone()),
        };
        let Some(rows) = rows else {
            continue;
        };
        let records: Vec<&Record> = rows.iter().map(|row| &row.record).collect();
        let (claims, mut figures) = (claims(&sweep.id, &records), figures(&sweep.id, &records)?);
        if sweep.alone {
            figures.extend(timed(&sweep.id, &rows)?);
        }
        let command = command(options, &sweep.id);
        let source = source.map(str::to_owned);
        let (ratings, estimates) = (None, None);
        sections.push(Section {
            sweep,
            source,
            rows,
            claims,
            figures,
            ratings,
            estimates,
            command,
        });
    }
    let journal = dir.journal(RATINGS);
    if rate || (options.spec.is_none() && journal.exists()) {
        sections.extend(rated(options, &journal, settings.jobs, progress)?);
    }
    let journal = dir.journal(ESTIMATORS);
    if estimate || (options.spec.is_none() && journal.exists()) {
        sections.extend(estimated(options, &journal, settings.jobs, progress)?);
    }
    for section in &sections {
        if let Some(outcome) = &section.ratings {
            let path = dir.path().join("records").join("ratings.csv");
            write_atomically(&path, &outcome.to_csv()?)?;
            let path = dir.path().join("timings-ratings.csv");
            write_atomically(&path, &outcome.timings_csv()?)?;
        } else if let Some(outcome) = &section.estimates {
            let path = dir.path().join("records").join("estimators.csv");
            write_atomically(&path, &outcome.to_csv()?)?;
            let path = dir.path().join("timings-estimators.csv");
            write_atomically(&path, &outcome.timings_csv()?)?;
        } else if section.source.is_none() {
            let path = dir.path().join("records").join(format!("{}.csv", section.sweep.id));
            write_atomically(&path, &to_csv(section.records())?)?;
        }
        for figure in &section.figures {
            let path = dir.path().join("figures").join(format!("{}.svg", figure.name));
            write_atomically(&path, figure.svg.as_bytes())?;
        }
    }
    let solved = sections.iter().filter(|s| s.source.is_none());
    let timings = timings_csv(solved.flat_map(|s| &s.rows))?;
    write_atomically(&dir.path().join("timings.csv"), &timings)?;
    let seconds = clock.elapsed().as_secs_f64();
    let report = Report { sections: &sections, scale: &settings.scale, seed: settings.seed };
    let path = dir.path().join("report").join("index.html");
    write_atomically(&path, report.html().as_bytes())?;
    let script = report::timings_script(&sections, tally, settings.jobs, seconds);
    write_atomically(&dir.path().join("report").join("timings.js"), script.as_bytes())?;
    Ok(Finished { sections, tally, seconds, report: path })
}

/// The section on ratings.
fn rated(
    options: &Options,
    journal: &Path,
    jobs: usize,
    progress: &Progress,
) -> Result<Option<Section>, Error> {
    let folder = ratings::folder(options.data.as_deref());
    let unasked = options.experiments.is_empty() && options.scale == Scale::Quick;
    let outcome = if unasked && !journal.exists() {
        progress.note(&format!("ratings {UNASKED}"));
        Outcome { skipped: Some(UNASKED.to_owned()), ..Outcome::default() }
    } else {
        ratings::run(folder.as_deref(), journal, (options.scale, jobs), progress)?
    };
    let Some(experiment) = EXPERIMENTS.iter().find(|e| e.id == RATINGS) else {
        return Ok(None);
    };
    Ok(Some(Section {
        sweep: experiment.sweep(options.scale),
        source: None,
        rows: Vec::new(),
        claims: claims::ratings::of(&outcome),
        figures: of_ratings(&outcome)?,
        ratings: Some(outcome),
        estimates: None,
        command: command(options, RATINGS),
    }))
}

/// The section on estimators.
fn estimated(
    options: &Options,
    journal: &Path,
    jobs: usize,
    progress: &Progress,
) -> Result<Option<Section>, Error> {
    let outcome = estimators::run(journal, (options.scale, options.seed, jobs), progress)?;
    let Some(experiment) = EXPERIMENTS.iter().find(|e| e.id == ESTIMATORS) else {
        return Ok(None);
    };
    Ok(Some(Section {
        sweep: experiment.sweep(options.scale),
        source: None,
        rows: Vec::new(),
        claims: claims::estimators::of(&outcome),
        figures: of_estimators(&outcome)?,
        ratings: None,
        estimates: Some(outcome),
        command: command(options, ESTIMATORS),
    }))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

fn default_dir(scale: &str, seed: u64) -> PathBuf {
    let name = match seed {
        DEFAULT_SEED => scale.to_owned(),
        _ => format!("{scale}-seed{seed}"),
    };
    Path::new("out").join("reproduce").join(name)
}

/// The line that computes a sweep again. The number of jobs and the directory are left out: the
/// records do not depend on them.
fn command(options: &Options, id: &str) -> String {
    let what = match &options.spec {
        Some(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            format!("--spec {}", name.to_string_lossy())
        }
        None => format!("{id} --scale {}", options.scale),
    };
    format!("cargo xtask reproduce {what} --seed {}", options.seed)
}
