//! Bad input to the models that read vectors: exit code 2 and one line, or a right answer.

use crate::refusals::all_refused;
use crate::sandbox::{Elements::F8, Sandbox, distance, npy_bytes};
use crate::vectors::{Case, cases};
use std::fs;

/// Options of a case with another file for one of them.
fn with(case: &Case, option: &str, file: &str) -> String {
    let data = case.files(".npy");
    let good = format!("--{option} {option}.npy");
    assert!(data.contains(&good));
    format!("recover {} {}", case.model, data.replace(&good, &format!("--{option} {file}")))
}

#[test]
fn options_that_are_missing() {
    let sandbox = Sandbox::new();
    for case in cases() {
        case.write(&sandbox);
        let data = case.files(".npy");
        let options = case.arrays.iter().map(|(name, ..)| *name).chain(["targets"]);
        for option in options {
            let rest = data.replace(&format!("--{option} {option}.npy"), "");
            let word = format!("--{option}");
            for command in ["recover", "sharpness"] {
                let line = format!("{command} {} {rest}", case.model);
                all_refused(&sandbox, &[(&line, &[&word])]);
            }
        }
        all_refused(
            &sandbox,
            &[(&format!("recover {} {data} --data a.npz", case.model), &["--data"])],
        );
    }
}

#[test]
fn arrays_of_vectors() {
    for case in cases() {
        let sandbox = Sandbox::new();
        case.write(&sandbox);
        for (name, d, _) in &case.arrays {
            let m = case.targets.len();
            let whole = fs::read(sandbox.path(&format!("{name}.npy"))).unwrap();
            let mut values: Vec<f64> = vec![1.0; m * d];
            let mut spoil = |file: &str, value: f64| {
                values[d + 1] = value;
                sandbox.npy(file, &[m, *d], &values);
                values[d + 1] = 1.0;
            };
            spoil("nan.npy", f64::NAN);
            spoil("inf.npy", f64::NEG_INFINITY);
            spoil("huge.npy", 1e300);
            sandbox.npy("tiny.npy", &[m, *d], &vec![1e-300; m * d]);
            sandbox.npy("flat.npy", &[m], &vec![1.0; m]);
            sandbox.npy("stack.npy", &[m, 2, 2], &vec![1.0; 4 * m]);
            sandbox.npy("scalar.npy", &[], &[1.0]);
            sandbox.npy("none.npy", &[0, *d], &[]);
            sandbox.npy("thin.npy", &[m, 0], &[]);
            sandbox.npy("short.npy", &[m - 1, *d], &vec![1.0; (m - 1) * d]);
            sandbox.file("empty.npy", "");
            sandbox.file("text.npy", "1 2 3\n");
            sandbox.file("head.npy", &whole[..40]);
            sandbox.file("cut.npy", &whole[..whole.len() - 3]);
            sandbox.file("complex.npy", npy_bytes("<c16", false, "(1, 1)", &[0; 16]));
            sandbox.file("words.csv", "1,2\n3,x\n");
            sandbox.file("ragged.csv", "1,2\n3\n");
            fs::create_dir_all(sandbox.path("folder.npy")).unwrap();
            let file: [(&str, &[&str]); 19] = [
                ("nan.npy", &["entry (1, 1) is NaN", "remove"]),
                ("inf.npy", &["entry (1, 1) is -inf", "remove"]),
                ("huge.npy", &["number 1", "1e300", "rescale"]),
                ("tiny.npy", &["number 0", "1e-300", "rescale"]),
                ("flat.npy", &["(m, d)", "(9,)"]),
                ("stack.npy", &["(m, d)", "(9, 2, 2)"]),
                ("scalar.npy", &["(m, d)", "()"]),
                ("none.npy", &["(m, d)", "(0, "]),
                ("thin.npy", &["(m, d)", "(9, 0)"]),
                ("short.npy", &["must have", "8"]),
                ("empty.npy", &["is empty"]),
                ("text.npy", &["not a NumPy .npy file"]),
                ("head.npy", &["truncated"]),
                ("cut.npy", &["truncated"]),
                ("complex.npy", &["'<c16'", "astype"]),
                ("words.csv", &["line 2", "`3,x`"]),
                ("ragged.csv", &["line 2"]),
                ("no.npy", &["cannot read", "No such"]),
                ("folder.npy", &["is a directory"]),
            ];
            for (spoilt, words) in file {
                let words = [&[spoilt], words].concat();
                all_refused(&sandbox, &[(&with(&case, name, spoilt), &words)]);
            }
            for (spoilt, words) in [("a.npz", "--data"), ("a.txt", ".npy or .csv")] {
                all_refused(&sandbox, &[(&with(&case, name, spoilt), &[spoilt, words])]);
            }
        }
    }
}

#[test]
fn targets() {
    for case in cases() {
        let sandbox = Sandbox::new();
        case.write(&sandbox);
        let with_third = |file: &str, value: f64| {
            let mut targets = case.targets.clone();
            targets[2] = value;
            sandbox.npy(file, &[targets.len()], &targets);
        };
        with_third("nan.npy", f64::NAN);
        with_third("inf.npy", f64::INFINITY);
        with_third("negative.npy", -0.5);
        sandbox.npy("long.npy", &[10], &[1.0; 10]);
        sandbox.npy("none.npy", &[0], &[]);
        sandbox.npy("matrix.npy", &[3, 3], &[1.0; 9]);
        let file: [(&str, &[&str]); 5] = [
            ("nan.npy", &["targets", "NaN", "index 2"]),
            ("inf.npy", &["targets", "inf", "index 2"]),
            ("long.npy", &["targets", "length 9", "length 10"]),
            ("none.npy", &["targets", "length 9", "length 0"]),
            ("matrix.npy", &["(m,)", "(3, 3)"]),
        ];
        for (spoilt, words) in file {
            let words = [&[spoilt], words].concat();
            all_refused(&sandbox, &[(&with(&case, "targets", spoilt), &words)]);
        }
        if case.model == "covariance" {
            let line = with(&case, "targets", "negative.npy");
            all_refused(&sandbox, &[(&line, &["negative.npy", "at least 0", "-0.5 at index 2"])]);
        }
    }
}

#[test]
fn archives() {
    for case in cases() {
        let sandbox = Sandbox::new();
        let (name, d, _) = &case.arrays[0];
        let m = case.targets.len();
        sandbox.npz("no_targets.npz", true, &[(name, &[m, *d], F8(&vec![1.0; m * d]))]);
        sandbox.npz("only_targets.npz", true, &[("targets", &[m], F8(&case.targets))]);
        let mut fields: Vec<(&str, &[usize], _)> = vec![("targets", &[9], F8(&case.targets))];
        let ones: Vec<f64> = vec![1.0; m * 3];
        for (name, ..) in &case.arrays {
            fields.push((name, &[27], F8(&ones)));
        }
        sandbox.npz("flat.npz", false, &fields);
        let whole = fs::read(sandbox.path("flat.npz")).unwrap();
        sandbox.file("cut.npz", &whole[..whole.len() / 2]);
        sandbox.file("empty.npz", "");
        let first = format!("field `{name}`");
        let missing = format!("no {first}");
        let last = case.arrays.len() == 1;
        let absent = if last { "no field `targets`" } else { "no field `right`" };
        let file: [(&str, &[&str]); 6] = [
            ("no_targets.npz", &[absent, name]),
            ("only_targets.npz", &[&missing, "targets"]),
            ("flat.npz", &[&first, "(m, d)", "(27,)"]),
            ("cut.npz", &["not a whole .npz archive"]),
            ("empty.npz", &["is empty"]),
            ("no.npz", &["cannot read", "No such"]),
        ];
        for (spoilt, words) in file {
            let words = [&[spoilt], words].concat();
            let line = format!("recover {} --data {spoilt}", case.model);
            all_refused(&sandbox, &[(&line, &words)]);
        }
    }
}

/// Vectors and targets far from one are worked with or refused, and never give a wrong answer.
#[test]
fn scales() {
    for case in cases() {
        let truth = {
            let sandbox = Sandbox::new();
            case.write(&sandbox);
            sandbox.json(&format!("recover {} {} --out X.npy", case.model, case.files(".npy")));
            sandbox.array("X.npy").values
        };
        for (vectors, targets) in [
            (1.0, 1e-300),
            (1.0, 1e300),
            (1.0, 1e-100),
            (1.0, 1e100),
            (1e-60, 1.0),
            (1e60, 1.0),
            (1e-60, 1e-120),
            (1e60, 1e120),
            (1e-300, 1.0),
            (1e300, 1.0),
        ] {
            let sandbox = Sandbox::new();
            for (name, d, values) in &case.arrays {
                let values: Vec<f64> = values.iter().map(|&v| vectors * v as f64).collect();
                sandbox.npy(&format!("{name}.npy"), &[values.len() / d, *d], &values);
            }
            let scaled: Vec<f64> = case.targets.iter().map(|y| targets * y).collect();
            sandbox.npy("targets.npy", &[scaled.len()], &scaled);
            let line = format!("recover {} {} --out X.npy", case.model, case.files(".npy"));
            let output = sandbox.run(&line);
            let said = String::from_utf8(output.stderr).unwrap();
            let at = format!("{} at {vectors:e}, {targets:e}: {said}", case.model);
            if output.status.code() == Some(2) {
                assert!(said.starts_with("error: ") && said.matches('\n').count() == 1, "{at}");
                assert!(said.contains("rescale"), "{at}");
                continue;
            }
            assert_eq!(output.status.code(), Some(0), "{at}");
            let factor = targets / vectors / vectors;
            let expected: Vec<f64> = truth.iter().map(|x| x * factor).collect();
            assert!(distance(&sandbox.array("X.npy").values, &expected) < 1e-7, "{at}");
        }
    }
}
