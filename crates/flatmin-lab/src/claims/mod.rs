//! The paper's claims against the records.
//!
//! A verdict is computed from the records alone. *Held* and *did not hold* need evidence; where the
//! grid or the number of trials cannot tell, the verdict is *not decided at this scale*.

mod noise;
mod recovery;
mod regularity;
mod robust;
mod scaling;
mod semidefinite;

pub(crate) use robust::{Regime, guide};

use crate::record::Record;
use crate::spec::Objective;
use crate::summary::{Axis, Line, Table};
use std::fmt;

/// What the records say about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The records agree with the claim.
    Held,
    /// The records contradict the claim.
    DidNotHold,
    /// The records are too few or too coarse.
    NotDecided,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Held => "held",
            Verdict::DidNotHold => "did not hold",
            Verdict::NotDecided => "not decided at this scale",
        })
    }
}

/// A claim with what was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claim.
    pub statement: &'static str,
    /// Where it is made.
    pub source: &'static str,
    /// What the records show, in a sentence.
    pub measured: String,
    /// Whether they agree.
    pub verdict: Verdict,
}

/// The claims that an experiment is about; none for a user's own sweep.
pub fn claims(experiment: &str, records: &[&Record]) -> Vec<Claim> {
    let table = Table::new(records.iter().copied());
    match experiment {
        "fig3-sensing" => vec![
            recovery::flat_nearly_matches(
                "With Gaussian measurements, flat solutions recover exactly from nearly as few \
                 measurements as the nuclear norm.",
                &table,
            ),
            recovery::statistical_dimension_is_the_half_line(&table),
        ],
        "fig3-bilinear" => vec![recovery::flat_nearly_matches(
            "With bilinear measurements, flat solutions recover exactly from nearly as few \
             measurements as the nuclear norm.",
            &table,
        )],
        "fig3-completion" => vec![
            recovery::flat_recovers(&table),
            recovery::flat_nearly_matches(
                "With evenly sampled entries, flat solutions recover exactly from nearly as few \
                 entries as the nuclear norm.",
                &table,
            ),
        ],
        "fig3-quadnet" => vec![recovery::flat_nearly_matches(
            "Flat networks with quadratic activations equal their teacher from nearly as few \
             examples as those of least nuclear norm.",
            &table,
        )],
        "covariance" | "phase" => vec![
            semidefinite::all_are_equally_flat(records),
            semidefinite::recovery_is_uniqueness(records),
            recovery::fitting_nearly_matches(records),
        ],
        "fig4-sensing" | "fig4-bilinear" | "fig4-completion" => vec![
            regularity::nearly_norm_minimal(records),
            regularity::nearly_balanced(records),
            regularity::norm_is_bounded(records),
            regularity::imbalance_is_bounded(records),
            regularity::kappa_is_as_expected(records),
        ],
        "rpca" => vec![
            robust::few_wrong_entries_a_line(&table),
            robust::half_line_is_below_the_guide(&table, Objective::Constrained),
            robust::half_line_is_below_the_guide(&table, Objective::Penalised),
            robust::penalised_comes_close(&table),
        ],
        "noise" => vec![
            noise::error_follows(records),
            noise::all_are_certified(records),
            noise::both_forms_agree(records),
            noise::error_falls_as_expected(records),
            noise::flat_is_no_worse(records),
        ],
        "scaling-exact" => vec![scaling::exact_entries_are_completed(records)],
        "scaling-noise" => vec![scaling::noisy_entries_are_completed(records)],
        "nonuniform" => vec![recovery::flat_wins_when_uneven(records)],
        _ => Vec::new(),
    }
}

/// A size in words.
pub fn size(line: Line) -> String {
    if line.rows == line.cols {
        format!("d = {}", line.rows)
    } else {
        format!("{}\u{d7}{}", line.rows, line.cols)
    }
}

/// A level in the units of its axis.
pub fn level(axis: Axis, value: f64) -> String {
    match axis {
        Axis::Measurements => format!("{value:.0}"),
        Axis::Probability | Axis::Exponent { .. } | Axis::Corruption { .. } => {
            format!("{value:.3}")
        }
    }
}

/// A difference with its sign.
pub fn signed(value: f64) -> String {
    if value.abs() < 0.05 {
        return "0".to_owned();
    }
    format!("{value:+.1}").replace('-', "\u{2212}")
}
