//! The best of the starts of each draw and depth, and means over draws.

use super::{DEPTHS, EXACT, Row};

/// What was found for one draw and depth.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// All starts.
    pub starts: &'a [Row],
    /// The start that ended with the least trace, among those that fit.
    pub best: &'a Row,
}

impl<'a> Found<'a> {
    /// Draws and depths in the order of the rows, without those of which no start fits.
    pub fn all(rows: &'a [Row]) -> Vec<Found<'a>> {
        let alike = |a: &Row, b: &Row| {
            (a.d, a.rank, a.m, a.trial, a.depth) == (b.d, b.rank, b.m, b.trial, b.depth)
        };
        let best = |starts: &'a [Row]| {
            let fitting = starts.iter().filter(|row| row.fits());
            let best = fitting.min_by(|a, b| a.trace.total_cmp(&b.trace))?;
            Some(Found { starts, best })
        };
        rows.chunk_by(alike).filter_map(best).collect()
    }

    /// Whether the planted matrix is recovered.
    pub fn recovers(&self) -> bool {
        self.best.error < EXACT
    }

    /// Whether NUC recovers it.
    pub fn nuclear_recovers(&self) -> bool {
        self.best.nuclear_error < EXACT
    }

    /// Searches that ended on the zero set, at a trace larger than the best by more than this part of it.
    pub fn higher(&self, by: f64) -> usize {
        let limit = self.best.trace * (1.0 + by);
        self.starts.iter().filter(|row| row.fits() && row.trace > limit).count()
    }
}

/// A method of the comparison: flat layers of a depth, or NUC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Flat factorisations into so many layers.
    Layers(usize),
    /// The least nuclear norm.
    Nuclear,
}

impl Method {
    /// All, NUC first.
    pub const ALL: [Method; 4] = [
        Method::Nuclear,
        Method::Layers(DEPTHS[0]),
        Method::Layers(DEPTHS[1]),
        Method::Layers(DEPTHS[2]),
    ];

    /// For the reader.
    pub fn name(self) -> String {
        match self {
            Method::Layers(depth) => format!("{depth} layers"),
            Method::Nuclear => "NUC".to_owned(),
        }
    }

    /// The depth of the rows that hold its results.
    fn depth(self) -> usize {
        match self {
            Method::Layers(depth) => depth,
            Method::Nuclear => DEPTHS[0],
        }
    }

    /// What it found for the draws of a rank and a number of measurements.
    pub fn of<'a>(self, found: &[Found<'a>], rank: usize, m: usize) -> Vec<Found<'a>> {
        let of = |f: &&Found<'a>| (f.best.rank, f.best.m, f.best.depth) == (rank, m, self.depth());
        found.iter().filter(of).copied().collect()
    }

    /// Its error on a draw.
    pub fn error(self, found: &Found<'_>) -> f64 {
        match self {
            Method::Layers(_) => found.best.error,
            Method::Nuclear => found.best.nuclear_error,
        }
    }

    /// `|X|_*` over the least that fits.
    pub fn ratio(self, found: &Found<'_>) -> f64 {
        match self {
            Method::Layers(_) => found.best.ratio(),
            Method::Nuclear => 1.0,
        }
    }
}

/// The ranks, and the numbers of measurements of each, in increasing order.
pub fn cells(found: &[Found<'_>]) -> Vec<(usize, Vec<usize>)> {
    let mut ranks: Vec<usize> = found.iter().map(|f| f.best.rank).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let of = |rank: usize| {
        let mut all: Vec<usize> =
            found.iter().filter(|f| f.best.rank == rank).map(|f| f.best.m).collect();
        all.sort_unstable();
        all.dedup();
        (rank, all)
    };
    ranks.into_iter().map(of).collect()
}

/// The mean, `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}
