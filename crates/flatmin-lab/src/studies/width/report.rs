//! The width of the factors: one table, a row a model, number of measurements and width.

use super::claims::PLANTED;
use super::{CELLS, ORDER, RANK, Row, SAME, WIDTHS, figure::name};
use crate::report::{head, row as line};

/// What the figure shows.
pub(super) const CAPTION: &str = "\
Least scaled trace over all factors of <i>k</i> columns that fit, found by descent from random starts: by what \
part it exceeds 4‖<i>D</i>₁<i>XD</i>₂‖<sub>∗</sub> of FLAT, solved as a convex program. A point a draw, the \
same draw joined by a line. Above, measurements from which FLAT recovers in most draws; below, from which it does \
not, and its answer has a larger rank than the planted matrix.";

/// What the widths are of.
const LEAD: &str = "\
<p>Factors of <i>k</i> columns, <i>X</i> = <i>LR</i><sup>T</sup>, hold matrices of rank <i>k</i> at most; networks \
of <i>k</i> units, half of them positive, hold <i>U</i>₁<i>U</i>₁<sup>T</sup> − <i>U</i>₂<i>U</i>₂<sup>T</sup>. The \
least scaled trace over those that fit is sought by the method of multipliers, the constraint being \
<i>A</i>(<i>X</i>) = <i>b</i>, from starts from which plain descent on the loss found a fit.</p>\n";

/// Largest and least of some numbers, in words.
fn range(values: impl Iterator<Item = f64> + Clone) -> String {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    match low <= high {
        true => format!("{low:.0e} to {high:.0e}").replace('-', "\u{2212}"),
        false => "–".to_owned(),
    }
}

/// The table.
pub(super) fn write(rows: &[Row], page: &mut String) {
    page.push_str(LEAD);
    let names = [
        "measurements",
        "k",
        "draws",
        "wide enough",
        "of these equal to FLAT",
        "excess",
        "|<i>X</i> − FLAT|, at most",
        "too narrow",
        "of these fit",
        "excess",
        "planted matrix found",
    ];
    head(page, "Least scaled trace by width", &names);
    for (model, asked) in CELLS {
        for asked in asked {
            for k in WIDTHS {
                let of = |row: &&Row| (row.model, row.asked, row.k) == (model, asked, k);
                let cell: Vec<&Row> = rows.iter().filter(of).collect();
                if !cell.is_empty() {
                    write_width(page, &name(model, asked), k, &cell);
                }
            }
        }
    }
    page.push_str(&format!(
        "</table></div>\n<p class=\"soft\">{ORDER} × {ORDER} matrices of rank {RANK}. Of up to three starts that fit, \
         the least trace counts. Wide enough: <i>k</i> columns \
         hold FLAT's answer. Equal: the scaled traces differ by at most {SAME:.0e} of them. Distances to FLAT's \
         answer of those that are, relative. Planted matrix found: to 10⁻⁶, among all \
         draws.</p>\n"
    ));
}

fn write_width(page: &mut String, name: &str, k: usize, cell: &[&Row]) {
    let wide: Vec<&&Row> = cell.iter().filter(|row| k >= row.needed).collect();
    let narrow: Vec<&&Row> = cell.iter().filter(|row| k < row.needed).collect();
    let equal = wide.iter().filter(|row| row.reaches()).count();
    let alike = wide.iter().filter(|row| row.reaches());
    let distance = alike.filter_map(|row| row.distance).fold(f64::NEG_INFINITY, f64::max);
    let found = cell.iter().filter(|row| row.error.is_some_and(|error| error < PLANTED)).count();
    let cells = [
        name.to_owned(),
        k.to_string(),
        cell.len().to_string(),
        wide.len().to_string(),
        equal.to_string(),
        range(wide.iter().filter_map(|row| row.excess)),
        if distance >= 0.0 {
            format!("{distance:.0e}").replace('-', "\u{2212}")
        } else {
            "–".to_owned()
        },
        narrow.len().to_string(),
        narrow.iter().filter(|row| row.excess.is_some()).count().to_string(),
        range(narrow.iter().filter_map(|row| row.excess)),
        found.to_string(),
    ];
    line(page, &cells);
}
