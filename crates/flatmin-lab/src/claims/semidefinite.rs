//! Positive semidefinite matrices: how flat a matrix is does not single one out.

use super::{Claim, Verdict};
use crate::record::Record;
use crate::spec::Objective;
use std::collections::BTreeMap;

const DERIVED: &str = "this project; the scaled trace is linear in what was measured";
const PAPER: &str = "Ding, Drusvyatskiy, Fazel, Harchaoui 2024, covariance estimation";

/// Relative differences up to this are rounding, and what is left of the misfit.
const EQUAL: f64 = 1e-7;

/// The scaled trace over this is `tr(D X D)`: four for the factors' balance, twice for symmetric
/// factors, which enter both blocks.
const TRACE: f64 = 8.0;

/// FLAT's value, its lower bound, and the scaled trace of both answers give the common value; an
/// answer of NUC counts when it is certified, and so known to fit.
pub(super) fn all_are_equally_flat(records: &[&Record]) -> Claim {
    let mut worst = [0.0_f64; 3];
    let mut draws = 0;
    let (mut others, mut unlike) = (0, 0);
    for record in records {
        let (Some(common), Some(trace)) = (record.common_value, record.scaled_trace) else {
            continue;
        };
        if record.objective == Objective::Nuclear && !record.certified {
            continue;
        }
        let off = |value: f64| (value / common - 1.0).abs();
        let mut found = [0.0, 0.0, off(trace / TRACE)];
        if record.objective == Objective::Flat {
            draws += 1;
            found[0] = record.value.map_or(f64::INFINITY, off);
            found[1] = record.lower_bound.map_or(f64::INFINITY, off);
        } else {
            others += 1;
        }
        unlike += usize::from(found.iter().any(|f| f.is_nan() || *f > EQUAL));
        worst.iter_mut().zip(found).for_each(|(w, f)| *w = w.max(f));
    }
    let verdict = match (draws, unlike) {
        (0, _) => Verdict::NotDecided,
        (_, 0) => Verdict::Held,
        _ => Verdict::DidNotHold,
    };
    let [value, bound, trace] = worst;
    Claim {
        statement: "All positive semidefinite matrices that fit are equally flat.",
        source: DERIVED,
        measured: format!(
            "In {draws} draws FLAT's value equals the sum of |x|\u{b2}y/(md), recomputed from the \
             data, to {value:.0e} in relative terms, and so do its proved lower bound to \
             {bound:.0e}, and tr(DXD) at its solutions and at the {others} certified ones of least \
             trace to {trace:.0e}"
        ),
        verdict,
    }
}

/// The draws that FLAT recovers are those where one matrix is proved to be the only one that fits.
///
/// A draw is refuted when some certified answer is another matrix than the planted one: both fit.
/// In such a draw FLAT, which asks for a fit only, may still happen upon the planted matrix.
pub(super) fn recovery_is_uniqueness(records: &[&Record]) -> Claim {
    let mut draws: BTreeMap<_, [bool; 3]> = BTreeMap::new();
    for record in records {
        let [recovered, single, refuted] = draws.entry((record.cell(), record.trial)).or_default();
        *refuted |= record.certified && !record.success;
        if record.objective == Objective::Flat {
            *recovered |= record.success;
            *single |= record.unique == Some(true);
        }
    }
    let count = |kind: &dyn Fn(&[bool; 3]) -> bool| draws.values().filter(|d| kind(d)).count();
    let single = count(&|&[_, single, _]| single);
    let refuted = count(&|&[_, _, refuted]| refuted);
    let open = count(&|&[_, single, refuted]| !single && !refuted);
    let recovered = count(&|&[recovered, single, _]| single && recovered);
    let wrong = count(&|&[recovered, single, refuted]| single && (refuted || !recovered));
    let lucky = count(&|&[recovered, _, refuted]| refuted && recovered);
    let verdict = if wrong > 0 {
        Verdict::DidNotHold
    } else if single > 0 && refuted > 0 && 20 * open <= draws.len() {
        Verdict::Held
    } else {
        Verdict::NotDecided
    };
    Claim {
        statement: "A matrix is recovered where it is the only positive semidefinite one that \
                    fits, and only there.",
        source: PAPER,
        measured: format!(
            "Of {} draws {single} are proved to have a single solution, and FLAT recovers \
             {recovered} of them; {refuted} have another solution than the planted one, which FLAT \
             still happened upon in {lucky}; the other {open} are undecided",
            draws.len()
        ),
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Cell, Sampling};

    fn record(value: f64, success: bool, unique: bool) -> Record {
        let sampling = Sampling::Covariance { measurements: 40 };
        let cell = Cell::exact(9, 9, 1, sampling);
        let mut record = Record::blank("x", &cell, 0, Objective::Flat);
        (record.value, record.lower_bound) = (Some(value), Some(value));
        (record.common_value, record.scaled_trace) = (Some(2.0), Some(16.0));
        (record.success, record.unique) = (success, Some(unique));
        record
    }

    #[test]
    fn a_value_beside_the_common_one_contradicts() {
        let right = record(2.0, true, true);
        assert_eq!(all_are_equally_flat(&[&right]).verdict, Verdict::Held);
        assert_eq!(all_are_equally_flat(&[]).verdict, Verdict::NotDecided);
        for wrong in [record(2.001, true, true), record(f64::NAN, true, true)] {
            assert_eq!(all_are_equally_flat(&[&right, &wrong]).verdict, Verdict::DidNotHold);
        }
        let steeper = Record { scaled_trace: Some(16.1), ..record(2.0, true, true) };
        assert_eq!(all_are_equally_flat(&[&right, &steeper]).verdict, Verdict::DidNotHold);
    }

    #[test]
    fn a_single_solution_that_is_not_the_planted_one_contradicts() {
        let verdict = |kinds: &[(bool, bool)]| {
            let record = |(trial, &(success, unique)): (usize, &(bool, bool))| Record {
                trial: trial as u32,
                certified: true,
                ..record(2.0, success, unique)
            };
            let records: Vec<_> = kinds.iter().enumerate().map(record).collect();
            recovery_is_uniqueness(&records.iter().collect::<Vec<_>>()).verdict
        };
        assert_eq!(verdict(&[(true, true), (false, false)]), Verdict::Held);
        assert_eq!(verdict(&[(true, true), (false, true)]), Verdict::DidNotHold);
        // Recovered, and neither proved nor refuted.
        assert_eq!(verdict(&[(true, true), (false, false), (true, false)]), Verdict::NotDecided);
        assert_eq!(verdict(&[(false, false)]), Verdict::NotDecided);
    }
}
