//! The norm of a dual matrix of sampled entries, from above.
//!
//! For a matrix whose shorter side is at most [`GRAM`] it is what a Cholesky factor says: `c` is at
//! least the norm of `W` when `c^2 I - W W^T` is positive definite, and a Rayleigh quotient tells where
//! to look. The Gram matrix of sparse rows costs little. For larger ones, with frames `U`, `V` along
//! which `W` is nearly `U V^T`,
//!
//! ```text
//! |W|_op <= max(1, |N|_op) + |W - N - U V^T|_F,       N = (I - U U^T) W (I - V V^T),
//! ```
//!
//! and the norm of `N` is bounded as [`bound`](super::bound) says.

use super::bound;
use super::inverse;
use super::scaled::{Scaled, orthonormal};
use crate::linalg::thin::{LANES, Thin};
use crate::linalg::{self, Cholesky, Par};
use crate::rng::{Role, Stream};
use crate::{Error, Mat};

/// Longest side of a Gram matrix that is factored.
const GRAM: usize = 2000;

/// Excess over the estimate at which a factor is tried, one after the other.
const EXCESS: [f64; 7] = [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2];

/// Degree up to which a bound is sought.
const DEGREE: usize = 400;

/// Leading singular values and their vectors.
pub(super) struct Triplets {
    pub(super) s: Vec<f64>,
    pub(super) u: Thin,
    pub(super) v: Thin,
}

/// `P_T(W) - U V^T`, by its two sides.
pub(super) struct OffFrames {
    /// `W V - U`.
    pub(super) left: Thin,
    /// `W^T U - V`.
    pub(super) right: Thin,
    /// Its norm.
    pub(super) size: f64,
}

/// A dual matrix with frames of its known part.
pub(super) struct Dual<'a> {
    pub(super) matrix: Scaled<'a>,
    pub(super) u: &'a Thin,
    pub(super) v: &'a Thin,
}

impl Dual<'_> {
    fn project(x: &mut Thin, basis: &Thin) {
        let along = basis.transpose_times(x);
        x.add_product(-1.0, basis, along.as_ref());
    }

    /// `N X`.
    fn beyond(&self, x: &Thin) -> Thin {
        let mut x = x.clone();
        Dual::project(&mut x, self.v);
        let mut image = self.matrix.times(&x);
        Dual::project(&mut image, self.u);
        image
    }

    /// `N^T X`.
    fn beyond_transpose(&self, x: &Thin) -> Thin {
        let mut x = x.clone();
        Dual::project(&mut x, self.u);
        let mut image = self.matrix.transpose_times(&x);
        Dual::project(&mut image, self.v);
        image
    }

    /// `N X` or `N^T X`.
    fn product(&self, x: &Thin, transposed: bool) -> Thin {
        if transposed { self.beyond_transpose(x) } else { self.beyond(x) }
    }

    /// Gaussian vectors on the rows or on the columns that are seen.
    fn probes(&self, p: &[f64], width: usize) -> Thin {
        let n = p.len() as u64;
        let mut stream = Stream::new(0, "beyond the frames", n, width as u64, Role::Probe);
        let mut probes = Thin::from_mat(stream.gaussian_matrix(p.len(), width).as_ref());
        let seen: Vec<f64> = p.iter().map(|&p| f64::from(p > 0.0)).collect();
        probes.scale_rows(&seen);
        probes
    }

    /// About the leading singular values of `N`, and their vectors, from a block Krylov space on the
    /// shorter side: a few rounds find what many of subspace iteration do not, where values crowd
    /// (Musco, Musco, *Randomized block Krylov methods for stronger and faster approximate singular
    /// value decomposition*, 2015).
    ///
    /// # Errors
    /// When a small decomposition does not converge, which finite input does not cause.
    pub(super) fn leading(&self, rounds: usize) -> Result<Triplets, Error> {
        let Scaled { p1, p2, .. } = self.matrix;
        let wide = p1.len() <= p2.len();
        let short = if wide { p1 } else { p2 };
        let seen = short.iter().filter(|&&p| p > 0.0).count();
        let mut block = orthonormal(&self.probes(short, LANES.min(seen)));
        // Blocks of the basis, and what N makes of them.
        let (mut bases, mut images): (Vec<Thin>, Vec<Thin>) = (vec![], vec![]);
        let mut left = seen;
        loop {
            left -= block.width();
            images.push(self.product(&block, wide));
            bases.push(block);
            if bases.len() >= rounds || left == 0 {
                break;
            }
            // A last block may be short: then the basis is complete.
            block = self.product(&images[images.len() - 1], !wide);
            block = block.leading(block.width().min(left));
            // Rounding brings back what was taken out where little is left.
            for _ in 0..2 {
                bases.iter().for_each(|basis| Dual::project(&mut block, basis));
                block = orthonormal(&block);
            }
        }
        // N N^T (or N^T N) in the basis: tridiagonal in blocks.
        let ends: Vec<usize> = bases
            .iter()
            .scan(0, |end, b| {
                *end += b.width();
                Some(*end)
            })
            .collect();
        let k = ends.last().copied().unwrap_or(0);
        let mut projected = Mat::zeros(k, k);
        for a in 0..images.len() {
            for b in a.saturating_sub(1)..=a {
                let part = images[a].transpose_times(&images[b]);
                let (row, col) = (ends[a] - part.nrows(), ends[b] - part.ncols());
                projected
                    .as_mut()
                    .submatrix_mut(row, col, part.nrows(), part.ncols())
                    .copy_from(&part);
            }
        }
        let (values, vectors) = linalg::symmetric_eigen(projected.as_ref(), Par::Seq)?;
        // Of a long basis the first quarter is accurate.
        let count = (k / 4).max(LANES).min(k);
        let s: Vec<f64> = (0..count).map(|c| values[k - 1 - c].max(0.0).sqrt()).collect();
        let combined = |parts: &[Thin], rows: usize, scale: &[f64]| {
            let mut out = Thin::zeros(rows, count);
            for (part, end) in parts.iter().zip(&ends) {
                let start = end - part.width();
                let weights = Mat::from_fn(part.width(), count, |a, c| {
                    vectors[(start + a, k - 1 - c)] * scale[c]
                });
                out.add_product(1.0, part, weights.as_ref());
            }
            out
        };
        let here = combined(&bases, short.len(), &vec![1.0; count]);
        let there = combined(&images, p1.len().max(p2.len()), &inverse(&s));
        let (u, v) = if wide { (here, there) } else { (there, here) };
        Ok(Triplets { s, u, v })
    }

    /// An estimate of `|W|_op` from below: its norm on the frames and the leading vectors beyond them.
    ///
    /// # Errors
    /// As [`Dual::leading`].
    pub(super) fn estimate(&self, beyond: &Triplets) -> Result<f64, Error> {
        // Of leading vectors that are not accurate not even the length is right.
        let basis = orthonormal(&self.v.beside(&beyond.v.leading(beyond.s.len().min(LANES))));
        let image = self.matrix.times(&basis);
        let gram = image.transpose_times(&image);
        let values = linalg::symmetric_eigenvalues(gram.as_ref())?;
        Ok(values.last().map_or(0.0, |l| l.max(0.0).sqrt()))
    }

    /// An upper bound on `|W|_op`, given estimates of it and of `|N|_op`, the first to an accuracy that
    /// is enough where a factor says it.
    ///
    /// # Errors
    /// As [`Dual::leading`].
    pub(super) fn norm(&self, about: f64, estimate: f64, enough: f64) -> Result<f64, Error> {
        let (d1, d2) = (self.matrix.p1.len(), self.matrix.p2.len());
        let margin = 4.0 * f64::EPSILON * (d1 + d2) as f64;
        if d1.min(d2) <= GRAM {
            let gram = self.matrix.gram();
            for excess in EXCESS.into_iter().skip_while(|&excess| 100.0 * excess <= enough) {
                let c = about * (1.0 + excess) + margin;
                let mut slack = gram.clone() * faer::Scale(-1.0);
                (0..slack.nrows()).for_each(|i| slack[(i, i)] += c * c);
                if Cholesky::new(slack, self.matrix.par).is_some() {
                    return Ok(c * (1.0 + margin));
                }
            }
            let largest = linalg::symmetric_eigenvalues(gram.as_ref())?;
            return Ok(largest.last().map_or(0.0, |l| l.max(0.0).sqrt()) * (1.0 + margin) + margin);
        }
        let guess = (estimate * estimate).clamp(0.3, 2.0);
        let across = self.norm_beyond(1.0 - 1e-9, (guess, DEGREE));
        let frames = if self.u.width() > 0 { 1.0 } else { 0.0 };
        Ok(across.max(frames) + self.off_frames().size + margin)
    }

    /// An upper bound on `|N|_op`; `enough` and what follows it are of its square, as
    /// [`bound::largest_eigenvalue`] has them.
    pub(super) fn norm_beyond(&self, enough: f64, start: (f64, usize)) -> f64 {
        let probes = self.probes(self.matrix.p2, LANES);
        let product = |x: &Thin| self.beyond_transpose(&self.beyond(x));
        bound::largest_eigenvalue(&probes, enough, start, product).sqrt()
    }

    /// What is left on the frames.
    pub(super) fn off_frames(&self) -> OffFrames {
        let mut left = self.matrix.times(self.v);
        left.combine(1.0, -1.0, self.u);
        let mut right = self.matrix.transpose_times(self.u);
        right.combine(1.0, -1.0, self.v);
        // P_T splits into U U^T W and (I - U U^T) W V V^T.
        let mut across = left.clone();
        Dual::project(&mut across, self.u);
        let size = right.dot(&right).sqrt().hypot(across.dot(&across).sqrt());
        OffFrames { left, right, size }
    }
}
