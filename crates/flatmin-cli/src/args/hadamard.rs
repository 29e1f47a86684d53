//! The options for products of factors.

use super::{EstimateSettings, ObjectiveName, Probes, tolerance};
use clap::{Args, value_parser};
use flatmin::hadamard::Depth;
use std::path::PathBuf;

const EXIT_CODES: &str = "Exit codes: 0 solved to the tolerance; 2 bad input; 3 stopped before the \
    tolerance (limit, interrupt, or measurements that no vector fits): the best answer is still written.";

/// How many factors, which of the vectors that fit, how exactly, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ProductSettings {
    /// Number of factors of x = v_1 o ... o v_K, at least 2, or inf for the limit of many: flat
    /// solutions have the least (sum_j w_j |x_j|^p)^(1/p) with p = 2 - 2/K and w_j = |a_j|^2 / m, a_j
    /// the columns of A. 2 recovers sparse vectors, more do not [default: that of the data, or 2]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = depth)]
    pub depth: Option<Depth>,
    /// With the weights w_j (flat) or without (nuclear)
    #[arg(long, value_enum, default_value_t = ObjectiveName::Flat)]
    pub objective: ObjectiveName,
    /// Refused: there is none yet.
    #[arg(long, value_name = "LAM", hide = true, allow_negative_numbers = true, value_parser = no_penalty)]
    pub penalty: Option<f64>,
    /// Refused: there is none yet.
    #[arg(long, value_name = "DELTA", hide = true, allow_negative_numbers = true, value_parser = no_noise)]
    pub noise: Option<f64>,
    /// Refused: a vector has none.
    #[arg(long, value_name = "K", hide = true, allow_negative_numbers = true, value_parser = no_rank)]
    pub rank: Option<u32>,
    /// Relative duality gap to certify
    #[arg(long, default_value = "1e-8", value_parser = tolerance)]
    pub tol: f64,
    /// Iterations before the solve is stopped [default: 500]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub max_iters: Option<u32>,
    /// Accepted for the sake of scripts: the solve runs on one thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    /// Accepted for the sake of scripts: the solve draws no random numbers
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Report as one JSON object: d1 is d, d2 is 1, rank the number of nonzeros and scaled_trace the trace
    /// of the Hessian
    #[arg(long)]
    pub json: bool,
    /// Where to write x (d,): .npy or .csv
    #[arg(long, value_name = "X.npy")]
    pub out: Option<PathBuf>,
    /// Where to write the flat factors: one file for an array (K, d), or K files for a factor (d,) each:
    /// .npy or .csv
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub factors: Option<Vec<PathBuf>>,
    /// Where to write the certificate y (m,): with s = A^T y and q = 2 (K - 1) / (K - 2),
    /// (sum_j w_j^(-q/p) |s_j|^q)^(1/q) <= 1 (K = 2: |s_j| <= w_j; nuclear: with w_j = 1), so that no
    /// vector that fits has an objective below <b, y>. .npy or .csv
    #[arg(long, value_name = "Y.npy")]
    pub dual: Option<PathBuf>,
}

/// Where the factors of a product are, and how to report.
#[derive(Debug, Args)]
pub struct ProductSharpnessSettings {
    /// The factors: one file with an array (K, d), or a file for each factor (d,): .npy or .csv.
    /// trace_left is the part of the first factor, trace_right that of the others
    #[arg(long, num_args = 1.., value_name = "FILE", required = true)]
    pub factors: Vec<PathBuf>,
    /// What to compare the exact trace with.
    #[command(flatten)]
    pub estimate: EstimateSettings<Probes>,
    /// Report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// No number of factors.
#[derive(Debug, thiserror::Error)]
enum DepthSyntax {
    #[error("give a whole number from 2 on, or inf")]
    NoDepth,
    #[error(
        "with one factor all solutions are equally flat: give a whole number from 2 on, or inf"
    )]
    One,
}

fn depth(text: &str) -> Result<Depth, DepthSyntax> {
    match (text.to_ascii_lowercase().as_str(), text.parse()) {
        ("inf" | "infinity", _) => Ok(Depth::Infinite),
        (_, Ok(1)) => Err(DepthSyntax::One),
        (_, Ok(k)) if k >= 2 => Ok(Depth::Finite(k)),
        _ => Err(DepthSyntax::NoDepth),
    }
}

/// An option of other models.
#[derive(Debug, thiserror::Error)]
enum Foreign {
    #[error("hadamard asks for A x = b: targets with noise have no program here")]
    Noise,
    #[error("hadamard recovers a vector, which has no rank: the certificate finds its nonzeros")]
    Rank,
}

fn no_penalty(_: &str) -> Result<f64, Foreign> {
    Err(Foreign::Noise)
}

fn no_noise(_: &str) -> Result<f64, Foreign> {
    Err(Foreign::Noise)
}

fn no_rank(_: &str) -> Result<u32, Foreign> {
    Err(Foreign::Rank)
}
