//! The settings of a fit.

use super::data::check_values;
use super::selection::{Fold, Selected, select};
use super::{Centring, Observation, Offsets, Ratings, RatingsModel, Shrinkage, Trial};
use crate::{Error, Objective, Program, Status};
use flatmin_core::Progress;
use std::cell::RefCell;
use std::ops::ControlFlow;

/// The weight `lambda` of the norm.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Penalty {
    /// This one, in the units of the objective that [`Weights`] name.
    Given(f64),
    /// The one that predicts held-out ratings best.
    #[default]
    Auto,
}

/// What rows and columns weigh in the norm.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Weights {
    /// As much as they are seen: `|D1 X D2|_*`.
    #[default]
    Flat,
    /// The same: `|X|_*`.
    Nuclear,
    /// A share `1 - s` as they are seen and `s` the same, `s` in `[0, 1]`; 0 is flat.
    Smoothed(f64),
    /// The smoothing that predicts held-out ratings best.
    Auto,
}

/// The ratings by which a penalty or weights are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Holdout<'a> {
    /// A tenth of the ratings, drawn at random.
    #[default]
    Tenth,
    /// Each of so many parts in turn, drawn at random.
    Folds(usize),
    /// These, none of which are fitted.
    Given(&'a [Observation]),
}

impl Holdout<'_> {
    /// What a caller can get wrong, for `m` ratings.
    pub(super) fn check(self, m: usize) -> Result<(), Error> {
        match self {
            Holdout::Folds(n) if n < 2 || n > m => {
                let rule = "at least 2 and at most the number of ratings";
                Err(Error::Parameter { name: "the number of folds", rule, got: n.to_string() })
            }
            Holdout::Given([]) => Err(Error::Empty { what: "the held-out ratings" }),
            Holdout::Given(held) => check_values("the held-out ratings", held.iter().map(|o| o.2)),
            _ => Ok(()),
        }
    }
}

/// What an observer is told.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Stage<'s> {
    /// A penalty was tried on held-out ratings.
    Trial(&'s Trial),
    /// A solve, of a trial or the last one, goes on.
    Solve(&'s Progress),
}

type Observer<'a> = dyn FnMut(Stage<'_>) -> ControlFlow<()> + 'a;

/// A fit of ratings, with its settings: centre, choose the penalty, solve.
///
/// ```
/// use flatmin_completion::ratings::{Centring, Holdout, Ratings, Weights};
/// // A hundred of the 144 entries of a matrix of rank one, and a little noise.
/// let (i, j): (Vec<_>, Vec<_>) = (0..100).map(|t| (37 * t % 144 / 12, 37 * t % 12)).unzip();
/// let value = |i, j, t| (i as f64 - 5.5) * (j as f64 - 4.0) + 0.5 * (t * t % 7) as f64;
/// let values = (0..100).map(|t| value(i[t], j[t], t)).collect();
/// let ratings = Ratings::new(12, 12, &i, &j, values)?;
/// let fit = ratings.fit().centring(Centring::Global).weights(Weights::Smoothed(0.5));
/// let model = fit.holdout(Holdout::Folds(5)).seed(7).solve()?;
/// for trial in &model.selection {
///     println!("lambda {:.3}: {:.4}, rank {}", trial.penalty, trial.rmse, trial.rank);
/// }
/// assert!(model.recovery.status.is_certified());
/// let best = model.selection.iter().map(|t| t.rmse).fold(f64::INFINITY, f64::min);
/// assert!(best < 0.2 * model.selection[0].rmse);
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
pub struct Fit<'a> {
    ratings: &'a Ratings,
    /// What is taken off first; default offsets of rows and columns.
    pub centring: Centring,
    /// How much those offsets are shrunken.
    pub shrinkage: Shrinkage,
    /// Whether predictions are kept within the range of the ratings; default yes.
    pub clip: bool,
    /// The penalty; default the best on held-out ratings.
    pub penalty: Penalty,
    /// The weights; default flat.
    pub weights: Weights,
    /// The held-out ratings; default a tenth.
    pub holdout: Holdout<'a>,
    /// Seed of the draw of held-out ratings; default 0.
    pub seed: u64,
    /// Relative duality gap to certify; default `1e-6`.
    pub tolerance: f64,
    /// Iterations of each solve; default 2000.
    pub max_iterations: usize,
    /// Threads inside each solve; default 1.
    pub threads: usize,
    /// Rank to try first.
    pub rank: Option<usize>,
    observer: Option<Box<Observer<'a>>>,
}

impl<'a> Fit<'a> {
    pub(super) fn new(ratings: &'a Ratings) -> Fit<'a> {
        Fit {
            ratings,
            centring: Centring::default(),
            shrinkage: Shrinkage::default(),
            clip: true,
            penalty: Penalty::default(),
            weights: Weights::default(),
            holdout: Holdout::default(),
            seed: 0,
            tolerance: 1e-6,
            max_iterations: 2000,
            threads: 1,
            rank: None,
            observer: None,
        }
    }

    pub(super) fn ratings(&self) -> &'a Ratings {
        self.ratings
    }

    /// Sets what is taken off first.
    #[must_use]
    pub fn centring(mut self, centring: Centring) -> Self {
        self.centring = centring;
        self
    }

    /// Sets how much offsets are shrunken.
    #[must_use]
    pub fn shrinkage(mut self, shrinkage: Shrinkage) -> Self {
        self.shrinkage = shrinkage;
        self
    }

    /// Sets whether predictions are kept within the range of the ratings.
    #[must_use]
    pub fn clip(mut self, clip: bool) -> Self {
        self.clip = clip;
        self
    }

    /// Sets the penalty.
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.penalty = penalty;
        self
    }

    /// Sets the weights.
    #[must_use]
    pub fn weights(mut self, weights: Weights) -> Self {
        self.weights = weights;
        self
    }

    /// Sets the held-out ratings.
    #[must_use]
    pub fn holdout(mut self, holdout: Holdout<'a>) -> Self {
        self.holdout = holdout;
        self
    }

    /// Sets the seed of their draw.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the relative duality gap to certify.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the iteration limit of each solve.
    #[must_use]
    pub fn max_iterations(mut self, limit: usize) -> Self {
        self.max_iterations = limit;
        self
    }

    /// Sets the number of threads inside each solve.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the rank to try first.
    #[must_use]
    pub fn rank(mut self, rank: usize) -> Self {
        self.rank = Some(rank);
        self
    }

    /// Calls `observer` after each trial and in each iteration; it stops the fit by returning
    /// `ControlFlow::Break`. What was found by then is returned, as interrupted.
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(Stage<'_>) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Chooses what is to be chosen, and fits all ratings.
    ///
    /// # Errors
    /// For settings outside their domain, held-out ratings that are not finite or larger than
    /// `1e150`, too few ratings to hold some out, and as [`Program::solve`].
    pub fn solve(mut self) -> Result<RatingsModel, Error> {
        self.check()?;
        let watch = Watch(RefCell::new((self.observer.take(), false)));
        let chosen = match (self.penalty, self.smoothings()) {
            (Penalty::Given(penalty), weights) => Selected::given(weights[0], Some(penalty)),
            (Penalty::Auto, weights) => {
                let folds = Fold::all(self.ratings, self.holdout, self.seed)?;
                select(&self, folds, &weights, &watch)?
            }
        };
        let offsets = Offsets::fit(self.ratings, self.centring, self.shrinkage)?;
        let residuals = offsets.residuals(self.ratings);
        let objective = chosen.weights.objective();
        let mut program = self.program(self.ratings, &residuals, objective, &watch);
        program.tolerance = self.tolerance;
        let largest = || program.largest_penalty();
        let penalty = chosen.penalty.map_or_else(largest, Ok)?;
        if let Some(start) = &chosen.start {
            program = program.warm_start(start);
        }
        // Where nothing is left to fit any penalty does.
        let nothing = residuals.iter().all(|&e| e == 0.0);
        let mut recovery = program.penalty(if nothing { 1.0 } else { penalty }).solve()?;
        recovery.penalty = Some(penalty);
        if watch.stopped() {
            recovery.status = Status::Interrupted;
        }
        let range = self.clip.then(|| self.ratings.range());
        Ok(RatingsModel::new(self.ratings, offsets, (recovery, penalty), range, chosen))
    }

    /// The program of residuals at the settings of this fit, but for the tolerance.
    pub(super) fn program<'b>(
        &self,
        ratings: &'b Ratings,
        residuals: &'b [f64],
        objective: Objective,
        watch: &'b Watch<'a>,
    ) -> Program<'b> {
        let mut program = Program::new(ratings.completion().map(), residuals, objective)
            .max_iterations(self.max_iterations)
            .threads(self.threads)
            .observe(|progress| watch.tell(Stage::Solve(progress)));
        program.rank = self.rank;
        program
    }

    /// The weights to choose from.
    fn smoothings(&self) -> Vec<Weights> {
        match self.weights {
            Weights::Auto => SMOOTHINGS.map(Weights::Smoothed).to_vec(),
            given => vec![given],
        }
    }

    fn check(&self) -> Result<(), Error> {
        self.shrinkage.check()?;
        let wrong = |name, rule, got: String| Err(Error::Parameter { name, rule, got });
        if let Weights::Smoothed(s) = self.weights
            && !(0.0..=1.0).contains(&s)
        {
            return wrong("the smoothing", "in [0, 1]", s.to_string());
        }
        if let Penalty::Given(penalty) = self.penalty
            && !(penalty > 0.0 && penalty.is_finite())
        {
            return wrong("the penalty", "a positive number", penalty.to_string());
        }
        if let (Weights::Auto, Penalty::Given(penalty)) = (self.weights, self.penalty) {
            let rule = "chosen, too, where the weights are";
            return wrong("the penalty", rule, penalty.to_string());
        }
        self.holdout.check(self.ratings.len())
    }
}

/// Smoothings to choose from.
const SMOOTHINGS: [f64; 7] = [0.0, 0.1, 0.3, 0.5, 0.75, 0.9, 1.0];

impl Weights {
    /// The objective of one kind of weights.
    pub(super) fn objective(self) -> Objective {
        match self {
            Weights::Nuclear => Objective::Nuclear,
            Weights::Smoothed(s) if s > 0.0 => Objective::Smoothed(s),
            _ => Objective::Flat,
        }
    }

    /// `s`.
    pub(super) fn smoothing(self) -> f64 {
        match self {
            Weights::Flat | Weights::Auto => 0.0,
            Weights::Nuclear => 1.0,
            Weights::Smoothed(s) => s,
        }
    }
}

/// The observer, and whether it has asked to stop.
pub(super) struct Watch<'a>(RefCell<(Option<Box<Observer<'a>>>, bool)>);

impl Watch<'_> {
    pub(super) fn tell(&self, stage: Stage<'_>) -> ControlFlow<()> {
        // An observer cannot reach its own fit, so nothing else holds this.
        let Ok(mut held) = self.0.try_borrow_mut() else { return ControlFlow::Continue(()) };
        if held.1 {
            return ControlFlow::Break(());
        }
        let said = held.0.as_mut().map_or(ControlFlow::Continue(()), |observer| observer(stage));
        held.1 = said.is_break();
        said
    }

    pub(super) fn stopped(&self) -> bool {
        self.0.try_borrow().is_ok_and(|held| held.1)
    }
}
