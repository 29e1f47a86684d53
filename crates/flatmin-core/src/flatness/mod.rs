//! How curved a loss is, or any symmetric operator.
//!
//! | wanted | by | |
//! |---|---|---|
//! | trace, scaled trace of a loss | [`Rescaling`], or [`PairOperator::traces`] of its Hessian | exact |
//! | trace of any operator, its diagonal | [`Estimator`], with [`Method::Auto`] | a standard error |
//! | largest eigenvalue, either end | [`Lanczos`](spectrum::Lanczos) | a residual bound |
//! | leading pairs, density, `tr f(H)`, condition | [`spectrum`] | bounds, standard errors |
//! | rise of a loss within a radius | [`Ascent`](ascent::Ascent) | a lower bound |
//!
//! Operators are the Hessians of the losses (`hessian` of [`FactoredLoss`](crate::FactoredLoss),
//! [`SymmetricLoss`](crate::SymmetricLoss)), what implements [`SymmetricOperator`], a function
//! ([`FromFn`]), or differences of a gradient ([`Differences`]).
//!
//! Exact traces, and the rescaling that they define:
//!
//! For `f(L, R) = (1/m) |A(L R^T) - b|^2` the residual couples only the `L` and `R` blocks of the
//! Hessian, so its diagonal, hence both traces, hold at *every* `(L, R)`:
//!
//! ```text
//! tr  D2f = 2 <G1 L, L> + 2 <G2 R, R>,       G1 = sum A_i A_i^T / m,  G2 = sum A_i^T A_i / m
//! str D2f = 2 |D1 L|_F^2 + 2 |D2 R|_F^2,     D1^2 = G1 / d2,  D2^2 = G2 / d1
//! ```

pub mod ascent;
pub mod check;
pub mod deep;
mod differences;
mod operator;
mod pair;
mod population;
pub mod spectrum;
mod trace;

pub use differences::Differences;
pub(crate) use operator::image;
pub use operator::{FromFn, SymmetricOperator};
pub(crate) use pair::leading_direction;
pub use pair::{PairOperator, Scaled};
pub use population::{PopulationHessian, SymmetricPopulationHessian};
pub use trace::{DiagonalEstimate, Estimate, Estimator, Method, Probes};

use crate::linalg::{self, Par, product};
use crate::operator::{Gram, LinearMap, check_dims};
use crate::{Error, Mat, MatRef};

/// Eigenvalues of a dense Gram below this fraction of its largest one cannot be told from zero.
const RANK_TOLERANCE: f64 = 1e-13;

/// The rescaling matrices `D1`, `D2` of a linear map.
#[derive(Debug, Clone)]
pub struct Rescaling {
    /// `D1^2 = sum_i A_i A_i^T / (m d2)`.
    pub d1_squared: Gram,
    /// `D2^2 = sum_i A_i^T A_i / (m d1)`.
    pub d2_squared: Gram,
}

impl Rescaling {
    /// The rescaling of a map, from its Grams.
    ///
    /// ```
    /// use flatmin_core::{Entries, Mat, Rescaling};
    /// let seen = Entries::new(2, 2, &[0, 0, 1, 1], &[0, 1, 0, 1])?;
    /// let rescaling = Rescaling::new(&seen)?;
    /// // Everything seen once: D1^2 = D2^2 = I / 4 * 2 / 2, and no direction is preferred.
    /// assert_eq!(rescaling.kappa()?, 1.0);
    /// let l = Mat::from_fn(2, 1, |_, _| 1.0);
    /// assert_eq!(rescaling.scaled_trace(l.as_ref(), l.as_ref())?, 2.0);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the map has no rows, columns or measurements, or its Grams are not finite.
    pub fn new(map: &dyn LinearMap) -> Result<Rescaling, Error> {
        let dims = map.dims();
        check_dims(dims)?;
        let (g1, g2) = map.grams();
        for gram in [&g1, &g2] {
            let finite = match gram {
                Gram::Dense(g) => g.is_all_finite(),
                Gram::Diagonal(g) => g.iter().all(|v| v.is_finite()),
            };
            if !finite {
                return Err(Error::Scale {
                    what: "the map's Gram matrix".into(),
                    magnitude: f64::INFINITY,
                    sane: (0.0, f64::MAX),
                });
            }
        }
        let m = dims.measurements as f64;
        Ok(Rescaling {
            d1_squared: g1.scaled(1.0 / (m * dims.cols as f64)),
            d2_squared: g2.scaled(1.0 / (m * dims.rows as f64)),
        })
    }

    /// `D1` and `D2`, of orders `d1` and `d2`.
    ///
    /// # Errors
    /// When an eigendecomposition fails, which finite Grams do not cause.
    pub fn matrices(&self) -> Result<(Gram, Gram), Error> {
        Ok((square_root(&self.d1_squared)?, square_root(&self.d2_squared)?))
    }

    /// Regularity constant `kappa = alpha2 / alpha1` for the tightest `alpha1 I <= D1, D2 <= alpha2 I`;
    /// infinite when some direction is never measured.
    ///
    /// # Errors
    /// As [`Rescaling::matrices`].
    pub fn kappa(&self) -> Result<f64, Error> {
        let (left, right) = (spectrum(&self.d1_squared)?, spectrum(&self.d2_squared)?);
        let values = || left.iter().chain(&right);
        let largest = values().fold(0.0, |a: f64, &b| a.max(b));
        let smallest = values().fold(f64::INFINITY, |a, &b| a.min(b));
        let dense =
            [&self.d1_squared, &self.d2_squared].iter().any(|g| matches!(g, Gram::Dense(_)));
        let floor = if dense { RANK_TOLERANCE * largest } else { 0.0 };
        Ok(if smallest <= floor { f64::INFINITY } else { (largest / smallest).sqrt() })
    }

    /// Scaled trace `2 |D1 L|_F^2 + 2 |D2 R|_F^2` of the Hessian at `(L, R)`, exact everywhere.
    ///
    /// # Errors
    /// When the factors do not fit the map or one another.
    pub fn scaled_trace(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<f64, Error> {
        self.check_factors(l, r)?;
        Ok(2.0 * self.d1_squared.form(l) + 2.0 * self.d2_squared.form(r))
    }

    /// Traces of the `L` block and of the `R` block of the Hessian, unscaled; the full trace is
    /// their sum.
    ///
    /// # Errors
    /// When the factors do not fit the map or one another.
    pub fn traces(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<(f64, f64), Error> {
        self.check_factors(l, r)?;
        let (d1, d2) = (self.d1_squared.order() as f64, self.d2_squared.order() as f64);
        Ok((2.0 * d1 * self.d2_squared.form(r), 2.0 * d2 * self.d1_squared.form(l)))
    }

    fn check_factors(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<(), Error> {
        let (d1, d2) = (self.d1_squared.order(), self.d2_squared.order());
        if l.nrows() == d1 && r.nrows() == d2 && l.ncols() == r.ncols() {
            return Ok(());
        }
        Err(Error::Shape {
            what: "the factors",
            expected: format!("shapes {d1} x k and {d2} x k"),
            got: format!("{} x {} and {} x {}", l.nrows(), l.ncols(), r.nrows(), r.ncols()),
        })
    }
}

fn spectrum(gram: &Gram) -> Result<Vec<f64>, Error> {
    match gram {
        Gram::Diagonal(g) => Ok(g.clone()),
        Gram::Dense(g) => Ok(linalg::symmetric_eigen(g.as_ref(), Par::Seq)?.0),
    }
}

fn square_root(gram: &Gram) -> Result<Gram, Error> {
    match gram {
        Gram::Diagonal(g) => Ok(Gram::Diagonal(g.iter().map(|v| v.sqrt()).collect())),
        Gram::Dense(g) => {
            let (values, q) = linalg::symmetric_eigen(g.as_ref(), Par::Seq)?;
            let scaled =
                Mat::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)] * values[j].max(0.0).sqrt());
            Ok(Gram::Dense(product(scaled.as_ref(), q.transpose())))
        }
    }
}
