//! Targets with noise at two factors: the weighted LASSO, and basis pursuit denoising through it.
//!
//! The interior-point method of `interior_point.rs` solves `H z + lambda u = b` with `|H^T u| <= 1`. Its end is
//! exact: on the support `S` with signs `sigma`, and with `Q` an orthonormal basis of the columns `H_S = Q R`,
//!
//! ```text
//! b - H z = rest + lambda g,     rest = b - Q Q^T b,   g = Q R^{-T} sigma,       H_S z_S = Q Q^T b - lambda g,
//! ```
//!
//! which also gives the `lambda` of a bound on the misfit, `delta^2 = |rest|^2 + lambda^2 |g|^2`, as long as
//! support and signs are right: each solve at a `lambda` gives the next, until they are.

use super::interior_point::Iterate;
use super::noisy::{Goal, Noisy};
use super::support::{self, LeastNorm};
use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::{self, max_abs, norm};
use flatmin_core::solver::Monitor;
use flatmin_core::{Mat, MatMut, MatRef};

/// Gap below which supports are tried.
const CLOSE: f64 = 0.1;

/// Supports of more coordinates than these and four times the rank are not tried.
const FEW: usize = 64;

/// Gap below which every support is tried.
const NEAR: f64 = 1e-4;

/// How far slopes may seem beyond one at a solution.
const SLACK: f64 = 1e-10;

/// Steps for the support once the gap is small enough.
const AGAIN: usize = 2;

/// Steps without progress before giving up, and solves until a bound on the misfit is met.
const PATIENCE: usize = 8;
const SOLVES: usize = 60;

/// Pivots below this part of the largest count as zero.
const ZERO: f64 = 1e-11;

/// How far slopes off the support must stay from one for the solution to be the only one.
const STRICT: f64 = 1e-7;

/// Refinements against rounding.
const REFINEMENTS: usize = 3;

/// Solves either form to the gap `part`.
pub(super) fn search(noisy: &mut Noisy<'_>, part: f64, monitor: &mut Monitor<'_>) {
    let delta = match noisy.goal {
        Goal::Penalty(lambda) => {
            at(noisy, lambda, part, monitor);
            return;
        }
        Goal::Noise(delta) => noisy.room(delta),
    };
    let (mut low, mut high) = (0.0, noisy.largest_penalty());
    let mut lambda = high * (delta / norm(&noisy.c)).min(0.5);
    for turn in 0..SOLVES {
        let Solved { z, u, piece } = at(noisy, lambda, part, monitor);
        noisy.enclose(&z);
        noisy.offer_dual(&noisy.lift(&u, lambda));
        let misfit = norm(&misfits(noisy, &z));
        if misfit > delta {
            high = lambda;
        } else {
            low = lambda;
        }
        // Without a support as if the misfit were a multiple of the penalty.
        let mut next = Some(lambda * delta / misfit);
        if let Some(piece) = piece
            && let Some(lambda) = piece.penalty(delta)
        {
            next = Some(lambda);
            noisy.offer(&piece.z(noisy, lambda));
            noisy.offer_dual(&noisy.lift(&piece.u(lambda), lambda));
            piece.settle(noisy, lambda);
        }
        if noisy.gap() <= part || monitor.stop.is_some() || high - low <= 1e-15 * high {
            return;
        }
        let middle = if low > 0.0 { (low * high).sqrt() } else { 0.1 * high };
        let inside = |next: &f64| low < *next && *next < high && turn % 4 < 3;
        lambda = next.filter(inside).unwrap_or(middle);
    }
}

/// `c - H z`.
fn misfits(noisy: &Noisy<'_>, z: &[f64]) -> Vec<f64> {
    noisy.c.iter().zip(noisy.frame.apply(z)).map(|(c, v)| c - v).collect()
}

/// The solution at a penalty, and the support that gives it where that was found.
struct Solved {
    z: Vec<f64>,
    u: Vec<f64>,
    piece: Option<Piece>,
}

/// The best at one penalty so far, whatever the form asked for.
struct Best {
    lambda: f64,
    z: Vec<f64>,
    u: Vec<f64>,
    upper: f64,
    lower: f64,
}

impl Best {
    fn offer(&mut self, noisy: &Noisy<'_>, z: &[f64]) -> bool {
        let (r, total) = (misfits(noisy, z), z.iter().map(|z| z.abs()).sum::<f64>());
        let value = 0.5 * (dot(&r, &r) + noisy.apart * noisy.apart) + self.lambda * total;
        let better = value < self.upper;
        if better {
            self.upper = value;
            self.z = z.to_vec();
        }
        better
    }

    fn offer_dual(&mut self, noisy: &Noisy<'_>, u: &[f64]) {
        let size = max_abs(&noisy.frame.adjoint(u)).max(1.0);
        let step = self.lambda / size;
        let value = step * dot(&noisy.c, u) - 0.5 * step * step * dot(u, u);
        let value = value + 0.5 * noisy.apart * noisy.apart;
        if value > self.lower {
            self.lower = value;
            self.u = u.to_vec();
        }
    }

    fn gap(&self) -> f64 {
        (self.upper - self.lower).abs() / self.upper
    }
}

/// Solves the penalised form at `lambda`, as far as the monitor lets it.
fn at(noisy: &mut Noisy<'_>, lambda: f64, part: f64, monitor: &mut Monitor<'_>) -> Solved {
    let asked = matches!(noisy.goal, Goal::Penalty(_));
    let start = {
        // The best multiple of H^T b.
        let slopes = noisy.frame.adjoint(&noisy.c);
        let image = noisy.frame.apply(&slopes);
        let t = dot(&slopes, &slopes) / dot(&image, &image);
        slopes.iter().map(|s| t * s).collect::<Vec<f64>>()
    };
    let mut at = Iterate::start(noisy.frame.rank(), &start, lambda);
    let mut best = Best {
        lambda,
        z: vec![0.0; start.len()],
        u: at.u.clone(),
        upper: f64::INFINITY,
        lower: 0.0,
    };
    let (mut stuck, mut least, mut last, mut piece) = (0, f64::INFINITY, Vec::new(), None);
    loop {
        let theta = at.theta();
        let normal = noisy.frame.normal(&theta, lambda);
        // The nearest that obey the equations, in the metric of the step.
        let (mut z, mut u) = (at.z(), at.u.clone());
        for _ in 0..2 {
            let mut v = off(noisy, &z, &u, lambda);
            normal.solve_vector(&mut v);
            let more = noisy.frame.adjoint(&v);
            z.iter_mut().zip(theta.iter().zip(more)).for_each(|(z, (theta, s))| *z += theta * s);
            axpy(1.0, &v, &mut u);
        }
        let s = noisy.frame.adjoint(&u);
        best.offer(noisy, &z);
        best.offer_dual(noisy, &u);
        if asked {
            noisy.offer(&z);
            noisy.offer_dual(&noisy.lift(&u, lambda));
        }
        let mut exact = false;
        if best.gap() <= CLOSE {
            let set = support::guess(noisy.frame.rank(), &z, &s);
            if set == last || best.gap() <= NEAR {
                (piece, exact) = match finish(noisy, set.clone(), &z, &mut best) {
                    Some((found, exact)) => (Some(found), exact),
                    None => (piece, false),
                };
            }
            last = set;
        }
        let gap = if asked { noisy.gap().max(best.gap()) } else { best.gap() };
        let residual = off(noisy, &at.z(), &at.u, lambda);
        let measure = gap.max(at.complementarity() * lambda / best.upper);
        stuck = if measure < 0.9 * least { 0 } else { stuck + 1 };
        least = least.min(measure);
        let feasibility = norm(&residual) / noisy.size;
        let nonzeros = s.iter().filter(|s| s.abs() > 0.999).count();
        let (upper, lower) = (noisy.upper(), noisy.lower());
        let go = monitor.tick("interior point", upper, lower, feasibility, nonzeros);
        // The gap may be small before the support is known, where the penalty is.
        let done = gap <= part && (exact || stuck >= AGAIN);
        if !go || done || stuck >= PATIENCE || !at.is_finite() {
            return Solved { z: best.z, u: best.u, piece };
        }
        at.proceed(&noisy.frame, &normal, &residual);
    }
}

/// `c - H z - lambda u`.
fn off(noisy: &Noisy<'_>, z: &[f64], u: &[f64], lambda: f64) -> Vec<f64> {
    misfits(noisy, z).iter().zip(u).map(|(r, u)| r - lambda * u).collect()
}

/// Tries a support, with the signs of `z`, and what is left of it without the coordinates whose signs are others;
/// whether it is the solution's.
fn finish(
    noisy: &mut Noisy<'_>,
    mut set: Vec<usize>,
    z: &[f64],
    best: &mut Best,
) -> Option<(Piece, bool)> {
    for _ in 0..3 {
        if set.is_empty() || set.len() > 4 * noisy.frame.rank() + FEW {
            return None;
        }
        let piece = Piece::new(noisy, &set, z)?;
        let (exact, u) = (piece.z(noisy, best.lambda), piece.u(best.lambda));
        let kept: Vec<usize> = set.iter().copied().filter(|&j| exact[j] * z[j] > 0.0).collect();
        let found = kept.len() == set.len();
        best.offer(noisy, &exact);
        best.offer_dual(noisy, &u);
        if matches!(noisy.goal, Goal::Penalty(_)) {
            noisy.offer(&exact);
            noisy.offer_dual(&noisy.lift(&u, best.lambda));
            if found {
                piece.settle(noisy, best.lambda);
            }
        }
        if found {
            let most = max_abs(&noisy.frame.adjoint(&u));
            return Some((piece, most <= 1.0 + SLACK));
        }
        set = kept;
    }
    None
}

/// The solutions on one support with one set of signs, linear in the penalty.
struct Piece {
    set: Vec<usize>,
    /// What solutions are near to.
    base: Vec<f64>,
    sizes: Vec<f64>,
    order: Vec<usize>,
    basis: Mat<f64>,
    /// `[R11 R12]` of the pivoted decomposition.
    upper: Mat<f64>,
    fit: Vec<f64>,
    rest: Vec<f64>,
    ascent: Vec<f64>,
}

impl Piece {
    fn new(noisy: &Noisy<'_>, set: &[usize], z: &[f64]) -> Option<Piece> {
        let (r, n) = (noisy.frame.rank(), set.len());
        // The change that is least relative to what is there keeps the signs.
        let mut sizes: Vec<f64> = set.iter().map(|&j| 1.0 / norm(noisy.frame.column(j))).collect();
        let decompose = |sizes: &[f64]| {
            let entry = |i: usize, k: usize| noisy.frame.rows[(i, set[k])] * sizes[k];
            let (basis, upper, order) = linalg::pivoted_qr(Mat::from_fn(r, n, entry).as_ref());
            let most = upper[(0, 0)].abs();
            let rank = (0..r.min(n)).take_while(|&i| upper[(i, i)].abs() > ZERO * most).count();
            (basis, upper, order, rank)
        };
        let (mut basis, mut upper, mut order, mut rank) = decompose(&sizes);
        if rank < n {
            sizes = set.iter().map(|&j| z[j].abs()).collect();
            (basis, upper, order, rank) = decompose(&sizes);
        }
        if rank == 0 {
            return None;
        }
        let basis = basis.as_ref().subcols(0, rank).to_owned();
        let upper = upper.as_ref().subrows(0, rank).to_owned();
        let square = upper.as_ref().subcols(0, rank);

        let mut rest = MatRef::from_column_major_slice(&noisy.c, r, 1).to_owned();
        for _ in 0..2 {
            let along = linalg::product(basis.transpose(), rest.as_ref());
            linalg::subtract_product(rest.as_mut(), basis.as_ref(), along.as_ref());
        }
        let rest = rest.col_as_slice(0).to_vec();
        let fit = noisy.c.iter().zip(&rest).map(|(c, r)| c - r).collect();
        let mut ascent = vec![0.0; r];
        for _ in 0..REFINEMENTS {
            let wanted = |k: usize| {
                let j = set[order[k]];
                sizes[order[k]] * (z[j].signum() - dot(noisy.frame.column(j), &ascent))
            };
            let mut along: Vec<f64> = (0..rank).map(wanted).collect();
            let mut column = MatMut::from_column_major_slice_mut(&mut along, rank, 1);
            linalg::solve_upper_transpose(square, column.as_mut());
            let step = linalg::product(basis.as_ref(), column.as_ref());
            axpy(1.0, step.col_as_slice(0), &mut ascent);
        }
        let finite = ascent.iter().all(|v| v.is_finite());
        let (set, base) = (set.to_vec(), z.to_vec());
        finite.then_some(Piece { set, base, sizes, order, basis, upper, fit, rest, ascent })
    }

    /// `z` at a penalty, the nearest to what was at hand.
    fn z(&self, noisy: &Noisy<'_>, lambda: f64) -> Vec<f64> {
        let solutions = LeastNorm::new(self.upper.as_ref());
        let mut z = vec![0.0; self.base.len()];
        self.set.iter().for_each(|&j| z[j] = self.base[j]);
        for _ in 0..REFINEMENTS {
            let image = noisy.frame.apply(&z);
            let off = self.fit.iter().zip(&self.ascent).zip(&image);
            let off: Vec<f64> = off.map(|((f, g), v)| f - lambda * g - v).collect();
            let off = MatRef::from_column_major_slice(&off, off.len(), 1);
            let step = solutions.of(linalg::product(self.basis.transpose(), off));
            for (k, &at) in self.order.iter().enumerate() {
                z[self.set[at]] += self.sizes[at] * step[(k, 0)];
            }
        }
        z
    }

    /// The misfit over the penalty.
    fn u(&self, lambda: f64) -> Vec<f64> {
        self.rest.iter().zip(&self.ascent).map(|(r, g)| r / lambda + g).collect()
    }

    /// The penalty at which the misfit is `delta`.
    fn penalty(&self, delta: f64) -> Option<f64> {
        let rest = norm(&self.rest);
        let lambda = ((delta - rest) * (delta + rest)).max(0.0).sqrt() / norm(&self.ascent);
        (lambda.is_finite() && lambda > 0.0).then_some(lambda)
    }

    /// Notes that the solution is the only one, where columns and slopes prove it.
    fn settle(&self, noisy: &mut Noisy<'_>, lambda: f64) {
        let mut slopes = noisy.frame.adjoint(&self.u(lambda));
        self.set.iter().for_each(|&j| slopes[j] = 0.0);
        let independent = self.basis.ncols() == self.set.len();
        noisy.unique = independent && max_abs(&slopes) < 1.0 - STRICT && noisy.gap() <= STRICT;
    }
}
