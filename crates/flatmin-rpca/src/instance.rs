//! Planted problems: a low-rank matrix of which some entries are grossly wrong.

use crate::RobustPca;
use flatmin_core::rng::Stream;
use flatmin_core::{Error, Mat, planted};

/// A problem whose answer is known: `Y = M + S`.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The problem.
    pub problem: RobustPca,
    /// The low-rank matrix `M`.
    pub truth: Mat<f64>,
    /// The corruption `S`, zero where nothing is seen.
    pub sparse: Mat<f64>,
}

impl Planted {
    /// Every entry of a random matrix is corrupted with probability `corruption`, independently of
    /// the others.
    ///
    /// The matrix is a product of Gaussian factors, scaled to `|M|_F^2 = d1 d2`. A corruption is
    /// uniform on `[-magnitude, magnitude]` times the mean of `|M_ij|`.
    ///
    /// ```
    /// use flatmin_rpca::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut corruption) = (stream(Role::Truth), stream(Role::Noise));
    /// let planted = Planted::bernoulli(20, 30, 2, 0.1, 5.0, &mut truth, &mut corruption)?;
    /// let wrong = planted.problem.matrix() - &planted.truth;
    /// assert_eq!(wrong, planted.sparse);
    /// assert!((20..110).contains(&planted.corruptions()));
    /// # Ok::<(), flatmin_rpca::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a size is zero, the rank is zero or above `min(rows, cols)`, `corruption` is no
    /// probability, or `magnitude` is negative or beyond `1e100`.
    pub fn bernoulli(
        rows: usize,
        cols: usize,
        rank: usize,
        corruption: f64,
        magnitude: f64,
        truth: &mut Stream,
        noise: &mut Stream,
    ) -> Result<Planted, Error> {
        probability("corruption", corruption)?;
        let truth = low_rank(rows, cols, rank, truth)?;
        let mut wrong = Vec::new();
        for i in 0..rows {
            wrong.extend((0..cols).filter(|_| noise.uniform() < corruption).map(|j| (i, j)));
        }
        corrupted(truth, &wrong, magnitude, noise)
    }

    /// Entries of a random matrix are corrupted in random order, as long as no row and no column
    /// has more than `per_line` corruptions: the regime of the theorem
    /// ([`theory::line_scale`](crate::theory::line_scale)). Matrix and corruptions are those of
    /// [`Planted::bernoulli`].
    ///
    /// ```
    /// use flatmin_rpca::{Planted, core::rng::{Role, Stream}, theory::most_per_line};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut corruption) = (stream(Role::Truth), stream(Role::Noise));
    /// let planted = Planted::per_line(20, 30, 2, 3, 5.0, &mut truth, &mut corruption)?;
    /// assert_eq!(most_per_line(planted.sparse.as_ref()), 3);
    /// # Ok::<(), flatmin_rpca::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Planted::bernoulli`].
    pub fn per_line(
        rows: usize,
        cols: usize,
        rank: usize,
        per_line: usize,
        magnitude: f64,
        truth: &mut Stream,
        noise: &mut Stream,
    ) -> Result<Planted, Error> {
        let truth = low_rank(rows, cols, rank, truth)?;
        let mut order: Vec<usize> = (0..rows * cols).collect();
        // Fisher-Yates.
        for last in (1..order.len()).rev() {
            let pick = (noise.uniform() * (last + 1) as f64) as usize;
            order.swap(last, pick.min(last));
        }
        let (mut in_row, mut in_col) = (vec![0; rows], vec![0; cols]);
        let mut wrong = Vec::new();
        for (i, j) in order.into_iter().map(|k| (k / cols, k % cols)) {
            if in_row[i] < per_line && in_col[j] < per_line {
                (in_row[i], in_col[j]) = (in_row[i] + 1, in_col[j] + 1);
                wrong.push((i, j));
            }
        }
        corrupted(truth, &wrong, magnitude, noise)
    }

    /// The same matrix with every entry missing with probability `missing`, drawn row by row.
    ///
    /// ```
    /// use flatmin_rpca::{Planted, core::rng::{Role, Stream}};
    /// let stream = |role| Stream::new(0, "docs", 0, 0, role);
    /// let (mut truth, mut corruption) = (stream(Role::Truth), stream(Role::Noise));
    /// let planted = Planted::bernoulli(20, 30, 2, 0.1, 5.0, &mut truth, &mut corruption)?;
    /// let planted = planted.hidden(0.5, &mut stream(Role::Measurements))?;
    /// assert!((250..350).contains(&planted.problem.seen_entries()));
    /// # Ok::<(), flatmin_rpca::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `missing` is no probability, or nothing is left.
    pub fn hidden(self, missing: f64, sampling: &mut Stream) -> Result<Planted, Error> {
        probability("missing", missing)?;
        let Planted { problem, truth, mut sparse } = self;
        let (rows, cols) = truth.shape();
        let draws: Vec<bool> = (0..rows * cols).map(|_| sampling.uniform() >= missing).collect();
        let seen = |i: usize, j: usize| draws[i * cols + j] && problem.is_seen(i, j);
        for j in 0..cols {
            (0..rows).filter(|&i| !seen(i, j)).for_each(|i| sparse[(i, j)] = 0.0);
        }
        let problem = RobustPca::from_seen(problem.matrix(), seen)?;
        Ok(Planted { problem, truth, sparse })
    }

    /// `tau = sum |S_ij|`, with which the constrained program may recover the planted matrix.
    pub fn tau(&self) -> f64 {
        self.sparse.col_iter().flat_map(|c| c.iter()).map(|s| s.abs()).sum()
    }

    /// Number of entries that are seen and wrong.
    pub fn corruptions(&self) -> usize {
        self.sparse.col_iter().flat_map(|c| c.iter()).filter(|&&s| s != 0.0).count()
    }
}

/// A product of Gaussian factors with `|M|_F^2 = d1 d2`, so that entries are of order one.
fn low_rank(rows: usize, cols: usize, rank: usize, stream: &mut Stream) -> Result<Mat<f64>, Error> {
    let mut truth = planted::low_rank(rows, cols, rank, stream)?;
    let scale = (rows as f64 * cols as f64).sqrt();
    truth.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v *= scale));
    Ok(truth)
}

/// The problem with the given entries wrong.
fn corrupted(
    truth: Mat<f64>,
    wrong: &[(usize, usize)],
    magnitude: f64,
    noise: &mut Stream,
) -> Result<Planted, Error> {
    if !(0.0..=1e100).contains(&magnitude) {
        return Err(Error::Parameter {
            name: "magnitude",
            rule: "between 0 and 1e100",
            got: magnitude.to_string(),
        });
    }
    let (rows, cols) = truth.shape();
    let sum: f64 = truth.col_iter().flat_map(|c| c.iter()).map(|v| v.abs()).sum();
    let largest = magnitude * sum / (rows as f64 * cols as f64);
    let mut y = truth.clone();
    for &(i, j) in wrong {
        y[(i, j)] += largest * (2.0 * noise.uniform() - 1.0);
    }
    // What was really added, after rounding.
    let sparse = &y - &truth;
    Ok(Planted { problem: RobustPca::new(y.as_ref())?, truth, sparse })
}

fn probability(name: &'static str, p: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&p) {
        return Ok(());
    }
    Err(Error::Parameter { name, rule: "a probability in [0, 1]", got: p.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::most_per_line;
    use flatmin_core::rng::Role;

    fn streams(trial: u64) -> (Stream, Stream) {
        let stream = |role| Stream::new(11, "instance", 0, trial, role);
        (stream(Role::Truth), stream(Role::Noise))
    }

    #[test]
    fn a_sum_of_both_parts_with_the_scale_it_says() {
        for (rows, cols, rank) in [(1, 1, 1), (12, 7, 2), (7, 12, 7)] {
            let (mut t, mut n) = streams(0);
            let planted = Planted::bernoulli(rows, cols, rank, 0.4, 3.0, &mut t, &mut n).unwrap();
            let squared = planted.truth.squared_norm_l2();
            approx::assert_relative_eq!(squared, (rows * cols) as f64, max_relative = 1e-12);
            let sum = &planted.truth + &planted.sparse;
            assert!((sum - planted.problem.matrix()).norm_max() <= 1e-15 * 10.0);
            let mean = planted.truth.norm_l1() / (rows * cols) as f64;
            assert!(planted.sparse.norm_max() <= 3.0 * mean * (1.0 + 1e-12));
            assert!((planted.tau() - planted.sparse.norm_l1()).abs() < 1e-12);
        }
    }

    #[test]
    fn counts_and_sizes_of_corruptions_match_their_expectation() {
        let (mut count, mut size) = (0.0, 0.0);
        for trial in 0..40 {
            let (mut t, mut n) = streams(trial);
            let planted = Planted::bernoulli(60, 50, 2, 0.1, 4.0, &mut t, &mut n).unwrap();
            count += planted.corruptions() as f64 / 40.0;
            // Uniform on [-4, 4] times the mean: twice the mean on average.
            let mean = planted.truth.norm_l1() / 3000.0;
            size += planted.tau() / planted.corruptions() as f64 / mean / 40.0;
        }
        assert!((count - 300.0).abs() < 4.0 * (270.0f64 / 40.0).sqrt(), "{count}");
        // Deviation of a uniform number on [0, 4]: 1.15, over 12 000 of them.
        assert!((size - 2.0).abs() < 0.05, "{size}");
    }

    #[test]
    fn no_line_has_more_corruptions_than_asked_for() {
        for (rows, cols, k) in [(9, 9, 2), (5, 12, 3), (4, 4, 0), (3, 3, 100)] {
            let (mut t, mut n) = streams(1);
            let planted = Planted::per_line(rows, cols, 1, k, 5.0, &mut t, &mut n).unwrap();
            assert!(most_per_line(planted.sparse.as_ref()) <= k);
            // Greedy and maximal: no free row crosses a free column, up to entries taken already.
            let full = k * rows.min(cols);
            let all = planted.corruptions();
            assert!(all <= full.min(rows * cols) && all + k * k >= full.min(rows * cols), "{all}");
        }
    }

    #[test]
    fn hiding_leaves_the_rest_as_it_was() {
        let (mut t, mut n) = streams(2);
        let planted = Planted::bernoulli(8, 6, 2, 0.5, 5.0, &mut t, &mut n).unwrap();
        let mut sampling = Stream::new(11, "instance", 0, 2, Role::Measurements);
        let hidden = planted.clone().hidden(0.4, &mut sampling).unwrap();
        assert_eq!(hidden.truth, planted.truth);
        for j in 0..6 {
            for i in 0..8 {
                let seen = hidden.problem.is_seen(i, j);
                let expected = if seen { planted.sparse[(i, j)] } else { 0.0 };
                assert_eq!(hidden.sparse[(i, j)], expected);
                let y = if seen { planted.problem.matrix()[(i, j)] } else { 0.0 };
                assert_eq!(hidden.problem.matrix()[(i, j)], y);
            }
        }
        // What is hidden twice stays hidden.
        let twice = hidden.clone().hidden(0.0, &mut sampling).unwrap();
        assert_eq!(twice.problem.seen_entries(), hidden.problem.seen_entries());
        assert!(matches!(hidden.hidden(1.0, &mut sampling), Err(Error::Empty { .. })));
    }

    #[test]
    fn names_the_parameter_at_fault() {
        let name = |result: Result<Planted, Error>| match result {
            Err(Error::Parameter { name, .. }) => name,
            other => panic!("expected a parameter error, got {other:?}"),
        };
        let (mut t, mut n) = streams(0);
        for p in [-0.1, 1.1, f64::NAN] {
            assert_eq!(name(Planted::bernoulli(4, 3, 1, p, 1.0, &mut t, &mut n)), "corruption");
            let planted = Planted::per_line(4, 3, 1, 1, 1.0, &mut t, &mut n).unwrap();
            assert_eq!(name(planted.hidden(p, &mut n)), "missing");
        }
        for magnitude in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            let planted = Planted::per_line(4, 3, 1, 1, magnitude, &mut t, &mut n);
            assert_eq!(name(planted), "magnitude");
        }
        assert!(name(Planted::bernoulli(4, 3, 4, 0.5, 1.0, &mut t, &mut n)).contains("rank"));
        let empty = Planted::per_line(0, 3, 1, 1, 1.0, &mut t, &mut n);
        assert!(matches!(empty, Err(Error::Shape { .. })));
    }
}
