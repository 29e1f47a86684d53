//! How far `B(Z)` may be from `b`, and what that costs.
//!
//! | form | misfit `e = b - B(Z)` | dual objective | at the solution |
//! |---|---|---|---|
//! | exact | `e = 0` | `<b, y>` | |
//! | penalised | costs `\|e\|^2 / (2 rho)` | `<b, y> - (rho / 2) \|y\|^2` | `e = rho y` |
//! | bounded | `\|e\| <= delta` | `<b, y> - delta \|y\|` | `e = (delta / \|y\|) y` |
//!
//! In each the misfit is `e = g(y)`, the gradient of what the dual objective takes off `<b, y>`. The
//! bounded form is the penalised one at `rho = delta / |y|`, since
//!
//! ```text
//! delta |y| = min_rho (rho / 2) |y|^2 + delta^2 / (2 rho).
//! ```
//!
//! Duality for a bound on the misfit: for `|e| <= delta` and `|B*(y)|_op <= 1`,
//! `<b, y> - delta |y| <= <b - e, y> = <Z, B*(y)> <= |Z|_*`.

use super::exact::LARGEST_CONE;
use super::linear::LARGEST_SYSTEM;
use crate::linalg::{kernel::dot, norm};
use crate::operator::Dims;
use crate::{Error, Mat};

/// What a form allows the misfit `b - B(Z)` to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Slack {
    /// Nothing.
    Exact,
    /// Anything, at the price `|e|^2 / (2 rho)`.
    Ridge(f64),
    /// Up to `delta` in norm.
    Ball(f64),
}

impl Slack {
    /// What a misfit of this norm costs.
    pub(super) fn cost(self, misfit: f64) -> f64 {
        match self {
            Slack::Ridge(rho) => misfit * misfit / (2.0 * rho),
            _ => 0.0,
        }
    }

    /// By how much a misfit of this norm is too large.
    pub(super) fn excess(self, misfit: f64) -> f64 {
        match self {
            Slack::Exact => misfit,
            Slack::Ridge(_) => 0.0,
            Slack::Ball(delta) => (misfit - delta).max(0.0),
        }
    }

    /// What the dual objective takes off `<b, y>`.
    pub(super) fn dual_cost(self, y: &[f64]) -> f64 {
        match self {
            Slack::Exact => 0.0,
            Slack::Ridge(rho) => 0.5 * rho * dot(y, y),
            Slack::Ball(delta) => delta * norm(y),
        }
    }

    /// The `rho` with `g(y) = rho y`.
    pub(super) fn weight(self, y: &[f64]) -> f64 {
        match self {
            Slack::Exact => 0.0,
            Slack::Ridge(rho) => rho,
            Slack::Ball(delta) => delta / norm(y).max(f64::MIN_POSITIVE),
        }
    }

    /// The best multiple of a dual vector `y`, up to `longest`, from `<b, y>` and `|y|^2`.
    pub(super) fn multiple(self, along: f64, squares: f64, longest: f64) -> f64 {
        match self {
            Slack::Exact => longest.min(1.0),
            Slack::Ridge(rho) => {
                let best = along / (rho * squares).max(f64::MIN_POSITIVE);
                best.clamp(0.0, longest)
            }
            Slack::Ball(delta) if along > delta * squares.sqrt() => longest.min(1.0),
            Slack::Ball(_) => 0.0,
        }
    }

    /// The Jacobian of `g` at `y`: `rho I`, and in the bounded form `rho (I - y y^T / |y|^2)`.
    pub(super) fn curvature(self, y: &[f64]) -> Curvature {
        let weight = self.weight(y);
        let along = match self {
            Slack::Ball(_) => {
                let size = norm(y).max(f64::MIN_POSITIVE);
                y.iter().map(|y| y / size).collect()
            }
            _ => vec![],
        };
        Curvature { weight, along }
    }
}

/// `rho (I - u u^T)` for a unit vector `u`, or `rho I`.
pub(super) struct Curvature {
    weight: f64,
    /// `u`; empty where there is none.
    along: Vec<f64>,
}

impl Curvature {
    /// Adds it to a lower triangle.
    pub(super) fn add_to(&self, lower: &mut Mat<f64>) {
        (0..lower.nrows()).for_each(|i| lower[(i, i)] += self.weight);
        for (j, &u) in self.along.iter().enumerate() {
            let below = self.along[j..].iter();
            let column = lower.col_mut(j).subrows_mut(j, self.along.len() - j);
            column.iter_mut().zip(below).for_each(|(l, v)| *l -= self.weight * u * v);
        }
    }

    /// Adds its product with `y` to `out`.
    pub(super) fn accumulate(&self, y: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(y).for_each(|(o, y)| *o += self.weight * y);
        if !self.along.is_empty() {
            let part = self.weight * dot(&self.along, y);
            out.iter_mut().zip(&self.along).for_each(|(o, u)| *o -= part * u);
        }
    }
}

/// The least `s >= 0` with `|s c - b| <= delta`, given `c` and `r = c - b`; `None` when there is none.
/// At a solution of the bounded form the cost of a small excess `h` of `|r|` over `delta` is `h |y|`,
/// and so is that of the multiple, `(s - 1) |Z|_*`: nothing is better than scaling.
pub(super) fn best_multiple(c: &[f64], r: &[f64], delta: f64) -> Option<f64> {
    // |r + t c| = delta for s = 1 + t.
    let (size, slope, misfit) = (dot(c, c), -dot(r, c), norm(r));
    let over = (misfit - delta) * (misfit + delta);
    let discriminant = slope * slope - size * over;
    if size <= 0.0 || discriminant < 0.0 {
        return None;
    }
    let root = discriminant.sqrt();
    let t = if slope > 0.0 { over / (slope + root) } else { (slope - root) / size };
    (t > -1.0).then_some(1.0 + t)
}

/// Whether a problem is too large for second-order systems.
pub(super) fn is_large(dims: Dims) -> bool {
    dims.measurements > LARGEST_SYSTEM || dims.rows + dims.cols > LARGEST_CONE
}

/// The most an `Error` is told about a problem that is too large for second-order systems.
pub(super) fn too_large(dims: Dims) -> Error {
    let got = format!("{} measurements of {} x {}", dims.measurements, dims.rows, dims.cols);
    let rule =
        "at most 6000 measurements, and 700 rows and columns together, but for sampled entries";
    Error::Parameter { name: "the size of a problem with a penalty or a noise bound", rule, got }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curvature is the derivative of `g`, and both triangles of it agree.
    #[test]
    fn curvature_is_the_derivative() {
        let (y, d) = ([0.3, -1.2, 0.5], [0.7, 0.1, -0.4]);
        for slack in [Slack::Exact, Slack::Ridge(0.3), Slack::Ball(0.8)] {
            let g = |t: f64| -> Vec<f64> {
                let at: Vec<f64> = y.iter().zip(&d).map(|(y, d)| y + t * d).collect();
                at.iter().map(|v| slack.weight(&at) * v).collect()
            };
            let curvature = slack.curvature(&y);
            let mut along = vec![0.0; 3];
            curvature.accumulate(&d, &mut along);
            let h = 1e-6;
            for ((a, b), exact) in g(h).iter().zip(g(-h)).zip(&along) {
                assert!(((a - b) / (2.0 * h) - exact).abs() < 1e-9, "{slack:?}");
            }
            let mut lower = Mat::zeros(3, 3);
            curvature.add_to(&mut lower);
            for i in 0..3 {
                let row = (0..3).map(|j| lower[(i.max(j), i.min(j))] * d[j]).sum::<f64>();
                assert!((row - along[i]).abs() < 1e-14, "{slack:?}");
            }
        }
    }

    #[test]
    fn multiples_meet_the_bound() {
        let (c, b) = ([1.0, 2.0], [3.0, 3.0]);
        let r = [c[0] - b[0], c[1] - b[1]];
        for delta in [1.5, 2.0, 4.0] {
            let s = best_multiple(&c, &r, delta).unwrap();
            let misfit = norm(&[s * c[0] - b[0], s * c[1] - b[1]]);
            assert!((misfit - delta).abs() < 1e-14);
            // A smaller one is further off.
            assert!(norm(&[0.99 * s * c[0] - b[0], 0.99 * s * c[1] - b[1]]) > delta);
        }
        assert_eq!(best_multiple(&c, &r, 1.3), None);
        assert_eq!(best_multiple(&[0.0, 0.0], &[-3.0, -3.0], 1.0), None);
    }
}
