//! One row a solve, in long format.

use crate::spec::{Billionths, Cell, Millionths, Model, Objective, Sampling};
use serde::{Deserialize, Serialize};

/// The relative error below which a planted matrix counts as recovered.
pub const SUCCESS: f64 = 1e-6;

/// Everything about one solve except the time it took. Quantities that a failed solve does not have
/// are empty in the CSV file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The sweep's name.
    pub experiment: String,
    /// The measurement model.
    pub model: Model,
    /// What was minimised.
    pub objective: Objective,
    /// Rows.
    pub d1: usize,
    /// Columns.
    pub d2: usize,
    /// Rank of the planted matrix.
    pub rank: usize,
    /// Number of measurements, or of the entries that were seen in this draw.
    pub m: usize,
    /// Probability of an entry, for even sampling.
    pub p: Option<Millionths>,
    /// Expected number of entries, for power-law sampling and scattered entries.
    pub entries: Option<usize>,
    /// Exponent of power-law sampling.
    pub exponent: Option<Millionths>,
    /// Number of the draw, from 0.
    pub trial: u32,
    /// Root seed.
    pub seed: u64,
    /// How the solve ended.
    pub status: String,
    /// Whether the answer is proved optimal to `tolerance`.
    pub certified: bool,
    /// `|D1 X D2|_*` or `|X|_*`; `1/2 |A(X) - b|^2 + lambda` times that for the penalised forms, and
    /// `|X|_* + lambda sum |Y - X|` for that of robust PCA.
    pub value: Option<f64>,
    /// Proved lower bound on it.
    pub lower_bound: Option<f64>,
    /// Their relative difference.
    pub relative_gap: Option<f64>,
    /// `|A(X) - b| / |b|`, under a noise bound only the excess over it; for robust PCA the excess of
    /// `sum |Y - X|` over `tau`, relative to it.
    pub feasibility: Option<f64>,
    /// Rank of the answer.
    pub rank_found: Option<usize>,
    /// Whether the answer is proved to be the only one.
    pub unique: Option<bool>,
    /// `|X - M|_F / |M|_F`.
    pub error: Option<f64>,
    /// Whether `error` is below [`SUCCESS`].
    pub success: bool,
    /// Regularity constant of D1, D2 (infinite when a row or column is never seen).
    pub kappa: Option<f64>,
    /// Iterations of the solver.
    pub iterations: usize,
    /// Relative gap that was asked for.
    pub tolerance: f64,
    /// Negative eigenvalues of the planted matrix, for networks.
    pub negative: Option<usize>,
    /// Scaled trace of the Hessian at the factors.
    pub scaled_trace: Option<f64>,
    /// `sum_i |x_i|^2 y_i / (m d)`, for positive semidefinite matrices: theory says that it is the
    /// value of every matrix that fits.
    pub common_value: Option<f64>,
    /// `|L|_F^2 + |R|_F^2` of the factors, where the matrix need not be symmetric.
    pub factor_norm: Option<f64>,
    /// Nuclear norm of `L^T L - R^T R`.
    pub imbalance: Option<f64>,
    /// Frobenius norm of `L^T L - R^T R`.
    pub imbalance_frobenius: Option<f64>,
    /// `imbalance / factor_norm`.
    pub imbalance_relative: Option<f64>,
    /// The least `|L|_F^2 + |R|_F^2` of all factors that fit, twice the value of NUC on this draw;
    /// in the row of FLAT.
    pub least_norm: Option<f64>,
    /// `factor_norm - least_norm`.
    pub norm_excess: Option<f64>,
    /// `norm_excess / least_norm`.
    pub norm_excess_relative: Option<f64>,
    /// Probability of a wrong entry, for robust PCA.
    pub corruption: Option<Millionths>,
    /// Probability of a missing entry, for robust PCA.
    pub missing: Option<Millionths>,
    /// Size of what is added to wrong entries, in mean absolute entries.
    pub magnitude: Option<Millionths>,
    /// Coherence of the planted matrix, for robust PCA.
    pub incoherence: Option<f64>,
    /// The most wrong entries in a row or column of this draw.
    pub most_per_line: Option<usize>,
    /// `lambda` of the penalised form, or the one that `tau` or the noise bound implies.
    pub lambda: Option<f64>,
    /// `tau` of the constrained form, or `sum |Y - X|` of the answer.
    pub tau: Option<f64>,
    /// Noise relative to the exact targets.
    pub noise: Option<Billionths>,
    /// Norm of the noise of this draw, the bound of the bounded form.
    pub delta: Option<f64>,
    /// `|X - X'|_F / |M|_F`, for a penalised form, `X'` being the answer under the noise bound.
    pub apart: Option<f64>,
    /// Version of flatmin.
    pub version: String,
}

impl Record {
    /// The cell that this record belongs to; `None` when its columns contradict each other.
    pub fn cell(&self) -> Option<Cell> {
        let measurements = self.m;
        let entries = (self.p, self.entries, self.exponent);
        let wrong = (self.corruption, self.missing, self.magnitude);
        let sampling = match (self.model, self.negative, entries, wrong) {
            (Model::Rpca, None, (None, None, None), (Some(corruption), Some(missing), Some(m))) => {
                Sampling::Corrupted { corruption, missing, magnitude: m }
            }
            (model, negative, entries, (None, None, None)) => match (model, negative, entries) {
                (Model::Sensing, None, (None, None, None)) => Sampling::Gaussian { measurements },
                (Model::Bilinear, None, (None, None, None)) => Sampling::Bilinear { measurements },
                (Model::Covariance, None, (None, None, None)) => {
                    Sampling::Covariance { measurements }
                }
                (Model::Quadnet, Some(negative), (None, None, None)) => {
                    Sampling::Quadnet { measurements, negative }
                }
                (Model::Completion, None, (Some(p), None, None)) => Sampling::Bernoulli { p },
                (Model::Completion, None, (None, Some(entries), None)) => {
                    Sampling::Scattered { entries }
                }
                (Model::Completion, None, (None, Some(entries), Some(exponent))) => {
                    Sampling::PowerLaw { entries, exponent }
                }
                _ => return None,
            },
            _ => return None,
        };
        let noise = self.noise.unwrap_or_default();
        Some(Cell { rows: self.d1, cols: self.d2, rank: self.rank, sampling, noise })
    }

    /// A record of a cell before anything was solved: a failure without a status.
    pub fn blank(experiment: &str, cell: &Cell, trial: u32, objective: Objective) -> Record {
        let mut wrong = None;
        let (m, p, entries, exponent) = match cell.sampling {
            Sampling::Gaussian { measurements }
            | Sampling::Bilinear { measurements }
            | Sampling::Covariance { measurements }
            | Sampling::Quadnet { measurements, .. } => (measurements, None, None, None),
            Sampling::Bernoulli { p } => (0, Some(p), None, None),
            Sampling::PowerLaw { entries, exponent } => (0, None, Some(entries), Some(exponent)),
            Sampling::Scattered { entries } => (0, None, Some(entries), None),
            Sampling::Corrupted { corruption, missing, magnitude } => {
                wrong = Some((corruption, missing, magnitude));
                (0, None, None, None)
            }
        };
        let negative = match cell.sampling {
            Sampling::Quadnet { negative, .. } => Some(negative),
            _ => None,
        };
        Record {
            experiment: experiment.to_owned(),
            model: cell.model(),
            objective,
            d1: cell.rows,
            d2: cell.cols,
            rank: cell.rank,
            m,
            p,
            entries,
            exponent,
            trial,
            seed: 0,
            status: String::new(),
            certified: false,
            value: None,
            lower_bound: None,
            relative_gap: None,
            feasibility: None,
            rank_found: None,
            unique: None,
            error: None,
            success: false,
            kappa: None,
            iterations: 0,
            tolerance: 0.0,
            negative,
            scaled_trace: None,
            common_value: None,
            factor_norm: None,
            imbalance: None,
            imbalance_frobenius: None,
            imbalance_relative: None,
            least_norm: None,
            norm_excess: None,
            norm_excess_relative: None,
            corruption: wrong.map(|w| w.0),
            missing: wrong.map(|w| w.1),
            magnitude: wrong.map(|w| w.2),
            incoherence: None,
            most_per_line: None,
            lambda: None,
            tau: None,
            noise: (cell.noise.0 > 0).then_some(cell.noise),
            delta: None,
            apart: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// A record with the seconds of its solve, one thread's wall time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// The record.
    pub record: Record,
    /// Seconds.
    pub seconds: f64,
    /// Most bytes that the process held during the solve, where that was the only one.
    pub peak: Option<u64>,
}

impl Timed {
    /// A record without a peak.
    pub fn new(record: Record, seconds: f64) -> Timed {
        Timed { record, seconds, peak: None }
    }
}

/// A row of `timings.csv`.
#[derive(Debug, Serialize)]
struct Timing<'a> {
    experiment: &'a str,
    objective: Objective,
    d1: usize,
    d2: usize,
    rank: usize,
    m: usize,
    p: Option<Millionths>,
    exponent: Option<Millionths>,
    corruption: Option<Millionths>,
    noise: Option<Billionths>,
    trial: u32,
    seconds: f64,
    peak_bytes: Option<u64>,
}

/// The records as CSV with a header.
///
/// # Errors
/// None for records that were measured.
pub fn to_csv<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record)?;
    }
    finish(writer)
}

/// The seconds of each solve as CSV with a header.
///
/// # Errors
/// None for records that were measured.
pub fn timings_csv<'a>(rows: impl IntoIterator<Item = &'a Timed>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for Timed { record: r, seconds, peak } in rows {
        writer.serialize(Timing {
            experiment: &r.experiment,
            objective: r.objective,
            d1: r.d1,
            d2: r.d2,
            rank: r.rank,
            m: r.m,
            p: r.p,
            exponent: r.exponent,
            corruption: r.corruption,
            noise: r.noise,
            trial: r.trial,
            seconds: *seconds,
            peak_bytes: *peak,
        })?;
    }
    finish(writer)
}

/// The bytes of a writer into memory.
pub(crate) fn finish(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_way_through_text() -> Result<(), Box<dyn std::error::Error>> {
        let exponent = Millionths(300_000);
        let sampling = Sampling::PowerLaw { entries: 900, exponent };
        let cell = Cell::exact(30, 31, 2, sampling);
        let mut full = Record::blank("x", &cell, 3, Objective::Nuclear);
        full.status = "a, \"quoted\" status".to_owned();
        full.value = Some(0.1 + 0.2);
        full.relative_gap = Some(f64::MIN_POSITIVE);
        full.kappa = Some(f64::INFINITY);
        full.unique = Some(true);
        let blank = Record::blank("x", &cell, 4, Objective::Flat);
        let bytes = to_csv([&full, &blank])?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let back: Vec<Record> = reader.deserialize().collect::<Result<_, _>>()?;
        assert_eq!(back, [full, blank]);
        assert_eq!(back[0].cell(), Some(cell));
        Ok(())
    }

    #[test]
    fn every_kind_of_cell_is_named_by_its_record() {
        let (measurements, p, exponent) = (7, Millionths(500_000), Millionths(3));
        for sampling in [
            Sampling::Gaussian { measurements },
            Sampling::Bilinear { measurements },
            Sampling::Covariance { measurements },
            Sampling::Quadnet { measurements, negative: 1 },
            Sampling::Bernoulli { p },
            Sampling::PowerLaw { entries: 9, exponent },
            Sampling::Scattered { entries: 9 },
            Sampling::Corrupted { corruption: p, missing: exponent, magnitude: p },
        ] {
            let cell = Cell::exact(5, 5, 2, sampling);
            let mut record = Record::blank("x", &cell, 0, Objective::Flat);
            assert_eq!(record.cell(), Some(cell));
            record.negative = if record.negative.is_some() { None } else { Some(1) };
            assert_eq!(record.cell(), None);
            let mut record = Record::blank("x", &cell, 0, Objective::Flat);
            record.missing = if record.missing.is_some() { None } else { Some(p) };
            assert_eq!(record.cell(), None);
            let noisy = Cell { noise: Billionths(1000), ..cell };
            let record = Record::blank("x", &noisy, 0, Objective::Flat);
            assert_eq!(record.cell(), Some(noisy));
        }
    }
}
