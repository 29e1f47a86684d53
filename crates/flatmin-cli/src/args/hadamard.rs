//! The options for products of factors.

use super::{EstimateSettings, ObjectiveName, Probes, absolute_sum, tolerance, weight};
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
    /// For targets with noise: minimise 1/2 |A x - b|^2 + LAM N(x), N(x) the objective of A x = b (K = 2:
    /// the LASSO); objective and lower bound are of that. The bound is then
    /// LAM <b, y> - LAM^2 |y|^2 / 2 with the y of --dual. From the dual norm of A^T b on the answer is
    /// zero: useful values are a small part of that
    #[arg(long, value_name = "LAM", allow_negative_numbers = true, value_parser = weight)]
    pub penalty: Option<f64>,
    /// For targets with noise of known size: the same objective under |A x - b|_2 <= DELTA instead of
    /// A x = b (K = 2: basis pursuit denoising). The bound is then <b, y> - DELTA |y|_2 with the y of
    /// --dual, and feasibility the excess of |A x - b|_2 over DELTA, relative to |b|_2. From |b|_2 on the
    /// answer is zero; the report names the LAM of --penalty at which it is the same
    #[arg(
        long,
        value_name = "DELTA",
        conflicts_with = "penalty",
        allow_negative_numbers = true,
        value_parser = absolute_sum
    )]
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
    /// vector that fits has an objective below <b, y> (see --noise and --penalty for theirs). .npy or .csv
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
    #[error("hadamard recovers a vector, which has no rank: the certificate finds its nonzeros")]
    Rank,
}

fn no_rank(_: &str) -> Result<u32, Foreign> {
    Err(Foreign::Rank)
}
