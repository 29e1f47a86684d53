//! The report: one HTML page that opens from disk, with no network.
//!
//! The page is a function of the records. What it says about time it reads from `timings.js`, which
//! lies beside it and changes from run to run.

mod noise;

use crate::claims::{Claim, Verdict, guide, level, signed, size};
use crate::figure::{Figure, escape, told};
use crate::record::{Record, SUCCESS};
use crate::regularity::bounds_used;
use crate::reproduce::Section;
use crate::runner::Tally;
use crate::spec::{Cell, Model, Objective};
use crate::summary::{Axis, Line, Table};
use flatmin::core::theory::statistical_dimension;

/// Uncertified solves that are listed one by one; the records hold the rest.
const LISTED: usize = 200;

/// A report to be written.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was measured.
    pub sections: &'a [Section],
    /// The scale, or the name of a user's sweep.
    pub scale: &'a str,
    /// Root seed.
    pub seed: u64,
}

impl Report<'_> {
    /// The page.
    pub fn html(&self) -> String {
        let mut page = String::new();
        page.push_str(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>flatmin: {scale} report</title>\n<style>\n{css}</style>\n</head>\n<body>\n\
             <header>\n<h1>Flat minima and low-rank recovery: what was measured</h1>\n{intro}\n\
             <p class=\"soft\">Scale {scale}, seed {seed}, flatmin {version}. \
             <span id=\"run-time\">The time this took is in timings.csv.</span></p>\n</header>\n<main>\n",
            scale = escape(self.scale),
            css = include_str!("report.css"),
            intro = INTRODUCTION,
            seed = self.seed,
            version = env!("CARGO_PKG_VERSION"),
        ));
        self.overview(&mut page);
        for section in self.sections {
            write_section(&mut page, section);
        }
        page.push_str("</main>\n<script src=\"timings.js\"></script>\n<script>\n");
        page.push_str(SCRIPT);
        page.push_str("</script>\n</body>\n</html>\n");
        page
    }

    fn overview(&self, page: &mut String) {
        let claims: Vec<(&Section, &Claim)> =
            self.sections.iter().flat_map(|s| s.claims.iter().map(move |c| (s, c))).collect();
        if !claims.is_empty() {
            page.push_str("<h2>The claims</h2>\n<div class=\"scroll\"><table>\n");
            page.push_str("<tr><th>Claim</th><th>Verdict</th><th>Experiment</th></tr>\n");
            for (section, claim) in claims {
                page.push_str(&format!(
                    "<tr><td>{}</td><td>{}</td><td><a href=\"#{id}\">{id}</a></td></tr>\n",
                    escape(claim.statement),
                    badge(claim.verdict),
                    id = escape(&section.sweep.id),
                ));
            }
            page.push_str("</table></div>\n");
        }
        let solved = self.sections.iter().filter(|s| s.source.is_none());
        let all: Vec<&Record> = solved.flat_map(Section::records).collect();
        let certified = all.iter().filter(|r| r.certified).count();
        if all.is_empty() {
            return;
        }
        page.push_str(&format!(
            "<p>{certified} of {} solves ended certified: a dual vector proves that the answer is \
             optimal to the relative gap asked for.{}</p>\n",
            all.len(),
            if certified < all.len() {
                " The others are listed with their experiment."
            } else {
                ""
            },
        ));
    }
}

const INTRODUCTION: &str = "\
<p>A matrix <i>M</i> of low rank and unit Frobenius norm is seen through linear measurements \
<i>b</i> = <i>A</i>(<i>M</i>). Among all matrices that fit, <b>FLAT</b> minimises \
‖<i>D</i>₁<i>XD</i>₂‖<sub>∗</sub>: it is the product of the factors at which the Hessian of the \
overparameterised loss has the least scaled trace. <b>NUC</b> minimises the nuclear norm \
‖<i>X</i>‖<sub>∗</sub>. Both are solved on the same draw, and a draw counts as recovered when \
‖<i>X</i> − <i>M</i>‖ &lt; 10⁻⁶ in Frobenius norm. In <b>robust PCA</b> the entries themselves are seen, \
some of them grossly wrong: <i>Y</i> = <i>M</i> + <i>S</i>. The flat solutions are those of least \
‖<i>X</i>‖<sub>∗</sub> with ∑|<i>Y</i> − <i>X</i>| ≤ τ (<b>constrained</b>, τ being ∑|<i>S</i>|); the \
<b>penalised</b> form adds λ∑|<i>Y</i> − <i>X</i>| instead. There the error is relative to \
‖<i>M</i>‖. Under <b>noise</b>, <i>b</i> = <i>A</i>(<i>M</i>) + <i>w</i> with ‖<i>w</i>‖ known: FLAT and NUC \
minimise their norms over ‖<i>A</i>(<i>X</i>) − <i>b</i>‖ ≤ ‖<i>w</i>‖.</p>\n\
<p class=\"soft\">Source of the claims: L. Ding, D. Drusvyatskiy, M. Fazel, Z. Harchaoui, \
<i>Flat minima generalize for low-rank matrix recovery</i>, Information and Inference 13(2), 2024. \
The verdicts are computed from the records; “not decided” means that this grid or number of draws \
cannot tell.</p>";

/// Fills in the times, if `timings.js` was found.
const SCRIPT: &str = "\
const times = window.flatminTimings;
if (times) {
  document.getElementById('run-time').textContent = times.run;
  for (const place of document.querySelectorAll('[data-time]')) {
    const text = times.experiments[place.dataset.time];
    if (text) place.textContent = text;
  }
}
";

fn badge(verdict: Verdict) -> String {
    let mark = match verdict {
        Verdict::Held => "✓",
        Verdict::DidNotHold => "✗",
        Verdict::NotDecided => "?",
    };
    format!(
        "<span class=\"verdict {}\"><span aria-hidden=\"true\">{mark}</span> {verdict}</span>",
        class(verdict)
    )
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::DidNotHold => "failed",
        Verdict::NotDecided => "open",
    }
}

fn write_section(page: &mut String, section: &Section) {
    let sweep = &section.sweep;
    let id = escape(&sweep.id);
    page.push_str(&format!("<section id=\"{id}\">\n<h2>{}</h2>\n", escape(&sweep.title)));
    page.push_str(&match &section.source {
        None if !section.is_swept() => {
            format!("<p class=\"soft\"><a href=\"../records/{id}.csv\">Records</a>.</p>\n")
        }
        None => format!(
            "<p class=\"soft\">{} cells, {} draws each, {} solves. \
             <a href=\"../records/{id}.csv\">Records</a>.</p>\n",
            sweep.cells.len(),
            sweep.trials,
            sweep.solves(),
        ),
        Some(source) => format!(
            "<p class=\"soft\">Computed from the solves of <a href=\"#{0}\">{0}</a>. \
             <a href=\"../records/{0}.csv\">Records</a>.</p>\n",
            escape(source),
        ),
    });
    for claim in &section.claims {
        page.push_str(&format!(
            "<div class=\"claim {}\">\n<p><b>Claim.</b> {} <span class=\"soft\">({})</span></p>\n\
             <p><b>Measured.</b> {}.</p>\n<p>{}</p>\n</div>\n",
            class(claim.verdict),
            escape(claim.statement),
            escape(claim.source),
            escape(&claim.measured),
            badge(claim.verdict),
        ));
    }
    for figure in &section.figures {
        // A picture of times stays outside: the page is a function of the records.
        let outside = format!(
            "<img src=\"../figures/{}.svg\" alt=\"Time and peak memory over the number of entries\">",
            escape(&figure.name)
        );
        page.push_str(&format!(
            "<figure>\n<div class=\"scroll\" tabindex=\"0\">\n{}\n</div>\n<figcaption>{} \
             <a href=\"../figures/{name}.svg\">SVG</a>.</figcaption>\n</figure>\n",
            if figure.timed { outside.as_str() } else { figure.svg.trim() },
            caption(section, figure),
            name = escape(&figure.name),
        ));
    }
    if let Some(found) = &section.findings {
        found.write(page);
    }
    let times = match &section.source {
        _ if !section.is_swept() => String::new(),
        None => {
            let records = section.records();
            let table = Table::new(records.iter().copied());
            write_transitions(page, &table);
            write_uneven(page, &table);
            write_corruptions(page, &table);
            noise::write(page, &records);
            write_uncertified(page, &records);
            format!("<p class=\"soft\" data-time=\"{id}\">Times: see timings.csv.</p>\n")
        }
        Some(_) => {
            write_regularity(page, &section.records());
            String::new()
        }
    };
    page.push_str(&format!(
        "<h3>Again</h3>\n<p><code class=\"command\">{}</code></p>\n{times}</section>\n",
        escape(&section.command)
    ));
}

fn caption(section: &Section, figure: &Figure) -> &'static str {
    if let Some(found) = &section.findings {
        return found.caption(figure);
    }
    if figure.timed {
        return "Each draw alone on the machine, one thread. Left, dotted: in proportion to the number of \
                entries. Right: the most memory that the process held while it solved, its data and the \
                laboratory itself included; dotted: the entries as they are given, 24 bytes each.";
    }
    if section.sweep.cells.iter().any(|cell| cell.noise.0 > 0) {
        return if figure.name.ends_with("-m") {
            "Error over the noise of a measurement, ‖<i>X</i> − <i>M</i>‖√<i>m</i> / ‖<i>w</i>‖: draws, and \
             their geometric means. Line: what theory expects of NUC with Gaussian measurements, for \
             large matrices and small noise. Dotted: least squares for whoever knows the tangent space at \
             <i>M</i>, √(<i>n</i> / (<i>m</i> − <i>n</i>)) with <i>n</i> degrees of freedom."
        } else {
            "Solved under the bound ‖<i>A</i>(<i>X</i>) − <i>b</i>‖ ≤ ‖<i>w</i>‖; the penalised form with the \
             λ that this implies has the same answers. Noise: the deviation of <i>w</i> relative to the \
             root mean square of the exact targets."
        };
    }
    if section.source.is_some() {
        return if figure.name == section.sweep.id {
            "Colour: median over the draws of a cell in which <i>D</i>₁ and <i>D</i>₂ are \
             nonsingular. Left: how far ‖<i>L</i>‖² + ‖<i>R</i>‖² of the flat factors lies above \
             its minimum over all factors that fit, twice the value of NUC, relative to it. Right: the \
             nuclear norm of <i>L</i>ᵀ<i>L</i> − <i>R</i>ᵀ<i>R</i>, relative to \
             ‖<i>L</i>‖² + ‖<i>R</i>‖²."
        } else {
            "The ratio κ of the extreme eigenvalues of <i>D</i>₁ and <i>D</i>₂ together: medians \
             over draws, and what theory expects. At κ = 1 flat and norm-minimal factors are the same."
        };
    }
    match section.sweep.cells.first().map(|cell| cell.sampling) {
        Some(crate::spec::Sampling::PowerLaw { .. }) => {
            "Row and column <i>k</i> (in random order) have weight <i>k</i> to the power \
             −exponent; an entry is seen with probability proportional to the product of its two \
             weights, capped at 1, with the expected number of entries held fixed. \
             Bars: 95% Wilson intervals (left), quartiles over draws (right)."
        }
        Some(crate::spec::Sampling::Covariance { .. }) => {
            "Grey: fraction of draws recovered, white where all are. Points: where the fraction \
             passes one half (isotonic fit). Dotted: degrees of freedom, below which no method can \
             recover. FLAT asks for a fit only: where several matrices fit, which of them is \
             returned is the solver's choice, and may be the planted one."
        }
        Some(crate::spec::Sampling::Corrupted { .. }) => {
            "Grey: fraction of draws recovered, white where all are. Points: where the fraction \
             passes one half (isotonic fit). Line: where theory puts it if the wrong entries were \
             sparse in a random basis. Dotted: where half of the draws have at most \
             <i>cd</i>/(<i>\u{3bc}r</i>) wrong entries in each row and column, with the largest \
             <i>c</i> for which all such draws are recovered."
        }
        _ => {
            "Grey: fraction of draws recovered, white where all are. Points: where the fraction \
             passes one half (isotonic fit). Dotted: degrees of freedom, below which no method can \
             recover."
        }
    }
}

/// A row of a table: texts, the first of them a name, the others numbers.
pub(crate) fn row(page: &mut String, cells: &[String]) {
    page.push_str("<tr>");
    for (k, cell) in cells.iter().enumerate() {
        page.push_str(if k == 0 { "<td>" } else { "<td class=\"n\">" });
        page.push_str(&escape(cell));
        page.push_str("</td>");
    }
    page.push_str("</tr>\n");
}

/// Title and head of a table, both in HTML; `</table></div>` ends it.
pub(crate) fn head(page: &mut String, title: &str, names: &[&str]) {
    page.push_str(&format!("<h3>{title}</h3>\n<div class=\"scroll\"><table class=\"data\">\n<tr>"));
    for (k, name) in names.iter().enumerate() {
        page.push_str(if k == 0 { "<th>" } else { "<th class=\"n\">" });
        page.push_str(name);
        page.push_str("</th>");
    }
    page.push_str("</tr>\n");
}

/// The 50% points of each size, and for sensing the theory beside them.
fn write_transitions(page: &mut String, table: &Table<'_>) {
    let lines = table.lines();
    let lines = lines.iter().filter(|l| matches!(l.axis, Axis::Measurements | Axis::Probability));
    let (mut open, mut theory_too) = (false, false);
    for &line in lines {
        let gaussian = line.model == Model::Sensing;
        if !open {
            let mut names =
                vec!["size, rank", "FLAT 50%", "NUC 50%", "FLAT − NUC", "NUC 10%–90% distance"];
            if gaussian {
                names.extend(["statistical dimension", "NUC − theory"]);
            }
            head(page, "Where half of the draws are recovered", &names);
            (open, theory_too) = (true, gaussian);
        }
        let found = [Objective::Flat, Objective::Nuclear].map(|o| table.transition(line, o));
        let difference = |value: f64| match line.axis {
            Axis::Measurements => signed(value),
            _ if value.abs() < 5e-4 => "0".to_owned(),
            _ => format!("{value:+.3}").replace('-', "\u{2212}"),
        };
        let none = || "–".to_owned();
        let mut cells = vec![
            format!("{}, {}", size(line), line.rank),
            half_point(table, line, Objective::Flat),
            half_point(table, line, Objective::Nuclear),
            found[0].zip(found[1]).map_or_else(none, |(f, n)| difference(f.half - n.half)),
            found[1].and_then(|t| t.width).map_or_else(none, |w| level(line.axis, w)),
        ];
        if theory_too {
            let theory = statistical_dimension(line.rows, line.cols, line.rank);
            cells.push(format!("{theory:.1}"));
            cells.push(found[1].map_or_else(none, |t| difference(t.half - theory)));
        }
        row(page, &cells);
    }
    if open {
        page.push_str(
            "</table></div>\n<p class=\"soft\">In brackets the neighbouring levels of the grid \
             between which the 50% point lies. A 10%–90% distance of 0.8 steps of the grid, its \
             least value, says that the transition is no wider than a step.</p>\n",
        );
    }
}

/// Recoveries and median errors over the exponent.
fn write_uneven(page: &mut String, table: &Table<'_>) {
    for line in table.lines() {
        let Axis::Exponent { entries } = line.axis else {
            continue;
        };
        let title = format!("{}, rank {}, {entries} expected entries", size(line), line.rank);
        let names =
            ["exponent", "FLAT recovers", "NUC recovers", "FLAT median error", "NUC median error"];
        head(page, &title, &names);
        let flat = table.groups(line, Objective::Flat);
        let nuclear = table.groups(line, Objective::Nuclear);
        let mut levels: Vec<f64> = flat.iter().chain(nuclear).map(|g| g.level).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        for x in levels {
            let at = [flat, nuclear].map(|groups| groups.iter().find(|g| g.level == x));
            let count = |k: usize| {
                at[k].map_or("–".to_owned(), |g| {
                    format!("{} of {}", g.point().successes, g.point().trials)
                })
            };
            let error = |k: usize| {
                at[k].map_or("–".to_owned(), |g| format!("{:.1e}", g.error_quantile(0.5)))
            };
            row(page, &[x.to_string(), count(0), count(1), error(0), error(1)]);
        }
        page.push_str("</table></div>\n");
    }
}

/// The 50% points of both forms of robust PCA, with theory beside them.
fn write_corruptions(page: &mut String, table: &Table<'_>) {
    let lines = table.lines();
    let lines = lines.iter().filter(|l| matches!(l.axis, Axis::Corruption { .. }));
    let mut open = false;
    for &line in lines {
        if !open {
            let names =
                ["size, rank", "constrained 50%", "theory", "penalised 50%", "theory", "missing"];
            head(
                page,
                "Fraction of wrong entries up to which half of the draws are recovered",
                &names,
            );
            open = true;
        }
        let mut cells = vec![format!("{}, {}", size(line), line.rank)];
        for objective in [Objective::Constrained, Objective::Penalised] {
            cells.push(half_point(table, line, objective));
            let theory = guide(line, objective);
            cells.push(theory.map_or("–".to_owned(), |value| level(line.axis, value)));
        }
        if let Axis::Corruption { missing, .. } = line.axis {
            cells.push(missing.to_string());
        }
        row(page, &cells);
    }
    if open {
        page.push_str(
            "</table></div>\n<p class=\"soft\">In brackets the neighbouring levels of the grid \
             between which the 50% point lies. The theory is for a sparse part in a random \
             basis, and a guide here.</p>\n",
        );
    }
}

/// The 50% point of an objective on a line, and the levels around it.
fn half_point(table: &Table<'_>, line: Line, objective: Objective) -> String {
    match table.transition(line, objective) {
        Some(t) => format!(
            "{} ({}–{})",
            level(line.axis, t.half),
            level(line.axis, t.bracket.0),
            level(line.axis, t.bracket.1)
        ),
        None => "not on this grid".to_owned(),
    }
}

/// Norm and imbalance of the flat factors that were recovered, by size.
fn write_regularity(page: &mut String, records: &[&Record]) {
    let table = Table::new(records.iter().copied());
    let names = [
        "size, rank",
        "draws",
        "excess: median",
        "largest",
        "imbalance: median",
        "largest",
        "norm bound used",
        "imbalance bound used",
    ];
    head(page, "Regularity of the flat factors that were recovered", &names);
    for line in table.lines() {
        let flat = table.groups(line, Objective::Flat).iter().flat_map(|group| &group.records);
        let used: Vec<(&Record, [f64; 2])> = flat
            .filter(|r| r.success)
            .filter_map(|r| bounds_used(r).map(|used| (*r, used)))
            .collect();
        let sorted = |of: fn(&Record) -> Option<f64>| {
            let mut values: Vec<f64> = used.iter().filter_map(|(r, _)| of(r)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let small = |value: Option<&f64>| value.map_or("–".to_owned(), |v| format!("{v:.1e}"));
        let mut cells = vec![format!("{}, {}", size(line), line.rank), used.len().to_string()];
        for values in [sorted(|r| r.norm_excess_relative), sorted(|r| r.imbalance_relative)] {
            cells.push(small(values.get(values.len() / 2)));
            cells.push(small(values.last()));
        }
        for which in 0..2 {
            let most = used.iter().map(|(_, used)| used[which]).fold(0.0, f64::max);
            cells.push(format!("{:.1}%", 100.0 * most));
        }
        row(page, &cells);
    }
    page.push_str(
        "</table></div>\n<p class=\"soft\">Draws of all numbers of measurements together. The last \
         two columns: the most that any of them uses of the excess κ² − 1, and of the imbalance \
         (κ² − 1) / (κ² + 1), that its own κ allows.</p>\n",
    );
}

/// The solves without a certificate, one by one.
fn write_uncertified(page: &mut String, records: &[&Record]) {
    let open: Vec<&&Record> = records.iter().filter(|r| !r.certified).collect();
    page.push_str(&format!(
        "<h3>Certificates</h3>\n<p>{} of {} solves are certified to a relative gap of {:e}.</p>\n",
        records.len() - open.len(),
        records.len(),
        records.first().map_or(0.0, |r| r.tolerance),
    ));
    if open.is_empty() {
        return;
    }
    page.push_str(&format!("<details><summary>The other {}</summary>\n", open.len()));
    page.push_str("<div class=\"scroll\"><table class=\"data\">\n<tr><th>cell</th><th>draw</th>");
    page.push_str("<th>objective</th><th>status</th><th>gap</th><th>recovered</th></tr>\n");
    for record in open.iter().take(LISTED) {
        let cell = record.cell().as_ref().map_or_else(String::new, Cell::to_string);
        let gap = record.relative_gap.map_or("–".to_owned(), |gap| format!("{gap:.1e}"));
        let recovered = if record.success { "yes" } else { "no" };
        let cells = [
            cell,
            record.trial.to_string(),
            record.objective.to_string(),
            record.status.clone(),
            gap,
            recovered.to_owned(),
        ];
        page.push_str("<tr>");
        for cell in cells {
            page.push_str(&format!("<td>{}</td>", escape(&cell)));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
    if open.len() > LISTED {
        page.push_str("<p>The rest are in the records, with certified = false.</p>\n");
    }
    page.push_str("</details>\n");
}

/// The text of `timings.js`: what the page says about time.
pub fn timings_script(sections: &[Section], tally: Tally, jobs: usize, seconds: f64) -> String {
    let solved = sections.iter().filter(|s| s.source.is_none());
    let total: f64 = solved.flat_map(|s| &s.rows).map(|row| row.seconds).sum();
    let solves = match (tally.computed, tally.resumed) {
        (0, 0) => String::new(),
        (computed, resumed) => format!(
            ", solved {computed} draws and found {resumed} in the journal; all solves together took \
             {total:.0} s, one thread each"
        ),
    };
    let mut script = format!(
        "window.flatminTimings = {{\n  run: \"The last run took {seconds:.0} s with {jobs} worker(s)\
         {solves}.\",\n  experiments: {{\n"
    );
    for (key, text) in sections.iter().filter_map(|s| s.findings.as_ref()).flat_map(|f| f.times()) {
        script.push_str(&format!("    \"{key}\": \"{text}\",\n"));
    }
    let swept = sections.iter().filter(|s| s.source.is_none() && s.is_swept());
    for section in swept {
        let times = |o: Objective| {
            let mut times: Vec<f64> = section
                .rows
                .iter()
                .filter(|row| row.record.objective == o)
                .map(|row| row.seconds)
                .collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let mut parts = Vec::new();
        for &o in &section.sweep.objectives {
            let times = times(o);
            if let (Some(median), Some(last)) = (times.get(times.len() / 2), times.last()) {
                let total: f64 = times.iter().sum();
                parts.push(format!(
                    "{o}: {total:.1} s in all, median {median:.3} s, longest {last:.2} s"
                ));
            }
        }
        let scaling = match told(&section.rows) {
            Some(told) if section.sweep.alone => format!(" {told}."),
            _ => String::new(),
        };
        script.push_str(&format!(
            "    \"{}\": \"Time of the solves (one thread each): {}.{scaling}\",\n",
            section.sweep.id,
            parts.join("; ")
        ));
    }
    script.push_str("  },\n};\n");
    script
}

// The introduction names the threshold in words.
const _: () = assert!(SUCCESS == 1e-6);
