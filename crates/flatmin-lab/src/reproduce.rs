//! A whole run: sweeps through their journals to records, figures and the report.

use crate::Error;
use crate::args::{DEFAULT_SEED, Options};
use crate::claims::{Claim, claims};
use crate::experiment::{EXPERIMENTS, Experiment, How, select};
use crate::figure::{Figure, figures, timed};
use crate::progress::Progress;
use crate::record::{Record, Timed, timings_csv, to_csv};
use crate::report::{self, Report};
use crate::runner::{OutDir, Settings, Tally, Trial, run, write_atomically};
use crate::spec::Sweep;
use crate::spec_file;
use crate::study::{Findings, Request};
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
    /// What was found, when it is no sweep.
    pub findings: Option<Box<dyn Findings>>,
    /// What to type to get it again.
    pub command: String,
}

impl Section {
    /// Whether it is of the draws of a sweep, or of what its source has drawn.
    pub fn is_swept(&self) -> bool {
        self.findings.is_none()
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
    let mut asked: Vec<&str> = Vec::new();
    let (sweeps, all, scale) = match &options.spec {
        Some(path) => {
            let sweep = spec_file::read(path)?;
            (vec![sweep.clone()], vec![(sweep.clone(), None)], sweep.id)
        }
        None => {
            let mut sweeps: Vec<Sweep> = Vec::new();
            for experiment in select(&options.experiments)? {
                if !experiment.is_swept() {
                    asked.push(experiment.id);
                    continue;
                }
                let sweep = experiment.origin().sweep(options.scale);
                if !sweeps.contains(&sweep) {
                    sweeps.push(sweep);
                }
            }
            let section = |e: &Experiment| (e.sweep(options.scale), e.source());
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
        let findings = None;
        sections.push(Section { sweep, source, rows, claims, figures, findings, command });
    }
    let studies = EXPERIMENTS.iter().filter(|e| options.spec.is_none() && !e.is_swept());
    for experiment in studies {
        let journal = dir.journal(experiment.id);
        let asked = asked.contains(&experiment.id);
        if asked || journal.exists() {
            let request = Request {
                scale: options.scale,
                seed: options.seed,
                jobs: settings.jobs,
                journal: &journal,
                data: options.data.as_deref(),
                asked,
                named: !options.experiments.is_empty(),
                progress,
            };
            sections.extend(studied(experiment, &request, options)?);
        }
    }
    for section in &sections {
        if let Some(found) = &section.findings {
            let id = &section.sweep.id;
            let path = dir.path().join("records").join(format!("{id}.csv"));
            write_atomically(&path, &found.records_csv()?)?;
            let path = dir.path().join(format!("timings-{id}.csv"));
            write_atomically(&path, &found.timings_csv()?)?;
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

/// The section of an experiment that is no sweep; `None` where it has nothing to show.
fn studied(
    experiment: &Experiment,
    request: &Request<'_>,
    options: &Options,
) -> Result<Option<Section>, Error> {
    let How::Study { find, .. } = experiment.how else {
        return Ok(None);
    };
    let Some(findings) = find(request)? else {
        return Ok(None);
    };
    Ok(Some(Section {
        sweep: experiment.sweep(options.scale),
        source: None,
        rows: Vec::new(),
        claims: findings.claims(),
        figures: findings.figures()?,
        findings: Some(findings),
        command: command(options, experiment.id),
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
