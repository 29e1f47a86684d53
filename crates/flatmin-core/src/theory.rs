//! Where recovery begins: degrees of freedom, the statistical dimension, and how sharp the
//! transition is.
//!
//! With `m` Gaussian measurements of a `d1 x d2` matrix of rank `r`, the program of least nuclear
//! norm recovers it when `m` exceeds the *statistical dimension* of the descent cone of the norm at
//! that matrix, and fails below. Source: D. Amelunxen, M. Lotz, M. McCoy, J. Tropp, *Living on the
//! edge: phase transitions in convex programs with random data*, Information and Inference 3(3),
//! 2014 (arXiv 1303.6672), Theorem II and Proposition 4.7.

use crate::Error;

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
    use crate::linalg::{Par, singular_values};
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
