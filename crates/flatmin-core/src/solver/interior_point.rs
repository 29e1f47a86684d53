//! The convex road: a primal-dual interior-point method that needs no rank and no luck.
//!
//! As a semidefinite pair, with `W = B*(y)`,
//!
//! | domain | primal | dual |
//! |---|---|---|
//! | general | `min tr P / 2`, `P = [. Z; Z^T .] >= 0` | `S = [I -W; -W^T I] >= 0` |
//! | symmetric | `min tr P + tr N`, `Z = P - N`, `P, N >= 0` | `I - W >= 0`, `I + W >= 0` |
//! | semidefinite | `min tr Z`, `Z >= 0` | `I - W >= 0` |
//!
//! each `s.t. B(Z) = b`, against `max <b, y>`. `S` is a function of `y`, so each `<b, y>` is a valid
//! lower bound as it stands; but for a semidefinite domain `P` starts at the least-norm solution, and
//! stays feasible too. A step follows the direction of Nesterov and Todd with Mehrotra's predictor and
//! corrector. With the scaling matrices `G G^T`, `G^T S G = G^{-1} P G^{-T} = D`, of each block, its
//! system is `<B_i, H(B_j)> dy = rhs`, where `H(W)` is what `-(G G^T) dS (G G^T)` does to `Z`:
//!
//! ```text
//! general        H(W) = W11 W W22 + W12 W^T W12       for G G^T = [W11 W12; W12^T W22]
//! symmetric      H(W) = G1 G1^T W G1 G1^T + G2 G2^T W G2 G2^T
//! semidefinite   H(W) = G G^T W G G^T
//! ```
//!
//! the [`schur`](LinearMap::schur) complement, whose structure each map exploits. Slack,
//! for targets with noise, adds `g(y)` to `B(Z)` and its Jacobian to the system (see
//! [`slack`](super::slack)).
//!
//! References: Vandenberghe and Boyd, *Semidefinite programming*, SIAM Review 38, 1996; Todd, Toh,
//! Tutuncu, *On the Nesterov-Todd direction in semidefinite programming*, SIAM J. Optim. 8, 1998;
//! Liu and Vandenberghe, *Interior-point method for nuclear norm approximation*, SIAM J. Matrix
//! Anal. 31, 2009.

use super::domain::{Domain, symmetrise};
use super::equality::{Equality, FEASIBLE, Incumbent, combine, relative_gap};
use super::linear::residual;
use super::monitor::Monitor;
use super::polish;
use super::slack::{Curvature, Slack};
use crate::linalg::{
    self, Cholesky, kernel::dot, multiply_lower, norm, product, symmetrise_from_lower,
};
use crate::operator::LinearMap;
use crate::{Error, Mat, MatRef};

/// Fraction of the way to the boundary that a step may go, after a short step and after a full one.
const TO_BOUNDARY: (f64, f64) = (0.9, 0.98);

/// Relative residual at which a step's linear system counts as solved.
const SOLVED: f64 = 1e-15;

/// Refinements without progress after which a system counts as solved as well as it can be: few
/// while the gap is wide, more near the solution, where systems are ill-conditioned.
const PATIENCE: (usize, usize) = (2, 20);

/// Iterations without progress after which the method gives up: many while the gap is wide, since a
/// bad start has to be centred first, few near the solution, where rounding has won.
const STUCK: (usize, usize) = (20, 4);

/// A bound beyond this multiple of the iterate's cost grows without end.
const UNBOUNDED: f64 = 1e10;

/// Gap above which the solution is far.
const FAR: f64 = 1e-2;

/// Gap below which refinement is patient.
const NEAR: f64 = 1e-4;

/// Runs the method from `z0`, the least-norm point under equality constraints, where `kernel` is the
/// Cholesky factor of `B B*`, and from `y`, strictly feasible.
pub(super) fn interior_point(
    problem: &Equality<'_>,
    z0: Mat<f64>,
    mut y: Vec<f64>,
    kernel: Option<&Cholesky>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let cone = Cone { domain: problem.domain, rows: z0.nrows(), cols: z0.ncols() };
    let m = problem.b.len();
    let mut p = cone.start(&z0)?;
    let order: usize = p.iter().map(|p| p.nrows()).sum();
    let mut schur = Mat::zeros(m, m);
    let mut best = (f64::INFINITY, z0);
    let mut nearest = (f64::INFINITY, f64::INFINITY);
    let mut stuck = 0;
    let mut last_step = 1.0;
    loop {
        let z = cone.primal(&p);
        let s = cone.slacks(problem.map.adjoint_matrix(&y).as_ref());
        // The trace bounds the norm of a feasible Z from above, so this never understates the gap.
        let misfit = norm(&residual(problem, z.as_ref()));
        let value = cone.value(&p) + problem.slack.cost(misfit);
        let lower = problem.dual_value(&y);
        let infeasible = problem.slack.excess(misfit) / problem.norm_b;
        let gap = ((value - lower).abs() / value).max(infeasible);
        if !monitor.tick("interior point", value, lower, infeasible, order) {
            break;
        }
        if infeasible > FEASIBLE && lower > UNBOUNDED * value {
            // A direction with B*(y) <= 0 and <b, y> > 0: no semidefinite matrix fits.
            incumbent.unbounded = true;
            return Ok(());
        }
        if infeasible <= FEASIBLE && value < (1.0 - problem.tolerance) * incumbent.upper() {
            // There is a better matrix than the interpolating one of low rank.
            incumbent.tangent = None;
        }
        incumbent.sharpen(problem, &y)?;
        if incumbent.gap() <= problem.tolerance {
            return Ok(());
        }
        let distance = (value - lower).abs();
        let moved = distance < 0.9 * nearest.0 || infeasible < 0.9 * nearest.1;
        stuck = if gap < 0.9 * best.0 || moved { 0 } else { stuck + 1 };
        nearest = (nearest.0.min(distance), nearest.1.min(infeasible));
        if gap < best.0 {
            best = (gap, z.clone());
        }
        // A bound from elsewhere may prove any point that fits.
        let proved = problem.slack == Slack::Exact
            && infeasible <= 1e-12
            && value * (1.0 - problem.tolerance) <= incumbent.lower();
        let limit = if best.0 > FAR { STUCK.0 } else { STUCK.1 };
        if gap <= 0.1 * problem.tolerance || stuck >= limit || proved {
            break;
        }
        let scalings: Option<Vec<Scaling>> =
            p.iter().zip(s).map(|(p, s)| Scaling::new(p, s)).collect::<Result<_, _>>()?;
        let Some(scalings) = scalings else { break };
        cone.schur(problem.map, &scalings, &mut schur);
        let curvature = problem.slack.curvature(&y);
        curvature.add_to(&mut schur);
        let Some(factor) = regularised_cholesky(&schur, problem) else { break };
        let patience = if gap > NEAR { PATIENCE.0 } else { PATIENCE.1 };
        let system = System { problem, cone, scalings: &scalings, curvature, factor, patience };
        let mu = scalings.iter().flat_map(|g| &g.d).map(|d| d * d).sum::<f64>() / order as f64;

        // Predictor: straight at the boundary.
        let predictor: Vec<Mat<f64>> = scalings.iter().map(Scaling::to_boundary).collect();
        let (_, dp, ds) = system.direction(&z, &y, &predictor);
        if !finite(&dp) || !finite(&ds) {
            break;
        }
        let ahead = remaining(&scalings, &dp, &ds)? / order as f64;
        let centring = (ahead / mu).clamp(0.0, 1.0).powi(3);

        // Corrector: centred, with the second-order term of the predictor.
        let corrector: Vec<Mat<f64>> = scalings
            .iter()
            .zip(dp.iter().zip(&ds))
            .map(|(scaling, (dp, ds))| scaling.corrector(dp, ds, centring * mu))
            .collect();
        let (dy, dp, ds) = system.direction(&z, &y, &corrector);
        if !finite(&dp) || !finite(&ds) {
            break;
        }
        let boldness = TO_BOUNDARY.0 + (TO_BOUNDARY.1 - TO_BOUNDARY.0) * last_step;
        let step_p = (boldness * reach(&scalings, &dp)?).min(1.0);
        let step_s = (boldness * reach(&scalings, &ds)?).min(1.0);
        last_step = step_p.min(step_s);
        for ((p, scaling), dp) in p.iter_mut().zip(&scalings).zip(&dp) {
            *p = combine(p, step_p, &scaling.lift(dp));
            symmetrise(p);
        }
        y.iter_mut().zip(&dy).for_each(|(y, dy)| *y += step_s * dy);
    }
    // Where rounding wins `P` drifts away again, while `y`, which is always feasible, only improves.
    finish(problem, best.1, y, kernel, incumbent, monitor)
}

/// Offers an iterate, made feasible to the last digits.
fn finish(
    problem: &Equality<'_>,
    mut z: Mat<f64>,
    y: Vec<f64>,
    kernel: Option<&Cholesky>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    if let Some(kernel) = kernel {
        for _ in 0..2 {
            let mut correction = residual(problem, z.as_ref());
            kernel.solve_vector(&mut correction);
            z = combine(&z, -1.0, &problem.map.adjoint_matrix(&correction));
        }
    }
    if !z.norm_l2().is_finite() {
        return Ok(());
    }
    let point = problem.domain.decompose(z.as_ref(), problem.par)?.trimmed(1e-15);
    let (bound, w) = problem.bound(y)?;
    // On the central path s_i (1 - w_i) is the same for all i: the rank is where s_i takes over.
    let largest = point.s.first().copied().unwrap_or(0.0);
    let rank = point.s.iter().zip(&w).take_while(|(s, w)| **s > largest * (1.0 - **w)).count();
    let y = bound.y.clone();
    let near = (rank > 0 && rank < point.rank()).then(|| point.leading(rank));
    incumbent.offer_bound(bound);
    incumbent.offer(problem.candidate(point));
    match near {
        Some(near) if problem.slack != Slack::Exact => {
            // What is cut off costs less than the gap: the lower rank is the better answer.
            let near = problem.candidate(near);
            let gap = relative_gap(near.value, incumbent.lower());
            if near.is_feasible() && gap <= problem.tolerance {
                incumbent.best = Some(near);
            }
            Ok(())
        }
        Some(near) => polish::polish(problem, near, &y, incumbent, monitor),
        None => Ok(()),
    }
}

/// The semidefinite blocks of a domain, and how `Z` and `W` sit in them.
#[derive(Clone, Copy)]
struct Cone {
    domain: Domain,
    rows: usize,
    cols: usize,
}

impl Cone {
    /// Positive definite blocks around `Z0`; for a semidefinite domain, of its size.
    fn start(&self, z0: &Mat<f64>) -> Result<Vec<Mat<f64>>, Error> {
        let size = 1.1 * linalg::operator_norm(z0.as_ref())?;
        let ball = |n, radius: f64| Mat::from_fn(n, n, |i, j| if i == j { radius } else { 0.0 });
        Ok(match self.domain {
            Domain::General => {
                let mut p = ball(self.rows + self.cols, size);
                self.set_corner(&mut p, z0.as_ref());
                vec![p]
            }
            Domain::Symmetric => {
                let ball = ball(self.rows, 0.5 * size);
                vec![combine(&ball, 0.5, z0), combine(&ball, -0.5, z0)]
            }
            // Far inside: what does not fit yet must not be squeezed against the boundary.
            Domain::Semidefinite => vec![ball(self.rows, 10.0 * size)],
        })
    }

    /// `Z`.
    fn primal(&self, p: &[Mat<f64>]) -> Mat<f64> {
        match self.domain {
            Domain::General => {
                p[0].as_ref().submatrix(0, self.rows, self.rows, self.cols).to_owned()
            }
            Domain::Symmetric => &p[0] - &p[1],
            Domain::Semidefinite => p[0].clone(),
        }
    }

    /// The primal objective.
    fn value(&self, p: &[Mat<f64>]) -> f64 {
        let trace = |p: &Mat<f64>| (0..p.nrows()).map(|i| p[(i, i)]).sum::<f64>();
        let sum: f64 = p.iter().map(trace).sum();
        if self.domain == Domain::General { 0.5 * sum } else { sum }
    }

    /// `S` as a function of `W`.
    fn slacks(&self, w: MatRef<'_, f64>) -> Vec<Mat<f64>> {
        let mut s = self.slack_steps(w);
        for s in &mut s {
            (0..s.nrows()).for_each(|i| s[(i, i)] += 1.0);
        }
        s
    }

    /// The linear part of `S`.
    fn slack_steps(&self, w: MatRef<'_, f64>) -> Vec<Mat<f64>> {
        let minus = w * faer::Scale(-1.0);
        match self.domain {
            Domain::General => {
                let mut s = Mat::zeros(self.rows + self.cols, self.rows + self.cols);
                self.set_corner(&mut s, minus.as_ref());
                vec![s]
            }
            Domain::Symmetric => vec![minus, w.to_owned()],
            Domain::Semidefinite => vec![minus],
        }
    }

    /// Writes a matrix into the off-diagonal blocks.
    fn set_corner(&self, p: &mut Mat<f64>, z: MatRef<'_, f64>) {
        let (d1, d2) = (self.rows, self.cols);
        p.as_mut().submatrix_mut(0, d1, d1, d2).copy_from(z);
        p.as_mut().submatrix_mut(d1, 0, d2, d1).copy_from(z.transpose());
    }

    /// The blocks `W11`, `W22` and `W12` of a scaling matrix of the general domain.
    fn parts<'w>(&self, w: &'w Mat<f64>) -> (MatRef<'w, f64>, MatRef<'w, f64>, MatRef<'w, f64>) {
        let (d1, d2) = (self.rows, self.cols);
        let w = w.as_ref();
        (w.submatrix(0, 0, d1, d1), w.submatrix(d1, d1, d2, d2), w.submatrix(0, d1, d1, d2))
    }

    /// `<B_i, H(B_j)>`, lower triangle.
    fn schur(&self, map: &dyn LinearMap, scalings: &[Scaling], out: &mut Mat<f64>) {
        if self.domain == Domain::General {
            let (w11, w22, w12) = self.parts(&scalings[0].w);
            return map.schur(w11, w22, Some(w12), out.as_mut());
        }
        let mut next = Mat::zeros(0, 0);
        for (k, scaling) in scalings.iter().enumerate() {
            let w = scaling.w.as_ref();
            if k == 0 {
                map.schur(w, w, None, out.as_mut());
            } else {
                next.resize_with(out.nrows(), out.ncols(), |_, _| 0.0);
                map.schur(w, w, None, next.as_mut());
                *out += &next;
            }
        }
    }

    /// `H(W)`.
    fn scaled(&self, scalings: &[Scaling], w: MatRef<'_, f64>) -> Mat<f64> {
        if self.domain == Domain::General {
            let (w11, w22, w12) = self.parts(&scalings[0].w);
            let mut image = product(product(w11, w).as_ref(), w22);
            image += product(product(w12, w.transpose()).as_ref(), w12);
            return image;
        }
        let mut image = Mat::zeros(self.rows, self.cols);
        for scaling in scalings {
            let half = product(scaling.w.as_ref(), w);
            linalg::accumulate(image.as_mut(), half.as_ref(), scaling.w.as_ref());
        }
        image
    }
}

/// The scaling `G` of Nesterov and Todd of one block, `W = G G^T`, and the scaled variable
/// `D = G^T S G = G^{-1} P G^{-T}`.
struct Scaling {
    g: Mat<f64>,
    w: Mat<f64>,
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
        if !square.norm_l2().is_finite() {
            return Ok(None);
        }
        let (values, u) = linalg::symmetric_eigen(square.as_ref(), linalg::Par::Seq)?;
        if values[0] <= 0.0 {
            return Ok(None);
        }
        let d: Vec<f64> = values.iter().map(|v| v.sqrt()).collect();
        let weights: Vec<f64> = d.iter().map(|d| 1.0 / d.sqrt()).collect();
        let g = linalg::scale_columns(product(l.as_ref(), u.as_ref()).as_ref(), &weights);
        let w = product(g.as_ref(), g.transpose());
        Ok(Some(Scaling { g, w, d }))
    }

    /// `G X G^T`: from scaled variables to those of `P`.
    fn lift(&self, x: &Mat<f64>) -> Mat<f64> {
        product(product(self.g.as_ref(), x.as_ref()).as_ref(), self.g.transpose())
    }

    /// `G^T X G`: from the variables of `S` to scaled ones.
    fn lower(&self, x: &Mat<f64>) -> Mat<f64> {
        product(product(self.g.transpose(), x.as_ref()).as_ref(), self.g.as_ref())
    }

    /// `-D`.
    fn to_boundary(&self) -> Mat<f64> {
        let n = self.d.len();
        Mat::from_fn(n, n, |i, j| if i == j { -self.d[i] } else { 0.0 })
    }

    /// The target of a step to the central path at `mu`, with a predictor's second-order term.
    fn corrector(&self, dp: &Mat<f64>, ds: &Mat<f64>, mu: f64) -> Mat<f64> {
        let (n, d) = (self.d.len(), &self.d);
        let cross = product(dp.as_ref(), ds.as_ref());
        Mat::from_fn(n, n, |i, j| {
            let second = (cross[(i, j)] + cross[(j, i)]) / (d[i] + d[j]);
            if i == j { mu / d[i] - d[i] - second } else { -second }
        })
    }

    /// Largest `t` with `D + t X >= 0`.
    fn reach(&self, x: &Mat<f64>) -> Result<f64, Error> {
        let n = self.d.len();
        let scaled = Mat::from_fn(n, n, |i, j| x[(i, j)] / (self.d[i] * self.d[j]).sqrt());
        if !scaled.norm_l2().is_finite() {
            return Ok(0.0);
        }
        let least = linalg::symmetric_eigenvalues(scaled.as_ref())?[0];
        Ok(if least < 0.0 { -1.0 / least } else { f64::INFINITY })
    }
}

/// Whether a direction has not overflowed, as those of nearly singular systems may.
fn finite(blocks: &[Mat<f64>]) -> bool {
    blocks.iter().all(|block| block.norm_l2().is_finite())
}

/// Largest step that keeps every block in its cone.
fn reach(scalings: &[Scaling], x: &[Mat<f64>]) -> Result<f64, Error> {
    let mut least = f64::INFINITY;
    for (scaling, x) in scalings.iter().zip(x) {
        least = least.min(scaling.reach(x)?);
    }
    Ok(least)
}

/// `<D + a dP, D + b dS>`: the gap after the longest steps `a`, `b <= 1`, in scaled variables.
fn remaining(scalings: &[Scaling], dp: &[Mat<f64>], ds: &[Mat<f64>]) -> Result<f64, Error> {
    let (a, b) = (reach(scalings, dp)?.min(1.0), reach(scalings, ds)?.min(1.0));
    let mut gap = 0.0;
    for ((Scaling { d, .. }, dp), ds) in scalings.iter().zip(dp).zip(ds) {
        gap += (0..d.len()).map(|i| d[i] * (d[i] + a * dp[(i, i)] + b * ds[(i, i)])).sum::<f64>();
        gap += a * b * linalg::inner(dp.as_ref(), ds.as_ref());
    }
    Ok(gap)
}

/// The linear system of a step: its operator, its factored form, and how hard to refine.
struct System<'a> {
    problem: &'a Equality<'a>,
    cone: Cone,
    scalings: &'a [Scaling],
    curvature: Curvature,
    factor: Cholesky,
    patience: usize,
}

/// One scaled matrix a block.
type Blocks = Vec<Mat<f64>>;

impl System<'_> {
    /// Solves for `(dy, dP, dS)` with `dP + dS = target` in scaled variables,
    /// `B(Z + dZ) + g(y) + g'(y) dy = b` and `dS` the image of `dy`; `dP` and `dS` are returned scaled.
    fn direction(
        &self,
        z: &Mat<f64>,
        y: &[f64],
        target: &[Mat<f64>],
    ) -> (Vec<f64>, Blocks, Blocks) {
        let scaled = || self.scalings.iter().zip(target);
        // B(Z + lifted + H(B*(dy))) + g(y) + g'(y) dy = b.
        let lifted: Blocks = scaled().map(|(scaling, target)| scaling.lift(target)).collect();
        let goal = combine(z, 1.0, &self.cone.primal(&lifted));
        let weight = self.problem.slack.weight(y);
        let misfit = residual(self.problem, goal.as_ref());
        let rhs: Vec<f64> = misfit.iter().zip(y).map(|(r, y)| -r - weight * y).collect();
        let dy = self.solve(&rhs);
        let steps = self.cone.slack_steps(self.problem.map.adjoint_matrix(&dy).as_ref());
        let ds: Blocks = self.scalings.iter().zip(&steps).map(|(g, s)| g.lower(s)).collect();
        let dp = target.iter().zip(&ds).map(|(target, ds)| combine(target, -1.0, ds)).collect();
        (dy, dp, ds)
    }

    /// `dy -> B(H(B*(dy))) + g'(y) dy`.
    fn apply(&self, y: &[f64]) -> Vec<f64> {
        let back = self.problem.map.adjoint_matrix(y);
        let image = self.cone.scaled(self.scalings, back.as_ref());
        let mut out = vec![0.0; y.len()];
        self.problem.map.apply(image.as_ref(), &mut out);
        self.curvature.accumulate(y, &mut out);
        out
    }

    /// Conjugate gradients on the operator itself, preconditioned by the factored system, from the
    /// factored system's own answer.
    fn solve(&self, rhs: &[f64]) -> Vec<f64> {
        let mut x = rhs.to_vec();
        self.factor.solve_vector(&mut x);
        let mut r: Vec<f64> = rhs.iter().zip(self.apply(&x)).map(|(b, i)| b - i).collect();
        let mut s = r.clone();
        self.factor.solve_vector(&mut s);
        let mut p = s.clone();
        let mut rho = dot(&r, &s);
        let enough = SOLVED * norm(rhs);
        let mut least = norm(&r);
        let mut since = 0;
        // Residuals of conjugate gradients may rise for a while; rounding has won when they stay up.
        while least > enough && rho > 0.0 && since < self.patience {
            let q = self.apply(&p);
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
