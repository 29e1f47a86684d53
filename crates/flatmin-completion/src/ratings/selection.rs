//! The penalty that predicts held-out ratings best.
//!
//! The penalty falls from the one at which the answer is zero, each solve from the answer before it,
//! until the error on held-out ratings has risen twice; then it is halved in on. Where weights are to
//! be chosen, too, the others start at the best penalty of those before them, and look up and down.
//!
//! What is chosen for `m'` ratings is fitted to all `m` of them at `lambda (m / m')^{1/2}`: that is
//! how the norm of the noise grows that the penalty has to hold down, `|D1^{-1} A*(e) D2^{-1}|_op`
//! for independent `e` (S. Negahban, M. Wainwright, *Restricted strong convexity and weighted matrix
//! completion*, Journal of Machine Learning Research 13, 2012).

use super::fit::Watch;
use super::model::{Factors, predict};
use super::{Fit, Holdout, Observation, Offsets, Ratings, Shrinkage, Stage, Weights};
use crate::{Error, Objective, Program, Recovery};
use flatmin_core::Path;
use flatmin_core::rng::{Role, Stream};

/// A penalty and what it did to held-out ratings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Smoothing `s` of the weights.
    pub smoothing: f64,
    /// The penalty `lambda` of the fits to the ratings that were not held out.
    pub penalty: f64,
    /// That, as a part of the least one at which the answer is zero.
    pub fraction: f64,
    /// Root mean square error on the held-out ratings.
    pub rmse: f64,
    /// Rank of the answer; the largest, where there are folds.
    pub rank: usize,
    /// Relative duality gap of the answer; the largest, where there are folds.
    pub relative_gap: f64,
}

/// What was chosen, for all ratings.
pub(super) struct Selected {
    pub(super) weights: Weights,
    /// `None` for the least one at which the answer is zero.
    pub(super) penalty: Option<f64>,
    pub(super) start: Option<Recovery>,
    pub(super) trials: Vec<Trial>,
}

impl Selected {
    pub(super) fn given(weights: Weights, penalty: Option<f64>) -> Selected {
        Selected { weights, penalty, start: None, trials: Vec::new() }
    }
}

/// Ratings to fit, and others to hold the fit against.
pub(super) struct Fold {
    pub(super) train: Ratings,
    pub(super) held: Vec<Observation>,
}

impl Fold {
    pub(super) fn all(
        ratings: &Ratings,
        holdout: Holdout<'_>,
        seed: u64,
    ) -> Result<Vec<Fold>, Error> {
        let m = ratings.len();
        holdout.check(m)?;
        let folds = match holdout {
            Holdout::Given(held) => {
                return Ok(vec![Fold { train: ratings.clone(), held: held.to_vec() }]);
            }
            _ if m < 2 => {
                let rule = "at least 2, to hold one out: else give the penalty";
                let (name, got) = ("the number of ratings", m.to_string());
                return Err(Error::Parameter { name, rule, got });
            }
            Holdout::Tenth => 10.min(m),
            Holdout::Folds(n) => n,
        };
        let part = shuffled(m, seed);
        let used = if holdout == Holdout::Tenth { 1 } else { folds };
        let values: Vec<_> = ratings.iter().collect();
        (0..used)
            .map(|fold| {
                let kept = (0..m).filter(|&t| part[t] % folds != fold);
                let held = (0..m).filter(|&t| part[t] % folds == fold).map(|t| values[t]);
                let held = held.map(|(i, j, y)| (Some(i), Some(j), y)).collect();
                Ok(Fold { train: ratings.subset(kept)?, held })
            })
            .collect()
    }
}

/// A random permutation (Fisher and Yates).
fn shuffled(m: usize, seed: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, "held-out ratings", 0, 0, Role::Measurements);
    let mut order: Vec<usize> = (0..m).collect();
    for last in (1..m).rev() {
        let pick = (stream.uniform() * (last + 1) as f64) as usize;
        order.swap(last, pick.min(last));
    }
    order
}

/// A fold, centred.
struct Posed {
    fold: Fold,
    offsets: Offsets,
    residuals: Vec<f64>,
    range: Option<(f64, f64)>,
}

impl Posed {
    fn new(fit: &Fit<'_>, shrinkage: Shrinkage, fold: Fold) -> Result<Posed, Error> {
        let offsets = Offsets::fit(&fold.train, fit.centring, shrinkage)?;
        let residuals = offsets.residuals(&fold.train);
        let range = fit.clip.then(|| fold.train.range());
        Ok(Posed { fold, offsets, residuals, range })
    }

    /// Sum of squared errors on what is held out.
    fn misfit(&self, recovery: Option<&Recovery>) -> f64 {
        let factors = recovery.map(Factors::new).unwrap_or_default();
        let error = |&(i, j, y): &Observation| {
            predict(&self.offsets, factors.dot(i, j), self.range, i, j) - y
        };
        self.fold.held.iter().map(|o| error(o).powi(2)).sum()
    }
}

/// Relative duality gap of the trials.
const LOOSE: f64 = 1e-3;

/// From one penalty to the next.
const STEP: f64 = 0.7;

/// Most penalties of a path: down to a few millionths of the largest.
const LONGEST: usize = 36;

/// A path ends when so many penalties in a row were worse than the best, by `RISE` of its error.
const PATIENCE: usize = 2;
const RISE: f64 = 1e-4;

/// The best of all weights and penalties.
pub(super) fn select<'a>(
    fit: &Fit<'a>,
    shrinkage: Shrinkage,
    folds: Vec<Fold>,
    weights: &[Weights],
    watch: &Watch<'a>,
) -> Result<Selected, Error> {
    let m = fit.ratings().len() as f64;
    let used = folds.iter().map(|f| f.train.len()).sum::<usize>() as f64 / folds.len() as f64;
    let posed: Vec<Posed> =
        folds.into_iter().map(|fold| Posed::new(fit, shrinkage, fold)).collect::<Result<_, _>>()?;
    let mut trials = Vec::new();
    let mut best: Option<(Best, Weights)> = None;
    for &weights in weights {
        let mut walk = Walk::new(fit, &posed, weights, watch)?;
        match &best {
            Some((known, _)) if !known.answers.is_empty() => walk.follow(known)?,
            _ => {
                walk.descend()?;
                walk.refine()?;
            }
        }
        trials.append(&mut walk.trials);
        if let Some(found) = walk.best
            && best.as_ref().is_none_or(|(b, _)| found.trial.rmse < b.trial.rmse)
        {
            best = Some((found, weights));
        }
        if watch.stopped() {
            break;
        }
    }
    let Some((best, weights)) = best else {
        // Stopped before the first trial.
        return Ok(Selected::given(weights[0], None));
    };
    let grown = best.trial.penalty * (m / used).sqrt();
    // Where nothing was best, all ratings are to have nothing, too.
    let penalty = (grown > 0.0 && best.trial.rank > 0).then_some(grown);
    Ok(Selected { weights, penalty, start: best.answers.into_iter().next(), trials })
}

/// The best trial, with its answers a fold.
struct Best {
    trial: Trial,
    answers: Vec<Recovery>,
}

/// A walk over penalties, of all folds at once.
struct Walk<'w, 'a> {
    fit: &'w Fit<'a>,
    posed: &'w [Posed],
    objective: Objective,
    smoothing: f64,
    watch: &'w Watch<'a>,
    /// The least penalty at which every answer is zero.
    largest: f64,
    trials: Vec<Trial>,
    best: Option<Best>,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(
        fit: &'w Fit<'a>,
        posed: &'w [Posed],
        weights: Weights,
        watch: &'w Watch<'a>,
    ) -> Result<Self, Error> {
        let (objective, smoothing) = (weights.objective(), weights.smoothing());
        let (trials, best) = (Vec::new(), None);
        let mut walk = Walk { fit, posed, objective, smoothing, watch, largest: 0.0, trials, best };
        for posed in posed {
            walk.largest = walk.largest.max(walk.program(posed).largest_penalty()?);
        }
        Ok(walk)
    }

    fn program(&self, posed: &'w Posed) -> Program<'w> {
        let (ratings, residuals) = (&posed.fold.train, &posed.residuals);
        self.fit.program(ratings, residuals, self.objective, self.watch).tolerance(LOOSE)
    }

    /// From the largest penalty downwards.
    fn descend(&mut self) -> Result<(), Error> {
        if self.largest == 0.0 {
            // Nothing is left to fit.
            let (penalty, fraction) = (0.0, 1.0);
            let rmse = self.rmse(|posed| posed.misfit(None));
            let smoothing = self.smoothing;
            let trial = Trial { smoothing, penalty, fraction, rmse, rank: 0, relative_gap: 0.0 };
            self.trials.push(trial);
            self.best = Some(Best { trial, answers: Vec::new() });
            // There is nothing that it could stop.
            let _ = self.watch.tell(Stage::Trial(&trial));
            return Ok(());
        }
        let fractions: Vec<f64> = (0..LONGEST).map(|k| STEP.powi(k as i32)).collect();
        let penalties = fractions.iter().map(|f| f * self.largest);
        let mut paths: Vec<Path<'_>> =
            self.posed.iter().map(|p| self.program(p).path(penalties.clone())).collect();
        let mut worse = 0;
        for fraction in fractions {
            let answers = paths.iter_mut().filter_map(Iterator::next).collect::<Result<_, _>>()?;
            match self.judge(fraction, answers) {
                None => break,
                Some(rise) if rise > RISE => worse += 1,
                Some(_) => worse = 0,
            }
            if worse >= PATIENCE {
                break;
            }
        }
        Ok(())
    }

    /// Between the best penalty and its neighbours.
    fn refine(&mut self) -> Result<(), Error> {
        let Some(best) = &self.best else { return Ok(()) };
        let middle = best.trial.fraction;
        for fraction in [middle / STEP.sqrt(), middle * STEP.sqrt()] {
            self.is_better(fraction)?;
        }
        Ok(())
    }

    /// From the best penalty of other weights, up and down by half-steps while that is better: what is
    /// best moves little from one smoothing to the next, and so do the answers.
    fn follow(&mut self, known: &Best) -> Result<(), Error> {
        if self.largest == 0.0 {
            return self.descend();
        }
        let middle = (known.trial.penalty / self.largest).min(1.0);
        let answers = self.solved(middle, &known.answers)?;
        let _ = self.judge(middle, answers);
        for factor in [STEP.sqrt().recip(), STEP.sqrt()] {
            let mut fraction = middle * factor;
            while self.is_better(fraction)? {
                fraction *= factor;
            }
        }
        Ok(())
    }

    /// Whether a penalty is better than the best so far, from whose answers it starts.
    fn is_better(&mut self, fraction: f64) -> Result<bool, Error> {
        let least = STEP.powi(LONGEST as i32);
        let Some(best) = &self.best else { return Ok(false) };
        let within = (least..=1.0).contains(&fraction);
        if best.answers.is_empty() || !within || self.watch.stopped() {
            return Ok(false);
        }
        let answers = self.solved(fraction, &best.answers)?;
        Ok(self.judge(fraction, answers).is_some_and(|rise| rise < 0.0))
    }

    /// The answers at a penalty, each from another one.
    fn solved(&self, fraction: f64, starts: &[Recovery]) -> Result<Vec<Recovery>, Error> {
        let starts = self.posed.iter().zip(starts);
        starts
            .map(|(posed, start)| {
                let program = self.program(posed).warm_start(start);
                program.penalty(fraction * self.largest).solve()
            })
            .collect()
    }

    /// Records a trial; by how much it is worse than the best before it. `None` to stop.
    fn judge(&mut self, fraction: f64, answers: Vec<Recovery>) -> Option<f64> {
        if answers.len() < self.posed.len() || self.watch.stopped() {
            return None;
        }
        let misfits = self.posed.iter().zip(&answers).map(|(p, a)| p.misfit(Some(a))).sum::<f64>();
        let trial = Trial {
            smoothing: self.smoothing,
            penalty: fraction * self.largest,
            fraction,
            rmse: (misfits / self.held()).sqrt(),
            rank: answers.iter().map(|a| a.rank).max().unwrap_or(0),
            relative_gap: answers.iter().map(|a| a.relative_gap).fold(0.0, f64::max),
        };
        self.trials.push(trial);
        let rise = self.best.as_ref().map_or(-1.0, |b| trial.rmse / b.trial.rmse - 1.0);
        if self.best.as_ref().is_none_or(|b| trial.rmse < b.trial.rmse) {
            self.best = Some(Best { trial, answers });
        }
        self.watch.tell(Stage::Trial(&trial)).is_continue().then_some(rise)
    }

    fn held(&self) -> f64 {
        self.posed.iter().map(|p| p.fold.held.len()).sum::<usize>() as f64
    }

    fn rmse(&self, misfit: impl Fn(&Posed) -> f64) -> f64 {
        (self.posed.iter().map(misfit).sum::<f64>() / self.held()).sqrt()
    }
}
