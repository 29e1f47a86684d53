//! Estimators of traces: errors over products, and how often two standard errors hold the truth, a panel an
//! operator.

use super::operators::Operator;
use super::summary::rms;
use super::{BUDGETS, Contender, Estimates, Row};
use crate::figure::panel::{Failed, Page, Panel, TEXT, decades, dots, page, put, rounds, text};
use crate::figure::{BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION};
use flatmin::core::flatness::{Method, Probes};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (400, 330);
const LEFT: i32 = 130;
const TOP: i32 = 60;
const BETWEEN: (i32, i32) = (95, 130);
const ACROSS: usize = 3;
const LEGEND: i32 = 350;

/// Errors below this are drawn at it.
const FLOOR: f64 = 1e-16;

/// What two standard errors promise, and what is asked of them.
const NOMINAL: f64 = 0.9545;
const ASKED: f64 = 0.9;

/// Under the lines of all others, which it follows where it can.
const BROAD: RGBColor = RGBColor(0xbb, 0xbb, 0xbb);
const BAND: RGBColor = RGBColor(0xec, 0xec, 0xec);

/// What is drawn of an estimator, in decimal logarithms of products.
type Points = Vec<(f64, f64)>;

/// Root mean square errors, and their description.
pub(super) fn errors(estimates: Estimates<'_>) -> Result<(String, String), Failed> {
    let mut alt = String::from(
        "Root mean square relative error of estimates of traces over the number of products, a panel an \
         operator, both axes logarithmic.",
    );
    let operators = operators(estimates);
    let svg = draw(&operators, "theory, random signs", |root, place, operator| {
        let all = points(estimates, operator, |rows| Some(rms(rows)?.value.max(FLOOR).log10()));
        let theory = theory(estimates, operator);
        let values = all.iter().flat_map(|(_, points)| points).chain(&theory).map(|p| p.1);
        let (low, high) = values
            .filter(|v| v.is_finite())
            .fold((0.0_f64, -16.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        let margin = (0.06 * (high - low)).max(0.05);
        let y = (low - margin, high + margin);
        let panel = Panel { y, ..place };
        let ticks = if high - low > 3.0 { decades(y, 6) } else { rounds(y) };
        panel.grid(root, &ticks)?;
        for part in panel.clipped(&theory) {
            dots(root, &part)?;
        }
        for (contender, points) in &all {
            curve(root, &panel, points, *contender)?;
        }
        beyond(root, &panel, estimates, operator)?;
        alt.push_str(&described(operator, &all, |v| format!("{:.1e}", 10f64.powf(v))));
        Ok((panel, ticks, "relative error (RMS)"))
    })?;
    Ok((svg, alt))
}

/// How often two standard errors hold the truth, and the description.
pub(super) fn coverage(estimates: Estimates<'_>) -> Result<(String, String), Failed> {
    let mut alt = String::from(
        "How often two standard errors hold the truth, over the number of products, a panel an operator.",
    );
    let operators = operators(estimates);
    let svg = draw(&operators, "90 %", |root, place, operator| {
        let share = |rows: &[&Row]| {
            let covered = rows.iter().filter(|row| row.covered).count();
            (!rows.is_empty()).then(|| covered as f64 / rows.len() as f64)
        };
        let all = points(estimates, operator, share);
        let values = all.iter().flat_map(|(_, points)| points).map(|p| p.1);
        let low = values.fold(0.75, f64::min);
        let panel = Panel { y: (low - 0.04, 1.02), ..place };
        let step = if low < 0.5 { 20 } else { 10 };
        let whole = ((100.0 * panel.y.0 / f64::from(step)).ceil() as i32)..=(100 / step);
        let ticks: Vec<(f64, String)> =
            whole.map(|k| (f64::from(k * step) / 100.0, format!("{} %", k * step))).collect();
        panel.grid(root, &ticks)?;
        let draws = estimates.at(operator, Contender::plain(Method::Auto), BUDGETS[0]).len().max(1);
        let spread = 2.0 * (NOMINAL * (1.0 - NOMINAL) / draws as f64).sqrt();
        let corners = [
            panel.at(panel.x.0, (NOMINAL + spread).min(1.0)),
            panel.at(panel.x.1, (NOMINAL - spread).max(panel.y.0)),
        ];
        put(root, &Rectangle::new(corners, BAND.filled()))?;
        dots(root, &[panel.at(panel.x.0, ASKED), panel.at(panel.x.1, ASKED)])?;
        for (k, (contender, points)) in all.iter().enumerate() {
            // Beside one another where they are equal.
            let shift = 0.012 * (k as f64 - 4.0);
            let beside: Points = points.iter().map(|&(x, y)| (x + shift, y)).collect();
            curve(root, &panel, &beside, *contender)?;
        }
        alt.push_str(&described(operator, &all, |v| format!("{:.0} %", 100.0 * v)));
        Ok((panel, ticks, "truth within 2 standard errors"))
    })?;
    Ok((svg, alt))
}

/// In words what lies beyond the rank, and would leave the rest of the panel no room.
fn beyond(
    root: &Page<'_>,
    panel: &Panel,
    estimates: Estimates<'_>,
    operator: Operator,
) -> Result<(), Failed> {
    let Some(m) = estimates.budgets(operator).into_iter().find(|m| *m > BUDGETS[4]) else {
        return Ok(());
    };
    let contender = Contender::plain(Method::XNysTrace);
    let Some(error) = rms(&estimates.at(operator, contender, m)) else {
        return Ok(());
    };
    let told = format!("{} at {m}: {:.0e}", contender.name(), error.value);
    let at = (panel.left + 14, panel.top + panel.height - 20);
    text(root, &told, at, TEXT, BLUE, (HPos::Left, VPos::Center))
}

/// The operators with their orders.
fn operators(estimates: Estimates<'_>) -> Vec<(Operator, usize)> {
    let order = |operator| {
        let row = estimates.first(operator)?;
        Some((operator, row.n))
    };
    Operator::ALL.into_iter().filter_map(order).collect()
}

/// A quantity of the draws of each estimator, over the budgets.
fn points(
    estimates: Estimates<'_>,
    operator: Operator,
    of: impl Fn(&[&Row]) -> Option<f64>,
) -> Vec<(Contender, Points)> {
    let curve = |contender: Contender| {
        let point = |m: usize| {
            let value = of(&estimates.at(operator, contender, m))?;
            value.is_finite().then(|| ((m as f64).log10(), value))
        };
        (contender, BUDGETS.into_iter().filter_map(point).collect())
    };
    let auto = Contender::plain(Method::Auto);
    let others = Contender::of(operator).filter(|c| *c != auto);
    std::iter::once(auto).chain(others).map(curve).collect()
}

/// `sqrt(2 (|H|_F^2 - sum h_ii^2) / m) / tr H`.
fn theory(estimates: Estimates<'_>, operator: Operator) -> Points {
    let deviation = estimates.first(operator).map_or(f64::NAN, |row| row.deviation);
    let at = |m: usize| ((m as f64).log10(), (deviation / (m as f64).sqrt()).log10());
    BUDGETS.into_iter().map(at).collect()
}

/// The panels with their axes, and the legend to the right.
fn draw(
    operators: &[(Operator, usize)],
    dotted: &str,
    mut fill: impl FnMut(
        &Page<'_>,
        Panel,
        Operator,
    ) -> Result<(Panel, Vec<(f64, String)>, &'static str), Failed>,
) -> Result<String, Failed> {
    let across = operators.len().min(ACROSS) as i32;
    let rows = operators.len().div_ceil(ACROSS) as i32;
    let right = LEFT + across * PANEL.0 + (across - 1) * BETWEEN.0;
    let size = (right + LEGEND, (TOP + rows * (PANEL.1 + BETWEEN.1) - 20).max(480));
    page((size.0.unsigned_abs(), size.1.unsigned_abs()), |root| {
        for (k, (operator, n)) in operators.iter().enumerate() {
            let (column, row) = ((k % ACROSS) as i32, (k / ACROSS) as i32);
            let left = LEFT + column * (PANEL.0 + BETWEEN.0);
            let top = TOP + row * (PANEL.1 + BETWEEN.1);
            let (width, height) = PANEL;
            let place_of = |m: usize| (m as f64).log10();
            let x = (place_of(BUDGETS[0]) - 0.08, place_of(BUDGETS[4]) + 0.08);
            let place = Panel { left, top, width, height, x, y: (0.0, 1.0) };
            let (panel, y_ticks, y_name) = fill(root, place, *operator)?;
            let x_ticks = BUDGETS.map(|m| (place_of(m), m.to_string()));
            let y_name = if column == 0 { y_name } else { "" };
            panel.axes(root, (&x_ticks, "products"), (&y_ticks, y_name))?;
            panel.title(root, &format!("{}, n = {n}", operator.name()))?;
        }
        let controls = operators.iter().any(|(operator, _)| operator.is_hessian());
        legend(root, right + 34, controls, dotted)
    })
}

fn colour(method: Method) -> RGBColor {
    match method {
        Method::Hutchinson(Probes::Rademacher) => SKY,
        Method::Hutchinson(Probes::Sphere) => PURPLE,
        Method::Orthogonal => GREEN,
        Method::HutchPlusPlus => ORANGE,
        Method::XTrace => VERMILION,
        Method::XNysTrace => BLUE,
        Method::Auto => BROAD,
        Method::Exact => GREY,
    }
}

/// A line through points with its markers, broken with a control variate.
fn curve(
    root: &Page<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    contender: Contender,
) -> Result<(), Failed> {
    let pixels: Vec<(i32, i32)> = points.iter().map(|&(x, y)| panel.at(x, y)).collect();
    line(root, &pixels, contender)?;
    pixels.iter().try_for_each(|&at| marker(root, at, contender))
}

fn line(root: &Page<'_>, pixels: &[(i32, i32)], contender: Contender) -> Result<(), Failed> {
    let width = if contender.method == Method::Auto { 9 } else { 2 };
    let style = colour(contender.method).stroke_width(width);
    if !contender.control {
        return put(root, &PathElement::new(pixels.to_vec(), style));
    }
    for pair in pixels.windows(2) {
        let (dx, dy) = (f64::from(pair[1].0 - pair[0].0), f64::from(pair[1].1 - pair[0].1));
        let pieces = (dx.hypot(dy) / 9.0).ceil().max(1.0);
        let at = |k: f64| {
            let t = (k / pieces).min(1.0);
            (pair[0].0 + (t * dx).round() as i32, pair[0].1 + (t * dy).round() as i32)
        };
        for k in (0..pieces as i32).step_by(2) {
            let piece = vec![at(f64::from(k)), at(f64::from(k) + 1.0)];
            put(root, &PathElement::new(piece, style))?;
        }
    }
    Ok(())
}

/// A shape an estimator; open with a control variate.
fn marker(root: &Page<'_>, (x, y): (i32, i32), contender: Contender) -> Result<(), Failed> {
    let colour = colour(contender.method);
    let corners: &[(i32, i32)] = match contender.method {
        Method::Hutchinson(Probes::Rademacher) => &[(-6, -6), (6, -6), (6, 6), (-6, 6)],
        Method::Hutchinson(Probes::Sphere) => &[(0, -8), (8, 0), (0, 8), (-8, 0)],
        Method::Orthogonal => &[(0, -8), (7, 5), (-7, 5)],
        Method::HutchPlusPlus => &[
            (-2, -7),
            (2, -7),
            (2, -2),
            (7, -2),
            (7, 2),
            (2, 2),
            (2, 7),
            (-2, 7),
            (-2, 2),
            (-7, 2),
            (-7, -2),
            (-2, -2),
        ],
        Method::XTrace => &[(0, 8), (7, -5), (-7, -5)],
        Method::XNysTrace => &[(-7, -3), (0, -8), (7, -3), (4, 6), (-4, 6)],
        Method::Auto | Method::Exact => {
            return put(root, &Circle::new((x, y), 10, colour.filled()));
        }
    };
    let mut outline: Vec<(i32, i32)> = corners.iter().map(|&(a, b)| (x + a, y + b)).collect();
    let inside = if contender.control { WHITE } else { colour };
    put(root, &Polygon::new(outline.clone(), inside.filled()))?;
    outline.extend(outline.first().copied());
    put(root, &PathElement::new(outline, colour.stroke_width(2)))
}

/// Names beside lines, from the top down.
fn legend(root: &Page<'_>, x: i32, controls: bool, dotted: &str) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let mut y = TOP + 14;
    for contender in Contender::ALL.into_iter().filter(|c| controls || !c.control) {
        line(root, &[(x, y), (x + 50, y)], contender)?;
        marker(root, (x + 25, y), contender)?;
        text(root, &contender.name(), (x + 62, y), TEXT, INK, anchor)?;
        y += 36;
    }
    dots(root, &[(x, y), (x + 50, y)])?;
    text(root, dotted, (x + 66, y), TEXT, INK, anchor)
}

fn described(
    operator: Operator,
    all: &[(Contender, Points)],
    number: impl Fn(f64) -> String,
) -> String {
    let mut text = format!(" {}:", operator.name());
    for (contender, points) in all {
        let told: Vec<String> =
            points.iter().map(|&(x, v)| format!("{} at {:.0}", number(v), 10f64.powf(x))).collect();
        text.push_str(&format!(" {} {};", contender.name(), told.join(", ")));
    }
    text.pop();
    text.push('.');
    text
}
