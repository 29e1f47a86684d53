//! Figures as SVG text.
//!
//! Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers; the two
//! objectives also differ in marker and line.

mod panel;
mod phase;
mod uneven;

use crate::Error;
use crate::record::Record;
use crate::summary::{Axis, Line, Table};
use flatmin::core::Objective;
use plotters::style::RGBColor;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const GREY: RGBColor = RGBColor(0x77, 0x77, 0x77);
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);

/// A figure of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Name of its file, without extension.
    pub name: String,
    /// What it shows, for those who cannot see it.
    pub alt: String,
    /// The picture.
    pub svg: String,
}

/// The figures of a sweep: a map of success frequencies for each axis and rank, and curves over the
/// exponent for each line of power-law sampling.
///
/// # Errors
/// When the drawing library fails.
pub fn figures(experiment: &str, records: &[&Record]) -> Result<Vec<Figure>, Error> {
    let table = Table::new(records.iter().copied());
    let mut families: Vec<Vec<Line>> = Vec::new();
    for line in table.lines() {
        let joins = |family: &Vec<Line>| {
            !matches!(line.axis, Axis::Exponent { .. })
                && family.first().is_some_and(|l| (l.axis, l.rank) == (line.axis, line.rank))
        };
        match families.iter_mut().find(|family| joins(family)) {
            Some(family) => family.push(line),
            None => families.push(vec![line]),
        }
    }
    let several = families.len() > 1;
    let mut figures = Vec::new();
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
        };
        let name = if several { format!("{experiment}{suffix}") } else { experiment.to_owned() };
        let (svg, alt) =
            picture.map_err(|message| Error::Figure { figure: name.clone(), message })?;
        let svg = described(&svg, &alt);
        figures.push(Figure { name, alt, svg });
    }
    Ok(figures)
}

/// Names as on the figures.
fn name(objective: Objective) -> &'static str {
    match objective {
        Objective::Flat => "FLAT",
        Objective::Nuclear => "NUC",
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
