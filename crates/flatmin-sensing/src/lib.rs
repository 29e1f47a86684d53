//! Matrix sensing by flat minima: an unknown `d1 x d2` matrix `M` of low rank is seen through `m`
//! full measurement matrices,
//!
//! ```text
//! b_i = <A_i, M>,   i = 1, ..., m.
//! ```
//!
//! Among all factor pairs with `A(L R^T) = b` the *flat* ones, of least scaled trace of the Hessian
//! of `f(L, R) = (1/m) |A(L R^T) - b|^2`, solve
//!
//! ```text
//! min |D1 X D2|_*  s.t.  A(X) = b,      D1^2 = sum A_i A_i^T / (m d2),   D2^2 = sum A_i^T A_i / (m d1).
//! ```
//!
//! For Gaussian measurements they are proved to equal `M` as soon as `m` exceeds a constant times
//! `r (d1 + d2)`, whatever the number of columns of the factors: L. Ding, D. Drusvyatskiy,
//! M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank matrix recovery*, Information and
//! Inference 13(2), 2024 (arXiv 2203.03756). [`theory`] has the numbers, [`Planted`] the problems
//! to try them on.
//!
//! ```
//! use flatmin_sensing::Sensing;
//! // Three measurement matrices, one a line; the matrix they see is [2, 1; 1, 1/2].
//! let measurements = vec![
//!     1.0, 0.0, 0.0, 0.0, //
//!     0.0, 1.0, 1.0, 0.0, //
//!     0.0, 1.0, -1.0, 0.0, //
//! ];
//! let problem = Sensing::from_arrays(2, 2, measurements, vec![2.0, 2.0, 0.0])?;
//! let flat = problem.flat().solve()?;
//! assert!(flat.status.is_certified() && flat.relative_gap <= 1e-8);
//! assert!((flat.matrix()[(1, 1)] - 0.5).abs() < 1e-6);
//! let (left, right) = flat.factors();
//! assert_eq!((left.shape(), right.shape()), ((2, flat.rank), (2, flat.rank)));
//! # Ok::<(), flatmin_sensing::Error>(())
//! ```

pub mod instance;
mod model;
pub mod theory;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::Sensing;
