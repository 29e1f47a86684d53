//! Whole certified solves of planted problems of rank two: data in memory to proved answer, on one
//! thread, well above the transition and at it.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use flatmin::core::theory::{degrees_of_freedom, statistical_dimension};
use flatmin::prelude::*;
use flatmin::rpca::Form;
use flatmin_benches::RANK;
use std::time::Duration;

/// Times both programs of a problem; how the solve ends stands in the name.
fn both<'a>(c: &mut Criterion, name: &str, program: impl Fn(Objective) -> Program<'a>) {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    for objective in [Objective::Flat, Objective::Nuclear] {
        let status = program(objective).solve().unwrap().status;
        group.bench_function(BenchmarkId::new(objective.to_string(), status), |b| {
            b.iter(|| program(objective).solve().unwrap());
        });
    }
    group.finish();
}

fn sensing(c: &mut Criterion) {
    for d in [20, 40, 60] {
        let above = 4 * degrees_of_freedom(d, d, RANK);
        let transition = statistical_dimension(d, d, RANK).round() as usize;
        for (place, m) in [("above", above), ("transition", transition)] {
            let problem = flatmin_benches::sensing(d, m).unwrap().problem;
            both(c, &format!("sensing d={d} m={m} ({place})"), |o| problem.program(o));
        }
    }
}

/// The probabilities are those at which about every draw, and about half of the draws, recover.
fn completion(c: &mut Criterion) {
    for (d, above, transition) in [(40, 0.6, 0.35), (100, 0.3, 0.17)] {
        for (place, p) in [("above", above), ("transition", transition)] {
            let problem = flatmin_benches::completion(d, p).unwrap().problem;
            both(c, &format!("completion d={d} p={p} ({place})"), |o| problem.program(o));
        }
    }
}

/// Sampled entries on whose road no matrix is formed: exact ones, and ones with noise, penalised a
/// quarter above what the noise can reach, `(d1^{1/2} + d2^{1/2}) p^{1/2}` times its size.
fn many_entries(c: &mut Criterion) {
    let exact = flatmin_benches::completion(1000, 0.1).unwrap().problem;
    both(c, "completion d=1000 p=0.1 (exact)", |o| exact.program(o));
    let (d, p, level) = (1000, 0.05, 3e-4);
    let noisy = flatmin_benches::noisy_completion(d, p, level).unwrap();
    both(c, &format!("completion d={d} p={p} (penalised)"), |o| {
        let root = 2.0 * (d as f64 * p).sqrt();
        // In whitened variables an entry counts for about d1 d2 times itself.
        let unit = if o == Objective::Nuclear { 1.0 } else { (d * d) as f64 };
        noisy.program(o).penalty(1.25 * level * root * unit).tolerance(1e-6)
    });
}

/// Four times the degrees of freedom, and twice.
fn rank_one(c: &mut Criterion) {
    for d in [20, 40, 60] {
        let freedom = degrees_of_freedom(d, d, RANK);
        for (place, m) in [("above", 4 * freedom), ("transition", 2 * freedom)] {
            let problem = flatmin_benches::bilinear(d, m).unwrap().problem;
            both(c, &format!("bilinear d={d} m={m} ({place})"), |o| problem.program(o));
        }
        let rank = RANK + 1;
        let freedom = rank * d - rank * (rank - 1) / 2;
        for (place, m) in [("above", 4 * freedom), ("transition", 2 * freedom)] {
            let problem = flatmin_benches::quadnet(d, m).unwrap().problem;
            both(c, &format!("quadnet d={d} m={m} ({place})"), |o| problem.program(o));
            let problem = flatmin_benches::covariance(d, m).unwrap().problem;
            both(c, &format!("covariance d={d} m={m} ({place})"), |o| problem.program(o));
        }
    }
}

/// Rank 5 % of `d`, with few corruptions and with more than can be told apart; both forms.
fn rpca(c: &mut Criterion) {
    for (d, place, p) in
        [(60, "above", 0.05), (60, "below", 0.3), (200, "above", 0.1), (500, "above", 0.1)]
    {
        let planted = flatmin_benches::rpca(d, d / 20, p).unwrap();
        let problem = &planted.problem;
        let mut group = c.benchmark_group(format!("rpca d={d} p={p} ({place})"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
        let forms = [
            ("penalised", Form::Penalised { lambda: problem.default_lambda() }),
            ("constrained", Form::Constrained { tau: planted.tau() }),
        ];
        for (name, form) in forms {
            let solve = || match form {
                Form::Penalised { lambda } => problem.penalised(lambda).solve().unwrap(),
                Form::Constrained { tau } => problem.constrained(tau).solve().unwrap(),
            };
            let status = solve().status;
            group.bench_function(BenchmarkId::new(name, status), |b| b.iter(solve));
        }
        group.finish();
    }
}

/// Two factors and three, with few nonzeros and with more than two factors recover.
fn hadamard(c: &mut Criterion) {
    let (d, m) = (1000, 400);
    for (place, s) in [("above", 40), ("below", 150)] {
        let problem = flatmin_benches::hadamard(d, m, s).unwrap().problem;
        let mut group = c.benchmark_group(format!("hadamard d={d} m={m} s={s} ({place})"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
        for depth in [2, 3] {
            let solve = || problem.flat(depth).solve().unwrap();
            let status = solve().status;
            group.bench_function(BenchmarkId::new(format!("depth {depth}"), status), |b| {
                b.iter(solve);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, sensing, completion, many_entries, rank_one, rpca, hadamard);
criterion_main!(benches);
