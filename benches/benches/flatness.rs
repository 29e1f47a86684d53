//! Products with a Hessian in blocks, exact traces, and estimators beside the products that they are made
//! of, on one thread.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flatmin::core::flatness::{Estimator, FromFn, Method, PairOperator, Probes, SymmetricOperator};
use flatmin::core::linalg::{multiply, product, scale_columns, thin_qr};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{FactoredLoss, Mat, MatMut, MatRef, Rescaling};
use std::time::Duration;

/// Columns of the factors.
const WIDTH: usize = 10;

fn hessians(c: &mut Criterion) {
    let mut group = c.benchmark_group("Hessian of sensing");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.warm_up_time(Duration::from_millis(300));
    for (d, m) in [(40, 2000), (100, 5000)] {
        let problem = flatmin_benches::sensing(d, m).unwrap().problem;
        let mut stream = Stream::new(0, "bench", d as u64, 0, Role::Start);
        let (l, r) = (stream.gaussian_matrix(d, WIDTH), stream.gaussian_matrix(d, WIDTH));
        let (l, r) = (l.as_ref(), r.as_ref());
        let hessian = FactoredLoss::new(problem.map(), problem.targets()).unwrap().hessian(l, r);
        let hessian = hessian.unwrap();
        for p in [1, 32, 256] {
            let v = Probes::Rademacher.draw(0, hessian.order(), 0..p);
            let mut out = Mat::zeros(v.nrows(), p);
            group.bench_function(BenchmarkId::new(format!("{p} products"), d), |b| {
                b.iter(|| hessian.apply(v.as_ref(), out.as_mut()));
            });
        }
        group.bench_function(BenchmarkId::new("trace in one pass", d), |b| {
            b.iter(|| hessian.traces());
        });
        group.bench_function(BenchmarkId::new("Grams", d), |b| {
            b.iter(|| Rescaling::new(problem.map()).unwrap());
        });
        let rescaling = Rescaling::new(problem.map()).unwrap();
        group.bench_function(BenchmarkId::new("trace from Grams", d), |b| {
            b.iter(|| rescaling.traces(l, r).unwrap());
        });
    }
    group.finish();
}

/// Overhead is the time of an estimator over that of its own products, which are listed beside it.
fn estimators(c: &mut Criterion) {
    let (n, matvecs) = (2000, 384);
    let mut group = c.benchmark_group("estimators, n = 2000, 384 products");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.warm_up_time(Duration::from_millis(300));
    let basis = Stream::new(0, "bench", n as u64, 0, Role::Truth).gaussian_matrix(n, n);
    let q = thin_qr(basis.as_ref()).0;
    let values: Vec<f64> = (0..n).map(|i| 1.0 + 2.0 * i as f64 / n as f64).collect();
    let h = product(scale_columns(q.as_ref(), &values).as_ref(), q.transpose());
    let operator = FromFn::new(n, |v: MatRef<'_, f64>, out: MatMut<'_, f64>| {
        multiply(out, h.as_ref(), v);
    });
    for block in [128, 192, 384] {
        let v = Probes::Rademacher.draw(0, n, 0..block);
        let mut out = Mat::zeros(n, block);
        group.bench_function(format!("products alone, in blocks of {block}"), |b| {
            b.iter(|| {
                for _ in 0..matvecs / block {
                    operator.apply(v.as_ref(), out.as_mut());
                }
            });
        });
    }
    for method in Method::ALL.into_iter().filter(|&method| method != Method::Exact) {
        let estimator = Estimator::new(method).matvecs(matvecs);
        group.bench_function(method.name(), |b| b.iter(|| estimator.trace(&operator).unwrap()));
    }
    group.finish();
}

criterion_group!(benches, hessians, estimators);
criterion_main!(benches);
