//! Networks with one hidden layer and quadratic activations, by flat minima: an unknown teacher is
//! seen through its outputs at `m` inputs,
//!
//! ```text
//! y_i = sum_j u_j (U_j^T x_i)^2 = x_i^T M x_i,      M = U1 U1^T - U2 U2^T,
//! ```
//!
//! the columns of `U1` and `U2` being the hidden weights of the units with output weight `+1` and
//! `-1`, to which any others reduce ([`Network::from_weights`]). A student of any width `k1 + k2`
//! has the loss `f(U) = (1/m) sum (y^(x_i) - y_i)^2`. Among all students that fit, the *flat* ones,
//! of least trace of its Hessian, solve
//!
//! ```text
//! min |D X D|_*  s.t.  x_i^T X x_i = y_i,  X = X^T,        D^2 = sum |x_i|^2 x_i x_i^T / (m d),
//! ```
//!
//! and the least trace is `8 d |D X D|_*`. [`Network::from_recovery`] reads the weights off the
//! answer.
//!
//! For Gaussian inputs flat students are proved to be the teacher, `X = M`, with high probability
//! as soon as `m` exceeds a constant times `(r1 + r2) d` and `d` one times `log m`, whatever their
//! width: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, *Flat minima generalize for low-rank
//! matrix recovery*, Information and Inference 13(2), 2024 (arXiv 2203.03756). They then predict
//! new inputs without error. [`theory`] has the numbers, [`Planted`] the problems to try them on.
//!
//! The matrix is sought among symmetric ones. Over all matrices the least value is the same, but a
//! skew part, which no input sees, may cost nothing when `M` has eigenvalues of both signs, so the
//! solution is not the only one.
//!
//! ```
//! use flatmin_quadnet::{Mat, Network, QuadNet};
//! // y = (x1 + x2)^2 - x2^2 at three inputs.
//! let inputs = vec![
//!     1.0, 0.0, //
//!     0.0, 1.0, //
//!     1.0, 1.0, //
//! ];
//! let problem = QuadNet::from_arrays(2, inputs, vec![1.0, 0.0, 3.0])?;
//! let flat = problem.flat().solve()?;
//! assert!(flat.status.is_certified() && flat.relative_gap <= 1e-8);
//! let student = Network::from_recovery(&flat)?;
//! let fresh = Mat::from_fn(1, 2, |_, j| [2.0, -1.0][j]);
//! assert_eq!(student.widths(), (1, 1));
//! assert!(student.predict(fresh.as_ref())?[0].abs() < 1e-6);
//! # Ok::<(), flatmin_quadnet::Error>(())
//! ```

pub mod instance;
mod model;
mod network;
pub mod theory;

pub use flatmin_core as core;
pub use flatmin_core::{Error, Mat, MatRef, Objective, Program, Recovery, Status};
pub use instance::Planted;
pub use model::QuadNet;
pub use network::{Network, fit, with_constant};
