//! Deep matrix factorisation: `f(W_1, ..., W_L) = (1/m) |A(W_1 W_2 ... W_L) - b|^2`.
//!
//! With `P_l = W_1 ... W_l` and `Q_l = W_{l+1} ... W_L` (`P_0` and `Q_L` are identities) the product is
//! `X = P_{l-1} W_l Q_l` for every layer `l`: it is linear in each, so that the residual couples different
//! layers only and leaves the diagonal of the Hessian alone. At *every* point
//!
//! ```text
//! tr D2f = (2/m) sum_l sum_i |P_{l-1}^T A_i Q_l^T|_F^2.
//! ```
//!
//! Between two layers the chain is cut in two, `X = P_c Q_c`: then `f` is the loss of the pair `(P_c, Q_c^T)`,
//! and its derivatives are those of [`FactoredLoss`] by the chain rule, at the narrowest cut that there is.
//!
//! On what flat minima of this loss are: K. Gatmiry, Z. Li, C.-Y. Chuang, S. Reddi, T. Ma, S. Jegelka, *What is
//! the inductive bias of flatness regularization? A study of deep matrix factorization models*, NeurIPS 2023
//! (arXiv 2306.13239), and [`flatness::deep`](crate::flatness::deep).

mod chain;
mod hessian;
mod moment;

pub use hessian::DeepHessian;

use super::smooth::check_length;
use super::{FactoredLoss, LeastSquares, Loss, Traced, check_point};
use crate::flatness::SymmetricOperator;
use crate::linalg::{inner, kernel::axpy};
use crate::operator::{Gram, LinearMap};
use crate::{Error, Mat, MatMut, MatRef};
use chain::Chain;
use moment::Moment;
use std::sync::OnceLock;

/// The loss of `L` layers `W_l` of shape `n_{l-1} x n_l`, with `n_0 = d1` and `n_L = d2`, as a function of
/// `(vec W_1, ..., vec W_L)`, column-major. Its trace is the plain one, with weights 1.
///
/// ```
/// use flatmin_core::{DenseMap, DeepLoss, loss::{Loss, Traced}};
/// // (u v w - 1)^2 at (1, 2, 3): second derivatives 2 (v w)^2, 2 (u w)^2, 2 (u v)^2.
/// let map = DenseMap::new(1, 1, vec![1.0])?;
/// let loss = DeepLoss::new(&map, &[1.0], &[1, 1])?;
/// let mut gradient = [0.0; 3];
/// assert_eq!(loss.value_and_gradient(&[1.0, 2.0, 3.0], &mut gradient)?, 25.0);
/// assert_eq!(gradient, [60.0, 30.0, 20.0]);
/// assert_eq!(loss.layer_traces(&[1.0, 2.0, 3.0])?, [72.0, 18.0, 8.0]);
/// assert_eq!(loss.trace_and_gradient(&[1.0, 2.0, 3.0], &mut gradient)?, 98.0);
/// assert_eq!(gradient, [52.0, 80.0, 60.0]);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Clone)]
pub struct DeepLoss<'a> {
    pair: FactoredLoss<'a>,
    /// `n_0, ..., n_L`.
    widths: Vec<usize>,
    /// `sum_i A_i A_i^T` and `sum_i A_i^T A_i`, once they were asked for.
    grams: OnceLock<(Gram, Gram)>,
    /// Their second moment, for small matrices.
    moment: OnceLock<Option<Moment>>,
}

impl<'a> DeepLoss<'a> {
    /// The loss of a map and its targets `b`, for the inner widths `n_1, ..., n_{L-1}`; none for a single layer.
    ///
    /// # Errors
    /// When there is not one finite target a measurement, or a width is zero.
    pub fn new(
        map: &'a dyn LinearMap,
        targets: &'a [f64],
        inner: &[usize],
    ) -> Result<DeepLoss<'a>, Error> {
        let pair = FactoredLoss::new(map, targets)?;
        if inner.contains(&0) {
            let (name, rule) = ("an inner width", "at least 1");
            return Err(Error::Parameter { name, rule, got: "0".into() });
        }
        let dims = map.dims();
        let widths = [&[dims.rows], inner, &[dims.cols]].concat();
        let order = |w: &[usize]| {
            w.windows(2).try_fold(0usize, |n, w| n.checked_add(w[0].checked_mul(w[1])?))
        };
        if order(&widths).is_none() {
            let (name, rule) = ("the inner widths", "so small that the factors can be counted");
            return Err(Error::Parameter { name, rule, got: format!("{inner:?}") });
        }
        Ok(DeepLoss { pair, widths, grams: OnceLock::new(), moment: OnceLock::new() })
    }

    /// Number `L` of layers.
    pub fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    /// The widths `n_0, ..., n_L`.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The layers `W_1, ..., W_L` in a vector.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers.
    pub fn layers<'x>(&self, x: &'x [f64]) -> Result<Vec<MatRef<'x, f64>>, Error> {
        check_point(self.order(), x)?;
        let mut rest = x;
        let layers = self.widths.windows(2).map(|w| {
            let (layer, after) = rest.split_at(w[0] * w[1]);
            rest = after;
            MatRef::from_column_major_slice(layer, w[0], w[1])
        });
        Ok(layers.collect())
    }

    /// The product `X = W_1 ... W_L`, of shape `d1 x d2`.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers.
    pub fn product(&self, x: &[f64]) -> Result<Mat<f64>, Error> {
        let halves = self.halves(x)?;
        let (l, r) = halves.pair();
        Ok(crate::linalg::product(l.as_ref(), r.transpose()))
    }

    /// The parts of the trace of the Hessian that belong to the layers, exact at every point.
    ///
    /// # Errors
    /// When `x` has not [`Loss::order`] numbers.
    pub fn layer_traces(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let (left, right) = self.sides(x)?;
        Ok(self.energies(&left, &right).into_iter().map(|(part, ..)| part).collect())
    }

    /// The chain, cut at its narrowest place.
    fn halves<'x>(&self, x: &'x [f64]) -> Result<Halves<'x>, Error> {
        let layers = self.layers(x)?;
        let depth = layers.len();
        // Between layers where that is as narrow: what is left there is no identity.
        let inner = (1..depth).min_by_key(|&c| self.widths[c]);
        let outer = if self.widths[0] < self.widths[depth] { 0 } else { depth };
        let cut = inner.filter(|&c| self.widths[c] <= self.widths[outer]).unwrap_or(outer);
        let left = Chain::new(layers[..cut].to_vec());
        let right = Chain::new(layers[cut..].iter().rev().map(|w| w.transpose()).collect());
        Ok(Halves { left, right, width: self.widths[cut] })
    }

    fn grams(&self) -> &(Gram, Gram) {
        self.grams.get_or_init(|| self.pair.map.grams())
    }

    /// For each layer its part `t_l` of the trace, with half of its gradients with respect to `P_{l-1}` and
    /// `Q_l^T`, none with respect to an identity.
    fn energies(&self, left: &Chain<'_>, right: &Chain<'_>) -> Vec<Energy> {
        let (depth, map) = (self.depth(), self.pair.map);
        let scale = 2.0 / self.measurements() as f64;
        let outer = |gram: &Gram, factor: &Mat<f64>| {
            let slope = gram.times(factor.as_ref());
            (inner(slope.as_ref(), factor.as_ref()), slope)
        };
        let part = |l: usize| -> Energy {
            // P_{l-1} is the product of l - 1 layers, Q_l of L - l.
            let p = l.checked_sub(2).map(|j| &left.leading()[j]);
            let q = (depth - l).checked_sub(1).map(|j| &right.leading()[j]);
            let (part, mut on_left, mut on_right) = match (p, q) {
                (None, None) => (self.grams().0.trace(), None, None),
                (None, Some(q)) => {
                    let (part, slope) = outer(&self.grams().1, q);
                    (part, None, Some(slope))
                }
                (Some(p), None) => {
                    let (part, slope) = outer(&self.grams().0, p);
                    (part, Some(slope), None)
                }
                (Some(p), Some(q)) => {
                    let (mut on_p, mut on_q) =
                        (Mat::zeros(p.nrows(), p.ncols()), Mat::zeros(q.nrows(), q.ncols()));
                    let (p, q, to_p, to_q) = (p.as_ref(), q.as_ref(), on_p.as_mut(), on_q.as_mut());
                    let part = match self.moment.get_or_init(|| Moment::new(map)) {
                        Some(moment) => moment.core_energy(p, q, to_p, to_q),
                        None => map.core_energy(p, q, to_p, to_q),
                    };
                    (part, Some(on_p), Some(on_q))
                }
            };
            for slope in [&mut on_left, &mut on_right].into_iter().flatten() {
                *slope *= faer::Scale(scale);
            }
            (scale * part, on_left, on_right)
        };
        (1..=depth).map(part).collect()
    }

    /// The chains `W_1, ..., W_{L-1}` and `W_L^T, ..., W_2^T`.
    fn sides<'x>(&self, x: &'x [f64]) -> Result<(Chain<'x>, Chain<'x>), Error> {
        let layers = self.layers(x)?;
        let left = Chain::new(layers[..layers.len() - 1].to_vec());
        let right = Chain::new(layers[1..].iter().rev().map(|w| w.transpose()).collect());
        Ok((left, right))
    }

    /// Gradients of layers into one vector; those of the right chain belong to the last layers, transposed
    /// and in reverse. What both have is added.
    fn collect(&self, left: &[Mat<f64>], right: &[Mat<f64>], out: &mut [f64]) {
        let depth = self.depth();
        let mut rest = out;
        for (l, w) in self.widths.windows(2).enumerate() {
            let (layer, after) = rest.split_at_mut(w[0] * w[1]);
            rest = after;
            let mut layer = MatMut::from_column_major_slice_mut(layer, w[0], w[1]);
            let by_right = right.get(depth - 1 - l);
            match left.get(l) {
                Some(gradient) => layer.copy_from(gradient),
                None => layer.fill(0.0),
            }
            if let Some(gradient) = by_right {
                layer += gradient.transpose();
            }
        }
    }

    /// `s A*(residual)` at the pair, pulled back to the layers.
    fn pull_back_pair(&self, halves: &Halves<'_>, slopes: (Mat<f64>, Mat<f64>), out: &mut [f64]) {
        let pulled = |chain: &Chain<'_>, slope: Mat<f64>| {
            let mut slopes: Vec<Option<Mat<f64>>> = vec![None; chain.len()];
            if let Some(last) = slopes.last_mut() {
                *last = Some(slope);
            }
            chain.pull_back(slopes)
        };
        let (left, right) = (pulled(&halves.left, slopes.0), pulled(&halves.right, slopes.1));
        self.collect(&left, &right, out);
    }
}

/// A part of the trace, and half of its gradients.
type Energy = (f64, Option<Mat<f64>>, Option<Mat<f64>>);

/// `X = P_c Q_c` by the chains `W_1, ..., W_c` and `W_L^T, ..., W_{c+1}^T`.
struct Halves<'x> {
    left: Chain<'x>,
    right: Chain<'x>,
    /// `n_c`.
    width: usize,
}

impl Halves<'_> {
    /// `P_c` and `Q_c^T`; the product of no layers is an identity.
    fn pair(&self) -> (Mat<f64>, Mat<f64>) {
        let whole = |chain: &Chain<'_>| match chain.leading().last() {
            Some(product) => product.clone(),
            None => Mat::identity(self.width, self.width),
        };
        (whole(&self.left), whole(&self.right))
    }

    /// The layers of a block of directions, each as `[U^1 .. U^p]`: those of the left chain, and those of the
    /// right one, transposed and from the last.
    fn directions(&self, widths: &[usize], v: MatRef<'_, f64>) -> (Vec<Mat<f64>>, Vec<Mat<f64>>) {
        let (mut left, mut right) = (vec![], vec![]);
        let mut first = 0;
        for w in widths.windows(2) {
            let (rows, cols) = (w[0], w[1]);
            let layer = v.subrows(first, rows * cols);
            first += rows * cols;
            if left.len() < self.left.len() {
                let wide = |i: usize, j: usize| layer[(i + j % cols * rows, j / cols)];
                left.push(Mat::from_fn(rows, cols * v.ncols(), wide));
            } else {
                let wide = |j: usize, i: usize| layer[(i % rows + j * rows, i / rows)];
                right.push(Mat::from_fn(cols, rows * v.ncols(), wide));
            }
        }
        right.reverse();
        (left, right)
    }
}

/// Derivative of a product of this shape, from those of its leading products; no layers stand still.
fn whole(tangents: &[Mat<f64>], (rows, cols): (usize, usize)) -> Mat<f64> {
    tangents.last().map_or_else(|| Mat::zeros(rows, cols), Mat::clone)
}

impl Loss for DeepLoss<'_> {
    fn order(&self) -> usize {
        self.widths.windows(2).map(|w| w[0] * w[1]).sum()
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        let (l, r) = self.halves(x)?.pair();
        self.pair.value(l.as_ref(), r.as_ref())
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_length("the gradient", self.order(), gradient)?;
        let halves = self.halves(x)?;
        let (l, r) = halves.pair();
        let (value, on_l, on_r) = self.pair.value_and_gradient(l.as_ref(), r.as_ref())?;
        self.pull_back_pair(&halves, (on_l, on_r), gradient);
        Ok(value)
    }

    fn hessian<'a>(&'a self, x: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        Ok(Box::new(DeepHessian::new(self, x)?))
    }
}

impl LeastSquares for DeepLoss<'_> {
    fn measurements(&self) -> usize {
        self.pair.targets.len()
    }

    fn residual(&self, x: &[f64], residual: &mut [f64]) -> Result<(), Error> {
        check_length("the residuals", self.measurements(), residual)?;
        let (l, r) = self.halves(x)?.pair();
        residual.copy_from_slice(&self.pair.residual(l.as_ref(), r.as_ref()));
        Ok(())
    }

    /// `A(P' Q + P Q')` with the derivatives `P'`, `Q'` of the two halves.
    fn push_forward(&self, x: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_length("the direction", self.order(), v)?;
        check_length("the image of the direction", self.measurements(), out)?;
        let halves = self.halves(x)?;
        let (l, r) = halves.pair();
        let v = MatRef::from_column_major_slice(v, v.len(), 1);
        let (on_left, on_right) = halves.directions(&self.widths, v);
        let dl = whole(&halves.left.tangents(&on_left, 1), l.shape());
        let dr = whole(&halves.right.tangents(&on_right, 1), r.shape());
        let mut second = vec![0.0; out.len()];
        self.pair.map.apply_factored(dl.as_ref(), r.as_ref(), out);
        self.pair.map.apply_factored(l.as_ref(), dr.as_ref(), &mut second);
        axpy(1.0, &second, out);
        Ok(())
    }

    fn pull_back(&self, x: &[f64], y: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_length("the weights of the residuals", self.measurements(), y)?;
        check_length("the gradient", self.order(), out)?;
        let halves = self.halves(x)?;
        let (l, r) = halves.pair();
        let (mut on_l, mut on_r) =
            (Mat::zeros(l.nrows(), l.ncols()), Mat::zeros(r.nrows(), r.ncols()));
        self.pair.map.adjoint_times(y, r.as_ref(), on_l.as_mut());
        self.pair.map.adjoint_transpose_times(y, l.as_ref(), on_r.as_mut());
        self.pull_back_pair(&halves, (on_l, on_r), out);
        Ok(())
    }
}

impl Traced for DeepLoss<'_> {
    fn trace_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_length("the gradient", self.order(), gradient)?;
        let (left, right) = self.sides(x)?;
        let (mut trace, mut on_left, mut on_right) = (0.0, vec![], vec![]);
        for (part, by_left, by_right) in self.energies(&left, &right) {
            trace += part;
            on_left.push(by_left);
            on_right.push(by_right);
        }
        // Layer l depends on P_{l-1}, the leading product of l - 1 layers, and on Q_l^T, of L - l.
        on_left.remove(0);
        on_right.pop();
        on_right.reverse();
        self.collect(&left.pull_back(on_left), &right.pull_back(on_right), gradient);
        gradient.iter_mut().for_each(|g| *g *= 2.0);
        Ok(trace)
    }
}

#[cfg(test)]
mod tests;
