//! Ratings: test error over the penalty, and over the rank of the answer, a column a data set, with
//! offsets of rows and columns below.

use super::{Curve, Method, Outcome, Row, title};
use crate::figure::panel::{Failed, Page, Panel, TEXT, page, put, text};
use crate::figure::{BLUE, FAINT, GREEN, GREY, INK, VERMILION};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (400, 320);
const LEFT: i32 = 135;
const TOP: i32 = 120;
const BETWEEN: (i32, i32) = (110, 130);

/// What runs along the horizontal axis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    Penalty,
    Rank,
}

impl Along {
    fn at(self, row: &Row) -> Option<f64> {
        match self {
            Along::Penalty => row.fraction.map(f64::log10),
            // Rank zero stands half a step before one.
            Along::Rank => row.fraction.map(|_| (row.rank as f64).max(0.5).log2()),
        }
    }
}

const METHODS: [Method; 3] = [Method::Nuclear, Method::Smoothed, Method::Flat];

/// The picture, and its description.
pub(super) fn draw(outcome: &Outcome, along: Along) -> Result<(String, String), Failed> {
    let sets = outcome.sets();
    // The legend needs so much.
    let width = (LEFT + sets.len() as i32 * (PANEL.0 + BETWEEN.0)).max(940);
    let height = TOP + 2 * (PANEL.1 + BETWEEN.1) - 20;
    let mut alt = String::from(match along {
        Along::Penalty => "Test error of ratings over the penalty.",
        Along::Rank => "Test error of ratings over the rank of the answer.",
    });
    let svg = page((width.unsigned_abs(), height.unsigned_abs()), |root| {
        for (column, data) in sets.iter().enumerate() {
            for (row, centred) in [false, true].into_iter().enumerate() {
                let curves: Vec<(Method, &Curve)> = METHODS
                    .into_iter()
                    .filter_map(|m| Some((m, outcome.curve(data, centred, m)?)))
                    .collect();
                let (column, row) = (column as i32, row as i32);
                let left = LEFT + column * (PANEL.0 + BETWEEN.0);
                let top = TOP + row * (PANEL.1 + BETWEEN.1);
                let (width, height) = PANEL;
                let (x, y) = (range(&curves, |r| along.at(r)), errors(&curves));
                let panel = Panel { left, top, width, height, x, y };
                let offsets = outcome.curve(data, centred, Method::Offsets).and_then(Curve::best);
                fits(root, &panel, &curves, offsets, along)?;
                let y_name = if column == 0 { "test RMSE" } else { "" };
                let x_name = match along {
                    Along::Penalty => "penalty, part of the largest",
                    Along::Rank => "rank of the answer",
                };
                panel.axes(root, (&x_ticks(x, along), x_name), (&y_ticks(y), y_name))?;
                let below = if centred { "row and column offsets" } else { "mean only" };
                panel.title(root, &format!("{}: {below}", short(data)))?;
                for (method, curve) in &curves {
                    if let Some(best) = curve.best() {
                        alt.push_str(&format!(
                            " {} with {below}, {}: {:.4} at rank {}.",
                            title(data),
                            method.name(),
                            best.test,
                            best.rank
                        ));
                    }
                }
            }
        }
        legend(root, width / 2)
    })?;
    Ok((svg, alt))
}

fn short(data: &str) -> &'static str {
    match data {
        "ml_latest_small_2016" => "films",
        "insteval" => "lecturers",
        _ => "votes",
    }
}

fn range(curves: &[(Method, &Curve)], of: impl Fn(&Row) -> Option<f64>) -> (f64, f64) {
    let rows = curves.iter().flat_map(|(_, curve)| &curve.rows);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    rows.filter_map(of).for_each(|v| (low, high) = (low.min(v), high.max(v)));
    let margin = 0.05 * (high - low);
    if low < high { (low - margin, high + margin) } else { (low - 0.5, low + 0.5) }
}

/// From the least error to where every curve has come back to it within a few hundredths.
fn errors(curves: &[(Method, &Curve)]) -> (f64, f64) {
    let (low, high) = range(curves, |row| Some(row.test));
    (low, high.min(low + 0.15))
}

fn x_ticks((low, high): (f64, f64), along: Along) -> Vec<(f64, String)> {
    let whole = low.ceil() as i32..=high.floor() as i32;
    match along {
        Along::Penalty => {
            let powers = low.floor() as i32..=high.ceil() as i32;
            let values = powers.flat_map(|e| [1.0, 2.0, 5.0].map(|k| k * 10f64.powi(e)));
            let inside = values.filter(|v| (low..=high).contains(&v.log10()));
            inside.map(|v| (v.log10(), format!("{}", (v * 1e9).round() / 1e9))).collect()
        }
        Along::Rank => {
            let step = if whole.clone().count() > 7 { 2 } else { 1 };
            let label = |e: i32| match e {
                ..0 => "0".to_owned(),
                e => 2_i64.pow(e.unsigned_abs()).to_string(),
            };
            whole.step_by(step).map(|e| (f64::from(e), label(e))).collect()
        }
    }
}

/// Four or so round numbers.
fn y_ticks((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let steps = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
    let step = steps.into_iter().find(|step| (high - low) / step < 6.0).unwrap_or(1.0);
    let whole = (low / step).ceil() as i32..=(high / step).floor() as i32;
    let digits = if step < 0.01 { 3 } else { 2 };
    whole.map(|k| (f64::from(k) * step, format!("{:.digits$}", f64::from(k) * step))).collect()
}

fn colour(method: Method) -> RGBColor {
    match method {
        Method::Flat => BLUE,
        Method::Smoothed => GREEN,
        Method::Nuclear => VERMILION,
        Method::Offsets => GREY,
    }
}

/// Curves, each with a marker at its best penalty, and the offsets alone.
fn fits(
    root: &Page<'_>,
    panel: &Panel,
    curves: &[(Method, &Curve)],
    offsets: Option<&Row>,
    along: Along,
) -> Result<(), Failed> {
    for (y, _) in y_ticks(panel.y) {
        let line = vec![panel.at(panel.x.0, y), panel.at(panel.x.1, y)];
        put(root, &PathElement::new(line, FAINT.stroke_width(1)))?;
    }
    if let Some(row) = offsets {
        let level = [(panel.x.0, row.test), (panel.x.1, row.test)];
        for part in panel.clipped(&level) {
            put(root, &PathElement::new(part, GREY.stroke_width(2)))?;
        }
    }
    for (method, curve) in curves {
        let point = |row: &Row| Some((along.at(row)?, row.test));
        let points: Vec<(f64, f64)> = curve.rows.iter().filter_map(point).collect();
        for part in panel.clipped(&points) {
            put(root, &PathElement::new(part, colour(*method).stroke_width(3)))?;
        }
        for &(x, y) in points.iter().filter(|p| p.1 <= panel.y.1) {
            put(root, &Circle::new(panel.at(x, y), 3, colour(*method).filled()))?;
        }
        if let Some((x, y)) = curve.best().and_then(point).filter(|p| p.1 <= panel.y.1) {
            marker(root, panel.at(x, y), *method)?;
        }
    }
    Ok(())
}

fn marker(root: &Page<'_>, (x, y): (i32, i32), method: Method) -> Result<(), Failed> {
    let style = colour(method).stroke_width(4);
    match method {
        Method::Flat => put(root, &Circle::new((x, y), 6, colour(method).filled())),
        Method::Smoothed => {
            let corners = vec![(x, y - 10), (x + 10, y), (x, y + 10), (x - 10, y), (x + 1, y - 11)];
            put(root, &PathElement::new(corners, style))
        }
        _ => {
            let corners = vec![
                (x - 9, y - 9),
                (x + 9, y - 9),
                (x + 9, y + 9),
                (x - 9, y + 9),
                (x - 9, y - 11),
            ];
            put(root, &PathElement::new(corners, style))
        }
    }
}

fn legend(root: &Page<'_>, centre: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let (mut x, y) = (centre - 430, 34);
    for method in [Method::Flat, Method::Smoothed, Method::Nuclear, Method::Offsets] {
        let line = vec![(x, y), (x + 50, y)];
        put(root, &PathElement::new(line, colour(method).stroke_width(3)))?;
        if method != Method::Offsets {
            marker(root, (x + 25, y), method)?;
        }
        text(root, method.name(), (x + 62, y), TEXT, INK, anchor)?;
        x += if method == Method::Smoothed { 250 } else { 190 };
    }
    Ok(())
}
