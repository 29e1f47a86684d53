//! Figure 4: how far flat factors are from norm-minimal and from balanced ones, as maps over size
//! and number of measurements.

use super::INK;
use super::panel::{Failed, Page, Panel, TEXT, page, power_of_ten, put, text, upward};
use super::phase::{extent, levels, range, size_label, y_ticks};
use crate::record::Record;
use crate::spec::Objective;
use crate::summary::{Axis, Group, Line, Table};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (520, 520);
const LEFT: i32 = 120;
const TOP: i32 = 70;
const BETWEEN: i32 = 60;
const BELOW: i32 = 150;
const BAR: i32 = 175;

/// A quantity of a flat solution that one panel shows.
type Quantity = fn(&Record) -> Option<f64>;

const QUANTITIES: [(&str, Quantity); 2] = [
    ("excess of \u{2016}L\u{2016}\u{b2} + \u{2016}R\u{2016}\u{b2} over its minimum", |r| {
        r.norm_excess_relative
    }),
    ("imbalance \u{2016}L\u{1d40}L \u{2212} R\u{1d40}R\u{2016}\u{2217}", |r| r.imbalance_relative),
];

/// The picture of lines of one family, and its description.
pub(super) fn maps(table: &Table<'_>, lines: &[Line]) -> Result<(String, String), Failed> {
    let Some(&first) = lines.first() else {
        return Err("there is no line".to_owned());
    };
    let levels = levels(table, lines);
    let decades = decades(table, lines);
    let panels = QUANTITIES.len() as i32;
    let width = LEFT + panels * PANEL.0 + (panels - 1) * BETWEEN + BAR;
    let height = TOP + PANEL.1 + BELOW;
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        let mut right = LEFT;
        for (k, (title, quantity)) in QUANTITIES.into_iter().enumerate() {
            let panel = Panel {
                left: LEFT + k as i32 * (PANEL.0 + BETWEEN),
                top: TOP,
                width: PANEL.0,
                height: PANEL.1,
                x: (-0.5, lines.len() as f64 - 0.5),
                y: range(&levels),
            };
            right = panel.left + panel.width;
            map(root, &panel, table, lines, (quantity, decades))?;
            let x_ticks: Vec<_> =
                lines.iter().enumerate().map(|(k, &line)| (k as f64, size_label(line))).collect();
            let (y_ticks, y_name) = match (k, first.axis) {
                (0, Axis::Measurements) => (y_ticks(first.axis, &levels), "measurements m"),
                (0, _) => (y_ticks(first.axis, &levels), "sampling probability p"),
                _ => (Vec::new(), ""),
            };
            let x_name = format!("order d of the matrix (rank {})", first.rank);
            panel.axes(root, (&x_ticks, &x_name), (&y_ticks, y_name))?;
            panel.title(root, title)?;
        }
        colour_bar(root, right + 40, decades)?;
        let singular = lines.iter().any(|&line| {
            let groups = table.groups(line, Objective::Flat);
            groups.iter().any(|group| median(group, QUANTITIES[0].1).is_none())
        });
        legend(root, (LEFT + right) / 2, height - 28, singular)
    })?;
    Ok((svg, describe(table, lines)))
}

/// What a panel shows of a cell: the median over draws that see every direction.
fn median(group: &Group<'_>, quantity: Quantity) -> Option<f64> {
    let regular = group.records.iter().filter(|r| r.kappa.is_some_and(f64::is_finite));
    let mut values: Vec<f64> = regular.filter_map(|r| quantity(r)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Whether most draws of a cell are recovered.
fn recovers(group: &Group<'_>) -> bool {
    group.point().frequency() >= 0.5
}

/// Powers of ten around all medians, but no more than the norm itself: what lies above has the
/// last colour.
fn decades(table: &Table<'_>, lines: &[Line]) -> (i32, i32) {
    let groups = lines.iter().flat_map(|&line| table.groups(line, Objective::Flat));
    let medians = groups.flat_map(|group| QUANTITIES.map(|(_, q)| median(group, q)));
    let logs: Vec<f64> =
        medians.flatten().filter(|v| *v > 0.0).map(|v| v.log10().max(-12.0)).collect();
    let low = logs.iter().copied().fold(f64::INFINITY, f64::min);
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (-4, 0);
    }
    let low = (low.floor() as i32).min(-1);
    (low, (high.ceil() as i32).clamp(low + 1, 0))
}

/// A sequence of colours of even steps in lightness, dark violet to pale yellow (viridis, by
/// S. van der Walt and N. Smith), at a fraction of its length.
fn viridis(fraction: f64) -> RGBColor {
    const STOPS: [(u8, u8, u8); 9] = [
        (0x44, 0x01, 0x54),
        (0x48, 0x28, 0x78),
        (0x3e, 0x4a, 0x89),
        (0x31, 0x68, 0x8e),
        (0x26, 0x82, 0x8e),
        (0x1f, 0x9e, 0x89),
        (0x35, 0xb7, 0x79),
        (0x6e, 0xce, 0x58),
        (0xfd, 0xe7, 0x25),
    ];
    let place = fraction.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let k = (place as usize).min(STOPS.len() - 2);
    let (a, b, t) = (STOPS[k], STOPS[k + 1], place - k as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// The colour of a value.
fn shade(value: f64, (low, high): (i32, i32)) -> RGBColor {
    let log = value.max(1e-300).log10();
    viridis((log - f64::from(low)) / f64::from(high - low))
}

const NOTHING: RGBColor = RGBColor(0xf0, 0xf0, 0xf0);

/// The cells: coloured where there is a value, striped where most draws are not recovered.
fn map(
    root: &Page<'_>,
    panel: &Panel,
    table: &Table<'_>,
    lines: &[Line],
    (quantity, decades): (Quantity, (i32, i32)),
) -> Result<(), Failed> {
    let ground = [panel.at(panel.x.0, panel.y.0), panel.at(panel.x.1, panel.y.1)];
    put(root, &Rectangle::new(ground, NOTHING.filled()))?;
    for (k, &line) in lines.iter().enumerate() {
        let groups = table.groups(line, Objective::Flat);
        let own: Vec<f64> = groups.iter().map(|group| group.level).collect();
        for group in groups {
            let Some(value) = median(group, quantity) else {
                continue;
            };
            let (low, high) = extent(&own, group.level);
            let clamp = |y: f64| y.clamp(panel.y.0, panel.y.1);
            let x = k as f64;
            let corners = [panel.at(x - 0.5, clamp(low)), panel.at(x + 0.5, clamp(high))];
            put(root, &Rectangle::new(corners, shade(value, decades).filled()))?;
            if !recovers(group) {
                stripes(root, corners)?;
            }
        }
    }
    Ok(())
}

/// White diagonals over a rectangle, on one raster for the whole page.
fn stripes(root: &Page<'_>, [a, b]: [(i32, i32); 2]) -> Result<(), Failed> {
    const STEP: i32 = 14;
    let (left, right) = (a.0.min(b.0), a.0.max(b.0));
    let (top, bottom) = (a.1.min(b.1), a.1.max(b.1));
    // Lines x + y = c.
    let first = (left + top).div_euclid(STEP) + 1;
    for c in (first * STEP..right + bottom).step_by(STEP as usize) {
        let (x0, x1) = (left.max(c - bottom), right.min(c - top));
        if x0 < x1 {
            let stripe = vec![(x0, c - x0), (x1, c - x1)];
            put(root, &PathElement::new(stripe, WHITE.mix(0.75).stroke_width(2)))?;
        }
    }
    Ok(())
}

fn colour_bar(root: &Page<'_>, left: i32, (low, high): (i32, i32)) -> Result<(), Failed> {
    let steps = 64;
    for k in 0..steps {
        let edge = |k: i32| TOP + PANEL.1 - PANEL.1 * k / steps;
        let colour = viridis((f64::from(k) + 0.5) / f64::from(steps));
        let corners = [(left, edge(k)), (left + 26, edge(k + 1))];
        put(root, &Rectangle::new(corners, colour.filled()))?;
    }
    let frame = [(left, TOP), (left + 26, TOP + PANEL.1)];
    put(root, &Rectangle::new(frame, INK.stroke_width(2)))?;
    for e in low..=high {
        let y = TOP + PANEL.1 - PANEL.1 * (e - low) / (high - low);
        put(root, &PathElement::new(vec![(left + 26, y), (left + 32, y)], INK.stroke_width(2)))?;
        let label = if e == 0 { "\u{2265} 1".to_owned() } else { power_of_ten(e) };
        text(root, &label, (left + 38, y), TEXT, INK, (HPos::Left, VPos::Center))?;
    }
    upward(root, "relative size, median of draws", (left + 112, TOP + PANEL.1 / 2))
}

fn legend(root: &Page<'_>, centre: i32, y: i32, singular: bool) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let label = |content: &str, x: i32| text(root, content, (x, y), TEXT, INK, anchor);
    let mut x = if singular { centre - 350 } else { centre - 160 };
    let swatch = |x: i32| [(x, y - 14), (x + 44, y + 14)];
    put(root, &Rectangle::new(swatch(x), viridis(0.35).filled()))?;
    stripes(root, swatch(x))?;
    label("most draws not recovered", x + 56)?;
    if !singular {
        return Ok(());
    }
    x += 350;
    put(root, &Rectangle::new(swatch(x), NOTHING.filled()))?;
    put(root, &Rectangle::new(swatch(x), INK.stroke_width(1)))?;
    label("D\u{2081} or D\u{2082} singular in every draw", x + 56)
}

fn describe(table: &Table<'_>, lines: &[Line]) -> String {
    let mut alt = String::from(
        "Two maps of flat factors, size of the matrix across, sampling up, colour for the median \
         over draws on a logarithmic scale: excess of the squared norms over their least value, \
         and imbalance, both relative to the squared norms.",
    );
    for (name, quantity) in [("excess", QUANTITIES[0].1), ("imbalance", QUANTITIES[1].1)] {
        let groups = lines.iter().flat_map(|&line| table.groups(line, Objective::Flat));
        let medians: Vec<f64> =
            groups.filter(|g| recovers(g)).filter_map(|g| median(g, quantity)).collect();
        let low = medians.iter().copied().fold(f64::INFINITY, f64::min);
        let high = medians.iter().copied().fold(0.0, f64::max);
        if low <= high {
            alt.push_str(&format!(
                " Where most draws are recovered the {name} is between {low:.0e} and {high:.0e}."
            ));
        }
    }
    alt
}
