//! A pair of axes on the page: where a point of the data goes, frame, ticks and labels.

use super::{FAINT, INK};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A page of SVG, its origin at the upper left.
pub(crate) type Page<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A drawing step failed.
pub(crate) type Failed = String;

/// Font size of labels and of titles.
pub(crate) const TEXT: i32 = 22;
pub(crate) const TITLE: i32 = 27;

/// Draws on a white page of the given size and returns the SVG.
pub(crate) fn page(
    size: (u32, u32),
    draw: impl FnOnce(&Page<'_>) -> Result<(), Failed>,
) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        draw(&root)?;
        root.present().map_err(|e| e.to_string())?;
    }
    Ok(svg)
}

/// Draws one element.
pub(crate) fn put<'a, 'b, E>(page: &Page<'a>, element: &'b E) -> Result<(), Failed>
where
    &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
    E: plotters::element::Drawable<SVGBackend<'a>>,
{
    page.draw(element).map_err(|e| e.to_string())
}

/// Writes text at a place of the page.
pub(crate) fn text(
    page: &Page<'_>,
    content: &str,
    at: (i32, i32),
    size: i32,
    colour: RGBColor,
    (h, v): (HPos, VPos),
) -> Result<(), Failed> {
    let style = ("sans-serif", size).into_font().color(&colour).pos(Pos::new(h, v));
    put(page, &Text::new(content.to_owned(), at, style))
}

/// Writes text that runs upwards, centred at a place of the page.
pub(crate) fn upward(page: &Page<'_>, content: &str, at: (i32, i32)) -> Result<(), Failed> {
    let font = ("sans-serif", TEXT).into_font().transform(FontTransform::Rotate270);
    let style = font.color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    put(page, &Text::new(content.to_owned(), at, style))
}

/// `10` with its exponent raised.
pub(crate) fn power_of_ten(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).and_then(|d| DIGITS.get(d as usize).copied());
    let raised = |c| digit(c).unwrap_or('⁻');
    "10".chars().chain(exponent.to_string().chars().map(raised)).collect()
}

/// Powers of ten inside a range of logarithms, at most so many.
pub(crate) fn decades((low, high): (f64, f64), most: i32) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    let step = usize::try_from((last - first) / most.max(1) + 1).unwrap_or(1);
    (first..=last).rev().step_by(step).map(|e| (f64::from(e), power_of_ten(e))).collect()
}

/// One, two and five times powers of ten, inside a range of logarithms.
pub(crate) fn rounds((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let powers = low.floor() as i32..=high.ceil() as i32;
    let values = powers.flat_map(|e| [(1, e), (2, e), (5, e)]);
    let label = |k: i32, e: i32| format!("{}", (f64::from(k) * 10f64.powi(e) * 1e9).round() / 1e9);
    let place = |(k, e): (i32, i32)| (f64::from(k).log10() + f64::from(e), label(k, e));
    values.map(place).filter(|(at, _)| (low..=high).contains(at)).collect()
}

/// Small dots along a path.
pub(crate) fn dots(root: &Page<'_>, pixels: &[(i32, i32)]) -> Result<(), Failed> {
    for pair in pixels.windows(2) {
        let (dx, dy) = (f64::from(pair[1].0 - pair[0].0), f64::from(pair[1].1 - pair[0].1));
        let pieces = (dx.hypot(dy) / 9.0).floor().max(1.0);
        for k in 0..pieces as i32 {
            let t = f64::from(k) / pieces;
            let along = |from: i32, by: f64| from + (t * by).round() as i32;
            let dot = (along(pair[0].0, dx), along(pair[0].1, dy));
            put(root, &Circle::new(dot, 2, INK.filled()))?;
        }
    }
    Ok(())
}

/// A rectangle of the page with linear axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panel {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
}

impl Panel {
    /// Place on the page of a point of the data.
    pub(crate) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let fraction = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low);
        (
            self.left + (fraction(x, self.x) * f64::from(self.width)).round() as i32,
            self.top + ((1.0 - fraction(y, self.y)) * f64::from(self.height)).round() as i32,
        )
    }

    /// Light lines at the y ticks, under the data.
    pub(crate) fn grid(&self, page: &Page<'_>, ticks: &[(f64, String)]) -> Result<(), Failed> {
        for (y, _) in ticks {
            let line = vec![self.at(self.x.0, *y), self.at(self.x.1, *y)];
            put(page, &PathElement::new(line, FAINT.stroke_width(1)))?;
        }
        Ok(())
    }

    /// Frame, ticks with their labels, and the names of the axes.
    pub(crate) fn axes(
        &self,
        page: &Page<'_>,
        (x_ticks, x_name): (&[(f64, String)], &str),
        (y_ticks, y_name): (&[(f64, String)], &str),
    ) -> Result<(), Failed> {
        let (bottom, right) = (self.top + self.height, self.left + self.width);
        let frame = Rectangle::new([(self.left, self.top), (right, bottom)], INK.stroke_width(2));
        put(page, &frame)?;
        for (x, label) in x_ticks {
            let (px, _) = self.at(*x, self.y.0);
            let tick = vec![(px, bottom), (px, bottom + 7)];
            put(page, &PathElement::new(tick, INK.stroke_width(2)))?;
            text(page, label, (px, bottom + 12), TEXT, INK, (HPos::Center, VPos::Top))?;
        }
        for (y, label) in y_ticks {
            let (_, py) = self.at(self.x.0, *y);
            let tick = vec![(self.left - 7, py), (self.left, py)];
            put(page, &PathElement::new(tick, INK.stroke_width(2)))?;
            text(page, label, (self.left - 13, py), TEXT, INK, (HPos::Right, VPos::Center))?;
        }
        let middle = self.left + self.width / 2;
        text(page, x_name, (middle, bottom + 46), TEXT, INK, (HPos::Center, VPos::Top))?;
        if !y_name.is_empty() {
            upward(page, y_name, (self.left - 88, self.top + self.height / 2))?;
        }
        Ok(())
    }

    /// Title above the panel.
    pub(crate) fn title(&self, page: &Page<'_>, content: &str) -> Result<(), Failed> {
        let at = (self.left + self.width / 2, self.top - 14);
        text(page, content, at, TITLE, INK, (HPos::Center, VPos::Bottom))
    }

    /// The parts of a polyline that lie inside the y range, cut at its ends.
    pub(crate) fn clipped(&self, points: &[(f64, f64)]) -> Vec<Vec<(i32, i32)>> {
        let (low, high) = self.y;
        let mut parts: Vec<Vec<(i32, i32)>> = vec![Vec::new()];
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let along = |y: f64| (a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0), y);
            let into = |p: (f64, f64)| match p.1 {
                y if y < low => along(low),
                y if y > high => along(high),
                _ => p,
            };
            if a.1.max(b.1) < low || a.1.min(b.1) > high {
                parts.push(Vec::new());
                continue;
            }
            let (from, to) = (into(a), into(b));
            if let Some(part) = parts.last_mut() {
                if part.is_empty() {
                    part.push(self.at(from.0, from.1));
                }
                part.push(self.at(to.0, to.1));
            }
            if to != b {
                parts.push(Vec::new());
            }
        }
        parts.retain(|part| part.len() > 1);
        parts
    }
}
