//! Implicit bias: where methods end, a figure a setting, a line a method, a colour a width.

use super::methods::Method;
use super::{Row, Runs, Setting};
use crate::Error;
use crate::figure::panel::{Failed, Page, Panel, TEXT, dots, page, power_of_ten, put, text};
use crate::figure::{BLUE, FAINT, Figure, GREY, INK, ORANGE, VERMILION, finished};
use crate::summary::quantile;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const WIDTH: i32 = 400;
const LINE: i32 = 46;
const LEFT: i32 = 320;
const TOP: i32 = 66;
const BETWEEN: i32 = 46;
const LEGEND: i32 = 150;

/// A colour a width: the rank, twice the rank, the order.
const COLOURS: [RGBColor; 3] = [BLUE, ORANGE, VERMILION];

/// A quantity that is drawn on a logarithmic axis.
struct Quantity {
    title: &'static str,
    name: &'static str,
    /// Exponents at the ends of the axis; what lies beyond is drawn there.
    range: (i32, i32),
    value: fn(&Row) -> f64,
    /// What the convex programs give.
    reference: fn(&Row) -> f64,
}

const QUANTITIES: [Quantity; 3] = [
    Quantity {
        title: "flat?",
        name: "scaled trace over least, − 1",
        range: (-5, 1),
        value: |row| row.trace - 1.0,
        reference: |row| row.nuclear_trace - 1.0,
    },
    Quantity {
        title: "norm-minimal?",
        name: "squared norm over least, − 1",
        range: (-5, 1),
        value: |row| row.norm - 1.0,
        reference: |_| f64::NAN,
    },
    Quantity {
        title: "the planted matrix?",
        name: "error",
        range: (-6, 1),
        value: |row| row.error,
        reference: |row| row.flat_error,
    },
];

/// A figure for each setting of which there are runs.
pub(super) fn of(runs: Runs<'_>) -> Result<Vec<Figure>, Error> {
    let settings = Setting::ALL.into_iter().filter(|s| runs.0.iter().any(|r| r.setting == *s));
    settings
        .map(|setting| finished(format!("implicit-bias-{}", setting.name()), draw(runs, setting)))
        .collect()
}

fn draw(runs: Runs<'_>, setting: Setting) -> Result<(String, String), Failed> {
    let lines = Method::ALL.len() as i32;
    let height = lines * LINE;
    let right = LEFT + 3 * WIDTH + 2 * BETWEEN;
    let size = (right + LEGEND, TOP + height + 100);
    let mut alt = format!(
        "Where descent methods end, {}: medians and quartiles over the draws, for factors of width {}.",
        setting.title(),
        setting.widths().map(|k| k.to_string()).join(", ")
    );
    let svg = page((size.0.unsigned_abs(), size.1.unsigned_abs()), |root| {
        for (p, quantity) in QUANTITIES.iter().enumerate() {
            let (low, high) = quantity.range;
            let panel = Panel {
                left: LEFT + p as i32 * (WIDTH + BETWEEN),
                top: TOP,
                width: WIDTH,
                height,
                x: (f64::from(low) - 0.2, f64::from(high)),
                y: (f64::from(lines), 0.0),
            };
            frame(root, &panel, quantity)?;
            references(root, &panel, runs, (setting, quantity))?;
            for (line, &which) in Method::ALL.iter().enumerate() {
                if p == 0 {
                    let (method, start) = which;
                    let (_, y) = panel.at(0.0, line as f64 + 0.5);
                    let at = (LEFT - 14, y);
                    text(root, method.name(start), at, TEXT, INK, (HPos::Right, VPos::Center))?;
                }
                for (w, k) in setting.widths().into_iter().enumerate() {
                    let values = runs.values(setting, k, which, quantity.value);
                    let place = line as f64 + 0.5 + 0.24 * (w as f64 - 1.0);
                    mark(root, &panel, &values, (place, COLOURS[w]))?;
                    if p == 0
                        && let Some(median) = quantile(&values, 0.5)
                    {
                        let name = which.0.name(which.1);
                        alt.push_str(&format!(" {name}, k = {k}: {median:.1e} above flat."));
                    }
                }
            }
        }
        let at = (LEFT - 14, TOP - 14);
        text(root, setting.title(), at, TEXT, GREY, (HPos::Right, VPos::Bottom))?;
        legend(root, right + 24, setting)
    })?;
    Ok((svg, alt))
}

/// Frame, decades, and lines between the methods.
fn frame(root: &Page<'_>, panel: &Panel, quantity: &Quantity) -> Result<(), Failed> {
    let (low, high) = quantity.range;
    let ticks: Vec<(f64, String)> = (low..=high)
        .filter(|e| (e - low) % 2 == 0)
        .map(|e| {
            (
                f64::from(e),
                if e == low { format!("≤ {}", power_of_ten(e)) } else { power_of_ten(e) },
            )
        })
        .collect();
    for (x, _) in &ticks {
        let line = vec![panel.at(*x, panel.y.0), panel.at(*x, panel.y.1)];
        put(root, &PathElement::new(line, FAINT.stroke_width(1)))?;
    }
    for line in 1..Method::ALL.len() {
        let ends = vec![panel.at(panel.x.0, line as f64), panel.at(panel.x.1, line as f64)];
        let between = Method::ALL[line - 1].1 != Method::ALL[line].1;
        let style = if between { INK.stroke_width(1) } else { FAINT.stroke_width(1) };
        put(root, &PathElement::new(ends, style))?;
    }
    panel.axes(root, (&ticks, quantity.name), (&[], ""))?;
    panel.title(root, quantity.title)
}

/// The median of what the convex programs give, dotted.
fn references(
    root: &Page<'_>,
    panel: &Panel,
    runs: Runs<'_>,
    (setting, quantity): (Setting, &Quantity),
) -> Result<(), Failed> {
    let (method, start) = Method::ALL[0];
    let one_a_draw = runs.of(setting, setting.widths()[0], (method, start));
    let mut values: Vec<f64> = one_a_draw.map(quantity.reference).collect();
    values.sort_by(f64::total_cmp);
    let Some(median) = quantile(&values, 0.5).filter(|v| v.is_finite()) else {
        return Ok(());
    };
    let x = inside(median, panel);
    dots(root, &[panel.at(x, panel.y.0), panel.at(x, panel.y.1)])
}

/// Logarithm, drawn at the ends of the axis when it lies beyond them.
fn inside(value: f64, panel: &Panel) -> f64 {
    let (low, high) = (panel.x.0 + 0.2, panel.x.1);
    if value > 0.0 { value.log10().clamp(low, high) } else { low }
}

/// Median with quartiles.
fn mark(
    root: &Page<'_>,
    panel: &Panel,
    sorted: &[f64],
    (place, colour): (f64, RGBColor),
) -> Result<(), Failed> {
    let quartiles = [0.25, 0.5, 0.75].map(|share| quantile(sorted, share));
    let [Some(low), Some(median), Some(high)] = quartiles else {
        return Ok(());
    };
    let at = |value: f64| panel.at(inside(value, panel), place);
    put(root, &PathElement::new(vec![at(low), at(high)], colour.stroke_width(3)))?;
    put(root, &Circle::new(at(median), 6, colour.filled()))
}

fn legend(root: &Page<'_>, left: i32, setting: Setting) -> Result<(), Failed> {
    text(root, "width", (left, TOP + 14), TEXT, INK, (HPos::Left, VPos::Center))?;
    for (w, k) in setting.widths().into_iter().enumerate() {
        let y = TOP + 50 + 36 * w as i32;
        put(root, &Circle::new((left + 8, y), 6, COLOURS[w].filled()))?;
        text(root, &format!("k = {k}"), (left + 26, y), TEXT, INK, (HPos::Left, VPos::Center))?;
    }
    Ok(())
}
