//! A change of variables on one side that turns a Gram into the identity.
//!
//! For a Gram `G = D^2`, `P` (`d x rho`) has `P^T G P = I` and `range P = range G`. Then `D P` is an
//! isometry, so that with `X = P1 Z P2^T`
//!
//! ```text
//! |D1 X D2|_* = |Z|_*,      and     |P1^T A*(y) P2|_op = |D1^+ A*(y) D2^+|_op.
//! ```
//!
//! Measurements of different units make Grams whose diagonal spans many decades. With
//! `S = diag(G)^{1/2}` the factor is taken of `C = S^{-1} G S^{-1}`, whose condition, unlike that of
//! `G`, says how many digits of `D` the Gram carries (Higham, *Accuracy and stability of numerical
//! algorithms*, 2002, section 10.1).

use super::{Gram, LinearMap};
use crate::linalg::{self, Cholesky, Par, product};
use crate::{Error, Mat, MatRef};

/// Eigenvalues of `C` below this fraction of the largest count as zero: a direction that no
/// measurement sees. What rounding leaves of a zero is about `d` units.
fn rank_floor(order: usize) -> f64 {
    (4.0 * f64::EPSILON * order as f64).max(1e-13)
}

/// Condition of `C` up to which its triangular factor serves.
const WELL_CONDITIONED: f64 = 1e4;

/// Diagonal entries of an orthogonal factorisation below this fraction of the largest count as zero:
/// what rounding in the user's own arithmetic leaves of a zero, say where vectors were centred. A
/// direction that is seen so little moves neither the fit nor the objective within their tolerances,
/// and if it does, the fit shows it.
const QR_FLOOR: f64 = 1e-11;

/// Most numbers in a stack of measurements that is factored.
const LARGEST_STACK: usize = 1 << 24;

/// The side of the matrix that a Gram belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Rows: `sum A_i A_i^T`.
    Left,
    /// Columns: `sum A_i^T A_i`.
    Right,
}

/// `P` with `P^T G P = I` on the range of a Gram `G`, or an orthonormal basis of that range.
#[derive(Debug, Clone)]
pub struct Whitening {
    factor: Factor,
    condition: f64,
    error: f64,
}

#[derive(Debug, Clone)]
enum Factor {
    /// `P[kept_j, j] = weights_j`: diagonal, up to dropped rows.
    Diagonal { order: usize, kept: Vec<usize>, weights: Vec<f64> },
    /// Any `P`, with its pseudo-inverse (`rho x d`).
    Dense { p: Mat<f64>, inverse: Mat<f64> },
}

impl Whitening {
    /// `P` of a Gram: `P^T G P = I` when `weighted`, else orthonormal columns.
    ///
    /// ```
    /// use flatmin_core::{Gram, operator::Whitening};
    /// let p = Whitening::new(&Gram::Diagonal(vec![4.0, 0.0, 1.0]), true)?;
    /// // The second row is seen by no measurement and has no part in Z.
    /// assert_eq!((p.order(), p.rank()), (3, 2));
    /// assert_eq!(p.diagonal(), Some((&[0, 2][..], &[0.5, 1.0][..])));
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When an eigendecomposition fails, which finite Grams do not cause.
    pub fn new(gram: &Gram, weighted: bool) -> Result<Whitening, Error> {
        match gram {
            Gram::Diagonal(g) => Ok(Whitening::diagonal_of(g, weighted)),
            Gram::Dense(g) => Whitening::dense_of(g, weighted),
        }
    }

    /// `P` of one side of a map, whose Gram, up to a factor, is `gram`: from the measurements
    /// themselves where the Gram has lost digits of them.
    ///
    /// # Errors
    /// As [`Whitening::new`].
    pub(crate) fn of_side(
        map: &dyn LinearMap,
        gram: &Gram,
        side: Side,
        weighted: bool,
    ) -> Result<Whitening, Error> {
        let whitening = Whitening::new(gram, weighted)?;
        let dims = map.dims();
        let size = dims.rows.saturating_mul(dims.cols).saturating_mul(dims.measurements);
        let seen = gram.order() - gram.null_rows().len();
        let sound = f64::EPSILON * WELL_CONDITIONED;
        if (whitening.error <= sound && whitening.rank() == seen) || size > LARGEST_STACK {
            return Ok(whitening);
        }
        // The Gram's factor tells the unit that `gram` is in.
        let stack = stacked(map, side);
        let squares: f64 = stack.col_iter().map(|c| c.squared_norm_l2()).sum();
        let unit = (gram.trace() / squares).sqrt();
        Whitening::of_stack(stack * faer::Scale(unit), weighted)
    }

    /// `P` of `G = M^T M`.
    fn of_stack(m: Mat<f64>, weighted: bool) -> Result<Whitening, Error> {
        let order = m.ncols();
        let s: Vec<f64> = m.col_iter().map(|c| c.norm_l2()).collect();
        let inverse_scales: Vec<f64> =
            s.iter().map(|&s| if s > 0.0 { 1.0 / s } else { 0.0 }).collect();
        let scaled = linalg::scale_columns(m.as_ref(), &inverse_scales);
        let norms: Vec<f64> = scaled.row_iter().map(|r| r.norm_l2()).collect();
        // Large rows first: then the factorisation is stable row by row (Cox, Higham, *Stability of
        // Householder QR factorization for weighted least squares problems*, 1998).
        let mut rows: Vec<usize> = (0..norms.len()).filter(|&i| norms[i] > 0.0).collect();
        rows.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
        // The rank does not depend on the units of the rows.
        let even = Mat::from_fn(rows.len(), order, |i, j| scaled[(rows[i], j)] / norms[rows[i]]);
        let (_, even_r, even_order) = linalg::pivoted_qr(even.as_ref());
        let largest = if even_r.nrows() > 0 { even_r[(0, 0)].abs() } else { 0.0 };
        let rank =
            (0..even_r.nrows()).take_while(|&i| even_r[(i, i)].abs() > QR_FLOOR * largest).count();
        let frame = |r: &Mat<f64>, of: &[usize]| {
            // S Pi R^T, whose columns span the range of G.
            let mut f = Mat::zeros(order, rank);
            for (j, &at) in of.iter().enumerate() {
                for k in 0..rank.min(j + 1) {
                    f[(at, k)] = s[at] * r[(k, j)];
                }
            }
            f
        };
        if !weighted {
            let (mut u, _) = linalg::thin_qr(frame(&even_r, &even_order).as_ref());
            (0..order).filter(|&i| s[i] == 0.0).for_each(|i| u.row_mut(i).fill(0.0));
            let seen = s.iter().filter(|&&s| s > 0.0).count();
            if rank == seen {
                let kept: Vec<usize> = (0..order).filter(|&i| s[i] > 0.0).collect();
                let weights = vec![1.0; rank];
                let factor = Factor::Diagonal { order, kept, weights };
                return Ok(Whitening { factor, condition: 1.0, error: 0.0 });
            }
            let inverse = u.transpose().to_owned();
            return Ok(Whitening {
                factor: Factor::Dense { p: u, inverse },
                condition: 1.0,
                error: 0.0,
            });
        }
        let sorted = Mat::from_fn(rows.len(), order, |i, j| scaled[(rows[i], j)]);
        let (_, r, pivots) = linalg::pivoted_qr(sorted.as_ref());
        let (p, inverse) = from_frame(frame(&r, &pivots), &s);
        // What was reached: M P has orthonormal columns.
        let image = product(m.as_ref(), p.as_ref());
        let off = product(image.transpose(), image.as_ref()) - Mat::<f64>::identity(rank, rank);
        let inner =
            linalg::singular_values(linalg::scale_columns(p.transpose(), &s).as_ref(), Par::Seq)?;
        let positive: Vec<f64> = s.iter().copied().filter(|&s| s > 0.0).collect();
        Ok(Whitening {
            factor: Factor::Dense { p, inverse },
            condition: spread(&inner) * spread(&positive),
            error: off.norm_l2(),
        })
    }

    fn diagonal_of(g: &[f64], weighted: bool) -> Whitening {
        let kept: Vec<usize> = (0..g.len()).filter(|&i| g[i] > 0.0).collect();
        let weights: Vec<f64> =
            kept.iter().map(|&i| if weighted { 1.0 / g[i].sqrt() } else { 1.0 }).collect();
        let condition = spread(&weights);
        Whitening {
            factor: Factor::Diagonal { order: g.len(), kept, weights },
            condition,
            error: 0.0,
        }
    }

    fn dense_of(g: &Mat<f64>, weighted: bool) -> Result<Whitening, Error> {
        let order = g.nrows();
        let s: Vec<f64> = (0..order).map(|i| g[(i, i)].max(0.0).sqrt()).collect();
        let seen: Vec<usize> = (0..order).filter(|&i| s[i] > 0.0).collect();
        let n = seen.len();
        let c = Mat::from_fn(n, n, |i, j| {
            let (i, j) = (seen[i], seen[j]);
            g[(i, j)] / s[i] / s[j]
        });
        if let Some((lower_inverse, lower, condition)) = triangular(&c)
            && condition <= WELL_CONDITIONED
        {
            if !weighted {
                let ones = vec![1.0; n];
                let factor = Factor::Diagonal { order, kept: seen, weights: ones };
                return Ok(Whitening { factor, condition: 1.0, error: 0.0 });
            }
            // C = L L^T: P = S^{-1} L^{-T}, P^+ = L^T S, with zeros where nothing is seen.
            let mut p = Mat::zeros(order, n);
            let mut inverse = Mat::zeros(n, order);
            for (i, &at) in seen.iter().enumerate() {
                for j in 0..n {
                    p[(at, j)] = lower_inverse[(j, i)] / s[at];
                    inverse[(j, at)] = lower[(i, j)] * s[at];
                }
            }
            let scales: Vec<f64> = seen.iter().map(|&i| s[i]).collect();
            return Ok(Whitening {
                factor: Factor::Dense { p, inverse },
                condition: condition.sqrt() * spread(&scales),
                error: f64::EPSILON * condition,
            });
        }
        // C = Q diag(w) Q^T, cut to its range: F = S Q diag(w)^{1/2} has G = F F^T.
        let (w, q) = linalg::symmetric_eigen(c.as_ref(), Par::Seq)?;
        let floor = rank_floor(n) * linalg::max_abs(&w);
        let kept: Vec<usize> = (0..n).filter(|&j| w[j] > floor).collect();
        let rank = kept.len();
        let condition = match (kept.first(), kept.last()) {
            (Some(&least), Some(&most)) => w[most] / w[least],
            _ => 1.0,
        };
        let mut f = Mat::zeros(order, rank);
        for (i, &at) in seen.iter().enumerate() {
            for (j, &of) in kept.iter().enumerate() {
                f[(at, j)] = s[at] * q[(i, of)] * w[of].sqrt();
            }
        }
        let (mut u, t) = linalg::thin_qr(f.as_ref());
        // Rows that no measurement sees are zero exactly, not up to rounding.
        (0..order).filter(|&i| s[i] == 0.0).for_each(|i| u.row_mut(i).fill(0.0));
        let error = f64::EPSILON * condition;
        if !weighted {
            let inverse = u.transpose().to_owned();
            return Ok(Whitening {
                factor: Factor::Dense { p: u, inverse },
                condition: 1.0,
                error,
            });
        }
        let mut p = u.transpose().to_owned();
        linalg::solve_upper(t.as_ref(), p.as_mut());
        let inverse = product(t.transpose(), u.transpose());
        let scales: Vec<f64> = seen.iter().map(|&i| s[i]).collect();
        Ok(Whitening {
            factor: Factor::Dense { p: p.transpose().to_owned(), inverse },
            condition: condition.sqrt() * spread(&scales),
            error,
        })
    }

    /// `d`, the order of the Gram.
    pub fn order(&self) -> usize {
        match &self.factor {
            Factor::Diagonal { order, .. } => *order,
            Factor::Dense { p, .. } => p.nrows(),
        }
    }

    /// `rho`, the dimension of its range.
    pub fn rank(&self) -> usize {
        match &self.factor {
            Factor::Diagonal { kept, .. } => kept.len(),
            Factor::Dense { p, .. } => p.ncols(),
        }
    }

    /// A bound on the condition number of `P`.
    pub fn condition(&self) -> f64 {
        self.condition
    }

    /// How far rounding in the Gram may move `D`, relative to `D` itself.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// Whether `P = I`.
    pub fn is_identity(&self) -> bool {
        match &self.factor {
            Factor::Diagonal { order, kept, weights } => {
                kept.len() == *order && weights.iter().all(|&w| w == 1.0)
            }
            Factor::Dense { .. } => false,
        }
    }

    /// The kept rows and their weights, when `P` is diagonal up to dropped rows:
    /// `P[kept_j, j] = weights_j`.
    pub fn diagonal(&self) -> Option<(&[usize], &[f64])> {
        match &self.factor {
            Factor::Diagonal { kept, weights, .. } => Some((kept, weights)),
            Factor::Dense { .. } => None,
        }
    }

    /// The weights of all rows, zero for dropped ones, when `P` is diagonal up to these.
    pub(crate) fn full_diagonal(&self) -> Option<Vec<f64>> {
        let (kept, weights) = self.diagonal()?;
        let mut out = vec![0.0; self.order()];
        kept.iter().zip(weights).for_each(|(&i, w)| out[i] = *w);
        Some(out)
    }

    /// Diagonal of `P diag(w) P^T`, when that matrix is diagonal.
    pub(crate) fn spread_diagonal(&self, w: &[f64]) -> Option<Vec<f64>> {
        let (kept, weights) = self.diagonal()?;
        let mut out = vec![0.0; self.order()];
        for ((&i, p), w) in kept.iter().zip(weights).zip(w) {
            out[i] = p * p * w;
        }
        Some(out)
    }

    /// `P F`, of shape `d x k`.
    pub fn times(&self, factor: MatRef<'_, f64>) -> Mat<f64> {
        match &self.factor {
            Factor::Diagonal { order, kept, weights } => {
                let mut out = Mat::zeros(*order, factor.ncols());
                for c in 0..factor.ncols() {
                    for (j, (&i, w)) in kept.iter().zip(weights).enumerate() {
                        out[(i, c)] = w * factor[(j, c)];
                    }
                }
                out
            }
            Factor::Dense { p, .. } => product(p.as_ref(), factor),
        }
    }

    /// `P^T F`, of shape `rho x k`.
    pub fn transpose_times(&self, factor: MatRef<'_, f64>) -> Mat<f64> {
        match &self.factor {
            Factor::Diagonal { kept, weights, .. } => {
                Mat::from_fn(kept.len(), factor.ncols(), |j, c| weights[j] * factor[(kept[j], c)])
            }
            Factor::Dense { p, .. } => product(p.transpose(), factor),
        }
    }

    /// `P^+ F`, of shape `rho x k`: the inverse of [`Whitening::times`] on the range.
    pub fn inverse_times(&self, factor: MatRef<'_, f64>) -> Mat<f64> {
        match &self.factor {
            Factor::Diagonal { kept, weights, .. } => {
                Mat::from_fn(kept.len(), factor.ncols(), |j, c| factor[(kept[j], c)] / weights[j])
            }
            Factor::Dense { inverse, .. } => product(inverse.as_ref(), factor),
        }
    }
}

/// `P` and `P^+` of `G = F F^T`: with `F = U T`, `U` spans the range of `G`, and `P = U T^{-T}` has
/// `P^T G P = I` and `P^+ = T^T U^T`. Rows of no scale are zero exactly, not up to rounding.
fn from_frame(f: Mat<f64>, scales: &[f64]) -> (Mat<f64>, Mat<f64>) {
    let (mut u, t) = linalg::thin_qr(f.as_ref());
    (0..scales.len()).filter(|&i| scales[i] == 0.0).for_each(|i| u.row_mut(i).fill(0.0));
    let mut p = u.transpose().to_owned();
    linalg::solve_upper(t.as_ref(), p.as_mut());
    (p.transpose().to_owned(), product(t.transpose(), u.transpose()))
}

/// `M` with `M^T M = sum A_i A_i^T` (left) or `sum A_i^T A_i` (right): the measurements, stacked.
fn stacked(map: &dyn LinearMap, side: Side) -> Mat<f64> {
    let dims = map.dims();
    let (height, order) = match side {
        Side::Left => (dims.cols, dims.rows),
        Side::Right => (dims.rows, dims.cols),
    };
    let mut stack = Mat::zeros(height * dims.measurements, order);
    for i in 0..dims.measurements {
        let a = map.measurement(i);
        let block = stack.as_mut().subrows_mut(i * height, height);
        match side {
            Side::Left => { block }.copy_from(a.transpose()),
            Side::Right => { block }.copy_from(&a),
        }
    }
    stack
}

/// `L^{-1}`, `L` and a bound on the condition number of `C = L L^T`; `None` when it is not definite.
fn triangular(c: &Mat<f64>) -> Option<(Mat<f64>, Mat<f64>, f64)> {
    let n = c.nrows();
    let factor = Cholesky::new(c.clone(), Par::Seq)?;
    let lower = Mat::from_fn(n, n, |i, j| if i >= j { factor.lower()[(i, j)] } else { 0.0 });
    let mut inverse = Mat::<f64>::identity(n, n);
    factor.forward_in_place(inverse.as_mut());
    // |C|_2 <= |C|_inf, and |L^{-1}|_2^2 <= |L^{-1}|_1 |L^{-1}|_inf.
    let condition = largest_row_sum(c.as_ref())
        * largest_row_sum(inverse.as_ref())
        * largest_row_sum(inverse.transpose());
    condition.is_finite().then_some((inverse, lower, condition.max(1.0)))
}

/// `|A|_inf`, the largest sum of absolute values along a row.
fn largest_row_sum(a: MatRef<'_, f64>) -> f64 {
    let mut sums = vec![0.0; a.nrows()];
    for column in a.col_iter() {
        sums.iter_mut().zip(column.iter()).for_each(|(s, v): (&mut f64, &f64)| *s += v.abs());
    }
    linalg::max_abs(&sums)
}

/// Largest over smallest of positive numbers; 1 when there is none.
fn spread(values: &[f64]) -> f64 {
    let largest = linalg::max_abs(values);
    let smallest = values.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    if values.is_empty() { 1.0 } else { largest / smallest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Role, Stream};

    fn identity_error(p: &Whitening, gram: &Gram, weighted: bool) -> f64 {
        let basis = p.times(Mat::<f64>::identity(p.rank(), p.rank()).as_ref());
        let image = if weighted {
            product(gram.to_dense().as_ref(), basis.as_ref())
        } else {
            basis.clone()
        };
        let back = p.inverse_times(basis.as_ref());
        let identity = Mat::<f64>::identity(p.rank(), p.rank());
        let whitened = product(basis.transpose(), image.as_ref());
        (whitened - &identity).norm_max().max((back - identity).norm_max())
    }

    /// `P^T G P = I` and `P^+ P = I`, for full, singular and graded Grams.
    #[test]
    fn whitens_and_inverts() {
        let mut stream = Stream::new(1, "whitening", 0, 0, Role::Measurements);
        for (order, rank) in [(1, 1), (5, 5), (6, 2), (9, 8)] {
            let f = stream.gaussian_matrix(order, rank);
            let decades: Vec<f64> = (0..order).map(|i| 10f64.powi(3 * i as i32 - 9)).collect();
            for graded in [false, true] {
                let g = product(f.as_ref(), f.transpose());
                let g = Mat::from_fn(order, order, |i, j| {
                    if graded { decades[i] * decades[j] * g[(i, j)] } else { g[(i, j)] }
                });
                let gram = Gram::Dense(g);
                for weighted in [true, false] {
                    let p = Whitening::new(&gram, weighted).unwrap();
                    assert_eq!(p.rank(), rank, "order {order}, graded {graded}");
                    let error = identity_error(&p, &gram, weighted);
                    assert!(error < 1e-9, "order {order}, graded {graded}: {error:e}");
                }
            }
        }
    }

    /// Measurements in units decades apart, where the Gram of the rows has lost what `M` still has.
    #[test]
    fn takes_graded_measurements_as_they_are() {
        let mut stream = Stream::new(2, "whitening", 0, 0, Role::Measurements);
        let mut data = stream.gaussian_vector(6 * 5);
        for (i, row) in data.chunks_exact_mut(5).enumerate() {
            row.iter_mut().for_each(|v| *v *= 10f64.powi(3 - i as i32));
        }
        let map = crate::DenseMap::new(1, 5, data).unwrap();
        let gram = map.grams().1;
        let blunt = Whitening::new(&gram, true).unwrap();
        assert!(blunt.rank() < 5 || blunt.error() > 1e-8);
        let p = Whitening::of_side(&map, &gram, Side::Right, true).unwrap();
        assert_eq!(p.rank(), 5);
        assert!(p.error() < 1e-10, "{:e}", p.error());
        let q = Whitening::of_side(&map, &gram, Side::Right, false).unwrap();
        assert!(q.is_identity());
    }

    /// Twenty decades between two columns are a matter of units, not of rank.
    #[test]
    fn units_do_not_hide_a_direction() {
        let g = Mat::from_fn(2, 2, |i, j| [[1e20, 0.0], [0.0, 1.0]][i][j]);
        for weighted in [true, false] {
            assert_eq!(Whitening::new(&Gram::Dense(g.clone()), weighted).unwrap().rank(), 2);
        }
    }

    /// The error that is admitted grows with the condition of the correlations alone.
    #[test]
    fn admits_what_the_gram_does_not_carry() {
        let nearly =
            |e: f64| Gram::Dense(Mat::from_fn(2, 2, |i, j| if i == j { 1.0 } else { 1.0 - e }));
        assert!(Whitening::new(&nearly(0.5), true).unwrap().error() < 1e-14);
        assert!(Whitening::new(&nearly(1e-10), true).unwrap().error() > 1e-7);
    }
}
