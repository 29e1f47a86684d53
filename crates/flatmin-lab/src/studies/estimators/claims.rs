//! Estimators of traces: error bars, the automatic choice, and tolerances.
//!
//! Each claim is about many shares or quotients, each known up to sampling. One of them contradicts it when
//! its test does at a level of 5 % divided among all; where some are on the wrong side, and none by more
//! than chance explains, nothing is decided.

use super::operators::Operator;
use super::summary::{at_most, excess, rms};
use super::{BUDGETS, Contender, Estimates, Row, TOLERANCES};
use crate::claims::{Claim, Verdict};
use flatmin::core::flatness::Method;

const HERE: &str = "this project";

/// Chance of a verdict against a claim that is true.
const LEVEL: f64 = 0.05;

/// Standard errors for which a quotient may be off by chance, one of some dozens: a normal number exceeds
/// this once in a thousand.
const CHANCE: f64 = 3.1;

/// What the automatic choice may lose.
const NEAR: f64 = 1.3;

/// An error of this size is rounding.
const EXACT: f64 = 1e-9;

/// The claims about estimates.
pub(super) fn of(estimates: Estimates<'_>) -> Vec<Claim> {
    vec![
        bars_hold(estimates),
        auto_is_near_the_best(estimates),
        nystrom_is_as_good_as_orthogonal(estimates),
        exact_beyond_the_rank(estimates),
        tolerances_are_met(estimates),
    ]
}

/// A share of draws, with what it is of.
struct Share {
    of: String,
    hits: usize,
    draws: usize,
}

impl Share {
    fn value(&self) -> f64 {
        self.hits as f64 / self.draws as f64
    }
}

/// Judges that every share is at least `p`; the verdict, and the worst of them in words.
fn at_least(shares: &[Share], p: f64) -> (Verdict, String) {
    let Some(worst) = shares.iter().min_by(|a, b| a.value().total_cmp(&b.value())) else {
        return (Verdict::NotDecided, "Nothing was estimated".to_owned());
    };
    let level = LEVEL / shares.len() as f64;
    let below: Vec<&Share> = shares.iter().filter(|s| s.value() < p).collect();
    let refuted: Vec<String> = below
        .iter()
        .filter(|s| at_most(s.hits, s.draws, p) < level)
        .map(|s| format!("{} {} of {}", s.of, s.hits, s.draws))
        .collect();
    let verdict = match (below.len(), refuted.len()) {
        (0, _) => Verdict::Held,
        (_, 0) => Verdict::NotDecided,
        _ => Verdict::DidNotHold,
    };
    let hits: usize = shares.iter().map(|s| s.hits).sum();
    let draws: usize = shares.iter().map(|s| s.draws).sum();
    let mut text = format!(
        "in {:.1} % of {draws} runs, and at least in {} of {} ({}); below {:.0} % in {} of {} cases",
        100.0 * hits as f64 / draws as f64,
        worst.hits,
        worst.draws,
        worst.of,
        100.0 * p,
        below.len(),
        shares.len(),
    );
    match refuted.as_slice() {
        [] if !below.is_empty() => text.push_str(", none by more than chance explains"),
        [] => {}
        some => text.push_str(&format!(", by more than chance explains: {}", some.join("; "))),
    }
    (verdict, text)
}

/// Two standard errors hold the truth.
fn bars_hold(estimates: Estimates<'_>) -> Claim {
    let mut shares = Vec::new();
    for operator in Operator::ALL.into_iter().filter(|o| o.is_hessian()) {
        for contender in Contender::of(operator) {
            for m in [BUDGETS[2], BUDGETS[4]] {
                let rows = estimates.at(operator, contender, m);
                if !rows.is_empty() {
                    let hits = rows.iter().filter(|row| row.covered).count();
                    let of = format!("{}, {} at {m}", operator.name(), contender.name());
                    shares.push(Share { of, hits, draws: rows.len() });
                }
            }
        }
    }
    let (verdict, text) = at_least(&shares, 0.9);
    Claim {
        statement: "Two standard errors hold the true trace of a sensing Hessian in at least 90 % of runs, \
                    for every estimator at 96 and at 384 products.",
        source: HERE,
        measured: format!("The truth lies within two standard errors {text}"),
        verdict,
    }
}

/// A quotient of root mean square errors, with what it is of.
struct Quotient {
    of: String,
    value: f64,
    /// The least value that sampling leaves open.
    least: f64,
}

/// Judges that no quotient exceeds a limit; above `seen` it is not taken as held.
fn at_most_times(quotients: &[Quotient], limit: f64, seen: f64) -> (Verdict, String) {
    let Some(worst) = quotients.iter().max_by(|a, b| a.value.total_cmp(&b.value)) else {
        return (Verdict::NotDecided, "nothing was estimated".to_owned());
    };
    let above = quotients.iter().filter(|q| q.value > seen).count();
    let refuted: Vec<String> = quotients
        .iter()
        .filter(|q| q.least > limit)
        .map(|q| format!("{} ({:.2}, at least {:.2})", q.of, q.value, q.least))
        .collect();
    let verdict = match (above, refuted.len()) {
        (_, 1..) => Verdict::DidNotHold,
        (0, 0) => Verdict::Held,
        _ => Verdict::NotDecided,
    };
    let mut text = format!(
        "at most {:.2} times ({}), more than {seen} times in {above} of {} cases",
        worst.value,
        worst.of,
        quotients.len()
    );
    match refuted.as_slice() {
        [] if above > 0 => text.push_str(", none by more than chance explains"),
        [] => {}
        some => text.push_str(&format!(", by more than chance explains for {}", some.join("; "))),
    }
    (verdict, text)
}

/// The quotient of the errors of two estimators over the same draws.
fn quotient(of: String, one: &[&Row], other: &[&Row]) -> Option<Quotient> {
    let excess = excess(one, other)?;
    let least = (excess.value - CHANCE * excess.deviation).exp();
    Some(Quotient { of, value: excess.value.exp(), least })
}

fn auto_is_near_the_best(estimates: Estimates<'_>) -> Claim {
    let mut quotients = Vec::new();
    for operator in Operator::ALL {
        for m in estimates.budgets(operator) {
            let auto = estimates.at(operator, Contender::plain(Method::Auto), m);
            let others = Contender::of(operator).filter(|c| !c.control && c.method != Method::Auto);
            let best = others
                .map(|c| (c, estimates.at(operator, c, m)))
                .filter_map(|(c, rows)| Some((rms(&rows)?.value, c, rows)))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, best, rows)) = best {
                let of = format!("{} at {m}, against {}", operator.name(), best.name());
                quotients.extend(quotient(of, &auto, &rows));
            }
        }
    }
    let (verdict, text) = at_most_times(&quotients, NEAR, NEAR);
    Claim {
        statement: "The automatic choice has at most 1.3 times the root mean square error of whichever \
                    estimator is best for the operator and the budget.",
        source: HERE,
        measured: format!("Its error is {text}"),
        verdict,
    }
}

fn nystrom_is_as_good_as_orthogonal(estimates: Estimates<'_>) -> Claim {
    let mut quotients = Vec::new();
    for operator in Operator::ALL {
        for m in estimates.budgets(operator) {
            let rows = |method| estimates.at(operator, Contender::plain(method), m);
            let of = format!("{} at {m}", operator.name());
            quotients.extend(quotient(of, &rows(Method::XNysTrace), &rows(Method::Orthogonal)));
        }
    }
    let (verdict, text) = at_most_times(&quotients, 1.0, 1.1);
    Claim {
        statement: "XNysTrace is at least as good as orthogonal probes, for every operator and budget.",
        source: HERE,
        measured: format!("Its root mean square error is {text}"),
        verdict,
    }
}

fn exact_beyond_the_rank(estimates: Estimates<'_>) -> Claim {
    let (mut parts, mut wrong) = (Vec::new(), 0);
    for operator in Operator::ALL {
        for m in estimates.budgets(operator) {
            let rows = estimates.at(operator, Contender::plain(Method::XNysTrace), m);
            let beyond = rows.first().is_some_and(|row| operator.rank(row.n) <= m);
            if beyond {
                let worst = rows.iter().map(|row| row.error()).fold(0.0, f64::max);
                wrong += usize::from(worst > EXACT);
                parts.push(format!("{worst:.0e} for {} at {m}", operator.name()));
            }
        }
    }
    Claim {
        statement: "XNysTrace is exact, to 1e-9, beyond the rank of the operator.",
        source: HERE,
        verdict: match (parts.len(), wrong) {
            (0, _) => Verdict::NotDecided,
            (_, 0) => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
        measured: match parts.as_slice() {
            [] => "No budget exceeded a rank".to_owned(),
            parts => format!("Largest relative errors: {}", parts.join("; ")),
        },
    }
}

/// Runs that say that they met their tolerance did.
fn tolerances_are_met(estimates: Estimates<'_>) -> Claim {
    let (mut shares, mut open) = (Vec::new(), 0);
    for operator in Operator::ALL {
        for contender in Contender::of(operator) {
            for tolerance in TOLERANCES {
                let runs = estimates.of(operator, contender);
                let runs: Vec<&Row> = runs.filter(|r| r.tolerance == Some(tolerance)).collect();
                let ended: Vec<&&Row> = runs.iter().filter(|r| r.converged).collect();
                open += runs.len() - ended.len();
                if !ended.is_empty() {
                    let hits = ended.iter().filter(|r| r.error() <= tolerance).count();
                    let name = (operator.name(), contender.name());
                    let of = format!("{}, {} to {tolerance:.0e}", name.0, name.1);
                    shares.push(Share { of, hits, draws: ended.len() });
                }
            }
        }
    }
    let (verdict, text) = at_least(&shares, 0.95);
    Claim {
        statement: "A run that ends at its tolerance is within it in at least 95 % of cases, for every \
                    operator and estimator.",
        source: HERE,
        measured: format!(
            "The error is within the tolerance {text}; {open} other runs spent all that they might and say so"
        ),
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of an estimator in draw after draw, with these errors.
    fn draws(method: Method, count: u32, error: impl Fn(u32) -> f64) -> Vec<Row> {
        let estimator = method.name().to_owned();
        let row = |trial| Row { trial, estimator: estimator.clone(), ..Row::blank(error(trial)) };
        (0..count).map(row).collect()
    }

    #[test]
    fn bars_are_judged_with_the_chance_of_their_draws() {
        let verdict = |missed: u32, of: u32| {
            let mut rows = draws(Method::XTrace, of, |_| 0.01);
            rows.iter_mut().filter(|row| row.trial < missed).for_each(|row| row.covered = false);
            bars_hold(Estimates(&rows)).verdict
        };
        assert_eq!(verdict(2, 20), Verdict::Held);
        // Three of twenty are no evidence against nine of ten; thirty of two hundred are.
        assert_eq!(verdict(3, 20), Verdict::NotDecided);
        assert_eq!(verdict(30, 200), Verdict::DidNotHold);
        assert_eq!(verdict(0, 0), Verdict::NotDecided);
    }

    #[test]
    fn the_choice_is_judged_against_the_best() {
        let verdict = |factor: f64, noise: f64| {
            let error = |t: u32| 0.01 * (1.0 + noise * f64::from(t % 7));
            let mut rows = draws(Method::Orthogonal, 40, error);
            rows.extend(draws(Method::XNysTrace, 40, |t| 2.0 * error(t)));
            rows.extend(draws(Method::Auto, 40, |t| factor * error(39 - t)));
            let estimates = Estimates(&rows);
            (
                auto_is_near_the_best(estimates).verdict,
                nystrom_is_as_good_as_orthogonal(estimates).verdict,
            )
        };
        assert_eq!(verdict(1.2, 0.0), (Verdict::Held, Verdict::DidNotHold));
        assert_eq!(verdict(1.5, 0.0).0, Verdict::DidNotHold);
        assert_eq!(verdict(1.4, 3.0).0, Verdict::NotDecided);
    }

    #[test]
    fn tolerances_are_judged_by_runs_that_say_they_ended() {
        let verdict = |error: f64, converged: bool| {
            let mut rows = draws(Method::Auto, 50, |_| error);
            for row in &mut rows {
                (row.matvecs, row.tolerance, row.converged) =
                    (None, Some(TOLERANCES[0]), converged);
            }
            tolerances_are_met(Estimates(&rows)).verdict
        };
        assert_eq!(verdict(0.009, true), Verdict::Held);
        assert_eq!(verdict(0.011, true), Verdict::DidNotHold);
        assert_eq!(verdict(0.011, false), Verdict::NotDecided);
    }

    #[test]
    fn exact_means_to_rounding() {
        let verdict = |error: f64, budget: usize| {
            let mut rows = draws(Method::XNysTrace, 3, |_| error);
            rows.iter_mut().for_each(|row| row.matvecs = Some(budget));
            exact_beyond_the_rank(Estimates(&rows)).verdict
        };
        assert_eq!(verdict(1e-12, 600), Verdict::Held);
        assert_eq!(verdict(1e-4, 600), Verdict::DidNotHold);
        assert_eq!(verdict(1e-4, 384), Verdict::NotDecided);
    }
}
