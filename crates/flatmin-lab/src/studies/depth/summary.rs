//! Rows by cell and norm: counts of recovered draws, transitions, quartiles of errors.

use super::{Norm, Row};
use crate::summary::quantile;
use crate::transition::{Point, Transition, transition};
use std::collections::BTreeMap;

/// A number of nonzeros and of measurements.
pub type Place = (usize, usize);

/// The rows of a study of one length.
#[derive(Debug)]
pub struct Table<'a> {
    /// All rows.
    pub rows: &'a [Row],
    /// Length of the vectors; zero without rows.
    pub d: usize,
    cells: BTreeMap<Place, [Vec<&'a Row>; Norm::ALL.len()]>,
}

/// Quartiles of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// The first.
    pub low: f64,
    /// The second.
    pub median: f64,
    /// The third.
    pub high: f64,
}

impl<'a> Table<'a> {
    /// Rows sorted into their cells.
    pub fn new(rows: &'a [Row]) -> Table<'a> {
        let names = Norm::ALL.map(|norm| norm.to_string());
        let mut cells: BTreeMap<Place, [Vec<&Row>; Norm::ALL.len()]> = BTreeMap::new();
        for row in rows {
            if let Some(norm) = names.iter().position(|name| *name == row.norm) {
                cells.entry((row.s, row.m)).or_default()[norm].push(row);
            }
        }
        Table { rows, d: rows.first().map_or(0, |row| row.d), cells }
    }

    /// All cells, in the order of nonzeros and then of measurements.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.cells.keys().copied()
    }

    /// Numbers of nonzeros, in order.
    pub fn sparsities(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.places().map(|place| place.0).collect();
        all.dedup();
        all
    }

    /// Numbers of measurements, in order.
    pub fn measurements(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.places().map(|place| place.1).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The solves of a norm in a cell, in the order of draws.
    pub fn at(&self, place: Place, norm: Norm) -> &[&'a Row] {
        let k = Norm::ALL.iter().position(|n| *n == norm);
        self.cells.get(&place).zip(k).map_or(&[], |(cell, k)| cell[k].as_slice())
    }

    /// How many draws of a cell are recovered.
    pub fn point(&self, place: Place, norm: Norm) -> Point {
        let rows = self.at(place, norm);
        let successes = rows.iter().filter(|row| row.recovered).count();
        Point { level: place.1 as f64, successes, trials: rows.len() }
    }

    /// Whether there are draws and all of them are recovered.
    pub fn all_recovered(&self, place: Place, norm: Norm) -> bool {
        let point = self.point(place, norm);
        point.trials > 0 && point.successes == point.trials
    }

    /// Where recovery of a number of nonzeros sets in.
    pub fn transition(&self, s: usize, norm: Norm) -> Option<Transition> {
        let places = self.places().filter(|place| place.0 == s);
        let points = places.map(|place| self.point(place, norm)).filter(|p| p.trials > 0);
        transition(&points.collect::<Vec<_>>())
    }

    /// Cells that are solved at all depths.
    pub fn deep(&self) -> Vec<Place> {
        let all = |place: &Place| Norm::ALL.iter().all(|n| !self.at(*place, *n).is_empty());
        self.places().filter(all).collect()
    }

    /// Quartiles of the errors of a cell.
    pub fn errors(&self, place: Place, norm: Norm) -> Option<Quartiles> {
        quartiles(self.at(place, norm).iter().map(|row| row.error).collect())
    }
}

/// Quartiles of a sample in any order; `None` of an empty one.
pub fn quartiles(mut sample: Vec<f64>) -> Option<Quartiles> {
    sample.sort_by(f64::total_cmp);
    let at = |q| quantile(&sample, q);
    Some(Quartiles { low: at(0.25)?, median: at(0.5)?, high: at(0.75)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_those_of_the_interpolated_sample() {
        let found = quartiles(vec![4.0, 1.0, 2.0, 3.0, 5.0]);
        assert_eq!(found, Some(Quartiles { low: 2.0, median: 3.0, high: 4.0 }));
        let found = quartiles(vec![2.0, 1.0]);
        assert_eq!(found, Some(Quartiles { low: 1.25, median: 1.5, high: 1.75 }));
        assert_eq!(quartiles(Vec::new()), None);
    }

    #[test]
    fn rows_are_found_by_cell_and_norm() {
        let row = |s, m, norm: Norm, error| Row { s, m, ..Row::blank(norm, error) };
        let rows = [
            row(2, 4, Norm::flat(3), 0.5),
            row(1, 6, Norm::Plain, 0.0),
            row(2, 4, Norm::flat(3), 0.0),
            row(2, 8, Norm::flat(3), 0.0),
        ];
        let table = Table::new(&rows);
        assert_eq!((table.sparsities(), table.measurements()), (vec![1, 2], vec![4, 6, 8]));
        let expected = Point { level: 4.0, successes: 1, trials: 2 };
        assert_eq!(table.point((2, 4), Norm::flat(3)), expected);
        assert!(!table.all_recovered((2, 4), Norm::flat(3)));
        assert!(table.all_recovered((2, 8), Norm::flat(3)));
        assert!(!table.all_recovered((2, 8), Norm::flat(2)));
        assert_eq!(table.transition(2, Norm::flat(3)), None);
        assert_eq!(table.deep(), []);
        assert_eq!(table.errors((2, 4), Norm::flat(3)).map(|q| q.median), Some(0.25));
    }
}
