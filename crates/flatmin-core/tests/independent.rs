//! Answers for targets with noise against independent solvers: `fixtures/noise.txt` records what
//! CLARABEL and SCS made of small problems, and says of which version and to what tolerance;
//! `fixtures/noise.py` made it.

#![allow(clippy::unwrap_used)]

use flatmin_core::audit::Audit;
use flatmin_core::{DenseMap, Domain, Mat, Objective, Program, Status};

const FIXTURE: &str = include_str!("fixtures/noise.txt");

fn numbers(words: &str) -> Vec<f64> {
    words.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// A matrix in C order.
fn row_major(rows: usize, cols: usize, values: &[f64]) -> Mat<f64> {
    Mat::from_fn(rows, cols, |i, j| values[i * cols + j])
}

#[test]
fn agrees_with_independent_solvers() {
    let (mut name, mut domain, mut shape) = ("", Domain::General, (0, 0));
    let mut map = DenseMap::new(1, 1, vec![1.0]).unwrap();
    let mut targets = vec![];
    let (mut answer, mut cases) = (None, 0);
    for line in FIXTURE.lines() {
        let (head, rest) = line.split_once(' ').unwrap();
        let words: Vec<&str> = rest.split_whitespace().collect();
        match head {
            "problem" => {
                name = words[0];
                domain = match words[1] {
                    "general" => Domain::General,
                    "symmetric" => Domain::Symmetric,
                    _ => Domain::Semidefinite,
                };
                shape = (words[2].parse().unwrap(), words[3].parse().unwrap());
            }
            "measurements" => map = DenseMap::new(shape.0, shape.1, numbers(rest)).unwrap(),
            "targets" => targets = numbers(rest),
            "case" => {
                let kind = if words[0] == "flat" { Objective::Flat } else { Objective::Nuclear };
                let (value, optimum) = (words[2].parse().unwrap(), words[3].parse().unwrap());
                let program = Program::new(&map, &targets, kind).over(domain).tolerance(1e-10);
                let program = match words[1] {
                    "noise" => program.noise(value),
                    _ => program.penalty(value),
                };
                let found = program.solve().unwrap();
                assert_eq!(found.status, Status::Certified, "{name}: {line}");
                let audit = Audit::new(&map, &targets, &found).unwrap();
                assert!(audit.dual_norm < 1.0 + 1e-10, "{name}: {line}");
                assert!(words[1] == "penalty" || audit.feasibility < 1e-12, "{name}: {line}");
                approx::assert_relative_eq!(found.objective, optimum, max_relative = 1e-7);
                approx::assert_relative_eq!(audit.lower_bound, optimum, max_relative = 1e-7);
                cases += 1;
                answer = Some(found);
            }
            "solution" => {
                let found = answer.take().unwrap();
                let theirs = row_major(shape.0, shape.1, &numbers(rest));
                let apart = (found.matrix() - &theirs).norm_l2() / theirs.norm_l2();
                // Every X >= 0 with the same A(X) is equally flat.
                let free =
                    domain == Domain::Semidefinite && found.objective_kind == Objective::Flat;
                assert!(free || apart < 1e-4, "{name}, {}: {apart:e}", found.objective_kind);
            }
            _ => assert_eq!(head, "#"),
        }
    }
    assert_eq!(cases, 36);
}
