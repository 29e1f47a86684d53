//! Figures as SVG text.
//!
//! Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers; the two
//! objectives also differ in marker and line.

mod corruption;
mod kappa;
mod noise;
pub(crate) mod panel;
pub(crate) mod phase;
mod regularity;
mod scaling;
mod uneven;

use crate::Error;
use crate::noise::{over_measurements, over_noise};
use crate::record::{Record, Timed};
use crate::spec::Objective;
use crate::summary::{Axis, Line, Table};
use plotters::style::RGBColor;

pub(crate) use scaling::told;

pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(crate) const FAINT: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub(crate) const GREY: RGBColor = RGBColor(0x77, 0x77, 0x77);
pub(crate) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(crate) const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(crate) const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
pub(crate) const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
pub(crate) const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
pub(crate) const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);

/// A figure of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Name of its file, without extension.
    pub name: String,
    /// What it shows, for those who cannot see it.
    pub alt: String,
    /// The picture.
    pub svg: String,
    /// Whether it shows times, and so differs from run to run.
    pub timed: bool,
}

/// The figures of a sweep: a map of success frequencies for each axis and rank (for robust PCA, each
/// size), and curves over the exponent for each line of power-law sampling; for the experiments of Figure 4 maps of the
/// regularity of flat factors, and curves of `kappa`; under noise, errors over its levels and over the
/// number of measurements.
///
/// # Errors
/// When the drawing library fails.
pub fn figures(experiment: &str, records: &[&Record]) -> Result<Vec<Figure>, Error> {
    let table = Table::new(records.iter().copied());
    let mut families: Vec<Vec<Line>> = Vec::new();
    for line in table.lines() {
        let joins = |family: &Vec<Line>| family.first().is_some_and(|l| share_a_map(l, &line));
        match families.iter_mut().find(|family| joins(family)) {
            Some(family) => family.push(line),
            None => families.push(vec![line]),
        }
    }
    if experiment.starts_with("fig4-") {
        return regular(experiment, &table, &families);
    }
    let several = families.len() > 1;
    let mut figures = noisy(experiment, records)?;
    for family in &families {
        let Some(&line) = family.first() else {
            continue;
        };
        let (suffix, picture) = match line.axis {
            Axis::Exponent { entries } => (
                format!("-{}x{}-rank{}-{entries}", line.rows, line.cols, line.rank),
                uneven::draw(&table, line),
            ),
            Axis::Measurements => (format!("-m-rank{}", line.rank), phase::draw(&table, family)),
            Axis::Probability => (format!("-p-rank{}", line.rank), phase::draw(&table, family)),
            Axis::Corruption { missing, magnitude } => (
                format!("-{}x{}-missing{missing}-magnitude{magnitude}", line.rows, line.cols),
                corruption::draw(&table, family),
            ),
        };
        let name = if several { format!("{experiment}{suffix}") } else { experiment.to_owned() };
        figures.push(finished(name, picture)?);
    }
    Ok(figures)
}

/// The figures of records with noise: errors over its levels, and over the number of measurements.
fn noisy(experiment: &str, records: &[&Record]) -> Result<Vec<Figure>, Error> {
    let (levels, counts) = (over_noise(records), over_measurements(records));
    let mut figures = Vec::new();
    if !levels.is_empty() {
        figures.push(finished(experiment.to_owned(), noise::levels(&levels))?);
    }
    if !counts.is_empty() {
        figures.push(finished(format!("{experiment}-m"), noise::counts(&counts))?);
    }
    Ok(figures)
}

/// The figure of what large problems took; none where no draw was alone or none was solved.
///
/// # Errors
/// When the drawing library fails.
pub fn timed(experiment: &str, rows: &[Timed]) -> Result<Option<Figure>, Error> {
    if rows.iter().all(|row| row.peak.is_none() || row.record.error.is_none()) {
        return Ok(None);
    }
    let figure = finished(format!("{experiment}-times"), scaling::draw(rows))?;
    Ok(Some(Figure { timed: true, ..figure }))
}

/// Whether two lines stand side by side: sizes for a rank, ranks for a size with wrong entries.
fn share_a_map(a: &Line, b: &Line) -> bool {
    let alike = (a.model, a.axis) == (b.model, b.axis);
    match a.axis {
        Axis::Exponent { .. } => false,
        Axis::Corruption { .. } => alike && (a.rows, a.cols) == (b.rows, b.cols),
        Axis::Measurements | Axis::Probability => alike && a.rank == b.rank,
    }
}

/// The figures of Figure 4, whose records are of one family of lines.
fn regular(
    experiment: &str,
    table: &Table<'_>,
    families: &[Vec<Line>],
) -> Result<Vec<Figure>, Error> {
    let Some(lines) = families.first() else {
        return Ok(Vec::new());
    };
    Ok(vec![
        finished(experiment.to_owned(), regularity::maps(table, lines))?,
        finished(format!("{experiment}-kappa"), kappa::draw(table, lines))?,
    ])
}

/// A figure from its picture and description.
pub(crate) fn finished(
    name: String,
    picture: Result<(String, String), String>,
) -> Result<Figure, Error> {
    let (svg, alt) = picture.map_err(|message| Error::Figure { figure: name.clone(), message })?;
    Ok(Figure { svg: described(&svg, &alt), name, alt, timed: false })
}

/// Of two objectives side by side, whether it is the one that gives flat minima.
fn is_flat(objective: Objective) -> bool {
    matches!(objective, Objective::Flat | Objective::FlatPenalised | Objective::Constrained)
}

/// Names as on the figures.
fn name(objective: Objective) -> &'static str {
    match objective {
        Objective::Flat => "FLAT",
        Objective::Nuclear => "NUC",
        Objective::FlatPenalised => "FLAT, penalised",
        Objective::NuclearPenalised => "NUC, penalised",
        Objective::Constrained => "constrained",
        Objective::Penalised => "penalised",
    }
}

/// The picture with a description that screen readers find.
fn described(svg: &str, alt: &str) -> String {
    // Cells that touch must not show a seam.
    svg.replace("<rect ", "<rect shape-rendering=\"crispEdges\" ").replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(alt)),
        1,
    )
}

/// Text for HTML and SVG, also inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
