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

use super::Posed;
use super::bound;
use super::scaled::Scaled;
use super::tangent::Tangent;
use crate::linalg::thin::{LANES, Thin};
use crate::rng::{Role, Stream};
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
    let inverse = |p: &[f64]| -> Vec<f64> {
        p.iter().map(|&p| if p > 0.0 { 1.0 / p } else { 0.0 }).collect()
    };
    let (inverse1, inverse2) = (inverse(&posed.p1), inverse(&posed.p2));
    let scaled = |a: &Thin, p: &[f64]| {
        let mut a = a.clone();
        a.scale_rows(p);
        a
    };
    // Conditions on U and W become conditions on L and V: L = P1 U H, V = P2 W K.
    let k = w.transpose_times(&scaled(&tangent.v, &inverse2));
    let h = u.transpose_times(&scaled(&tangent.l, &inverse1));
    let mut y: Vec<f64> = Vec::new();
    let mut turned = Vec::new();
    // P1 A*(y) P2 W - U and P2 A*(y)^T P1 U - W.
    let (mut off_left, mut off_right) = (negative(&u), negative(&w));
    let mut error = f64::INFINITY;
    for round in 0..REFINEMENTS {
        let mut gl = Thin::zeros(u.rows(), u.width());
        gl.add_product(-1.0, &off_left, k.as_ref());
        gl.scale_rows(&inverse1);
        let mut gr = Thin::zeros(w.rows(), w.width());
        gr.add_product(-1.0, &off_right, h.as_ref());
        gr.scale_rows(&inverse2);
        let enough = PAID * posed.tolerance;
        let wanted = if round == 0 { 0.02 * enough } else { 0.02 * enough / error };
        let [lt, rt] = tangent.solve(gl, gr, wanted.clamp(1e-13, 1e-2), INNER);
        let mut better = tangent.image(&lt, &rt);
        better.iter_mut().zip(&y).for_each(|(better, y)| *better += y);
        let better_turned = posed.pattern.in_col_order(&better);
        let matrix = posed.matrix(&better, &better_turned);
        let mut left = matrix.times(&w);
        left.combine(1.0, -1.0, &u);
        let mut right = matrix.transpose_times(&u);
        right.combine(1.0, -1.0, &w);
        // P_T splits into U U^T G and (I - U U^T) G W W^T.
        let mut beyond = left.clone();
        beyond.add_product(-1.0, &u, u.transpose_times(&left).as_ref());
        let now = right.dot(&right).sqrt().hypot(beyond.dot(&beyond).sqrt());
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
    let across = beyond_norm(posed, &matrix, &u, &w);
    let margin = 4.0 * f64::EPSILON * (u.rows() + w.rows()) as f64;
    Proof { y, norm: across.max(1.0) + error + margin }
}

/// An upper bound on the norm of `N`.
fn beyond_norm(posed: &Posed<'_>, matrix: &Scaled<'_>, u: &Thin, w: &Thin) -> f64 {
    let n = w.rows();
    let mut stream = Stream::new(0, "beyond the tangent space", n as u64, 0, Role::Probe);
    let mut probes = Thin::from_mat(stream.gaussian_matrix(n, LANES).as_ref());
    // Columns that no entry sees have no part in it.
    let seen: Vec<f64> = posed.p2.iter().map(|&p| f64::from(p > 0.0)).collect();
    probes.scale_rows(&seen);
    let project = |x: &mut Thin, basis: &Thin| {
        let along = basis.transpose_times(x);
        x.add_product(-1.0, basis, along.as_ref());
    };
    let square = bound::largest_eigenvalue(&probes, ROOM, (FIRST_GUESS, DEGREE), |x| {
        let mut x = x.clone();
        project(&mut x, w);
        let mut image = matrix.times(&x);
        project(&mut image, u);
        let mut back = matrix.transpose_times(&image);
        project(&mut back, w);
        back
    });
    square.sqrt()
}

fn negative(a: &Thin) -> Thin {
    let mut out = a.clone();
    out.combine(-1.0, 0.0, a);
    out
}
