//! Real ratings: what the weights are worth with offsets and without.

use super::{LOSS, Method, Outcome, Row};
use crate::claims::{Claim, Verdict};

const HERE: &str = "this project";

/// The claims about an outcome.
pub(super) fn of(outcome: &Outcome) -> Vec<Claim> {
    vec![uncentred(outcome), centred(outcome), beyond_offsets(outcome), certified(outcome)]
}

/// Test error of the fit of training and validation part at the best penalty.
fn test(outcome: &Outcome, data: &str, centred: bool, method: Method) -> Option<f64> {
    outcome.curve(data, centred, method)?.refit.as_ref().map(|(row, _)| row.test)
}

/// Without offsets FLAT predicts better than NUC.
fn uncentred(outcome: &Outcome) -> Claim {
    let (mut parts, mut wrong) = (Vec::new(), 0);
    for data in outcome.sets() {
        let error = |method| test(outcome, data, false, method);
        if let Some((flat, nuclear)) = error(Method::Flat).zip(error(Method::Nuclear)) {
            wrong += usize::from(flat >= nuclear);
            parts.push(format!("{data} {flat:.4} against {nuclear:.4}"));
        }
    }
    Claim {
        statement: "Where only the mean is taken off, the flat norm predicts ratings better than the \
                    nuclear norm, each at its own best penalty.",
        source: HERE,
        verdict: verdict(parts.len(), wrong),
        measured: measured("Test errors of FLAT and NUC", &parts),
    }
}

/// With offsets the norms are as good as one another.
fn centred(outcome: &Outcome) -> Claim {
    let (mut parts, mut wrong) = (Vec::new(), 0);
    for data in outcome.sets() {
        let errors: Vec<f64> =
            Method::ALL.iter().filter_map(|&m| test(outcome, data, true, m)).collect();
        if let [offsets, flat, smoothed, nuclear] = errors[..] {
            let norms = [flat, smoothed, nuclear];
            let most = norms.into_iter().fold(f64::NEG_INFINITY, f64::max);
            let least = norms.into_iter().fold(f64::INFINITY, f64::min);
            wrong += usize::from(most - least > LOSS);
            parts.push(format!(
                "{data} {flat:.4}, {smoothed:.4}, {nuclear:.4}, and offsets alone {offsets:.4}"
            ));
        }
    }
    Claim {
        statement: "Where offsets of rows and columns are taken off, the norms predict equally well, to a \
                    hundredth.",
        source: HERE,
        verdict: verdict(parts.len(), wrong),
        measured: measured("Test errors of FLAT, half as flat, NUC", &parts),
    }
}

/// The matrix predicts what offsets do not.
fn beyond_offsets(outcome: &Outcome) -> Claim {
    let (mut parts, mut wrong) = (Vec::new(), 0);
    for data in outcome.sets() {
        let error = |method| test(outcome, data, true, method);
        if let Some((smoothed, offsets)) = error(Method::Smoothed).zip(error(Method::Offsets)) {
            wrong += usize::from(smoothed >= offsets);
            parts.push(format!("{data} {smoothed:.4} against {offsets:.4}"));
        }
    }
    Claim {
        statement: "With offsets, a matrix of half flat weights predicts ratings better than the offsets \
                    alone.",
        source: HERE,
        verdict: verdict(parts.len(), wrong),
        measured: measured("Test errors of half as flat and of offsets alone", &parts),
    }
}

/// Every fit has its gap.
fn certified(outcome: &Outcome) -> Claim {
    let fits = outcome.curves.iter().flat_map(|c| &c.rows).filter(|r| r.lambda.is_some());
    let fits: Vec<_> = fits.collect();
    let gap = |r: &&Row| r.relative_gap.unwrap_or(f64::INFINITY);
    let done = fits.iter().filter(|r| gap(r) <= r.tolerance).count();
    let worst = fits.iter().map(gap).fold(0.0, f64::max);
    Claim {
        statement: "Every fit of ratings is proved optimal to a relative gap of 1e-3.",
        source: HERE,
        measured: format!("{done} of {} fits are; the largest gap is {worst:.0e}", fits.len()),
        verdict: verdict(fits.len(), fits.len() - done),
    }
}

fn measured(what: &str, parts: &[String]) -> String {
    match parts {
        [] => "No ratings were at hand".to_owned(),
        parts => format!("{what}: {}", parts.join("; ")),
    }
}

fn verdict(of: usize, wrong: usize) -> Verdict {
    match (of, wrong) {
        (0, _) => Verdict::NotDecided,
        (_, 0) => Verdict::Held,
        _ => Verdict::DidNotHold,
    }
}
