//! `flatmin sharpness` of symmetric and of rank-one problems, against the loss alone.

use crate::refusals::all_refused;
use crate::sandbox::Sandbox;
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A polynomial of degree four along every line has `f'' = (4 D(1/2) - D(1)) / 3` at 0, exactly,
/// with the second differences `D(h) = (f(h) - 2 f(0) + f(-h)) / h^2`.
fn second_derivative(f: impl Fn(f64) -> f64) -> f64 {
    let difference = |h: f64| (f(h) - 2.0 * f(0.0) + f(-h)) / (h * h);
    (4.0 * difference(0.5) - difference(1.0)) / 3.0
}

const X: [[f64; 3]; 4] = [[1.0, 2.0, -1.0], [0.0, 3.0, 1.0], [2.0, -1.0, 1.0], [1.0, 1.0, 0.0]];
const Y: [f64; 4] = [3.0, 7.0, 1.0, 20.0];

/// `(1/4) sum_i (x_i^T U diag(s) U^T x_i - y_i)^2`, `U` with one column a list.
fn symmetric_loss(columns: &[[f64; 3]], signs: &[f64]) -> f64 {
    let residual = |(x, y): (&[f64; 3], &f64)| {
        let along = |u: &[f64; 3]| x.iter().zip(u).map(|(x, u)| x * u).sum::<f64>();
        columns.iter().zip(signs).map(|(u, s)| s * along(u).powi(2)).sum::<f64>() - y
    };
    X.iter().zip(&Y).map(residual).map(|r| r * r).sum::<f64>() / 4.0
}

fn columns_as_csv(columns: &[[f64; 3]], signs: &[f64]) -> String {
    let entry = |i: usize| columns.iter().zip(signs).map(move |(u, s)| (s * u[i]).to_string());
    (0..3).map(|i| entry(i).collect::<Vec<_>>().join(",") + "\n").collect()
}

fn files(sandbox: &Sandbox) {
    sandbox.npy("x.npy", &[4, 3], X.as_flattened());
    sandbox.npy("y.npy", &[4], &Y);
}

/// With a residual, and with the signs in any order.
#[test]
fn symmetric_factors() {
    let columns = [[1.0, 0.0, 2.0], [0.0, -1.0, 1.0], [3.0, 1.0, 1.0]];
    let sandbox = Sandbox::new();
    files(&sandbox);
    for signs in [[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]] {
        sandbox.file("L.csv", columns_as_csv(&columns, &[1.0; 3]));
        sandbox.file("R.csv", columns_as_csv(&columns, &signs));
        let mut blocks = [0.0; 2];
        for j in 0..3 {
            for i in 0..3 {
                let moved = |t: f64| {
                    let mut moved = columns;
                    moved[j][i] += t;
                    symmetric_loss(&moved, &signs)
                };
                blocks[usize::from(signs[j] < 0.0)] += second_derivative(moved);
            }
        }
        for problem in ["covariance --probes x.npy", "quadnet --inputs x.npy"] {
            let line = format!("sharpness {problem} --targets y.npy --factors L.csv R.csv");
            let sharp = sandbox.json(&line);
            let expected = [
                ("loss", symmetric_loss(&columns, &signs)),
                ("trace_left", blocks[0]),
                ("trace_right", blocks[1]),
                ("trace", blocks[0] + blocks[1]),
                ("scaled_trace", (blocks[0] + blocks[1]) / 3.0),
            ];
            for (field, value) in expected {
                let error = (number(&sharp[field]) - value).abs();
                assert!(error <= 1e-12 * value.abs(), "{signs:?} {field}: {sharp}, not {value}");
            }
            assert_eq!(sharp.as_object().unwrap().len(), 6);
            let text = String::from_utf8(sandbox.run(&line).stdout).unwrap();
            assert!(text.contains("where R = L, "), "{text}");
        }
    }
}

/// A bilinear problem has the loss of two factors.
#[test]
fn bilinear_factors() {
    let sandbox = Sandbox::new();
    files(&sandbox);
    let (b, l, r) =
        ([[2.0, 1.0], [0.0, 1.0], [1.0, -1.0], [3.0, 1.0]], [1.0, 2.0, -1.0], [2.0, 1.0]);
    sandbox.npy("b.npy", &[4, 2], b.as_flattened());
    sandbox.npy("L.npy", &[3, 1], &l);
    sandbox.npy("R.npy", &[2, 1], &r);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let loss = |l: &[f64], r: &[f64]| {
        let residual = |i: usize| dot(&X[i], l) * dot(&b[i], r) - Y[i];
        (0..4).map(residual).map(|r| r * r).sum::<f64>() / 4.0
    };
    let moved = |v: &[f64], i: usize, t: f64| {
        let mut moved = v.to_vec();
        moved[i] += t;
        moved
    };
    let left: f64 = (0..3).map(|i| second_derivative(|t| loss(&moved(&l, i, t), &r))).sum();
    let right: f64 = (0..2).map(|i| second_derivative(|t| loss(&l, &moved(&r, i, t)))).sum();
    let line =
        "sharpness bilinear --left x.npy --right b.npy --targets y.npy --factors L.npy R.npy";
    let sharp = sandbox.json(line);
    let expected = [
        ("loss", loss(&l, &r)),
        ("trace_left", left),
        ("trace_right", right),
        ("trace", left + right),
        ("scaled_trace", left / 3.0 + right / 2.0),
    ];
    for (field, value) in expected {
        assert!((number(&sharp[field]) / value - 1.0).abs() < 1e-12, "{field}: {sharp}");
    }
}

#[test]
fn factors_that_do_not_fit() {
    let sandbox = Sandbox::new();
    files(&sandbox);
    sandbox.npy("L.npy", &[3, 2], &[1.0, 2.0, 0.0, 1.0, 1.0, 1.0]);
    sandbox.npy("R.npy", &[3, 2], &[1.0, 2.0, 0.0, 1.0, 1.0, -1.0]);
    sandbox.npy("one.npy", &[3, 1], &[1.0; 3]);
    sandbox.npy("four.npy", &[4, 2], &[1.0; 8]);
    let cases: [(&str, &[&str]); 4] = [
        ("L.npy R.npy", &["L.npy and R.npy", "column 1 of R"]),
        ("L.npy one.npy", &["L.npy and one.npy", "3 x k and 3 x k", "3 x 1"]),
        ("four.npy four.npy", &["3 x k and 3 x k", "4 x 2"]),
        ("x.npy y.npy", &["y.npy", "(d1, d2)", "(4,)"]),
    ];
    for problem in ["covariance --probes", "quadnet --inputs"] {
        for (factors, words) in cases {
            let line = format!("sharpness {problem} x.npy --targets y.npy --factors {factors}");
            all_refused(&sandbox, &[(&line, words)]);
        }
    }
    let line = "sharpness bilinear --left x.npy --right x.npy --targets y.npy --factors";
    all_refused(&sandbox, &[(&format!("{line} L.npy four.npy"), &["3 x k and 3 x k", "4 x 2"])]);
}
