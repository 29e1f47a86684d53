//! The options of `flatmin sharpness`.

use super::absolute_sum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, value_parser};
use flatmin::core::flatness::Method;
use std::ffi::OsString;
use std::path::PathBuf;

const EXIT_CODES: &str = "Exit codes: 0 measured; 2 bad input; 3 the estimate did not reach --tol \
    within its products: it is still reported.";

/// Where the factors are, and how to report.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SharpnessSettings<B: Budget> {
    /// The factors L (d1 x k) and R (d2 x k): .npy or .csv files. For covariance and quadnet each
    /// column of R must be that of L or its negative; trace_left is then the part of the columns
    /// with R = L, trace_right that of the others
    #[arg(long, num_args = 2, value_names = ["L.npy", "R.npy"], required = true)]
    pub factors: Vec<PathBuf>,
    /// What to compare the exact trace with.
    #[command(flatten)]
    pub estimate: EstimateSettings<B>,
    /// Report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Where the factors of the low-rank part are, and how to report.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SplitSharpnessSettings {
    /// The factors L (d1 x k) and R (d2 x k): .npy or .csv files. For frames, h w x k and n x k
    #[arg(long, num_args = 2, value_names = ["L.npy", "R.npy"], required = true)]
    pub factors: Vec<PathBuf>,
    /// Absolute sum that the sparse part may have: the loss is dist^2(Y - L R^T, {sum |S| <= T}), and
    /// traces and eigenvalue are those of its smooth majoriser
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = absolute_sum)]
    pub tau: f64,
    /// What to compare the exact trace with.
    #[command(flatten)]
    pub estimate: EstimateSettings<Probes>,
    /// Report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// How to estimate the trace from products with the Hessian alone.
#[derive(Debug, Args)]
pub struct EstimateSettings<B: Budget> {
    /// Estimate the trace, too, from Hessian-vector products alone: what a Hessian without a closed
    /// form would have to do. auto decides from the first products which of the others to use; exact
    /// is the closed form [default with --probes or --tol: auto]
    #[arg(long, value_name = "NAME", value_parser = method())]
    pub estimator: Option<Method>,
    /// What the estimate may cost.
    #[command(flatten)]
    pub budget: B,
    /// Relative error of the estimate at which to stop, once two and a half standard errors lie
    /// within it
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = relative_error)]
    pub tol: Option<f64>,
    /// Seed of all random vectors
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

impl<B: Budget> EstimateSettings<B> {
    /// The method, if an estimate is asked for.
    pub fn method(&self) -> Option<Method> {
        let asked = self.tol.is_some() || self.budget.products().is_some();
        self.estimator.or(asked.then_some(Method::Auto))
    }
}

/// The option that says how many products an estimate may take.
pub trait Budget: Args {
    /// Its name.
    const OPTION: &'static str;

    /// The number of products, if it was given.
    fn products(&self) -> Option<usize>;
}

/// The budget of an estimate.
#[derive(Debug, Args)]
pub struct Probes {
    /// Hessian-vector products that the estimate may take [default: 96; with --tol the order of the
    /// Hessian]. From its order on all methods but hutchinson and sphere are exact; with --tol
    /// hutch++ and xtrace begin anew in every round, and may end before
    #[arg(long, visible_alias = "matvecs", value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub probes: Option<u32>,
}

/// The budget of an estimate, where the data are called probes.
#[derive(Debug, Args)]
pub struct Matvecs {
    /// Hessian-vector products that the estimate may take [default: 96; with --tol the order of the
    /// Hessian]. From its order on all methods but hutchinson and sphere are exact; with --tol
    /// hutch++ and xtrace begin anew in every round, and may end before. A whole number after --probes
    /// is understood as this
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub matvecs: Option<u32>,
}

impl Budget for Probes {
    const OPTION: &'static str = "--probes";

    fn products(&self) -> Option<usize> {
        self.probes.map(|n| n as usize)
    }
}

impl Budget for Matvecs {
    const OPTION: &'static str = "--matvecs";

    fn products(&self) -> Option<usize> {
        self.matvecs.map(|n| n as usize)
    }
}

/// The arguments, with `--probes N` of `flatmin sharpness covariance` as `--matvecs N`. There `--probes` are
/// the data, and this way the budget is asked for as of every other model. A file whose name is a whole
/// number is `./N`.
pub fn told_apart(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let is = |n: usize, word: &str| arguments.get(n).is_some_and(|argument| argument == word);
    if !(is(1, "sharpness") && is(2, "covariance")) {
        return arguments;
    }
    let whole = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    for n in 3..arguments.len() {
        let next = arguments.get(n + 1).and_then(|value| value.to_str());
        if arguments[n] == "--probes" && next.is_some_and(whole) {
            arguments[n] = "--matvecs".into();
        } else if let Some(value) = arguments[n].to_str().and_then(|a| a.strip_prefix("--probes="))
            && whole(value)
        {
            arguments[n] = format!("--matvecs={value}").into();
        }
    }
    arguments
}

fn method() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name)).try_map(|name| name.parse::<Method>())
}

/// Not a positive number.
#[derive(Debug, thiserror::Error)]
#[error("give a positive number, as in 1e-2")]
struct RelativeErrorSyntax;

fn relative_error(text: &str) -> Result<f64, RelativeErrorSyntax> {
    text.parse().ok().filter(|&tol: &f64| tol > 0.0 && tol.is_finite()).ok_or(RelativeErrorSyntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_budget_of_the_same_name() {
        let apart = |line: &str| {
            let words = told_apart(line.split(' ').map(OsString::from));
            words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        for (line, told) in [
            (
                "flatmin sharpness covariance --probes x.npy --probes 96 --probes=7 --probes",
                "flatmin sharpness covariance --probes x.npy --matvecs 96 --matvecs=7 --probes",
            ),
            (
                "flatmin sharpness covariance --probes ./96 --probes 9.npy --probes -1",
                "flatmin sharpness covariance --probes ./96 --probes 9.npy --probes -1",
            ),
            ("flatmin sharpness sensing --probes 96", "flatmin sharpness sensing --probes 96"),
            ("flatmin recover covariance --probes 96", "flatmin recover covariance --probes 96"),
        ] {
            assert_eq!(apart(line), told);
        }
    }
}
