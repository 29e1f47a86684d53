//! The variables in which the norm of an objective is the nuclear norm: `X = P1 Z P2^T`.

use super::point::Point;
use super::program::{Objective, Program};
use crate::Error;
use crate::flatness::Rescaling;
use crate::operator::{Dims, Gram, LinearMap, Side, Whitening};

/// The rescaling of a map, and the changes of variables of an objective.
pub(super) struct Variables {
    /// `D1`, `D2` of the map, whatever the objective.
    pub(super) rescaling: Rescaling,
    pub(super) left: Whitening,
    pub(super) right: Whitening,
}

impl Variables {
    pub(super) fn of(program: &Program<'_>) -> Result<Variables, Error> {
        let map = program.map;
        let rescaling = Rescaling::new(map)?;
        let left = side(map, program.objective, &rescaling.d1_squared, Side::Left)?;
        let right = if program.domain.is_symmetric() {
            left.clone()
        } else {
            side(map, program.objective, &rescaling.d2_squared, Side::Right)?
        };
        Ok(Variables { rescaling, left, right })
    }

    /// Sizes of the problem in these variables.
    pub(super) fn dims(&self, map: &dyn LinearMap) -> Dims {
        Dims { rows: self.left.rank(), cols: self.right.rank(), ..map.dims() }
    }

    /// The start that the caller gave, for targets divided by `scale`.
    pub(super) fn warm_start(
        &self,
        program: &Program<'_>,
        scale: f64,
    ) -> Result<Option<Point>, Error> {
        let Some((l, r)) = program.warm_start.as_ref().filter(|(l, _)| l.ncols() > 0) else {
            return Ok(None);
        };
        let (l, r) = (self.left.inverse_times(l.as_ref()), self.right.inverse_times(r.as_ref()));
        let mut point = program.domain.point_of(l.as_ref(), r.as_ref())?;
        point.s.iter_mut().for_each(|s| *s /= scale);
        Ok(Some(point.trimmed(1e-12)).filter(|point| point.rank() > 0))
    }
}

/// `P` of one side: `P^T D^2 P = I` with the weights of the objective, or orthonormal columns.
fn side(
    map: &dyn LinearMap,
    objective: Objective,
    d_squared: &Gram,
    side: Side,
) -> Result<Whitening, Error> {
    match objective {
        Objective::Flat => Whitening::of_side(map, d_squared, side, true),
        Objective::Nuclear => Whitening::of_side(map, d_squared, side, false),
        Objective::Smoothed(0.0) => Whitening::of_side(map, d_squared, side, true),
        // Held off zero, the weights lose no digits of the measurements.
        Objective::Smoothed(s) => Whitening::new(&d_squared.smoothed(s), true),
    }
}
