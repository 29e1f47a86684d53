//! Depth: the share recovered, the error and the nuclear norm over the number of measurements, a column a rank.

use super::EXACT;
use super::summary::{Found, Method, cells, mean};
use crate::figure::panel::{Failed, Page, Panel, TEXT, dots, page, put, text};
use crate::figure::{BLUE, GREEN, INK, VERMILION};
use flatmin::core::theory::statistical_dimension;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (520, 260);
const LEFT: i32 = 130;
const TOP: i32 = 60;
const BETWEEN: (i32, i32) = (110, 40);
const LEGEND: i32 = 330;
/// NUC, a broad line under the others, which follow it.
const BROAD: RGBColor = RGBColor(0xbb, 0xbb, 0xbb);
const NAMES: [&str; 3] = ["share recovered", "mean error", "|X|∗ / NUC"];

/// The picture and its description.
pub(super) fn draw(found: &[Found<'_>]) -> Result<(String, String), Failed> {
    let columns = cells(found);
    let across = columns.len() as i32;
    let right = LEFT + across * PANEL.0 + (across - 1) * BETWEEN.0;
    let bottom = TOP + 3 * PANEL.1 + 2 * BETWEEN.1 + 100;
    let mut alt = String::from(
        "Flat factorisations into two, three and four layers and the least nuclear norm (NUC) over the number of \
         measurements.",
    );
    let size = ((right + LEGEND).unsigned_abs(), bottom.unsigned_abs());
    let svg = page(size, |root| {
        for (k, (rank, measurements)) in columns.iter().enumerate() {
            let left = LEFT + k as i32 * (PANEL.0 + BETWEEN.0);
            let Some((low, high)) = measurements.first().zip(measurements.last()) else {
                continue;
            };
            let margin = 0.04 * (high - low).max(1) as f64;
            let x = (*low as f64 - margin, *high as f64 + margin);
            let order = found.first().map_or(0, |f| f.best.d);
            let transition = statistical_dimension(order, order, *rank);
            for (row, name) in NAMES.into_iter().enumerate() {
                let top = TOP + row as i32 * (PANEL.1 + BETWEEN.1);
                let curves = curves(found, *rank, measurements, row);
                let most =
                    curves.iter().flat_map(|(_, points)| points).map(|p| p.1).fold(0.0, f64::max);
                let (y, ticks) = match row {
                    0 => ((-0.05, 1.05), linear(0.0, 1.0, 4, 2)),
                    1 => {
                        ((-0.05 * most.max(0.1), 1.1 * most.max(0.1)), steps(0.0, most.max(0.1), 2))
                    }
                    _ => {
                        let most = (most - 1.0).max(0.01);
                        ((1.0 - 0.08 * most, 1.0 + 1.12 * most), steps(1.0, most, 3))
                    }
                };
                let panel = Panel { left, top, width: PANEL.0, height: PANEL.1, x, y };
                panel.grid(root, &ticks)?;
                dots(root, &[panel.at(transition, y.1), panel.at(transition, y.0)])?;
                for (method, points) in &curves {
                    curve(root, &panel, points, *method)?;
                    if row == 0 {
                        alt.push_str(&described(*rank, *method, points));
                    }
                }
                let x_ticks: Vec<(f64, String)> = measurements
                    .iter()
                    .map(|m| (*m as f64, if row == 2 { m.to_string() } else { String::new() }))
                    .collect();
                let x_name = if row == 2 { "measurements m" } else { "" };
                let y_name = if k == 0 { name } else { "" };
                panel.axes(root, (&x_ticks, x_name), (&ticks, y_name))?;
                if row == 0 {
                    panel.title(root, &format!("rank {rank}, d = {order}"))?;
                }
            }
        }
        legend(root, right + 30)
    })?;
    Ok((svg, alt))
}

/// Ticks `low`, ..., `high` in so many steps.
fn linear(low: f64, high: f64, parts: usize, digits: usize) -> Vec<(f64, String)> {
    let at = |k: usize| low + (high - low) * k as f64 / parts as f64;
    (0..=parts).map(|k| (at(k), format!("{:.digits$}", at(k)))).collect()
}

/// Ticks from `first` on, in round steps over a length.
fn steps(first: f64, length: f64, digits: usize) -> Vec<(f64, String)> {
    let power = 10f64.powf((length / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|s| s * power);
    let step = step.filter(|s| *s >= length / 5.0).fold(f64::INFINITY, f64::min);
    let parts = (1.05 * length / step).floor() as usize;
    linear(first, first + parts as f64 * step, parts.max(1), digits)
}

/// What row `row` of the panels shows of each method, over the numbers of measurements.
fn curves(
    found: &[Found<'_>],
    rank: usize,
    measurements: &[usize],
    row: usize,
) -> Vec<(Method, Vec<(f64, f64)>)> {
    let value = |method: Method, f: &Found<'_>| match row {
        0 => f64::from(method.error(f) < EXACT),
        1 => method.error(f),
        _ => method.ratio(f),
    };
    let points = |method: Method| {
        let point = |m: &usize| {
            let draws = method.of(found, rank, *m);
            Some((*m as f64, mean(draws.iter().map(|f| value(method, f)))?))
        };
        (method, measurements.iter().filter_map(point).collect())
    };
    Method::ALL.into_iter().map(points).collect()
}

fn colour(method: Method) -> RGBColor {
    match method {
        Method::Nuclear => BROAD,
        Method::Layers(2) => BLUE,
        Method::Layers(3) => VERMILION,
        Method::Layers(_) => GREEN,
    }
}

fn width(method: Method) -> u32 {
    if method == Method::Nuclear { 6 } else { 2 }
}

fn curve(
    root: &Page<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    method: Method,
) -> Result<(), Failed> {
    let pixels: Vec<(i32, i32)> = points.iter().map(|&(x, y)| panel.at(x, y)).collect();
    put(root, &PathElement::new(pixels.clone(), colour(method).stroke_width(width(method))))?;
    pixels.iter().try_for_each(|&at| marker(root, at, method))
}

/// A shape a method.
fn marker(root: &Page<'_>, (x, y): (i32, i32), method: Method) -> Result<(), Failed> {
    let corners: &[(i32, i32)] = match method {
        Method::Nuclear => {
            return put(root, &Circle::new((x, y), 9, BROAD.filled()));
        }
        Method::Layers(2) => &[(-6, -6), (6, -6), (6, 6), (-6, 6)],
        Method::Layers(3) => &[(0, -8), (7, 5), (-7, 5)],
        Method::Layers(_) => &[(0, -8), (8, 0), (0, 8), (-8, 0)],
    };
    let outline: Vec<(i32, i32)> = corners.iter().map(|&(a, b)| (x + a, y + b)).collect();
    put(root, &Polygon::new(outline, colour(method).filled()))
}

fn legend(root: &Page<'_>, x: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let mut y = TOP + 20;
    for method in Method::ALL {
        let style = colour(method).stroke_width(width(method));
        put(root, &PathElement::new(vec![(x, y), (x + 50, y)], style))?;
        marker(root, (x + 25, y), method)?;
        text(root, &method.name(), (x + 62, y), TEXT, INK, anchor)?;
        y += 36;
    }
    dots(root, &[(x, y), (x + 50, y)])?;
    text(root, "NUC’s 50 % (theory)", (x + 62, y), TEXT, INK, anchor)
}

fn described(rank: usize, method: Method, points: &[(f64, f64)]) -> String {
    let told: Vec<String> =
        points.iter().map(|(m, share)| format!("{:.0} % of {m:.0}", 100.0 * share)).collect();
    format!(" Rank {rank}, {}: recovered from m measurements {}.", method.name(), told.join(", "))
}
