//! The condition number on the range.
//!
//! `kappa = max |lambda| / min { |lambda| : |lambda| > tau max |lambda| }`, with `tau` the rank tolerance:
//! what is at or below it counts as zero.
//!
//! For operators of some thousand it comes from all eigenvalues. For larger ones from `j` steps of Lanczos,
//! `A V_i = V_{i+1} T_i` with `T_i` of shape `(i + 1) x i`: `z = A V_{j-1} s = V_j T_{j-1} s` lies in the range
//! whatever `s` is, so `|A z| / |z| = |T_j T_{j-1} s| / |T_{j-1} s|` is at least the smallest nonzero
//! `|lambda|`; it is minimised over the singular vectors of `T_{j-1}` that rounding has not blurred. A
//! Ritz value is at most the largest `|lambda|`, and the ratio bounds `kappa` from below, when no nonzero
//! eigenvalue lies at or below the tolerance.

use super::krylov::Krylov;
use super::{all, order, unit};
use crate::Error;
use crate::flatness::SymmetricOperator;
use crate::flatness::operator::image;
use crate::linalg::{Par, norm, product, singular_values, svd};
use crate::rng::{Role, Stream};

/// Settings of the condition number.
///
/// ```
/// use flatmin_core::{Gram, flatness::spectrum::{Conditioning, Condition}};
/// let h = Gram::Diagonal(vec![8.0, 2.0, 0.0, 1e-15]);
/// let condition = Conditioning::default().condition(&h)?;
/// assert!(condition.exact && condition.rank == Some(2));
/// assert!((condition.value - 4.0).abs() < 1e-14);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Conditioning {
    /// Eigenvalues at or below this share of the largest, in absolute value, count as zero: `1e-10`.
    pub rank_tolerance: f64,
    /// Largest order for which all eigenvalues are computed: 3000.
    pub dense: usize,
    /// Products of Lanczos beyond it: 300.
    pub limit: usize,
    /// Seed of its starting vector: 0.
    pub seed: u64,
}

impl Default for Conditioning {
    fn default() -> Conditioning {
        Conditioning { rank_tolerance: 1e-10, dense: 3000, limit: 300, seed: 0 }
    }
}

/// Images below this share of `|A|` have lost their direction to rounding.
const BLURRED: f64 = 1e-12;

/// A condition number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// `largest / smallest`; 1 for the zero operator.
    pub value: f64,
    /// Largest `|lambda|`; from below when not exact.
    pub largest: f64,
    /// Smallest `|lambda|` above the rank tolerance; from above when not exact.
    pub smallest: f64,
    /// Eigenvalues above the rank tolerance, where all are known.
    pub rank: Option<usize>,
    /// Whether the value is the condition number to rounding, or a lower bound of it.
    pub exact: bool,
    /// Products with the operator.
    pub products: usize,
}

impl Conditioning {
    /// The rank tolerance.
    #[must_use]
    pub fn rank_tolerance(mut self, rank_tolerance: f64) -> Conditioning {
        self.rank_tolerance = rank_tolerance;
        self
    }

    /// The largest order for which all eigenvalues are computed.
    #[must_use]
    pub fn dense(mut self, dense: usize) -> Conditioning {
        self.dense = dense;
        self
    }

    /// The most products of Lanczos, at least 2.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Conditioning {
        self.limit = limit;
        self
    }

    /// The seed of the starting vector.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Conditioning {
        self.seed = seed;
        self
    }

    /// The condition number of an operator on its range.
    ///
    /// # Errors
    /// When a setting is outside its domain, the order is zero, or a product is not finite.
    pub fn condition(&self, operator: &dyn SymmetricOperator) -> Result<Condition, Error> {
        let n = order(operator)?;
        if !(0.0..1.0).contains(&self.rank_tolerance) {
            let got = self.rank_tolerance.to_string();
            return Err(Error::Parameter { name: "rank tolerance", rule: "in [0, 1)", got });
        }
        if self.limit < 2 {
            let got = self.limit.to_string();
            return Err(Error::Parameter { name: "limit", rule: "at least 2", got });
        }
        if n <= self.dense {
            let values: Vec<f64> = all(operator)?.into_iter().map(f64::abs).collect();
            let largest = values.iter().copied().fold(0.0, f64::max);
            return Ok(self.ratio(largest, &values, true, n));
        }
        self.estimate(operator, n)
    }

    /// The bound of Lanczos.
    fn estimate(&self, operator: &dyn SymmetricOperator, n: usize) -> Result<Condition, Error> {
        let draw =
            Stream::new(self.seed, "condition", n as u64, 0, Role::Start).gaussian_matrix(n, 1);
        // In the range, so that zero eigenvalues cost no steps.
        let start = image(operator, draw.as_ref())?;
        let start: Vec<f64> = start.col(0).iter().copied().collect();
        let mut products = 1;
        if norm(&start) == 0.0 {
            return Ok(self.ratio(0.0, &[], false, products));
        }
        let mut krylov = Krylov::new(&start);
        let mut scale = None;
        while products < self.limit && !krylov.exhausted() {
            let product = image(operator, krylov.last())?;
            products += 1;
            let product: Vec<f64> = product.col(0).iter().copied().collect();
            let scale = *scale.get_or_insert_with(|| unit(norm(&product)));
            krylov.absorb(product.into_iter().map(|v| v / scale).collect());
        }
        let scale = scale.unwrap_or(1.0);
        let largest = krylov.ritz()?.size();
        let j = krylov.steps();
        let t = krylov.extended();
        // An invariant space has the images of all its vectors.
        let inner = if krylov.exhausted() { j } else { j - 1 };
        let images = svd(t.as_ref().submatrix(0, 0, j, inner), Par::Seq)?;
        let clear = self.rank_tolerance.max(BLURRED) * largest;
        let kept = images.s.iter().take_while(|s| **s > clear).count();
        let ranges = product(t.as_ref(), images.u.as_ref().subcols(0, kept));
        let smallest = singular_values(ranges.as_ref(), Par::Seq)?;
        let smallest: Vec<f64> = smallest.into_iter().map(|s| s * scale).collect();
        Ok(self.ratio(largest * scale, &smallest, false, products))
    }

    fn ratio(&self, largest: f64, values: &[f64], exact: bool, products: usize) -> Condition {
        let zero = self.rank_tolerance * largest;
        let nonzero = || values.iter().copied().filter(|v| *v > zero);
        let smallest = nonzero().fold(largest, f64::min);
        let value = if largest > 0.0 { largest / smallest } else { 1.0 };
        let rank = exact.then(|| nonzero().count());
        Condition { value, largest, smallest, rank, exact, products }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::operators::{spectra, with_values};
    use super::*;
    use crate::Gram;

    fn exact(values: &[f64], tolerance: f64) -> (f64, usize) {
        let sizes = || values.iter().map(|v| v.abs());
        let largest = sizes().fold(0.0, f64::max);
        let nonzero = || sizes().filter(|v| *v > tolerance * largest);
        (largest / nonzero().fold(f64::INFINITY, f64::min), nonzero().count())
    }

    /// Exact at small orders; from below otherwise, and exact there too when Lanczos has the whole range.
    #[test]
    fn conditions_are_exact_or_lower_bounds() {
        for seed in 0..10 {
            for (name, values) in spectra(60, seed) {
                let (a, _) = with_values(&values, seed);
                let h = Gram::Dense(a);
                let settings = Conditioning::default().seed(seed);
                let (truth, rank) = exact(&values, settings.rank_tolerance);
                let dense = settings.condition(&h).unwrap();
                assert!(dense.exact && dense.rank == Some(rank) && dense.products == 60);
                assert!((dense.value - truth).abs() < 1e-11 * truth * truth, "{name}");
                for limit in [2, 5, 10, 20, 40, 300] {
                    let bound = settings.clone().dense(0).limit(limit).condition(&h).unwrap();
                    assert!(!bound.exact && bound.rank.is_none() && bound.products <= limit);
                    assert!(
                        bound.value <= truth * (1.0 + 1e-10 * truth),
                        "{name}: {} > {truth}",
                        bound.value
                    );
                    assert!(bound.value >= 1.0);
                    if name == "rank-deficient" && limit >= 40 {
                        assert!(
                            (bound.value - truth).abs() < 1e-8 * truth,
                            "{name}: {}",
                            bound.value
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn degenerate_operators_and_scales() {
        for dense in [0, 3000] {
            let settings = Conditioning::default().dense(dense);
            for scale in [1e-150, 1.0, 1e150] {
                let h = Gram::Diagonal(vec![-4.0 * scale, 2.0 * scale, 0.0]);
                let found = settings.condition(&h).unwrap();
                assert!((found.value - 2.0).abs() < 1e-13, "{found:?}");
            }
            let zero = settings.condition(&Gram::Diagonal(vec![0.0; 3])).unwrap();
            assert_eq!((zero.value, zero.largest, zero.smallest), (1.0, 0.0, 0.0));
            assert_eq!(settings.condition(&Gram::Diagonal(vec![-7.0])).unwrap().value, 1.0);
        }
        let h = Gram::Diagonal(vec![1.0]);
        for bad in [1.0, -1e-3, f64::NAN] {
            assert!(Conditioning::default().rank_tolerance(bad).condition(&h).is_err());
        }
        assert!(Conditioning::default().limit(1).condition(&h).is_err());
    }
}
