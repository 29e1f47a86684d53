//! `--noise`: targets with noise of known size, for every model.

use super::sandbox::Sandbox;

/// Numbers in (-1/2, 1/2) that look random.
fn numbers(count: usize, key: usize) -> Vec<f64> {
    let fraction = |n: usize| ((n as f64 * 0.618_033_988_749_895).fract() * 97.0).fract() - 0.5;
    (0..count).map(|n| fraction(31 * n + key)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Each model, with both objectives: certified, within the bound, which the reader can check from the
/// files alone; and the same answer by the penalty that the report names.
#[test]
fn every_model_takes_a_bound() {
    let sandbox = Sandbox::new();
    let (m, d) = (14, 4);
    let truth: Vec<f64> = (0..d * d).map(|n| ((n / d + 1) * (n % d + 1)) as f64 / 8.0).collect();
    let error = |i: usize| 0.02 * numbers(m, 7)[i];
    let (left, right) = (numbers(m * d, 3), numbers(m * d, 1000));
    let outer = |a: &[f64], b: &[f64], i: usize| -> Vec<f64> {
        (0..d * d).map(|n| a[i * d + n / d] * b[i * d + n % d]).collect()
    };
    let full = numbers(m * d * d, 5);
    let matrices: [(&str, Vec<Vec<f64>>); 5] = [
        ("sensing --measurements A.npy", full.chunks(d * d).map(<[f64]>::to_vec).collect()),
        ("bilinear --left l.npy --right r.npy", (0..m).map(|i| outer(&left, &right, i)).collect()),
        ("covariance --probes l.npy", (0..m).map(|i| outer(&left, &left, i)).collect()),
        ("quadnet --inputs l.npy", (0..m).map(|i| outer(&left, &left, i)).collect()),
        (
            "completion --entries list.csv",
            (0..m).map(|i| (0..d * d).map(|n| f64::from(n == i)).collect()).collect(),
        ),
    ];
    sandbox.npy("A.npy", &[m, d, d], &full);
    sandbox.npy("l.npy", &[m, d], &left);
    sandbox.npy("r.npy", &[m, d], &right);
    for (model, a) in matrices {
        let b: Vec<f64> = (0..m).map(|i| dot(&a[i], &truth) + error(i)).collect();
        sandbox.npy("b.npy", &[m], &b);
        let list: String = (0..m).map(|i| format!("{},{},{}\n", i / d, i % d, b[i])).collect();
        sandbox.file("list.csv", list);
        let targets =
            if model.starts_with("completion") { "--shape 4,4" } else { "--targets b.npy" };
        for objective in ["flat", "nuclear"] {
            let delta = 0.05;
            let common = format!("recover {model} {targets} --objective {objective} --tol 1e-10");
            let line = format!("{common} --noise {delta} --out X.npy --dual y.npy");
            let answer = sandbox.json(&line);
            let number = |name: &str| answer[name].as_f64().unwrap();
            assert_eq!(answer["status"], "certified", "{line}");
            assert_eq!(number("noise"), delta);
            assert!(number("feasibility") < 1e-12 && number("relative_gap") < 1e-8, "{line}");
            let (x, y) = (sandbox.array("X.npy").values, sandbox.array("y.npy").values);
            let misfits: Vec<f64> = (0..m).map(|i| dot(&a[i], &x) - b[i]).collect();
            let (misfit, length) = (dot(&misfits, &misfits).sqrt(), dot(&y, &y).sqrt());
            assert!((misfit - delta).abs() < 1e-9, "{line}: {misfit}");
            let bound = dot(&b, &y) - delta * length;
            assert!((number("lower_bound") - bound).abs() < 1e-10 * bound, "{line}");
            assert!((number("penalty") - delta / length).abs() < 1e-10, "{line}");
            let again = sandbox.json(&format!("{common} --penalty {}", number("penalty")));
            assert!(again.get("noise").is_none());
            let value = 0.5 * delta * delta + number("penalty") * number("objective");
            let other = again["objective"].as_f64().unwrap();
            assert!((other - value).abs() < 1e-6 * value, "{line}: {other} and {value}");
        }
    }
}

/// A reader sees the bound and the penalty; the noise of all is zero's answer; less than none fits.
#[test]
fn the_report_names_the_bound() {
    let sandbox = Sandbox::new();
    sandbox.npy("Y.npy", &[2, 2], &[3.0, 0.0, 0.0, 1.0]);
    let line = "recover completion --matrix Y.npy --objective nuclear --noise";
    // |(1, 1)| off: 3 and 1 become 2 and 0, as by a penalty of 1.
    let output = sandbox.run(&format!("{line} 1.4142135623730951 --tol 1e-10"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("noise bound   1.4142135624 (as by a penalty of 1.0"), "{said}");
    let zero = sandbox.json(&format!("{line} 3.5"));
    assert_eq!(
        (zero["status"].as_str(), zero["objective"].as_f64()),
        (Some("certified"), Some(0.0))
    );
    assert!(zero.get("penalty").is_none());
    let exact = sandbox.json(&format!("{line} 0"));
    assert!((exact["objective"].as_f64().unwrap() - 4.0).abs() < 1e-7);
    sandbox.npy("A.npy", &[2, 1, 1], &[1.0, 1.0]);
    sandbox.npy("b.npy", &[2], &[1.0, 2.0]);
    let line = "recover sensing --measurements A.npy --targets b.npy --noise 0.5";
    assert_eq!(sandbox.json_and_code(line, 3)["status"], "inconsistent");
}
