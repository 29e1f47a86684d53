//! The roads to a certified split.

use crate::decomposition::{Decomposition, unidentified};
use crate::program::{Form, Program, check};
use flatmin_core::linalg::{self, Par};
use flatmin_core::{Error, Mat, Status};

pub(crate) fn solve(program: Program<'_>) -> Result<Decomposition, Error> {
    check(&program)?;
    let p = program.problem;
    let Form::Penalised { lambda } = program.form else {
        return Err(Error::Parameter {
            name: "form",
            rule: "penalised",
            got: "constrained".into(),
        });
    };
    let y = p.matrix().to_owned();
    let norm = linalg::operator_norm(y.as_ref())?;
    let mu = 10.0 / norm;
    let clip =
        |b: f64, i, j| if p.is_seen(i, j) { b.clamp(-lambda / mu, lambda / mu) } else { 0.0 };
    let mut b = Mat::<f64>::zeros(p.rows, p.cols);
    let (mut best, mut low) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut iterations = 0;
    loop {
        iterations += 1;
        let a = Mat::from_fn(p.rows, p.cols, |i, j| {
            y[(i, j)] - b[(i, j)] + 2.0 * clip(b[(i, j)], i, j)
        });
        let svd = linalg::svd(a.as_ref(), Par::Seq)?;
        let s: Vec<f64> = svd.s.iter().map(|s| s - 1.0 / mu).take_while(|&s| s > 0.0).collect();
        let root: Vec<f64> = s.iter().map(|s| s.sqrt()).collect();
        let left = linalg::scale_columns(svd.u.as_ref().subcols(0, s.len()), &root);
        let right = linalg::scale_columns(svd.v.as_ref().subcols(0, s.len()), &root);
        let x = linalg::product(left.as_ref(), right.transpose());
        b = Mat::from_fn(p.rows, p.cols, |i, j| y[(i, j)] - x[(i, j)] + clip(b[(i, j)], i, j));
        let sparse =
            Mat::from_fn(
                p.rows,
                p.cols,
                |i, j| if p.is_seen(i, j) { y[(i, j)] - x[(i, j)] } else { 0.0 },
            );
        let tau: f64 = sparse.col_iter().flat_map(|c| c.iter()).map(|v| v.abs()).sum();
        let dual = Mat::from_fn(p.rows, p.cols, |i, j| mu * clip(b[(i, j)], i, j));
        let size = linalg::operator_norm(dual.as_ref())?.max(1.0);
        let bound = linalg::inner(y.as_ref(), dual.as_ref()) / size;
        best = best.min(s.iter().sum::<f64>() + lambda * tau);
        low = low.max(bound);
        let gap = (best - low) / best;
        if gap <= program.tolerance || iterations >= program.max_iterations {
            let status =
                if gap <= program.tolerance { Status::Certified } else { Status::IterationLimit };
            let (unidentified_rows, unidentified_cols) = unidentified(p);
            return Ok(Decomposition {
                form: program.form,
                status,
                objective: best,
                lower_bound: low,
                relative_gap: gap,
                feasibility: 0.0,
                rank: s.len(),
                unique: false,
                scaled_trace: 4.0 * s.iter().sum::<f64>(),
                iterations,
                lambda,
                tau,
                unidentified_rows,
                unidentified_cols,
                warnings: Vec::new(),
                dual: Mat::from_fn(p.rows, p.cols, |i, j| dual[(i, j)] / size),
                left,
                right,
                sparse,
            });
        }
    }
}
