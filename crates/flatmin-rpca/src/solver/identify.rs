//! The fast road: a low-rank matrix that fits all entries but the corrupted ones.
//!
//! A few rounds of the alternating direction method, with a growing penalty, show the rank. On
//! matrices of that rank, corrupted entries are those with `|Y - X| > theta`, and the others, `F`,
//! are completed: with `G = P_F(Y - X)`
//!
//! ```text
//! X <- H_r( X + P_T(G) / q ),
//! ```
//!
//! where `T` is the tangent space at `X`, `H_r` keeps `r` singular values, and `q = |F| / (d1 d2)`
//! makes the step an unbiased estimate of the error. `theta` follows the largest change of an entry,
//! which estimates the largest error: no entry that agrees is taken for corrupted, and so nothing
//! that was thrown out must come back. Where an exact decomposition exists, the error falls by a
//! factor a step; where none does, it does not, and the road is left.
//!
//! The step is that of Cai, Cai, Wei, *Accelerated alternating projections for robust principal
//! component analysis*, J. Mach. Learn. Res. 20, 2019, which is told the rank and a threshold; a
//! certificate ([`certificate`](super::certificate)) tells what it found.

use super::posed::Posed;
use super::rounds::{Rounds, compose};
use super::spectrum::Spectrum;
use flatmin_core::linalg::{self, Par, Svd};
use flatmin_core::solver::Monitor;
use flatmin_core::{Error, Mat, MatRef};

/// Growth of the penalty a round.
const GROWTH: f64 = 1.5;

/// Rounds within which the rank must show.
const ROUNDS: usize = 12;

/// Singular values that count as zero or not when they are below or above this part of the
/// threshold.
const CLEAR: (f64, f64) = (0.9, 1.2);

/// Steps of completion, and steps without progress, after which the road is left.
const STEPS: (usize, usize) = (150, 4);

/// Factors by which `theta` may fall a step.
const FALL: (f64, f64) = (0.15, 0.8);

/// Error of `X`, relative to `|Y|` and to the tolerance, at which it is exact for all purposes.
const EXACT: f64 = 1e-3;

/// Entries of the rest below this part of the root mean square of `Y` are zero.
const ZERO: f64 = 1e-12;

/// Change below which a step without progress means that rounding has won.
const ROUNDED: f64 = 1e-11;

/// Finds a rank: whether one stood out.
pub(super) fn rank(
    posed: &Posed<'_>,
    rounds: &mut Rounds,
    spectrum: &mut Spectrum,
    hint: Option<usize>,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Svd>, Error> {
    let mut last = 0;
    for _ in 0..ROUNDS {
        let round = rounds.advance(posed, spectrum, 0.0)?;
        let rank = round.x.s.len();
        if !monitor.tick("finding the rank", round.nuclear, 0.0, round.primal, rank) {
            return Ok(None);
        }
        // What was shrunk by the threshold is back above it by as much.
        let smallest = round.x.s.last().map_or(0.0, |s| s * rounds.mu + 1.0);
        let clear = smallest > CLEAR.1 && round.next < CLEAR.0;
        if clear && (rank == last || hint == Some(rank)) && rank > 0 {
            return Ok(Some(round.x));
        }
        last = rank;
        let mu = rounds.mu * GROWTH;
        rounds.rescale(posed, mu);
    }
    Ok(None)
}

/// A matrix of low rank and what it leaves of `Y`.
pub(super) struct Split {
    pub(super) x: Svd,
    /// `Y - X` where something is seen, `-X` elsewhere.
    pub(super) rest: Vec<f64>,
    /// Entries of the rest up to this size are zero, up to the error of `X`.
    pub(super) zero: f64,
}

/// Completes `X` (the matrix that `field` holds) from the entries that agree; `None` when they do not
/// lead to an exact decomposition.
pub(super) fn complete(
    posed: &Posed<'_>,
    mut x: Svd,
    mut theta: f64,
    field: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Option<Split>, Error> {
    let (least, rank) = (posed.rows.min(posed.cols), x.s.len());
    if 2 * rank > least {
        return Ok(None);
    }
    let size = posed.norm();
    let mut rest = field.to_vec();
    posed.sweep(&mut rest, |_, y, _, x| {
        x.iter_mut().zip(y).for_each(|(x, y)| *x = y - *x);
    });
    let mut kept = vec![0.0; rest.len()];
    let (mut before, mut stuck) = (f64::INFINITY, 0);
    for step in 0..STEPS.0 {
        let counts = posed.sweep(&mut kept, |start, y, seen, kept| {
            let entries = kept.iter_mut().zip(&rest[start..start + y.len()]);
            let keep = |kept: &mut f64, rest: f64, agrees: bool| {
                // No branch: a wrong guess costs more than all the rest.
                *kept = if agrees { 1.0 } else { 0.0 } * rest;
                usize::from(agrees)
            };
            match seen {
                None => entries.map(|(k, r)| keep(k, *r, r.abs() <= theta)).sum::<usize>(),
                Some(seen) => {
                    entries.zip(seen).map(|((k, r), s)| keep(k, *r, *s && r.abs() <= theta)).sum()
                }
            }
        });
        let fraction = counts.iter().sum::<usize>() as f64 / rest.len() as f64;
        if fraction < 0.25 {
            return Ok(None);
        }
        x = tangent_step(posed, &x, posed.view(&kept), 1.0 / fraction)?;
        compose(posed, &x, &mut kept);
        // Y - X, its largest change and the sum of squares of all.
        let changes = posed
            .sweep(&mut rest, |start, y, _, rest| replace(rest, y, &kept[start..start + y.len()]));
        let largest = changes.iter().fold(0.0, |m: f64, c| m.max(c.0));
        let change = changes.iter().map(|c| c.1).sum::<f64>().sqrt() / size;
        let nuclear = x.s.iter().sum();
        if !monitor.tick("completing", nuclear, 0.0, change, rank) || !change.is_finite() {
            return Ok(None);
        }
        let rate = if step == 0 { 0.5 } else { (change / before).min(0.9) };
        let exact = (EXACT * posed.tolerance).max(1e-13);
        if change * rate <= exact * (1.0 - rate) || (change < ROUNDED && change > 0.7 * before) {
            let zero = (2.0 * largest).max(ZERO * size / (rest.len() as f64).sqrt());
            return Ok(Some(Split { x, rest, zero }));
        }
        stuck = if change > 0.95 * before { stuck + 1 } else { 0 };
        if stuck >= STEPS.1 {
            return Ok(None);
        }
        before = change;
        let ahead = (rate / (1.0 - rate)).max(1.0) * largest;
        theta = ahead.clamp(FALL.0 * theta, FALL.1 * theta);
    }
    Ok(None)
}

/// Sums taken side by side, so that none waits for the one before.
const LANES: usize = 8;

/// `rest <- y - x`; the largest change of an entry, and the sum of squares of all.
fn replace(rest: &mut [f64], y: &[f64], x: &[f64]) -> (f64, f64) {
    let (mut largest, mut sum) = ([0.0_f64; LANES], [0.0; LANES]);
    let pieces = rest.chunks_mut(LANES).zip(y.chunks(LANES).zip(x.chunks(LANES)));
    for (rest, (y, x)) in pieces {
        let entries = rest.iter_mut().zip(y.iter().zip(x));
        for ((rest, (y, x)), (largest, sum)) in entries.zip(largest.iter_mut().zip(&mut sum)) {
            let new = y - x;
            let change = new - *rest;
            *largest = if change.abs() > *largest { change.abs() } else { *largest };
            *sum += change * change;
            *rest = new;
        }
    }
    (largest.iter().fold(0.0, |m: f64, v| m.max(*v)), sum.iter().sum())
}

/// `H_r( X + w P_T(G) )`: with `G V` and `G^T U` split along and across `U` and `V`, the sum is
/// `[U Q1] C [V Q2]^T` for a core `C` of order `2 r`.
fn tangent_step(posed: &Posed<'_>, x: &Svd, g: MatRef<'_, f64>, weight: f64) -> Result<Svd, Error> {
    let rank = x.s.len();
    let (u, v) = (x.u.as_ref(), x.v.as_ref());
    let (mut gv, mut gu) = (Mat::zeros(posed.rows, rank), Mat::zeros(posed.cols, rank));
    linalg::multiply_par(gv.as_mut(), g, v, posed.par);
    linalg::multiply_par(gu.as_mut(), g.transpose(), u, posed.par);
    let along = linalg::product(u.transpose(), gv.as_ref());
    let (q1, r1) = across(u, gv);
    let (q2, r2) = across(v, gu);
    let mut core = Mat::zeros(2 * rank, 2 * rank);
    for j in 0..rank {
        for i in 0..rank {
            core[(i, j)] = weight * along[(i, j)];
            core[(rank + i, j)] = weight * r1[(i, j)];
            core[(i, rank + j)] = weight * r2[(j, i)];
        }
        core[(j, j)] += x.s[j];
    }
    let small = linalg::svd(core.as_ref(), Par::Seq)?;
    let combine = |a: MatRef<'_, f64>, q: &Mat<f64>, c: &Mat<f64>| {
        let c = c.as_ref().subcols(0, rank);
        let mut out = linalg::product(a, c.subrows(0, rank));
        linalg::accumulate(out.as_mut(), q.as_ref(), c.subrows(rank, rank));
        out
    };
    Ok(Svd {
        u: combine(u, &q1, &small.u),
        v: combine(v, &q2, &small.v),
        s: small.s[..rank].to_vec(),
    })
}

/// The QR factors of `(I - U U^T) A`, projected twice, since the first loses digits where `A` is
/// nearly along `U`.
fn across(u: MatRef<'_, f64>, mut a: Mat<f64>) -> (Mat<f64>, Mat<f64>) {
    for _ in 0..2 {
        let along = linalg::product(u.transpose(), a.as_ref());
        linalg::subtract_product(a.as_mut(), u, along.as_ref());
    }
    linalg::thin_qr(a.as_ref())
}

impl Split {
    /// `sum |Y - X|` over the seen entries.
    pub(super) fn deviation(&self, posed: &Posed<'_>) -> f64 {
        let parts = posed.scan(|start, y, seen| {
            let rest = self.rest[start..start + y.len()].iter().map(|rest| rest.abs());
            match seen {
                None => rest.sum::<f64>(),
                Some(seen) => rest.zip(seen).filter(|(_, seen)| **seen).map(|(r, _)| r).sum(),
            }
        });
        parts.iter().sum()
    }
}
