//! Planted problems with certified optima, through the command.

use crate::sandbox::Sandbox;
use flatmin::core::linalg::{Par, operator_norm, product, symmetric_eigen};
use flatmin::core::{Mat, MatRef};
use flatmin_cli::read::npz::Archive;
use serde_json::Value;
use std::path::Path;

pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flatmin/tests/fixtures");

/// Measurement matrices as `(row, col, value)` lists, and the targets.
struct Measured {
    rows: usize,
    cols: usize,
    matrices: Vec<Vec<(usize, usize, f64)>>,
    targets: Vec<f64>,
}

fn measured(model: &str, archive: &mut Archive) -> Measured {
    let mut vector = |field: &str| archive.read(field).unwrap();
    if model == "sensing" {
        let a = vector("measurements");
        let [_, rows, cols] = a.shape[..].try_into().unwrap();
        let matrix =
            |a: &[f64]| a.iter().enumerate().map(|(n, &v)| (n / cols, n % cols, v)).collect();
        let matrices = a.values.chunks(rows * cols).map(matrix).collect();
        return Measured { rows, cols, matrices, targets: vector("targets").values };
    }
    let vectors = match model {
        "bilinear" => Some(("left", "right")),
        "covariance" => Some(("probes", "probes")),
        "quadnet" => Some(("inputs", "inputs")),
        _ => None,
    };
    if let Some((left, right)) = vectors {
        let (left, right) = (vector(left), vector(right));
        let (rows, cols) = (left.shape[1], right.shape[1]);
        let matrix = |(a, b): (&[f64], &[f64])| {
            (0..rows * cols).map(|n| (n / cols, n % cols, a[n / cols] * b[n % cols])).collect()
        };
        let vectors = left.values.chunks(rows).zip(right.values.chunks(cols));
        let matrices = vectors.map(matrix).collect();
        return Measured { rows, cols, matrices, targets: vector("targets").values };
    }
    let [row, col, val, shape] = ["row", "col", "val", "shape"].map(|f| vector(f).values);
    let entries = row.iter().zip(&col);
    Measured {
        rows: shape[0] as usize,
        cols: shape[1] as usize,
        matrices: entries.map(|(&i, &j)| vec![(i as usize, j as usize, 1.0)]).collect(),
        targets: val,
    }
}

/// `G^{-1/2}` of a positive definite matrix.
fn inverse_root(gram: MatRef<'_, f64>) -> Mat<f64> {
    let (values, q) = symmetric_eigen(gram, Par::Seq).unwrap();
    let scaled = Mat::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)] / values[j].sqrt());
    product(scaled.as_ref(), q.transpose())
}

impl Measured {
    /// `|D1^{-1} A*(y) D2^{-1}|_op` with `D1^2 = sum A_i A_i^T / (m d2)`, `D2^2` likewise; without
    /// D for the nuclear norm. Over semidefinite matrices, the largest eigenvalue.
    fn dual_norm(&self, y: &[f64], flat: bool, semidefinite: bool) -> f64 {
        let (d1, d2, m) = (self.rows, self.cols, self.matrices.len() as f64);
        let (mut g1, mut g2) = (Mat::<f64>::zeros(d1, d1), Mat::<f64>::zeros(d2, d2));
        let mut back = Mat::<f64>::zeros(d1, d2);
        for (a, y) in self.matrices.iter().zip(y) {
            for &(i, j, v) in a {
                back[(i, j)] += y * v;
                for &(p, q, w) in a {
                    if j == q {
                        g1[(i, p)] += v * w / (m * d2 as f64);
                    }
                    if i == p {
                        g2[(j, q)] += v * w / (m * d1 as f64);
                    }
                }
            }
        }
        if flat {
            let (left, right) = (inverse_root(g1.as_ref()), inverse_root(g2.as_ref()));
            back = product(product(left.as_ref(), back.as_ref()).as_ref(), right.as_ref());
        }
        if semidefinite {
            let (values, _) = symmetric_eigen(back.as_ref(), Par::Seq).unwrap();
            return values.into_iter().fold(f64::NEG_INFINITY, f64::max);
        }
        operator_norm(back.as_ref()).unwrap()
    }
}

/// Symmetric to the last bit, and where asked without a negative eigenvalue but for rounding.
fn check_symmetric(x: &[f64], d: usize, semidefinite: bool) {
    assert!((0..d * d).all(|n| x[n] == x[n % d * d + n / d]));
    if semidefinite {
        let matrix = Mat::from_fn(d, d, |i, j| x[i * d + j]);
        let (values, _) = symmetric_eigen(matrix.as_ref(), Par::Seq).unwrap();
        let largest = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        assert!(values.iter().all(|&v| v >= -1e-13 * largest), "{values:?}");
    }
}

fn check(name: &str, optima: &Value, kind: &str) {
    let sandbox = Sandbox::new();
    let path = Path::new(FIXTURES).join(format!("{name}.npz"));
    let model = optima["model"].as_str().unwrap();
    let bracket = &optima[if kind == "flat" { "FLAT" } else { "NUC" }];
    let number = |v: &Value| v.as_f64().unwrap();
    let (lower, upper) = (number(&bracket["lower"]), number(&bracket["upper"]));

    let data = path.display();
    let line = format!("recover {model} --data {data} --objective {kind} --out X.npy --dual y.npy");
    let answer = sandbox.json(&line);
    let (objective, bound) = (number(&answer["objective"]), number(&answer["lower_bound"]));
    assert_eq!(answer["status"], "certified", "{name} {kind}");
    assert!(objective >= lower * (1.0 - 1e-7), "{name} {kind}: {objective} under {lower}");
    assert!(objective <= upper * (1.0 + 1e-7), "{name} {kind}: {objective} over {upper}");
    assert!(bound <= upper * (1.0 + 1e-9), "{name} {kind}: bound {bound} over {upper}");
    assert!(number(&answer["relative_gap"]) <= 1e-7, "{name} {kind}");
    assert!(number(&answer["feasibility"]) <= 1e-9, "{name} {kind}");

    let mut archive = Archive::open(&path).unwrap();
    let truth = archive.read("truth").unwrap();
    let x = sandbox.array("X.npy");
    assert_eq!(x.shape, truth.shape);
    let semidefinite = model == "covariance";
    if semidefinite || model == "quadnet" {
        check_symmetric(&x.values, x.shape[0], semidefinite);
    }
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut x.values.iter().zip(&truth.values).map(|(x, t)| x - t));
    let error = difference / norm(&mut truth.values.iter().copied());
    let expected = number(&bracket["relerr_to_truth"]);
    if expected < 1e-6 {
        assert!(error < 1e-6, "{name} {kind}: error {error:e}");
        // Elsewhere it may or may not be provable; every X >= 0 that fits would be as flat.
        assert!(!semidefinite || answer["unique"] == true, "{name} {kind}");
    } else if semidefinite && kind == "flat" {
        assert!(answer["unique"] == false, "{name} {kind}");
    } else {
        assert!(
            (error / expected - 1.0).abs() < 1e-2,
            "{name} {kind}: {error:e}, not {expected:e}"
        );
    }

    let measured = measured(model, &mut archive);
    let y = sandbox.array("y.npy").values;
    let dual_norm = measured.dual_norm(&y, kind == "flat", semidefinite);
    assert!(dual_norm <= 1.0 + 1e-12, "{name} {kind}: dual norm 1 + {:e}", dual_norm - 1.0);
    let product: f64 = measured.targets.iter().zip(&y).map(|(b, y)| b * y).sum();
    assert!(
        (product / bound - 1.0).abs() < 1e-12,
        "{name} {kind}: <b, y> = {product}, not {bound}"
    );
}

#[test]
fn certified_optima_are_reached() {
    let text = std::fs::read_to_string(Path::new(FIXTURES).join("optima.json")).unwrap();
    let optima: Value = serde_json::from_str(&text).unwrap();
    // Robust PCA has programs of its own.
    let linear = optima.as_object().unwrap().iter().filter(|(_, o)| o["model"] != "rpca");
    let linear: Vec<_> = linear.collect();
    assert_eq!(linear.len(), 9);
    for (name, optima) in linear {
        check(name, optima, "flat");
        check(name, optima, "nuclear");
    }
}
