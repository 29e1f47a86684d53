//! Reference instances whose optimal values were bracketed elsewhere, by another solver: every
//! sensing and completion instance of `fixtures/`, recovering or not, under both objectives.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin::core::LinearMap;
use flatmin::core::audit::Audit;
use flatmin::prelude::*;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Instances of one model, by name, with their files.
fn instances(model: &str) -> Vec<(String, PathBuf)> {
    let mut found: Vec<_> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "npz"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| name.starts_with(model))
        .collect();
    found.sort();
    assert!(found.len() >= 2, "the fixtures of {model} are missing");
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
fn compare(
    name: &str,
    map: &dyn LinearMap,
    targets: &[f64],
    truth: &Mat<f64>,
    programs: [Program<'_>; 2],
) {
    let optima = std::fs::read_to_string(fixtures().join("optima.json")).unwrap();
    let optima: serde_json::Value = serde_json::from_str(&optima).unwrap();
    for (program, key) in programs.into_iter().zip(["FLAT", "NUC"]) {
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
        let audit = Audit::new(map, targets, &answer).unwrap();
        assert!(audit.dual_norm <= 1.0 + 1e-10 && audit.feasibility <= 1e-8, "{says}: {audit:?}");
        assert!((audit.objective - answer.objective).abs() <= 1e-9 * upper, "{says}: {audit:?}");
        assert!((audit.lower_bound - answer.lower_bound).abs() <= 1e-9 * upper, "{says}");
        let error = (answer.matrix() - truth).norm_l2() / truth.norm_l2();
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
    for (name, path) in instances("sensing") {
        let (measurements, shape) = array::<f64>(&path, "measurements");
        let (targets, _) = array::<f64>(&path, "targets");
        let (rows, cols) = (shape[1] as usize, shape[2] as usize);
        let problem = Sensing::from_arrays(rows, cols, measurements, targets).unwrap();
        let programs = [problem.flat(), problem.nuclear()];
        compare(&name, problem.map(), problem.targets(), &matrix(&path, "truth"), programs);
    }
}

#[test]
fn completion_values_lie_in_their_brackets() {
    for (name, path) in instances("completion") {
        let indices = |name: &str| -> Vec<usize> {
            array::<i64>(&path, name).0.into_iter().map(|v| usize::try_from(v).unwrap()).collect()
        };
        let (shape, row, col) = (indices("shape"), indices("row"), indices("col"));
        let (values, _) = array::<f64>(&path, "val");
        let problem = Completion::new(shape[0], shape[1], &row, &col, values).unwrap();
        let programs = [problem.flat(), problem.nuclear()];
        compare(&name, problem.map(), problem.targets(), &matrix(&path, "truth"), programs);
    }
}
