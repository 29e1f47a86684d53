//! Random probe vectors, each a function of its seed and its number alone: the same bits in blocks of
//! every width.

use crate::linalg::{Cholesky, Par, multiply_lower, product, subtract_product, thin_qr};
use crate::rng::{Role, Stream};
use crate::{Mat, MatRef};
use std::ops::Range;

/// Distributions of probe vectors `w` with `E w w^T = I`, and the variance of `<w, H w>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probes {
    /// Independent signs `±1`: `2 (|H|_F^2 - sum_i h_ii^2)`.
    Rademacher,
    /// Uniform on the sphere of radius `sqrt(n)`: `(2 n / (n + 2)) (|H|_F^2 - (tr H)^2 / n)`.
    Sphere,
}

impl Probes {
    /// Probes of these numbers, one a column (`n x p`).
    ///
    /// ```
    /// use flatmin_core::flatness::Probes;
    /// let (all, last) = (Probes::Sphere.draw(7, 5, 0..3), Probes::Sphere.draw(7, 5, 2..3));
    /// assert_eq!(all.col(2), last.col(0));
    /// assert!((last.col(0).norm_l2() - 5f64.sqrt()).abs() < 1e-14);
    /// ```
    pub fn draw(self, seed: u64, n: usize, numbers: Range<usize>) -> Mat<f64> {
        let mut block = match self {
            Probes::Rademacher => Mat::zeros(n, numbers.len()),
            Probes::Sphere => gaussian(seed, n, numbers.clone()),
        };
        for (column, number) in numbers.enumerate() {
            let column = block.col_as_slice_mut(column);
            match self {
                Probes::Rademacher => column.copy_from_slice(&stream(seed, number).signs(n)),
                Probes::Sphere => {
                    let length = crate::linalg::norm(column);
                    column.iter_mut().for_each(|x| *x *= (n as f64).sqrt() / length);
                }
            }
        }
        block
    }
}

/// The random numbers of one probe.
fn stream(seed: u64, number: usize) -> Stream {
    Stream::new(seed, "probes", 0, number as u64, Role::Probe)
}

/// Standard normal vectors of these numbers, one a column.
pub(super) fn gaussian(seed: u64, n: usize, numbers: Range<usize>) -> Mat<f64> {
    let mut block = Mat::zeros(n, numbers.len());
    for (column, number) in numbers.enumerate() {
        block.col_as_slice_mut(column).copy_from_slice(&stream(seed, number).gaussian_vector(n));
    }
    block
}

/// Orthonormal vectors with the span of Gaussian ones, orthogonal to those of `basis`: together a
/// uniformly random basis of a uniformly random subspace.
pub(super) fn orthonormal(basis: MatRef<'_, f64>, mut fresh: Mat<f64>) -> Mat<f64> {
    // Twice is enough: what Gaussian vectors keep is never small.
    for _ in 0..2 {
        if basis.ncols() > 0 {
            let shadow = product(basis.transpose(), fresh.as_ref());
            subtract_product(fresh.as_mut(), basis, shadow.as_ref());
        }
    }
    orthonormalised(fresh, basis.ncols()).0
}

/// `Q` and the upper triangular `R` of `G = Q R` for Gaussian vectors in the complement of `used` others.
///
/// By the Cholesky factor of the Gram matrix while Gaussian vectors are as well conditioned as
/// `(1 + s) / (1 - s)`, `s^2` their share of the dimensions, promises; by reflections beyond.
pub(super) fn orthonormalised(mut vectors: Mat<f64>, used: usize) -> (Mat<f64>, Mat<f64>) {
    let (n, k) = vectors.shape();
    if 4 * k <= n - used.min(n) {
        let mut gram = Mat::zeros(k, k);
        multiply_lower(gram.as_mut(), vectors.transpose(), vectors.as_ref());
        if let Some(factor) = Cholesky::new(gram, Par::Seq) {
            factor.forward_in_place(vectors.as_mut().transpose_mut());
            let lower = factor.lower();
            let r = Mat::from_fn(k, k, |i, j| if i <= j { lower[(j, i)] } else { 0.0 });
            return (vectors, r);
        }
    }
    thin_qr(vectors.as_ref())
}

/// A subspace with what the operator makes of it: `Q` orthonormal, `Y = H Q`.
pub(super) struct Subspace {
    /// `Q`, `n x k`.
    pub(super) basis: Mat<f64>,
    /// `Y = H Q`, `n x k`.
    pub(super) images: Mat<f64>,
}

impl Subspace {
    /// The subspace of dimension zero.
    pub(super) fn empty(n: usize) -> Subspace {
        Subspace { basis: Mat::zeros(n, 0), images: Mat::zeros(n, 0) }
    }

    /// Dimension `k`.
    pub(super) fn dimension(&self) -> usize {
        self.basis.ncols()
    }

    /// Takes in orthonormal vectors that are orthogonal to the others, and their images.
    pub(super) fn append(&mut self, basis: Mat<f64>, images: Mat<f64>) {
        if self.dimension() == 0 {
            (self.basis, self.images) = (basis, images);
        } else {
            self.basis = beside(self.basis.as_ref(), basis.as_ref());
            self.images = beside(self.images.as_ref(), images.as_ref());
        }
    }
}

/// `[A, B]`.
pub(super) fn beside(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut both = Mat::zeros(a.nrows(), a.ncols() + b.ncols());
    both.as_mut().subcols_mut(0, a.ncols()).copy_from(a);
    both.as_mut().subcols_mut(a.ncols(), b.ncols()).copy_from(b);
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::accumulate;

    #[test]
    fn a_probe_is_a_function_of_seed_and_number() {
        for probes in [Probes::Rademacher, Probes::Sphere] {
            let all = probes.draw(3, 70, 0..9);
            for width in 1..5 {
                for start in (0..9).step_by(width) {
                    let end = (start + width).min(9);
                    let part = probes.draw(3, 70, start..end);
                    assert_eq!(
                        part,
                        all.as_ref().subcols(start, end - start),
                        "{probes:?} {width}"
                    );
                }
            }
            assert_ne!(all, probes.draw(4, 70, 0..9));
        }
    }

    #[test]
    fn bases_are_orthonormal_up_to_the_whole_space() {
        let n = 24;
        let mut basis = Mat::zeros(n, 0);
        for (from, to) in [(0, 3), (3, 6), (6, 16), (16, 24)] {
            let fresh = orthonormal(basis.as_ref(), gaussian(1, n, from..to));
            basis = beside(basis.as_ref(), fresh.as_ref());
            let mut gram = product(basis.transpose(), basis.as_ref());
            let minus = Mat::from_fn(to, to, |i, j| if i == j { -1.0 } else { 0.0 });
            accumulate(gram.as_mut(), minus.as_ref(), Mat::<f64>::identity(to, to).as_ref());
            assert!(gram.norm_max() < 1e-14, "{to} vectors");
        }
    }
}
