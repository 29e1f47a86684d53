//! Which estimator, decided from the products as they come in, none of which is lost.
//!
//! 1. Where a closed form or `n` products give the trace exactly, that is the answer.
//! 2. After a quarter of the budget, spent on Gaussian probes: when the diagonal holds most of what makes
//!    probes on the sphere vary, `sum h_ii^2 - (tr H)^2 / n` against `|H|_F^2 - (tr H)^2 / n`, the rest goes
//!    to signs, which do not see it. Both halves of the probes estimate the diagonal, and the product of
//!    the two is unbiased for its square.
//! 3. After half of it, when the operator is indefinite: XTrace if what its range leaves out is small
//!    beside the spread of the probes. It needs these probes and the other half for the range itself.
//! 4. Otherwise all of it goes to the subspace of the probes: [`super::nystrom`], which holds
//!    Hutchinson's mean over orthonormal probes as a special case.
//!
//! What it does not see: XTrace is far better where few eigenvalues of a *semidefinite* operator stand out from a
//! bulk of equal ones, which a random subspace resolves slowly and the range of the products at once.

use super::error_bar::Mean;
use super::nystrom;
use super::probes::{Probes, Subspace, beside, gaussian, orthonormal, orthonormalised};
use super::products::Products;
use super::{Method, hutchinson, xtrace};
use crate::linalg::{Par, multiply_lower, solve_upper_transpose, symmetric_eigen};
use crate::{Error, Mat, MatRef};

/// Share of the variance of probes on the sphere that the diagonal must hold for signs to be preferred:
/// a quarter of the budget has gone by then, by which their variance is a third larger.
const DIAGONAL: f64 = 0.5;

/// Probes from which on their diagonal is believed.
const TELLING: usize = 6;

/// The estimate, and the estimator that made it.
pub(super) fn estimate(
    products: &mut Products<'_>,
    seed: u64,
    matvecs: usize,
) -> Result<(Mean, Method), Error> {
    let n = products.order();
    // Probe number after probe number, whatever they are used for.
    let quarter = (matvecs / 4).max(2).min(matvecs);
    let mut probes = gaussian(seed, n, 0..quarter);
    let mut images = products.times(probes.as_ref())?;
    // Fewer probes cannot tell; and near n orthonormal probes gain more than signs.
    let telling = quarter >= TELLING && 2 * matvecs <= n;
    if telling && diagonal_share(probes.as_ref(), images.as_ref()) > DIAGONAL {
        let mut samples = Vec::new();
        let rest = matvecs - quarter;
        hutchinson::extend(&mut samples, products, Probes::Rademacher, seed, rest)?;
        let mean = hutchinson::mean(&samples, Probes::Rademacher, n);
        return Ok((mean, Method::Hutchinson(Probes::Rademacher)));
    }

    let half = (matvecs / 2).max(quarter);
    let more = gaussian(seed, n, quarter..half);
    let more_images = products.times(more.as_ref())?;
    probes = beside(probes.as_ref(), more.as_ref());
    images = beside(images.as_ref(), more_images.as_ref());
    let subspace = orthogonalised(probes.clone(), images.clone());
    if half >= 3 && !nystrom::may_be_semidefinite(&compression(&subspace)?, &subspace) {
        let range = xtrace::Range::new(images.as_ref());
        // Variances at the end of the budget: 2 |(I - P) H (I - P)|_F^2 / k, and that of now, which falls with
        // the number of probes and with what is left of the dimensions.
        let by_range = 2.0 * range.energy_outside() / half as f64;
        let (_, now) = nystrom::estimate_and_variance(&subspace)?;
        let share = |k: usize| (1.0 - k as f64 / n as f64) / k as f64;
        let by_subspace = now * share(matvecs) / share(half);
        if by_range < by_subspace {
            let mean = xtrace::estimate(products, probes.as_ref(), &range)?;
            return Ok((mean, Method::XTrace));
        }
    }
    let subspace = extended(subspace, products, seed, matvecs)?;
    Ok((nystrom::estimate(&subspace)?, Method::XNysTrace))
}

/// A subspace of dimension `k` with its images: of the first `k` Gaussian probes.
pub(super) fn extended(
    mut subspace: Subspace,
    products: &mut Products<'_>,
    seed: u64,
    k: usize,
) -> Result<Subspace, Error> {
    let have = subspace.dimension();
    if k > have {
        let fresh = gaussian(seed, products.order(), have..k);
        let fresh = orthonormal(subspace.basis.as_ref(), fresh);
        let images = products.times(fresh.as_ref())?;
        subspace.append(fresh, images);
    }
    Ok(subspace)
}

/// The subspace of Gaussian probes `W = Q R`, with `H Q = (H W) R^{-1}`.
fn orthogonalised(probes: Mat<f64>, mut images: Mat<f64>) -> Subspace {
    let (basis, r) = orthonormalised(probes, 0);
    // X R = Y, by R^T X^T = Y^T.
    solve_upper_transpose(r.as_ref(), images.as_mut().transpose_mut());
    Subspace { basis, images }
}

/// Eigenvalues of `Q^T H Q`, nondecreasing.
fn compression(subspace: &Subspace) -> Result<Vec<f64>, Error> {
    let k = subspace.dimension();
    let mut a = Mat::zeros(k, k);
    multiply_lower(a.as_mut(), subspace.basis.transpose(), subspace.images.as_ref());
    Ok(symmetric_eigen(a.as_ref(), Par::Seq)?.0)
}

/// `(sum h_ii^2 - (tr H)^2 / n) / (|H|_F^2 - (tr H)^2 / n)`, estimated from Gaussian probes and their
/// images; zero when they cannot tell.
fn diagonal_share(probes: MatRef<'_, f64>, images: MatRef<'_, f64>) -> f64 {
    let (n, k) = probes.shape();
    let diagonal = |columns: std::ops::Range<usize>| -> Vec<f64> {
        let weight = 1.0 / columns.len() as f64;
        let mut sums = vec![0.0; n];
        for j in columns {
            let products = probes.col(j).iter().zip(images.col(j).iter()).map(|(w, y)| w * y);
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product * weight);
        }
        sums
    };
    let (first, second) = (diagonal(0..k / 2), diagonal(k / 2..k));
    let squares: f64 = first.iter().zip(&second).map(|(a, b)| a * b).sum();
    let (a, b): (f64, f64) = (first.iter().sum(), second.iter().sum());
    let even = a * b / n as f64;
    let all = images.squared_norm_l2() / k as f64 - even;
    if all > 0.0 { (squares - even) / all } else { 0.0 }
}
