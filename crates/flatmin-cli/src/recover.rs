//! `flatmin recover`: read, solve, write, report.

use crate::args::SolveSettings;
use crate::models::{Model, Problem};
use crate::report::{self, Report};
use crate::write::{self, Output};
use crate::{Ending, Error};
use flatmin::core::Recovery;
use flatmin::core::solver::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Exit code of a process that was interrupted for good.
const INTERRUPTED: i32 = 130;

/// The files that the answer goes to.
struct Outputs {
    matrix: Option<Output>,
    factors: Option<[Output; 2]>,
    dual: Option<Output>,
}

impl Outputs {
    /// Checks every path, so that nothing is lost after a long solve.
    fn new(settings: &SolveSettings) -> Result<Outputs, Error> {
        let matrix = settings.out.as_deref().map(Output::matrix_or_picture).transpose()?;
        let factors = match settings.factors.as_deref() {
            Some([left, right]) => Some([Output::numbers(left)?, Output::numbers(right)?]),
            _ => None,
        };
        let dual = settings.dual.as_deref().map(Output::numbers).transpose()?;
        let outputs = Outputs { matrix, factors, dual };
        write::distinct(outputs.all())?;
        Ok(outputs)
    }

    fn all(&self) -> impl Iterator<Item = &Output> {
        self.matrix.iter().chain(self.factors.iter().flatten()).chain(&self.dual)
    }

    /// Writes everything; where one file fails the others are still written.
    fn write(&self, answer: &Recovery, problem: &impl Problem) -> Vec<Result<(), Error>> {
        let (left, right) = answer.factors();
        let mut written = Vec::new();
        if let Some(output) = &self.matrix {
            written.push(output.matrix(answer.matrix().as_ref(), problem.layout()));
        }
        if let Some([to_left, to_right]) = &self.factors {
            written.push(to_left.matrix(left, Default::default()));
            written.push(to_right.matrix(right, Default::default()));
        }
        if let Some(output) = &self.dual {
            written.push(output.vector(&answer.dual));
        }
        written
    }
}

/// Runs the subcommand for a model.
///
/// # Errors
/// For bad input, and when an answer cannot be written.
pub fn run<M: Model>(files: &M, settings: &SolveSettings) -> Result<Ending, Error> {
    let outputs = Outputs::new(settings)?;
    let arrays = files.read()?;

    let watch = Watch::new();
    let start = Instant::now();
    let problem = M::pose(arrays)?;
    let answer = solve(&problem, settings, &watch)?;
    let seconds = start.elapsed().as_secs_f64();

    let written = outputs.write(&answer, &problem);
    let report = Report::new(M::NAME, problem.map().dims(), seconds, &answer);
    report::print(&report, settings.json)?;
    if !settings.json {
        for (output, _) in outputs.all().zip(&written).filter(|(_, result)| result.is_ok()) {
            report::line(Ok(format!("  wrote {}", output.path().display())))?;
        }
    }
    let failures: Vec<Error> = written.into_iter().filter_map(Result::err).collect();
    if !failures.is_empty() {
        return Ok(Ending::Unwritten(failures));
    }
    Ok(if answer.status.is_certified() { Ending::Solved } else { Ending::Stopped })
}

/// What stands between a solve and the person who waits for it.
struct Watch {
    spinner: ProgressBar,
    interrupted: Arc<AtomicBool>,
}

impl Watch {
    /// A spinner, where there is a terminal, and an interrupt that stops a solve and keeps its best
    /// answer.
    fn new() -> Watch {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        // Where no handler can be set, an interrupt ends the process, as it always did.
        let _ = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                process::exit(INTERRUPTED);
            }
        });
        // indicatif draws on standard error, and only when that is a terminal.
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            spinner.set_style(style);
        }
        if !spinner.is_hidden() {
            spinner.enable_steady_tick(Duration::from_millis(100));
        }
        Watch { spinner, interrupted }
    }

    fn see(&self, progress: &Progress) -> ControlFlow<()> {
        if !self.spinner.is_hidden() {
            self.spinner.set_message(line(progress));
        }
        match self.interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn solve(
    problem: &impl Problem,
    settings: &SolveSettings,
    watch: &Watch,
) -> Result<Recovery, Error> {
    let mut program = problem
        .program(settings.objective.into())
        .tolerance(settings.tol)
        .threads(settings.threads as usize)
        .observe(|progress| watch.see(progress));
    if let Some(rank) = settings.rank {
        program = program.rank(rank as usize);
    }
    if let Some(penalty) = settings.penalty {
        program = program.penalty(penalty);
    }
    if let Some(limit) = settings.max_iters {
        program = program.max_iterations(limit as usize);
    }
    let answer = program.solve();
    watch.spinner.finish_and_clear();
    answer.map_err(|source| Error::of_problem(problem.place(), source))
}

fn line(progress: &Progress) -> String {
    let Progress { iteration, road, objective, lower_bound, feasibility, rank, .. } = *progress;
    format!(
        "{road}, iteration {iteration}: objective {objective:.6e}, bound {lower_bound:.6e}, \
         feasibility {feasibility:.0e}, rank {rank}"
    )
}
