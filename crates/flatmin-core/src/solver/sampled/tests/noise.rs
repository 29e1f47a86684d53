//! Entries with noise: the penalised form and the bounded one.

use super::*;
use crate::audit::Audit;
use crate::solver::slack::Slack;

/// A planted problem with noise, seen unevenly.
fn noisy(rows: usize, cols: usize, rank: usize, p: f64, level: f64) -> Planted {
    let uneven = |i: usize, j: usize| if (i * 7 + j * 3).is_multiple_of(5) { 0.3 * p } else { p };
    let mut planted = planted(rows, cols, rank, uneven);
    let mut stream = Stream::new(5, "noise", rows as u64, cols as u64, Role::Noise);
    planted.b.iter_mut().for_each(|b| *b += level * stream.gaussian());
    planted
}

const OBJECTIVES: [Objective; 3] = [Objective::Flat, Objective::Nuclear, Objective::Smoothed(0.4)];

/// The Newton direction solves the equations of the second derivative: the gradient of the reduced
/// function at `R + t D`, less that at `R`, is `t H D`, and `H D` is the right-hand side.
#[test]
fn newton_steps_solve_the_second_derivative() {
    let planted = noisy(30, 22, 2, 0.6, 0.3);
    let program = Program::new(&planted.map, &planted.b, Objective::Flat);
    let variables = Variables::of(&program).unwrap();
    let pattern = planted.map.pattern().unwrap();
    let posed = Posed::new(&pattern, (&planted.b, 1.0), &variables, 1e-8, Par::Seq).unwrap();
    let rho = 0.1 * penalised::largest(&posed).unwrap();
    // Near the solution, where the second derivative is definite.
    let mut incumbent = Incumbent::default();
    let mut monitor =
        Monitor { observer: None, limit: 1000, iterations: 0, stop: None, scale: 1.0 };
    penalised::search(&posed, rho, 1e-10, None, &mut incumbent, &mut monitor).unwrap();
    let point = incumbent.best.unwrap().point;
    let mut stream = Stream::new(1, "aside", 0, 0, Role::Probe);
    let mut r = posed.columns(point.balanced().1.as_ref());
    let off = Thin::from_mat(stream.gaussian_matrix(r.rows(), r.width()).as_ref());
    r.combine(1.0, 1e-6 * (r.dot(&r) / off.dot(&off)).sqrt(), &off);
    let (gradient, direction) = penalised::gradient_and_newton(&posed, rho, r.clone());
    let t = 50.0;
    let moved = |t: f64| {
        let mut at = r.clone();
        at.combine(1.0, t, &direction);
        penalised::gradient_and_newton(&posed, rho, at).0
    };
    let mut difference = moved(t);
    difference.combine(0.5 / t, -0.5 / t, &moved(-t));
    // H D = -gradient, both without what turns the factors.
    difference.combine(1.0, 1.0, &gradient);
    let (off, size) = (difference.dot(&difference).sqrt(), gradient.dot(&gradient).sqrt());
    assert!(off < 1e-5 * size, "{off:e} of {size:e}");
}

/// Against the interior point, on problems that both can solve; every claim from the definitions.
#[test]
fn agrees_with_the_interior_point() {
    for (rows, cols, p, level) in [(40, 25, 0.5, 0.2), (18, 50, 0.4, 1.0), (30, 30, 0.7, 0.01)] {
        let planted = noisy(rows, cols, 2, p, level);
        for objective in OBJECTIVES {
            let program = || Program::new(&planted.map, &planted.b, objective);
            let largest = program().largest_penalty().unwrap();
            for part in [1.5, 0.7, 0.2, 0.03] {
                let lambda = part * largest;
                let other = program().penalty(lambda).solve().unwrap();
                let variables = Variables::of(&program()).unwrap();
                let pattern = planted.map.pattern().unwrap();
                let posed =
                    Posed::new(&pattern, (&planted.b, 1.0), &variables, 1e-8, Par::Seq).unwrap();
                let mut incumbent = Incumbent::default();
                let mut monitor =
                    Monitor { observer: None, limit: 3000, iterations: 0, stop: None, scale: 1.0 };
                penalised::search(&posed, lambda, 1e-8, None, &mut incumbent, &mut monitor)
                    .unwrap();
                let case = format!("{rows} x {cols} {objective} at {part}");
                assert!(incumbent.gap() <= 1e-8, "{case}: gap {:e}", incumbent.gap());
                let value = lambda * incumbent.upper();
                assert!((value / other.objective - 1.0).abs() < 2e-8, "{case}");
                // The bound, and that it is feasible.
                let Bound { y, lower } = incumbent.bound.unwrap();
                let slack = Slack::Ridge(lambda);
                let dual = dot(&y, &planted.b) - slack.dual_cost(&y);
                assert!((dual - lower).abs() <= 1e-11 * lower.abs(), "{case}");
                let Variables { left, right, .. } = variables;
                let back = left.transpose_times(planted.map.adjoint_matrix(&y).as_ref());
                let whitened = right.transpose_times(back.transpose());
                assert!(operator_norm(whitened.as_ref()).unwrap() <= 1.0 + 1e-12, "{case}");
            }
        }
    }
}

/// As callers meet it, beyond what second-order systems carry: certified and audited, the same bits on
/// several threads, both forms at the matching weight, and zero from the largest penalty on.
#[test]
fn many_entries_with_noise() {
    let planted = noisy(230, 180, 3, 0.35, 0.5);
    assert!(planted.b.len() > 6000);
    for objective in OBJECTIVES {
        let program = || Program::new(&planted.map, &planted.b, objective).tolerance(1e-7);
        let largest = program().largest_penalty().unwrap();
        let lambda = 0.15 * largest;
        let answer = program().penalty(lambda).solve().unwrap();
        assert_eq!(answer.status, Status::Certified, "{objective}: {:e}", answer.relative_gap);
        let audit = Audit::new(&planted.map, &planted.b, &answer).unwrap();
        assert!(audit.dual_norm <= 1.0 + 1e-10);
        assert!((audit.objective / answer.objective - 1.0).abs() < 1e-9);
        assert!((audit.lower_bound / answer.lower_bound - 1.0).abs() < 1e-9);
        let again = program().penalty(lambda).threads(3).solve().unwrap();
        assert_eq!(answer.dual, again.dual);
        assert_eq!(answer.factors(), again.factors());
        // The misfit of this answer as a bound leads back to it.
        let mut misfit = vec![0.0; planted.b.len()];
        planted.map.apply(answer.matrix().as_ref(), &mut misfit);
        misfit.iter_mut().zip(&planted.b).for_each(|(e, b)| *e -= b);
        let bounded = program().noise(norm(&misfit)).solve().unwrap();
        assert_eq!(bounded.status, Status::Certified, "{objective}: {:e}", bounded.relative_gap);
        assert!((bounded.penalty.unwrap() / lambda - 1.0).abs() < 1e-3);
        let off = (bounded.matrix() - answer.matrix()).norm_l2();
        assert!(off < 1e-3 * answer.matrix().norm_l2());
        let zero = program().penalty(1.0001 * largest).solve().unwrap();
        assert_eq!((zero.status, zero.rank), (Status::Certified, 0));
        let some = program().penalty(0.999 * largest).solve().unwrap();
        assert_eq!((some.status, some.rank), (Status::Certified, 1));
    }
}

/// Single rows and columns, rows that nothing sees, targets of any size, penalties from light to heavy:
/// certified, or with a status that says so, and never a bound above the objective.
#[test]
fn odd_shapes_and_scales() {
    let unseen = |i: usize, j: usize| if i == 3 || j % 7 == 1 { 0.0 } else { 0.5 };
    for (rows, cols) in [(1, 60_000), (60_000, 1), (90, 500)] {
        let planted = planted(rows, cols, 1, unseen);
        for unit in [1e-100, 1.0, 1e100] {
            let b: Vec<f64> = planted.b.iter().map(|b| b * unit).collect();
            for objective in [Objective::Flat, Objective::Nuclear] {
                let program = || Program::new(&planted.map, &b, objective).tolerance(1e-6);
                let largest = program().largest_penalty().unwrap();
                for part in [1e-6, 1e-2, 0.5] {
                    let answer = program().penalty(part * largest).solve().unwrap();
                    let case = format!("{rows} x {cols}, {unit:e}, {objective}, {part:e}");
                    assert_eq!(answer.status, Status::Certified, "{case} {}", answer.relative_gap);
                    assert!(answer.lower_bound <= answer.objective * (1.0 + 1e-12), "{case}");
                }
            }
        }
    }
}

/// The largest penalty is the operator norm, whatever the shape.
#[test]
fn the_largest_penalty_is_a_norm() {
    for (rows, cols) in [(1, 1), (2, 9), (15, 12), (12, 15), (30, 30), (60, 40), (210, 200)] {
        let planted = noisy(rows, cols, 2.min(rows).min(cols), 0.9, 1.0);
        if planted.b.is_empty() {
            continue;
        }
        let largest = Program::new(&planted.map, &planted.b, Objective::Nuclear).largest_penalty();
        let expected = operator_norm(planted.map.adjoint_matrix(&planted.b).as_ref()).unwrap();
        let off = (largest.unwrap() / expected - 1.0).abs();
        assert!(off < 1e-12, "{rows} x {cols}: {off:e}");
    }
}

/// A path with warm starts has the answers of single solves.
#[test]
fn paths_have_the_answers_of_single_solves() {
    let planted = noisy(210, 200, 3, 0.3, 1.0);
    let program = || Program::new(&planted.map, &planted.b, Objective::Flat).tolerance(1e-7);
    let largest = program().largest_penalty().unwrap();
    let lambdas: Vec<f64> = (1..8).map(|k| largest * 0.7f64.powi(k)).collect();
    for (answer, &lambda) in program().path(lambdas.clone()).zip(&lambdas) {
        let answer = answer.unwrap();
        assert_eq!(answer.status, Status::Certified);
        let single = program().penalty(lambda).solve().unwrap();
        assert!((answer.objective / single.objective - 1.0).abs() < 2e-7);
    }
}

/// A solve that is stopped keeps what it has: no worse than zero, and its objective is what it says.
#[test]
fn a_stopped_solve_keeps_what_it_has() {
    let planted = noisy(210, 200, 3, 0.3, 0.3);
    let program = || Program::new(&planted.map, &planted.b, Objective::Nuclear);
    let lambda = 0.1 * program().largest_penalty().unwrap();
    let nothing = 0.5 * dot(&planted.b, &planted.b);
    for (limit, most) in [(1, 1.0), (4, 1.0), (12, 0.9), (25, 0.9)] {
        let answer = program().penalty(lambda).max_iterations(limit).solve().unwrap();
        let x = answer.matrix();
        let mut e = vec![0.0; planted.b.len()];
        planted.map.apply(x.as_ref(), &mut e);
        e.iter_mut().zip(&planted.b).for_each(|(e, b)| *e -= b);
        let norm: f64 = crate::linalg::singular_values(x.as_ref(), Par::Seq).unwrap().iter().sum();
        let value = 0.5 * dot(&e, &e) + lambda * norm;
        assert!((value / answer.objective - 1.0).abs() < 1e-9, "{limit}");
        let part = answer.objective / nothing;
        assert!(part <= most, "{limit}: {part}");
    }
}
