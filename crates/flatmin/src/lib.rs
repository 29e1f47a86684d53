//! Low-rank matrix recovery by flat minima: one crate that re-exports the others.
//!
//! A matrix `M` of low rank is seen through `b = A(M)`. Among all factor pairs with `A(L R^T) = b`
//! the *flat* ones minimise the scaled trace of the Hessian of `f(L, R) = (1/m) |A(L R^T) - b|^2`,
//! and they solve a convex problem,
//!
//! ```text
//! min |D1 X D2|_*  s.t.  A(X) = b,      D1^2 = sum A_i A_i^T / (m d2),   D2^2 = sum A_i^T A_i / (m d1),
//! ```
//!
//! whose every answer carries a lower bound that proves it. Each model has a crate; they are used
//! alike, and only the line that states the problem differs:
//!
//! ```
//! use flatmin::prelude::*;
//!
//! let problem = Completion::from_triplets(2, 2, &[(0, 0, 2.0), (0, 1, 1.0), (1, 0, 1.0)])?;
//! let flat = problem.flat().solve()?;
//! println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
//! let (left, right) = flat.factors();
//! # assert!(flat.status.is_certified() && left.ncols() == right.ncols());
//!
//! let problem = Sensing::from_arrays(1, 2, vec![1.0, 0.0, 0.0, 1.0], vec![3.0, 4.0])?;
//! let flat = problem.flat().solve()?;
//! # assert!((flat.matrix()[(0, 1)] - 4.0).abs() < 1e-6);
//!
//! let problem = Bilinear::from_arrays(1, 2, vec![1.0, 2.0], vec![1.0, 0.0, 0.0, 1.0], vec![3.0, 8.0])?;
//! let flat = problem.flat().solve()?;
//! # assert!((flat.matrix()[(0, 1)] - 4.0).abs() < 1e-6);
//!
//! let problem = RobustPca::from_array(2, 2, &[1.0, 1.0, 1.0, 1.0])?;
//! let parts = problem.penalised(problem.default_lambda()).solve()?;
//! # assert!((parts.matrix()[(0, 1)] - 1.0).abs() < 1e-6);
//!
//! let problem = Covariance::from_arrays(2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0], vec![1.0, 4.0, 9.0])?;
//! let flat = problem.flat().solve()?;
//! # assert!(flat.unique && (flat.matrix()[(0, 1)] - 2.0).abs() < 1e-6);
//!
//! let problem = QuadNet::from_arrays(2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0], vec![1.0, 0.0, 3.0])?;
//! let flat = problem.flat().solve()?;
//! # assert!((flat.matrix()[(0, 1)] - 1.0).abs() < 1e-6);
//!
//! let problem = Hadamard::from_arrays(2, 3, vec![1.0, 0.0, 1.0, 0.0, 1.0, 1.0], vec![2.0, 2.0])?;
//! let sparse = problem.nuclear(2).solve()?; // two factors; flat(2) weighs the coordinates
//! # assert!((sparse.x[2] - 2.0).abs() < 1e-6);
//! # Ok::<(), Error>(())
//! ```
//!
//! Source: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank
//! matrix recovery*, Information and Inference 13(2), 2024 (arXiv 2203.03756).

pub use flatmin_bilinear as bilinear;
pub use flatmin_completion as completion;
pub use flatmin_core as core;
pub use flatmin_covariance as covariance;
pub use flatmin_hadamard as hadamard;
pub use flatmin_quadnet as quadnet;
pub use flatmin_rpca as rpca;
pub use flatmin_sensing as sensing;

/// What most programs need.
pub mod prelude {
    pub use flatmin_bilinear::Bilinear;
    pub use flatmin_completion::Completion;
    pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
    pub use flatmin_covariance::Covariance;
    pub use flatmin_hadamard::Hadamard;
    pub use flatmin_quadnet::QuadNet;
    pub use flatmin_rpca::RobustPca;
    pub use flatmin_sensing::Sensing;
}
