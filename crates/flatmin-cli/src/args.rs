//! The command line.

mod curvature;
mod hadamard;
mod ratings;

pub use curvature::{
    Budget, EstimateSettings, Matvecs, Probes, SharpnessSettings, SplitSharpnessSettings,
    told_apart,
};
pub use hadamard::{ProductSettings, ProductSharpnessSettings};
pub use ratings::{CentringName, CompletionSettings, RatingSettings, Smoothing};

use crate::models::Models;
use clap::{Args, Parser, Subcommand, ValueEnum};
use flatmin::core::Objective;
use std::path::PathBuf;
use std::str::FromStr;

const EXIT_CODES: &str = "Exit codes: 0 solved to the tolerance; 2 bad input; 3 stopped before the \
    tolerance (limit, interrupt, or measurements that no matrix fits): the best answer is still \
    written.";

/// Recover low-rank matrices by flat minima, with a certificate beside every answer
///
/// Among all factor pairs L, R that fit the measurements, A(L R^T) = b, the flat ones minimise the
/// scaled trace of the Hessian of (1/m) |A(L R^T) - b|^2. X = L R^T then minimises |D1 X D2|_*, and
/// a dual vector proves it. Sparse vectors as products of factors (hadamard) are recovered likewise.
#[derive(Debug, Parser)]
#[command(name = "flatmin", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The models of which curvature is measured. Where the data are called probes, the budget is not.
pub type Measured = Models<
    SharpnessSettings<Probes>,
    SharpnessSettings<Probes>,
    SplitSharpnessSettings,
    SharpnessSettings<Matvecs>,
    ProductSharpnessSettings,
>;

/// The models of which solutions are found.
pub type Recovered =
    Models<RecoverySettings, CompletionSettings, SplitSettings, RecoverySettings, ProductSettings>;

/// What the command can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Recover a matrix from measurements of it
    Recover {
        /// The model.
        #[command(subcommand)]
        model: Box<Recovered>,
    },
    /// Measure how curved the loss is at its factors
    Sharpness {
        /// The model.
        #[command(subcommand)]
        model: Box<Measured>,
    },
}

/// What is asked of every solve.
#[derive(Debug, Args)]
pub struct SolveSettings {
    /// Rank to try first; the certificate decides, so a wrong guess costs time only
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub rank: Option<u32>,
    /// Relative duality gap to certify
    #[arg(long, default_value = "1e-8", value_parser = tolerance)]
    pub tol: f64,
    /// Iterations before the solve is stopped [default: 2000; of rpca: 5000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_iters: Option<u32>,
    /// Threads inside the solve
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1024)
    )]
    pub threads: u32,
    /// Of completion the seed of the draw of --penalty auto [default: 0]; the solve itself draws no
    /// random numbers
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which of the matrices that fit linear measurements, how exactly, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RecoverySettings {
    /// Which of the matrices that fit is wanted: of least |D1 X D2|_* (flat) or |X|_* (nuclear)
    #[arg(long, value_enum, default_value_t = ObjectiveName::Flat)]
    pub objective: ObjectiveName,
    /// For targets with noise: minimise 1/2 |A(X) - b|^2 + LAM |D1 X D2|_* (nuclear: |X|_*) instead of
    /// asking for A(X) = b; objective and lower bound are of that. The bound is then
    /// LAM <b, y> - LAM^2 |y|^2 / 2 with the y of --dual. From |D1^-1 A*(b) D2^-1|_op on (nuclear:
    /// |A*(b)|_op) the answer is zero: useful values are a small part of that. Up to 6000 measurements;
    /// of completion any number, and auto chooses LAM by predicting a tenth of the entries from the
    /// rest, or as --folds says
    #[arg(long, value_name = "LAM|auto", value_parser = Penalty::from_str)]
    pub penalty: Option<Penalty>,
    /// For targets with noise of known size: the same objective under |A(X) - b|_2 <= DELTA instead of
    /// A(X) = b. The bound is then <b, y> - DELTA |y|_2 with the y of --dual, and feasibility the
    /// excess of |A(X) - b|_2 over DELTA, relative to |b|_2. From |b|_2 on the answer is zero; the
    /// report names the LAM of --penalty at which it is the same. Up to 6000 measurements; of
    /// completion any number
    #[arg(
        long,
        value_name = "DELTA",
        conflicts_with = "penalty",
        allow_negative_numbers = true,
        value_parser = absolute_sum
    )]
    pub noise: Option<f64>,
    /// What is asked of every solve.
    #[command(flatten)]
    pub solve: SolveSettings,
    /// Where to write X: .npy, .csv, or .png (values rounded and clipped to 0 to 255)
    #[arg(long, value_name = "X.npy")]
    pub out: Option<PathBuf>,
    /// Where to write the factors L (d1 x rank) and R (d2 x rank) of X = L R^T: .npy or .csv
    #[arg(long, num_args = 2, value_names = ["L.npy", "R.npy"])]
    pub factors: Option<Vec<PathBuf>>,
    /// Where to write the certificate y (m,): |D1^-1 A*(y) D2^-1|_op <= 1 (nuclear: |A*(y)|_op <= 1),
    /// so that no matrix that fits has an objective below <b, y> (see --noise and --penalty for
    /// theirs). For covariance no eigenvalue of
    /// D^-1 A*(y) D^-1 exceeds 1 (nuclear: of A*(y)), which suffices since X >= 0. For completion in
    /// the order of the entries read, row by row for a matrix. .npy or .csv
    #[arg(long, value_name = "Y.npy")]
    pub dual: Option<PathBuf>,
}

/// Which split of a matrix `Y = X + S`, how exactly, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SplitSettings {
    /// Minimise |X|_* subject to sum |Y - X| <= T, over the seen entries, for a sparse part of known
    /// absolute sum T: its factors are the flat minima of dist^2(Y - L R^T, {sum |S| <= T})
    #[arg(
        long,
        value_name = "T",
        conflicts_with = "lambda",
        allow_negative_numbers = true,
        value_parser = absolute_sum
    )]
    pub tau: Option<f64>,
    /// Minimise |X|_* + LAM sum |Y - X|, over the seen entries [default: 1/sqrt(max(d1, d2)), divided
    /// by the square root of the fraction of entries seen]
    #[arg(long, value_name = "LAM", allow_negative_numbers = true, value_parser = weight)]
    pub lambda: Option<f64>,
    /// Accepted for the sake of scripts: D1 and D2 are the identity here, so that both are one program
    #[arg(long, value_enum, default_value_t = ObjectiveName::Flat)]
    pub objective: ObjectiveName,
    /// Refused: a split has no misfit.
    #[arg(long, value_name = "LAM", hide = true, value_parser = no_penalty)]
    pub penalty: Option<f64>,
    /// Refused: a split has no misfit.
    #[arg(
        long,
        value_name = "DELTA",
        hide = true,
        allow_negative_numbers = true,
        value_parser = no_noise
    )]
    pub noise: Option<f64>,
    /// What is asked of every solve.
    #[command(flatten)]
    pub solve: SolveSettings,
    /// Where to write the low-rank part X, holes filled: .npy, .csv, or .png (values rounded and
    /// clipped to 0 to 255). Of frames a stack (n, h, w), .npy
    #[arg(long, value_name = "X.npy")]
    pub out: Option<PathBuf>,
    /// Where to write the sparse part S = Y - X, zero where nothing is seen: .npy or .csv. Of frames a
    /// stack (n, h, w), .npy
    #[arg(long, value_name = "S.npy")]
    pub sparse: Option<PathBuf>,
    /// Where to write the factors L (d1 x k) and R (d2 x k) of X = L R^T, for frames h w x k and
    /// n x k: .npy or .csv
    #[arg(long, num_args = 2, value_names = ["L.npy", "R.npy"])]
    pub factors: Option<Vec<PathBuf>>,
    /// Where to write the certificate Q (d1 x d2; for frames h w x n): |Q|_op <= 1, and zero where
    /// nothing is seen. With |Q_ij| <= LAM no X has an objective below <Y, Q>; with --tau none has one
    /// below <Y, Q> - T max |Q_ij|. .npy or .csv
    #[arg(long, value_name = "Q.npy")]
    pub dual: Option<PathBuf>,
    /// Folder for pictures of frames, made if need be: background_0000.png and so on show X, clipped
    /// to 0 to 255; foreground_0000.png and so on show |S|, likewise, dark where nothing moves
    #[arg(long, value_name = "DIR")]
    pub frames_out: Option<PathBuf>,
}

/// The penalty of a misfit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Penalty {
    /// This one.
    Given(f64),
    /// The one that predicts best.
    Auto,
}

/// The objectives by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ObjectiveName {
    /// weighted as the trace of the Hessian weighs, as |D1 X D2|_*
    Flat,
    /// without weights, as |X|_*
    Nuclear,
}

impl From<ObjectiveName> for Objective {
    fn from(name: ObjectiveName) -> Objective {
        match name {
            ObjectiveName::Flat => Objective::Flat,
            ObjectiveName::Nuclear => Objective::Nuclear,
        }
    }
}

/// Not a number strictly between 0 and 1.
#[derive(Debug, thiserror::Error)]
#[error("give a number between 0 and 1, as in 1e-8")]
struct ToleranceSyntax;

fn tolerance(text: &str) -> Result<f64, ToleranceSyntax> {
    text.parse().ok().filter(|&tol| tol > 0.0 && tol < 1.0).ok_or(ToleranceSyntax)
}

/// Not a positive number.
#[derive(Debug, thiserror::Error)]
#[error("give a positive number, as in 0.1")]
struct WeightSyntax;

fn weight(text: &str) -> Result<f64, WeightSyntax> {
    text.parse().ok().filter(|&lam: &f64| lam > 0.0 && lam.is_finite()).ok_or(WeightSyntax)
}

/// Not zero or a positive number.
#[derive(Debug, thiserror::Error)]
#[error("give zero or a positive number, as in 12.5")]
struct AbsoluteSumSyntax;

fn absolute_sum(text: &str) -> Result<f64, AbsoluteSumSyntax> {
    text.parse().ok().filter(|&tau: &f64| tau >= 0.0 && tau.is_finite()).ok_or(AbsoluteSumSyntax)
}

/// A penalty where there is none.
#[derive(Debug, thiserror::Error)]
#[error("rpca has no such penalty: its sparse part takes the misfit, at the price --lambda")]
struct NoPenalty;

fn no_penalty(_: &str) -> Result<f64, NoPenalty> {
    Err(NoPenalty)
}

/// A bound on the noise where there is none.
#[derive(Debug, thiserror::Error)]
#[error("rpca has no such bound: its sparse part takes the misfit, up to the absolute sum --tau")]
struct NoNoise;

fn no_noise(_: &str) -> Result<f64, NoNoise> {
    Err(NoNoise)
}

/// A complaint about the command line, on one line.
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let complaint = text.split("\n\nUsage:").next().unwrap_or(&text);
    let complaint = complaint.split("\n\nFor more information").next().unwrap_or(complaint);
    let words: Vec<&str> = complaint.split_whitespace().collect();
    format!("{} (see --help)", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn complaints_fit_on_a_line() {
        let complain = |line: &str| {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            one_line(&error)
        };
        for (line, word) in [
            ("flatmin recover sensing --targets b.npy", "--measurements"),
            ("flatmin recover sensing", "--measurements"),
            ("flatmin recover completion", "--entries"),
            ("flatmin recover completion --data a.npz --noise -1", "zero or a positive"),
            ("flatmin recover completion --data a.npz --noise 1 --penalty 1", "--penalty"),
            ("flatmin recover rpca --matrix y.npy --noise 1", "no such bound"),
            ("flatmin recover completion --data a.npz --entries b.csv", "--entries"),
            ("flatmin recover completion --data a.npz --tol x", "--tol"),
            ("flatmin recover completion --data a.npz --tol 1", "1e-8"),
            ("flatmin recover completion --data a.npz --tol nan", "1e-8"),
            ("flatmin recover completion --data a.npz --rank 0", "--rank"),
            ("flatmin recover completion --entries a.csv --shape 3", "3"),
            ("flatmin recover completion --mask m.npy --entries a.csv", "--mask"),
            ("flatmin recover completion --mask m.npy", "--matrix"),
            ("flatmin recover completion --data a.npz --shape 2,2", "--shape"),
            ("flatmin sharpness sensing --data a.npz", "--factors"),
            ("flatmin recover bilinear", "--left"),
            ("flatmin recover bilinear --left a.npy --right b.npy", "--targets"),
            ("flatmin recover bilinear --left a.npy --targets y.npy", "--right"),
            ("flatmin recover bilinear --data a.npz --right b.npy", "--right"),
            ("flatmin recover covariance --probes x.npy", "--targets"),
            ("flatmin recover covariance --inputs x.npy --targets y.npy", "--inputs"),
            ("flatmin recover quadnet --targets y.npy", "--inputs"),
            ("flatmin recover quadnet --data a.npz --targets y.npy", "--targets"),
            ("flatmin sharpness quadnet --data a.npz", "--factors"),
            ("flatmin recover rpca", "--matrix"),
            ("flatmin recover rpca --matrix y.npy --data y.npz", "--data"),
            ("flatmin recover rpca --data y.npz --mask m.npy", "--mask"),
            ("flatmin recover rpca --matrix y.npy --tau 1 --lambda 1", "--lambda"),
            ("flatmin recover rpca --matrix y.npy --tau -1", "zero or a positive"),
            ("flatmin recover rpca --matrix y.npy --lambda 0", "--lambda"),
            ("flatmin recover rpca --matrix y.npy --lambda -2", "positive"),
            ("flatmin recover rpca --matrix y.npy --penalty 1", "no such penalty"),
            ("flatmin recover hadamard --matrix a.npy", "--targets"),
            ("flatmin recover hadamard --data a.npz --targets b.npy", "--targets"),
            ("flatmin recover hadamard --data a.npz --depth 1", "equally flat"),
            ("flatmin recover hadamard --data a.npz --depth 0", "from 2 on"),
            ("flatmin recover hadamard --data a.npz --depth -3", "from 2 on"),
            ("flatmin recover hadamard --data a.npz --depth 2.5", "from 2 on"),
            ("flatmin recover hadamard --data a.npz --rank 2", "no rank"),
            ("flatmin recover hadamard --data a.npz --noise -0.1", "zero or a positive"),
            ("flatmin recover hadamard --data a.npz --noise nan", "zero or a positive"),
            ("flatmin recover hadamard --data a.npz --penalty 0", "positive"),
            ("flatmin recover hadamard --data a.npz --penalty -1", "positive"),
            ("flatmin recover hadamard --data a.npz --penalty auto", "positive"),
            ("flatmin recover hadamard --data a.npz --noise 1 --penalty 1", "--penalty"),
            ("flatmin sharpness hadamard --data a.npz", "--factors"),
            ("flatmin sharpness rpca --matrix y.npy --factors l.npy r.npy", "--tau"),
            ("flatmin sharpness sensing --data a.npz --factors l r --estimator best", "xnystrace"),
            ("flatmin sharpness sensing --data a.npz --factors l r --probes 0", "--probes"),
            ("flatmin sharpness sensing --data a.npz --factors l r --probes 1.5", "--probes"),
            ("flatmin sharpness sensing --data a.npz --factors l r --tol 0", "positive"),
            ("flatmin sharpness sensing --data a.npz --factors l r --tol -1", "positive"),
            ("flatmin sharpness sensing --data a.npz --factors l r --tol nan", "positive"),
            ("flatmin sharpness covariance --data a.npz --factors l r --matvecs 0", "--matvecs"),
        ] {
            let said = complain(line);
            assert!(said.starts_with("error: ") && said.contains(word), "{line} gives {said}");
            assert!(!said.contains('\n') && !said.contains("Usage"), "{said}");
        }
    }
}
