//! Counts iterations over all roads and speaks to the observer.

use crate::program::Observer;
use flatmin_core::Progress;
use std::ops::ControlFlow;

/// Why the roads were left before their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Limit,
    Interrupted,
}

pub(super) struct Monitor<'a> {
    pub(super) observer: Option<Box<Observer<'a>>>,
    pub(super) limit: usize,
    pub(super) iterations: usize,
    pub(super) stop: Option<Stop>,
    /// Factor from the solve's scale back to the caller's.
    pub(super) scale: f64,
}

impl Monitor<'_> {
    /// Counts an iteration at an objective, a bound, an infeasibility and a rank; `false` when the
    /// road must be left.
    pub(super) fn tick(
        &mut self,
        road: &'static str,
        (objective, lower): (f64, f64),
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
