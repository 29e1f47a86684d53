//! A linear map of one's own: totals over rectangular blocks of a table.
//!
//! Statistics are often published as totals, over several regions and weeks at once, never cell by
//! cell. Here a 20 x 26 table (regions x weeks) of rank two is recovered from 260 such totals. Only
//! the three required methods of [`LinearMap`] are written; the law that ties them together is
//! checked before the map is trusted.
//!
//! ```text
//! cargo run --release -p flatmin-core --example own_map
//! ```

use flatmin_core::operator::check;
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Dims, Error, LinearMap, Mat, MatMut, MatRef, Objective, Program};
use std::ops::Range;

/// `A(X)_t` is the sum of `X` over the rows and columns of block `t`.
struct BlockTotals {
    rows: usize,
    cols: usize,
    blocks: Vec<(Range<usize>, Range<usize>)>,
}

impl LinearMap for BlockTotals {
    fn dims(&self) -> Dims {
        Dims { rows: self.rows, cols: self.cols, measurements: self.blocks.len() }
    }

    /// With the sums `S_ij` of all entries above and left of `(i, j)`, a total takes four of them.
    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]) {
        let mut sums = Mat::<f64>::zeros(self.rows + 1, self.cols + 1);
        for j in 0..self.cols {
            for i in 0..self.rows {
                sums[(i + 1, j + 1)] =
                    x[(i, j)] + sums[(i, j + 1)] + sums[(i + 1, j)] - sums[(i, j)];
            }
        }
        for (total, (r, c)) in out.iter_mut().zip(&self.blocks) {
            *total = sums[(r.end, c.end)] - sums[(r.start, c.end)] - sums[(r.end, c.start)]
                + sums[(r.start, c.start)];
        }
    }

    /// `sum_t y_t (indicator of block t)`: each block marks its four corners, and running sums in
    /// both directions fill it.
    fn adjoint(&self, y: &[f64], mut out: MatMut<'_, f64>) {
        let mut marks = Mat::<f64>::zeros(self.rows + 1, self.cols + 1);
        for (y, (r, c)) in y.iter().zip(&self.blocks) {
            marks[(r.start, c.start)] += y;
            marks[(r.start, c.end)] -= y;
            marks[(r.end, c.start)] -= y;
            marks[(r.end, c.end)] += y;
        }
        for j in 0..self.cols {
            for i in 0..self.rows {
                let above = if i > 0 { out[(i - 1, j)] } else { 0.0 };
                let left = if j > 0 { out[(i, j - 1)] } else { 0.0 };
                let corner = if i > 0 && j > 0 { out[(i - 1, j - 1)] } else { 0.0 };
                out[(i, j)] = marks[(i, j)] + above + left - corner;
            }
        }
    }
}

/// Random blocks of up to six rows and six columns.
fn random_blocks(rows: usize, cols: usize, count: usize, stream: &mut Stream) -> BlockTotals {
    let mut interval = |n: usize| {
        let width = 1 + (stream.uniform() * 6.0) as usize;
        let start = (stream.uniform() * (n - width + 1) as f64) as usize;
        start..start + width
    };
    let blocks = (0..count).map(|_| (interval(rows), interval(cols))).collect();
    BlockTotals { rows, cols, blocks }
}

fn main() -> Result<(), Error> {
    let (rows, cols, m) = (20, 26, 260);
    let mut stream = Stream::new(1, "own map", 0, 0, Role::Measurements);
    let map = random_blocks(rows, cols, m, &mut stream);
    println!("adjoint law: off by {:.1e}", check::adjoint(&map, 0));

    // Two kinds of region: level and seasonal.
    let level: Vec<f64> = (0..rows).map(|_| 10.0 + stream.gaussian()).collect();
    let swing: Vec<f64> = (0..rows).map(|_| 3.0 * stream.gaussian()).collect();
    let season = |week: usize| (week as f64 / cols as f64 * std::f64::consts::TAU).sin();
    let table = Mat::from_fn(rows, cols, |i, j| level[i] + swing[i] * season(j));

    let mut totals = vec![0.0; m];
    map.apply(table.as_ref(), &mut totals);
    for objective in [Objective::Flat, Objective::Nuclear] {
        let answer = Program::new(&map, &totals, objective).solve()?;
        let error = (answer.matrix() - &table).norm_l2() / table.norm_l2();
        println!(
            "{objective}: {:.9} with gap {:.1e}, {}; rank {}, relative error {error:.1e}",
            answer.objective, answer.relative_gap, answer.status, answer.rank
        );
        for warning in &answer.warnings {
            println!("  note: {warning}");
        }
    }
    Ok(())
}
