//! Passes over linear maps, in bytes of their own data a second, beside a plain read of the same
//! memory: a dense pass can be no faster than that.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{Entries, LinearMap, Mat};
use std::hint::black_box;
use std::time::Duration;

fn dense(c: &mut Criterion) {
    for (d, m) in [(40, 624), (80, 1264)] {
        let planted = flatmin_benches::sensing(d, m).unwrap();
        let (map, targets, x) = (planted.problem.map(), planted.problem.targets(), &planted.truth);
        let mut group = c.benchmark_group(format!("dense map {m} x {d} x {d}"));
        group.throughput(Throughput::Bytes(8 * map.as_slice().len() as u64));
        group.sample_size(20).measurement_time(Duration::from_secs(2));
        group.bench_function("plain read (sum)", |b| b.iter(|| sum(black_box(map.as_slice()))));
        let (mut out, mut back) = (vec![0.0; m], Mat::zeros(d, d));
        group.bench_function("apply", |b| b.iter(|| map.apply(x.as_ref(), &mut out)));
        group.bench_function("adjoint", |b| b.iter(|| map.adjoint(targets, back.as_mut())));
        group.bench_function("residual and adjoint, one pass", |b| {
            b.iter(|| map.residual_and_adjoint(x.as_ref(), targets, &mut out, back.as_mut()));
        });
        group.bench_function("residual and adjoint, two passes", |b| {
            b.iter(|| {
                map.apply(x.as_ref(), &mut out);
                out.iter_mut().zip(targets).for_each(|(o, t)| *o -= t);
                map.adjoint(&out, back.as_mut());
            });
        });
        group.finish();
    }
}

/// Sixteen partial sums, so that memory and not the adder is the limit.
fn sum(data: &[f64]) -> f64 {
    let mut lanes = [0.0; 16];
    let chunks = data.chunks_exact(16);
    let rest: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, v)| *lane += v);
    }
    rest + lanes.iter().sum::<f64>()
}

fn entries(c: &mut Criterion) {
    let (d, k, m) = (2000, 10, 200_000);
    let mut stream = Stream::new(0, "bench", 0, 0, Role::Measurements);
    // Every twentieth entry, in row-major order.
    let positions: Vec<usize> =
        (0..m).map(|t| 20 * t + (stream.uniform() * 20.0) as usize).collect();
    let rows: Vec<usize> = positions.iter().map(|p| p / d).collect();
    let cols: Vec<usize> = positions.iter().map(|p| p % d).collect();
    let map = Entries::new(d, d, &rows, &cols).unwrap();
    let (l, r) = (stream.gaussian_matrix(d, k), stream.gaussian_matrix(d, k));
    let y = stream.gaussian_vector(m);
    let (mut out, mut left) = (vec![0.0; m], Mat::zeros(d, k));

    let mut group = c.benchmark_group(format!("{m} entries of {d} x {d}, factors of width {k}"));
    // One multiplication and addition for each entry and column of the factors.
    group.throughput(Throughput::Elements((m * k) as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    group.bench_function("apply to factors", |b| {
        b.iter(|| map.apply_factored(l.as_ref(), r.as_ref(), &mut out));
    });
    group.bench_function("adjoint times a factor", |b| {
        b.iter(|| map.adjoint_times(&y, r.as_ref(), left.as_mut()));
    });
    group.finish();
}

/// Rank-one measurements: each operation is a product with the two thin arrays.
fn rank_one(c: &mut Criterion) {
    let (d, m, k) = (100, 20_000, 4);
    let planted = flatmin_benches::bilinear(d, m).unwrap();
    let (map, targets, x) = (planted.problem.map(), planted.problem.targets(), &planted.truth);
    let mut stream = Stream::new(0, "bench", 0, 0, Role::Measurements);
    let (l, r) = (stream.gaussian_matrix(d, k), stream.gaussian_matrix(d, k));
    let (mut out, mut back) = (vec![0.0; m], Mat::zeros(d, d));
    let mut group = c.benchmark_group(format!("{m} rank-one measurements of {d} x {d}"));
    group.throughput(Throughput::Bytes(8 * 2 * (m * d) as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    group.bench_function("apply", |b| b.iter(|| map.apply(x.as_ref(), &mut out)));
    group.bench_function("adjoint", |b| b.iter(|| map.adjoint(targets, back.as_mut())));
    group.bench_function("apply to factors of width 4", |b| {
        b.iter(|| map.apply_factored(l.as_ref(), r.as_ref(), &mut out));
    });
    group.finish();
}

criterion_group!(benches, dense, entries, rank_one);
criterion_main!(benches);
