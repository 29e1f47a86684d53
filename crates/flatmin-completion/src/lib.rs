//! Matrix completion by flat minima: some entries `(i, j)` of an unknown `d1 x d2` matrix `M` of
//! low rank are seen,
//!
//! ```text
//! b_t = M_{i_t j_t},   t = 1, ..., m,
//! ```
//!
//! and the rest is wanted. Among all factor pairs that fit, the *flat* ones, of least scaled trace
//! of the Hessian of `f(L, R) = (1/m) |A(L R^T) - b|^2`, solve
//!
//! ```text
//! min |D1 X D2|_*  s.t.  A(X) = b,      D1^2 = diag(seen in row i) / (m d2),   D2^2 = diag(seen in column j) / (m d1),
//! ```
//!
//! so rows and columns weigh as much as they are seen. This is the empirically weighted trace norm
//! (N. Srebro, R. Salakhutdinov, *Collaborative filtering in a non-uniform world*, 2010), reached
//! from the curvature of the loss and without a parameter. For uniform sampling flat solutions are
//! proved to recover `M` weakly, that is up to a small error, and are seen to recover it exactly:
//! L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank matrix
//! recovery*, Information and Inference 13(2), 2024 (arXiv 2203.03756). [`theory`] has the numbers,
//! [`Planted`] the problems to try them on. Where the entries are ratings, noisy and with rows and columns
//! that run high or low, [`ratings`] centres them, chooses a penalty and predicts.
//!
//! ```
//! use flatmin_completion::Completion;
//! // The matrix [2, 1; 1, 1/2], without its last entry.
//! let problem = Completion::from_triplets(2, 2, &[(0, 0, 2.0), (0, 1, 1.0), (1, 0, 1.0)])?;
//! let flat = problem.flat().solve()?;
//! assert!(flat.status.is_certified() && flat.relative_gap <= 1e-8);
//! assert!((flat.matrix()[(1, 1)] - 0.5).abs() < 1e-6);
//! let (left, right) = flat.factors();
//! assert_eq!((left.shape(), right.shape()), ((2, flat.rank), (2, flat.rank)));
//! # Ok::<(), flatmin_completion::Error>(())
//! ```

pub mod instance;
mod model;
pub mod ratings;
pub mod theory;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::Completion;
pub use ratings::{Ratings, RatingsModel};
