//! Hessians by differences of a gradient.
//!
//! For a step `h` along `v`, with `g` the gradient and `epsilon` the rounding of one evaluation of it,
//!
//! ```text
//! order 2:  (g(x + h v) - g(x - h v)) / 2h                                     = H v + O(h^2) + O(epsilon / h)
//! order 4:  (8 (g(x + h v) - g(x - h v)) - (g(x + 2h v) - g(x - 2h v))) / 12h  = H v + O(h^4) + O(epsilon / h)
//! ```
//!
//! and the two errors balance for `h` near `epsilon^{1/3}` and `epsilon^{1/5}`, in units of the scale on
//! which `g` varies. That scale is taken as the larger of 1 and `max |x_i|`, and the direction is measured
//! by its largest element (J. Dennis, R. Schnabel, *Numerical Methods for Unconstrained Optimization and
//! Nonlinear Equations*, 1983, section 5.4).

use super::SymmetricOperator;
use crate::error::finite;
use crate::linalg::max_abs;
use crate::{Error, MatMut, MatRef};

/// The Hessian at a point of a function that is known by its gradient, by central differences.
///
/// A product costs two gradients a column (four with [`Differences::fourth_order`]). Relative to `|H| |v|`
/// its error is about `epsilon^{2/3}`, 4e-11 (or `epsilon^{4/5}`, 3e-13), times the ratio of `|g|` to
/// `|H|` and that of the higher derivatives to `|H|`, at the scale above. It is symmetric to that accuracy only.
pub struct Differences<G> {
    point: Vec<f64>,
    gradient: G,
    fourth: bool,
}

impl<G: Fn(&[f64], &mut [f64]) + Send + Sync> Differences<G> {
    /// The Hessian at `point`, of order its length, for the function whose gradient at its first argument
    /// `gradient` writes into its second.
    ///
    /// ```
    /// use flatmin_core::{Mat, flatness::{Differences, SymmetricOperator}};
    /// // x^2 y.
    /// let gradient = |x: &[f64], g: &mut [f64]| g.copy_from_slice(&[2.0 * x[0] * x[1], x[0] * x[0]]);
    /// let hessian = Differences::new(vec![1.0, 3.0], gradient)?;
    /// let mut column = Mat::zeros(2, 1);
    /// hessian.apply(Mat::from_fn(2, 1, |i, _| [1.0, 0.0][i]).as_ref(), column.as_mut());
    /// assert!((column[(0, 0)] - 6.0).abs() < 1e-9 && (column[(1, 0)] - 2.0).abs() < 1e-9);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the point holds a NaN or an infinity.
    pub fn new(point: Vec<f64>, gradient: G) -> Result<Differences<G>, Error> {
        finite("the point", &point)?;
        Ok(Differences { point, gradient, fourth: false })
    }

    /// With differences of fourth order: twice the cost, and exact up to rounding for the quartic losses of
    /// this project.
    #[must_use]
    pub fn fourth_order(self) -> Differences<G> {
        Differences { fourth: true, ..self }
    }
}

impl<G: Fn(&[f64], &mut [f64]) + Send + Sync> SymmetricOperator for Differences<G> {
    fn order(&self) -> usize {
        self.point.len()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let n = self.point.len();
        // Multiples of the step, with the weights of the gradients there.
        let (exponent, stencil): (f64, &[(f64, f64)]) = if self.fourth {
            let (near, far) = (8.0 / 12.0, 1.0 / 12.0);
            (0.2, &[(1.0, near), (-1.0, -near), (2.0, -far), (-2.0, far)])
        } else {
            (1.0 / 3.0, &[(1.0, 0.5), (-1.0, -0.5)])
        };
        let scale = f64::EPSILON.powf(exponent) * max_abs(&self.point).max(1.0);
        let (mut at, mut gradient) = (vec![0.0; n], vec![0.0; n]);
        let mut sum = vec![0.0; n];
        for c in 0..v.ncols() {
            let size = v.col(c).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            sum.fill(0.0);
            // A column of zeros stays one; one with a NaN becomes NaN.
            let h = if size == 0.0 { 1.0 } else { scale / size };
            for &(multiple, weight) in stencil {
                let moved = self.point.iter().zip(v.col(c).iter());
                at.iter_mut().zip(moved).for_each(|(a, (x, v))| *a = x + multiple * h * v);
                (self.gradient)(&at, &mut gradient);
                sum.iter_mut().zip(&gradient).for_each(|(s, g)| *s += weight * g);
            }
            out.as_mut().col_mut(c).iter_mut().zip(&sum).for_each(|(o, s)| *o = s / h);
        }
    }
}
