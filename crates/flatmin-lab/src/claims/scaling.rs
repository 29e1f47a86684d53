//! Large matrices: what is proved of them at every size. Times are no part of a verdict.

use super::{Claim, Verdict};
use crate::record::Record;

const HERE: &str = "this project";

/// The noise in the answer, over what whoever knows the tangent space would be left with.
const FACTOR: f64 = 3.0;

/// Every draw is completed exactly, with a certificate.
pub(super) fn exact_entries_are_completed(records: &[&Record]) -> Claim {
    let done = records.iter().filter(|r| r.certified && r.success).count();
    let error = records.iter().map(|r| r.error.unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
    let most = records.iter().map(|r| r.m).max().unwrap_or(0);
    Claim {
        statement: "Exact entries of large matrices are completed exactly, with a certificate, for FLAT \
                    as for NUC.",
        source: HERE,
        measured: format!(
            "{done} of {} solves, of up to {most} entries, are certified and have an error below 1e-6; \
             the largest is {error:.0e}",
            records.len()
        ),
        verdict: verdict(done, records.len()),
    }
}

/// Every penalised solve is certified, and its error is of the size of the noise that is left.
pub(super) fn noisy_entries_are_completed(records: &[&Record]) -> Claim {
    // Least squares on the tangent space at M: n of m deviations remain, spread over all entries.
    let left = |r: &Record| {
        let dof = r.model.degrees_of_freedom(r.d1, r.d2, r.rank) as f64;
        let (m, entries) = (r.m as f64, r.d1 as f64 * r.d2 as f64);
        Some(r.delta? / m.sqrt() * (dof * entries / m).sqrt())
    };
    let part = |r: &&Record| match (r.error, left(r)) {
        (Some(error), Some(left)) if r.certified => error / left,
        _ => f64::INFINITY,
    };
    let mut parts: Vec<f64> = records.iter().map(part).collect();
    parts.sort_by(f64::total_cmp);
    let done = parts.iter().filter(|&&part| part <= FACTOR).count();
    let certified = records.iter().filter(|r| r.certified).count();
    let worst = match parts.last() {
        Some(worst) if worst.is_finite() => format!("at most {worst:.2} times what"),
        _ => "not known for all of them, beside what".to_owned(),
    };
    Claim {
        statement: "Noisy entries of large matrices are completed, with a certificate, to within three \
                    times the error of least squares by whoever knows the tangent space.",
        source: HERE,
        measured: format!(
            "{certified} of {} solves are certified; their error is {worst} least squares would leave",
            records.len()
        ),
        verdict: verdict(done, records.len()),
    }
}

fn verdict(done: usize, of: usize) -> Verdict {
    match of {
        0 => Verdict::NotDecided,
        n if n == done => Verdict::Held,
        _ => Verdict::DidNotHold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::claims;
    use crate::spec::{Billionths, Cell, Objective, Sampling};

    #[test]
    fn one_solve_without_a_certificate_contradicts() {
        let cell = Cell::exact(100, 100, 2, Sampling::Scattered { entries: 5000 });
        let mut exact = Record::blank("scaling-exact", &cell, 0, Objective::Flat);
        (exact.m, exact.certified, exact.success, exact.error) = (5000, true, true, Some(1e-9));
        let open = Record { certified: false, ..exact.clone() };
        let verdict = |id: &str, records: &[&Record]| claims(id, records)[0].verdict;
        assert_eq!(verdict("scaling-exact", &[&exact]), Verdict::Held);
        assert_eq!(verdict("scaling-exact", &[&exact, &open]), Verdict::DidNotHold);
        assert_eq!(verdict("scaling-exact", &[]), Verdict::NotDecided);
        // 396 of 5000 deviations of 1e-4, twice as many entries as are seen.
        let cell = Cell { noise: Billionths(100_000_000), ..cell };
        let mut noisy = Record::blank("scaling-noise", &cell, 0, Objective::FlatPenalised);
        (noisy.m, noisy.certified, noisy.delta) = (5000, true, Some(1e-4 * 5000_f64.sqrt()));
        let left = 1e-4 * (396.0 * 10_000.0 / 5000.0_f64).sqrt();
        noisy.error = Some(2.9 * left);
        assert_eq!(verdict("scaling-noise", &[&noisy]), Verdict::Held);
        noisy.error = Some(3.1 * left);
        assert_eq!(verdict("scaling-noise", &[&noisy]), Verdict::DidNotHold);
    }
}
