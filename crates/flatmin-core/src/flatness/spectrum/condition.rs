//! The condition number on the range.
//!
//! `kappa = max |lambda| / min { |lambda| : |lambda| > tau max |lambda| }`, with `tau` the rank tolerance:
//! what is at or below it counts as zero.
//!
//! For operators of some thousand it comes from all eigenvalues. For larger ones Lanczos starts at `A g`,
//! inside the range, and stays there; `|A y|` of its Ritz vectors, `(theta^2 + r^2)^{1/2}`, is then at
//! least the smallest nonzero `|lambda|`, and `|theta|` at most the largest. So their ratio bounds `kappa`
//! from below, when no nonzero eigenvalue lies at or below the tolerance.

use super::krylov::Krylov;
use super::{all, order, unit};
use crate::Error;
use crate::flatness::SymmetricOperator;
use crate::flatness::operator::image;
use crate::linalg::norm;
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
        let draw = Stream::new(self.seed, "condition", n as u64, 0, Role::Start).gaussian_matrix(n, 1);
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
        let ritz = krylov.ritz()?;
        let images: Vec<f64> =
            ritz.values.iter().zip(&ritz.residuals).map(|(t, r)| t.hypot(*r) * scale).collect();
        Ok(self.ratio(ritz.size() * scale, &images, false, products))
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
