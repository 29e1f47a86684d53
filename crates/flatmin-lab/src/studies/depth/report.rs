//! Depth: 50 % points by number of nonzeros, and errors by depth.

use super::Norm;
use super::claims::number;
use super::summary::Table;
use crate::claims::signed;
use crate::figure::Figure;
use crate::report::{head, row as line};
use flatmin::hadamard::theory;

/// What a figure shows.
pub(super) fn caption(figure: &Figure) -> &'static str {
    if figure.name == "depth" {
        "The fraction of draws that are recovered, white where all are: by the least plain sum of magnitudes, and by \
         flat solutions of <i>k</i> factors. The line is the statistical dimension for the plain sum. In the top row, \
         <i>m</i> = <i>d</i>, the measurements determine the vector."
    } else {
        "Median error of the flat solution and quartiles over the draws, in cells where two factors recover. Black: \
         √(1 − <i>m</i>/<i>d</i>), the root mean square error of the solution of least Euclidean norm, to which the \
         limit comes when weights are equal. An error of 1 is that of the answer zero."
    }
}

/// What was drawn, and what the columns are.
const LEAD: &str = "\
<p>The flat minima of (1/<i>m</i>)‖<i>A</i>(<i>v</i><sub>1</sub> ∘ … ∘ <i>v</i><sub><i>k</i></sub>) − <i>b</i>‖² \
minimise ∑<i>w<sub>j</sub></i>|<i>x<sub>j</sub></i>|<sup><i>p</i></sup> over <i>A x</i> = <i>b</i>, with \
<i>p</i> = 2 − 2/<i>k</i> and <i>w<sub>j</sub></i> = ‖<i>a<sub>j</sub></i>‖²/<i>m</i>: <i>p</i> = 1 for two factors, \
then 4/3, 3/2, up to 2. Gaussian columns have nearly equal weights (they deviate by √(2/<i>m</i>)), so that two \
factors should recover where the plain sum ∑|<i>x<sub>j</sub></i>| does; both are solved for every draw, and every \
depth has the same draws. (Least ∑‖<i>v<sub>i</sub></i>‖², as from weight decay, is another matter: it gives the \
quasi-norm <i>ℓ</i><sub>2/<i>k</i></sub>, the sparser the deeper, which is not convex beyond two factors and is not \
measured here.)</p>\n";

/// A table of 50 % points and one of errors.
pub(super) fn write(page: &mut String, table: &Table<'_>) {
    page.push_str(LEAD);
    write_transitions(page, table);
    write_errors(page, table);
    let certified = table.rows.iter().filter(|row| row.certified).count();
    page.push_str(&format!(
        "<p class=\"soft\">A draw counts as recovered when ‖<i>x</i> − <i>x̄</i>‖ &lt; 1e-6; planted vectors \
         have unit norm. {certified} of {} solves are certified to 1e-8.</p>\n",
        table.rows.len()
    ));
}

fn write_transitions(page: &mut String, table: &Table<'_>) {
    let names = [
        "nonzeros s",
        "l1 50 %",
        "k = 2 50 %",
        "k = 2 − l1",
        "statistical dimension",
        "k = 2 − theory",
        "k = 2 10 %–90 % distance",
        "width of theory",
    ];
    let title = format!("Measurements from which half of the draws are recovered, d = {}", table.d);
    head(page, &title, &names);
    let told = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.1}"));
    let change = |value: Option<f64>| value.map_or("–".to_owned(), signed);
    for s in table.sparsities() {
        let (plain, two) = (table.transition(s, Norm::Plain), table.transition(s, Norm::flat(2)));
        let (half, expected) = (two.map(|t| t.half), theory::transition(table.d, s));
        let lag = two.zip(plain).map(|(two, plain)| two.half - plain.half);
        line(
            page,
            &[
                s.to_string(),
                told(plain.map(|t| t.half)),
                told(half),
                change(lag),
                format!("{expected:.1}"),
                change(half.map(|half| half - expected)),
                told(two.and_then(|t| t.width)),
                format!("{:.1}", theory::transition_width(table.d, s)),
            ],
        );
    }
    page.push_str("</table></div>\n");
}

fn write_errors(page: &mut String, table: &Table<'_>) {
    let cells = table.deep();
    let names: Vec<String> = cells.iter().map(|c| format!("m = {}, s = {}", c.1, c.0)).collect();
    let mut heads = vec!["factors"];
    heads.extend(names.iter().map(String::as_str));
    head(page, "Errors by depth: median (quartiles), draws recovered", &heads);
    for norm in Norm::depths() {
        let cell = |place| {
            let point = table.point(place, norm);
            table.errors(place, norm).map_or("–".to_owned(), |e| {
                let (low, high) = (number(e.low), number(e.high));
                let recovered = format!("{} of {}", point.successes, point.trials);
                format!("{} ({low} to {high}), {recovered}", number(e.median))
            })
        };
        let mut line_of = vec![norm.name()];
        line_of.extend(cells.iter().map(|&place| cell(place)));
        line(page, &line_of);
    }
    page.push_str("</table></div>\n");
}
