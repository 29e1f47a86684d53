//! Means of quadratic forms (Girard 1987; M. F. Hutchinson, *A stochastic estimator of the trace of the
//! influence matrix for Laplacian smoothing splines*, Communications in Statistics 19, 1990).
//!
//! ```text
//! tr H = E <w, H w>       for E w w^T = I
//! ```
//!
//! Orthonormal probes `q_1 .. q_k`, a uniformly random basis of a random subspace, are drawn without
//! replacement: `(n / k) tr Q^T H Q` has the variance of independent probes on the sphere times
//! `(n - k) / (n - 1)`, of which `(s^2 / k) (1 - k / n)` is an unbiased estimate.

use super::error_bar::{Mean, student, variance};
use super::probes::{Probes, Subspace};
use super::products::Products;
use crate::linalg::kernel::dot;
use crate::{Error, MatRef};

/// Probes that are handed to the operator at a time: enough for blocks to pay, few enough for memory.
const BLOCK: usize = 128;

/// Takes in the forms `<w, H w>` of the probes that follow, up to `count` of them.
pub(super) fn extend(
    samples: &mut Vec<f64>,
    products: &mut Products<'_>,
    probes: Probes,
    seed: u64,
    count: usize,
) -> Result<(), Error> {
    while samples.len() < count {
        let end = (samples.len() + BLOCK).min(count);
        let block = probes.draw(seed, products.order(), samples.len()..end);
        let images = products.times(block.as_ref())?;
        samples.extend(forms(block.as_ref(), images.as_ref()));
    }
    Ok(())
}

/// The mean over independent probes, of vectors of length `n`.
///
/// Signs may agree by chance where it matters, as those of a pair of coordinates do in `k` probes with
/// probability `2^{1-k}`, and then all forms are equal and wrong: equal forms count as good as that.
pub(super) fn mean(samples: &[f64], probes: Probes, n: usize) -> Mean {
    let mean = Mean::of(samples);
    let equal = mean.std_err <= 1e-12 * mean.value.abs();
    if !(probes == Probes::Rademacher && equal && n > 1) {
        return mean;
    }
    let freedom = samples.len().saturating_sub(1);
    let chance = 0.5f64.powi(freedom.min(2000) as i32);
    let doubt = mean.value.abs() * chance.sqrt() * student(freedom);
    Mean { std_err: mean.std_err.max(doubt), ..mean }
}

/// The mean over orthonormal probes.
pub(super) fn without_replacement(subspace: &Subspace) -> Mean {
    let (n, k) = (subspace.basis.nrows() as f64, subspace.dimension());
    let samples: Vec<f64> = forms(subspace.basis.as_ref(), subspace.images.as_ref())
        .into_iter()
        .map(|form| n * form)
        .collect();
    let value = samples.iter().sum::<f64>() / k as f64;
    let left = (1.0 - k as f64 / n).max(0.0);
    let std_err = (variance(&samples) / k as f64 * left).sqrt();
    // At k = n nothing is left to chance.
    Mean { value, std_err: if left == 0.0 { 0.0 } else { std_err * student(k - 1) } }
}

/// `<v_j, y_j>` for the columns of two blocks.
pub(super) fn forms(v: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Vec<f64> {
    let columns = v.col_iter().zip(y.col_iter());
    columns
        .map(|(v, y)| match (v.try_as_col_major(), y.try_as_col_major()) {
            (Some(v), Some(y)) => dot(v.as_slice(), y.as_slice()),
            _ => v.iter().zip(y.iter()).map(|(v, y)| v * y).sum(),
        })
        .collect()
}
