//! Well above the transition and right at it, every solve ends with a proof.

#![allow(clippy::unwrap_used)]

use flatmin_core::audit::Audit;
use flatmin_core::rng::{Role, Stream};
use flatmin_sensing::theory::{degrees_of_freedom, statistical_dimension};
use flatmin_sensing::{Planted, Status};

/// Solves FLAT for each seed at `d x d`, rank 2 and `m` measurements; all must be certified at
/// `1e-8`, by the solver's word and by the audit. Returns how many found the planted matrix.
fn recovered(d: usize, m: usize, seeds: std::ops::Range<u64>) -> usize {
    seeds
        .filter(|&seed| {
            let stream = |role| Stream::new(seed, "transition", d as u64, 0, role);
            let (mut t, mut a) = (stream(Role::Truth), stream(Role::Measurements));
            let Planted { problem, truth } = Planted::gaussian(d, d, 2, m, &mut t, &mut a).unwrap();
            let answer = problem.flat().solve().unwrap();
            let says = format!("d = {d}, m = {m}, seed {seed}: gap {:e}", answer.relative_gap);
            assert_eq!(answer.status, Status::Certified, "{says}");
            let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
            assert!(audit.dual_norm <= 1.0 + 1e-10, "{says}: {audit:?}");
            assert!(audit.feasibility <= 1e-8, "{says}: {audit:?}");
            assert!((audit.objective - audit.lower_bound).abs() <= 1.1e-8 * audit.objective);
            (answer.matrix() - truth).norm_l2() < 1e-6
        })
        .count()
}

#[test]
fn every_solve_above_the_transition_is_certified_and_recovers() {
    let d = 40;
    let m = 4 * degrees_of_freedom(d, d, 2);
    assert_eq!(recovered(d, m, 0..20), 20);
}

#[test]
fn every_solve_at_the_transition_is_certified() {
    let d = 40;
    let m = statistical_dimension(d, d, 2).round() as usize;
    let recovered = recovered(d, m, 0..20);
    assert!((4..=16).contains(&recovered), "{recovered} of 20: not at the transition");
}
