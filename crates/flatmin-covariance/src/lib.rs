//! Covariance estimation and phase retrieval by flat minima: an unknown positive semidefinite
//! `d x d` matrix `M` of low rank is seen through `m` probes,
//!
//! ```text
//! y_i = x_i^T M x_i,   i = 1, ..., m,        that is  A_i = x_i x_i^T.
//! ```
//!
//! For `M = s s^T` the targets are squares `(x_i^T s)^2`, and this is phase retrieval: see
//! [`signal`]. Among all `L` with `A(L L^T) = y` the *flat* ones, of least scaled trace of the
//! Hessian of the squared error, solve
//!
//! ```text
//! min tr(D X D)  s.t.  A(X) = y,  X >= 0,        D^2 = sum |x_i|^2 x_i x_i^T / (m d).
//! ```
//!
//! # Every matrix that fits is equally flat
//!
//! For *every* feasible `X`
//!
//! ```text
//! tr(D X D) = <D^2, X> = sum |x_i|^2 x_i^T X x_i / (m d) = sum |x_i|^2 y_i / (m d),
//! ```
//!
//! a number of the data, [`theory::flat_value`]. So flatness singles nothing out here, and the
//! certificate says only that this value is attained: its dual vector is `|x_i|^2 / (m d)`,
//! whatever `M` is. What recovers `M` is that nothing else fits. [`Recovery::unique`] says whether
//! this was *proved* of the answer, that the feasible set is a single point; without it, the answer
//! is one of several. [`Program`]s of the nuclear norm, `min tr X`, do choose among them.
//!
//! For Gaussian probes the feasible set is proved to be the single point `M` with high probability
//! as soon as `m` exceeds a constant times `r d`: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui,
//! *Flat minima generalize for low-rank matrix recovery*, Information and Inference 13(2), 2024
//! (arXiv 2203.03756). [`theory`] has the numbers, [`Planted`] the problems to try them on, and
//! [`Summary`] what can be had from a stream of probes that is not kept.
//!
//! ```
//! use flatmin_covariance::Covariance;
//! // Two probes see the matrix [1, 2; 2, 4] along the axes, a third along the diagonal.
//! let probes = vec![
//!     1.0, 0.0, //
//!     0.0, 1.0, //
//!     1.0, 1.0, //
//! ];
//! let problem = Covariance::from_arrays(2, probes, vec![1.0, 4.0, 9.0])?;
//! let flat = problem.flat().solve()?;
//! assert!(flat.status.is_certified() && flat.relative_gap <= 1e-8);
//! assert!(flat.unique && (flat.matrix()[(0, 1)] - 2.0).abs() < 1e-6);
//! let signal = flatmin_covariance::signal(&flat)?;
//! assert!((signal.values[1] - 2.0).abs() < 1e-6);
//! # Ok::<(), flatmin_covariance::Error>(())
//! ```

pub mod instance;
mod model;
mod phase;
mod summary;
pub mod theory;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::Covariance;
pub use phase::{Signal, signal};
pub use summary::Summary;
