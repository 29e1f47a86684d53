//! Depth: flat factorisations `X = W_1 ... W_L` of the matrices that fit Gaussian measurements.
//!
//! For every draw, the least trace of the Hessian of `(1/m) |A(W_1 ... W_L) - b|^2` over the interpolating
//! factors is sought for several depths `L`, by the method of multipliers from several starts: the layers that
//! would be flattest in the population for NUC's answer, slightly moved, and random ones. It is not a convex
//! problem: what is found is the best of its starts. For two layers the convex program FLAT certifies it.
//!
//! A matrix of rank one, `M = s u v^T` with unit vectors `u` and `v`, can be factored with the trace
//!
//! ```text
//! 2 L ( s^2 (1/m) sum_i |A_i v|^2 (1/m) sum_i |A_i^T u|^2 (|b|^2 / m)^{L-2} )^{1/L}:
//! ```
//!
//! its middle layers see the measurements through `(s u^T A_i v)^2 = b_i^2` alone.

mod claims;
mod figure;
mod report;
pub mod summary;

use crate::Error;
use crate::claims::Claim;
use crate::figure::{Figure, finished};
use crate::spec::Scale;
use crate::study::{About, Evidence, Study, failed};
use flatmin::core::descent::{Constrained, Multipliers, TraceOf};
use flatmin::core::flatness::deep;
use flatmin::core::linalg::{Par, norm, singular_values, svd};
use flatmin::core::loss::Loss;
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{DeepLoss, LinearMap, Mat, MatRef, Recovery};
use flatmin::sensing::Planted;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Depths that are compared.
pub const DEPTHS: [usize; 3] = [2, 3, 4];

/// Ranks of the planted matrix.
pub const RANKS: [usize; 2] = [1, 2];

/// Errors below this are none.
pub const EXACT: f64 = 1e-6;

/// Standard deviation of the entries of a random start, for matrices of unit norm.
const SPREAD: f64 = 0.3;

/// By how much the start from NUC's answer is moved, out of the zeros beyond its rank.
const MOVED: f64 = 1e-3;

/// A point on the way to the zero set counts as on it below this relative residual.
const FITS: f64 = 1e-7;

/// Order of the matrix, the numbers of measurements for each rank, draws, and starts.
fn grid(scale: Scale) -> (usize, [&'static [usize]; 2], u32, usize) {
    match scale {
        Scale::Quick => (8, [&[16, 20, 24, 28, 34, 48], &[28, 34, 40, 46, 52, 60]], 10, 3),
        Scale::Paper => (
            10,
            [
                &[16, 20, 24, 28, 32, 36, 40, 46, 54, 64, 80, 100],
                &[32, 38, 44, 50, 56, 62, 68, 74, 80, 86, 92, 100],
            ],
            20,
            5,
        ),
    }
}

/// Where a search began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The layers of NUC's answer that are flattest in the population, moved a little.
    Nuclear,
    /// Gaussian layers.
    Random,
}

/// What a start led to, beside what the draw says without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Order of the matrix, and the inner widths of the factors.
    pub d: usize,
    /// Rank of the planted matrix, of unit Frobenius norm.
    pub rank: usize,
    /// Number of measurements.
    pub m: usize,
    /// Number of the draw, from 0.
    pub trial: u32,
    /// Number of layers.
    pub depth: usize,
    /// Where the search began.
    pub start: Start,
    /// Number of the start, from 0.
    pub number: usize,
    /// The trace found.
    pub trace: f64,
    /// Nuclear norm of the product of the layers found.
    pub nuclear_norm: f64,
    /// Its distance to the planted matrix.
    pub error: f64,
    /// Relative residual.
    pub residual: f64,
    /// What is left of the gradient of the trace beside the multipliers, relative.
    pub stationarity: f64,
    /// Whether residual and stationarity reached their tolerances.
    pub converged: bool,
    /// Evaluations that it took.
    pub evaluations: usize,
    /// The least nuclear norm that fits, NUC's objective.
    pub least_nuclear_norm: f64,
    /// Its relative gap.
    pub gap: f64,
    /// Distance of NUC's answer to the planted matrix.
    pub nuclear_error: f64,
    /// Least trace in the population for a matrix of the least nuclear norm.
    pub population: f64,
    /// Least trace of two layers by the convex program FLAT; empty for others.
    pub certified: Option<f64>,
    /// Trace of the best factors of one rank of a planted matrix of rank one; empty for others.
    pub rank_one: Option<f64>,
}

impl Row {
    /// Whether the layers interpolate.
    pub fn fits(&self) -> bool {
        self.residual <= FITS
    }

    /// `|X|_*` over the least that fits.
    pub fn ratio(&self) -> f64 {
        self.nuclear_norm / self.least_nuclear_norm
    }
}

impl Evidence for Row {
    fn claims(rows: &[Row]) -> Vec<Claim> {
        claims::of(&summary::Found::all(rows))
    }

    fn figures(rows: &[Row]) -> Result<Vec<Figure>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![finished("depth-matrix".to_owned(), figure::draw(&summary::Found::all(rows)))?])
    }

    fn caption(_: &Figure) -> &'static str {
        report::CAPTION
    }

    fn write(rows: &[Row], page: &mut String) {
        report::write(page, &summary::Found::all(rows));
    }
}

/// All depths and starts of one draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    d: usize,
    rank: usize,
    m: usize,
    trial: u32,
    starts: usize,
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Draw { d, rank, m, trial, starts } = self;
        write!(f, "order {d} rank {rank} from {m} measurements: draw {trial} from {starts} starts")
    }
}

impl Draw {
    /// A stream of its own.
    fn stream(&self, seed: u64, role: Role, shift: u64) -> Stream {
        let cell = (self.d * 1000 + self.m) as u64 * 10 + self.rank as u64;
        Stream::new(seed, DepthMatrix::ABOUT.id, cell, u64::from(self.trial) * 64 + shift, role)
    }
}

/// The study.
#[derive(Debug, Default)]
pub struct DepthMatrix {
    /// Some of the draws, in place of all.
    pub only: Option<Vec<Draw>>,
}

impl DepthMatrix {
    /// Only the first `trials` draws of a matrix of order `d` from each number of measurements.
    pub fn only(d: usize, rank: usize, measurements: &[usize], trials: u32) -> DepthMatrix {
        let draws = |m: usize| (0..trials).map(move |trial| Draw { d, rank, m, trial, starts: 2 });
        DepthMatrix { only: Some(measurements.iter().flat_map(|m| draws(*m)).collect()) }
    }
}

impl Study for DepthMatrix {
    type Task = Draw;
    type Row = Row;
    const ABOUT: About = About {
        id: "depth-matrix",
        title: "Depth: flat factorisations into two, three and four layers",
        must_show: "flat factorisations of every depth tend to the least nuclear norm and recover where it does: \
                    depth does no harm to matrices",
    };

    fn tasks(&self, scale: Scale) -> Vec<Draw> {
        if let Some(only) = &self.only {
            return only.clone();
        }
        let (d, measurements, trials, starts) = grid(scale);
        let mut tasks = Vec::new();
        for (rank, measurements) in RANKS.into_iter().zip(measurements) {
            for &m in measurements {
                tasks.extend((0..trials).map(|trial| Draw { d, rank, m, trial, starts }));
            }
        }
        tasks
    }

    fn perform(&self, draw: &Draw, seed: u64) -> Result<Vec<Row>, Error> {
        searches(draw, seed).map_err(failed(draw))
    }

    fn extent(&self, scale: Scale) -> String {
        let (draws, starts) = (self.tasks(scale).len(), grid(scale).3);
        format!("{draws} draws, {} searches", draws * starts * DEPTHS.len())
    }
}

/// Every depth from every start.
fn searches(draw: &Draw, seed: u64) -> Result<Vec<Row>, flatmin::core::Error> {
    let Draw { d, rank, m, trial, starts } = *draw;
    let (mut truth, mut measurements) =
        (draw.stream(seed, Role::Truth, 0), draw.stream(seed, Role::Measurements, 0));
    let planted = Planted::gaussian(d, d, rank, m, &mut truth, &mut measurements)?;
    let nuclear = planted.problem.nuclear().solve()?;
    let flat = planted.problem.flat().solve()?;
    let off = |x: &Mat<f64>| (x - &planted.truth).norm_l2();
    let answer = nuclear.matrix();
    let mut rows = Vec::new();
    for depth in DEPTHS {
        let inner = vec![d; depth - 1];
        let loss = DeepLoss::new(planted.problem.map(), planted.problem.targets(), &inner)?;
        let population = deep::least_trace(d, d, depth, nuclear.objective);
        let rank_one = (rank == 1).then(|| rank_one_trace(&planted, depth)).transpose()?;
        let certified = (depth == 2).then(|| certified_trace(&flat, d));
        for number in 0..starts {
            let begin = start(draw, &answer, &inner, loss.order(), (seed, number))?;
            let search = Multipliers { rounds: 30, iterations: 1000, ..Multipliers::default() };
            let Constrained { x, value, residual, stationarity, converged, evaluations, .. } =
                search.minimise(&TraceOf(&loss), &loss, &begin)?;
            let product = loss.product(&x)?;
            rows.push(Row {
                d,
                rank,
                m,
                trial,
                depth,
                start: if number == 0 { Start::Nuclear } else { Start::Random },
                number,
                trace: value,
                nuclear_norm: singular_values(product.as_ref(), Par::Seq)?.iter().sum(),
                error: off(&product),
                residual,
                stationarity,
                converged,
                evaluations,
                least_nuclear_norm: nuclear.objective,
                gap: nuclear.relative_gap,
                nuclear_error: off(&answer),
                population,
                certified,
                rank_one,
            });
        }
    }
    Ok(rows)
}

/// `4 d |D1 X D2|_*`: the plain trace of square factors is `d` times the scaled one.
fn certified_trace(flat: &Recovery, d: usize) -> f64 {
    4.0 * d as f64 * flat.objective
}

/// The layers at which a search begins.
fn start(
    draw: &Draw,
    answer: &Mat<f64>,
    inner: &[usize],
    order: usize,
    (seed, number): (u64, usize),
) -> Result<Vec<f64>, flatmin::core::Error> {
    let mut stream = draw.stream(seed, Role::Start, (inner.len() * 16 + number) as u64);
    let random = stream.gaussian_vector(order);
    if number > 0 {
        return Ok(random.into_iter().map(|g| SPREAD * g).collect());
    }
    let layers = deep::flat_layers(answer.as_ref(), inner)?;
    let entries = layers.iter().flat_map(|w| w.col_iter()).flat_map(|c| c.iter().copied());
    Ok(entries.zip(random).map(|(w, g)| w + MOVED * g).collect())
}

/// The trace of the best factors of rank one of the planted matrix.
fn rank_one_trace(planted: &Planted, depth: usize) -> Result<f64, flatmin::core::Error> {
    let parts = svd(planted.truth.as_ref(), Par::Seq)?;
    let (map, targets) = (planted.problem.map(), planted.problem.targets());
    let leading = |side: &Mat<f64>| -> Mat<f64> {
        MatRef::from_column_major_slice(side.col_as_slice(0), side.nrows(), 1).to_owned()
    };
    let (u, v) = (leading(&parts.u), leading(&parts.v));
    let m = targets.len() as f64;
    let (by_v, by_u) = map.energies(u.as_ref(), v.as_ref());
    let middle = (norm(targets).powi(2) / m).powi(depth as i32 - 2);
    let product = parts.s[0].powi(2) * by_v / m * by_u / m * middle;
    Ok(2.0 * depth as f64 * product.powf(1.0 / depth as f64))
}
