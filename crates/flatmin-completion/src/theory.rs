//! What theory predicts for randomly sampled entries.
//!
//! Sampling is described by a `d1 x d2` matrix `P` of independent probabilities; uniform sampling
//! is `P_ij = p`. Exact completion is impossible where a row or a column is never seen, and hard
//! where the matrix is *coherent*: concentrated on few entries, which random sampling misses.

use flatmin_core::{Error, Gram, MatRef, Rescaling};

pub use flatmin_core::theory::{degrees_of_freedom, incoherence};

/// Expected numbers of observed entries in each row and in each column, for sampling
/// probabilities `P` (`d1 x d2`).
///
/// ```
/// use flatmin_completion::{Mat, theory::expected_counts};
/// let (rows, cols) = expected_counts(Mat::full(2, 4, 0.5).as_ref());
/// assert_eq!((rows, cols), (vec![2.0; 2], vec![1.0; 4]));
/// ```
pub fn expected_counts(probabilities: MatRef<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    let (rows, cols) = probabilities.shape();
    (
        (0..rows).map(|i| probabilities.row(i).iter().sum()).collect(),
        (0..cols).map(|j| probabilities.col(j).iter().sum()).collect(),
    )
}

/// `D1`, `D2` with every count replaced by its expectation for sampling probabilities `P`
/// (`d1 x d2`); uniform sampling gives `D1^2 = D2^2 = I / (d1 d2)` whatever `p`, so that the flat
/// solution tends to that of least nuclear norm.
///
/// ```
/// use flatmin_completion::{Mat, theory::expected_rescaling};
/// let uniform = expected_rescaling(Mat::full(2, 4, 0.5).as_ref());
/// let (d1, _) = uniform.matrices()?;
/// assert!((d1.to_dense()[(0, 0)] - 1.0 / 8f64.sqrt()).abs() < 1e-15);
/// assert_eq!(uniform.kappa()?, 1.0);
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
pub fn expected_rescaling(probabilities: MatRef<'_, f64>) -> Rescaling {
    let (rows, cols) = expected_counts(probabilities);
    let m: f64 = rows.iter().sum();
    let (d1, d2) = (rows.len() as f64, cols.len() as f64);
    Rescaling {
        d1_squared: Gram::Diagonal(rows.into_iter().map(|n| n / (m * d2)).collect()),
        d2_squared: Gram::Diagonal(cols.into_iter().map(|n| n / (m * d1)).collect()),
    }
}

/// Bound on the probability that some row or column is never seen, for sampling probabilities `P`
/// (`d1 x d2`): the sum over rows and columns of the probability that this one is not.
///
/// ```
/// use flatmin_completion::{Mat, theory::unseen_bound};
/// // Two rows of two, two columns of two: each missed with probability 1/4.
/// assert_eq!(unseen_bound(Mat::full(2, 2, 0.5).as_ref()), 1.0);
/// assert!(unseen_bound(Mat::full(100, 100, 0.15).as_ref()) < 2e-5);
/// ```
pub fn unseen_bound(probabilities: MatRef<'_, f64>) -> f64 {
    let (rows, cols) = probabilities.shape();
    let missed_row = |i| probabilities.row(i).iter().map(|p| 1.0 - p).product::<f64>();
    let missed_col = |j| probabilities.col(j).iter().map(|p| 1.0 - p).product::<f64>();
    let sum = (0..rows).map(missed_row).sum::<f64>() + (0..cols).map(missed_col).sum::<f64>();
    sum.min(1.0)
}

/// The coupon collector's bound: the least `p` for which uniform sampling sees every row and every
/// column with probability at least `1 - eta`, by [`unseen_bound`]. It grows as `log(d/eta) / d`;
/// below it exact completion fails for want of data, whatever the method.
///
/// ```
/// let p = flatmin_completion::theory::coupon_collector(100, 100, 0.01)?;
/// assert!((p - (200f64 / 0.01).ln() / 100.0).abs() < 0.01);
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
///
/// # Errors
/// When `eta` is not inside `(0, 1)`.
pub fn coupon_collector(rows: usize, cols: usize, eta: f64) -> Result<f64, Error> {
    if !(eta > 0.0 && eta < 1.0) {
        return Err(Error::Parameter {
            name: "eta",
            rule: "a probability inside (0, 1)",
            got: eta.to_string(),
        });
    }
    let (d1, d2) = (rows as f64, cols as f64);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let p: f64 = 0.5 * (low + high);
        if d1 * (1.0 - p).powf(d2) + d2 * (1.0 - p).powf(d1) > eta {
            low = p;
        } else {
            high = p;
        }
    }
    Ok(high)
}

/// Traces of the `L` block and of the `R` block of the Hessian of the loss, with every count replaced by
/// its expectation for sampling probabilities `P` (`d1 x d2`), at factors `L` (`d1 x k`) and `R` (`d2 x k`):
/// `(2/m) sum_j n_j |R_j|^2` and `(2/m) sum_i n_i |L_i|^2`, whatever the residual.
///
/// Uniform sampling gives `2 |R|_F^2 / d2` and `2 |L|_F^2 / d1`, which is the exact mean given any number of
/// sampled entries; for other probabilities it is the mean to first order in `1/m`.
///
/// ```
/// use flatmin_completion::{Mat, theory::population_traces};
/// let (p, l, r) = (Mat::full(3, 2, 0.5), Mat::full(3, 1, 1.0), Mat::full(2, 1, 2.0));
/// let (left, right) = population_traces(p.as_ref(), l.as_ref(), r.as_ref())?;
/// assert!((left - 8.0).abs() < 1e-14 && (right - 2.0).abs() < 1e-14);
/// # Ok::<(), flatmin_completion::Error>(())
/// ```
///
/// # Errors
/// When the shapes do not fit one another.
pub fn population_traces(
    probabilities: MatRef<'_, f64>,
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
) -> Result<(f64, f64), Error> {
    expected_rescaling(probabilities).traces(l, r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Planted, instance::power_law_probabilities};
    use flatmin_core::Mat;
    use flatmin_core::flatness::PairOperator;
    use flatmin_core::flatness::check::deviations;
    use flatmin_core::rng::{Role, Stream};

    fn stream(trial: u64, role: Role) -> Stream {
        Stream::new(21, "theory", 0, trial, role)
    }

    /// Rescaling matrices of samples, averaged over trials, against the prediction.
    #[test]
    fn rescaling_of_samples_averages_to_the_prediction() {
        let (rows, cols, trials) = (40, 25, 60);
        for exponent in [0.0, 0.8] {
            // One matrix of probabilities, many samples of it.
            let mut weights = stream(0, Role::Start);
            let p = power_law_probabilities(rows, cols, 500.0, exponent, &mut weights).unwrap();
            let (mut left, mut right) = (vec![0.0; rows], vec![0.0; cols]);
            for trial in 0..trials {
                let mut sampling = stream(trial, Role::Measurements);
                let truth = Mat::full(rows, cols, 1.0);
                let planted = Planted::sampled(truth, p.as_ref(), &mut sampling).unwrap();
                let rescaling = planted.problem.rescaling().unwrap();
                add(&mut left, &rescaling.d1_squared, 1.0 / trials as f64);
                add(&mut right, &rescaling.d2_squared, 1.0 / trials as f64);
            }
            let predicted = expected_rescaling(p.as_ref());
            let (row_counts, col_counts) = expected_counts(p.as_ref());
            for (mean, gram, counts) in [
                (left, predicted.d1_squared, row_counts),
                (right, predicted.d2_squared, col_counts),
            ] {
                let gram = gram.to_dense();
                for (i, mean) in mean.iter().enumerate() {
                    // A count of mean n has a deviation of at most sqrt(n); five of them, averaged.
                    let bound = 5.0 / (counts[i] * trials as f64).sqrt() + 0.01;
                    assert!((mean / gram[(i, i)] - 1.0).abs() < bound, "{exponent}, {i}");
                }
            }
        }
    }

    fn add(sum: &mut [f64], gram: &Gram, weight: f64) {
        let dense = gram.to_dense();
        sum.iter_mut().enumerate().for_each(|(i, s)| *s += weight * dense[(i, i)]);
    }

    /// How often a row or column really is missed, at the coupon collector's probability.
    #[test]
    fn the_coupon_collector_bounds_the_frequency_of_unseen_lines() {
        let (rows, cols, eta, trials) = (30, 20, 0.2, 400);
        let p = coupon_collector(rows, cols, eta).unwrap();
        approx::assert_relative_eq!(
            unseen_bound(Mat::full(rows, cols, p).as_ref()),
            eta,
            max_relative = 1e-9
        );
        let missed = (0..trials)
            .filter(|&trial| {
                let (mut t, mut s) =
                    (stream(trial, Role::Truth), stream(trial, Role::Measurements));
                let planted = Planted::bernoulli(rows, cols, 1, p, &mut t, &mut s).unwrap();
                planted.problem.rescaling().unwrap().kappa().unwrap().is_infinite()
            })
            .count() as f64;
        // Deviation of a frequency near 0.2 over 400 trials: 0.02.
        let frequency = missed / trials as f64;
        assert!((0.1..eta + 0.06).contains(&frequency), "{frequency}");
        for eta in [0.0, 1.0, f64::NAN] {
            assert!(matches!(coupon_collector(3, 3, eta), Err(Error::Parameter { .. })));
        }
    }

    /// Uniform sampling: the mean is exact, whatever number of entries is drawn.
    #[test]
    fn traces_have_their_means() {
        let mut s = stream(0, Role::Start);
        for (rows, cols, k, p) in [(5, 5, 2, 0.3), (3, 8, 1, 0.5), (6, 2, 3, 0.6)] {
            let (l, r) = (s.gaussian_matrix(rows, k), s.gaussian_matrix(cols, k));
            let probabilities = Mat::full(rows, cols, p);
            let expected =
                population_traces(probabilities.as_ref(), l.as_ref(), r.as_ref()).unwrap();
            let drawn = |trial: u64| {
                let (mut t, mut s) =
                    (stream(trial, Role::Truth), stream(trial, Role::Measurements));
                let planted = Planted::bernoulli(rows, cols, 1, p, &mut t, &mut s).unwrap();
                let loss = planted.problem.loss().unwrap();
                loss.hessian(l.as_ref(), r.as_ref()).unwrap().traces()
            };
            for off in
                [deviations(expected.0, |t| drawn(t).0), deviations(expected.1, |t| drawn(t).1)]
            {
                assert!(off.abs() < 3.5, "{rows} x {cols}: {off} standard errors");
            }
            let wrong = population_traces(probabilities.as_ref(), r.as_ref(), r.as_ref());
            assert!(rows == cols || matches!(wrong, Err(Error::Shape { .. })));
        }
    }
}
