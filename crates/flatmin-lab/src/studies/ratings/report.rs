//! Ratings: every method at its best penalty.

use super::{Curve, LOSS, Method, Outcome, Row, title};
use crate::figure::escape;
use crate::report::{head, row as line};

/// Key of the seconds of a curve in `timings.js`.
fn key(row: &Row) -> String {
    format!("ratings/{}/{}/{}", row.data, row.centred, row.method.name())
}

/// A table a data set, and what is missing.
pub(super) fn write(page: &mut String, outcome: &Outcome) {
    if let Some(skipped) = &outcome.skipped {
        page.push_str(&format!("<p>{}.</p>\n", escape(skipped)));
    }
    let names = [
        "taken off",
        "fitted",
        "best penalty",
        "rank",
        "validation RMSE",
        "test RMSE",
        "of both parts",
        "penalty may be smaller",
        "larger",
        "fits",
        "seconds of a fit",
    ];
    for data in outcome.sets() {
        let curves = outcome.curves.iter().filter(|c| c.rows[0].data == data);
        head(page, &escape(title(data)), &names);
        for curve in curves {
            write_curve(page, curve);
        }
        page.push_str("</table></div>\n");
    }
    if !outcome.curves.is_empty() {
        page.push_str(&format!(
            "<p class=\"soft\">Fitted to the training part alone; the best penalty, as a part of the \
             least one at which the answer is zero, has the least error on the validation part; of \
             both parts: training and validation part fitted with it. By the factors given it may be \
             smaller or larger before that error rises by {LOSS}; where none is given the path did \
             not go so far. Seconds: median over the path, one thread.</p>\n"
        ));
    }
}

fn write_curve(page: &mut String, curve: &Curve) {
    let Some(best) = curve.best() else { return };
    let (below, above) = curve.leeway();
    let factor = |f: Option<f64>| f.map_or("–".to_owned(), |f| format!("{f:.1}×"));
    let off = if best.centred { "row and column offsets" } else { "the mean" };
    let fitted = best.fraction.is_some();
    let cells = [
        off.to_owned(),
        if best.method == Method::Offsets {
            "nothing".to_owned()
        } else {
            best.method.name().to_owned()
        },
        best.fraction.map_or("–".to_owned(), |f| format!("{f:.1e}")),
        best.rank.to_string(),
        format!("{:.4}", best.validation),
        format!("{:.4}", best.test),
        curve.refit.as_ref().map_or("–".to_owned(), |(row, _)| format!("{:.4}", row.test)),
        if fitted { factor(below) } else { "–".to_owned() },
        if fitted { factor(above) } else { "–".to_owned() },
        curve.rows.len().to_string(),
    ];
    line(page, &cells);
    let seconds = format!("<td class=\"n\" data-time=\"{}\">–</td></tr>\n", escape(&key(best)));
    if page.ends_with("</tr>\n") {
        page.truncate(page.len() - "</tr>\n".len());
        page.push_str(&seconds);
    }
}

/// The median seconds of a fit of each curve.
pub(super) fn times(outcome: &Outcome) -> Vec<(String, String)> {
    let median = |curve: &Curve| {
        let mut seconds = curve.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let median = seconds.get(seconds.len() / 2)?;
        Some((key(curve.rows.first()?), format!("{median:.2}")))
    };
    outcome.curves.iter().filter_map(median).collect()
}
