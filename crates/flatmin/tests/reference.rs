//! Reference instances whose optimal values were bracketed elsewhere, by another solver: every
//! instance of `fixtures/`, recovering or not, under both objectives and over its model's domain.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin::core::audit::Audit;
use flatmin::core::{Domain, LinearMap, Measured};
use flatmin::prelude::*;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn optima() -> serde_json::Value {
    let text = std::fs::read_to_string(fixtures().join("optima.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The `count` instances of one model, by name, with their files.
fn instances(model: &str, count: usize) -> Vec<(String, PathBuf)> {
    let optima = optima();
    let names = optima.as_object().unwrap().iter().filter(|(_, o)| o["model"] == model);
    let found: Vec<_> =
        names.map(|(name, _)| (name.clone(), fixtures().join(format!("{name}.npz")))).collect();
    assert_eq!(found.len(), count, "fixtures of {model}");
    found
}

/// One array of an `.npz` file, in C order, with its shape.
fn array<T: npyz::Deserialize>(path: &Path, name: &str) -> (Vec<T>, Vec<u64>) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let member = archive.by_name(&format!("{name}.npy")).unwrap();
    let array = npyz::NpyFile::new(member).unwrap();
    assert_eq!(array.order(), npyz::Order::C);
    let shape = array.shape().to_vec();
    (array.into_vec().unwrap(), shape)
}

fn matrix(path: &Path, name: &str) -> Mat<f64> {
    let (values, shape) = array::<f64>(path, name);
    let (rows, cols) = (shape[0] as usize, shape[1] as usize);
    Mat::from_fn(rows, cols, |i, j| values[i * cols + j])
}

/// Solves both programs and holds them against the bracket.
fn compare<M: LinearMap>(name: &str, problem: &Measured<M>, truth: &Mat<f64>) {
    let optima = optima();
    for (program, key) in [(problem.flat(), "FLAT"), (problem.nuclear(), "NUC")] {
        let bracket = &optima[name][key];
        let number = |field: &str| bracket[field].as_f64().unwrap();
        let (lower, upper) = (number("lower"), number("upper"));
        let answer = program.solve().unwrap();
        let says = format!("{name} {key}: {} in [{lower}, {upper}]", answer.objective);
        assert_eq!(answer.status, Status::Certified, "{says}");
        assert!(answer.relative_gap <= 1e-7, "{says}");
        assert!(answer.objective >= lower * (1.0 - 1e-7), "{says}");
        assert!(answer.objective <= upper * (1.0 + 1e-7), "{says}");
        assert!(answer.lower_bound <= upper * (1.0 + 1e-9), "{says}");
        let audit = Audit::new(problem.map(), problem.targets(), &answer).unwrap();
        assert!(audit.dual_norm <= 1.0 + 1e-10 && audit.feasibility <= 1e-8, "{says}: {audit:?}");
        assert!((audit.objective - answer.objective).abs() <= 1e-9 * upper, "{says}: {audit:?}");
        assert!((audit.lower_bound - answer.lower_bound).abs() <= 1e-9 * upper, "{says}");
        let x = answer.matrix();
        if problem.domain() != Domain::General {
            assert_eq!(x.as_ref(), x.transpose(), "{says}");
        }
        assert!(audit.outside <= 1e-14, "{says}: {audit:?}");
        let error = (x - truth).norm_l2() / truth.norm_l2();
        if number("relerr_to_truth") < 1e-6 {
            assert!(error < 1e-6, "{says}, but off the planted matrix by {error:e}");
        } else {
            let expected = number("relerr_to_truth");
            assert!((error / expected - 1.0).abs() < 1e-2, "{says}, {error} away from the planted");
        }
    }
}

#[test]
fn sensing_values_lie_in_their_brackets() {
    for (name, path) in instances("sensing", 2) {
        let (measurements, shape) = array::<f64>(&path, "measurements");
        let (targets, _) = array::<f64>(&path, "targets");
        let (rows, cols) = (shape[1] as usize, shape[2] as usize);
        let problem = Sensing::from_arrays(rows, cols, measurements, targets).unwrap();
        compare(&name, &problem, &matrix(&path, "truth"));
    }
}

#[test]
fn bilinear_values_lie_in_their_brackets() {
    for (name, path) in instances("bilinear", 2) {
        let (left, a) = array::<f64>(&path, "left");
        let (right, b) = array::<f64>(&path, "right");
        let (targets, _) = array::<f64>(&path, "targets");
        let (rows, cols) = (a[1] as usize, b[1] as usize);
        let problem = Bilinear::from_arrays(rows, cols, left, right, targets).unwrap();
        compare(&name, &problem, &matrix(&path, "truth"));
    }
}

#[test]
fn completion_values_lie_in_their_brackets() {
    for (name, path) in instances("completion", 2) {
        let indices = |name: &str| -> Vec<usize> {
            array::<i64>(&path, name).0.into_iter().map(|v| usize::try_from(v).unwrap()).collect()
        };
        let (shape, row, col) = (indices("shape"), indices("row"), indices("col"));
        let (values, _) = array::<f64>(&path, "val");
        let problem = Completion::new(shape[0], shape[1], &row, &col, values).unwrap();
        compare(&name, &problem, &matrix(&path, "truth"));
    }
}

#[test]
fn quadnet_values_lie_in_their_brackets() {
    for (name, path) in instances("quadnet", 2) {
        let (inputs, shape) = array::<f64>(&path, "inputs");
        let (targets, _) = array::<f64>(&path, "targets");
        let problem = QuadNet::from_arrays(shape[1] as usize, inputs, targets).unwrap();
        compare(&name, &problem, &matrix(&path, "truth"));
    }
}

/// Every matrix that fits is equally flat, so the planted one is only to be found because nothing
/// else fits.
#[test]
fn covariance_values_lie_in_their_brackets() {
    for (name, path) in instances("covariance", 1) {
        let (probes, shape) = array::<f64>(&path, "probes");
        let (targets, _) = array::<f64>(&path, "targets");
        let problem = Covariance::from_arrays(shape[1] as usize, probes, targets).unwrap();
        compare(&name, &problem, &matrix(&path, "truth"));
        assert!(problem.flat().solve().unwrap().unique);
    }
}

#[test]
fn rpca_values_lie_in_their_brackets() {
    let optima = optima();
    for (name, path) in instances("rpca", 1) {
        let (y, truth) = (matrix(&path, "matrix"), matrix(&path, "truth"));
        let problem = RobustPca::new(y.as_ref()).unwrap();
        let number = |field: &str| optima[&name][field].as_f64().unwrap();
        let (lambda, tau) = (number("lambda"), number("tau"));
        for (program, key) in
            [(problem.penalised(lambda), "PEN"), (problem.constrained(tau), "CON")]
        {
            let bracket = &optima[&name][key];
            let number = |field: &str| bracket[field].as_f64().unwrap();
            let (lower, upper) = (number("lower"), number("upper"));
            let answer = program.solve().unwrap();
            let says = format!("{name} {key}: {} in [{lower}, {upper}]", answer.objective);
            assert_eq!(answer.status, Status::Certified, "{says}");
            assert!(answer.relative_gap <= 1e-7 && answer.feasibility <= 1e-8, "{says}");
            assert!(answer.objective >= lower * (1.0 - 1e-7), "{says}");
            assert!(answer.objective <= upper * (1.0 + 1e-7), "{says}");
            assert!(answer.lower_bound <= upper * (1.0 + 1e-9), "{says}");
            let error = (answer.matrix() - &truth).norm_l2() / truth.norm_l2();
            let planted = number("relerr_to_truth") < 1e-6;
            assert!(!planted || error < 1e-6, "{says}, off the planted matrix by {error:e}");
        }
    }
}
