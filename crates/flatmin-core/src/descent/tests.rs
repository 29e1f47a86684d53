//! Descent on planted problems, against the certified answers of the convex programs.

use super::*;
use crate::linalg::kernel::dot;
use crate::loss::Loss;
use crate::operator::{DenseMap, Entries};
use crate::rng::{Role, Stream};
use crate::{Domain, FactoredLoss, LinearMap, Measured, planted};

/// A planted problem.
struct Planted {
    map: Box<dyn LinearMap>,
    targets: Vec<f64>,
    flat: f64,
}

fn stream(role: Role, seed: u64) -> Stream {
    Stream::new(seed, "descent", 0, 0, role)
}

fn sensing(d1: usize, d2: usize, rank: usize, m: usize, seed: u64) -> Planted {
    let truth = planted::low_rank(d1, d2, rank, &mut stream(Role::Truth, seed)).unwrap();
    let data = stream(Role::Measurements, seed).gaussian_vector(d1 * d2 * m);
    let map = DenseMap::new(d1, d2, data).unwrap();
    let targets = planted::targets(&truth, &map).unwrap();
    let problem = Measured::new(map.clone(), targets.clone(), Domain::General).unwrap();
    let flat = problem.flat().tolerance(1e-11).solve().unwrap();
    assert!(flat.status.is_certified());
    Planted { map: Box::new(map), targets, flat: flat.scaled_trace }
}

#[test]
fn the_method_of_multipliers_reaches_the_flat_value_at_every_width() {
    // Where FLAT recovers rank 2, and where its answer has a rank of up to 6.
    for (d1, d2, m, least) in [(8, 8, 52, 2), (7, 9, 52, 2), (8, 8, 30, 6)] {
        for seed in 0..2 {
            let Planted { map, targets, flat } = sensing(d1, d2, 2, m, seed);
            for k in [least, least + 1, 8, 12] {
                let case = format!("{d1} x {d2}, m = {m}, seed {seed}, k = {k}");
                let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(k).unwrap();
                let start = stream(Role::Start, seed).gaussian_vector(loss.order());
                let start: Vec<f64> = start.iter().map(|x| 0.3 * x).collect();
                let method = Multipliers::default();
                let found = method.minimise(&TraceOf(&loss), &loss, &start).unwrap();
                assert!(found.converged, "{case}: {} {}", found.residual, found.stationarity);
                assert!((found.value / flat - 1.0).abs() < 1e-8, "{case}: {}", found.value / flat);
                // A quarter of the multipliers is the certificate: <b, y> / 4 = |D1 X D2|_*.
                let bound = dot(&found.multipliers, &targets);
                assert!((bound / flat - 1.0).abs() < 1e-6, "{case}: {bound} and {flat}");
            }
        }
    }
}

#[test]
fn the_method_of_multipliers_says_when_nothing_fits() {
    // Of rank one, the matrix seen is not.
    let map = Entries::new(2, 2, &[0, 0, 1, 1], &[0, 1, 0, 1]).unwrap();
    let targets = [1.0, 0.0, 0.0, 1.0];
    let loss = FactoredLoss::new(&map, &targets).unwrap().of_width(1).unwrap();
    let start = [0.9, 0.1, 0.7, 0.2];
    let found = Multipliers::default().minimise(&TraceOf(&loss), &loss, &start).unwrap();
    assert!(!found.converged && found.residual > 0.1, "{found:?}");
    let wide = FactoredLoss::new(&map, &targets).unwrap().of_width(2).unwrap();
    let other = Multipliers::default().minimise(&TraceOf(&loss), &wide, &start);
    assert!(matches!(other, Err(crate::Error::Shape { .. })));
}
