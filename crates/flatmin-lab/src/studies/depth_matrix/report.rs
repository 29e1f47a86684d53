//! Depth: recovery, errors and nuclear norms by the number of measurements, and where searches ended.

use super::summary::{Found, Method, cells, mean};
use super::{DEPTHS, EXACT};
use crate::report::{head, row as line};

/// What the figure shows.
pub(super) const CAPTION: &str = "\
Flat factorisations into two, three and four layers beside the least nuclear norm (NUC), over the number of \
measurements: the share of planted matrices recovered to 10⁻⁶, the mean distance to them, and the mean of \
‖<i>X</i>‖<sub>*</sub> over the least nuclear norm that fits. Dotted: the statistical dimension of NUC’s \
descent cone, where half of the draws recover in theory.";

const LEAD: &str = "\
<p>The loss is (1/<i>m</i>)‖<i>A</i>(<i>W</i><sub>1</sub>⋯<i>W</i><sub><i>L</i></sub>) − <i>b</i>‖² with square \
layers, Gaussian measurements and a planted matrix of unit norm. The trace of its Hessian is minimised over the \
layers that interpolate, from several starts, and the best is taken. In the population the least trace of a matrix \
<i>X</i> is 2<i>L</i> <i>d</i><sup>2/<i>L</i></sup> ‖<i>X</i>‖<sub>*</sub><sup>2 − 2/<i>L</i></sup>, which orders \
matrices as their nuclear norm does, for every <i>L</i> ≥ 2. (For vectors <i>x</i> = \
<i>v</i><sub>1</sub> ∘ ⋯ ∘ <i>v</i><sub><i>L</i></sub> depth from three on makes flat minima fail.)</p>\n";

pub(super) fn write(page: &mut String, found: &[Found<'_>]) {
    page.push_str(LEAD);
    for (rank, measurements) in cells(found) {
        let mut heads = vec!["measurements".to_owned()];
        for what in ["recovered", "mean error", "‖<i>X</i>‖<sub>*</sub> / least"] {
            for method in Method::ALL {
                if what.starts_with('‖') && method == Method::Nuclear {
                    continue;
                }
                heads.push(format!("{what}, {}", method.name()));
            }
        }
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        head(page, &format!("Matrices of rank {rank}"), &heads);
        for m in measurements {
            let of = |method: Method| method.of(found, rank, m);
            let share = |method: Method| {
                let draws = of(method);
                let hits = draws.iter().filter(|f| method.error(f) < EXACT).count();
                format!("{hits} of {}", draws.len())
            };
            let number = |value: Option<f64>, digits: usize| {
                value.map_or("–".to_owned(), |v| format!("{v:.digits$}"))
            };
            let error =
                |method: Method| number(mean(of(method).iter().map(|f| method.error(f))), 3);
            let ratio = |depth| {
                let method = Method::Layers(depth);
                number(mean(of(method).iter().map(|f| method.ratio(f))), 4)
            };
            let mut row = vec![m.to_string()];
            row.extend(Method::ALL.map(share));
            row.extend(Method::ALL.map(error));
            row.extend(DEPTHS.map(ratio));
            line(page, &row);
        }
        page.push_str("</table></div>\n");
    }
    searches(page, found);
}

/// Where the searches ended.
fn searches(page: &mut String, found: &[Found<'_>]) {
    let names = ["layers", "rank", "searches", "converged", "above the best", "trace / population"];
    head(page, "Searches", &names);
    for (rank, _) in cells(found) {
        for depth in DEPTHS {
            let of = |f: &&Found<'_>| (f.best.rank, f.best.depth) == (rank, depth);
            let draws: Vec<&Found<'_>> = found.iter().filter(of).collect();
            let starts = || draws.iter().flat_map(|f| f.starts);
            let higher: usize = draws.iter().map(|f| f.higher(EXACT)).sum();
            let ratio = |f: &&Found<'_>| f.best.trace / f.best.population;
            let (low, high) = draws
                .iter()
                .map(ratio)
                .fold((f64::INFINITY, 0.0_f64), |(l, h), r| (l.min(r), h.max(r)));
            let row = [
                depth.to_string(),
                rank.to_string(),
                starts().count().to_string(),
                starts().filter(|row| row.converged).count().to_string(),
                higher.to_string(),
                format!("{low:.2} to {high:.2}"),
            ];
            line(page, &row);
        }
    }
    page.push_str("</table></div>\n");
    page.push_str(&format!(
        "<p class=\"soft\">{} draws from each number of measurements. Converged: relative residual below 10⁻⁹ and the \
         gradient of the trace met by multipliers to 10⁻⁷. Above the best: on the zero set, at a trace larger than the \
         best of their draw by more than 10⁻⁶ of it. The first start of a draw is at the layers that the population \
         makes flattest for NUC’s answer, the others are random.</p>\n",
        draws(found)
    ));
}

/// Draws from one number of measurements.
fn draws(found: &[Found<'_>]) -> usize {
    found.iter().map(|f| f.best.trial as usize + 1).max().unwrap_or(0)
}
