//! Progress on standard error: a bar on a terminal, plain lines elsewhere.

use crate::runner::Tally;
use crate::spec::Cell;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Output {
    Bar(ProgressBar),
    Plain,
    Silent,
}

#[derive(Debug)]
struct State {
    /// Draws still missing, by sweep and cell.
    missing: HashMap<(usize, Cell), usize>,
    cells: usize,
    draws: usize,
    done: usize,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// On standard error.
    pub fn stderr() -> Progress {
        let output = if std::io::stderr().is_terminal() {
            Output::Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
        } else {
            Output::Plain
        };
        Progress::new(output)
    }

    /// Nowhere.
    pub fn silent() -> Progress {
        Progress::new(Output::Silent)
    }

    fn new(output: Output) -> Progress {
        let now = Instant::now();
        let state = State {
            missing: HashMap::new(),
            cells: 0,
            draws: 0,
            done: 0,
            started: now,
            last_line: now,
        };
        Progress { output, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters stay meaningful even if a worker panicked between two updates.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins a run whose missing draws belong to these cells.
    pub(crate) fn start(&self, tally: Tally, draws: impl Iterator<Item = (usize, Cell)>) {
        let mut state = self.state();
        for key in draws {
            *state.missing.entry(key).or_default() += 1;
        }
        state.cells = state.missing.len();
        state.draws = tally.computed;
        state.started = Instant::now();
        state.last_line = state.started;
        let resumed = match tally.resumed {
            0 => String::new(),
            n => format!(" ({n} found in the journal)"),
        };
        match &self.output {
            Output::Bar(bar) => {
                bar.println(format!("{} draws to solve{resumed}", tally.computed));
                bar.set_length(tally.computed as u64);
                let style = ProgressStyle::with_template(
                    "{bar:32} {pos}/{len} draws, {msg}, {per_sec}, {elapsed} so far, {eta} left",
                );
                if let Ok(style) = style {
                    bar.set_style(style);
                }
                bar.set_message(format!("0/{} cells", state.cells));
                bar.enable_steady_tick(Duration::from_millis(500));
            }
            Output::Plain => eprintln!("{} draws to solve{resumed}", tally.computed),
            Output::Silent => {}
        }
    }

    /// Says something in a line of its own.
    pub(crate) fn note(&self, text: &str) {
        match &self.output {
            Output::Bar(bar) if !bar.is_finished() => bar.println(text),
            Output::Bar(_) | Output::Plain => eprintln!("{text}"),
            Output::Silent => {}
        }
    }

    /// Counts one finished draw.
    pub(crate) fn finished(&self, sweep: usize, cell: &Cell) {
        let mut state = self.state();
        state.done += 1;
        if let Some(left) = state.missing.get_mut(&(sweep, *cell)) {
            *left -= 1;
            if *left == 0 {
                state.missing.remove(&(sweep, *cell));
            }
        }
        let cells = format!("{}/{} cells", state.cells - state.missing.len(), state.cells);
        match &self.output {
            Output::Bar(bar) => {
                bar.set_message(cells);
                bar.inc(1);
            }
            Output::Plain if state.last_line.elapsed() >= PLAIN_INTERVAL => {
                state.last_line = Instant::now();
                let rate = state.done as f64 / state.started.elapsed().as_secs_f64();
                let left = (state.draws - state.done) as f64 / rate;
                eprintln!(
                    "{}/{} draws, {cells}, {rate:.1}/s, {left:.0} s left",
                    state.done, state.draws
                );
            }
            Output::Plain | Output::Silent => {}
        }
    }

    /// Begins a study with so many tasks to perform, and so many found in its journal.
    pub(crate) fn start_tasks(&self, study: &str, (missing, found): (usize, usize)) {
        let mut state = self.state();
        let now = Instant::now();
        (state.draws, state.done) = (missing, 0);
        (state.started, state.last_line) = (now, now);
        let resumed = match found {
            0 => String::new(),
            n => format!(" ({n} found in the journal)"),
        };
        let told = format!("{study}: {missing} tasks to do{resumed}");
        match &self.output {
            Output::Bar(bar) => {
                bar.reset();
                bar.println(told);
                bar.set_length(missing as u64);
                let style = ProgressStyle::with_template(
                    "{bar:32} {pos}/{len} tasks, {elapsed} so far, {eta} left",
                );
                if let Ok(style) = style {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(500));
            }
            Output::Plain => eprintln!("{told}"),
            Output::Silent => {}
        }
    }

    /// Counts one finished task.
    pub(crate) fn task_done(&self) {
        let mut state = self.state();
        state.done += 1;
        match &self.output {
            Output::Bar(bar) => bar.inc(1),
            Output::Plain if state.last_line.elapsed() >= PLAIN_INTERVAL => {
                state.last_line = Instant::now();
                let (done, of) = (state.done, state.draws);
                let left = state.started.elapsed().as_secs_f64() * (of - done) as f64 / done as f64;
                eprintln!("{done}/{of} tasks, {left:.0} s left");
            }
            Output::Plain | Output::Silent => {}
        }
    }

    /// Ends a study.
    pub(crate) fn end_tasks(&self, study: &str) {
        self.end();
        let state = self.state();
        let (done, seconds) = (state.done, state.started.elapsed().as_secs_f64());
        self.note(&format!("{study}: {done} tasks, {seconds:.1} s"));
    }

    /// Ends the run.
    pub(crate) fn end(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish();
        }
    }
}
