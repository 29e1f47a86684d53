//! One trial at scale: few entries of a large matrix, of which nothing but thin factors is formed.
//!
//! A draw of these cells runs alone, so that its time is that of one thread on a machine that does
//! nothing else, and the peak of the process's memory is its own.

use crate::memory;
use crate::record::Timed;
use crate::runner::Draw;
use crate::spec::{Objective, Sampling};
use crate::trial::{each_objective, failure, fill, refused};
use flatmin::completion::Completion;
use flatmin::core::linalg::{norm, product, thin_qr};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{self, Error, Mat, MatRef};
use std::time::Instant;

/// The penalty over the size of the noise.
const ABOVE: f64 = 1.25;

/// Sampled entries of a matrix `U V^T` of unit Frobenius norm.
struct Scattered {
    problem: Completion,
    factors: (Mat<f64>, Mat<f64>),
    /// Standard deviation of the noise of an entry, and its norm.
    noise: Option<(f64, f64)>,
    /// Probability of an entry.
    p: f64,
}

impl Scattered {
    fn draw(draw: &Draw<'_>) -> Result<Scattered, Error> {
        let (rows, cols, rank) = (draw.cell.rows, draw.cell.cols, draw.cell.rank);
        let Sampling::Scattered { entries } = draw.cell.sampling else {
            let (rule, got) = ("of scattered entries", draw.cell.to_string());
            return Err(Error::Parameter { name: "the cell", rule, got });
        };
        let (family, key) = draw.cell.key();
        let stream = |role| Stream::new(draw.seed, family, key, u64::from(draw.trial), role);
        let mut truth = stream(Role::Truth);
        let (u, v) = (truth.gaussian_matrix(rows, rank), truth.gaussian_matrix(cols, rank));
        let size = product_norm(u.as_ref(), v.as_ref());
        let u = Mat::from_fn(rows, rank, |i, j| u[(i, j)] / size);
        let p = entries as f64 / (rows as f64 * cols as f64);
        let (i, j) = positions(rows, cols, p, &mut stream(Role::Measurements));
        let entry = |(&i, &j): (&usize, &usize)| (0..rank).map(|k| u[(i, k)] * v[(j, k)]).sum();
        let mut targets: Vec<f64> = i.iter().zip(&j).map(entry).collect();
        let mut noise = None;
        if draw.cell.noise.0 > 0 && !targets.is_empty() {
            let mean_square = norm(&targets) / (targets.len() as f64).sqrt();
            let deviation = draw.cell.noise.value() * mean_square;
            let mut stream = stream(Role::Noise);
            let errors: Vec<f64> = targets.iter().map(|_| deviation * stream.gaussian()).collect();
            targets.iter_mut().zip(&errors).for_each(|(b, e)| *b += e);
            noise = Some((deviation, norm(&errors)));
        }
        let problem = Completion::new(rows, cols, &i, &j, targets)?;
        Ok(Scattered { problem, factors: (u, v), noise, p })
    }

    /// A little more than the size of the noise in the norm that is dual to the objective's, so that
    /// none of its singular values is left: `|A*(w)|_op` is about `s sqrt(p) (sqrt(d1) + sqrt(d2))`
    /// for noise of deviation `s` in a part `p` of the entries, and `D1`, `D2` are about `sqrt(p/m)`
    /// each.
    fn lambda(&self, goal: core::Objective) -> Option<f64> {
        let (deviation, _) = self.noise?;
        let (rows, cols) = (self.factors.0.nrows() as f64, self.factors.1.nrows() as f64);
        let size = ABOVE * deviation * self.p.sqrt() * (rows.sqrt() + cols.sqrt());
        let m = self.problem.targets().len() as f64;
        Some(if goal == core::Objective::Flat { size * m / self.p } else { size })
    }

    /// `|L R^T - U V^T|_F` from thin factors.
    fn error(&self, (l, r): (MatRef<'_, f64>, MatRef<'_, f64>)) -> f64 {
        let (u, v) = &self.factors;
        let beside = |a: MatRef<'_, f64>, b: &Mat<f64>, sign: f64| {
            let k = a.ncols();
            let entry = |i, j| if j < k { a[(i, j)] } else { sign * b[(i, j - k)] };
            Mat::from_fn(a.nrows(), k + b.ncols(), entry)
        };
        product_norm(beside(l, u, 1.0).as_ref(), beside(r, v, -1.0).as_ref())
    }
}

/// `|L R^T|_F`, from the triangular factors of both.
fn product_norm(l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> f64 {
    let ((_, l), (_, r)) = (thin_qr(l), thin_qr(r));
    product(l.as_ref(), r.transpose()).norm_l2()
}

/// Each position with probability `p`, row by row, in time proportional to their number: gaps between
/// them are geometric.
fn positions(rows: usize, cols: usize, p: f64, stream: &mut Stream) -> (Vec<usize>, Vec<usize>) {
    let (mut i, mut j) = (Vec::new(), Vec::new());
    let all = rows as f64 * cols as f64;
    let log_missing = (1.0 - p.min(1.0)).ln();
    let mut place = -1.0;
    if p.is_nan() || p <= 0.0 {
        return (i, j);
    }
    loop {
        // Uniform on (0, 1].
        let gap = (1.0 - stream.uniform()).ln() / log_missing;
        place += 1.0 + if gap.is_finite() { gap.floor() } else { 0.0 };
        if place >= all {
            break;
        }
        let place = place as usize;
        i.push(place / cols);
        j.push(place % cols);
    }
    (i, j)
}

/// Runs one draw; whatever happens is in the records.
pub(crate) fn run(draw: &Draw<'_>) -> Vec<Timed> {
    let scattered = Scattered::draw(draw);
    each_objective(draw, &scattered, |scattered, objective, mut record| {
        record.m = scattered.problem.targets().len();
        record.delta = scattered.noise.map(|(_, norm)| norm);
        let problem = &scattered.problem;
        let penalised = objective.bounded().and_then(Objective::linear);
        let program = match (objective.linear(), penalised) {
            (Some(goal), None) if scattered.noise.is_none() => problem.program(goal),
            (None, Some(goal)) => match scattered.lambda(goal) {
                Some(lambda) => problem.program(goal).penalty(lambda),
                None => return refused(record),
            },
            _ => return refused(record),
        };
        memory::forget_peak();
        let clock = Instant::now();
        let answer = program.tolerance(draw.sweep.tolerance).solve();
        let seconds = clock.elapsed().as_secs_f64();
        let peak = memory::peak();
        match answer {
            Ok(answer) => {
                let error = scattered.error(answer.factors());
                fill(&mut record, &answer, error);
                record.lambda = answer.penalty;
            }
            Err(e) => record.status = failure(&e),
        }
        Timed { record, seconds, peak }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Billionths, Cell, Sweep};

    #[test]
    fn positions_are_distinct_in_order_and_as_many_as_expected() {
        let mut stream = Stream::new(1, "positions", 0, 0, Role::Measurements);
        let (i, j) = positions(70, 90, 0.1, &mut stream);
        let places: Vec<usize> = i.iter().zip(&j).map(|(i, j)| 90 * i + j).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        // 630 expected, with a deviation of 24.
        assert!((places.len() as f64 - 630.0).abs() < 100.0, "{}", places.len());
        assert!(j.iter().all(|&j| j < 90) && i.iter().all(|&i| i < 70));
        assert_eq!(positions(3, 4, 1.0, &mut stream).0.len(), 12);
        assert_eq!(positions(3, 4, 0.0, &mut stream).0.len(), 0);
    }

    #[test]
    fn exact_entries_are_completed_and_noisy_ones_nearly() {
        let sampling = Sampling::Scattered { entries: 1500 };
        for noise in [0, 10_000_000] {
            let cell = Cell { noise: Billionths(noise), ..Cell::exact(60, 50, 1, sampling) };
            let sweep = Sweep {
                id: "x".to_owned(),
                title: String::new(),
                objectives: cell.objectives().to_vec(),
                cells: vec![cell],
                trials: 1,
                tolerance: 1e-8,
                alone: true,
            };
            let rows = run(&Draw { sweep: &sweep, cell, trial: 0, seed: 3 });
            assert_eq!(rows.len(), 2);
            for Timed { record, peak, .. } in rows {
                assert!(record.certified && record.m > 1300 && record.m < 1700, "{record:?}");
                assert_eq!(record.cell(), Some(cell));
                assert_eq!(record.success, noise == 0);
                assert!(record.error < Some(0.02), "{record:?}");
                assert!(cfg!(not(target_os = "linux")) || peak > Some(1 << 20));
            }
        }
    }
}
