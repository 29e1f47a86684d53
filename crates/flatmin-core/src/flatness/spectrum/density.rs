//! The density of the spectrum, by stochastic Lanczos quadrature.
//!
//! A probe `z` of random signs has `E z^T f(A) z = tr f(A)`, and `s` steps of Lanczos from it give the Gauss
//! rule of its spectral measure: nodes the eigenvalues `theta_i` of `T_s`, weights the squared first
//! components of its eigenvectors,
//!
//! ```text
//! z^T f(A) z ~ n sum_i w_i f(theta_i),      exact for polynomials of degree 2 s - 1
//! ```
//!
//! so the error has two parts: the spread over probes, which [`Integral::std_err`] estimates, and that of the
//! Gauss rule, which falls with the steps as fast as polynomials approximate `f`, and is not in it.
//!
//! References: S. Ubaru, J. Chen, Y. Saad, *Fast estimation of tr f(A) via stochastic Lanczos quadrature*, SIAM
//! J. Matrix Anal. Appl. 38, 2017; B. Ghorbani, S. Krishnan, Y. Xiao, *An investigation into neural net
//! optimization via Hessian eigenvalue density*, ICML 2019.

use super::krylov::Krylov;
use super::{order, unit};
use crate::flatness::SymmetricOperator;
use crate::flatness::operator::image;
use crate::linalg::norm;
use crate::rng::{Role, Stream};
use crate::{Error, Mat};
use std::cmp::Ordering;

/// Settings of stochastic Lanczos quadrature: `probes * steps` products, in blocks of the probes.
///
/// ```
/// use flatmin_core::{Gram, flatness::spectrum::Quadrature};
/// let h = Gram::Diagonal((1..=100).map(|i| i as f64).collect());
/// let density = Quadrature::default().density(&h)?;
/// // A diagonal operator and random signs: no spread over probes.
/// let log_det = density.integrate(f64::ln);
/// let truth: f64 = (1..=100).map(|i| f64::from(i).ln()).sum();
/// assert!((log_det.value - truth).abs() < 1e-2 * truth);
/// assert!((density.cumulative(50.5) - 0.5).abs() < 0.05);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quadrature {
    /// Probe vectors, at least 2: 16.
    pub probes: usize,
    /// Products for each, at least 1: 40. Memory is `probes * steps` vectors of length `n`, for 8 probes at
    /// a time.
    pub steps: usize,
    /// Seed of the probes: 0.
    pub seed: u64,
}

impl Default for Quadrature {
    fn default() -> Quadrature {
        Quadrature { probes: 16, steps: 40, seed: 0 }
    }
}

/// Probes that advance together.
const TOGETHER: usize = 8;

impl Quadrature {
    /// The number of probe vectors.
    #[must_use]
    pub fn probes(mut self, probes: usize) -> Quadrature {
        self.probes = probes;
        self
    }

    /// The products for each.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Quadrature {
        self.steps = steps;
        self
    }

    /// The seed of the probes.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Quadrature {
        self.seed = seed;
        self
    }

    /// Nodes and weights for every probe.
    ///
    /// # Errors
    /// When there are fewer than two probes or no step, the order is zero, or a product is not finite.
    pub fn density(&self, operator: &dyn SymmetricOperator) -> Result<Density, Error> {
        let n = order(operator)?;
        for (name, value, least, rule) in
            [("probes", self.probes, 2, "at least 2"), ("steps", self.steps, 1, "at least 1")]
        {
            if value < least {
                return Err(Error::Parameter { name, rule, got: value.to_string() });
            }
        }
        let mut density = Density { order: n, rules: Vec::with_capacity(self.probes), products: 0 };
        for start in (0..self.probes).step_by(TOGETHER) {
            let columns = start..self.probes.min(start + TOGETHER);
            let spaces = columns.map(|column| Krylov::new(&signs(self.seed, column, n))).collect();
            self.advance(operator, spaces, &mut density)?;
        }
        Ok(density)
    }

    /// All steps for some probes, with one product of a block a step.
    fn advance(
        &self,
        operator: &dyn SymmetricOperator,
        mut spaces: Vec<Krylov>,
        density: &mut Density,
    ) -> Result<(), Error> {
        let n = density.order;
        let mut scale = 1.0;
        for step in 0..self.steps {
            let active: Vec<usize> =
                (0..spaces.len()).filter(|&p| !spaces[p].exhausted()).collect();
            if active.is_empty() {
                break;
            }
            let block = Mat::from_fn(n, active.len(), |i, p| spaces[active[p]].last()[(i, 0)]);
            let images = image(operator, block.as_ref())?;
            density.products += active.len();
            if step == 0 {
                scale = unit(images.norm_max());
            }
            for (p, column) in active.into_iter().zip(images.col_iter()) {
                spaces[p].absorb(column.iter().map(|v| v / scale).collect());
            }
        }
        for space in spaces {
            let ritz = space.ritz()?;
            let weight = |i: usize| ritz.vectors[(0, i)].powi(2);
            let rule =
                ritz.values.iter().enumerate().map(|(i, v)| (v * scale, weight(i))).collect();
            density.rules.push(rule);
        }
        Ok(())
    }
}

/// Probe `column` of `seed`.
fn signs(seed: u64, column: usize, n: usize) -> Vec<f64> {
    let mut stream = Stream::new(seed, "spectral density", 0, column as u64, Role::Probe);
    (0..n).map(|_| if stream.uniform() < 0.5 { -1.0 } else { 1.0 }).collect()
}

/// An estimate of `tr f(A)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Integral {
    /// The mean over probes.
    pub value: f64,
    /// Its standard error over probes.
    pub std_err: f64,
}

/// Nodes and weights of the spectral measure, for every probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Density {
    /// `n`.
    pub order: usize,
    /// Pairs `(theta, w)` of every probe, `theta` nondecreasing; the weights of a probe sum to 1.
    pub rules: Vec<Vec<(f64, f64)>>,
    /// Products with the operator.
    pub products: usize,
}

impl Density {
    /// `tr f(A) = sum f(lambda)`. Between its nodes `f` should be as smooth as the steps can follow.
    pub fn integrate(&self, f: impl Fn(f64) -> f64) -> Integral {
        let n = self.order as f64;
        let of = |rule: &Vec<(f64, f64)>| n * rule.iter().map(|(t, w)| w * f(*t)).sum::<f64>();
        let values: Vec<f64> = self.rules.iter().map(of).collect();
        let probes = values.len() as f64;
        let mean = values.iter().sum::<f64>() / probes;
        let deviations: Vec<f64> = values.iter().map(|v| v - mean).collect();
        Integral { value: mean, std_err: norm(&deviations) / (probes * (probes - 1.0)).sqrt() }
    }

    /// The share of the eigenvalues below `t`, between 0 and 1; half of the weight of a node at `t` counts. A
    /// step function: the distribution of each probe lies between its values on either side of a node
    /// (Chebyshev-Markov-Stieltjes).
    pub fn cumulative(&self, t: f64) -> f64 {
        let share = |node: f64| match node.partial_cmp(&t) {
            Some(Ordering::Less) => 1.0,
            Some(Ordering::Equal) => 0.5,
            _ => 0.0,
        };
        let below =
            |rule: &Vec<(f64, f64)>| rule.iter().map(|(node, w)| w * share(*node)).sum::<f64>();
        self.rules.iter().map(below).sum::<f64>() / self.rules.len() as f64
    }

    /// The density of the eigenvalues on a grid, for plotting: each node becomes a Gaussian of standard
    /// deviation `width`, in the units of the eigenvalues, and the whole integrates to 1.
    ///
    /// # Errors
    /// When the width is not a positive number.
    pub fn smoothed(&self, grid: &[f64], width: f64) -> Result<Vec<f64>, Error> {
        if !(width > 0.0 && width.is_finite()) {
            return Err(Error::Parameter {
                name: "width",
                rule: "positive",
                got: width.to_string(),
            });
        }
        let peak = 1.0 / (width * (2.0 * std::f64::consts::PI).sqrt() * self.rules.len() as f64);
        let nodes = || self.rules.iter().flatten();
        let at = |t: &f64| {
            nodes().map(|(node, w)| w * (-0.5 * ((t - node) / width).powi(2)).exp()).sum::<f64>()
        };
        Ok(grid.iter().map(|t| peak * at(t)).collect())
    }

    /// The least and the largest node: within the spectrum, near its ends.
    pub fn range(&self) -> (f64, f64) {
        let nodes = self.rules.iter().flatten().map(|(node, _)| *node);
        nodes.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::operators::{spectra, with_values};
    use super::*;
    use crate::Gram;
    use crate::linalg::inner;

    /// Gauss rules: `z^T A^p z` for every probe, up to degree `2 s - 1`.
    #[test]
    fn moments_of_every_probe_are_exact() {
        for (name, values) in spectra(40, 5) {
            let (a, _) = with_values(&values, 5);
            let (steps, probes) = (4, 11);
            let settings = Quadrature::default().steps(steps).probes(probes).seed(7);
            let density = settings.density(&Gram::Dense(a.clone())).unwrap();
            assert_eq!((density.rules.len(), density.products), (probes, steps * probes));
            for (column, rule) in density.rules.iter().enumerate() {
                let z = signs(7, column, 40);
                let z = Mat::from_fn(40, 1, |i, _| z[i]);
                let mut power = z.clone();
                for degree in 0..2 * steps {
                    let exact = inner(z.as_ref(), power.as_ref());
                    let sum =
                        40.0 * rule.iter().map(|(t, w)| w * t.powi(degree as i32)).sum::<f64>();
                    let size = power.norm_l2() * z.norm_l2();
                    assert!((sum - exact).abs() < 1e-12 * size, "{name}, degree {degree}");
                    power = &a * &power;
                }
            }
        }
    }

    /// Two standard errors cover the trace for about 95 of 100 seeds, with 16 probes for 92 (Student).
    #[test]
    fn standard_errors_cover() {
        let (a, values) = with_values(&spectra(60, 2)[0].1, 2);
        let truth: f64 = values.iter().map(|v| (-v).exp()).sum();
        let h = Gram::Dense(a);
        let covered = (0..400)
            .map(|seed| Quadrature::default().steps(12).seed(seed).density(&h).unwrap())
            .map(|density| density.integrate(|t| (-t).exp()))
            .filter(|found| (found.value - truth).abs() <= 2.0 * found.std_err)
            .count();
        assert!((360..=388).contains(&covered), "{covered} of 400");
    }

    /// At full order each rule is the spectral measure of its probe: the distribution function and the
    /// smoothed density against those of the eigenvalues.
    #[test]
    fn distribution_and_density_are_those_of_the_eigenvalues() {
        let (a, values) = with_values(&spectra(80, 4)[1].1, 4);
        let density = Quadrature::default().probes(64).steps(80).density(&Gram::Dense(a)).unwrap();
        let mut last = 0.0;
        for t in (-30..=30).map(|t| 0.1 * f64::from(t)) {
            let share = values.iter().filter(|v| **v <= t).count() as f64 / 80.0;
            let estimate = density.cumulative(t);
            assert!(
                estimate >= last && (estimate - share).abs() < 0.05,
                "at {t}: {estimate}, {share}"
            );
            last = estimate;
        }
        assert_eq!((density.cumulative(-1e9), density.range().0 >= values[0] - 1e-12), (0.0, true));
        assert!((density.cumulative(1e9) - 1.0).abs() < 1e-13);
        let step = 0.01;
        let grid: Vec<f64> = (-800..=800).map(|i| step * f64::from(i)).collect();
        let smooth = density.smoothed(&grid, 0.3).unwrap();
        assert!((step * smooth.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let peak = 1.0 / (0.3 * (2.0 * std::f64::consts::PI).sqrt() * 80.0);
        for (t, s) in grid.iter().zip(&smooth) {
            let exact =
                values.iter().map(|v| (-0.5 * ((t - v) / 0.3).powi(2)).exp()).sum::<f64>() * peak;
            assert!((s - exact).abs() < 0.05, "at {t}: {s}, {exact}");
        }
        assert!(
            density.smoothed(&grid, 0.0).is_err() && density.smoothed(&grid, f64::NAN).is_err()
        );
    }

    #[test]
    fn a_probe_depends_on_seed_and_column_alone() {
        let (a, _) = with_values(&spectra(30, 4)[0].1, 4);
        let h = Gram::Dense(a);
        let of = |probes, seed| {
            Quadrature::default().probes(probes).steps(5).seed(seed).density(&h).unwrap()
        };
        assert_eq!(of(16, 1), of(16, 1));
        assert_eq!(of(16, 1).rules[..8], of(8, 1).rules[..]);
        assert_ne!(of(8, 1).rules, of(8, 2).rules);
    }

    #[test]
    fn degenerate_operators_and_scales() {
        for (h, value) in [
            (vec![0.0; 4], 0.0),
            (vec![-2.0], -2.0),
            (vec![1e150; 6], 1e150),
            (vec![1e-150; 6], 1e-150),
        ] {
            let n = h.len() as f64;
            let density = Quadrature::default().density(&Gram::Diagonal(h)).unwrap();
            let trace = density.integrate(|t| t);
            assert!((trace.value - n * value).abs() <= 1e-13 * n * value.abs());
            assert!(trace.std_err <= 1e-13 * n * value.abs());
            // An eigenvector at the first step: the space is exhausted.
            assert_eq!(density.products, 16);
        }
        let h = Gram::Diagonal(vec![1.0; 3]);
        assert!(Quadrature::default().probes(1).density(&h).is_err());
        assert!(Quadrature::default().steps(0).density(&h).is_err());
    }
}
