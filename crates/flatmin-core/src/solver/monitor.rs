//! Counts iterations over all roads and speaks to the observer: one for the solvers of all crates.

use super::recovery::Progress;
use std::ops::ControlFlow;

/// Receives a snapshot an iteration; `ControlFlow::Break` stops the solve.
pub type Observer<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// Why a road was left before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The iteration limit came.
    Limit,
    /// The observer asked.
    Interrupted,
}

/// Counts iterations over all roads and speaks to the observer.
///
/// ```
/// use flatmin_core::solver::{Monitor, Stop};
/// let mut monitor = Monitor { observer: None, limit: 1, iterations: 0, stop: None, scale: 1.0 };
/// assert!(monitor.tick("splitting", 2.0, 1.0, 0.0, 3));
/// assert!(!monitor.tick("splitting", 2.0, 1.5, 0.0, 3));
/// assert_eq!((monitor.iterations, monitor.stop), (1, Some(Stop::Limit)));
/// ```
pub struct Monitor<'a> {
    /// Who is told, once an iteration.
    pub observer: Option<&'a mut Observer<'a>>,
    /// Iterations that may be taken.
    pub limit: usize,
    /// Iterations so far.
    pub iterations: usize,
    /// Set when the roads must be left.
    pub stop: Option<Stop>,
    /// Factor from the solve's scale back to the caller's.
    pub scale: f64,
}

impl Monitor<'_> {
    /// Counts an iteration at an objective, a bound, an infeasibility and a rank; `false` when the road
    /// must be left.
    pub fn tick(
        &mut self,
        road: &'static str,
        objective: f64,
        lower: f64,
        feasibility: f64,
        rank: usize,
    ) -> bool {
        if self.stop.is_some() {
            return false;
        }
        if self.iterations >= self.limit {
            self.stop = Some(Stop::Limit);
            return false;
        }
        self.iterations += 1;
        if let Some(observer) = &mut self.observer {
            let progress = Progress {
                iteration: self.iterations,
                road,
                objective: objective * self.scale,
                lower_bound: lower * self.scale,
                feasibility,
                rank,
            };
            if let ControlFlow::Break(()) = observer(&progress) {
                self.stop = Some(Stop::Interrupted);
                return false;
            }
        }
        true
    }
}
