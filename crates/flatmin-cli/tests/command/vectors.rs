//! The models that read vectors, bilinear, covariance and quadnet, in every form and at the edges.

use crate::sandbox::{Elements::F8, Elements::I8, Sandbox, distance, npy_bytes};

const MEASUREMENTS: usize = 9;

/// A problem with whole numbers that determine its matrix.
pub(crate) struct Case {
    pub(crate) model: &'static str,
    /// Options with the lengths and the elements of their vectors.
    pub(crate) arrays: Vec<(&'static str, usize, Vec<i64>)>,
    pub(crate) targets: Vec<f64>,
    truth: Vec<f64>,
}

impl Case {
    fn new(model: &'static str, options: &[(&'static str, usize)], truth: &[i64]) -> Case {
        let array = |(k, &(name, d)): (usize, &(&'static str, usize))| {
            // Whole numbers from -5 to 5 without pattern.
            let number = |n: usize| ((n * n * 7 + 3 * n + n / 5 + 4 * k) % 11) as i64 - 5;
            (name, d, (0..MEASUREMENTS * d).map(number).collect::<Vec<_>>())
        };
        let arrays: Vec<_> = options.iter().enumerate().map(array).collect();
        let ((_, d1, left), (_, d2, right)) = (&arrays[0], arrays.last().unwrap());
        let vectors = left.chunks(*d1).zip(right.chunks(*d2));
        let form = |(a, b): (&[i64], &[i64])| {
            (0..d1 * d2).map(|n| a[n / d2] * truth[n] * b[n % d2]).sum::<i64>() as f64
        };
        let targets = vectors.map(form).collect();
        Case { model, targets, truth: truth.iter().map(|&v| v as f64).collect(), arrays }
    }

    /// The options with a file each, named as the option with this ending.
    pub(crate) fn files(&self, ending: &str) -> String {
        let options = self.arrays.iter().map(|(name, ..)| format!("--{name} {name}{ending} "));
        options.collect::<String>() + "--targets targets.npy"
    }

    /// Writes the arrays and the targets as `.npy` files.
    pub(crate) fn write(&self, sandbox: &Sandbox) {
        for (name, d, values) in &self.arrays {
            let values: Vec<f64> = values.iter().map(|&v| v as f64).collect();
            sandbox.npy(&format!("{name}.npy"), &[MEASUREMENTS, *d], &values);
        }
        sandbox.npy("targets.npy", &[MEASUREMENTS], &self.targets);
    }
}

pub(crate) fn cases() -> [Case; 3] {
    [
        // [1 2]^T [3 -1 2], of rank one.
        Case::new("bilinear", &[("left", 2), ("right", 3)], &[3, -1, 2, 6, -2, 4]),
        // [1 -2 3]^T [1 -2 3].
        Case::new("covariance", &[("probes", 3)], &[1, -2, 3, -2, 4, -6, 3, -6, 9]),
        // Eigenvalues of both signs.
        Case::new("quadnet", &[("inputs", 3)], &[1, 2, 0, 2, -3, 1, 0, 1, 0]),
    ]
}

#[test]
fn every_form_poses_the_same_problem() {
    for case in cases() {
        let sandbox = Sandbox::new();
        case.write(&sandbox);
        let m = MEASUREMENTS;
        for (name, d, values) in &case.arrays {
            let shape = format!("({m}, {d})");
            let columns = || (0..m * d).map(|n| values[n % m * d + n / m]);
            let f4: Vec<u8> = values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
            sandbox.file(&format!("{name}_f4.npy"), npy_bytes("<f4", false, &shape, &f4));
            let i2: Vec<u8> = values.iter().flat_map(|&v| (v as i16).to_be_bytes()).collect();
            sandbox.file(&format!("{name}_i2.npy"), npy_bytes(">i2", false, &shape, &i2));
            let f8: Vec<u8> = columns().flat_map(|v| (v as f64).to_le_bytes()).collect();
            sandbox.file(&format!("{name}_fortran.npy"), npy_bytes("<f8", true, &shape, &f8));
            let f4: Vec<u8> = columns().flat_map(|v| (v as f32).to_be_bytes()).collect();
            sandbox.file(&format!("{name}_both.npy"), npy_bytes(">f4", true, &shape, &f4));
            let row = |row: &[i64]| row.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            let lines: Vec<String> = values.chunks(*d).map(row).collect();
            sandbox.file(&format!("{name}.csv"), lines.join("\n"));
        }
        let lengths: Vec<[usize; 2]> = case.arrays.iter().map(|(_, d, _)| [m, *d]).collect();
        let mut fields: Vec<(&str, &[usize], _)> =
            vec![("targets", &[MEASUREMENTS], F8(&case.targets))];
        for ((name, _, values), shape) in case.arrays.iter().zip(&lengths) {
            fields.push((name, &shape[..], I8(values)));
        }
        sandbox.npz("stored.npz", false, &fields);
        sandbox.npz("deflated.npz", true, &fields);

        let files = [".npy", "_f4.npy", "_i2.npy", "_fortran.npy", "_both.npy", ".csv"];
        let archives = ["--data stored.npz", "--data deflated.npz"].map(String::from);
        for data in files.iter().map(|ending| case.files(ending)).chain(archives) {
            for objective in ["flat", "nuclear"] {
                let line = format!("recover {} {data} --objective {objective}", case.model);
                let answer = sandbox.json(&format!("{line} --out X.npy"));
                assert_eq!(answer["status"], "certified", "{line}");
                assert_eq!((&answer["model"], &answer["m"]), (&case.model.into(), &m.into()));
                let x = sandbox.array("X.npy");
                assert_eq!(x.shape.iter().product::<usize>(), case.truth.len());
                let error = distance(&x.values, &case.truth);
                assert!(error < 1e-7, "{line}: {error:e}");
            }
        }
    }
}

/// Factors, dual and sharpness agree with what is reported.
#[test]
fn everything_that_is_written_agrees() {
    for case in cases() {
        let sandbox = Sandbox::new();
        case.write(&sandbox);
        let (model, data) = (case.model, case.files(".npy"));
        let line = format!("recover {model} {data} --factors L.npy R.csv --dual y.npy");
        let answer = sandbox.json(&format!("{line} --rank 2 --threads 2 --seed 7 --tol 1e-9"));
        let number = |v: &serde_json::Value| v.as_f64().unwrap();
        let y = sandbox.array("y.npy").values;
        let bound: f64 = case.targets.iter().zip(&y).map(|(b, y)| b * y).sum();
        assert!((bound / number(&answer["lower_bound"]) - 1.0).abs() < 1e-12, "{model}");
        let sharp = sandbox.json(&format!("sharpness {model} {data} --factors L.npy R.csv"));
        let ratio = number(&sharp["scaled_trace"]) / number(&answer["scaled_trace"]);
        assert!((ratio - 1.0).abs() < 1e-9, "{model}: {ratio}");
        assert!(number(&sharp["loss"]) < 1e-15 * bound * bound, "{model}: {sharp}");
        let traces = number(&sharp["trace_left"]) + number(&sharp["trace_right"]);
        assert!((number(&sharp["trace"]) / traces - 1.0).abs() < 1e-12, "{model}");
        let (l, r) = (sandbox.array("L.npy").values, sandbox.array("R.csv").values);
        match model {
            "covariance" => assert_eq!(l, r),
            "quadnet" => assert!(l.iter().zip(&r).all(|(l, r)| l.abs() == r.abs()) && l != r),
            _ => assert_ne!(l.len(), r.len()),
        }
    }
}

/// Every X >= 0 that fits is equally flat, so the report says whether there are others.
#[test]
fn covariance_reports_whether_another_matrix_may_fit() {
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", "1,0\n0,1\n1,1\n");
    sandbox.file("one.csv", "1\n1\n4\n");
    // Any [1, t; t, 1] with |t| <= 1 has these first two targets.
    sandbox.file("few.csv", "1,0\n0,1\n");
    sandbox.file("two.csv", "1\n1\n");
    sandbox.file("axis.csv", "1,0\n-1,0\n");
    sandbox.file("slope.csv", "1,1\n1,1\n");
    for (probes, targets, unique, words) in [
        ("x.csv", "one.csv", true, "proved: no other X >= 0 fits"),
        ("few.csv", "two.csv", false, "not proved: another X >= 0 may fit"),
        // The second row and column are seen by none.
        ("axis.csv", "two.csv", false, "not proved: another X >= 0 may fit"),
        ("slope.csv", "two.csv", false, "not proved: another X >= 0 may fit"),
    ] {
        let line = format!("recover covariance --probes {probes} --targets {targets}");
        let text = String::from_utf8(sandbox.run(&line).stdout).unwrap();
        assert!(text.contains(&format!("unique        {words}")), "{text}");
        assert_eq!(sandbox.json(&line)["unique"], unique);
    }
    let text = sandbox.run("recover quadnet --inputs x.csv --targets one.csv").stdout;
    assert!(String::from_utf8(text).unwrap().contains("unique        proved: every other"));
}

/// Measurements that contradict one another, or that only an indefinite matrix fits.
#[test]
fn what_no_matrix_fits_ends_with_code_3() {
    let sandbox = Sandbox::new();
    sandbox.file("same.csv", "1,2\n1,2\n");
    sandbox.file("differ.csv", "1\n2\n");
    sandbox.file("axes.csv", "1,0\n0,1\n1,1\n");
    sandbox.file("indefinite.csv", "0\n0\n1\n");
    for data in [
        "bilinear --left same.csv --right same.csv --targets differ.csv",
        "covariance --probes same.csv --targets differ.csv",
        "quadnet --inputs same.csv --targets differ.csv",
        "covariance --probes axes.csv --targets indefinite.csv",
    ] {
        let line = format!("recover {data} --out X.npy");
        let answer = sandbox.json_and_code(&line, 3);
        assert_ne!(answer["status"], "certified", "{data}");
        assert_eq!(sandbox.array("X.npy").shape, [2, 2]);
    }
    let line = "recover quadnet --inputs axes.csv --targets indefinite.csv --out X.npy";
    sandbox.json(line);
    assert!(distance(&sandbox.array("X.npy").values, &[0.0, 0.5, 0.5, 0.0]) < 1e-7);
}

#[test]
fn one_row_and_one_column() {
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", "1\n-2\n3\n");
    sandbox.file("y.csv", "2\n8\n18\n");
    for data in [
        "bilinear --left x.csv --right x.csv --targets y.csv",
        "covariance --probes x.csv --targets y.csv",
        "quadnet --inputs x.csv --targets y.csv",
    ] {
        let answer = sandbox.json(&format!("recover {data} --out X.npy"));
        assert_eq!((&answer["d1"], &answer["rank"]), (&1.into(), &1.into()), "{data}");
        assert!(distance(&sandbox.array("X.npy").values, &[2.0]) < 1e-9, "{data}");
    }
    sandbox.file("one.csv", "4\n");
    sandbox.file("row.csv", "1,1,1,1\n");
    let line = "recover bilinear --left one.csv --right row.csv --targets one.csv --out X.npy";
    sandbox.json(line);
    assert!(distance(&sandbox.array("X.npy").values, &[0.25; 4]) < 1e-9);
}

#[test]
fn zero_targets_have_the_zero_answer() {
    for case in cases() {
        let sandbox = Sandbox::new();
        case.write(&sandbox);
        sandbox.npy("targets.npy", &[MEASUREMENTS], &[0.0; MEASUREMENTS]);
        let line = format!("recover {} {} --out X.npy", case.model, case.files(".npy"));
        let answer = sandbox.json(&line);
        assert_eq!((&answer["objective"], &answer["rank"]), (&0.0.into(), &0.into()));
        assert!(sandbox.array("X.npy").values.iter().all(|&v| v == 0.0));
    }
}
