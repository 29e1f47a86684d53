//! XNysTrace (E. N. Epperly, J. A. Tropp, R. J. Webber, *XTrace: making the most of every sample in
//! stochastic trace estimation*, SIAM J. Matrix Analysis 45, 2024), averaged over all bases and regularised.
//!
//! Let `Q` be a basis of a uniformly random subspace of dimension `k`, `Y = H Q`, `A = Q^T Y`, and
//! `K = Y^T Y - A^2`, the Gram matrix of `Y - Q A`. For a unit vector `u` of the subspace, the rest of which
//! is `S`, `tr H` is the trace over `S`, which is known, plus that over its complement `C`, in which `u` is
//! uniformly random; any prediction `G` of `H` on `C` that is made from `S` gives an unbiased estimate
//!
//! ```text
//! t_u = tr H_S + tr G + (n - k + 1) ( <u, H u> - <u, G u> ).
//! ```
//!
//! With `G = H_CS (H_SS + l)^{-1} H_SC`, and `B = A + l`, all of it follows from `B^{-1}`:
//!
//! ```text
//! t_u = tr A + tr B^{-1} K + ( (n - k) - <u, B^{-1} K B^{-1} u> ) / <u, B^{-1} u> - (n - k) l
//! ```
//!
//! `l = 0` is XNysTrace for the basis vectors `u`, `l = infinity` is Hutchinson's mean over orthonormal
//! probes, and between them lies what is best where neither is: spectra with a hard edge, such as those of
//! Hessians at interpolating points, and indefinite operators, for which `l` must exceed `-min eig A`.
//!
//! *Average.* The subspace has no preferred basis, so the mean of `t_u` over the whole sphere of `u` is as
//! unbiased and varies less (Rao and Blackwell). In the eigenvectors of `A` it is a mean of ratios of
//! quadratic forms, an integral over one variable:
//!
//! ```text
//! E ( sum a_j g_j^2 / sum b_j g_j^2 ) = int_0^inf sum_j a_j / (1 + 2 t b_j) prod_l (1 + 2 t b_l)^{-1/2} dt
//! ```
//!
//! *Error bar.* The jackknife, as for [XTrace](super::xtrace): a bound in expectation (Efron, Stein 1981).
//! *Choice of `l`.* Among a few multiples of the least that makes sense, the one with the least product of
//! the jackknife's error and of `s / k^{1/2}` over a basis: the one errs upwards, the other down, and the
//! root of the product was within a fifth of the true deviation on all spectra that were tried.

use super::error_bar::{Mean, student, variance};
use super::hutchinson::without_replacement;
use super::probes::Subspace;
use super::xtrace::jackknife;
use crate::linalg::{
    Par, multiply_lower, product, row_products, scale_columns, symmetric_eigen,
    symmetrise_from_lower,
};
use crate::{Error, Mat};

/// Share of the error bar that the rounding of `K` may reach.
const ROUNDING: f64 = 1e-2;

/// Probes from which on an indefinite operator is regularised.
const MANY: usize = 24;

/// Basis vectors that are left out for the error bar: their number decides how precise it is, not how large.
const LEFT_OUT: usize = 64;

/// Whether an operator of which this much is known can be positive semidefinite, up to rounding.
pub(super) fn may_be_semidefinite(values: &[f64], subspace: &Subspace) -> bool {
    values.first().is_none_or(|&least| least >= -seen(values, subspace) * values.len() as f64)
}

/// What the rounding of the images leaves of an eigenvalue of the compression, which may see little of the
/// operator that they see.
fn seen(values: &[f64], subspace: &Subspace) -> f64 {
    rounding(values).max(f64::EPSILON * subspace.images.norm_l2())
}

/// What cannot be told from zero among eigenvalues of a compression: the rounding of entries of `A` averages
/// out over `n` products, and that of its eigenvalues is of the order of the largest one.
fn rounding(values: &[f64]) -> f64 {
    f64::EPSILON * values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// The estimate from a random subspace and its images.
pub(super) fn estimate(subspace: &Subspace) -> Result<Mean, Error> {
    Ok(estimate_and_variance(subspace)?.0)
}

/// The estimate, and its variance as it is most likely: without the jackknife's caution.
pub(super) fn estimate_and_variance(subspace: &Subspace) -> Result<(Mean, f64), Error> {
    let (n, k) = (subspace.basis.nrows(), subspace.dimension());
    let mean = without_replacement(subspace);
    if k == n || k < 3 {
        return Ok((mean, mean.std_err.powi(2)));
    }
    let mut compression = Compression::new(subspace)?;
    let noise = rounding(&compression.values);
    if noise == 0.0 {
        return Ok((Mean { value: 0.0, std_err: 0.0 }, 0.0));
    }
    let seen = seen(&compression.values, subspace);
    if (-seen * k as f64..=seen).contains(&compression.values[0]) {
        compression.square_the_difference(subspace);
        let exact = compression.low_rank(noise);
        return Ok((exact, exact.std_err.powi(2)));
    }
    compression.subtract_squares(subspace);
    let (mut best, mut variance, digits) = compression.best(mean);
    if digits > ROUNDING * best.std_err {
        compression.square_the_difference(subspace);
        (best, variance, _) = compression.best(mean);
    }
    best.std_err = best.std_err.max(noise);
    Ok((best, variance))
}

/// `A = V diag(w) V^T` and `K` in the coordinates of `V`.
struct Compression {
    n: usize,
    /// `w`, nondecreasing.
    values: Vec<f64>,
    /// `V`.
    vectors: Mat<f64>,
    /// `V^T K V`.
    outside: Mat<f64>,
    /// The trace of the squares that `K` was made from, which set its rounding.
    square: f64,
}

/// Deviations of an estimate: `s / k^{1/2}` over the vectors of a basis, and by the jackknife.
struct Spread {
    naive: f64,
    jackknife: f64,
}

impl Compression {
    fn new(subspace: &Subspace) -> Result<Compression, Error> {
        let (q, y) = (subspace.basis.as_ref(), subspace.images.as_ref());
        let (n, k) = q.shape();
        let mut a = Mat::zeros(k, k);
        multiply_lower(a.as_mut(), q.transpose(), y);
        symmetrise_from_lower(a.as_mut());
        let (values, vectors) = symmetric_eigen(a.as_ref(), Par::Seq)?;
        Ok(Compression { n, values, vectors, outside: Mat::zeros(k, k), square: 0.0 })
    }

    /// `K = Y^T Y - A^2`, to the rounding of `|Y|^2`.
    fn subtract_squares(&mut self, subspace: &Subspace) {
        let (y, k) = (subspace.images.as_ref(), self.dimension());
        let mut gram = Mat::zeros(k, k);
        multiply_lower(gram.as_mut(), y.transpose(), y);
        symmetrise_from_lower(gram.as_mut());
        let half = product(self.vectors.transpose(), gram.as_ref());
        self.outside = product(half.as_ref(), self.vectors.as_ref());
        self.square = (0..k).map(|j| self.outside[(j, j)]).sum();
        for (j, w) in self.values.iter().enumerate() {
            self.outside[(j, j)] -= w * w;
        }
    }

    /// `K = (Y - Q A)^T (Y - Q A)`, entry by entry to its own rounding; twice the work.
    fn square_the_difference(&mut self, subspace: &Subspace) {
        let (q, y, k) = (subspace.basis.as_ref(), subspace.images.as_ref(), self.dimension());
        let mut beyond = product(y, self.vectors.as_ref());
        let inside = scale_columns(product(q, self.vectors.as_ref()).as_ref(), &self.values);
        beyond -= inside;
        multiply_lower(self.outside.as_mut(), beyond.transpose(), beyond.as_ref());
        symmetrise_from_lower(self.outside.as_mut());
        self.square = (0..k).map(|j| self.outside[(j, j)]).sum();
    }

    fn dimension(&self) -> usize {
        self.values.len()
    }

    /// The best of the estimates, its likely variance, and what the rounding of `K` may do to it, given
    /// Hutchinson's mean over the orthonormal probes.
    fn best(&self, mean: Mean) -> (Mean, f64, f64) {
        let (n, k, least) = (self.n as f64, self.dimension(), self.values[0]);
        let level = |shift: f64| self.average(&vec![1.0; k], shift);
        let shifts = match least > 0.0 {
            true => vec![0.0, level(0.0)],
            // The least eigenvalue depends on the probes, which the jackknife does not see: of few it would
            // think too well.
            false if k >= MANY => vec![-3.0 * least, -6.0 * least],
            false => vec![],
        };
        // In the same measure as the others: as if drawn with replacement.
        let left = 1.0 - k as f64 / n;
        let (mut best, mut variance, mut digits) = (mean, mean.std_err.powi(2) / left, 0.0);
        for shift in shifts {
            let spread = self.spread(shift);
            if spread.naive * spread.jackknife < variance {
                variance = spread.naive * spread.jackknife;
                let value = self.trace(shift);
                let std_err = spread.jackknife * student(k - 1);
                // What varies less than Hutchinson's mean has no need of a longer bar.
                let shorter = if least > 0.0 { std_err.min(mean.std_err) } else { std_err };
                best = Mean { value, std_err: shorter };
                let inverse: f64 = self.values.iter().map(|w| 1.0 / (w + shift)).sum();
                digits = f64::EPSILON * self.square * inverse;
            }
        }
        (best, variance, digits)
    }

    /// `E_u <u, diag(a) u> / <u, B^{-1} u>` over the sphere, with `B = A + shift`.
    fn average(&self, a: &[f64], shift: f64) -> f64 {
        // Brought to sum b_j = 1, which sets the scale of t.
        let b: Vec<f64> = self.values.iter().map(|w| 1.0 / (w + shift)).collect();
        let sum: f64 = b.iter().sum();
        // In s = log t the integrand is analytic in a strip of half-width pi and falls off exponentially at
        // both ends: the trapezoid rule errs by exp(-2 pi^2 / step).
        const STEP: f64 = 0.5;
        let mut integral = 0.0;
        let mut s = f64::EPSILON.ln() - 2.0;
        loop {
            let t = s.exp();
            let (mut inner, mut logarithm) = (0.0, 0.0);
            for (a, b) in a.iter().zip(&b) {
                let growth = 1.0 + 2.0 * t * (b / sum);
                inner += a / growth;
                logarithm -= 0.5 * growth.ln();
            }
            let weight = t * logarithm.exp();
            integral += inner * weight;
            // Beyond the maximum the weights fall at least as fast as t^{1 - k / 2} by then.
            if s > 0.0 && weight < f64::EPSILON * f64::EPSILON {
                break;
            }
            s += STEP;
        }
        integral * STEP / sum
    }

    /// The mean of `t_u` over all `u`.
    fn trace(&self, shift: f64) -> f64 {
        let left = (self.n - self.dimension()) as f64;
        let (mut known, mut a) = (0.0, Vec::with_capacity(self.dimension()));
        for (j, w) in self.values.iter().enumerate() {
            let (b, outside) = (w + shift, self.outside[(j, j)].max(0.0));
            known += w + outside / b;
            a.push(left - outside / (b * b));
        }
        known + self.average(&a, shift) - left * shift
    }

    /// The trace where some eigenvalue of the compression is zero to rounding: the operator ends within the
    /// subspace. The error bar adds up what rounding may do to the others, what those that were
    /// dropped may stand for, and what may be left in `C` of the directions in which nothing is seen.
    fn low_rank(&self, noise: f64) -> Mean {
        let (mut value, mut doubt, mut least, mut count) = (0.0, 0.0, 0.0, 0);
        for (j, &w) in self.values.iter().enumerate() {
            let outside = self.outside[(j, j)].max(0.0);
            value += w;
            // Small eigenvalues stand for much, (n / k)^2 times what they are, and most are accurate to less
            // than their bound.
            if w > 0.25 * noise {
                value += outside / w;
                doubt += outside * noise / (w * w);
            } else {
                doubt += outside / noise;
                (least, count) = (least + w.abs(), count + 1);
            }
        }
        let left = (self.n - self.dimension()) as f64;
        let rounding = noise * self.dimension() as f64;
        Mean { value, std_err: rounding + doubt + left * least / f64::from(count.max(1)) }
    }

    /// The spread of the estimate over the basis that the subspace was given by.
    fn spread(&self, shift: f64) -> Spread {
        let k = self.dimension();
        let (single, leave_one_out) = self.over_basis(shift, k.min(LEFT_OUT));
        Spread {
            naive: (variance(&single) / k as f64).sqrt(),
            jackknife: jackknife(&leave_one_out, k),
        }
    }

    /// `t_u` for the vectors of that basis, and their mean without the first, the second, ... of them.
    fn over_basis(&self, shift: f64, count: usize) -> (Vec<f64>, Vec<f64>) {
        let (k, left) = (self.dimension(), (self.n - self.dimension()) as f64);
        let weights: Vec<f64> = self.values.iter().map(|w| 1.0 / (w + shift)).collect();
        let known: f64 = self.values.iter().sum::<f64>()
            + (0..k).map(|j| weights[j] * self.outside[(j, j)]).sum::<f64>();

        // B^{-1} = V diag(b) V^T and C = B^{-1} K B^{-1}: columns of those that are left out, and diagonals.
        let scaled = scale_columns(self.vectors.as_ref(), &weights);
        let half = product(scaled.as_ref(), self.outside.as_ref());
        let first = |m: &Mat<f64>| m.as_ref().subrows(0, count).to_owned();
        let inverse = product(scaled.as_ref(), first(&self.vectors).transpose());
        let coupled = product(half.as_ref(), first(&scaled).transpose());
        let d = row_products(scaled.as_ref(), self.vectors.as_ref());
        let c = row_products(half.as_ref(), scaled.as_ref());

        let single = (0..k).map(|i| known + (left - c[i]) / d[i] - left * shift).collect();
        // Without u_j: t of the others, by 2 x 2 blocks of B^{-1} and C.
        let without = |j: usize| -> f64 {
            let pair = |i: usize| -> f64 {
                let (dij, cij) = (inverse[(i, j)], coupled[(i, j)]);
                let determinant = (d[i] * d[j] - dij * dij).max(f64::EPSILON * d[i] * d[j]);
                let lost = (c[i] * d[j] + c[j] * d[i] - 2.0 * dij * cij) / determinant;
                let (own, other) = (d[j] / determinant, d[i] / determinant);
                known - lost - other + (left + 1.0) * own - left * shift
            };
            (0..k).filter(|&i| i != j).map(pair).sum::<f64>() / (k - 1) as f64
        };
        (single, (0..count).map(without).collect())
    }
}

/// What the tests hold against the definitions: `t_u` over the basis and without each vector of it.
#[cfg(test)]
pub(super) fn over_basis(subspace: &Subspace, shift: f64) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let mut compression = Compression::new(subspace)?;
    compression.subtract_squares(subspace);
    Ok(compression.over_basis(shift, subspace.dimension()))
}

/// The same for the mean of `t_u` over the sphere.
#[cfg(test)]
pub(super) fn over_sphere(subspace: &Subspace, shift: f64) -> Result<f64, Error> {
    let mut compression = Compression::new(subspace)?;
    compression.square_the_difference(subspace);
    Ok(compression.trace(shift))
}
