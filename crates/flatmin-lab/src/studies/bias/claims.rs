//! Implicit bias: where methods end, judged by medians over the draws.
//!
//! A group is the runs of one method at one width of one setting that reached the zero set. With fewer than five of
//! them its median says nothing.

use super::methods::{Method, Start};
use super::{Row, Runs, Setting};
use crate::claims::{Claim, Verdict};
use crate::summary::quantile;

const HERE: &str = "this project";
const THEORY: &str = "Ding et al. 2024, and weak duality";

/// Runs of a group from which on its median counts.
const ENOUGH: usize = 5;

/// What is near, and what is far.
const NEAR: f64 = 1.05;
const FAR: f64 = 1.1;

/// Rounding of the zero set and of the optimum.
const ROUNDING: f64 = 1e-6;

/// The claims about runs.
pub(super) fn of(runs: Runs<'_>) -> Vec<Claim> {
    let near_flat = |statement, source, which: (Method, Start)| {
        let near = |median: f64| median <= NEAR;
        let found = medians(runs, &[which], |row| row.trace, every_width);
        judged(statement, source, ("scaled trace over the flat optimum", &found, near))
    };
    let large = Start::Large;
    vec![
        none_is_below(runs),
        near_flat(
            "Descent on loss and scaled trace ends within 5 % of the flat optimum, at every width.",
            HERE,
            (Method::OnTrace, large),
        ),
        near_flat(
            "Descent under label noise ends within 5 % of the flat optimum, at every width.",
            "Blanc et al. 2020; Damian, Ma, Lee 2021",
            (Method::LabelNoise, large),
        ),
        near_flat(
            "Noise-injected descent ends within 5 % of the flat optimum, at every width.",
            "expansion of the smoothed loss",
            (Method::NoiseInjection, large),
        ),
        near_flat(
            "Sharpness-aware minimisation with one measurement at a time ends within 5 % of the flat optimum, at \
             every width.",
            "Wen, Ma, Li 2023",
            (Method::SamSingle, large),
        ),
        sam_lowers_the_largest_eigenvalue(runs),
        judged(
            "Weight decay ends within 1 % of the least norm instead, once the factors are wider than the rank.",
            "Srebro, Rennie, Jaakkola 2004",
            (
                "squared norm over the least",
                &medians(runs, &[(Method::WeightDecay, large)], |row| row.norm, wide),
                |median| median <= 1.01,
            ),
        ),
        small_starts_are_near_the_least_norm(runs),
        judged(
            "From a large start plain methods (gradient descent, scaled or not) end far from flat, more than \
             10 % above it, once the factors are wider than the rank.",
            HERE,
            (
                "scaled trace over the flat optimum",
                &medians(runs, &PLAIN.map(|method| (method, large)), |row| row.trace, wide),
                |median| median > FAR,
            ),
        ),
    ]
}

/// Methods without a bias of their own, and without noise.
const PLAIN: [Method; 3] = [Method::Gradient, Method::LineSearch, Method::Scaled];

fn every_width(_: Setting, _: usize) -> bool {
    true
}

/// Beyond the rank.
fn wide(_: Setting, k: usize) -> bool {
    k > super::RANK
}

/// As wide as the matrix.
fn full(setting: Setting, k: usize) -> bool {
    k == setting.order()
}

/// Median of a group, `None` where too few runs interpolate.
struct Median {
    of: String,
    value: Option<f64>,
}

fn medians(
    runs: Runs<'_>,
    which: &[(Method, Start)],
    value: fn(&Row) -> f64,
    wanted: fn(Setting, usize) -> bool,
) -> Vec<Median> {
    let mut medians = Vec::new();
    for setting in Setting::ALL {
        for k in setting.widths().into_iter().filter(|&k| wanted(setting, k)) {
            for &(method, start) in which {
                if runs.of(setting, k, (method, start)).next().is_none() {
                    continue;
                }
                let values = runs.values(setting, k, (method, start), value);
                let enough = values.len() >= ENOUGH;
                medians.push(Median {
                    of: format!("{}, k = {k}, {}", setting.title(), method.name(start)),
                    value: quantile(&values, 0.5).filter(|_| enough),
                });
            }
        }
    }
    medians
}

/// Whether all medians of a quantity are as a claim says.
fn judged(
    statement: &'static str,
    source: &'static str,
    (quantity, medians, agrees): (&str, &[Median], impl Fn(f64) -> bool),
) -> Claim {
    let known: Vec<(f64, &Median)> = medians.iter().filter_map(|m| Some((m.value?, m))).collect();
    let against: Vec<String> = known
        .iter()
        .filter(|(value, _)| !agrees(*value))
        .map(|(value, m)| format!("{} ({value:.3})", m.of))
        .collect();
    let ends = |best: fn(f64, f64) -> f64| known.iter().map(|(value, _)| *value).reduce(best);
    let (Some(least), Some(most)) = (ends(f64::min), ends(f64::max)) else {
        let measured = "Too few runs reached the zero set".to_owned();
        return Claim { statement, source, measured, verdict: Verdict::NotDecided };
    };
    let mut measured =
        format!("Median {quantity} from {least:.4} to {most:.4} in {} groups", known.len());
    if known.len() < medians.len() {
        let few = medians.len() - known.len();
        measured
            .push_str(&format!("; in {few} more fewer than {ENOUGH} runs reached the zero set"));
    }
    if !against.is_empty() {
        measured.push_str(&format!("; not as claimed: {}", against.join("; ")));
    }
    let verdict = if against.is_empty() { Verdict::Held } else { Verdict::DidNotHold };
    Claim { statement, source, measured, verdict }
}

/// The bound of the convex program.
fn none_is_below(runs: Runs<'_>) -> Claim {
    let on: Vec<f64> = runs.0.iter().filter(|r| r.interpolates).map(|r| r.trace).collect();
    let least = on.iter().copied().reduce(f64::min);
    let gap = runs.0.iter().map(|row| row.gap).fold(0.0, f64::max);
    Claim {
        statement: "No interpolating factors of any width have a scaled trace below the flat optimum.",
        source: THEORY,
        measured: match least {
            None => "No run reached the zero set".to_owned(),
            Some(least) => format!(
                "{} of {} runs reached the zero set, with {least:.9} of the optimum or more; the \
                 optimum is certified to a gap of {gap:.0e}",
                on.len(),
                runs.0.len()
            ),
        },
        verdict: match least {
            None => Verdict::NotDecided,
            Some(least) if least >= 1.0 - ROUNDING => Verdict::Held,
            Some(_) => Verdict::DidNotHold,
        },
    }
}

/// Two claims in one: the eigenvalue is not above that of the flat factors, and the trace is above theirs.
fn sam_lowers_the_largest_eigenvalue(runs: Runs<'_>) -> Claim {
    let which = [(Method::Sam, Start::Large)];
    let statement = "Sharpness-aware minimisation with all measurements does not end flat: at width d its largest \
                     eigenvalue is below that at the flat factors, its scaled trace more than 10 % above theirs.";
    let source = "Wen, Ma, Li 2023";
    let eigenvalue = judged(
        statement,
        source,
        (
            "largest eigenvalue over that at the flat factors",
            &medians(runs, &which, |row| row.largest, full),
            |median| median < 1.0,
        ),
    );
    let trace = judged(
        statement,
        source,
        (
            "scaled trace over the flat optimum",
            &medians(runs, &which, |row| row.trace, full),
            |median| median > FAR,
        ),
    );
    both(eigenvalue, trace)
}

/// The same for the norm and the trace from small starts.
fn small_starts_are_near_the_least_norm(runs: Runs<'_>) -> Claim {
    let which = [(Method::Gradient, Start::Small)];
    let statement = "From a small start gradient descent ends within 5 % of the least norm, and thereby within 5 % \
                     of the flat optimum, which it does not seek.";
    let source = "Gunasekar et al. 2017, for the norm";
    let near = |median: f64| median <= NEAR;
    let norm = medians(runs, &which, |row| row.norm, every_width);
    let trace = medians(runs, &which, |row| row.trace, every_width);
    both(
        judged(statement, source, ("squared norm over the least", &norm, near)),
        judged(statement, source, ("scaled trace over the flat optimum", &trace, near)),
    )
}

/// Both of two claims.
fn both(a: Claim, b: Claim) -> Claim {
    let verdict = match (a.verdict, b.verdict) {
        (Verdict::DidNotHold, _) | (_, Verdict::DidNotHold) => Verdict::DidNotHold,
        (Verdict::Held, Verdict::Held) => Verdict::Held,
        _ => Verdict::NotDecided,
    };
    Claim { measured: format!("{}. {}", a.measured, b.measured), verdict, ..a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(trace: f64, trial: u32) -> Row {
        Row {
            setting: Setting::Sensing,
            trial,
            d: 8,
            m: 52,
            k: 2,
            method: Method::OnTrace,
            start: Start::Large,
            end: "settled".to_owned(),
            steps: 1,
            residual: 1e-3,
            interpolates: true,
            moved: 0.0,
            trace,
            norm: 1.0,
            largest: 1.0,
            error: 0.0,
            imbalance: 0.0,
            detour: 1.0,
            excursion: 1.0,
            flat_error: 0.0,
            nuclear_error: 0.0,
            nuclear_trace: 1.0,
            gap: 0.0,
            seed: 0,
            version: String::new(),
        }
    }

    #[test]
    fn verdicts_follow_the_medians() {
        let verdict = |traces: &[f64]| {
            let rows: Vec<Row> = traces.iter().zip(0..).map(|(t, trial)| row(*t, trial)).collect();
            let claims = of(Runs(&rows));
            (claims[0].verdict, claims[1].verdict)
        };
        use Verdict::{DidNotHold, Held, NotDecided};
        assert_eq!(verdict(&[]), (NotDecided, NotDecided));
        assert_eq!(verdict(&[1.0, 1.01, 1.02, 1.03]), (Held, NotDecided));
        assert_eq!(verdict(&[1.0, 1.01, 1.02, 1.03, 7.0]), (Held, Held));
        assert_eq!(verdict(&[1.2, 1.2, 1.2, 1.0, 1.0]), (Held, DidNotHold));
        assert_eq!(verdict(&[1.0, 0.99, 1.0, 1.0, 1.0]), (DidNotHold, Held));
    }
}
