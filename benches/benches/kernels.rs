//! The factorisations that solves are made of, on one thread.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flatmin::core::linalg::{
    Cholesky, Par, product, singular_values, svd, symmetric_eigen, symmetric_eigenvalues,
};
use flatmin::core::rng::{Role, Stream};
use std::time::Duration;

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernels");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    group.warm_up_time(Duration::from_millis(300));
    for d in [20, 60, 200, 400] {
        let mut stream = Stream::new(0, "bench", d as u64, 0, Role::Probe);
        let a = stream.gaussian_matrix(d, d);
        let mut gram = product(a.as_ref(), a.transpose());
        (0..d).for_each(|i| gram[(i, i)] += 1.0);
        group.bench_function(BenchmarkId::new("product", d), |b| {
            b.iter(|| product(a.as_ref(), a.transpose()));
        });
        group.bench_function(BenchmarkId::new("thin SVD", d), |b| {
            b.iter(|| svd(a.as_ref(), Par::Seq).unwrap());
        });
        group.bench_function(BenchmarkId::new("singular values", d), |b| {
            b.iter(|| singular_values(a.as_ref(), Par::Seq).unwrap());
        });
        group.bench_function(BenchmarkId::new("symmetric eigen", d), |b| {
            b.iter(|| symmetric_eigen(gram.as_ref(), Par::Seq).unwrap());
        });
        group.bench_function(BenchmarkId::new("symmetric eigenvalues", d), |b| {
            b.iter(|| symmetric_eigenvalues(gram.as_ref()).unwrap());
        });
        group.bench_function(BenchmarkId::new("Cholesky", d), |b| {
            b.iter(|| Cholesky::new(gram.clone(), Par::Seq).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
