//! The penalised line of the theory in the model for which it is derived: a part that is sparse in a
//! basis drawn at random. Douglas-Rachford splitting, so that nothing of the solvers is in it.

use flatmin_core::linalg::{Par, product, scale_columns, svd};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Error, Mat, planted};
use flatmin_rpca::theory::{critical_corruption, critical_corruption_penalised};

const D: usize = 16;
const N: usize = D * D;

/// Whether `min |X|_* + lambda sum |Q^T (y - X)|` returns the planted matrix of rank one, with `wrong`
/// nonzero numbers in the random basis `Q`.
fn recovers(wrong: usize, lambda: f64, trial: u64) -> Result<bool, Error> {
    let stream = |role| Stream::new(1, "random basis", wrong as u64, trial, role);
    let q = svd(stream(Role::Measurements).gaussian_matrix(N, N).as_ref(), Par::Seq)?.u;
    let m = planted::low_rank(D, D, 1, &mut stream(Role::Truth))?;
    // The basis is random, so the first numbers are as good as any.
    let mut noise = stream(Role::Noise);
    let s = Mat::from_fn(N, 1, |k, _| if k < wrong { noise.gaussian() } else { 0.0 });
    let s = product(q.as_ref(), s.as_ref());
    let y = Mat::from_fn(N, 1, |k, _| m[(k % D, k / D)] + s[(k, 0)]);

    let step = 1.0 / D as f64;
    let mut z = Mat::<f64>::zeros(N, 1);
    for _ in 0..800 {
        let matrix = svd(Mat::from_fn(D, D, |i, j| z[(j * D + i, 0)]).as_ref(), Par::Seq)?;
        let kept: Vec<f64> = matrix.s.iter().map(|s| (s - step).max(0.0)).collect();
        let left = scale_columns(matrix.u.as_ref(), &kept);
        let x = product(left.as_ref(), matrix.v.transpose());
        if (&x - &m).norm_l2() < 1e-4 {
            return Ok(true);
        }
        let x = Mat::from_fn(N, 1, |k, _| x[(k % D, k / D)]);
        let reflected = &y - &x - &x + &z;
        let coefficients = product(q.transpose(), reflected.as_ref());
        let shrunk = Mat::from_fn(N, 1, |k, _| {
            let v = coefficients[(k, 0)];
            v.signum() * (v.abs() - step * lambda).max(0.0)
        });
        z = z + &y - product(q.as_ref(), shrunk.as_ref()) - x;
    }
    Ok(false)
}

#[test]
fn recovery_in_a_random_basis_ends_where_theory_says() -> Result<(), Error> {
    // On both sides of the best penalty, where the constrained line, at 0.41, is far away.
    for lambda in [0.12, 0.5] {
        let line = critical_corruption_penalised(D, D, 1, lambda);
        assert!(line < 0.65 * critical_corruption(D, D, 1));
        let wrong = |fraction: f64| (fraction * N as f64).round() as usize;
        for trial in 0..3 {
            let (below, above) = (wrong(line - 0.08), wrong(line + 0.08));
            assert!(recovers(below, lambda, trial)?, "{below} of {N} at lambda {lambda}");
            assert!(!recovers(above, lambda, trial)?, "{above} of {N} at lambda {lambda}");
        }
    }
    Ok(())
}
