//! The map of robust PCA: rank across, fraction of wrong entries up, one panel a form of the program,
//! white where every trial recovers.

use super::panel::{Failed, Page, Panel, TEXT, page, put, text};
use super::phase::{
    BAR, BELOW, BETWEEN, LEFT, PANEL, TOP, cased, colour_bar, dotted, levels, map, marker, range,
    title, y_ticks,
};
use super::{BLUE, INK, SKY, name};
use crate::claims::{Regime, guide};
use crate::spec::Objective;
use crate::summary::{Line, Table};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// The picture of lines of one size in order of rank, and its description.
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
            let stride = lines.len().div_ceil(11).max(1);
            let x_ticks: Vec<_> = lines
                .iter()
                .enumerate()
                .step_by(stride)
                .map(|(k, line)| (k as f64, line.rank.to_string()))
                .collect();
            let y_ticks = if k == 0 { y_ticks(first.axis, &levels) } else { Vec::new() };
            let y_name = if k == 0 { "fraction of wrong entries" } else { "" };
            let x_name = format!("rank of the {}\u{d7}{} matrix", first.rows, first.cols);
            panel.axes(root, (&x_ticks, &x_name), (&y_ticks, y_name))?;
            panel.title(root, &title(first.model, objective))?;
        }
        colour_bar(root, right + 40)?;
        legend(
            root,
            guide(first, Objective::Constrained).is_some(),
            (LEFT + right) / 2,
            height - 58,
        )
    })?;
    Ok((svg, describe(table, lines, &objectives)))
}

/// The theory, the regime of the theorem, and where half of the trials recovered.
fn curves(
    root: &Page<'_>,
    panel: &Panel,
    table: &Table<'_>,
    lines: &[Line],
    objective: Objective,
) -> Result<(), Failed> {
    let regime = Regime::of(table, lines, objective);
    let inside: Vec<(f64, f64)> = lines
        .iter()
        .enumerate()
        .filter_map(|(k, &line)| Some((k as f64, regime.corruption(table, line, objective)?)))
        .collect();
    for part in panel.clipped(&inside) {
        dotted(root, &part, SKY)?;
    }
    let theory: Vec<(f64, f64)> = between(lines)
        .into_iter()
        .filter_map(|(x, line)| Some((x, guide(line, objective)?)))
        .collect();
    for part in panel.clipped(&theory) {
        cased(root, part, BLUE)?;
    }
    for (k, &line) in lines.iter().enumerate() {
        if let Some(found) = table.transition(line, objective) {
            marker(root, panel.at(k as f64, found.half))?;
        }
    }
    Ok(())
}

/// The lines with the ranks in between, and where they go.
fn between(lines: &[Line]) -> Vec<(f64, Line)> {
    let mut all = Vec::new();
    for (k, pair) in lines.windows(2).enumerate() {
        let (a, b) = (pair[0].rank, pair[1].rank);
        for rank in a..b {
            let t = (rank - a) as f64 / (b - a) as f64;
            all.push((k as f64 + t, Line { rank, ..pair[0] }));
        }
    }
    all.extend(lines.last().map(|&line| (lines.len() as f64 - 1.0, line)));
    all
}

/// Two rows: what is measured and theory's place for it, and the regime.
fn legend(root: &Page<'_>, theory: bool, centre: i32, y: i32) -> Result<(), Failed> {
    let label = |content: &str, x: i32, y: i32| {
        text(root, content, (x, y), TEXT, INK, (HPos::Left, VPos::Center))
    };
    let mut x = if theory { centre - 330 } else { centre - 115 };
    if theory {
        put(root, &PathElement::new(vec![(x, y), (x + 44, y)], BLUE.stroke_width(5)))?;
        label("theory in a random basis (guide)", x + 56, y)?;
        x += 420;
    }
    marker(root, (x, y))?;
    label("measured 50% point", x + 20, y)?;
    let (x, y) = (centre - 310, y + 34);
    dotted(root, &[(x, y), (x + 44, y)], SKY)?;
    label("at most c d/(\u{3bc}r) wrong entries a line, in half of the draws", x + 56, y)
}

fn describe(table: &Table<'_>, lines: &[Line], objectives: &[Objective]) -> String {
    let mut alt = String::from(
        "Grey-scale map of the fraction of trials recovered (white: all), rank of the matrix \
         across, fraction of wrong entries up.",
    );
    for &objective in objectives {
        let found: Vec<String> = lines
            .iter()
            .filter_map(|&line| {
                let half = table.transition(line, objective)?.half;
                let half = crate::claims::level(line.axis, half);
                Some(format!("{half} at rank {}", line.rank))
            })
            .collect();
        if !found.is_empty() {
            let name = name(objective);
            alt.push_str(&format!(" Half recover in the {name} form: {}.", found.join(", ")));
        }
        let regime = Regime::of(table, lines, objective);
        alt.push_str(&format!(
            " All with at most {:.2} d/(\u{3bc}r) wrong entries a line do.",
            regime.constant
        ));
    }
    alt
}
