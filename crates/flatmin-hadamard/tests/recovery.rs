//! Where products of two factors recover a sparse vector, and that products of more do not.

#![allow(clippy::unwrap_used)]

use flatmin_hadamard::core::rng::{Role, Stream};
use flatmin_hadamard::theory::{transition, transition_deviation};
use flatmin_hadamard::{Depth, Planted, Status};

fn planted(m: usize, d: usize, s: usize, trial: u64) -> Planted {
    let stream = |role| Stream::new(1, "hadamard", m as u64, trial, role);
    Planted::gaussian(m, d, s, &mut stream(Role::Truth), &mut stream(Role::Measurements)).unwrap()
}

/// `|x - truth|`, of a truth of unit length, for a certified answer.
fn distance(planted: &Planted, depth: Depth, flat: bool) -> f64 {
    let Planted { problem, truth } = planted;
    let program = if flat { problem.flat(depth) } else { problem.nuclear(depth) };
    let answer = program.solve().unwrap();
    assert_eq!(answer.status, Status::Certified, "depth {depth}: gap {:e}", answer.relative_gap);
    answer.x.iter().zip(truth).map(|(x, truth)| (x - truth).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn two_factors_recover_above_the_transition_and_not_below() {
    let (d, s) = (150, 10);
    let (centre, sigma) = (transition(d, s), transition_deviation(d, s));
    for flat in [true, false] {
        let recovered = |m: f64| {
            let m = m.round() as usize;
            let hits = |trial: &u64| distance(&planted(m, d, s, *trial), 2.into(), flat) < 1e-6;
            (0..20).filter(hits).count()
        };
        assert_eq!(recovered(centre + 5.0 * sigma), 20);
        assert_eq!(recovered(centre - 5.0 * sigma), 0);
        let halfway = recovered(centre);
        assert!((4..=16).contains(&halfway), "{halfway} of 20: not at the transition");
    }
}

/// At the same sizes, and with as many measurements as leave but two unknowns.
#[test]
fn more_factors_do_not_recover() {
    for m in [100, 148] {
        let planted = planted(m, 150, 10, 0);
        assert!(distance(&planted, 2.into(), true) < 1e-10);
        let mut last = 0.0;
        for depth in [3.into(), 4.into(), 8.into(), Depth::Infinite] {
            let apart = distance(&planted, depth, true);
            assert!(apart > 1e-5, "{m}, depth {depth}: {apart:e}");
            assert!(apart > last, "{m}, depth {depth}: {apart:e}");
            last = apart;
        }
    }
}

#[test]
fn the_only_answer_is_the_planted_one() {
    for trial in 0..5 {
        let planted = planted(60, 150, 8, trial);
        let flat = planted.problem.flat(2).solve().unwrap();
        assert!(flat.unique && flat.relative_gap < 1e-12);
        let places = |x: &[f64]| (0..x.len()).filter(|&j| x[j] != 0.0).collect::<Vec<_>>();
        assert_eq!((flat.support(), flat.rank), (places(&planted.truth), 8));
    }
}
