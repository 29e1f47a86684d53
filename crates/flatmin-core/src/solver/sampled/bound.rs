//! An upper bound on the largest eigenvalue of a matrix that is seen through products only.
//!
//! A Ritz value is a lower bound, and proves nothing. But for any `c > 0` and the Chebyshev polynomial
//! `T_k`, the matrix `T = T_k(2 G / c - I)` of a positive semidefinite `G` with largest eigenvalue
//! `lambda >= c` has `|T|_op >= T_k(2 lambda / c - 1)`, and for `s` standard Gaussian vectors `w_i`
//!
//! ```text
//! |T|_op <= beta = alpha (2 / pi)^{1/2} max_i |T w_i|        except with probability alpha^{-s}.
//! ```
//!
//! Hence `lambda <= c (1 + cosh(arcosh(beta) / k)) / 2`, whatever `c`: a poor choice of it makes the
//! bound coarse, never false. With `alpha = 100` and eight vectors the bound fails for one start in
//! `10^16`; the start is drawn from a fixed stream, before the matrix is known.
//!
//! References: Halko, Martinsson, Tropp, *Finding structure with randomness*, SIAM Review 53, 2011,
//! Lemma 4.1; Kuczynski, Wozniakowski, *Estimating the largest eigenvalue by the power and Lanczos
//! algorithms with a random start*, SIAM J. Matrix Anal. Appl. 13, 1992.

use crate::linalg::max_abs;
use crate::linalg::thin::Thin;

/// `alpha`.
const ALPHA: f64 = 100.0;

/// Degree at which a `c` that is too small is recognised.
const EARLY: usize = 3;

/// A bound on the largest eigenvalue of `G`, given by `product`, from eight Gaussian vectors; as
/// soon as one below `enough` is found. Polynomials for `c`, at first `guess`, are tried up to a
/// degree, and then with another `c`. Doubling accuracy beyond that costs twice the products.
pub(super) fn largest_eigenvalue(
    probes: &Thin,
    enough: f64,
    (guess, degree): (f64, usize),
    mut product: impl FnMut(&Thin) -> Thin,
) -> f64 {
    let mut best = f64::INFINITY;
    let mut c = guess;
    let size = largest(probes);
    for _ in 0..4 {
        let mut before = probes.clone();
        let mut now = product(probes);
        now.combine(2.0 / c, -1.0, probes);
        let mut estimate = c;
        for k in 1..=degree {
            let grown = largest(&now);
            if !grown.is_finite() {
                break;
            }
            let beta = ALPHA * (2.0 / std::f64::consts::PI).sqrt() * grown;
            let within = |beta: f64| 0.5 * c * (1.0 + (beta.max(1.0).acosh() / k as f64).cosh());
            best = best.min(within(beta));
            // What the growth itself says, without the factor for bad luck.
            estimate = within(grown / size);
            let hopeless = k >= EARLY && estimate > 1.2 * c;
            if best < enough || hopeless || best < 1.01 * c {
                break;
            }
            // T_{k+1} = 2 (2 G / c - I) T_k - T_{k-1}.
            let mut next = product(&now);
            next.combine(4.0 / c, -2.0, &now);
            next.combine(1.0, -1.0, &before);
            before = std::mem::replace(&mut now, next);
        }
        if best < enough || estimate <= 1.2 * c {
            break;
        }
        c = 1.1 * estimate;
    }
    best
}

/// Largest norm of a column.
fn largest(x: &Thin) -> f64 {
    max_abs(&x.squared_norms()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Role, Stream};

    /// Spectra of which the largest value is known, near the threshold and far from it, clustered
    /// and alone: never below it, and close to it where that matters.
    #[test]
    fn bounds_are_bounds() {
        let n = 400;
        let probes = Stream::new(1, "bound", 0, 0, Role::Probe).gaussian_matrix(n, 8);
        let probes = Thin::from_mat(probes.as_ref());
        for top in [1e-6, 0.04, 0.5, 0.9, 0.97, 1.0, 1.3, 50.0] {
            for bulk in [0.0, 0.3, 0.999] {
                let w: Vec<f64> = (0..n)
                    .map(|i| if i == 7 { top } else { top * bulk * i as f64 / 400.0 })
                    .collect();
                let mut count = 0;
                let bound = largest_eigenvalue(&probes, 1.0 - 1e-6, (0.3, 40), |x| {
                    count += 1;
                    let mut x = x.clone();
                    x.scale_rows(&w);
                    x
                });
                assert!(bound >= top, "{bound} {top}");
                assert!(bound < 1.0 || (top > 0.96 && bound < 1.2 * top), "{top} {bulk}: {bound}");
                assert!(count <= 100, "{top} {bulk}: {count}");
            }
        }
    }
}
