//! Tall matrices of few columns, row by row: what products with sampled entries gather from.

use super::kernel::{dot, vectorised};
use faer::{Mat, MatRef};
use pulp::{Arch, Simd, WithSimd};

/// Columns of a block: one vector register of the widest machines.
pub const LANES: usize = 8;

/// An `n x k` matrix, row-major, each row padded with zeros to whole blocks of [`LANES`].
///
/// ```
/// use flatmin_core::{Mat, linalg::thin::Thin};
/// let a = Mat::from_fn(3, 2, |i, j| (i + 10 * j) as f64);
/// let thin = Thin::from_mat(a.as_ref());
/// assert_eq!((thin.rows(), thin.width(), &thin.row(1)[..2]), (3, 2, &[1.0, 11.0][..]));
/// assert_eq!(thin.to_mat(), a);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Thin {
    rows: usize,
    width: usize,
    data: Vec<[f64; LANES]>,
}

impl Thin {
    /// Zeros.
    pub fn zeros(rows: usize, width: usize) -> Thin {
        Thin { rows, width, data: vec![[0.0; LANES]; rows * width.div_ceil(LANES)] }
    }

    /// The entries `f(i, j)`.
    pub fn from_fn(rows: usize, width: usize, f: impl Fn(usize, usize) -> f64) -> Thin {
        let mut out = Thin::zeros(rows, width);
        for i in 0..rows {
            out.row_mut(i)[..width].iter_mut().enumerate().for_each(|(j, v)| *v = f(i, j));
        }
        out
    }

    /// A copy of a matrix.
    pub fn from_mat(a: MatRef<'_, f64>) -> Thin {
        Thin::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)])
    }

    /// The same as a column-major matrix.
    pub fn to_mat(&self) -> Mat<f64> {
        Mat::from_fn(self.rows, self.width, |i, j| self.row(i)[j])
    }

    /// `n`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `k`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Blocks a row.
    pub fn blocks(&self) -> usize {
        self.width.div_ceil(LANES)
    }

    /// A row with its padding.
    pub fn row(&self, i: usize) -> &[f64] {
        let q = self.blocks();
        self.data[i * q..(i + 1) * q].as_flattened()
    }

    /// A row with its padding, which must stay zero.
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        let q = self.blocks();
        self.data[i * q..(i + 1) * q].as_flattened_mut()
    }

    /// All blocks, row by row.
    pub(crate) fn data(&self) -> &[[f64; LANES]] {
        &self.data
    }

    /// The same, to be written; padding must stay zero.
    pub(crate) fn data_mut(&mut self) -> &mut [[f64; LANES]] {
        &mut self.data
    }

    /// `<A, B>`.
    pub fn dot(&self, other: &Thin) -> f64 {
        dot(self.data.as_flattened(), other.data.as_flattened())
    }

    /// Sums of squares of the columns.
    pub fn squared_norms(&self) -> Vec<f64> {
        let q = self.blocks();
        let mut sums = vec![0.0; q * LANES];
        for row in self.data.chunks_exact(q.max(1)) {
            sums.iter_mut().zip(row.as_flattened()).for_each(|(s, v)| *s += v * v);
        }
        sums.truncate(self.width);
        sums
    }

    /// `A <- a A + b B`.
    pub fn combine(&mut self, a: f64, b: f64, other: &Thin) {
        let (x, y) = (self.data.as_flattened_mut(), other.data.as_flattened());
        vectorised(
            #[inline(always)]
            || x.iter_mut().zip(y).for_each(|(x, y)| *x = a * *x + b * y),
        );
    }

    /// `-A`.
    pub fn negated(&self) -> Thin {
        let mut out = self.clone();
        out.combine(-1.0, 0.0, self);
        out
    }

    /// `A + t diag(w) B`.
    pub fn add_scaled_rows(&mut self, t: f64, w: &[f64], b: &Thin) {
        let q = self.blocks().max(1);
        for ((row, b), w) in self.data.chunks_exact_mut(q).zip(b.data.chunks_exact(q)).zip(w) {
            let row = row.as_flattened_mut().iter_mut();
            row.zip(b.as_flattened()).for_each(|(a, b)| *a += t * (w * b));
        }
    }

    /// `diag(w) A`.
    pub fn scale_rows(&mut self, w: &[f64]) {
        let q = self.blocks();
        for (row, w) in self.data.chunks_exact_mut(q.max(1)).zip(w) {
            row.as_flattened_mut().iter_mut().for_each(|v| *v *= w);
        }
    }

    /// `A^T B`, of order `k x l`.
    pub fn transpose_times(&self, other: &Thin) -> Mat<f64> {
        let (k, l) = (self.width, other.width);
        let mut out = Mat::zeros(k, l);
        for (a, b) in (0..self.blocks()).flat_map(|a| (0..other.blocks()).map(move |b| (a, b))) {
            let sums = Arch::new().dispatch(Tile { x: (self, a), y: (other, b) });
            for (i, sums) in (a * LANES..k).zip(&sums) {
                (b * LANES..l).zip(sums).for_each(|(j, sum)| out[(i, j)] = *sum);
            }
        }
        out
    }

    /// `A + t B C` for a small matrix `C`.
    pub fn add_product(&mut self, t: f64, b: &Thin, c: MatRef<'_, f64>) {
        let c = Thin::from_fn(c.nrows(), c.ncols(), |i, j| t * c[(i, j)]);
        let q = self.blocks();
        vectorised(
            #[inline(always)]
            || {
                for (i, row) in self.data.chunks_exact_mut(q.max(1)).enumerate() {
                    let b = &b.row(i)[..c.rows];
                    for (h, out) in row.iter_mut().enumerate() {
                        let mut sum = *out;
                        for (b, c) in b.iter().zip(c.data.chunks_exact(q)) {
                            (0..LANES).for_each(|l| sum[l] += b * c[h][l]);
                        }
                        *out = sum;
                    }
                }
            },
        );
    }

    /// The first `k` columns.
    pub fn leading(&self, k: usize) -> Thin {
        Thin::from_fn(self.rows, k, |i, j| self.row(i)[j])
    }

    /// `[A, B]`.
    pub fn beside(&self, other: &Thin) -> Thin {
        let k = self.width;
        Thin::from_fn(self.rows, k + other.width, |i, j| {
            if j < k { self.row(i)[j] } else { other.row(i)[j - k] }
        })
    }
}

/// `X^T Y` for one block of columns of each, in registers.
struct Tile<'a> {
    x: (&'a Thin, usize),
    y: (&'a Thin, usize),
}

impl WithSimd for Tile<'_> {
    type Output = [[f64; LANES]; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let ((x, a), (y, b)) = (self.x, self.y);
        let (x_rows, y_rows) = (x.data.chunks_exact(x.blocks()), y.data.chunks_exact(y.blocks()));
        let mut out = [[0.0; LANES]; LANES];
        // Vectors a block.
        for h in 0..LANES / S::F64_LANES {
            let mut sums = [simd.splat_f64s(0.0); LANES];
            for (x, y) in x_rows.clone().zip(y_rows.clone()) {
                let (x, y) = (&x[a], S::as_simd_f64s(&y[b]).0[h]);
                for c in 0..LANES {
                    sums[c] = simd.mul_add_e_f64s(simd.splat_f64s(x[c]), y, sums[c]);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                S::as_mut_simd_f64s(out).0[h] = sum;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Role, Stream};

    /// Small products against those of full matrices, in widths on either side of a block.
    #[test]
    fn products_are_those_of_matrices() {
        let mut stream = Stream::new(1, "thin", 0, 0, Role::Probe);
        for (n, k, l) in [(1, 1, 1), (7, 5, 8), (12, 9, 3), (40, 17, 16)] {
            let (a, b) = (stream.gaussian_matrix(n, k), stream.gaussian_matrix(n, l));
            let c = stream.gaussian_matrix(l, k);
            let (ta, tb) = (Thin::from_mat(a.as_ref()), Thin::from_mat(b.as_ref()));
            assert!((ta.transpose_times(&tb) - a.transpose() * &b).norm_max() < 1e-13);
            let mut sum = ta.clone();
            sum.add_product(-2.0, &tb, c.as_ref());
            assert!((sum.to_mat() - (&a - &b * &c * faer::Scale(2.0))).norm_max() < 1e-13);
            assert_eq!(ta.beside(&tb).to_mat().subcols(k, l), b.as_ref());
            let w: Vec<f64> = (0..n).map(|i| i as f64 - 1.5).collect();
            let other = Thin::from_mat(stream.gaussian_matrix(n, k).as_ref());
            let mut sum = ta.negated();
            sum.add_scaled_rows(-2.0, &w, &other);
            let expected = |i, j| -a[(i, j)] - 2.0 * w[i] * other.row(i)[j];
            assert!((sum.to_mat() - Mat::from_fn(n, k, expected)).norm_max() < 1e-13);
            let norms: f64 = ta.squared_norms().iter().sum();
            assert!((norms - ta.dot(&ta)).abs() < 1e-12 * norms);
        }
    }
}
