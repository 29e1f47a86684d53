//! Recovery under uneven sampling: frequency and error over the exponent, both objectives.

use super::panel::{Failed, Page, Panel, TEXT, page, power_of_ten, put, text};
use super::{BLUE, GREY, INK, VERMILION, is_flat, name};
use crate::record::SUCCESS;
use crate::spec::Objective;
use crate::summary::{Axis, Group, Line, Table};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (540, 440);
const LEFT: i32 = 120;
const TOP: i32 = 110;
const BETWEEN: i32 = 150;

/// Errors below this are drawn at it: the unit roundoff of double precision.
const SMALLEST: f64 = 1e-16;

/// The picture of a line over exponents, and its description.
pub(super) fn draw(table: &Table<'_>, line: Line) -> Result<(String, String), Failed> {
    let objectives = table.objectives(line);
    let groups = |o: Objective| table.groups(line, o);
    let mut exponents: Vec<f64> =
        objectives.iter().flat_map(|&o| groups(o).iter().map(|g| g.level)).collect();
    exponents.sort_by(f64::total_cmp);
    exponents.dedup();
    let (Some(&low), Some(&high)) = (exponents.first(), exponents.last()) else {
        return Err("there is no exponent".to_owned());
    };
    let margin = if high > low { 0.06 * (high - low) } else { 0.5 };
    let stride = exponents.len().div_ceil(8).max(1);
    let x_ticks: Vec<_> = exponents.iter().step_by(stride).map(|&x| (x, x.to_string())).collect();
    let x_name = "exponent of the sampling weights";
    let left = Panel {
        left: LEFT,
        top: TOP,
        width: PANEL.0,
        height: PANEL.1,
        x: (low - margin, high + margin),
        y: (-0.03, 1.03),
    };
    let (bottom, top) = decades(&objectives, groups);
    let right =
        Panel { left: LEFT + PANEL.0 + BETWEEN, y: (f64::from(bottom), f64::from(top)), ..left };
    let size = (right.left + PANEL.0 + 40, TOP + PANEL.1 + 100);
    let svg = page((size.0.unsigned_abs(), size.1.unsigned_abs()), |root| {
        let ticks: Vec<_> = [0.0, 0.25, 0.5, 0.75, 1.0].map(|y| (y, y.to_string())).into();
        left.grid(root, &ticks)?;
        for &o in &objectives {
            frequencies(root, &left, groups(o), o, objectives.len())?;
        }
        left.axes(root, (&x_ticks, x_name), (&ticks, "fraction of trials recovered"))?;
        left.title(root, "Recovery")?;

        let step = usize::try_from((top - bottom) / 8 + 1).unwrap_or(1);
        let ticks: Vec<_> =
            (bottom..=top).rev().step_by(step).map(|e| (f64::from(e), power_of_ten(e))).collect();
        right.grid(root, &ticks)?;
        success_line(root, &right)?;
        for &o in &objectives {
            errors(root, &right, groups(o), o, objectives.len())?;
        }
        right.axes(
            root,
            (&x_ticks, x_name),
            (&ticks, "error \u{2016}X \u{2212} M\u{2016} (Frobenius)"),
        )?;
        right.title(root, "Error: draws, quartiles and median")?;
        legend(root, &objectives, size.0 / 2)
    })?;
    Ok((svg, describe(line, &objectives, groups)))
}

/// Powers of ten that hold the quartiles of all errors, and the success threshold.
fn decades<'t>(
    objectives: &[Objective],
    groups: impl Fn(Objective) -> &'t [Group<'t>],
) -> (i32, i32) {
    let threshold = SUCCESS.log10();
    let (mut low, mut high) = (threshold - 1.0, 0.0);
    for &o in objectives {
        for group in groups(o) {
            low = log10(group.error_quantile(0.25)).min(low);
            let quartile = group.error_quantile(0.75);
            high = if quartile.is_finite() { log10(quartile).max(high) } else { high };
        }
    }
    (low.floor() as i32, high.ceil() as i32)
}

fn log10(error: f64) -> f64 {
    error.max(SMALLEST).log10()
}

fn colour(objective: Objective) -> RGBColor {
    if is_flat(objective) { BLUE } else { VERMILION }
}

/// Two objectives at one exponent are drawn side by side.
fn shift(objective: Objective, objectives: usize) -> i32 {
    match (objectives, is_flat(objective)) {
        (1, _) => 0,
        (_, true) => -8,
        (_, false) => 8,
    }
}

fn marker(root: &Page<'_>, (x, y): (i32, i32), objective: Objective) -> Result<(), Failed> {
    let fill = colour(objective).filled();
    if is_flat(objective) {
        put(root, &Circle::new((x, y), 10, WHITE.filled()))?;
        put(root, &Circle::new((x, y), 8, fill))
    } else {
        put(root, &Rectangle::new([(x - 9, y - 9), (x + 9, y + 9)], WHITE.filled()))?;
        put(root, &Rectangle::new([(x - 7, y - 7), (x + 7, y + 7)], fill))
    }
}

/// Where the points of an objective go, a little beside their exponent.
fn placed(panel: &Panel, dx: i32) -> impl Fn(f64, f64) -> (i32, i32) + '_ {
    move |x, y| {
        let (px, py) = panel.at(x, y.clamp(panel.y.0, panel.y.1));
        (px + dx, py)
    }
}

/// A curve with markers, over bars drawn by the caller.
fn curve(root: &Page<'_>, path: Vec<(i32, i32)>, objective: Objective) -> Result<(), Failed> {
    put(root, &PathElement::new(path.clone(), colour(objective).stroke_width(3)))?;
    path.into_iter().try_for_each(|p| marker(root, p, objective))
}

fn frequencies(
    root: &Page<'_>,
    panel: &Panel,
    groups: &[Group<'_>],
    objective: Objective,
    objectives: usize,
) -> Result<(), Failed> {
    let at = placed(panel, shift(objective, objectives));
    for group in groups {
        let point = group.point();
        let (low, high) = wilson(point.successes, point.trials);
        let (low, high) = (at(group.level, low), at(group.level, high));
        let style = colour(objective).stroke_width(2);
        put(root, &PathElement::new(vec![low, high], style))?;
        for (x, y) in [low, high] {
            put(root, &PathElement::new(vec![(x - 6, y), (x + 6, y)], style))?;
        }
    }
    let path = groups.iter().map(|group| at(group.level, group.point().frequency())).collect();
    curve(root, path, objective)
}

/// 95% interval of a binomial proportion (Wilson 1927).
fn wilson(successes: usize, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (trials as f64, 1.959_963_985);
    let p = successes as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((middle - spread) / scale, (middle + spread) / scale)
}

/// Each draw as a dot, quartiles as a pale bar, medians as the curve.
fn errors(
    root: &Page<'_>,
    panel: &Panel,
    groups: &[Group<'_>],
    objective: Objective,
    objectives: usize,
) -> Result<(), Failed> {
    let colour = colour(objective);
    let at = placed(panel, shift(objective, objectives));
    for group in groups {
        let quantile = |q| at(group.level, log10(group.error_quantile(q)));
        let bar = vec![quantile(0.25), quantile(0.75)];
        put(root, &PathElement::new(bar, colour.mix(0.25).stroke_width(12)))?;
        for error in group.records.iter().filter_map(|r| r.error) {
            let dot = at(group.level, log10(error));
            put(root, &Circle::new(dot, 4, colour.mix(0.45).filled()))?;
        }
    }
    let median = |group: &Group<'_>| at(group.level, log10(group.error_quantile(0.5)));
    curve(root, groups.iter().map(median).collect(), objective)
}

fn success_line(root: &Page<'_>, panel: &Panel) -> Result<(), Failed> {
    let y = SUCCESS.log10();
    let (start, end) = (panel.at(panel.x.0, y), panel.at(panel.x.1, y));
    let dash = |x: i32| vec![(x, start.1), ((x + 9).min(end.0), start.1)];
    for x in (start.0..end.0).step_by(16) {
        put(root, &PathElement::new(dash(x), GREY.stroke_width(2)))?;
    }
    Ok(())
}

fn legend(root: &Page<'_>, objectives: &[Objective], centre: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let mut x = centre - 125 - 140 * objectives.len() as i32;
    for &o in objectives {
        let line = vec![(x, 36), (x + 56, 36)];
        put(root, &PathElement::new(line, colour(o).stroke_width(3)))?;
        marker(root, (x + 28, 36), o)?;
        let label = match o {
            Objective::Flat => "FLAT, weighted",
            Objective::Nuclear => "NUC, unweighted",
            _ => name(o),
        };
        text(root, label, (x + 68, 36), TEXT, INK, anchor)?;
        x += 280;
    }
    for k in 0..4 {
        let dash = vec![(x + 16 * k, 36), (x + 16 * k + 9, 36)];
        put(root, &PathElement::new(dash, GREY.stroke_width(2)))?;
    }
    text(root, "recovered below 10\u{207b}\u{2076}", (x + 68, 36), TEXT, INK, anchor)
}

fn describe<'t>(
    line: Line,
    objectives: &[Objective],
    groups: impl Fn(Objective) -> &'t [Group<'t>],
) -> String {
    let entries = match line.axis {
        Axis::Exponent { entries } => entries,
        Axis::Measurements | Axis::Probability | Axis::Corruption { .. } => 0,
    };
    let mut alt = format!(
        "Two charts over the exponent of the sampling weights, for {}\u{d7}{} matrices of rank {} \
         with {entries} expected entries: fraction of trials recovered, and error.",
        line.rows, line.cols, line.rank
    );
    for &o in objectives {
        let parts: Vec<String> =
            groups(o).iter().map(|g| format!("{} at {}", g.point().frequency(), g.level)).collect();
        alt.push_str(&format!(" {} recovers: {}.", name(o), parts.join(", ")));
    }
    alt
}
