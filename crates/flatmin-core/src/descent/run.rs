//! The run of a descent method: its steps, its stages, and when it ends. The rules stand in the [module](super).

use super::check_positive;
use super::direction::{Direction, Stage};
use super::gradient::Gradient;
use crate::Error;
use crate::error::finite;
use crate::flatness::spectrum::Lanczos;
use crate::linalg::kernel::{axpy, dot};
use crate::linalg::norm;
use crate::loss::{Loss, check_point};
use crate::rng::{Role, Stream};
use std::fmt;
use std::ops::ControlFlow;

/// Sufficient decrease of a line search, as a part of what the slope promises.
const ARMIJO: f64 = 0.5;

/// Halvings of a step in one line search.
const HALVINGS: usize = 80;

/// Halvings of the steps of a run that diverges.
const RETREATS: u32 = 20;

/// Loss, in multiples of the larger of the scale and the first value, beyond which a run has diverged.
const DIVERGED: f64 = 10.0;

/// Loss beyond which a method with a bias has lost the solution, in parts of the scale.
const LOST: f64 = 0.5;

/// Curvature that counts as none, in parts of the largest met.
const VANISHED: f64 = 1e-14;

/// Curvature below which steps do not grow, in parts of the largest met.
const FLATTENED: f64 = 0.1;

/// Steps from one look at loss and trace to the next.
const LOOK: usize = 10;

/// Change of the mean trace from stage to stage below which a level has done its work.
const CHANGE: f64 = 0.01;

/// Loss relative to the scale at which a trial descent ends, and its most steps.
const TRIAL: (f64, usize) = (1e-2, 1000);

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// By Armijo's rule; for methods whose steps are not random.
    LineSearch,
    /// `2 c / lambda` for this `c` between 0 and 1 and the largest curvature `lambda`: at 1 the steepest direction
    /// is on the edge of stability.
    Curvature(f64),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The loss reached the tolerance.
    Interpolates,
    /// All levels of the annealing are done.
    Settled,
    /// The limit of steps came first.
    Limit,
    /// Rounding leaves nothing to gain, or the point has no curvature to go by.
    Stalled,
    /// Steps a million times smaller than the rule's still diverged.
    Diverged,
    /// The observer asked to stop.
    Interrupted,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Interpolates => "interpolates",
            End::Settled => "settled",
            End::Limit => "limit of steps",
            End::Stalled => "stalled",
            End::Diverged => "diverged",
            End::Interrupted => "interrupted",
        })
    }
}

/// What observers see every tenth step, beginning with the tenth; the end is in [`Descended`]. A run that diverges and
/// begins anew is seen again from its tenth step.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// Steps so far.
    pub step: usize,
    /// The point.
    pub x: &'a [f64],
    /// The loss there.
    pub loss: f64,
    /// Length of the path so far.
    pub path: f64,
    /// Distance from the start.
    pub displacement: f64,
    /// The stage.
    pub stage: Stage,
}

/// Where a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Descended {
    /// The point.
    pub x: Vec<f64>,
    /// The loss there.
    pub loss: f64,
    /// Steps.
    pub steps: usize,
    /// Length of the path.
    pub path: f64,
    /// Distance from the start.
    pub displacement: f64,
    /// The last stage.
    pub stage: Stage,
    /// Why it ended.
    pub end: End,
}

/// Receives a snapshot every tenth step; `ControlFlow::Break` ends the run.
pub type Watch<'a> = dyn FnMut(&Snapshot<'_>) -> ControlFlow<()> + 'a;

/// Settings of a run; see the [module](super) for the rules behind them.
///
/// A run is a function of the loss, the start, the settings and the seed: the same bits each time.
///
/// ```
/// use flatmin_core::{DenseMap, FactoredLoss, descent::{Descent, End, MiniBatch}};
/// let map = DenseMap::new(1, 2, vec![1.0, 2.0, 3.0, -1.0])?;
/// let loss = FactoredLoss::new(&map, &[1.0, 2.0])?.of_width(1)?;
/// let run = |seed| {
///     let mut method = MiniBatch::new(&loss, 1)?;
///     Descent::default().seed(seed).run(&mut method, &[1.0, 0.5, -0.5])
/// };
/// let (one, again, other) = (run(1)?, run(1)?, run(2)?);
/// assert_eq!(one.end, End::Interpolates);
/// assert!(one == again && one.x != other.x);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub struct Descent<'a> {
    /// How far to go: by curvature, with `c = 1/2`.
    pub step: Step,
    /// What a method with a bias may add to the loss at first, in parts of `f(0)`: 0.1.
    pub strength: f64,
    /// Halvings of that: 8.
    pub levels: usize,
    /// Steps of a stage: 100.
    pub stage: usize,
    /// Square root of the loss, in parts of that of `f(0)`, at which a method without a bias ends: `1e-6`.
    pub tolerance: f64,
    /// Steps at most: 20 000.
    pub limit: usize,
    /// Seed of random steps: 0.
    pub seed: u64,
    /// Who watches.
    pub observer: Option<Box<Watch<'a>>>,
}

impl Default for Descent<'_> {
    fn default() -> Self {
        Descent {
            step: Step::Curvature(0.5),
            strength: 0.1,
            levels: 8,
            stage: 100,
            tolerance: 1e-6,
            limit: 20_000,
            seed: 0,
            observer: None,
        }
    }
}

impl<'a> Descent<'a> {
    /// How far to go.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.step = step;
        self
    }

    /// What a method with a bias may add to the loss at first, in parts of `f(0)`.
    #[must_use]
    pub fn strength(mut self, strength: f64) -> Self {
        self.strength = strength;
        self
    }

    /// The relative root mean square residual at which a method without a bias ends.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The most steps.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The seed of random steps.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Who watches.
    #[must_use]
    pub fn observer(mut self, observer: impl FnMut(&Snapshot<'_>) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Follows a method from a start.
    ///
    /// # Errors
    /// When a setting is outside its domain, the start has not [`Loss::order`] finite numbers, the loss is not
    /// finite there, or a line search is asked of random steps.
    pub fn run(&mut self, method: &mut dyn Direction, start: &[f64]) -> Result<Descended, Error> {
        self.check()?;
        check_point(method.loss().order(), start)?;
        finite("the start", start)?;
        let first = method.loss().value(start)?;
        finite("the loss at the start", &[first])?;
        let zero = method.loss().value(&vec![0.0; start.len()])?;
        let scale = if zero > 0.0 && zero.is_finite() { zero } else { first };
        let stage = Stage {
            number: 0,
            step: 0.0,
            rise: 0.0,
            scale,
            trace: 0.0,
            curvature: 0.0,
            square: dot(start, start),
        };
        let blank = vec![0.0; start.len()];
        method.begin();
        if self.step != Step::LineSearch && !method.is_gradient() {
            return Err(Error::Parameter {
                name: "the step",
                rule: "a line search for a method whose direction is scaled",
                got: "a step by curvature".into(),
            });
        }
        if self.step == Step::LineSearch && method.objective(start, &stage)?.is_none() {
            return Err(Error::Parameter {
                name: "the step",
                rule: "by curvature for a method of random steps",
                got: "a line search".into(),
            });
        }
        let mut run = Run {
            from: start,
            x: start.to_vec(),
            loss: first,
            steps: 0,
            path: 0.0,
            stage,
            leading: None,
            steepest: 0.0,
            bound: DIVERGED * scale.max(first),
            stream: Stream::new(self.seed, "descent", 0, 0, Role::Noise),
            direction: blank,
        };
        let end = if scale == 0.0 {
            // Zero fits, and the start as well.
            End::Interpolates
        } else if method.is_biased() {
            self.anneal(method, &mut run)?
        } else {
            self.fit(method, &mut run)?
        };
        run.loss = method.loss().value(&run.x)?;
        let displacement = run.displacement();
        let Run { x, loss, steps, path, stage, .. } = run;
        Ok(Descended { x, loss, steps, path, displacement, stage, end })
    }

    fn check(&self) -> Result<(), Error> {
        check_positive("the strength of the bias", self.strength)?;
        check_positive("the tolerance of the loss", self.tolerance)?;
        if let Step::Curvature(c) = self.step
            && !(c > 0.0 && c <= 1.0)
        {
            let (name, rule) =
                ("the step", "above 0 and at most 1 in parts of the edge of stability");
            return Err(Error::Parameter { name, rule, got: c.to_string() });
        }
        if self.stage == 0 {
            let (name, rule) = ("the number of steps of a stage", "at least 1");
            return Err(Error::Parameter { name, rule, got: "0".into() });
        }
        Ok(())
    }

    /// Steps until the loss vanishes.
    fn fit(&mut self, method: &mut dyn Direction, run: &mut Run<'_>) -> Result<End, Error> {
        let goal = self.tolerance * self.tolerance * run.stage.scale;
        let Step::Curvature(c) = self.step else {
            return self.search(method, run, (goal, self.limit));
        };
        let mut trial = run.clone();
        let mut silent = Descent { observer: None, step: Step::LineSearch, ..Descent::default() };
        let to = (TRIAL.0 * run.stage.scale, TRIAL.1);
        silent.search(&mut Gradient::new(method.loss()), &mut trial, to)?;
        if !trial.measure(method.loss())? {
            return Ok(End::Stalled);
        }
        run.stage = Stage { square: run.stage.square, ..trial.stage };
        run.stage.step = 2.0 * c / run.stage.curvature_of(method.batch());
        for _ in 0..=RETREATS {
            let mut attempt = run.clone();
            loop {
                if attempt.loss <= goal || attempt.steps >= self.limit {
                    let end = if attempt.loss <= goal { End::Interpolates } else { End::Limit };
                    *run = attempt;
                    return Ok(end);
                }
                for _ in 0..LOOK.min(self.limit - attempt.steps) {
                    attempt.go(method)?;
                }
                if !attempt.look(method.loss())? {
                    break;
                }
                if self.tell(&attempt).is_break() {
                    *run = attempt;
                    return Ok(End::Interrupted);
                }
            }
            run.stage.step *= 0.5;
        }
        Ok(End::Diverged)
    }

    /// Steps by line search until the loss reaches the goal.
    fn search(
        &mut self,
        method: &mut dyn Direction,
        run: &mut Run<'_>,
        (goal, limit): (f64, usize),
    ) -> Result<End, Error> {
        while run.loss > goal {
            if run.steps >= limit {
                return Ok(End::Limit);
            }
            if !run.descend(method)? {
                return Ok(End::Stalled);
            }
            if run.steps.is_multiple_of(LOOK) {
                run.loss = method.loss().value(&run.x)?;
                if self.tell(run).is_break() {
                    return Ok(End::Interrupted);
                }
            }
        }
        Ok(End::Interpolates)
    }

    /// Stages of falling strength.
    fn anneal(&mut self, method: &mut dyn Direction, run: &mut Run<'_>) -> Result<End, Error> {
        // On the loss alone, before the bias sets in.
        let to = (TRIAL.0 * run.stage.scale, self.limit.min(TRIAL.1));
        let end = self.search(&mut Gradient::new(method.loss()), run, to)?;
        if end == End::Interrupted || (end == End::Stalled && run.loss > LOST * run.stage.scale) {
            return Ok(end);
        }
        if run.loss <= LOST * run.stage.scale {
            run.bound = LOST * run.stage.scale;
        }
        let (mut level, mut shrink, mut retreats) = (0, 1.0, 0);
        let mut before: Option<f64> = None;
        while level < self.levels {
            if !run.measure(method.loss())? {
                return Ok(End::Stalled);
            }
            run.stage.number += 1;
            run.stage.rise = self.strength * run.stage.scale * 0.5f64.powi(level as i32);
            if let Step::Curvature(c) = self.step {
                run.stage.step = shrink * 2.0 * c / run.stage.curvature_of(method.batch());
            }
            let kept = (run.x.clone(), run.path);
            match self.go_through(method, run)? {
                Passed::Ended(end) => return Ok(end),
                Passed::Diverged => {
                    (run.x, run.path) = kept;
                    (shrink, retreats, before) = (0.5 * shrink, retreats + 1, None);
                    if retreats > RETREATS {
                        return Ok(End::Diverged);
                    }
                }
                Passed::Through(mean)
                    if before.is_none_or(|before| (mean - before).abs() > CHANGE * before) =>
                {
                    before = Some(mean);
                }
                Passed::Through(_) => (level, before) = (level + 1, None),
            }
        }
        Ok(End::Settled)
    }

    /// The steps of a stage.
    fn go_through(
        &mut self,
        method: &mut dyn Direction,
        run: &mut Run<'_>,
    ) -> Result<Passed, Error> {
        let (mut sum, mut looks) = (0.0, 0);
        for _ in 0..self.stage {
            if run.steps >= self.limit {
                return Ok(Passed::Ended(End::Limit));
            }
            match self.step {
                Step::Curvature(_) => run.go(method)?,
                Step::LineSearch if run.descend(method)? => {}
                Step::LineSearch => break,
            }
            if run.steps.is_multiple_of(LOOK) {
                if !run.look(method.loss())? {
                    return Ok(Passed::Diverged);
                }
                sum += trace_at(method.loss(), &run.x)?;
                looks += 1;
                if self.tell(run).is_break() {
                    return Ok(Passed::Ended(End::Interrupted));
                }
            }
        }
        // No stage ends unseen.
        if !run.look(method.loss())? {
            return Ok(Passed::Diverged);
        }
        if looks == 0 {
            return Ok(Passed::Through(trace_at(method.loss(), &run.x)?));
        }
        Ok(Passed::Through(sum / f64::from(looks)))
    }

    fn tell(&mut self, run: &Run<'_>) -> ControlFlow<()> {
        let Some(observer) = &mut self.observer else {
            return ControlFlow::Continue(());
        };
        observer(&Snapshot {
            step: run.steps,
            x: &run.x,
            loss: run.loss,
            path: run.path,
            displacement: run.displacement(),
            stage: run.stage,
        })
    }
}

/// How a stage was passed.
enum Passed {
    /// With this mean trace.
    Through(f64),
    /// The loss left its bound.
    Diverged,
    /// The run has ended.
    Ended(End),
}

/// What moves in a run.
#[derive(Clone)]
struct Run<'a> {
    from: &'a [f64],
    x: Vec<f64>,
    /// The loss at the last look.
    loss: f64,
    steps: usize,
    path: f64,
    stage: Stage,
    /// Leading eigenvector of the last Hessian.
    leading: Option<Vec<f64>>,
    /// The largest eigenvalue met.
    steepest: f64,
    bound: f64,
    stream: Stream,
    direction: Vec<f64>,
}

impl Run<'_> {
    fn displacement(&self) -> f64 {
        let off: Vec<f64> = self.x.iter().zip(self.from).map(|(x, start)| x - start).collect();
        norm(&off)
    }

    /// A step of the stage's length.
    fn go(&mut self, method: &mut dyn Direction) -> Result<(), Error> {
        method.gradient(&self.x, &self.stage, &mut self.stream, &mut self.direction)?;
        axpy(-self.stage.step, &self.direction, &mut self.x);
        self.path += self.stage.step * norm(&self.direction);
        self.steps += 1;
        Ok(())
    }

    /// A step by line search; `false` when none is found.
    fn descend(&mut self, method: &mut dyn Direction) -> Result<bool, Error> {
        let slope = method.gradient(&self.x, &self.stage, &mut self.stream, &mut self.direction)?;
        let Some(value) = method.objective(&self.x, &self.stage)? else { return Ok(false) };
        let size = norm(&self.direction);
        if !(slope > 0.0 && size > 0.0 && slope.is_finite()) {
            return Ok(false);
        }
        // Never farther than twice the size of the point, so that a flat start is left in bounded steps.
        let reach = 2.0 * norm(&self.x).max(f64::MIN_POSITIVE) / size;
        let mut step = if self.steps == 0 { reach } else { reach.min(2.0 * self.stage.step) };
        for _ in 0..HALVINGS {
            let mut to = self.x.clone();
            axpy(-step, &self.direction, &mut to);
            let found = method.objective(&to, &self.stage)?.unwrap_or(f64::NAN);
            if found <= value - ARMIJO * step * slope && found < value {
                self.x = to;
                self.path += step * size;
                self.steps += 1;
                self.stage.step = step;
                self.loss = found;
                return Ok(true);
            }
            step *= 0.5;
        }
        Ok(false)
    }

    /// Takes the loss; `false` where it has diverged.
    fn look(&mut self, loss: &dyn Loss) -> Result<bool, Error> {
        self.loss = loss.value(&self.x)?;
        Ok(self.loss.is_finite() && self.loss <= self.bound)
    }

    /// Takes curvature, trace and size for a stage; `false` where there is no curvature to go by.
    fn measure(&mut self, loss: &dyn Loss) -> Result<bool, Error> {
        let hessian = loss.hessian(&self.x)?;
        let mut lanczos = Lanczos::default().tolerance(1e-2);
        lanczos.start = self.leading.take();
        let leading = lanczos.largest(hessian.as_ref())?;
        let found = leading.value + leading.error;
        self.steepest = self.steepest.max(found);
        self.stage.curvature = found.max(FLATTENED * self.steepest);
        self.stage.trace = hessian.exact_trace().unwrap_or(self.stage.curvature);
        self.stage.square = dot(&self.x, &self.x);
        self.leading = Some(leading.vector);
        // What has shrunk by so much is on its way to zero.
        if found <= VANISHED * self.steepest {
            return Ok(false);
        }
        let all = [self.stage.curvature, self.stage.trace, self.stage.square];
        Ok(all.iter().all(|v| *v > 0.0 && v.is_finite()))
    }
}

/// The trace of the Hessian; its largest eigenvalue where the trace is not known.
fn trace_at(loss: &dyn Loss, x: &[f64]) -> Result<f64, Error> {
    let hessian = loss.hessian(x)?;
    match hessian.exact_trace() {
        Some(trace) => Ok(trace),
        None => Ok(Lanczos::default().tolerance(1e-2).largest(hessian.as_ref())?.value),
    }
}
