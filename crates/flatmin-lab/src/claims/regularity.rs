//! Figure 4: how close flat factors are to norm-minimal and to balanced ones.

use super::{Claim, Verdict};
use crate::record::Record;
use crate::regularity::{bounds_used, expected_kappa};
use crate::spec::{Cell, Objective};
use std::collections::{BTreeMap, HashSet};

const PAPER: &str = "Ding, Drusvyatskiy, Fazel, Harchaoui 2024, Figure 4";
const BOUND: &str = "Ding, Drusvyatskiy, Fazel, Harchaoui 2024, Theorem 3.3";
const DERIVED: &str = "this project; compare Theorem 3.3 of Ding, Drusvyatskiy, Fazel, \
                       Harchaoui 2024";

const RATE: &str =
    "this project; for Gaussian measurements Davidson and Szarek 2001, Theorem II.13";

/// A median of at most this, relative to the norm, is small.
const SMALL: f64 = 0.1;

/// At least this is not zero: what a relative gap of `1e-8` leaves open is well below.
const NOT_ZERO: f64 = 1e-7;

/// Of what a bound allows: more is a violation, beyond the gaps of the solves.
const ALLOWED: f64 = 1.0 + 1e-7;

/// Beyond this factor from what theory expects, `kappa - 1` does not follow it.
const OFF: f64 = 2.0;

/// The flat solutions of draws that see every direction.
fn regular<'a>(records: &'a [&Record]) -> impl Iterator<Item = &'a Record> {
    let regular = |r: &&Record| {
        r.objective == Objective::Flat && r.kappa.is_some_and(f64::is_finite) && r.value.is_some()
    };
    records.iter().copied().filter(regular)
}

/// Draws that both objectives recover, by FLAT's records: the planted matrix has the least norm
/// then, and FLAT's factors are a pair of it.
fn recovered<'a>(records: &'a [&Record]) -> Vec<&'a Record> {
    let nuclear: HashSet<_> = records
        .iter()
        .filter(|r| r.objective == Objective::Nuclear && r.success)
        .map(|r| (r.cell(), r.trial))
        .collect();
    let both = |r: &&Record| r.success && nuclear.contains(&(r.cell(), r.trial));
    regular(records).filter(both).collect()
}

/// Quantities that should be small and not zero.
fn small_but_not_zero(
    statement: &'static str,
    what: &str,
    records: &[&Record],
    quantity: impl Fn(&Record) -> Option<f64>,
) -> Claim {
    let recovered = recovered(records);
    let mut values: Vec<f64> = recovered.iter().filter_map(|r| quantity(r)).collect();
    values.sort_by(f64::total_cmp);
    let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
        let measured = "No draw that sees every direction is recovered by both".to_owned();
        return Claim { statement, source: PAPER, measured, verdict: Verdict::NotDecided };
    };
    let beyond = values.iter().filter(|&&v| v > SMALL).count();
    let zero = values.iter().filter(|&&v| v < NOT_ZERO).count();
    let median = values[values.len() / 2];
    let verdict = if zero == 0 && median <= SMALL { Verdict::Held } else { Verdict::DidNotHold };
    Claim {
        statement,
        source: PAPER,
        measured: format!(
            "In the {} draws that see every direction and are recovered by both, {what} is between \
             {least:.1e} and {most:.1e}, {median:.1e} in the median (small: at most {SMALL} in the \
             median); it is above {SMALL} in {beyond} and below {NOT_ZERO:.0e} in {zero} of them",
            values.len(),
        ),
        verdict,
    }
}

/// `|L|^2 + |R|^2` is a little above its least value.
pub(super) fn nearly_norm_minimal(records: &[&Record]) -> Claim {
    small_but_not_zero(
        "Where recovery is exact, flat factors are nearly norm-minimal, but not norm-minimal.",
        "the excess of |L|\u{b2} + |R|\u{b2} over its least value, relative to it,",
        records,
        |r| r.norm_excess_relative,
    )
}

/// `L^T L` is nearly `R^T R`.
pub(super) fn nearly_balanced(records: &[&Record]) -> Claim {
    small_but_not_zero(
        "Where recovery is exact, flat factors are nearly balanced, but not balanced.",
        "the nuclear norm of L\u{1d40}L \u{2212} R\u{1d40}R, relative to |L|\u{b2} + |R|\u{b2},",
        records,
        |r| r.imbalance_relative,
    )
}

/// No record uses more of a bound than it allows.
fn bounded(
    statement: &'static str,
    source: &'static str,
    records: &[&Record],
    which: usize,
) -> Claim {
    let used: Vec<(f64, &Record)> =
        regular(records).filter_map(|r| Some((bounds_used(r)?[which], r))).collect();
    let beyond = used.iter().filter(|(u, _)| u.is_nan() || *u > ALLOWED).count();
    let (measured, verdict) = match used.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
        None => ("No draw sees every direction".to_owned(), Verdict::NotDecided),
        Some((most, record)) => {
            let cell = record.cell().map_or_else(String::new, |cell| cell.to_string());
            let measured = format!(
                "In {} draws that see every direction, recovered or not, flat factors use at most \
                 {:.1}% of what the bound allows (draw {} of {cell}); {beyond} go beyond it",
                used.len(),
                100.0 * most,
                record.trial,
            );
            (measured, if beyond == 0 { Verdict::Held } else { Verdict::DidNotHold })
        }
    };
    Claim { statement, source, measured, verdict }
}

/// The median of `kappa - 1` over draws is what theory expects, cell by cell.
pub(super) fn kappa_is_as_expected(records: &[&Record]) -> Claim {
    let mut cells: BTreeMap<Cell, Vec<f64>> = BTreeMap::new();
    for record in records.iter().filter(|r| r.objective == Objective::Flat) {
        if let (Some(cell), Some(kappa)) = (record.cell(), record.kappa) {
            cells.entry(cell).or_default().push(kappa);
        }
    }
    let mut ratios: Vec<f64> = cells
        .into_iter()
        .filter(|(_, kappas)| kappas.iter().all(|k| k.is_finite()))
        .filter_map(|(cell, mut kappas)| {
            kappas.sort_by(f64::total_cmp);
            Some((kappas[kappas.len() / 2] - 1.0) / (expected_kappa(&cell)? - 1.0))
        })
        .filter(|ratio| ratio.is_finite())
        .collect();
    ratios.sort_by(f64::total_cmp);
    let near = ratios.iter().filter(|r| (1.0 / OFF..=OFF).contains(*r)).count();
    let (measured, verdict) = match ratios.get(ratios.len() / 2) {
        None => ("No cell sees every direction in all draws".to_owned(), Verdict::NotDecided),
        Some(median) => {
            let measured = format!(
                "Over {} cells that see every direction in all draws, the median of \u{3ba} \
                 \u{2212} 1 is {median:.2} times what is expected, in the median, and between \
                 {:.2} and {:.2} times; within a factor of {OFF} for {near} cells",
                ratios.len(),
                ratios[0],
                ratios[ratios.len() - 1],
            );
            let held = 10 * near >= 9 * ratios.len();
            (measured, if held { Verdict::Held } else { Verdict::DidNotHold })
        }
    };
    Claim {
        statement: "The regularity constant \u{3ba} of D\u{2081} and D\u{2082} approaches 1 at the \
                    rate that theory expects.",
        source: RATE,
        measured,
        verdict,
    }
}

/// The first bound of [`crate::regularity`].
pub(super) fn norm_is_bounded(records: &[&Record]) -> Claim {
    bounded(
        "The norm |L|\u{b2} + |R|\u{b2} of flat factors is at most \u{3ba}\u{b2} times its least \
         value.",
        BOUND,
        records,
        0,
    )
}

/// The second bound of [`crate::regularity`].
pub(super) fn imbalance_is_bounded(records: &[&Record]) -> Claim {
    bounded(
        "The nuclear norm of L\u{1d40}L \u{2212} R\u{1d40}R is at most (\u{3ba}\u{b2} \u{2212} 1) \
         / (\u{3ba}\u{b2} + 1) of |L|\u{b2} + |R|\u{b2} for flat factors.",
        DERIVED,
        records,
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Sampling;

    /// A draw of `kappa = 2` that both recover.
    fn draw(excess: f64, imbalance: f64) -> [Record; 2] {
        let sampling = Sampling::Bilinear { measurements: 40 };
        let cell = Cell::exact(9, 9, 1, sampling);
        let nuclear = Record {
            success: true,
            value: Some(1.0),
            ..Record::blank("x", &cell, 0, Objective::Nuclear)
        };
        let flat = Record {
            objective: Objective::Flat,
            kappa: Some(2.0),
            norm_excess_relative: Some(excess),
            imbalance_relative: Some(imbalance),
            ..nuclear.clone()
        };
        [flat, nuclear]
    }

    fn verdicts(excess: f64, imbalance: f64) -> [Verdict; 4] {
        let records = draw(excess, imbalance);
        let records: Vec<&Record> = records.iter().collect();
        [nearly_norm_minimal, nearly_balanced, norm_is_bounded, imbalance_is_bounded]
            .map(|claim| claim(&records).verdict)
    }

    #[test]
    fn the_verdicts_follow_the_quantities() {
        use Verdict::{DidNotHold, Held, NotDecided};
        assert_eq!(verdicts(0.01, 0.02), [Held, Held, Held, Held]);
        assert_eq!(verdicts(0.0, 0.0), [DidNotHold, DidNotHold, Held, Held]);
        assert_eq!(verdicts(0.5, 0.5), [DidNotHold, DidNotHold, Held, Held]);
        // kappa^2 = 4 allows an excess of 3 and an imbalance of 3/5.
        assert_eq!(verdicts(2.99, 0.599)[2..], [Held, Held]);
        assert_eq!(verdicts(3.01, 0.601)[2..], [DidNotHold, DidNotHold]);
        let mut records = draw(0.01, 0.02);
        records[0].kappa = Some(f64::INFINITY);
        let records: Vec<&Record> = records.iter().collect();
        assert_eq!(nearly_norm_minimal(&records).verdict, NotDecided);
        assert_eq!(norm_is_bounded(&records).verdict, NotDecided);
    }
}
