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
//! extrapolation over the last rounds ([`Anderson`]) then converges much faster than the rounds
//! alone.
//!
//! Reference: Wen, Goldfarb, Yin, *Alternating direction augmented Lagrangian methods for
//! semidefinite programming*, Math. Prog. Comp. 2, 2010.

use super::equality::{Equality, Incumbent, relative_gap};
use super::linear::residual;
use super::monitor::Monitor;
use super::polish::polish;
use crate::acceleration::Anderson;
use crate::linalg::{self, norm, scale_columns};
use crate::{Error, Mat, MatRef};

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
    let mut memory = Anderson::new(DEPTH, problem.par);
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
            memory.forget();
            continue;
        }
        v = extrapolated(&mut memory, &v, &at.image);
    }
    Ok(())
}
/// Rounds that an extrapolation looks back on.
const DEPTH: usize = 8;

/// The next `V`, from one and its image.
fn extrapolated(memory: &mut Anderson, v: &Mat<f64>, image: &Mat<f64>) -> Mat<f64> {
    let flat = |a: &Mat<f64>| a.col_iter().flat_map(|c| c.iter().copied()).collect::<Vec<f64>>();
    let next = memory.extrapolate(flat(v), flat(image));
    MatRef::from_column_major_slice(&next, v.nrows(), v.ncols()).to_owned()
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
