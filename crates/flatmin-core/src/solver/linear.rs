//! What linear algebra decides before any optimisation: measurements that determine the matrix,
//! repeat one another, or contradict one another.

use super::domain::Domain;
use super::equality::{Candidate, Equality, FEASIBLE, Incumbent};
use super::point::Point;
use crate::linalg::{self, Cholesky, independent_rows, kernel::dot, norm, product};
use crate::operator::{DenseMap, LinearMap, Selection};
use crate::{Error, Mat, MatMut, MatRef};

/// Pivots of `B B*` or `B* B` below this fraction of the largest count as zero.
const PIVOT_TOLERANCE: f64 = 1e-12;

/// Most measurements for which systems of their number are formed and factored.
pub(super) const LARGEST_SYSTEM: usize = 6000;

/// Largest order of a normal matrix `B* B` that is formed and factored.
const DETERMINED_ORDER: usize = 5000;

/// With at least as many independent measurements as unknowns, `B(Z) = b` has at most one solution,
/// by least squares, and `B*(y) = U V^T` one for the certificate: `y = B (B* B)^{-1}(U V^T)`.
///
/// Returns the relative residual, or `None` when the measurements do not determine the matrix.
pub(super) fn determined(
    problem: &Equality<'_>,
    incumbent: &mut Incumbent,
) -> Result<Option<f64>, Error> {
    let dims = problem.map.dims();
    let unknowns = Unknowns::new(problem);
    if dims.measurements < unknowns.count() || dims.rows * dims.cols > DETERMINED_ORDER {
        return Ok(None);
    }
    let known = incumbent.best.as_ref().filter(|best| best.infeasibility <= EXACT);
    let mut fit = by_normal_equations(problem, &unknowns, known)?;
    if fit.as_ref().is_none_or(|fit| fit.infeasibility > EXACT) {
        // The normal matrix has squared the condition of the measurements.
        let other = by_orthogonal_factor(problem, &unknowns)?;
        let better = |other: &Fit, fit: &Fit| other.infeasibility < fit.infeasibility;
        match (&fit, &other) {
            (Some(old), Some(new)) if !better(new, old) => {}
            (_, None) => {}
            _ => fit = other,
        }
    }
    let Some(Fit { point, dual, infeasibility }) = fit else { return Ok(None) };
    if infeasibility <= FEASIBLE {
        incumbent.offer_bound(problem.bound(dual)?.0);
        incumbent.unique = true;
    }
    incumbent.offer_point(point, infeasibility);
    Ok(Some(infeasibility))
}

/// Residual above which a direct solution is tried by an orthogonal factor.
const EXACT: f64 = 1e-12;

/// A least-squares solution, and the `y` with `B*(y) = U V^T` there.
struct Fit {
    point: Point,
    dual: Vec<f64>,
    infeasibility: f64,
}

/// Through `B* B`; `None` when that is singular. A solution that is known need not be found again.
fn by_normal_equations(
    problem: &Equality<'_>,
    unknowns: &Unknowns,
    known: Option<&Candidate>,
) -> Result<Option<Fit>, Error> {
    let dims = problem.map.dims();
    let Some(normal) = definite(normal_matrix(problem, unknowns), problem.par) else {
        return Ok(None);
    };
    let solve = |g: MatRef<'_, f64>| {
        let mut packed = unknowns.pack(g);
        normal.solve_vector(&mut packed);
        unknowns.unpack(&packed)
    };
    let (point, infeasibility) = match known {
        Some(known) => (known.point.clone(), known.infeasibility),
        None => {
            let mut z = Mat::zeros(dims.rows, dims.cols);
            let mut residual = vec![0.0; dims.measurements];
            let mut back = Mat::zeros(dims.rows, dims.cols);
            for _ in 0..3 {
                let r = &mut residual;
                problem.map.residual_and_adjoint(z.as_ref(), problem.b, r, back.as_mut());
                z -= solve(back.as_ref());
            }
            let point = problem.domain.decompose(z.as_ref(), problem.par)?.trimmed(1e-12);
            let infeasibility = problem.infeasibility(&point);
            (point, infeasibility)
        }
    };
    let sign = product(point.u.as_ref(), point.v.transpose());
    let mut dual = vec![0.0; dims.measurements];
    problem.map.apply(solve(sign.as_ref()).as_ref(), &mut dual);
    Ok(Some(Fit { point, dual, infeasibility }))
}

/// `E^T B* B E` (lower triangle) for the embedding `E` of the unknowns.
fn normal_matrix(problem: &Equality<'_>, unknowns: &Unknowns) -> Mat<f64> {
    let (m, n) = (problem.b.len(), unknowns.count());
    let mut normal = Mat::zeros(n, n);
    if !unknowns.symmetric {
        // With V = I the gradients A_i V are the measurements themselves.
        let identity = Mat::<f64>::identity(unknowns.cols, unknowns.cols);
        problem.map.gradient_normal(identity.as_ref(), normal.as_mut());
        return normal;
    }
    linalg::sum_of_squares(normal.as_mut(), m, |i, row| {
        row.copy_from_slice(&unknowns.pack(problem.map.measurement(i).as_ref()));
    });
    normal
}

/// Through an orthogonal factor of the measurements; `None` when they are dependent or too many.
fn by_orthogonal_factor(problem: &Equality<'_>, unknowns: &Unknowns) -> Result<Option<Fit>, Error> {
    let Some(rows) = Rows::new(problem, unknowns) else { return Ok(None) };
    if rows.rank() < unknowns.count() {
        return Ok(None);
    }
    let z = unknowns.unpack(&rows.least_squares(problem.b));
    let point = problem.domain.decompose(z.as_ref(), problem.par)?.trimmed(1e-12);
    let sign = product(point.u.as_ref(), point.v.transpose());
    let dual = rows.dual(unknowns.pack(sign.as_ref()));
    let infeasibility = problem.infeasibility(&point);
    Ok(Some(Fit { point, dual, infeasibility }))
}

/// The measurements as the rows of a matrix over the unknowns, factored: `M Pi = Q R`.
pub(super) struct Rows {
    q: Mat<f64>,
    r: Mat<f64>,
    order: Vec<usize>,
}

impl Rows {
    /// `None` when the factorisation costs too much.
    pub(super) fn new(problem: &Equality<'_>, unknowns: &Unknowns) -> Option<Rows> {
        let (m, n) = (problem.b.len(), unknowns.count());
        if (m * n) as f64 * n as f64 > QR_COST {
            return None;
        }
        let mut rows = Mat::zeros(m, n);
        for i in 0..m {
            let packed = unknowns.pack(problem.map.measurement(i).as_ref());
            rows.row_mut(i).iter_mut().zip(packed).for_each(|(o, v)| *o = v);
        }
        let (q, r, order) = linalg::pivoted_qr(rows.as_ref());
        let floor = QR_TOLERANCE * r[(0, 0)].abs();
        let rank = (0..r.nrows()).take_while(|&i| r[(i, i)].abs() > floor).count();
        let q = q.as_ref().subcols(0, rank).to_owned();
        Some(Rows { q, r: r.as_ref().subrows(0, rank).to_owned(), order })
    }

    /// Number of independent rows.
    pub(super) fn rank(&self) -> usize {
        self.r.nrows()
    }

    /// Row `i` of `R Pi^T`.
    pub(super) fn row(&self, i: usize) -> Vec<f64> {
        let mut row = vec![0.0; self.order.len()];
        self.order.iter().enumerate().for_each(|(j, &at)| row[at] = self.r[(i, j)]);
        row
    }

    /// `Q^T b`.
    pub(super) fn project(&self, b: &[f64]) -> Vec<f64> {
        let b = MatRef::from_column_major_slice(b, b.len(), 1);
        product(self.q.transpose(), b).col(0).iter().copied().collect()
    }

    /// `Q c`.
    pub(super) fn combine(&self, c: &[f64]) -> Vec<f64> {
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        product(self.q.as_ref(), c).col(0).iter().copied().collect()
    }

    /// The unknowns that fit `b` best, when there is one row an unknown: `Pi R^{-1} Q^T b`.
    fn least_squares(&self, b: &[f64]) -> Vec<f64> {
        let n = self.order.len();
        let mut c = self.project(b);
        linalg::solve_upper(self.r.as_ref(), MatMut::from_column_major_slice_mut(&mut c, n, 1));
        let mut z = vec![0.0; n];
        self.order.iter().zip(c).for_each(|(&at, c)| z[at] = c);
        z
    }

    /// `y` with `M^T y = g`, when there is one row an unknown: `Q R^{-T} Pi^T g`.
    fn dual(&self, g: Vec<f64>) -> Vec<f64> {
        let n = self.order.len();
        let mut c: Vec<f64> = self.order.iter().map(|&at| g[at]).collect();
        let column = MatMut::from_column_major_slice_mut(&mut c, n, 1);
        linalg::solve_upper_transpose(self.r.as_ref(), column);
        self.combine(&c)
    }
}

/// The unknowns of a linear system in `Z`: its entries, column by column; over a symmetric domain
/// those on and above the diagonal.
pub(super) struct Unknowns {
    rows: usize,
    cols: usize,
    symmetric: bool,
}

impl Unknowns {
    pub(super) fn new(problem: &Equality<'_>) -> Unknowns {
        let dims = problem.map.dims();
        let symmetric = problem.domain.is_symmetric();
        Unknowns { rows: dims.rows, cols: dims.cols, symmetric }
    }

    pub(super) fn count(&self) -> usize {
        self.positions().count()
    }

    fn positions(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.cols).flat_map(move |j| {
            let rows = if self.symmetric { j + 1 } else { self.rows };
            (0..rows).map(move |i| (i, j))
        })
    }

    /// `E^T g` for the embedding `E` of the unknowns.
    pub(super) fn pack(&self, g: MatRef<'_, f64>) -> Vec<f64> {
        let twice = |i, j| self.symmetric && i != j;
        self.positions()
            .map(|(i, j)| if twice(i, j) { g[(i, j)] + g[(j, i)] } else { g[(i, j)] })
            .collect()
    }

    /// `E z`.
    fn unpack(&self, packed: &[f64]) -> Mat<f64> {
        let mut z = Mat::zeros(self.rows, self.cols);
        for ((i, j), &value) in self.positions().zip(packed) {
            z[(i, j)] = value;
            if self.symmetric {
                z[(j, i)] = value;
            }
        }
        z
    }

    /// The measurement `A` with `<A, E z> = <a, z>`.
    pub(super) fn measurement(&self, packed: &[f64]) -> Mat<f64> {
        let mut a = self.unpack(packed);
        if self.symmetric {
            a *= faer::Scale(0.5);
            (0..self.rows).for_each(|i| a[(i, i)] *= 2.0);
        }
        a
    }
}

/// Cholesky factor of a matrix that is definite beyond rounding.
pub(super) fn definite(a: Mat<f64>, par: linalg::Par) -> Option<Cholesky> {
    let n = a.nrows();
    let largest = (0..n).map(|i| a[(i, i)]).fold(0.0, f64::max);
    let factor = Cholesky::new(a, par)?;
    let smallest = (0..n).map(|i| factor.lower()[(i, i)].powi(2)).fold(f64::INFINITY, f64::min);
    (smallest > PIVOT_TOLERANCE * largest).then_some(factor)
}

/// `B B*` (lower triangle).
pub(super) fn measurement_gram(map: &dyn LinearMap) -> Mat<f64> {
    let dims = map.dims();
    let mut gram = Mat::zeros(dims.measurements, dims.measurements);
    let (left, right) =
        (Mat::<f64>::identity(dims.rows, dims.rows), Mat::<f64>::identity(dims.cols, dims.cols));
    map.schur(left.as_ref(), right.as_ref(), None, gram.as_mut());
    gram
}

/// A maximal independent set of measurements, given `B B*`.
pub(super) fn independent<'a>(map: &'a dyn LinearMap, gram: Mat<f64>) -> Selection<'a> {
    Selection::of(map, independent_rows(gram, PIVOT_TOLERANCE))
}

/// Diagonal entries of the triangular factor below this fraction of the largest count as zero.
const QR_TOLERANCE: f64 = 1e-14;

/// Largest cost `d1 d2 m^2` of the orthogonal factorisation.
const QR_COST: f64 = 4e10;

/// `B(Z) = b` through an orthonormal basis of the measurements: with `[vec B_1 .. vec B_m] = Q R`,
/// columns pivoted, it reads `Q^T vec Z = R_1^{-T} b_1` for the leading, independent ones.
pub(super) struct Orthonormal {
    /// `Z -> Q^T vec Z`.
    pub(super) map: DenseMap,
    /// `R_1^{-T} b_1`.
    pub(super) targets: Vec<f64>,
    r: Mat<f64>,
    order: Vec<usize>,
}

impl Orthonormal {
    /// Number of independent measurements.
    pub(super) fn rank(&self) -> usize {
        self.targets.len()
    }

    /// The dual vector `y` of the whole with `B*(y) = Q eta`: `y_1 = R_1^{-1} eta`.
    pub(super) fn spread(&self, mut eta: Vec<f64>) -> Vec<f64> {
        let rank = self.rank();
        let r = self.r.as_ref().subcols(0, rank);
        linalg::solve_upper(r, MatMut::from_column_major_slice_mut(&mut eta, rank, 1));
        let mut y = vec![0.0; self.order.len()];
        self.order.iter().zip(eta).for_each(|(&i, eta)| y[i] = eta);
        y
    }
}

/// The basis; `None` when it costs too much, or the dependent measurements contradict the others.
pub(super) fn orthonormal(problem: &Equality<'_>) -> Option<Orthonormal> {
    let dims = problem.map.dims();
    let (size, m) = (dims.rows * dims.cols, dims.measurements);
    if size as f64 * (m as f64).powi(2) > QR_COST {
        return None;
    }
    let mut columns = Mat::zeros(size, m);
    for i in 0..m {
        let flat = linalg::row_major(problem.map.measurement(i).as_ref());
        columns.col_as_slice_mut(i).copy_from_slice(&flat);
    }
    let (q, r, order) = linalg::pivoted_qr(columns.as_ref());
    let floor = QR_TOLERANCE * r[(0, 0)].abs();
    let rank = (0..r.nrows()).take_while(|&i| r[(i, i)].abs() > floor).count();
    let r = r.as_ref().subrows(0, rank).to_owned();
    let mut targets: Vec<f64> = order[..rank].iter().map(|&i| problem.b[i]).collect();
    let column = MatMut::from_column_major_slice_mut(&mut targets, rank, 1);
    linalg::solve_upper_transpose(r.as_ref().subcols(0, rank), column);
    // What the others say follows from these, or contradicts them.
    let implied = product(r.transpose(), MatRef::from_column_major_slice(&targets, rank, 1));
    let misfit: Vec<f64> = (0..m).map(|j| implied[(j, 0)] - problem.b[order[j]]).collect();
    if norm(&misfit) > EXACT * problem.norm_b {
        return None;
    }
    let data = q.as_ref().subcols(0, rank).col_iter().flat_map(|c| c.iter().copied()).collect();
    let map = DenseMap::new(dims.rows, dims.cols, data).ok()?;
    Some(Orthonormal { map, targets, r, order })
}

/// Least-norm solution of `B(Z) = b` by a factor of `B B*`, refined once.
pub(super) fn least_norm(problem: &Equality<'_>, kernel: &Cholesky) -> Mat<f64> {
    let dims = problem.map.dims();
    let mut z = Mat::zeros(dims.rows, dims.cols);
    for _ in 0..2 {
        let mut correction = residual(problem, z.as_ref());
        kernel.solve_vector(&mut correction);
        z -= problem.map.adjoint_matrix(&correction);
    }
    z
}

/// `B(Z) - b`.
pub(super) fn residual(problem: &Equality<'_>, z: MatRef<'_, f64>) -> Vec<f64> {
    let mut residual = vec![0.0; problem.b.len()];
    problem.map.apply(z, &mut residual);
    residual.iter_mut().zip(problem.b).for_each(|(r, b)| *r -= b);
    residual
}

/// Conjugate gradients for a positive semidefinite system, to a relative residual or an iteration
/// limit; `operator(x, out)` writes the image of `x`.
pub(super) fn conjugate_gradients(
    rhs: &[f64],
    tolerance: f64,
    limit: usize,
    mut operator: impl FnMut(&[f64], &mut [f64]),
) -> Vec<f64> {
    let mut x = vec![0.0; rhs.len()];
    let mut r = rhs.to_vec();
    let mut p = r.clone();
    let mut image = vec![0.0; rhs.len()];
    let mut square = dot(&r, &r);
    let enough = tolerance * tolerance * square;
    for _ in 0..limit {
        if square <= enough {
            break;
        }
        operator(&p, &mut image);
        let curvature = dot(&p, &image);
        if curvature <= 0.0 {
            break;
        }
        let step = square / curvature;
        x.iter_mut().zip(&p).for_each(|(x, p)| *x += step * p);
        r.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
        let next = dot(&r, &r);
        p.iter_mut().zip(&r).for_each(|(p, r)| *p = r + next / square * *p);
        square = next;
    }
    x
}

/// Least-squares fit of contradictory measurements, of least norm among them: conjugate gradients
/// on the normal equations (CGLS; Bjorck, *Numerical methods for least squares problems*, 1996).
pub(super) fn least_squares(problem: &Equality<'_>) -> Result<(Point, f64), Error> {
    let dims = problem.map.dims();
    let mut z = Mat::zeros(dims.rows, dims.cols);
    let mut r: Vec<f64> = problem.b.to_vec();
    let mut s = problem.map.adjoint_matrix(&r);
    let mut p = s.clone();
    let mut gamma = linalg::inner(s.as_ref(), s.as_ref());
    let enough = 1e-26 * gamma;
    let mut q = vec![0.0; r.len()];
    for _ in 0..4 * dims.measurements.min(dims.rows * dims.cols) {
        if gamma <= enough {
            break;
        }
        problem.map.apply(p.as_ref(), &mut q);
        let alpha = gamma / dot(&q, &q);
        if !alpha.is_finite() {
            break;
        }
        z += faer::Scale(alpha) * &p;
        r.iter_mut().zip(&q).for_each(|(r, q)| *r -= alpha * q);
        s = problem.map.adjoint_matrix(&r);
        let next = linalg::inner(s.as_ref(), s.as_ref());
        p = &s + faer::Scale(next / gamma) * &p;
        gamma = next;
    }
    let misfit = norm(&residual(problem, z.as_ref())) / problem.norm_b;
    let point = problem.domain.decompose(z.as_ref(), problem.par)?.trimmed(1e-12);
    let misfit = if problem.domain == Domain::Semidefinite {
        // Cut to its positive part, the fit is another.
        problem.infeasibility(&point)
    } else {
        misfit
    };
    Ok((point, misfit))
}
