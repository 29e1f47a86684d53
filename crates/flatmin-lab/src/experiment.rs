//! The experiments that the laboratory knows, and the sweeps behind them.

use crate::Error;
use crate::spec::{Cell, Millionths, Sampling, Scale, Sweep};
use flatmin::core::Objective;

/// Relative duality gap that the experiments ask for.
const TOLERANCE: f64 = 1e-8;

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
    grid: fn(Scale) -> (Vec<Cell>, u32),
}

/// All experiments, in the order of the report.
pub const EXPERIMENTS: [Experiment; 3] = [
    Experiment {
        id: "fig3-sensing",
        group: "fig3",
        title: "Figure 3 (a): exact recovery from Gaussian measurements",
        must_show: "FLAT recovers from nearly as few measurements as NUC, and NUC's 50% line is the \
                    statistical dimension of its descent cone",
        grid: sensing,
    },
    Experiment {
        id: "fig3-completion",
        group: "fig3",
        title: "Figure 3 (c): exact recovery from evenly sampled entries",
        must_show: "FLAT recovers exactly, from nearly as few entries as NUC",
        grid: completion,
    },
    Experiment {
        id: "nonuniform",
        group: "nonuniform",
        title: "Unevenly sampled entries: FLAT against NUC",
        must_show: "under power-law sampling FLAT recovers where NUC does not",
        grid: nonuniform,
    },
];

impl Experiment {
    /// The sweep of the experiment at a scale.
    pub fn sweep(&self, scale: Scale) -> Sweep {
        let (cells, trials) = (self.grid)(scale);
        Sweep {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            objectives: vec![Objective::Flat, Objective::Nuclear],
            cells,
            trials,
            tolerance: TOLERANCE,
        }
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
/// assert_eq!(select(&["fig3".to_owned()])?.len(), 2);
/// assert!(select(&["fig9".to_owned()]).is_err());
/// # Ok::<(), flatmin_lab::Error>(())
/// ```
pub fn select(names: &[String]) -> Result<Vec<&'static Experiment>, Error> {
    let named = |e: &Experiment, name: &str| e.id == name || e.group == name;
    for name in names {
        if !EXPERIMENTS.iter().any(|e| named(e, name)) {
            let known: Vec<_> = EXPERIMENTS.iter().map(|e| e.id).collect();
            let known = format!("{}, and fig3 for both panels", known.join(", "));
            return Err(Error::UnknownExperiment { name: name.clone(), known });
        }
    }
    let wanted = |e: &&Experiment| names.is_empty() || names.iter().any(|name| named(e, name));
    Ok(EXPERIMENTS.iter().filter(wanted).collect())
}

fn square(d: usize, sampling: Sampling) -> Cell {
    Cell { rows: d, cols: d, rank: 2, sampling }
}

/// The paper's grid of Figure 3 (a), or its corner.
fn sensing(scale: Scale) -> (Vec<Cell>, u32) {
    let (d_max, m_max, trials) = match scale {
        Scale::Quick => (40, 400, 10),
        Scale::Paper => (70, 800, 10),
    };
    let cell = |d, measurements| square(d, Sampling::Gaussian { measurements });
    let cells = (10..=d_max)
        .step_by(10)
        .flat_map(|d| (40..=m_max).step_by(40).map(move |m| cell(d, m)))
        .collect();
    (cells, trials)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_scale_has_the_papers_grids() {
        let sizes = |scale| EXPERIMENTS.map(|e| e.sweep(scale).cells.len());
        assert_eq!(sizes(Scale::Paper)[..2], [7 * 20, 10 * 19]);
        assert_eq!(EXPERIMENTS[0].sweep(Scale::Paper).trials, 10);
        for experiment in EXPERIMENTS {
            let paper = experiment.sweep(Scale::Paper).cells;
            let quick = experiment.sweep(Scale::Quick).cells;
            assert!(quick.iter().all(|cell| paper.contains(cell)), "{}", experiment.id);
        }
    }
}
