//! The largest eigenvalue and the estimates of `flatmin sharpness`, against a dense Hessian made of second
//! differences of the loss.

use crate::curvature::{number, second_derivative, threshold};
use crate::refusals::all_refused;
use crate::sandbox::Sandbox;
use flatmin::core::Mat;
use flatmin::core::linalg::symmetric_eigenvalues;
use flatmin::core::rng::{Role, Stream};
use serde_json::Value;

const METHODS: [&str; 8] =
    ["exact", "hutchinson", "sphere", "orthogonal", "hutch++", "xtrace", "xnystrace", "auto"];
const FIELDS: [&str; 7] =
    ["model", "loss", "trace", "scaled_trace", "trace_left", "trace_right", "largest_eigenvalue"];

/// A loss of factors that one vector `x` holds in C order: `scale sum_i (<A_i, L R^T> - b_i)^2`.
struct Case {
    /// The command, without `--factors`.
    line: String,
    /// `A_i`, in C order, and `b_i`.
    measurements: Vec<(Vec<f64>, f64)>,
    scale: f64,
    /// Shapes `d1`, `d2`, `k`.
    shape: (usize, usize, usize),
    /// Where `R = L diag(s)` holds, `s`; `x` is `L` alone.
    signs: Option<Vec<f64>>,
    x: Vec<f64>,
}

impl Case {
    fn factors(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (d1, _, k) = self.shape;
        let (l, r) = x.split_at(d1 * k);
        let r = match &self.signs {
            Some(signs) => l.iter().enumerate().map(|(n, l)| signs[n % k] * l).collect(),
            None => r.to_vec(),
        };
        (l.to_vec(), r)
    }

    fn loss(&self, x: &[f64]) -> f64 {
        let ((_, d2, k), (l, r)) = (self.shape, self.factors(x));
        let product =
            |n: usize| -> f64 { (0..k).map(|c| l[n / d2 * k + c] * r[n % d2 * k + c]).sum() };
        let residual = |(a, b): &(Vec<f64>, f64)| {
            a.iter().enumerate().map(|(n, a)| a * product(n)).sum::<f64>() - b
        };
        self.scale * self.measurements.iter().map(|m| residual(m).powi(2)).sum::<f64>()
    }

    /// By `2 H_ij = f''(e_i + e_j) - f''(e_i) - f''(e_j)`, exact for quartics.
    fn hessian(&self) -> Mat<f64> {
        let n = self.x.len();
        let along = |entries: &[usize]| {
            second_derivative(|t| {
                let mut moved = self.x.clone();
                entries.iter().for_each(|&i| moved[i] += t);
                self.loss(&moved)
            })
        };
        let diagonal: Vec<f64> = (0..n).map(|i| along(&[i])).collect();
        Mat::from_fn(n, n, |i, j| match i == j {
            true => diagonal[i],
            false => 0.5 * (along(&[i, j]) - diagonal[i] - diagonal[j]),
        })
    }

    /// The command with its factors, which it writes.
    fn command(&self, sandbox: &Sandbox) -> String {
        let ((d1, d2, k), (l, r)) = (self.shape, self.factors(&self.x));
        sandbox.npy("L.npy", &[d1, k], &l);
        sandbox.npy("R.npy", &[d2, k], &r);
        format!("sharpness {} --factors L.npy R.npy", self.line)
    }
}

/// One problem of every model, with a residual, all files written.
fn cases(sandbox: &Sandbox) -> Vec<Case> {
    let mut stream = Stream::new(1, "estimates", 0, 0, Role::Measurements);
    let ((d1, d2, k), m) = ((6, 5, 2), 40);
    let x = stream.gaussian_vector((d1 + d2) * k);
    let case = |line: &str, measurements: Vec<(Vec<f64>, f64)>, scale| Case {
        line: line.to_owned(),
        measurements,
        scale,
        shape: (d1, d2, k),
        signs: None,
        x: x.clone(),
    };
    let matrices = stream.gaussian_vector(m * d1 * d2);
    let (a, b, y) =
        (stream.gaussian_vector(m * d1), stream.gaussian_vector(m * d2), stream.gaussian_vector(m));
    sandbox.npy("matrices.npy", &[m, d1, d2], &matrices);
    sandbox.npy("a.npy", &[m, d1], &a);
    sandbox.npy("b.npy", &[m, d2], &b);
    sandbox.npy("y.npy", &[m], &y);
    let outer = |a: &[f64], b: &[f64]| -> Vec<f64> {
        (0..a.len() * b.len()).map(|n| a[n / b.len()] * b[n % b.len()]).collect()
    };
    let mean = 1.0 / m as f64;
    let dense = matrices.chunks(d1 * d2).map(<[f64]>::to_vec).zip(y.clone()).collect();
    let pairs = a.chunks(d1).zip(b.chunks(d2)).map(|(a, b)| outer(a, b));
    let pairs = pairs.zip(y.clone()).collect();
    let unit = |n: usize| (0..d1 * d2).map(|i| if i == n { 1.0 } else { 0.0 }).collect();
    let matrix = stream.gaussian_vector(d1 * d2);
    let seen = (0..d1 * d2).filter(|n| n % 7 != 3);
    let holed: Vec<f64> =
        (0..d1 * d2).map(|n| if n % 7 == 3 { f64::NAN } else { matrix[n] }).collect();
    sandbox.npy("holed.npy", &[d1, d2], &holed);
    let entries: Vec<(Vec<f64>, f64)> = seen.map(|n| (unit(n), matrix[n])).collect();
    let count = entries.len() as f64;

    // The majoriser of robust PCA keeps the sparse part S~ that the factors imply.
    let tau = 8.0;
    let at = case("", vec![], 1.0);
    let (l, r) = at.factors(&x);
    let product = |n: usize| -> f64 { (0..k).map(|c| l[n / d2 * k + c] * r[n % d2 * k + c]).sum() };
    let residual: Vec<f64> = entries
        .iter()
        .map(|(a, y)| y - product(a.iter().position(|a| *a == 1.0).unwrap()))
        .collect();
    let theta = threshold(&residual, tau);
    let clean = entries
        .iter()
        .zip(&residual)
        .map(|((a, y), e)| (a.clone(), y - e.signum() * (e.abs() - theta).max(0.0)));
    let clean = clean.collect();

    let mut all = vec![
        case("sensing --measurements matrices.npy --targets y.npy", dense, mean),
        case("bilinear --left a.npy --right b.npy --targets y.npy", pairs, mean),
        case("completion --matrix holed.npy", entries, 1.0 / count),
        case(&format!("rpca --matrix holed.npy --tau {tau}"), clean, 1.0),
    ];
    let squares: Vec<f64> = y.iter().map(|y| y.abs()).collect();
    sandbox.npy("squares.npy", &[m], &squares);
    for (line, signs) in [
        ("covariance --probes a.npy --targets squares.npy", [1.0, 1.0, 1.0]),
        ("quadnet --inputs a.npy --targets squares.npy", [1.0, -1.0, 1.0]),
    ] {
        let measurements = a.chunks(d1).map(|a| outer(a, a)).zip(squares.clone()).collect();
        all.push(Case {
            shape: (d1, d1, 3),
            signs: Some(signs.to_vec()),
            x: stream.gaussian_vector(3 * d1),
            ..case(line, measurements, mean)
        });
    }
    all
}

fn has_fields(answer: &Value, further: &[&str]) {
    let object = answer.as_object().unwrap();
    assert_eq!(object.len(), FIELDS.len() + further.len(), "{answer}");
    assert!(FIELDS.iter().chain(further).all(|field| object.contains_key(*field)), "{answer}");
}

#[test]
fn the_largest_eigenvalue_is_that_of_the_dense_hessian() {
    let sandbox = Sandbox::new();
    for case in cases(&sandbox) {
        let sharp = sandbox.json(&case.command(&sandbox));
        has_fields(&sharp, &[]);
        let dense = case.hessian();
        let trace: f64 = (0..dense.nrows()).map(|i| dense[(i, i)]).sum();
        let values = symmetric_eigenvalues(dense.as_ref()).unwrap();
        let largest = values[values.len() - 1];
        for (field, value) in [("trace", trace), ("largest_eigenvalue", largest)] {
            let error = number(&sharp[field]) / value - 1.0;
            assert!(error.abs() < 1e-9, "{}: {field} off by {error:e}", case.line);
        }
    }
}

/// Within four standard errors, in which twelve products may differ from the Hessian's order of 18 or 22.
#[test]
fn every_estimator_of_every_model() {
    let sandbox = Sandbox::new();
    for case in cases(&sandbox) {
        let line = case.command(&sandbox);
        for method in METHODS {
            let line = format!("{line} --estimator {method}");
            let of = |settings: &str| sandbox.json(&format!("{line} {settings}"));
            let few = of("--probes 12 --seed 3");
            has_fields(&few, &["estimator", "estimate", "std_err", "matvecs"]);
            assert_eq!(few["estimator"], method);
            let error = (number(&few["estimate"]) - number(&few["trace"])).abs();
            let (std_err, trace) = (number(&few["std_err"]), number(&few["trace"]).abs());
            assert!(error <= 4.0 * std_err + 1e-12 * trace, "{line}: {few}");
            let matvecs = number(&few["matvecs"]);
            assert!(if method == "exact" {
                matvecs == 0.0
            } else {
                (1.0..=12.0).contains(&matvecs)
            });
            assert_eq!(method == "exact", std_err == 0.0, "{line}: {few}");
            assert_eq!(few, of("--probes 12 --seed 3"), "{line}");
            if method != "exact" {
                assert_ne!(few["estimate"], of("--probes 12 --seed 4")["estimate"], "{line}");
            }
            // From the order of the Hessian on nothing is left to chance.
            if !["hutchinson", "sphere"].contains(&method) {
                let many = of("--probes 96");
                let error = (number(&many["estimate"]) / number(&many["trace"]) - 1.0).abs();
                assert!(error < 1e-12 && number(&many["std_err"]) == 0.0, "{line}: {many}");
            }
        }
    }
}

#[test]
fn tolerances_are_kept_or_said_to_be_missed() {
    let sandbox = Sandbox::new();
    for case in cases(&sandbox) {
        let line = case.command(&sandbox);
        let kept = sandbox.json(&format!("{line} --tol 0.3 --estimator hutchinson --probes 9999"));
        let error = number(&kept["estimate"]) / number(&kept["trace"]) - 1.0;
        assert!(error.abs() <= 0.3, "{kept}");
        let line = format!("{line} --tol 1e-9 --probes 12");
        let missed = sandbox.json_and_code(&line, 3);
        has_fields(&missed, &["estimator", "estimate", "std_err", "matvecs"]);
        assert_eq!(missed["estimator"], "auto");
        let text = String::from_utf8(sandbox.run(&line).stdout).unwrap();
        for words in ["before the tolerance 1e-9", "which auto chose", "standard errors"] {
            assert!(text.contains(words), "{text}");
        }
    }
}

/// Of covariance the data have the name of the budget.
#[test]
fn data_and_budget_of_one_name() {
    let sandbox = Sandbox::new();
    let all = cases(&sandbox);
    let case = all.iter().find(|case| case.line.starts_with("covariance")).unwrap();
    let line = case.command(&sandbox);
    let answer = sandbox.json(&format!("{line} --probes 12"));
    for other in ["--matvecs 12", "--probes=12", "--estimator auto --matvecs=12"] {
        assert_eq!(answer, sandbox.json(&format!("{line} {other}")));
    }
    let other = all[0].command(&sandbox);
    let answer = sandbox.json(&format!("{other} --probes 12"));
    assert_eq!(answer, sandbox.json(&format!("{other} --matvecs 12")));
}

/// At zero factors the Hessian is the residual's, of eigenvalues `+-(2/m) sigma_i(A*(b))`.
#[test]
fn zero_factors() {
    let sandbox = Sandbox::new();
    sandbox.npy("zeros.npy", &[2, 3], &[0.0; 6]);
    // Singular values 5 and 3.
    sandbox.npy("Y.npy", &[2, 2], &[4.0, 1.0, 1.0, 4.0]);
    let line = "sharpness completion --matrix Y.npy --factors zeros.npy zeros.npy";
    let sharp = sandbox.json(line);
    assert!((number(&sharp["largest_eigenvalue"]) - 2.0 / 4.0 * 5.0).abs() < 1e-12, "{sharp}");
    assert_eq!(number(&sharp["trace"]), 0.0);
    sandbox.npy("none.npy", &[2, 2], &[0.0; 4]);
    let line = "sharpness completion --matrix none.npy --factors zeros.npy zeros.npy --probes 8";
    let sharp = sandbox.json(line);
    for field in ["largest_eigenvalue", "trace", "estimate", "std_err"] {
        assert_eq!(number(&sharp[field]), 0.0, "{sharp}");
    }
}

#[test]
fn what_no_estimator_can_use() {
    let sandbox = Sandbox::new();
    let case = &cases(&sandbox)[0];
    let line = case.command(&sandbox);
    let (d1, d2, k) = case.shape;
    sandbox.npy("huge1.npy", &[d1, k], &vec![1e200; d1 * k]);
    sandbox.npy("huge2.npy", &[d2, k], &vec![1e200; d2 * k]);
    let huge = line.replace("L.npy", "huge1.npy").replace("R.npy", "huge2.npy");
    all_refused(
        &sandbox,
        &[
            (&format!("{line} --estimator best"), &["--estimator", "best", "hutch++, xtrace"]),
            (&format!("{line} --estimator xtrace --probes 5"), &["--probes", "xtrace 6", "5 for"]),
            (&format!("{line} --estimator hutch++ --probes 5"), &["--probes", "5 for hutch++"]),
            (&format!("{line} --probes 3"), &["--probes", "auto 4", "3 for auto"]),
            (&format!("{line} --estimator hutchinson --probes 1"), &["at least 2"]),
            (&format!("{line} --probes 0"), &["--probes", "0"]),
            (&format!("{line} --probes many"), &["--probes", "many"]),
            (&format!("{line} --tol 0"), &["--tol", "positive"]),
            (&format!("{line} --tol=-1"), &["--tol", "positive"]),
            (&format!("{line} --tol nan"), &["--tol", "positive"]),
            (&format!("{line} --tol inf"), &["--tol", "positive"]),
            (&format!("{line} --seed x"), &["--seed"]),
            (&format!("{huge} --probes 8"), &["huge1.npy", "product with the Hessian", "rescale"]),
        ],
    );
    let sharp = sandbox.json(&huge);
    assert!(sharp["largest_eigenvalue"].is_null(), "{sharp}");
    let text = String::from_utf8(sandbox.run(&huge).stdout).unwrap();
    assert!(text.contains("largest eigenvalue  not found: a product with the Hessian"), "{text}");
}
