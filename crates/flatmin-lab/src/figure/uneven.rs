//! Recovery under uneven sampling: frequency and error over the exponent, both objectives.

use super::panel::{Failed, Page, Panel, TEXT, page, put, text};
use super::{BLUE, GREY, INK, VERMILION, name};
use crate::record::SUCCESS;
use crate::summary::{Axis, Group, Line, Table};
use flatmin::core::Objective;
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
    let x_ticks: Vec<_> =
        exponents.iter().step_by(stride).map(|&x| (x, x.to_string())).collect();
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
    let right = Panel {
        left: LEFT + PANEL.0 + BETWEEN,
        y: (f64::from(bottom), f64::from(top)),
        ..left
    };
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
        let ticks: Vec<_> = (bottom..=top)
            .rev()
            .step_by(step)
            .map(|e| (f64::from(e), format!("10{}", superscript(e))))
            .collect();
        right.grid(root, &ticks)?;
        success_line(root, &right)?;
        for &o in &objectives {
            errors(root, &right, groups(o), o, objectives.len())?;
        }
        right.axes(root, (&x_ticks, x_name), (&ticks, "error \u{2016}X \u{2212} M\u{2016} (Frobenius)"))?;
        right.title(root, "Error: median and quartiles")?;
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

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).and_then(|d| DIGITS.get(d as usize).copied());
    exponent.to_string().chars().map(|c| digit(c).unwrap_or('⁻')).collect()
}

fn colour(objective: Objective) -> RGBColor {
    match objective {
        Objective::Flat => BLUE,
        Objective::Nuclear => VERMILION,
    }
}

/// Two objectives at one exponent are drawn side by side.
fn shift(objective: Objective, objectives: usize) -> i32 {
    match (objectives, objective) {
        (1, _) => 0,
        (_, Objective::Flat) => -5,
        (_, Objective::Nuclear) => 5,
    }
}

fn marker(root: &Page<'_>, (x, y): (i32, i32), objective: Objective) -> Result<(), Failed> {
    let fill = colour(objective).filled();
    match objective {
        Objective::Flat => {
            put(root, &Circle::new((x, y), 10, WHITE.filled()))?;
            put(root, &Circle::new((x, y), 8, fill))
        }
        Objective::Nuclear => {
            put(root, &Rectangle::new([(x - 9, y - 9), (x + 9, y + 9)], WHITE.filled()))?;
            put(root, &Rectangle::new([(x - 7, y - 7), (x + 7, y + 7)], fill))
        }
    }
}

/// A curve with markers and bars; `values` are (middle, low, high) of each group.
fn curve(
    root: &Page<'_>,
    panel: &Panel,
    objective: Objective,
    objectives: usize,
    values: &[(f64, f64, f64, f64)],
) -> Result<(), Failed> {
    let colour = colour(objective);
    let dx = shift(objective, objectives);
    let at = |x: f64, y: f64| {
        let (px, py) = panel.at(x, y.clamp(panel.y.0, panel.y.1));
        (px + dx, py)
    };
    let path: Vec<_> = values.iter().map(|&(x, y, ..)| at(x, y)).collect();
    for &(x, _, low, high) in values {
        put(root, &PathElement::new(vec![at(x, low), at(x, high)], colour.stroke_width(3)))?;
        for (px, py) in [at(x, low), at(x, high)] {
            let cap = vec![(px - 5, py), (px + 5, py)];
            put(root, &PathElement::new(cap, colour.stroke_width(3)))?;
        }
    }
    put(root, &PathElement::new(path.clone(), colour.stroke_width(3)))?;
    path.into_iter().try_for_each(|p| marker(root, p, objective))
}

fn frequencies(
    root: &Page<'_>,
    panel: &Panel,
    groups: &[Group<'_>],
    objective: Objective,
    objectives: usize,
) -> Result<(), Failed> {
    let values: Vec<_> = groups
        .iter()
        .map(|group| {
            let point = group.point();
            let (low, high) = wilson(point.successes, point.trials);
            (group.level, point.frequency(), low, high)
        })
        .collect();
    curve(root, panel, objective, objectives, &values)
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

fn errors(
    root: &Page<'_>,
    panel: &Panel,
    groups: &[Group<'_>],
    objective: Objective,
    objectives: usize,
) -> Result<(), Failed> {
    let values: Vec<_> = groups
        .iter()
        .map(|group| {
            let q = |q| log10(group.error_quantile(q));
            (group.level, q(0.5), q(0.25), q(0.75))
        })
        .collect();
    curve(root, panel, objective, objectives, &values)
}

fn success_line(root: &Page<'_>, panel: &Panel) -> Result<(), Failed> {
    let y = SUCCESS.log10();
    let (start, end) = (panel.at(panel.x.0, y), panel.at(panel.x.1, y));
    let dash = |x: i32| vec![(x, start.1), ((x + 9).min(end.0), start.1)];
    for x in (start.0..end.0).step_by(16) {
        put(root, &PathElement::new(dash(x), GREY.stroke_width(2)))?;
    }
    let at = (end.0 - 10, start.1 - 6);
    text(root, "recovered below this line", at, TEXT - 3, GREY, (HPos::Right, VPos::Bottom))
}

fn legend(root: &Page<'_>, objectives: &[Objective], centre: i32) -> Result<(), Failed> {
    let mut x = centre - 130 * objectives.len() as i32;
    for &o in objectives {
        let line = vec![(x, 36), (x + 56, 36)];
        put(root, &PathElement::new(line, colour(o).stroke_width(3)))?;
        marker(root, (x + 28, 36), o)?;
        let label = match o {
            Objective::Flat => "FLAT, weighted",
            Objective::Nuclear => "NUC, unweighted",
        };
        text(root, label, (x + 68, 36), TEXT, INK, (HPos::Left, VPos::Center))?;
        x += 280;
    }
    Ok(())
}

fn describe<'t>(
    line: Line,
    objectives: &[Objective],
    groups: impl Fn(Objective) -> &'t [Group<'t>],
) -> String {
    let entries = match line.axis {
        Axis::Exponent { entries } => entries,
        Axis::Measurements | Axis::Probability => 0,
    };
    let mut alt = format!(
        "Two charts over the exponent of the sampling weights, for {}\u{d7}{} matrices of rank {} \
         with {entries} expected entries: fraction of trials recovered, and error.",
        line.rows, line.cols, line.rank
    );
    for &o in objectives {
        let parts: Vec<String> = groups(o)
            .iter()
            .map(|g| format!("{} at {}", g.point().frequency(), g.level))
            .collect();
        alt.push_str(&format!(" {} recovers: {}.", name(o), parts.join(", ")));
    }
    alt
}
