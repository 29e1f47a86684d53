//! The map of success frequencies: size across, number of measurements (or probability) up, one
//! panel an objective, white where every trial recovers.

use super::panel::{Failed, Page, Panel, TEXT, page, put, text, upward};
use super::{BLUE, INK, SKY, VERMILION, name};
use crate::spec::{Model, Objective};
use crate::summary::{Axis, Line, Table};
use flatmin::core::theory::statistical_dimension;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

pub(crate) const PANEL: (i32, i32) = (520, 520);
pub(super) const LEFT: i32 = 120;
pub(crate) const TOP: i32 = 70;
pub(super) const BETWEEN: i32 = 60;
pub(super) const BELOW: i32 = 150;
pub(super) const BAR: i32 = 150;

/// The picture of lines of one axis and rank, and its description.
pub(super) fn draw(table: &Table<'_>, lines: &[Line]) -> Result<(String, String), Failed> {
    let Some(&first) = lines.first() else {
        return Err("there is no line".to_owned());
    };
    let mut objectives: Vec<Objective> =
        lines.iter().flat_map(|&line| table.objectives(line)).collect();
    objectives.sort_unstable();
    objectives.dedup();
    let panels = objectives.len() as i32;
    let width = LEFT + panels * PANEL.0 + (panels - 1) * BETWEEN + BAR;
    let height = TOP + PANEL.1 + BELOW;
    let levels = levels(table, lines);
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        let mut right = LEFT;
        for (k, &objective) in objectives.iter().enumerate() {
            let panel = Panel {
                left: LEFT + k as i32 * (PANEL.0 + BETWEEN),
                top: TOP,
                width: PANEL.0,
                height: PANEL.1,
                x: (-0.5, lines.len() as f64 - 0.5),
                y: range(&levels),
            };
            right = panel.left + panel.width;
            map(root, &panel, table, lines, objective)?;
            curves(root, &panel, table, lines, objective)?;
            let x_ticks: Vec<_> =
                lines.iter().enumerate().map(|(k, &line)| (k as f64, size_label(line))).collect();
            let y_ticks = if k == 0 { y_ticks(first.axis, &levels) } else { Vec::new() };
            let y_name = match (k, first.axis) {
                (0, Axis::Measurements) => "measurements m",
                (0, _) => "sampling probability p",
                _ => "",
            };
            let x_name = if lines.iter().all(|l| l.rows == l.cols) {
                format!("order d of the matrix (rank {})", first.rank)
            } else {
                format!("shape of the matrix (rank {})", first.rank)
            };
            panel.axes(root, (&x_ticks, &x_name), (&y_ticks, y_name))?;
            panel.title(root, &title(first.model, objective))?;
        }
        colour_bar(root, right + 40)?;
        legend(root, first, (LEFT + right) / 2, height - 28)
    })?;
    Ok((svg, describe(table, lines, &objectives)))
}

pub(super) fn title(model: Model, objective: Objective) -> String {
    let formula = match (objective, model) {
        (Objective::Flat, Model::Covariance) => "any X \u{2ab0} 0 that fits",
        (Objective::Flat, Model::Quadnet) => "min \u{2016}DXD\u{2016}\u{2217}",
        (Objective::Flat, _) => "min \u{2016}D\u{2081}XD\u{2082}\u{2016}\u{2217}",
        (Objective::Nuclear, Model::Covariance) => "min tr X,  X \u{2ab0} 0",
        (Objective::Nuclear, _) => "min \u{2016}X\u{2016}\u{2217}",
        (Objective::Constrained, _) => {
            "min \u{2016}X\u{2016}\u{2217},  \u{2211}|Y \u{2212} X| \u{2264} \u{3c4}"
        }
        (Objective::FlatPenalised | Objective::NuclearPenalised, _) => "",
        (Objective::Penalised, _) => {
            "min \u{2016}X\u{2016}\u{2217} + \u{3bb} \u{2211}|Y \u{2212} X|"
        }
    };
    format!("{}:  {formula}", name(objective))
}

/// All levels of the lines, in order.
pub(super) fn levels(table: &Table<'_>, lines: &[Line]) -> Vec<f64> {
    let mut levels: Vec<f64> = lines
        .iter()
        .flat_map(|&line| Objective::ALL.map(|o| (line, o)))
        .flat_map(|(line, o)| table.groups(line, o).iter().map(|group| group.level))
        .collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}

/// The extent of a level's cell: half way to its neighbours, as far outside as inside.
pub(crate) fn extent(levels: &[f64], level: f64) -> (f64, f64) {
    let k = levels.iter().position(|&l| l == level).unwrap_or(0);
    let below = k.checked_sub(1).and_then(|j| levels.get(j)).map(|l| 0.5 * (level - l));
    let above = levels.get(k + 1).map(|l| 0.5 * (l - level));
    let alone = if level > 0.0 { 0.5 * level } else { 0.5 };
    let (down, up) = (below.or(above).unwrap_or(alone), above.or(below).unwrap_or(alone));
    (level - down, level + up)
}

pub(crate) fn range(levels: &[f64]) -> (f64, f64) {
    match (levels.first(), levels.last()) {
        (Some(&low), Some(&high)) => (extent(levels, low).0, extent(levels, high).1),
        _ => (0.0, 1.0),
    }
}

/// At most ten labels, on levels of the grid.
pub(super) fn y_ticks(axis: Axis, levels: &[f64]) -> Vec<(f64, String)> {
    let stride = levels.len().div_ceil(10).max(1);
    let label = |level: f64| match axis {
        Axis::Measurements => format!("{level:.0}"),
        _ => format!("{level}"),
    };
    // Of the ways to thin them out, the one with the shortest labels: round numbers.
    (0..stride)
        .rev()
        .map(|from| levels.iter().skip(from).step_by(stride).map(|&l| (l, label(l))).collect())
        .min_by_key(|ticks: &Vec<(f64, String)>| ticks.iter().map(|t| t.1.len()).sum::<usize>())
        .unwrap_or_default()
}

pub(super) fn size_label(line: Line) -> String {
    if line.rows == line.cols {
        line.rows.to_string()
    } else {
        format!("{}\u{d7}{}", line.rows, line.cols)
    }
}

/// White at one, black at zero.
pub(crate) fn grey(frequency: f64) -> RGBColor {
    let v = (255.0 * frequency.clamp(0.0, 1.0)).round() as u8;
    RGBColor(v, v, v)
}

/// The cells.
pub(super) fn map(
    root: &Page<'_>,
    panel: &Panel,
    table: &Table<'_>,
    lines: &[Line],
    objective: Objective,
) -> Result<(), Failed> {
    let ground = [panel.at(panel.x.0, panel.y.0), panel.at(panel.x.1, panel.y.1)];
    // Where no cell was measured: neither black nor white.
    put(root, &Rectangle::new(ground, RGBColor(0xf3, 0xea, 0xdc).filled()))?;
    for (k, &line) in lines.iter().enumerate() {
        let groups = table.groups(line, objective);
        let own: Vec<f64> = groups.iter().map(|group| group.level).collect();
        for group in groups {
            let (low, high) = extent(&own, group.level);
            let clamp = |y: f64| y.clamp(panel.y.0, panel.y.1);
            let x = k as f64;
            let corners = [panel.at(x - 0.5, clamp(low)), panel.at(x + 0.5, clamp(high))];
            put(root, &Rectangle::new(corners, grey(group.point().frequency()).filled()))?;
        }
    }
    Ok(())
}

/// A line that is seen on black and on white.
pub(crate) fn cased(
    root: &Page<'_>,
    part: Vec<(i32, i32)>,
    colour: RGBColor,
) -> Result<(), Failed> {
    put(root, &PathElement::new(part.clone(), WHITE.stroke_width(9)))?;
    put(root, &PathElement::new(part, colour.stroke_width(5)))
}

/// Dots along a line.
pub(super) fn dotted(root: &Page<'_>, part: &[(i32, i32)], colour: RGBColor) -> Result<(), Failed> {
    let mut left = 0.0;
    for pair in part.windows(2) {
        let (dx, dy) = (f64::from(pair[1].0 - pair[0].0), f64::from(pair[1].1 - pair[0].1));
        let length = dx.hypot(dy);
        while left < length {
            let t = left / length;
            let at = |a: i32, d: f64| a + (t * d).round() as i32;
            let dot = (at(pair[0].0, dx), at(pair[0].1, dy));
            put(root, &Circle::new(dot, 5, WHITE.filled()))?;
            put(root, &Circle::new(dot, 4, colour.filled()))?;
            left += 14.0;
        }
        left -= length;
    }
    Ok(())
}

pub(super) fn marker(root: &Page<'_>, at: (i32, i32)) -> Result<(), Failed> {
    put(root, &Circle::new(at, 10, WHITE.filled()))?;
    put(root, &Circle::new(at, 8, VERMILION.filled()))
}

/// What theory predicts and where half of the trials recovered.
fn curves(
    root: &Page<'_>,
    panel: &Panel,
    table: &Table<'_>,
    lines: &[Line],
    objective: Objective,
) -> Result<(), Failed> {
    let dof = along(lines, |rows, cols, line| {
        let dof = line.model.degrees_of_freedom(rows, cols, line.rank) as f64;
        if line.axis == Axis::Measurements { dof } else { dof / (rows as f64 * cols as f64) }
    });
    for part in panel.clipped(&dof) {
        dotted(root, &part, SKY)?;
    }
    if lines.iter().all(|line| line.model == Model::Sensing) {
        let dimension =
            along(lines, |rows, cols, line| statistical_dimension(rows, cols, line.rank));
        for part in panel.clipped(&dimension) {
            cased(root, part, BLUE)?;
        }
    }
    for (k, &line) in lines.iter().enumerate() {
        if let Some(found) = table.transition(line, objective) {
            marker(root, panel.at(k as f64, found.half))?;
        }
    }
    Ok(())
}

/// A function of the shape along the columns of the map, with the shapes in between.
fn along(lines: &[Line], f: impl Fn(usize, usize, Line) -> f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for (k, pair) in lines.windows(2).enumerate() {
        let (a, b) = (pair[0], pair[1]);
        let steps = b.rows.abs_diff(a.rows).max(b.cols.abs_diff(a.cols)).max(1);
        for s in (0..steps).step_by(steps.div_ceil(5)) {
            let t = s as f64 / steps as f64;
            let between =
                |a: usize, b: usize| (a as f64 + t * (b as f64 - a as f64)).round() as usize;
            let value = f(between(a.rows, b.rows), between(a.cols, b.cols), a);
            points.push((k as f64 + t, value));
        }
    }
    if let Some(&last) = lines.last() {
        let x = lines.len() as f64 - 1.0;
        points.push((x, f(last.rows, last.cols, last)));
    }
    points
}

pub(crate) fn colour_bar(root: &Page<'_>, left: i32) -> Result<(), Failed> {
    let steps = 20;
    for k in 0..steps {
        let edge = |k: i32| TOP + PANEL.1 - PANEL.1 * k / steps;
        let shade = grey((f64::from(k) + 0.5) / f64::from(steps));
        let corners = [(left, edge(k)), (left + 26, edge(k + 1))];
        put(root, &Rectangle::new(corners, shade.filled()))?;
    }
    let frame = [(left, TOP), (left + 26, TOP + PANEL.1)];
    put(root, &Rectangle::new(frame, INK.stroke_width(2)))?;
    for (label, y) in [("0", TOP + PANEL.1), ("\u{bd}", TOP + PANEL.1 / 2), ("1", TOP)] {
        text(root, label, (left + 36, y), TEXT, INK, (HPos::Left, VPos::Center))?;
    }
    upward(root, "fraction of trials recovered", (left + 84, TOP + PANEL.1 / 2))
}

fn legend(root: &Page<'_>, line: Line, centre: i32, y: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let label = |content: &str, x: i32| text(root, content, (x, y), TEXT, INK, anchor);
    let theory = line.model == Model::Sensing;
    let mut x = if theory { centre - 480 } else { centre - 265 };
    if theory {
        put(root, &PathElement::new(vec![(x, y), (x + 44, y)], BLUE.stroke_width(5)))?;
        label("statistical dimension (theory, NUC)", x + 56)?;
        x += 450;
    }
    marker(root, (x, y))?;
    label("measured 50% point", x + 20)?;
    x += 260;
    dotted(root, &[(x, y), (x + 44, y)], SKY)?;
    label(
        if line.axis == Axis::Measurements {
            "degrees of freedom"
        } else {
            "degrees of freedom / d\u{b2}"
        },
        x + 60,
    )
}

fn describe(table: &Table<'_>, lines: &[Line], objectives: &[Objective]) -> String {
    let mut alt = String::from(
        "Grey-scale map of the fraction of trials recovered (white: all), size of the matrix across",
    );
    let axis = lines.first().map(|line| line.axis);
    alt.push_str(match axis {
        Some(Axis::Measurements) => ", number of measurements up.",
        _ => ", sampling probability up.",
    });
    for &objective in objectives {
        let found: Vec<String> = lines
            .iter()
            .filter_map(|&line| {
                let half = table.transition(line, objective)?.half;
                Some(format!("{} at {}", crate::claims::level(line.axis, half), size_label(line)))
            })
            .collect();
        if !found.is_empty() {
            alt.push_str(&format!(" Half of {} recover: {}.", name(objective), found.join(", ")));
        }
    }
    alt
}
