//! Bad input: exit code 2 and one line that says what, where, and what to do.

use crate::sandbox::Sandbox;
use image::{GrayImage, Luma};
use std::fs;

/// A folder with a good problem of every kind, to be spoilt.
pub(crate) fn good() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.npy("A.npy", &[3, 2, 2], &[1.0; 12]);
    sandbox.npy("b.npy", &[3], &[1.0; 3]);
    sandbox.file("list.csv", "0,0,1\n0,1,2\n1,0,2\n");
    sandbox.npy("X.npy", &[2, 2], &[1.0, 2.0, 2.0, f64::NAN]);
    GrayImage::from_pixel(3, 2, Luma([9])).save(sandbox.path("grey.png")).unwrap();
    sandbox
}

pub(crate) fn all_refused(sandbox: &Sandbox, cases: &[(&str, &[&str])]) {
    for (line, words) in cases {
        let said = sandbox.refusal(line);
        for word in *words {
            assert!(said.contains(word), "{line}: {word:?} is missing from {said}");
        }
        assert!(said.len() < 400, "{line}: {said}");
    }
}

#[test]
fn command_lines() {
    let sandbox = good();
    all_refused(
        &sandbox,
        &[
            ("recover sensing", &["--measurements", "--targets"]),
            ("recover sensing --measurements A.npy", &["--targets"]),
            ("recover completion", &["--entries", "--matrix", "--data"]),
            (
                "recover completion --entries list.csv --noise -1",
                &["--noise", "zero or a positive"],
            ),
            (
                "recover completion --entries list.csv --noise nan",
                &["--noise", "zero or a positive"],
            ),
            (
                "recover completion --entries list.csv --noise 1 --penalty 1",
                &["--noise", "--penalty"],
            ),
            ("recover completion --entries list.csv --penalty 0", &["--penalty", "positive"]),
            ("recover completion --entries list.csv --penalty nan", &["--penalty", "positive"]),
            ("recover completion --entries list.csv --tol 0", &["--tol", "between 0 and 1"]),
            ("recover completion --entries list.csv --rank 0", &["--rank"]),
            ("recover completion --entries list.csv --rank 1.5", &["--rank"]),
            ("recover completion --entries list.csv --max-iters -1", &["-1"]),
            ("recover completion --entries list.csv --threads 0", &["--threads"]),
            ("recover completion --entries list.csv --objective l1", &["--objective", "nuclear"]),
            ("recover completion --entries list.csv --shape 2", &["100,80"]),
            ("recover completion --entries list.csv --factors L.npy", &["--factors"]),
            ("recover completion --entries list.csv --matrix X.npy", &["--matrix"]),
            ("recover completion --entries list.csv --mask X.npy", &["--mask", "--entries"]),
            ("recover hadamarf --matrix X.npy", &["hadamarf"]),
            ("sharpness completion --entries list.csv", &["--factors"]),
        ],
    );
}

#[test]
fn outputs_before_anything_is_read() {
    let sandbox = good();
    fs::create_dir(sandbox.path("folder.npy")).unwrap();
    let lines: [(&str, &[&str]); 8] = [
        ("--out X.txt", &["X.txt", ".npy, .csv or .png"]),
        ("--out X", &["X: the extension", ".npy"]),
        ("--dual y.png", &["y.png", ".npy or .csv"]),
        ("--factors L.npy R.png", &["R.png", ".npy or .csv"]),
        ("--out none/X.npy", &["cannot write none/X.npy", "No such file"]),
        ("--out folder.npy", &["folder.npy is a directory"]),
        ("--factors F.npy F.npy", &["F.npy is named for two outputs"]),
        ("--out y.npy --dual y.npy", &["y.npy is named for two outputs"]),
    ];
    for (outputs, words) in lines {
        // The input is missing, and the output is complained about all the same.
        all_refused(
            &sandbox,
            &[(&format!("recover completion --entries none.csv {outputs}"), words)],
        );
    }
    sandbox.refusal("recover completion --entries none.csv --out new.npy");
    assert!(!sandbox.path("new.npy").exists());
}

#[test]
fn files_that_are_not_there_or_not_files() {
    let sandbox = good();
    sandbox.file("empty.npy", "");
    sandbox.file("empty.csv", "");
    sandbox.file("empty.npz", "");
    sandbox.file("empty.mtx", "");
    sandbox.file("empty.png", "");
    fs::create_dir(sandbox.path("folder.npy")).unwrap();
    fs::create_dir(sandbox.path("folder.csv")).unwrap();
    all_refused(
        &sandbox,
        &[
            ("recover sensing --measurements no.npy --targets b.npy", &["read no.npy", "No such"]),
            ("recover sensing --measurements A.npy --targets no.npy", &["read no.npy", "No such"]),
            ("recover sensing --data no.npz", &["read no.npz", "No such"]),
            ("recover completion --entries no.csv", &["read no.csv", "No such"]),
            ("recover completion --matrix no.png --mask grey.png", &["read no.png", "No such"]),
            ("recover completion --matrix grey.png --mask no.png", &["read no.png", "No such"]),
            ("recover completion --matrix folder.npy", &["folder.npy is a directory"]),
            ("recover completion --entries folder.csv", &["folder.csv is a directory"]),
            ("recover completion --matrix empty.npy", &["empty.npy is empty"]),
            ("recover completion --matrix empty.csv", &["empty.csv is empty"]),
            ("recover completion --entries empty.mtx", &["empty.mtx is empty"]),
            ("recover completion --data empty.npz", &["empty.npz is empty"]),
            ("recover completion --matrix empty.png --mask grey.png", &["empty.png is empty"]),
            ("recover completion --entries list.txt", &["list.txt", ".csv, .mtx or .npz"]),
            ("recover completion --matrix X.mat", &["X.mat", ".npy or .csv"]),
            ("recover sensing --measurements A.npz --targets b.npy", &["A.npz", "--data"]),
            (
                "sharpness completion --entries list.csv --factors L.npy R.npy",
                &["read L.npy", "No such"],
            ),
        ],
    );
}

#[test]
fn shapes_and_values() {
    let sandbox = good();
    sandbox.npy("A2.npy", &[3, 4], &[1.0; 12]);
    sandbox.npy("A0.npy", &[0, 2, 2], &[]);
    sandbox.npy("A_flat.npy", &[3, 0, 2], &[]);
    sandbox.npy("b4.npy", &[4], &[1.0; 4]);
    sandbox.npy("b22.npy", &[2, 2], &[1.0; 4]);
    sandbox.npy("b_nan.npy", &[3], &[1.0, f64::NAN, 1.0]);
    let mut nan = [1.0; 12];
    nan[5] = f64::INFINITY;
    sandbox.npy("A_inf.npy", &[3, 2, 2], &nan);
    sandbox.npy("A_huge.npy", &[3, 2, 2], &[1e300; 12]);
    sandbox.npy("A_tiny.npy", &[3, 2, 2], &[1e-300; 12]);
    sandbox.npy("scalar.npy", &[], &[1.0]);
    sandbox.npy("vector.npy", &[4], &[1.0; 4]);
    sandbox.npy("none.npy", &[2, 2], &[f64::NAN; 4]);
    sandbox.npy("inf.npy", &[2, 2], &[1.0, 2.0, f64::INFINITY, 3.0]);
    sandbox.npy("L.npy", &[2, 1], &[1.0; 2]);
    sandbox.npy("L3.npy", &[3, 1], &[1.0; 3]);
    sandbox.npy("L_nan.npy", &[2, 1], &[1.0, f64::NAN]);
    let sensing: [(&str, &str, &[&str]); 10] = [
        ("A2.npy", "b.npy", &["A2.npy", "(m, d1, d2)", "(3, 4)"]),
        ("A0.npy", "b.npy", &["A0.npy", "(0, 2, 2)", "at least 1"]),
        ("A_flat.npy", "b.npy", &["A_flat.npy", "(3, 0, 2)", "at least 1"]),
        ("scalar.npy", "b.npy", &["scalar.npy", "(m, d1, d2)", "()"]),
        ("A.npy", "b4.npy", &["b4.npy", "targets", "length 3", "length 4"]),
        ("A.npy", "b22.npy", &["b22.npy", "(m,)", "(2, 2)"]),
        ("A.npy", "scalar.npy", &["scalar.npy", "(m,)", "()"]),
        ("A.npy", "b_nan.npy", &["b_nan.npy", "NaN", "index 1"]),
        ("A_inf.npy", "b.npy", &["A_inf.npy", "inf", "index 5"]),
        ("A_huge.npy", "b.npy", &["A_huge.npy", "1e300", "rescale"]),
    ];
    for (a, b, words) in sensing {
        let line = format!("recover sensing --measurements {a} --targets {b}");
        all_refused(&sandbox, &[(&line, words)]);
    }
    all_refused(
        &sandbox,
        &[
            ("recover sensing --measurements A_tiny.npy --targets b.npy", &["1e-300", "rescale"]),
            ("recover completion --matrix vector.npy", &["vector.npy", "(d1, d2)", "(4,)"]),
            ("recover completion --matrix scalar.npy", &["scalar.npy", "(d1, d2)", "()"]),
            ("recover completion --matrix none.npy", &["none.npy", "no entry is seen"]),
            ("recover completion --matrix inf.npy", &["inf.npy", "(1, 0)", "inf"]),
            ("recover completion --matrix X.npy --mask L.npy", &["L.npy", "2 x 1", "2 x 2"]),
            ("recover completion --matrix X.npy --mask X.npy", &["X.npy", "(1, 1)", "nonzero"]),
            (
                "sharpness completion --entries list.csv --factors L.npy L3.npy",
                &["L.npy and L3.npy", "2 x k and 2 x k", "3 x 1"],
            ),
            (
                "sharpness completion --entries list.csv --factors vector.npy L.npy",
                &["vector.npy", "(4,)"],
            ),
            (
                "sharpness completion --entries list.csv --factors L.npy L_nan.npy",
                &["L_nan.npy", "(1, 0)", "NaN", "finite"],
            ),
        ],
    );
    sandbox.npy("seen.npy", &[2, 2], &[1.0; 4]);
    let line = "recover completion --matrix X.npy --mask seen.npy";
    all_refused(&sandbox, &[(line, &["X.npy", "(1, 1) is NaN", "mask says"])]);
    sandbox.file("bad.csv", "1,2\n3\n");
    all_refused(&sandbox, &[("recover completion --matrix bad.csv", &["bad.csv", "line 2"])]);
    sandbox.file("bad.csv", "1,2\n3,x\n");
    all_refused(&sandbox, &[("recover completion --matrix bad.csv", &["line 2", "`3,x`"])]);
}
