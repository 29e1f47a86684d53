//! Bad input to robust PCA: exit code 2 and one line that says what, where, and what to do.

use crate::refusals::all_refused;
use crate::sandbox::{Elements::F8, Elements::I8, Sandbox, npy_bytes};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma};
use std::fs;

fn good() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.npy("Y.npy", &[3, 2], &[1.0, 2.0, 2.0, 4.0, 3.0, 6.0]);
    sandbox.npy("stack.npy", &[2, 3, 2], &[1.0; 12]);
    GrayImage::from_pixel(2, 3, Luma([9])).save(sandbox.path("grey.png")).unwrap();
    sandbox
}

#[test]
fn command_lines() {
    let sandbox = good();
    all_refused(
        &sandbox,
        &[
            ("recover rpca", &["--matrix", "--data"]),
            ("recover rpca --matrix Y.npy --data Y.npz", &["--matrix", "--data"]),
            ("recover rpca --data Y.npz --mask Y.npy", &["--mask", "--data"]),
            ("recover rpca --matrix Y.npy --tau 1 --lambda 1", &["--tau", "--lambda"]),
            ("recover rpca --matrix Y.npy --tau -1", &["--tau", "zero or a positive number"]),
            ("recover rpca --matrix Y.npy --tau nan", &["--tau", "zero or a positive number"]),
            ("recover rpca --matrix Y.npy --tau inf", &["--tau", "zero or a positive number"]),
            ("recover rpca --matrix Y.npy --lambda 0", &["--lambda", "a positive number"]),
            ("recover rpca --matrix Y.npy --lambda -0.5", &["--lambda", "a positive number"]),
            ("recover rpca --matrix Y.npy --lambda inf", &["--lambda", "a positive number"]),
            ("recover rpca --matrix Y.npy --lambda x", &["--lambda", "a positive number"]),
            ("recover rpca --matrix Y.npy --penalty 1", &["--penalty", "--lambda"]),
            ("recover rpca --matrix Y.npy --noise 1", &["--noise", "--tau"]),
            ("recover rpca --matrix Y.npy --objective l1", &["--objective", "nuclear"]),
            ("recover rpca --matrix Y.npy --rank 0", &["--rank"]),
            ("recover rpca --matrix Y.npy --tol 2", &["--tol", "between 0 and 1"]),
            ("recover completion --matrix Y.npy --tau 1", &["--tau"]),
            ("recover completion --matrix Y.npy --lambda 1", &["--lambda"]),
            ("recover completion --matrix Y.npy --sparse S.npy", &["--sparse"]),
        ],
    );
}

#[test]
fn outputs() {
    let sandbox = good();
    fs::create_dir(sandbox.path("folder.npy")).unwrap();
    sandbox.file("taken", "a file");
    // These are complained about although the input is missing.
    let early: [(&str, &[&str]); 8] = [
        ("--out X.txt", &["X.txt", ".npy, .csv or .png"]),
        ("--sparse S.png", &["S.png", ".npy or .csv"]),
        ("--dual Q.png", &["Q.png", ".npy or .csv"]),
        ("--factors L.npy R.png", &["R.png", ".npy or .csv"]),
        ("--sparse none/S.npy", &["cannot write none/S.npy", "No such file"]),
        ("--sparse folder.npy", &["folder.npy is a directory"]),
        ("--out X.npy --sparse X.npy", &["X.npy is named for two outputs"]),
        ("--frames-out taken", &["taken is a file", "give a directory"]),
    ];
    for (outputs, words) in early {
        all_refused(&sandbox, &[(&format!("recover rpca --matrix none.npy {outputs}"), words)]);
    }
    all_refused(
        &sandbox,
        &[
            (
                "recover rpca --matrix Y.npy --frames-out new",
                &["Y.npy", "(3, 2)", "--frames-out", "(n, h, w)"],
            ),
            ("recover rpca --matrix grey.png --frames-out new", &["grey.png", "(n, h, w)"]),
            ("recover rpca --matrix stack.npy --out X.csv", &["X.csv", ".npy", "--frames-out"]),
            ("recover rpca --matrix stack.npy --out X.png", &["X.png", ".npy", "--frames-out"]),
            ("recover rpca --matrix stack.npy --sparse S.csv", &["S.csv", ".npy"]),
            ("recover rpca --matrix stack.npy --frames-out taken/new", &["cannot", "taken/new"]),
        ],
    );
    assert!(!sandbox.path("new").exists());
}

#[test]
fn shapes_and_values() {
    let sandbox = good();
    sandbox.npy("scalar.npy", &[], &[1.0]);
    sandbox.npy("vector.npy", &[4], &[1.0; 4]);
    sandbox.npy("four.npy", &[1, 2, 2, 1], &[1.0; 4]);
    sandbox.npy("none.npy", &[0, 2], &[]);
    sandbox.npy("flat.npy", &[2, 0, 3], &[]);
    sandbox.npy("unseen.npy", &[3, 2], &[f64::NAN; 6]);
    sandbox.npy("unseen_stack.npy", &[1, 3, 2], &[f64::NAN; 6]);
    let infinite = [1.0, 2.0, 3.0, f64::INFINITY, f64::NAN, 1.0];
    sandbox.npy("inf.npy", &[3, 2], &infinite);
    sandbox.npy("inf_stack.npy", &[3, 1, 2], &infinite);
    sandbox.npy("huge.npy", &[3, 2], &[1e200; 6]);
    sandbox.npy("tiny.npy", &[3, 2], &[1e-200; 6]);
    let matrix: [(&str, &[&str]); 12] = [
        ("scalar.npy", &["(d1, d2), or (n, h, w)", "()"]),
        ("vector.npy", &["(d1, d2), or (n, h, w)", "(4,)"]),
        ("four.npy", &["(d1, d2), or (n, h, w)", "(1, 2, 2, 1)"]),
        ("none.npy", &["(0, 2)", "at least 1"]),
        ("flat.npy", &["(2, 0, 3)", "at least 1"]),
        ("unseen.npy", &["no entry is seen"]),
        ("unseen_stack.npy", &["no entry is seen"]),
        ("inf.npy", &["entry (1, 1) is inf", "NaN"]),
        ("inf_stack.npy", &["pixel (0, 1) of frame 1 is inf", "NaN"]),
        ("huge.npy", &["1e200", "rescale"]),
        ("tiny.npy", &["1e-200", "rescale"]),
        ("no.npy", &["cannot read", "No such"]),
    ];
    for (name, words) in matrix {
        let words = [&[name], words].concat();
        all_refused(&sandbox, &[(&format!("recover rpca --matrix {name}"), &words)]);
    }
}

#[test]
fn masks() {
    let sandbox = good();
    sandbox.npy("m22.npy", &[2, 2], &[1.0; 4]);
    sandbox.npy("m32.npy", &[3, 2], &[1.0; 6]);
    sandbox.npy("m_zero.npy", &[3, 2], &[0.0; 6]);
    sandbox.npy("m_nan.npy", &[3, 2], &[1.0, 1.0, 1.0, 1.0, 1.0, f64::NAN]);
    sandbox.npy("m_vector.npy", &[6], &[1.0; 6]);
    sandbox.npy("m_stack.npy", &[1, 3, 2], &[1.0; 6]);
    sandbox.npy("holes.npy", &[3, 2], &[1.0, f64::NAN, 2.0, 3.0, 4.0, 5.0]);
    GrayImage::new(2, 3).save(sandbox.path("black.png")).unwrap();
    let cases: [(&str, &str, &[&str]); 11] = [
        ("Y.npy", "m22.npy", &["m22.npy", "2 x 2", "3 x 2"]),
        ("Y.npy", "m_stack.npy", &["m_stack.npy", "1 x 3 x 2"]),
        ("Y.npy", "m_vector.npy", &["m_vector.npy", "a list of 6"]),
        ("Y.npy", "m_nan.npy", &["m_nan.npy", "entry (2, 1) is NaN", "nonzero"]),
        ("Y.npy", "m_zero.npy", &["Y.npy", "no entry is seen"]),
        ("Y.npy", "no.npy", &["read no.npy", "No such"]),
        ("grey.png", "m22.npy", &["m22.npy", "2 x 2", "3 x 2"]),
        ("grey.png", "black.png", &["grey.png", "no entry is seen"]),
        ("stack.npy", "m22.npy", &["m22.npy", "2 x 3 x 2 or 3 x 2"]),
        ("stack.npy", "m_stack.npy", &["m_stack.npy", "2 x 3 x 2 or 3 x 2"]),
        ("holes.npy", "m32.npy", &["holes.npy", "entry (0, 1) is NaN", "mask says"]),
    ];
    for (matrix, mask, words) in cases {
        let line = format!("recover rpca --matrix {matrix} --mask {mask}");
        all_refused(&sandbox, &[(&line, words)]);
    }
}

#[test]
fn damaged_files() {
    let sandbox = good();
    let whole = fs::read(sandbox.path("stack.npy")).unwrap();
    sandbox.file("head.npy", &whole[..40]);
    sandbox.file("cut.npy", &whole[..whole.len() - 5]);
    sandbox.file("empty.npy", "");
    sandbox.file("text.npz", "not a zip file\n");
    sandbox.file("complex.npy", npy_bytes("<c16", false, "(1, 1)", &[0; 16]));
    sandbox.file("bad.csv", "1,2\n3,x\n");
    sandbox.file("ragged.csv", "1,2\n3\n");
    let png = fs::read(sandbox.path("grey.png")).unwrap();
    sandbox.file("cut.png", &png[..png.len() / 2]);
    let wide: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(2, 3, Luma([9]));
    DynamicImage::from(wide).save(sandbox.path("wide.png")).unwrap();
    let one: (&str, &[usize], _) = ("a", &[3, 2], F8(&[1.0; 6]));
    sandbox.npz("one.npz", true, &[one, ("mask", &[3, 2], I8(&[1; 6]))]);
    let archive = fs::read(sandbox.path("one.npz")).unwrap();
    sandbox.file("cut.npz", &archive[..archive.len() / 2]);
    let one: (&str, &[usize], _) = ("a", &[3, 2], F8(&[1.0; 6]));
    sandbox.npz("two.npz", true, &[one, ("b", &[1, 3, 2], F8(&[1.0; 6]))]);
    sandbox.npz("nothing.npz", true, &[]);
    sandbox.npz("vector.npz", true, &[("matrix", &[3], F8(&[1.0; 3]))]);
    let cases: [(&str, &[&str]); 15] = [
        ("head.npy", &["truncated"]),
        ("cut.npy", &["(2, 3, 2)", "96 bytes", "91 follow", "truncated"]),
        ("empty.npy", &["is empty"]),
        ("complex.npy", &["'<c16'", "astype"]),
        ("bad.csv", &["line 2", "`3,x`"]),
        ("ragged.csv", &["line 2"]),
        ("cut.png", &["not a whole PNG"]),
        ("wide.png", &["8-bit"]),
        ("text.npz", &["not a whole .npz archive"]),
        ("cut.npz", &["not a whole .npz archive"]),
        ("two.npz", &["no field `matrix`", "a, b"]),
        ("nothing.npz", &["no field `matrix`", "none"]),
        ("vector.npz", &["field `matrix`", "(d1, d2), or (n, h, w)", "(3,)"]),
        ("Y.mat", &["Y.mat", ".npy"]),
        ("no.npz", &["No such"]),
    ];
    for (name, words) in cases {
        let words = [&[name], words].concat();
        all_refused(&sandbox, &[(&format!("recover rpca --matrix {name}"), &words)]);
    }
    sandbox.json("recover rpca --data one.npz");
    all_refused(&sandbox, &[("recover rpca --data Y.npy", &["Y.npy", "not a whole .npz archive"])]);
}
