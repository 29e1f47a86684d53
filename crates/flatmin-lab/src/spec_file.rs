//! A user's own sweep, from a TOML file.
//!
//! ```toml
//! name = "wide"                             # of its files; the default is the file's own name
//! model = "sensing"                         # or bilinear, completion, covariance, quadnet, rpca
//! objectives = ["flat", "nuclear"]          # the default
//! d = [20, 40]                              # or d1 = [20, 20] and d2 = [30, 60], paired
//! rank = 2                                  # a number, a list, or a range, as everywhere below
//! m = { from = 40, to = 400, step = 40 }    # all models but completion and rpca
//! trials = 10
//! tolerance = 1e-8                          # the default
//! ```
//!
//! Completion takes `p` instead of `m`, or `entries` (expected number) and `exponent` for power-law
//! sampling. Covariance (positive semidefinite matrices; of rank 1: phase retrieval) and quadnet
//! (symmetric matrices, `negative` of their `rank` eigenvalues negative, 1 by default) have square
//! matrices. Robust PCA (`rpca`) takes `corruption`, the probability of a wrong entry, `missing` (0 by
//! default) and `magnitude` (5 by default: wrong entries are off by up to so many mean absolute
//! entries); its objectives are "constrained" (with the true tau) and "penalised" (with the default
//! lambda).
//!
//! All models but robust PCA take `noise`, levels relative to the exact targets (0, none, by default).
//! Where none of them is 0 both norms are minimised under the noise bound, and there are the objectives
//! "flat-penalised" and "nuclear-penalised" too: the penalised forms with the `lambda` that the bound
//! implies, each after its bounded form.

use crate::Error;
use crate::spec::{Billionths, Cell, Millionths, Model, Objective, Sampling, Sweep};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// Most numbers that the measurements of one draw may hold: 2 GiB.
const MOST_NUMBERS: f64 = (1_u64 << 28) as f64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    model: Model,
    objectives: Option<Vec<String>>,
    d: Option<Values>,
    d1: Option<Values>,
    d2: Option<Values>,
    rank: Values,
    m: Option<Values>,
    p: Option<Values>,
    entries: Option<Values>,
    exponent: Option<Values>,
    negative: Option<usize>,
    corruption: Option<Values>,
    missing: Option<Values>,
    magnitude: Option<f64>,
    noise: Option<Values>,
    trials: u32,
    tolerance: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a number, a list of numbers, or { from, to, step }")]
enum Values {
    One(f64),
    Many(Vec<f64>),
    Range(Range),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    from: f64,
    to: f64,
    step: f64,
}

/// Reads a sweep.
///
/// # Errors
/// When the file cannot be read, is not TOML, has unknown or missing keys, or a value makes no
/// sense; the message names the file, the line or key, and the rule.
pub fn read(path: &Path) -> Result<Sweep, Error> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    parse(path, &text)
}

/// Reads a sweep from the text of a file.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str) -> Result<Sweep, Error> {
    let file: File = toml::from_str(text).map_err(|e| Error::SpecSyntax {
        path: path.to_owned(),
        message: e.to_string().trim_end().to_owned(),
    })?;
    Reader { path }.sweep(file)
}

/// Checks keys, with the file's path for the messages.
struct Reader<'a> {
    path: &'a Path,
}

impl Reader<'_> {
    fn error(&self, key: &'static str, rule: &'static str, got: impl ToString) -> Error {
        Error::Spec { path: self.path.to_owned(), key, rule, got: got.to_string() }
    }

    fn sweep(&self, file: File) -> Result<Sweep, Error> {
        let id = self.name(file.name.as_deref())?;
        let noises = self.noises(&file)?;
        let known = file.model.objectives(noises.iter().any(|noise| noise.0 > 0));
        let objectives = self.objectives(file.model, known, file.objectives.as_deref())?;
        if file.trials == 0 {
            return Err(self.error("trials", "must be at least 1", 0));
        }
        let tolerance = file.tolerance.unwrap_or(1e-8);
        if !(tolerance > 0.0 && tolerance < 1.0) {
            return Err(self.error("tolerance", "must lie between 0 and 1", tolerance));
        }
        let samplings = self.samplings(&file)?;
        let mut cells = Vec::new();
        for (rows, cols) in self.shapes(&file)? {
            for &rank in &self.counts("rank", &file.rank)? {
                if rank > rows.min(cols) {
                    let got = format!("{rank} for a {rows} x {cols} matrix");
                    return Err(self.error("rank", "must be at most the smaller of d1, d2", got));
                }
                for &sampling in &samplings {
                    let cell = Cell::exact(rows, cols, rank, sampling);
                    for &noise in &noises {
                        cells.push(self.cell(Cell { noise, ..cell })?);
                    }
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = cells.iter().find(|cell| !seen.insert(**cell)) {
            return Err(self.error(
                "the grid",
                "must hold each cell once",
                format!("{twice} twice"),
            ));
        }
        let title = format!("Sweep {id}: {}", file.model);
        let trials = file.trials;
        Ok(Sweep { id, title, objectives, cells, trials, tolerance, alone: false })
    }

    fn name(&self, given: Option<&str>) -> Result<String, Error> {
        let stem = self.path.file_stem().map(|s| s.to_string_lossy().to_lowercase());
        let name = given.map(str::to_owned).or(stem).unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            let rule = "must consist of lower-case letters, digits and hyphens";
            return Err(self.error("name", rule, format!("'{name}'")));
        }
        if crate::experiment::EXPERIMENTS.iter().any(|e| e.id == name || e.group == name) {
            return Err(self.error("name", "must not be that of a known experiment", name));
        }
        Ok(name)
    }

    fn objectives(
        &self,
        model: Model,
        known: &[Objective],
        names: Option<&[String]>,
    ) -> Result<Vec<Objective>, Error> {
        let Some(names) = names else {
            return Ok(known.to_vec());
        };
        let rule = match (model, known.len()) {
            (Model::Rpca, _) => "must list \"constrained\", \"penalised\" or both, each once",
            (_, 2) => "must list \"flat\", \"nuclear\" or both, each once",
            _ => {
                "must list \"flat\", \"nuclear\", and after these \"flat-penalised\", \
                 \"nuclear-penalised\", each once"
            }
        };
        let mut objectives = Vec::new();
        for name in names {
            let wanted = known.iter().copied().find(|o| o.to_string() == *name);
            let ready = |o: Objective| o.bounded().is_none_or(|first| objectives.contains(&first));
            match wanted {
                Some(o) if !objectives.contains(&o) && ready(o) => objectives.push(o),
                _ => return Err(self.error("objectives", rule, format!("\"{name}\""))),
            }
        }
        if objectives.is_empty() {
            return Err(self.error("objectives", rule, "nothing"));
        }
        Ok(objectives)
    }

    fn shapes(&self, file: &File) -> Result<Vec<(usize, usize)>, Error> {
        match (&file.d, &file.d1, &file.d2) {
            (Some(d), None, None) => Ok(self.counts("d", d)?.into_iter().map(|d| (d, d)).collect()),
            (None, Some(d1), Some(d2)) => {
                let (d1, d2) = (self.counts("d1", d1)?, self.counts("d2", d2)?);
                if d1.len() != d2.len() {
                    let got = format!("{} and {}", d1.len(), d2.len());
                    return Err(self.error("d1 and d2", "must be lists of one length", got));
                }
                Ok(d1.into_iter().zip(d2).collect())
            }
            _ => Err(self.error("d", "is needed, or d1 and d2, and not both", "another choice")),
        }
    }

    fn samplings(&self, file: &File) -> Result<Vec<Sampling>, Error> {
        let negative = match (file.model, file.negative) {
            (Model::Quadnet, given) => given.unwrap_or(1),
            (_, None) => 0,
            (_, Some(n)) => return Err(self.error("negative", "is for quadnet only", n)),
        };
        let wrong = [&file.corruption, &file.missing];
        if file.model == Model::Rpca {
            return self.corrupted(file);
        }
        if wrong.iter().any(|v| v.is_some()) || file.magnitude.is_some() {
            let rule = "with missing and magnitude, is for rpca only";
            return Err(self.error("corruption", rule, file.model));
        }
        match (file.model, &file.m, &file.p, &file.entries, &file.exponent) {
            (model, Some(m), None, None, None) if model != Model::Completion => {
                let sampling = |measurements| match model {
                    Model::Bilinear => Sampling::Bilinear { measurements },
                    Model::Covariance => Sampling::Covariance { measurements },
                    Model::Quadnet => Sampling::Quadnet { measurements, negative },
                    Model::Sensing | Model::Completion | Model::Rpca => {
                        Sampling::Gaussian { measurements }
                    }
                };
                Ok(self.counts("m", m)?.into_iter().map(sampling).collect())
            }
            (Model::Completion, None, Some(p), None, None) => Ok(self
                .millionths("p", "must lie between 0 and 1", 1.0, p)?
                .into_iter()
                .map(|p| Sampling::Bernoulli { p })
                .collect()),
            (Model::Completion, None, None, Some(entries), Some(exponent)) => {
                let rule = "must lie between 0 and 20";
                let exponents = self.millionths("exponent", rule, 20.0, exponent)?;
                let pairs = self.counts("entries", entries)?.into_iter().flat_map(|entries| {
                    exponents.iter().map(move |&exponent| Sampling::PowerLaw { entries, exponent })
                });
                Ok(pairs.collect())
            }
            (Model::Completion, ..) => {
                let rule = "is needed for completion, or entries with exponent, without m";
                Err(self.error("p", rule, "another choice"))
            }
            _ => {
                let rule = "is needed for this model, without p, entries and exponent";
                Err(self.error("m", rule, "another choice"))
            }
        }
    }

    /// All of them zero, or none: cells of both kinds have not the same objectives.
    fn noises(&self, file: &File) -> Result<Vec<Billionths>, Error> {
        let Some(values) = &file.noise else {
            return Ok(vec![Billionths(0)]);
        };
        if file.model == Model::Rpca {
            return Err(self.error("noise", "is for linear measurements only", file.model));
        }
        let rule = "must lie between 1e-9 and 4, or be 0 alone";
        let values = self.values("noise", values)?;
        let alone = values.len() == 1;
        let level = |value: f64| {
            Billionths::nearest(value)
                .filter(|noise| noise.0 > 0 || (alone && value == 0.0))
                .ok_or_else(|| self.error("noise", rule, value))
        };
        values.into_iter().map(level).collect()
    }

    fn corrupted(&self, file: &File) -> Result<Vec<Sampling>, Error> {
        let others = [&file.m, &file.p, &file.entries, &file.exponent];
        let Some(corruption) =
            file.corruption.as_ref().filter(|_| others.iter().all(|o| o.is_none()))
        else {
            let rule = "is needed for rpca, without m, p, entries and exponent";
            return Err(self.error("corruption", rule, "another choice"));
        };
        let magnitude = file.magnitude.unwrap_or(5.0);
        let rule = "must lie between 0 and 4000";
        let Some(magnitude) = Millionths::nearest(magnitude) else {
            return Err(self.error("magnitude", rule, magnitude));
        };
        let rule = "must lie between 0 and 1";
        let missing = file.missing.clone().unwrap_or(Values::One(0.0));
        let missing = self.millionths("missing", rule, 1.0, &missing)?;
        let levels = self.millionths("corruption", rule, 1.0, corruption)?;
        let cells = missing.into_iter().flat_map(|missing| {
            let sampling =
                move |&corruption| Sampling::Corrupted { corruption, missing, magnitude };
            levels.iter().map(sampling).collect::<Vec<_>>()
        });
        Ok(cells.collect())
    }

    fn cell(&self, cell: Cell) -> Result<Cell, Error> {
        let all = cell.rows as f64 * cell.cols as f64;
        let thin = cell.rows as f64 + cell.cols as f64;
        if cell.model().is_symmetric() && cell.rows != cell.cols {
            return Err(self.error("d1 and d2", "must be equal for a symmetric matrix", cell));
        }
        match cell.sampling {
            Sampling::Quadnet { negative, .. } if negative > cell.rank => {
                Err(self.error("negative", "must be at most the rank", cell))
            }
            Sampling::Bilinear { measurements }
            | Sampling::Covariance { measurements }
            | Sampling::Quadnet { measurements, .. }
                if thin * measurements as f64 > MOST_NUMBERS =>
            {
                Err(self.error("m", "times d1 + d2 must be at most 2^28 numbers", cell))
            }
            Sampling::Gaussian { measurements } if all * measurements as f64 > MOST_NUMBERS => {
                Err(self.error("m", "times d1 d2 must be at most 2^28 numbers", cell))
            }
            Sampling::PowerLaw { entries, .. } if entries as f64 > all => {
                Err(self.error("entries", "must be at most d1 d2", cell))
            }
            _ if all > MOST_NUMBERS => {
                Err(self.error("d1 d2", "must be at most 2^28 numbers", cell))
            }
            _ => Ok(cell),
        }
    }

    /// The values of a key, at least one and at most 10 000.
    fn values(&self, key: &'static str, values: &Values) -> Result<Vec<f64>, Error> {
        let list = match values {
            Values::One(value) => vec![*value],
            Values::Many(values) => values.clone(),
            Values::Range(Range { from, to, step }) => {
                let steps = ((to - from) / step + 1e-9).floor();
                if !(*step > 0.0 && (0.0..10_000.0).contains(&steps)) {
                    let rule = "must run from 'from' to 'to' in at most 10000 positive steps";
                    let got = format!("from {from} to {to} in steps of {step}");
                    return Err(self.error(key, rule, got));
                }
                (0..=steps as usize).map(|k| from + k as f64 * step).collect()
            }
        };
        if list.is_empty() {
            return Err(self.error(key, "must hold at least one value", "an empty list"));
        }
        Ok(list)
    }

    fn counts(&self, key: &'static str, values: &Values) -> Result<Vec<usize>, Error> {
        let count = |value: f64| {
            if value.fract() == 0.0 && (1.0..=1e8).contains(&value) {
                Ok(value as usize)
            } else {
                Err(self.error(key, "must be a whole number from 1 to 100000000", value))
            }
        };
        self.values(key, values)?.into_iter().map(count).collect()
    }

    fn millionths(
        &self,
        key: &'static str,
        rule: &'static str,
        most: f64,
        values: &Values,
    ) -> Result<Vec<Millionths>, Error> {
        let checked = |value: f64| {
            Millionths::nearest(value)
                .filter(|m| m.value() <= most)
                .ok_or_else(|| self.error(key, rule, value))
        };
        self.values(key, values)?.into_iter().map(checked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::EXPERIMENTS;
    use crate::spec::Scale;

    fn parse_text(text: &str) -> Result<Sweep, String> {
        parse(Path::new("my-sweep.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_sweep_of_the_papers_grid_has_the_papers_cells() -> Result<(), String> {
        let sweep = parse_text(
            "model = 'completion'\nd = { from = 10, to = 100, step = 10 }\nrank = 2\n\
             p = { from = 0.05, to = 0.95, step = 0.05 }\ntrials = 10",
        )?;
        let paper = paper("fig3-completion");
        assert_eq!((sweep.cells, sweep.trials), (paper.cells, paper.trials));
        assert_eq!(sweep.id, "my-sweep");
        Ok(())
    }

    fn paper(id: &str) -> Sweep {
        EXPERIMENTS.iter().find(|e| e.id == id).unwrap().sweep(Scale::Paper)
    }

    #[test]
    fn the_models_with_rank_one_measurements_have_the_papers_cells_too() -> Result<(), String> {
        for (text, id) in [
            (
                "model = 'bilinear'\nrank = 2\nm = { from = 40, to = 800, step = 40 }",
                "fig3-bilinear",
            ),
            ("model = 'quadnet'\nrank = 3\nm = { from = 40, to = 600, step = 40 }", "fig3-quadnet"),
            (
                "model = 'covariance'\nrank = 2\nm = { from = 20, to = 400, step = 20 }",
                "covariance",
            ),
            ("model = 'covariance'\nrank = 1\nm = { from = 20, to = 300, step = 20 }", "phase"),
        ] {
            let grid = "\nd = { from = 10, to = 70, step = 10 }\ntrials = 10";
            let sweep = parse_text(&format!("{text}{grid}"))?;
            assert_eq!(sweep.cells, paper(id).cells, "{id}");
        }
        Ok(())
    }

    #[test]
    fn robust_pca_has_the_reports_cells_and_its_own_objectives() -> Result<(), String> {
        let text = "model = 'rpca'\nd = 60\nrank = { from = 1, to = 22, step = 1 }\ntrials = 10\n";
        let levels: Vec<String> = (1..=20).map(|k| format!("{}", 0.025 * f64::from(k))).collect();
        let text = format!("{text}corruption = [0.01, {}]\n", levels.join(", "));
        let sweep = parse_text(&text)?;
        assert_eq!(sweep.cells, paper("rpca").cells);
        assert_eq!(sweep.objectives, [Objective::Constrained, Objective::Penalised]);
        let sweep = parse_text(&format!("{text}missing = [0.1, 0.2]\nmagnitude = 1.5"))?;
        assert_eq!(sweep.cells.len(), 2 * 22 * 21);
        Ok(())
    }

    #[test]
    fn noise_has_penalised_twins() -> Result<(), String> {
        let base = "model = 'sensing'\nd = 20\nrank = 2\nm = 260\ntrials = 4\n";
        let sweep = parse_text(&format!("{base}noise = [1e-6, 1e-5]"))?;
        assert!(sweep.cells.iter().all(|cell| paper("noise").cells.contains(cell)));
        assert_eq!((sweep.cells.len(), sweep.objectives.len()), (2, 4));
        let sweep = parse_text(&format!("{base}noise = 0"))?;
        assert_eq!((sweep.cells[0].noise, sweep.objectives.len()), (Billionths(0), 2));
        Ok(())
    }

    #[test]
    fn rectangles_are_paired_and_power_laws_are_crossed() -> Result<(), String> {
        let sweep = parse_text(
            "model = 'completion'\nobjectives = ['nuclear']\nd1 = [10, 20]\nd2 = [15, 12]\n\
             rank = [1, 2]\nentries = 90\nexponent = [0, 0.5]\ntrials = 1",
        )?;
        assert_eq!(sweep.cells.len(), 2 * 2 * 2);
        assert_eq!(sweep.objectives, [Objective::Nuclear]);
        assert_eq!((sweep.cells[0].rows, sweep.cells[0].cols), (10, 15));
        Ok(())
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let base = "model = 'sensing'\nd = [10]\nrank = 2\nm = [40]\ntrials = 2\n";
        let cases = [
            (format!("{base}colour = 'red'"), "colour"),
            (format!("{base}colour = 'red'"), "line 6"),
            (base.replace("[40]", "'many'"), "{ from, to, step }"),
            (base.replace("[40]", "[40.5]"), "m must be a whole number"),
            (base.replace("[40]", "[]"), "m must hold at least one value"),
            (base.replace("[40]", "{ from = 1, to = 9, step = 0 }"), "steps of 0"),
            (base.replace("[40]", "[40, 40]"), "m = 40 twice"),
            (base.replace("m = [40]", "p = [0.5]"), "m is needed for this model"),
            (format!("{base}negative = 1"), "negative is for quadnet only"),
            (format!("{base}missing = 0.1"), "is for rpca only"),
            (format!("{base}noise = [0, 0.1]"), "or be 0 alone, got 0"),
            (format!("{base}noise = 0.1\nobjectives = ['flat-penalised']"), "and after these"),
            (format!("{base}objectives = ['flat-penalised']"), "\"flat\", \"nuclear\" or both"),
            (base.replace("'sensing'", "'rpca'"), "corruption is needed for rpca"),
            (
                base.replace("'sensing'", "'rpca'").replace("m = [40]", "corruption = 1.5"),
                "0 and 1",
            ),
            (
                format!("{}objectives = ['flat']", base.replace("'sensing'", "'rpca'")),
                "\"constrained\", \"penalised\"",
            ),
            (base.replace("'sensing'", "'quadnet'\nnegative = 3"), "at most the rank"),
            (
                base.replace("'sensing'", "'quadnet'").replace("d = [10]", "d1 = 9\nd2 = 10"),
                "equal for a symmetric matrix",
            ),
            (base.replace("'sensing'", "'bilinear'").replace("[40]", "100000000"), "2^28"),
            (base.replace("rank = 2", "rank = 11"), "11 for a 10 x 10"),
            (base.replace("rank = 2\n", ""), "rank"),
            (base.replace("trials = 2", "trials = 0"), "trials must be at least 1"),
            (base.replace("'sensing'", "'sensation'"), "sensation"),
            (base.replace("d = [10]", "d1 = [10]"), "d is needed"),
            (base.replace("d = [10]", "d1 = [10]\nd2 = [10, 11]"), "1 and 2"),
            (base.replace("[10]", "[100000000]"), "2^28"),
            (format!("{base}tolerance = 2.0"), "tolerance"),
            (format!("{base}objectives = ['flat', 'flat']"), "each once"),
            (format!("{base}name = 'No Spaces'"), "hyphens"),
            (format!("{base}name = 'fig3'"), "known experiment"),
            ("model = ".to_owned(), "line 1"),
        ];
        for (text, part) in cases {
            let message = parse_text(&text).err().unwrap_or_default();
            assert!(message.contains(part), "'{part}' is not in '{message}' for {text}");
            assert!(message.contains("my-sweep.toml"), "{message}");
        }
    }
}
