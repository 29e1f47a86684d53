//! The Hessian of the majoriser, as an operator on blocks of vectors, and the majoriser as a function of
//! one vector.
//!
//! With `F = W o (L R^T + S~ - Y)` and `M = W o (U R^T + L V^T)`,
//!
//! ```text
//! D2g~(L, R) (U, V) = 2 (M R + F V,  M^T L + F^T U)
//! ```
//!
//! in the coordinates `(vec L, vec R)`, column-major. Where everything is seen it is
//! [`PopulationHessian`], which does not form `M`.

use crate::loss::{Majoriser, check, counts, difference, squared};
use flatmin_core::flatness::{PairOperator, PopulationHessian, SymmetricOperator};
use flatmin_core::linalg::{accumulate, multiply, product};
use flatmin_core::loss::{Loss, Traced, check_point};
use flatmin_core::operator::{stack, unstack};
use flatmin_core::{Error, Mat, MatMut, MatRef, error::finite};

/// Numbers in a piece of a masked matrix.
const PIECE: usize = 1 << 15;

/// Hessian of the majoriser at one point, of order `k (d1 + d2)`; made by [`Majoriser::hessian`].
pub struct MajoriserHessian<'a> {
    majoriser: &'a Majoriser<'a>,
    /// What it would be with everything seen, with the factors and `F`.
    full: PopulationHessian,
    value: f64,
    gradient: (Mat<f64>, Mat<f64>),
}

impl Majoriser<'_> {
    /// The Hessian at `(L, R)`, with the value and the gradient there.
    ///
    /// ```
    /// use flatmin_rpca::core::flatness::{PairOperator, SymmetricOperator};
    /// use flatmin_rpca::{Mat, RobustLoss, RobustPca};
    /// // g~(l, r) = (l r - 1)^2 at l = 2, r = 3: no corruption is allowed.
    /// let y = Mat::full(1, 1, 1.0);
    /// let problem = RobustPca::new(y.as_ref())?;
    /// let (l, r) = (Mat::full(1, 1, 2.0), Mat::full(1, 1, 3.0));
    /// let majoriser = RobustLoss::new(&problem, 0.0)?.majoriser(l.as_ref(), r.as_ref())?;
    /// let hessian = majoriser.hessian(l.as_ref(), r.as_ref())?;
    /// assert_eq!((hessian.value(), hessian.traces()), (25.0, (18.0, 8.0)));
    /// let mut columns = Mat::zeros(2, 2);
    /// hessian.apply(Mat::<f64>::identity(2, 2).as_ref(), columns.as_mut());
    /// assert_eq!(columns[(0, 1)], 22.0);
    /// # Ok::<(), flatmin_rpca::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the factors' shapes do not fit, when they have no columns, or hold a NaN or an infinity.
    pub fn hessian(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
    ) -> Result<MajoriserHessian<'_>, Error> {
        check(self.problem, "the factors", l, r)?;
        finite("the left factor", &flatmin_core::linalg::row_major(l))?;
        finite("the right factor", &flatmin_core::linalg::row_major(r))?;
        let residual = -difference(self.problem, self.target.as_ref(), l, r);
        let (value, gl, gr) = squared(residual.as_ref(), l, r);
        Ok(MajoriserHessian {
            majoriser: self,
            full: PopulationHessian::new(l, r, Some(residual.as_ref()))?,
            value,
            gradient: (gl, gr),
        })
    }

    /// The majoriser as a function of one vector `(vec L, vec R)`, for factors of `k` columns.
    ///
    /// ```
    /// use flatmin_rpca::core::loss::Loss;
    /// use flatmin_rpca::{Mat, RobustLoss, RobustPca};
    /// let problem = RobustPca::new(Mat::full(1, 1, 1.0).as_ref())?;
    /// let one = Mat::full(1, 1, 1.0);
    /// let majoriser = RobustLoss::new(&problem, 0.0)?.majoriser(one.as_ref(), one.as_ref())?;
    /// assert_eq!(majoriser.of_width(1)?.value(&[2.0, 3.0])?, 25.0);
    /// # Ok::<(), flatmin_rpca::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `k` is zero.
    pub fn of_width(&self, k: usize) -> Result<OfWidth<'_>, Error> {
        if k == 0 {
            let (name, rule) = ("the width of the factors", "at least 1");
            return Err(Error::Parameter { name, rule, got: k.to_string() });
        }
        Ok(OfWidth { majoriser: self, width: k })
    }
}

impl MajoriserHessian<'_> {
    /// Value of the majoriser.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Gradient of the majoriser, of shapes `d1 x k` and `d2 x k`.
    pub fn gradient(&self) -> (&Mat<f64>, &Mat<f64>) {
        (&self.gradient.0, &self.gradient.1)
    }

    /// Adds `(M R, M^T L)` for all pairs of a block, in pieces of so many columns of `M` that they stay in the
    /// cache.
    fn add_masked(
        &self,
        (us, vs): (&Mat<f64>, &Mat<f64>),
        seen: &[bool],
        left: &mut Mat<f64>,
        right: &mut Mat<f64>,
    ) {
        let (l, r) = self.full.factors();
        let (rows, cols, k) = (l.nrows(), r.nrows(), l.ncols());
        let width = (PIECE / rows).clamp(1, cols);
        let mut piece = Mat::zeros(rows, width);
        for j in (0..cols).step_by(width) {
            let width = width.min(cols - j);
            let r = r.subrows(j, width);
            let seen = &seen[j * rows..(j + width) * rows];
            for first in (0..us.ncols()).step_by(k) {
                let u = us.as_ref().subcols(first, k);
                let v = vs.as_ref().submatrix(j, first, width, k);
                let mut m = piece.as_mut().subcols_mut(0, width);
                multiply(m.as_mut(), u, r.transpose());
                accumulate(m.as_mut(), l, v.transpose());
                for (column, seen) in m.as_mut().col_iter_mut().zip(seen.chunks_exact(rows)) {
                    let entries = column.iter_mut().zip(seen);
                    entries.for_each(|(m, &seen)| *m = if seen { *m } else { 0.0 });
                }
                accumulate(left.as_mut().subcols_mut(first, k), m.as_ref(), r);
                let right = right.as_mut().submatrix_mut(j, first, width, k);
                accumulate(right, m.transpose(), l);
            }
        }
    }
}

impl SymmetricOperator for MajoriserHessian<'_> {
    fn order(&self) -> usize {
        self.full.order()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (Some(seen), Some(f)) = (&self.majoriser.problem.seen, self.full.error()) else {
            return self.full.apply(v, out);
        };
        let (us, vs) = unstack(v, f.nrows(), f.ncols());
        let (mut left, mut right) = (product(f, vs.as_ref()), product(f.transpose(), us.as_ref()));
        self.add_masked((&us, &vs), seen, &mut left, &mut right);
        stack(left.as_ref(), right.as_ref(), out.as_mut());
        out.col_iter_mut().for_each(|column| column.iter_mut().for_each(|o| *o *= 2.0));
    }

    fn exact_trace(&self) -> Option<f64> {
        let (left, right) = self.traces();
        Some(left + right)
    }

    fn leading_direction(&self) -> Option<Vec<f64>> {
        self.full.leading_direction()
    }
}

impl PairOperator for MajoriserHessian<'_> {
    fn shape(&self) -> (usize, usize) {
        self.full.shape()
    }

    fn traces(&self) -> (f64, f64) {
        let (l, r) = self.full.factors();
        self.majoriser.traces_of(l, r)
    }
}

/// [`Majoriser`] for factors of one width `k`, as a function of `(vec L, vec R)`, column-major; made by
/// [`Majoriser::of_width`].
#[derive(Debug, Clone, Copy)]
pub struct OfWidth<'a> {
    majoriser: &'a Majoriser<'a>,
    width: usize,
}

impl OfWidth<'_> {
    /// The factors in a vector.
    fn factors<'x>(&self, x: &'x [f64]) -> (MatRef<'x, f64>, MatRef<'x, f64>) {
        let ((rows, cols), k) = (self.majoriser.problem.shape(), self.width);
        let (l, r) = x.split_at(k * rows);
        (MatRef::from_column_major_slice(l, rows, k), MatRef::from_column_major_slice(r, cols, k))
    }
}

impl Loss for OfWidth<'_> {
    fn order(&self) -> usize {
        let (rows, cols) = self.majoriser.problem.shape();
        self.width * (rows + cols)
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        let (l, r) = self.factors(x);
        let target = self.majoriser.target.as_ref();
        Ok(difference(self.majoriser.problem, target, l, r).squared_norm_l2())
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_point(self.order(), gradient)?;
        let ((rows, cols), k) = (self.majoriser.problem.shape(), self.width);
        let (l, r) = self.factors(x);
        let f = difference(self.majoriser.problem, self.majoriser.target.as_ref(), l, r);
        let (left, right) = gradient.split_at_mut(k * rows);
        multiply(MatMut::from_column_major_slice_mut(left, rows, k), f.as_ref(), r);
        multiply(MatMut::from_column_major_slice_mut(right, cols, k), f.transpose(), l);
        // The difference is the residual with the other sign.
        gradient.iter_mut().for_each(|g| *g *= -2.0);
        Ok(f.squared_norm_l2())
    }

    fn hessian<'a>(&'a self, x: &'a [f64]) -> Result<Box<dyn SymmetricOperator + 'a>, Error> {
        check_point(self.order(), x)?;
        let (l, r) = self.factors(x);
        Ok(Box::new(self.majoriser.hessian(l, r)?))
    }
}

/// The scaled trace `(2/d1) sum_j n_j |R_j|^2 + (2/d2) sum_i n_i |L_i|^2` for the numbers `n` of entries seen in a
/// row or a column: `2 |L|_F^2 + 2 |R|_F^2` where all are.
///
/// ```
/// use flatmin_rpca::core::loss::Traced;
/// use flatmin_rpca::{Mat, RobustLoss, RobustPca};
/// let problem = RobustPca::new(Mat::full(1, 1, 1.0).as_ref())?;
/// let one = Mat::full(1, 1, 1.0);
/// let majoriser = RobustLoss::new(&problem, 0.0)?.majoriser(one.as_ref(), one.as_ref())?;
/// let mut gradient = [0.0; 2];
/// assert_eq!(majoriser.of_width(1)?.trace_and_gradient(&[2.0, 3.0], &mut gradient)?, 26.0);
/// assert_eq!(gradient, [8.0, 12.0]);
/// # Ok::<(), flatmin_rpca::Error>(())
/// ```
impl Traced for OfWidth<'_> {
    fn weights(&self) -> Vec<f64> {
        let ((rows, cols), k) = (self.majoriser.problem.shape(), self.width);
        [vec![1.0 / rows as f64; rows * k], vec![1.0 / cols as f64; cols * k]].concat()
    }

    fn trace_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_point(self.order(), gradient)?;
        let (rows, cols) = self.majoriser.problem.shape();
        let (seen_in_rows, seen_in_cols) = counts(self.majoriser.problem);
        let (left, right) = gradient.split_at_mut(rows * self.width);
        let (l, r) = x.split_at(rows * self.width);
        let mut trace = 0.0;
        for (factor, out, seen, other) in
            [(l, left, &seen_in_rows, cols), (r, right, &seen_in_cols, rows)]
        {
            for ((x, g), n) in factor.iter().zip(out).zip(seen.iter().cycle()) {
                *g = 4.0 * n * x / other as f64;
                trace += 0.5 * *g * x;
            }
        }
        Ok(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RobustLoss, RobustPca};
    use flatmin_core::descent::{Descent, End, OnTrace};
    use flatmin_core::loss::check::{curvature, traced};
    use flatmin_core::rng::{Role, Stream};

    /// Square, wide, tall and tiny, seen in full and in part, and wide enough for several pieces.
    fn problems() -> Vec<RobustPca> {
        let mut stream = Stream::new(3, "majoriser Hessian", 0, 0, Role::Truth);
        let mut out = vec![];
        for (rows, cols) in [(4, 4), (3, 6), (7, 2), (1, 1), (300, 120)] {
            for holes in [false, true] {
                let y = stream.gaussian_matrix(rows, cols);
                let seen = |i: usize, j: usize| !holes || (i + 2 * j) % 3 != 1;
                out.push(RobustPca::from_seen(y.as_ref(), seen).unwrap());
            }
        }
        out
    }

    /// Away from the base, with residual: the laws of derivatives, and blocks against single columns.
    #[test]
    fn obeys_the_laws_of_hessians() {
        for problem in problems() {
            let (rows, cols) = problem.shape();
            for k in if rows < 100 { vec![1, 3] } else { vec![2] } {
                let mut s = Stream::new(5, "majoriser Hessian", 0, 0, Role::Start);
                let (l, r) = (s.gaussian_matrix(rows, k), s.gaussian_matrix(cols, k));
                let loss = RobustLoss::new(&problem, 0.7).unwrap();
                let majoriser = loss.majoriser(l.as_ref(), r.as_ref()).unwrap();
                let flat = majoriser.of_width(k).unwrap();
                let x = s.gaussian_vector(flat.order());
                let found = curvature(&flat, &x, 2).unwrap();
                assert!(
                    found.gradient < 1e-9 && found.product < 1e-9,
                    "{rows} x {cols}: {found:?}"
                );
                assert!(
                    found.asymmetry < 1e-13 && found.trace < 1e-13,
                    "{rows} x {cols}: {found:?}"
                );

                let [trace, slope] = traced(&flat, &x, 2).unwrap();
                assert!(trace < 1e-13 && slope < 1e-9, "{rows} x {cols}: {trace:e}, {slope:e}");

                let (l, r) = flat.factors(&x);
                let hessian = majoriser.hessian(l, r).unwrap();
                let v = s.gaussian_matrix(hessian.order(), 7);
                let mut images = Mat::zeros(hessian.order(), 7);
                hessian.apply(v.as_ref(), images.as_mut());
                for j in 0..7 {
                    let mut alone = Mat::zeros(hessian.order(), 1);
                    hessian.apply(v.as_ref().subcols(j, 1), alone.as_mut());
                    let error = (&alone - images.as_ref().subcols(j, 1)).norm_max();
                    assert!(
                        error <= 1e-13 * (1.0 + alone.norm_max()),
                        "{rows} x {cols}: {error:e}"
                    );
                    let (u, w) = unstack(v.as_ref().subcols(j, 1), rows, cols);
                    let form = majoriser.hessian_form(l, r, u.as_ref(), w.as_ref()).unwrap();
                    let along = (v.as_ref().subcols(j, 1).transpose() * &alone)[(0, 0)];
                    let size = alone.norm_l2() * v.col(j).norm_l2();
                    assert!((along - form).abs() < 1e-13 * size, "{rows} x {cols}");
                }
                let exact = majoriser.scaled_trace(l, r).unwrap();
                assert_eq!(hessian.scaled().exact_trace(), Some(exact));
                let (value, gl, gr) = majoriser.value_and_gradient(l, r).unwrap();
                assert_eq!((value, (&gl, &gr)), (hessian.value(), hessian.gradient()));
            }
        }
    }

    /// Descent on majoriser and trace lowers the one and the other.
    #[test]
    fn descent_methods_take_the_majoriser() {
        let y = Mat::from_fn(6, 5, |i, j| if (i, j) == (2, 1) { 9.0 } else { 1.0 });
        let problem = RobustPca::new(y.as_ref()).unwrap();
        let (l, r) = (Mat::full(6, 2, 0.7), Mat::full(5, 2, 0.7));
        let majoriser =
            RobustLoss::new(&problem, 8.0).unwrap().majoriser(l.as_ref(), r.as_ref()).unwrap();
        let flat = majoriser.of_width(2).unwrap();
        let start = Stream::new(1, "majoriser", 0, 0, Role::Start).gaussian_vector(flat.order());
        let end = Descent::default().run(&mut OnTrace::new(&flat), &start).unwrap();
        assert_eq!(end.end, End::Settled);
        // The ones are 30^{1/2} u v^T: the least scaled trace of factors of theirs is 4 * 30^{1/2}.
        let trace = flat.trace_and_gradient(&end.x, &mut vec![0.0; end.x.len()]).unwrap();
        assert!((trace / (4.0 * 30f64.sqrt()) - 1.0).abs() < 0.02, "{trace}");
        assert!(end.loss < 1e-3, "{}", end.loss);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let problem = &problems()[2];
        let zeros = |rows, cols| Mat::<f64>::zeros(rows, cols);
        let (l, r) = (zeros(3, 1), zeros(6, 1));
        let loss = RobustLoss::new(problem, 1.0).unwrap();
        let majoriser = loss.majoriser(l.as_ref(), r.as_ref()).unwrap();
        let refused = |l: Mat<f64>, r: Mat<f64>| majoriser.hessian(l.as_ref(), r.as_ref()).err();
        assert!(matches!(refused(zeros(2, 1), zeros(6, 1)), Some(Error::Shape { .. })));
        assert!(matches!(refused(zeros(3, 1), zeros(6, 2)), Some(Error::Shape { .. })));
        assert!(matches!(refused(zeros(3, 0), zeros(6, 0)), Some(Error::Empty { .. })));
        let infinite = refused(zeros(3, 1), Mat::full(6, 1, f64::INFINITY));
        assert!(matches!(infinite, Some(Error::NotFinite { what: "the right factor", .. })));
        assert!(matches!(majoriser.of_width(0), Err(Error::Parameter { .. })));
        let flat = majoriser.of_width(1).unwrap();
        assert!(matches!(flat.hessian(&[0.0; 8]).err(), Some(Error::Shape { .. })));
    }
}
