//! Root mean square errors and coverage over draws, with what sampling leaves open.

use super::{ROUNDING, Row};

/// Root mean square of relative errors, and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rms {
    /// The root mean square.
    pub value: f64,
    /// Its standard error, by the jackknife.
    pub deviation: f64,
}

/// The root mean square error of draws; infinite where an estimate failed, `None` without a draw.
pub fn rms(rows: &[&Row]) -> Option<Rms> {
    let squares: Vec<f64> = rows.iter().map(|row| row.error().powi(2)).collect();
    let k = squares.len() as f64;
    let sum: f64 = squares.iter().sum();
    let left_out: Vec<f64> =
        squares.iter().map(|s| ((sum - s).max(0.0) / (k - 1.0)).sqrt()).collect();
    (k > 0.0).then(|| Rms { value: (sum / k).sqrt(), deviation: jackknife(&left_out) })
}

/// By what the root mean square error of one estimator exceeds that of another over the same draws: the
/// logarithm of their quotient, and its standard error. Errors are no smaller than rounding.
pub fn excess(one: &[&Row], other: &[&Row]) -> Option<Rms> {
    let squares = |rows: &[&Row]| -> Vec<f64> {
        rows.iter().map(|row| row.error().max(ROUNDING).powi(2)).collect()
    };
    let (a, b) = (squares(one), squares(other));
    if a.is_empty() || a.len() != b.len() {
        return None;
    }
    let (sum_a, sum_b): (f64, f64) = (a.iter().sum(), b.iter().sum());
    let least = ROUNDING * ROUNDING;
    let left_out: Vec<f64> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| 0.5 * ((sum_a - a).max(least) / (sum_b - b).max(least)).ln())
        .collect();
    Some(Rms { value: 0.5 * (sum_a / sum_b).ln(), deviation: jackknife(&left_out) })
}

/// Standard error of a statistic from its values with one draw left out.
fn jackknife(left_out: &[f64]) -> f64 {
    let k = left_out.len() as f64;
    let mean = left_out.iter().sum::<f64>() / k;
    let squares: f64 = left_out.iter().map(|v| (v - mean).powi(2)).sum();
    if k > 1.0 { ((k - 1.0) / k * squares).sqrt() } else { f64::INFINITY }
}

/// Probability of at most `hits` successes in `of` draws that succeed with probability `p`.
pub fn at_most(hits: usize, of: usize, p: f64) -> f64 {
    let (mut term, mut sum) = ((1.0 - p).powi(of as i32), 0.0);
    for k in 0..=hits.min(of) {
        sum += term;
        term *= (of - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin::core::rng::{Role, Stream};

    fn rows(errors: &[f64]) -> Vec<Row> {
        errors.iter().map(|&e| Row::blank(e)).collect()
    }

    #[test]
    fn tails_are_those_of_the_binomial_distribution() {
        // 1 - 0.9^4, and all of it.
        assert!((at_most(3, 4, 0.9) - (1.0 - 0.9f64.powi(4))).abs() < 1e-15);
        assert!((at_most(20, 20, 0.9) - 1.0).abs() < 1e-12);
        // Three of ten at even odds: (1 + 10 + 45 + 120) / 1024.
        assert!((at_most(3, 10, 0.5) - 176.0 / 1024.0).abs() < 1e-15);
    }

    #[test]
    fn deviations_are_those_of_repetition() {
        let mut stream = Stream::new(1, "rms", 0, 0, Role::Probe);
        let (mut logs, mut said) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let (a, b) = (rows(&stream.gaussian_vector(50)), rows(&stream.gaussian_vector(50)));
            let (a, b): (Vec<&Row>, Vec<&Row>) = (a.iter().collect(), b.iter().collect());
            let excess = excess(&a, &b).unwrap();
            logs.push(excess.value);
            said.push(excess.deviation.powi(2));
        }
        let seen = logs.iter().map(|v| v * v).sum::<f64>() / 400.0;
        let said = said.iter().sum::<f64>() / 400.0;
        // ln of the root mean square of k normal numbers has variance 1 / (2 k).
        assert!(
            (seen * 50.0 - 1.0).abs() < 0.25 && (said * 50.0 - 1.0).abs() < 0.15,
            "{seen} {said}"
        );
        let same = rows(&[1.0, -1.0, 1.0]);
        let same: Vec<&Row> = same.iter().collect();
        assert_eq!(rms(&same), Some(Rms { value: 1.0, deviation: 0.0 }));
        assert_eq!(excess(&same, &same), Some(Rms { value: 0.0, deviation: 0.0 }));
        assert_eq!(rms(&[]), None);
    }
}
