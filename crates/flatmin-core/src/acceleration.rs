//! Anderson's extrapolation of a fixed-point iteration `x -> F(x)`.
//!
//! The next point is the affine combination of the last images whose residuals `F(x) - x` combine
//! to the least norm. It is safeguarded: where the residual has grown the last good image is gone back
//! to, the memory is dropped, and plain iterations resume.
//!
//! References: Walker, Ni, *Anderson acceleration for fixed-point iterations*, SIAM J. Numer. Anal.
//! 49, 2011; Zhang, O'Donoghue, Boyd, *Globally convergent type-I Anderson acceleration*, SIAM J.
//! Optim. 30, 2020.

use crate::Mat;
use crate::linalg::{Cholesky, Par, parallel};
use std::collections::VecDeque;

/// Growth of the residual beyond which a point is not accepted.
const GROWTH: f64 = 2.0;

/// Ridges of the least squares, relative to the mean square of the differences and to that of the
/// residual: the first keeps the combination tame, the second is what counts where the map is nearly a
/// translation, and differences are rounding.
const RIDGE: (f64, f64) = (1e-10, 1e-12);

/// Extrapolates the iterates of a nonexpansive map.
///
/// ```
/// use flatmin_core::acceleration::Anderson;
/// use flatmin_core::linalg::Par;
/// // x -> (0.9 x1 + 1, -0.8 x2): linear in two dimensions, so two differences suffice.
/// let mut memory = Anderson::new(2, Par::Seq);
/// let mut x = vec![5.0, 7.0];
/// for _ in 0..5 {
///     let image = vec![0.9 * x[0] + 1.0, -0.8 * x[1]];
///     x = memory.extrapolate(x, image);
/// }
/// assert!((x[0] - 10.0).abs() < 1e-6 && x[1].abs() < 1e-6);
/// ```
#[derive(Debug, Clone)]
pub struct Anderson {
    depth: usize,
    par: Par,
    /// Last point's image and residual.
    last: Option<(Vec<f64>, Vec<f64>)>,
    /// Differences of successive images and residuals.
    differences: VecDeque<(Vec<f64>, Vec<f64>)>,
    /// Residual norm of the last point.
    residual: f64,
}

impl Anderson {
    /// A memory that looks back on `depth` iterations.
    pub fn new(depth: usize, par: Par) -> Anderson {
        Anderson { depth, par, last: None, differences: VecDeque::new(), residual: 0.0 }
    }

    /// Drops what is remembered, as when the map has changed.
    pub fn forget(&mut self) {
        self.last = None;
        self.differences.clear();
    }

    /// The next point, from a point and its image.
    pub fn extrapolate(&mut self, point: Vec<f64>, image: Vec<f64>) -> Vec<f64> {
        if self.depth == 0 {
            return image;
        }
        let mut residual = point;
        self.zip(&mut residual, &image, |r, i| *r = i - *r);
        let size = self.dot(&residual, &residual).sqrt();
        let grown = size > GROWTH * self.residual;
        if grown
            && !self.differences.is_empty()
            && let Some((accepted, _)) = self.last.take()
        {
            self.differences.clear();
            return accepted;
        }
        self.residual = size;
        let last = self.last.take().filter(|_| !grown);
        let Some((mut image_step, mut residual_step)) = last else {
            self.differences.clear();
            self.last = Some((image.clone(), residual));
            return image;
        };
        self.zip(&mut image_step, &image, |d, i| *d = i - *d);
        self.zip(&mut residual_step, &residual, |d, r| *d = r - *d);
        if self.differences.len() == self.depth {
            self.differences.pop_front();
        }
        self.differences.push_back((image_step, residual_step));
        // Least squares by normal equations.
        let k = self.differences.len();
        let mut gram = Mat::zeros(k, k);
        for i in 0..k {
            for j in 0..=i {
                gram[(i, j)] = self.dot(&self.differences[i].1, &self.differences[j].1);
            }
        }
        let mean = (0..k).map(|i| gram[(i, i)]).sum::<f64>() / k as f64;
        let ridge = RIDGE.0 * mean + RIDGE.1 * size * size;
        (0..k).for_each(|i| gram[(i, i)] += ridge);
        let mut theta: Vec<f64> =
            self.differences.iter().map(|(_, d)| self.dot(d, &residual)).collect();
        let mut next = image.clone();
        if let Some(factor) = Cholesky::new(gram, Par::Seq) {
            factor.solve_vector(&mut theta);
            for ((difference, _), theta) in self.differences.iter().zip(&theta) {
                self.zip(&mut next, difference, |n, d| *n -= theta * d);
            }
        }
        self.last = Some((image, residual));
        next
    }

    fn zip(&self, out: &mut [f64], other: &[f64], f: impl Fn(&mut f64, f64) + Sync) {
        let pieces = out.chunks_mut(parallel::PIECE).zip(other.chunks(parallel::PIECE)).collect();
        parallel::map(self.par, pieces, |(out, other): (&mut [f64], &[f64])| {
            out.iter_mut().zip(other).for_each(|(o, v)| f(o, *v));
        });
    }

    fn dot(&self, a: &[f64], b: &[f64]) -> f64 {
        let pieces = a.chunks(parallel::PIECE).zip(b.chunks(parallel::PIECE)).collect();
        parallel::map(self.par, pieces, |(a, b): (&[f64], &[f64])| crate::linalg::kernel::dot(a, b))
            .iter()
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the map is a translation, up to rounding, there is nothing to extrapolate.
    #[test]
    fn a_translation_is_followed_and_not_thrown_off() {
        let mut memory = Anderson::new(10, Par::Seq);
        let mut x = vec![0.1, 0.7, -0.3];
        for k in 1..40 {
            let image: Vec<f64> = x.iter().map(|x| x + 1.0 / 3.0).collect();
            x = memory.extrapolate(x, image);
            assert!((x[0] - 0.1 - k as f64 / 3.0).abs() < 1e-2, "{k}: {x:?}");
        }
    }

    /// A point that is worse is not built upon.
    #[test]
    fn a_bad_point_is_taken_back() {
        let mut memory = Anderson::new(3, Par::Seq);
        memory.extrapolate(vec![8.0], vec![4.0]);
        let good = memory.extrapolate(vec![4.0], vec![2.5]);
        assert!(good[0].is_finite());
        assert_eq!(memory.extrapolate(vec![1e9], vec![0.0]), [2.5]);
    }
}
