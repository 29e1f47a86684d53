//! The penalised form over many sampled entries: nothing of the size of the matrix is formed.
//!
//! In factors `X = L R^T`, with as many columns as the solution has, or more, it is the smooth problem
//!
//! ```text
//! min  |A(L R^T) - b|^2 / 2 + (rho / 2) (|D1 L|_F^2 + |D2 R|_F^2),
//! ```
//!
//! and for sampled entries the best `L` of a given `R` is one small ridge regression a row
//! ([`ridge`](super::ridge)). What is left is a function of `R` alone, whose Newton steps are taken by
//! conjugate gradients: with `e = A(L R^T) - b` and `E = A*(e)`, the Hessian of the whole is
//!
//! ```text
//! [ A  C ]    A_i = sum_j r_j r_j^T + rho D1_i^2,    B_j = sum_i l_i l_i^T + rho D2_j^2,
//! [ C^T B ]   (C x)_i = sum_j r_j (x_j^T l_i) + (E x)_i,
//! ```
//!
//! and that of the function of `R` its Schur complement `B - C^T A^{-1} C`. The preconditioner `B` makes
//! the first direction the ridge regressions of `R` for `L`: alternating least squares, which cannot
//! fail to descend, and takes over where a Newton step does not. Unlike in the fit of exact entries the
//! residual does not vanish, and neither may the term with `E`.
//!
//! The weight `rho` comes down to its value in stages, and with it the rank grows: where the dual matrix
//! `-P1 E P2 / rho` has singular values above one beyond the frames of the solution so far, their vectors
//! are new columns. Once it has none, it proves the answer ([`dual`](super::dual)).
//!
//! References: Golub, Pereyra, *Separable nonlinear least squares: the variable projection method and its
//! applications*, Inverse Problems 19, 2003; Hastie, Mazumder, Lee, Zadeh, *Matrix completion and low-rank
//! SVD via fast alternating least squares*, JMLR 16, 2015.

use super::amplitudes::amplitudes;
use super::dual::Dual;
use super::gradients::{Iterate, Reached, Until, conjugate_gradients};
use super::ridge::Ridge;
use super::{Posed, whitened};
use crate::Error;
use crate::linalg::kernel::dot;
use crate::linalg::thin::Thin;
use crate::solver::equality::{Bound, Candidate, Incumbent, relative_gap};
use crate::solver::monitor::Monitor;
use crate::solver::point::Point;
use crate::solver::slack::Slack;

/// Factor between the weights of two stages.
const STAGE: f64 = 2.5;

/// Looks at one weight.
const LOOKS: usize = 60;

/// Steps between two looks.
const STEPS: usize = 40;

/// Directions without curvature until columns are looked for.
const HITS: usize = 3;

/// Radius of a trust region before it is known, in lengths of a step of alternating least squares. Later
/// that length says nothing: near the end it vanishes while the step to the end is far longer.
const FAR: f64 = 20.0;

/// Parts of the expected decrease that shrink the trust region and let it grow, and by how much.
const POOR: f64 = 0.1;
const GOOD: f64 = 0.7;
const SHRINK: f64 = 4.0;

/// Largest relative residual of the inner iteration, and its most steps.
const INNER: (f64, usize) = (0.3, 80);

/// Accuracy of a stage, and of the first look at the last one: the root of the decrease to come,
/// relative to the objective.
const ROUGH: f64 = 1e-2;

/// The most accurate that a look is, and the factor from one to the next.
const FINEST: f64 = 1e-13;
const FINER: f64 = 0.1;

/// Least excess of a singular value over one that makes a new column.
const NEW: f64 = 1e-10;

/// Part of the tolerance that the norm of a dual matrix may be too large by.
const ENOUGH: f64 = 0.02;

/// Rounds of the first looks, and the most.
const ROUNDS: usize = 8;
const MOST_ROUNDS: usize = 64;

/// A pair of factors, with the best `L` for its `R`.
struct Here<'a> {
    posed: &'a Posed<'a>,
    rho: f64,
    l: Thin,
    r: Thin,
    left: Ridge,
    /// `A(L R^T) - b` in row order and in column order.
    by_row: Vec<f64>,
    by_col: Vec<f64>,
    /// The objective, over `rho`.
    value: f64,
}

/// Where to go from a pair of factors.
struct Steps {
    /// By Newton's method; `None` where there is nothing to gain.
    newton: Option<Reached>,
    /// By alternating least squares.
    alternating: Thin,
    /// The root of the decrease to come, relative to the objective.
    gain: f64,
}

impl<'a> Here<'a> {
    fn new(posed: &'a Posed<'a>, rho: f64, r: Thin) -> Here<'a> {
        let (rows, par) = (posed.pattern.by_row(), posed.par);
        let left = Ridge::new(par, rows, &r, posed.weights(&posed.p1, rho));
        let l = left.fit(par, rows, &r, &posed.by_row);
        let by_row = posed.residual(&l, &r);
        let by_col = posed.pattern.in_col_order(&by_row);
        let square = |p: &[f64], x: &Thin| {
            let x = whitened(p, x);
            x.dot(&x)
        };
        let norms = square(&posed.p1, &l) + square(&posed.p2, &r);
        let value = 0.5 * norms + dot(&by_row, &by_row) / (2.0 * rho);
        Here { posed, rho, l, r, left, by_row, by_col, value }
    }

    /// The directions for `R`, when there is more than `goal` to gain.
    fn steps(&self, goal: f64, radius: &mut f64) -> Steps {
        let Here { posed, l, r, .. } = self;
        let (rows, cols, par) = (posed.pattern.by_row(), posed.pattern.by_col(), posed.par);
        let right = Ridge::new(par, cols, l, posed.weights(&posed.p2, self.rho));
        // Downhill: -(E^T L + rho D2^2 R).
        let mut g = cols.times(par, &self.by_col, l).negated();
        g.add_scaled_rows(-1.0, right.weights(), r);
        let mut alternating = g.clone();
        right.solve(par, cols, l, &mut alternating);
        let gain = (g.dot(&alternating).max(0.0) / (self.rho * self.value)).sqrt();
        if gain <= goal {
            return Steps { newton: None, alternating, gain };
        }
        // Far away precision is wasted, and near the end more than is left to gain.
        let wanted = gain.max(0.5 * goal / gain).min(INNER.0);
        let precondition = |z: &mut Thin| right.solve(par, cols, l, z);
        if radius.is_infinite() {
            *radius = FAR * g.dot(&alternating).sqrt();
        }
        let until = Until { tolerance: wanted, radius: *radius, steps: INNER.1 };
        let turned = r.negated();
        let negative: Vec<f64> = self.by_col.iter().map(|e| -e).collect();
        let newton = conjugate_gradients(g, &until, precondition, |x| {
            // C x, A^{-1} C x, and (B - C^T A^{-1} C) x.
            let mut z = rows.second(par, (r, None), (x, l), &self.by_row);
            self.left.solve(par, rows, r, &mut z);
            let mut out = cols.second(par, (l, Some(x)), (&z, &turned), &negative);
            out.add_scaled_rows(1.0, right.weights(), x);
            out
        });
        Steps { newton: Some(newton), alternating, gain }
    }

    /// Steps until there is no more than `goal` to gain, or `hits` directions without curvature were met:
    /// columns are missing, or too small. Whether the goal was reached comes with it.
    fn descend(
        mut self,
        goal: f64,
        mut hits: usize,
        bound: f64,
        monitor: &mut Monitor<'_>,
    ) -> (Here<'a>, bool) {
        let mut radius = f64::INFINITY;
        for _ in 0..STEPS {
            let Steps { newton, alternating, gain } = self.steps(goal, &mut radius);
            let go_on = monitor.tick("fitting ratings", self.value, bound, gain, self.r.width());
            let Some(newton) = newton.filter(|_| go_on) else {
                return (self, gain <= goal);
            };
            let moved = |by: &Thin| {
                let mut r = self.r.clone();
                r.combine(1.0, 1.0, by);
                Some(Here::new(self.posed, self.rho, r)).filter(|next| next.value < self.value)
            };
            // From the longest step to shorter ones, and then to one that cannot fail.
            let mut next = None;
            let mut longest = f64::INFINITY;
            for Iterate { x, length, decrease } in newton.way.iter().chain([&newton.end]).rev() {
                if *length > longest {
                    continue;
                }
                next = moved(x);
                let value = next.as_ref().map_or(f64::INFINITY, |next| next.value);
                let kept = self.rho * (self.value - value) / decrease;
                if kept < POOR || kept.is_nan() {
                    radius = length / SHRINK;
                } else if kept > GOOD {
                    radius = radius.max(2.0 * length);
                }
                if next.is_some() {
                    break;
                }
                longest = radius;
            }
            // What rounding leaves is no descent.
            let Some(next) = next.or_else(|| moved(&alternating)) else { return (self, true) };
            self = next;
            if newton.flat && gain < ROUGH {
                hits -= 1;
                if hits == 0 {
                    break;
                }
            }
        }
        (self, false)
    }

    /// The matrix in whitened variables, without singular values below a part of the objective.
    fn point(&self, unused: f64) -> Result<Point, Error> {
        if self.r.width() == 0 {
            return Ok(Point::zero(self.posed.dims()));
        }
        let point = self.posed.point(&self.l, &self.r)?;
        let used = point.s.iter().filter(|&&s| s > unused * self.value).count();
        Ok(point.leading(used))
    }

    /// A point made of these factors, with what it costs.
    fn candidate(&self, point: &Point) -> Candidate {
        let misfit = if point.rank() == self.r.width() {
            dot(&self.by_row, &self.by_row)
        } else {
            let e = self.posed.misfit(point);
            dot(&e, &e)
        };
        let value = point.nuclear_norm() + misfit / (2.0 * self.rho);
        Candidate { point: point.clone(), infeasibility: 0.0, value }
    }
}

/// What the dual matrix of a point says.
struct Look {
    /// Columns to go on from.
    next: Thin,
    /// How many of them are new: for singular values above one.
    new: usize,
    /// Whether there may be more of it than the estimate.
    coarse: bool,
}

/// What a look is to prove.
struct Proof<'a> {
    incumbent: &'a mut Incumbent,
    /// The gap that is wanted.
    tolerance: f64,
    /// Whether a bound is wanted that leaves a larger one.
    anyway: bool,
}

/// Looks for singular values above `1 + margin` of the dual matrix beyond the frames of a point; with an
/// incumbent the bound that it proves is offered.
fn look(
    here: &Here<'_>,
    point: &Point,
    (margin, rounds): (f64, usize),
    proof: Option<Proof<'_>>,
) -> Result<Look, Error> {
    let posed = here.posed;
    let scale = -1.0 / here.rho;
    let y: Vec<f64> = here.by_row.iter().map(|e| scale * e).collect();
    let turned: Vec<f64> = here.by_col.iter().map(|e| scale * e).collect();
    let u = posed.spread(posed.left, point.u.as_ref());
    let v = posed.spread(posed.right, point.v.as_ref());
    let dual = Dual { matrix: posed.matrix(&y, &turned), u: &u, v: &v };
    let found = dual.leading(rounds)?;
    let mut coarse = false;
    if let Some(Proof { incumbent, tolerance, anyway }) = proof {
        let about = dual.estimate(&found)?;
        let (along, squares) = (dot(&y, &posed.by_row), dot(&y, &y));
        let slack = Slack::Ridge(here.rho);
        let multiple = |norm: f64| slack.multiple(along, squares, 1.0 / norm);
        let lower = |t: f64| t * along - 0.5 * here.rho * t * t * squares;
        // No proof is better than the norm from below allows.
        let may = relative_gap(incumbent.upper(), lower(multiple(about))) <= tolerance;
        coarse = !may;
        if may || anyway {
            let beyond = found.s.first().copied().unwrap_or(0.0);
            let norm = dual.norm(about, beyond, ENOUGH * tolerance)?;
            coarse = norm > beyond.max(1.0) + margin.min(0.1 * tolerance);
            let t = multiple(norm);
            let mut y = posed.pattern.in_given_order(y.clone());
            y.iter_mut().for_each(|y| *y *= t);
            incumbent.offer_bound(Bound { y, lower: lower(t) });
        }
    }
    let room = posed.left.rank().min(posed.right.rank()) - point.rank();
    let new = found.s.iter().take_while(|&&s| s > 1.0 + margin).count().min(room);
    let (u, v) = (u.beside(&found.u.leading(new)), v.beside(&found.v.leading(new)));
    let mut s = point.s.clone();
    s.resize(point.rank() + new, 0.0);
    if new > 0 {
        s = amplitudes(posed, here.rho, (&u, &v), s);
    }
    let kept: Vec<usize> = (0..s.len()).filter(|&c| s[c] > 0.0).collect();
    let mut next =
        Thin::from_fn(v.rows(), kept.len(), |j, c| v.row(j)[kept[c]] * s[kept[c]].sqrt());
    next.scale_rows(&posed.p2);
    Ok(Look { next, new, coarse })
}

/// Offers the best answer that it finds at the weight `rho`.
pub(in crate::solver) fn search(
    posed: &Posed<'_>,
    rho: f64,
    tolerance: f64,
    start: Option<Point>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let zero = Point::zero(posed.dims());
    let value = posed.norm_b * posed.norm_b / (2.0 * rho);
    incumbent.offer(Candidate { point: zero, infeasibility: 0.0, value });
    let mut stage = rho;
    let mut r = match &start {
        Some(point) => posed.columns(point.balanced().1.as_ref()),
        None => {
            stage = next_stage(largest(posed)?, rho);
            Thin::zeros(posed.p2.len(), 0)
        }
    };
    loop {
        let last = stage == rho;
        let mut goal = ROUGH;
        let (mut rounds, mut hits) = (ROUNDS, HITS);
        for looks in 0..LOOKS {
            let here = Here::new(posed, stage, r);
            let before = here.value;
            let (here, reached) = here.descend(goal, hits, incumbent.lower(), monitor);
            let point = here.point(goal * goal)?;
            if last {
                incumbent.offer(here.candidate(&point));
            } else if monitor.stop.is_some() {
                // The best so far, whatever weight it was for.
                let here = Here::new(posed, rho, here.r);
                incumbent.offer(here.candidate(&here.point(0.0)?));
                return Ok(());
            }
            let end = goal <= FINEST && rounds >= MOST_ROUNDS;
            // The first bound is for whoever watches.
            let anyway =
                monitor.stop.is_some() || end || looks + 1 == LOOKS || incumbent.bound.is_none();
            let proof = last.then_some(Proof { incumbent, tolerance, anyway });
            let Look { next, new, coarse } = look(&here, &point, (goal.max(NEW), rounds), proof)?;
            r = next;
            if monitor.stop.is_some() || (last && incumbent.gap() <= tolerance) {
                return Ok(());
            }
            // Where no column is missing, those there are must find their size.
            hits = if new > 0 { HITS } else { STEPS };
            // New columns are no use where their sizes are more than the goal asks for.
            let still = reached && here.value == before && looks > 0;
            if (new > 0 && !still) || !reached {
                continue;
            }
            if (!last && new == 0) || end {
                break;
            }
            // More digits, and more of the spectrum where the proof saw more.
            goal = (FINER * goal).max(FINEST);
            if coarse {
                rounds = (2 * rounds).min(MOST_ROUNDS);
            }
        }
        if last {
            return Ok(());
        }
        stage = next_stage(stage, rho);
    }
}

/// The least weight at which the answer is zero, the norm of the matrix of the targets.
pub(in crate::solver) fn largest(posed: &Posed<'_>) -> Result<f64, Error> {
    let none = [posed.p1.len(), posed.p2.len()].map(|n| Thin::zeros(n, 0));
    let matrix = posed.matrix(&posed.by_row, &posed.by_col);
    let found = Dual { matrix, u: &none[0], v: &none[1] }.leading(MOST_ROUNDS)?;
    Ok(found.s.first().copied().unwrap_or(0.0))
}

/// The weight after `from` on the way down to `rho`.
fn next_stage(from: f64, rho: f64) -> f64 {
    if from > STAGE * STAGE.sqrt() * rho { from / STAGE } else { rho }
}

/// The gradient of the function of `R`, over the columns, and an accurate Newton step.
#[cfg(test)]
pub(super) fn gradient_and_newton(posed: &Posed<'_>, rho: f64, r: Thin) -> (Thin, Thin) {
    let here = Here::new(posed, rho, r);
    let mut g = posed.pattern.by_col().times(posed.par, &here.by_col, &here.l);
    g.add_scaled_rows(1.0, &posed.weights(&posed.p2, rho), &here.r);
    let newton = here.steps(1e-12, &mut f64::INFINITY.clone()).newton;
    (g, newton.map_or_else(|| Thin::zeros(0, 0), |reached| reached.end.x))
}
