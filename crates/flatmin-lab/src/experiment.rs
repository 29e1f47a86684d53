//! The experiments that the laboratory knows, and the sweeps behind those that are one.

use crate::Error;
use crate::spec::{Billionths, Cell, Millionths, Sampling, Scale, Sweep};
use crate::studies::bias::ImplicitBias;
use crate::studies::depth_matrix::DepthMatrix;
use crate::studies::estimators::Estimators;
use crate::studies::ratings;
use crate::study::Find;

/// Relative duality gap that the experiments ask for.
const TOLERANCE: f64 = 1e-8;

/// What they ask for of large problems with noise, far below what the noise leaves undecided.
const ROUGH: f64 = 1e-6;

/// What they ask for under noise, that two forms of one program may be told from their error.
const SHARP: f64 = 1e-9;

/// One experiment of the paper, or beside it.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    /// Name on the command line and of its files.
    pub id: &'static str,
    /// Experiments that are asked for together by one name.
    pub group: &'static str,
    /// One line for the reader.
    pub title: &'static str,
    /// What it must show.
    pub must_show: &'static str,
    /// How it is run.
    pub(crate) how: How,
}

/// How an experiment is run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    /// As a sweep over planted matrices.
    Sweep {
        /// The experiment whose records it reads, when it needs no solves of its own.
        source: Option<&'static str>,
        /// Cells, and draws of each.
        grid: fn(Scale) -> (Vec<Cell>, u32),
        /// Relative gap to be asked for.
        tolerance: f64,
    },
    /// In a way of its own.
    Study {
        /// Computes what is missing; `None` where not all is there and nothing is asked for.
        find: Find,
        /// Lines that say how much there is to do.
        extent: fn() -> Vec<String>,
    },
}

/// All experiments, in the order of the report.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        id: "fig3-sensing",
        group: "fig3",
        title: "Figure 3 (a): exact recovery from Gaussian measurements",
        must_show: "FLAT recovers from nearly as few measurements as NUC, and NUC's 50% line is the \
                    statistical dimension of its descent cone",
        how: How::Sweep { source: None, grid: sensing, tolerance: TOLERANCE },
    },
    Experiment {
        id: "fig3-bilinear",
        group: "fig3",
        title: "Figure 3 (b): exact recovery from bilinear measurements",
        must_show: "FLAT recovers from nearly as few measurements a^T M b as NUC",
        how: How::Sweep { source: None, grid: bilinear, tolerance: TOLERANCE },
    },
    Experiment {
        id: "fig3-completion",
        group: "fig3",
        title: "Figure 3 (c): exact recovery from evenly sampled entries",
        must_show: "FLAT recovers exactly, from nearly as few entries as NUC",
        how: How::Sweep { source: None, grid: completion, tolerance: TOLERANCE },
    },
    Experiment {
        id: "fig3-quadnet",
        group: "fig3",
        title: "Figure 3 (d): networks with quadratic activations",
        must_show: "FLAT recovers the teacher from nearly as few examples as NUC",
        how: How::Sweep { source: None, grid: quadnet, tolerance: TOLERANCE },
    },
    Experiment {
        id: "covariance",
        group: "semidefinite",
        title: "Covariance estimation: positive semidefinite matrices of rank two",
        must_show: "all X >= 0 that fit are equally flat, and recovery means that only one fits",
        how: How::Sweep { source: None, grid: covariance, tolerance: TOLERANCE },
    },
    Experiment {
        id: "phase",
        group: "semidefinite",
        title: "Phase retrieval: positive semidefinite matrices of rank one",
        must_show: "all X >= 0 that fit are equally flat, and recovery means that only one fits",
        how: How::Sweep { source: None, grid: phase, tolerance: TOLERANCE },
    },
    Experiment {
        id: "fig4-sensing",
        group: "fig4",
        title: "Figure 4 (a): regularity of flat factors, Gaussian measurements",
        must_show: REGULARITY,
        how: How::Sweep { source: Some("fig3-sensing"), grid: sensing, tolerance: TOLERANCE },
    },
    Experiment {
        id: "fig4-bilinear",
        group: "fig4",
        title: "Figure 4 (b): regularity of flat factors, bilinear measurements",
        must_show: REGULARITY,
        how: How::Sweep { source: Some("fig3-bilinear"), grid: bilinear, tolerance: TOLERANCE },
    },
    Experiment {
        id: "fig4-completion",
        group: "fig4",
        title: "Figure 4 (c): regularity of flat factors, evenly sampled entries",
        must_show: REGULARITY,
        how: How::Sweep { source: Some("fig3-completion"), grid: completion, tolerance: TOLERANCE },
    },
    Experiment {
        id: "noise",
        group: "noise",
        title: "Noise: the error follows it, in every model",
        must_show: "under a bound on the misfit the error is proportional to the noise over five decades, \
                    for FLAT as for NUC, and the penalised form with the lambda that the bound implies \
                    has the same answer; at fixed noise the error falls with the number of measurements",
        how: How::Sweep { source: None, grid: noise, tolerance: SHARP },
    },
    Experiment {
        id: "nonuniform",
        group: "nonuniform",
        title: "Unevenly sampled entries: FLAT against NUC",
        must_show: "under power-law sampling FLAT recovers where NUC does not",
        how: How::Sweep { source: None, grid: nonuniform, tolerance: TOLERANCE },
    },
    Experiment {
        id: "rpca",
        group: "rpca",
        title: "Robust PCA: a low-rank matrix with grossly wrong entries",
        must_show: "with the true tau the flat solutions are exact while wrong entries are few, and \
                    the penalised form with its default lambda, which needs no tau, comes close; \
                    both end before theory would for a sparse part in a random basis",
        how: How::Sweep { source: None, grid: rpca, tolerance: TOLERANCE },
    },
    Experiment {
        id: "scaling-exact",
        group: "scaling",
        title: "Completion at scale: exact entries of large matrices",
        must_show: "up to ten million entries are completed exactly, with certificates, in time and \
                    memory that grow in proportion to their number",
        how: How::Sweep { source: None, grid: scaling, tolerance: TOLERANCE },
    },
    Experiment {
        id: "scaling-noise",
        group: "scaling",
        title: "Completion at scale: entries with noise, penalised",
        must_show: "with a penalty of the size of the noise the same holds of noisy entries",
        how: How::Sweep { source: None, grid: scaling_noise, tolerance: ROUGH },
    },
    ratings::EXPERIMENT,
    Experiment::study::<Estimators>(),
    Experiment::study::<DepthMatrix>(),
    Experiment::study::<ImplicitBias>(),
];

const REGULARITY: &str = "where recovery is exact, flat factors are nearly norm-minimal and nearly \
                          balanced but neither exactly, and within the bounds by kappa";

impl Experiment {
    /// The sweep of the experiment at a scale; one without cells, if it is none.
    pub fn sweep(&self, scale: Scale) -> Sweep {
        let ((cells, trials), tolerance) = match self.how {
            How::Sweep { grid, tolerance, .. } => (grid(scale), tolerance),
            How::Study { .. } => ((Vec::new(), 0), TOLERANCE),
        };
        Sweep {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            objectives: cells.first().map_or(Vec::new(), |c| c.objectives().to_vec()),
            cells,
            trials,
            tolerance,
            alone: self.group == "scaling",
        }
    }

    /// Whether it is a sweep over planted problems, or looks at one.
    pub fn is_swept(&self) -> bool {
        matches!(self.how, How::Sweep { .. })
    }

    /// The experiment whose records it reads, when it needs no solves of its own.
    pub fn source(&self) -> Option<&'static str> {
        match self.how {
            How::Sweep { source, .. } => source,
            How::Study { .. } => None,
        }
    }

    /// Lines that say how much there is to do.
    pub fn extent(&self) -> Vec<String> {
        if let How::Study { extent, .. } = self.how {
            return extent();
        }
        if let Some(source) = self.source() {
            return vec![format!("from the records of {source}")];
        }
        let told = |scale| {
            let sweep = self.sweep(scale);
            let (cells, trials, solves) = (sweep.cells.len(), sweep.trials, sweep.solves());
            format!("{scale}: {cells} cells, {trials} draws each, {solves} solves")
        };
        [Scale::Quick, Scale::Paper].map(told).to_vec()
    }

    /// The experiment that makes its records: itself, or its source.
    pub fn origin(&self) -> &Experiment {
        let source = self.source().and_then(|id| EXPERIMENTS.iter().find(|e| e.id == id));
        source.unwrap_or(self)
    }
}

/// The experiments with the given names or groups, each once and in the order of the table; all of
/// them for an empty list.
///
/// # Errors
/// When a name is neither an experiment nor a group.
///
/// ```
/// use flatmin_lab::experiment::select;
/// assert_eq!(select(&["fig3".to_owned()])?.len(), 4);
/// assert!(select(&["fig9".to_owned()]).is_err());
/// # Ok::<(), flatmin_lab::Error>(())
/// ```
pub fn select(names: &[String]) -> Result<Vec<&'static Experiment>, Error> {
    let named = |e: &Experiment, name: &str| e.id == name || e.group == name;
    for name in names {
        if !EXPERIMENTS.iter().any(|e| named(e, name)) {
            let known: Vec<_> = EXPERIMENTS.iter().map(|e| e.id).collect();
            let known = format!("{}, and the groups {}", known.join(", "), groups().join(", "));
            return Err(Error::UnknownExperiment { name: name.clone(), known });
        }
    }
    let wanted = |e: &&Experiment| names.is_empty() || names.iter().any(|name| named(e, name));
    Ok(EXPERIMENTS.iter().filter(wanted).collect())
}

/// Names that stand for several experiments.
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = EXPERIMENTS.iter().map(|e| e.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|group| EXPERIMENTS.iter().filter(|e| e.group == *group).count() > 1);
    groups
}

fn square(d: usize, sampling: Sampling) -> Cell {
    Cell::exact(d, d, 2, sampling)
}

/// Orders in steps of ten, numbers of measurements in steps of their own, ten trials a cell.
fn grid(
    d_max: usize,
    (step, m_max): (usize, usize),
    cell: impl Fn(usize, usize) -> Cell,
) -> (Vec<Cell>, u32) {
    let orders = (10..=d_max).step_by(10);
    let cells =
        orders.flat_map(|d| (step..=m_max).step_by(step).map(move |m| (d, m)).collect::<Vec<_>>());
    (cells.map(|(d, m)| cell(d, m)).collect(), 10)
}

/// The paper's grid of Figure 3 (a), or its corner.
fn sensing(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, m_max) = match scale {
        Scale::Quick => (40, 400),
        Scale::Paper => (70, 800),
    };
    grid(d_max, (40, m_max), |d, measurements| square(d, Sampling::Gaussian { measurements }))
}

/// The paper's grid of Figure 3 (b), or its corner.
fn bilinear(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, m_max) = match scale {
        Scale::Quick => (40, 400),
        Scale::Paper => (70, 800),
    };
    grid(d_max, (40, m_max), |d, measurements| square(d, Sampling::Bilinear { measurements }))
}

/// The grid of Figure 3 (d), or its corner: a teacher of rank three, one eigenvalue negative.
fn quadnet(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, m_max) = match scale {
        Scale::Quick => (40, 400),
        Scale::Paper => (70, 600),
    };
    grid(d_max, (40, m_max), |d, measurements| {
        let sampling = Sampling::Quadnet { measurements, negative: 1 };
        Cell::exact(d, d, 3, sampling)
    })
}

/// A positive semidefinite matrix of rank two.
fn covariance(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, steps) = match scale {
        Scale::Quick => (40, (20, 240)),
        Scale::Paper => (70, (20, 400)),
    };
    grid(d_max, steps, |d, measurements| square(d, Sampling::Covariance { measurements }))
}

/// A positive semidefinite matrix of rank one.
fn phase(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, steps) = match scale {
        Scale::Quick => (40, (20, 160)),
        Scale::Paper => (70, (20, 300)),
    };
    grid(d_max, steps, |d, measurements| {
        let sampling = Sampling::Covariance { measurements };
        Cell::exact(d, d, 1, sampling)
    })
}

/// The paper's grid of Figure 3 (c), or every other line of its corner.
fn completion(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, percent, trials) = match scale {
        Scale::Quick => (50, (10_u32..=90).step_by(10), 10),
        Scale::Paper => (100, (5..=95).step_by(5), 10),
    };
    let cell = |d, percent| square(d, Sampling::Bernoulli { p: Millionths(10_000 * percent) });
    let cells =
        (10..=d_max).step_by(10).flat_map(|d| percent.clone().map(move |p| cell(d, p))).collect();
    (cells, trials)
}

/// Noise of the cells in which the number of measurements varies.
const FIXED: Billionths = Billionths(1_000_000);

/// Where each model recovers exactly without noise: levels from 1e-6 to 1e-1 by decades, or by thirds of
/// one; and Gaussian and bilinear measurements from few to many.
fn noise(scale: Scale) -> (Vec<Cell>, u32) {
    let (per_decade, trials) = match scale {
        Scale::Quick => (1, 4),
        Scale::Paper => (3, 10),
    };
    let levels = (0..=5 * per_decade).filter_map(|k| {
        Billionths::nearest(10f64.powf(f64::from(k) / f64::from(per_decade) - 6.0))
    });
    let levels: Vec<Billionths> = levels.collect();
    let models = [
        (20, Sampling::Gaussian { measurements: 260 }),
        (20, Sampling::Bilinear { measurements: 260 }),
        (30, Sampling::Bernoulli { p: Millionths(700_000) }),
        (20, Sampling::Covariance { measurements: 140 }),
        (20, Sampling::Quadnet { measurements: 180, negative: 1 }),
    ];
    let noisy = |d, sampling, noise| Cell { noise, ..square(d, sampling) };
    let mut cells = Vec::new();
    for (d, sampling) in models {
        cells.extend(levels.iter().map(|&level| noisy(d, sampling, level)));
    }
    for measurements in [160, 200, 320, 400, 520, 640, 800] {
        cells.push(noisy(20, Sampling::Gaussian { measurements }, FIXED));
    }
    for measurements in [160, 200, 320, 400, 520, 640, 800] {
        cells.push(noisy(20, Sampling::Bilinear { measurements }, FIXED));
    }
    (cells, trials)
}

/// Order, and expected number of sampled entries, of the uneven experiment: 45% of the entries,
/// from which both objectives recover when the sampling is even.
const UNEVEN: (usize, usize) = (60, 1620);

/// One size and one expected number of entries; the sampling grows uneven.
fn nonuniform(scale: Scale) -> (Vec<Cell>, u32) {
    let trials = match scale {
        Scale::Quick => 10,
        Scale::Paper => 20,
    };
    let (d, entries) = UNEVEN;
    let cell = |thousandths| {
        square(d, Sampling::PowerLaw { entries, exponent: Millionths(1000 * thousandths) })
    };
    ((0_u32..=2000).step_by(250).map(cell).collect(), trials)
}

/// A tenth of the entries of a matrix of rank five, in ascending order.
fn scaling(scale: Scale) -> (Vec<Cell>, u32) {
    let orders: &[usize] = match scale {
        Scale::Quick => &[1000, 1414, 2236, 3162],
        Scale::Paper => &[1000, 1414, 2236, 3162, 4472, 7071, 10_000],
    };
    let cell = |&d: &usize| Cell::exact(d, d, 5, Sampling::Scattered { entries: d * d / 10 });
    (orders.iter().map(cell).collect(), 3)
}

/// The same with noise of a tenth of the entries' size.
fn scaling_noise(scale: Scale) -> (Vec<Cell>, u32) {
    let (cells, trials) = match scale {
        Scale::Quick => (scaling(scale).0, 1),
        Scale::Paper => scaling(scale),
    };
    let noisy = |cell| Cell { noise: Billionths(100_000_000), ..cell };
    (cells.into_iter().map(noisy).collect(), trials)
}

/// Order of the matrices of robust PCA, and size of what is added to wrong entries, in mean absolute
/// entries and millionths.
const SPLIT: (usize, Millionths) = (60, Millionths(5_000_000));

/// One size; rank and fraction of wrong entries vary. One entry in a hundred comes first: there the
/// theorem on few wrong entries a line has something to say.
fn rpca(scale: Scale) -> (Vec<Cell>, u32) {
    let (ranks, half_percents, trials) = match scale {
        Scale::Quick => ((1..=22).step_by(3), (10_u32..=90).step_by(10), 5),
        Scale::Paper => ((1..=22).step_by(1), (5..=100).step_by(5), 10),
    };
    let (d, magnitude) = SPLIT;
    let levels: Vec<u32> = std::iter::once(10_000).chain(half_percents.map(|p| 5000 * p)).collect();
    let cell = |rank, corruption| {
        let (corruption, missing) = (Millionths(corruption), Millionths(0));
        let sampling = Sampling::Corrupted { corruption, missing, magnitude };
        Cell::exact(d, d, rank, sampling)
    };
    (ranks.flat_map(|rank| levels.iter().map(move |&c| cell(rank, c))).collect(), trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> &'static Experiment {
        EXPERIMENTS.iter().find(|e| e.id == id).unwrap()
    }

    #[test]
    fn the_paper_scale_has_the_papers_grids() {
        let paper = |id: &str| named(id).sweep(Scale::Paper);
        for (id, cells) in [
            ("fig3-sensing", 7 * 20),
            ("fig3-bilinear", 7 * 20),
            ("fig3-completion", 10 * 19),
            ("fig3-quadnet", 7 * 15),
        ] {
            assert_eq!(paper(id).cells.len(), cells, "{id}");
            assert_eq!(paper(id).trials, 10, "{id}");
        }
        for experiment in EXPERIMENTS {
            let paper = experiment.sweep(Scale::Paper).cells;
            let quick = experiment.sweep(Scale::Quick).cells;
            assert!(quick.iter().all(|cell| paper.contains(cell)), "{}", experiment.id);
        }
    }

    #[test]
    fn views_have_the_grid_of_their_source() {
        for experiment in EXPERIMENTS.iter().filter(|e| e.source().is_some()) {
            let origin = experiment.origin();
            assert_eq!((Some(origin.id), origin.source()), (experiment.source(), None));
            for scale in [Scale::Quick, Scale::Paper] {
                assert_eq!(experiment.sweep(scale).cells, origin.sweep(scale).cells);
            }
        }
        assert_eq!(groups(), ["fig3", "fig4", "scaling", "semidefinite"]);
    }
}
