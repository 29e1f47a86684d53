//! Planted problems: a low-rank matrix, and a random set of its entries.

use crate::Completion;
use flatmin_core::rng::Stream;
use flatmin_core::{Error, Mat, MatRef, planted};

/// A problem whose answer is known.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: Completion,
    /// The matrix whose entries were sampled.
    pub truth: Mat<f64>,
}

impl Planted {
    /// Every entry of a random matrix of unit Frobenius norm is seen with probability `p`.
    ///
    /// ```
    /// use flatmin_completion::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut sampling) = (stream(Role::Truth), stream(Role::Measurements));
    /// let planted = Planted::bernoulli(20, 30, 2, 0.5, &mut truth, &mut sampling)?;
    /// let (i, j) = planted.problem.map().positions().next().unwrap();
    /// assert_eq!(planted.problem.targets()[0], planted.truth[(i, j)]);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a size is zero, the rank is zero or above `min(rows, cols)`, `p` is no probability, or
    /// nothing was seen.
    pub fn bernoulli(
        rows: usize,
        cols: usize,
        rank: usize,
        p: f64,
        truth: &mut Stream,
        sampling: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::low_rank(rows, cols, rank, truth)?;
        let p = Mat::full(rows, cols, p);
        Planted::sampled(truth, p.as_ref(), sampling)
    }

    /// Entries are seen unevenly, as ratings are: entry `(i, j)` of a random matrix of unit
    /// Frobenius norm with the probability [`power_law_probabilities`] gives it. Exponent 0 is
    /// uniform sampling.
    ///
    /// ```
    /// use flatmin_completion::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut sampling) = (stream(Role::Truth), stream(Role::Measurements));
    /// let planted = Planted::power_law(60, 60, 2, 1800.0, 1.0, &mut truth, &mut sampling)?;
    /// assert!((planted.problem.targets().len() as f64 - 1800.0).abs() < 150.0);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a size is zero, the rank is zero or above `min(rows, cols)`, `expected_entries` or
    /// `exponent` is out of range, or nothing was seen.
    pub fn power_law(
        rows: usize,
        cols: usize,
        rank: usize,
        expected_entries: f64,
        exponent: f64,
        truth: &mut Stream,
        sampling: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = planted::low_rank(rows, cols, rank, truth)?;
        let p = power_law_probabilities(rows, cols, expected_entries, exponent, sampling)?;
        Planted::sampled(truth, p.as_ref(), sampling)
    }

    /// Entry `(i, j)` of a given matrix is seen with probability `probabilities[(i, j)]`,
    /// independently of the others, drawn row by row.
    ///
    /// # Errors
    /// When the shapes differ, an entry is no probability, nothing was seen, or a seen entry is not
    /// finite.
    pub fn sampled(
        truth: Mat<f64>,
        probabilities: MatRef<'_, f64>,
        sampling: &mut Stream,
    ) -> Result<Planted, Error> {
        let (rows, cols) = truth.shape();
        if probabilities.shape() != (rows, cols) {
            return Err(Error::Shape {
                what: "the sampling probabilities",
                expected: format!("the matrix's shape {rows} x {cols}"),
                got: format!("{} x {}", probabilities.nrows(), probabilities.ncols()),
            });
        }
        let mut entries = Vec::new();
        for i in 0..rows {
            for j in 0..cols {
                let p = probabilities[(i, j)];
                if !(0.0..=1.0).contains(&p) {
                    return Err(Error::Parameter {
                        name: "p",
                        rule: "a probability in [0, 1]",
                        got: p.to_string(),
                    });
                }
                if sampling.uniform() < p {
                    entries.push((i, j, truth[(i, j)]));
                }
            }
        }
        let problem = Completion::from_triplets(rows, cols, &entries)?;
        Ok(Planted { problem, truth })
    }
}

/// Sampling probabilities `P_ij = min(1, c w_i v_j)` (`rows x cols`), where the row weights `w` are
/// `1, 2^-a, 3^-a, ...` in random order for the exponent `a`, the column weights `v` likewise, and
/// `c` makes the expected number of entries `sum P_ij` what was asked for.
///
/// ```
/// use flatmin_completion::{core::rng::{Role, Stream}, instance::power_law_probabilities};
/// let mut stream = Stream::new(0, "docs", 0, 0, Role::Measurements);
/// let p = power_law_probabilities(2, 2, 1.0, 1.0, &mut stream)?;
/// // Weights 1 and 1/2 on either side: c (1 + 1/2)^2 = 1, so the largest is c = 4/9.
/// assert!((p.norm_max() - 4.0 / 9.0).abs() < 1e-14);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When a size is zero, `expected_entries` is not in `(0, rows cols]`, or `exponent` not in
/// `[0, 20]`.
pub fn power_law_probabilities(
    rows: usize,
    cols: usize,
    expected_entries: f64,
    exponent: f64,
    stream: &mut Stream,
) -> Result<Mat<f64>, Error> {
    let all = rows as f64 * cols as f64;
    if !(expected_entries > 0.0 && expected_entries <= all) {
        return Err(Error::Parameter {
            name: "expected_entries",
            rule: "above 0 and at most rows x cols",
            got: format!("{expected_entries} for a {rows} x {cols} matrix"),
        });
    }
    // Beyond this products of weights may underflow, and almost nothing but one entry is seen.
    if !(0.0..=20.0).contains(&exponent) {
        return Err(Error::Parameter {
            name: "exponent",
            rule: "between 0 (uniform sampling) and 20",
            got: exponent.to_string(),
        });
    }
    let w = power_law_weights(rows, exponent, stream);
    let v = power_law_weights(cols, exponent, stream);
    let sum = |c: f64| -> f64 {
        w.iter().map(|w| v.iter().map(|v| (c * w * v).min(1.0)).sum::<f64>()).sum()
    };
    // The sum increases with c; no weight exceeds 1, and at the upper end every entry is certain.
    let (mut low, mut high) = (expected_entries / all, (rows as f64 * cols as f64).powf(exponent));
    for _ in 0..64 {
        let c = low.sqrt() * high.sqrt();
        if sum(c) < expected_entries {
            low = c;
        } else {
            high = c;
        }
    }
    Ok(Mat::from_fn(rows, cols, |i, j| (high * w[i] * v[j]).min(1.0)))
}

/// `(i + 1)^-exponent` for `i < n`, in random order.
fn power_law_weights(n: usize, exponent: f64, stream: &mut Stream) -> Vec<f64> {
    let mut weights: Vec<f64> = (1..=n).map(|i| (i as f64).powf(-exponent)).collect();
    // Fisher-Yates.
    for last in (1..n).rev() {
        let pick = (stream.uniform() * (last + 1) as f64) as usize;
        weights.swap(last, pick.min(last));
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::rng::Role;

    fn streams(trial: u64) -> (Stream, Stream) {
        let stream = |role| Stream::new(11, "instance", 0, trial, role);
        (stream(Role::Truth), stream(Role::Measurements))
    }

    fn sum(p: &Mat<f64>) -> f64 {
        p.col_iter().flat_map(|c| c.iter()).sum()
    }

    #[test]
    fn probabilities_add_up_and_follow_the_law() {
        for (rows, cols, expected, exponent) in [
            (30, 20, 200.0, 0.0),
            (30, 20, 200.0, 1.0),
            (30, 20, 599.9, 1.5),
            (30, 20, 600.0, 2.0),
            (5, 5, 0.01, 20.0),
            (1, 1, 0.5, 1.0),
        ] {
            let (_, mut stream) = streams(0);
            let p = power_law_probabilities(rows, cols, expected, exponent, &mut stream).unwrap();
            assert!((sum(&p) - expected).abs() <= 1e-11 * expected, "{exponent}");
            if exponent == 0.0 {
                let uniform = expected / (rows * cols) as f64;
                assert!(p.col_iter().flat_map(|c| c.iter()).all(|v| (v - uniform).abs() < 1e-13));
            }
            // Sorted ratios of unclipped columns of one row are powers of the rank.
            let mut row: Vec<f64> = p.row(0).iter().copied().filter(|&v| v < 1.0).collect();
            row.sort_by(|a, b| b.total_cmp(a));
            let offset = cols - row.len();
            for (j, v) in row.iter().enumerate() {
                let ratio = ((j + offset + 1) as f64 / (offset + 1) as f64).powf(-exponent);
                assert!((v / row[0] / ratio - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn sampled_counts_match_their_expectation() {
        // 40 trials of 1200 expected entries; the variance of a count is at most its mean.
        for exponent in [0.0, 1.0] {
            let mut total = 0.0;
            for trial in 0..40 {
                let (mut t, mut s) = streams(trial);
                let p = Planted::power_law(60, 50, 2, 1200.0, exponent, &mut t, &mut s).unwrap();
                total += p.problem.targets().len() as f64;
            }
            assert!((total / 40.0 - 1200.0).abs() < 4.0 * (1200.0f64 / 40.0).sqrt());
        }
    }

    #[test]
    fn everything_is_seen_at_probability_one() {
        let (mut t, mut s) = streams(0);
        let planted = Planted::bernoulli(4, 3, 1, 1.0, &mut t, &mut s).unwrap();
        assert_eq!(planted.problem.targets().len(), 12);
        let (mut t, mut s) = streams(0);
        let planted = Planted::power_law(4, 3, 1, 12.0, 1.5, &mut t, &mut s).unwrap();
        assert_eq!(planted.problem.targets().len(), 12);
    }

    #[test]
    fn names_the_parameter_at_fault() {
        let name = |result: Result<Planted, Error>| match result {
            Err(Error::Parameter { name, .. }) => name,
            other => panic!("expected a parameter error, got {other:?}"),
        };
        let (mut t, mut s) = streams(0);
        for p in [-0.1, 1.1, f64::NAN] {
            assert_eq!(name(Planted::bernoulli(4, 3, 1, p, &mut t, &mut s)), "p");
        }
        for rank in [0, 4] {
            let planted = Planted::bernoulli(4, 3, rank, 0.5, &mut t, &mut s);
            assert!(name(planted).contains("rank"));
        }
        for expected in [0.0, -1.0, 12.5, f64::NAN, f64::INFINITY] {
            let planted = Planted::power_law(4, 3, 1, expected, 1.0, &mut t, &mut s);
            assert_eq!(name(planted), "expected_entries");
        }
        for exponent in [-1.0, 21.0, f64::NAN] {
            let planted = Planted::power_law(4, 3, 1, 5.0, exponent, &mut t, &mut s);
            assert_eq!(name(planted), "exponent");
        }
        let nothing = Planted::bernoulli(4, 3, 1, 0.0, &mut t, &mut s);
        assert!(matches!(nothing, Err(Error::Empty { .. })));
        let mismatch = Planted::sampled(Mat::zeros(2, 2), Mat::zeros(2, 3).as_ref(), &mut s);
        assert!(matches!(mismatch, Err(Error::Shape { .. })));
    }
}
