//! Sparse recovery by flat minima of deep products: an unknown sparse vector `x` of length `d` is seen
//! through `m` linear measurements `b = A x`, and written as the entrywise product of `k` factors,
//!
//! ```text
//! f(v_1, ..., v_k) = (1/m) |A (v_1 o ... o v_k) - b|^2.
//! ```
//!
//! Over the factorisations of a given `x` the least trace of the Hessian of `f` is
//! `(2k/m) sum_j |a_j|^2 |x_j|^p` with `p = 2 - 2/k` and `a_j` the columns of `A`, attained at factors of
//! equal magnitudes `|x_j|^(1/k)` (arithmetic and geometric means). The flat minima therefore solve
//!
//! ```text
//! min (sum_j w_j |x_j|^p)^(1/p)  s.t.  A x = b,       w_j = |a_j|^2 / m,   p = 2 - 2/k.
//! ```
//!
//! Two factors give a weighted sum of magnitudes, which recovers sparse vectors; three give `p = 4/3`,
//! and the limit of many is a weighted least norm, which do not: L. Ding, D. Drusvyatskiy, M. Fazel,
//! Z. Harchaoui, *Flat minima generalize for low-rank matrix recovery*, Information and Inference 13(2),
//! 2024 (arXiv 2203.03756), on the effect of depth. Every answer carries a vector `y` that proves it.
//! Targets with noise have a penalised form and one with a bound on the misfit ([`Program::penalty`],
//! [`Program::noise`]; at two factors the LASSO and basis pursuit denoising), proved likewise.
//! [`theory`] has the numbers, [`Planted`] the problems to try them on.
//!
//! ```
//! use flatmin_hadamard::Hadamard;
//! // Two measurements of a vector of length 3, one a line; the sparsest that fits is (0, 0, 2).
//! let a = vec![
//!     1.0, 0.0, 1.0, //
//!     0.0, 1.0, 1.0, //
//! ];
//! let problem = Hadamard::from_arrays(2, 3, a, vec![2.0, 2.0])?;
//! let flat = problem.nuclear(2).solve()?;
//! println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
//! assert!((flat.x[2] - 2.0).abs() < 1e-12 && flat.rank == 1);
//! // Three factors spread it out.
//! assert_eq!(problem.nuclear(3).solve()?.rank, 3);
//! # Ok::<(), flatmin_hadamard::Error>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod depth;
pub mod instance;
mod loss;
mod problem;
mod program;
mod solver;
mod sparse;
pub mod theory;

pub use depth::Depth;
pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Progress, Status};
pub use instance::Planted;
pub use loss::{HadamardHessian, HadamardLoss};
pub use problem::Hadamard;
pub use program::Program;
pub use sparse::{Sparse, Warning};
