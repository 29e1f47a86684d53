//! What theory predicts, for any probes and for Gaussian ones.

use crate::Covariance;
use flatmin_core::MatRef;

pub use flatmin_core::theory::symmetric_degrees_of_freedom as degrees_of_freedom;

/// `r d`: a constant times this many Gaussian probes are proved to leave the planted matrix as the
/// only positive semidefinite one that fits. The proof leaves the constant open.
///
/// ```
/// assert_eq!(flatmin_covariance::theory::sample_complexity(40, 2), 80);
/// ```
pub fn sample_complexity(order: usize, rank: usize) -> usize {
    rank.saturating_mul(order)
}

/// `sum |x_i|^2 y_i / (m d)`: the flat objective `tr(D X D)` of *every* positive semidefinite
/// matrix that fits, without a solve; an eighth of the scaled trace `tr D2f(L) / d` of the squared
/// error `f(L) = (1/m) sum (x_i^T L L^T x_i - y_i)^2` at any `L` with `A(L L^T) = y`.
///
/// ```
/// use flatmin_covariance::{Covariance, theory::flat_value};
/// let problem = Covariance::from_arrays(2, vec![1.0, 1.0, 0.0, 2.0], vec![3.0, 4.0])?;
/// assert_eq!(flat_value(&problem), (2.0 * 3.0 + 4.0 * 4.0) / 4.0);
/// # Ok::<(), flatmin_covariance::Error>(())
/// ```
pub fn flat_value(problem: &Covariance) -> f64 {
    flat_dual(problem).iter().zip(problem.targets()).map(|(w, y)| w * y).sum()
}

/// `|x_i|^2 / (m d)`, one a probe: a dual vector that proves [`flat_value`] to be the least flat
/// objective, since `D^{-1} A*(.) D^{-1} = I` for it.
///
/// ```
/// use flatmin_covariance::{Covariance, theory::flat_dual};
/// let problem = Covariance::from_arrays(2, vec![1.0, 1.0, 0.0, 2.0], vec![3.0, 4.0])?;
/// assert_eq!(flat_dual(&problem), [0.5, 1.0]);
/// # Ok::<(), flatmin_covariance::Error>(())
/// ```
pub fn flat_dual(problem: &Covariance) -> Vec<f64> {
    let probes = problem.map().left();
    let scale = (probes.nrows() * probes.ncols()) as f64;
    probes.col_iter().map(|x| x.iter().map(|v| v * v).sum::<f64>() / scale).collect()
}

/// What Gaussian probes make of [`flat_value`] on average, `(1 + 2/d) tr M`, as
/// `E |x|^2 x x^T = (d + 2) I`: the flat objective is, up to sampling, the trace.
///
/// ```
/// assert_eq!(flatmin_covariance::theory::expected_flat_value(4, 2.0), 3.0);
/// ```
pub fn expected_flat_value(order: usize, trace: f64) -> f64 {
    (1.0 + 2.0 / order as f64) * trace
}

/// Trace of the Hessian of `f(L) = (1/m) sum (x_i^T L L^T x_i - y_i)^2` at `L` (`d x k`), averaged over
/// Gaussian probes, for a planted `M` of trace `trace`: `(d + 2) (8 |L|_F^2 + 4 k (|L|_F^2 - tr M))`, by
/// `E |x|^2 x x^T = (d + 2) I`. The second term vanishes where `L L^T = M`.
///
/// ```
/// use flatmin_covariance::{Mat, theory::population_trace};
/// // E x^4 (l^2 - 1)^2 at l = 2: 3 (12 l^2 - 4).
/// assert_eq!(population_trace(Mat::full(1, 1, 2.0).as_ref(), 1.0), 132.0);
/// ```
pub fn population_trace(l: MatRef<'_, f64>, trace: f64) -> f64 {
    let (d, k) = (l.nrows() as f64, l.ncols() as f64);
    let size = l.squared_norm_l2();
    (d + 2.0) * (8.0 * size + 4.0 * k * (size - trace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Planted;
    use flatmin_core::SymmetricLoss;
    use flatmin_core::flatness::check::deviations;
    use flatmin_core::rng::{Role, Stream};

    #[test]
    fn the_flat_value_has_its_mean() {
        const TRIALS: u64 = 400;
        for (order, rank, m) in [(6, 1, 30), (3, 2, 30), (1, 1, 90)] {
            let mut ratio = 0.0;
            for trial in 0..TRIALS {
                let stream = |role| Stream::new(5, "covariance theory", 0, trial, role);
                let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
                let Planted { problem, truth } =
                    Planted::gaussian(order, rank, m, &mut t, &mut x).unwrap();
                let trace = (0..order).map(|i| truth[(i, i)]).sum();
                ratio += flat_value(&problem) / expected_flat_value(order, trace);
            }
            ratio /= TRIALS as f64;
            assert!((ratio - 1.0).abs() < 0.05, "{order}: off by {ratio}");
        }
    }

    #[test]
    fn degrees_of_freedom_end_at_all_symmetric_matrices() {
        for order in 0..6 {
            assert_eq!(degrees_of_freedom(order, order), order * (order + 1) / 2);
            assert_eq!(degrees_of_freedom(order, order + 3), order * (order + 1) / 2);
            assert_eq!(degrees_of_freedom(order, 0), 0);
        }
    }

    /// At factors that do not fit the targets.
    #[test]
    fn the_trace_has_its_mean() {
        let mut s = Stream::new(6, "covariance theory", 0, 0, Role::Start);
        let truth_stream = || Stream::new(6, "covariance theory", 0, 0, Role::Truth);
        for (order, rank, k, m) in [(4, 1, 2, 10), (6, 2, 1, 20), (1, 1, 3, 30)] {
            let l = s.gaussian_matrix(order, k);
            // The same planted matrix in every draw.
            let draw = |trial: u64| {
                let mut x = Stream::new(6, "covariance theory", 0, trial, Role::Measurements);
                Planted::gaussian(order, rank, m, &mut truth_stream(), &mut x).unwrap()
            };
            let truth = draw(0).truth;
            let trace = (0..order).map(|i| truth[(i, i)]).sum();
            let drawn = |trial: u64| {
                let Planted { problem, .. } = draw(trial);
                let loss = SymmetricLoss::new(problem.map(), problem.targets(), k, 0).unwrap();
                loss.trace(l.as_ref()).unwrap()
            };
            let off = deviations(population_trace(l.as_ref(), trace), drawn);
            assert!(off.abs() < 3.5, "{order}: {off} standard errors");
        }
    }
}
