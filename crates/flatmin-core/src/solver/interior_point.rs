//! The convex road: a primal-dual interior-point method that needs no rank and no luck.
//!
//! As a semidefinite pair, with `P = [W1 Z; Z^T W2]` and `W = B*(y)`,
//!
//! ```text
//! min  (tr W1 + tr W2) / 2   s.t.  B(Z) = b,  P >= 0
//! max  <b, y>                s.t.  S = [I -W; -W^T I] >= 0
//! ```
//!
//! Every iterate is feasible on both sides: `P` starts at the least-norm solution, and `S` is a
//! function of `y`, so each `<b, y>` is a valid lower bound as it stands. A step follows the
//! direction of Nesterov and Todd with Mehrotra's predictor and corrector. With the scaling matrix
//! `G G^T = [W11 W12; W12^T W22]`, `G^T S G = G^{-1} P G^{-T} = D`, its system is
//! `sum_j <B_i, W11 B_j W22 + W12 B_j^T W12> dy_j = rhs_i`, the [`schur`](LinearMap::schur)
//! complement, whose structure each map exploits.
//!
//! References: Vandenberghe and Boyd, *Semidefinite programming*, SIAM Review 38, 1996; Todd, Toh,
//! Tutuncu, *On the Nesterov-Todd direction in semidefinite programming*, SIAM J. Optim. 8, 1998;
//! Liu and Vandenberghe, *Interior-point method for nuclear norm approximation*, SIAM J. Matrix
//! Anal. 31, 2009.

use super::equality::{Equality, Incumbent, Monitor, combine};
use super::linear::residual;
use super::point::Point;
use super::polish;
use crate::linalg::{
    self, Cholesky, kernel::dot, multiply_lower, norm, product, symmetrise_from_lower,
};
use crate::{Error, Mat};

/// Fraction of the way to the boundary that a step may go.
const TO_BOUNDARY: f64 = 0.98;

/// Relative residual at which a step's linear system counts as solved.
const SOLVED: f64 = 1e-15;

/// Refinements without progress after which a system counts as solved as well as it can be: few
/// while the gap is wide, more near the solution, where systems are ill-conditioned.
const PATIENCE: (usize, usize) = (2, 20);

/// Gap below which refinement is patient.
const NEAR: f64 = 1e-4;

/// Runs the method from the feasible point `z0` (with `kernel` the Cholesky factor of `B B*`).
pub(super) fn interior_point(
    problem: &Equality<'_>,
    z0: Mat<f64>,
    kernel: &Cholesky,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let (d1, d2) = z0.shape();
    let (n, m) = (d1 + d2, problem.b.len());
    let mut y = vec![0.0; m];
    let spread = 1.1 * linalg::operator_norm(z0.as_ref())?;
    let mut p = Mat::from_fn(n, n, |i, j| if i == j { spread } else { 0.0 });
    set_block(&mut p, &z0);
    let mut schur = Mat::zeros(m, m);
    let mut best_gap = f64::INFINITY;
    let mut stuck = 0;
    loop {
        let z = p.as_ref().submatrix(0, d1, d1, d2).to_owned();
        let s = slack(problem, &y, d1, d2);
        // tr P / 2 bounds |Z|_* from above, so this never understates the gap.
        let trace: f64 = (0..n).map(|i| p[(i, i)]).sum();
        let lower: f64 = y.iter().zip(problem.b).map(|(y, b)| y * b).sum();
        let gap = (0.5 * trace - lower).abs() / (0.5 * trace);
        if !monitor.tick("interior point", 0.5 * trace, lower, infeasibility(problem, &z), n) {
            break;
        }
        if 0.5 * trace < (1.0 - problem.tolerance) * incumbent.upper() {
            // There is a better matrix than the interpolating one of low rank.
            incumbent.tangent = None;
        }
        incumbent.sharpen(problem, &y)?;
        if incumbent.gap() <= problem.tolerance {
            return Ok(());
        }
        stuck = if gap < 0.9 * best_gap { 0 } else { stuck + 1 };
        best_gap = best_gap.min(gap);
        if gap <= 0.1 * problem.tolerance || stuck >= 4 {
            break;
        }
        let Some(scaling) = Scaling::new(&p, s)? else {
            break;
        };
        let w = product(scaling.g.as_ref(), scaling.g.transpose());
        problem.map.schur(
            w.as_ref().submatrix(0, 0, d1, d1),
            w.as_ref().submatrix(d1, d1, d2, d2),
            Some(w.as_ref().submatrix(0, d1, d1, d2)),
            schur.as_mut(),
        );
        let Some(factor) = regularised_cholesky(&schur, problem) else { break };
        let patience = if gap > NEAR { PATIENCE.0 } else { PATIENCE.1 };
        let system = System { problem, scaling: &scaling, w: &w, factor, patience };
        let d = &scaling.d;
        let mu = d.iter().map(|d| d * d).sum::<f64>() / n as f64;

        // Predictor: straight at the boundary.
        let predictor = Mat::from_fn(n, n, |i, j| if i == j { -d[i] } else { 0.0 });
        let (_, dp, ds) = system.direction(&z, &predictor);
        let (reach_p, reach_s) = (scaling.reach(&dp)?, scaling.reach(&ds)?);
        let ahead = remaining(d, &dp, &ds, reach_p.min(1.0), reach_s.min(1.0)) / n as f64;
        let centring = (ahead / mu).clamp(0.0, 1.0).powi(3);

        // Corrector: centred, with the second-order term of the predictor.
        let cross = product(dp.as_ref(), ds.as_ref());
        let corrector = Mat::from_fn(n, n, |i, j| {
            let second = (cross[(i, j)] + cross[(j, i)]) / (d[i] + d[j]);
            if i == j { centring * mu / d[i] - d[i] - second } else { -second }
        });
        let (dy, dp, ds) = system.direction(&z, &corrector);
        let step_p = (TO_BOUNDARY * scaling.reach(&dp)?).min(1.0);
        let step_s = (TO_BOUNDARY * scaling.reach(&ds)?).min(1.0);
        let lifted =
            product(product(scaling.g.as_ref(), dp.as_ref()).as_ref(), scaling.g.transpose());
        p = combine(&p, step_p, &lifted);
        for j in 0..n {
            for i in 0..j {
                let mean = 0.5 * (p[(i, j)] + p[(j, i)]);
                (p[(i, j)], p[(j, i)]) = (mean, mean);
            }
        }
        y.iter_mut().zip(&dy).for_each(|(y, dy)| *y += step_s * dy);
    }
    let z = p.as_ref().submatrix(0, d1, d1, d2).to_owned();
    finish(problem, z, y, kernel, incumbent, monitor)
}

/// Offers the final iterate, made feasible to the last digits.
fn finish(
    problem: &Equality<'_>,
    mut z: Mat<f64>,
    y: Vec<f64>,
    kernel: &Cholesky,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    for _ in 0..2 {
        let mut correction = residual(problem, z.as_ref());
        kernel.solve_vector(&mut correction);
        z = combine(&z, -1.0, &problem.map.adjoint_matrix(&correction));
    }
    let infeasible = infeasibility(problem, &z);
    let svd = linalg::svd(z.as_ref(), problem.par)?;
    let (bound, w) = problem.bound(y)?;
    // On the central path s_i (1 - w_i) is the same for all i: the rank is where s_i takes over.
    let largest = svd.s.first().copied().unwrap_or(0.0);
    let rank = svd.s.iter().zip(&w).take_while(|(s, w)| **s > largest * (1.0 - **w)).count();
    let y = bound.y.clone();
    incumbent.offer_bound(bound);
    incumbent.offer_point(Point::leading(svd.clone(), svd.s.len()).trimmed(1e-15), infeasible);
    if rank > 0 && rank < svd.s.len() {
        polish::polish(problem, Point::leading(svd, rank), &y, incumbent, monitor)?;
    }
    Ok(())
}

/// `S = [I -W; -W^T I]` with `W = B*(y)`.
fn slack(problem: &Equality<'_>, y: &[f64], d1: usize, d2: usize) -> Mat<f64> {
    let w = problem.map.adjoint_matrix(y);
    let mut s = Mat::identity(d1 + d2, d1 + d2);
    set_block(&mut s, &Mat::from_fn(d1, d2, |i, j| -w[(i, j)]));
    s
}

/// Writes a matrix into the off-diagonal blocks.
fn set_block(p: &mut Mat<f64>, z: &Mat<f64>) {
    let (d1, d2) = z.shape();
    p.as_mut().submatrix_mut(0, d1, d1, d2).copy_from(z);
    p.as_mut().submatrix_mut(d1, 0, d2, d1).copy_from(z.transpose());
}

fn infeasibility(problem: &Equality<'_>, z: &Mat<f64>) -> f64 {
    norm(&residual(problem, z.as_ref())) / problem.norm_b
}

/// The scaling `G` of Nesterov and Todd and the scaled variable `D = G^T S G = G^{-1} P G^{-T}`.
struct Scaling {
    g: Mat<f64>,
    d: Vec<f64>,
}

impl Scaling {
    /// From `P = L L^T`, `S = K K^T` and `(K^T L)^T (K^T L) = U D^2 U^T`: `G = L U D^{-1/2}`.
    /// `None` at the boundary of the cone, where double precision ends.
    fn new(p: &Mat<f64>, s: Mat<f64>) -> Result<Option<Scaling>, Error> {
        let n = p.nrows();
        let (Some(l), Some(k)) =
            (Cholesky::new(p.clone(), linalg::Par::Seq), Cholesky::new(s, linalg::Par::Seq))
        else {
            return Ok(None);
        };
        let lower = |c: &Cholesky| {
            let l = c.lower();
            Mat::from_fn(n, n, |i, j| if i >= j { l[(i, j)] } else { 0.0 })
        };
        let (l, k) = (lower(&l), lower(&k));
        let cross = product(k.transpose(), l.as_ref());
        let mut square = Mat::zeros(n, n);
        multiply_lower(square.as_mut(), cross.transpose(), cross.as_ref());
        symmetrise_from_lower(square.as_mut());
        let (values, u) = linalg::symmetric_eigen(square.as_ref(), linalg::Par::Seq)?;
        if values[0] <= 0.0 {
            return Ok(None);
        }
        let d: Vec<f64> = values.iter().map(|v| v.sqrt()).collect();
        let weights: Vec<f64> = d.iter().map(|d| 1.0 / d.sqrt()).collect();
        let g = linalg::scale_columns(product(l.as_ref(), u.as_ref()).as_ref(), &weights);
        Ok(Some(Scaling { g, d }))
    }

    /// Largest `t` with `D + t X >= 0`.
    fn reach(&self, x: &Mat<f64>) -> Result<f64, Error> {
        let n = self.d.len();
        let scaled = Mat::from_fn(n, n, |i, j| x[(i, j)] / (self.d[i] * self.d[j]).sqrt());
        let least = linalg::symmetric_eigenvalues(scaled.as_ref())?[0];
        Ok(if least < 0.0 { -1.0 / least } else { f64::INFINITY })
    }
}

/// `<D + a dP, D + b dS>`: the gap after a step, in scaled variables.
fn remaining(d: &[f64], dp: &Mat<f64>, ds: &Mat<f64>, a: f64, b: f64) -> f64 {
    let diagonal: f64 = (0..d.len()).map(|i| d[i] * (d[i] + a * dp[(i, i)] + b * ds[(i, i)])).sum();
    diagonal + a * b * linalg::inner(dp.as_ref(), ds.as_ref())
}

/// The linear system of a step: its operator, its factored form, and how hard to refine.
struct System<'a> {
    problem: &'a Equality<'a>,
    scaling: &'a Scaling,
    /// `W = G G^T`.
    w: &'a Mat<f64>,
    factor: Cholesky,
    patience: usize,
}

impl System<'_> {
    /// Solves for `(dy, dP, dS)` with `dP + dS = target` in scaled variables, `B(dZ) = b - B(Z)`
    /// and `dS` the image of `dy`; `dP` and `dS` are returned scaled.
    fn direction(&self, z: &Mat<f64>, target: &Mat<f64>) -> (Vec<f64>, Mat<f64>, Mat<f64>) {
        let (d1, d2) = z.shape();
        let g = &self.scaling.g;
        let lifted = product(product(g.as_ref(), target.as_ref()).as_ref(), g.transpose());
        // B(Z + lifted_12 + (W dS W)_12) = b, and (W dS W)_12 = W11 B*(dy) W22 + W12 B*(dy)^T W12.
        let goal = combine(z, 1.0, &lifted.as_ref().submatrix(0, d1, d1, d2).to_owned());
        let rhs: Vec<f64> = residual(self.problem, goal.as_ref()).iter().map(|r| -r).collect();
        let dy = self.solve(&rhs, d1);
        let back = self.problem.map.adjoint_matrix(&dy);
        let mut ds = Mat::zeros(d1 + d2, d1 + d2);
        set_block(&mut ds, &Mat::from_fn(d1, d2, |i, j| -back[(i, j)]));
        let ds = product(product(g.transpose(), ds.as_ref()).as_ref(), g.as_ref());
        let dp = combine(target, -1.0, &ds);
        (dy, dp, ds)
    }

    /// `y -> B(W11 B*(y) W22 + W12 B*(y)^T W12)`.
    fn apply(&self, y: &[f64], d1: usize) -> Vec<f64> {
        let d2 = self.w.nrows() - d1;
        let w = self.w.as_ref();
        let (w11, w22) = (w.submatrix(0, 0, d1, d1), w.submatrix(d1, d1, d2, d2));
        let w12 = w.submatrix(0, d1, d1, d2);
        let back = self.problem.map.adjoint_matrix(y);
        let mut image = product(product(w11, back.as_ref()).as_ref(), w22);
        image += product(product(w12, back.transpose()).as_ref(), w12);
        let mut out = vec![0.0; y.len()];
        self.problem.map.apply(image.as_ref(), &mut out);
        out
    }

    /// Conjugate gradients on the operator itself, preconditioned by the factored system, from the
    /// factored system's own answer.
    fn solve(&self, rhs: &[f64], d1: usize) -> Vec<f64> {
        let mut x = rhs.to_vec();
        self.factor.solve_vector(&mut x);
        let mut r: Vec<f64> = rhs.iter().zip(self.apply(&x, d1)).map(|(b, i)| b - i).collect();
        let mut s = r.clone();
        self.factor.solve_vector(&mut s);
        let mut p = s.clone();
        let mut rho = dot(&r, &s);
        let enough = SOLVED * norm(rhs);
        let mut least = norm(&r);
        let mut since = 0;
        // Residuals of conjugate gradients may rise for a while; rounding has won when they stay up.
        while least > enough && rho > 0.0 && since < self.patience {
            let q = self.apply(&p, d1);
            let step = rho / dot(&p, &q);
            x.iter_mut().zip(&p).for_each(|(x, p)| *x += step * p);
            r.iter_mut().zip(&q).for_each(|(r, q)| *r -= step * q);
            s.copy_from_slice(&r);
            self.factor.solve_vector(&mut s);
            let next = dot(&r, &s);
            p.iter_mut().zip(&s).for_each(|(p, s)| *p = s + next / rho * *p);
            rho = next;
            let size = norm(&r);
            since = if size < 0.9 * least { 0 } else { since + 1 };
            least = least.min(size);
        }
        x
    }
}

/// Cholesky factor of the Schur complement, with just enough added to its diagonal to succeed.
fn regularised_cholesky(schur: &Mat<f64>, problem: &Equality<'_>) -> Option<Cholesky> {
    let m = schur.nrows();
    let largest = (0..m).map(|i| schur[(i, i)]).fold(0.0, f64::max);
    [0.0, 1e-15, 1e-13, 1e-11].into_iter().find_map(|ridge| {
        let mut shifted = schur.clone();
        (0..m).for_each(|i| shifted[(i, i)] += ridge * largest);
        Cholesky::new(shifted, problem.par)
    })
}
