//! What the command writes and reports, and how it ends.

use crate::sandbox::{Sandbox, distance};
use flatmin_cli::read::Array;
use std::io::Read;
use std::process::Stdio;

/// A 3 x 3 matrix of rank one with two holes, and files for it.
fn small() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("list.csv", "0,0,1\n0,1,2\n1,0,2\n1,1,4\n2,1,6\n2,2,9\n1,2,6\n");
    sandbox
}

/// A sensing problem whose solution is no planted matrix, so that it takes many iterations.
fn hard(sandbox: &Sandbox, d: usize, m: usize) {
    // Numbers without pattern: the fractional parts of multiples of the golden ratio, squared.
    let noise = |n: usize| ((n as f64 * 0.618_033_988_749_895).fract() * (n % 97) as f64).fract();
    let a: Vec<f64> = (0..m * d * d).map(|n| noise(n + 1) - 0.5).collect();
    let b: Vec<f64> = (0..m).map(|n| noise(7 * n + 3) - 0.5).collect();
    sandbox.npy("A.npy", &[m, d, d], &a);
    sandbox.npy("b.npy", &[m], &b);
}

fn product(l: &Array, r: &Array) -> Vec<f64> {
    let ([d1, k], [d2, _]) = (l.shape[..].try_into().unwrap(), r.shape[..].try_into().unwrap());
    let entry = |i, j| (0..k).map(|c| l.values[i * k + c] * r.values[j * k + c]).sum();
    let (d1, d2): (usize, usize) = (d1, d2);
    (0..d1 * d2).map(|n| entry(n / d2, n % d2)).collect()
}

#[test]
fn everything_is_written_and_agrees() {
    let sandbox = small();
    let line =
        "recover completion --entries list.csv --out X.npy --factors L.npy R.csv --dual y.npy";
    let answer = sandbox.json(line);
    let fields = [
        "model",
        "objective_kind",
        "status",
        "objective",
        "lower_bound",
        "relative_gap",
        "feasibility",
        "rank",
        "unique",
        "scaled_trace",
        "iterations",
        "seconds",
        "d1",
        "d2",
        "m",
        "unidentified_rows",
        "unidentified_cols",
        "warnings",
    ];
    let found: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(found.len(), fields.len());
    for field in fields {
        assert!(answer.get(field).is_some_and(|v| !v.is_null()), "{field}");
    }
    assert_eq!(
        (&answer["model"], &answer["objective_kind"]),
        (&"completion".into(), &"flat".into())
    );
    assert_eq!((&answer["d1"], &answer["m"]), (&3.into(), &7.into()));

    let (l, r, x) = (sandbox.array("L.npy"), sandbox.array("R.csv"), sandbox.array("X.npy"));
    let rank = answer["rank"].as_u64().unwrap() as usize;
    assert_eq!((&l.shape[..], &r.shape[..]), (&[3, rank][..], &[3, rank][..]));
    assert!(distance(&product(&l, &r), &x.values) < 1e-12);
    let y = sandbox.array("y.npy");
    assert_eq!(y.shape, [7]);
    let b = [1.0, 2.0, 2.0, 4.0, 6.0, 9.0, 6.0];
    let bound: f64 = b.iter().zip(&y.values).map(|(b, y)| b * y).sum();
    assert!((bound / answer["lower_bound"].as_f64().unwrap() - 1.0).abs() < 1e-12);

    // The scaled trace of a flat pair is four times the objective.
    let sharp = sandbox.json("sharpness completion --entries list.csv --factors L.npy R.csv");
    let number = |v: &serde_json::Value| v.as_f64().unwrap();
    let trace = number(&sharp["scaled_trace"]);
    assert!((trace / number(&answer["scaled_trace"]) - 1.0).abs() < 1e-12);
    assert!((trace / (4.0 * number(&answer["objective"])) - 1.0).abs() < 1e-6);
    let (left, right) = (number(&sharp["trace_left"]), number(&sharp["trace_right"]));
    assert!((number(&sharp["trace"]) / (left + right) - 1.0).abs() < 1e-12);
    assert!((trace / (left / 3.0 + right / 3.0) - 1.0).abs() < 1e-12);
    assert!(number(&sharp["loss"]) < 1e-12);
    assert_eq!(sharp.as_object().unwrap().len(), 7);
}

/// Against the definition: `trace_L = (2/m) sum_i |A_i R|^2`, and so on.
#[test]
fn sharpness_of_any_factors() {
    let sandbox = Sandbox::new();
    // A_1 = [[1, 2, 0]], A_2 = [[0, 1, -1]], b = (1, 0), at L = [3], R = (1, 1, 2).
    sandbox.npy("A.npy", &[2, 1, 3], &[1.0, 2.0, 0.0, 0.0, 1.0, -1.0]);
    sandbox.npy("b.npy", &[2], &[1.0, 0.0]);
    sandbox.file("L.csv", "3\n");
    sandbox.npy("R.npy", &[3, 1], &[1.0, 1.0, 2.0]);
    let line = "sharpness sensing --measurements A.npy --targets b.npy --factors L.csv R.npy";
    let sharp = sandbox.json(line);
    // A(L R^T) = 3 (3, -1), so the loss is ((9 - 1)^2 + (-3)^2) / 2.
    // trace_L = (2/2) (3^2 + (-1)^2) and trace_R = (2/2) 3^2 (5 + 2); d1 = 1 and d2 = 3.
    let expected = [
        ("loss", 36.5),
        ("trace_left", 10.0),
        ("trace_right", 63.0),
        ("trace", 73.0),
        ("scaled_trace", 31.0),
    ];
    for (field, value) in expected {
        assert!((sharp[field].as_f64().unwrap() / value - 1.0).abs() < 1e-14, "{field}: {sharp}");
    }
    let text = String::from_utf8(sandbox.run(line).stdout).unwrap();
    assert!(text.contains("loss                36.5"), "{text}");
}

#[test]
fn a_reader_gets_lines_and_a_pipe_gets_no_progress() {
    let sandbox = small();
    let output =
        sandbox.run("recover completion --entries list.csv --out X.csv --objective nuclear");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["completion: nuclear solution, 3 x 3", "certified", "lower bound", "wrote X.csv"] {
        assert!(text.contains(word), "{word} is missing from {text}");
    }
}

#[test]
fn the_iteration_limit_ends_with_code_3_and_an_answer() {
    let sandbox = Sandbox::new();
    hard(&sandbox, 10, 40);
    let line = "recover sensing --measurements A.npy --targets b.npy --max-iters 1 --out X.npy \
                --factors L.npy R.npy --dual y.npy";
    let answer = sandbox.json_and_code(line, 3);
    assert_eq!(answer["status"], "iteration limit");
    assert_eq!(sandbox.array("X.npy").shape, [10, 10]);
    assert_eq!(sandbox.array("y.npy").shape, [40]);
    assert_eq!(sandbox.array("L.npy").shape.len() + sandbox.array("R.npy").shape.len(), 4);
}

/// The settings reach the solver: a coarse tolerance takes no more iterations than a fine one.
#[test]
fn the_tolerance_is_kept() {
    let sandbox = Sandbox::new();
    hard(&sandbox, 10, 40);
    let line = "recover sensing --measurements A.npy --targets b.npy --rank 2 --threads 2 --seed 7";
    let coarse = sandbox.json(&format!("{line} --tol 1e-2"));
    let fine = sandbox.json(line);
    let gap = |answer: &serde_json::Value| answer["relative_gap"].as_f64().unwrap();
    assert!(gap(&coarse) <= 1e-2 && gap(&fine) <= 1e-8);
    assert!(coarse["iterations"].as_u64() < fine["iterations"].as_u64());
}

#[test]
fn zero_targets_have_the_zero_answer() {
    let sandbox = Sandbox::new();
    sandbox.file("list.csv", "0,0,0\n1,1,0\n");
    let answer =
        sandbox.json("recover completion --entries list.csv --out X.npy --factors L.npy R.npy");
    assert_eq!((&answer["objective"], &answer["rank"]), (&0.0.into(), &0.into()));
    assert_eq!(sandbox.array("X.npy").values, [0.0; 4]);
    assert_eq!(sandbox.array("L.npy").shape, [2, 0]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = small();
    for line in ["recover completion --entries list.csv --json", "recover --help", "--version"] {
        let mut child =
            sandbox.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let status = child.wait().unwrap();
        let mut complaint = String::new();
        child.stderr.unwrap().read_to_string(&mut complaint).unwrap();
        assert_eq!((status.code(), &complaint[..]), (Some(0), ""), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_the_other_files_are_written() {
    let sandbox = small();
    std::os::unix::fs::symlink("/dev/full", sandbox.path("X.npy")).unwrap();
    let output = sandbox.run("recover completion --entries list.csv --out X.npy --dual y.npy");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint.starts_with("error: cannot write X.npy: "), "{complaint}");
    assert_eq!(sandbox.array("y.npy").shape, [7]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("wrote y.npy") && !text.contains("wrote X.npy"), "{text}");
}

/// Whether a process has a handler for SIGINT, as Linux tells.
#[cfg(target_os = "linux")]
pub(crate) fn catches_interrupts(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_stops_the_solve_and_keeps_its_answer() {
    use std::process::Command;
    let sandbox = Sandbox::new();
    // Seconds of work, so that the interrupt comes long before the end.
    hard(&sandbox, 60, 1000);
    let line = "recover sensing --measurements A.npy --targets b.npy --out X.npy --json";
    let mut child = sandbox.command(line).stdout(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && !catches_interrupts(child.id()) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["status"], "interrupted");
    assert_eq!(sandbox.array("X.npy").shape, [60, 60]);
}

/// Two rows a million apart: what is not seen takes no memory, and is named.
#[test]
fn entries_far_apart() {
    let sandbox = Sandbox::new();
    sandbox.file("far.csv", "0,0,1\n1000000,0,2\n0,1,3\n");
    for objective in ["flat", "nuclear"] {
        let line = format!("recover completion --entries far.csv --objective {objective}");
        let answer = sandbox.json(&line);
        assert_eq!(answer["status"], "certified");
        assert_eq!(answer["unidentified_rows"].as_array().unwrap().len(), 999_999);
    }
}

/// One iteration proves nothing, and nothing is claimed: the best answer so far is written.
#[test]
fn a_stopped_solve_claims_nothing() {
    let sandbox = Sandbox::new();
    let list: String =
        (0..60).map(|t| format!("{},{},{}\n", t % 10, t / 10 + t % 3, t * t % 7)).collect();
    sandbox.file("list.csv", list);
    let line = "recover completion --entries list.csv --max-iters 1 --out X.npy";
    let answer = sandbox.json_and_code(line, 3);
    assert_eq!(answer["status"], "iteration limit");
    assert!(answer["objective"].as_f64().unwrap() > 0.0);
    assert_eq!(answer["relative_gap"].as_f64().unwrap(), 1.0);
    assert!(answer["feasibility"].as_f64().unwrap() > 1e-9);
    assert_eq!(sandbox.array("X.npy").shape, [10, 8]);
}

/// With every entry seen the penalised form thresholds the singular values: 3 and 1 become 2 and 0. Its
/// bound follows from the dual vector.
#[test]
fn a_penalty_thresholds_singular_values() {
    let sandbox = Sandbox::new();
    sandbox.npy("Y.npy", &[2, 2], &[3.0, 0.0, 0.0, 1.0]);
    let line = "recover completion --matrix Y.npy --objective nuclear --penalty 1 --out X.npy \
                --dual y.npy";
    let answer = sandbox.json(line);
    assert_eq!((answer["status"].as_str(), answer["rank"].as_u64()), (Some("certified"), Some(1)));
    let x = sandbox.array("X.npy").values;
    assert!((x[0] - 2.0).abs() < 1e-3 && x[3].abs() < 1e-3, "{x:?}");
    // 1/2 (1 + 1) + 2.
    assert!((answer["objective"].as_f64().unwrap() - 3.0).abs() < 1e-7);
    let y = sandbox.array("y.npy").values;
    let bound = 3.0 * y[0] + y[3] - 0.5 * y.iter().map(|y| y * y).sum::<f64>();
    assert!((answer["lower_bound"].as_f64().unwrap() - bound).abs() < 1e-12);
}
