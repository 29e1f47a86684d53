//! From the factors that others fit to the norm that is penalised here, and back.
//!
//! **The flat norm is ALS-WR.** The norm is a minimum over factors, `min (|D1 L|_F^2 + |D2 R|_F^2) / 2`
//! over `L R^T = X`, and with `n_i`, `n_j` ratings in row `i` and column `j` the entries of `D1^2`, `D2^2`
//! are `n_i / (m d2)`, `n_j / (m d1)`. So the penalised form is, over factors at least as wide as the rank
//! of its answer,
//!
//! ```text
//! min  1/2 sum_seen (<l_i, r_j> - e_ij)^2 + lambda/(2 m) (sum_i n_i |l_i|^2 / d2 + sum_j n_j |r_j|^2 / d1).
//! ```
//!
//! Scaling `L` by `(d2 / d1)^{1/4}` and `R` by its inverse leaves `X` as it is and turns both `1 / d2` and
//! `1 / d1` into `1 / (d1 d2)^{1/2}`. Doubled, that is
//!
//! ```text
//! min  sum_seen (<l_i, r_j> - e_ij)^2 + l (sum_i n_i |l_i|^2 + sum_j n_j |r_j|^2),    lambda = l m (d1 d2)^{1/2},
//! ```
//!
//! alternating least squares with weighted-lambda regularisation: Y. Zhou, D. Wilkinson, R. Schreiber,
//! R. Pan, *Large-scale parallel collaborative filtering for the Netflix prize*, AAIM 2008, which Spark's
//! ALS follows. What it fits at `l` is the flat answer at that `lambda`, certified here and without a rank
//! to choose; [`Ratings::als_wr_penalty`] goes from one to the other.
//!
//! **The nuclear norm is plain ALS**, whose regulariser `l (sum_i |l_i|^2 + sum_j |r_j|^2)` counts every
//! row once: `lambda = l`.
//!
//! **Smoothed weights go from the one to the other.** The weights of R. Foygel, R. Salakhutdinov,
//! O. Shamir, N. Srebro, *Learning with the weighted trace-norm under arbitrary sampling distributions*,
//! NIPS 2011, are `(1 - s) n_i / m + s / d1` for rows and `(1 - s) n_j / m + s / d2` for columns, in place of
//! the empirical `n_i / m`: rows that are hardly seen would else be hardly penalised. Divided by `d2` and
//! by `d1` these are the entries of `D1^2`, `D2^2` of the smoothed objective. Their norm at `s = 1` is
//! `|X|_* / (d1 d2)`, so a penalty `lambda` means there what `lambda / (d1 d2)` does for the nuclear norm.

use super::Ratings;

impl Ratings {
    /// The penalty `lambda = l m (d1 d2)^{1/2}` at which the flat answer for these ratings, as they
    /// are or centred, is that of ALS-WR at `l`.
    ///
    /// ```
    /// use flatmin_completion::ratings::{Penalty, Ratings};
    /// let ratings = Ratings::new(2, 2, &[0, 0, 1], &[0, 1, 0], vec![4.0, 6.0, 2.0])?;
    /// let lambda = ratings.als_wr_penalty(0.1);
    /// assert!((lambda - 0.1 * 3.0 * 2.0).abs() < 1e-12);
    /// let model = ratings.fit().penalty(Penalty::Given(lambda)).solve()?;
    /// assert!(model.recovery.status.is_certified());
    /// # Ok::<(), flatmin_completion::Error>(())
    /// ```
    pub fn als_wr_penalty(&self, l: f64) -> f64 {
        let (d1, d2) = self.shape();
        l * self.len() as f64 * (d1 as f64).sqrt() * (d2 as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mat;
    use crate::ratings::{Centring, Penalty, RatingsModel, Weights};
    use flatmin_core::linalg::{Cholesky, Par, product};
    use flatmin_core::rng::{Role, Stream};

    /// Noisy entries of a matrix of rank two, sampled unevenly.
    fn ratings(rows: usize, cols: usize) -> Ratings {
        let mut stream = Stream::new(5, "bridge", 0, 0, Role::Truth);
        let (l, r) = (stream.gaussian_matrix(rows, 2), stream.gaussian_matrix(cols, 2));
        let (mut i, mut j, mut y) = (vec![], vec![], vec![]);
        for row in 0..rows {
            for col in 0..cols {
                let p = 1.2 / (1.0 + 0.06 * (row + 2 * col) as f64);
                if stream.uniform() < p {
                    let x = l[(row, 0)] * r[(col, 0)] + l[(row, 1)] * r[(col, 1)];
                    i.push(row);
                    j.push(col);
                    y.push(x + 0.3 * stream.gaussian());
                }
            }
        }
        Ratings::new(rows, cols, &i, &j, y).unwrap()
    }

    /// `l_i = (sum_j r_j r_j^T + l w_i I)^{-1} sum_j y_ij r_j` for every row.
    fn half_step(
        lists: &[Vec<(usize, f64)>],
        r: &Mat<f64>,
        ridge: impl Fn(usize) -> f64,
    ) -> Mat<f64> {
        let k = r.ncols();
        let mut l = Mat::zeros(lists.len(), k);
        for (i, list) in lists.iter().enumerate() {
            let (mut gram, mut rhs) = (Mat::<f64>::zeros(k, k), vec![0.0; k]);
            for &(j, y) in list {
                for c in 0..k {
                    rhs[c] += y * r[(j, c)];
                    (0..k).for_each(|e| gram[(c, e)] += r[(j, c)] * r[(j, e)]);
                }
            }
            (0..k).for_each(|c| gram[(c, c)] += ridge(list.len()));
            Cholesky::new(gram, Par::Seq).unwrap().solve_vector(&mut rhs);
            (0..k).for_each(|c| l[(i, c)] = rhs[c]);
        }
        l
    }

    /// Plain alternating least squares, from a random start, to a standstill.
    fn als(ratings: &Ratings, width: usize, ridge: impl Fn(usize) -> f64) -> Mat<f64> {
        let (d1, d2) = ratings.shape();
        let (mut by_row, mut by_col) = (vec![vec![]; d1], vec![vec![]; d2]);
        for (i, j, y) in ratings.iter() {
            by_row[i].push((j, y));
            by_col[j].push((i, y));
        }
        let mut r = Stream::new(5, "als", 0, 0, Role::Start).gaussian_matrix(d2, width);
        let mut l = Mat::zeros(d1, width);
        for _ in 0..3000 {
            l = half_step(&by_row, &r, &ridge);
            r = half_step(&by_col, &l, &ridge);
        }
        product(l.as_ref(), r.transpose())
    }

    fn certified(ratings: &Ratings, weights: Weights, lambda: f64) -> RatingsModel {
        let fit = ratings.fit().centring(Centring::None).clip(false).weights(weights);
        let model = fit.penalty(Penalty::Given(lambda)).tolerance(1e-11).solve().unwrap();
        assert!(model.recovery.relative_gap < 1e-10, "{:e}", model.recovery.relative_gap);
        model
    }

    #[test]
    fn als_wr_and_the_flat_norm_are_one() {
        let ratings = ratings(18, 11);
        for l in [0.15, 0.4] {
            let model = certified(&ratings, Weights::Flat, ratings.als_wr_penalty(l));
            let x = als(&ratings, 8, |n| l * n as f64);
            assert!(model.recovery.rank > 0 && model.recovery.rank < 8);
            let error = (model.recovery.matrix() - &x).norm_max();
            assert!(error < 1e-5 * x.norm_max(), "{error:e}");
        }
    }

    #[test]
    fn als_and_the_nuclear_norm_are_one() {
        let ratings = ratings(18, 11);
        let model = certified(&ratings, Weights::Nuclear, 1.5);
        let x = als(&ratings, 8, |_| 1.5);
        assert!(model.recovery.rank > 0 && model.recovery.rank < 8);
        let error = (model.recovery.matrix() - &x).norm_max();
        assert!(error < 1e-5 * x.norm_max(), "{error:e}");
    }

    /// `s = 1` is nuclear at `lambda / (d1 d2)`.
    #[test]
    fn smoothed_weights_end_in_the_nuclear_norm() {
        let ratings = ratings(12, 9);
        let one = certified(&ratings, Weights::Smoothed(1.0), 1.5 * 108.0);
        let other = certified(&ratings, Weights::Nuclear, 1.5);
        let (one, other) = (one.recovery.matrix(), other.recovery.matrix());
        assert!((&one - &other).norm_max() < 1e-5 * other.norm_max());
    }
}
