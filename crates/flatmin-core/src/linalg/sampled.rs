//! Products with sampled entries, which are all gathers from thin matrices:
//!
//! ```text
//! sum_j w_ij x_j        sum_j y_j (x_j^T u_i)        sum_j y_j y_j^T        u_i^T v_j
//! ```
//!
//! Each output row is summed by one thread in the order of its entries, so that the bits do not
//! depend on the number of threads. Work on the columns is the same on the transposed list.

mod second;

use super::Par;
use super::kernel::vectorised;
use super::parallel::{cut, map};
use super::thin::{LANES, Thin};
use pulp::{Arch, Simd, WithSimd};

/// For each row the columns of its entries, one after the other (or the other way round).
#[derive(Debug, Clone)]
pub struct Lists {
    starts: Vec<usize>,
    indices: Vec<u32>,
}

/// Rows that are handed out together.
const ROWS: usize = 128;

impl Lists {
    /// From the places where rows start (one more than rows) and the indices of their entries.
    pub(crate) fn new(starts: Vec<usize>, indices: Vec<u32>) -> Lists {
        Lists { starts, indices }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.indices.len()
    }

    /// Entries of row `i`, as places in the list.
    pub fn places(&self, i: usize) -> std::ops::Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }

    /// Indices of all entries, row by row.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Indices of the entries of row `i`.
    pub fn indices_of(&self, i: usize) -> &[u32] {
        &self.indices[self.places(i)]
    }

    /// Pieces of an output with `per` blocks a row, each with its first row.
    fn pieces<'a>(
        &self,
        out: &'a mut [[f64; LANES]],
        per: usize,
    ) -> Vec<(usize, &'a mut [[f64; LANES]])> {
        let pieces = out.chunks_mut((ROWS * per).max(1)).enumerate();
        pieces.map(|(piece, out)| (piece * ROWS, out)).collect()
    }

    /// `out_i = sum_j w_ij x_j`: the sparse matrix of the values `w` times `X`.
    pub fn times(&self, par: Par, w: &[f64], x: &Thin) -> Thin {
        let mut out = Thin::zeros(self.rows(), x.width());
        let q = x.blocks();
        map(par, self.pieces(out.data_mut(), q), |(first, out)| {
            vectorised(
                #[inline(always)]
                || {
                    for (i, out) in out.chunks_exact_mut(q.max(1)).enumerate() {
                        let w = &w[self.places(first + i)];
                        weighted_sum(self.indices_of(first + i), w, x.data(), out);
                    }
                },
            );
        });
        out
    }

    /// `out_i = sum_j y_j (x_j^T u_i)`.
    pub fn couple(&self, par: Par, u: &Thin, x: &Thin, y: &Thin) -> Thin {
        let mut out = Thin::zeros(self.rows(), y.width());
        let q = y.blocks();
        map(par, self.pieces(out.data_mut(), q), |(first, out)| match x.width() {
            1 => self.couple_narrow::<1>(first, u, x, y, out),
            2 => self.couple_narrow::<2>(first, u, x, y, out),
            3 => self.couple_narrow::<3>(first, u, x, y, out),
            4 => self.couple_narrow::<4>(first, u, x, y, out),
            5 => self.couple_narrow::<5>(first, u, x, y, out),
            6 => self.couple_narrow::<6>(first, u, x, y, out),
            7 => self.couple_narrow::<7>(first, u, x, y, out),
            8 => self.couple_narrow::<8>(first, u, x, y, out),
            _ => self.couple_wide(first, u, x, y, out),
        });
        out
    }

    /// `(sum_j y_j x_j^T) u_i`: without a horizontal sum for each entry.
    fn couple_narrow<const K: usize>(
        &self,
        first: usize,
        u: &Thin,
        x: &Thin,
        y: &Thin,
        out: &mut [[f64; LANES]],
    ) {
        moments::<K>(self, first, (x, 0), (y, 0), out.len(), |i, m| {
            let u = u.row(first + i);
            for (m, u) in m.iter().zip(u) {
                out[i].iter_mut().zip(m).for_each(|(o, m)| *o += u * m);
            }
        });
    }

    fn couple_wide(&self, first: usize, u: &Thin, x: &Thin, y: &Thin, out: &mut [[f64; LANES]]) {
        let q = y.blocks();
        vectorised(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_exact_mut(q).enumerate() {
                    let u = &u.data()[(first + i) * q..(first + i + 1) * q];
                    for &j in self.indices_of(first + i) {
                        let at = j as usize * q;
                        let value = inner(u, &x.data()[at..at + q]);
                        add(value, &y.data()[at..at + q], out);
                    }
                }
            },
        );
    }

    /// The normal equations of every row, `sum_j y_j y_j^T` (`k` rows each) and `sum_j b_ij y_j`.
    pub fn normal(&self, par: Par, b: &[f64], y: &Thin) -> (Thin, Thin) {
        let (k, q) = (y.width(), y.blocks());
        let mut gram = Thin::zeros(self.rows() * k, k);
        let pieces = self.pieces(gram.data_mut(), k * q);
        map(par, pieces, |(first, gram)| match k {
            1 => self.gram_narrow::<1>(first, y, gram),
            2 => self.gram_narrow::<2>(first, y, gram),
            3 => self.gram_narrow::<3>(first, y, gram),
            4 => self.gram_narrow::<4>(first, y, gram),
            5 => self.gram_narrow::<5>(first, y, gram),
            6 => self.gram_narrow::<6>(first, y, gram),
            7 => self.gram_narrow::<7>(first, y, gram),
            8 => self.gram_narrow::<8>(first, y, gram),
            _ => self.gram_wide(first, y, gram),
        });
        (gram, self.times(par, b, y))
    }

    fn gram_narrow<const K: usize>(&self, first: usize, y: &Thin, gram: &mut [[f64; LANES]]) {
        moments::<K>(self, first, (y, 0), (y, 0), gram.len() / K, |i, m| {
            gram[i * K..(i + 1) * K].copy_from_slice(m);
        });
    }

    fn gram_wide(&self, first: usize, y: &Thin, gram: &mut [[f64; LANES]]) {
        let (k, q) = (y.width(), y.blocks());
        for (a, b) in (0..q * q).map(|tile| (tile / q, tile % q)) {
            let rows = gram.len() / (k * q);
            moments::<LANES>(self, first, (y, a), (y, b), rows, |i, m| {
                for (c, m) in m.iter().enumerate().take(k - a * LANES) {
                    gram[(i * k + a * LANES + c) * q + b] = *m;
                }
            });
        }
    }

    /// `u_i^T v_j` at every entry.
    pub fn values(&self, par: Par, u: &Thin, v: &Thin) -> Vec<f64> {
        let mut out = vec![0.0; self.entries()];
        let q = v.blocks();
        let pieces = cut(&mut out, &self.starts, ROWS);
        map(par, pieces, |(first, last, out): (usize, usize, &mut [f64])| {
            vectorised(
                #[inline(always)]
                || {
                    for i in first..last {
                        let u = &u.data()[i * q..(i + 1) * q];
                        let places = self.places(i);
                        let start = self.starts[first];
                        let out = &mut out[places.start - start..places.end - start];
                        for (out, &j) in out.iter_mut().zip(self.indices_of(i)) {
                            let at = j as usize * q;
                            *out = inner(u, &v.data()[at..at + q]);
                        }
                    }
                },
            );
        });
        out
    }
}

/// `out = sum_j w_j x_j`.
#[inline(always)]
fn weighted_sum(list: &[u32], w: &[f64], x: &[[f64; LANES]], out: &mut [[f64; LANES]]) {
    if let [out] = out {
        let mut sum = [0.0; LANES];
        for (&j, w) in list.iter().zip(w) {
            let x = &x[j as usize];
            for l in 0..LANES {
                sum[l] += w * x[l];
            }
        }
        *out = sum;
        return;
    }
    let q = out.len();
    for (&j, w) in list.iter().zip(w) {
        add(*w, &x[j as usize * q..(j as usize + 1) * q], out);
    }
}

/// Calls `f(i, sum_j x_j[a] y_j[b]^T)` for `rows` rows of the lists from `first`, with the blocks
/// `a` and `b` of the rows of two matrices. Written in vectors, of which compilers make worse.
fn moments<const K: usize>(
    lists: &Lists,
    first: usize,
    (x, a): (&Thin, usize),
    (y, b): (&Thin, usize),
    rows: usize,
    f: impl FnMut(usize, &[[f64; LANES]; K]),
) {
    Arch::new().dispatch(Moments::<K, _> { lists, first, x, a, y, b, rows, f });
}

struct Moments<'a, const K: usize, F> {
    lists: &'a Lists,
    first: usize,
    x: &'a Thin,
    a: usize,
    y: &'a Thin,
    b: usize,
    rows: usize,
    f: F,
}

impl<const K: usize, F: FnMut(usize, &[[f64; LANES]; K])> WithSimd for Moments<'_, K, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let q = self.y.blocks();
        let (x, y) = (self.x.data(), S::as_simd_f64s(self.y.data().as_flattened()).0);
        // Vectors a block.
        let n = LANES / S::F64_LANES;
        let mut out = [[0.0; LANES]; K];
        for i in 0..self.rows {
            let list = self.lists.indices_of(self.first + i);
            for h in 0..n {
                let mut sums = [simd.splat_f64s(0.0); K];
                for &j in list {
                    let at = j as usize * q;
                    let (x, y) = (&x[at + self.a], y[(at + self.b) * n + h]);
                    for c in 0..K {
                        sums[c] = simd.mul_add_e_f64s(simd.splat_f64s(x[c]), y, sums[c]);
                    }
                }
                let out = S::as_mut_simd_f64s(out.as_flattened_mut()).0;
                (0..K).for_each(|c| out[c * n + h] = sums[c]);
            }
            (self.f)(i, &out);
        }
    }
}

#[inline(always)]
fn inner(a: &[[f64; LANES]], b: &[[f64; LANES]]) -> f64 {
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            lanes[l] += a[l] * b[l];
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

#[inline(always)]
fn add(factor: f64, a: &[[f64; LANES]], out: &mut [[f64; LANES]]) {
    for (o, a) in out.iter_mut().zip(a) {
        for l in 0..LANES {
            o[l] += factor * a[l];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mat;
    use crate::rng::{Role, Stream};

    /// Lists of a random pattern with empty rows, its values, and the same as a full matrix.
    pub(super) fn sampled(
        rows: usize,
        cols: usize,
        stream: &mut Stream,
    ) -> (Lists, Vec<f64>, Mat<f64>) {
        let (mut starts, mut indices, mut w) = (vec![0], vec![], vec![]);
        let mut full = Mat::zeros(rows, cols);
        for i in 0..rows {
            for j in 0..cols {
                if i % 3 != 1 && stream.uniform() < 0.6 {
                    full[(i, j)] = stream.gaussian();
                    w.push(full[(i, j)]);
                    indices.push(j as u32);
                }
            }
            starts.push(indices.len());
        }
        (Lists::new(starts, indices), w, full)
    }

    /// Every product against the definition on full matrices: rectangular, tiny, empty rows, widths
    /// on either side of a block; and the same bits on several threads.
    #[test]
    fn kernels_are_what_they_say() {
        let mut stream = Stream::new(1, "sampled", 0, 0, Role::Probe);
        let cases = [(1, 1, 1), (4, 9, 2), (300, 7, 5), (9, 40, 8), (10, 30, 9), (5, 6, 17)];
        for (rows, cols, k) in cases.into_iter().chain((1..9).map(|k| (6, 5, k))) {
            let (lists, w, full) = sampled(rows, cols, &mut stream);
            let mut thin = |n| Thin::from_mat(stream.gaussian_matrix(n, k).as_ref());
            let (u, x, y) = (thin(rows), thin(cols), thin(cols));
            let close = |a: &Thin, b: Mat<f64>| {
                assert!((a.to_mat() - &b).norm_max() <= 1e-13 * (1.0 + b.norm_max()), "{rows} {k}");
            };
            close(&lists.times(Par::Seq, &w, &x), &full * x.to_mat());
            let seen = Mat::from_fn(rows, cols, |i, j| f64::from(full[(i, j)] != 0.0));
            let products = u.to_mat() * x.to_mat().transpose();
            let coupled = Mat::from_fn(rows, cols, |i, j| seen[(i, j)] * products[(i, j)]);
            close(&lists.couple(Par::Seq, &u, &x, &y), coupled * y.to_mat());
            let (gram, rhs) = lists.normal(Par::Seq, &w, &y);
            close(&rhs, &full * y.to_mat());
            let ym = y.to_mat();
            let expected = Mat::from_fn(rows * k, k, |ic, e| {
                let (i, c) = (ic / k, ic % k);
                (0..cols).map(|j| seen[(i, j)] * ym[(j, c)] * ym[(j, e)]).sum()
            });
            close(&gram, expected);
            let values = lists.values(Par::Seq, &u, &x);
            for i in 0..rows {
                for t in lists.places(i) {
                    let j = lists.indices()[t] as usize;
                    assert!((values[t] - products[(i, j)]).abs() < 1e-13 * (1.0 + k as f64));
                }
            }
            let two = Par::rayon(3);
            assert_eq!(values, lists.values(two, &u, &x));
            assert_eq!(lists.couple(Par::Seq, &u, &x, &y), lists.couple(two, &u, &x, &y));
            assert_eq!((gram, rhs), lists.normal(two, &w, &y));
        }
    }
}
