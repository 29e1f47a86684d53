//! What is measured: cells, sweeps over cells, and the two scales.

use flatmin::core::theory::{degrees_of_freedom, symmetric_degrees_of_freedom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A number in steps of one millionth, so that a cell read from a file and the same cell counted
/// up in a loop are equal to the bit, and draw the same random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millionths(pub u32);

impl Millionths {
    /// The nearest multiple of one millionth; `None` outside `[0, 4000]`.
    ///
    /// ```
    /// use flatmin_lab::spec::Millionths;
    /// assert_eq!(Millionths::nearest(0.1 + 0.2), Millionths::nearest(0.3));
    /// assert_eq!(Millionths::nearest(-1.0), None);
    /// ```
    pub fn nearest(value: f64) -> Option<Millionths> {
        (0.0..=4000.0).contains(&value).then(|| Millionths((value * 1e6).round() as u32))
    }

    /// The number.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl fmt::Display for Millionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

impl Serialize for Millionths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Millionths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Millionths, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Millionths::nearest(value)
            .ok_or_else(|| de::Error::custom(format_args!("{value} is not in [0, 4000]")))
    }
}

/// A noise level in steps of one billionth, for the reason of [`Millionths`]; 0 is no noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Billionths(pub u32);

impl Billionths {
    /// The nearest multiple of one billionth; `None` outside `[0, 4]`.
    ///
    /// ```
    /// use flatmin_lab::spec::Billionths;
    /// assert_eq!(Billionths::nearest(1e-6), Some(Billionths(1000)));
    /// assert_eq!(Billionths::nearest(f64::NAN), None);
    /// ```
    pub fn nearest(value: f64) -> Option<Billionths> {
        (0.0..=4.0).contains(&value).then(|| Billionths((value * 1e9).round() as u32))
    }

    /// The number.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1e9
    }
}

impl fmt::Display for Billionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:e}", self.value())
    }
}

impl Serialize for Billionths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Billionths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Billionths, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Billionths::nearest(value)
            .ok_or_else(|| de::Error::custom(format_args!("{value} is not in [0, 4]")))
    }
}

/// The measurement model of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Full Gaussian measurement matrices.
    Sensing,
    /// Gaussian measurement matrices of rank one, `a_i b_i^T`.
    Bilinear,
    /// Sampled entries.
    Completion,
    /// Quadratic measurements `x_i^T X x_i` of a positive semidefinite matrix.
    Covariance,
    /// Outputs `x_i^T X x_i` of a network with quadratic activations: a symmetric matrix.
    Quadnet,
    /// Entries of which some are grossly wrong.
    Rpca,
}

impl Model {
    /// Whether the unknown matrix is symmetric.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Model::Covariance | Model::Quadnet)
    }

    /// What its draws can be solved for, in the order of the records.
    pub fn objectives(self, noisy: bool) -> &'static [Objective] {
        use Objective::{Constrained, Flat, FlatPenalised, Nuclear, NuclearPenalised, Penalised};
        match (self, noisy) {
            (Model::Rpca, _) => &[Constrained, Penalised],
            (_, false) => &[Flat, Nuclear],
            (_, true) => &[Flat, Nuclear, FlatPenalised, NuclearPenalised],
        }
    }

    /// Dimension of the matrices of this shape and rank: `r (d1 + d2 - r)`, and
    /// `r d - r (r - 1) / 2` where they are symmetric. No method recovers from fewer measurements.
    ///
    /// ```
    /// use flatmin_lab::spec::Model;
    /// assert_eq!(Model::Bilinear.degrees_of_freedom(40, 40, 2), 156);
    /// assert_eq!(Model::Quadnet.degrees_of_freedom(40, 40, 3), 117);
    /// ```
    pub fn degrees_of_freedom(self, rows: usize, cols: usize, rank: usize) -> usize {
        if self.is_symmetric() {
            symmetric_degrees_of_freedom(rows, rank)
        } else {
            degrees_of_freedom(rows, cols, rank)
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Model::Sensing => "sensing",
            Model::Bilinear => "bilinear",
            Model::Completion => "completion",
            Model::Covariance => "covariance",
            Model::Quadnet => "quadnet",
            Model::Rpca => "rpca",
        })
    }
}

/// What is minimised on a draw: FLAT and NUC where there are linear measurements, and their penalised
/// twins where these have noise; the two forms of the program for robust PCA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// `|D1 X D2|_*`: flat minima. Under noise, over `|A(X) - b| <= delta`.
    Flat,
    /// `|X|_*`. Under noise, over `|A(X) - b| <= delta`.
    Nuclear,
    /// `1/2 |A(X) - b|^2 + lambda |D1 X D2|_*` with the `lambda` that FLAT's noise bound implies.
    FlatPenalised,
    /// `1/2 |A(X) - b|^2 + lambda |X|_*` with the `lambda` that NUC's noise bound implies.
    NuclearPenalised,
    /// `|X|_*` over `sum |Y - X| <= tau`, with the true `tau`: flat minima of robust PCA.
    Constrained,
    /// `|X|_* + lambda sum |Y - X|` with the default `lambda`, which needs no `tau`.
    Penalised,
}

impl Objective {
    /// All of them.
    pub const ALL: [Objective; 6] = [
        Objective::Flat,
        Objective::Nuclear,
        Objective::FlatPenalised,
        Objective::NuclearPenalised,
        Objective::Constrained,
        Objective::Penalised,
    ];

    /// That of linear measurements; `None` for penalised forms and those of robust PCA.
    pub fn linear(self) -> Option<flatmin::core::Objective> {
        match self {
            Objective::Flat => Some(flatmin::core::Objective::Flat),
            Objective::Nuclear => Some(flatmin::core::Objective::Nuclear),
            _ => None,
        }
    }

    /// What minimises the same norm under a noise bound, for a penalised form.
    pub fn bounded(self) -> Option<Objective> {
        match self {
            Objective::FlatPenalised => Some(Objective::Flat),
            Objective::NuclearPenalised => Some(Objective::Nuclear),
            _ => None,
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Objective::Flat => "flat",
            Objective::Nuclear => "nuclear",
            Objective::FlatPenalised => "flat-penalised",
            Objective::NuclearPenalised => "nuclear-penalised",
            Objective::Constrained => "constrained",
            Objective::Penalised => "penalised",
        })
    }
}

/// How the planted matrix is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sampling {
    /// This many measurements with independent standard normal entries.
    Gaussian {
        /// `m`.
        measurements: usize,
    },
    /// This many measurements `a^T M b` with standard normal vectors.
    Bilinear {
        /// `m`.
        measurements: usize,
    },
    /// This many measurements `x^T M x` of a positive semidefinite matrix, with standard normal
    /// vectors.
    Covariance {
        /// `m`.
        measurements: usize,
    },
    /// This many measurements `x^T M x` of a symmetric matrix, with standard normal vectors.
    Quadnet {
        /// `m`.
        measurements: usize,
        /// How many of the `rank` eigenvalues of the planted matrix are negative.
        negative: usize,
    },
    /// Each entry independently with the same probability.
    Bernoulli {
        /// That probability.
        p: Millionths,
    },
    /// Each entry independently, rows and columns with power-law weights.
    PowerLaw {
        /// Expected number of entries.
        entries: usize,
        /// Exponent of the weights; 0 is even sampling.
        exponent: Millionths,
    },
    /// Entries here and there in a large matrix, all equally likely: nothing of its size is formed.
    Scattered {
        /// Expected number of entries.
        entries: usize,
    },
    /// All entries or some of them, each independently wrong with the same probability.
    Corrupted {
        /// Probability that an entry is wrong.
        corruption: Millionths,
        /// Probability that it is missing.
        missing: Millionths,
        /// Wrong entries are off by up to this many times the mean absolute entry.
        magnitude: Millionths,
    },
}

/// One cell of a sweep: everything that the distribution of a trial depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Rows of the planted matrix, `d1`.
    pub rows: usize,
    /// Columns of the planted matrix, `d2`.
    pub cols: usize,
    /// Its rank.
    pub rank: usize,
    /// How it is seen.
    pub sampling: Sampling,
    /// Noise of the measurements, relative to them: its standard deviation is this many times the
    /// root mean square of the exact targets of the draw.
    pub noise: Billionths,
}

impl Cell {
    /// A cell whose measurements are exact.
    pub fn exact(rows: usize, cols: usize, rank: usize, sampling: Sampling) -> Cell {
        Cell { rows, cols, rank, sampling, noise: Billionths(0) }
    }

    /// The same cell with exact measurements.
    pub fn without_noise(self) -> Cell {
        Cell { noise: Billionths(0), ..self }
    }

    /// What its draws can be solved for, in the order of the records.
    pub fn objectives(&self) -> &'static [Objective] {
        match (self.sampling, self.noise.0 > 0) {
            // Where bounds on the misfit are out of reach.
            (Sampling::Scattered { .. }, true) => {
                &[Objective::FlatPenalised, Objective::NuclearPenalised]
            }
            (_, noisy) => self.model().objectives(noisy),
        }
    }

    /// The measurement model.
    pub fn model(&self) -> Model {
        match self.sampling {
            Sampling::Gaussian { .. } => Model::Sensing,
            Sampling::Bilinear { .. } => Model::Bilinear,
            Sampling::Covariance { .. } => Model::Covariance,
            Sampling::Quadnet { .. } => Model::Quadnet,
            Sampling::Bernoulli { .. } | Sampling::PowerLaw { .. } | Sampling::Scattered { .. } => {
                Model::Completion
            }
            Sampling::Corrupted { .. } => Model::Rpca,
        }
    }

    /// Key of the cell's random streams: a function of its parameters, not of its place in a grid.
    /// A cell that appears in two scales, or in a user's sweep, therefore gives the same draws.
    pub fn key(&self) -> (&'static str, u64) {
        let (family, a, b) = match self.sampling {
            Sampling::Gaussian { measurements } => ("sensing", measurements as u64, 0),
            Sampling::Bilinear { measurements } => ("bilinear", measurements as u64, 0),
            Sampling::Covariance { measurements } => ("covariance", measurements as u64, 0),
            Sampling::Quadnet { measurements, negative } => {
                ("quadnet", measurements as u64, negative as u64)
            }
            Sampling::Bernoulli { p } => ("completion", u64::from(p.0), 0),
            Sampling::PowerLaw { entries, exponent } => {
                ("completion, power law", entries as u64, u64::from(exponent.0))
            }
            Sampling::Scattered { entries } => ("completion, scattered", entries as u64, 0),
            Sampling::Corrupted { corruption, missing, magnitude } => {
                let rest = u64::from(missing.0) << 32 | u64::from(magnitude.0);
                ("rpca", u64::from(corruption.0), rest)
            }
        };
        let words = [self.rows as u64, self.cols as u64, self.rank as u64, a, b];
        let exact = words.into_iter().fold(0x9e37_79b9_7f4a_7c15, absorb);
        // Draws without noise are those of before there was any.
        let noisy = (self.noise.0 > 0).then(|| absorb(exact, u64::from(self.noise.0)));
        (family, noisy.unwrap_or(exact))
    }

    /// The sampling parameter along which a phase transition is looked for: `m`, `p`, the exponent or
    /// the probability of a wrong entry.
    pub fn level(&self) -> f64 {
        match self.sampling {
            Sampling::Gaussian { measurements }
            | Sampling::Bilinear { measurements }
            | Sampling::Covariance { measurements }
            | Sampling::Quadnet { measurements, .. } => measurements as f64,
            Sampling::Bernoulli { p } => p.value(),
            Sampling::PowerLaw { exponent, .. } => exponent.value(),
            Sampling::Scattered { entries } => entries as f64,
            Sampling::Corrupted { corruption, .. } => corruption.value(),
        }
    }
}

/// Mixes a word into a hash: the finaliser of SplitMix64, a bijection of the 64-bit words.
fn absorb(hash: u64, word: u64) -> u64 {
    let mut z = (hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cell { rows, cols, rank, sampling, noise } = self;
        write!(f, "{} {rows}x{cols} rank {rank}, ", self.model())?;
        match sampling {
            Sampling::Gaussian { measurements }
            | Sampling::Bilinear { measurements }
            | Sampling::Covariance { measurements } => write!(f, "m = {measurements}"),
            Sampling::Quadnet { measurements, negative } => {
                write!(f, "{negative} of it negative, m = {measurements}")
            }
            Sampling::Bernoulli { p } => write!(f, "p = {p}"),
            Sampling::PowerLaw { entries, exponent } => {
                write!(f, "{entries} entries, exponent {exponent}")
            }
            Sampling::Scattered { entries } => write!(f, "{entries} entries"),
            Sampling::Corrupted { corruption, missing, magnitude } => {
                write!(f, "corruption {corruption} of magnitude {magnitude}, missing {missing}")
            }
        }?;
        if noise.0 > 0 { write!(f, ", noise {noise}") } else { Ok(()) }
    }
}

/// How much of an experiment is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Scale {
    /// Small grids and few trials: minutes.
    #[default]
    Quick,
    /// The paper's own grids and ten trials a cell.
    Paper,
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scale::Quick => "quick",
            Scale::Paper => "paper",
        })
    }
}

/// A grid of cells, each tried a number of times with every objective on the same draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Name, also of its files: lower-case letters, digits and hyphens.
    pub id: String,
    /// One line for the reader.
    pub title: String,
    /// Objectives, solved one after another on each draw.
    pub objectives: Vec<Objective>,
    /// Cells in the order of the records.
    pub cells: Vec<Cell>,
    /// Draws a cell.
    pub trials: u32,
    /// Relative duality gap that every solve is asked to certify.
    pub tolerance: f64,
    /// Whether its draws are solved one at a time in the order of the grid, before all others: their
    /// times and peaks of memory are what is asked for.
    pub alone: bool,
}

impl Sweep {
    /// Number of draws in all.
    pub fn draws(&self) -> usize {
        self.cells.len() * self.trials as usize
    }

    /// Number of solves in all.
    pub fn solves(&self) -> usize {
        self.draws() * self.objectives.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn corrupted(corruption: u32, missing: u32, magnitude: u32) -> Sampling {
        let [corruption, missing, magnitude] = [corruption, missing, magnitude].map(Millionths);
        Sampling::Corrupted { corruption, missing, magnitude }
    }

    #[test]
    fn keys_of_cells_are_distinct_and_do_not_depend_on_the_grid() {
        let mut keys = HashSet::new();
        let mut cells = 0;
        for d in 1..40 {
            for rank in 1..4 {
                for n in 0..30 {
                    for sampling in [
                        Sampling::Gaussian { measurements: n },
                        Sampling::Bilinear { measurements: n },
                        Sampling::Covariance { measurements: n },
                        Sampling::Quadnet { measurements: n, negative: 0 },
                        Sampling::Quadnet { measurements: n, negative: 1 },
                        Sampling::Bernoulli { p: Millionths(n as u32) },
                        Sampling::PowerLaw { entries: 7, exponent: Millionths(n as u32) },
                        Sampling::Scattered { entries: n },
                        corrupted(1, 7, n as u32),
                        corrupted(1, 40 + n as u32, 8),
                        corrupted(2 + n as u32, 7, 8),
                    ] {
                        let square = Cell::exact(d, d, rank, sampling);
                        keys.insert(square.key());
                        keys.insert(Cell { cols: 50, ..square }.key());
                        keys.insert(Cell { noise: Billionths(1 + n as u32), ..square }.key());
                        cells += 3;
                    }
                }
            }
        }
        assert_eq!(keys.len(), cells);
        // Pinned: published records depend on it.
        let sampling = Sampling::Gaussian { measurements: 40 };
        let cell = Cell::exact(10, 10, 2, sampling);
        assert_eq!(cell.key(), ("sensing", 8_498_962_116_467_794_610));
        let sampling = Sampling::Bilinear { measurements: 40 };
        assert_eq!(Cell { sampling, ..cell }.key(), ("bilinear", 8_498_962_116_467_794_610));
        let noise = Billionths(1000);
        assert_eq!(Cell { noise, ..cell }.key(), ("sensing", 755_460_791_718_541_970));
    }
}
