//! Targets with noise: the error follows it, with a certificate, whichever form is solved.

use super::{Claim, Verdict};
use crate::noise::{Series, Slope, geometric_mean, nuclear_error, over_measurements, over_noise};
use crate::record::Record;
use crate::spec::{Model, Objective};

const PAPER: &str = "Ding, Drusvyatskiy, Fazel, Harchaoui 2024, appendix on noise";
const LASSO: &str = "Oymak, Thrampoulidis, Hassibi 2013, at the bound's own penalty";
const DUALITY: &str = "convex duality";
const HERE: &str = "this project";

/// How far a slope may be from one.
const SLOPE: f64 = 0.05;

/// Two answers of one program differ by no more than this part of their error.
const APART: f64 = 0.1;

/// The relative gap that every solve is held to.
const GAP: f64 = 1e-6;

/// A factor by which an error may differ from what theory expects in the limit of large sizes.
const NEAR: f64 = 1.25;

const NORMS: [Objective; 2] = [Objective::Flat, Objective::Nuclear];

/// The slope of `log |X - M|` over `log |w|` is one in every model, for both norms.
pub(super) fn error_follows(records: &[&Record]) -> Claim {
    let all = over_noise(records);
    let (mut parts, mut open, mut wrong) = (Vec::new(), 0, 0);
    for series in &all {
        let slopes = NORMS.map(|o| Slope::of_series(series, o));
        for slope in slopes.into_iter().flatten() {
            let (low, high) = slope.interval();
            wrong += usize::from(low > 1.0 + SLOPE || high < 1.0 - SLOPE);
            open += usize::from(low < 1.0 - SLOPE || high > 1.0 + SLOPE);
        }
        let told = |slope: Option<Slope>| {
            slope
                .map_or("none".to_owned(), |s| format!("{:.3} ± {:.3}", s.value, 2.0 * s.deviation))
        };
        parts.push(format!("{} {} and {}", series.cell.model(), told(slopes[0]), told(slopes[1])));
    }
    let verdict = match (parts.len(), wrong, open) {
        (_, wrong, _) if wrong > 0 => Verdict::DidNotHold,
        (models, _, 0) if models > 0 => Verdict::Held,
        _ => Verdict::NotDecided,
    };
    Claim {
        statement: "With noise of norm |w| and the bound |A(X) \u{2212} b| \u{2264} |w|, the error is a \
                    constant times the noise: on logarithmic scales its slope is one, to within 0.05.",
        source: PAPER,
        measured: if parts.is_empty() {
            "No model has three levels of noise".to_owned()
        } else {
            format!(
                "Slopes of FLAT and NUC, with twice their standard errors: {}",
                parts.join("; ")
            )
        },
        verdict,
    }
}

/// Every solve has a certificate.
pub(super) fn all_are_certified(records: &[&Record]) -> Claim {
    let gap = |r: &&Record| r.relative_gap.unwrap_or(f64::INFINITY);
    let proved = records.iter().filter(|r| gap(r) <= GAP).count();
    let worst = records.iter().map(gap).fold(0.0, f64::max);
    Claim {
        statement: "Each of these solves, in both forms and for both norms, is proved optimal to a \
                    relative gap of 1e-6.",
        source: HERE,
        measured: format!(
            "{proved} of {} solves are; the largest gap is {worst:.1e}",
            records.len()
        ),
        verdict: match records.len() {
            0 => Verdict::NotDecided,
            n if n == proved => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
    }
}

/// The penalised form at the multiplier of the bound has the bounded form's answer.
pub(super) fn both_forms_agree(records: &[&Record]) -> Claim {
    let twins: Vec<&&Record> = records.iter().filter(|r| r.objective.bounded().is_some()).collect();
    let part = |r: &&&Record| match (r.apart, r.error) {
        (Some(apart), Some(error)) => apart / error,
        _ => f64::INFINITY,
    };
    let mut parts: Vec<f64> = twins.iter().map(part).collect();
    parts.sort_by(f64::total_cmp);
    let (median, worst) = (parts.get(parts.len() / 2), parts.last());
    Claim {
        statement: "The penalised form, at the \u{3bb} that the noise bound implies, has the same answer: \
                    the two differ by less than a tenth of the error of either.",
        source: DUALITY,
        measured: match median.zip(worst) {
            None => "No penalised form was solved".to_owned(),
            Some((median, worst)) => format!(
                "Over {} pairs the two answers differ by {median:.1e} of the error in the median, \
                 {worst:.1e} at most",
                parts.len()
            ),
        },
        verdict: match worst {
            None => Verdict::NotDecided,
            Some(&worst) if worst <= APART => Verdict::Held,
            Some(_) => Verdict::DidNotHold,
        },
    }
}

/// Gaussian measurements at fixed noise: NUC's error is what theory expects, at every `m`.
pub(super) fn error_falls_as_expected(records: &[&Record]) -> Claim {
    let gaussian = |s: &Series<'_>| s.cell.model() == Model::Sensing;
    let (mut parts, mut off) = (Vec::new(), 0);
    for series in over_measurements(records).into_iter().filter(gaussian) {
        let cell = series.cell;
        for (m, errors) in series.relative_errors(Objective::Nuclear) {
            let expected = nuclear_error(cell.rows, cell.cols, cell.rank, m);
            if let Some((found, expected)) = geometric_mean(&errors).zip(expected) {
                off += usize::from(!(1.0 / NEAR..=NEAR).contains(&(found / expected)));
                parts.push(format!("{found:.2} against {expected:.2} at m = {m}"));
            }
        }
    }
    Claim {
        statement: "With Gaussian measurements at fixed noise, NUC's error is that of theory for large \
                    matrices, within a factor of 1.25; it falls as \u{221a}(r d/m).",
        source: LASSO,
        verdict: match (parts.len(), off) {
            (0, _) => Verdict::NotDecided,
            (_, 0) => Verdict::Held,
            _ => Verdict::DidNotHold,
        },
        measured: if parts.is_empty() {
            "No size has three numbers of Gaussian measurements".to_owned()
        } else {
            format!("Errors over the noise of a measurement: {}", parts.join(", "))
        },
    }
}

/// On the same draws FLAT's error is no larger than NUC's, in the mean of each model.
pub(super) fn flat_is_no_worse(records: &[&Record]) -> Claim {
    let (mut parts, mut open, mut worse) = (Vec::new(), 0, 0);
    for series in over_noise(records) {
        let [flat, nuclear] = NORMS.map(|o| series.of(o).collect::<Vec<_>>());
        let same = |a: &Record, b: &Record| (a.cell(), a.trial) == (b.cell(), b.trial);
        let ratio = |f: &&Record| {
            let other = nuclear.iter().find(|n| same(n, f))?;
            Some((f.error? / other.error?).ln())
        };
        let logs: Vec<f64> = flat.iter().filter_map(ratio).collect();
        let n = logs.len() as f64;
        if n < 2.0 {
            continue;
        }
        let mean = logs.iter().sum::<f64>() / n;
        let spread = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let deviation = (spread / n).sqrt();
        worse += usize::from(mean - 2.0 * deviation > 0.0);
        open += usize::from(mean + 2.0 * deviation > 0.0);
        parts.push(format!("{} {:.3}", series.cell.model(), mean.exp()));
    }
    Claim {
        statement: "At the same noise FLAT's error is smaller than NUC's.",
        source: HERE,
        verdict: match (parts.len(), worse, open) {
            (_, worse, _) if worse > 0 => Verdict::DidNotHold,
            (models, _, 0) if models > 0 => Verdict::Held,
            _ => Verdict::NotDecided,
        },
        measured: if parts.is_empty() {
            "No model has three levels of noise".to_owned()
        } else {
            format!("FLAT's error over NUC's, geometric means over draws: {}", parts.join("; "))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::claims;
    use crate::spec::{Billionths, Cell, Sampling};

    /// Errors `factor noise^slope` of the four objectives, two draws a level.
    fn records(factor: f64, slope: f64, apart: f64) -> Vec<Record> {
        let mut records = Vec::new();
        for m in [200, 260, 400] {
            for noise in [1000, 100_000, 10_000_000] {
                let sampling = Sampling::Gaussian { measurements: m };
                let noise = Billionths(noise);
                let cell = Cell { noise, ..Cell::exact(20, 20, 2, sampling) };
                let expected = nuclear_error(20, 20, 2, m as f64).unwrap();
                for (trial, &o) in
                    (0..2).flat_map(|t| cell.objectives().iter().map(move |o| (t, o)))
                {
                    let mut record = Record::blank("noise", &cell, trial, o);
                    let flat = o.linear() == Some(flatmin::core::Objective::Flat);
                    let part = if flat { 0.9 + 0.01 * f64::from(trial) } else { 1.0 };
                    let error = part * factor * expected * noise.value().powf(slope);
                    record.error = Some(error);
                    record.apart = o.bounded().map(|_| apart * error);
                    record.delta = Some(noise.value() * (m as f64).sqrt());
                    record.relative_gap = Some(1e-9);
                    records.push(record);
                }
            }
        }
        records
    }

    fn verdicts(records: &[Record]) -> Vec<Verdict> {
        let records: Vec<&Record> = records.iter().collect();
        claims("noise", &records).into_iter().map(|c| c.verdict).collect()
    }

    #[test]
    fn claims_follow_slope_gap_and_agreement() {
        use Verdict::{DidNotHold, Held, NotDecided};
        assert_eq!(verdicts(&records(1.0, 1.0, 1e-3)), [Held; 5]);
        assert_eq!(verdicts(&records(1.0, 0.9, 0.2))[..3], [DidNotHold, Held, DidNotHold]);
        assert_eq!(verdicts(&records(1.4, 1.0, 1e-3))[3], DidNotHold);
        let mut some = records(1.0, 1.0, 1e-3);
        some[0].relative_gap = None;
        assert_eq!(verdicts(&some)[1], DidNotHold);
        assert_eq!(verdicts(&[]), [NotDecided; 5]);
        // FLAT is worse where its errors are NUC's.
        for record in some.iter_mut().filter(|r| r.objective == Objective::Flat) {
            record.error = record.error.map(|e| 1.5 * e);
        }
        assert_eq!(verdicts(&some)[4], DidNotHold);
    }
}
