//! Robust principal component analysis by flat minima: a matrix `Y = M + S` is split into a part of
//! low rank and a sparse one, from all of its entries or from some of them.
//!
//! ```text
//! constrained   min |X|_*                      s.t.  sum |Y - X| <= tau
//! penalised     min |X|_* + lambda sum |Y - X|
//! ```
//!
//! The overparameterised loss is `f(L, R) = dist^2(Y - L R^T, Omega)` with `Omega` the matrices of
//! absolute sum at most `tau`; its flat minima, measured on a smooth majoriser ([`RobustLoss`]), are
//! the balanced factors of the solutions of the constrained program. Its penalised twin, with
//! `lambda = 1 / sqrt(max(d1, d2))`, traces the same solutions without `tau` being known. Every
//! answer carries a matrix `Q` that proves it. [`theory`] has the numbers, [`Planted`] the problems to
//! try them on.
//!
//! Source: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank
//! matrix recovery*, Information and Inference 13(2), 2024 (arXiv 2203.03756). The penalised program
//! is that of E. Candes, X. Li, Y. Ma, J. Wright, *Robust principal component analysis?*, J. ACM 58,
//! 2011.
//!
//! ```
//! use flatmin_rpca::{Mat, RobustPca};
//! // A matrix of ones with one gross error.
//! let y = Mat::from_fn(6, 5, |i, j| if (i, j) == (2, 1) { 9.0 } else { 1.0 });
//! let problem = RobustPca::new(y.as_ref())?;
//! let parts = problem.penalised(problem.default_lambda()).solve()?;
//! println!("{} with gap {:.1e}: {}", parts.objective, parts.relative_gap, parts.status);
//! let (left, right) = parts.factors(); // X = left right^T
//! assert!((parts.sparse()[(2, 1)] - 8.0).abs() < 1e-8 && parts.rank == 1);
//! # Ok::<(), flatmin_rpca::Error>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod decomposition;
mod hessian;
pub mod instance;
mod loss;
mod problem;
mod program;
pub mod projection;
mod solver;
pub mod theory;

pub use decomposition::{Decomposition, Warning};
pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Progress, Status};
pub use hessian::{MajoriserHessian, OfWidth};
pub use instance::Planted;
pub use loss::{Majoriser, RobustLoss};
pub use problem::RobustPca;
pub use program::{Form, Program};
