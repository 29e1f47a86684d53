//! What stands between a solve and the person who waits for it.

use flatmin::completion::ratings::Trial;
use flatmin::core::solver::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::ControlFlow;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Exit code of a process that was interrupted for good.
const INTERRUPTED: i32 = 130;

/// A spinner, where there is a terminal, and an interrupt that stops a solve and keeps its best
/// answer.
pub(super) struct Watch {
    spinner: ProgressBar,
    interrupted: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn new() -> Watch {
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

    pub(super) fn see(&self, progress: &Progress) -> ControlFlow<()> {
        if !self.spinner.is_hidden() {
            self.spinner.set_message(line(progress));
        }
        self.asked()
    }

    /// Whether to go on.
    fn asked(&self) -> ControlFlow<()> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// A penalty was tried on held-out entries.
    pub(super) fn see_trial(&self, trial: &Trial) -> ControlFlow<()> {
        if !self.spinner.is_hidden() {
            let Trial { smoothing, penalty, rmse, rank, .. } = trial;
            let said = format!("RMSE {rmse:.5}, rank {rank} at penalty {penalty:.3e}");
            self.spinner.set_message(format!("{said}, smoothing {smoothing}"));
        }
        self.asked()
    }

    /// The solve has ended.
    pub(super) fn clear(&self) {
        self.spinner.finish_and_clear();
    }
}

fn line(progress: &Progress) -> String {
    let Progress { iteration, road, objective, lower_bound, feasibility, rank, .. } = *progress;
    format!(
        "{road}, iteration {iteration}: objective {objective:.6e}, bound {lower_bound:.6e}, \
         feasibility {feasibility:.0e}, rank {rank}"
    )
}
