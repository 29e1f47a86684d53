//! The fat content of meat from its near-infrared spectrum, by a network with quadratic activations.
//!
//! ```text
//! cargo run --release -p flatmin-cli --example tecator
//! ```
//!
//! makes every number of `docs/tecator.md`. 215 spectra of 100 channels (`docs/data`) are brought to
//! mean 0 and variance 1 each (standard normal variate), then to their `k` leading principal
//! components, each of variance 1, with a constant 1 appended. Three predictors are compared:
//!
//! * *linear*: ridge regression on the components, the intercept free;
//! * *quadratic*: ridge regression on all components and products of two, the intercept free;
//! * *flat network*: `y = x^T X x` with `min 1/2 |A(X) - y|^2 + lambda |D X D|_*`.
//!
//! Ten folds measure the error, five times over; within the other nine, five folds choose `lambda` and
//! `k`. Nothing of a fold, its mean and its components included, is seen before it is predicted.

use flatmin::core::linalg::{self, Cholesky, Par};
use flatmin::core::operator::Whitening;
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{LinearMap, Mat, MatRef};
use flatmin::quadnet::QuadNet;
use std::error::Error;
use std::fs;
use std::time::Instant;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/data/tecator_meats.csv");

/// Channels of a spectrum; the columns after them are water, fat and protein, in per cent.
const CHANNELS: usize = 100;
const FAT: usize = 101;

/// Times that the samples are divided anew into the outer folds.
const ROUNDS: u64 = 5;
const OUTER_FOLDS: usize = 10;
const INNER_FOLDS: usize = 5;

/// Numbers of principal components to choose from.
const COMPONENTS: [usize; 5] = [6, 8, 10, 13, 17];

/// Penalties to choose from, as powers of ten: of the largest entry of the normal matrix for
/// ridge regression, of the least penalty at which the answer is zero for the network.
const POWERS: [f64; 9] = [-1.0, -2.0, -2.5, -3.0, -3.5, -4.0, -5.0, -6.0, -7.0];

/// Relative duality gap of the fits.
const TOLERANCE: f64 = 1e-5;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Spectra (one a row) and fat contents.
#[derive(Clone)]
struct Samples {
    spectra: Mat<f64>,
    fat: Vec<f64>,
}

impl Samples {
    /// The samples of a file, each spectrum with mean 0 and variance 1.
    fn read(path: &str) -> Outcome<Samples> {
        let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let row: Result<Vec<f64>, _> = line.split(',').map(str::parse).collect();
            let row = row.map_err(|e| format!("{path}, line {}: {e}", number + 1))?;
            if row.len() != CHANNELS + 3 {
                return Err(format!("{path}, line {}: {} columns", number + 1, row.len()).into());
            }
            rows.push(row);
        }
        let spectra = Mat::from_fn(rows.len(), CHANNELS, |i, j| {
            let spectrum = &rows[i][..CHANNELS];
            let mean = spectrum.iter().sum::<f64>() / CHANNELS as f64;
            let square: f64 = spectrum.iter().map(|v| (v - mean).powi(2)).sum();
            (spectrum[j] - mean) / (square / (CHANNELS - 1) as f64).sqrt()
        });
        Ok(Samples { spectra, fat: rows.iter().map(|row| row[FAT]).collect() })
    }

    fn len(&self) -> usize {
        self.fat.len()
    }

    fn pick(&self, rows: &[usize]) -> Samples {
        Samples {
            spectra: Mat::from_fn(rows.len(), CHANNELS, |i, j| self.spectra[(rows[i], j)]),
            fat: rows.iter().map(|&i| self.fat[i]).collect(),
        }
    }
}

/// The leading principal components of some spectra, each scaled to variance 1.
struct Components {
    mean: Vec<f64>,
    directions: Mat<f64>,
}

impl Components {
    fn of(spectra: MatRef<'_, f64>, k: usize) -> Outcome<Components> {
        let n = spectra.nrows();
        let mean: Vec<f64> = spectra.col_iter().map(|c| c.iter().sum::<f64>() / n as f64).collect();
        let centred = Mat::from_fn(n, CHANNELS, |i, j| spectra[(i, j)] - mean[j]);
        let svd = linalg::svd(centred.as_ref(), Par::Seq)?;
        let deviation = |j: usize| svd.s[j] / ((n - 1) as f64).sqrt();
        let directions = Mat::from_fn(CHANNELS, k, |i, j| svd.v[(i, j)] / deviation(j));
        Ok(Components { mean, directions })
    }

    /// Scores, one sample a row.
    fn scores(&self, spectra: MatRef<'_, f64>) -> Mat<f64> {
        let centred =
            Mat::from_fn(spectra.nrows(), CHANNELS, |i, j| spectra[(i, j)] - self.mean[j]);
        linalg::product(centred.as_ref(), self.directions.as_ref())
    }
}

/// A way to predict fat from scores.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Linear,
    Quadratic,
    Flat,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Linear => "linear ridge",
            Method::Quadratic => "quadratic ridge",
            Method::Flat => "flat quadratic network",
        }
    }

    /// Predictions for `fresh`, after a fit to `scores` and `fat` with each of the penalties; the
    /// rank of the network, or the number of coefficients.
    fn predict(
        self,
        scores: &Mat<f64>,
        fat: &[f64],
        fresh: &Mat<f64>,
        powers: &[f64],
    ) -> Outcome<Vec<(Vec<f64>, usize)>> {
        let mean = fat.iter().sum::<f64>() / fat.len() as f64;
        let centred: Vec<f64> = fat.iter().map(|y| y - mean).collect();
        let mut out = match self {
            Method::Linear => ridge(scores, &centred, fresh, powers)?,
            Method::Quadratic => {
                ridge(&with_products(scores), &centred, &with_products(fresh), powers)?
            }
            Method::Flat => network(scores, &centred, fresh, powers)?,
        };
        out.iter_mut().for_each(|(y, _)| y.iter_mut().for_each(|y| *y += mean));
        Ok(out)
    }
}

/// Scores and all products of two of them.
fn with_products(scores: &Mat<f64>) -> Mat<f64> {
    let k = scores.ncols();
    let pairs: Vec<(usize, usize)> = (0..k).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    Mat::from_fn(scores.nrows(), k + pairs.len(), |n, at| match at.checked_sub(k) {
        None => scores[(n, at)],
        Some(at) => scores[(n, pairs[at].0)] * scores[(n, pairs[at].1)],
    })
}

/// Ridge regression of targets of mean zero, the intercept free.
fn ridge(
    features: &Mat<f64>,
    targets: &[f64],
    fresh: &Mat<f64>,
    powers: &[f64],
) -> Outcome<Vec<(Vec<f64>, usize)>> {
    let (n, k) = features.shape();
    let mean: Vec<f64> = features.col_iter().map(|c| c.iter().sum::<f64>() / n as f64).collect();
    let centre = |f: &Mat<f64>| Mat::from_fn(f.nrows(), k, |i, j| f[(i, j)] - mean[j]);
    let (features, fresh) = (centre(features), centre(fresh));
    let gram = linalg::product(features.transpose(), features.as_ref());
    let y = MatRef::from_column_major_slice(targets, n, 1);
    let right = linalg::product(features.transpose(), y);
    let unit = (0..k).map(|i| gram[(i, i)]).fold(0.0, f64::max);
    powers
        .iter()
        .map(|power| {
            let mut shifted = gram.clone();
            (0..k).for_each(|i| shifted[(i, i)] += unit * 10f64.powf(*power));
            let factor = Cholesky::new(shifted, Par::Seq).ok_or("the ridge is too small")?;
            let mut weights = right.clone();
            factor.solve_in_place(weights.as_mut());
            let predicted = linalg::product(fresh.as_ref(), weights.as_ref());
            Ok((predicted.col(0).iter().copied().collect(), k))
        })
        .collect()
}

/// `x = (scores, 1)`, one after the other.
fn inputs(scores: &Mat<f64>) -> Vec<f64> {
    let k = scores.ncols();
    (0..scores.nrows())
        .flat_map(|i| (0..=k).map(move |j| if j < k { scores[(i, j)] } else { 1.0 }))
        .collect()
}

/// The flat network, of least `1/2 |A(X) - y|^2 + lambda |D X D|_*`.
fn network(
    scores: &Mat<f64>,
    targets: &[f64],
    fresh: &Mat<f64>,
    powers: &[f64],
) -> Outcome<Vec<(Vec<f64>, usize)>> {
    let order = scores.ncols() + 1;
    let problem = QuadNet::from_arrays(order, inputs(scores), targets.to_vec())?;
    // From this penalty on the network is zero.
    let p = Whitening::new(&problem.rescaling()?.d1_squared, true)?;
    let back = p.transpose_times(problem.map().adjoint_matrix(targets).as_ref());
    let whitened = p.transpose_times(back.transpose());
    let unit = linalg::operator_norm(whitened.as_ref())?;
    let fresh = QuadNet::from_arrays(order, inputs(fresh), vec![0.0; fresh.nrows()])?;
    powers
        .iter()
        .map(|power| {
            let program = problem.flat().penalty(unit * 10f64.powf(*power)).tolerance(TOLERANCE);
            let answer = program.solve()?;
            if !answer.status.is_certified() {
                return Err(format!("a fit ended {}", answer.status).into());
            }
            let mut predicted = vec![0.0; fresh.targets().len()];
            fresh.map().apply(answer.matrix().as_ref(), &mut predicted);
            Ok((predicted, answer.rank))
        })
        .collect()
}

/// Which fold each sample belongs to, in a random order.
fn folds(n: usize, count: usize, stream: &mut Stream) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = (0..n).map(|i| (stream.uniform(), i)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut fold = vec![0; n];
    order.iter().enumerate().for_each(|(rank, &(_, i))| fold[i] = rank % count);
    fold
}

/// Samples of a fold, and the others.
fn split(fold: &[usize], of: usize) -> (Vec<usize>, Vec<usize>) {
    (0..fold.len()).partition(|&i| fold[i] == of)
}

/// Sum of squared errors.
fn squares(predicted: &[f64], fat: &[f64]) -> f64 {
    predicted.iter().zip(fat).map(|(p, y)| (p - y).powi(2)).sum()
}

/// The number of components and the penalty of least error over the inner folds.
fn choose(method: Method, samples: &Samples, stream: &mut Stream) -> Outcome<(usize, f64)> {
    let fold = folds(samples.len(), INNER_FOLDS, stream);
    let mut best = (f64::INFINITY, COMPONENTS[0], POWERS[0]);
    for k in COMPONENTS {
        let mut errors = [0.0; POWERS.len()];
        for of in 0..INNER_FOLDS {
            let (held, rest) = split(&fold, of);
            let (held, rest) = (samples.pick(&held), samples.pick(&rest));
            let components = Components::of(rest.spectra.as_ref(), k)?;
            let scores = components.scores(rest.spectra.as_ref());
            let fresh = components.scores(held.spectra.as_ref());
            let predictions = method.predict(&scores, &rest.fat, &fresh, &POWERS)?;
            for (error, (predicted, _)) in errors.iter_mut().zip(&predictions) {
                *error += squares(predicted, &held.fat);
            }
        }
        for (error, power) in errors.into_iter().zip(POWERS) {
            if error < best.0 {
                best = (error, k, power);
            }
        }
    }
    Ok((best.1, best.2))
}

/// What the outer folds said about a method.
#[derive(Default)]
struct Trial {
    /// Root mean square error of a round.
    errors: Vec<f64>,
    components: Vec<usize>,
    powers: Vec<f64>,
    ranks: Vec<usize>,
}

impl Trial {
    /// One round over all samples.
    fn round(&mut self, method: Method, samples: &Samples, round: u64) -> Outcome<()> {
        // The same folds for every method.
        let stream = |fold| Stream::new(0, "tecator", round, fold, Role::Start);
        let fold = folds(samples.len(), OUTER_FOLDS, &mut stream(0));
        let mut sum = 0.0;
        for of in 0..OUTER_FOLDS {
            let (held, rest) = split(&fold, of);
            let (held, rest) = (samples.pick(&held), samples.pick(&rest));
            let (k, power) = choose(method, &rest, &mut stream(1 + of as u64))?;
            let components = Components::of(rest.spectra.as_ref(), k)?;
            let scores = components.scores(rest.spectra.as_ref());
            let fresh = components.scores(held.spectra.as_ref());
            for (predicted, rank) in method.predict(&scores, &rest.fat, &fresh, &[power])? {
                sum += squares(&predicted, &held.fat);
                self.ranks.push(rank);
            }
            self.components.push(k);
            self.powers.push(power);
        }
        self.errors.push((sum / samples.len() as f64).sqrt());
        Ok(())
    }
}

/// The middle of some numbers.
fn median<T: Copy + PartialOrd>(values: &[T]) -> Outcome<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied().ok_or_else(|| "nothing was measured".into())
}

fn main() -> Outcome<()> {
    let samples = Samples::read(DATA)?;
    let mean = samples.fat.iter().sum::<f64>() / samples.len() as f64;
    let spread = (squares(&vec![mean; samples.len()], &samples.fat) / samples.len() as f64).sqrt();
    println!("{} samples; the standard deviation of fat is {spread:.2} %", samples.len());
    println!(
        "root mean square errors over {OUTER_FOLDS} folds, {ROUNDS} rounds; medians of the rest\n"
    );
    println!("| predictor | mean error | least to largest | components | penalty | rank | time |");
    println!("|---|---|---|---|---|---|---|");
    for method in [Method::Linear, Method::Quadratic, Method::Flat] {
        let clock = Instant::now();
        let mut trial = Trial::default();
        for round in 0..ROUNDS {
            trial.round(method, &samples, round)?;
        }
        let mean = trial.errors.iter().sum::<f64>() / ROUNDS as f64;
        let least = trial.errors.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let most = trial.errors.iter().fold(0.0, |a: f64, &b| a.max(b));
        let rank = match method {
            Method::Flat => median(&trial.ranks)?.to_string(),
            _ => String::new(),
        };
        println!(
            "| {} | {mean:.2} % | {least:.2} to {most:.2} % | {} | 1e{} | {rank} | {:.0} s |",
            method.name(),
            median(&trial.components)?,
            median(&trial.powers)?,
            clock.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
