//! The command line.

use crate::models::Models;
use clap::{Args, Parser, Subcommand, ValueEnum};
use flatmin::core::Objective;
use std::path::PathBuf;

const EXIT_CODES: &str = "Exit codes: 0 solved to the tolerance; 2 bad input; 3 stopped before the \
    tolerance (limit, interrupt, or measurements that no matrix fits): the best answer is still \
    written.";

/// Recover low-rank matrices by flat minima, with a certificate beside every answer
///
/// Among all factor pairs L, R that fit the measurements, A(L R^T) = b, the flat ones minimise the
/// scaled trace of the Hessian of (1/m) |A(L R^T) - b|^2. X = L R^T then minimises |D1 X D2|_*, and
/// a dual vector proves it.
#[derive(Debug, Parser)]
#[command(name = "flatmin", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Recover a matrix from measurements of it
    Recover {
        /// The model.
        #[command(subcommand)]
        model: Models<SolveSettings>,
    },
    /// Measure how curved the loss is at a pair of factors
    Sharpness {
        /// The model.
        #[command(subcommand)]
        model: Models<SharpnessSettings>,
    },
}

/// Which matrix, how exactly, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SolveSettings {
    /// Which of the matrices that fit is wanted: of least |D1 X D2|_* (flat) or |X|_* (nuclear)
    #[arg(long, value_enum, default_value_t = ObjectiveName::Flat)]
    pub objective: ObjectiveName,
    /// For targets with noise: minimise 1/2 |A(X) - b|^2 + LAM |D1 X D2|_* (nuclear: |X|_*) instead of
    /// asking for A(X) = b; objective and lower bound are of that. The bound is then
    /// LAM <b, y> - LAM^2 |y|^2 / 2 with the y of --dual. From |D1^-1 A*(b) D2^-1|_op on (nuclear:
    /// |A*(b)|_op) the answer is zero: useful values are a small part of that. Up to 6000 measurements
    #[arg(long, value_name = "LAM", value_parser = penalty)]
    pub penalty: Option<f64>,
    /// Rank to try first; the certificate decides, so a wrong guess costs time only
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub rank: Option<u32>,
    /// Relative duality gap to certify
    #[arg(long, default_value = "1e-8", value_parser = tolerance)]
    pub tol: f64,
    /// Iterations before the solve is stopped [default: 2000]
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
    /// Accepted for the sake of scripts; the solve draws no random numbers
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Where to write X: .npy, .csv, or .png (values rounded and clipped to 0 to 255)
    #[arg(long, value_name = "X.npy")]
    pub out: Option<PathBuf>,
    /// Where to write the factors L (d1 x rank) and R (d2 x rank) of X = L R^T: .npy or .csv
    #[arg(long, num_args = 2, value_names = ["L.npy", "R.npy"])]
    pub factors: Option<Vec<PathBuf>>,
    /// Where to write the certificate y (m,): |D1^-1 A*(y) D2^-1|_op <= 1 (nuclear: |A*(y)|_op <= 1),
    /// so that no matrix that fits has an objective below <b, y>. For covariance no eigenvalue of
    /// D^-1 A*(y) D^-1 exceeds 1 (nuclear: of A*(y)), which suffices since X >= 0. For completion in
    /// the order of the entries read, row by row for a matrix. .npy or .csv
    #[arg(long, value_name = "Y.npy")]
    pub dual: Option<PathBuf>,
    /// Report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Where the factors are, and how to report.
#[derive(Debug, Args)]
pub struct SharpnessSettings {
    /// The factors L (d1 x k) and R (d2 x k): .npy or .csv files. For covariance and quadnet each
    /// column of R must be that of L or its negative; trace_left is then the part of the columns
    /// with R = L, trace_right that of the others
    #[arg(long, num_args = 2, value_names = ["L.npy", "R.npy"], required = true)]
    pub factors: Vec<PathBuf>,
    /// Report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The objectives by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ObjectiveName {
    /// |D1 X D2|_*
    Flat,
    /// |X|_*
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
struct PenaltySyntax;

fn penalty(text: &str) -> Result<f64, PenaltySyntax> {
    text.parse().ok().filter(|&lam: &f64| lam > 0.0 && lam.is_finite()).ok_or(PenaltySyntax)
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
            ("flatmin recover completion --data a.npz --noise 1", "--noise"),
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
        ] {
            let said = complain(line);
            assert!(said.starts_with("error: ") && said.contains(word), "{line} gives {said}");
            assert!(!said.contains('\n') && !said.contains("Usage"), "{said}");
        }
    }
}
