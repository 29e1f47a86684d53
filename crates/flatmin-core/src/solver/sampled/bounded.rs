//! The bounded form over many sampled entries, by the penalised one at the matching weight.

use super::Posed;
use super::penalised;
use crate::Error;
use crate::linalg::kernel::dot;
use crate::linalg::norm;
use crate::solver::equality::{Bound, Candidate, Incumbent};
use crate::solver::matching::Matching;
use crate::solver::monitor::Monitor;
use crate::solver::point::Point;
use crate::solver::slack::best_multiple;

/// Penalised problems that are solved in place of one with a bound.
const PENALTIES: usize = 30;

/// Tolerance of the first ones, relative to how far the misfit is off.
const ROUGH: f64 = 0.03;

/// Offers the best answer that it finds with a misfit of at most `delta`.
pub(in crate::solver) fn search(
    posed: &Posed<'_>,
    delta: f64,
    mut start: Option<Point>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let zero = Point::zero(posed.dims());
    if posed.norm_b <= delta {
        incumbent.offer(Candidate { point: zero, infeasibility: 0.0, value: 0.0 });
        incumbent.offer_bound(Bound { y: vec![0.0; posed.by_row.len()], lower: 0.0 });
        incumbent.unique = true;
        return Ok(());
    }
    let largest = penalised::largest(posed)?;
    let mut matching = Matching::new(largest * delta / posed.norm_b, largest);
    let mut tolerance = ROUGH;
    for _ in 0..PENALTIES {
        let mut inner = Incumbent::default();
        penalised::search(posed, matching.rho(), tolerance, start.take(), &mut inner, monitor)?;
        let Some(best) = inner.best else { break };
        let residual = posed.misfit(&best.point);
        let misfit = norm(&residual);
        offer(posed, delta, &best.point, &residual, incumbent);
        if let Some(Bound { y, .. }) = inner.bound {
            let along = dot(&posed.pattern.in_row_order(&y), &posed.by_row);
            let lower = along - delta * norm(&y);
            incumbent.offer_bound(Bound { y, lower });
        }
        start = Some(best.point).filter(|point| point.rank() > 0);
        if incumbent.gap() <= posed.tolerance || monitor.stop.is_some() {
            break;
        }
        let off = (misfit.max(f64::MIN_POSITIVE) / delta).ln();
        tolerance = (ROUGH * off * off).clamp(0.3 * posed.tolerance, ROUGH);
        if !matching.advance(off) {
            break;
        }
    }
    Ok(())
}

/// Offers the least multiple of a point whose misfit is `delta`.
fn offer(
    posed: &Posed<'_>,
    delta: f64,
    point: &Point,
    residual: &[f64],
    incumbent: &mut Incumbent,
) {
    let image: Vec<f64> = residual.iter().zip(&posed.by_row).map(|(r, b)| r + b).collect();
    let Some(multiple) = best_multiple(&image, residual, delta) else { return };
    let mut point = point.clone();
    point.s.iter_mut().for_each(|s| *s *= multiple);
    let scaled: Vec<f64> = image.iter().zip(&posed.by_row).map(|(c, b)| multiple * c - b).collect();
    let infeasibility = (norm(&scaled) - delta).max(0.0) / posed.norm_b;
    let value = point.nuclear_norm();
    incumbent.offer(Candidate { point, infeasibility, value });
}
