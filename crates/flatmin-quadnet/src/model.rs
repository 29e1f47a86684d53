//! The problem from the user's arrays.

use flatmin_core::{Domain, Error, Measured, RankOne, SymmetricLoss};
use std::ops::Deref;

/// `m` input-output pairs `y_i = x_i^T M x_i` of an unknown network with quadratic activations,
/// that is of an unknown symmetric `d x d` matrix `M = U1 U1^T - U2 U2^T`.
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

    /// The squared error `f(U) = (1/m) sum (y^(x_i) - y_i)^2` of students with `k1` positive and
    /// `k2` negative units, `U = [U1, U2]` of shape `d x (k1 + k2)`. Its trace at the flat weights
    /// is `8 d |D X D|_*`, the least over all students that fit.
    ///
    /// ```
    /// use flatmin_quadnet::{Network, QuadNet};
    /// let inputs = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    /// let problem = QuadNet::from_arrays(2, inputs, vec![1.0, -1.0, 0.0])?;
    /// let flat = problem.flat().solve()?;
    /// let student = Network::from_recovery(&flat)?.padded(3, 3)?;
    /// let loss = problem.network_loss(3, 3)?;
    /// assert!(loss.value(student.weights().as_ref())? < 1e-12);
    /// assert!((loss.trace(student.weights().as_ref())? - 16.0 * flat.objective).abs() < 1e-6);
    /// # Ok::<(), flatmin_quadnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// None for a problem that was constructed.
    pub fn network_loss(&self, k1: usize, k2: usize) -> Result<SymmetricLoss<'_>, Error> {
        SymmetricLoss::new(self.map(), self.targets(), k1, k2)
    }
}
