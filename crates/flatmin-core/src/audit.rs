//! An answer checked against the definitions, with nothing of the solver in the check.
//!
//! Weak duality is all the proof there is: for every `X` with `A(X) = b` and every `y` with
//! `|D1^{-1} A*(y) D2^{-1}|_op <= 1`,
//!
//! ```text
//! <b, y> = <A(X), y> = <D1 X D2, D1^{-1} A*(y) D2^{-1}> <= |D1 X D2|_*.
//! ```
//!
//! Where `A(X)` may be off by `delta`, so may the left-hand side by `delta |y|`: the bound is
//! `<b, y> - delta |y|`.

use crate::linalg::{self, Par};
use crate::loss::check_targets;
use crate::operator::{Gram, LinearMap, Whitening};
use crate::solver::{Domain, Objective, Recovery};
use crate::{Error, Mat, MatRef};

/// What an answer claims, computed again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Audit {
    /// `|D1 X D2|_*` (flat) or `|X|_*` (nuclear) of the answer's matrix; in the penalised form
    /// `1/2 |A(X) - b|^2 + lambda` times that.
    pub objective: f64,
    /// `<b, y>`, or `lambda <b, y> - lambda^2 |y|^2 / 2` in the penalised form, or
    /// `<b, y> - delta |y|` with a noise bound.
    pub lower_bound: f64,
    /// `|D1^{-1} A*(y) D2^{-1}|_op` (flat) or `|A*(y)|_op` (nuclear), or the largest eigenvalue over
    /// a semidefinite domain: at most 1, up to rounding, for the bound to hold.
    pub dual_norm: f64,
    /// `|A(X) - b|_2 / |b|_2`, with a noise bound `max(|A(X) - b|_2 - delta, 0) / |b|_2`; 0 when `X`
    /// fits zero targets.
    pub feasibility: f64,
    /// How far the matrix lies outside its domain, relative to its size: its skew part, or its most
    /// negative eigenvalue.
    pub outside: f64,
}

impl Audit {
    /// Recomputes the claims of `answer` from its factors and its dual vector, the measurement
    /// matrices being read off the map one by one: `D1^2 = sum A_i A_i^T / (m d2)` and so on.
    ///
    /// ```
    /// use flatmin_core::{Entries, Objective, Program, audit::Audit};
    /// let map = Entries::new(2, 2, &[0, 0, 1], &[0, 1, 0])?;
    /// let b = [2.0, 1.0, 1.0];
    /// let answer = Program::new(&map, &b, Objective::Flat).solve()?;
    /// let audit = Audit::new(&map, &b, &answer)?;
    /// assert!(audit.dual_norm <= 1.0 + 1e-12 && audit.feasibility < 1e-8);
    /// assert!(audit.objective - audit.lower_bound <= 1e-8 * audit.objective);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the targets or the answer do not fit the map.
    pub fn new(map: &dyn LinearMap, targets: &[f64], answer: &Recovery) -> Result<Audit, Error> {
        check_targets(map, targets)?;
        let dims = map.dims();
        let (l, r) = answer.factors();
        let shape = (l.nrows(), r.nrows(), answer.dual.len());
        if shape != (dims.rows, dims.cols, dims.measurements) {
            return Err(Error::Shape {
                what: "the answer",
                expected: format!(
                    "a {} x {} matrix and {} multipliers",
                    dims.rows, dims.cols, dims.measurements
                ),
                got: format!("a {} x {} matrix and {} multipliers", shape.0, shape.1, shape.2),
            });
        }
        let x = answer.matrix();
        let outside = outside(answer.domain, x.as_ref())?;
        let mut residual = vec![0.0; dims.measurements];
        map.apply(x.as_ref(), &mut residual);
        residual.iter_mut().zip(targets).for_each(|(r, b)| *r -= b);
        let size = linalg::norm(targets);
        let miss = linalg::norm(&residual);
        let excess = (miss - answer.noise.unwrap_or(0.0)).max(0.0);

        let back = map.adjoint_matrix(&answer.dual);
        let (weighted, whitened) = match answer.objective_kind {
            Objective::Nuclear => (x, back),
            // D P is an isometry, so P^+ X P^{+T} has the singular values of D X D.
            weighted => {
                let s = if let Objective::Smoothed(s) = weighted { s } else { 0.0 };
                let (g1, g2) = gram_sums(map);
                let p1 = Whitening::new(&Gram::Dense(g1).smoothed(s), true)?;
                let p2 = Whitening::new(&Gram::Dense(g2).smoothed(s), true)?;
                let x = p2.inverse_times(p1.inverse_times(x.as_ref()).transpose());
                (x, p2.transpose_times(p1.transpose_times(back.as_ref()).transpose()))
            }
        };
        let value: f64 = singular_values(weighted.as_ref())?.iter().sum();
        let bound: f64 = targets.iter().zip(&answer.dual).map(|(b, y)| b * y).sum();
        let (objective, lower_bound) = match (answer.noise, answer.penalty) {
            (Some(delta), _) => (value, bound - delta * linalg::norm(&answer.dual)),
            (None, None) => (value, bound),
            (None, Some(lambda)) => {
                let length = lambda * linalg::norm(&answer.dual);
                (0.5 * miss * miss + lambda * value, lambda * bound - 0.5 * length * length)
            }
        };
        Ok(Audit {
            objective,
            lower_bound,
            dual_norm: match answer.domain {
                Domain::Semidefinite => {
                    linalg::symmetric_eigenvalues(whitened.as_ref())?.last().copied().unwrap_or(0.0)
                }
                _ => singular_values(whitened.as_ref())?.first().copied().unwrap_or(0.0),
            },
            outside,
            feasibility: if excess == 0.0 { 0.0 } else { excess / size },
        })
    }
}

fn outside(domain: Domain, x: MatRef<'_, f64>) -> Result<f64, Error> {
    let size = x.norm_max();
    if domain == Domain::General || size == 0.0 {
        return Ok(0.0);
    }
    let skew = (x - x.transpose()).norm_max() / size;
    let negative = match domain {
        Domain::Semidefinite => {
            let values = linalg::symmetric_eigenvalues(scaled(x, 1.0 / size).as_ref())?;
            values.first().map_or(0.0, |v| -v)
        }
        _ => 0.0,
    };
    Ok(skew.max(negative))
}

/// `D1^2` and `D2^2`.
fn gram_sums(map: &dyn LinearMap) -> (Mat<f64>, Mat<f64>) {
    let dims = map.dims();
    let (mut g1, mut g2) = (Mat::zeros(dims.rows, dims.rows), Mat::zeros(dims.cols, dims.cols));
    for i in 0..dims.measurements {
        let a = map.measurement(i);
        linalg::accumulate(g1.as_mut(), a.as_ref(), a.transpose());
        linalg::accumulate(g2.as_mut(), a.transpose(), a.as_ref());
    }
    let (m, d1, d2) = (dims.measurements as f64, dims.rows as f64, dims.cols as f64);
    (scaled(g1.as_ref(), 1.0 / (m * d2)), scaled(g2.as_ref(), 1.0 / (m * d1)))
}

fn scaled(a: MatRef<'_, f64>, factor: f64) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| factor * a[(i, j)])
}

/// Singular values of a matrix of any scale.
fn singular_values(a: MatRef<'_, f64>) -> Result<Vec<f64>, Error> {
    let scale = a.norm_max();
    if scale == 0.0 {
        return Ok(vec![0.0]);
    }
    let mut values = linalg::singular_values(scaled(a, 1.0 / scale).as_ref(), Par::Seq)?;
    values.iter_mut().for_each(|s| *s *= scale);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Role, Stream};
    use crate::{DenseMap, Program};

    /// The audit must be able to fail: a spoilt multiplier and a spoilt target are noticed.
    #[test]
    fn notices_what_is_wrong() {
        let mut stream = Stream::new(6, "audit", 0, 0, Role::Measurements);
        let map = DenseMap::new(4, 5, stream.gaussian_vector(4 * 5 * 12)).unwrap();
        let b = stream.gaussian_vector(12);
        for objective in [Objective::Flat, Objective::Nuclear] {
            let mut answer = Program::new(&map, &b, objective).solve().unwrap();
            let sound = Audit::new(&map, &b, &answer).unwrap();
            assert!(sound.dual_norm <= 1.0 + 1e-12 && sound.feasibility < 1e-8);
            approx::assert_relative_eq!(sound.objective, answer.objective, max_relative = 1e-9);
            approx::assert_relative_eq!(sound.lower_bound, answer.lower_bound, max_relative = 1e-9);
            answer.dual.iter_mut().for_each(|y| *y *= 1.01);
            let audit = Audit::new(&map, &b, &answer).unwrap();
            assert!(audit.dual_norm > 1.009);
            let mut off = b.clone();
            off[3] += 0.1;
            assert!(Audit::new(&map, &off, &answer).unwrap().feasibility > 1e-3);
            answer.dual.pop();
            assert!(matches!(Audit::new(&map, &b, &answer), Err(Error::Shape { .. })));
        }
    }
}
