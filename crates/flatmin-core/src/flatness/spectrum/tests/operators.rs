//! Operators with known spectra, for the tests.

use crate::linalg::{product, thin_qr};
use crate::rng::{Role, Stream};
use crate::{DenseMap, LinearMap, Mat};

/// A symmetric matrix with these eigenvalues and random eigenvectors; the eigenvalues sorted.
pub(in super::super) fn with_values(values: &[f64], seed: u64) -> (Mat<f64>, Vec<f64>) {
    let n = values.len();
    let gaussian = Stream::new(seed, "operators", 0, 0, Role::Truth).gaussian_matrix(n, n);
    let q = thin_qr(gaussian.as_ref()).0;
    let scaled = Mat::from_fn(n, n, |i, j| q[(i, j)] * values[j]);
    let a = product(scaled.as_ref(), q.transpose());
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (Mat::from_fn(n, n, |i, j| 0.5 * (a[(i, j)] + a[(j, i)])), sorted)
}

/// Spectra of order `n` of many kinds, by name.
pub(in super::super) fn spectra(n: usize, seed: u64) -> Vec<(&'static str, Vec<f64>)> {
    let mut stream = Stream::new(seed, "spectra", 0, 0, Role::Truth);
    let mut draw =
        |f: &dyn Fn(&mut Stream, usize) -> f64| (0..n).map(|i| f(&mut stream, i)).collect();
    let uniform = draw(&|s, _| s.uniform());
    let indefinite = draw(&|s, _| s.gaussian());
    let clustered = draw(&|s, i| if i < 5 { 1.0 + 1e-3 * s.uniform() } else { 0.9 * s.uniform() });
    let deficient = draw(&|s, i| if i < n / 3 { 1.0 + s.uniform() } else { 0.0 });
    let line = |i: usize| 0.5 * i as f64 / n as f64;
    let pair = (0..n).map(|i| [1.0, 0.99].get(i).copied().unwrap_or(line(i))).collect();
    let double = (0..n).map(|i| if i < 2 { 1.0 } else { line(i) }).collect();
    let decaying = (0..n).map(|i| ((i + 1) as f64).powi(-2)).collect();
    let negative = (0..n).map(|i| -line(i) - 0.1).collect();
    vec![
        ("uniform", uniform),
        ("indefinite", indefinite),
        ("clustered", clustered),
        ("rank-deficient", deficient),
        ("pair", pair),
        ("double", double),
        ("decaying", decaying),
        ("negative", negative),
    ]
}

/// Hessian of `(1/m) |A(L R^T) - b|^2` at an interpolating pair of rank `rank` padded to `k` columns,
/// `(2/m) J^T J`, for Gaussian measurements; and the leading eigenvector of its expectation.
pub(in super::super) fn sensing_hessian(
    (d, k, m, rank): (usize, usize, usize, usize),
    seed: u64,
) -> (Mat<f64>, Vec<f64>) {
    let mut stream = Stream::new(seed, "sensing Hessian", 0, 0, Role::Truth);
    let mut factor = || {
        let planted = stream.gaussian_matrix(d, rank);
        Mat::from_fn(d, k, |i, j| if j < rank { planted[(i, j)] } else { 0.0 })
    };
    let (l, r) = (factor(), factor());
    let measurements =
        Stream::new(seed, "sensing Hessian", 0, 0, Role::Measurements).gaussian_vector(m * d * d);
    let map = DenseMap::new(d, d, measurements).unwrap();
    let n = 2 * d * k;
    let mut jacobian = Mat::<f64>::zeros(m, n);
    for i in 0..m {
        let a = map.measurement(i);
        let (by_l, by_r) = (product(a.as_ref(), r.as_ref()), product(a.transpose(), l.as_ref()));
        let columns = by_l.col_iter().chain(by_r.col_iter()).flat_map(|c| c.iter());
        columns.enumerate().for_each(|(j, v)| jacobian[(i, j)] = (2.0 / m as f64).sqrt() * v);
    }
    let hessian = product(jacobian.transpose(), jacobian.as_ref());
    let guess = crate::flatness::leading_direction(l.as_ref(), r.as_ref()).unwrap();
    (Mat::from_fn(n, n, |i, j| hessian[(i.max(j), i.min(j))]), guess)
}
