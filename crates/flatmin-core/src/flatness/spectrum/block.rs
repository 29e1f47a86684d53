//! Leading eigenpairs, by block Lanczos with thick restart.
//!
//! With `V` the basis, `Q` the next block and `H = V^T A V`,
//!
//! ```text
//! A V = V H + Q B E^T,      |A y - theta y| = |B E^T s|   for   H s = theta s,  y = V s
//! ```
//!
//! where `E` picks the last block. When the memory is full, `V` becomes the leading Ritz vectors, which
//! keep the relation: `H` becomes the diagonal of their values, bordered by what the next product gives
//! (Wu and Simon 2000; Stewart's Krylov-Schur form). A block of `b` vectors finds an eigenvalue with
//! its multiplicity up to `b`.

use super::krylov::{ROUNDING, orthogonalise};
use super::{check_tolerance, order, unit};
use crate::flatness::SymmetricOperator;
use crate::flatness::operator::image;
use crate::linalg::{Par, product, symmetric_eigen};
use crate::rng::{Role, Stream};
use crate::{Error, Mat, MatRef};

/// Settings of the block Lanczos method.
///
/// ```
/// use flatmin_core::{Gram, flatness::spectrum::BlockLanczos};
/// let h = Gram::Diagonal((0..200).map(|i| (i / 2) as f64).collect());
/// let found = BlockLanczos::new(3).leading(&h)?;
/// assert!(found.met);
/// for (value, truth) in found.values.iter().zip([99.0, 99.0, 98.0]) {
///     assert!((value - truth).abs() <= 1e-6 * 99.0);
/// }
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BlockLanczos {
    /// Eigenpairs wanted, `k`.
    pub count: usize,
    /// Residual of each, relative to `|A|`: `1e-6`.
    pub tolerance: f64,
    /// Products at most: 10 000.
    pub limit: usize,
    /// Seed of the starting block: 0.
    pub seed: u64,
    /// Vectors a block: `min(k, 8)`. Multiplicities are found up to it.
    pub block: usize,
    /// Basis vectors before a restart, hence vectors of length `n` in memory, up to two blocks:
    /// `2 k + max(4 b, 20)`.
    pub basis: usize,
}

impl BlockLanczos {
    /// The settings for `count` eigenpairs.
    pub fn new(count: usize) -> BlockLanczos {
        let block = count.clamp(1, 8);
        let basis = count.saturating_mul(2).saturating_add(20.max(4 * block));
        BlockLanczos { count, tolerance: 1e-6, limit: 10_000, seed: 0, block, basis }
    }

    /// The residual relative to `|A|`.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> BlockLanczos {
        self.tolerance = tolerance;
        self
    }

    /// The most products.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> BlockLanczos {
        self.limit = limit;
        self
    }

    /// The seed of the starting block.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> BlockLanczos {
        self.seed = seed;
        self
    }

    /// Vectors a block.
    #[must_use]
    pub fn block(mut self, block: usize) -> BlockLanczos {
        self.block = block;
        self
    }

    /// Basis vectors before a restart, at least `k + 2 b`.
    #[must_use]
    pub fn basis(mut self, basis: usize) -> BlockLanczos {
        self.basis = basis;
        self
    }

    fn check(&self, n: usize) -> Result<(), Error> {
        check_tolerance(self.tolerance)?;
        let at_least = |name, value: usize, least: usize, rule| {
            let error = Error::Parameter { name, rule, got: value.to_string() };
            if value >= least { Ok(()) } else { Err(error) }
        };
        at_least("number of eigenpairs", self.count, 1, "at least 1")?;
        at_least("block", self.block, 1, "at least 1")?;
        at_least("limit", self.limit, self.block, "at least the block")?;
        let least = self.count.saturating_add(self.block.saturating_mul(2));
        at_least("basis", self.basis, least.min(n), "at least the eigenpairs and two blocks")?;
        if self.count > n {
            let name = "number of eigenpairs";
            return Err(Error::Parameter {
                name,
                rule: "at most the order",
                got: self.count.to_string(),
            });
        }
        Ok(())
    }

    /// The `k` largest eigenvalues and their eigenvectors.
    ///
    /// # Errors
    /// When a setting is outside its domain, the order is zero, or a product is not finite.
    pub fn leading(&self, operator: &dyn SymmetricOperator) -> Result<Eigenpairs, Error> {
        let n = order(operator)?;
        self.check(n)?;
        let (b, capacity) = (self.block.min(n), self.basis.min(n));
        let mut space = Space::new(n, capacity + b);
        let mut draws = Stream::new(self.seed, "block lanczos", n as u64, b as u64, Role::Start);
        let first = draws.gaussian_matrix(n, b);
        let mut block = space.extend(first.as_ref(), b, &mut draws);
        let mut products = 0;
        let mut scale = None;
        loop {
            let mut images = image(operator, space.block(block))?;
            products += block;
            // The size of A, from its first product.
            let scale = *scale.get_or_insert_with(|| unit(images.norm_max()));
            images.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v /= scale));
            space.absorb(&mut images, block)?;
            let size = space.values.iter().fold(0.0, |m: f64, v| v.abs().max(m));
            // What is left of the images spans the next block.
            let width = b.min(n - space.filled);
            let next = space.extend(images.as_ref(), width, &mut draws);
            let coupling = product(space.block(next).transpose(), images.as_ref());
            let count = self.count.min(space.filled);
            let residuals = space.residuals(coupling.as_ref(), count);
            let rounding = ROUNDING * size;
            let worst = residuals.iter().fold(rounding, |m: f64, r| r.max(m));
            let enough = count == self.count;
            let met = enough && (worst <= self.tolerance * size || size == 0.0);
            let settled = enough && worst <= rounding;
            if met || settled || next == 0 || products + next > self.limit {
                let j = space.values.len();
                return Ok(Eigenpairs {
                    values: (0..count).map(|i| space.values[j - 1 - i] * scale).collect(),
                    vectors: space.ritz_vectors(count),
                    residuals: residuals.iter().map(|r| (r + rounding) * scale).collect(),
                    products,
                    met,
                });
            }
            if space.filled + next > capacity {
                // Half of what is not wanted, so that the pairs next in line converge too.
                let keep = self.count + (capacity.saturating_sub(self.count + next)) / 2;
                space.restart(keep.min(capacity.saturating_sub(next)), next);
            }
            block = next;
        }
    }
}

/// The basis `[V, Q]` and `H = V^T A V`, with its eigendecomposition.
struct Space {
    basis: Mat<f64>,
    h: Mat<f64>,
    /// Columns of `V`.
    filled: usize,
    /// Columns of the block that was multiplied last.
    last: usize,
    values: Vec<f64>,
    vectors: Mat<f64>,
}

impl Space {
    fn new(n: usize, capacity: usize) -> Space {
        Space {
            basis: Mat::zeros(n, capacity),
            h: Mat::zeros(capacity, capacity),
            filled: 0,
            last: 0,
            values: Vec::new(),
            vectors: Mat::zeros(0, 0),
        }
    }

    /// The block `Q` of this width.
    fn block(&self, width: usize) -> MatRef<'_, f64> {
        self.basis.as_ref().subcols(self.filled, width)
    }

    /// Makes `Q` of `width` orthonormal vectors, orthogonal to `V`, that span the columns of `w` (and
    /// random directions in the place of those that are dependent).
    fn extend(&mut self, w: MatRef<'_, f64>, width: usize, draws: &mut Stream) -> usize {
        let (n, j) = (self.basis.nrows(), self.filled);
        // What is left of a product by rounding is of the size of the operator.
        let size = self.values.iter().fold(0.0, |m: f64, v| v.abs().max(m));
        let mut made = 0;
        for source in 0..w.ncols() {
            if made == width {
                break;
            }
            let mut column = w.subcols(source, 1).to_owned();
            let mut remains = column.norm_l2();
            for _ in 0..3 {
                orthogonalise(self.basis.as_ref().subcols(0, j + made), column.as_mut());
                remains = column.norm_l2();
                if remains > ROUNDING * size {
                    break;
                }
                column = draws.gaussian_matrix(n, 1);
            }
            if remains > ROUNDING * size {
                column.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v /= remains));
                self.basis.subcols_mut(j + made, 1).copy_from(&column);
                made += 1;
            }
        }
        made
    }

    /// Takes the product with `Q`, of `width` columns, which joins `V`, and decomposes `H`; leaves in
    /// `images` what is orthogonal to `V`.
    fn absorb(&mut self, images: &mut Mat<f64>, width: usize) -> Result<(), Error> {
        let (old, j) = (self.filled, self.filled + width);
        let c = orthogonalise(self.basis.as_ref().subcols(0, j), images.as_mut());
        for q in 0..width {
            for p in 0..old {
                self.h[(p, old + q)] = c[(p, q)];
                self.h[(old + q, p)] = c[(p, q)];
            }
            for p in 0..width {
                self.h[(old + p, old + q)] = 0.5 * (c[(old + p, q)] + c[(old + q, p)]);
            }
        }
        self.filled = j;
        self.last = width;
        let h = self.h.as_ref().submatrix(0, 0, j, j);
        (self.values, self.vectors) = symmetric_eigen(h, Par::Seq)?;
        Ok(())
    }

    /// `|B E^T s|` of the leading pairs, largest value first.
    fn residuals(&self, coupling: MatRef<'_, f64>, count: usize) -> Vec<f64> {
        let j = self.filled;
        let last = self.vectors.as_ref().subrows(j - self.last, self.last);
        let images = product(coupling, last);
        (0..count).map(|i| images.col(j - 1 - i).norm_l2()).collect()
    }

    /// `V s` of the leading pairs, largest value first.
    fn ritz_vectors(&self, count: usize) -> Mat<f64> {
        let j = self.filled;
        let s = Mat::from_fn(j, count, |p, i| self.vectors[(p, j - 1 - i)]);
        product(self.basis.as_ref().subcols(0, j), s.as_ref())
    }

    /// Keeps the leading `keep` Ritz vectors as `V`, followed by `Q`.
    fn restart(&mut self, keep: usize, width: usize) {
        let vectors = self.ritz_vectors(keep);
        let block = self.block(width).to_owned();
        let j = self.filled;
        self.basis.subcols_mut(0, keep).copy_from(&vectors);
        self.basis.subcols_mut(keep, width).copy_from(&block);
        self.h.fill(0.0);
        (0..keep).for_each(|i| self.h[(i, i)] = self.values[j - 1 - i]);
        self.filled = keep;
    }
}

/// Leading eigenpairs.
#[derive(Debug, Clone)]
pub struct Eigenpairs {
    /// The eigenvalues, nonincreasing; as many as were asked for, unless the limit came first.
    pub values: Vec<f64>,
    /// Orthonormal eigenvectors, `n x k`.
    pub vectors: Mat<f64>,
    /// `|A v - theta v|` of each, rounding included: an eigenvalue lies within it.
    pub residuals: Vec<f64>,
    /// Products with the operator.
    pub products: usize,
    /// Whether every residual reached the tolerance.
    pub met: bool,
}

#[cfg(test)]
mod tests {
    use super::super::tests::operators::{spectra, with_values};
    use super::*;
    use crate::Gram;

    /// The leading pairs of every kind of spectrum, multiplicities counted, through restarts: values, true
    /// residuals, orthonormality.
    #[test]
    fn the_leading_pairs_are_found_with_their_multiplicities() {
        for seed in 0..5 {
            for (name, values) in spectra(90, seed) {
                let (a, values) = with_values(&values, seed);
                let h = Gram::Dense(a.clone());
                let size = values[0].abs().max(values[89].abs());
                for count in [1, 2, 5, 12] {
                    let found =
                        BlockLanczos::new(count).seed(seed).tolerance(1e-8).leading(&h).unwrap();
                    assert!(found.met && found.values.len() == count, "{name}, {count}");
                    let vectors = found.vectors.as_ref();
                    let images = product(a.as_ref(), vectors);
                    for i in 0..count {
                        let value = found.values[i];
                        let error = (value - values[89 - i]).abs();
                        assert!(
                            error <= found.residuals[i] + 1e-13 * size,
                            "{name}, {count}, {i}: {error:e}"
                        );
                        let residual = images.col(i) - vectors.col(i) * faer::Scale(value);
                        assert!(residual.norm_l2() <= found.residuals[i] + 1e-13 * size, "{name}");
                        assert!(found.residuals[i] <= 1e-8 * size + 1e-13 * size);
                    }
                    let gram = product(vectors.transpose(), vectors);
                    let identity = Mat::<f64>::identity(count, count);
                    assert!((gram - identity).norm_max() < 1e-12, "{name}: not orthonormal");
                }
            }
        }
    }

    /// Restarts happen, and the memory is what was allowed: a slow spectrum with the least basis.
    #[test]
    fn a_small_basis_suffices() {
        let values: Vec<f64> = (0..400).map(|i| (i / 2) as f64).collect();
        let h = Gram::Diagonal(values);
        let found = BlockLanczos::new(4).block(2).basis(8).leading(&h).unwrap();
        assert!(found.met && found.products > 16);
        for (value, truth) in found.values.iter().zip([199.0, 199.0, 198.0, 198.0]) {
            assert!((value - truth).abs() <= 1e-6 * 199.0);
        }
        let larger = BlockLanczos::new(4).block(2).basis(40).leading(&h).unwrap();
        assert!(larger.products < found.products);
    }

    /// One vector cannot tell a double eigenvalue from a single one, two can.
    #[test]
    fn multiplicities_are_found_up_to_the_block() {
        let (a, _) = with_values(&[[1.0, 1.0, 0.5].as_slice(), &[0.1; 57]].concat(), 1);
        let h = Gram::Dense(a);
        for seed in 0..20 {
            for (block, second) in [(1, 0.5), (2, 1.0)] {
                let settings = BlockLanczos::new(2).block(block).seed(seed).tolerance(1e-6);
                let found = settings.leading(&h).unwrap();
                assert!(found.met && (found.values[0] - 1.0).abs() < 1e-6);
                assert!(
                    (found.values[1] - second).abs() < 1e-6,
                    "block {block}: {:?}",
                    found.values
                );
            }
        }
    }

    #[test]
    fn degenerate_operators_and_scales() {
        for n in [1, 2, 3, 7] {
            for (value, block) in [(0.0, 1), (0.0, 3), (2.5, 1), (-1e-150, 2), (1e150, 2)] {
                let h = Gram::Diagonal(vec![value; n]);
                for count in 1..=n {
                    let found = BlockLanczos::new(count).block(block).leading(&h).unwrap();
                    assert!(found.met && found.values.len() == count, "{n}, {value:e}, {count}");
                    let right = |v: &f64| (v - value).abs() <= 1e-14 * value.abs();
                    assert!(found.values.iter().all(right), "{:?}", found.values);
                }
            }
        }
        // Of full order: every eigenvalue.
        let (a, values) = with_values(&[3.0, 3.0, 1.0, 0.0, -2.0], 1);
        let found = BlockLanczos::new(5).leading(&Gram::Dense(a)).unwrap();
        let error = found.values.iter().rev().zip(&values).map(|(f, v)| (f - v).abs());
        assert!(found.met && error.fold(0.0, f64::max) < 1e-13);
    }

    #[test]
    fn what_is_out_of_reach_is_said_so() {
        let h = Gram::Diagonal((0..100).map(f64::from).collect());
        let found = BlockLanczos::new(3).limit(9).leading(&h).unwrap();
        assert!(!found.met && found.products == 9 && found.values.len() == 3);
        let exact = BlockLanczos::new(3).tolerance(0.0).leading(&h).unwrap();
        assert!(!exact.met && exact.products < 10_000 && (exact.values[2] - 97.0).abs() < 1e-10);
        let again = BlockLanczos::new(3).limit(9).leading(&h).unwrap();
        assert_eq!((found.values, found.vectors), (again.values, again.vectors));
        let bad = [
            BlockLanczos::new(0),
            BlockLanczos::new(101),
            BlockLanczos::new(3).block(0),
            BlockLanczos::new(3).basis(8),
            BlockLanczos::new(3).limit(2),
            BlockLanczos::new(3).tolerance(f64::NAN),
            BlockLanczos::new(usize::MAX),
        ];
        assert!(bad.iter().all(|settings| settings.leading(&h).is_err()));
    }
}
