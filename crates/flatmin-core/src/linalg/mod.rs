//! Dense linear algebra: the only place that names faer's algorithms.
//!
//! Everything here runs on one thread unless a [`Par`] says otherwise: sweeps parallelise across
//! solves, and the bits of an answer must not depend on how many workers run.

use crate::Error;
use crate::rng::{Role, Stream};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::{cholesky, evd, matmul, qr, svd as svd_, triangular_solve};
use faer::{Accum, Conj, Mat, MatMut, MatRef};

pub use faer::Par;

pub mod kernel;
pub mod parallel;
pub mod sampled;
pub mod thin;

/// `lhs rhs` as a new matrix.
pub fn product(lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(lhs.nrows(), rhs.ncols());
    multiply(out.as_mut(), lhs, rhs);
    out
}

/// `out = lhs rhs`.
pub fn multiply(out: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) {
    matmul::matmul(out, Accum::Replace, lhs, rhs, 1.0, Par::Seq);
}

/// `out = lhs rhs`, on the threads of `par`.
pub fn multiply_par(out: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>, par: Par) {
    matmul::matmul(out, Accum::Replace, lhs, rhs, 1.0, par);
}

/// `out += lhs rhs`.
pub fn accumulate(out: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) {
    matmul::matmul(out, Accum::Add, lhs, rhs, 1.0, Par::Seq);
}

/// `out -= lhs rhs`.
pub fn subtract_product(out: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) {
    matmul::matmul(out, Accum::Add, lhs, rhs, -1.0, Par::Seq);
}

/// Lower triangle of `out = lhs rhs` for a product known to be symmetric; the rest is untouched.
pub fn multiply_lower(out: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) {
    product_lower(out, Accum::Replace, lhs, rhs, Par::Seq);
}

/// The same, on the threads of `par`.
pub fn multiply_lower_par(
    out: MatMut<'_, f64>,
    lhs: MatRef<'_, f64>,
    rhs: MatRef<'_, f64>,
    par: Par,
) {
    product_lower(out, Accum::Replace, lhs, rhs, par);
}

/// Lower triangle of `out += lhs rhs` for a product known to be symmetric; the rest is untouched.
pub fn accumulate_lower(out: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) {
    product_lower(out, Accum::Add, lhs, rhs, Par::Seq);
}

fn product_lower(
    out: MatMut<'_, f64>,
    accum: Accum,
    lhs: MatRef<'_, f64>,
    rhs: MatRef<'_, f64>,
    par: Par,
) {
    triangular::matmul(
        out,
        BlockStructure::TriangularLower,
        accum,
        lhs,
        BlockStructure::Rectangular,
        rhs,
        BlockStructure::Rectangular,
        1.0,
        par,
    );
}

/// Lower triangle of `sum_i g_i g_i^T` over `count` vectors, each written by `fill(i, g_i)`; the rest
/// is untouched. They are formed in blocks of a megabyte.
///
/// ```
/// let mut gram = flatmin_core::Mat::zeros(2, 2);
/// flatmin_core::linalg::sum_of_squares(gram.as_mut(), 3, |i, g| g.copy_from_slice(&[1.0, i as f64]));
/// assert_eq!((gram[(0, 0)], gram[(1, 0)], gram[(1, 1)]), (3.0, 3.0, 5.0));
/// ```
pub fn sum_of_squares(
    mut out: MatMut<'_, f64>,
    count: usize,
    mut fill: impl FnMut(usize, &mut [f64]),
) {
    let n = out.nrows();
    let block = ((1 << 17) / n.max(1)).clamp(1, count.max(1));
    let mut vectors = Mat::zeros(n, block);
    for start in (0..count).step_by(block) {
        let width = block.min(count - start);
        for j in 0..width {
            fill(start + j, vectors.col_as_slice_mut(j));
        }
        let vectors = vectors.as_ref().subcols(0, width);
        let accum = if start == 0 { Accum::Replace } else { Accum::Add };
        product_lower(out.as_mut(), accum, vectors, vectors.transpose(), Par::Seq);
    }
}

/// `out = sum_i g_i (g_i^T V)` over `count` vectors, each written by `fill(i, g_i)`: the product of what
/// [`sum_of_squares`] forms with a block of vectors. They are formed in blocks of a megabyte.
///
/// ```
/// let (v, mut out) = (flatmin_core::Mat::full(2, 1, 1.0), flatmin_core::Mat::zeros(2, 1));
/// let fill = |i, g: &mut [f64]| g.copy_from_slice(&[1.0, i as f64]);
/// flatmin_core::linalg::sum_of_squares_times(v.as_ref(), out.as_mut(), 3, fill);
/// assert_eq!((out[(0, 0)], out[(1, 0)]), (6.0, 8.0));
/// ```
pub fn sum_of_squares_times(
    v: MatRef<'_, f64>,
    mut out: MatMut<'_, f64>,
    count: usize,
    mut fill: impl FnMut(usize, &mut [f64]),
) {
    let (n, p) = v.shape();
    let block = ((1 << 17) / n.max(1)).clamp(1, count.max(1));
    let (mut vectors, mut along) = (Mat::zeros(n, block), Mat::zeros(block, p));
    out.fill(0.0);
    for start in (0..count).step_by(block) {
        let width = block.min(count - start);
        for j in 0..width {
            fill(start + j, vectors.col_as_slice_mut(j));
        }
        let vectors = vectors.as_ref().subcols(0, width);
        multiply(along.as_mut().subrows_mut(0, width), vectors.transpose(), v);
        accumulate(out.as_mut(), vectors, along.as_ref().subrows(0, width));
    }
}

/// Copies the lower triangle onto the upper one.
pub fn symmetrise_from_lower(mut a: MatMut<'_, f64>) {
    for j in 0..a.ncols() {
        for i in j + 1..a.nrows() {
            a[(j, i)] = a[(i, j)];
        }
    }
}

/// `<a, b> = tr(a^T b)`.
pub fn inner(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    a.col_iter()
        .zip(b.col_iter())
        .map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>())
        .sum()
}

/// `A diag(s)` as a new matrix.
pub fn scale_columns(a: MatRef<'_, f64>, s: &[f64]) -> Mat<f64> {
    let mut out = a.to_owned();
    for (column, s) in out.col_iter_mut().zip(s) {
        column.iter_mut().for_each(|v| *v *= s);
    }
    out
}

/// The rows of a matrix, one after the other.
pub fn row_major(a: MatRef<'_, f64>) -> Vec<f64> {
    let mut flat = Vec::with_capacity(a.nrows() * a.ncols());
    for i in 0..a.nrows() {
        flat.extend(a.row(i).iter());
    }
    flat
}

/// Largest absolute entry; 0 for an empty slice, NaN when there is one.
///
/// ```
/// use flatmin_core::linalg::max_abs;
/// assert_eq!(max_abs(&[1.0, -3.0]), 3.0);
/// assert!(max_abs(&[f64::NAN, 1.0]).is_nan());
/// ```
pub fn max_abs(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| if v.is_nan() || v.abs() > m { v.abs() } else { m })
}

/// Euclidean norm, safe against overflow; NaN when there is one.
pub fn norm(values: &[f64]) -> f64 {
    let scale = max_abs(values);
    if scale == 0.0 || !scale.is_finite() {
        return scale;
    }
    scale * values.iter().map(|v| (v / scale).powi(2)).sum::<f64>().sqrt()
}

/// Thin singular value decomposition `A = U diag(s) V^T`, `s` nonincreasing.
#[derive(Debug, Clone)]
pub struct Svd {
    /// Left singular vectors, `d1 x min(d1, d2)`.
    pub u: Mat<f64>,
    /// Singular values, nonincreasing.
    pub s: Vec<f64>,
    /// Right singular vectors, `d2 x min(d1, d2)`.
    pub v: Mat<f64>,
}

/// Thin singular value decomposition.
///
/// Entries far below `1e-150` lose accuracy: callers bring their matrices to a sane scale first.
///
/// # Errors
/// When it does not converge, as for input that is not finite.
pub fn svd(a: MatRef<'_, f64>, par: Par) -> Result<Svd, Error> {
    let (rows, cols) = a.shape();
    let n = rows.min(cols);
    let (mut u, mut v) = (Mat::zeros(rows, n), Mat::zeros(cols, n));
    let mut s = faer::diag::Diag::zeros(n);
    let vectors = svd_::ComputeSvdVectors::Thin;
    let scratch = svd_::svd_scratch::<f64>(rows, cols, vectors, vectors, par, Default::default());
    svd_::svd(
        a,
        s.as_mut(),
        Some(u.as_mut()),
        Some(v.as_mut()),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::Factorisation { what: "the singular value decomposition" })?;
    Ok(Svd { u, s: s.column_vector().iter().copied().collect(), v })
}

/// Singular values, nonincreasing.
pub fn singular_values(a: MatRef<'_, f64>, par: Par) -> Result<Vec<f64>, Error> {
    let (rows, cols) = a.shape();
    let mut s = faer::diag::Diag::zeros(rows.min(cols));
    let none = svd_::ComputeSvdVectors::No;
    let scratch = svd_::svd_scratch::<f64>(rows, cols, none, none, par, Default::default());
    svd_::svd(
        a,
        s.as_mut(),
        None,
        None,
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::Factorisation { what: "the singular value decomposition" })?;
    Ok(s.column_vector().iter().copied().collect())
}

/// Operator norm `|A|_op`; 0 for an empty matrix.
pub fn operator_norm(a: MatRef<'_, f64>) -> Result<f64, Error> {
    Ok(singular_values(a, Par::Seq)?.first().copied().unwrap_or(0.0))
}

/// Whether `|A|_op < bound`, by one Cholesky factor of `bound^2 I - A^T A`.
///
/// ```
/// let a = flatmin_core::Mat::from_fn(2, 2, |i, j| if i == j { 3.0 } else { 0.0 });
/// assert!(flatmin_core::linalg::norm_below(a.as_ref(), 3.1));
/// assert!(!flatmin_core::linalg::norm_below(a.as_ref(), 2.9));
/// ```
pub fn norm_below(a: MatRef<'_, f64>, bound: f64) -> bool {
    // The smaller of A^T A and A A^T.
    let a = if a.ncols() > a.nrows() { a.transpose() } else { a };
    let n = a.ncols();
    let mut gap = Mat::zeros(n, n);
    multiply_lower(gap.as_mut(), a.transpose(), a);
    for j in 0..n {
        for i in j..n {
            gap[(i, j)] = if i == j { bound * bound } else { 0.0 } - gap[(i, j)];
        }
    }
    Cholesky::new(gap, Par::Seq).is_some()
}

/// Approximate leading `width` singular triplets, by subspace iteration from a fixed random start
/// (Halko, Martinsson, Tropp, *Finding structure with randomness*, SIAM Review 53, 2011).
///
/// Exact when `width` reaches the smaller dimension; otherwise accurate for singular values that
/// stand clear of the rest, which is what a starting point needs.
///
/// # Errors
/// When a decomposition of order `width` does not converge, which finite input does not cause.
pub fn leading_svd(a: MatRef<'_, f64>, width: usize, par: Par) -> Result<Svd, Error> {
    let (rows, cols) = a.shape();
    if 2 * width >= rows.min(cols) {
        return svd(a, par);
    }
    let start = Stream::new(0, "leading singular vectors", rows as u64, cols as u64, Role::Probe)
        .gaussian_matrix(cols, width);
    let mut q = thin_qr(product(a, start.as_ref()).as_ref()).0;
    for _ in 0..2 {
        let p = thin_qr(product(a.transpose(), q.as_ref()).as_ref()).0;
        q = thin_qr(product(a, p.as_ref()).as_ref()).0;
    }
    let core = svd(product(q.transpose(), a).as_ref(), par)?;
    Ok(Svd { u: product(q.as_ref(), core.u.as_ref()), s: core.s, v: core.v })
}

/// Eigendecomposition of a symmetric matrix (its lower triangle is read), eigenvalues
/// nondecreasing, with the eigenvectors as columns.
pub fn symmetric_eigen(a: MatRef<'_, f64>, par: Par) -> Result<(Vec<f64>, Mat<f64>), Error> {
    let n = a.nrows();
    let mut values = faer::diag::Diag::zeros(n);
    let mut vectors = Mat::zeros(n, n);
    let scratch = evd::self_adjoint_evd_scratch::<f64>(
        n,
        evd::ComputeEigenvectors::Yes,
        par,
        Default::default(),
    );
    evd::self_adjoint_evd(
        a,
        values.as_mut(),
        Some(vectors.as_mut()),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::Factorisation { what: "the symmetric eigendecomposition" })?;
    Ok((values.column_vector().iter().copied().collect(), vectors))
}

/// Cholesky factor of a symmetric positive definite matrix.
#[derive(Debug, Clone)]
pub struct Cholesky(Mat<f64>);

impl Cholesky {
    /// Factors `A = L L^T`, reading the lower triangle; `None` when `A` is not positive definite.
    pub fn new(mut a: Mat<f64>, par: Par) -> Option<Cholesky> {
        let n = a.nrows();
        let scratch =
            cholesky::llt::factor::cholesky_in_place_scratch::<f64>(n, par, Default::default());
        cholesky::llt::factor::cholesky_in_place(
            a.as_mut(),
            Default::default(),
            par,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        )
        .ok()?;
        // A NaN slips through the pivot test.
        (0..n).all(|i| a[(i, i)].is_finite()).then_some(Cholesky(a))
    }

    /// The factor `L`; entries above the diagonal are not meaningful.
    pub fn lower(&self) -> MatRef<'_, f64> {
        self.0.as_ref()
    }

    /// Solves `A X = rhs` in place.
    pub fn solve_in_place(&self, mut rhs: MatMut<'_, f64>) {
        self.forward_in_place(rhs.as_mut());
        self.backward_in_place(rhs);
    }

    /// Solves `L X = rhs` in place.
    pub fn forward_in_place(&self, rhs: MatMut<'_, f64>) {
        triangular_solve::solve_lower_triangular_in_place(self.0.as_ref(), rhs, Par::Seq);
    }

    /// Solves `L^T X = rhs` in place.
    pub fn backward_in_place(&self, rhs: MatMut<'_, f64>) {
        triangular_solve::solve_upper_triangular_in_place(self.0.transpose(), rhs, Par::Seq);
    }

    /// Solves `A x = rhs` in place for one right-hand side.
    pub fn solve_vector(&self, rhs: &mut [f64]) {
        let n = rhs.len();
        self.solve_in_place(MatMut::from_column_major_slice_mut(rhs, n, 1));
    }
}

/// Solves `R X = rhs` in place for an upper triangular `R`.
pub fn solve_upper(r: MatRef<'_, f64>, rhs: MatMut<'_, f64>) {
    triangular_solve::solve_upper_triangular_in_place(r, rhs, Par::Seq);
}

/// Solves `R^T X = rhs` in place for an upper triangular `R`.
pub fn solve_upper_transpose(r: MatRef<'_, f64>, rhs: MatMut<'_, f64>) {
    triangular_solve::solve_lower_triangular_in_place(r.transpose(), rhs, Par::Seq);
}

/// Thin QR decomposition `A = Q R` of a tall matrix: `Q` has orthonormal columns.
pub fn thin_qr(a: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
    let (rows, cols) = a.shape();
    let mut work = a.to_owned();
    let block = qr::no_pivoting::factor::recommended_block_size::<f64>(rows, cols);
    let mut coefficients = Mat::zeros(block, rows.min(cols));
    let scratch = qr::no_pivoting::factor::qr_in_place_scratch::<f64>(
        rows,
        cols,
        block,
        Par::Seq,
        Default::default(),
    );
    qr::no_pivoting::factor::qr_in_place(
        work.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    unpack_qr(work.as_ref(), coefficients.as_ref())
}

/// Thin QR decomposition with column pivoting: column `order[j]` of `A` is column `j` of `Q R`, and
/// the diagonal of `R` is nonincreasing in absolute value.
pub fn pivoted_qr(a: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>, Vec<usize>) {
    let (rows, cols) = a.shape();
    let mut work = a.to_owned();
    let block = qr::no_pivoting::factor::recommended_block_size::<f64>(rows, cols);
    let mut coefficients = Mat::zeros(block, rows.min(cols));
    let (mut order, mut inverse) = (vec![0usize; cols], vec![0usize; cols]);
    let scratch = qr::col_pivoting::factor::qr_in_place_scratch::<usize, f64>(
        rows,
        cols,
        block,
        Par::Seq,
        Default::default(),
    );
    qr::col_pivoting::factor::qr_in_place(
        work.as_mut(),
        coefficients.as_mut(),
        &mut order,
        &mut inverse,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    let (q, r) = unpack_qr(work.as_ref(), coefficients.as_ref());
    (q, r, order)
}

/// `Q` and `R` from the Householder vectors below the diagonal of `work` and their coefficients.
fn unpack_qr(work: MatRef<'_, f64>, coefficients: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
    let (rows, cols) = work.shape();
    let n = rows.min(cols);
    let r = Mat::from_fn(n, cols, |i, j| if i <= j { work[(i, j)] } else { 0.0 });
    let mut q = Mat::from_fn(rows, n, |i, j| if i == j { 1.0 } else { 0.0 });
    let block = coefficients.nrows();
    let scratch =
        faer::linalg::householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<
            f64,
        >(rows, block, n);
    faer::linalg::householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        work.subcols(0, n),
        coefficients,
        Conj::No,
        q.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
    (q, r)
}

/// Eigenvalues of a symmetric matrix (its lower triangle is read), nondecreasing.
pub fn symmetric_eigenvalues(a: MatRef<'_, f64>) -> Result<Vec<f64>, Error> {
    let n = a.nrows();
    let mut values = faer::diag::Diag::zeros(n);
    let none = evd::ComputeEigenvectors::No;
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, none, Par::Seq, Default::default());
    evd::self_adjoint_evd(
        a,
        values.as_mut(),
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::Factorisation { what: "the symmetric eigendecomposition" })?;
    Ok(values.column_vector().iter().copied().collect())
}

/// Indices of a maximal independent set of rows of a positive semidefinite matrix (its lower
/// triangle is read), by Cholesky with complete pivoting; pivots below `tolerance` times the
/// largest count as zero. Sorted.
pub fn independent_rows(mut a: Mat<f64>, tolerance: f64) -> Vec<usize> {
    let n = a.nrows();
    let largest = (0..n).map(|i| a[(i, i)]).fold(0.0, f64::max);
    let (mut order, mut inverse) = (vec![0usize; n], vec![0usize; n]);
    let scratch = cholesky::llt_pivoting::factor::cholesky_in_place_scratch::<usize, f64>(
        n,
        Par::Seq,
        Default::default(),
    );
    let outcome = cholesky::llt_pivoting::factor::cholesky_in_place(
        a.as_mut(),
        &mut order,
        &mut inverse,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    let Ok((info, permutation)) = outcome else {
        return Vec::new();
    };
    // The pivots are nonincreasing.
    let rank = (0..info.rank).take_while(|&i| a[(i, i)].powi(2) > tolerance * largest).count();
    let mut rows = permutation.arrays().0[..rank].to_vec();
    rows.sort_unstable();
    rows
}
