//! The proof that an exact decomposition is optimal.
//!
//! `X = U S V^T` with sparse rest `S` is optimal when there is a `Q`, zero where nothing is seen, with
//!
//! ```text
//! P_T(Q) = U V^T,   |Q - U V^T|_op <= 1,      Q_ij = lambda sign(S_ij) where S_ij != 0,   |Q_ij| <= lambda elsewhere.
//! ```
//!
//! Starting from the multiplier of the rounds, the entries outside the support of `S` are moved along
//! the misfit `R = U V^T - P_T(Q)` and clipped, with the momentum that is best for the rate at which
//! plain steps were seen to reduce it. What is left of `R` is paid for: `|Q|_op <= max(1, |W|_op) +
//! |R|_F` with `W = Q - P_T(Q)`, by one Cholesky factor.
//!
//! References: Candes, Li, Ma, Wright, *Robust principal component analysis?*, J. ACM 58, 2011,
//! Lemma 2.4; Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR
//! Comput. Math. Math. Phys. 4, 1964.

use super::identify::{self, Split};
use super::incumbent::{Incumbent, Pair, operator_norm};
use super::posed::Posed;
use super::rounds::{Rounds, clip};
use flatmin_core::linalg::parallel::{PIECE, map};
use flatmin_core::linalg::{self, Svd};
use flatmin_core::solver::Monitor;
use flatmin_core::{Error, Mat, MatMut};

/// Steps after which no certificate is expected.
const STEPS: usize = 200;

/// Plain steps before the momentum.
const PLAIN: usize = 4;

/// Steps that leave more than this part of the misfit are slow, and so many in a row are enough.
const SLOW: f64 = 0.98;
const PATIENCE: usize = 8;

/// What of `R` may be left to be paid for, relative to the tolerance.
const PAID: f64 = 0.1;

/// Norm of `W` below which the certificate leaves room.
const ROOM: f64 = 1.0 - 1e-6;

/// Follows `x`, which the field of `rounds` holds, to an exact decomposition, and offers it with what
/// a certificate near `q` proves.
pub(super) fn exactly(
    posed: &Posed<'_>,
    rounds: &Rounds,
    x: Svd,
    q: &[f64],
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let Some(split) = identify::complete(posed, x, rounds.level, &rounds.x, monitor)? else {
        return Ok(());
    };
    prove(posed, &split, rounds.level * rounds.mu, q.to_vec(), incumbent, monitor)?;
    let nuclear = split.x.s.iter().sum();
    let deviation = split.deviation(posed);
    incumbent.offer(posed, Pair { x: split.x, nuclear, deviation });
    Ok(())
}

/// Looks for a certificate with `|Q_ij| <= lambda` near `q`, and offers what it proves.
fn prove(
    posed: &Posed<'_>,
    split: &Split,
    lambda: f64,
    mut q: Vec<f64>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let rank = split.x.s.len();
    // On the support of S the entries of Q are given, and where nothing is seen they are zero.
    let free = |rest: f64, seen: bool| seen && rest.abs() <= split.zero;
    let counts = posed.sweep(&mut q, |start, _, seen, q| {
        let rest = &split.rest[start..];
        let mut count = 0;
        for (k, (q, rest)) in q.iter_mut().zip(rest).enumerate() {
            let seen = seen.is_none_or(|seen| seen[k]);
            if free(*rest, seen) {
                *q = clip(*q, lambda, seen);
                count += 1;
            } else {
                *q = if seen { lambda.copysign(*rest) } else { 0.0 };
            }
        }
        count
    });
    let fraction = counts.iter().sum::<usize>() as f64 / q.len() as f64;
    let target = PAID * posed.tolerance;
    let nuclear: f64 = split.x.s.iter().sum();
    let mut velocity = vec![0.0; q.len()];
    let mut step = vec![0.0; q.len()];
    let (mut weight, mut momentum) = (1.0 / fraction.max(1e-3), 0.0);
    let (mut before, mut stuck) = (f64::INFINITY, 0);
    for k in 0..STEPS {
        let misfit = Misfit::of(posed, split, &q);
        let now = misfit.norm;
        if !monitor.tick("certifying", nuclear, incumbent.lower(), now, rank) {
            return Ok(());
        }
        misfit.write(posed, &mut step);
        if now <= target {
            return finish(posed, split, now, q, step, incumbent);
        }
        stuck = if now > SLOW * before { stuck + 1 } else { 0 };
        if stuck >= PATIENCE || !now.is_finite() {
            return Ok(());
        }
        let rate = now / before;
        before = now;
        if k + 1 == PLAIN && rate < 0.95 {
            // Chebyshev's asymptotic rate for eigenvalues of the error within ±rate.
            let root = (1.0 - rate * rate).sqrt();
            momentum = ((1.0 - root) / rate.max(f64::MIN_POSITIVE)).powi(2);
            weight *= 2.0 / (1.0 + root);
        }
        let moved = &step;
        let pieces = q.chunks_mut(PIECE).zip(velocity.chunks_mut(PIECE)).enumerate().collect();
        map(posed.par, pieces, |(piece, (q, velocity)): (usize, (&mut [f64], &mut [f64]))| {
            let range = piece * PIECE..piece * PIECE + q.len();
            let data = moved[range.clone()].iter().zip(&split.rest[range.clone()]);
            let entries = q.iter_mut().zip(velocity).zip(data);
            let go = |q: &mut f64, velocity: &mut f64, step: f64, free: bool| {
                // No branch: a wrong guess costs more than all the rest.
                let gate = if free { 1.0 } else { 0.0 };
                *velocity = gate * (weight * step + momentum * *velocity);
                *q = (*q + *velocity).max(-lambda).min(lambda);
            };
            match posed.seen {
                None => entries.for_each(|((q, v), (r, rest))| go(q, v, *r, free(*rest, true))),
                Some(seen) => entries
                    .zip(&seen[range])
                    .for_each(|(((q, v), (r, rest)), seen)| go(q, v, *r, free(*rest, *seen))),
            }
        });
    }
    Ok(())
}

/// Checks the norm beyond the tangent space, and offers the bound; `step` holds `R`.
fn finish(
    posed: &Posed<'_>,
    split: &Split,
    misfit: f64,
    q: Vec<f64>,
    mut step: Vec<f64>,
    incumbent: &mut Incumbent,
) -> Result<(), Error> {
    // W = Q + R - U V^T.
    posed.sweep(&mut step, |start, _, _, r| {
        r.iter_mut().zip(&q[start..]).for_each(|(r, q)| *r += q);
    });
    let out = MatMut::from_column_major_slice_mut(&mut step, posed.rows, posed.cols);
    linalg::subtract_product(out, split.x.u.as_ref(), split.x.v.transpose());
    let w = posed.view(&step);
    let norm =
        if linalg::norm_below(w, ROOM) { 1.0 } else { operator_norm(w, posed.par)?.max(1.0) };
    // U and V are orthonormal up to rounding.
    let rounding = 16.0 * f64::EPSILON * ((posed.rows + posed.cols) as f64).sqrt();
    incumbent.offer_dual(posed, &q, norm + misfit + rounding);
    Ok(())
}

/// `R = U V^T - P_T(Q)` as a product of thin matrices, `[U Z1] [Z2 V]^T` with `Z1 = -(I - U U^T) Q V`
/// and `Z2 = V - Q^T U`.
struct Misfit {
    left: Mat<f64>,
    right: Mat<f64>,
    /// `|R|_F`.
    norm: f64,
}

impl Misfit {
    fn of(posed: &Posed<'_>, split: &Split, q: &[f64]) -> Misfit {
        let (u, v, rank) = (split.x.u.as_ref(), split.x.v.as_ref(), split.x.s.len());
        let q = posed.view(q);
        let (mut left, mut right) =
            (Mat::zeros(posed.rows, 2 * rank), Mat::zeros(posed.cols, 2 * rank));
        left.as_mut().subcols_mut(0, rank).copy_from(u);
        right.as_mut().subcols_mut(rank, rank).copy_from(v);
        let mut z1 = left.as_mut().subcols_mut(rank, rank);
        linalg::multiply_par(z1.as_mut(), q, v, posed.par);
        let along = linalg::product(u.transpose(), z1.as_ref());
        linalg::subtract_product(z1.as_mut(), u, along.as_ref());
        z1.as_mut().col_iter_mut().for_each(|c| c.iter_mut().for_each(|z| *z = -*z));
        let mut z2 = right.as_mut().subcols_mut(0, rank);
        linalg::multiply_par(z2.as_mut(), q.transpose(), u, posed.par);
        for (z, v) in z2.as_mut().col_iter_mut().zip(v.col_iter()) {
            z.iter_mut().zip(v.iter()).for_each(|(z, v)| *z = v - *z);
        }
        let norm = z1.norm_l2().hypot(z2.norm_l2());
        Misfit { left, right, norm }
    }

    /// Writes `R` to a field.
    fn write(&self, posed: &Posed<'_>, out: &mut [f64]) {
        let out = MatMut::from_column_major_slice_mut(out, posed.rows, posed.cols);
        linalg::multiply_par(out, self.left.as_ref(), self.right.transpose(), posed.par);
    }
}
