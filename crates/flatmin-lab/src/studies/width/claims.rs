//! The width of the factors: where it does not matter, and where it does.

use super::{CELLS, FITS, RANK, Row, SAME, figure::name};
use crate::claims::{Claim, Verdict};

const HERE: &str = "this project";

/// Part of the descents that must be done when their rounds are.
const DONE: f64 = 0.9;

/// Relative error below which a matrix is the planted one.
pub(super) const PLANTED: f64 = 1e-6;

/// The claims about rows.
pub(super) fn of(rows: &[Row]) -> Vec<Claim> {
    vec![wide_enough(rows), too_narrow(rows), narrowest(rows)]
}

/// Wide factors have FLAT's value, whatever their width.
fn wide_enough(rows: &[Row]) -> Claim {
    let wide: Vec<&Row> = rows.iter().filter(|row| row.k >= row.needed).collect();
    let done: Vec<&&Row> = wide.iter().filter(|row| row.converged).collect();
    let equal = done.iter().filter(|row| row.reaches()).count();
    let excess = |row: &&Row| row.excess.map(f64::abs);
    let most = done.iter().filter_map(|row| excess(row)).fold(0.0, f64::max);
    let open: Vec<&&Row> = wide.iter().filter(|row| !row.converged).collect();
    let open_most = open.iter().map(|row| excess(row).unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
    let gap = rows.iter().map(|row| row.flat_gap).fold(0.0, f64::max);
    let verdict = match (done.len(), done.len() - equal) {
        (0, _) => Verdict::NotDecided,
        (_, 1..) => Verdict::DidNotHold,
        (done, 0) if (done as f64) < DONE * wide.len() as f64 => Verdict::NotDecided,
        _ => Verdict::Held,
    };
    let mut measured = format!(
        "{equal} of {} descents that converged end at FLAT's value, off by {most:.0e} of it at most, for widths \
         from the rank of its answer to twice the order; FLAT is certified to a gap of {gap:.0e}",
        done.len()
    );
    if !open.is_empty() {
        measured.push_str(&format!(
            "; {} more ended short of a stationary point, within {open_most:.0e} of it",
            open.len()
        ));
    }
    Claim {
        statement: "Once factors are as wide as the rank of the flat answer, their width does not matter: the \
                    least scaled trace is that of FLAT to 1e-7, at every width.",
        source: HERE,
        measured,
        verdict,
    }
}

/// Narrower factors do not have FLAT's value.
fn too_narrow(rows: &[Row]) -> Claim {
    let narrow: Vec<&Row> = rows.iter().filter(|row| row.k < row.needed).collect();
    let excesses: Vec<f64> = narrow.iter().filter_map(|row| row.excess).collect();
    let (least, most) = excesses
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(least, most), e| (least.min(*e), most.max(*e)));
    let none = narrow.len() - excesses.len();
    Claim {
        statement: "Narrower factors have a larger trace, or fit nothing: below that rank the width matters.",
        source: HERE,
        verdict: match (narrow.len(), excesses.len(), least > SAME) {
            (0, _, _) => Verdict::NotDecided,
            (_, 0, _) | (_, _, true) => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
        measured: match excesses.as_slice() {
            [] => format!("Of {} narrower ones none fits", narrow.len()),
            some => format!(
                "Of {} narrower ones {none} fit to no better than {FITS:.0e}, and in {} others the trace exceeds \
                 that of FLAT by {least:.0e} to {most:.0e} of it",
                narrow.len(),
                some.len()
            ),
        },
    }
}

/// Below the transition the narrowest factors find what flat ones do not.
fn narrowest(rows: &[Row]) -> Claim {
    let is_planted = |row: &&Row| row.error.is_some_and(|error| error < PLANTED);
    let (mut parts, mut wrong, mut of) = (Vec::new(), 0, 0);
    for (model, [_, few]) in CELLS {
        let lost = rows.iter().filter(|r| (r.model, r.asked, r.recovered) == (model, few, false));
        let lost: Vec<&Row> = lost.collect();
        let narrow = lost.iter().filter(|row| row.k == RANK && row.error.is_some());
        let narrow: Vec<&Row> = narrow.copied().collect();
        let found = narrow.iter().filter(|row| is_planted(row)).count();
        let wide = lost.iter().filter(|row| row.k >= row.needed && is_planted(row)).count();
        of += narrow.len();
        wrong += usize::from(2 * found <= narrow.len() && !narrow.is_empty()) + wide;
        parts.push(format!("{}: {found} of {}", name(model, few), narrow.len()));
    }
    Claim {
        statement: "With too few measurements for flatness, factors of exactly the planted rank that fit are the \
                    planted matrix in most draws, and wide ones never.",
        source: HERE,
        verdict: match (of, wrong) {
            (0, _) => Verdict::NotDecided,
            (_, 0) => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
        measured: format!(
            "Of draws that FLAT does not recover, at k = {RANK}: {}",
            parts.join("; ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Model;

    /// A descent over `k` columns where FLAT's answer has rank 4 and is not the planted matrix.
    fn row(k: usize, excess: Option<f64>, error: f64) -> Row {
        Row {
            k,
            excess,
            error: excess.map(|_| error),
            ..Row::blank(Model::Sensing, CELLS[0].1[1], 4)
        }
    }

    fn verdicts(rows: &[Row]) -> [Verdict; 3] {
        [wide_enough(rows).verdict, too_narrow(rows).verdict, narrowest(rows).verdict]
    }

    #[test]
    fn verdicts_follow_the_excess_on_both_sides_of_the_rank() {
        use Verdict::{DidNotHold, Held, NotDecided};
        assert_eq!(verdicts(&[]), [NotDecided; 3]);
        let mut rows = vec![row(1, None, 0.0), row(3, Some(1e-3), 0.5), row(4, Some(-1e-9), 0.3)];
        assert_eq!(verdicts(&rows), [Held, Held, NotDecided]);
        // Narrower ones that are as flat contradict; so does a wide one that is less flat.
        rows.push(row(2, Some(1e-9), 1e-9));
        rows.push(row(9, Some(1e-6), 1e-9));
        assert_eq!(verdicts(&rows), [DidNotHold, DidNotHold, DidNotHold]);
    }

    #[test]
    fn descents_that_are_not_done_decide_nothing() {
        let mut rows = vec![row(4, Some(1e-9), 0.3), row(5, Some(1e-5), 0.3)];
        rows[1].converged = false;
        assert_eq!(wide_enough(&rows).verdict, Verdict::NotDecided);
        rows.extend((6..25).map(|k| row(k, Some(1e-9), 0.3)));
        let claim = wide_enough(&rows);
        assert_eq!(claim.verdict, Verdict::Held);
        assert!(claim.measured.contains("1 more") && claim.measured.contains("1e-5"));
    }

    #[test]
    fn planted_matrices_are_counted_where_flat_ones_are_not() {
        let rows = [row(2, Some(1e-2), 1e-9), row(2, Some(1e-2), 1e-8), row(2, Some(1e-2), 0.1)];
        assert_eq!(narrowest(&rows).verdict, Verdict::Held);
        assert_eq!(narrowest(&rows[1..]).verdict, Verdict::DidNotHold);
    }
}
