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

use super::identify::Split;
use super::incumbent::Incumbent;
use super::monitor::Monitor;
use super::posed::Posed;
use super::rounds::clip;
use flatmin_core::linalg;
use flatmin_core::linalg::parallel::{PIECE, map};
use flatmin_core::{Error, Mat, MatMut};

/// Steps after which no certificate is expected.
const STEPS: usize = 200;

/// Plain steps before the momentum.
const PLAIN: usize = 4;

/// What of `R` may be left to be paid for, relative to the tolerance.
const PAID: f64 = 0.1;

/// Norm of `W` below which the certificate leaves room.
const ROOM: f64 = 1.0 - 1e-6;

/// Looks for a certificate with `|Q_ij| <= lambda` near `q`, and offers what it proves.
pub(super) fn prove(
    posed: &Posed<'_>,
    split: &Split,
    lambda: f64,
    mut q: Vec<f64>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let (u, v, rank) = (split.x.u.as_ref(), split.x.v.as_ref(), split.x.s.len());
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
    let (mut misfit, mut rate, mut stuck) = (f64::INFINITY, 0.0_f64, 0);
    for k in 0..STEPS {
        // R = U Z2^T + Z1 V^T with Z2 = V - Q^T U and Z1 = -(I - U U^T) Q V.
        let view = posed.view(&q);
        let (mut z1, mut z2) = (Mat::zeros(posed.rows, rank), Mat::zeros(posed.cols, rank));
        linalg::multiply_par(z1.as_mut(), view, v, posed.par);
        linalg::multiply_par(z2.as_mut(), view.transpose(), u, posed.par);
        let along = linalg::product(u.transpose(), z1.as_ref());
        linalg::subtract_product(z1.as_mut(), u, along.as_ref());
        let z1 = Mat::from_fn(posed.rows, rank, |i, j| -z1[(i, j)]);
        let z2 = Mat::from_fn(posed.cols, rank, |i, j| v[(i, j)] - z2[(i, j)]);
        let now = z1.norm_l2().hypot(z2.norm_l2());
        if !monitor.tick("certifying", (nuclear, incumbent.lower()), now, rank) {
            return Ok(());
        }
        let left = side_by_side(&[u, z1.as_ref()]);
        let right = side_by_side(&[z2.as_ref(), v]);
        let out = MatMut::from_column_major_slice_mut(&mut step, posed.rows, posed.cols);
        linalg::multiply_par(out, left.as_ref(), right.transpose(), posed.par);
        if now <= target {
            return finish(posed, split, now, q, step, incumbent);
        }
        if k > 0 {
            rate = now / misfit;
            stuck = if now > 0.98 * misfit { stuck + 1 } else { 0 };
        }
        if stuck >= 8 || !now.is_finite() {
            return Ok(());
        }
        misfit = now;
        if k + 1 == PLAIN && rate < 0.95 {
            // Chebyshev's asymptotic rate for eigenvalues of the error within ±rate.
            let root = (1.0 - rate * rate).sqrt();
            momentum = ((1.0 - root) / rate.max(f64::MIN_POSITIVE)).powi(2);
            weight *= 2.0 / (1.0 + root);
        }
        let moved = &step;
        let pieces = q.chunks_mut(PIECE).zip(velocity.chunks_mut(PIECE)).enumerate().collect();
        map(posed.par, pieces, |(piece, (q, velocity)): (usize, (&mut [f64], &mut [f64]))| {
            let start = piece * PIECE;
            let entries = q.iter_mut().zip(velocity).enumerate();
            for (k, (q, velocity)) in entries {
                let at = start + k;
                if free(split.rest[at], posed.seen.is_none_or(|seen| seen[at])) {
                    *velocity = weight * moved[at] + momentum * *velocity;
                    *q = (*q + *velocity).clamp(-lambda, lambda);
                }
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
    let norm = if linalg::norm_below(w, ROOM) {
        1.0
    } else {
        super::incumbent::operator_norm(w, posed.par)?.max(1.0)
    };
    incumbent.offer_dual(posed, &q, norm + misfit);
    Ok(())
}

/// `[A B]`.
fn side_by_side(parts: &[flatmin_core::MatRef<'_, f64>]) -> Mat<f64> {
    let cols = parts.iter().map(|p| p.ncols()).sum();
    let mut out = Mat::zeros(parts[0].nrows(), cols);
    let mut start = 0;
    for part in parts {
        out.as_mut().subcols_mut(start, part.ncols()).copy_from(part);
        start += part.ncols();
    }
    out
}
