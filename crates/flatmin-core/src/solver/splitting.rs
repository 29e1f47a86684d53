//! The convex road for problems too large for second-order systems: the alternating direction
//! method of multipliers on the dual, accelerated.
//!
//! ```text
//! max <b, y>  s.t.  B*(y) = W,  |W|_op <= 1
//! y <- (B B*)^{-1} ( B(W) + (b - B(Z)) / sigma )
//! V <- B*(y) + Z / sigma,   W <- clip(V),   Z <- sigma (V - W)
//! ```
//!
//! where `clip` caps the singular values at one (over semidefinite matrices, the eigenvalues). A
//! round is a map `V -> F(V)`, nonexpansive, and smooth once the rank of `Z` has settled: Anderson's
//! extrapolation over the last rounds then converges much faster than the rounds alone. It is
//! safeguarded: whenever the residual `|F(V) - V|` grows, the memory is dropped and plain rounds
//! resume.
//!
//! References: Wen, Goldfarb, Yin, *Alternating direction augmented Lagrangian methods for
//! semidefinite programming*, Math. Prog. Comp. 2, 2010; Walker, Ni, *Anderson acceleration for
//! fixed-point iterations*, SIAM J. Numer. Anal. 49, 2011; Zhang, O'Donoghue, Boyd, *Globally
//! convergent type-I Anderson acceleration*, SIAM J. Optim. 30, 2020.

use super::equality::{Equality, Incumbent, Monitor, relative_gap};
use super::linear::residual;
use super::polish::polish;
use crate::linalg::{self, inner, norm, scale_columns};
use crate::{Error, Mat};
use std::collections::VecDeque;

/// First penalty, as a fraction of the root mean square singular value of the least-norm solution:
/// small, so that the first rounds already threshold a matrix close to fitting the measurements.
const PENALTY: f64 = 0.1;

/// Rounds between two attempts at a certificate, each as costly as two rounds.
const ROUNDS_PER_CHECK: usize = 50;

/// Solves `B B* y = rhs` in place.
pub(super) type InverseGram<'a> = dyn Fn(&mut [f64]) + 'a;

/// One round at `V`: the primal and dual iterates, and the image `F(V)`.
struct Round {
    z: Mat<f64>,
    y: Vec<f64>,
    image: Mat<f64>,
    /// `|Z|_*`.
    value: f64,
    rank: usize,
    /// `|B(Z) - b| / |b|` and `|B*(y) - W| / (1 + |W|)`.
    primal: f64,
    dual: f64,
}

fn round(
    problem: &Equality<'_>,
    inverse: &InverseGram<'_>,
    v: &Mat<f64>,
    sigma: f64,
) -> Result<Round, Error> {
    let spectrum = problem.domain.decompose(v.as_ref(), problem.par)?;
    let excess: Vec<f64> = spectrum.s.iter().map(|s| s - 1.0).take_while(|&e| e > 0.0).collect();
    let rank = excess.len();
    let left = scale_columns(spectrum.u.as_ref().subcols(0, rank), &excess);
    let mut soft = Mat::zeros(v.nrows(), v.ncols());
    let right = spectrum.v.as_ref().subcols(0, rank).transpose();
    linalg::multiply_par(soft.as_mut(), left.as_ref(), right, problem.par);
    let w = v - &soft;
    let z = &soft * faer::Scale(sigma);
    let mut y = vec![0.0; problem.b.len()];
    problem.map.apply(w.as_ref(), &mut y);
    let infeasible = residual(problem, z.as_ref());
    y.iter_mut().zip(&infeasible).for_each(|(y, r)| *y -= r / sigma);
    inverse(&mut y);
    let mut image = problem.map.adjoint_matrix(&y);
    let dual = (&image - &w).norm_l2() / (1.0 + w.norm_l2());
    image += &soft;
    Ok(Round {
        z,
        y,
        image,
        value: sigma * excess.iter().sum::<f64>(),
        rank,
        primal: norm(&infeasible) / problem.norm_b,
        dual,
    })
}

/// Runs at most `rounds` rounds from the incumbent, or from the least-norm solution; `inverse` applies
/// `(B B*)^{-1}`.
pub(super) fn splitting(
    problem: &Equality<'_>,
    inverse: &InverseGram<'_>,
    rounds: usize,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let dims = problem.map.dims();
    let z = match &incumbent.best {
        Some(best) => best.point.matrix(),
        None => {
            let mut weights = problem.b.to_vec();
            inverse(&mut weights);
            problem.map.adjoint_matrix(&weights)
        }
    };
    // The size of Z sets the penalty.
    let mut sigma = z.norm_l2() / (dims.rows.min(dims.cols) as f64).sqrt() * PENALTY;
    let mut v = &z * faer::Scale(1.0 / sigma);
    if let Some(bound) = &incumbent.bound {
        v += problem.map.adjoint_matrix(&bound.y);
    }
    let mut memory = Memory::default();
    let mut since_check = 0;
    let mut since_balance = 0;
    for _ in 0..rounds {
        let at = round(problem, inverse, &v, sigma)?;
        let lower: f64 = at.y.iter().zip(problem.b).map(|(y, b)| y * b).sum();
        if !monitor.tick("splitting", at.value, incumbent.lower(), at.primal, at.rank) {
            return certify(problem, inverse, &at, incumbent);
        }
        // A certificate costs two decompositions: ask when everything speaks for one.
        let gap = relative_gap(at.value, lower).max(at.primal).max(at.dual);
        since_check += 1;
        if gap <= problem.tolerance || since_check >= ROUNDS_PER_CHECK {
            since_check = 0;
            certify(problem, inverse, &at, incumbent)?;
            if incumbent.gap() <= problem.tolerance {
                let near = problem.domain.decompose(at.z.as_ref(), problem.par)?.leading(at.rank);
                return polish(problem, near, &at.y, incumbent, monitor);
            }
        }
        // Balance the residuals: a lagging primal one wants a weaker dual penalty.
        since_balance += 1;
        let imbalance = at.primal / at.dual.max(f64::MIN_POSITIVE);
        if since_balance >= 10 && !(0.2..=5.0).contains(&imbalance) {
            since_balance = 0;
            let change = if imbalance > 1.0 { 1.0 / 1.5 } else { 1.5 };
            // V = B*(y) + Z / sigma at the new penalty.
            let mut next = at.image;
            next += &at.z * faer::Scale(1.0 / (sigma * change) - 1.0 / sigma);
            sigma *= change;
            v = next;
            memory = Memory::default();
            continue;
        }
        v = memory.extrapolate(v, at.image);
    }
    Ok(())
}
/// Anderson's extrapolation of a fixed-point iteration.
#[derive(Default)]
struct Memory {
    /// Last point's image and residual.
    last: Option<(Mat<f64>, Mat<f64>)>,
    /// Differences of successive images and residuals.
    differences: VecDeque<(Mat<f64>, Mat<f64>)>,
    /// Residual norm of the last accepted point.
    residual: f64,
}

/// Rounds that an extrapolation looks back on.
const DEPTH: usize = 8;

impl Memory {
    /// The next point, from a point and its image: the affine combination of the last images whose
    /// residuals combine to the least norm.
    fn extrapolate(&mut self, point: Mat<f64>, image: Mat<f64>) -> Mat<f64> {
        let residual = &image - &point;
        let size = residual.norm_l2();
        let Some((last_image, last_residual)) = self.last.take() else {
            self.residual = size;
            self.last = Some((image.clone(), residual));
            return image;
        };
        if size > 2.0 * self.residual {
            *self = Memory { residual: size, ..Memory::default() };
            self.last = Some((image.clone(), residual));
            return image;
        }
        self.residual = size;
        self.differences.push_back((&image - &last_image, &residual - &last_residual));
        if self.differences.len() > DEPTH {
            self.differences.pop_front();
        }
        // Least squares by normal equations, with a ridge that keeps the combination tame.
        let k = self.differences.len();
        let mut gram = Mat::from_fn(k, k, |i, j| {
            if i < j {
                0.0
            } else {
                inner(self.differences[i].1.as_ref(), self.differences[j].1.as_ref())
            }
        });
        let mean = (0..k).map(|i| gram[(i, i)]).sum::<f64>() / k as f64;
        (0..k).for_each(|i| gram[(i, i)] += 1e-10 * mean);
        let mut theta: Vec<f64> =
            self.differences.iter().map(|(_, d)| inner(d.as_ref(), residual.as_ref())).collect();
        let mut next = image.clone();
        if let Some(factor) = linalg::Cholesky::new(gram, linalg::Par::Seq) {
            factor.solve_vector(&mut theta);
            for ((difference, _), theta) in self.differences.iter().zip(&theta) {
                next -= faer::Scale(*theta) * difference;
            }
        }
        self.last = Some((image, residual));
        next
    }
}

/// Offers the iterate made feasible, and the bound of its dual vector.
fn certify(
    problem: &Equality<'_>,
    inverse: &InverseGram<'_>,
    at: &Round,
    incumbent: &mut Incumbent,
) -> Result<(), Error> {
    let mut correction = residual(problem, at.z.as_ref());
    inverse(&mut correction);
    let z = &at.z - problem.map.adjoint_matrix(&correction);
    let point = problem.domain.decompose(z.as_ref(), problem.par)?;
    let infeasibility = problem.infeasibility(&point);
    incumbent.offer_point(point, infeasibility);
    incumbent.offer_bound(problem.bound(at.y.clone())?.0);
    Ok(())
}
