//! What a stream of probes leaves behind when the probes are not kept.
//!
//! Batches of `(x_i, y_i)` are added up in `O(d^2)` numbers, whatever `m`:
//!
//! ```text
//! m,   G = sum |x|^2 x x^T,   A*(y) = sum y x x^T,   sum |x|^2 y,   sum y.
//! ```
//!
//! They give `D^2 = G / (m d)`, the flat value that every matrix that fits shares, and the spectral
//! estimate. They do **not** give the constraints `x_i^T X x_i = y_i`: two streams with the same
//! sums may be fitted by different matrices, so a recovery from few probes needs the rows
//! themselves ([`Covariance`]), which are then fewer than the sums would have to be. From
//! `d (d+1) / 2` probes on the constraints are as good as their normal equations
//! `A* A(X) = A*(y)`, and a summary that also keeps the normal matrix, of that order, solves these.

use crate::Covariance;
use flatmin_core::linalg::{Cholesky, Par, accumulate_lower};
use flatmin_core::{Error, Gram, LinearMap, Mat, MatRef, Rescaling};

/// Largest order `d` for which the normal matrix is kept: it has order `d (d+1) / 2`.
const LARGEST_ORDER: usize = 100;

/// Pivots of the scaled normal matrix below this count as zero: it squares the condition.
const DEPENDENT: f64 = 1e-12;

/// Running sums of a stream of probes and targets.
///
/// ```
/// use flatmin_covariance::Summary;
/// // [1, 2; 2, 4] along three vectors, in two batches.
/// let mut summary = Summary::with_least_squares(2)?;
/// summary.add(&[1.0, 0.0, 0.0, 1.0], &[1.0, 4.0])?;
/// summary.add(&[1.0, 1.0], &[9.0])?;
/// assert_eq!(summary.measurements(), 3);
/// assert_eq!(summary.flat_value()?, (1.0 + 4.0 + 2.0 * 9.0) / 6.0);
/// assert!((summary.least_squares()?[(0, 1)] - 2.0).abs() < 1e-12);
/// # Ok::<(), flatmin_covariance::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Summary {
    measurements: usize,
    /// `sum |x|^2 x x^T`.
    gram: Mat<f64>,
    /// `A*(y)`.
    back: Mat<f64>,
    /// `sum |x|^2 y`.
    weighted: f64,
    /// `sum y`.
    total: f64,
    /// Lower triangle of `sum f f^T` for the features `f` of the probes, when it was asked for.
    normal: Option<Mat<f64>>,
}

impl Summary {
    /// An empty summary of probes of length `order`, of `2 d^2` numbers.
    ///
    /// # Errors
    /// When the order is zero.
    pub fn new(order: usize) -> Result<Summary, Error> {
        if order == 0 {
            return Err(Error::Parameter {
                name: "the order of a summary",
                rule: "at least 1",
                got: order.to_string(),
            });
        }
        let zero = || Mat::zeros(order, order);
        let (gram, back) = (zero(), zero());
        Ok(Summary { measurements: 0, gram, back, weighted: 0.0, total: 0.0, normal: None })
    }

    /// An empty summary that also keeps the normal matrix, of order `d (d+1) / 2`, which
    /// [`Summary::least_squares`] needs.
    ///
    /// # Errors
    /// When the order is zero, or above 100, where the normal matrix would take hundreds of
    /// megabytes.
    pub fn with_least_squares(order: usize) -> Result<Summary, Error> {
        let mut summary = Summary::new(order)?;
        if order > LARGEST_ORDER {
            return Err(Error::Parameter {
                name: "the order of a summary with least squares",
                rule: "at most 100",
                got: order.to_string(),
            });
        }
        let n = order * (order + 1) / 2;
        summary.normal = Some(Mat::zeros(n, n));
        Ok(summary)
    }

    /// Adds a batch: probes (`n x d`, in C order) and their targets (length `n`). A batch with an
    /// error changes nothing; an empty one is an error.
    ///
    /// # Errors
    /// As [`Covariance::from_arrays`], where an index is that within the batch; or when a sum leaves
    /// double precision.
    pub fn add(&mut self, probes: &[f64], targets: &[f64]) -> Result<(), Error> {
        let batch = Covariance::from_arrays(self.order(), probes.to_vec(), targets.to_vec())?;
        let map = batch.map();
        let back = &self.back + map.adjoint_matrix(targets);
        let (mut weighted, mut total) = (self.weighted, self.total);
        for (x, y) in map.left().col_iter().zip(targets) {
            weighted += y * x.iter().map(|v| v * v).sum::<f64>();
            total += y;
        }
        if !(back.is_all_finite() && weighted.is_finite() && total.is_finite()) {
            let what = "a sum of targets, or of targets times squared probes,".into();
            return Err(Error::Scale { what, magnitude: f64::INFINITY, sane: (0.0, f64::MAX) });
        }
        self.measurements += targets.len();
        self.gram += map.grams().0.to_dense();
        (self.back, self.weighted, self.total) = (back, weighted, total);
        if let Some(normal) = &mut self.normal {
            let n = normal.nrows();
            // A few megabytes of features at a time.
            let width = ((1 << 17) / n).max(1);
            for start in (0..targets.len()).step_by(width) {
                let block = map.left().subcols(start, width.min(targets.len() - start));
                let features = features(block);
                accumulate_lower(normal.as_mut(), features.as_ref(), features.transpose());
            }
        }
        Ok(())
    }

    /// Probes added so far, `m`.
    pub fn measurements(&self) -> usize {
        self.measurements
    }

    /// Length `d` of the probes.
    pub fn order(&self) -> usize {
        self.gram.nrows()
    }

    /// The rescaling `D^2 = sum |x|^2 x x^T / (m d)`, the same on both sides.
    ///
    /// # Errors
    /// When nothing was added.
    pub fn rescaling(&self) -> Result<Rescaling, Error> {
        let gram =
            Gram::Dense(self.gram.clone()).scaled(1.0 / (self.count()? * self.order() as f64));
        Ok(Rescaling { d1_squared: gram.clone(), d2_squared: gram })
    }

    /// `sum |x|^2 y / (m d)`: the flat objective of every positive semidefinite matrix that fits.
    ///
    /// # Errors
    /// When nothing was added.
    pub fn flat_value(&self) -> Result<f64, Error> {
        Ok(self.weighted / (self.count()? * self.order() as f64))
    }

    /// `((1/m) A*(y) - mean(y) I) / 2`, which tends to the matrix as Gaussian probes grow in
    /// number, since `E (x^T M x) x x^T = 2 M + tr(M) I`. Its root mean square error in Frobenius
    /// norm is at most `sqrt(3 (d+4)(d+6) / (4 m))` of the matrix's trace, the second moment of a
    /// term at rank one; it need not be positive semidefinite, nor fit.
    ///
    /// # Errors
    /// When nothing was added.
    pub fn spectral_estimate(&self) -> Result<Mat<f64>, Error> {
        let (m, d) = (self.count()?, self.order());
        let mean = self.total / m;
        let shift = |i: usize, j: usize| if i == j { mean } else { 0.0 };
        Ok(Mat::from_fn(d, d, |i, j| 0.5 * (self.back[(i, j)] / m - shift(i, j))))
    }

    /// The symmetric matrix of least `sum (x^T X x - y)^2`: the only one that fits, if one does.
    /// Its relative error is the square of the problem's condition times rounding, as for any
    /// normal equations; noise may make it indefinite.
    ///
    /// # Errors
    /// When the summary was not made [with least squares](Summary::with_least_squares), or the
    /// probes so far do not determine a matrix.
    pub fn least_squares(&self) -> Result<Mat<f64>, Error> {
        let Some(normal) = &self.normal else {
            return Err(Error::Parameter {
                name: "a summary asked for its least-squares matrix",
                rule: "made by Summary::with_least_squares",
                got: "one made by Summary::new".into(),
            });
        };
        let n = normal.nrows();
        // Unit diagonal, so that coordinates of different scale do not look dependent.
        let scales: Vec<f64> = (0..n).map(|i| normal[(i, i)].sqrt()).collect();
        let seen = self.measurements >= n && scales.iter().all(|&s| s > 0.0);
        let factor = seen
            .then(|| {
                Mat::from_fn(n, n, |i, j| normal[(i.max(j), i.min(j))] / scales[i] / scales[j])
            })
            .and_then(|scaled| Cholesky::new(scaled, Par::Seq))
            .filter(|f| (0..n).all(|i| f.lower()[(i, i)].powi(2) > DEPENDENT));
        let Some(factor) = factor else {
            return Err(Error::Parameter {
                name: "the number of independent probes for a least-squares matrix",
                rule: "at least d (d + 1) / 2",
                got: format!("too few among {} for d = {}", self.measurements, self.order()),
            });
        };
        let d = self.order();
        let mut packed: Vec<f64> = positions(d)
            .zip(&scales)
            .map(|((i, j), s)| weight(i, j) * self.back[(i, j)] / s)
            .collect();
        factor.solve_vector(&mut packed);
        let mut x = Mat::zeros(d, d);
        for (((i, j), s), value) in positions(d).zip(&scales).zip(&packed) {
            let entry = value / s / weight(i, j);
            (x[(i, j)], x[(j, i)]) = (entry, entry);
        }
        Ok(x)
    }

    /// `m`, when something was added.
    fn count(&self) -> Result<f64, Error> {
        match self.measurements {
            0 => Err(Error::Empty { what: "the stream of probes so far" }),
            m => Ok(m as f64),
        }
    }
}

/// The upper triangle, column by column.
fn positions(order: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..order).flat_map(|j| (0..=j).map(move |i| (i, j)))
}

/// Makes the inner product of upper triangles that of symmetric matrices.
fn weight(i: usize, j: usize) -> f64 {
    if i == j { 1.0 } else { std::f64::consts::SQRT_2 }
}

/// The weighted upper triangles of `x x^T`, one a column.
fn features(probes: MatRef<'_, f64>) -> Mat<f64> {
    let d = probes.nrows();
    let mut out = Mat::zeros(d * (d + 1) / 2, probes.ncols());
    for (feature, x) in out.col_iter_mut().zip(probes.col_iter()) {
        for (f, (i, j)) in feature.iter_mut().zip(positions(d)) {
            *f = weight(i, j) * x[i] * x[j];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Planted, theory};
    use flatmin_core::rng::{Role, Stream};

    fn planted(order: usize, rank: usize, m: usize) -> Planted {
        let stream = |role| Stream::new(8, "summary", 0, 0, role);
        let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
        Planted::gaussian(order, rank, m, &mut t, &mut x).unwrap()
    }

    fn probes(problem: &Covariance) -> Vec<f64> {
        let columns = problem.map().left().col_iter();
        columns.flat_map(|x| x.iter().copied().collect::<Vec<_>>()).collect()
    }

    /// In batches of any size, the same as from all rows at once.
    #[test]
    fn agrees_with_the_rows() {
        for (order, rank, m) in [(7, 2, 40), (1, 1, 3), (12, 3, 200), (30, 1, 500)] {
            let Planted { problem, truth } = planted(order, rank, m);
            let rows = probes(&problem);
            for batch in [1, 17, m] {
                let mut summary = Summary::with_least_squares(order).unwrap();
                for (x, y) in rows.chunks(batch * order).zip(problem.targets().chunks(batch)) {
                    summary.add(x, y).unwrap();
                }
                assert_eq!((summary.measurements(), summary.order()), (m, order));
                let value = theory::flat_value(&problem);
                assert!((summary.flat_value().unwrap() - value).abs() < 1e-13 * value);
                let (ours, theirs) = (summary.rescaling().unwrap(), problem.rescaling().unwrap());
                for (a, b) in [
                    (ours.d1_squared.to_dense(), theirs.d1_squared.to_dense()),
                    (ours.d2_squared.to_dense(), theirs.d2_squared.to_dense()),
                ] {
                    assert!((a - &b).norm_max() < 1e-13 * b.norm_max());
                }
                let sum: f64 = problem.targets().iter().sum();
                let back = problem.map().adjoint_matrix(problem.targets());
                let spectral = summary.spectral_estimate().unwrap();
                let expected = Mat::from_fn(order, order, |i, j| {
                    0.5 * (back[(i, j)] - if i == j { sum } else { 0.0 }) / m as f64
                });
                assert!((spectral - &expected).norm_max() < 1e-12 * back.norm_max());
                let determined = m >= order * (order + 1) / 2;
                match summary.least_squares() {
                    Ok(x) => assert!(determined && (x - &truth).norm_l2() < 1e-9),
                    Err(error) => assert!(!determined && error.to_string().contains("d = ")),
                }
            }
        }
    }

    /// Inexact targets: the residual is orthogonal to every probe's matrix, `A*(A(X) - y) = 0`.
    #[test]
    fn least_squares_satisfy_the_normal_equations() {
        let Planted { problem, .. } = planted(5, 5, 60);
        let mut stream = Stream::new(8, "summary", 0, 0, Role::Noise);
        let noisy: Vec<f64> =
            problem.targets().iter().map(|y| y + 0.1 * stream.uniform()).collect();
        let mut summary = Summary::with_least_squares(5).unwrap();
        summary.add(&probes(&problem), &noisy).unwrap();
        let x = summary.least_squares().unwrap();
        let mut residual = vec![0.0; 60];
        problem.map().apply(x.as_ref(), &mut residual);
        residual.iter_mut().zip(&noisy).for_each(|(r, y)| *r -= y);
        let gradient = problem.map().adjoint_matrix(&residual);
        assert!(gradient.norm_max() < 1e-12 * summary.back.norm_max());
        assert!(residual.iter().any(|r| r.abs() > 1e-3));
    }

    /// Coordinates of very different scale are no less determined.
    #[test]
    fn least_squares_do_not_mind_the_units() {
        let Planted { problem, truth } = planted(4, 2, 30);
        let units = [1e-50, 1.0, 1e20, 1e-3];
        let scaled: Vec<f64> =
            probes(&problem).chunks(4).flat_map(|x| (0..4).map(|i| x[i] * units[i])).collect();
        let mut summary = Summary::with_least_squares(4).unwrap();
        summary.add(&scaled, problem.targets()).unwrap();
        let x = summary.least_squares().unwrap();
        let back = Mat::from_fn(4, 4, |i, j| x[(i, j)] * units[i] * units[j]);
        assert!((back - truth).norm_l2() < 1e-10);
    }

    #[test]
    fn the_spectral_estimate_closes_in() {
        let Planted { problem, truth } = planted(6, 1, 40_000);
        let mut summary = Summary::new(6).unwrap();
        summary.add(&probes(&problem), problem.targets()).unwrap();
        let error = (summary.spectral_estimate().unwrap() - truth).norm_l2();
        let bound = (3.0 * 10.0 * 12.0 / 160_000f64).sqrt();
        assert!((0.2..1.5).contains(&(error / bound)), "{error} against {bound}");
    }

    #[test]
    fn a_bad_batch_is_an_error_and_changes_nothing() {
        assert!(matches!(Summary::new(0), Err(Error::Parameter { .. })));
        assert!(matches!(Summary::with_least_squares(101), Err(Error::Parameter { .. })));
        let mut summary = Summary::new(2).unwrap();
        assert!(matches!(summary.flat_value(), Err(Error::Empty { .. })));
        assert!(summary.rescaling().is_err() && summary.spectral_estimate().is_err());
        summary.add(&[1.0, 2.0], &[3.0]).unwrap();
        let before = summary.clone();
        for (x, y) in [
            (vec![1.0, 2.0, 3.0], vec![1.0]),
            (vec![1.0, 2.0], vec![1.0, 1.0]),
            (vec![1.0, f64::NAN], vec![1.0]),
            (vec![1.0, 2.0], vec![f64::INFINITY]),
            (vec![1.0, 2.0], vec![-1.0]),
            (vec![1e60, 1e60], vec![1e300]),
            (vec![], vec![]),
        ] {
            assert!(summary.add(&x, &y).is_err());
        }
        assert_eq!(summary.measurements(), before.measurements());
        assert_eq!((&summary.gram, &summary.back), (&before.gram, &before.back));
        assert_eq!(summary.flat_value(), before.flat_value());
        let error = summary.least_squares().unwrap_err();
        assert!(error.to_string().contains("with_least_squares"), "{error}");
    }
}
