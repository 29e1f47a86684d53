//! Where the low-rank part can be told from the corruptions: what is proved, and guides.
//!
//! With `C` the subdifferential of `|.|_*` at `M`, `D` that of `sum |.|` at `S`, and `n = d1 d2`,
//! the answer depends on how far Gaussian vectors are from multiples of them
//! ([`nuclear_distance`], [`sparse_distance`]):
//!
//! ```text
//! constrained, tau = sum |S|    min_t E dist^2(G, t C) + min_s E dist^2(g, s D)  <  n
//! penalised                     max_a [ F(a)^2 + H(a)^2 ]  <  n
//!     F(a) = min_t sqrt(E dist^2(G, t C)) + t a,     H(a) = min_s sqrt(E dist^2(g, s lambda D)) - s a
//! ```
//!
//! - *Constrained*: proved, up to terms of order `sqrt(n)`, when the sparse part is sparse in a basis
//!   drawn at random (Theorem III of the source of [`statistical_dimension`]; M. McCoy, J. Tropp,
//!   *Sharp recovery bounds for convex demixing, with applications*, Foundations of Computational
//!   Mathematics 14, 2014, arXiv 1205.1580). Here it is sparse in the basis of the entries, so the line
//!   is a guide; recovery is seen to end before it.
//! - *Penalised*: derived in this project for the same random basis; not proved, and right in
//!   simulations of it (`tests/random_basis.rs`). Recovery fails when some direction raises `|.|_*`
//!   at a rate `a` and lowers `lambda sum |.|` faster; the widths `F(a)` and `H(a)` say how much of
//!   the sphere both sets of such directions fill. At the best `lambda` the maximum is at `a = 0`, and
//!   both lines coincide. When instead the *pair* `(M, S)` is seen through `n` Gaussian measurements,
//!   the line is that of one multiple, `min_t E dist^2(G, t C) + E dist^2(g, t lambda D) < n`
//!   (Theorem II of the source of [`statistical_dimension`]): another model, with another line. For
//!   Gaussian measurements of `M` alone, R. Foygel, L. Mackey, *Corrupted sensing*, IEEE Transactions
//!   on Information Theory 60, 2014 (arXiv 1305.2524) give sufficient conditions in the same
//!   distances.
//! - *Any pattern of corruptions*: recovery is proved when no row and no column has more than a
//!   constant times [`line_scale`] of them (Ding, Drusvyatskiy, Fazel, Harchaoui, arXiv 2203.03756);
//!   the constant is not specified.

use flatmin_core::MatRef;
use flatmin_core::theory::{
    nuclear_distance, sparse_distance, sparse_statistical_dimension, statistical_dimension,
};

pub use flatmin_core::theory::{degrees_of_freedom, incoherence};

/// Fraction of entries that may be corrupted, at random places, in a `d1 x d2` matrix of rank `r`
/// for the constrained program to recover it: where the statistical dimensions of the two descent
/// cones add up to `d1 d2`. A guide (see [the module](self)).
///
/// ```
/// use flatmin_rpca::theory::critical_corruption;
/// assert!((critical_corruption(60, 60, 3) - 0.456).abs() < 1e-3);
/// assert_eq!(critical_corruption(60, 60, 60), 0.0);
/// ```
pub fn critical_corruption(rows: usize, cols: usize, rank: usize) -> f64 {
    let n = rows as f64 * cols as f64;
    let left = n - statistical_dimension(rows, cols, rank);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let fraction = 0.5 * (low + high);
        if sparse_statistical_dimension(n, fraction * n) < left {
            low = fraction;
        } else {
            high = fraction;
        }
    }
    if low == 0.0 { 0.0 } else { 0.5 * (low + high) }
}

/// The same for the penalised program at `lambda`, at most that of [`critical_corruption`]. A guide
/// (see [the module](self)). A `lambda` that is not positive gives 0.
///
/// ```
/// use flatmin_rpca::theory::{critical_corruption, critical_corruption_penalised};
/// let lambda = 1.0 / 60f64.sqrt();
/// let penalised = critical_corruption_penalised(60, 60, 3, lambda);
/// assert!(penalised > 0.3 && penalised < critical_corruption(60, 60, 3));
/// ```
pub fn critical_corruption_penalised(rows: usize, cols: usize, rank: usize, lambda: f64) -> f64 {
    let n = rows as f64 * cols as f64;
    let (short, long) = (rows.min(cols) as f64, rows.max(cols) as f64);
    if lambda.is_nan() || lambda <= 0.0 || lambda.is_infinite() || n == 0.0 {
        return 0.0;
    }
    // The largest fraction with H(a) <= w: some s has sqrt(E dist^2) <= w + s a, which is linear in
    // the fraction. Such s form an interval, so the function of s has one maximum.
    let fraction = |a: f64| {
        let nuclear = |u: f64| {
            let t = unbounded(u, long.sqrt());
            nuclear_distance(rows, cols, rank, t).sqrt() + t * a
        };
        let filled = least(nuclear, (0.0, 1.0)).clamp(0.0, n.sqrt());
        let w = (n - filled * filled).max(0.0).sqrt();
        let allowed = |u: f64| {
            let s = unbounded(u, 1.0);
            let (reach, excess) = ((w + s * a / lambda).max(0.0), sparse_distance(1.0, 0.0, s));
            -(reach * reach / n - excess) / (1.0 + s * s - excess)
        };
        -least(allowed, (0.0, 1.0))
    };
    // Rates between that of the fastest fall of the nuclear norm, -|U V^T|_F, and of its steepest
    // mean rise.
    let (low, high) = (-(rank as f64).min(short).sqrt(), short.sqrt());
    const STEPS: usize = 24;
    let at = |k: usize| low + (high - low) * k as f64 / STEPS as f64;
    let best = (1..STEPS).map(|k| (fraction(at(k)), k)).min_by(|a, b| a.0.total_cmp(&b.0));
    let k = best.map_or(1, |(_, k)| k);
    least(fraction, (at(k - 1), at(k + 1))).clamp(0.0, 1.0)
}

/// `[0, 1)` onto `[0, inf)`, one half onto `scale`.
fn unbounded(u: f64, scale: f64) -> f64 {
    scale * u / (1.0 - u)
}

/// Least value inside an interval of a function with one minimum, by golden section.
fn least(f: impl Fn(f64) -> f64, (mut low, mut high): (f64, f64)) -> f64 {
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..40 {
        if fa < fb {
            (high, b, fb) = (b, a, fa);
            a = high - golden * (high - low);
            fa = f(a);
        } else {
            (low, a, fa) = (a, b, fb);
            b = low + golden * (high - low);
            fb = f(b);
        }
    }
    fa.min(fb)
}

/// `min(d1, d2) / (mu r)`: the scale of the number of corruptions a row or a column that the
/// theorem allows, for a matrix of rank `r` and coherence `mu` ([`incoherence`]). Infinite for the
/// zero matrix, which has rank 0.
///
/// ```
/// use flatmin_rpca::theory::line_scale;
/// assert_eq!(line_scale(60, 90, 2, 3.0), 10.0);
/// ```
pub fn line_scale(rows: usize, cols: usize, rank: usize, incoherence: f64) -> f64 {
    if rank == 0 {
        return f64::INFINITY;
    }
    rows.min(cols) as f64 / (incoherence * rank as f64)
}

/// The largest number of nonzero entries in a row or a column of a matrix `S` (`d1 x d2`).
///
/// ```
/// use flatmin_rpca::{Mat, theory::most_per_line};
/// let s = Mat::from_fn(3, 4, |i, j| if i == 0 && j > 1 || j == 0 { 1.0 } else { 0.0 });
/// assert_eq!(most_per_line(s.as_ref()), 3);
/// ```
pub fn most_per_line(sparse: MatRef<'_, f64>) -> usize {
    let rows = sparse.row_iter().map(|r| r.iter().filter(|&&v| v != 0.0).count()).max();
    let cols = sparse.col_iter().map(|c| c.iter().filter(|&&v| v != 0.0).count()).max();
    rows.max(cols).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::Mat;

    #[test]
    fn critical_fractions_fall_with_the_rank() {
        for (rows, cols) in [(20, 20), (20, 45)] {
            let mut last = 1.0;
            for rank in 1..20 {
                let fraction = critical_corruption(rows, cols, rank);
                assert!(fraction < last && fraction > 0.0);
                assert_eq!(fraction, critical_corruption(cols, rows, rank));
                let n = (rows * cols) as f64;
                let sum = statistical_dimension(rows, cols, rank)
                    + sparse_statistical_dimension(n, fraction * n);
                approx::assert_relative_eq!(sum, n, max_relative = 1e-9);
                last = fraction;
            }
            assert_eq!(critical_corruption(rows, cols, 20), 0.0);
            assert!((critical_corruption(rows, cols, 0) - 1.0).abs() < 1e-6);
        }
    }

    /// With the multiples `t`, `s` of least distances `F`, `H`, the maximum is at `a = 0` when
    /// `F t = H s / lambda`: at this `lambda` the penalised program is as good as the constrained one,
    /// and it is worse on both sides.
    #[test]
    fn the_best_penalty_reaches_the_constrained_line() {
        for (rows, cols, rank) in [(40, 40, 2), (40, 40, 8), (30, 60, 3)] {
            let n = (rows * cols) as f64;
            let best = critical_corruption(rows, cols, rank);
            let argmin = |f: &dyn Fn(f64) -> f64, most: f64| {
                let grid = (0..2000).map(|k| most * f64::from(k) / 2000.0);
                grid.map(|t| (f(t), t)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1
            };
            let t = argmin(&|t| nuclear_distance(rows, cols, rank, t), 30.0);
            let s = argmin(&|s| sparse_distance(n, best * n, s), 5.0);
            let f = statistical_dimension(rows, cols, rank).sqrt();
            let lambda = (n - f * f).sqrt() * s / (f * t);
            let at = |factor: f64| critical_corruption_penalised(rows, cols, rank, factor * lambda);
            approx::assert_relative_eq!(at(1.0), best, max_relative = 1e-4);
            assert!(at(0.8) < best * 0.999 && at(1.25) < best * 0.999);
            assert!(at(0.5) < at(0.8) && at(2.0) < at(1.25));
        }
    }

    /// The principle of the penalised line where the answer is known: two affine balls, of dimension
    /// `k` and radius `rho` at distances `p` and `q` from zero, in random position in `n` dimensions.
    /// The point of least norm of the intersection of their spans has squared norm
    /// `(p^2 k1 + q^2 k2) / (k1 + k2 - n)`, and lies in both when their radii allow it.
    #[test]
    fn the_widths_tell_when_random_affine_balls_meet() {
        let (n, k1, k2, p, q) = (1.0_f64, 0.8_f64, 0.9_f64, 1.0_f64, 1.0_f64);
        let norm = (p * p * k1 + q * q * k2) / (k1 + k2 - n);
        // The second radius does not bind.
        let filled = |radius: f64| {
            let first = |t: f64| {
                let rest = (k1.sqrt() - t * radius).max(0.0);
                (n - k1 + t * t * p * p + rest * rest).sqrt()
            };
            let second = |s: f64| (n - k2 + s * s * q * q).sqrt();
            let sum = |a: f64| {
                let f = least(|u| first(unbounded(u, 1.0)) + unbounded(u, 1.0) * a, (0.0, 1.0));
                let h = least(|u| second(unbounded(u, 1.0)) - unbounded(u, 1.0) * a, (0.0, 1.0));
                f * f + h * h
            };
            (1..1000).map(|k| sum(1e-3 * f64::from(k))).fold(0.0, f64::max)
        };
        let exact = (norm - p * p).sqrt();
        assert!((filled(exact) - n).abs() < 1e-5, "{}", filled(exact));
        assert!(filled(1.05 * exact) < n && filled(0.95 * exact) > n);
    }

    #[test]
    fn edges_have_values() {
        for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(critical_corruption_penalised(5, 5, 1, lambda), 0.0);
        }
        assert_eq!(critical_corruption_penalised(0, 5, 1, 0.3), 0.0);
        for lambda in [1e-6, 1e-2, 10.0, 1e6] {
            let fraction = critical_corruption_penalised(12, 15, 3, lambda);
            assert!((0.0..=critical_corruption(12, 15, 3) + 1e-9).contains(&fraction));
        }
        assert!(critical_corruption_penalised(6, 6, 6, 0.4) < 1e-6);
        assert_eq!(line_scale(5, 5, 0, 1.0), f64::INFINITY);
        assert_eq!(most_per_line(Mat::<f64>::zeros(0, 3).as_ref()), 0);
        assert_eq!(most_per_line(Mat::full(2, 3, 1.0).as_ref()), 3);
    }
}
