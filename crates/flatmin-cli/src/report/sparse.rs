//! The report on a sparse vector.

use super::{Names, Report};
use flatmin::hadamard::Sparse;

impl Report {
    /// The report of a vector from `m` measurements: it counts as a matrix of one column, its nonzeros as
    /// the rank.
    pub fn of_sparse(model: &'static str, m: usize, seconds: f64, answer: &Sparse) -> Report {
        let (kind, d) = (answer.objective_kind, answer.x.len());
        let unique = "proved: every other vector that fits has a larger objective";
        Report {
            model,
            objective_kind: kind.to_string(),
            status: answer.status.to_string(),
            objective: answer.objective,
            lower_bound: answer.lower_bound,
            relative_gap: answer.relative_gap,
            feasibility: answer.feasibility,
            noise: answer.noise,
            penalty: answer.penalty,
            rank: answer.rank,
            unique: Some(answer.unique),
            scaled_trace: answer.trace,
            iterations: answer.iterations,
            seconds,
            d1: d,
            d2: 1,
            m,
            unidentified_rows: answer.unidentified.clone(),
            unidentified_cols: Vec::new(),
            warnings: answer.warnings.iter().map(ToString::to_string).collect(),
            split: None,
            ratings: None,
            headline: format!(
                "{kind} solution, {d} unknowns from {m} measurements, depth {}",
                answer.depth
            ),
            uniqueness: Some(if answer.unique { unique } else { "not proved" }),
            names: Names { rank: "nonzeros", trace: "trace", rows: "coordinates" },
        }
    }
}
