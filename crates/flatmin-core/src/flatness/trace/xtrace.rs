//! XTrace (E. N. Epperly, J. A. Tropp, R. J. Webber, *XTrace: making the most of every sample in
//! stochastic trace estimation*, SIAM J. Matrix Analysis 45, 2024).
//!
//! For Gaussian probes `w_1 .. w_k`, `H W = Q R` and each `i`, Hutch++ with the sketch of the other
//! probes and `w_i` for what is left; with `P_i` the projection onto `range H W_{-i}`
//!
//! ```text
//! t_i = tr P_i H P_i + a_i <p_i, H p_i>,   p_i = (I - P_i) w_i,   a_i = (n - k + 1) / |p_i|^2
//! ```
//!
//! (`a_i` brings `p_i` back to the sphere of its subspace), and the mean of the `t_i` is unbiased. Without
//! `y_i` the range loses the direction `Q s_i`, where `s_i` is column `i` of `R^{-T}`, normalised; without
//! `y_i` and `y_j` it loses `Q span(s_i, s_j)`. So all that is needed are products of `k x k` matrices.
//!
//! *Error bar.* The `t_i` share their sketches, so `s^2 / k` of them falls short. The jackknife does not:
//! with `T_{-j}` the estimate from all probes but `j`,
//!
//! ```text
//! ((k - 1) / k) sum_j (T_{-j} - mean)^2
//! ```
//!
//! is in expectation no less than the variance of the estimate from `k - 1` probes (B. Efron, C. Stein,
//! *The jackknife estimate of variance*, Annals of Statistics 9, 1981), whatever the operator. Every `T_{-j}`
//! is a mean over pairs, by the two-dimensional downdate above.

use super::error_bar::{Mean, student};
use super::hutchinson::forms;
use super::products::Products;
use crate::linalg::{product, solve_upper_transpose, thin_qr};
use crate::{Error, Mat, MatRef};

/// A pivot of `R` below this fraction of the largest is raised to it: its direction is rounding.
const PIVOT: f64 = f64::EPSILON;

/// The range of `Y = H W` for Gaussian `W`.
pub(super) struct Range {
    /// `Q`, an orthonormal basis of it.
    q: Mat<f64>,
    r: Mat<f64>,
    /// Columns `s_i`.
    s: Mat<f64>,
    /// `|R^{-T} e_i|^{-2} = |(I - P_i) y_i|^2`.
    left_out: Vec<f64>,
}

impl Range {
    pub(super) fn new(images: MatRef<'_, f64>) -> Range {
        let (q, r) = thin_qr(images);
        let k = r.nrows();
        let largest = (0..k).map(|i| r[(i, i)].abs()).fold(0.0, f64::max);
        let mut safe = r.clone();
        for i in 0..k {
            if safe[(i, i)].abs() <= PIVOT * largest {
                safe[(i, i)] = PIVOT * largest.max(f64::MIN_POSITIVE / PIVOT);
            }
        }
        let mut s = Mat::<f64>::identity(k, k);
        solve_upper_transpose(safe.as_ref(), s.as_mut());
        let mut left_out = Vec::with_capacity(k);
        for column in s.col_iter_mut() {
            let length = column.norm_l2();
            column.iter_mut().for_each(|x| *x /= length);
            left_out.push(length.powi(-2));
        }
        Range { q, r, s, left_out }
    }

    /// `Q`.
    pub(super) fn basis(&self) -> MatRef<'_, f64> {
        self.q.as_ref()
    }

    /// An estimate of `|(I - P) H|_F^2`, `P` the projection onto a range of `k - 1` images.
    pub(super) fn energy_outside(&self) -> f64 {
        self.left_out.iter().sum::<f64>() / self.left_out.len() as f64
    }
}

/// The estimate from Gaussian probes `W` (`n x k`) and the range of their images; spends `k` products.
pub(super) fn estimate(
    products: &mut Products<'_>,
    probes: MatRef<'_, f64>,
    range: &Range,
) -> Result<Mean, Error> {
    let images = products.times(range.q.as_ref())?;
    let h = product(range.q.transpose(), images.as_ref());
    let w = product(range.q.transpose(), probes);
    let t = product(images.transpose(), probes);
    let grams = Grams::new(products.order(), probes, range, h.as_ref(), w.as_ref(), t.as_ref());
    let mean = grams.mean();
    // The rounding of Y tilts its range.
    let rounding = f64::EPSILON * h.norm_l2() * products.order() as f64;
    Ok(Mean { std_err: mean.std_err.max(rounding), ..mean })
}

/// All inner products that the `t_i` are made of; `W` and `T = Q^T H W` in coordinates of the range.
struct Grams {
    n: usize,
    trace: f64,
    /// `|w_i|^2`, `|Q^T w_i|^2`, `<w_i, H w_i>`, `<Q^T w_i, T_i>` and `<Q^T w_i, H Q^T w_i>`.
    squares: Vec<f64>,
    inside: Vec<f64>,
    forms: Vec<f64>,
    crossed: Vec<f64>,
    within: Vec<f64>,
    /// `S^T S`, `S^T H S`, `S^T W`, `S^T T` and `S^T H W`.
    ss: Mat<f64>,
    shs: Mat<f64>,
    sw: Mat<f64>,
    st: Mat<f64>,
    shw: Mat<f64>,
}

impl Grams {
    fn new(
        n: usize,
        probes: MatRef<'_, f64>,
        range: &Range,
        h: MatRef<'_, f64>,
        w: MatRef<'_, f64>,
        t: MatRef<'_, f64>,
    ) -> Grams {
        let s = range.s.as_ref();
        let hs = product(h.transpose(), s);
        let hw = product(h, w);
        Grams {
            n,
            trace: (0..h.nrows()).map(|i| h[(i, i)]).sum(),
            squares: forms(probes, probes),
            inside: forms(w, w),
            // <w, H w> = <w, Q R_i>.
            forms: forms(w, range.r.as_ref()),
            crossed: forms(w, t),
            within: forms(w, hw.as_ref()),
            ss: product(s.transpose(), s),
            shs: product(s.transpose(), hs.as_ref()),
            sw: product(s.transpose(), w),
            st: product(s.transpose(), t),
            shw: product(hs.transpose(), w),
        }
    }

    fn count(&self) -> usize {
        self.squares.len()
    }

    /// `a <p, H p>` for `p = w_i - Q (W_i - v)`, `v` the part of `Q^T w_i` outside the smaller range: given are
    /// `|v|^2`, `<v, T_i>`, `<v, H W_i>` and `<v, H v>`, and the dimension of the range.
    fn residual(&self, i: usize, dimension: usize, v: [f64; 4]) -> f64 {
        let [length, vt, vhw, vhv] = v;
        let form = self.forms[i] - 2.0 * (self.crossed[i] - vt) + self.within[i] - 2.0 * vhw + vhv;
        // A length that is rounding belongs to a form that is, too.
        let squared =
            (self.squares[i] - self.inside[i] + length).max(f64::EPSILON * self.squares[i]);
        (self.n - dimension) as f64 / squared * form
    }

    /// `t_i`.
    fn without(&self, i: usize) -> f64 {
        let c = self.sw[(i, i)];
        let v = [c * c, c * self.st[(i, i)], c * self.shw[(i, i)], c * c * self.shs[(i, i)]];
        self.trace - self.shs[(i, i)] + self.residual(i, self.count() - 1, v)
    }

    /// `t_i` of all probes but `j`.
    fn without_both(&self, i: usize, j: usize) -> f64 {
        let (g, hi, hj) = (self.ss[(i, j)], self.shs[(i, i)], self.shs[(j, j)]);
        let hij = 0.5 * (self.shs[(i, j)] + self.shs[(j, i)]);
        // Parallel directions are rounding, both.
        let determinant = (1.0 - g * g).max(f64::EPSILON);
        let (ai, aj) = (self.sw[(i, i)], self.sw[(j, i)]);
        let (ci, cj) = ((ai - g * aj) / determinant, (aj - g * ai) / determinant);
        let v = [
            ci * ai + cj * aj,
            ci * self.st[(i, i)] + cj * self.st[(j, i)],
            ci * self.shw[(i, i)] + cj * self.shw[(j, i)],
            ci * ci * hi + cj * cj * hj + 2.0 * ci * cj * hij,
        ];
        let lost = (hi + hj - 2.0 * g * hij) / determinant;
        self.trace - lost + self.residual(i, self.count() - 2, v)
    }

    fn mean(&self) -> Mean {
        let k = self.count();
        let value = (0..k).map(|i| self.without(i)).sum::<f64>() / k as f64;
        let without = |j: usize| {
            let others = (0..k).filter(|&i| i != j);
            others.map(|i| self.without_both(i, j)).sum::<f64>() / (k - 1) as f64
        };
        let leave_one_out: Vec<f64> = (0..k).map(without).collect();
        Mean { value, std_err: jackknife(&leave_one_out, k) * student(k - 1) }
    }
}

/// Standard error by the jackknife: from estimates that leave out one of `k` probes each, for some or all
/// of the probes.
pub(super) fn jackknife(leave_one_out: &[f64], k: usize) -> f64 {
    let count = leave_one_out.len() as f64;
    let mean = leave_one_out.iter().sum::<f64>() / count;
    let squares: f64 = leave_one_out.iter().map(|t| (t - mean).powi(2)).sum();
    // The mean of those that were left out takes one degree of freedom when it is estimated from some.
    let average = squares / if (count as usize) < k { count - 1.0 } else { count };
    ((k - 1) as f64 * average).sqrt()
}
