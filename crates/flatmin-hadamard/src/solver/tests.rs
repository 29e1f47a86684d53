//! Certificates from the definitions, in every regime.

use crate::{Depth, Hadamard, Objective, Sparse, Status};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Error, Mat, MatRef};

const DEPTHS: [Depth; 7] = [
    Depth::Finite(2),
    Depth::Finite(3),
    Depth::Finite(4),
    Depth::Finite(5),
    Depth::Finite(8),
    Depth::Finite(1000),
    Depth::Infinite,
];

fn image(a: MatRef<'_, f64>, x: &[f64]) -> Vec<f64> {
    (0..a.nrows()).map(|i| (0..a.ncols()).map(|j| a[(i, j)] * x[j]).sum()).collect()
}

/// Largest absolute value.
fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// What the answer claims, from the definitions and the caller's arrays alone: feasibility, objective, dual
/// norm, bound.
fn audit(problem: &Hadamard, answer: &Sparse) -> (f64, f64, f64, f64) {
    let (a, b) = (problem.matrix(), problem.targets());
    let (m, d) = a.shape();
    let p = answer.depth.exponent().unwrap();
    let q = answer.depth.dual_exponent().unwrap();
    let unit = largest(b);
    let misfit: f64 = image(a, &answer.x).iter().zip(b).map(|(i, b)| ((i - b) / unit).powi(2)).sum();
    let size: f64 = b.iter().map(|b| (b / unit).powi(2)).sum();
    let (mut objective, mut dual) = (Vec::new(), Vec::new());
    for j in 0..d {
        let column: Vec<f64> = (0..m).map(|i| a[(i, j)]).collect();
        let top = largest(&column);
        if top == 0.0 {
            assert_eq!(answer.x[j], 0.0);
            continue;
        }
        let norm = top * column.iter().map(|a| (a / top).powi(2)).sum::<f64>().sqrt();
        let w = match answer.objective_kind {
            Objective::Flat => norm.powf(2.0 / p) / (m as f64).powf(1.0 / p),
            _ => 1.0,
        };
        objective.push(w * answer.x[j].abs());
        let s: f64 = column.iter().zip(&answer.dual).map(|(a, y)| a * y).sum();
        dual.push(s.abs() / w);
    }
    let norm = |v: &[f64], e: f64| {
        let top = largest(v);
        if e == f64::INFINITY || top == 0.0 {
            return top;
        }
        top * v.iter().map(|v| (v / top).powf(e)).sum::<f64>().powf(1.0 / e)
    };
    let bound = answer.dual.iter().zip(b).map(|(y, b)| y * b).sum();
    ((misfit / size).sqrt(), norm(&objective, p), norm(&dual, q), bound)
}

/// Checks every claim of a certified answer; says what fails.
fn sound(problem: &Hadamard, answer: &Sparse) -> Result<(), String> {
    let (feasibility, objective, dual_norm, bound) = audit(problem, answer);
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * a.abs().max(b.abs());
    let says = format!(
        "depth {} {:?}: {} gap {:e} feasibility {:e} ({feasibility:e}), objective {:e} ({objective:e}), bound {:e} \
         ({bound:e}), dual norm {dual_norm:?}, {} iterations, warnings {:?}",
        answer.depth, answer.objective_kind, answer.status, answer.relative_gap, answer.feasibility,
        answer.objective, answer.lower_bound, answer.iterations, answer.warnings,
    );
    let right = near(objective, answer.objective)
        && (bound - answer.lower_bound).abs() < 1e-9 * objective
        && dual_norm <= 1.0
        && bound <= objective * (1.0 + 1e-9)
        && (objective - bound) <= 1e-8 * objective
        && feasibility <= 1e-8
        && answer.status == Status::Certified;
    if right { Ok(()) } else { Err(says) }
}

fn all_depths(what: &str, problem: &Hadamard) -> Vec<String> {
    let mut out = Vec::new();
    for depth in DEPTHS {
        for program in [problem.flat(depth), problem.nuclear(depth)] {
            match program.solve() {
                Ok(answer) => {
                    if let Err(e) = sound(problem, &answer) {
                        out.push(format!("{what}: {e}"));
                    } else if answer.relative_gap > 1e-12 {
                        out.push(format!("{what}: (only) {} {:?} {:e}", depth, answer.objective_kind, answer.relative_gap));
                    }
                }
                Err(e) => out.push(format!("{what}: {e}")),
            }
        }
    }
    out
}

#[test]
fn probe() {
    let mut bad = Vec::new();
    let mut count = 0;
    for seed in 0..12u64 {
        let mut st = Stream::new(seed, "probe", 0, 0, Role::Measurements);
        for (m, d) in [(1, 1), (1, 6), (5, 5), (7, 4), (6, 15), (20, 60), (40, 100)] {
            let sparse = |s: usize, st: &mut Stream| {
                let mut x = vec![0.0; d];
                (0..s).for_each(|_| { let j = (st.uniform() * d as f64) as usize; x[j] = st.gaussian() });
                x[d / 2] = 1.0;
                x
            };
            let g = st.gaussian_matrix(m, d);
            let signs = st.signs(m * d);
            let pm = Mat::from_fn(m, d, |i, j| signs[i * d + j]);
            let dup = Mat::from_fn(m, d, |i, j| g[(i, j / 2)]);
            let neg = Mat::from_fn(m, d, |i, j| if j % 2 == 1 { -g[(i, j / 2)] } else { g[(i, j / 2)] });
            let int = Mat::from_fn(m, d, |i, j| (g[(i, j)] * 1.5).round());
            let zeroone = Mat::from_fn(m, d, |i, j| if g[(i, j)] > 0.5 { 1.0 } else { 0.0 });
            let graded8 = Mat::from_fn(m, d, |i, j| g[(i, j)] * if j % 3 == 0 { 1e-8 } else { 1.0 });
            let graded88 = Mat::from_fn(m, d, |i, j| g[(i, j)] * [1e-8, 1.0, 1e8][j % 3]);
            let rows = Mat::from_fn(m, d, |i, j| g[(i, j)] * [1e-6, 1.0, 1e6][i % 3]);
            let lowr = Mat::from_fn(m, d, |i, j| g[(i / 2, j)] + if i > 2 { g[(0, j)] } else { 0.0 });
            let tiny = Mat::from_fn(m, d, |i, j| g[(i, j)] * 1e-120);
            let near = Mat::from_fn(m, d, |i, j| g[(0, j)] + 1e-5 * g[(i, j)]);
            let ident = Mat::from_fn(m, d, |i, j| if i == j % m { 1.0 } else { 0.0 });
            let mats = [("gauss", &g), ("pm", &pm), ("dup", &dup), ("neg", &neg), ("int", &int), ("01", &zeroone), ("graded8", &graded8),
                ("graded88", &graded88), ("rows", &rows), ("lowrank", &lowr), ("tiny", &tiny), ("near", &near), ("ident", &ident)];
            for (name, a) in mats {
                for s in [1, m / 8 + 1, m / 3 + 1, d] {
                    for round in [false, true] {
                        let mut x = sparse(s, &mut st);
                        if round { x.iter_mut().for_each(|x| *x = x.signum() * x.abs().ceil()) }
                        let mut b = image(a.as_ref(), &x);
                        if name == "tiny" { b.iter_mut().for_each(|b| *b *= 1e-20) }
                        if b.iter().all(|b| *b == 0.0) { continue }
                        let problem = Hadamard::new(a.clone(), b).unwrap();
                        bad.extend(all_depths(&format!("{name} {m}x{d} s={s} {round} seed {seed}"), &problem));
                        count += 14;
                    }
                }
            }
        }
    }
    println!("{} of {count}", bad.len());
    bad.iter().for_each(|b| println!("{b}"));
}

#[test]
fn dbg() {
    for seed in 0..12u64 {
        let mut st = Stream::new(seed, "probe9", 0, 0, Role::Measurements);
        let (m, d) = (6, 15);
        let g = st.gaussian_matrix(m, d);
        let near = Mat::from_fn(m, d, |i, j| g[(0, j)] + 1e-5 * g[(i, j)]);
        let mut x = vec![0.0; d];
        x[3] = 1.0; x[7] = 1.0;
        let b = image(near.as_ref(), &x);
        let problem = Hadamard::new(near, b).unwrap();
        let answer = problem.nuclear(2).solve().unwrap();
        println!("DBG {seed} {} {:e} {:e} {} {:?}", answer.status, answer.relative_gap, answer.feasibility, answer.rank, answer.warnings);
    }
}
