//! The overparameterised loss of robust PCA and the smooth majoriser on which its flatness is
//! measured.
//!
//! With `Omega` the matrices of absolute sum at most `tau` and `W` the pattern of seen entries,
//!
//! ```text
//! f(L, R)  = min_{S in Omega} |W o (L R^T + S - Y)|_F^2  =  dist^2(W o (Y - L R^T), Omega)
//! g~(L, R) = |W o (L R^T + S~ - Y)|_F^2,                    S~ = P_Omega(W o (Y - L~ R~^T))
//! ```
//!
//! `f` is once continuously differentiable and not twice; `g~` is smooth, nowhere below `f`, and
//! touches it at `(L~, R~)` to first order. The residual term of its Hessian couples the two blocks
//! only, so that the traces over the blocks are
//!
//! ```text
//! tr_L D2g~ = 2 sum_j n_j |R_j|^2,   tr_R D2g~ = 2 sum_i n_i |L_i|^2,      n the entries seen in a line
//! str(D2g~) = tr_L / d1 + tr_R / d2
//! ```
//!
//! which is `2 |L|_F^2 + 2 |R|_F^2` when everything is seen, whatever the base point. Where entries
//! are missing the flat minima minimise `|D1 X D2|_*` with `D1^2 = diag(n_i) / d2` and
//! `D2^2 = diag(n_j) / d1` instead of `|X|_*`, as in matrix completion.
//!
//! Source: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank
//! matrix recovery*, Information and Inference 13(2), 2024 (arXiv 2203.03756), for the loss and the
//! majoriser of a fully seen matrix; the missing entries are this project's.

use crate::RobustPca;
use crate::projection::{l1_threshold, shrink};
use flatmin_core::linalg::{accumulate, inner, product};
use flatmin_core::{Error, Mat, MatRef};

/// `f(L, R) = dist^2(W o (Y - L R^T), Omega)`, with `L` of shape `d1 x k` and `R` of shape `d2 x k`.
///
/// ```
/// use flatmin_rpca::{Mat, RobustLoss, RobustPca};
/// let y = Mat::from_fn(2, 2, |i, j| if i == j { 4.0 } else { 1.0 });
/// let problem = RobustPca::new(y.as_ref())?;
/// let loss = RobustLoss::new(&problem, 6.0)?;
/// let ones = Mat::full(2, 1, 1.0); // two entries off by 3
/// assert_eq!(loss.value(ones.as_ref(), ones.as_ref())?, 0.0);
/// // The nearest allowed corruptions have 2 instead of 3.
/// assert_eq!(RobustLoss::new(&problem, 4.0)?.value(ones.as_ref(), ones.as_ref())?, 2.0);
/// # Ok::<(), flatmin_rpca::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RobustLoss<'a> {
    problem: &'a RobustPca,
    tau: f64,
}

impl<'a> RobustLoss<'a> {
    /// The loss of a problem, for corruptions of absolute sum at most `tau`.
    ///
    /// # Errors
    /// When `tau` is negative or not finite.
    pub fn new(problem: &'a RobustPca, tau: f64) -> Result<RobustLoss<'a>, Error> {
        if !(tau >= 0.0 && tau.is_finite()) {
            let (rule, got) = ("zero or positive, and finite", tau.to_string());
            return Err(Error::Parameter { name: "tau", rule, got });
        }
        Ok(RobustLoss { problem, tau })
    }

    /// `W o (Y - L R^T)` and the threshold of its projection onto `Omega`.
    fn residual(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<(Mat<f64>, f64), Error> {
        check(self.problem, "the factors", l, r)?;
        let residual = difference(self.problem, self.problem.matrix(), l, r);
        let mut flat = Vec::with_capacity(residual.nrows() * residual.ncols());
        residual.col_iter().for_each(|c| flat.extend(c.iter().copied()));
        let theta = l1_threshold(&flat, self.tau);
        Ok((residual, theta))
    }

    /// Value at `(L, R)`: `sum min(|E_ij|, theta)^2` for the residual `E` and the threshold `theta`
    /// of its projection.
    ///
    /// # Errors
    /// When the factors' shapes do not fit.
    pub fn value(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<f64, Error> {
        let (residual, theta) = self.residual(l, r)?;
        let clipped = residual.col_iter().flat_map(|c| c.iter()).map(|e| e.abs().min(theta));
        Ok(clipped.map(|e| e * e).sum())
    }

    /// Value and gradient at `(L, R)`: with `E` clipped to `[-theta, theta]`, the gradient is
    /// `-2 E R` (`d1 x k`) and `-2 E^T L` (`d2 x k`), that of the majoriser at its own base.
    ///
    /// # Errors
    /// As [`RobustLoss::value`].
    pub fn value_and_gradient(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<(f64, Mat<f64>, Mat<f64>), Error> {
        let (mut residual, theta) = self.residual(l, r)?;
        // Not `clamp`, which refuses the NaN that an overflow brings.
        for column in residual.col_iter_mut() {
            column.iter_mut().for_each(|e| *e = -e.max(-theta).min(theta));
        }
        Ok(squared(residual.as_ref(), l, r))
    }

    /// The majoriser `g~` that touches the loss at `(L~, R~)`.
    ///
    /// # Errors
    /// As [`RobustLoss::value`].
    pub fn majoriser(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<Majoriser<'a>, Error> {
        let (residual, theta) = self.residual(l, r)?;
        let y = self.problem.matrix();
        let (rows, cols) = y.shape();
        let target = Mat::from_fn(rows, cols, |i, j| y[(i, j)] - shrink(residual[(i, j)], theta));
        Ok(Majoriser { problem: self.problem, target })
    }
}

/// `g~(L, R) = |W o (L R^T - (Y - S~))|_F^2`: the loss with the corruptions held at `S~`.
///
/// ```
/// use flatmin_rpca::{Mat, RobustLoss, RobustPca};
/// let y = Mat::from_fn(3, 2, |i, j| (i + j) as f64);
/// let problem = RobustPca::new(y.as_ref())?;
/// let loss = RobustLoss::new(&problem, 1.0)?;
/// let (l, r) = (Mat::full(3, 1, 1.0), Mat::full(2, 1, 1.0));
/// let majoriser = loss.majoriser(l.as_ref(), r.as_ref())?;
/// let value = loss.value(l.as_ref(), r.as_ref())?;
/// assert!((majoriser.value(l.as_ref(), r.as_ref())? - value).abs() < 1e-14);
/// // 2 |L|^2 + 2 |R|^2.
/// assert_eq!(majoriser.scaled_trace(l.as_ref(), r.as_ref())?, 10.0);
/// # Ok::<(), flatmin_rpca::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Majoriser<'a> {
    pub(crate) problem: &'a RobustPca,
    /// `Y - S~`.
    pub(crate) target: Mat<f64>,
}

impl Majoriser<'_> {
    /// Value at `(L, R)`.
    ///
    /// # Errors
    /// When the factors' shapes do not fit.
    pub fn value(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<f64, Error> {
        check(self.problem, "the factors", l, r)?;
        Ok(difference(self.problem, self.target.as_ref(), l, r).squared_norm_l2())
    }

    /// Value and gradient at `(L, R)`: `2 F R` and `2 F^T L` with `F = W o (L R^T + S~ - Y)`.
    ///
    /// # Errors
    /// As [`Majoriser::value`].
    pub fn value_and_gradient(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<(f64, Mat<f64>, Mat<f64>), Error> {
        check(self.problem, "the factors", l, r)?;
        let residual = -difference(self.problem, self.target.as_ref(), l, r);
        Ok(squared(residual.as_ref(), l, r))
    }

    /// Quadratic form of the Hessian at `(L, R)` along `(U, V)`:
    /// `2 |W o (U R^T + L V^T)|_F^2 + 4 <W o (L R^T + S~ - Y), U V^T>`.
    ///
    /// # Errors
    /// When the shapes of the factors or of the direction do not fit.
    pub fn hessian_form(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        u: MatRef<'_, f64>,
        v: MatRef<'_, f64>,
    ) -> Result<f64, Error> {
        check(self.problem, "the factors", l, r)?;
        check(self.problem, "the direction", u, v)?;
        if u.ncols() != l.ncols() {
            return Err(Error::Shape {
                what: "the direction",
                expected: format!("the factors' {} columns", l.ncols()),
                got: format!("{}", u.ncols()),
            });
        }
        let mut along = product(u, r.transpose());
        accumulate(along.as_mut(), l, v.transpose());
        mask(self.problem, &mut along);
        let residual = difference(self.problem, self.target.as_ref(), l, r);
        let second = inner(residual.as_ref(), product(u, v.transpose()).as_ref());
        Ok(2.0 * along.squared_norm_l2() - 4.0 * second)
    }

    /// Exact traces of the Hessian at `(L, R)` over the `L` block and over the `R` block.
    ///
    /// # Errors
    /// When the factors' shapes do not fit.
    pub fn traces(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<(f64, f64), Error> {
        check(self.problem, "the factors", l, r)?;
        Ok(self.traces_of(l, r))
    }

    /// The same for factors that fit.
    pub(crate) fn traces_of(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> (f64, f64) {
        let (rows, cols) = counts(self.problem);
        let weighted = |m: MatRef<'_, f64>, counts: &[f64]| -> f64 {
            let squares = m.col_iter().flat_map(|c| c.iter().zip(counts));
            2.0 * squares.map(|(v, n)| n * v * v).sum::<f64>()
        };
        (weighted(r, &cols), weighted(l, &rows))
    }

    /// Scaled trace of the Hessian at `(L, R)`: that over the `L` block divided by `d1` plus that
    /// over the `R` block divided by `d2`.
    ///
    /// # Errors
    /// As [`Majoriser::traces`].
    pub fn scaled_trace(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<f64, Error> {
        let (left, right) = self.traces(l, r)?;
        Ok(left / self.problem.rows as f64 + right / self.problem.cols as f64)
    }
}

/// `W o (target - L R^T)`.
pub(crate) fn difference(
    problem: &RobustPca,
    target: MatRef<'_, f64>,
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
) -> Mat<f64> {
    let mut difference = target.to_owned();
    flatmin_core::linalg::subtract_product(difference.as_mut(), l, r.transpose());
    mask(problem, &mut difference);
    difference
}

/// Zeros where nothing is seen.
fn mask(problem: &RobustPca, matrix: &mut Mat<f64>) {
    let Some(seen) = &problem.seen else { return };
    for (column, seen) in matrix.col_iter_mut().zip(seen.chunks_exact(problem.rows)) {
        column.iter_mut().zip(seen).filter(|(_, seen)| !**seen).for_each(|(v, _)| *v = 0.0);
    }
}

/// `|F|_F^2` with its gradient `2 F R`, `2 F^T L` for `F = L R^T - target`.
pub(crate) fn squared(
    f: MatRef<'_, f64>,
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
) -> (f64, Mat<f64>, Mat<f64>) {
    let (mut gl, mut gr) = (product(f, r), product(f.transpose(), l));
    for gradient in [&mut gl, &mut gr] {
        gradient.col_iter_mut().for_each(|c| c.iter_mut().for_each(|g| *g *= 2.0));
    }
    (f.squared_norm_l2(), gl, gr)
}

/// Entries seen in each row and in each column.
pub(crate) fn counts(problem: &RobustPca) -> (Vec<f64>, Vec<f64>) {
    let Some(seen) = &problem.seen else {
        return (vec![problem.cols as f64; problem.rows], vec![problem.rows as f64; problem.cols]);
    };
    let (mut rows, mut cols) = (vec![0.0; problem.rows], vec![0.0; problem.cols]);
    for (n, column) in cols.iter_mut().zip(seen.chunks_exact(problem.rows)) {
        for (row, _) in rows.iter_mut().zip(column).filter(|(_, seen)| **seen) {
            (*n, *row) = (*n + 1.0, *row + 1.0);
        }
    }
    (rows, cols)
}

pub(crate) fn check(
    problem: &RobustPca,
    what: &'static str,
    l: MatRef<'_, f64>,
    r: MatRef<'_, f64>,
) -> Result<(), Error> {
    let (rows, cols) = problem.shape();
    if l.nrows() != rows || r.nrows() != cols || l.ncols() != r.ncols() {
        let ((a, k), (b, q)) = (l.shape(), r.shape());
        return Err(Error::Shape {
            what,
            expected: format!("{rows} and {cols} rows and as many columns as each other"),
            got: format!("{a} x {k} and {b} x {q}"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::rng::{Role, Stream};

    const K: usize = 3;

    /// A square, a wide and a tall problem, the last two with missing entries.
    fn problems() -> Vec<RobustPca> {
        let mut stream = Stream::new(3, "loss", 0, 0, Role::Truth);
        let mut random = |rows, cols, holes: bool| {
            let y = stream.gaussian_matrix(rows, cols);
            RobustPca::from_seen(y.as_ref(), |i, j| !holes || (i + 2 * j) % 3 > 0).unwrap()
        };
        vec![random(4, 4, false), random(3, 6, true), random(7, 2, true), random(1, 1, false)]
    }

    fn pair(problem: &RobustPca, stream: &mut Stream) -> (Mat<f64>, Mat<f64>) {
        let (rows, cols) = problem.shape();
        (stream.gaussian_matrix(rows, K), stream.gaussian_matrix(cols, K))
    }

    fn stream() -> Stream {
        Stream::new(5, "loss", 0, 0, Role::Probe)
    }

    /// Every problem with `tau` at zero, in between, and large enough for the loss to vanish.
    fn all(mut law: impl FnMut(&RobustPca, RobustLoss<'_>, &mut Stream)) {
        for problem in problems() {
            for tau in [0.0, 0.7, 3.0, 1e4] {
                law(&problem, RobustLoss::new(&problem, tau).unwrap(), &mut stream());
            }
        }
    }

    fn step(
        at: &(Mat<f64>, Mat<f64>),
        t: f64,
        along: &(Mat<f64>, Mat<f64>),
    ) -> (Mat<f64>, Mat<f64>) {
        let sum = |a: &Mat<f64>, b: &Mat<f64>| {
            Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] + t * b[(i, j)])
        };
        (sum(&at.0, &along.0), sum(&at.1, &along.1))
    }

    #[test]
    fn the_value_is_the_squared_distance() {
        all(|problem, loss, stream| {
            let (l, r) = pair(problem, stream);
            let y = problem.matrix();
            let x = product(l.as_ref(), r.transpose());
            let mut residual: Vec<f64> = (0..problem.rows * problem.cols)
                .map(|k| (k % problem.rows, k / problem.rows))
                .map(|(i, j)| if problem.is_seen(i, j) { y[(i, j)] - x[(i, j)] } else { 0.0 })
                .collect();
            let before = residual.clone();
            crate::projection::l1_ball(&mut residual, loss.tau);
            let distance: f64 = before.iter().zip(&residual).map(|(a, b)| (a - b).powi(2)).sum();
            let value = loss.value(l.as_ref(), r.as_ref()).unwrap();
            approx::assert_relative_eq!(value, distance, max_relative = 1e-12, epsilon = 1e-12);
        });
    }

    #[test]
    fn gradients_agree_with_finite_differences_and_with_the_majoriser() {
        all(|problem, loss, stream| {
            let (at, along) = (pair(problem, stream), pair(problem, stream));
            let (value, gl, gr) = loss.value_and_gradient(at.0.as_ref(), at.1.as_ref()).unwrap();
            let alone = loss.value(at.0.as_ref(), at.1.as_ref()).unwrap();
            approx::assert_relative_eq!(value, alone, max_relative = 1e-14);
            let slope = inner(gl.as_ref(), along.0.as_ref()) + inner(gr.as_ref(), along.1.as_ref());
            let at_step = |t: f64| {
                let (l, r) = step(&at, t, &along);
                loss.value(l.as_ref(), r.as_ref()).unwrap()
            };
            // The loss has kinks in its second derivative: second order is what differences reach.
            let h = 1e-6;
            let difference = (at_step(h) - at_step(-h)) / (2.0 * h);
            assert!((difference - slope).abs() < 1e-4 * slope.abs().max(1.0));
            let majoriser = loss.majoriser(at.0.as_ref(), at.1.as_ref()).unwrap();
            let (touch, ml, mr) =
                majoriser.value_and_gradient(at.0.as_ref(), at.1.as_ref()).unwrap();
            approx::assert_relative_eq!(touch, value, max_relative = 1e-12, epsilon = 1e-12);
            let scale = gl.norm_max().max(gr.norm_max()).max(1.0);
            assert!((ml - gl).norm_max() < 1e-12 * scale && (mr - gr).norm_max() < 1e-12 * scale);
        });
    }

    #[test]
    fn the_majoriser_is_nowhere_below_the_loss() {
        all(|problem, loss, stream| {
            let base = pair(problem, stream);
            let majoriser = loss.majoriser(base.0.as_ref(), base.1.as_ref()).unwrap();
            for size in [1e-6, 1e-2, 1.0, 30.0] {
                let (l, r) = step(&base, size, &pair(problem, stream));
                let value = loss.value(l.as_ref(), r.as_ref()).unwrap();
                let above = majoriser.value(l.as_ref(), r.as_ref()).unwrap();
                assert!(above >= value - 1e-12 * value.max(1.0), "{above} below {value}");
            }
        });
    }

    #[test]
    fn the_hessian_form_agrees_with_differences_of_the_gradient() {
        all(|problem, loss, stream| {
            let (base, at, along) =
                (pair(problem, stream), pair(problem, stream), pair(problem, stream));
            let majoriser = loss.majoriser(base.0.as_ref(), base.1.as_ref()).unwrap();
            let slope = |t: f64| {
                let (l, r) = step(&at, t, &along);
                let (_, gl, gr) = majoriser.value_and_gradient(l.as_ref(), r.as_ref()).unwrap();
                inner(gl.as_ref(), along.0.as_ref()) + inner(gr.as_ref(), along.1.as_ref())
            };
            // A quartic along the line: fourth-order differences are exact up to rounding.
            let h = 1e-3;
            let difference =
                (8.0 * (slope(h) - slope(-h)) - (slope(2.0 * h) - slope(-2.0 * h))) / (12.0 * h);
            let form = majoriser
                .hessian_form(at.0.as_ref(), at.1.as_ref(), along.0.as_ref(), along.1.as_ref())
                .unwrap();
            assert!((difference - form).abs() < 1e-8 * form.abs().max(1.0));
        });
    }

    /// At a point away from the base, with residual.
    #[test]
    fn exact_traces_equal_basis_vector_traces() {
        all(|problem, loss, stream| {
            let (base, (l, r)) = (pair(problem, stream), pair(problem, stream));
            let majoriser = loss.majoriser(base.0.as_ref(), base.1.as_ref()).unwrap();
            let (rows, cols) = problem.shape();
            let block = |length: usize, left: bool| -> f64 {
                let form = |i: usize, j: usize| {
                    let (mut u, mut v) = (Mat::zeros(rows, K), Mat::zeros(cols, K));
                    *(if left { &mut u[(i, j)] } else { &mut v[(i, j)] }) = 1.0;
                    majoriser.hessian_form(l.as_ref(), r.as_ref(), u.as_ref(), v.as_ref()).unwrap()
                };
                (0..length).map(|i| (0..K).map(|j| form(i, j)).sum::<f64>()).sum()
            };
            let by_basis = (block(rows, true), block(cols, false));
            let exact = majoriser.traces(l.as_ref(), r.as_ref()).unwrap();
            approx::assert_relative_eq!(exact.0, by_basis.0, max_relative = 1e-12);
            approx::assert_relative_eq!(exact.1, by_basis.1, max_relative = 1e-12);
            let scaled = majoriser.scaled_trace(l.as_ref(), r.as_ref()).unwrap();
            let expected = by_basis.0 / rows as f64 + by_basis.1 / cols as f64;
            approx::assert_relative_eq!(scaled, expected, max_relative = 1e-12);
            if problem.seen.is_none() {
                let norms = 2.0 * (l.squared_norm_l2() + r.squared_norm_l2());
                approx::assert_relative_eq!(scaled, norms, max_relative = 1e-12);
            }
        });
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let problem = &problems()[1];
        for tau in [-1.0, f64::NAN, f64::INFINITY] {
            let error = RobustLoss::new(problem, tau).unwrap_err();
            assert!(matches!(error, Error::Parameter { name: "tau", .. }));
        }
        let loss = RobustLoss::new(problem, 1.0).unwrap();
        let zeros = |rows, cols| Mat::<f64>::zeros(rows, cols);
        for (l, r) in
            [(zeros(2, 1), zeros(6, 1)), (zeros(3, 1), zeros(5, 1)), (zeros(3, 1), zeros(6, 2))]
        {
            let error = loss.value(l.as_ref(), r.as_ref()).unwrap_err();
            assert!(matches!(error, Error::Shape { .. }), "{error}");
        }
        let (l, r) = (zeros(3, 1), zeros(6, 1));
        let majoriser = loss.majoriser(l.as_ref(), r.as_ref()).unwrap();
        let (u, v) = (zeros(3, 2), zeros(6, 2));
        assert!(majoriser.hessian_form(l.as_ref(), r.as_ref(), u.as_ref(), v.as_ref()).is_err());
        // No columns at all: everything is residual.
        let (l, r) = (zeros(3, 0), zeros(6, 0));
        assert!(loss.value(l.as_ref(), r.as_ref()).unwrap() > 0.0);
    }
}
