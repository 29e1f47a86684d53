//! One small symmetric matrix a row, factored: the diagonal blocks of the normal equations.

use crate::linalg::Par;
use crate::linalg::parallel::map;
use crate::linalg::thin::{LANES, Thin};

/// Pivots below this part of the largest diagonal entry of their block count as zero: a row with
/// fewer entries than the rank leaves directions open, along which nothing is moved.
const PIVOT_FLOOR: f64 = 1e-13;

/// Rows that are handed out together.
const ROWS: usize = 256;

/// Positive semidefinite matrices `G_i` of order `k`, with `G_i = C_i C_i^T`.
pub(super) struct Blocks {
    gram: Thin,
    /// Lower triangles of `C_i`; on the diagonal the inverses of its entries, or zeros.
    factor: Thin,
    order: usize,
}

impl Blocks {
    /// From the matrices, `k` rows each.
    pub(super) fn new(par: Par, gram: Thin) -> Blocks {
        let order = gram.width();
        let stride = gram.blocks() * LANES;
        let mut factor = gram.clone();
        let pieces = factor.data_mut().chunks_mut((ROWS * order * stride / LANES).max(1)).collect();
        map(par, pieces, |piece: &mut [[f64; LANES]]| {
            for block in piece.as_flattened_mut().chunks_exact_mut((order * stride).max(1)) {
                cholesky(block, order, stride);
            }
        });
        Blocks { gram, factor, order }
    }

    /// `x_i <- G_i^{-1} x_i`, zero along what a block does not determine.
    pub(super) fn solve(&self, par: Par, x: &mut Thin) {
        let (k, stride) = (self.order, x.blocks() * LANES);
        let factor = self.factor.data().as_flattened();
        self.each(par, x, |i, x| {
            let c = &factor[i * k * stride..(i + 1) * k * stride];
            for a in 0..k {
                let row = &c[a * stride..a * stride + k];
                let sum = (0..a).fold(x[a], |sum, b| sum - row[b] * x[b]);
                x[a] = sum * row[a];
            }
            for a in (0..k).rev() {
                x[a] *= c[a * stride + a];
                for b in 0..a {
                    x[b] -= c[a * stride + b] * x[a];
                }
            }
        });
    }

    /// `x_i <- G_i x_i`.
    pub(super) fn times(&self, par: Par, x: &mut Thin) {
        let (k, stride) = (self.order, x.blocks() * LANES);
        let gram = self.gram.data().as_flattened();
        self.each(par, x, |i, x| {
            let mut out = [0.0; LANES];
            let mut wide = Vec::new();
            let out: &mut [f64] = if stride == LANES {
                &mut out
            } else {
                wide.resize(stride, 0.0);
                &mut wide
            };
            for (a, x) in x[..k].iter().enumerate() {
                let row = &gram[(i * k + a) * stride..(i * k + a + 1) * stride];
                out.iter_mut().zip(row).for_each(|(o, g)| *o += x * g);
            }
            x.copy_from_slice(out);
        });
    }

    /// Calls `f` with every row of `x` and its index.
    fn each(&self, par: Par, x: &mut Thin, f: impl Fn(usize, &mut [f64]) + Sync) {
        let q = x.blocks();
        let pieces = x.data_mut().chunks_mut((ROWS * q).max(1)).enumerate().collect();
        map(par, pieces, |(piece, x): (usize, &mut [[f64; LANES]])| {
            for (i, x) in x.chunks_exact_mut(q.max(1)).enumerate() {
                f(piece * ROWS + i, x.as_flattened_mut());
            }
        });
    }
}

/// The Cholesky factor in place, the inverses of its diagonal on the diagonal.
fn cholesky(block: &mut [f64], order: usize, stride: usize) {
    let largest = (0..order).map(|a| block[a * stride + a]).fold(0.0, f64::max);
    for a in 0..order {
        for b in 0..=a {
            let mut sum = block[a * stride + b];
            for c in 0..b {
                sum -= block[a * stride + c] * block[b * stride + c];
            }
            block[a * stride + b] = if b < a {
                sum * block[b * stride + b]
            } else if sum > PIVOT_FLOOR * largest {
                1.0 / sum.sqrt()
            } else {
                0.0
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Role, Stream};

    /// `G^{-1} (G x) = x` for definite blocks, in orders on either side of a register; a block of
    /// rank one solves what is consistent with it; a zero block moves nothing.
    #[test]
    fn blocks_are_solved() {
        let mut stream = Stream::new(1, "blocks", 0, 0, Role::Probe);
        for k in [1, 2, 5, 8, 11] {
            let n = 6;
            let roots: Vec<_> = (0..n).map(|_| stream.gaussian_matrix(k, k + 4)).collect();
            let mut gram = Thin::zeros(n * k, k);
            for (i, root) in roots.iter().enumerate() {
                let full = root * root.transpose();
                for a in 0..k {
                    (0..k).for_each(|b| gram.row_mut(i * k + a)[b] = full[(a, b)]);
                }
            }
            let blocks = Blocks::new(Par::Seq, gram);
            let x = Thin::from_mat(stream.gaussian_matrix(n, k).as_ref());
            let mut y = x.clone();
            blocks.times(Par::Seq, &mut y);
            blocks.solve(Par::Seq, &mut y);
            y.combine(1.0, -1.0, &x);
            assert!(y.dot(&y) < 1e-16 * x.dot(&x), "order {k}");
        }
        let gram = Thin::from_fn(4, 2, |i, j| [1.0, 2.0][i % 2] * [1.0, 2.0][j] * f64::from(i < 2));
        let blocks = Blocks::new(Par::Seq, gram);
        let mut x = Thin::from_fn(2, 2, |_, j| [3.0, 6.0][j]);
        blocks.solve(Par::Seq, &mut x);
        assert_eq!(x.row(1)[..2], [0.0, 0.0]);
        assert!((x.row(0)[0] + 2.0 * x.row(0)[1] - 3.0).abs() < 1e-14);
    }
}
