//! Estimators: root mean square errors and coverage by budget, and what runs to a tolerance spent.

use super::operators::Operator;
use super::summary::rms;
use super::{Contender, Estimates, LIMIT, Row, TOLERANCES};
use crate::figure::{Figure, escape};
use crate::report::{head, row as line};
use flatmin::core::flatness::Method;

/// What a figure shows.
pub(super) fn caption(figure: &Figure) -> &'static str {
    if figure.name == "estimators" {
        "Root mean square relative error over the draws of the probes. Dotted: what theory gives \
         Hutchinson's mean over <i>m</i> probes of random signs, \
         √(2(‖<i>H</i>‖² − ∑<i>h</i><sub><i>ii</i></sub>²) / <i>m</i>) / tr <i>H</i>. Control: with the mean of the \
         Hessian over the measurements as a control variate."
    } else {
        "How often the truth lay within two standard errors of the estimate. Grey: the 95.45 % that they \
         are to give, with two standard deviations of such a share among so many draws. Dotted: 90 %."
    }
}

/// What the operators and the columns are.
const LEAD: &str = "\
<p>Six operators of known trace are shown to every estimator as black boxes: symmetric matrices with the \
eigenvalues 0.7<sup><i>i</i></sup>, 1/<i>i</i>² and even in [1, 3] in a random basis, and the Hessian of \
(1/<i>m</i>)‖<i>A</i>(<i>L R</i><sup>T</sup>) − <i>b</i>‖² for Gaussian measurements: \
<i>interpolating</i>, at factors of the planted matrix, where the loss vanishes and the Hessian is \
semidefinite of rank 576; <i>with residuals</i>, at random factors, where it is indefinite; <i>larger</i>, \
as the first with more rows. A budget is a number of products with the operator.</p>\n";

/// A table of errors and one of coverage an operator, and one of tolerances.
pub(super) fn write(page: &mut String, estimates: Estimates<'_>) {
    page.push_str(LEAD);
    for operator in Operator::ALL {
        let budgets = estimates.budgets(operator);
        let Some(first) = estimates.first(operator) else {
            continue;
        };
        let title = format!("{}, order {}", operator.name(), first.n);
        let names: Vec<String> = budgets.iter().map(|m| format!("error at {m}")).collect();
        let covered = budgets.iter().map(|m| format!("covered at {m}"));
        let names: Vec<String> = names.into_iter().chain(covered).collect();
        let mut heads = vec!["estimator"];
        heads.extend(names.iter().map(String::as_str));
        head(page, &escape(&title), &heads);
        for contender in Contender::of(operator) {
            let draws = |m: &usize| estimates.at(operator, contender, *m);
            let error =
                |m| rms(&draws(m)).map_or("–".to_owned(), |rms| format!("{:.1e}", rms.value));
            let share = |m| covered_share(&draws(m));
            let mut cells = vec![contender.name()];
            cells.extend(budgets.iter().map(error));
            cells.extend(budgets.iter().map(share));
            line(page, &cells);
        }
        page.push_str("</table></div>\n");
    }
    write_choices(page, estimates);
    write_tolerances(page, estimates);
    let failed = estimates.0.iter().filter(|row| !row.failure.is_empty()).count();
    page.push_str(&format!(
        "<p class=\"soft\">Relative errors, root mean square over the draws, and the share of them in which \
         two standard errors hold the truth. {failed} of {} estimates failed.</p>\n",
        estimates.0.len()
    ));
}

fn covered_share(rows: &[&Row]) -> String {
    let covered = rows.iter().filter(|row| row.covered).count();
    match rows.len() {
        0 => "–".to_owned(),
        of => format!("{:.0} %", 100.0 * covered as f64 / of as f64),
    }
}

/// What the automatic choice decided for.
fn write_choices(page: &mut String, estimates: Estimates<'_>) {
    head(page, "What the automatic choice decided for", &["operator", "budget", "estimators"]);
    for operator in Operator::ALL {
        for m in estimates.budgets(operator) {
            let rows = estimates.at(operator, Contender::plain(Method::Auto), m);
            let chosen = |method: Method| {
                let count = rows.iter().filter(|row| row.method == method.name()).count();
                (count > 0).then(|| format!("{method} {count}"))
            };
            let chosen: Vec<String> = Method::ALL.into_iter().filter_map(chosen).collect();
            line(page, &[operator.name().to_owned(), m.to_string(), chosen.join(", ")]);
        }
    }
    page.push_str("</table></div>\n");
}

fn write_tolerances(page: &mut String, estimates: Estimates<'_>) {
    for tolerance in TOLERANCES {
        let title = format!("Runs to a relative error of {tolerance}");
        let names =
            ["operator", "estimator", "ended", "of these within", "median products", "most"];
        head(page, &title, &names);
        for operator in Operator::ALL {
            for contender in Contender::of(operator) {
                let runs = estimates.of(operator, contender);
                let runs: Vec<&Row> = runs.filter(|r| r.tolerance == Some(tolerance)).collect();
                if runs.is_empty() {
                    continue;
                }
                let ended: Vec<&&Row> = runs.iter().filter(|r| r.converged).collect();
                let within = ended.iter().filter(|r| r.error() <= tolerance).count();
                let mut spent: Vec<usize> = runs.iter().filter_map(|r| r.spent).collect();
                spent.sort_unstable();
                let count = |k: Option<&usize>| k.map_or("–".to_owned(), usize::to_string);
                let cells = [
                    operator.name().to_owned(),
                    contender.name(),
                    format!("{} of {}", ended.len(), runs.len()),
                    within.to_string(),
                    count(spent.get(spent.len() / 2)),
                    count(spent.last()),
                ];
                line(page, &cells);
            }
        }
        page.push_str("</table></div>\n");
    }
    page.push_str(&format!(
        "<p class=\"soft\">Each run may spend {LIMIT} products in rounds that double; one that has not ended \
         by then says so. Products: of all runs, also of those.</p>\n"
    ));
}
