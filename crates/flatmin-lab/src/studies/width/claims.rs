//! The width of the factors: where it does not matter, and where it does.

use super::{CELLS, FITS, RANK, Row, SAME, figure::name};
use crate::claims::{Claim, Verdict};

const HERE: &str = "this project";

/// Share of draws and widths of which a claim must be true: a descent may end elsewhere, and where FLAT's answer
/// has a singular value that hardly counts, or is one of several, its rank is not sharp.
const SHARE: f64 = 0.99;

/// Relative error below which a matrix is the planted one.
pub(super) const PLANTED: f64 = 1e-6;

/// The claims about rows.
pub(super) fn of(rows: &[Row]) -> Vec<Claim> {
    vec![wide_enough(rows), too_narrow(rows), narrowest(rows)]
}

/// Held where so many of all are as claimed.
fn verdict(of: usize, right: usize) -> Verdict {
    match of {
        0 => Verdict::NotDecided,
        _ if right as f64 >= SHARE * of as f64 => Verdict::Held,
        _ => Verdict::DidNotHold,
    }
}

/// Wide factors have FLAT's value, whatever their width.
fn wide_enough(rows: &[Row]) -> Claim {
    let wide: Vec<&Row> = rows.iter().filter(|row| row.k >= row.needed).collect();
    let (equal, other): (Vec<&Row>, Vec<&Row>) = wide.iter().partition(|row| row.reaches());
    let largest = |rows: &[&Row]| {
        let size = |row: &&Row| row.excess.map_or(f64::INFINITY, f64::abs);
        rows.iter().map(size).fold(0.0, f64::max)
    };
    let gap = rows.iter().map(|row| row.flat_gap).fold(0.0, f64::max);
    let short = wide.iter().filter(|row| !row.converged).count();
    let mut measured = format!(
        "In {} of {} cases it is, within {:.0e}; FLAT is certified to a gap of {gap:.0e}; {short} descents ended \
         short of a stationary point",
        equal.len(),
        wide.len(),
        largest(&equal)
    );
    if !other.is_empty() {
        let most = largest(&other);
        measured
            .push_str(&format!("; in the other {} the excess is at most {most:.0e}", other.len()));
    }
    Claim {
        statement: "Once factors are as wide as the rank of the flat answer, their width does not matter: the \
                    least trace that descent finds is that of FLAT, to 1e-7, for 99 % of draws and widths.",
        source: HERE,
        measured,
        verdict: verdict(wide.len(), equal.len()),
    }
}

/// Narrower factors do not have FLAT's value.
fn too_narrow(rows: &[Row]) -> Claim {
    let narrow: Vec<&Row> = rows.iter().filter(|row| row.k < row.needed).collect();
    let as_flat = narrow.iter().filter(|row| row.excess.is_some_and(|e| e <= SAME)).count();
    let unfit = narrow.iter().filter(|row| row.excess.is_none()).count();
    let excesses = narrow.iter().filter_map(|row| row.excess).filter(|e| *e > SAME);
    let (least, most) =
        excesses.fold((f64::INFINITY, 0.0_f64), |(least, most), e| (least.min(e), most.max(e)));
    let mut measured =
        format!("Of {} cases {unfit} fit to no better than {FITS:.0e}", narrow.len());
    if most > 0.0 {
        let larger = narrow.len() - unfit - as_flat;
        measured.push_str(&format!(
            "; in {larger} the trace is larger by {least:.0e} to {most:.0e} of it"
        ));
    }
    if as_flat > 0 {
        measured
            .push_str(&format!("; in {as_flat} another matrix of less rank is as flat, to 1e-7"));
    }
    Claim {
        statement: "Factors narrower than the rank of the flat answer have a larger trace, or fit nothing, for 99 % \
                    of draws and widths: there the width matters.",
        source: HERE,
        measured,
        verdict: verdict(narrow.len(), narrow.len() - as_flat),
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
    fn one_case_of_a_hundred_is_forgiven() {
        let mut rows: Vec<Row> = (0..99).map(|_| row(5, Some(1e-9), 0.3)).collect();
        rows.push(row(5, Some(1e-5), 0.3));
        let claim = wide_enough(&rows);
        assert_eq!(claim.verdict, Verdict::Held);
        assert!(claim.measured.contains("99 of 100") && claim.measured.contains("1e-5"));
        // One that fits nothing is off by any amount.
        rows.push(row(5, None, 0.3));
        assert_eq!(wide_enough(&rows).verdict, Verdict::DidNotHold);
        assert!(wide_enough(&rows).measured.contains("inf"));
    }

    #[test]
    fn planted_matrices_are_counted_where_flat_ones_are_not() {
        let rows = [row(2, Some(1e-2), 1e-9), row(2, Some(1e-2), 1e-8), row(2, Some(1e-2), 0.1)];
        assert_eq!(narrowest(&rows).verdict, Verdict::Held);
        assert_eq!(narrowest(&rows[1..]).verdict, Verdict::DidNotHold);
    }
}
