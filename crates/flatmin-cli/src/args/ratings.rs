//! What is asked of ratings, beyond what is asked of every completion.

use super::{ObjectiveName, Penalty, RecoverySettings};
use crate::Error;
use clap::{Args, ValueEnum};
use flatmin::completion::ratings::Centring;
use std::path::PathBuf;
use std::str::FromStr;

/// The settings of a completion: those of every recovery, and those of ratings.
#[derive(Debug, Args)]
pub struct CompletionSettings {
    /// Those of every recovery.
    #[command(flatten)]
    pub recovery: RecoverySettings,
    /// Those of ratings.
    #[command(flatten)]
    pub ratings: RatingSettings,
}

/// Offsets, smoothing, and what is to be predicted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ratings")]
pub struct RatingSettings {
    /// What is taken off the entries first: nothing, their mean, or that and an offset of each row and
    /// column, shrunken as if each had five more entries equal to the mean (with --penalty auto: as
    /// many as predict held-out entries best). X is then fitted to the rest: objective, bound,
    /// --factors and --dual are of that, while --out and predictions have the offsets added again
    #[arg(
        long,
        value_enum,
        default_value_t = CentringName::None,
        hide_possible_values = true,
        value_name = "none|global|row-col"
    )]
    pub center: CentringName,
    /// What rows and columns weigh in |D1 X D2|_*: a share 1 - S as they are seen and S all the same,
    /// from 0 (flat) to 1 (nuclear up to scale); auto chooses it of seven, with the penalty, which takes
    /// a few times as long [default: 0; with --penalty auto: auto]
    #[arg(long, value_name = "S|auto", value_parser = Smoothing::from_str, allow_negative_numbers = true)]
    pub smoothing: Option<Smoothing>,
    /// Choose by predicting each of N parts from the others [default: a tenth from the rest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub folds: Option<u32>,
    /// Pairs row,col to predict, with the ids of --entries: a file as for --entries, where columns after
    /// the second are passed over, or an .npz file with the fields row, col. Ids that were never seen
    /// get what the offsets say, and are counted in a warning
    #[arg(long, value_name = "PAIRS")]
    pub predict: Option<PathBuf>,
    /// Where to write row,col,prediction: .csv [default: standard output; with --json in the object]
    #[arg(long, value_name = "OUT.csv", requires = "predict")]
    pub predictions: Option<PathBuf>,
    /// Predict the N columns that each row would have the largest entries in, of those it has not seen
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// The row that --top is for, by its id; may be repeated [default: all]
    #[arg(long, value_name = "ID", requires = "top", allow_hyphen_values = true)]
    pub top_for: Vec<String>,
    /// Where to write row,col,prediction of --top, best first: .csv [default: as of --predictions]
    #[arg(long, value_name = "OUT.csv", requires = "top")]
    pub recommendations: Option<PathBuf>,
    /// Keep X of --out within the range of the entries, too, as predictions are
    #[arg(long, conflicts_with = "no_clip")]
    pub clip: bool,
    /// Do not keep predictions within the range of the entries
    #[arg(long)]
    pub no_clip: bool,
    /// Where to write index,id of the rows of --out and of L: .csv
    #[arg(long, value_name = "OUT.csv")]
    pub row_ids: Option<PathBuf>,
    /// Where to write index,id of the columns of --out and rows of R: .csv
    #[arg(long, value_name = "OUT.csv")]
    pub col_ids: Option<PathBuf>,
}

/// The kinds of offsets by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CentringName {
    /// None
    None,
    /// The mean
    Global,
    /// Mean, rows and columns
    RowCol,
}

impl From<CentringName> for Centring {
    fn from(name: CentringName) -> Centring {
        match name {
            CentringName::None => Centring::None,
            CentringName::Global => Centring::Global,
            CentringName::RowCol => Centring::RowCol,
        }
    }
}

/// The smoothing of the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Smoothing {
    /// This one.
    Given(f64),
    /// The one that predicts best.
    Auto,
}

/// Neither a number from 0 to 1 nor `auto`.
#[derive(Debug, thiserror::Error)]
#[error("give a number from 0 to 1, or auto")]
pub struct SmoothingSyntax;

impl FromStr for Smoothing {
    type Err = SmoothingSyntax;

    fn from_str(text: &str) -> Result<Smoothing, SmoothingSyntax> {
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Smoothing::Given(share)),
            Err(_) if text == "auto" => Ok(Smoothing::Auto),
            _ => Err(SmoothingSyntax),
        }
    }
}

/// Neither a positive number nor `auto`.
#[derive(Debug, thiserror::Error)]
#[error("give a positive number, as in 0.1 (or auto, for completion)")]
pub struct PenaltySyntax;

impl FromStr for Penalty {
    type Err = PenaltySyntax;

    fn from_str(text: &str) -> Result<Penalty, PenaltySyntax> {
        match text.parse() {
            Ok(lambda) if lambda > 0.0 && f64::is_finite(lambda) => Ok(Penalty::Given(lambda)),
            Err(_) if text == "auto" => Ok(Penalty::Auto),
            _ => Err(PenaltySyntax),
        }
    }
}

impl CompletionSettings {
    /// Checks what the options do not say of one another.
    ///
    /// # Errors
    /// Names an option that makes no sense beside the others.
    pub fn check(&self) -> Result<(), Error> {
        let RatingSettings { smoothing, folds, clip, no_clip, top_for, .. } = &self.ratings;
        let auto = self.recovery.penalty == Some(Penalty::Auto);
        let nuclear = self.recovery.objective == ObjectiveName::Nuclear;
        let to_stdout =
            |what: &Option<PathBuf>, file: &Option<PathBuf>| what.is_some() && file.is_none();
        let wrong = |option, rule| Err(Error::Combination { option, rule });
        if folds.is_some() && !auto {
            return wrong("--folds", "is for --penalty auto: give both, or neither");
        }
        if *smoothing == Some(Smoothing::Auto) && !auto {
            return wrong("--smoothing auto", "is for --penalty auto: give both, or a number");
        }
        if smoothing.is_some() && nuclear {
            return wrong("--smoothing", "is of the flat objective: leave out --objective nuclear");
        }
        if *no_clip && !self.predicts() {
            return wrong(
                "--no-clip",
                "is of predictions: give --predict or --top, or leave it out",
            );
        }
        if *clip && !self.predicts() && self.recovery.out.is_none() {
            return wrong("--clip", "is of --out and predictions: give one, or leave it out");
        }
        if top_for.iter().any(|id| id.trim().is_empty()) {
            return wrong("--top-for", "needs the id of a row");
        }
        let tops = self.ratings.top.is_some() && self.ratings.recommendations.is_none();
        if !self.recovery.solve.json
            && tops
            && to_stdout(&self.ratings.predict, &self.ratings.predictions)
        {
            let rule = "and --predict would both write to standard output: give --predictions or \
                        --recommendations a file";
            return wrong("--top", rule);
        }
        Ok(())
    }

    /// Whether anything is to be predicted.
    pub fn predicts(&self) -> bool {
        self.ratings.predict.is_some() || self.ratings.top.is_some()
    }

    /// Whether the entries are more than a problem of completion.
    pub fn models_ratings(&self) -> bool {
        self.predicts()
            || self.ratings.center != CentringName::None
            || self.ratings.smoothing.is_some()
            || self.recovery.penalty == Some(Penalty::Auto)
    }
}
