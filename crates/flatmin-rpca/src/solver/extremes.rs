//! Closed forms: one of the parts is zero.
//!
//! - `X = 0` is optimal when `tau >= sum |Y|`, and in the penalised form when `lambda sign(Y)` has
//!   operator norm at most one: it is the `Q` that proves it.
//! - `S = 0` when `tau = 0`, and when `lambda >= 1`, since no entry of a `Q` with `|Q|_op <= 1` exceeds
//!   one. Without holes `X = Y = U S V^T` and `Q = U V^T`; with holes, `X` is the completion of least
//!   nuclear norm, and the vector that proves it holds the entries of `Q`.

use super::incumbent::{Incumbent, Pair, operator_norm};
use super::posed::Posed;
use crate::program::Form;
use flatmin_core::linalg::{self, Par, Svd};
use flatmin_core::{Entries, Error, Mat, Objective, Program};

/// Offers what the closed forms give where they apply.
pub(super) fn try_all(posed: &Posed<'_>, incumbent: &mut Incumbent) -> Result<(), Error> {
    let zero = Pair::zero(posed);
    match posed.form {
        Form::Constrained { tau } if tau >= zero.deviation => incumbent.offer(posed, zero),
        Form::Constrained { tau: 0.0 } => exactly(posed, incumbent)?,
        Form::Constrained { .. } => {}
        Form::Penalised { lambda } => {
            let sign = |y: &f64| if *y == 0.0 { 0.0 } else { lambda.copysign(*y) };
            let q: Vec<f64> = posed.y.iter().map(sign).collect();
            if norm_at_least(posed, &q) <= 1.0 {
                incumbent.offer_dual(posed, &q, operator_norm(posed.view(&q), posed.par)?);
            }
            incumbent.offer(posed, zero);
            if lambda >= 1.0 && !incumbent.certified(posed) {
                exactly(posed, incumbent)?;
            }
        }
    }
    Ok(())
}

/// A lower bound on `|Q|_op`, by a few power iterations from the vector of ones.
fn norm_at_least(posed: &Posed<'_>, q: &[f64]) -> f64 {
    let q = posed.view(q);
    let mut v = Mat::full(posed.cols, 1, 1.0);
    let mut norm = 0.0_f64;
    for _ in 0..3 {
        let size = v.norm_l2();
        if size == 0.0 {
            break;
        }
        v.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v /= size));
        let mut image = Mat::zeros(posed.rows, 1);
        linalg::multiply_par(image.as_mut(), q, v.as_ref(), posed.par);
        norm = norm.max(image.norm_l2());
        linalg::multiply_par(v.as_mut(), q.transpose(), image.as_ref(), posed.par);
    }
    norm
}

/// `X = Y` on all that is seen.
fn exactly(posed: &Posed<'_>, incumbent: &mut Incumbent) -> Result<(), Error> {
    let Some(seen) = posed.seen else {
        let x = linalg::svd(posed.view(posed.y), Par::Seq)?;
        let largest = x.s[0];
        let rank = x.s.iter().take_while(|&&s| s > 1e-15 * largest).count();
        let x = super::rounds::shrunk(&x, rank, 0.0);
        let q = linalg::product(x.u.as_ref(), x.v.transpose());
        let q: Vec<f64> = q.col_iter().flat_map(|c| c.iter().copied()).collect();
        incumbent.offer_dual(posed, &q, operator_norm(posed.view(&q), posed.par)?);
        let nuclear = x.s.iter().sum();
        incumbent.offer(posed, Pair { x, nuclear, deviation: 0.0 });
        return Ok(());
    };
    let places: Vec<usize> = (0..seen.len()).filter(|&k| seen[k]).collect();
    let (rows, cols): (Vec<usize>, Vec<usize>) =
        places.iter().map(|k| (k % posed.rows, k / posed.rows)).unzip();
    let targets: Vec<f64> = places.iter().map(|&k| posed.y[k]).collect();
    let map = Entries::new(posed.rows, posed.cols, &rows, &cols)?;
    let answer = Program::new(&map, &targets, Objective::Nuclear)
        .tolerance(0.5 * posed.tolerance)
        .solve()?;
    let mut q = vec![0.0; posed.y.len()];
    places.iter().zip(&answer.dual).for_each(|(&k, y)| q[k] = *y);
    incumbent.offer_dual(posed, &q, operator_norm(posed.view(&q), posed.par)?);
    let (l, r) = answer.factors();
    // Balanced factors: their columns are orthogonal, and their norms the roots of S.
    let norms = |a: flatmin_core::MatRef<'_, f64>| -> Vec<f64> {
        a.col_iter().map(|c| c.norm_l2()).collect()
    };
    let (nl, nr) = (norms(l), norms(r));
    let unit = |norms: &[f64]| -> Vec<f64> {
        norms.iter().map(|n| if *n > 0.0 { 1.0 / n } else { 0.0 }).collect()
    };
    let x = Svd {
        u: linalg::scale_columns(l, &unit(&nl)),
        s: nl.iter().zip(&nr).map(|(l, r)| l * r).collect(),
        v: linalg::scale_columns(r, &unit(&nr)),
    };
    let mut field = vec![0.0; posed.y.len()];
    super::rounds::compose(posed, &x, &mut field);
    let (nuclear, deviation) = (x.s.iter().sum(), posed.deviation(&field));
    incumbent.offer(posed, Pair { x, nuclear, deviation });
    Ok(())
}

impl Pair {
    /// `X = 0`.
    pub(super) fn zero(posed: &Posed<'_>) -> Pair {
        let x = Svd { u: Mat::zeros(posed.rows, 0), s: Vec::new(), v: Mat::zeros(posed.cols, 0) };
        Pair { x, nuclear: 0.0, deviation: posed.absolute_sum() }
    }
}
