//! Errors under noise, model by model and number by number of measurements.

use super::{head, row};
use crate::noise::{Slope, geometric_mean, nuclear_error, over_measurements, over_noise};
use crate::record::Record;
use crate::spec::{Model, Objective};

const NORMS: [Objective; 2] = [Objective::Flat, Objective::Nuclear];

/// Tables for records with noise.
pub(super) fn write(page: &mut String, records: &[&Record]) {
    write_levels(page, records);
    write_counts(page, records);
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |v| format!("{v:.digits$}"))
}

/// Slopes over the levels of noise, and the constants of proportion.
fn write_levels(page: &mut String, records: &[&Record]) {
    let all = over_noise(records);
    if all.is_empty() {
        return;
    }
    let names = [
        "measurements",
        "FLAT slope",
        "NUC slope",
        "FLAT error / noise",
        "NUC error / noise",
        "forms differ, median",
        "at most",
    ];
    head(page, "Error against noise", &names);
    for series in &all {
        let slope = |o| {
            Slope::of_series(series, o)
                .map_or("–".to_owned(), |s| format!("{:.3} ± {:.3}", s.value, 2.0 * s.deviation))
        };
        let constant = |o| {
            let ratio = |r: &Record| Some(r.error? / r.noise?.value());
            let ratios: Vec<f64> = series.of(o).filter_map(ratio).collect();
            number(geometric_mean(&ratios), 2)
        };
        let apart = |r: &&Record| Some(r.apart? / r.error?);
        let mut parts: Vec<f64> = series.records.iter().filter_map(apart).collect();
        parts.sort_by(f64::total_cmp);
        let part = |p: Option<&f64>| p.map_or("–".to_owned(), |p| format!("{p:.0e}"));
        let cells = [
            series.cell.without_noise().to_string(),
            slope(NORMS[0]),
            slope(NORMS[1]),
            constant(NORMS[0]),
            constant(NORMS[1]),
            part(parts.get(parts.len() / 2)),
            part(parts.last()),
        ];
        row(page, &cells);
    }
    page.push_str(
        "</table></div>\n<p class=\"soft\">Noise is relative to the root mean square of the exact \
         targets, errors to ‖<i>M</i>‖. Slopes of log error over log noise, every draw a point, with \
         twice their standard errors. The two forms, bounded and penalised, differ by so much of \
         their error.</p>\n",
    );
}

/// Errors over the number of measurements, with theory beside those of NUC.
fn write_counts(page: &mut String, records: &[&Record]) {
    let all = over_measurements(records);
    if all.is_empty() {
        return;
    }
    let names = ["measurements", "m", "FLAT", "NUC", "theory for Gaussian, NUC", "NUC / theory"];
    head(page, "Error over the noise of a measurement", &names);
    for series in &all {
        let cell = series.cell;
        let [flat, nuclear] = NORMS.map(|o| series.relative_errors(o));
        for (m, errors) in &flat {
            let beside = nuclear.iter().find(|(other, _)| other == m);
            let found = [geometric_mean(errors), beside.and_then(|(_, e)| geometric_mean(e))];
            let theory = nuclear_error(cell.rows, cell.cols, cell.rank, *m)
                .filter(|_| cell.model() == Model::Sensing);
            let cells = [
                format!("{} {}x{} rank {}", cell.model(), cell.rows, cell.cols, cell.rank),
                format!("{m:.0}"),
                number(found[0], 3),
                number(found[1], 3),
                number(theory, 3),
                number(found[1].zip(theory).map(|(found, theory)| found / theory), 2),
            ];
            row(page, &cells);
        }
    }
    page.push_str(
        "</table></div>\n<p class=\"soft\">‖<i>X</i> − <i>M</i>‖√<i>m</i> / ‖<i>w</i>‖, geometric \
         means over draws. Theory: the limit of large matrices and small noise, at the penalty that the \
         bound ‖<i>A</i>(<i>X</i>) − <i>b</i>‖ ≤ ‖<i>w</i>‖ implies.</p>\n",
    );
}
