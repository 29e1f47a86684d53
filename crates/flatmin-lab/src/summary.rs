//! Counts over records: what figures, claims and the report are made of.

use crate::record::Record;
use crate::spec::{Cell, Millionths, Model, Objective, Sampling};
use crate::transition::{Point, Transition, transition};
use std::collections::BTreeMap;

/// Which parameter moves along a line of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// Number of measurements, or of entries of a large matrix.
    Measurements,
    /// Probability of an entry.
    Probability,
    /// Exponent of power-law sampling with this expected number of entries.
    Exponent {
        /// Expected number of entries.
        entries: usize,
    },
    /// Probability of a wrong entry, along which recovery ends where elsewhere it begins.
    Corruption {
        /// Probability of a missing entry.
        missing: Millionths,
        /// Size of what is added to wrong entries.
        magnitude: Millionths,
    },
}

/// A line of cells: all but one parameter fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// The measurement model.
    pub model: Model,
    /// The parameter that moves.
    pub axis: Axis,
    /// Rank of the planted matrix.
    pub rank: usize,
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub cols: usize,
}

impl Line {
    /// The line of a cell.
    pub fn of(cell: &Cell) -> Line {
        let axis = match cell.sampling {
            Sampling::Bernoulli { .. } => Axis::Probability,
            Sampling::PowerLaw { entries, .. } => Axis::Exponent { entries },
            Sampling::Corrupted { missing, magnitude, .. } => {
                Axis::Corruption { missing, magnitude }
            }
            _ => Axis::Measurements,
        };
        Line { model: cell.model(), axis, rank: cell.rank, rows: cell.rows, cols: cell.cols }
    }
}

/// The records of one cell and one objective.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The level along the line.
    pub level: f64,
    /// Records in the order of trials.
    pub records: Vec<&'a Record>,
}

impl Group<'_> {
    /// Successes among the trials.
    pub fn point(&self) -> Point {
        let successes = self.records.iter().filter(|r| r.success).count();
        Point { level: self.level, successes, trials: self.records.len() }
    }

    /// Quantile of the error over trials, by linear interpolation between order statistics; trials
    /// without an answer count as infinite error.
    pub fn error_quantile(&self, q: f64) -> f64 {
        let mut errors: Vec<f64> =
            self.records.iter().map(|r| r.error.unwrap_or(f64::INFINITY)).collect();
        errors.sort_by(f64::total_cmp);
        quantile(&errors, q).unwrap_or(f64::INFINITY)
    }
}

/// The value below which a share of sorted values lies, by linear interpolation between order statistics, at
/// `1 + q (n - 1)`; `None` without values.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    Some(if low == high { low } else { low + position.fract() * (high - low) })
}

/// Records by line and objective, levels in increasing order.
#[derive(Debug, Default)]
pub struct Table<'a> {
    lines: BTreeMap<(Line, Objective), Vec<Group<'a>>>,
}

impl<'a> Table<'a> {
    /// Sorts records into their lines. Records that name no cell are left out, those with noise, in
    /// which recovery is a matter of degree, and those of large matrices, where it is beyond doubt.
    pub fn new(records: impl IntoIterator<Item = &'a Record>) -> Table<'a> {
        let mut groups: BTreeMap<(Line, Objective), BTreeMap<u64, Group<'a>>> = BTreeMap::new();
        for record in records {
            let tried = |cell: &Cell| {
                cell.noise.0 == 0 && !matches!(cell.sampling, Sampling::Scattered { .. })
            };
            let Some(cell) = record.cell().filter(tried) else { continue };
            let line = Line::of(&cell);
            let level = cell.level();
            groups
                .entry((line, record.objective))
                .or_default()
                // Levels are not negative, so their bits sort as they do.
                .entry(level.to_bits())
                .or_insert_with(|| Group { level, records: Vec::new() })
                .records
                .push(record);
        }
        let lines =
            groups.into_iter().map(|(key, by_level)| (key, by_level.into_values().collect()));
        Table { lines: lines.collect() }
    }

    /// The lines, each once.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.lines.keys().map(|(line, _)| *line).collect();
        lines.dedup();
        lines
    }

    /// The cells of a line for one objective.
    pub fn groups(&self, line: Line, objective: Objective) -> &[Group<'a>] {
        let groups = self.lines.get(&(line, objective));
        groups.map_or(&[], Vec::as_slice)
    }

    /// Where recovery sets in along a line, or ends, where more makes it harder.
    pub fn transition(&self, line: Line, objective: Objective) -> Option<Transition> {
        let points = self.groups(line, objective).iter().map(Group::point);
        if let Axis::Corruption { .. } = line.axis {
            let mirrored = |p: Point| Point { level: -p.level, ..p };
            let found = transition(&points.rev().map(mirrored).collect::<Vec<_>>())?;
            let bracket = (-found.bracket.1, -found.bracket.0);
            return Some(Transition { half: -found.half, bracket, ..found });
        }
        transition(&points.collect::<Vec<_>>())
    }

    /// Objectives that have records on a line.
    pub fn objectives(&self, line: Line) -> Vec<Objective> {
        Objective::ALL.into_iter().filter(|&o| !self.groups(line, o).is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_ends_where_corruption_becomes_too_much() {
        let sampling = |k: u32| Sampling::Corrupted {
            corruption: Millionths(100_000 * k),
            missing: Millionths(0),
            magnitude: Millionths(5_000_000),
        };
        let mut records = Vec::new();
        for (k, successes) in [(1, 4), (2, 4), (3, 0), (4, 0)] {
            let cell = Cell::exact(9, 9, 1, sampling(k));
            for trial in 0..4 {
                let mut record = Record::blank("x", &cell, trial, Objective::Constrained);
                record.success = trial < successes;
                records.push(record);
            }
        }
        let table = Table::new(&records);
        let [line] = table.lines().try_into().unwrap();
        assert_eq!(table.objectives(line), [Objective::Constrained]);
        let found = table.transition(line, Objective::Constrained).unwrap();
        assert!((found.half - 0.25).abs() < 1e-12);
        assert_eq!(found.bracket, (0.2, 0.3));
        assert_eq!(table.transition(line, Objective::Penalised), None);
    }
}
