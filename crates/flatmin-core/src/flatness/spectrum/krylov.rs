//! An orthonormal basis of a Krylov space and the tridiagonal matrix of the operator on it.
//!
//! ```text
//! A V_j = V_j T_j + beta_j v_{j+1} e_j^T,      V_j^T V_j = I
//! ```
//!
//! with every new vector orthogonalised against all before it, so that the relation holds to rounding.

use crate::linalg::{Par, norm, product, subtract_product, symmetric_eigen};
use crate::{Error, Mat, MatMut, MatRef};

/// A remainder below this multiple of the operator's size is rounding: the space is invariant.
pub(super) const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// The basis `V_{j+1}` and the entries of `T_j` after `j` products.
#[derive(Debug, Clone)]
pub(super) struct Krylov {
    order: usize,
    /// Column by column.
    basis: Vec<f64>,
    /// `alpha_1, ..., alpha_j`.
    pub(super) diagonal: Vec<f64>,
    /// `beta_1, ..., beta_j`; the last is zero when the space is invariant.
    pub(super) couplings: Vec<f64>,
}

impl Krylov {
    /// The space of one vector, not zero.
    pub(super) fn new(start: &[f64]) -> Krylov {
        let size = norm(start);
        let basis = start.iter().map(|v| v / size).collect();
        Krylov { order: start.len(), basis, diagonal: Vec::new(), couplings: Vec::new() }
    }

    /// Products taken, `j`.
    pub(super) fn steps(&self) -> usize {
        self.diagonal.len()
    }

    /// Whether no vector is left to multiply.
    pub(super) fn exhausted(&self) -> bool {
        self.couplings.last() == Some(&0.0)
    }

    /// The vector to multiply next, `n x 1`.
    pub(super) fn last(&self) -> MatRef<'_, f64> {
        let n = self.order;
        MatRef::from_column_major_slice(&self.basis[self.basis.len() - n..], n, 1)
    }

    /// Takes the product with [`Krylov::last`].
    pub(super) fn absorb(&mut self, mut image: Vec<f64>) {
        let n = self.order;
        let j = self.steps();
        let before = norm(&image);
        let size = self.size().max(before);
        let coefficients = {
            let basis = MatRef::from_column_major_slice(&self.basis, n, j + 1);
            orthogonalise(basis, MatMut::from_column_major_slice_mut(&mut image, n, 1))
        };
        self.diagonal.push(coefficients[(j, 0)]);
        let remainder = norm(&image);
        if remainder <= ROUNDING * size || j + 1 == n {
            self.couplings.push(0.0);
        } else {
            self.couplings.push(remainder);
            self.basis.extend(image.iter().map(|v| v / remainder));
        }
    }

    /// A lower estimate of `|A|`, from the entries of `T`.
    fn size(&self) -> f64 {
        self.diagonal.iter().chain(&self.couplings).fold(0.0, |m, v| v.abs().max(m))
    }

    /// `T` with `beta_j` below it, `(j + 1) x j`: `A V_j = V_{j+1} T`.
    pub(super) fn extended(&self) -> Mat<f64> {
        let j = self.steps();
        Mat::from_fn(j + 1, j, |p, q| match p.abs_diff(q) {
            0 => self.diagonal[p],
            1 => self.couplings[p.min(q)],
            _ => 0.0,
        })
    }

    /// Eigenvalues (nondecreasing) and eigenvectors of `T_j`, and the residual `beta_j |s_j|` of each.
    pub(super) fn ritz(&self) -> Result<Ritz, Error> {
        let j = self.steps();
        let t = self.extended();
        let (values, vectors) = symmetric_eigen(t.as_ref().subrows(0, j), Par::Seq)?;
        let beta = self.couplings[j - 1];
        let residuals = (0..j).map(|i| beta * vectors[(j - 1, i)].abs()).collect();
        Ok(Ritz { values, vectors, residuals })
    }

    /// `V_j s`, of unit norm for a unit `s`.
    pub(super) fn combine(&self, s: MatRef<'_, f64>) -> Vec<f64> {
        let basis =
            MatRef::from_column_major_slice(&self.basis, self.order, self.basis.len() / self.order);
        let vector = product(basis.subcols(0, s.nrows()), s);
        vector.col(0).iter().copied().collect()
    }
}

/// Ritz values with the residual norms of their vectors.
pub(super) struct Ritz {
    pub(super) values: Vec<f64>,
    pub(super) vectors: Mat<f64>,
    pub(super) residuals: Vec<f64>,
}

impl Ritz {
    /// Largest Ritz value by absolute value: a lower bound of `|A|`.
    pub(super) fn size(&self) -> f64 {
        self.values.iter().fold(0.0, |m, v| v.abs().max(m))
    }
}

/// Removes from `w` its part in the span of an orthonormal basis, and returns the coefficients `V^T w`:
/// again while the norm falls, for what is left of a vector mostly in the span is mostly rounding.
pub(super) fn orthogonalise(basis: MatRef<'_, f64>, mut w: MatMut<'_, f64>) -> Mat<f64> {
    let mut total = Mat::zeros(basis.ncols(), w.ncols());
    let mut before = w.as_ref().norm_l2();
    for pass in 0..4 {
        let c = product(basis.transpose(), w.as_ref());
        subtract_product(w.as_mut(), basis, c.as_ref());
        total += c;
        let after = w.as_ref().norm_l2();
        if pass > 0 && (after > 0.7 * before || after == 0.0) {
            break;
        }
        before = after;
    }
    total
}
