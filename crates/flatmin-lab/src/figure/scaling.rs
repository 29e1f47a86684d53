//! Time and memory over the number of entries. Both are of this machine and of this run: the picture
//! is no function of the records.

use super::panel::{Failed, Page, Panel, TEXT, page, power_of_ten, put, text};
use super::phase::dotted;
use super::{BLUE, FAINT, INK, SKY, VERMILION, is_flat, name};
use crate::noise::Slope;
use crate::record::Timed;
use crate::spec::Objective;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const PANEL: (i32, i32) = (520, 430);
const LEFT: i32 = 130;
const TOP: i32 = 110;
const BETWEEN: i32 = 150;

/// Bytes of an entry as the caller has it: row, column, value.
const ENTRY: f64 = 24.0;

/// Logarithms of number and quantity of the solves of an objective.
fn logs(
    rows: &[Timed],
    objective: Objective,
    of: impl Fn(&Timed) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let own = rows.iter().filter(|row| row.record.objective == objective && row.record.m > 0);
    let point = |row: &Timed| {
        let value = of(row).filter(|value| *value > 0.0)?;
        Some(((row.record.m as f64).log10(), value.log10()))
    };
    own.filter_map(point).collect()
}

fn seconds(row: &Timed) -> Option<f64> {
    row.record.error.map(|_| row.seconds)
}

fn peak(row: &Timed) -> Option<f64> {
    row.record.error.and(row.peak).map(|bytes| bytes as f64)
}

/// What the figure says, in words: the slope of the time, and the bytes of an entry.
pub(crate) fn told(rows: &[Timed]) -> Option<String> {
    let largest = rows.iter().map(|row| row.record.m).max()?;
    let mut parts = Vec::new();
    for objective in Objective::ALL {
        let Some(slope) = Slope::of(&logs(rows, objective, seconds)) else { continue };
        let mut end: Vec<&Timed> = rows
            .iter()
            .filter(|row| row.record.objective == objective && 10 * row.record.m > 9 * largest)
            .collect();
        end.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let Some(row) = end.get(end.len() / 2) else { continue };
        let memory = row.peak.map_or(String::new(), |bytes| {
            format!(", {:.0} bytes an entry", bytes as f64 / row.record.m as f64)
        });
        parts.push(format!(
            "{objective}: time grows as the number of entries to the power {:.2}; {:.2} s{memory} at \
             {} entries",
            slope.value, row.seconds, row.record.m
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The picture of solves, and its description.
pub(super) fn draw(rows: &[Timed]) -> Result<(String, String), Failed> {
    let mut objectives: Vec<Objective> = rows.iter().map(|row| row.record.objective).collect();
    objectives.sort_unstable();
    objectives.dedup();
    let all = |of: fn(&Timed) -> Option<f64>| -> Vec<(f64, f64)> {
        objectives.iter().flat_map(|&o| logs(rows, o, of)).collect()
    };
    let (times, peaks) = (all(seconds), all(peak));
    if times.is_empty() {
        return Err("no solve has an answer".to_owned());
    }
    let x = range(times.iter().map(|p| p.0), 0.1);
    let data = x.0 + ENTRY.log10();
    let left = Panel {
        left: LEFT,
        top: TOP,
        width: PANEL.0,
        height: PANEL.1,
        x,
        y: range(times.iter().map(|p| p.1), 0.25),
    };
    let lows = peaks.iter().map(|p| p.1).chain([data]);
    let right = Panel { left: LEFT + PANEL.0 + BETWEEN, y: range(lows, 0.25), ..left };
    let size = (right.left + PANEL.0 + 40, TOP + PANEL.1 + 100);
    let svg = page((size.0.unsigned_abs(), size.1.unsigned_abs()), |root| {
        // In proportion to the number, through the first time.
        let first = times.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
        let offset = first.map_or(0.0, |(x, y)| y - x);
        curves(root, &left, (rows, &objectives), seconds, offset)?;
        left.title(root, "Time of a solve, one thread")?;
        left.axes(root, (&decades(x), "entries seen"), (&decades(left.y), "seconds"))?;
        curves(root, &right, (rows, &objectives), peak, ENTRY.log10())?;
        right.title(root, "Peak memory of the process")?;
        right.axes(root, (&decades(x), "entries seen"), (&bytes(right.y), ""))?;
        legend(root, &objectives, size.0 / 2)
    })?;
    let told = told(rows).unwrap_or_default();
    Ok((svg, format!("Time and peak memory over the number of entries. {told}.")))
}

fn range(values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    values.for_each(|v| (low, high) = (low.min(v), high.max(v)));
    if low <= high { (low - margin, high + margin) } else { (0.0, 1.0) }
}

/// Powers of ten, and two and five times these where there are few.
fn ticks((low, high): (f64, f64), label: impl Fn(f64, i32) -> String) -> Vec<(f64, String)> {
    let factors: &[f64] = if high - low > 2.2 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = low.floor() as i32..=high.ceil() as i32;
    let values = powers.flat_map(|e| factors.iter().map(move |&k| (k, e)));
    let placed = values.map(|(k, e)| (k.log10() + f64::from(e), label(k, e)));
    placed.filter(|(at, _)| (low..=high).contains(at)).collect()
}

fn decades(range: (f64, f64)) -> Vec<(f64, String)> {
    ticks(range, |k, e| match e {
        _ if k == 1.0 && !(-2..=3).contains(&e) => power_of_ten(e),
        _ if e > 3 => format!("{k}\u{b7}{}", power_of_ten(e)),
        _ => format!("{}", (k * 10f64.powi(e) * 1e6).round() / 1e6),
    })
}

fn bytes(range: (f64, f64)) -> Vec<(f64, String)> {
    ticks(range, |k, e| match e {
        ..6 => format!("{} kB", k * 10f64.powi(e - 3)),
        6..9 => format!("{} MB", k * 10f64.powi(e - 6)),
        _ => format!("{} GB", k * 10f64.powi(e - 9)),
    })
}

fn colour(objective: Objective) -> RGBColor {
    if is_flat(objective) { BLUE } else { VERMILION }
}

/// Every solve as a marker, the line through the medians of a size, and the guide of slope one that
/// passes `offset` at zero.
fn curves(
    root: &Page<'_>,
    panel: &Panel,
    (rows, objectives): (&[Timed], &[Objective]),
    of: fn(&Timed) -> Option<f64>,
    offset: f64,
) -> Result<(), Failed> {
    for (at, _) in decades(panel.y) {
        let line = vec![panel.at(panel.x.0, at), panel.at(panel.x.1, at)];
        put(root, &PathElement::new(line, FAINT.stroke_width(1)))?;
    }
    let guide = [panel.x.0, panel.x.1].map(|x| (x, x + offset));
    for part in panel.clipped(&guide) {
        dotted(root, &part, SKY)?;
    }
    for &objective in objectives.iter().rev() {
        let mut points = logs(rows, objective, of);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Draws of one size have nearly the same number of entries.
        let mut groups: Vec<Vec<(f64, f64)>> = Vec::new();
        for point in &points {
            match groups.last_mut().filter(|g| point.0 - g[0].0 < 0.05) {
                Some(group) => group.push(*point),
                None => groups.push(vec![*point]),
            }
        }
        let medians = groups.iter_mut().filter_map(|group| {
            group.sort_by(|a, b| a.1.total_cmp(&b.1));
            group.get(group.len() / 2).copied()
        });
        let path: Vec<(i32, i32)> = medians.map(|(x, y)| panel.at(x, y)).collect();
        put(root, &PathElement::new(path, colour(objective).stroke_width(3)))?;
        points.iter().try_for_each(|&(x, y)| marker(root, panel.at(x, y), objective))?;
    }
    Ok(())
}

/// A dot for FLAT, a frame for NUC: one fits into the other.
fn marker(root: &Page<'_>, (x, y): (i32, i32), objective: Objective) -> Result<(), Failed> {
    if is_flat(objective) {
        return put(root, &Circle::new((x, y), 5, colour(objective).filled()));
    }
    let frame =
        vec![(x - 8, y - 8), (x + 8, y - 8), (x + 8, y + 8), (x - 8, y + 8), (x - 8, y - 10)];
    put(root, &PathElement::new(frame, colour(objective).stroke_width(4)))
}

fn legend(root: &Page<'_>, objectives: &[Objective], centre: i32) -> Result<(), Failed> {
    let anchor = (HPos::Left, VPos::Center);
    let (mut x, y) = (centre - 210 - 130 * objectives.len() as i32, 36);
    for &objective in objectives {
        let line = vec![(x, y), (x + 50, y)];
        put(root, &PathElement::new(line, colour(objective).stroke_width(3)))?;
        marker(root, (x + 25, y), objective)?;
        text(root, name(objective), (x + 64, y), TEXT, INK, anchor)?;
        x += 260;
    }
    dotted(root, &[(x, y), (x + 50, y)], SKY)?;
    text(root, "in proportion; 24 bytes an entry", (x + 66, y), TEXT, INK, anchor)
}
