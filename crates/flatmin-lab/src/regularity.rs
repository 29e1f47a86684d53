//! How regular flat factors are: their norm beside the least, their imbalance, and what the
//! rescaling matrices allow (Figure 4 of the paper).
//!
//! With `alpha1 I <= D1, D2 <= alpha2 I` and `kappa = alpha2 / alpha1`, flat factors satisfy
//!
//! ```text
//! |L|_F^2 + |R|_F^2  <=  kappa^2 min (|L|_F^2 + |R|_F^2)        over all factors that fit,
//! |L^T L - R^T R|_*  <=  (kappa^2 - 1) / (kappa^2 + 1) (|L|_F^2 + |R|_F^2).
//! ```
//!
//! The first compares `|D1 L|^2 + |D2 R|^2`, which flat factors minimise, with the norm on both
//! sides. The second follows from `L^T D1^2 L = R^T D2^2 R`, hence
//! `kappa^-2 R^T R <= L^T L <= kappa^2 R^T R`.

use crate::record::Record;
use crate::spec::{Cell, Sampling};
use flatmin::core::linalg::{product, symmetric_eigenvalues};
use flatmin::core::{Error, Mat, MatRef};
use flatmin::{bilinear, sensing};

/// Norm and imbalance of a pair of factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularity {
    /// `|L|_F^2 + |R|_F^2`.
    pub factor_norm: f64,
    /// Nuclear norm of `L^T L - R^T R`.
    pub imbalance: f64,
    /// Its Frobenius norm.
    pub imbalance_frobenius: f64,
}

impl Regularity {
    /// Of factors `L` (`d1 x k`) and `R` (`d2 x k`).
    ///
    /// ```
    /// use flatmin::prelude::Mat;
    /// use flatmin_lab::regularity::Regularity;
    /// let (l, r) = (Mat::full(3, 1, 1.0), Mat::full(2, 1, 2.0));
    /// let found = Regularity::of(l.as_ref(), r.as_ref())?;
    /// assert_eq!((found.factor_norm, found.imbalance), (11.0, 5.0));
    /// # Ok::<(), flatmin::prelude::Error>(())
    /// ```
    ///
    /// # Errors
    /// When an eigendecomposition fails, which finite factors do not cause.
    pub fn of(l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<Regularity, Error> {
        let difference: Mat<f64> = product(l.transpose(), l) - product(r.transpose(), r);
        let values = symmetric_eigenvalues(difference.as_ref())?;
        Ok(Regularity {
            factor_norm: l.squared_norm_l2() + r.squared_norm_l2(),
            imbalance: values.iter().map(|v| v.abs()).sum(),
            imbalance_frobenius: difference.norm_l2(),
        })
    }
}

/// How much of what each bound allows a flat solution uses up: of the excess `kappa^2 - 1` of the
/// norm over its least value, and of the imbalance; `None` for records without these quantities and
/// where some direction is never measured.
///
/// What is within rounding of zero counts as zero, since `kappa = 1` allows nothing.
pub fn bounds_used(record: &Record) -> Option<[f64; 2]> {
    let kappa = record.kappa.filter(|k| k.is_finite())?;
    let square = kappa * kappa;
    let used = |measured: f64, rounding: f64, allowed: f64| {
        if measured <= rounding { 0.0 } else { measured / allowed }
    };
    Some([
        // NUC's value is known to its relative gap.
        used(record.norm_excess_relative?, 2.0 * record.tolerance, square - 1.0),
        used(record.imbalance_relative?, 1e-12, (square - 1.0) / (square + 1.0)),
    ])
}

/// The regularity constant that theory expects of a cell's draws; `None` where it says nothing.
///
/// For Gaussian and bilinear measurements what the theory of their crates says. For entries seen
/// with probability `p`, row and column counts are binomial, and `kappa^2` is the ratio of the
/// median of their largest to that of their smallest.
pub fn expected_kappa(cell: &Cell) -> Option<f64> {
    let (d1, d2) = (cell.rows as f64, cell.cols as f64);
    let kappa = match cell.sampling {
        Sampling::Gaussian { measurements } => {
            sensing::theory::expected_kappa(cell.rows, cell.cols, measurements)
        }
        Sampling::Bilinear { measurements } => {
            bilinear::theory::expected_kappa(cell.rows, cell.cols, measurements)
        }
        Sampling::Bernoulli { p } => {
            let rows = Counts { trials: cell.cols, p: p.value(), many: d1 };
            let cols = Counts { trials: cell.rows, p: p.value(), many: d2 };
            let (least, most) = extremes(&rows, &cols);
            (most / least).sqrt()
        }
        _ => return None,
    };
    kappa.is_finite().then_some(kappa)
}

/// Independent binomial counts: of the entries seen in each row, say.
pub(crate) struct Counts {
    pub(crate) trials: usize,
    pub(crate) p: f64,
    pub(crate) many: f64,
}

impl Counts {
    /// Probability that a count is at most `k`.
    pub(crate) fn at_most(&self, k: f64) -> f64 {
        if self.p >= 1.0 {
            return if k >= self.trials as f64 { 1.0 } else { 0.0 };
        }
        // Terms by their ratio, in logarithms so that the first does not underflow.
        let n = self.trials as f64;
        let odds = (self.p / (1.0 - self.p)).ln();
        let mut log_term = n * (1.0 - self.p).ln();
        let mut sum = 0.0;
        for j in 0..=self.trials {
            let j = j as f64;
            if j > k {
                break;
            }
            sum += log_term.exp();
            log_term += odds + ((n - j) / (j + 1.0)).ln();
        }
        f64::min(sum, 1.0)
    }
}

/// Medians of the least and of the largest fraction of entries seen in a row or column.
fn extremes(rows: &Counts, cols: &Counts) -> (f64, f64) {
    // Counts may be any multiple of 1/trials; half a step lies between them.
    let steps = 2 * rows.trials.max(cols.trials);
    let fraction = |s: usize| s as f64 / steps as f64;
    let below = |c: &Counts, t: f64| c.at_most(t * c.trials as f64 + 1e-9);
    let all_below = |t: f64| below(rows, t).powf(rows.many) * below(cols, t).powf(cols.many);
    let any_below = |t: f64| {
        1.0 - (1.0 - below(rows, t)).powf(rows.many) * (1.0 - below(cols, t)).powf(cols.many)
    };
    let first =
        |holds: &dyn Fn(f64) -> bool| (0..=steps).map(fraction).find(|&t| holds(t)).unwrap_or(1.0);
    (first(&|t| any_below(t) >= 0.5), first(&|t| all_below(t) >= 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Millionths;

    #[test]
    fn the_largest_and_least_of_binomial_counts_are_where_they_are_seen() {
        use flatmin::core::rng::{Role, Stream};
        let (n, p) = (20, 0.35);
        let counts = || Counts { trials: n, p, many: n as f64 };
        let (least, most) = extremes(&counts(), &counts());
        let mut stream = Stream::new(5, "regularity", 0, 0, Role::Probe);
        let (mut low, mut high) = (Vec::new(), Vec::new());
        for _ in 0..2001 {
            let count = |_| (0..n).filter(|_| stream.uniform() < p).count();
            let counts: Vec<usize> = (0..2 * n).map(count).collect();
            low.push(counts.iter().copied().min().unwrap_or(0));
            high.push(counts.iter().copied().max().unwrap_or(0));
        }
        low.sort_unstable();
        high.sort_unstable();
        assert_eq!(least * n as f64, low[1000] as f64);
        assert_eq!(most * n as f64, high[1000] as f64);
    }

    #[test]
    fn kappa_is_expected_where_theory_has_something_to_say() {
        let expected = |sampling| expected_kappa(&Cell::exact(40, 40, 2, sampling));
        let everything = Sampling::Bernoulli { p: Millionths(1_000_000) };
        assert_eq!(expected(everything), Some(1.0));
        // Rows without an entry, directions without a measurement.
        assert_eq!(expected(Sampling::Bernoulli { p: Millionths(10_000) }), None);
        assert_eq!(expected(Sampling::Bilinear { measurements: 30 }), None);
        assert_eq!(expected(Sampling::Quadnet { measurements: 400, negative: 1 }), None);
        // e^2 = 1.05 * 40 / 4200 = 1/100.
        let bilinear = expected(Sampling::Bilinear { measurements: 4200 }).unwrap_or(f64::NAN);
        assert!((bilinear - 1.1 / 0.9).abs() < 1e-12);
    }
}
