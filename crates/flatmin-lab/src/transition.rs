//! Where recovery sets in: the level (m, or p) at which half of the trials succeed.
//!
//! Success frequencies are fitted by the nondecreasing sequence of least weighted squares (pool
//! adjacent violators: Ayer, Brunk, Ewing, Reid, Silverman 1955), which is also the
//! maximum-likelihood fit of binomial counts, and interpolated linearly. Nothing is extrapolated:
//! a fit that does not pass through a frequency has no crossing there.

/// Trials at one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The level: a number of measurements or a probability.
    pub level: f64,
    /// Trials that succeeded.
    pub successes: usize,
    /// Trials.
    pub trials: usize,
}

impl Point {
    /// The fraction of trials that succeeded; 0 without trials.
    pub fn frequency(&self) -> f64 {
        if self.trials == 0 { 0.0 } else { self.successes as f64 / self.trials as f64 }
    }
}

/// The nondecreasing fit of least squares, weighted by the number of trials; `points` in order of
/// level.
///
/// ```
/// use flatmin_lab::transition::{Point, isotonic};
/// let points = [(0, 4), (3, 4), (1, 4), (4, 4)].map(|(successes, trials)| {
///     Point { level: 0.0, successes, trials }
/// });
/// assert_eq!(isotonic(&points), [0.0, 0.5, 0.5, 1.0]);
/// ```
pub fn isotonic(points: &[Point]) -> Vec<f64> {
    // Blocks of pooled neighbours: successes, trials, length.
    let mut blocks: Vec<(usize, usize, usize)> = Vec::new();
    for point in points {
        let mut block = (point.successes, point.trials, 1);
        while let Some(&(successes, trials, length)) = blocks.last() {
            // Is the earlier frequency above the later one? Cross-multiplied, so exact.
            if successes * block.1 <= block.0 * trials {
                break;
            }
            blocks.pop();
            block = (block.0 + successes, block.1 + trials, block.2 + length);
        }
        blocks.push(block);
    }
    blocks
        .into_iter()
        .flat_map(|(successes, trials, length)| {
            let frequency = if trials == 0 { 0.0 } else { successes as f64 / trials as f64 };
            std::iter::repeat_n(frequency, length)
        })
        .collect()
}

/// Where the transition lies, in units of the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// The 50% point.
    pub half: f64,
    /// Highest level whose fitted frequency is below one half, and lowest level with more: the grid
    /// resolves the 50% point no better.
    pub bracket: (f64, f64),
    /// Distance between the 10% and 90% points, when both are on the grid.
    pub width: Option<f64>,
}

/// The transition in points ordered by level; `None` when fewer than half, or more than half,
/// succeed everywhere.
pub fn transition(points: &[Point]) -> Option<Transition> {
    let fit = isotonic(points);
    let half = crossing(points, &fit, 0.5)?;
    let below =
        points.iter().zip(&fit).filter(|(_, f)| **f < 0.5).map(|(p, _)| p.level).next_back();
    let above = points.iter().zip(&fit).find(|(_, f)| **f > 0.5).map(|(p, _)| p.level);
    let width =
        crossing(points, &fit, 0.9).zip(crossing(points, &fit, 0.1)).map(|(high, low)| high - low);
    Some(Transition { half, bracket: (below?, above?), width })
}

/// The level at which the interpolated fit passes `frequency`; the middle of the stretch on which
/// it equals it.
fn crossing(points: &[Point], fit: &[f64], frequency: f64) -> Option<f64> {
    let interpolate = |k: usize| {
        let (a, b) = (points[k], points[k + 1]);
        a.level + (frequency - fit[k]) / (fit[k + 1] - fit[k]) * (b.level - a.level)
    };
    let last_below = fit.iter().rposition(|&f| f < frequency)?;
    let first_above = fit.iter().position(|&f| f > frequency)?;
    Some(0.5 * (interpolate(last_below) + interpolate(first_above - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin::core::rng::{Role, Stream};

    fn points(counts: &[usize], trials: usize) -> Vec<Point> {
        let level = |k| 40.0 * (k as f64 + 1.0);
        let point = |(k, &successes)| Point { level: level(k), successes, trials };
        counts.iter().enumerate().map(point).collect()
    }

    #[test]
    fn a_sharp_step_lies_between_its_levels() {
        let found = transition(&points(&[0, 0, 10, 10], 10));
        let expected = Transition { half: 100.0, bracket: (80.0, 120.0), width: Some(32.0) };
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn a_plateau_at_one_half_counts_from_both_ends() {
        let found = transition(&points(&[0, 5, 5, 10], 10));
        assert_eq!(found.map(|t| (t.half, t.bracket)), Some((100.0, (40.0, 160.0))));
    }

    #[test]
    fn nothing_is_extrapolated() {
        assert_eq!(transition(&points(&[0, 1, 4], 10)), None);
        assert_eq!(transition(&points(&[6, 8, 10], 10)), None);
        assert_eq!(transition(&[]), None);
        // Half of all trials everywhere: no level is below or above.
        assert_eq!(transition(&points(&[5, 5], 10)), None);
        // A 50% point without a 90% point has no width.
        let open = transition(&points(&[0, 2, 7], 10));
        assert_eq!(open.map(|t| t.width), Some(None));
    }

    #[test]
    fn the_half_point_of_logistic_data_is_found_within_its_noise() {
        // 200 synthetic experiments: logistic success probability around m = 217, scale 15.
        let mut stream = Stream::new(5, "transition", 0, 0, Role::Probe);
        let mut errors = Vec::new();
        for _ in 0..200 {
            let points: Vec<Point> = (1..=10)
                .map(|k| {
                    let level = 40.0 * f64::from(k);
                    let p = 1.0 / (1.0 + (-(level - 217.0) / 15.0).exp());
                    let successes = (0..10).filter(|_| stream.uniform() < p).count();
                    Point { level, successes, trials: 10 }
                })
                .collect();
            if let Some(found) = transition(&points) {
                errors.push(found.half - 217.0);
            }
        }
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let spread = (errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert_eq!(errors.len(), 200);
        assert!(mean.abs() < 4.0, "bias {mean}");
        assert!(spread < 12.0, "spread {spread}");
    }
}
