//! The loss, with the laws that its derivatives obey.
//!
//! With `x = v_1 o ... o v_k`, `P_i` the product of all factors but `v_i`, `P_il` of all but two,
//! `r = A x - b` and `g = A^T r`,
//!
//! ```text
//! f(v)              = (1/m) |r|^2
//! grad_i f(v)       = (2/m) P_i o g
//! (D2f(v) u)_i      = (2/m) ( P_i o A^T A t + g o sum_{l != i} P_il o u_l ),    t = sum_l P_l o u_l
//! tr D2f(v)         = (2/m) sum_i sum_j |a_j|^2 P_ij^2
//! ```
//!
//! A factor enters `x` linearly, so the residual has no part in the trace, at any point. The sums over `P_il` are
//! the derivatives of `P_i` along `u`, which products from the left and from the right give without pairs. All
//! factors are one vector `(v_1, ..., v_k)`, factor after factor.

use crate::problem::Hadamard;
use flatmin_core::flatness::SymmetricOperator;
use flatmin_core::linalg::kernel::{axpy, dot};
use flatmin_core::linalg::{multiply, norm, product};
use flatmin_core::loss::{LeastSquares, Loss, Traced, check_point};
use flatmin_core::{Error, Mat, MatMut, MatRef, error::finite};

/// `f(v_1, ..., v_k) = (1/m) |A (v_1 o ... o v_k) - b|^2`; made by [`Hadamard::loss`].
#[derive(Debug, Clone)]
pub struct HadamardLoss<'a> {
    problem: &'a Hadamard,
    depth: usize,
    /// `|a_j|^2`.
    squares: Vec<f64>,
}

impl Hadamard {
    /// The loss for products of `depth` factors.
    ///
    /// ```
    /// use flatmin_hadamard::{Hadamard, core::loss::Loss};
    /// // (u v w - 5)^2 at (1, 2, 3).
    /// let problem = Hadamard::from_arrays(1, 1, vec![1.0], vec![5.0])?;
    /// let loss = problem.loss(3)?;
    /// let mut gradient = [0.0; 3];
    /// assert_eq!(loss.value_and_gradient(&[1.0, 2.0, 3.0], &mut gradient)?, 1.0);
    /// assert_eq!(gradient, [12.0, 6.0, 4.0]);
    /// assert_eq!(loss.hessian(&[1.0, 2.0, 3.0])?.exact_trace(), Some(98.0));
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the depth is zero.
    pub fn loss(&self, depth: usize) -> Result<HadamardLoss<'_>, Error> {
        if depth == 0 {
            let (name, rule) = ("the depth", "at least 1");
            return Err(Error::Parameter { name, rule, got: "0".into() });
        }
        if self.matrix.ncols().checked_mul(depth).is_none_or(|n| n > isize::MAX as usize / 8) {
            let (name, rule) = ("the depth", "so that the numbers of all factors can be counted");
            return Err(Error::Parameter { name, rule, got: depth.to_string() });
        }
        let square = |j: usize| norm(self.matrix.col_as_slice(j)).powi(2);
        let squares = (0..self.matrix.ncols()).map(square).collect();
        Ok(HadamardLoss { problem: self, depth, squares })
    }
}

/// Products of all factors but one, one after the other, and their derivatives along `u` where it is given.
fn all_but_one(v: &[f64], u: Option<&[f64]>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let n = v.len();
    let mut but = vec![1.0; n];
    let mut slope = vec![0.0; n];
    let (mut from, mut moved) = (vec![1.0; d], vec![0.0; d]);
    // From the left, each multiplied by what comes before; then from the right, by what comes after.
    for right in [false, true] {
        from.fill(1.0);
        moved.fill(0.0);
        let k = n / d;
        for step in 0..k {
            let i = if right { k - 1 - step } else { step };
            for j in 0..d {
                let at = i * d + j;
                slope[at] = slope[at] * from[j] + but[at] * moved[j];
                but[at] *= from[j];
                if let Some(u) = u {
                    moved[j] = moved[j] * v[at] + from[j] * u[at];
                }
                from[j] *= v[at];
            }
        }
    }
    (but, slope)
}

impl HadamardLoss<'_> {
    /// Number `k` of factors.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// `v_1 o ... o v_k`.
    ///
    /// # Errors
    /// When `v` has not `k d` numbers.
    ///
    /// ```
    /// let problem = flatmin_hadamard::Hadamard::from_arrays(1, 2, vec![1.0, 1.0], vec![5.0])?;
    /// assert_eq!(problem.loss(2)?.product(&[1.0, 2.0, 3.0, 4.0])?, [3.0, 8.0]);
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    pub fn product(&self, v: &[f64]) -> Result<Vec<f64>, Error> {
        check_point(self.order(), v)?;
        let d = self.squares.len();
        Ok((0..d).map(|j| v[j..].iter().step_by(d).product()).collect())
    }

    /// `A x - b` at the product.
    fn misfits(&self, v: &[f64]) -> Result<Vec<f64>, Error> {
        let mut r: Vec<f64> = self.problem.targets.iter().map(|b| -b).collect();
        for (j, x) in self.product(v)?.into_iter().enumerate() {
            axpy(x, self.problem.matrix.col_as_slice(j), &mut r);
        }
        Ok(r)
    }

    /// `A^T y`.
    fn adjoint(&self, y: &[f64]) -> Vec<f64> {
        let matrix = &self.problem.matrix;
        (0..self.squares.len()).map(|j| dot(matrix.col_as_slice(j), y)).collect()
    }

    /// `2/m`.
    fn weight(&self) -> f64 {
        2.0 / self.problem.targets.len() as f64
    }

    /// The Hessian at a point.
    ///
    /// # Errors
    /// When `v` has not `k d` numbers, or holds a NaN or an infinity.
    pub fn hessian_at(&self, v: &[f64]) -> Result<HadamardHessian<'_>, Error> {
        check_point(self.order(), v)?;
        finite("the factors", v)?;
        let misfits = self.misfits(v)?;
        let (but, _) = all_but_one(v, None, self.squares.len());
        Ok(HadamardHessian { loss: self, v: v.to_vec(), but, back: self.adjoint(&misfits) })
    }
}

impl Loss for HadamardLoss<'_> {
    fn order(&self) -> usize {
        self.depth * self.squares.len()
    }

    fn value(&self, v: &[f64]) -> Result<f64, Error> {
        let r = self.misfits(v)?;
        Ok(dot(&r, &r) / r.len() as f64)
    }

    fn value_and_gradient(&self, v: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        let r = self.misfits(v)?;
        self.pull_back(v, &r, gradient)?;
        let weight = self.weight();
        gradient.iter_mut().for_each(|g| *g *= weight);
        Ok(dot(&r, &r) / r.len() as f64)
    }

    fn hessian<'a>(&'a self, v: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        Ok(Box::new(self.hessian_at(v)?))
    }
}

impl LeastSquares for HadamardLoss<'_> {
    fn measurements(&self) -> usize {
        self.problem.targets.len()
    }

    fn residual(&self, v: &[f64], residual: &mut [f64]) -> Result<(), Error> {
        check_point(self.measurements(), residual)?;
        residual.copy_from_slice(&self.misfits(v)?);
        Ok(())
    }

    /// `A sum_i P_i o u_i` for the products `P_i` of all factors but `v_i`.
    fn push_forward(&self, v: &[f64], u: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), v)?;
        check_point(self.order(), u)?;
        check_point(self.measurements(), out)?;
        let d = self.squares.len();
        let (but, _) = all_but_one(v, None, d);
        out.fill(0.0);
        for j in 0..d {
            let along = but[j..].iter().step_by(d).zip(u[j..].iter().step_by(d));
            let x = along.map(|(but, u)| but * u).sum();
            axpy(x, self.problem.matrix.col_as_slice(j), out);
        }
        Ok(())
    }

    fn pull_back(&self, v: &[f64], y: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check_point(self.order(), v)?;
        check_point(self.measurements(), y)?;
        check_point(self.order(), out)?;
        let d = self.squares.len();
        let (but, _) = all_but_one(v, None, d);
        let back = self.adjoint(y);
        for (out, but) in out.chunks_exact_mut(d).zip(but.chunks_exact(d)) {
            out.iter_mut().zip(but).zip(&back).for_each(|((o, but), back)| *o = but * back);
        }
        Ok(())
    }
}

/// The trace of the Hessian, with the gradient `(4/m) |a_j|^2 sum_{l != i} P_il P_l`.
impl Traced for HadamardLoss<'_> {
    fn trace_and_gradient(&self, v: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), v)?;
        check_point(self.order(), gradient)?;
        let d = self.squares.len();
        let (but, _) = all_but_one(v, None, d);
        // The derivatives of the P_i along (P_1, ..., P_k).
        let (_, slope) = all_but_one(v, Some(&but), d);
        for (at, (g, slope)) in gradient.iter_mut().zip(&slope).enumerate() {
            *g = 2.0 * self.weight() * self.squares[at % d] * slope;
        }
        let energy = |(at, but): (usize, &f64)| self.squares[at % d] * but * but;
        Ok(self.weight() * but.iter().enumerate().map(energy).sum::<f64>())
    }
}

/// Hessian of a [`HadamardLoss`] at one point, of order `k d`; made by [`HadamardLoss::hessian_at`].
///
/// ```
/// use flatmin_hadamard::{Hadamard, Mat, core::flatness::SymmetricOperator};
/// // (u v - 1)^2 at (2, 3).
/// let problem = Hadamard::from_arrays(1, 1, vec![1.0], vec![1.0])?;
/// let loss = problem.loss(2)?;
/// let hessian = loss.hessian_at(&[2.0, 3.0])?;
/// assert_eq!(hessian.traces(), [18.0, 8.0]);
/// let mut columns = Mat::zeros(2, 2);
/// hessian.apply(Mat::<f64>::identity(2, 2).as_ref(), columns.as_mut());
/// assert_eq!(columns[(0, 1)], 22.0);
/// # Ok::<(), flatmin_hadamard::Error>(())
/// ```
pub struct HadamardHessian<'a> {
    loss: &'a HadamardLoss<'a>,
    v: Vec<f64>,
    /// `P_i`.
    but: Vec<f64>,
    /// `g = A^T r`.
    back: Vec<f64>,
}

impl HadamardHessian<'_> {
    /// Traces of the blocks of the factors, `(2/m) sum_j |a_j|^2 P_ij^2`, one a factor.
    pub fn traces(&self) -> Vec<f64> {
        let squares = &self.loss.squares;
        let block = |but: &[f64]| {
            self.loss.weight() * but.iter().zip(squares).map(|(b, a)| a * b * b).sum::<f64>()
        };
        self.but.chunks_exact(squares.len()).map(block).collect()
    }
}

/// Products along a leading direction that make it one.
const SHARPENED: usize = 3;

impl SymmetricOperator for HadamardHessian<'_> {
    fn order(&self) -> usize {
        self.but.len()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (d, p) = (self.back.len(), v.ncols());
        let matrix = self.loss.problem.matrix.as_ref();
        let mut along = Mat::<f64>::zeros(d, p);
        for (c, column) in v.col_iter().enumerate() {
            for (at, (u, but)) in column.iter().zip(&self.but).enumerate() {
                along[(at % d, c)] += u * but;
            }
        }
        let image = product(matrix, along.as_ref());
        multiply(along.as_mut(), matrix.transpose(), image.as_ref());
        let weight = self.loss.weight();
        for (c, (column, out)) in v.col_iter().zip(out.as_mut().col_iter_mut()).enumerate() {
            let u: Vec<f64> = column.iter().copied().collect();
            let (_, slope) = all_but_one(&self.v, Some(&u), d);
            let image = along.col_as_slice(c);
            for (at, out) in out.iter_mut().enumerate() {
                let j = at % d;
                *out = weight * (self.but[at] * image[j] + self.back[j] * slope[at]);
            }
        }
    }

    fn exact_trace(&self) -> Option<f64> {
        Some(self.traces().iter().sum())
    }

    /// `P_i o A^T q` for a `q` near the leading eigenvector of `A diag(sum_i P_i^2) A^T`.
    fn leading_direction(&self) -> Option<Vec<f64>> {
        let (d, matrix) = (self.back.len(), &self.loss.problem.matrix);
        let mut energy = vec![0.0; d];
        self.but.iter().enumerate().for_each(|(at, but)| energy[at % d] += but * but);
        let of = |j: usize| energy[j] * self.loss.squares[j];
        let start = (0..d).max_by(|&i, &j| of(i).total_cmp(&of(j)))?;
        let mut q = matrix.col_as_slice(start).to_vec();
        let mut back = self.loss.adjoint(&q);
        for _ in 0..SHARPENED {
            q.fill(0.0);
            for (j, (back, energy)) in back.iter().zip(&energy).enumerate() {
                axpy(back * energy, matrix.col_as_slice(j), &mut q);
            }
            let size = norm(&q);
            if !(size > 0.0 && size.is_finite()) {
                return None;
            }
            q.iter_mut().for_each(|q| *q /= size);
            back = self.loss.adjoint(&q);
        }
        Some(self.but.iter().enumerate().map(|(at, but)| but * back[at % d]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::flatness::spectrum::Lanczos;
    use flatmin_core::loss::check;
    use flatmin_core::rng::{Role, Stream};

    fn problem(m: usize, d: usize) -> (Hadamard, Stream) {
        let mut s = Stream::new(4, "Hadamard loss", m as u64, d as u64, Role::Probe);
        let (a, b) = (s.gaussian_matrix(m, d), s.gaussian_vector(m));
        (Hadamard::new(a, b).unwrap(), s)
    }

    #[test]
    fn obeys_the_laws_of_losses() {
        for (m, d) in [(4, 7), (1, 1), (6, 3), (5, 5)] {
            for k in [1, 2, 3, 4, 6] {
                let (problem, mut s) = problem(m, d);
                let loss = problem.loss(k).unwrap();
                let mut x = s.gaussian_vector(loss.order());
                // Where everything vanishes differences have nothing to compare with.
                for zeros in if d > 1 { vec![false, true] } else { vec![false] } {
                    if zeros {
                        // A coordinate at which two factors vanish, and one at which one does.
                        x[0] = 0.0;
                        x[(k - 1) * d] = 0.0;
                        x[d - 1] = 0.0;
                    }
                    let case = format!("{m} x {d}, depth {k}, zeros {zeros}");
                    let found = check::curvature(&loss, &x, 3).unwrap();
                    // Beyond depth two the loss is no quartic, and differences have an error of their own.
                    let fine = if k <= 2 { 1e-9 } else { 1e-7 };
                    assert!(found.gradient < fine && found.product < fine, "{case}: {found:?}");
                    assert!(found.asymmetry < 1e-13 && found.trace < 1e-13, "{case}: {found:?}");
                    let found = check::least_squares(&loss, &x, 3).unwrap();
                    assert!(found.value < 1e-14 && found.gradient < 1e-14, "{case}: {found:?}");
                    assert!(found.adjoint < 1e-13 && found.differences < fine, "{case}: {found:?}");
                    let [trace, slope] = check::traced(&loss, &x, 3).unwrap();
                    assert!(trace < 1e-13 && slope < fine, "{case}: {trace:e}, {slope:e}");
                }
            }
        }
    }

    #[test]
    fn a_block_is_its_columns() {
        let (problem, mut s) = problem(4, 6);
        let loss = problem.loss(3).unwrap();
        let x = s.gaussian_vector(18);
        let hessian = loss.hessian_at(&x).unwrap();
        let v = s.gaussian_matrix(18, 5);
        let mut block = Mat::zeros(18, 5);
        hessian.apply(v.as_ref(), block.as_mut());
        for c in 0..5 {
            let mut alone = Mat::full(18, 1, f64::NAN);
            hessian.apply(v.as_ref().subcols(c, 1), alone.as_mut());
            assert!((&alone - block.as_ref().subcols(c, 1)).norm_max() < 1e-12 * alone.norm_max());
        }
        let total: f64 = hessian.traces().iter().sum();
        assert_eq!(hessian.exact_trace(), Some(total));
    }

    /// At a solution the Hessian is that of the linearised loss, whose leading eigenvector is known.
    #[test]
    fn a_leading_direction_leads() {
        let (problem, _) = problem(5, 12);
        for k in [2, 3] {
            let flat = problem.flat(k).solve().unwrap();
            let factors = flat.factors().unwrap();
            let x: Vec<f64> = factors.col_iter().flat_map(|c| c.iter().copied()).collect();
            let loss = problem.loss(k).unwrap();
            let hessian = loss.hessian_at(&x).unwrap();
            let v = hessian.leading_direction().unwrap();
            let v = MatRef::from_column_major_slice(&v, v.len(), 1);
            let mut image = Mat::zeros(v.nrows(), 1);
            hessian.apply(v, image.as_mut());
            let quotient = (v.transpose() * &image)[(0, 0)] / v.squared_norm_l2();
            let largest = Lanczos::default().largest(&hessian).unwrap().value;
            assert!(quotient > 0.8 * largest, "depth {k}: {quotient} of {largest}");
            assert!(quotient <= largest * (1.0 + 1e-9), "depth {k}: {quotient} of {largest}");
            let trace = hessian.exact_trace().unwrap();
            assert!((trace - flat.trace).abs() < 1e-12 * trace, "{trace} and {}", flat.trace);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (problem, _) = problem(2, 3);
        assert!(matches!(problem.loss(0), Err(Error::Parameter { .. })));
        let loss = problem.loss(2).unwrap();
        assert!(matches!(loss.value(&[0.0; 5]), Err(Error::Shape { .. })));
        assert!(matches!(loss.value_and_gradient(&[0.0; 6], &mut [0.0]), Err(Error::Shape { .. })));
        assert!(matches!(loss.residual(&[0.0; 6], &mut [0.0]), Err(Error::Shape { .. })));
        assert!(matches!(loss.hessian_at(&[f64::NAN; 6]).err(), Some(Error::NotFinite { .. })));
    }
}
