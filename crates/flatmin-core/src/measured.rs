//! A linear map with its targets: the problem that every model poses.

use crate::loss::check_targets;
use crate::{Domain, Error, FactoredLoss, LinearMap, Objective, Program, Rescaling};

/// Measurements `b = A(M)` of an unknown matrix `M` of a domain, checked once.
///
/// Models wrap it and add the ways to pose such a problem from a user's arrays.
///
/// ```
/// use flatmin_core::{Domain, Entries, Measured};
/// let map = Entries::new(2, 2, &[0, 0, 1], &[0, 1, 0])?;
/// let problem = Measured::new(map, vec![1.0, 1.0, 1.0], Domain::General)?;
/// assert!((problem.nuclear().solve()?.matrix()[(1, 1)] - 1.0).abs() < 1e-6);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Measured<M> {
    map: M,
    targets: Vec<f64>,
    domain: Domain,
}

impl<M: LinearMap> Measured<M> {
    /// A map, its targets `b` (length `m`) and the domain of the unknown matrix.
    ///
    /// # Errors
    /// When there is not one finite target a measurement.
    pub fn new(map: M, targets: Vec<f64>, domain: Domain) -> Result<Measured<M>, Error> {
        check_targets(&map, &targets)?;
        Ok(Measured { map, targets, domain })
    }

    /// The measurement map.
    pub fn map(&self) -> &M {
        &self.map
    }

    /// The targets `b`, one a measurement.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// The matrices among which the solution is sought.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// The program of an objective.
    pub fn program(&self, objective: Objective) -> Program<'_> {
        Program::new(&self.map, &self.targets, objective).over(self.domain)
    }

    /// The program whose solution is flat: `min |D1 X D2|_*  s.t.  A(X) = b`.
    pub fn flat(&self) -> Program<'_> {
        self.program(Objective::Flat)
    }

    /// The program of least nuclear norm: `min |X|_*  s.t.  A(X) = b`.
    pub fn nuclear(&self) -> Program<'_> {
        self.program(Objective::Nuclear)
    }

    /// The program between the two: flat at `s = 0`, nuclear at `s = 1`; see [`Objective::Smoothed`].
    pub fn smoothed(&self, s: f64) -> Program<'_> {
        self.program(Objective::Smoothed(s))
    }

    /// The overparameterised loss `(1/m) |A(L R^T) - b|^2`.
    ///
    /// # Errors
    /// None for a problem that was constructed.
    pub fn loss(&self) -> Result<FactoredLoss<'_>, Error> {
        FactoredLoss::new(&self.map, &self.targets)
    }

    /// The rescaling matrices `D1`, `D2`.
    ///
    /// # Errors
    /// When the Grams overflow.
    pub fn rescaling(&self) -> Result<Rescaling, Error> {
        Rescaling::new(&self.map)
    }
}
