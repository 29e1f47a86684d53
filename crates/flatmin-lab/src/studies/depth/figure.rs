//! Depth: maps of recovery side by side, and errors over the number of factors.

use super::Norm;
use super::claims::number;
use super::summary::{Place, Table};
use crate::figure::panel::{Failed, Page, Panel, TEXT, page, put, text};
use crate::figure::phase::{PANEL, TOP, cased, colour_bar, extent, grey, range};
use crate::figure::{BLUE, GREEN, INK, VERMILION};
use flatmin::hadamard::{Depth, theory};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Width of a map; its height is that of the other maps of recovery.
const WIDTH: i32 = 250;
const LEFT: i32 = 120;
const BETWEEN: i32 = 22;
const BAR: i32 = 150;
const BELOW: i32 = 150;

/// A map a norm, with the transition of theory on those that have one, and their description.
pub(super) fn maps(table: &Table<'_>) -> Result<(String, String), Failed> {
    let across = |places: Vec<usize>| places.into_iter().map(|v| v as f64).collect::<Vec<f64>>();
    let (nonzeros, levels) = (across(table.sparsities()), across(table.measurements()));
    let panels = Norm::MAPPED.len() as i32;
    let right = LEFT + panels * WIDTH + (panels - 1) * BETWEEN;
    let (width, height) = (right + BAR, TOP + PANEL.1 + BELOW);
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        for (k, norm) in Norm::MAPPED.into_iter().enumerate() {
            let panel = Panel {
                left: LEFT + k as i32 * (WIDTH + BETWEEN),
                top: TOP,
                width: WIDTH,
                height: PANEL.1,
                x: range(&nonzeros),
                y: range(&levels),
            };
            map(root, &panel, table, (&nonzeros, &levels), norm)?;
            if has_transition(norm) {
                transition(root, &panel, table, norm)?;
            }
            let y_ticks = if k == 0 { round(&levels) } else { Vec::new() };
            let y_name = if k == 0 { "measurements m" } else { "" };
            panel.axes(root, (&round(&nonzeros), "nonzeros s"), (&y_ticks, y_name))?;
            panel.title(root, &title(norm))?;
        }
        colour_bar(root, right + 40)?;
        legend(root, (LEFT + right) / 2, height - 28)
    })?;
    Ok((svg, described(table)))
}

fn has_transition(norm: Norm) -> bool {
    matches!(norm, Norm::Plain | Norm::Flat(Depth::Finite(2)))
}

fn title(norm: Norm) -> String {
    match norm {
        Norm::Plain => "plain min \u{2211}|x|".to_owned(),
        Norm::Flat(_) => format!("flat, {}", norm.name()),
    }
}

/// Levels that are multiples of the least of 1, 2, 5, 10, 20 and 50 that leaves at most eight of them.
fn round(levels: &[f64]) -> Vec<(f64, String)> {
    let of = |step: usize| {
        let whole = levels.iter().filter(move |l| (**l as usize).is_multiple_of(step));
        whole.map(|&l| (l, format!("{l:.0}"))).collect::<Vec<_>>()
    };
    let steps = [1, 2, 5, 10, 20, 50];
    steps.into_iter().map(of).find(|ticks| ticks.len() <= 8).unwrap_or_default()
}

fn map(
    root: &Page<'_>,
    panel: &Panel,
    table: &Table<'_>,
    (nonzeros, levels): (&[f64], &[f64]),
    norm: Norm,
) -> Result<(), Failed> {
    for place in table.places() {
        let point = table.point(place, norm);
        if point.trials > 0 {
            let (left, right) = extent(nonzeros, place.0 as f64);
            let (low, high) = extent(levels, point.level);
            let corners = [panel.at(left, low), panel.at(right, high)];
            put(root, &Rectangle::new(corners, grey(point.frequency()).filled()))?;
        }
    }
    Ok(())
}

/// What theory predicts for the plain sum, and where half of the draws recovered.
fn transition(root: &Page<'_>, panel: &Panel, table: &Table<'_>, norm: Norm) -> Result<(), Failed> {
    let sparsities = table.sparsities();
    let line: Vec<(f64, f64)> = match (sparsities.first(), sparsities.last()) {
        (Some(&from), Some(&to)) => {
            (from..=to).map(|s| (s as f64, theory::transition(table.d, s))).collect()
        }
        _ => Vec::new(),
    };
    for part in panel.clipped(&line) {
        cased(root, part, BLUE)?;
    }
    for &s in &sparsities {
        if let Some(found) = table.transition(s, norm) {
            marker(root, panel.at(s as f64, found.half))?;
        }
    }
    Ok(())
}

/// Small, as columns are narrow.
fn marker(root: &Page<'_>, at: (i32, i32)) -> Result<(), Failed> {
    put(root, &Circle::new(at, 6, WHITE.filled()))?;
    put(root, &Circle::new(at, 4, VERMILION.filled()))
}

fn legend(root: &Page<'_>, centre: i32, y: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let mut x = centre - 400;
    put(root, &PathElement::new(vec![(x, y), (x + 44, y)], BLUE.stroke_width(5)))?;
    let told = "statistical dimension (theory, plain sum)";
    text(root, told, (x + 56, y), TEXT, INK, anchor)?;
    x += 540;
    marker(root, (x, y))?;
    text(root, "measured 50 % point", (x + 20, y), TEXT, INK, anchor)
}

fn described(table: &Table<'_>) -> String {
    let mut alt = format!(
        "Grey-scale maps of the fraction of draws recovered (white: all) for vectors of length {}, nonzeros \
         across, measurements up, a panel a norm.",
        table.d
    );
    for norm in Norm::MAPPED {
        let points = table.places().filter(|p| p.1 < table.d).map(|p| table.point(p, norm));
        let (hits, draws) = points.fold((0, 0), |sum, p| (sum.0 + p.successes, sum.1 + p.trials));
        let name = title(norm);
        alt.push_str(&format!(" {name}: {hits} of {draws} draws with m below d."));
    }
    let half = |&s: &usize| {
        let half = table.transition(s, Norm::flat(2))?.half;
        Some(format!("{half:.1} at s = {s}"))
    };
    let halves: Vec<String> = table.sparsities().iter().filter_map(half).collect();
    alt.push_str(&format!(" Half of two factors' recover from m = {}.", halves.join(", ")));
    alt
}

/// The panel of errors.
const SIZE: (i32, i32) = (900, 460);
const ERRORS_LEFT: i32 = 120;
const BESIDE: i32 = 430;

/// Median errors with their quartiles over depth, a line a cell, and their description.
pub(super) fn errors(table: &Table<'_>) -> Result<(String, String), Failed> {
    let cells = table.deep();
    let size = (ERRORS_LEFT + SIZE.0 + BESIDE, TOP + SIZE.1 + 110);
    let svg = page((size.0.unsigned_abs(), size.1.unsigned_abs()), |root| {
        let panel = Panel {
            left: ERRORS_LEFT,
            top: TOP,
            width: SIZE.0,
            height: SIZE.1,
            x: (0.75, END + 0.35),
            y: (-0.03, 1.03),
        };
        let y_ticks: Vec<(f64, String)> =
            (0..=5).map(|k| 0.2 * f64::from(k)).map(|y| (y, format!("{y:.1}"))).collect();
        panel.grid(root, &y_ticks)?;
        let x_ticks: Vec<(f64, String)> = Norm::depths().map(|n| (across(n), label(n))).collect();
        for (k, &cell) in cells.iter().enumerate() {
            curve(root, &panel, table, cell, k)?;
        }
        panel.axes(
            root,
            (&x_ticks, "number of factors k"),
            (&y_ticks, "error |x \u{2212} truth|"),
        )?;
        panel.title(root, &format!("Flat solutions of length {}", table.d))?;
        beside(root, &cells)
    })?;
    let mut alt = String::from(
        "Median error of flat solutions, with quartiles, over the number of factors, a line a cell.",
    );
    for &cell in &cells {
        let medians = Norm::depths().filter_map(|norm| {
            let errors = table.errors(cell, norm)?;
            Some(format!("{} at {}", number(errors.median), norm.name()))
        });
        let medians: Vec<String> = medians.collect();
        alt.push_str(&format!(" m = {}, s = {}: {}.", cell.1, cell.0, medians.join(", ")));
    }
    Ok((svg, alt))
}

/// Where the limit of many factors stands, apart from 32.
const END: f64 = 6.2;

/// Depths on a logarithmic scale.
fn across(norm: Norm) -> f64 {
    match norm {
        Norm::Flat(Depth::Finite(k)) => (k as f64).log2(),
        _ => END,
    }
}

fn label(norm: Norm) -> String {
    match norm {
        Norm::Flat(Depth::Finite(k)) => k.to_string(),
        _ => "\u{221e}".to_owned(),
    }
}

fn colour(k: usize) -> RGBColor {
    [BLUE, VERMILION, GREEN].get(k % 3).copied().unwrap_or(INK)
}

/// Medians, quartiles as bars beside one another, and what the limit is for even weights.
fn curve(
    root: &Page<'_>,
    panel: &Panel,
    table: &Table<'_>,
    cell: Place,
    k: usize,
) -> Result<(), Failed> {
    let style = colour(k).stroke_width(3);
    let shift = 7 * (k as i32 - 1);
    let mut medians = Vec::new();
    for norm in Norm::depths() {
        let Some(found) = table.errors(cell, norm) else {
            continue;
        };
        let place = |y: f64| {
            let (x, y) = panel.at(across(norm), y);
            (x + shift, y)
        };
        let (low, high) = (place(found.low), place(found.high));
        for bar in [
            vec![low, high],
            vec![(low.0 - 6, low.1), (low.0 + 6, low.1)],
            vec![(high.0 - 6, high.1), (high.0 + 6, high.1)],
        ] {
            put(root, &PathElement::new(bar, colour(k).stroke_width(2)))?;
        }
        medians.push(place(found.median));
    }
    // The limit is no step on the scale: its line ends at 32.
    let steps = medians.len().saturating_sub(1);
    put(root, &PathElement::new(medians[..steps].to_vec(), style))?;
    for &at in &medians {
        symbol(root, at, k)?;
    }
    let limit = (1.0 - cell.1 as f64 / table.d as f64).max(0.0).sqrt();
    let (x, y) = panel.at(END, limit);
    put(root, &PathElement::new(vec![(x - 26, y), (x + 26, y)], INK.stroke_width(2)))
}

/// A shape a cell.
fn symbol(root: &Page<'_>, (x, y): (i32, i32), k: usize) -> Result<(), Failed> {
    let corners: &[(i32, i32)] = match k % 3 {
        0 => return put(root, &Circle::new((x, y), 7, colour(k).filled())),
        1 => &[(-7, -7), (7, -7), (7, 7), (-7, 7)],
        _ => &[(0, -9), (8, 6), (-8, 6)],
    };
    let corners: Vec<(i32, i32)> = corners.iter().map(|&(a, b)| (x + a, y + b)).collect();
    put(root, &Polygon::new(corners, colour(k).filled()))
}

fn beside(root: &Page<'_>, cells: &[Place]) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let x = ERRORS_LEFT + SIZE.0 + 34;
    let mut y = TOP + 14;
    for (k, cell) in cells.iter().enumerate() {
        put(root, &PathElement::new(vec![(x, y), (x + 50, y)], colour(k).stroke_width(3)))?;
        symbol(root, (x + 25, y), k)?;
        let told = format!("m = {}, s = {}", cell.1, cell.0);
        text(root, &told, (x + 64, y), TEXT, INK, anchor)?;
        y += 38;
    }
    put(root, &PathElement::new(vec![(x, y), (x + 50, y)], INK.stroke_width(2)))?;
    text(root, "\u{221a}(1 \u{2212} m/d)", (x + 64, y), TEXT, INK, anchor)?;
    text(root, "(least norm, equal weights)", (x + 64, y + 32), TEXT, INK, anchor)
}
