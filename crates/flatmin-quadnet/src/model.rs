//! The problem from the user's arrays.

use flatmin_core::{Domain, Error, Measured, RankOne};
use std::ops::Deref;

/// `m` input-output pairs `y_i = x_i^T M x_i` of an unknown network with quadratic activations, that
/// is of an unknown symmetric `d x d` matrix `M = U1 U1^T - U2 U2^T`.
///
/// ```
/// use flatmin_quadnet::QuadNet;
/// // y = (x1)^2 - (x2)^2 at three inputs.
/// let inputs = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
/// let problem = QuadNet::from_arrays(2, inputs, vec![1.0, -1.0, 0.0])?;
/// let flat = problem.flat().solve()?;
/// println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
/// assert!(flat.status.is_certified());
/// # Ok::<(), flatmin_quadnet::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct QuadNet(Measured<RankOne>);

impl Deref for QuadNet {
    type Target = Measured<RankOne>;

    fn deref(&self) -> &Measured<RankOne> {
        &self.0
    }
}

impl QuadNet {
    /// The inputs `x_i` (`m x d`, in C order) and the targets (length `m`).
    ///
    /// # Errors
    /// When the shapes disagree, something is empty, or a value is not finite.
    pub fn from_arrays(
        order: usize,
        inputs: Vec<f64>,
        targets: Vec<f64>,
    ) -> Result<QuadNet, Error> {
        let map = RankOne::symmetric(order, inputs)?;
        Measured::new(map, targets, Domain::Symmetric).map(QuadNet)
    }
}
