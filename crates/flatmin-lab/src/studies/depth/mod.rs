//! Sparse recovery by products of factors: what depth does to recovery.
//!
//! Flat solutions `x = v_1 o ... o v_k` of `A x = b` minimise `sum_j |a_j|^2 |x_j|^p`, `p = 2 - 2/k`. Each draw,
//! a sparse vector of unit norm and Gaussian measurements of it, is solved at several depths and by the plain
//! `min sum_j |x_j|`, over a grid of numbers of measurements and of nonzeros; in a few cells, where two factors
//! should recover, at more depths.

mod claims;
mod figure;
mod report;
pub mod summary;

use crate::Error;
use crate::claims::Claim;
use crate::figure::{Figure, finished};
use crate::spec::Scale;
use crate::study::{About, Evidence, Study, failed};
use flatmin::core::rng::{Role, Stream};
use flatmin::hadamard::{self, Depth, Planted};
use serde::{Deserialize, Serialize};
use std::fmt;
use summary::Table;

/// Relative duality gap to certify.
const TOLERANCE: f64 = 1e-8;

/// An error below this is recovery; the planted vectors have unit norm.
pub const RECOVERED: f64 = 1e-6;

/// What is minimised over the solutions of `A x = b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// `sum_j |x_j|`.
    Plain,
    /// The trace of the Hessian over factorisations into so many factors.
    Flat(Depth),
}

impl Norm {
    /// All that are solved somewhere.
    pub const ALL: [Norm; 9] = [
        Norm::Plain,
        Norm::flat(2),
        Norm::flat(3),
        Norm::flat(4),
        Norm::flat(6),
        Norm::flat(8),
        Norm::flat(16),
        Norm::flat(32),
        Norm::Flat(Depth::Infinite),
    ];

    /// Those that are solved over the whole grid.
    pub const MAPPED: [Norm; 6] = [
        Norm::Plain,
        Norm::flat(2),
        Norm::flat(3),
        Norm::flat(4),
        Norm::flat(8),
        Norm::Flat(Depth::Infinite),
    ];

    /// At a finite depth.
    pub const fn flat(factors: usize) -> Norm {
        Norm::Flat(Depth::Finite(factors))
    }

    /// The flat ones, from the smallest depth.
    pub fn depths() -> impl Iterator<Item = Norm> {
        Norm::ALL.into_iter().filter(|norm| *norm != Norm::Plain)
    }

    /// For the reader.
    pub fn name(self) -> String {
        match self {
            Norm::Plain => "l1".to_owned(),
            Norm::Flat(Depth::Infinite) => "k = \u{221e}".to_owned(),
            Norm::Flat(depth) => format!("k = {depth}"),
        }
    }
}

/// As in the records.
impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Norm::Plain => f.write_str("l1"),
            Norm::Flat(depth) => depth.fmt(f),
        }
    }
}

/// One solve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Length of the vector.
    pub d: usize,
    /// Measurements.
    pub m: usize,
    /// Nonzeros of the planted vector.
    pub s: usize,
    /// Number of the draw in its cell, from 0.
    pub trial: u32,
    /// What was minimised: `l1`, or the number of factors, `inf` for the limit of many.
    pub norm: String,
    /// `|x - truth|_2`.
    pub error: f64,
    /// Whether that is below [`RECOVERED`].
    pub recovered: bool,
    /// Whether the gap is proved to be at most the tolerance.
    pub certified: bool,
    /// Relative duality gap.
    pub relative_gap: f64,
    /// `|A x - b|_2 / |b|_2`.
    pub feasibility: f64,
    /// Nonzeros of the answer, those above `1e-7` of the largest.
    pub nonzeros: usize,
    /// Whether it is proved to be the only one.
    pub unique: bool,
    /// Iterations.
    pub iterations: usize,
    /// Version of flatmin.
    pub version: String,
}

impl Evidence for Row {
    fn claims(rows: &[Row]) -> Vec<Claim> {
        claims::of(&Table::new(rows))
    }

    fn figures(rows: &[Row]) -> Result<Vec<Figure>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let table = Table::new(rows);
        Ok(vec![
            finished("depth".to_owned(), figure::maps(&table))?,
            finished("depth-error".to_owned(), figure::errors(&table))?,
        ])
    }

    fn caption(figure: &Figure) -> &'static str {
        report::caption(figure)
    }

    fn write(rows: &[Row], page: &mut String) {
        report::write(page, &Table::new(rows));
    }
}

/// All draws of a number of measurements and of nonzeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Length of the vector.
    pub d: usize,
    /// Measurements.
    pub m: usize,
    /// Nonzeros.
    pub s: usize,
    /// Draws.
    pub trials: u32,
    /// Whether all depths are solved, and not only those of the maps.
    pub deep: bool,
}

impl Cell {
    fn norms(&self) -> &'static [Norm] {
        if self.deep { &Norm::ALL } else { &Norm::MAPPED }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cell { d, m, s, trials, deep } = self;
        let depths = if *deep { "all depths" } else { "some depths" };
        write!(f, "d {d} m {m} s {s}: {trials} draws at {depths}")
    }
}

/// The study, over all cells of its scale or the given ones.
#[derive(Default)]
pub struct Depths {
    /// Cells in the place of all.
    pub only: Option<Vec<Cell>>,
}

impl Study for Depths {
    type Task = Cell;
    type Row = Row;
    const ABOUT: About = About {
        id: "depth",
        title: "Depth: sparse recovery by products of factors",
        must_show: "two factors recover where least sums of magnitudes do, at the statistical dimension; three \
                    and more do not recover there, and errors grow with depth",
    };

    fn tasks(&self, scale: Scale) -> Vec<Cell> {
        if let Some(cells) = &self.only {
            return cells.clone();
        }
        // Deep cells have three deviations of the transition or more to spare.
        let (d, step, trials, deep) = match scale {
            Scale::Quick => (40, (2, 1), 20, [(20, 2), (28, 5), (36, 10)]),
            Scale::Paper => (100, (4, 2), 20, [(40, 4), (60, 14), (80, 26)]),
        };
        let row = |s| {
            let cell = move |m| Cell { d, m, s, trials, deep: deep.contains(&(m, s)) };
            (step.0..=d).step_by(step.0).map(cell)
        };
        (step.1..=d / 2).step_by(step.1).flat_map(row).collect()
    }

    fn perform(&self, cell: &Cell, seed: u64) -> Result<Vec<Row>, Error> {
        let draws = (0..cell.trials).map(|trial| draw(cell, trial, seed));
        let rows = draws.collect::<Result<Vec<_>, _>>().map_err(failed(cell))?;
        Ok(rows.into_iter().flatten().collect())
    }

    fn extent(&self, scale: Scale) -> String {
        let cells = self.tasks(scale);
        let solves: usize = cells.iter().map(|c| c.trials as usize * c.norms().len()).sum();
        let draws = cells.first().map_or(0, |c| c.trials);
        format!("{} cells, {draws} draws each, {solves} solves", cells.len())
    }
}

/// A draw, solved for every norm.
fn draw(cell: &Cell, trial: u32, seed: u64) -> Result<Vec<Row>, hadamard::Error> {
    let &Cell { d, m, s, .. } = cell;
    let key = ((d as u64) << 40) | ((m as u64) << 20) | s as u64;
    let stream = |role| Stream::new(seed, Depths::ABOUT.id, key, u64::from(trial), role);
    let (mut truth, mut measurements) = (stream(Role::Truth), stream(Role::Measurements));
    let planted = Planted::gaussian(m, d, s, &mut truth, &mut measurements)?;
    let solve = |&norm: &Norm| {
        let program = match norm {
            Norm::Plain => planted.problem.nuclear(2),
            Norm::Flat(depth) => planted.problem.flat(depth),
        };
        let found = program.tolerance(TOLERANCE).solve()?;
        let squares = found.x.iter().zip(&planted.truth).map(|(x, truth)| (x - truth).powi(2));
        let error = squares.sum::<f64>().sqrt();
        Ok(Row {
            d,
            m,
            s,
            trial,
            norm: norm.to_string(),
            error,
            recovered: error < RECOVERED,
            certified: found.status.is_certified(),
            relative_gap: found.relative_gap,
            feasibility: found.feasibility,
            nonzeros: found.rank,
            unique: found.unique,
            iterations: found.iterations,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    };
    cell.norms().iter().map(solve).collect()
}

#[cfg(test)]
impl Row {
    /// A solve with this error, for tests of what is made of it.
    pub(crate) fn blank(norm: Norm, error: f64) -> Row {
        Row {
            d: 40,
            m: 20,
            s: 2,
            trial: 0,
            norm: norm.to_string(),
            error,
            recovered: error < RECOVERED,
            certified: true,
            relative_gap: 0.0,
            feasibility: 0.0,
            nonzeros: 2,
            unique: true,
            iterations: 1,
            version: String::new(),
        }
    }
}
