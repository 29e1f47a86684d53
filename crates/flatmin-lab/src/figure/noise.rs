//! Noise: the error over the noise, a panel a model; and over the number of measurements, beside what
//! theory expects.

use super::panel::{Failed, Page, Panel, TEXT, decades, page, put, rounds, text};
use super::phase::dotted;
use super::{BLUE, FAINT, GREY, INK, SKY, VERMILION, name};
use crate::noise::{Series, Slope, geometric_mean, nuclear_error, relative_error};
use crate::record::Record;
use crate::spec::{Cell, Model, Objective};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (390, 340);
const LEFT: i32 = 125;
const TOP: i32 = 60;
const BETWEEN: (i32, i32) = (40, 120);
const ACROSS: usize = 3;

/// Drawn in the reverse order: FLAT's dot goes into NUC's frame.
const NORMS: [Objective; 2] = [Objective::Flat, Objective::Nuclear];

/// The place of the panel `k`, without ranges.
fn place(k: usize, (width, height): (i32, i32), between: i32) -> Panel {
    let (column, row) = ((k % ACROSS) as i32, (k / ACROSS) as i32);
    let (left, top) = (LEFT + column * (width + between), TOP + row * (height + BETWEEN.1));
    Panel { left, top, width, height, x: (0.0, 1.0), y: (0.0, 1.0) }
}

/// Titles of panels: the model where it is the only one, or else whatever tells them apart.
fn titles(all: &[Series<'_>], apart: impl Fn(&Cell) -> String) -> Vec<String> {
    let alike = |model: Model| all.iter().filter(|s| s.cell.model() == model).count();
    let title = |s: &Series<'_>| match s.cell.model() {
        model if alike(model) == 1 => title(model).to_owned(),
        _ => apart(&s.cell),
    };
    all.iter().map(title).collect()
}

fn title(model: Model) -> &'static str {
    match model {
        Model::Sensing => "Gaussian measurements",
        Model::Bilinear => "bilinear measurements",
        Model::Completion => "sampled entries",
        Model::Covariance => "covariance, X \u{2ab0} 0",
        Model::Quadnet => "quadratic network",
        Model::Rpca => "robust PCA",
    }
}

/// Errors over levels of noise, both axes logarithmic, and their description.
pub(super) fn levels(all: &[Series<'_>]) -> Result<(String, String), Failed> {
    let points: Vec<(f64, f64)> =
        all.iter().flat_map(|s| NORMS.map(|o| logs(s, o))).flatten().collect();
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = || points.iter().map(of).filter(|v| v.is_finite());
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let (x, y) = (range(|p| p.0), range(|p| p.1));
    if x.0 > x.1 {
        return Err("there is no error".to_owned());
    }
    let (x, y) = ((x.0 - 0.4, x.1 + 0.4), (y.0.min(x.0) - 0.4, y.1.max(x.1) + 0.4));
    // The legend takes the last place, of a row of its own if it must.
    let titles = titles(all, |cell| cell.without_noise().to_string());
    let rows = (all.len() + 1).div_ceil(ACROSS).max(1) as i32;
    let width = LEFT + 3 * PANEL.0 + 2 * BETWEEN.0 + 30;
    let height = TOP + rows * (PANEL.1 + BETWEEN.1) - 20;
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        for (k, series) in all.iter().enumerate() {
            let panel = Panel { x, y, ..place(k, PANEL, BETWEEN.0) };
            errors(root, &panel, series)?;
            let y_name = match k % ACROSS {
                0 => "error \u{2016}X \u{2212} M\u{2016} / \u{2016}M\u{2016}",
                _ => "",
            };
            let y_ticks = if k % ACROSS == 0 { decades(y, 7) } else { Vec::new() };
            panel.axes(root, (&decades(x, 7), "noise"), (&y_ticks, y_name))?;
            panel.title(root, &titles[k])?;
        }
        legend(root, &place(ACROSS * rows as usize - 1, PANEL, BETWEEN.0))
    })?;
    Ok((svg, describe(all)))
}

/// Logarithms of noise and error, every draw a point.
fn logs(series: &Series<'_>, objective: Objective) -> Vec<(f64, f64)> {
    let point = |r: &Record| Some((r.noise?.value().log10(), r.error?.log10()));
    series.of(objective).filter_map(point).collect()
}

/// Grid, the line on which the error is the noise, draws, and lines through their geometric means.
fn errors(root: &Page<'_>, panel: &Panel, series: &Series<'_>) -> Result<(), Failed> {
    panel.grid(root, &decades(panel.y, 7))?;
    for (x, _) in decades(panel.x, 7) {
        let line = vec![panel.at(x, panel.y.0), panel.at(x, panel.y.1)];
        put(root, &PathElement::new(line, FAINT.stroke_width(1)))?;
    }
    let unit = [(panel.x.0, panel.x.0), (panel.x.1, panel.x.1)];
    for part in panel.clipped(&unit) {
        dotted(root, &part, SKY)?;
    }
    let mut y = panel.top + panel.height - 20;
    for objective in NORMS.into_iter().rev() {
        let means = series.errors(objective, |r| Some(r.noise?.value()), |r| r.error);
        let mean =
            |(x, errors): &(f64, Vec<f64>)| Some((x.log10(), geometric_mean(errors)?.log10()));
        let means: Vec<(f64, f64)> = means.iter().filter_map(mean).collect();
        draws(root, panel, &logs(series, objective), objective)?;
        curve(root, panel, &means, objective)?;
        if let Some(slope) = Slope::of_series(series, objective) {
            let (value, error) = (slope.value, 2.0 * slope.deviation);
            let label = format!("{} slope {value:.3} \u{b1} {error:.3}", name(objective));
            let at = (panel.left + panel.width - 14, y);
            text(root, &label, at, TEXT, colour(objective), (HPos::Right, VPos::Center))?;
            y -= 30;
        }
    }
    Ok(())
}

fn colour(objective: Objective) -> RGBColor {
    if super::is_flat(objective) { BLUE } else { VERMILION }
}

fn draws(
    root: &Page<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    objective: Objective,
) -> Result<(), Failed> {
    for &(x, y) in points {
        let (px, py) = panel.at(x, y);
        put(root, &Circle::new((px, py), 3, colour(objective).mix(0.45).filled()))?;
    }
    Ok(())
}

/// A line with markers.
fn curve(
    root: &Page<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    objective: Objective,
) -> Result<(), Failed> {
    let path: Vec<(i32, i32)> = points.iter().map(|&(x, y)| panel.at(x, y)).collect();
    put(root, &PathElement::new(path.clone(), colour(objective).stroke_width(2)))?;
    path.into_iter().try_for_each(|at| marker(root, at, objective))
}

/// A dot for FLAT, a frame for NUC: one fits into the other.
fn marker(root: &Page<'_>, (x, y): (i32, i32), objective: Objective) -> Result<(), Failed> {
    if super::is_flat(objective) {
        return put(root, &Circle::new((x, y), 5, colour(objective).filled()));
    }
    // Not a rectangle: those are drawn without smooth edges.
    let frame =
        vec![(x - 8, y - 8), (x + 8, y - 8), (x + 8, y + 8), (x - 8, y + 8), (x - 8, y - 10)];
    put(root, &PathElement::new(frame, colour(objective).stroke_width(4)))
}

/// In the place of a panel: both norms, and the line of equality.
fn legend(root: &Page<'_>, place: &Panel) -> Result<(), Failed> {
    let (x, mut y) = (place.left + 40, place.top + 70);
    let anchor = (HPos::Left, VPos::Center);
    for objective in NORMS {
        let line = vec![(x, y), (x + 56, y)];
        put(root, &PathElement::new(line, colour(objective).stroke_width(2)))?;
        marker(root, (x + 28, y), objective)?;
        text(root, name(objective), (x + 72, y), TEXT, INK, anchor)?;
        y += 40;
    }
    dotted(root, &[(x, y), (x + 56, y)], SKY)?;
    text(root, "error equal to the noise", (x + 72, y), TEXT, INK, anchor)?;
    y += 60;
    for line in
        ["Small dots: draws.", "Markers: geometric means.", "Slopes \u{b1} twice their errors."]
    {
        text(root, line, (x, y), TEXT, GREY, anchor)?;
        y += 34;
    }
    Ok(())
}

/// Errors over the noise of a measurement, over their number, a panel a model.
pub(super) fn counts(all: &[Series<'_>]) -> Result<(String, String), Failed> {
    const SIZE: (i32, i32) = (520, 430);
    const ABOVE: i32 = 50;
    let apart = |cell: &Cell| {
        let (rows, cols, rank, noise) = (cell.rows, cell.cols, cell.rank, cell.noise);
        format!("{} {rows}\u{d7}{cols}, rank {rank}, noise {noise}", cell.model())
    };
    let titles = titles(all, apart);
    let all: Vec<&Series<'_>> = all.iter().take(ACROSS).collect();
    let point = |r: &Record| Some(((r.m as f64).log10(), relative_error(r)?.log10()));
    let points = |s: &Series<'_>, o| -> Vec<(f64, f64)> { s.of(o).filter_map(point).collect() };
    let every: Vec<(f64, f64)> =
        all.iter().flat_map(|s| NORMS.map(|o| points(s, o))).flatten().collect();
    let low = |of: fn(&(f64, f64)) -> f64| every.iter().map(of).fold(f64::INFINITY, f64::min);
    let high = |of: fn(&(f64, f64)) -> f64| every.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    if every.is_empty() {
        return Err("there is no error".to_owned());
    }
    let x = (low(|p| p.0) - 0.05, high(|p| p.0) + 0.05);
    let y = (low(|p| p.1) - 0.3, high(|p| p.1) + 0.1);
    let panels = all.len() as i32;
    let width = LEFT + panels * SIZE.0 + (panels - 1) * BETWEEN.0 + 30;
    let height = TOP + ABOVE + SIZE.1 + 100;
    let mut alt = String::from(
        "Error over the noise of a measurement against the number of measurements, both logarithmic, \
         with the curve that theory expects of Gaussian measurements.",
    );
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        for (k, series) in all.iter().enumerate() {
            let place = place(k, SIZE, BETWEEN.0);
            let panel = Panel { x, y, top: place.top + ABOVE, ..place };
            let y_ticks = rounds(y);
            panel.grid(root, &y_ticks)?;
            theory(root, &panel, series)?;
            for objective in NORMS.into_iter().rev() {
                let found = series.relative_errors(objective);
                let mean = |(m, errors): &(f64, Vec<f64>)| Some((*m, geometric_mean(errors)?));
                let means: Vec<(f64, f64)> = found.iter().filter_map(mean).collect();
                let logs: Vec<(f64, f64)> =
                    means.iter().map(|(m, e)| (m.log10(), e.log10())).collect();
                draws(root, &panel, &points(series, objective), objective)?;
                curve(root, &panel, &logs, objective)?;
                let told: Vec<String> =
                    means.iter().map(|(m, e)| format!("{e:.2} at {m:.0}")).collect();
                let (model, norm) = (series.cell.model(), name(objective));
                alt.push_str(&format!(" {model}, {norm}: {}.", told.join(", ")));
            }
            let y_name = if k == 0 { "error / noise of a measurement" } else { "" };
            let shown = if k == 0 { y_ticks.as_slice() } else { &[] };
            panel.axes(root, (&numbers(series), "measurements m"), (shown, y_name))?;
            panel.title(root, &titles[k])?;
        }
        counts_legend(root, width / 2)
    })?;
    Ok((svg, alt))
}

/// What theory expects of NUC with Gaussian measurements, and of whoever knows the tangent space: with
/// least squares on it, `n / (m - n)` for `n` degrees of freedom.
fn theory(root: &Page<'_>, panel: &Panel, series: &Series<'_>) -> Result<(), Failed> {
    let (rows, cols, rank) = (series.cell.rows, series.cell.cols, series.cell.rank);
    // Close together where the curve is steep.
    let along = |k: i32| (f64::from(k) / 36.0).powf(1.7);
    let steps = (0..=36).map(|k| panel.x.0 + along(k) * (panel.x.1 - panel.x.0));
    let dof = series.cell.model().degrees_of_freedom(rows, cols, rank) as f64;
    let (mut expected, mut oracle) = (Vec::new(), Vec::new());
    for x in steps {
        let m = 10f64.powf(x);
        if let Some(error) = nuclear_error(rows, cols, rank, m) {
            expected.push((x, error.log10()));
        }
        if m > dof {
            oracle.push((x, 0.5 * (dof / (m - dof)).log10()));
        }
    }
    for part in panel.clipped(&oracle) {
        dotted(root, &part, SKY)?;
    }
    for part in panel.clipped(&expected) {
        put(root, &PathElement::new(part, GREY.stroke_width(3)))?;
    }
    Ok(())
}

/// The numbers of measurements, at most eight of them.
fn numbers(series: &Series<'_>) -> Vec<(f64, String)> {
    let all = series.relative_errors(Objective::Flat);
    let stride = all.len().div_ceil(8).max(1);
    all.iter().step_by(stride).map(|(m, _)| (m.log10(), format!("{m:.0}"))).collect()
}

fn counts_legend(root: &Page<'_>, centre: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let (mut x, y) = (centre - 490, 30);
    for objective in NORMS {
        let line = vec![(x, y), (x + 50, y)];
        put(root, &PathElement::new(line, colour(objective).stroke_width(2)))?;
        marker(root, (x + 25, y), objective)?;
        text(root, name(objective), (x + 62, y), TEXT, INK, anchor)?;
        x += 150;
    }
    let line = vec![(x, y), (x + 50, y)];
    put(root, &PathElement::new(line, GREY.stroke_width(3)))?;
    text(root, "theory for Gaussian, NUC", (x + 62, y), TEXT, INK, anchor)?;
    x += 350;
    dotted(root, &[(x, y), (x + 50, y)], SKY)?;
    text(root, "tangent space known (guide)", (x + 66, y), TEXT, INK, anchor)
}

fn describe(all: &[Series<'_>]) -> String {
    let mut alt = String::from(
        "Error against noise on logarithmic scales, a panel a model: straight lines of slope one.",
    );
    for series in all {
        let told = |o: Objective| {
            let slope = Slope::of_series(series, o)?;
            Some(format!("{:.3} for {}", slope.value, name(o)))
        };
        let told: Vec<String> = NORMS.into_iter().filter_map(told).collect();
        alt.push_str(&format!(" {}: slope {}.", title(series.cell.model()), told.join(", ")));
    }
    alt
}
