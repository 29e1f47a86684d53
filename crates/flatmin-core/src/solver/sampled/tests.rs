//! The road for sampled entries against the other roads and the definitions.

use super::*;
use crate::linalg::{operator_norm, product};
use crate::rng::{Role, Stream};
use crate::{Entries, LinearMap, Objective, Program, Rescaling, Status};

/// A matrix of a rank, seen where a coin of probability `p` says so, and entries of both.
struct Planted {
    map: Entries,
    b: Vec<f64>,
    truth: Mat<f64>,
}

fn planted(rows: usize, cols: usize, rank: usize, p: impl Fn(usize, usize) -> f64) -> Planted {
    let mut stream = Stream::new(3, "sampled road", rows as u64, cols as u64, Role::Truth);
    let (l, r) = (stream.gaussian_matrix(rows, rank), stream.gaussian_matrix(cols, rank));
    let truth = product(l.as_ref(), r.transpose());
    let (mut i, mut j, mut b) = (vec![], vec![], vec![]);
    // Column by column, which is not the order of the road.
    for col in 0..cols {
        for row in 0..rows {
            if stream.uniform() < p(row, col) {
                i.push(row);
                j.push(col);
                b.push(truth[(row, col)]);
            }
        }
    }
    Planted { map: Entries::new(rows, cols, &i, &j).unwrap(), b, truth }
}

/// What the road finds, whatever the size of the problem.
fn forced(planted: &Planted, objective: Objective, par: Par) -> (Incumbent, Whitening, Whitening) {
    let program = Program::new(&planted.map, &planted.b, objective);
    let variables = Variables::of(&program).unwrap();
    let pattern = planted.map.pattern().unwrap();
    let posed = Posed::new(&pattern, (&planted.b, 1.0), &variables, 1e-8, par).unwrap();
    let mut incumbent = Incumbent::default();
    let mut monitor =
        Monitor { observer: None, limit: 1000, iterations: 0, stop: None, scale: 1.0 };
    search(&posed, None, None, &mut incumbent, &mut monitor).unwrap();
    let Variables { left, right, .. } = variables;
    (incumbent, left, right)
}

/// On problems that both can solve, the road and the ones for small problems agree; its dual vector
/// is feasible by a full decomposition, and proves the bound that was claimed.
#[test]
fn agrees_with_the_roads_for_small_problems() {
    for (rows, cols, p) in [(60, 60, 0.5), (150, 80, 0.4), (100, 130, 0.35)] {
        let planted = planted(rows, cols, 2, |i, j| if (i + j) % 3 == 0 { p } else { 1.2 * p });
        for objective in [Objective::Flat, Objective::Nuclear] {
            let small = Program::new(&planted.map, &planted.b, objective).solve().unwrap();
            let (incumbent, left, right) = forced(&planted, objective, Par::Seq);
            assert!(incumbent.gap() < 1e-8, "{rows} x {cols} {objective}");
            assert!((incumbent.upper() / small.objective - 1.0).abs() < 1e-8);
            let point = &incumbent.best.as_ref().unwrap().point;
            let x = left.times(right.times(point.matrix().transpose()).transpose());
            let off = &x - &planted.truth;
            assert!(off.norm_l2() < 1e-10 * planted.truth.norm_l2());
            let bound = incumbent.bound.as_ref().unwrap();
            assert!((dot(&bound.y, &planted.b) / bound.lower - 1.0).abs() < 1e-12);
            let back = planted.map.adjoint_matrix(&bound.y);
            let whitened = left.transpose_times(back.as_ref());
            let whitened = right.transpose_times(whitened.transpose());
            assert!(operator_norm(whitened.as_ref()).unwrap() <= 1.0 + 1e-13);
        }
    }
}

/// A long matrix with rows and columns that nothing sees, as callers meet it, its dual vector
/// checked by a full decomposition; the same bits on several threads.
#[test]
fn large_problems_take_the_road() {
    let unseen = |i: usize, j: usize| i == 17 || j == 3 || j == 169;
    let planted = planted(400, 170, 3, |i, j| if unseen(i, j) { 0.0 } else { 0.35 });
    for objective in [Objective::Flat, Objective::Nuclear] {
        let solve = |threads| {
            let mut roads = vec![];
            let program = Program::new(&planted.map, &planted.b, objective).threads(threads);
            let program = program.observe(|progress| {
                roads.push(progress.road);
                std::ops::ControlFlow::Continue(())
            });
            let answer = program.solve().unwrap();
            assert!(roads.iter().all(|road| *road == "fitting entries"), "{roads:?}");
            answer
        };
        let answer = solve(1);
        assert_eq!(answer.status, Status::Certified);
        assert_eq!((answer.rank, &answer.unidentified_rows[..]), (3, &[17][..]));
        assert_eq!(answer.unidentified_cols, [3, 169]);
        let x = answer.matrix();
        for j in 0..170 {
            for i in 0..400 {
                let expected = if unseen(i, j) { 0.0 } else { planted.truth[(i, j)] };
                assert!((x[(i, j)] - expected).abs() < 1e-10);
            }
        }
        let rescaling = Rescaling::new(&planted.map).unwrap();
        let flat = objective == Objective::Flat;
        let left = Whitening::new(&rescaling.d1_squared, flat).unwrap();
        let right = Whitening::new(&rescaling.d2_squared, flat).unwrap();
        let back = left.transpose_times(planted.map.adjoint_matrix(&answer.dual).as_ref());
        let whitened = right.transpose_times(back.transpose());
        assert!(operator_norm(whitened.as_ref()).unwrap() <= 1.0 + 1e-13);
        assert!((dot(&answer.dual, &planted.b) / answer.lower_bound - 1.0).abs() < 1e-12);
        let again = solve(3);
        assert_eq!(answer.dual, again.dual);
        assert_eq!(answer.factors(), again.factors());
    }
}

/// A rank that is hinted at too large or too small, and a start that is the answer, lead to the
/// same matrix.
#[test]
fn a_wrong_rank_costs_time_only() {
    let planted = planted(220, 250, 3, |_, _| 0.4);
    let program = || Program::new(&planted.map, &planted.b, Objective::Flat);
    let answer = program().solve().unwrap();
    for rank in [1, 2, 5] {
        let other = program().rank(rank).solve().unwrap();
        assert_eq!((other.status, other.rank), (Status::Certified, 3), "{rank}");
        assert!((other.objective / answer.objective - 1.0).abs() < 1e-9);
    }
    let warm = program().warm_start(&answer).solve().unwrap();
    assert!(warm.status.is_certified() && warm.iterations <= 2, "{}", warm.iterations);
}

/// Too few entries to determine anything: an honest status, and a bound that holds.
#[test]
fn too_few_entries_are_not_certified() {
    let planted = planted(1100, 1000, 4, |_, _| 0.006);
    let answer = Program::new(&planted.map, &planted.b, Objective::Nuclear).solve().unwrap();
    assert!(!answer.status.is_certified());
    let truth = crate::linalg::leading_svd(planted.truth.as_ref(), 6, Par::Seq).unwrap();
    assert!(answer.lower_bound <= truth.s.iter().sum::<f64>());
}

mod noise;
