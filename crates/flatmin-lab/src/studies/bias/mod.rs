//! Implicit bias: among all factors that interpolate, at which does each descent method end?
//!
//! A problem is planted, its flat and its norm-minimal values are certified by the convex programs, and every method
//! starts from the same random factors of the widths `r`, `2r` and `d`. Where it ends it is brought onto the zero
//! set, and there everything is measured.

mod claims;
mod figure;
pub mod methods;
mod report;

use crate::Error;
use crate::claims::Claim;
use crate::figure::Figure;
use crate::spec::Scale;
use crate::study::{About, Evidence, Study, failed};
#[cfg(test)]
use crate::summary::quantile;
use flatmin::core::descent::{self, Descended, End, Multipliers, SquaredDistance, settle};
use flatmin::core::flatness::SymmetricOperator;
use flatmin::core::flatness::spectrum::Lanczos;
use flatmin::core::linalg::{inner, norm};
use flatmin::core::loss::{Factorised, LeastSquares, Traced};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{self, LinearMap, Mat, Measured, SymmetricLoss};
use flatmin::{completion, quadnet, sensing};
use methods::{Method, Run, Start};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Rank of the planted matrix.
const RANK: usize = 2;

/// Relative duality gap of the convex values.
const GAP: f64 = 1e-9;

/// Relative residual on the zero set, and where methods without a bias end.
const ON: f64 = 1e-9;
const NEAR: f64 = 1e-4;

/// Steps of a run at most.
const LIMIT: usize = 10_000;

/// A family of planted problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Gaussian measurements.
    Sensing,
    /// Entries sampled evenly.
    Even,
    /// Entries sampled by a power law.
    Uneven,
    /// A network with quadratic activations, one eigenvalue of its teacher negative.
    Quadnet,
}

impl Setting {
    /// All of them.
    pub const ALL: [Setting; 4] =
        [Setting::Sensing, Setting::Even, Setting::Uneven, Setting::Quadnet];

    /// For the reader.
    pub fn title(self) -> &'static str {
        match self {
            Setting::Sensing => "matrix sensing",
            Setting::Even => "completion, even sampling",
            Setting::Uneven => "completion, uneven sampling",
            Setting::Quadnet => "quadratic network",
        }
    }

    /// In names of files.
    pub fn name(self) -> &'static str {
        match self {
            Setting::Sensing => "sensing",
            Setting::Even => "even",
            Setting::Uneven => "uneven",
            Setting::Quadnet => "quadnet",
        }
    }

    /// Order of the square matrix.
    pub fn order(self) -> usize {
        match self {
            Setting::Sensing | Setting::Quadnet => 8,
            Setting::Even | Setting::Uneven => 10,
        }
    }

    /// Widths of the factors: the rank, twice the rank, the order.
    pub fn widths(self) -> [usize; 3] {
        [RANK, 2 * RANK, self.order()]
    }

    /// The problem in words.
    pub fn about(self) -> String {
        let d = self.order();
        match self {
            Setting::Sensing => format!("d = {d}, {MEASUREMENTS} Gaussian measurements"),
            Setting::Even => format!("d = {d}, each entry seen with probability {SHARE}"),
            Setting::Uneven => {
                let entries = SHARE * (d * d) as f64;
                format!(
                    "d = {d}, {entries:.0} entries expected, power law with exponent {EXPONENT}"
                )
            }
            Setting::Quadnet => format!("d = {d}, {EXAMPLES} examples"),
        }
    }
}

/// Measurements, sampled share, exponent of the weights of rows and columns, examples.
const MEASUREMENTS: usize = 52;
const SHARE: f64 = 0.75;
const EXPONENT: f64 = 0.75;
const EXAMPLES: usize = 30;

/// One draw of a setting, with all methods at all widths.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    setting: Setting,
    trial: u32,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting.name(), self.trial)
    }
}

/// Where one run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The family of the problem.
    pub setting: Setting,
    /// Number of the draw, from 0.
    pub trial: u32,
    /// Order of the matrix.
    pub d: usize,
    /// Number of measurements.
    pub m: usize,
    /// Columns of the factors.
    pub k: usize,
    /// The method.
    pub method: Method,
    /// Its start.
    pub start: Start,
    /// How it ended.
    pub end: String,
    /// Its steps.
    pub steps: usize,
    /// Root mean square residual at its end, relative to the targets.
    pub residual: f64,
    /// Whether the zero set was reached from there.
    pub interpolates: bool,
    /// How far that was, relative to the size of the factors.
    pub moved: f64,
    /// Scaled trace there over the flat optimum.
    pub trace: f64,
    /// `|x|^2` there over the least that interpolates.
    pub norm: f64,
    /// Largest eigenvalue of the Hessian there, over that at the flat factors.
    pub largest: f64,
    /// `|X - M|_F`; `M` has norm 1.
    pub error: f64,
    /// `|L^T L - R^T R|_*` over `|L|_F^2 + |R|_F^2`.
    pub imbalance: f64,
    /// Length of the method's path over the distance between its ends.
    pub detour: f64,
    /// Distance from the start over the least distance of the zero set that was found.
    pub excursion: f64,
    /// `|X - M|_F` of the certified flat matrix.
    pub flat_error: f64,
    /// The same of the matrix of least nuclear norm.
    pub nuclear_error: f64,
    /// Scaled trace of the norm-minimal factors over the flat optimum.
    pub nuclear_trace: f64,
    /// Relative duality gap of the flat optimum.
    pub gap: f64,
    /// Seed of the start and of random steps.
    pub seed: u64,
    /// Version of flatmin.
    pub version: String,
}

/// The study.
#[derive(Debug, Default)]
pub struct ImplicitBias;

impl Study for ImplicitBias {
    type Task = Task;
    type Row = Row;
    const ABOUT: About = About {
        id: "implicit-bias",
        title: "Implicit bias: which methods find the flat minimum",
        must_show: "methods that are known to seek a small trace end near the flat optimum, at every width; \
                    gradient descent does from a small start, not from a large one; the others end where \
                    their own bias leads, or near where they began",
    };

    fn tasks(&self, scale: Scale) -> Vec<Task> {
        let trials = match scale {
            Scale::Quick => 10,
            Scale::Paper => 50,
        };
        let draws = |setting| (0..trials).map(move |trial| Task { setting, trial });
        Setting::ALL.into_iter().flat_map(draws).collect()
    }

    fn perform(&self, task: &Task, seed: u64) -> Result<Vec<Row>, Error> {
        on_draw(task, seed).map_err(failed(task))
    }

    fn extent(&self, scale: Scale) -> String {
        let draws = self.tasks(scale).len() / Setting::ALL.len();
        let runs = Method::ALL.len() * 3;
        format!("{} problems, {draws} draws each, {runs} runs a draw", Setting::ALL.len())
    }
}

impl Evidence for Row {
    fn claims(rows: &[Row]) -> Vec<Claim> {
        claims::of(Runs(rows))
    }

    fn figures(rows: &[Row]) -> Result<Vec<Figure>, Error> {
        figure::of(Runs(rows))
    }

    fn caption(_: &Figure) -> &'static str {
        report::CAPTION
    }

    fn write(rows: &[Row], page: &mut String) {
        report::write(page, Runs(rows));
    }
}

/// All rows, to be asked for those of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a>(pub &'a [Row]);

impl<'a> Runs<'a> {
    /// The runs of a method at a width.
    pub fn of(
        self,
        setting: Setting,
        k: usize,
        (method, start): Run,
    ) -> impl Iterator<Item = &'a Row> {
        let wanted = move |row: &&Row| {
            (row.setting, row.k, row.method, row.start) == (setting, k, method, start)
        };
        self.0.iter().filter(wanted)
    }

    /// A quantity of those that interpolate, in ascending order.
    pub fn values(
        self,
        setting: Setting,
        k: usize,
        which: Run,
        value: fn(&Row) -> f64,
    ) -> Vec<f64> {
        let runs = self.of(setting, k, which).filter(|row| row.interpolates);
        let mut values: Vec<f64> = runs.map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

/// Plants the problem of a task, and runs all methods on it.
fn on_draw(task: &Task, seed: u64) -> Result<Vec<Row>, core::Error> {
    let stream = |role| {
        let id = ImplicitBias::ABOUT.id;
        Stream::new(seed, id, task.setting as u64, u64::from(task.trial), role)
    };
    let (mut truth, mut draws) = (stream(Role::Truth), stream(Role::Measurements));
    let (truth, draws) = (&mut truth, &mut draws);
    let d = task.setting.order();
    match task.setting {
        Setting::Sensing => {
            let p = sensing::Planted::gaussian(d, d, RANK, MEASUREMENTS, truth, draws)?;
            on_problem(&p.problem, &p.truth, (task, seed))
        }
        Setting::Even => {
            let p = completion::Planted::bernoulli(d, d, RANK, SHARE, truth, draws)?;
            on_problem(&p.problem, &p.truth, (task, seed))
        }
        Setting::Uneven => {
            let entries = SHARE * (d * d) as f64;
            let p = completion::Planted::power_law(d, d, RANK, entries, EXPONENT, truth, draws)?;
            on_problem(&p.problem, &p.truth, (task, seed))
        }
        Setting::Quadnet => {
            let p = quadnet::Planted::gaussian(d, 1, 1, EXAMPLES, truth, draws)?;
            on_problem(&p.problem, &p.truth, (task, seed))
        }
    }
}

/// A planted problem with what the convex programs say of it.
struct Posed<'a> {
    truth: &'a Mat<f64>,
    flat: core::Recovery,
    nuclear: core::Recovery,
    /// Largest eigenvalue of the Hessian at the flat factors; columns of zeros do not change it.
    largest: f64,
}

fn on_problem<M: LinearMap>(
    problem: &Measured<M>,
    truth: &Mat<f64>,
    (task, seed): (&Task, u64),
) -> Result<Vec<Row>, core::Error> {
    let flat = problem.flat().tolerance(GAP).solve()?;
    let nuclear = problem.nuclear().tolerance(GAP).solve()?;
    let (map, targets) = (problem.map(), problem.targets());
    let (left, right) = flat.factors();
    let largest = if task.setting == Setting::Quadnet {
        // Symmetric factors: the columns of the right one are those of the left one, or their negatives.
        let sign = |j: usize| inner(left.as_ref().subcols(j, 1), right.as_ref().subcols(j, 1));
        let (positive, negative): (Vec<usize>, Vec<usize>) =
            (0..left.ncols()).partition(|&j| sign(j) > 0.0);
        let order = [positive.clone(), negative.clone()].concat();
        let u = Mat::from_fn(left.nrows(), left.ncols(), |i, j| left[(i, order[j])]);
        let loss = SymmetricLoss::new(map, targets, positive.len(), negative.len())?;
        largest(&loss.hessian(u.as_ref())?)?
    } else {
        largest(&core::FactoredLoss::new(map, targets)?.hessian(left.as_ref(), right.as_ref())?)?
    };
    let posed = Posed { truth, flat, nuclear, largest };
    let mut rows = Vec::new();
    for k in task.setting.widths() {
        rows.extend(if task.setting == Setting::Quadnet {
            let loss = SymmetricLoss::new(map, targets, k.div_ceil(2), k / 2)?;
            on_loss(&loss, &posed, (task, k, seed))?
        } else {
            let loss = core::FactoredLoss::new(map, targets)?.of_width(k)?;
            on_loss(&loss, &posed, (task, k, seed))?
        });
    }
    Ok(rows)
}

/// All methods on one loss.
fn on_loss<L: LeastSquares + Traced + Factorised>(
    loss: &L,
    posed: &Posed<'_>,
    (task, k, seed): (&Task, usize, u64),
) -> Result<Vec<Row>, core::Error> {
    let seed = seed.wrapping_mul(1 << 20).wrapping_add(u64::from(task.trial));
    let starts = Start::ALL.map(|s| descent::start(loss, s.size(), seed));
    let [small, large] = starts;
    let (small, large) = (small?, large?);
    let from = |start: Start| match start {
        Start::Small => &small,
        Start::Large => &large,
    };
    let mut ends = Vec::new();
    for &(method, start) in Method::ALL {
        let end = method.run(loss, from(start), seed)?;
        let on = settle(loss, &end.x, ON)?;
        ends.push((method, start, end, on));
    }
    let nearest = Start::ALL.map(|start| {
        let from = from(start);
        let reached = ends.iter().filter(|end| end.1 == start && end.3.converged);
        let reached = reached.map(|end| distance(&end.3.x, from));
        Ok(reached.fold(least_distance(loss, from)?, f64::min))
    });
    let [near_small, near_large]: [Result<f64, core::Error>; 2] = nearest;
    let nearest = [near_small?, near_large?];

    let trace_at = |x: &[f64]| loss.trace_and_gradient(x, &mut vec![0.0; x.len()]);
    // Symmetric factors enter twice: |x|^2 is the nuclear norm, not twice that.
    let least_norm = match task.setting {
        Setting::Quadnet => posed.nuclear.objective,
        _ => 2.0 * posed.nuclear.objective,
    };
    let error_of = |x: &Mat<f64>| (x - posed.truth).norm_l2();
    let mut rows = Vec::new();
    for (method, start, end, on) in &ends {
        let Descended { x: last, loss: value, steps, path, displacement, end, .. } = end;
        let square = norm(&on.x).powi(2);
        rows.push(Row {
            setting: task.setting,
            trial: task.trial,
            d: task.setting.order(),
            m: loss.measurements(),
            k,
            method: *method,
            start: *start,
            end: end.to_string(),
            steps: *steps,
            residual: (value / loss.value(&vec![0.0; last.len()])?).sqrt(),
            interpolates: on.converged && *end != End::Diverged,
            moved: on.moved / norm(&on.x),
            trace: trace_at(&on.x)? / posed.flat.scaled_trace,
            norm: square / least_norm,
            largest: largest(loss.hessian(&on.x)?.as_ref())? / posed.largest,
            error: error_of(&loss.matrix(&on.x)?),
            imbalance: loss.imbalance(&on.x)? / square,
            detour: path / displacement,
            excursion: distance(&on.x, from(*start)) / nearest[*start as usize],
            flat_error: error_of(&posed.flat.matrix()),
            nuclear_error: error_of(&posed.nuclear.matrix()),
            nuclear_trace: posed.nuclear.scaled_trace / posed.flat.scaled_trace,
            gap: posed.flat.relative_gap,
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
    }
    Ok(rows)
}

fn largest(hessian: &dyn SymmetricOperator) -> Result<f64, core::Error> {
    Ok(Lanczos::default().largest(hessian)?.value)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let off: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&off)
}

/// The least distance of the zero set from a point that the method of multipliers finds.
fn least_distance(loss: &dyn LeastSquares, from: &[f64]) -> Result<f64, core::Error> {
    let squared = SquaredDistance { from: from.to_vec() };
    let begin = settle(loss, from, ON)?;
    let found = Multipliers::default().tolerance(1e-7).minimise(&squared, loss, &begin.x)?;
    let on = settle(loss, &found.x, ON)?;
    Ok(if on.converged { distance(&on.x, from) } else { f64::INFINITY })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One draw of the smallest setting: the same bits twice, none below the optimum, and the method that descends
    /// on the trace nearest to it at the full width.
    #[test]
    fn a_draw_is_a_function_of_its_seed_and_respects_the_bound() {
        let tasks = ImplicitBias.tasks(Scale::Quick);
        let rows = ImplicitBias.perform(&tasks[0], 1).unwrap();
        assert_eq!(rows, ImplicitBias.perform(&tasks[0], 1).unwrap());
        assert_ne!(rows, ImplicitBias.perform(&tasks[0], 2).unwrap());
        assert_eq!(rows.len(), 3 * Method::ALL.len());
        let on: Vec<&Row> = rows.iter().filter(|row| row.interpolates).collect();
        assert!(on.len() > 30 && on.iter().all(|row| row.trace > 1.0 - 1e-6));
        assert!(on.iter().all(|row| row.norm > 1.0 - 1e-6 && row.excursion > 1.0 - 1e-9));
        let d = Setting::Sensing.order();
        let wide = || on.iter().filter(|row| row.k == d);
        let flattest = wide().min_by(|a, b| a.trace.total_cmp(&b.trace)).unwrap();
        assert_eq!(flattest.method, Method::OnTrace);
        let smallest = wide().min_by(|a, b| a.norm.total_cmp(&b.norm)).unwrap();
        assert!(matches!(smallest.method, Method::WeightDecay | Method::Gradient), "{smallest:?}");
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0], 0.25), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
    }
}
