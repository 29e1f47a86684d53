//! `hadamard`: sparse vectors as products of factors.

use crate::sandbox::{Elements, Sandbox, distance};
use serde_json::Value;

const M: usize = 12;
const D: usize = 30;

/// A matrix that stands for a random one, and a vector with three nonzeros.
fn instance() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let a: Vec<f64> = (0..M * D).map(|n| (1.0 + 0.37 * (n * n) as f64).sin()).collect();
    let mut x = vec![0.0; D];
    (x[3], x[11], x[26]) = (1.5, -2.0, 0.5);
    let b = (0..M).map(|i| (0..D).map(|j| a[i * D + j] * x[j]).sum()).collect();
    (a, b, x)
}

fn sandbox() -> (Sandbox, Vec<f64>) {
    let sandbox = Sandbox::new();
    let (a, b, x) = instance();
    sandbox.npy("A.npy", &[M, D], &a);
    sandbox.npy("b.npy", &[M], &b);
    (sandbox, x)
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap()
}

#[test]
fn two_factors_find_the_vector_and_its_proof_is_written() {
    let (sandbox, x) = sandbox();
    let line =
        "recover hadamard --matrix A.npy --targets b.npy --out x.npy --dual y.npy --factors v.npy";
    let said = sandbox.json(line);
    assert_eq!((&said["model"], &said["status"]), (&"hadamard".into(), &"certified".into()));
    assert_eq!((&said["d1"], &said["d2"], &said["m"]), (&D.into(), &1.into(), &M.into()));
    assert_eq!((&said["rank"], &said["unique"]), (&3.into(), &true.into()));
    assert_eq!(said["unidentified_rows"], Value::Array(vec![]));
    assert_eq!(said["unidentified_cols"], Value::Array(vec![]));
    for field in ["objective_kind", "feasibility", "iterations", "seconds", "warnings"] {
        assert!(!said[field].is_null(), "{field}");
    }
    let found = sandbox.array("x.npy");
    assert_eq!(found.shape, [D]);
    assert!(distance(&found.values, &x) < 1e-12);

    // The bound, from the files.
    let ((a, b, _), y) = (instance(), sandbox.array("y.npy"));
    assert_eq!(y.shape, [M]);
    let column = |j: usize| (0..M).map(move |i| i * D + j);
    let weight = |j: usize| column(j).map(|n| a[n] * a[n]).sum::<f64>() / M as f64;
    let slope = |j: usize| column(j).zip(&y.values).map(|(n, y)| a[n] * y).sum::<f64>();
    assert!((0..D).all(|j| slope(j).abs() <= weight(j)));
    let bound: f64 = b.iter().zip(&y.values).map(|(b, y)| b * y).sum();
    let objective: f64 = (0..D).map(|j| weight(j) * x[j].abs()).sum();
    assert!((bound / number(&said, "lower_bound") - 1.0).abs() < 1e-12);
    assert!((objective / number(&said, "objective") - 1.0).abs() < 1e-12);
    assert!((objective - bound).abs() < 1e-8 * objective);
    // With two factors the trace is four times the objective.
    assert!((number(&said, "scaled_trace") / (4.0 * objective) - 1.0).abs() < 1e-12);

    let factors = sandbox.array("v.npy");
    assert_eq!(factors.shape, [2, D]);
    let product: Vec<f64> = (0..D).map(|j| factors.values[j] * factors.values[D + j]).collect();
    assert!(distance(&product, &x) < 1e-12);
}

#[test]
fn every_depth_is_measured_as_it_was_reported() {
    let (sandbox, _) = sandbox();
    for depth in [2, 3, 5] {
        let files: Vec<String> = (1..=depth).map(|i| format!("v{i}.npy")).collect();
        for files in ["v.csv".to_owned(), files.join(" ")] {
            let data = "--matrix A.npy --targets b.npy";
            let line = format!("recover hadamard {data} --depth {depth} --factors {files}");
            let solved = sandbox.json(&line);
            let measured = sandbox.json(&format!("sharpness hadamard {data} --factors {files}"));
            let trace = number(&measured, "trace");
            assert!((trace / number(&solved, "scaled_trace") - 1.0).abs() < 1e-12, "depth {depth}");
            assert_eq!(measured["scaled_trace"], measured["trace"]);
            let (first, rest) = (number(&measured, "trace_left"), number(&measured, "trace_right"));
            assert!((first + rest - trace).abs() < 1e-12 * trace);
            // All factors are of one magnitude.
            assert!((rest / first - (depth - 1) as f64).abs() < 1e-9);
            assert!(number(&measured, "loss") < 1e-25);
            let largest = number(&measured, "largest_eigenvalue");
            assert!(largest > 0.0 && largest < trace);
        }
    }
    let line = "sharpness hadamard --matrix A.npy --targets b.npy --factors v.csv --estimator xtrace --probes 60";
    let measured = sandbox.json(line);
    let off = number(&measured, "estimate") - number(&measured, "trace");
    assert!(off.abs() <= 5.0 * number(&measured, "std_err").max(1e-9), "{off}");
    let text = sandbox.run("sharpness hadamard --matrix A.npy --targets b.npy --factors v.csv");
    assert!(String::from_utf8_lossy(&text.stdout).contains("in the first factor"));
}

#[test]
fn the_limit_of_many_factors_has_no_trace() {
    let (sandbox, _) = sandbox();
    let data = "--matrix A.npy --targets b.npy";
    let limit = sandbox.json(&format!("recover hadamard {data} --depth inf"));
    assert!(limit["scaled_trace"].is_null() && limit["status"] == "certified");
    let deep = sandbox.json(&format!("recover hadamard {data} --depth 100000"));
    let ratio = number(&deep, "objective") / number(&limit, "objective");
    assert!((ratio - 1.0).abs() < 1e-3, "{ratio}");
    let said = sandbox.refusal(&format!("recover hadamard {data} --depth inf --factors v.npy"));
    assert!(said.contains("finite --depth"), "{said}");
}

#[test]
fn archives_hold_the_depth_too() {
    let (a, b, _) = instance();
    let sandbox = Sandbox::new();
    let write = |name: &str, depth: Option<(&[i64], &[usize])>| {
        let mut fields: Vec<(&str, &[usize], Elements<'_>)> =
            vec![("matrix", &[M, D], Elements::F8(&a)), ("targets", &[M], Elements::F8(&b))];
        if let Some((depth, shape)) = depth {
            fields.push(("depth", shape, Elements::I8(depth)));
        }
        sandbox.npz(name, true, &fields);
    };
    write("three.npz", Some((&[3], &[])));
    write("one.npz", Some((&[1], &[1])));
    write("list.npz", Some((&[2, 3], &[2])));
    write("plain.npz", None);
    let objective =
        |line: &str| number(&sandbox.json(&format!("recover hadamard {line}")), "objective");
    let (two, three) = (objective("--data plain.npz"), objective("--data plain.npz --depth 3"));
    assert!(two > three);
    assert_eq!(objective("--data three.npz"), three);
    // The option stands before the data.
    assert_eq!(objective("--data three.npz --depth 2"), two);
    let said = sandbox.refusal("recover hadamard --data one.npz");
    assert!(said.contains("field `depth`") && said.contains("equally flat"), "{said}");
    let said = sandbox.refusal("recover hadamard --data list.npz");
    assert!(said.contains("field `depth`") && said.contains("(2,)"), "{said}");
}

/// Objective, bound, misfit and both forms' agreement from the files, by the formulas of `--help`.
#[test]
fn targets_with_noise_have_a_bound_and_a_penalty() {
    let (sandbox, x) = sandbox();
    let (a, b, _) = instance();
    let b: Vec<f64> =
        b.iter().enumerate().map(|(i, b)| b + 0.05 * (3.0 * i as f64).cos()).collect();
    sandbox.npy("noisy.npy", &[M], &b);
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let column = |j: usize| (0..M).map(move |i| i * D + j);
    let weight = |j: usize| column(j).map(|n| a[n] * a[n]).sum::<f64>() / M as f64;
    let delta = 0.15;
    let line = "recover hadamard --matrix A.npy --targets noisy.npy --out x.npy --dual y.npy";
    let bounded = sandbox.json(&format!("{line} --noise {delta}"));
    let answers = || (sandbox.array("x.npy").values, sandbox.array("y.npy").values);
    let (first, y) = answers();
    assert_eq!((&bounded["status"], number(&bounded, "noise")), (&"certified".into(), delta));
    assert_eq!(number(&bounded, "feasibility"), 0.0);
    assert!(distance(&first, &x) < 0.2);
    let lambda = number(&bounded, "penalty");
    let penalised = sandbox.json(&format!("{line} --penalty {lambda:e}"));
    assert_eq!(number(&penalised, "penalty"), lambda);
    assert!(penalised.get("noise").is_none());
    let (second, z) = answers();
    assert!(distance(&first, &second) < 1e-8 && distance(&y, &z) < 1e-8);

    let slope = |y: &[f64], j: usize| column(j).zip(y).map(|(n, y)| a[n] * y).sum::<f64>();
    assert!((0..D).all(|j| slope(&y, j).abs() <= weight(j) && slope(&z, j).abs() <= weight(j)));
    let value = |x: &[f64]| (0..D).map(|j| weight(j) * x[j].abs()).sum::<f64>();
    let misfit = |x: &[f64]| {
        let row = |i: usize| (0..D).map(|j| a[i * D + j] * x[j]).sum::<f64>() - b[i];
        norm(&(0..M).map(row).collect::<Vec<_>>())
    };
    let along = |y: &[f64]| b.iter().zip(y).map(|(b, y)| b * y).sum::<f64>();
    for (said, objective, bound) in [
        (&bounded, value(&first), along(&y) - delta * norm(&y)),
        (
            &penalised,
            0.5 * misfit(&second).powi(2) + lambda * value(&second),
            lambda * along(&z) - 0.5 * (lambda * norm(&z)).powi(2),
        ),
    ] {
        assert!((objective / number(said, "objective") - 1.0).abs() < 1e-12);
        assert!((bound / number(said, "lower_bound") - 1.0).abs() < 1e-12);
        assert!((objective - bound).abs() < 1e-8 * objective);
    }
    assert!(misfit(&first) <= delta);

    let text = sandbox.run(&format!("{line} --depth 3 --noise {delta}"));
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("noise bound   0.15") && text.contains("as by a penalty of"), "{text}");
    // More measurements than unknowns, missed by more than the bound.
    sandbox.npy("tall.npy", &[3, 1], &[1.0, 1.0, 1.0]);
    sandbox.npy("c.npy", &[3], &[1.0, 2.0, 6.0]);
    let line = "recover hadamard --matrix tall.npy --targets c.npy --noise";
    let said = sandbox.json_and_code(&format!("{line} 3.7"), 3);
    assert_eq!(said["status"], "inconsistent");
    assert_eq!(sandbox.json(&format!("{line} 3.8"))["status"], "certified");
}

#[test]
fn an_early_end_is_said_and_the_best_answer_written() {
    let (sandbox, _) = sandbox();
    let data = "--matrix A.npy --targets b.npy";
    let line = format!("recover hadamard {data} --depth 3 --max-iters 1 --tol 1e-14 --out x.npy");
    let said = sandbox.json_and_code(&line, 3);
    assert_eq!(said["status"], "iteration limit");
    assert_eq!(sandbox.array("x.npy").shape, [D]);
    // More measurements than unknowns, and targets that none of them fits.
    sandbox.npy("tall.npy", &[3, 1], &[1.0, 1.0, 1.0]);
    sandbox.npy("c.npy", &[3], &[1.0, 2.0, 6.0]);
    let line = "recover hadamard --matrix tall.npy --targets c.npy --out x.npy";
    let said = sandbox.json_and_code(line, 3);
    assert_eq!(said["status"], "inconsistent");
    assert!((sandbox.array("x.npy").values[0] - 3.0).abs() < 1e-12);
}

#[test]
fn readers_are_told_in_their_words() {
    let sandbox = Sandbox::new();
    sandbox.npy("A.npy", &[1, 3], &[1.0, 0.0, 2.0]);
    sandbox.npy("b.npy", &[1], &[2.0]);
    let output =
        sandbox.run("recover hadamard --matrix A.npy --targets b.npy --threads 2 --seed 7");
    let text = String::from_utf8_lossy(&output.stdout);
    for words in ["depth 2", "nonzeros      1", "trace         8", "unidentified coordinates: 1"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let help = sandbox.run("recover hadamard --help");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--depth"));
    let help = sandbox.run("recover --help");
    assert!(String::from_utf8_lossy(&help.stdout).contains("hadamard"));
}

/// Nothing of the size of the factors is made unless they are asked for.
#[test]
fn absurdly_many_factors_are_near_the_limit() {
    let (sandbox, _) = sandbox();
    let many = sandbox
        .json("recover hadamard --matrix A.npy --targets b.npy --depth 1000000000 --out many.npy");
    sandbox.json("recover hadamard --matrix A.npy --targets b.npy --depth inf --out limit.npy");
    assert_eq!(many["status"], "certified");
    let (many, limit) = (sandbox.array("many.npy"), sandbox.array("limit.npy"));
    assert!(distance(&many.values, &limit.values) < 1e-6);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (sandbox, _) = sandbox();
    sandbox.npy("short.npy", &[M - 1], &[1.0; M - 1]);
    sandbox.npy("stack.npy", &[1, M, D], &[1.0; M * D]);
    let mut a = instance().0;
    a[D + 2] = f64::NAN;
    sandbox.npy("nan.npy", &[M, D], &a);
    sandbox.npy("v.npy", &[2, D - 1], &[1.0; 2 * (D - 1)]);
    sandbox.npy("w.npy", &[D - 1], &[1.0; D - 1]);
    sandbox.npy("u.npy", &[D], &[f64::INFINITY; D]);
    for (line, words) in [
        ("recover hadamard --matrix A.npy --targets short.npy", "length 12"),
        ("recover hadamard --matrix stack.npy --targets b.npy", "(m, d)"),
        ("recover hadamard --matrix nan.npy --targets b.npy", "entry (1, 2) is NaN"),
        (
            "recover hadamard --matrix A.npy --targets b.npy --depth 3 --factors p.npy q.npy",
            "3 files",
        ),
        ("recover hadamard --matrix A.npy --targets b.npy --out x.png", ".npy or .csv"),
        ("recover hadamard --matrix A.npy --targets b.npy --out x.npy --dual x.npy", "x.npy"),
        ("recover hadamard --matrix A.npy --targets b.npy --out A.npy", "A.npy"),
        ("recover hadamard --matrix A.npy --targets b.npy --depth 1", "equally flat"),
        (
            "recover hadamard --matrix A.npy --targets b.npy --depth 1000000000 --factors v.npy",
            "leave it out",
        ),
        ("recover hadamard --matrix A.npy --targets b.npy --noise -0.1", "zero or a positive"),
        ("recover hadamard --matrix A.npy --targets b.npy --penalty 0", "positive"),
        ("recover hadamard --matrix A.npy --targets b.npy --penalty 1 --noise 1", "--penalty"),
        ("recover hadamard --matrix A.npy --targets b.npy --rank 3", "no rank"),
        ("sharpness hadamard --matrix A.npy --targets b.npy --factors v.npy", "30 numbers each"),
        (
            "sharpness hadamard --matrix A.npy --targets b.npy --factors w.npy w.npy",
            "30 numbers each",
        ),
        (
            "sharpness hadamard --matrix A.npy --targets b.npy --factors u.npy u.npy",
            "must be finite",
        ),
    ] {
        let said = sandbox.refusal(line);
        assert!(said.contains(words), "{line} gives {said}");
    }
}
