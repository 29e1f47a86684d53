//! The width of the factors: the flat answer does not depend on it, once they hold that answer.
//!
//! Over factors of `k` columns the least scaled trace of what fits is
//!
//! ```text
//! min 2 |D1 L|_F^2 + 2 |D2 R|_F^2  s.t.  A(L R^T) = b      =      min 4 |D1 X D2|_*  s.t.  A(X) = b, rank X <= k,
//! ```
//!
//! and FLAT leaves the rank out: the two agree from the rank of FLAT's answer on. Networks of `k1` positive and
//! `k2` negative units, `X = U1 U1^T - U2 U2^T`, do so once they have as many of each as the answer has
//! eigenvalues of that sign. Here the left side is minimised over the factors, by the method of multipliers from
//! random starts, and FLAT is solved as a convex program, with a certificate. With few measurements FLAT's answer
//! is not the planted matrix and its rank is larger; there the width matters up to that rank.

mod claims;
mod figure;
mod report;

use crate::Error;
use crate::claims::Claim;
use crate::figure::{Figure, finished};
use crate::spec::{Model, Scale};
use crate::study::{About, Evidence, Study, failed};
use flatmin::core::descent::{Lbfgs, Multipliers, TraceOf};
use flatmin::core::linalg::{product, scale_columns, symmetric_eigenvalues};
use flatmin::core::loss::{LeastSquares, Traced};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{
    self, Domain, FactoredLoss, LinearMap, Mat, Measured, Recovery, SymmetricLoss,
};
use flatmin::{completion, quadnet, sensing};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Order of the matrices.
pub const ORDER: usize = 10;

/// Rank of the planted matrices; for networks one eigenvalue is negative.
pub const RANK: usize = 2;

/// Columns of the factors.
pub const WIDTHS: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20];

/// The models, with numbers of measurements from which FLAT recovers in most draws, and from which it does not.
/// For completion a hundred times the probability of an entry, and as many entries on average.
pub const CELLS: [(Model, [usize; 2]); 3] =
    [(Model::Sensing, [75, 50]), (Model::Completion, [85, 50]), (Model::Quadnet, [48, 28])];

/// Random starts from which plain descent fits the measurements, and of which the best counts.
pub const STARTS: u32 = 3;

/// Random starts until so many do.
pub const TRIES: u32 = 10;

/// Deviation of the entries of the factors at the start; planted matrices have unit norm.
const START: f64 = 0.3;

/// Relative residual below which plain descent has found a fit, to be made exact with the least trace.
const FOUND: f64 = 1e-3;

/// Rounds of the method of multipliers, which needs a dozen where it converges.
const ROUNDS: usize = 20;

/// Relative gap of FLAT.
const GAP: f64 = 1e-11;

/// Relative excess of the trace over that of FLAT up to which the two are the same.
pub const SAME: f64 = 1e-7;

/// Relative residual up to which factors fit.
pub const FITS: f64 = 1e-7;

/// Eigenvalues below this part of the largest are zero.
const ZERO: f64 = 1e-6;

/// Draws of a cell.
fn trials(scale: Scale) -> u32 {
    match scale {
        Scale::Quick => 10,
        Scale::Paper => 50,
    }
}

/// One draw of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    model: Model,
    m: usize,
    trial: u32,
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Draw { model, m, trial } = self;
        write!(f, "{model} m {m} draw {trial}")
    }
}

/// The factors of one width of a draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The measurement model.
    pub model: Model,
    /// Order of the matrix.
    pub d: usize,
    /// Rank of the planted one.
    pub rank: usize,
    /// Measurements asked for.
    pub asked: usize,
    /// Measurements, or entries that were seen.
    pub m: usize,
    /// Number of the draw, from 0.
    pub trial: u32,
    /// Root seed.
    pub seed: u64,
    /// `|D1 X D2|_*` at FLAT's answer.
    pub flat: f64,
    /// Its relative duality gap.
    pub flat_gap: f64,
    /// Rank of FLAT's answer.
    pub flat_rank: usize,
    /// Whether it is the planted matrix, to 1e-6.
    pub recovered: bool,
    /// The least width whose factors hold FLAT's answer.
    pub needed: usize,
    /// Columns of the factors, for networks of both signs together.
    pub k: usize,
    /// Random starts, to the first that ended at FLAT's value.
    pub starts: u32,
    /// Of these, starts from which plain descent on the loss found a fit.
    pub fitted: u32,
    /// Whether the best of them fits and is stationary.
    pub converged: bool,
    /// `|A(X) - b| / |b|` there.
    pub residual: f64,
    /// Gradient of the trace without what the multipliers explain, relative to it.
    pub stationarity: Option<f64>,
    /// By what part the scaled trace exceeds that of FLAT, of factors that fit.
    pub excess: Option<f64>,
    /// `|X - X'|_F / |X'|_F`, with `X'` FLAT's answer, of factors that fit.
    pub distance: Option<f64>,
    /// `|X - M|_F / |M|_F`, of factors that fit.
    pub error: Option<f64>,
    /// Values and gradients that were computed, over all starts.
    pub evaluations: usize,
    /// Version of flatmin.
    pub version: String,
}

impl Row {
    /// Whether the factors reach the value of FLAT.
    pub fn reaches(&self) -> bool {
        self.excess.is_some_and(|excess| excess.abs() <= SAME)
    }
}

impl Evidence for Row {
    fn claims(rows: &[Row]) -> Vec<Claim> {
        claims::of(rows)
    }

    fn figures(rows: &[Row]) -> Result<Vec<Figure>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![finished("width".to_owned(), figure::draw(rows))?])
    }

    fn caption(_: &Figure) -> &'static str {
        report::CAPTION
    }

    fn write(rows: &[Row], page: &mut String) {
        report::write(rows, page);
    }
}

/// The study.
#[derive(Debug, Clone, Copy, Default)]
pub struct Width;

impl Study for Width {
    type Task = Draw;
    type Row = Row;
    const ABOUT: About = About {
        id: "width",
        title: "The width of the factors: from the rank of the answer on it does not matter",
        must_show: "the least scaled trace over factors of k columns is that of FLAT for every k from the rank \
                    of its answer to twice the order, and larger below",
    };

    fn tasks(&self, scale: Scale) -> Vec<Draw> {
        let cells = CELLS.into_iter().flat_map(|(model, ms)| ms.map(|m| (model, m)));
        cells
            .flat_map(|(model, m)| (0..trials(scale)).map(move |trial| Draw { model, m, trial }))
            .collect()
    }

    fn perform(&self, draw: &Draw, seed: u64) -> Result<Vec<Row>, Error> {
        draw.rows(seed).map_err(failed(draw))
    }

    fn extent(&self, scale: Scale) -> String {
        let draws = self.tasks(scale).len();
        format!("{draws} draws, factors of {} widths each", WIDTHS.len())
    }
}

/// A problem of any of the models, with the planted matrix.
struct Problem {
    map: Box<dyn LinearMap>,
    targets: Vec<f64>,
    domain: Domain,
    truth: Mat<f64>,
}

impl Problem {
    fn of<M: LinearMap + Clone + 'static>(problem: &Measured<M>, truth: Mat<f64>) -> Problem {
        let targets = problem.targets().to_vec();
        Problem { map: Box::new(problem.map().clone()), targets, domain: problem.domain(), truth }
    }

    /// The least width of factors that hold an answer.
    fn needed(&self, answer: &Recovery) -> Result<usize, core::Error> {
        if self.domain == Domain::General {
            return Ok(answer.rank);
        }
        let values = symmetric_eigenvalues(answer.matrix().as_ref())?;
        let zero = ZERO * values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let positive = values.iter().filter(|v| **v > zero).count();
        let negative = values.iter().filter(|v| **v < -zero).count();
        // Half of the columns, rounded up, are positive.
        Ok((2 * positive).saturating_sub(1).max(2 * negative))
    }
}

/// Where descent over factors ended.
struct Ended {
    matrix: Mat<f64>,
    /// The scaled trace, over four for pairs and over eight for networks: `|D1 X D2|_*` at flat factors.
    value: f64,
    residual: f64,
    stationarity: f64,
    converged: bool,
    evaluations: usize,
}

impl Draw {
    fn stream(&self, seed: u64, k: usize, start: u32, role: Role) -> Stream {
        let cell = (self.model as u64 * 1000 + self.m as u64) * 100 + k as u64;
        Stream::new(seed, "width", cell, u64::from(self.trial * TRIES + start), role)
    }

    fn problem(&self, seed: u64) -> Result<Problem, core::Error> {
        let stream = |role| self.stream(seed, 0, 0, role);
        let (truth, data) = (&mut stream(Role::Truth), &mut stream(Role::Measurements));
        let (d, r) = (ORDER, RANK);
        Ok(match self.model {
            Model::Completion => {
                let p = self.m as f64 / 100.0;
                let drawn = completion::Planted::bernoulli(d, d, r, p, truth, data)?;
                Problem::of(&drawn.problem, drawn.truth)
            }
            Model::Quadnet => {
                let drawn = quadnet::Planted::gaussian(d, r - 1, 1, self.m, truth, data)?;
                Problem::of(&drawn.problem, drawn.truth)
            }
            _ => {
                let drawn = sensing::Planted::gaussian(d, d, r, self.m, truth, data)?;
                Problem::of(&drawn.problem, drawn.truth)
            }
        })
    }

    fn rows(&self, seed: u64) -> Result<Vec<Row>, core::Error> {
        let problem = self.problem(seed)?;
        let program =
            core::Program::new(problem.map.as_ref(), &problem.targets, core::Objective::Flat);
        let answer = program.over(problem.domain).tolerance(GAP).solve()?;
        let (matrix, flat) = (answer.matrix(), answer.objective);
        let off = |x: &Mat<f64>, from: &Mat<f64>| (x - from).norm_l2() / from.norm_l2();
        let (recovered, needed) = (off(&matrix, &problem.truth) < 1e-6, problem.needed(&answer)?);
        let mut rows = Vec::new();
        for k in WIDTHS {
            let (mut best, mut starts, mut fitted): (Option<Ended>, u32, u32) = (None, 0, 0);
            let mut evaluations = 0;
            while starts < TRIES && fitted < STARTS {
                let ended = descend(&problem, k, &mut self.stream(seed, k, starts, Role::Start))?;
                starts += 1;
                fitted += u32::from(ended.residual <= FOUND);
                evaluations += ended.evaluations;
                let better = best.as_ref().is_none_or(|best| ended.is_better_than(best));
                if better {
                    best = Some(ended);
                }
                if best
                    .as_ref()
                    .is_some_and(|best| best.fits() && best.value <= (1.0 + SAME) * flat)
                {
                    break;
                }
            }
            let Some(best) = best else { continue };
            let of = |value: f64| best.fits().then_some(value);
            rows.push(Row {
                model: self.model,
                d: ORDER,
                rank: RANK,
                asked: self.m,
                m: problem.targets.len(),
                trial: self.trial,
                seed,
                flat,
                flat_gap: answer.relative_gap,
                flat_rank: answer.rank,
                recovered,
                needed,
                k,
                starts,
                fitted,
                converged: best.converged,
                residual: best.residual,
                stationarity: of(best.stationarity),
                excess: of(best.value / flat - 1.0),
                distance: of(off(&best.matrix, &matrix)),
                error: of(off(&best.matrix, &problem.truth)),
                evaluations,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            });
        }
        Ok(rows)
    }
}

impl Ended {
    fn fits(&self) -> bool {
        self.residual <= FITS
    }

    /// Of two that fit the one of less trace, of others the one of less residual.
    fn is_better_than(&self, other: &Ended) -> bool {
        match (self.fits(), other.fits()) {
            (true, true) => self.value < other.value,
            (false, false) => self.residual < other.residual,
            (fits, _) => fits,
        }
    }
}

/// Minimises the scaled trace over the factors of a width that fit, from a random start.
fn descend(problem: &Problem, k: usize, stream: &mut Stream) -> Result<Ended, core::Error> {
    let (map, targets) = (problem.map.as_ref(), &problem.targets);
    if problem.domain == Domain::General {
        let loss = FactoredLoss::new(map, targets)?.of_width(k)?;
        let matrix = |x: &[f64]| loss.pair(x).map(|(l, r)| product(l, r.transpose()));
        return minimise(&loss, 4.0, stream, matrix);
    }
    let loss = SymmetricLoss::new(map, targets, k.div_ceil(2), k / 2)?;
    let matrix = |x: &[f64]| {
        let u = core::MatRef::from_column_major_slice(x, ORDER, k);
        Ok(product(scale_columns(u, loss.signs()).as_ref(), u.transpose()))
    };
    minimise(&loss, 8.0, stream, matrix)
}

fn minimise<L: LeastSquares + Traced>(
    loss: &L,
    unit: f64,
    stream: &mut Stream,
    matrix: impl Fn(&[f64]) -> Result<Mat<f64>, core::Error>,
) -> Result<Ended, core::Error> {
    let start: Vec<f64> = stream.gaussian_vector(loss.order()).iter().map(|x| START * x).collect();
    let descent = Lbfgs { limit: 2000, ..Lbfgs::default() }.minimise(loss, &start)?;
    let residual = (descent.value / loss.value(&vec![0.0; loss.order()])?).sqrt();
    if residual > FOUND {
        return Ok(Ended {
            matrix: matrix(&descent.x)?,
            value: f64::INFINITY,
            residual,
            stationarity: f64::INFINITY,
            converged: false,
            evaluations: descent.evaluations,
        });
    }
    let method = Multipliers::default().rounds(ROUNDS);
    let found = method.minimise(&TraceOf(loss), loss, &descent.x)?;
    Ok(Ended {
        matrix: matrix(&found.x)?,
        value: found.value / unit,
        residual: found.residual,
        stationarity: found.stationarity,
        converged: found.converged,
        evaluations: descent.evaluations + found.evaluations,
    })
}

#[cfg(test)]
impl Row {
    /// A descent that converged, of a draw that FLAT does not recover.
    pub(crate) fn blank(model: Model, asked: usize, needed: usize) -> Row {
        Row {
            model,
            d: ORDER,
            rank: RANK,
            asked,
            m: asked,
            trial: 0,
            seed: 0,
            flat: 1.0,
            flat_gap: 0.0,
            flat_rank: needed,
            recovered: false,
            needed,
            k: needed,
            starts: 1,
            fitted: 1,
            converged: true,
            residual: 0.0,
            stationarity: Some(0.0),
            excess: Some(0.0),
            distance: Some(0.0),
            error: Some(1.0),
            evaluations: 1,
            version: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_values_are_reached_from_the_rank_on_and_not_before() -> Result<(), core::Error> {
        for (model, m) in [(Model::Sensing, 75), (Model::Completion, 85), (Model::Quadnet, 28)] {
            let rows = Draw { model, m, trial: 0 }.rows(1)?;
            assert_eq!(rows.len(), WIDTHS.len());
            for row in rows {
                let case = format!("{model}, k = {}, rank {}: {:?}", row.k, row.needed, row.excess);
                assert_eq!(row.reaches(), row.k >= row.needed, "{case}");
                // No factors are flatter than the certified optimum, but by what they do not fit.
                assert!(row.excess.is_none_or(|excess| excess > -1e-8), "{case}");
            }
        }
        Ok(())
    }

    #[test]
    fn networks_need_units_of_both_signs() -> Result<(), Box<dyn std::error::Error>> {
        let draw = Draw { model: Model::Quadnet, m: 48, trial: 0 };
        let problem = draw.problem(1)?;
        let answer =
            core::Program::new(problem.map.as_ref(), &problem.targets, core::Objective::Flat)
                .over(problem.domain)
                .solve()?;
        // One positive and one negative eigenvalue.
        assert_eq!((answer.rank, problem.needed(&answer)?), (2, 2));
        Ok(())
    }
}
