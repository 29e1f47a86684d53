//! The regularity constant of `D1`, `D2` over the number of measurements, beside its theory.

use super::panel::{Failed, Page, Panel, TEXT, page, power_of_ten, put, text};
use super::phase::{levels, y_ticks};
use super::{BLUE, GREEN, GREY, INK, VERMILION};
use crate::regularity::expected_kappa;
use crate::spec::Objective;
use crate::summary::{Axis, Group, Line, Table};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (760, 480);
const LEFT: i32 = 130;
const TOP: i32 = 60;

/// The picture of lines of one family, and its description.
pub(super) fn draw(table: &Table<'_>, lines: &[Line]) -> Result<(String, String), Failed> {
    let chosen = chosen(lines);
    let Some(&first) = chosen.first() else {
        return Err("there is no line".to_owned());
    };
    let levels = levels(table, &chosen);
    let points = |line: Line| -> Vec<(f64, f64)> {
        let groups = table.groups(line, Objective::Flat).iter();
        groups.filter_map(|g| Some((g.level, median_kappa(g)? - 1.0))).collect()
    };
    let theory = |line: Line| -> Vec<(f64, f64)> {
        let groups = table.groups(line, Objective::Flat).iter();
        let expected = |g: &Group<'_>| expected_kappa(&g.records.first()?.cell()?);
        groups.filter_map(|g| Some((g.level, expected(g)? - 1.0))).collect()
    };
    let all = chosen.iter().flat_map(|&line| points(line).into_iter().chain(theory(line)));
    let logs: Vec<f64> = all.filter(|p| p.1 > 0.0).map(|p| p.1.log10()).collect();
    let ticks = ticks(
        logs.iter().copied().fold(f64::INFINITY, f64::min),
        logs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    let (Some(&(low, _)), Some(&(high, _))) = (ticks.first(), ticks.last()) else {
        return Err("there is no tick".to_owned());
    };
    let (Some(&start), Some(&end)) = (levels.first(), levels.last()) else {
        return Err("there is no level".to_owned());
    };
    let margin = if end > start { 0.04 * (end - start) } else { 0.5 };
    let panel = Panel {
        left: LEFT,
        top: TOP,
        width: PANEL.0,
        height: PANEL.1,
        x: (start - margin, end + margin),
        y: (low, high),
    };
    let size = (LEFT + PANEL.0 + 250, TOP + PANEL.1 + 100);
    let svg = page((size.0.unsigned_abs(), size.1.unsigned_abs()), |root| {
        panel.grid(root, &ticks)?;
        for (k, &line) in chosen.iter().enumerate() {
            let log = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
                points.into_iter().filter(|p| p.1 > 0.0).map(|p| (p.0, p.1.log10())).collect()
            };
            for part in panel.clipped(&log(theory(line))) {
                put(root, &PathElement::new(part, colour(k).stroke_width(3)))?;
            }
            for (x, y) in log(points(line)) {
                marker(root, panel.at(x, y), k)?;
            }
        }
        let x_name = match first.axis {
            Axis::Measurements => "measurements m",
            _ => "sampling probability p",
        };
        panel.axes(
            root,
            (&y_ticks(first.axis, &levels), x_name),
            (&ticks, "\u{3ba} \u{2212} 1"),
        )?;
        panel.title(root, "Regularity \u{3ba} of D\u{2081}, D\u{2082}")?;
        legend(root, &chosen, panel.left + panel.width + 30)
    })?;
    let parts: Vec<String> = chosen
        .iter()
        .filter_map(|&line| {
            let (start, end) = (*points(line).first()?, *points(line).last()?);
            Some(format!(
                "order {}: from {:.2} at {} to {:.2} at {}",
                line.rows, start.1, start.0, end.1, end.0
            ))
        })
        .collect();
    let alt = format!(
        "Median of kappa minus one over the amount of sampling, on a logarithmic scale, beside the \
         curves that theory expects. {}.",
        parts.join("; ")
    );
    Ok((svg, alt))
}

/// Ticks around a range of decimal logarithms: powers of ten, and two and five times these where
/// the range is short.
fn ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (low, high) = if low <= high { (low, high) } else { (-1.0, 0.0) };
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    if last - first > 3 {
        return (first..=last).map(|e| (f64::from(e), power_of_ten(e))).collect();
    }
    let values = (first..=last).flat_map(|e| [1.0, 2.0, 5.0].map(|k| k * 10f64.powi(e)));
    let values: Vec<f64> = values.collect();
    // From the last one below the range to the first one above it.
    let from = values.iter().rposition(|v| v.log10() <= low).unwrap_or(0);
    let to = values.iter().position(|v| v.log10() >= high && v.log10() > low);
    let to = to.unwrap_or(values.len() - 1).max(from + 1);
    let label = |v: f64| (v.log10(), format!("{}", (v * 1e9).round() / 1e9));
    values.iter().take(to + 1).skip(from).map(|&v| label(v)).collect()
}

/// The smallest, a middle and the largest size.
fn chosen(lines: &[Line]) -> Vec<Line> {
    let last = lines.len().saturating_sub(1);
    let mut picks = vec![0, last / 2, last];
    picks.dedup();
    picks.into_iter().filter_map(|k| lines.get(k).copied()).collect()
}

/// The median over draws that see every direction.
fn median_kappa(group: &Group<'_>) -> Option<f64> {
    let mut values: Vec<f64> =
        group.records.iter().filter_map(|r| r.kappa).filter(|k| k.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn colour(k: usize) -> RGBColor {
    [VERMILION, GREEN, BLUE].get(k).copied().unwrap_or(GREY)
}

fn marker(root: &Page<'_>, (x, y): (i32, i32), k: usize) -> Result<(), Failed> {
    let fill = colour(k).filled();
    match k {
        0 => put(root, &Circle::new((x, y), 7, fill)),
        1 => put(root, &Rectangle::new([(x - 6, y - 6), (x + 6, y + 6)], fill)),
        _ => put(root, &Polygon::new(vec![(x, y - 9), (x + 8, y + 6), (x - 8, y + 6)], fill)),
    }
}

fn legend(root: &Page<'_>, lines: &[Line], left: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let mut y = TOP + 20;
    for (k, line) in lines.iter().enumerate() {
        marker(root, (left + 20, y), k)?;
        text(root, &format!("d = {}", line.rows), (left + 48, y), TEXT, INK, anchor)?;
        y += 36;
    }
    y += 16;
    for (k, label) in ["median of draws", "theory"].into_iter().enumerate() {
        if k == 0 {
            put(root, &Circle::new((left + 20, y), 7, GREY.filled()))?;
        } else {
            let line = vec![(left, y), (left + 40, y)];
            put(root, &PathElement::new(line, GREY.stroke_width(3)))?;
        }
        text(root, label, (left + 48, y), TEXT, INK, anchor)?;
        y += 36;
    }
    Ok(())
}
