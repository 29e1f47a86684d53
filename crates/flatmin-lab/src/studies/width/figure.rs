//! Excess of the scaled trace over that of FLAT, over the width of the factors: a column a model, with enough
//! measurements above and with few below, a point a draw.

use super::{CELLS, ORDER, RANK, Row, SAME, WIDTHS};
use crate::figure::panel::{Failed, Page, Panel, TEXT, dots, page, power_of_ten, put, text};
use crate::figure::{BLUE, FAINT, GREY, INK, VERMILION};
use crate::spec::Model;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (430, 330);
const LEFT: i32 = 150;
const TOP: i32 = 120;
const BETWEEN: (i32, i32) = (60, 130);

/// Excesses are drawn between these powers of ten, rounding at the lower one.
const FLOOR: f64 = -10.0;
const CEILING: f64 = 0.0;

/// Where widths stand in which nothing was found that fits.
const NO_FIT: f64 = 1.2;

/// What is told apart of a point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The factors hold FLAT's answer.
    Wide,
    /// The same, where descent ended short of a stationary point.
    Unfinished,
    /// They do not.
    Narrow,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Wide, "as wide as the rank of FLAT's answer, or wider"),
    (Kind::Narrow, "narrower"),
    (Kind::Unfinished, "not stationary"),
];

fn kind(row: &Row) -> Kind {
    match (row.k >= row.needed, row.converged) {
        (false, _) => Kind::Narrow,
        (true, true) => Kind::Wide,
        (true, false) => Kind::Unfinished,
    }
}

/// Name of a cell for the reader.
pub(super) fn name(model: Model, asked: usize) -> String {
    match model {
        Model::Completion => format!("completion, {asked} % of entries"),
        Model::Quadnet => format!("network, {asked} examples"),
        _ => format!("{model}, {asked} measurements"),
    }
}

/// The picture, and its description.
pub(super) fn draw(rows: &[Row]) -> Result<(String, String), Failed> {
    let mut alt = format!(
        "Relative excess of the least scaled trace over factors of k columns over that of FLAT, logarithmic, \
         for {ORDER} x {ORDER} matrices of rank {RANK}; a panel a model and number of measurements."
    );
    let columns = CELLS.len() as i32;
    let width = LEFT + columns * PANEL.0 + (columns - 1) * BETWEEN.0 + 40;
    let height = TOP + 2 * (PANEL.1 + BETWEEN.1) - 20;
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        for (column, (model, asked)) in CELLS.into_iter().enumerate() {
            for (line, asked) in asked.into_iter().enumerate() {
                let of = |row: &&Row| (row.model, row.asked) == (model, asked);
                let cell: Vec<&Row> = rows.iter().filter(of).collect();
                let (column, line) = (column as i32, line as i32);
                let panel = Panel {
                    left: LEFT + column * (PANEL.0 + BETWEEN.0),
                    top: TOP + line * (PANEL.1 + BETWEEN.1),
                    width: PANEL.0,
                    height: PANEL.1,
                    x: (-0.7, WIDTHS.len() as f64 - 0.3),
                    y: (FLOOR - 0.6, NO_FIT + 0.7),
                };
                points(root, &panel, &cell)?;
                frame(root, &panel, column == 0)?;
                panel.title(root, &name(model, asked))?;
                alt.push_str(&described(&name(model, asked), &cell));
            }
        }
        legend(root, LEFT)
    })?;
    Ok((svg, alt))
}

fn frame(root: &Page<'_>, panel: &Panel, first: bool) -> Result<(), Failed> {
    let x: Vec<(f64, String)> = (0..).map(f64::from).zip(WIDTHS.map(|k| k.to_string())).collect();
    let mut y = ticks();
    if !first {
        y.iter_mut().for_each(|(_, label)| label.clear());
    }
    panel.axes(
        root,
        (&x, "columns k of the factors"),
        (&y, if first { "excess of the trace" } else { "" }),
    )
}

/// Every other power of ten; the lowest stands for all that is smaller.
fn ticks() -> Vec<(f64, String)> {
    let powers = (FLOOR as i32..=CEILING as i32).step_by(2);
    let label = |e: i32| match f64::from(e) <= FLOOR {
        true => format!("\u{2264}{}", power_of_ten(e)),
        false => power_of_ten(e),
    };
    powers.map(|e| (f64::from(e), label(e))).chain([(NO_FIT, "no fit".to_owned())]).collect()
}

/// Place of a row: the draws of a width beside one another.
fn place(row: &Row, draws: u32) -> Option<(f64, f64)> {
    let column = WIDTHS.iter().position(|k| *k == row.k)? as f64;
    let beside = 0.6 * ((f64::from(row.trial) + 0.5) / f64::from(draws) - 0.5);
    let height = match row.excess {
        Some(excess) => excess.abs().log10().clamp(FLOOR, CEILING),
        None => NO_FIT,
    };
    Some((column + beside, height))
}

fn points(root: &Page<'_>, panel: &Panel, cell: &[&Row]) -> Result<(), Failed> {
    let excesses: Vec<(f64, String)> = ticks().into_iter().filter(|(y, _)| *y <= CEILING).collect();
    panel.grid(root, &excesses)?;
    let between = 0.5 * (NO_FIT + CEILING);
    let line = vec![panel.at(panel.x.0, between), panel.at(panel.x.1, between)];
    put(root, &PathElement::new(line, GREY.stroke_width(1)))?;
    dots(root, &[panel.at(panel.x.0, SAME.log10()), panel.at(panel.x.1, SAME.log10())])?;
    let draws = cell.iter().map(|row| row.trial + 1).max().unwrap_or(0);
    for trial in 0..draws {
        let path = cell.iter().filter(|row| row.trial == trial && row.excess.is_some());
        let path: Vec<(i32, i32)> =
            path.filter_map(|row| place(row, draws)).map(|(x, y)| panel.at(x, y)).collect();
        put(root, &PathElement::new(path, FAINT.stroke_width(1)))?;
    }
    let size = if draws > 10 { 3 } else { 4 };
    // Exceptions come last, on top of the many.
    for wanted in [Kind::Narrow, Kind::Wide, Kind::Unfinished] {
        for row in cell.iter().filter(|row| kind(row) == wanted) {
            if let Some((x, y)) = place(row, draws) {
                marker(root, panel.at(x, y), wanted, size)?;
            }
        }
    }
    Ok(())
}

/// A disc, a ring or a diamond of this radius.
fn marker(root: &Page<'_>, (x, y): (i32, i32), kind: Kind, size: i32) -> Result<(), Failed> {
    match kind {
        Kind::Wide => put(root, &Circle::new((x, y), size, BLUE.filled())),
        Kind::Unfinished => {
            put(root, &Circle::new((x, y), size + 1, WHITE.filled()))?;
            put(root, &Circle::new((x, y), size + 1, BLUE.stroke_width(2)))
        }
        Kind::Narrow => {
            let a = size + 2;
            let corners = vec![(x, y - a), (x + a, y), (x, y + a), (x - a, y)];
            put(root, &Polygon::new(corners, VERMILION.filled()))
        }
    }
}

fn legend(root: &Page<'_>, left: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let (mut x, y) = (left, 34);
    for (kind, name) in KINDS {
        marker(root, (x, y), kind, 5)?;
        text(root, name, (x + 18, y), TEXT, INK, anchor)?;
        x += if kind == Kind::Wide { 560 } else { 200 };
    }
    dots(root, &[(x, y), (x + 50, y)])?;
    text(root, "taken for the same", (x + 64, y), TEXT, INK, anchor)
}

/// Draws that reach the value of FLAT, width by width.
fn described(name: &str, cell: &[&Row]) -> String {
    let told = WIDTHS.map(|k| {
        let of = |row: &&&Row| row.k == k;
        let reached = cell.iter().filter(of).filter(|row| row.reaches()).count();
        format!("{reached} of {} at k = {k}", cell.iter().filter(of).count())
    });
    format!(" {name}: the value of FLAT is reached by {}.", told.join(", "))
}
