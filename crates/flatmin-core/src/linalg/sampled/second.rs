//! The second derivatives of a sum of squares over sampled entries, applied to a direction in one pass:
//!
//! ```text
//! out_i = sum_j y_j (y_j^T u_i + x_j^T v_i) + w_ij x_j.
//! ```
//!
//! With `|A(L R^T) - b|^2 / 2` and its residual `w` these are `sum_j r_j (x_j^T l_i) + w_ij x_j` for how the
//! gradient in `L` turns with `R`, and `sum_i l_i (l_i^T x_j + z_i^T r_j) + w_ij z_i` for the gradient in `R`.
//!
//! A row that is gathered is used two or three times while it is near, and entries are taken
//! [`TOGETHER`]: their inner products do not wait for one another, and `out_i` is read and written once
//! for all of them. Where lists are long and there are more rows to gather from than a cache holds, all
//! lists go through one part of these rows before any goes on to the next.

use super::Lists;
use crate::linalg::Par;
use crate::linalg::parallel::map;
use crate::linalg::thin::{LANES, Thin};
use pulp::{Arch, Simd, WithSimd};

/// Entries that are taken together.
const TOGETHER: usize = 4;

/// Blocks of `y` and of `x` that stay in a cache.
const NEAR: usize = 2048;

/// Entries of a list, on average, for which it is worth coming back to it.
const WORTH: usize = 16;

impl Lists {
    /// `out_i = sum_j y_j (y_j^T u_i + x_j^T v_i) + w_ij x_j`; without `u` its term is left out.
    pub(crate) fn second(
        &self,
        par: Par,
        (y, u): (&Thin, Option<&Thin>),
        (x, v): (&Thin, &Thin),
        w: &[f64],
    ) -> Thin {
        let mut out = Thin::zeros(self.rows(), y.width());
        if y.width() > 0 {
            map(par, self.pieces(out.data_mut(), y.blocks()), |(first, out)| {
                Arch::new().dispatch(Second { lists: self, first, y, u, x, v, w, out });
            });
        }
        out
    }
}

/// The rows from `first` on that `out` has room for.
struct Second<'a> {
    lists: &'a Lists,
    first: usize,
    y: &'a Thin,
    u: Option<&'a Thin>,
    x: &'a Thin,
    v: &'a Thin,
    w: &'a [f64],
    out: &'a mut [[f64; LANES]],
}

/// The vectors of all rows.
#[inline(always)]
fn vectors<S: Simd>(a: &Thin) -> &[S::f64s] {
    S::as_simd_f64s(a.data().as_flattened()).0
}

impl WithSimd for Second<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Second { lists, first, y, u, x, v, w, out } = self;
        // Vectors a row.
        let n = y.blocks() * (LANES / S::F64_LANES);
        // Rows to gather from, and how many of them at a time.
        let gathered = y.rows();
        let near = NEAR.div_ceil(y.blocks());
        let long = lists.entries() * near >= WORTH * lists.rows() * gathered;
        let part = if long { near } else { gathered.max(1) };
        let (y, x, v) = (vectors::<S>(y), vectors::<S>(x), vectors::<S>(v));
        let u = u.map(vectors::<S>);
        let out = S::as_mut_simd_f64s(out.as_flattened_mut()).0;
        // Where each list goes on; indices rise along it.
        let mut places: Vec<usize> =
            (first..first + out.len() / n).map(|i| lists.places(i).start).collect();
        for end in (1..=gathered.div_ceil(part)).map(|k| k * part) {
            for (i, (out, place)) in out.chunks_exact_mut(n).zip(&mut places).enumerate() {
                let row = (first + i) * n..(first + i + 1) * n;
                let (u, v) = (u.map(|u| &u[row.clone()]), &v[row]);
                let rest = &lists.indices()[*place..lists.places(first + i).end];
                let list = &rest[..rest.partition_point(|&j| (j as usize) < end)];
                let w = &w[*place..*place + list.len()];
                *place += list.len();
                let (groups, rest) = list.as_chunks::<TOGETHER>();
                let (w_groups, w_rest) = w.as_chunks::<TOGETHER>();
                for (list, w) in groups.iter().zip(w_groups) {
                    entries(simd, (y, u), (x, v), list, w, out);
                }
                for (j, w) in rest.iter().zip(w_rest) {
                    entries(simd, (y, u), (x, v), &[*j], &[*w], out);
                }
            }
        }
    }
}

/// The terms of some entries of one row.
#[inline(always)]
fn entries<S: Simd, const T: usize>(
    simd: S,
    (y, u): (&[S::f64s], Option<&[S::f64s]>),
    (x, v): (&[S::f64s], &[S::f64s]),
    list: &[u32; T],
    w: &[f64; T],
    out: &mut [S::f64s],
) {
    let n = out.len();
    let y: [&[S::f64s]; T] = list.map(|j| &y[j as usize * n..][..n]);
    let x: [&[S::f64s]; T] = list.map(|j| &x[j as usize * n..][..n]);
    let mut sums = [simd.splat_f64s(0.0); T];
    let mut along = |rows: [&[S::f64s]; T], by: &[S::f64s]| {
        for (h, by) in by[..n].iter().enumerate() {
            (0..T).for_each(|t| sums[t] = simd.mul_add_e_f64s(rows[t][h], *by, sums[t]));
        }
    };
    along(x, v);
    if let Some(u) = u {
        along(y, u);
    }
    let sums = sums.map(|s| simd.splat_f64s(simd.reduce_sum_f64s(s)));
    let w = w.map(|w| simd.splat_f64s(w));
    for (h, out) in out.iter_mut().enumerate() {
        let mut sum = *out;
        for t in 0..T {
            sum = simd.mul_add_e_f64s(sums[t], y[t][h], sum);
            sum = simd.mul_add_e_f64s(w[t], x[t][h], sum);
        }
        *out = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sampled;
    use super::*;
    use crate::Mat;
    use crate::rng::{Role, Stream};

    /// Against the definition on full matrices: rows of no entry, of fewer and of more than are taken
    /// together, widths on either side of a register; and the same bits on several threads.
    #[test]
    fn one_pass_is_what_it_says() {
        let mut stream = Stream::new(1, "second", 0, 0, Role::Probe);
        // The last but one gathers from more rows than stay in a cache.
        let cases =
            [(1, 1, 1), (300, 7, 5), (9, 40, 8), (10, 30, 9), (5, 6, 17), (9, 700, 60), (4, 5, 0)];
        for (rows, cols, k) in cases.into_iter().chain((1..9).map(|k| (6, 5, k))) {
            let (lists, w, full) = sampled(rows, cols, &mut stream);
            let mut thin = |n| Thin::from_mat(stream.gaussian_matrix(n, k).as_ref());
            let (u, v, x, y) = (thin(rows), thin(rows), thin(cols), thin(cols));
            let along = |a: &Thin, b: &Thin| a.to_mat() * b.to_mat().transpose();
            for u in [None, Some(&u)] {
                let mut products = along(&v, &x);
                if let Some(u) = u {
                    products += along(u, &y);
                }
                let seen = |i, j| if full[(i, j)] != 0.0 { products[(i, j)] } else { 0.0 };
                let expected = Mat::from_fn(rows, cols, seen) * y.to_mat() + &full * x.to_mat();
                let out = lists.second(Par::Seq, (&y, u), (&x, &v), &w);
                let off = (out.to_mat() - &expected).norm_max();
                assert!(off <= 1e-13 * (1.0 + expected.norm_max()), "{rows} {k}");
                // Padding stays zero.
                let all: f64 = out.data().as_flattened().iter().map(|o| o * o).sum();
                assert!((all - out.squared_norms().iter().sum::<f64>()).abs() <= 1e-12 * all);
                assert_eq!(out, lists.second(Par::rayon(3), (&y, u), (&x, &v), &w));
            }
        }
    }
}
