//! The proof that a low-rank matrix which fits sampled entries is optimal.
//!
//! In whitened variables `Z = P1^{-1} X P2^{-1} = U S W^T`, and `y` is the vector of least norm with
//! `P_T(P1 A*(y) P2) = U W^T`, by the normal equations of the tangent space and iterative refinement.
//! What is left, `E = P_T(P1 A*(y) P2) - U W^T`, is paid for:
//!
//! ```text
//! |P1 A*(y) P2|_op <= max(1, |N|_op) + |E|_F,       N = (I - U U^T) P1 A*(y) P2 (I - W W^T).
//! ```
//!
//! The norm of `N` is bounded from above as [`bound`](super::bound) says: except with a probability of
//! `10^{-16}` over a random start that does not depend on the data.

use super::dual::{Dual, OffFrames};
use super::tangent::Tangent;
use super::{Posed, whitened};
use crate::Mat;
use crate::linalg::thin::Thin;
use crate::solver::point::Point;

/// Refinements of the dual vector.
const REFINEMENTS: usize = 4;

/// Steps of conjugate gradients in each.
const INNER: usize = 300;

/// What of the norm may be paid for `E`, relative to the tolerance.
const PAID: f64 = 0.1;

/// Square of the norm of `N` below which the certificate leaves room.
const ROOM: f64 = 1.0 - 1e-6;

/// Where the bound on that square starts, and the degree it may go to.
const FIRST_GUESS: f64 = 0.3;
const DEGREE: usize = 40;

/// A dual vector and what is known of it.
pub(super) struct Proof {
    /// In row order.
    pub(super) y: Vec<f64>,
    /// An upper bound on `|P1 A*(y) P2|_op`.
    pub(super) norm: f64,
}

/// The certificate of the matrix of `tangent`, which in whitened variables is `point`.
pub(super) fn prove(posed: &Posed<'_>, tangent: &Tangent<'_>, point: &Point) -> Proof {
    let u = posed.spread(posed.left, point.u.as_ref());
    let w = posed.spread(posed.right, point.v.as_ref());
    // Conditions on U and W become conditions on L and V: L = P1 U H, V = P2 W K.
    let k = w.transpose_times(&whitened(&posed.p2, &tangent.v));
    let h = u.transpose_times(&whitened(&posed.p1, &tangent.l));
    // -P^{-1} A C, for what is off.
    let side = |p: &[f64], off: &Thin, c: &Mat<f64>| {
        let mut g = Thin::zeros(off.rows(), off.width());
        g.add_product(-1.0, off, c.as_ref());
        whitened(p, &g)
    };
    let mut y: Vec<f64> = Vec::new();
    let mut turned = Vec::new();
    // P1 A*(y) P2 W - U and P2 A*(y)^T P1 U - W.
    let (mut off_left, mut off_right) = (u.negated(), w.negated());
    let mut error = f64::INFINITY;
    for round in 0..REFINEMENTS {
        let (gl, gr) = (side(&posed.p1, &off_left, &k), side(&posed.p2, &off_right, &h));
        let enough = PAID * posed.tolerance;
        let wanted = if round == 0 { 0.02 * enough } else { 0.02 * enough / error };
        let [lt, rt] = tangent.solve(gl, gr, wanted.clamp(1e-13, 1e-2), INNER);
        let mut better = tangent.image(&lt, &rt);
        better.iter_mut().zip(&y).for_each(|(better, y)| *better += y);
        let better_turned = posed.pattern.in_col_order(&better);
        let matrix = posed.matrix(&better, &better_turned);
        let OffFrames { left, right, size: now } = Dual { matrix, u: &u, v: &w }.off_frames();
        if now.is_nan() || now >= 0.5 * error {
            break;
        }
        (y, turned, error) = (better, better_turned, now);
        (off_left, off_right) = (left, right);
        if error <= enough {
            break;
        }
    }
    // A fit so ill-posed that not even a first dual vector came of it proves nothing.
    y.resize(posed.by_row.len(), 0.0);
    turned.resize(posed.by_row.len(), 0.0);
    let matrix = posed.matrix(&y, &turned);
    let across = Dual { matrix, u: &u, v: &w }.norm_beyond(ROOM, (FIRST_GUESS, DEGREE));
    let margin = 4.0 * f64::EPSILON * (u.rows() + w.rows()) as f64;
    Proof { y, norm: across.max(1.0) + error + margin }
}
