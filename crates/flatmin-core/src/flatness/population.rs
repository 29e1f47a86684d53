//! Hessians of the population: what those of random measurements average to.
//!
//! Measurements with independent standard normal entries, and products `a_i b_i^T` of standard normal
//! vectors, have `E <A, X> A = X`, so that with `X = U R^T + L V^T` and the error `E = L R^T - M`
//!
//! ```text
//! E D2f(L, R) (U, V) = 2 (X R + E V,  X^T L + E^T U),      tr = 2 d1 |R|_F^2 + 2 d2 |L|_F^2,
//! ```
//!
//! the Hessian of `|L R^T - M|_F^2`. For `A = x x^T` with standard normal `x` (Isserlis, 1918)
//!
//! ```text
//! E <A, W> A = W + W^T + (tr W) I,      E |x|^2 x x^T = (d + 2) I,
//! ```
//!
//! so that with `W = U S V^T`, `S = diag(s)` and `E = U S U^T - M`
//!
//! ```text
//! E D2f(U) V = 8 (W + W^T + (tr W) I) U S + 4 (2 E + (tr E) I) V S,
//! tr = (d + 2) (8 |U|_F^2 + 4 (sum_j s_j) tr E).
//! ```
//!
//! They cost nothing beside one product with measurements, and are close to the Hessian of many: control
//! variates for its trace.

use super::{PairOperator, SymmetricOperator, leading_direction};
use crate::linalg::{accumulate, inner, product, scale_columns};
use crate::operator::{stack, unstack};
use crate::{Error, Mat, MatMut, MatRef};

/// `E D2f(L, R)` for Gaussian measurements, dense ones or products of vectors; exactly the Hessian of
/// `|L R^T - M|_F^2`. Of order `k (d1 + d2)`, in the coordinates `(vec L, vec R)`, column-major.
#[derive(Debug, Clone)]
pub struct PopulationHessian {
    l: Mat<f64>,
    r: Mat<f64>,
    error: Option<Mat<f64>>,
}

impl PopulationHessian {
    /// At factors `L` (`d1 x k`), `R` (`d2 x k`) with the error `L R^T - M` (`d1 x d2`), or without it, as on
    /// the solution set; the error does not change the trace.
    ///
    /// ```
    /// use flatmin_core::Mat;
    /// use flatmin_core::flatness::{PairOperator, PopulationHessian, SymmetricOperator};
    /// // (l r - 1)^2 at l = 2, r = 3.
    /// let (l, r, error) = (Mat::full(1, 1, 2.0), Mat::full(1, 1, 3.0), Mat::full(1, 1, 5.0));
    /// let hessian = PopulationHessian::new(l.as_ref(), r.as_ref(), Some(error.as_ref()))?;
    /// assert_eq!(hessian.traces(), (18.0, 8.0));
    /// let mut columns = Mat::zeros(2, 2);
    /// hessian.apply(Mat::<f64>::identity(2, 2).as_ref(), columns.as_mut());
    /// assert_eq!(columns, Mat::from_fn(2, 2, |i, j| [[18.0, 22.0], [22.0, 8.0]][i][j]));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shapes do not fit one another, or the factors have no columns.
    pub fn new(
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        error: Option<MatRef<'_, f64>>,
    ) -> Result<PopulationHessian, Error> {
        if l.ncols() == 0 {
            return Err(Error::Empty { what: "the list of columns of the factors" });
        }
        if l.ncols() != r.ncols() {
            return Err(Error::Shape {
                what: "the right factor",
                expected: format!("{} columns, as the left one", l.ncols()),
                got: r.ncols().to_string(),
            });
        }
        check_error(error, l.nrows(), r.nrows())?;
        let error = error.map(|e| e.to_owned());
        Ok(PopulationHessian { l: l.to_owned(), r: r.to_owned(), error })
    }

    /// `L` and `R`.
    pub fn factors(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (self.l.as_ref(), self.r.as_ref())
    }

    /// The error `L R^T - M`, where it was given.
    pub fn error(&self) -> Option<MatRef<'_, f64>> {
        self.error.as_ref().map(|e| e.as_ref())
    }
}

fn check_error(error: Option<MatRef<'_, f64>>, rows: usize, cols: usize) -> Result<(), Error> {
    match error {
        Some(e) if e.shape() != (rows, cols) => Err(Error::Shape {
            what: "the error",
            expected: format!("shape {rows} x {cols}"),
            got: format!("{} x {}", e.nrows(), e.ncols()),
        }),
        _ => Ok(()),
    }
}

impl SymmetricOperator for PopulationHessian {
    fn order(&self) -> usize {
        self.l.ncols() * (self.l.nrows() + self.r.nrows())
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (l, r, k) = (self.l.as_ref(), self.r.as_ref(), self.l.ncols());
        let (us, vs) = unstack(v, l.nrows(), r.nrows());
        let (mut left, mut right) = match &self.error {
            Some(e) => (product(e.as_ref(), vs.as_ref()), product(e.transpose(), us.as_ref())),
            None => (Mat::zeros(us.nrows(), us.ncols()), Mat::zeros(vs.nrows(), vs.ncols())),
        };
        // X R = U (R^T R) + L (V^T R), and its mirror image: X is not formed.
        let (ll, rr) = (product(l.transpose(), l), product(r.transpose(), r));
        for first in (0..us.ncols()).step_by(k) {
            let (u, v) = (us.as_ref().subcols(first, k), vs.as_ref().subcols(first, k));
            let mut left = left.as_mut().subcols_mut(first, k);
            accumulate(left.as_mut(), u, rr.as_ref());
            accumulate(left, l, product(v.transpose(), r).as_ref());
            let mut right = right.as_mut().subcols_mut(first, k);
            accumulate(right.as_mut(), v, ll.as_ref());
            accumulate(right, r, product(u.transpose(), l).as_ref());
        }
        stack(left.as_ref(), right.as_ref(), out.as_mut());
        out *= faer::Scale(2.0);
    }

    fn exact_trace(&self) -> Option<f64> {
        let (left, right) = self.traces();
        Some(left + right)
    }

    fn leading_direction(&self) -> Option<Vec<f64>> {
        leading_direction(self.l.as_ref(), self.r.as_ref())
    }
}

impl PairOperator for PopulationHessian {
    fn shape(&self) -> (usize, usize) {
        (self.l.nrows(), self.r.nrows())
    }

    fn traces(&self) -> (f64, f64) {
        let (d1, d2) = (self.l.nrows() as f64, self.r.nrows() as f64);
        (2.0 * d1 * self.r.squared_norm_l2(), 2.0 * d2 * self.l.squared_norm_l2())
    }
}

/// `E D2f(U)` for `f(U) = (1/m) sum_i (x_i^T U diag(s) U^T x_i - y_i)^2` with standard normal `x_i`, of
/// order `d k`, in the coordinates `vec U`, column-major.
#[derive(Debug, Clone)]
pub struct SymmetricPopulationHessian {
    u: Mat<f64>,
    /// `U S`.
    signed: Mat<f64>,
    signs: Vec<f64>,
    error: Option<Mat<f64>>,
}

impl SymmetricPopulationHessian {
    /// At `U` (`d x k`) of which the first `positive` columns have the sign `+1` and the others `-1`, with the
    /// symmetric error `U S U^T - M` (`d x d`), or without it, as on the solution set.
    ///
    /// ```
    /// use flatmin_core::{Mat, flatness::{SymmetricOperator, SymmetricPopulationHessian}};
    /// // E x^4 (u^2 - 1)^2 = 3 (u^2 - 1)^2 at u = 2: second derivative 3 (12 u^2 - 4).
    /// let (u, error) = (Mat::full(1, 1, 2.0), Mat::full(1, 1, 3.0));
    /// let hessian = SymmetricPopulationHessian::new(u.as_ref(), 1, Some(error.as_ref()))?;
    /// assert_eq!(hessian.exact_trace(), Some(132.0));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `U` has no columns or fewer than `positive`, or the error is not of order `d`.
    pub fn new(
        u: MatRef<'_, f64>,
        positive: usize,
        error: Option<MatRef<'_, f64>>,
    ) -> Result<SymmetricPopulationHessian, Error> {
        if u.ncols() == 0 {
            return Err(Error::Empty { what: "the list of columns of the factors" });
        }
        if positive > u.ncols() {
            let (name, rule) = ("the number of positive columns", "at most the number of columns");
            return Err(Error::Parameter { name, rule, got: positive.to_string() });
        }
        check_error(error, u.nrows(), u.nrows())?;
        let signs: Vec<f64> =
            (0..u.ncols()).map(|j| if j < positive { 1.0 } else { -1.0 }).collect();
        Ok(SymmetricPopulationHessian {
            u: u.to_owned(),
            signed: scale_columns(u, &signs),
            signs,
            error: error.map(|e| e.to_owned()),
        })
    }

    /// The parts of the trace that belong to the columns of sign `+1` and to those of sign `-1`:
    /// `(d + 2) (8 |U_s|_F^2 + 4 s k_s tr E)` for the `k_s` columns `U_s` of sign `s`.
    pub fn traces(&self) -> (f64, f64) {
        let d = self.u.nrows();
        let error = self.error.as_ref().map_or(0.0, |e| (0..d).map(|i| e[(i, i)]).sum());
        let (mut positive, mut negative) = (0.0, 0.0);
        for (column, sign) in self.u.col_iter().zip(&self.signs) {
            let part = (d as f64 + 2.0) * (8.0 * column.squared_norm_l2() + 4.0 * sign * error);
            *(if *sign > 0.0 { &mut positive } else { &mut negative }) += part;
        }
        (positive, negative)
    }
}

impl SymmetricOperator for SymmetricPopulationHessian {
    fn order(&self) -> usize {
        self.u.nrows() * self.u.ncols()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (d, k) = self.u.shape();
        let signed = self.signed.as_ref();
        let (vs, none) = unstack(v, d, 0);
        let signs: Vec<f64> = self.signs.iter().copied().cycle().take(vs.ncols()).collect();
        let vs_signed = scale_columns(vs.as_ref(), &signs);
        // (2 E + (tr E) I) V S / 2.
        let mut images = match &self.error {
            None => Mat::zeros(d, vs.ncols()),
            Some(e) => {
                let half: f64 = (0..d).map(|i| e[(i, i)]).sum::<f64>() / 2.0;
                let image = product(e.as_ref(), vs_signed.as_ref());
                image + vs_signed.as_ref() * faer::Scale(half)
            }
        };
        // W U S = U S (V^T U S),  W^T U S = V S (U^T U S),  tr W = <U S, V>.
        let inner_product = product(self.u.transpose(), signed);
        for first in (0..vs.ncols()).step_by(k) {
            let v = vs.as_ref().subcols(first, k);
            let mut out = images.as_mut().subcols_mut(first, k);
            let mut across = product(v.transpose(), signed);
            let trace = inner(signed, v);
            (0..k).for_each(|j| across[(j, j)] += trace);
            accumulate(out.as_mut(), signed, across.as_ref());
            accumulate(out, vs_signed.as_ref().subcols(first, k), inner_product.as_ref());
        }
        stack(images.as_ref(), none.as_ref(), out.as_mut());
        out *= faer::Scale(8.0);
    }

    fn exact_trace(&self) -> Option<f64> {
        let (positive, negative) = self.traces();
        Some(positive + negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatness::check::deviations;
    use crate::flatness::{check, image};
    use crate::rng::{Role, Stream};
    use crate::{DenseMap, FactoredLoss, RankOne, SymmetricLoss};

    fn stream(trial: u64, role: Role) -> Stream {
        Stream::new(8, "population", 0, trial, role)
    }

    fn assert_trace(hessian: &dyn SymmetricOperator) {
        assert!(check::asymmetry(hessian, 4).unwrap() < 1e-13);
        let n = hessian.order();
        let columns = image(hessian, Mat::<f64>::identity(n, n).as_ref()).unwrap();
        let trace: f64 = (0..n).map(|i| columns[(i, i)]).sum();
        let exact = hessian.exact_trace().unwrap();
        assert!((trace - exact).abs() < 1e-12 * columns.norm_l1(), "{trace} and {exact}");
    }

    /// The Hessian of `|L R^T - M|_F^2`: that of the map which reads every entry, times their number.
    #[test]
    fn is_that_of_the_identity_map() {
        let mut s = stream(0, Role::Probe);
        for (d1, d2, k) in [(1, 1, 1), (4, 3, 2), (2, 6, 5)] {
            let (l, r) = (s.gaussian_matrix(d1, k), s.gaussian_matrix(d2, k));
            let truth = s.gaussian_matrix(d1, d2);
            let error = product(l.as_ref(), r.transpose()) - &truth;
            let (l, r) = (l.as_ref(), r.as_ref());
            let hessian = PopulationHessian::new(l, r, Some(error.as_ref())).unwrap();
            assert_trace(&hessian);
            assert_trace(&PopulationHessian::new(l, r, None).unwrap());
            let size = d1 * d2;
            let unit = (0..size * size).map(|t| f64::from(t % (size + 1) == 0)).collect();
            let map = DenseMap::new(d1, d2, unit).unwrap();
            let b = crate::linalg::row_major(truth.as_ref());
            let exact = FactoredLoss::new(&map, &b).unwrap().hessian(l, r).unwrap();
            let v = s.gaussian_matrix(hessian.order(), 4);
            let expected = image(&exact, v.as_ref()).unwrap() * faer::Scale(size as f64);
            let difference = image(&hessian, v.as_ref()).unwrap() - &expected;
            assert!(difference.norm_max() < 1e-13 * (1.0 + expected.norm_max()));
            let (left, right) = exact.traces();
            let scaled = (left * size as f64, right * size as f64);
            approx::assert_relative_eq!(hessian.traces().0, scaled.0, max_relative = 1e-13);
            approx::assert_relative_eq!(hessian.traces().1, scaled.1, max_relative = 1e-13);
        }
    }

    /// Bilinear forms `<v, H w>` of drawn Hessians average to those of the population.
    #[test]
    fn is_the_mean_over_gaussian_measurements() {
        let mut s = stream(0, Role::Probe);
        let (d1, d2, k, m) = (3, 4, 2, 5);
        let (l, r) = (s.gaussian_matrix(d1, k), s.gaussian_matrix(d2, k));
        let truth = s.gaussian_matrix(d1, d2);
        let error = product(l.as_ref(), r.transpose()) - &truth;
        let (l, r) = (l.as_ref(), r.as_ref());
        let (v, w) = (s.gaussian_matrix(k * (d1 + d2), 1), s.gaussian_matrix(k * (d1 + d2), 1));
        let population = PopulationHessian::new(l, r, Some(error.as_ref())).unwrap();
        let along = |hessian: &dyn SymmetricOperator| {
            inner(v.as_ref(), image(hessian, w.as_ref()).unwrap().as_ref())
        };
        for dense in [true, false] {
            let drawn = |trial: u64| {
                let mut s = stream(trial, Role::Measurements);
                let map: Box<dyn crate::LinearMap> = if dense {
                    Box::new(DenseMap::new(d1, d2, s.gaussian_vector(d1 * d2 * m)).unwrap())
                } else {
                    let (a, b) = (s.gaussian_vector(d1 * m), s.gaussian_vector(d2 * m));
                    Box::new(RankOne::new(d1, d2, a, b).unwrap())
                };
                let mut b = vec![0.0; m];
                map.apply(truth.as_ref(), &mut b);
                let loss = FactoredLoss::new(map.as_ref(), &b).unwrap();
                along(&loss.hessian(l, r).unwrap())
            };
            let off = deviations(along(&population), drawn);
            assert!(off.abs() < 4.0, "dense {dense}: {off} standard errors");
        }
    }

    #[test]
    fn is_the_mean_over_gaussian_vectors() {
        let mut s = stream(0, Role::Probe);
        let (d, positive, negative, m) = (4, 2, 1, 6);
        let k = positive + negative;
        let u = s.gaussian_matrix(d, k);
        let truth = {
            let g = s.gaussian_matrix(d, d);
            g.as_ref() + g.transpose()
        };
        let signs = [1.0, 1.0, -1.0];
        let fit = product(scale_columns(u.as_ref(), &signs).as_ref(), u.transpose());
        let error = fit - &truth;
        let population =
            SymmetricPopulationHessian::new(u.as_ref(), positive, Some(error.as_ref())).unwrap();
        assert_trace(&population);
        assert_trace(&SymmetricPopulationHessian::new(u.as_ref(), positive, None).unwrap());
        let (v, w) = (s.gaussian_matrix(d * k, 1), s.gaussian_matrix(d * k, 1));
        let along = |hessian: &dyn SymmetricOperator| {
            inner(v.as_ref(), image(hessian, w.as_ref()).unwrap().as_ref())
        };
        let drawn = |trial: u64, measure: &dyn Fn(&SymmetricLoss<'_>) -> f64| {
            let mut s = stream(trial, Role::Measurements);
            let map = RankOne::symmetric(d, s.gaussian_vector(d * m)).unwrap();
            let mut b = vec![0.0; m];
            crate::LinearMap::apply(&map, truth.as_ref(), &mut b);
            measure(&SymmetricLoss::new(&map, &b, positive, negative).unwrap())
        };
        let form = |loss: &SymmetricLoss<'_>| along(&loss.hessian(u.as_ref()).unwrap());
        let off = deviations(along(&population), |trial| drawn(trial, &form));
        assert!(off.abs() < 4.0, "form: {off} standard errors");
        let (plus, minus) = population.traces();
        let off = deviations(plus, |t| drawn(t, &|loss| loss.traces(u.as_ref()).unwrap().0));
        assert!(off.abs() < 4.0, "positive: {off} standard errors");
        let off = deviations(minus, |t| drawn(t, &|loss| loss.traces(u.as_ref()).unwrap().1));
        assert!(off.abs() < 4.0, "negative: {off} standard errors");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let zeros = |rows, cols| Mat::<f64>::zeros(rows, cols);
        let pair = |l: Mat<f64>, r: Mat<f64>, e: Mat<f64>| {
            PopulationHessian::new(l.as_ref(), r.as_ref(), Some(e.as_ref())).err()
        };
        assert!(matches!(pair(zeros(2, 0), zeros(3, 0), zeros(2, 3)), Some(Error::Empty { .. })));
        assert!(matches!(pair(zeros(2, 1), zeros(3, 2), zeros(2, 3)), Some(Error::Shape { .. })));
        assert!(matches!(pair(zeros(2, 1), zeros(3, 1), zeros(3, 3)), Some(Error::Shape { .. })));
        let u = zeros(2, 1);
        let one = |positive, e: Mat<f64>| {
            SymmetricPopulationHessian::new(u.as_ref(), positive, Some(e.as_ref())).err()
        };
        assert!(matches!(one(2, zeros(2, 2)), Some(Error::Parameter { .. })));
        assert!(matches!(one(1, zeros(2, 3)), Some(Error::Shape { .. })));
        let none = SymmetricPopulationHessian::new(zeros(2, 0).as_ref(), 0, None);
        assert!(matches!(none, Err(Error::Empty { .. })));
    }
}
