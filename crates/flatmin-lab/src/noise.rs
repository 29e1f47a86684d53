//! How errors follow the noise: cells that differ in the noise alone, or in the number of measurements
//! alone; the slope of the first, and what theory expects of the second.

use crate::record::Record;
use crate::spec::{Cell, Objective};
use crate::summary::Line;
use flatmin::core::theory::nuclear_distance;
use std::collections::BTreeMap;

/// Records of cells that differ in one parameter.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// The first of its cells.
    pub cell: Cell,
    /// Its records, in their order.
    pub records: Vec<&'a Record>,
}

impl<'a> Series<'a> {
    /// Records of an objective that have an answer.
    pub fn of(&self, objective: Objective) -> impl Iterator<Item = &'a Record> + '_ {
        self.records.iter().copied().filter(move |r| r.objective == objective && r.error.is_some())
    }

    /// Errors of an objective over the noise of a measurement, by the number of these.
    pub fn relative_errors(&self, objective: Objective) -> Vec<(f64, Vec<f64>)> {
        self.errors(objective, |r| Some(r.m as f64), relative_error)
    }

    /// Errors of an objective by the value of a parameter, in increasing order.
    pub fn errors(
        &self,
        objective: Objective,
        parameter: impl Fn(&Record) -> Option<f64>,
        error: impl Fn(&Record) -> Option<f64>,
    ) -> Vec<(f64, Vec<f64>)> {
        let mut groups: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for record in self.of(objective) {
            if let (Some(x), Some(y)) = (parameter(record), error(record)) {
                // Parameters are not negative, so their bits sort as they do.
                groups.entry(x.to_bits()).or_default().push(y);
            }
        }
        groups.into_iter().map(|(x, errors)| (f64::from_bits(x), errors)).collect()
    }
}

/// Cells that differ in their noise alone, at least three together.
pub fn over_noise<'a>(records: &[&'a Record]) -> Vec<Series<'a>> {
    series(records, |cell| cell.without_noise(), |cell| f64::from(cell.noise.0))
}

/// Cells that differ in their number of measurements (or of sampled entries) alone, at least three
/// together.
pub fn over_measurements<'a>(records: &[&'a Record]) -> Vec<Series<'a>> {
    series(records, |cell| (Line::of(cell), cell.noise), Cell::level)
}

fn series<'a, K: PartialEq>(
    records: &[&'a Record],
    key: impl Fn(&Cell) -> K,
    level: impl Fn(&Cell) -> f64,
) -> Vec<Series<'a>> {
    let mut all: Vec<(K, Series<'a>, Vec<f64>)> = Vec::new();
    for record in records {
        let Some(cell) = record.cell().filter(|cell| cell.noise.0 > 0) else { continue };
        let (own, at) = (key(&cell), level(&cell));
        let index = all.iter().position(|(key, ..)| *key == own).unwrap_or_else(|| {
            all.push((own, Series { cell, records: Vec::new() }, Vec::new()));
            all.len() - 1
        });
        let (_, series, levels) = &mut all[index];
        series.records.push(record);
        if !levels.contains(&at) {
            levels.push(at);
        }
    }
    all.retain(|(_, _, levels)| levels.len() >= 3);
    all.into_iter().map(|(_, series, _)| series).collect()
}

/// The error over the noise of a measurement, `|X - M| sqrt(m) / |w|`.
pub fn relative_error(record: &Record) -> Option<f64> {
    Some(record.error? * (record.m as f64).sqrt() / record.delta?)
}

/// Geometric mean; `None` of nothing.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    (n > 0.0).then(|| (values.iter().map(|v| v.ln()).sum::<f64>() / n).exp())
}

/// Slope of a straight line of least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The slope.
    pub value: f64,
    /// Its standard error.
    pub deviation: f64,
}

impl Slope {
    /// Of at least three points that are not above one another.
    ///
    /// ```
    /// use flatmin_lab::noise::Slope;
    /// let found = Slope::of(&[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]).map(|s| s.value);
    /// assert_eq!(found, Some(1.0));
    /// ```
    pub fn of(points: &[(f64, f64)]) -> Option<Slope> {
        let n = points.len() as f64;
        let centre = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x0, y0) = (centre(|p| p.0), centre(|p| p.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|&(x, y)| of(x - x0, y - y0)).sum()
        };
        let across = sum(&|x, _| x * x);
        if points.len() < 3 || across.is_nan() || across <= 0.0 {
            return None;
        }
        let value = sum(&|x, y| x * y) / across;
        let left = sum(&|x, y| (y - value * x).powi(2));
        Some(Slope { value, deviation: (left / (n - 2.0) / across).sqrt() })
    }

    /// Of the logarithm of the error over that of the noise, every draw a point.
    pub fn of_series(series: &Series<'_>, objective: Objective) -> Option<Slope> {
        let point = |r: &Record| Some((r.noise?.value().log10(), r.error?.log10()));
        Slope::of(&series.of(objective).filter_map(point).collect::<Vec<_>>())
    }

    /// The slope and twice its standard error on both sides.
    pub fn interval(self) -> (f64, f64) {
        (self.value - 2.0 * self.deviation, self.value + 2.0 * self.deviation)
    }
}

/// Error of NUC per unit of noise deviation, with `m` Gaussian measurements and the bound
/// `|A(X) - b| <= |w|`, in the limit of large sizes and small noise; `None` where it does not recover
/// without noise.
///
/// For measurements `A` with standard normal entries and noise of deviation `s`, the error `a` of
/// `min |A(X) - b| + t |X|_*` satisfies (Oymak, Thrampoulidis, Hassibi 2013, arXiv 1311.0830), with
/// `D(t) = E dist^2(G, t S)` the distance of a Gaussian matrix from the scaled subdifferential,
///
/// ```text
/// a^2 = s^2 D / (m - D),        |A(X) - b| = s (m - D - C) / sqrt(m - D),        C(t) = -t D'(t) / 2 .
/// ```
///
/// The bounded form is this one at the `t` whose misfit is the bound, `s sqrt(m)`:
///
/// ```text
/// t D'(t) / 2 = sqrt(m - D) (sqrt(m) - sqrt(m - D)) ,
/// ```
///
/// a `t` above the best one, at which `D` is the statistical dimension: a bound that the truth just
/// meets asks for a little too much. As `m` grows, `a` approaches `s sqrt(D/m)` with `D` a multiple of
/// the degrees of freedom: it falls as `sqrt(r d / m)`.
///
/// ```
/// use flatmin_lab::noise::nuclear_error;
/// let at = |m| nuclear_error(20, 20, 2, m);
/// assert!(at(130.0).is_none() && at(260.0) < at(160.0));
/// let halved = at(8e4).zip(at(2e4)).map(|(many, few)| many / few);
/// assert!(halved.is_some_and(|ratio| (ratio - 0.5).abs() < 0.01));
/// ```
pub fn nuclear_error(rows: usize, cols: usize, rank: usize, m: f64) -> Option<f64> {
    let distance = |t: f64| nuclear_distance(rows, cols, rank, t);
    let rise = |t: f64| {
        let h = 1e-4 * t.max(1.0);
        0.5 * t * (distance(t + h) - distance((t - h).max(0.0))) / (t + h - (t - h).max(0.0))
    };
    // Beyond it r t^2 alone exceeds m.
    let (mut low, mut high) = (0.0, (m / rank.max(1) as f64).sqrt());
    for _ in 0..60 {
        let t = 0.5 * (low + high);
        let (d, rise) = (distance(t), rise(t));
        let short = |left: f64| rise < left.sqrt() * (m.sqrt() - left.sqrt());
        if rise < 0.0 || (d < m && short(m - d)) {
            low = t;
        } else {
            high = t;
        }
    }
    let d = distance(low);
    (d < m * (1.0 - 1e-9)).then(|| (d / (m - d)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Billionths, Sampling};
    use flatmin::core::rng::{Role, Stream};
    use flatmin::core::theory::statistical_dimension;

    fn record(m: usize, noise: u32, error: f64) -> Record {
        let cell = Cell::exact(20, 20, 2, Sampling::Gaussian { measurements: m });
        let cell = Cell { noise: Billionths(noise), ..cell };
        Record { error: Some(error), ..Record::blank("x", &cell, 0, Objective::Flat) }
    }

    #[test]
    fn a_slope_lies_within_twice_its_error_of_the_truth() {
        let mut stream = Stream::new(4, "slope", 0, 0, Role::Noise);
        let inside = (0..400).filter(|_| {
            let point = |k: u32| {
                let x = f64::from(k % 6);
                (x, 0.97 * x - 3.0 + 0.1 * stream.gaussian())
            };
            let slope = Slope::of(&(0..24).map(point).collect::<Vec<_>>()).unwrap();
            (slope.interval().0..slope.interval().1).contains(&0.97)
        });
        // 94.2% of 400 are expected: Student's law with 22 degrees of freedom.
        assert!((360..=392).contains(&inside.count()));
        assert_eq!(Slope::of(&[(1.0, 0.0), (1.0, 1.0), (1.0, 2.0)]), None);
    }

    #[test]
    fn cells_are_sorted_into_both_kinds_of_series() {
        let mut all: Vec<Record> = [1000, 10_000, 1_000_000]
            .map(|noise| record(260, noise, 1e-9 * f64::from(noise)))
            .into();
        all.extend([320, 400].map(|m| record(m, 1_000_000, 1e-3)));
        all.push(record(500, 0, 1e-9));
        let all: Vec<&Record> = all.iter().collect();
        let [levels] = over_noise(&all).try_into().unwrap();
        assert_eq!(levels.records.len(), 3);
        let slope = Slope::of_series(&levels, Objective::Flat).unwrap();
        assert!((slope.value - 1.0).abs() < 1e-9 && slope.deviation < 1e-9);
        let [counts] = over_measurements(&all).try_into().unwrap();
        let errors = counts.errors(Objective::Flat, |r| Some(r.m as f64), |r| r.error);
        let m: Vec<f64> = errors.iter().map(|e| e.0).collect();
        assert_eq!(m, [260.0, 320.0, 400.0]);
    }

    #[test]
    fn the_bound_costs_something_beside_the_best_penalty() {
        for (rows, cols, rank, m) in [(20, 20, 2, 260.0), (30, 50, 3, 900.0), (40, 40, 1, 4e3)] {
            let least = statistical_dimension(rows, cols, rank);
            let best = (least / (m - least)).sqrt();
            let bounded = nuclear_error(rows, cols, rank, m).unwrap();
            assert!(bounded > best && bounded < 1.3 * best, "{bounded} {best}");
        }
    }
}
