//! The ends of the spectrum, by Lanczos with full reorthogonalisation.
//!
//! After `j` products `(theta, y)` is a Ritz pair and `r = |A y - theta y| = beta_j |s_j|`. Then
//!
//! ```text
//! (residual)      some eigenvalue lies within r of theta, and theta <= lambda_max
//! (gap)           lambda_max - theta <= r^2 / (theta - sigma),  if all other eigenvalues are <= sigma < theta
//! (probability)   lambda_max <= mu,  where  prod_i (mu - theta_i) = prod_i beta_i / delta,  mu > theta
//! ```
//!
//! The first is proved whatever the operator. The second is the Kato-Temple bound with
//! `sigma = theta_2 + r_2`: at most one eigenvalue above `sigma` is what the Krylov space suggests and
//! cannot prove, since a cluster looks like one eigenvalue until it is resolved. The third holds for
//! any operator, but for a share of the starting vectors that the caller chooses: `v_{j+1} = P_j(A) v_1`
//! is a unit vector, so `|P_j(lambda)| <= 1 / |w|` at every eigenvalue, where `w` is the part of `v_1`
//! along its eigenvector, and a random `v_1` has `|w| <= p (pi / 2 n)^{1/2}` with probability at most `p`.
//!
//! References: Parlett 1998, sections 10.5 and 11.5; J. van Dorsselaer, M. Hochstenbach, H. van der Vorst,
//! *Computing probabilistic bounds for extreme eigenvalues of symmetric matrices with the Lanczos
//! method*, SIAM J. Matrix Anal. Appl. 22, 2000.

use super::krylov::{Krylov, ROUNDING, Ritz};
use super::{check_tolerance, order, unit};
use crate::Error;
use crate::error::finite;
use crate::flatness::SymmetricOperator;
use crate::flatness::operator::image;
use crate::linalg::norm;
use crate::rng::{Role, Stream};

/// The bound that must fall below the tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Stopping {
    /// The gap bound, or the residual while that is smaller, but no less than a quarter of what the last two
    /// products added, which is what is still to come when the error falls by `5^{1/2}` a product: the
    /// fewest products. It takes a cluster at the end of the spectrum for one eigenvalue until the
    /// cluster is resolved.
    Gap,
    /// The residual: some eigenvalue is this near.
    Residual,
    /// The bound that holds for any operator but with this probability of failure, in `(0, 1)`.
    Probability(f64),
}

/// Settings of the Lanczos method, for one end of the spectrum.
///
/// ```
/// use flatmin_core::{Gram, flatness::spectrum::{Lanczos, Stopping}};
/// let h = Gram::Diagonal((0..100).map(|i| i as f64).collect());
/// let found = Lanczos::default().tolerance(1e-6).largest(&h)?;
/// assert!(found.met && (found.value - 99.0).abs() <= 1e-6 * 99.0);
/// assert!(found.products < 60 && found.outer_bound(0.01) >= 99.0);
/// let sure = Lanczos::default().stopping(Stopping::Probability(1e-3)).smallest(&h)?;
/// assert!(sure.value.abs() <= 1e-6 * 99.0);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lanczos {
    /// Error of the eigenvalue relative to `|A|`: `1e-6`.
    pub tolerance: f64,
    /// Products at most, hence vectors of length `n` in memory: 500.
    pub limit: usize,
    /// Seed of the starting vector: 0.
    pub seed: u64,
    /// The bound that stops: [`Stopping::Gap`].
    pub stopping: Stopping,
    /// A guess of the eigenvector, to which a random vector of the same length is added: a guess that is
    /// wrong costs little, and none excludes an eigenvalue. Unless given, the operator's own
    /// [`leading_direction`](SymmetricOperator::leading_direction), but for the smallest eigenvalue.
    pub start: Option<Vec<f64>>,
}

impl Default for Lanczos {
    fn default() -> Lanczos {
        Lanczos { tolerance: 1e-6, limit: 500, seed: 0, stopping: Stopping::Gap, start: None }
    }
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Largest,
    Smallest,
    /// The one of larger absolute value.
    Dominant,
}

impl Lanczos {
    /// The error of the eigenvalue, relative to `|A|`.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Lanczos {
        self.tolerance = tolerance;
        self
    }

    /// The most products.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Lanczos {
        self.limit = limit;
        self
    }

    /// The seed of the starting vector.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Lanczos {
        self.seed = seed;
        self
    }

    /// The bound that stops.
    #[must_use]
    pub fn stopping(mut self, stopping: Stopping) -> Lanczos {
        self.stopping = stopping;
        self
    }

    /// A guess of the eigenvector, of length `n`.
    #[must_use]
    pub fn start(mut self, start: Vec<f64>) -> Lanczos {
        self.start = Some(start);
        self
    }

    /// The largest eigenvalue, bounded from below by the value.
    ///
    /// # Errors
    /// When a setting is outside its domain, the guess does not have length `n`, is zero or not finite,
    /// the order is zero, or a product is not finite.
    pub fn largest(&self, operator: &dyn SymmetricOperator) -> Result<Extreme, Error> {
        self.end(operator, End::Largest)
    }

    /// The smallest eigenvalue, bounded from above by the value.
    ///
    /// # Errors
    /// As [`Lanczos::largest`].
    pub fn smallest(&self, operator: &dyn SymmetricOperator) -> Result<Extreme, Error> {
        self.end(operator, End::Smallest)
    }

    /// The eigenvalue of largest absolute value, `|A|` up to its sign: what a power iteration seeks. Its
    /// absolute value bounds `|A|` from below.
    ///
    /// # Errors
    /// As [`Lanczos::largest`].
    pub fn dominant(&self, operator: &dyn SymmetricOperator) -> Result<Extreme, Error> {
        self.end(operator, End::Dominant)
    }

    fn check(&self, n: usize) -> Result<(), Error> {
        check_tolerance(self.tolerance)?;
        if self.limit == 0 {
            return Err(Error::Parameter { name: "limit", rule: "at least 1", got: "0".into() });
        }
        if let Stopping::Probability(p) = self.stopping
            && !(p > 0.0 && p < 1.0)
        {
            let name = "probability of failure";
            return Err(Error::Parameter { name, rule: "between 0 and 1", got: p.to_string() });
        }
        let Some(start) = &self.start else { return Ok(()) };
        if start.len() != n {
            return Err(Error::Shape {
                what: "the starting vector",
                expected: format!("length {n}"),
                got: format!("length {}", start.len()),
            });
        }
        finite("the starting vector", start)?;
        if norm(start) == 0.0 {
            let name = "the starting vector";
            return Err(Error::Parameter { name, rule: "other than zero", got: "zeros".into() });
        }
        Ok(())
    }

    fn end(&self, operator: &dyn SymmetricOperator, end: End) -> Result<Extreme, Error> {
        let n = order(operator)?;
        self.check(n)?;
        let own = if end == End::Smallest { None } else { operator.leading_direction() };
        let guess =
            self.start.clone().or(own.filter(|guess| guess.len() == n && norm(guess) > 0.0));
        let mut krylov = Krylov::new(&self.first(n, guess.as_deref()));
        let mut scale = 1.0;
        let mut next = 1;
        // The values at the two decompositions before.
        let mut before = [None; 2];
        loop {
            let product = image(operator, krylov.last())?;
            let mut product: Vec<f64> = product.col(0).iter().copied().collect();
            if krylov.steps() == 0 {
                scale = unit(norm(&product));
            }
            product.iter_mut().for_each(|v| *v /= scale);
            krylov.absorb(product);
            let j = krylov.steps();
            let over = krylov.exhausted() || j == self.limit;
            // Decompositions of T cost j^3: past 32 steps not at every one.
            if j < next && !over {
                continue;
            }
            next = j + 1 + j / 32;
            let ritz = krylov.ritz()?;
            let mut sides = match end {
                End::Largest => vec![Side::new(&ritz, 1.0)],
                End::Smallest => vec![Side::new(&ritz, -1.0)],
                End::Dominant => vec![Side::new(&ritz, 1.0), Side::new(&ritz, -1.0)],
            };
            let weight = weight(n, guess.is_some());
            let bound = |side: &Side| match self.stopping {
                Stopping::Gap => {
                    side.kato_temple().map_or(side.residual, |gap| gap.min(side.residual))
                }
                Stopping::Residual => side.residual,
                Stopping::Probability(p) => side.excess(&krylov.couplings, p * weight),
            };
            let leading = usize::from(sides.len() > 1 && sides[1].value > sides[0].value);
            let reached = sides[leading].value;
            // Both ends count where either may hold the value.
            let error = sides.iter().map(|s| s.value + bound(s) - reached).fold(0.0, f64::max);
            let grown = reached - before[0].unwrap_or(reached);
            before = [before[1].or(Some(reached)), Some(reached)];
            let error =
                if self.stopping == Stopping::Gap { error.max(0.25 * grown) } else { error };
            let rounding = ROUNDING * ritz.size();
            let error = error.max(rounding);
            let met = error <= self.tolerance * ritz.size() || ritz.size() == 0.0;
            // Further products would add rounding only.
            let settled = sides.iter().all(|s| s.residual <= rounding);
            if !(met || over || settled) {
                continue;
            }
            let side = sides.swap_remove(leading);
            let vector = krylov.combine(ritz.vectors.as_ref().subcols(side.index, 1));
            let size = norm(&vector);
            return Ok(Extreme {
                value: side.sign * side.value * scale,
                vector: vector.into_iter().map(|v| v / size).collect(),
                residual: (side.residual + rounding) * scale,
                gap: side.gap_bound(rounding, scale),
                error: error * scale,
                products: j,
                met,
                couplings: krylov.couplings,
                weight,
                scale,
                side,
            });
        }
    }

    /// The starting vector.
    fn first(&self, n: usize, guess: Option<&[f64]>) -> Vec<f64> {
        let random = Stream::new(self.seed, "lanczos", n as u64, 0, Role::Start).gaussian_vector(n);
        let Some(guess) = guess else { return random };
        let (a, b) = (norm(guess), norm(&random));
        let sum: Vec<f64> = guess.iter().zip(&random).map(|(s, r)| s / a + r / b).collect();
        // The two may cancel, in one dimension in half of all cases.
        if norm(&sum) < 1e-3 { random } else { sum }
    }
}

/// `delta / p`, where `|w| <= delta` with probability at most `p`. The density of a coordinate of a
/// random unit vector is at most `(n / 2 pi)^{1/2}`; a guess moves it and at most doubles its length.
fn weight(n: usize, guessed: bool) -> f64 {
    let alone = (std::f64::consts::PI / (2.0 * n as f64)).sqrt();
    if guessed { 0.5 * alone } else { alone }
}

/// One end of a decomposition of `sign * T`.
#[derive(Debug, Clone)]
struct Side {
    sign: f64,
    /// Column of the eigenvector.
    index: usize,
    /// Largest eigenvalue of `sign * T`.
    value: f64,
    residual: f64,
    /// `theta - sigma`, where positive.
    gap: Option<f64>,
    /// Distances of all Ritz values below the largest, the first being 0.
    distances: Vec<f64>,
}

impl Side {
    fn new(ritz: &Ritz, sign: f64) -> Side {
        let j = ritz.values.len();
        let at = |i: usize| if sign > 0.0 { j - 1 - i } else { i };
        let value = sign * ritz.values[at(0)];
        let residual = ritz.residuals[at(0)];
        let distances: Vec<f64> = (0..j).map(|i| value - sign * ritz.values[at(i)]).collect();
        let gap = (j > 1).then(|| distances[1] - ritz.residuals[at(1)]).filter(|gap| *gap > 0.0);
        Side { sign, index: at(0), value, residual, gap, distances }
    }

    /// `r^2 / (theta - sigma)`.
    fn kato_temple(&self) -> Option<f64> {
        self.gap.map(|gap| self.residual * (self.residual / gap))
    }

    /// The same in the caller's units, with its hypothesis.
    fn gap_bound(&self, rounding: f64, scale: f64) -> Option<GapBound> {
        let bound = (self.kato_temple()? + rounding) * scale;
        Some(GapBound { bound, threshold: self.sign * (self.value - self.gap?) * scale })
    }

    /// `mu - theta`, the solution `x` of `sum_i log(x + theta - theta_i) = sum_i log beta_i - log delta`.
    fn excess(&self, couplings: &[f64], delta: f64) -> f64 {
        let level = couplings.iter().map(|b| b.ln()).sum::<f64>() - delta.min(1.0).ln();
        let rises = |x: f64| self.distances.iter().map(|d| (x + d).ln()).sum::<f64>() >= level;
        // An invariant space holds all that the starting vector has, which is a part of every eigenvector.
        if level == f64::NEG_INFINITY {
            return 0.0;
        }
        let mut high = 1.0;
        while !rises(high) {
            high *= 2.0;
        }
        let mut low = high;
        while rises(low) && low > f64::MIN_POSITIVE {
            low *= 0.5;
        }
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if rises(middle) { high = middle } else { low = middle }
        }
        high
    }
}

/// The Kato-Temple bound, of the order of the squared residual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GapBound {
    /// Distance at most of the value from that end of the spectrum, if one eigenvalue only, of whatever
    /// multiplicity, lies beyond the threshold.
    pub bound: f64,
    /// The second Ritz value, moved by its residual towards the first.
    pub threshold: f64,
}

/// One end of a spectrum.
#[derive(Debug, Clone)]
pub struct Extreme {
    /// The eigenvalue, `theta = <v, A v>`: never beyond that end of the spectrum, but for rounding.
    pub value: f64,
    /// Its eigenvector, of length `n` and unit norm.
    pub vector: Vec<f64>,
    /// `|A v - theta v|`, rounding included: an eigenvalue lies within it of the value.
    pub residual: f64,
    /// The gap bound; `None` while the second Ritz value, with its residual, is not separated from the first.
    pub gap: Option<GapBound>,
    /// The bound that [`Lanczos::stopping`] names.
    pub error: f64,
    /// Products with the operator.
    pub products: usize,
    /// Whether that bound reached the tolerance.
    pub met: bool,
    couplings: Vec<f64>,
    weight: f64,
    scale: f64,
    side: Side,
}

impl Extreme {
    /// A bound on that end of the spectrum from outside, above the largest or below the smallest eigenvalue,
    /// which holds for any operator, but for a share `failure` of the seeds (clamped to `[1e-300, 1]`).
    #[must_use]
    pub fn outer_bound(&self, failure: f64) -> f64 {
        let failure = failure.clamp(1e-300, 1.0);
        let rounding =
            ROUNDING * (self.side.value.abs() + self.side.distances.last().unwrap_or(&0.0));
        let excess = self.side.excess(&self.couplings, failure * self.weight) + rounding;
        self.side.sign * (self.side.value + excess) * self.scale
    }
}
