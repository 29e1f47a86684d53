//! Depth: recovery, nuclear norms and traces of flat factorisations against NUC, FLAT and closed forms.

use super::summary::{Found, mean};
use super::{DEPTHS, EXACT, RANKS};
use crate::claims::{Claim, Verdict};
use flatmin::core::theory::statistical_dimension;

const HERE: &str = "this project";
const GATMIRY: &str = "Gatmiry et al. 2023 (arXiv 2306.13239), this project";

/// Chance of a verdict against a claim that is true.
const LEVEL: f64 = 0.05;

/// Relative deviation that the searches leave of a trace.
const SAME: f64 = 1e-6;

/// The claims.
pub(super) fn of(found: &[Found<'_>]) -> Vec<Claim> {
    vec![
        recovers_as_often(found),
        norm_tends_to_the_least(found),
        population_predicts_the_trace(found),
        rank_one_has_a_closed_form(found),
        two_layers_are_certified(found),
    ]
}

/// Probability of at most `k` heads of `n` fair coins.
fn tail(k: usize, n: usize) -> f64 {
    let mut term = 0.5f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut sum = 0.0;
    for i in 0..=k.min(n) {
        sum += term;
        term *= (n - i) as f64 / (i + 1) as f64;
    }
    sum.min(1.0)
}

/// Draws that only the flat layers recover, against those that only NUC does, by rank and depth.
fn recovers_as_often(found: &[Found<'_>]) -> Claim {
    let (mut told, mut fewer, mut refuted) = (Vec::new(), false, false);
    for rank in RANKS {
        for depth in DEPTHS {
            let of = |f: &&Found<'_>| f.best.rank == rank && f.best.depth == depth;
            let draws: Vec<&Found<'_>> = found.iter().filter(of).collect();
            let only = |f: &&&Found<'_>| f.recovers() && !f.nuclear_recovers();
            let not = |f: &&&Found<'_>| !f.recovers() && f.nuclear_recovers();
            let (gained, lost) =
                (draws.iter().filter(only).count(), draws.iter().filter(not).count());
            if draws.is_empty() {
                continue;
            }
            fewer |= lost > gained;
            let tests = (RANKS.len() * DEPTHS.len()) as f64;
            refuted |= lost > gained && tail(gained, gained + lost) < LEVEL / tests;
            told.push(format!("rank {rank}, {depth} layers: +{gained} −{lost} of {}", draws.len()));
        }
    }
    Claim {
        statement: "Depth does no harm: flat factorisations into two, three and four layers recover as many \
                    matrices as the least nuclear norm does.",
        source: GATMIRY,
        measured: format!(
            "Draws that only the flat layers recover (+) and that only NUC does (−): {}",
            told.join("; ")
        ),
        verdict: match (told.is_empty(), refuted, fewer) {
            (true, ..) | (_, false, true) => Verdict::NotDecided,
            (_, true, _) => Verdict::DidNotHold,
            _ => Verdict::Held,
        },
    }
}

/// Numbers of measurements above the transition by a quarter and more.
fn well_measured(f: &Found<'_>) -> bool {
    f.best.m as f64 >= 1.25 * statistical_dimension(f.best.d, f.best.d, f.best.rank)
}

fn norm_tends_to_the_least(found: &[Found<'_>]) -> Claim {
    let (mut told, mut worst) = (Vec::new(), 0.0_f64);
    let mut above = 0;
    for depth in DEPTHS {
        let of = |f: &&Found<'_>| f.best.depth == depth;
        let excess = |f: &Found<'_>| f.best.ratio() - 1.0;
        let all = found.iter().filter(of).map(excess).fold(0.0, f64::max);
        let well: Vec<f64> =
            found.iter().filter(of).filter(|f| well_measured(f)).map(excess).collect();
        above += well.len();
        worst = well.iter().copied().fold(worst, f64::max);
        told.push(format!("{depth} layers {:.1} %", 100.0 * all));
    }
    Claim {
        statement: "Flat factorisations of every depth have nearly the least nuclear norm that fits, and exactly \
                    that from a quarter above the transition.",
        source: GATMIRY,
        measured: format!(
            "Above the least at most by {worst:.0e} of it in {above} cases from a quarter above the transition; in \
             all, {}",
            told.join(", ")
        ),
        verdict: match above {
            0 => Verdict::NotDecided,
            _ if worst <= SAME => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}

fn population_predicts_the_trace(found: &[Found<'_>]) -> Claim {
    let (mut told, mut outside, mut count) = (Vec::new(), 0, 0);
    for depth in DEPTHS {
        let of = |f: &&Found<'_>| f.best.depth == depth && well_measured(f);
        let draws: Vec<&Found<'_>> = found.iter().filter(of).collect();
        let ratio = |f: &&Found<'_>| f.best.trace / f.best.population;
        // Three standard deviations of a mean of m squares of normal numbers.
        let far = |f: &&&Found<'_>| (ratio(f) - 1.0).abs() > 3.0 * (2.0 / f.best.m as f64).sqrt();
        outside += draws.iter().filter(far).count();
        count += draws.len();
        if let Some(middle) = mean(draws.iter().map(ratio)) {
            let spread =
                mean(draws.iter().map(|f| (ratio(f) - middle).powi(2))).unwrap_or(0.0).sqrt();
            told.push(format!("{depth} layers {middle:.3} ± {spread:.3}"));
        }
    }
    Claim {
        statement: "The least trace is 2 L d^(2/L) |X|_*^(2 − 2/L), as in the population, but for what a mean of m \
                    squares fluctuates.",
        source: HERE,
        measured: format!(
            "From a quarter above the transition, trace over prediction, mean and deviation: {}; beyond 3 (2/m)^½ \
             in {outside} of {count} cases",
            told.join(", ")
        ),
        verdict: match (count, outside) {
            (0, _) => Verdict::NotDecided,
            (_, 0) => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}

fn rank_one_has_a_closed_form(found: &[Found<'_>]) -> Claim {
    let excess = |f: &Found<'_>| Some(f.best.trace / f.best.rank_one? - 1.0);
    let worst = found.iter().filter_map(excess).fold(f64::NEG_INFINITY, f64::max);
    let recovered: Vec<f64> = found.iter().filter(|f| f.recovers()).filter_map(excess).collect();
    let count = recovered.len();
    let off = recovered.into_iter().map(f64::abs).fold(0.0, f64::max);
    Claim {
        statement: "A planted matrix of rank one gives no flat factors of a larger trace than its best factors of rank \
                    one, whose trace is a closed form, and exactly those where it is recovered.",
        source: HERE,
        measured: format!(
            "In {count} cases of recovery within {off:.0e} of the closed form; over all draws never more than \
             {worst:.0e} above"
        ),
        verdict: match count {
            0 => Verdict::NotDecided,
            _ if off <= SAME && worst <= SAME => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}

fn two_layers_are_certified(found: &[Found<'_>]) -> Claim {
    let (mut searches, mut off, mut best) = (0, 0, 0.0_f64);
    for f in found {
        let Some(certified) = f.best.certified else {
            continue;
        };
        best = best.max((f.best.trace / certified - 1.0).abs());
        searches += f.starts.len();
        off += f
            .starts
            .iter()
            .filter(|row| (row.trace / certified - 1.0).abs() > EXACT || !row.fits())
            .count();
    }
    let deeper: Vec<String> = DEPTHS
        .into_iter()
        .filter(|depth| *depth > 2)
        .map(|depth| {
            let of = found.iter().filter(|f| f.best.depth == depth);
            let (higher, all) =
                of.fold((0, 0), |(h, n), f| (h + f.higher(EXACT), n + f.starts.len()));
            format!("with {depth} layers {higher} of {all}")
        })
        .collect();
    Claim {
        statement: "For two layers every start ends at the least trace, which the convex program FLAT certifies.",
        source: HERE,
        measured: format!(
            "{off} of {searches} searches end elsewhere by more than 10⁻⁶, the best of a draw at most by {best:.0e}; \
             above the best of their draw: {}",
            deeper.join(", ")
        ),
        verdict: match (searches, off) {
            (0, _) => Verdict::NotDecided,
            (_, 0) => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}
