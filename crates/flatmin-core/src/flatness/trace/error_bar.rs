//! What a standard error means here: twice it holds the truth in 95 cases of 100, with few probes too.

/// An estimate and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) std_err: f64,
}

impl Mean {
    /// The mean of independent samples with `sqrt(s^2 / k)`, times [`student`].
    pub(super) fn of(samples: &[f64]) -> Mean {
        let k = samples.len() as f64;
        let value = samples.iter().sum::<f64>() / k;
        let std_err = (variance(samples) / k).sqrt() * student(samples.len().saturating_sub(1));
        Mean { value, std_err }
    }
}

/// Sample variance `s^2`; zero for fewer than two samples.
pub(super) fn variance(samples: &[f64]) -> f64 {
    let k = samples.len() as f64;
    if k < 2.0 {
        return 0.0;
    }
    let mean = samples.iter().sum::<f64>() / k;
    samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (k - 1.0)
}

/// Half the quantile of Student's distribution that is 2 for the normal one (95.45 %, two-sided): what a
/// standard deviation estimated with `freedom` degrees of freedom is short of.
///
/// Cornish and Fisher's expansion in `1 / freedom`, and the exact values where it has not converged.
pub(super) fn student(freedom: usize) -> f64 {
    const FEW: [f64; 6] = [6.984, 2.263, 1.653, 1.435, 1.324, 1.258];
    match freedom {
        0 => f64::INFINITY,
        1..=6 => FEW[freedom - 1],
        _ => {
            let inverse = 1.0 / freedom as f64;
            1.0 + inverse * (1.25 + inverse * (1.53 + inverse * 1.55))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Role, Stream};

    /// Twice the standard error of few normal samples covers as often as that of many.
    #[test]
    fn bars_of_few_samples_cover() {
        let mut stream = Stream::new(1, "student", 0, 0, Role::Probe);
        for k in [2, 3, 5, 9, 40] {
            let draws = 20_000;
            let covered = (0..draws).filter(|_| {
                let mean = Mean::of(&stream.gaussian_vector(k));
                mean.value.abs() <= 2.0 * mean.std_err
            });
            let share = covered.count() as f64 / draws as f64;
            // Four deviations of a share of 0.9545.
            assert!((share - 0.9545).abs() < 0.006, "{share} with {k} samples");
        }
    }
}
