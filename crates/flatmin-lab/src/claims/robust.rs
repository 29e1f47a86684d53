//! Robust PCA: how many wrong entries are too many.

use super::{Claim, Verdict, level};
use crate::record::Record;
use crate::regularity::Counts;
use crate::spec::Objective;
use crate::summary::{Axis, Line, Table};
use flatmin::rpca::theory::{critical_corruption, critical_corruption_penalised, line_scale};

const PAPER: &str = "Ding, Drusvyatskiy, Fazel, Harchaoui 2024, robust PCA";
const CONES: &str = "Amelunxen, Lotz, McCoy, Tropp 2014, Theorem III, for a random basis; that entries \
                     do no better is seen";
const WIDTHS: &str = "this project, for a random basis; that entries do no better is seen";
const PENALTY: &str = "Cand\u{e8}s, Li, Ma, Wright 2011, for lambda = 1/sqrt(d)";

/// The fraction of wrong entries at which theory puts the end of recovery, if it says something.
pub(crate) fn guide(line: Line, objective: Objective) -> Option<f64> {
    let Axis::Corruption { missing, .. } = line.axis else {
        return None;
    };
    // With missing entries the low-rank part has a third way to go wrong.
    if missing.0 > 0 {
        return None;
    }
    let (rows, cols, rank) = (line.rows, line.cols, line.rank);
    match objective {
        Objective::Constrained => Some(critical_corruption(rows, cols, rank)),
        Objective::Penalised => {
            let lambda = 1.0 / (rows.max(cols) as f64).sqrt();
            Some(critical_corruption_penalised(rows, cols, rank, lambda))
        }
        _ => None,
    }
}

/// The largest regime of the theorem in which every draw is recovered: no row or column with more
/// than `c d / (mu r)` wrong entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Regime {
    /// The largest `c` of a recovered draw with less than any that is not.
    pub(crate) constant: f64,
    /// Draws with at most this.
    pub(crate) draws: usize,
    /// The least `c` of a draw that is not recovered.
    pub(crate) failing: Option<f64>,
}

impl Regime {
    /// Of all draws on the lines.
    pub(crate) fn of(table: &Table<'_>, lines: &[Line], objective: Objective) -> Regime {
        let records = lines.iter().flat_map(|&line| table.groups(line, objective));
        let used: Vec<(f64, bool)> = records
            .flat_map(|group| &group.records)
            .filter_map(|r| Some((r.most_per_line? as f64 / scale(r)?, r.success)))
            .collect();
        let failing = used.iter().filter(|(_, success)| !success).map(|(c, _)| *c);
        let failing = failing.min_by(f64::total_cmp);
        let inside = used.iter().map(|(c, _)| *c).filter(|&c| failing.is_none_or(|f| c < f));
        let inside: Vec<f64> = inside.collect();
        let constant = inside.iter().copied().fold(0.0, f64::max);
        Regime { constant, draws: inside.len(), failing }
    }

    /// The probability of a wrong entry at which half of the draws at a line's median coherence have
    /// no row or column with more than `c d / (mu r)` wrong entries.
    pub(crate) fn corruption(
        &self,
        table: &Table<'_>,
        line: Line,
        objective: Objective,
    ) -> Option<f64> {
        let groups = table.groups(line, objective).iter().flat_map(|group| &group.records);
        let mut scales: Vec<f64> = groups.filter_map(|r| scale(r)).collect();
        scales.sort_by(f64::total_cmp);
        // A whole number, up to the rounding of the product.
        let most = self.constant * scales.get(scales.len() / 2)? + 1e-9;
        let within = |p: f64| {
            let rows = Counts { trials: line.cols, p, many: line.rows as f64 };
            let cols = Counts { trials: line.rows, p, many: line.cols as f64 };
            rows.at_most(most).powf(rows.many) * cols.at_most(most).powf(cols.many)
        };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..40 {
            let p = 0.5 * (low + high);
            if within(p) > 0.5 { low = p } else { high = p }
        }
        Some(low)
    }
}

/// `d / (mu r)` of a draw.
fn scale(record: &Record) -> Option<f64> {
    Some(line_scale(record.d1, record.d2, record.rank, record.incoherence?))
}

/// Every draw with few wrong entries in each line is recovered, by the form that is flat.
pub(super) fn few_wrong_entries_a_line(table: &Table<'_>) -> Claim {
    let lines = table.lines();
    let regime = Regime::of(table, &lines, Objective::Constrained);
    let (mut recovered, mut draws) = (0, 0);
    for group in lines.iter().flat_map(|&line| table.groups(line, Objective::Constrained)) {
        let point = group.point();
        (recovered, draws) = (recovered + point.successes, draws + point.trials);
    }
    let verdict = match (regime.draws, regime.failing) {
        (0, None) => Verdict::NotDecided,
        // The constant of the theorem is not specified; below one it would be no scale at all.
        (_, Some(failing)) if failing <= 1.0 => Verdict::DidNotHold,
        _ => Verdict::Held,
    };
    let rest = regime.failing.map_or(String::new(), |failing| {
        format!("; the least of a draw that was not recovered is {failing:.2}")
    });
    Claim {
        statement: "Flat solutions of robust PCA are exact when no row and no column has more than \
                    c d/(\u{3bc}r) wrong entries, for some constant c.",
        source: PAPER,
        measured: format!(
            "{recovered} of {draws} draws are recovered, among them all {} with at most {:.2} \
             d/(\u{3bc}r) wrong entries a line{rest}",
            regime.draws, regime.constant
        ),
        verdict,
    }
}

/// The measured 50% points lie no further than theory puts them for a random basis, up to the
/// resolution of the grid.
pub(super) fn half_line_is_below_the_guide(table: &Table<'_>, objective: Objective) -> Claim {
    let (mut parts, mut beyond) = (Vec::new(), 0);
    for line in table.lines() {
        let (Some(found), Some(theory)) =
            (table.transition(line, objective), guide(line, objective))
        else {
            continue;
        };
        beyond += usize::from(found.half - theory > found.bracket.1 - found.bracket.0);
        let [half, theory] = [found.half, theory].map(|value| level(line.axis, value));
        parts.push(format!("rank {}: {half} against {theory}", line.rank));
    }
    let verdict = match (parts.len(), beyond) {
        (0, _) => Verdict::NotDecided,
        (_, 0) => Verdict::Held,
        _ => Verdict::DidNotHold,
    };
    let measured = if parts.is_empty() {
        "No rank has the 50% point on this grid".to_owned()
    } else {
        format!("50% points against theory: {}", parts.join("; "))
    };
    let (statement, source) = match objective {
        Objective::Constrained => (
            "With the true tau, recovery ends no later than it would for a part that is sparse in \
             a random basis: where the statistical dimensions of both descent cones add up to \
             d\u{b2}.",
            CONES,
        ),
        _ => (
            "With the default lambda, recovery ends no later than it would for a part that is \
             sparse in a random basis: where the directions that raise one norm and lower the \
             other fill the sphere.",
            WIDTHS,
        ),
    };
    Claim { statement, source, measured, verdict }
}

/// Without knowing tau, the default lambda recovers from no fewer than half as many wrong entries.
pub(super) fn penalised_comes_close(table: &Table<'_>) -> Claim {
    let mut ratios = Vec::new();
    for line in table.lines() {
        let half = |o| table.transition(line, o).map(|t| t.half);
        if let (Some(known), Some(without)) =
            (half(Objective::Constrained), half(Objective::Penalised))
        {
            ratios.push((without / known, line.rank));
        }
    }
    let worst = ratios.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
    let best = ratios.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    let (Some((least, at)), Some((most, best_at))) = (worst, best) else {
        return Claim {
            statement: CLOSE,
            source: PENALTY,
            measured: "No rank has both 50% points on this grid".to_owned(),
            verdict: Verdict::NotDecided,
        };
    };
    Claim {
        statement: CLOSE,
        source: PENALTY,
        measured: format!(
            "The 50% point of the penalised form is {:.0}% of that of the constrained one at rank \
             {at}, the least of {} ranks, and {:.0}% at rank {best_at}, the most",
            100.0 * least,
            ratios.len(),
            100.0 * most
        ),
        verdict: if least >= 0.5 { Verdict::Held } else { Verdict::DidNotHold },
    }
}

const CLOSE: &str = "Without knowing tau, the penalised form with its default lambda recovers from at \
                     least half as many wrong entries.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::claims;
    use crate::spec::{Cell, Millionths, Sampling};

    /// Four draws a level at 0.1, 0.2, ... for one rank, with the given successes.
    fn records(counts: &[u32], rank: usize, of: Objective) -> Vec<Record> {
        let mut records = Vec::new();
        for (k, &count) in counts.iter().enumerate() {
            let sampling = Sampling::Corrupted {
                corruption: Millionths(100_000 * (k as u32 + 1)),
                missing: Millionths(0),
                magnitude: Millionths(5_000_000),
            };
            let cell = Cell::exact(60, 60, rank, sampling);
            for trial in 0..4 {
                let mut record = Record::blank("rpca", &cell, trial, of);
                record.success = trial < count;
                (record.incoherence, record.most_per_line) = (Some(2.0), Some(6 * (k + 1)));
                records.push(record);
            }
        }
        records
    }

    fn verdicts(constrained: &[u32], penalised: &[u32]) -> Vec<Verdict> {
        let mut all = records(constrained, 3, Objective::Constrained);
        all.extend(records(penalised, 3, Objective::Penalised));
        claims("rpca", &all.iter().collect::<Vec<_>>()).into_iter().map(|c| c.verdict).collect()
    }

    #[test]
    fn claims_follow_the_half_lines() {
        use Verdict::{DidNotHold, Held, NotDecided};
        // Theory: 0.456 and 0.398 at d = 60, r = 3. The scale d / (mu r) is 10 entries a line.
        assert_eq!(verdicts(&[4, 4, 4, 4, 0], &[4, 4, 4, 0, 0]), [Held, Held, Held, Held]);
        assert_eq!(verdicts(&[4, 4, 0, 0, 0], &[4, 4, 0, 0, 0]), [Held, Held, Held, Held]);
        assert_eq!(
            verdicts(&[4, 4, 4, 4, 4, 0], &[4, 4, 4, 4, 4, 0]),
            [Held, Held, DidNotHold, Held]
        );
        assert_eq!(verdicts(&[4, 4, 4, 4, 0], &[4, 0, 0, 0, 0])[3], DidNotHold);
        // 6 wrong entries a line are 0.6 of the scale.
        assert_eq!(
            verdicts(&[0, 0, 0], &[0, 0, 0]),
            [DidNotHold, NotDecided, NotDecided, NotDecided]
        );
        assert!(claims("rpca", &[]).iter().all(|claim| claim.verdict == NotDecided));
    }

    #[test]
    fn the_regime_ends_before_the_first_failure() {
        let all = records(&[4, 4, 1, 0], 3, Objective::Constrained);
        let table = Table::new(&all);
        let lines = table.lines();
        let regime = Regime::of(&table, &lines, Objective::Constrained);
        assert_eq!(regime, Regime { constant: 1.2, draws: 8, failing: Some(1.8) });
        // 120 lines of which none has more than 12 wrong entries of 60: one in 170 is too many.
        let p = regime.corruption(&table, lines[0], Objective::Constrained).unwrap();
        let line = Counts { trials: 60, p, many: 120.0 };
        assert!((line.at_most(12.0).powi(120) - 0.5).abs() < 1e-6 && p > 0.05 && p < 0.15);
    }

    #[test]
    fn missing_entries_have_no_guide() {
        let missing = Millionths(1);
        let axis = Axis::Corruption { missing, magnitude: Millionths(1) };
        let all = records(&[1], 3, Objective::Constrained);
        let line = Table::new(&all).lines()[0];
        assert!(guide(line, Objective::Constrained) > guide(line, Objective::Penalised));
        assert_eq!(guide(Line { axis, ..line }, Objective::Constrained), None);
        assert_eq!(guide(line, Objective::Flat), None);
    }
}
