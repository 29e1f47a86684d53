//! Linear maps, certified solvers and flatness measures for low-rank matrix recovery.
//!
//! A ground truth `M` (`d1 x d2`, low rank) is seen through `b = A(M)`, `A(X)_i = <A_i, X>`. Among
//! all factor pairs with `A(L R^T) = b`, the *flat* ones minimise the scaled trace of the Hessian of
//! `f(L, R) = (1/m) |A(L R^T) - b|^2`, and they are the solutions of a convex problem:
//!
//! ```text
//! (FLAT)  min |D1 X D2|_*  s.t.  A(X) = b,     D1^2 = sum A_i A_i^T / (m d2),  D2^2 = sum A_i^T A_i / (m d1)
//! (NUC)   min |X|_*        s.t.  A(X) = b
//! ```
//!
//! Source: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank
//! matrix recovery*, Information and Inference 13(2), 2024 (arXiv 2203.03756).

pub mod acceleration;
pub mod audit;
pub mod descent;
pub mod error;
pub mod flatness;
pub mod linalg;
pub mod loss;
mod measured;
pub mod operator;
pub mod planted;
pub mod rng;
pub mod solver;
pub mod theory;

pub use error::Error;
pub use faer::{Mat, MatMut, MatRef};
pub use flatness::Rescaling;
pub use loss::{DeepLoss, FactoredLoss, SymmetricLoss};
pub use measured::Measured;
pub use operator::{DenseMap, Dims, Entries, Gram, LinearMap, RankOne};
pub use solver::{Domain, Objective, Path, Program, Progress, Recovery, Status};
