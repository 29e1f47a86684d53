//! Products `F_1 ... F_c` of a chain of matrices, and their derivatives by the chain rule.

use crate::linalg::{accumulate, product};
use crate::{Mat, MatRef};

/// A chain `F_1, ..., F_c` with its leading products `F_1 ... F_j`.
pub(super) struct Chain<'x> {
    factors: Vec<MatRef<'x, f64>>,
    /// `F_1 ... F_j` for `j = 1, ..., c`.
    leading: Vec<Mat<f64>>,
}

impl<'x> Chain<'x> {
    pub(super) fn new(factors: Vec<MatRef<'x, f64>>) -> Chain<'x> {
        let mut leading: Vec<Mat<f64>> = Vec::with_capacity(factors.len());
        for factor in &factors {
            let next = match leading.last() {
                None => factor.to_owned(),
                Some(before) => product(before.as_ref(), *factor),
            };
            leading.push(next);
        }
        Chain { factors, leading }
    }

    /// Number `c` of factors.
    pub(super) fn len(&self) -> usize {
        self.factors.len()
    }

    /// The products `F_1 ... F_j` for `j = 1, ..., c`.
    pub(super) fn leading(&self) -> &[Mat<f64>] {
        &self.leading
    }

    /// Gradients with respect to the factors of a function of the leading products, from its gradients with
    /// respect to them: one for each, or `None` for zero.
    pub(super) fn pull_back(&self, mut slopes: Vec<Option<Mat<f64>>>) -> Vec<Mat<f64>> {
        let mut gradients: Vec<Mat<f64>> =
            self.factors.iter().map(|f| Mat::zeros(f.nrows(), f.ncols())).collect();
        let mut carried: Option<Mat<f64>> = None;
        for j in (0..self.len()).rev() {
            let slope = match (carried.take(), slopes.pop().flatten()) {
                (Some(carried), Some(own)) => carried + own,
                (Some(slope), None) | (None, Some(slope)) => slope,
                (None, None) => continue,
            };
            if j == 0 {
                gradients[0] = slope;
            } else {
                gradients[j] = product(self.leading[j - 1].transpose(), slope.as_ref());
                carried = Some(product(slope.as_ref(), self.factors[j].transpose()));
            }
        }
        gradients
    }

    /// Directional derivatives of the leading products along `p` directions at a time: that of factor `j` as
    /// `[U_j^1 .. U_j^p]`, those of the products likewise.
    pub(super) fn tangents(&self, directions: &[Mat<f64>], p: usize) -> Vec<Mat<f64>> {
        let mut tangents: Vec<Mat<f64>> = Vec::with_capacity(self.len());
        for (j, (direction, factor)) in directions.iter().zip(&self.factors).enumerate() {
            let Some(before) = tangents.last() else {
                tangents.push(direction.clone());
                continue;
            };
            let (rows, cols) = factor.shape();
            let mut next = product(self.leading[j - 1].as_ref(), direction.as_ref());
            for c in 0..p {
                let next = next.as_mut().subcols_mut(c * cols, cols);
                accumulate(next, block(before, c, rows), *factor);
            }
            tangents.push(next);
        }
        tangents
    }

    /// Derivatives, along the same directions, of the gradients that [`Chain::pull_back`] makes of a gradient
    /// `slope` with respect to the whole product, which itself changes by `change`.
    pub(super) fn second(
        &self,
        slope: MatRef<'_, f64>,
        mut change: Mat<f64>,
        directions: &[Mat<f64>],
        tangents: &[Mat<f64>],
    ) -> Vec<Mat<f64>> {
        let mut slope = slope.to_owned();
        let mut out = Vec::with_capacity(self.len());
        for j in (1..self.len()).rev() {
            let factor = self.factors[j];
            let (rows, cols) = factor.shape();
            let p = change.ncols() / cols;
            let mut second = product(self.leading[j - 1].transpose(), change.as_ref());
            let mut next = Mat::zeros(change.nrows(), rows * p);
            for c in 0..p {
                let into = second.as_mut().subcols_mut(c * cols, cols);
                accumulate(into, block(&tangents[j - 1], c, rows).transpose(), slope.as_ref());
                let mut into = next.as_mut().subcols_mut(c * rows, rows);
                accumulate(into.as_mut(), block(&change, c, cols), factor.transpose());
                accumulate(into, slope.as_ref(), block(&directions[j], c, cols).transpose());
            }
            out.push(second);
            slope = product(slope.as_ref(), factor.transpose());
            change = next;
        }
        if self.len() > 0 {
            out.push(change);
        }
        out.reverse();
        out
    }
}

/// Block `c` of `width` columns of a wide matrix.
fn block(wide: &Mat<f64>, c: usize, width: usize) -> MatRef<'_, f64> {
    wide.as_ref().subcols(c * width, width)
}
