//! What the command says about ratings.

use super::{digits, significant};
use flatmin::completion::ratings::{Centring, RatingsModel};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// Most trials that a reader is shown.
const SHOWN: usize = 9;

/// Offsets, the choice of the penalty, and how much was predicted.
#[derive(Debug, Clone, Serialize)]
pub struct RatingReport {
    /// What was taken off first: `none`, `global` or `row-col`.
    pub centring: String,
    /// The mean that was.
    pub mean: f64,
    /// How many ratings of the mean each row and column was given beside its own, for their offsets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrinkage: Option<f64>,
    /// Smoothing of the weights, 0 for flat and 1 for nuclear.
    pub smoothing: f64,
    /// Root mean square error on held-out entries at the penalty that was chosen by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_rmse: Option<f64>,
    /// All that was tried for that choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selection: Vec<Trial>,
    /// Number of pairs predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions: Option<usize>,
    /// How many of them have a row or column that was never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<usize>,
    /// The predictions, where no file was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Vec<f64>>,
    /// Number of columns named to rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendations: Option<usize>,
    /// Those columns, where no file was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommended: Option<Vec<Recommended>>,
}

/// A penalty and what it did to held-out entries.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Smoothing of the weights.
    pub smoothing: f64,
    /// The penalty.
    pub penalty: f64,
    /// Root mean square error on held-out entries.
    pub rmse: f64,
    /// Rank of the answer.
    pub rank: usize,
}

/// A column named to a row.
#[derive(Debug, Clone, Serialize)]
pub struct Recommended {
    /// Id of the row.
    pub row: String,
    /// Id of the column.
    pub col: String,
    /// The prediction there.
    pub prediction: f64,
}

impl RatingReport {
    /// The report of a model, before anything is predicted.
    pub fn new(model: &RatingsModel) -> RatingReport {
        let trial = |t: &flatmin::completion::ratings::Trial| Trial {
            smoothing: t.smoothing,
            penalty: t.penalty,
            rmse: t.rmse,
            rank: t.rank,
        };
        let selection: Vec<Trial> = model.selection.iter().map(trial).collect();
        RatingReport {
            centring: model.offsets.centring().to_string(),
            mean: model.offsets.mean(),
            shrinkage: (model.offsets.centring() == Centring::RowCol)
                .then(|| model.offsets.shrinkage().rows),
            smoothing: model.smoothing,
            validation_rmse: selection.iter().map(|t| t.rmse).min_by(f64::total_cmp),
            selection,
            predictions: None,
            unseen: None,
            predicted: None,
            recommendations: None,
            recommended: None,
        }
    }

    /// Takes in columns named to rows.
    pub fn recommend<'a>(
        &mut self,
        lines: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>, f64)>,
    ) {
        let recommended = lines.map(|(row, col, prediction)| {
            let (row, col) = (row.into_owned(), col.into_owned());
            Recommended { row, col, prediction }
        });
        self.recommended = Some(recommended.collect());
    }

    /// The best trial of each smoothing where there are several; else those around the best one, by
    /// their penalties. And the place of the best among them.
    fn best_trials(&self) -> (Vec<&Trial>, usize) {
        let mut trials: Vec<&Trial> = self.selection.iter().collect();
        let best = |trials: &[&Trial]| {
            let least =
                (0..trials.len()).min_by(|&a, &b| trials[a].rmse.total_cmp(&trials[b].rmse));
            least.unwrap_or(0)
        };
        if self.chose_smoothing() {
            let of_each = trials.chunk_by(|a, b| a.smoothing == b.smoothing);
            let shown: Vec<&Trial> = of_each.map(|part| part[best(part)]).collect();
            let place = best(&shown);
            return (shown, place);
        }
        trials.sort_by(|a, b| b.penalty.total_cmp(&a.penalty));
        let best = best(&trials);
        let last = (best + SHOWN / 2 + 1).max(SHOWN).min(trials.len());
        let first = last.saturating_sub(SHOWN);
        (trials.drain(first..last).collect(), best - first)
    }

    /// Whether several smoothings were tried.
    fn chose_smoothing(&self) -> bool {
        self.selection.iter().any(|trial| trial.smoothing != self.smoothing)
    }
}

impl fmt::Display for RatingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.centring != Centring::None.to_string() {
            write!(f, "\n  centring      {} (mean {}", self.centring, digits(self.mean))?;
            if let Some(shrinkage) = self.shrinkage {
                write!(f, ", shrinkage {shrinkage}")?;
            }
            write!(f, ")")?;
        }
        if self.smoothing > 0.0 || self.chose_smoothing() {
            write!(f, "\n  smoothing     {}", self.smoothing)?;
        }
        if let Some(rmse) = self.validation_rmse {
            let chose = self.chose_smoothing();
            let smoothing = |s: &dyn fmt::Display| match chose {
                true => format!("{s:<9}  "),
                false => String::new(),
            };
            write!(f, "\n  validation    RMSE {rmse:.5} on held-out entries")?;
            let head = smoothing(&"smoothing");
            write!(f, "\n                {head}{:>12}  {:>7}  rank", "lambda", "RMSE")?;
            let (trials, best) = self.best_trials();
            for (n, trial) in trials.into_iter().enumerate() {
                let Trial { penalty, rmse, rank, .. } = trial;
                let (mark, s) = (if n == best { '*' } else { ' ' }, smoothing(&trial.smoothing));
                let penalty = significant(*penalty, 6);
                write!(f, "\n              {mark} {s}{penalty:>12}  {rmse:.5}  {rank:4}")?;
            }
        }
        if let (Some(count), Some(unseen)) = (self.predictions, self.unseen) {
            write!(f, "\n  predictions   {count}")?;
            if unseen > 0 {
                write!(f, ", {unseen} of them by offsets alone")?;
            }
        }
        if let Some(count) = self.recommendations {
            write!(f, "\n  recommended   {count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_trial_is_shown_among_its_neighbours() {
        for (count, best) in [(1, 0), (4, 3), (9, 0), (20, 0), (20, 19), (20, 10)] {
            let trial = |n: usize| Trial {
                smoothing: 0.0,
                penalty: n as f64,
                rmse: 1.0 + n.abs_diff(best) as f64,
                rank: n,
            };
            let mut report = RatingReport {
                shrinkage: None,
                centring: "none".into(),
                mean: 0.0,
                smoothing: 0.0,
                validation_rmse: Some(1.0),
                selection: (0..count).map(trial).collect(),
                predictions: None,
                unseen: None,
                predicted: None,
                recommendations: None,
                recommended: None,
            };
            let (trials, place) = report.best_trials();
            assert_eq!((trials.len(), trials[place].rank), (count.min(SHOWN), best));
            assert_eq!(report.to_string().matches('*').count(), 1);
            report.selection.extend((0..count).map(|n| Trial { smoothing: 0.5, ..trial(n) }));
            report.selection[best].rmse = 0.5;
            let (trials, place) = report.best_trials();
            assert_eq!((trials.len(), place, trials[1].rank), (2, 0, best));
            report.selection.clear();
            assert!(report.best_trials().0.is_empty());
        }
    }
}
