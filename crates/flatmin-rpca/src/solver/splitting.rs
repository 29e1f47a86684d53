//! The convex road: rounds of the alternating direction method until the gap is closed.
//!
//! The penalty is balanced between the two residuals at growing intervals, and the rounds are
//! extrapolated ([`Anderson`]) as far back as memory allows, or else over-relaxed. Every few rounds
//! the pair and the multiplier, brought to operator norm one, are offered.
//!
//! Reference: Boyd, Parikh, Chu, Peleato, Eckstein, *Distributed optimization and statistical
//! learning via the alternating direction method of multipliers*, Found. Trends Mach. Learn. 3,
//! 2011, sections 3.3 and 3.4.

use super::certificate::exactly;
use super::incumbent::{Incumbent, Pair, operator_norm};
use super::posed::Posed;
use super::rounds::{Round, Rounds};
use super::spectrum::Spectrum;
use flatmin_core::Error;
use flatmin_core::acceleration::Anderson;
use flatmin_core::solver::Monitor;

/// Rounds that an extrapolation looks back on, for matrices of few and of many entries.
const DEPTH: (usize, usize) = (10, 0);

/// Entries above which they are many.
const MANY: usize = 1 << 21;

/// Part of the way beyond its image that a round goes where there is no extrapolation.
const RELAXED: f64 = 0.6;

/// Rounds between two offers.
const ROUNDS_PER_OFFER: usize = 10;

/// Where the penalty is balanced: the primal residual, relative to `Y`, at this part of the dual
/// one, relative to `Q`. Measured on planted problems near the transition, on noisy ones and on
/// footage, all of which want the primal one ahead.
const BALANCE: f64 = 0.03;

/// Ranks at which the rounds may ask whether there is an exact decomposition.
const ATTEMPTS: usize = 3;

/// Imbalance that is let be, and the largest change of the penalty at once.
const BALANCED: f64 = 1.5;
const CHANGE: f64 = 5.0;

/// Runs rounds until the incumbent is certified, or the monitor stops them.
pub(super) fn splitting(
    posed: &Posed<'_>,
    rounds: &mut Rounds,
    spectrum: &mut Spectrum,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let size = posed.norm();
    let depth = if posed.y.len() > MANY { DEPTH.1 } else { DEPTH.0 };
    let mut memory = Anderson::new(depth, posed.par);
    let (mut since_balance, mut patience) = (0, ROUNDS_PER_OFFER);
    let mut q = vec![0.0; posed.y.len()];
    let (mut last_rank, mut tried) = (usize::MAX, Vec::new());
    for k in 1.. {
        let before = (depth > 0).then(|| rounds.b.clone());
        let beyond = if depth > 0 { 0.0 } else { RELAXED };
        let round = rounds.advance(posed, spectrum, beyond)?;
        let (primal, dual, rank) = (round.primal / size, round.dual, round.x.s.len());
        let cost = posed.objective(round.nuclear, round.deviation, rounds.level * rounds.mu);
        let go_on = monitor.tick("splitting", cost, incumbent.lower(), primal, rank);
        let due = k % ROUNDS_PER_OFFER == 0 || !go_on;
        if due {
            offer(posed, rounds, &round, &mut q, incumbent)?;
        }
        if !go_on || (due && incumbent.certified(posed)) {
            return Ok(());
        }
        if due && tried.len() < ATTEMPTS && rank == last_rank && !tried.contains(&rank) {
            tried.push(rank);
            exactly(posed, rounds, round.x, &q, incumbent, monitor)?;
            if incumbent.certified(posed) {
                return Ok(());
            }
        }
        last_rank = if due { rank } else { last_rank };
        since_balance += 1;
        // While X is zero the multiplier has not grown to its size, and the residuals say nothing.
        if due && since_balance >= patience && rank > 0 {
            let norm = q.iter().map(|q| q * q).sum::<f64>().sqrt();
            let imbalance = primal * norm / (BALANCE * dual).max(f64::MIN_POSITIVE);
            since_balance = 0;
            if !(1.0 / BALANCED..=BALANCED).contains(&imbalance) {
                let change = imbalance.sqrt().clamp(1.0 / CHANGE, CHANGE);
                rounds.rescale(posed, rounds.mu * change);
                memory.forget();
                patience += patience / 4;
                continue;
            }
        }
        if let Some(before) = before {
            let image = std::mem::take(&mut rounds.b);
            rounds.b = memory.extrapolate(before, image);
            rounds.settle(posed);
        }
    }
    Ok(())
}

/// Offers the pair of a round and its multiplier.
fn offer(
    posed: &Posed<'_>,
    rounds: &Rounds,
    round: &Round,
    q: &mut [f64],
    incumbent: &mut Incumbent,
) -> Result<(), Error> {
    rounds.multiplier(posed, q);
    let norm = operator_norm(posed.view(q), posed.par)?;
    incumbent.offer_dual(posed, q, norm);
    let Round { nuclear, deviation, .. } = *round;
    incumbent.offer(posed, Pair { x: round.x.clone(), nuclear, deviation });
    Ok(())
}
