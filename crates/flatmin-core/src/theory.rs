//! Where recovery begins: degrees of freedom, the statistical dimension, and how sharp the
//! transition is.
//!
//! With `m` Gaussian measurements of a `d1 x d2` matrix of rank `r`, the program of least nuclear
//! norm recovers it when `m` exceeds the *statistical dimension* of the descent cone of the norm at
//! that matrix, and fails below. Source: D. Amelunxen, M. Lotz, M. McCoy, J. Tropp, *Living on the
//! edge: phase transitions in convex programs with random data*, Information and Inference 3(3),
//! 2014 (arXiv 1303.6672), Theorem II and Proposition 4.7; for sparse vectors and the norm of
//! absolute sums Proposition 4.5.

use crate::error::finite;
use crate::linalg::{Par, max_abs, svd};
use crate::{Error, Mat, MatRef};

/// Dimension `r (d1 + d2 - r)` of the manifold of `d1 x d2` matrices of rank `r`: fewer
/// measurements than this determine no such matrix. A rank above `min(d1, d2)` counts as that.
///
/// ```
/// assert_eq!(flatmin_core::theory::degrees_of_freedom(40, 40, 2), 156);
/// ```
pub fn degrees_of_freedom(rows: usize, cols: usize, rank: usize) -> usize {
    let rank = rank.min(rows).min(cols);
    rank.saturating_mul((rows - rank).saturating_add(cols))
}

/// Dimension `r d - r (r - 1) / 2` of the manifold of symmetric `d x d` matrices of rank `r`: fewer
/// measurements than this determine no such matrix. A rank above `d` counts as that.
///
/// ```
/// use flatmin_core::theory::symmetric_degrees_of_freedom;
/// assert_eq!((symmetric_degrees_of_freedom(40, 2), symmetric_degrees_of_freedom(3, 3)), (79, 6));
/// ```
pub fn symmetric_degrees_of_freedom(order: usize, rank: usize) -> usize {
    let rank = rank.min(order);
    rank.saturating_mul(order) - rank * rank.saturating_sub(1) / 2
}

/// Statistical dimension of the descent cone of the nuclear norm at a `d1 x d2` matrix of rank
/// `r`: the number of Gaussian measurements at which half of the trials recover it. A rank above
/// `min(d1, d2)` counts as that.
///
/// The value is `d1 d2 psi(r/d1, d1/d2)` for `d1 <= d2`, with the limit of large sizes at a fixed
/// aspect ratio
///
/// ```text
/// psi(rho, nu) = inf_{tau >= 0}  rho nu + (1 - rho nu) [ rho (1 + tau^2) + (1 - rho) I(tau) ]
/// I(tau)  = int_tau^{a+} (u - tau)^2 phi(u) du,      phi(u) = sqrt((u^2 - a-^2)(a+^2 - u^2)) / (pi y u)
/// a±  = 1 ± sqrt(y),   y = (nu - rho nu) / (1 - rho nu)
/// ```
///
/// where `phi` is the Marchenko-Pastur law of the singular values of a Gaussian
/// `(d1 - r) x (d2 - r)` block divided by `sqrt(d2 - r)`, and `tau` scales the subdifferential. The
/// finite-size bound `min_tau E dist^2(G, tau * subdifferential)` is larger by a relative
/// `0.3/d1` or so.
///
/// ```
/// use flatmin_core::theory::{degrees_of_freedom, statistical_dimension};
/// let transition = statistical_dimension(40, 40, 2);
/// assert!((transition - 323.43).abs() < 0.01);
/// assert!((transition / degrees_of_freedom(40, 40, 2) as f64 - 2.07).abs() < 0.01);
/// ```
pub fn statistical_dimension(rows: usize, cols: usize, rank: usize) -> f64 {
    let (short, long) = (rows.min(cols) as f64, rows.max(cols) as f64);
    let rank = rank.min(rows).min(cols) as f64;
    if rank == 0.0 {
        // Every direction increases the norm at zero.
        return 0.0;
    }
    if rank == short {
        return short * long;
    }
    let (rho, nu) = (rank / short, short / long);
    let law = SingularValueLaw { y: (nu - rho * nu) / (1.0 - rho * nu) };
    // The bracket is convex in tau; half its derivative, rho tau - (1 - rho) E (u - tau)_+, is
    // increasing and changes sign on [0, a+].
    let (mut low, mut high) = (0.0, law.largest());
    for _ in 0..60 {
        let tau = 0.5 * (low + high);
        if rho * tau < (1.0 - rho) * law.excess(tau, 1) {
            low = tau;
        } else {
            high = tau;
        }
    }
    let tau = 0.5 * (low + high);
    let bracket = rho * (1.0 + tau * tau) + (1.0 - rho) * law.excess(tau, 2);
    short * long * (rho * nu + (1.0 - rho * nu) * bracket)
}

/// Half-width `sqrt(8 log(4/eta)) sqrt(d1 d2)` of the band of measurement numbers around
/// [`statistical_dimension`] outside which Gaussian measurements are *proved* to recover (above),
/// or to fail (below), with probability at least `1 - eta` (Theorem II). The band is generous;
/// [`transition_deviation`] is the scale on which the transition is seen to happen.
///
/// # Errors
/// When `eta` is not inside `(0, 1)`.
///
/// ```
/// let width = flatmin_core::theory::transition_width(40, 40, 0.5)?;
/// assert!((width - 40.0 * (8.0 * 8f64.ln()).sqrt()).abs() < 1e-12);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub fn transition_width(rows: usize, cols: usize, eta: f64) -> Result<f64, Error> {
    if !(eta > 0.0 && eta < 1.0) {
        return Err(Error::Parameter {
            name: "eta",
            rule: "a probability inside (0, 1)",
            got: eta.to_string(),
        });
    }
    Ok((8.0 * (4.0 / eta).ln() * rows as f64 * cols as f64).sqrt())
}

/// Bound `sqrt(2 min(delta, d1 d2 - delta))` on the standard deviation of the transition, in
/// measurements, at the statistical dimension `delta`.
///
/// The frequency of success at `m` is, up to one measurement, the distribution function of the
/// cone's intrinsic-volume variable, whose mean is `delta` and whose variance is at most twice the
/// smaller of `delta` and `d1 d2 - delta`: M. McCoy, J. Tropp, *From Steiner formulas for cones to
/// concentration of intrinsic volumes*, Discrete and Computational Geometry 51, 2014
/// (arXiv 1308.5265).
///
/// ```
/// assert!((flatmin_core::theory::transition_deviation(40, 40, 2) - 25.4).abs() < 0.1);
/// ```
pub fn transition_deviation(rows: usize, cols: usize, rank: usize) -> f64 {
    let delta = statistical_dimension(rows, cols, rank);
    (2.0 * delta.min(rows as f64 * cols as f64 - delta)).max(0.0).sqrt()
}

/// Coherence `mu` of a matrix of rank `r` with thin singular vectors `U`, `V`: the larger of
/// `d1/r max_i |U_i|^2` and `d2/r max_j |V_j|^2`, between 1 (spread out) and `max(d1, d2)/r`
/// (concentrated). The zero matrix has none and gives 0.
///
/// The rank is numerical: singular values above `max(d1, d2)` rounding errors of the largest count.
/// Source: E. Candès, B. Recht, *Exact matrix completion via convex optimization*, Foundations of
/// Computational Mathematics 9, 2009.
///
/// ```
/// use flatmin_core::{Mat, theory::incoherence};
/// assert!((incoherence(Mat::full(4, 6, 1.0).as_ref())? - 1.0).abs() < 1e-12);
/// let one_entry = Mat::from_fn(4, 6, |i, j| if (i, j) == (1, 2) { 1.0 } else { 0.0 });
/// assert!((incoherence(one_entry.as_ref())? - 6.0).abs() < 1e-12);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When an entry is not finite (the error's index counts column by column).
pub fn incoherence(matrix: MatRef<'_, f64>) -> Result<f64, Error> {
    let entries: Vec<f64> = matrix.col_iter().flat_map(|c| c.iter().copied()).collect();
    finite("the matrix", &entries)?;
    // The factorisation wants squares inside double precision.
    let scale = max_abs(&entries);
    if scale == 0.0 {
        return Ok(0.0);
    }
    let (rows, cols) = matrix.shape();
    let scaled = Mat::from_fn(rows, cols, |i, j| matrix[(i, j)] / scale);
    let svd = svd(scaled.as_ref(), Par::Seq)?;
    let floor = rows.max(cols) as f64 * f64::EPSILON * svd.s[0];
    let rank = svd.s.iter().filter(|&&s| s > floor).count();
    let coherence = |frame: MatRef<'_, f64>| {
        let largest = (0..frame.nrows())
            .map(|i| frame.row(i).iter().take(rank).map(|v| v * v).sum::<f64>())
            .fold(0.0, f64::max);
        largest * frame.nrows() as f64 / rank as f64
    };
    Ok(coherence(svd.u.as_ref()).max(coherence(svd.v.as_ref())))
}

/// `E dist^2(G, t S)` for a Gaussian `d1 x d2` matrix `G` and the subdifferential `S` of the nuclear
/// norm at a matrix of rank `r`, by the limit law of [`statistical_dimension`], which is the least
/// value over `t >= 0`. A rank above `min(d1, d2)` counts as that, a negative `t` as 0.
///
/// ```text
/// E dist^2(G, t S) = r (d1 + d2 - r) + r t^2 + E sum (s_i - t)_+^2,      s the singular values of the
///                                                                        Gaussian (d1 - r) x (d2 - r) block
/// ```
///
/// ```
/// use flatmin_core::theory::{nuclear_distance, statistical_dimension};
/// assert!((nuclear_distance(40, 40, 2, 0.0) / 1600.0 - 1.0).abs() < 1e-9);
/// let least = (0..200).map(|k| nuclear_distance(40, 40, 2, 0.1 * f64::from(k)));
/// let least = least.fold(f64::INFINITY, f64::min);
/// assert!((least / statistical_dimension(40, 40, 2) - 1.0).abs() < 1e-4);
/// ```
pub fn nuclear_distance(rows: usize, cols: usize, rank: usize, t: f64) -> f64 {
    let (short, long) = (rows.min(cols), rows.max(cols));
    let rank = rank.min(short);
    let t = t.max(0.0);
    let dof = degrees_of_freedom(rows, cols, rank) as f64;
    let (short, long, rank) = ((short - rank) as f64, (long - rank) as f64, rank as f64);
    if short == 0.0 {
        return dof + rank * t * t;
    }
    let law = SingularValueLaw { y: short / long };
    dof + rank * t * t + short * long * law.excess(t / long.sqrt(), 2)
}

/// `E dist^2(g, t S)` for a Gaussian vector `g` of length `n` and the subdifferential `S` of the
/// norm `sum |x_i|` at a vector with `s` nonzero entries (`s` may be a fraction of one, as the mean
/// of a random number; it is held within `[0, n]`, and `t` above 0).
///
/// ```text
/// E dist^2(g, t S) = s (1 + t^2) + (n - s) sqrt(2/pi) int_t^inf (u - t)^2 exp(-u^2/2) du
/// ```
///
/// ```
/// use flatmin_core::theory::sparse_distance;
/// assert!((sparse_distance(100.0, 7.0, 0.0) - 100.0).abs() < 1e-12);
/// assert!((sparse_distance(100.0, 7.0, 40.0) - 7.0 * 1601.0).abs() < 1e-9);
/// ```
pub fn sparse_distance(length: f64, nonzeros: f64, t: f64) -> f64 {
    let (s, t) = (nonzeros.min(length).max(0.0), t.max(0.0));
    s * (1.0 + t * t) + (length - s) * absolute_excess(t, 2)
}

/// Statistical dimension of the descent cone of the norm `sum |x_i|` at a vector of length `n` with
/// `s` nonzero entries: the number of Gaussian measurements at which half of the trials recover it.
/// What was said of `s` for [`sparse_distance`] holds here.
///
/// The value is `n psi(s/n)`, the limit of long vectors, with
///
/// ```text
/// psi(rho) = inf_{tau >= 0}  rho (1 + tau^2) + (1 - rho) sqrt(2/pi) int_tau^inf (u - tau)^2 exp(-u^2/2) du
/// ```
///
/// It is an upper bound for every `n`, at most `2 sqrt(n/s)` too large (Proposition 4.5).
///
/// ```
/// use flatmin_core::theory::sparse_statistical_dimension;
/// // Half of the entries: about 0.83 measurements an entry.
/// assert!((sparse_statistical_dimension(1000.0, 500.0) - 831.3).abs() < 0.1);
/// assert_eq!(sparse_statistical_dimension(1000.0, 0.0), 0.0);
/// assert_eq!(sparse_statistical_dimension(1000.0, 1000.0), 1000.0);
/// ```
pub fn sparse_statistical_dimension(length: f64, nonzeros: f64) -> f64 {
    let rho = nonzeros / length;
    if nonzeros.is_nan() || nonzeros <= 0.0 || length <= 0.0 {
        return 0.0;
    }
    if rho >= 1.0 {
        return length;
    }
    // Half the derivative of the bracket is increasing in tau and positive at the upper end, unless
    // rho is below exp(-800).
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let tau = 0.5 * (low + high);
        if rho * tau < (1.0 - rho) * absolute_excess(tau, 1) {
            low = tau;
        } else {
            high = tau;
        }
    }
    sparse_distance(length, nonzeros, 0.5 * (low + high))
}

/// `E (|g| - tau)_+^power` of a standard normal number.
fn absolute_excess(tau: f64, power: i32) -> f64 {
    // Ten deviations beyond tau nothing is left that double precision could tell.
    let scale = (2.0 * std::f64::consts::FRAC_1_PI).sqrt();
    scale * integrate(10.0, |v| v.powi(power) * (-0.5 * (tau + v).powi(2)).exp())
}

/// The limiting law of the singular values of a Gaussian `y n x n` matrix divided by `sqrt(n)`.
struct SingularValueLaw {
    y: f64,
}

impl SingularValueLaw {
    /// `a+ = 1 + sqrt(y)`.
    fn largest(&self) -> f64 {
        1.0 + self.y.sqrt()
    }

    /// `E (u - tau)_+^power`.
    ///
    /// With `u^2 = 1 + y + 2 sqrt(y) cos(theta)` the density becomes
    /// `(2/pi) sin^2(theta) / u^2 dtheta`, free of square roots at the edges.
    fn excess(&self, tau: f64, power: i32) -> f64 {
        let root = self.y.sqrt();
        // 1 + y + 2 sqrt(y) cos(theta), without cancellation where it nearly vanishes.
        let square = |theta: f64| {
            let cos = (0.5 * theta).cos();
            (1.0 - root).powi(2) + 4.0 * root * cos * cos
        };
        let end = ((tau * tau - 1.0 - self.y) / (2.0 * root)).clamp(-1.0, 1.0).acos();
        integrate(end, |theta| {
            let square = square(theta);
            if square == 0.0 {
                return 0.0;
            }
            let excess = (square.sqrt() - tau).max(0.0);
            std::f64::consts::FRAC_2_PI * theta.sin().powi(2) / square * excess.powi(power)
        })
    }
}

/// Integral over `[0, end]` by the double-exponential rule: it resolves the upper end, where the
/// law of a nearly square matrix varies on the scale of `a-`.
fn integrate(end: f64, f: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 1.0 / 32.0;
    const REACH: i32 = 104;
    let half_pi = std::f64::consts::FRAC_PI_2;
    let sum: f64 = (-REACH..=REACH)
        .map(|k| {
            let t = STEP * f64::from(k);
            let s = half_pi * t.sinh();
            // x = end (1 + tanh s) / 2.
            let x = end / (1.0 + (-2.0 * s).exp());
            f(x) * half_pi * t.cosh() / s.cosh().powi(2)
        })
        .sum();
    0.5 * end * STEP * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::singular_values;
    use crate::planted::low_rank;
    use crate::rng::{Role, Stream};

    /// The bound that the formula is the limit of, `min_tau E dist^2(G, tau S)` with `S` the
    /// subdifferential, from random matrices: no Marchenko-Pastur law in it.
    fn by_simulation(rows: usize, cols: usize, rank: usize) -> f64 {
        let mut stream = Stream::new(17, "theory", 0, 0, Role::Probe);
        let draws: Vec<Vec<f64>> = (0..200)
            .map(|_| {
                let g = stream.gaussian_matrix(rows - rank, cols - rank);
                singular_values(g.as_ref(), Par::Seq).unwrap()
            })
            .collect();
        let value = |tau: f64| {
            let tail: f64 =
                draws.iter().flatten().map(|s| (s - tau).max(0.0).powi(2)).sum::<f64>() / 200.0;
            degrees_of_freedom(rows, cols, rank) as f64 + rank as f64 * tau * tau + tail
        };
        let grid = (0..400).map(|k| 3.0 * (rows.max(cols) as f64).sqrt() * f64::from(k) / 400.0);
        grid.map(value).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn agrees_with_simulated_distances_to_order_one_over_d() {
        for (rows, cols, rank) in
            [(20, 20, 2), (40, 40, 2), (40, 80, 2), (80, 40, 2), (30, 31, 3), (10, 60, 3)]
        {
            let (formula, simulated) =
                (statistical_dimension(rows, cols, rank), by_simulation(rows, cols, rank));
            let relative = (simulated - formula) / formula * rows.min(cols) as f64;
            assert!((-0.1..0.4).contains(&relative), "{rows} x {cols}, {rank}: {relative}");
        }
    }

    /// Values of a midpoint rule with 400 000 nodes and bisection, computed outside this crate.
    #[test]
    fn agrees_with_an_independent_quadrature() {
        for (rows, cols, rank, value) in [
            (10, 10, 1, 35.114428),
            (40, 40, 10, 1048.392030),
            (40, 80, 2, 505.031565),
            (30, 31, 3, 322.561992),
            (10, 100, 3, 533.314760),
            (10, 20, 9, 198.925147),
            (100, 101, 40, 8390.447404),
        ] {
            approx::assert_relative_eq!(
                statistical_dimension(rows, cols, rank),
                value,
                max_relative = 2e-8
            );
        }
    }

    #[test]
    fn is_monotone_symmetric_and_right_at_the_ends() {
        for (rows, cols) in [(1, 1), (1, 7), (12, 12), (12, 13), (9, 40), (200, 201)] {
            assert_eq!(statistical_dimension(rows, cols, 0), 0.0);
            let short = rows.min(cols);
            let mut last = 0.0;
            for rank in 1..=short {
                let value = statistical_dimension(rows, cols, rank);
                assert_eq!(value, statistical_dimension(cols, rows, rank));
                assert!(value > last && value >= degrees_of_freedom(rows, cols, rank) as f64);
                last = value;
            }
            assert_eq!(last, (rows * cols) as f64);
            assert_eq!(statistical_dimension(rows, cols, short + 3), last);
            assert_eq!(transition_deviation(rows, cols, short), 0.0);
        }
        assert_eq!(degrees_of_freedom(0, 0, 5), 0);
        assert_eq!(statistical_dimension(0, 3, 1), 0.0);
    }

    #[test]
    fn the_law_has_unit_mass_and_second_moment() {
        for y in [1e-3, 0.3, 0.97, 1.0 - 1e-9, 1.0] {
            let law = SingularValueLaw { y };
            approx::assert_relative_eq!(law.excess(0.0, 0), 1.0, max_relative = 1e-6);
            approx::assert_relative_eq!(law.excess(0.0, 2), 1.0, max_relative = 1e-9);
        }
    }

    const PSI: [(f64, f64); 6] = [
        (0.001, 0.00945796149391),
        (0.01, 0.0612439594364),
        (0.1, 0.328793505454),
        (0.25, 0.582857614441),
        (0.5, 0.831299905706),
        (0.9, 0.993620232236),
    ];

    /// The distance that the integrals stand for, from random vectors.
    #[test]
    fn sparse_distances_agree_with_simulated_ones() {
        let mut stream = Stream::new(17, "theory", 0, 1, Role::Probe);
        let (n, s, trials) = (40, 6, 20_000);
        for t in [0.0_f64, 0.5, 1.3, 2.5] {
            let mut sum = 0.0;
            for _ in 0..trials {
                let g = stream.gaussian_vector(n);
                let on = g[..s].iter().map(|g| (g - t).powi(2)).sum::<f64>();
                let off = g[s..].iter().map(|g| (g.abs() - t).max(0.0).powi(2)).sum::<f64>();
                sum += on + off;
            }
            let (mean, exact) = (sum / f64::from(trials), sparse_distance(n as f64, s as f64, t));
            // Deviation of the mean: below sqrt(2 n + 4 s t^2 + ...) / sqrt(trials), about 0.1.
            assert!((mean - exact).abs() < 0.4, "{t}: {mean} against {exact}");
        }
    }

    /// Closed forms of the moments, `E (|g| - t)_+ = 2 (phi - t Q)` and so on, at `t = 1`, where
    /// `Q(1) = 0.158655253931457`.
    #[test]
    fn moments_beyond_a_threshold_have_their_closed_forms() {
        let (phi, q) = (0.241970724519143, 0.158655253931457);
        approx::assert_relative_eq!(absolute_excess(0.0, 2), 1.0, max_relative = 1e-12);
        approx::assert_relative_eq!(absolute_excess(1.0, 1), 2.0 * (phi - q), max_relative = 1e-12);
        approx::assert_relative_eq!(
            absolute_excess(1.0, 2),
            2.0 * (2.0 * q - phi),
            max_relative = 1e-12
        );
    }

    /// Values of `psi` by bisection on its stationarity with the error function, computed outside
    /// this crate.
    #[test]
    fn the_sparse_dimension_agrees_with_an_independent_computation() {
        for (rho, psi) in PSI {
            let found = sparse_statistical_dimension(1.0, rho);
            approx::assert_relative_eq!(found, psi, max_relative = 1e-9);
        }
        let mut last = 0.0;
        for s in 1..=50 {
            let value = sparse_statistical_dimension(50.0, f64::from(s));
            assert!(value > last && value > f64::from(s) - 1e-12);
            last = value;
        }
        assert_eq!(last, 50.0);
        for (length, nonzeros) in [(0.0, 0.0), (0.0, 3.0), (5.0, -1.0), (5.0, f64::NAN)] {
            assert_eq!(sparse_statistical_dimension(length, nonzeros), 0.0);
        }
    }

    #[test]
    fn the_least_distance_is_the_statistical_dimension() {
        for (rows, cols, rank) in [(1, 1, 1), (20, 20, 2), (20, 31, 3), (31, 20, 3), (9, 9, 9)] {
            let least = (0..4000)
                .map(|k| nuclear_distance(rows, cols, rank, 0.01 * f64::from(k)))
                .fold(f64::INFINITY, f64::min);
            let dimension = statistical_dimension(rows, cols, rank);
            approx::assert_relative_eq!(least, dimension, max_relative = 1e-6);
        }
        assert_eq!(nuclear_distance(0, 3, 1, 1.0), 0.0);
    }

    #[test]
    fn incoherence_is_scale_free_and_within_its_range() {
        let mut stream = Stream::new(21, "theory", 0, 0, Role::Truth);
        for (rows, cols, rank) in [(1, 1, 1), (20, 12, 2), (12, 20, 3), (9, 9, 9)] {
            let m = low_rank(rows, cols, rank, &mut stream).unwrap();
            let mu = incoherence(m.as_ref()).unwrap();
            let largest = rows.max(cols) as f64 / rank as f64;
            assert!((1.0 - 1e-12..=largest + 1e-12).contains(&mu), "{mu}");
            let small = Mat::from_fn(rows, cols, |i, j| 1e-200 * m[(i, j)]);
            approx::assert_relative_eq!(
                incoherence(small.as_ref()).unwrap(),
                mu,
                max_relative = 1e-6
            );
            // The basis of a square matrix of full rank has nothing to concentrate.
            if rank == rows && rank == cols {
                approx::assert_relative_eq!(mu, 1.0, max_relative = 1e-12);
            }
        }
        assert_eq!(incoherence(Mat::zeros(3, 2).as_ref()).unwrap(), 0.0);
        assert_eq!(incoherence(Mat::zeros(0, 2).as_ref()).unwrap(), 0.0);
        let bad = Mat::from_fn(2, 2, |i, j| if i + j == 2 { f64::NAN } else { 1.0 });
        assert!(matches!(incoherence(bad.as_ref()), Err(Error::NotFinite { index: 3, .. })));
    }

    #[test]
    fn refuses_what_is_not_a_probability() {
        for eta in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(matches!(
                transition_width(3, 3, eta),
                Err(Error::Parameter { name: "eta", .. })
            ));
        }
    }
}
