//! Depth: where two factors recover, that more do not, and how errors grow.
//!
//! All of it is about the draws that were solved. At `m >= d` the measurements determine the vector at every
//! depth, and nothing is claimed there.

use super::Norm;
use super::summary::{Place, Table};
use crate::claims::{Claim, Verdict, signed};
use flatmin::hadamard::theory;

const HERE: &str = "this project";
const PAPER: &str = "Ding, Drusvyatskiy, Fazel, Harchaoui 2024, Section 9";
const CONES: &str = "Amelunxen, Lotz, McCoy, Tropp 2014, Theorem II; width derived in this project";

const TWO: Norm = Norm::flat(2);

pub(super) fn of(table: &Table<'_>) -> Vec<Claim> {
    vec![
        all_are_certified(table),
        two_factors_recover_where_l1_does(table),
        half_line_is_the_statistical_dimension(table),
        more_factors_do_not_recover(table),
        error_grows_with_depth(table),
    ]
}

fn all_are_certified(table: &Table<'_>) -> Claim {
    let certified = table.rows.iter().filter(|row| row.certified).count();
    let worst = table.rows.iter().map(|row| row.relative_gap).fold(0.0, f64::max);
    let all = table.rows.len();
    Claim {
        statement: "Every solve is certified to a relative duality gap of 1e-8.",
        source: HERE,
        measured: format!("{certified} of {all} solves are; the largest gap is {worst:.0e}"),
        verdict: match all {
            0 => Verdict::NotDecided,
            _ if certified == all => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}

/// A difference of 50 % points at a number of nonzeros, and the width of the transition there.
struct Lag {
    s: usize,
    lag: f64,
    width: f64,
}

/// Judges that no 50 % point is further off than the transition is wide; the verdict, and in words how far
/// they are.
fn within_the_width(lags: &[Lag], all: usize) -> (Verdict, String) {
    let Some(worst) =
        lags.iter().max_by(|a, b| (a.lag.abs() / a.width).total_cmp(&(b.lag.abs() / b.width)))
    else {
        return (Verdict::NotDecided, "No 50 % point is on this grid".to_owned());
    };
    let outside = lags.iter().filter(|lag| lag.lag.abs() > lag.width).count();
    let mean = lags.iter().map(|lag| lag.lag).sum::<f64>() / lags.len() as f64;
    let text = format!(
        "50 % points are on the grid for {} of {all} numbers of nonzeros; they differ by {} measurements in the \
         mean, and at most, against the width, by {} of {:.1} (s = {}); by more than the width for {outside}",
        lags.len(),
        signed(mean),
        signed(worst.lag),
        worst.width,
        worst.s,
    );
    (if outside == 0 { Verdict::Held } else { Verdict::DidNotHold }, text)
}

fn two_factors_recover_where_l1_does(table: &Table<'_>) -> Claim {
    let sparsities = table.sparsities();
    let lag = |&s: &usize| {
        let (two, plain) = (table.transition(s, TWO)?, table.transition(s, Norm::Plain)?);
        Some(Lag { s, lag: two.half - plain.half, width: theory::transition_width(table.d, s) })
    };
    let lags: Vec<Lag> = sparsities.iter().filter_map(lag).collect();
    let (verdict, text) = within_the_width(&lags, sparsities.len());
    let (mut draws, mut two_only, mut plain_only) = (0, 0, 0);
    for place in table.places() {
        for (two, plain) in table.at(place, TWO).iter().zip(table.at(place, Norm::Plain)) {
            draws += 1;
            two_only += usize::from(two.recovered && !plain.recovered);
            plain_only += usize::from(!two.recovered && plain.recovered);
        }
    }
    Claim {
        statement: "Two factors recover where the least sum of magnitudes does: at each number of nonzeros \
                    their 50 % points differ by less than the width of the transition (10 % to 90 %, in \
                    closed form).",
        source: PAPER,
        measured: format!(
            "{text}. Of {draws} draws {two_only} are recovered by two factors only and {plain_only} by the \
             plain sum only"
        ),
        verdict,
    }
}

fn half_line_is_the_statistical_dimension(table: &Table<'_>) -> Claim {
    let sparsities = table.sparsities();
    let lag = |&s: &usize| {
        let (half, d) = (table.transition(s, TWO)?.half, table.d);
        let width = theory::transition_width(d, s);
        Some(Lag { s, lag: half - theory::transition(d, s), width })
    };
    let lags: Vec<Lag> = sparsities.iter().filter_map(lag).collect();
    let (verdict, text) = within_the_width(&lags, sparsities.len());
    Claim {
        statement: "Half of the flat solutions of two factors are exact when the number of measurements is \
                    the statistical dimension for the plain sum, within the width of the transition.",
        source: CONES,
        measured: format!("From the statistical dimension: {text}"),
        verdict,
    }
}

/// Less than half in every cell; and in how many draws the error is below the threshold all the same.
///
/// No such solution is the planted vector, since none of its entries is zero (almost surely); but with three
/// factors small entries are cubes of small numbers, and nearly square measurements may leave an error below
/// any threshold.
fn more_factors_do_not_recover(table: &Table<'_>) -> Claim {
    let all = table.places().filter(|&place| table.all_recovered(place, TWO));
    let (short, full): (Vec<Place>, Vec<Place>) = all.partition(|place| place.1 < table.d);
    let more = Norm::MAPPED.into_iter().filter(|n| *n != Norm::Plain && *n != TWO);
    let (mut parts, mut most, mut solved) = (Vec::new(), 0.0_f64, true);
    let mut missed = Vec::new();
    for norm in more.clone() {
        let (mut successes, mut trials) = (0, 0);
        for &place in &short {
            let point = table.point(place, norm);
            successes += point.successes;
            trials += point.trials;
            most = most.max(point.frequency());
            let recovered = table.at(place, norm).iter().filter(|row| row.recovered);
            missed.extend(recovered.map(|row| {
                let (m, s, k) = (row.m, row.s, norm.name());
                format!("{k}, m = {m}, s = {s}: error {:.0e}, {} nonzeros", row.error, row.nonzeros)
            }));
        }
        solved &= trials > 0;
        parts.push(format!("{successes} of {trials} at {}", norm.name()));
    }
    let points = more.flat_map(|norm| full.iter().map(move |&place| table.point(place, norm)));
    let (successes, trials) = points.fold((0, 0), |sum, p| (sum.0 + p.successes, sum.1 + p.trials));
    let missed = match missed.as_slice() {
        [] => String::new(),
        missed => {
            format!(" ({}; nonzeros are entries above 1e-7 of the largest)", missed.join("; "))
        }
    };
    Claim {
        statement: "From fewer measurements than unknowns, three factors and more do not recover where two \
                    do: less than half of the draws in every cell whose draws two factors all recover.",
        source: PAPER,
        measured: format!(
            "In {} such cells errors are below 1e-6 in {}{missed}; in at most {:.0} % of the draws of \
             a cell. Left out: m = d, where the measurements \
             determine the vector; there {successes} of {trials} are recovered",
            short.len(),
            parts.join(", "),
            100.0 * most,
        ),
        verdict: match most {
            _ if short.is_empty() || !solved => Verdict::NotDecided,
            most if most < 0.5 => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}

/// Where medians fall, that contradicts the claim once it is out of the quartiles.
fn error_grows_with_depth(table: &Table<'_>) -> Claim {
    let (mut parts, mut falls, mut contradicted) = (Vec::new(), 0, 0);
    let (mut steps, mut growing) = (0, 0);
    let norms: Vec<Norm> = Norm::depths().collect();
    let recovers = |place: &Place| place.1 < table.d && table.all_recovered(*place, TWO);
    for place in table.deep().into_iter().filter(recovers) {
        let errors: Vec<_> = norms.iter().filter_map(|&n| table.errors(place, n)).collect();
        for pair in errors.windows(2) {
            falls += usize::from(pair[1].median < pair[0].median);
            contradicted += usize::from(pair[1].median < pair[0].low);
        }
        for pair in norms.windows(2) {
            for (less, more) in table.at(place, pair[0]).iter().zip(table.at(place, pair[1])) {
                steps += 1;
                growing += usize::from(more.error > less.error);
            }
        }
        let medians: Vec<String> = errors.iter().map(|e| number(e.median)).collect();
        parts.push(format!("m = {}, s = {}: {}", place.1, place.0, medians.join(", ")));
    }
    let verdict = match (parts.len(), falls, contradicted) {
        (0, ..) => Verdict::NotDecided,
        (_, 0, _) => Verdict::Held,
        (_, _, 0) => Verdict::NotDecided,
        _ => Verdict::DidNotHold,
    };
    let names: Vec<String> = norms.iter().map(|norm| norm.name()).collect();
    Claim {
        statement: "Where two factors recover, the median error grows with every step in depth.",
        source: HERE,
        measured: match parts.as_slice() {
            [] => "Two factors do not recover all draws of any cell that was solved at all depths"
                .to_owned(),
            parts => format!(
                "Medians at {}: {}. Draw by draw the error grows in {growing} of {steps} steps",
                names.join(", "),
                parts.join("; ")
            ),
        },
        verdict,
    }
}

/// An error, rounding or not.
pub(super) fn number(error: f64) -> String {
    match error {
        0.0 => "0".to_owned(),
        e if e < 1e-3 => format!("{e:.0e}"),
        e => format!("{e:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Row;
    use super::*;

    /// Ten draws a cell, of which as many are recovered as the distance from where half are allows.
    fn recovered(norm: Norm, s: usize, half: usize) -> Vec<Row> {
        let cell = |m: usize| {
            let successes = (5 + 2 * m).saturating_sub(2 * half);
            let row = move |trial: u32| {
                let error = if (trial as usize) < successes { 0.0 } else { 0.5 };
                Row { m, s, trial, ..Row::blank(norm, error) }
            };
            (0..10).map(row)
        };
        (2..=40).step_by(2).flat_map(cell).collect()
    }

    #[test]
    fn half_points_are_judged_by_the_width() {
        // Statistical dimension 17.1 and width 8.0 at s = 6.
        let verdicts = |two: usize, plain: usize| {
            let rows = [recovered(TWO, 6, two), recovered(Norm::Plain, 6, plain)].concat();
            let table = Table::new(&rows);
            let match_each_other = two_factors_recover_where_l1_does(&table).verdict;
            (match_each_other, half_line_is_the_statistical_dimension(&table).verdict)
        };
        assert_eq!(verdicts(18, 20), (Verdict::Held, Verdict::Held));
        assert_eq!(verdicts(18, 28), (Verdict::DidNotHold, Verdict::Held));
        assert_eq!(verdicts(28, 26), (Verdict::Held, Verdict::DidNotHold));
        // No 50 % point, no verdict.
        assert_eq!(verdicts(60, 18), (Verdict::NotDecided, Verdict::NotDecided));
    }

    /// Ten draws of a cell at all depths, the errors by depth and draw.
    fn deep(m: usize, error: impl Fn(usize, u32) -> f64) -> Vec<Row> {
        let row = |k: usize, trial: u32| {
            let error = if k < 2 { 0.0 } else { error(k, trial) };
            Row { m, trial, ..Row::blank(Norm::ALL[k], error) }
        };
        let draws = (0..10).flat_map(|trial| (0..Norm::ALL.len()).map(move |k| (k, trial)));
        draws.map(|(k, trial)| row(k, trial)).collect()
    }

    #[test]
    fn half_of_a_cell_contradicts_and_every_draw_is_told() {
        let judged = |m: usize, lucky: u32| {
            let error = |k, trial| if k == 3 && trial < lucky { 1e-9 } else { 0.1 };
            let claim = more_factors_do_not_recover(&Table::new(&deep(m, error)));
            (claim.verdict, claim.measured)
        };
        assert_eq!(judged(20, 0).0, Verdict::Held);
        assert_eq!(judged(20, 5).0, Verdict::DidNotHold);
        let (verdict, told) = judged(20, 1);
        assert_eq!(verdict, Verdict::Held);
        assert!(
            told.contains("1 of 10 at k = 4, ") && told.contains("s = 2: error 1e-9"),
            "{told}"
        );
        // Where the measurements determine the vector nothing is claimed.
        assert_eq!(judged(40, 5).0, Verdict::NotDecided);
    }

    #[test]
    fn falling_medians_are_judged_by_the_quartiles() {
        let verdict = |at_eight: f64| {
            let error = |k: usize, trial: u32| {
                let base = if k == 5 { at_eight } else { 0.1 * k as f64 };
                base + 0.02 * f64::from(trial)
            };
            error_grows_with_depth(&Table::new(&deep(20, error))).verdict
        };
        assert_eq!(verdict(0.5), Verdict::Held);
        assert_eq!(verdict(0.39), Verdict::NotDecided);
        assert_eq!(verdict(0.2), Verdict::DidNotHold);
        assert_eq!(error_grows_with_depth(&Table::new(&[])).verdict, Verdict::NotDecided);
    }

    #[test]
    fn one_open_gap_contradicts() {
        let mut rows = deep(20, |_, _| 0.1);
        let verdict = |rows: &[Row]| all_are_certified(&Table::new(rows)).verdict;
        assert_eq!(verdict(&rows), Verdict::Held);
        rows[3].certified = false;
        assert_eq!(verdict(&rows), Verdict::DidNotHold);
        assert_eq!(verdict(&[]), Verdict::NotDecided);
    }
}
