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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatness::{check, image};
    use crate::rng::{Role, Stream};
    use crate::{DenseMap, FactoredLoss, Mat};

    /// Errors relative to `|H v|` at both orders.
    fn errors(
        point: &[f64],
        gradient: impl Fn(&[f64], &mut [f64]) + Send + Sync + Copy,
        v: MatRef<'_, f64>,
        expected: &Mat<f64>,
    ) -> (f64, f64) {
        let second = Differences::new(point.to_vec(), gradient).unwrap();
        let fourth = Differences::new(point.to_vec(), gradient).unwrap().fourth_order();
        let error = |operator: &dyn SymmetricOperator| {
            (image(operator, v).unwrap() - expected).norm_l2() / expected.norm_l2()
        };
        (error(&second), error(&fourth))
    }

    /// A quartic, with points and directions of many sizes: the step follows both.
    #[test]
    fn of_a_quartic() {
        let mut s = Stream::new(1, "differences", 0, 0, Role::Probe);
        let map = DenseMap::new(4, 3, s.gaussian_vector(12 * 20)).unwrap();
        let b = s.gaussian_vector(20);
        let loss = FactoredLoss::new(&map, &b).unwrap().of_width(2).unwrap();
        let gradient = |x: &[f64], out: &mut [f64]| {
            crate::loss::Loss::value_and_gradient(&loss, x, out).unwrap();
        };
        for size in [1.0, 1e2, 1e5] {
            let point: Vec<f64> = s.gaussian_vector(14).iter().map(|x| size * x).collect();
            let hessian = crate::loss::Loss::hessian(&loss, &point).unwrap();
            for length in [1e-200, 1e-6, 1.0, 1e8, 1e200] {
                let v = s.gaussian_matrix(14, 3) * faer::Scale(length);
                let expected = image(hessian.as_ref(), v.as_ref()).unwrap();
                let (second, fourth) = errors(&point, gradient, v.as_ref(), &expected);
                assert!(second < 1e-9, "{size:e}, {length:e}: {second:e}");
                assert!(fourth < 1e-11, "{size:e}, {length:e}: {fourth:e}");
            }
            let fourth = Differences::new(point.clone(), gradient).unwrap().fourth_order();
            assert!(check::asymmetry(&fourth, 1).unwrap() < 1e-10);
        }
    }

    /// `sum_i log(1 + exp(a_i^T x))`, of Hessian `sum_i p_i (1 - p_i) a_i a_i^T`.
    #[test]
    fn of_a_function_that_is_no_polynomial() {
        let mut s = Stream::new(2, "differences", 0, 0, Role::Probe);
        let (n, m) = (6, 30);
        let a = s.gaussian_matrix(m, n);
        let chance = |x: &[f64], i: usize| {
            let t: f64 = a.row(i).iter().zip(x).map(|(a, x)| a * x).sum();
            1.0 / (1.0 + (-t).exp())
        };
        let gradient = |x: &[f64], out: &mut [f64]| {
            out.fill(0.0);
            for i in 0..m {
                let p = chance(x, i);
                out.iter_mut().zip(a.row(i).iter()).for_each(|(o, a)| *o += p * a);
            }
        };
        let point = s.gaussian_vector(n);
        let weights: Vec<f64> = (0..m).map(|i| chance(&point, i)).map(|p| p * (1.0 - p)).collect();
        let weighted = crate::linalg::scale_columns(a.transpose(), &weights);
        let hessian = crate::linalg::product(weighted.as_ref(), a.as_ref());
        let v = s.gaussian_matrix(n, 4);
        let (second, fourth) = errors(&point, gradient, v.as_ref(), &(&hessian * &v));
        assert!(second < 1e-9 && fourth < 1e-11, "{second:e}, {fourth:e}");
        // A higher order is a smaller error.
        assert!(fourth < second / 5.0, "{second:e}, {fourth:e}");
    }

    #[test]
    fn zeros_and_what_is_not_finite() {
        let twice = |x: &[f64], out: &mut [f64]| {
            out.iter_mut().zip(x).for_each(|(o, x)| *o = 2.0 * x);
        };
        let hessian = Differences::new(vec![0.0; 3], twice).unwrap();
        assert_eq!(image(&hessian, Mat::zeros(3, 2).as_ref()).unwrap(), Mat::<f64>::zeros(3, 2));
        assert!(matches!(Differences::new(vec![f64::NAN], twice), Err(Error::NotFinite { .. })));
        let v = Mat::full(3, 1, f64::NAN);
        assert!(matches!(image(&hessian, v.as_ref()), Err(Error::NotFinite { .. })));
        assert_eq!(Differences::new(vec![], twice).unwrap().order(), 0);
    }
}
