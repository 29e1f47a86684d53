//! Euclidean projection onto the matrices (or vectors) of bounded absolute sum.
//!
//! ```text
//! P(v) = argmin |x - v|_2  s.t.  sum |x_i| <= tau
//!      = sign(v_i) (|v_i| - theta)_+,      theta = 0, or else  sum (|v_i| - theta)_+ = tau
//! ```
//!
//! The threshold is found in time proportional to the length, without sorting: Newton steps on the
//! convex, piecewise linear equation, from the left, with entries below left behind (C. Michelot, *A
//! finite algorithm for finding the projection of a point onto the canonical simplex*, Journal of
//! Optimization Theory and Applications 50, 1986; L. Condat, *Fast projection onto the simplex and
//! the l1 ball*, Mathematical Programming 158, 2016). Lists on which they are slow are split at their
//! median until all is decided (J. Duchi, S. Shalev-Shwartz, Y. Singer, T. Chandra, *Efficient
//! projections onto the l1-ball for learning in high dimensions*, ICML 2008). Sums are compensated, so
//! that the answer does not depend on the length or on the range of the entries.

/// Projects `values` onto the vectors of absolute sum at most `tau`, in place, and returns the
/// threshold `theta >= 0` by which entries shrank; 0 when they lay inside.
///
/// Entries and `tau` are finite, and `tau` is not negative; otherwise the threshold is NaN and the
/// values stay as they are.
///
/// ```
/// use flatmin_rpca::projection::l1_ball;
/// let mut v = [3.0, -1.0, 0.5];
/// assert_eq!(l1_ball(&mut v, 2.0), 1.0);
/// assert_eq!(v, [2.0, 0.0, 0.0]);
/// ```
pub fn l1_ball(values: &mut [f64], tau: f64) -> f64 {
    let theta = l1_threshold(values, tau);
    if theta > 0.0 {
        values.iter_mut().for_each(|v| *v = shrink(*v, theta));
    }
    theta
}

/// `sign(v) (|v| - theta)_+`.
pub(crate) fn shrink(v: f64, theta: f64) -> f64 {
    // Two maxima, without a branch: the solver shrinks millions of entries.
    (v - theta).max(0.0) - (-v - theta).max(0.0)
}

/// The threshold `theta` of [`l1_ball`] without the projection, to the rounding of `sum |v_i|` over
/// the entries that survive, divided by their number.
///
/// ```
/// use flatmin_rpca::projection::l1_threshold;
/// assert_eq!(l1_threshold(&[3.0, -1.0, 0.5], 4.5), 0.0);
/// assert_eq!(l1_threshold(&[3.0, -1.0, 0.5], 0.0), 3.0);
/// assert!(l1_threshold(&[3.0], -1.0).is_nan());
/// ```
pub fn l1_threshold(values: &[f64], tau: f64) -> f64 {
    let largest = flatmin_core::linalg::max_abs(values);
    if !(tau >= 0.0 && tau.is_finite() && largest.is_finite()) {
        return f64::NAN;
    }
    if tau == 0.0 || largest == 0.0 {
        return largest;
    }
    let total = absolute_sum(values);
    if total.is_infinite() {
        // No slice is long enough for the scaled sum to overflow.
        let scale = 2f64.powi(-64);
        let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
        return l1_threshold(&scaled, tau * scale) / scale;
    }
    // Beyond its rounding; closer calls are the compensated sum's.
    if total <= tau * (1.0 - 1e-10) {
        return 0.0;
    }
    // All entries survive to the first bound, the largest alone to the second.
    let bound = ((total - tau) / values.len() as f64).max(largest - tau).clamp(0.0, largest);
    newton(values, tau, bound)
}

/// The threshold by Newton steps from one that is not above it. Entries below are left behind once
/// they are many.
fn newton(values: &[f64], tau: f64, bound: f64) -> f64 {
    let (mut theta, mut last) = (bound, usize::MAX);
    for _ in 0..STEPS {
        let (sum, rest, above) = sum_above(values, theta);
        if above == 0 || above == last {
            return theta;
        }
        (theta, last) = ((((sum - tau) + rest) / above as f64).max(0.0), above);
        if 4 * above < values.len() {
            let kept: Vec<f64> = values.iter().map(|v| v.abs()).filter(|&v| v > theta).collect();
            return newton(&kept, tau, theta);
        }
    }
    let mut above: Vec<f64> = values.iter().map(|v| v.abs()).filter(|&v| v > theta).collect();
    // The last steps, from where all but rounding is settled.
    theta = split(&mut above, tau, theta);
    last = 0;
    for _ in 0..STEPS {
        let (sum, rest, above) = sum_above(values, theta);
        if above == 0 || above == last {
            break;
        }
        (theta, last) = ((((sum - tau) + rest) / above as f64).max(0.0), above);
    }
    theta
}

/// Newton steps before entries are split at their median.
const STEPS: usize = 16;

/// A threshold for positive `values` to rounding, given one that is not above it; their order is
/// lost. Each round halves those that are undecided.
fn split(values: &mut [f64], tau: f64, bound: f64) -> f64 {
    let mut theta = bound;
    // Undecided are values[start..end]; those before are below the threshold, those after above it.
    let (mut start, mut end) = (0, values.len());
    let (mut certain, mut number) = (0.0, 0_usize);
    while start < end {
        let middle = start + (end - start) / 2;
        let (_, &mut median, upper) =
            values[start..end].select_nth_unstable_by(middle - start, f64::total_cmp);
        let (upper, count) = (certain + median + upper.iter().sum::<f64>(), number + end - middle);
        // Is the absolute sum of what exceeds the median still above tau?
        if upper - count as f64 * median >= tau {
            (theta, start) = (theta.max(median), middle + 1);
        } else {
            (certain, number, end) = (upper, count, middle);
        }
    }
    if number > 0 { theta.max((certain - tau) / number as f64) } else { theta }
}

/// `sum |v_i|` over the entries with `|v_i| > theta`, as an unevaluated sum of two numbers, and how
/// many they are.
fn sum_above(values: &[f64], theta: f64) -> (f64, f64, usize) {
    const LANES: usize = 8;
    let (mut sums, mut rests, mut counts) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let mut add = |lane: usize, v: f64| {
        let v = if v.abs() > theta { v.abs() } else { 0.0 };
        counts[lane] += if v > 0.0 { 1.0 } else { 0.0 };
        let sum: f64 = sums[lane];
        rests[lane] += two_sum(sum, v);
        sums[lane] = sum + v;
    };
    let chunks = values.chunks_exact(LANES);
    chunks.remainder().iter().enumerate().for_each(|(lane, v)| add(lane, *v));
    for chunk in chunks {
        for (lane, v) in chunk.iter().enumerate() {
            add(lane, *v);
        }
    }
    let (mut sum, mut rest) = (0.0, rests.iter().sum());
    for lane in sums {
        rest += two_sum(sum, lane);
        sum += lane;
    }
    (sum, rest, counts.iter().sum::<f64>() as usize)
}

/// The rounding error of `a + b` (D. Knuth).
fn two_sum(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let part = sum - a;
    (a - (sum - part)) + (b - part)
}

/// `sum |v_i|`, block by block, so that rounding does not grow with the length.
pub(crate) fn absolute_sum(values: &[f64]) -> f64 {
    const LANES: usize = 8;
    let block = |block: &[f64]| {
        let mut lanes = [0.0; LANES];
        let chunks = block.chunks_exact(LANES);
        let rest: f64 = chunks.remainder().iter().map(|v| v.abs()).sum();
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, v)| *lane += v.abs());
        }
        lanes.iter().sum::<f64>() + rest
    };
    values.chunks(1024).map(block).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flatmin_core::rng::{Role, Stream};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// By sorting: the number of survivors is the last `k` with `|v|_(k) > (sum of k - tau) / k`.
    fn by_sorting(values: &[f64], tau: f64) -> f64 {
        let mut sorted: Vec<f64> = values.iter().map(|v| v.abs()).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        if sorted.iter().sum::<f64>() <= tau {
            return 0.0;
        }
        let (mut sum, mut theta) = (0.0, sorted.first().copied().unwrap_or(0.0));
        for (k, v) in sorted.iter().enumerate() {
            sum += v;
            let next = (sum - tau) / (k as f64 + 1.0);
            if *v <= next {
                break;
            }
            theta = next;
        }
        theta
    }

    /// The projection is optimal: it lies on the sphere, and `v - P(v)` is `theta` times a
    /// subgradient of the absolute sum.
    fn assert_optimal(values: &[f64], tau: f64) {
        let mut projected = values.to_vec();
        let theta = l1_ball(&mut projected, tau);
        let (before, after) = (absolute_sum(values), absolute_sum(&projected));
        let largest = flatmin_core::linalg::max_abs(values);
        assert!(theta >= 0.0 && theta <= largest);
        if before <= tau * (1.0 - 1e-14) {
            assert_eq!((theta, projected.as_slice()), (0.0, values));
            return;
        }
        // Entries shrink with their own rounding.
        let rounding = 1e-14 * (values.len() as f64 * theta + before);
        assert!((after - tau).abs() <= rounding, "{after} for {tau}");
        for (v, p) in values.iter().zip(&projected) {
            let step = v - p;
            if *p == 0.0 {
                assert!(step.abs() <= theta);
            } else {
                assert!((step - theta * v.signum()).abs() <= 1e-15 * v.abs() && p * v > 0.0);
            }
        }
    }

    #[test]
    fn edges_have_their_thresholds() {
        assert_eq!(l1_threshold(&[], 1.0), 0.0);
        assert_eq!(l1_threshold(&[], 0.0), 0.0);
        assert_eq!(l1_threshold(&[0.0, -0.0], 0.0), 0.0);
        assert_eq!(l1_threshold(&[2.0, -2.0, 2.0, 2.0], 4.0), 1.0);
        assert_eq!(l1_threshold(&[-5.0], 2.0), 3.0);
        let mut ties = [1.0; 7];
        assert_eq!(l1_ball(&mut ties, 3.5), 0.5);
        assert_eq!(ties, [0.5; 7]);
        let mut zero = [1.0, -2.0];
        assert_eq!((l1_ball(&mut zero, 0.0), zero), (2.0, [0.0, 0.0]));
        for (v, tau) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (2.0, f64::NAN), (2.0, -1.0)] {
            let mut values = [v, 1.0];
            assert!(l1_ball(&mut values, tau).is_nan());
            assert_eq!(values[1], 1.0);
        }
    }

    #[test]
    fn digits_survive_a_huge_range() {
        // What exceeds tau lies below the rounding of the sum.
        assert_eq!(l1_threshold(&[1e16, 1.0], 1e16), 0.5);
        assert_eq!(l1_threshold(&[1e300, 1e-300, 1e-300], 1e300), 2e-300 / 3.0);
        assert!((l1_threshold(&[1e-300, 3e-300], 1e-300) / 2e-300 - 1.0).abs() < 1e-15);
        // The sum overflows.
        let huge = [1.5e308, 1.5e308, -1e308];
        assert!((l1_threshold(&huge, 1e308) / 1e308 - 1.0).abs() < 1e-15);
        for k in 0..12 {
            let values: Vec<f64> = (0..40).map(|j| 10f64.powi(j * (k - 6))).collect();
            assert_optimal(&values, 0.3 * absolute_sum(&values));
        }
    }

    /// Geometric and other lists on which Newton steps throw out few entries at a time.
    #[test]
    fn slow_lists_are_split_at_their_median() {
        for base in [1.0001_f64, 1.1, 2.0] {
            let values: Vec<f64> = (0..2000).map(|k| base.powf(-f64::from(k).min(900.0))).collect();
            for part in [1e-6, 0.01, 0.5, 0.99] {
                assert_optimal(&values, part * absolute_sum(&values));
            }
        }
    }

    #[test]
    fn large_arrays_agree_with_sorting() {
        let mut stream = Stream::new(1, "projection", 0, 0, Role::Probe);
        let gaussian = stream.gaussian_vector(50_000);
        let sparse = |v: &f64| if v.abs() > 2.0 { 100.0 * v } else { 1e-4 * v };
        let sparse: Vec<f64> = gaussian.iter().map(sparse).collect();
        for values in [&gaussian, &sparse] {
            for part in [1e-9, 1e-3, 0.1, 0.7, 0.999, 1.1] {
                let tau = part * absolute_sum(values);
                let (found, sorted) = (l1_threshold(values, tau), by_sorting(values, tau));
                assert!(
                    (found - sorted).abs() <= 1e-12 * sorted + 1e-15 * tau,
                    "{part}: {found}, {sorted}"
                );
                assert_optimal(values, tau);
                let mut positive: Vec<f64> = values.iter().map(|v| v.abs()).collect();
                let found = split(&mut positive, tau, 0.0).max(0.0);
                assert!((found - sorted).abs() <= 1e-12 * sorted + 1e-15 * tau, "{part}: {found}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn satisfies_its_optimality_conditions(
            values in prop::collection::vec(-1e3..1e3_f64, 0..60), tau in 0.0..5e3_f64
        ) {
            assert_optimal(&values, tau);
            let (found, sorted) = (l1_threshold(&values, tau), by_sorting(&values, tau));
            prop_assert!((found - sorted).abs() <= 1e-12 * (1e3 + sorted));
        }

        #[test]
        fn small_whole_numbers_with_ties(
            values in prop::collection::vec(-3i8..=3, 1..40), tau in 0u8..60
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            assert_optimal(&values, f64::from(tau));
        }

        #[test]
        fn brings_no_two_points_further_apart(
            pairs in prop::collection::vec((-10.0..10.0_f64, -10.0..10.0_f64), 1..40),
            tau in 0.0..50.0_f64
        ) {
            let (mut a, mut b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let distance = |a: &[f64], b: &[f64]| {
                a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
            };
            let before = distance(&a, &b);
            l1_ball(&mut a, tau);
            l1_ball(&mut b, tau);
            prop_assert!(distance(&a, &b) <= before * (1.0 + 1e-12) + 1e-14);
        }
    }
}
