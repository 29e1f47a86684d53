//! `flatmin sharpness` of symmetric and of rank-one problems, against the loss alone.

use crate::refusals::all_refused;
use crate::sandbox::Sandbox;
use serde_json::Value;

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A polynomial of degree four along every line has `f'' = (4 D(1/2) - D(1)) / 3` at 0, exactly,
/// with the second differences `D(h) = (f(h) - 2 f(0) + f(-h)) / h^2`.
pub(crate) fn second_derivative(f: impl Fn(f64) -> f64) -> f64 {
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
            assert_eq!(sharp.as_object().unwrap().len(), 7);
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

/// The projection onto `{sum |S| <= tau}` takes this off the absolute value of every entry, at least to
/// zero.
pub(crate) fn threshold(e: &[f64], tau: f64) -> f64 {
    let left = |theta: f64| e.iter().map(|e| (e.abs() - theta).max(0.0)).sum::<f64>();
    let (mut low, mut high) = (0.0, e.iter().fold(0.0, |m: f64, e| m.max(e.abs())));
    if left(0.0) <= tau {
        return 0.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if left(middle) > tau { low = middle } else { high = middle }
    }
    high
}

/// `dist^2(E, {sum |S| <= tau})`.
fn squared_distance(e: &[f64], tau: f64) -> f64 {
    let theta = threshold(e, tau);
    e.iter().map(|e| e.abs().min(theta).powi(2)).sum()
}

/// The loss by bisection, the traces by `2 |L|^2` and `2 |R|^2`.
#[test]
fn factors_of_a_split() {
    let sandbox = Sandbox::new();
    let y: [[f64; 3]; 4] = [[1.0, 2.0, -1.0], [0.0, 9.0, 1.0], [2.0, -1.0, 1.0], [1.0, 1.0, -7.0]];
    let (l, r) = ([1.0, 2.0, -1.0, 0.5], [2.0, 1.0, -1.0]);
    sandbox.npy("Y.npy", &[4, 3], y.as_flattened());
    sandbox.npy("L.npy", &[4, 1], &l);
    sandbox.npy("R.npy", &[3, 1], &r);
    let residual: Vec<f64> = (0..12).map(|n| y[n / 3][n % 3] - l[n / 3] * r[n % 3]).collect();
    for tau in [0.0, 1.0, 10.0, 1e6] {
        let line = format!("sharpness rpca --matrix Y.npy --factors L.npy R.npy --tau {tau}");
        let sharp = sandbox.json(&line);
        let loss = squared_distance(&residual, tau);
        assert!((number(&sharp["loss"]) - loss).abs() <= 1e-10 * loss, "{sharp}, not {loss}");
        // |L|^2 = 6.25 and |R|^2 = 6, each trace times the length of the other side.
        let (left, right) = (2.0 * 4.0 * 6.0, 2.0 * 3.0 * 6.25);
        let expected = [
            ("trace_left", left),
            ("trace_right", right),
            ("trace", left + right),
            ("scaled_trace", 24.5),
        ];
        for (field, value) in expected {
            assert!((number(&sharp[field]) / value - 1.0).abs() < 1e-14, "{field}: {sharp}");
        }
        assert_eq!((sharp.as_object().unwrap().len(), &sharp["model"]), (7, &"rpca".into()));
        let text = String::from_utf8(sandbox.run(&line).stdout).unwrap();
        assert!(text.contains("rpca: curvature") && text.contains("in L, "), "{text}");
    }
    sandbox.npy("R4.npy", &[4, 1], &l);
    sandbox.npy("L2.npy", &[4, 2], &[1.0; 8]);
    sandbox.npy("nan.npy", &[4, 1], &[1.0, f64::NAN, 1.0, 1.0]);
    let line = "sharpness rpca --matrix Y.npy";
    all_refused(
        &sandbox,
        &[
            (&format!("{line} --factors L.npy R.npy"), &["--tau"]),
            (&format!("{line} --tau 1"), &["--factors"]),
            (&format!("{line} --factors L.npy R.npy --tau -1"), &["--tau", "zero or a positive"]),
            (&format!("{line} --factors L.npy R4.npy --tau 1"), &["L.npy and R4.npy", "4 x 1"]),
            (&format!("{line} --factors L2.npy R.npy --tau 1"), &["L2.npy and R.npy"]),
            (&format!("{line} --factors nan.npy R.npy --tau 1"), &["nan.npy", "(1, 0)", "NaN"]),
            (&format!("{line} --factors no.npy R.npy --tau 1"), &["read no.npy", "No such"]),
        ],
    );
}
