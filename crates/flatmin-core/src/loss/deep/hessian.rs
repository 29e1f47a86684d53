//! The Hessian of the deep loss, as an operator on blocks of vectors.
//!
//! With the chain cut in two, `f = g(P, Q^T)` for the loss `g` of a pair and the products `P = W_1 ... W_c` and
//! `Q = W_{c+1} ... W_L`, so that along a direction `U`, with `P'`, `Q'` the derivatives of the products,
//!
//! ```text
//! D2f U = (derivatives of (P, Q^T))^T D2g (P', Q'^T) + < Dg, second derivatives of (P, Q^T) along U >:
//! ```
//!
//! one pass over the measurements for a whole block of directions, and products of layers.

use super::{DeepLoss, Halves, check_point, whole};
use crate::error::finite;
use crate::flatness::SymmetricOperator;
use crate::loss::{FactoredHessian, Loss};
use crate::operator::{stack, unstack};
use crate::{Error, Mat, MatMut, MatRef};

/// Hessian of [`DeepLoss`] at one point, in the coordinates `(vec W_1, ..., vec W_L)`, column-major.
///
/// ```
/// use flatmin_core::{DenseMap, DeepLoss, Mat, flatness::SymmetricOperator, loss::DeepHessian};
/// // (u v w - 1)^2 at (1, 2, 3), where D2f = 2 g g^T + 10 (0 3 2; 3 0 1; 2 1 0) with g = (6, 3, 2).
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = DeepLoss::new(&map, &[1.0], &[1, 1])?;
/// let hessian = DeepHessian::new(&loss, &[1.0, 2.0, 3.0])?;
/// let mut columns = Mat::zeros(3, 3);
/// hessian.apply(Mat::<f64>::identity(3, 3).as_ref(), columns.as_mut());
/// let expected = [[72.0, 66.0, 44.0], [66.0, 18.0, 22.0], [44.0, 22.0, 8.0]];
/// assert_eq!(columns, Mat::from_fn(3, 3, |i, j| expected[i][j]));
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct DeepHessian<'a> {
    loss: &'a DeepLoss<'a>,
    x: &'a [f64],
    halves: Halves<'a>,
    pair: FactoredHessian<'a>,
}

impl<'a> DeepHessian<'a> {
    /// The Hessian at `x`: one pass over the measurements.
    ///
    /// # Errors
    /// When `x` has not as many numbers as the loss takes, or holds a NaN or an infinity.
    pub fn new(loss: &'a DeepLoss<'a>, x: &'a [f64]) -> Result<DeepHessian<'a>, Error> {
        check_point(loss.order(), x)?;
        finite("the point", x)?;
        let halves = loss.halves(x)?;
        let (l, r) = halves.pair();
        let pair = loss.pair.hessian(l.as_ref(), r.as_ref())?;
        Ok(DeepHessian { loss, x, halves, pair })
    }

    /// Value of the loss.
    pub fn value(&self) -> f64 {
        self.pair.value()
    }

    /// The inverse of [`Halves::directions`], for what belongs to the layers.
    fn write(&self, left: &[Mat<f64>], mut right: Vec<Mat<f64>>, mut out: MatMut<'_, f64>) {
        right.reverse();
        let mut first = 0;
        for (l, w) in self.loss.widths().windows(2).enumerate() {
            let (rows, cols) = (w[0], w[1]);
            let layer = out.as_mut().subrows_mut(first, rows * cols);
            first += rows * cols;
            for (c, column) in layer.col_iter_mut().enumerate() {
                let entries = column.iter_mut().enumerate();
                match left.get(l) {
                    Some(wide) => {
                        entries.for_each(|(t, o)| *o = wide[(t % rows, c * cols + t / rows)])
                    }
                    None => {
                        let wide = &right[l - left.len()];
                        entries.for_each(|(t, o)| *o = wide[(t / rows, c * rows + t % rows)]);
                    }
                }
            }
        }
    }
}

impl SymmetricOperator for DeepHessian<'_> {
    fn order(&self) -> usize {
        self.x.len()
    }

    fn apply(&self, v: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        let (p, width) = (v.ncols(), self.halves.width);
        let (gl, gr) = self.pair.gradient();
        let (on_left, on_right) = self.halves.directions(self.loss.widths(), v);
        let (left, right) = (&self.halves.left, &self.halves.right);
        let (along_left, along_right) = (left.tangents(&on_left, p), right.tangents(&on_right, p));
        let us = whole(&along_left, (gl.nrows(), width * p));
        let vs = whole(&along_right, (gr.nrows(), width * p));
        let n = width * (gl.nrows() + gr.nrows());
        let (mut direction, mut image) = (Mat::zeros(n, p), Mat::zeros(n, p));
        stack(us.as_ref(), vs.as_ref(), direction.as_mut());
        self.pair.apply(direction.as_ref(), image.as_mut());
        let (us, vs) = unstack(image.as_ref(), gl.nrows(), gr.nrows());
        let by_left = left.second(gl.as_ref(), us, &on_left, &along_left);
        let by_right = right.second(gr.as_ref(), vs, &on_right, &along_right);
        self.write(&by_left, by_right, out);
    }

    fn exact_trace(&self) -> Option<f64> {
        Some(self.loss.layer_traces(self.x).ok()?.iter().sum())
    }
}
