//! Implicit bias: what was run, in words, and where each method ended at each width.

use super::methods::{BATCH, Method};
use super::{LIMIT, Row, Runs, Setting};
use crate::figure::escape;
use crate::report::{head, row};
use crate::summary::quantile;

/// What a figure shows.
pub(super) const CAPTION: &str = "Where each method ends, brought onto the zero set: medians and quartiles over the \
    draws that reached it. Left: scaled trace over the flat optimum, less 1; dotted, at the factors of least norm. \
    Middle: squared norm of the factors over the least, less 1. Right: ‖<i>X</i> − <i>M</i>‖; dotted, of the flat \
    matrix. What lies beyond an axis is drawn at its end. The upper two methods start small, the others large.";

/// What was run.
const LEAD: &str = "\
<p>All factors that interpolate fit equally well; which of them a method ends at is its bias. Every method starts \
from the same Gaussian factors of a draw, scaled so that what they predict is 10<sup>−6</sup> (small) or 1 (large) \
times as large as the targets. Steps follow one rule for all: half of the edge of stability, 1/λ<sub>max</sub> of the \
Hessian, or a line search. Methods with a bias of their own may add a tenth of ‖<i>b</i>‖²/<i>m</i> to the loss at \
first, and half as much at each of eight levels. Where a method ends, Gauss-Newton steps lead onto the zero set, and \
there everything is measured, against the values that the convex programs certify.</p>\n";

/// Explanations, and the table.
pub(super) fn write(page: &mut String, runs: Runs<'_>) {
    page.push_str(LEAD);
    page.push_str("<ul>\n");
    for setting in Setting::ALL {
        let draws = runs.0.iter().filter(|r| r.setting == setting).map(|r| r.trial + 1).max();
        page.push_str(&format!(
            "<li>{}: {}, rank 2, {} draws</li>\n",
            escape(setting.title()),
            escape(&setting.about()),
            draws.unwrap_or(0)
        ));
    }
    page.push_str("</ul>\n");
    let mut ends: Vec<(&str, usize)> = Vec::new();
    for end in runs.0.iter().map(|row| row.end.as_str()) {
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, count)) => *count += 1,
            None => ends.push((end, 1)),
        }
    }
    let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{end} {count}")).collect();
    page.push_str(&format!(
        "<p>How runs ended, before they were brought onto the zero set: {}. Methods without a bias interpolate when \
         their residual is below 10<sup>−4</sup> of the targets; the limit is {LIMIT} steps, and what it ends counts \
         with where it was.</p>\n",
        escape(&ends.join(", "))
    ));
    let names = [
        "method, width",
        "on the zero set",
        "trace / flat",
        "quartiles",
        "norm / least",
        "λ / flat",
        "error",
        "imbalance",
        "path / distance",
        "distance / least",
        "steps",
    ];
    for setting in Setting::ALL {
        if !runs.0.iter().any(|row| row.setting == setting) {
            continue;
        }
        head(page, &format!("Where methods end: {}", escape(setting.title())), &names);
        for &which in Method::ALL {
            for k in setting.widths() {
                row(page, &line(runs, (setting, k), which));
            }
        }
        page.push_str("</table></div>\n");
    }
    page.push_str(&format!(
        "<p class=\"soft\">Medians over the runs that reached the zero set. Trace: scaled trace of the Hessian over \
         the certified flat optimum. Norm: squared norm of the factors over the least. λ: largest eigenvalue of the \
         Hessian over that at the flat factors. Imbalance: ‖<i>L</i>ᵀ<i>L</i> − <i>R</i>ᵀ<i>R</i>‖<sub>∗</sub> over \
         the squared norm. Path over distance: length of the way over the distance of its ends. Distance over least: \
         from the start to the end, over the least distance of the zero set that was found (Oymak and \
         Soltanolkotabi 2019). Mini-batches: {BATCH} measurements.</p>\n"
    ));
}

fn line(
    runs: Runs<'_>,
    (setting, k): (Setting, usize),
    (method, start): super::methods::Run,
) -> Vec<String> {
    let values = |value: fn(&Row) -> f64| runs.values(setting, k, (method, start), value);
    let of = |value: fn(&Row) -> f64, told: &dyn Fn(f64) -> String| {
        quantile(&values(value), 0.5).map_or("–".to_owned(), told)
    };
    let number = |v: f64| format!("{v:.4}");
    let small = |v: f64| format!("{v:.0e}");
    let short = |v: f64| format!("{v:.2}");
    let traces = values(|row| row.trace);
    let quartiles =
        [0.25, 0.75].map(|share| quantile(&traces, share).map_or("–".to_owned(), number));
    let all = runs.of(setting, k, (method, start)).count();
    vec![
        format!("{}, k = {k}", method.name(start)),
        format!("{} of {all}", traces.len()),
        of(|row| row.trace, &number),
        quartiles.join(" to "),
        of(|row| row.norm, &number),
        of(|row| row.largest, &short),
        of(|row| row.error, &small),
        of(|row| row.imbalance, &small),
        of(|row| row.detour, &short),
        of(|row| row.excursion, &short),
        of(|row| row.steps as f64, &|v| format!("{v:.0}")),
    ]
}
