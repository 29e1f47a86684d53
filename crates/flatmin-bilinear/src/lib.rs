//! Bilinear sensing by flat minima: an unknown `d1 x d2` matrix `M` of low rank is seen through `m`
//! pairs of vectors,
//!
//! ```text
//! y_i = a_i^T M b_i,   i = 1, ..., m,        that is  A_i = a_i b_i^T.
//! ```
//!
//! Among all factor pairs with `A(L R^T) = y` the *flat* ones, of least scaled trace of the Hessian
//! of `f(L, R) = (1/m) |A(L R^T) - y|^2`, solve
//!
//! ```text
//! min |D1 X D2|_*  s.t.  A(X) = y,
//!
//! D1^2 = sum |b_i|^2 a_i a_i^T / (m d2),     D2^2 = sum |a_i|^2 b_i b_i^T / (m d1).
//! ```
//!
//! For independent Gaussian `a_i` and `b_i` they are proved to equal `M` with high probability as
//! soon as `m` exceeds a constant times `r (d1 + d2)` and `min(d1, d2)` one times `log m`, whatever
//! the number of columns of the factors: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat
//! minima generalize for low-rank matrix recovery*, Information and Inference 13(2), 2024
//! (arXiv 2203.03756). [`theory`] has the numbers, [`Planted`] the problems to try them on.
//!
//! Such measurements arise where two unknowns meet in a product: gains and signals in calibration,
//! a channel and what is sent through it. Then `M = h x^T`, as in `examples/self_calibration.rs`.
//! No `m x d1 x d2` array is formed.
//!
//! ```
//! use flatmin_bilinear::Bilinear;
//! // Three pairs of vectors, one a line; the matrix they see is [2, 1; 1, 1/2].
//! let left = vec![
//!     1.0, 0.0, //
//!     1.0, 1.0, //
//!     1.0, -1.0, //
//! ];
//! let right = vec![
//!     1.0, 0.0, //
//!     1.0, 1.0, //
//!     1.0, 1.0, //
//! ];
//! let problem = Bilinear::from_arrays(2, 2, left, right, vec![2.0, 4.5, 1.5])?;
//! let flat = problem.flat().solve()?;
//! assert!(flat.status.is_certified() && flat.relative_gap <= 1e-8);
//! let (left, right) = flat.factors();
//! assert_eq!((left.nrows(), right.nrows()), (2, 2));
//! # Ok::<(), flatmin_bilinear::Error>(())
//! ```

pub mod instance;
mod model;
pub mod theory;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, RankOne, Recovery, Status};
pub use instance::Planted;
pub use model::Bilinear;
