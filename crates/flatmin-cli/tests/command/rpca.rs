//! Robust PCA through the command: certified optima, forms of input, parts and proofs that are
//! written.

#[cfg(target_os = "linux")]
use crate::outputs::catches_interrupts;
use crate::reference::FIXTURES;
use crate::sandbox::{Elements::F8, Elements::I8, Sandbox, distance, npy_bytes};
use flatmin::core::Mat;
use flatmin::core::linalg::operator_norm;
use flatmin_cli::read::Array;
use flatmin_cli::read::npz::Archive;
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;
use std::path::Path;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A sum in absolute value.
fn absolute_sum(values: &[f64]) -> f64 {
    values.iter().map(|v| v.abs()).sum()
}

/// The bound of a certificate by its definition, NaN in `y` where nothing is seen.
fn bound(y: &Array, q: &Array, tau: Option<f64>) -> f64 {
    assert_eq!(y.shape, q.shape);
    let cols = q.shape[1];
    let matrix = Mat::from_fn(q.shape[0], cols, |i, j| q.values[i * cols + j]);
    let norm = operator_norm(matrix.as_ref()).unwrap();
    assert!(norm <= 1.0 + 1e-12, "|Q|_op = 1 + {:e}", norm - 1.0);
    let pairs = || y.values.iter().zip(&q.values);
    assert!(pairs().all(|(y, q)| !y.is_nan() || *q == 0.0));
    let product: f64 = pairs().filter(|(y, _)| !y.is_nan()).map(|(y, q)| y * q).sum();
    let largest = q.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    product - tau.map_or(0.0, |tau| tau * largest)
}

/// Numbers without pattern in [-1/2, 1/2): fractional parts of multiples of the golden ratio.
fn noise(n: usize) -> f64 {
    ((n as f64 * 0.618_033_988_749_895).fract() * (n % 89) as f64).fract() - 0.5
}

/// A 12 x 10 matrix of rank one with seven gross errors, and its two parts.
fn planted() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let low: Vec<f64> =
        (0..120).map(|n| (1.0 + noise(n / 10 + 3)) * (2.0 + noise(n % 10 + 50))).collect();
    let mut sparse = vec![0.0; 120];
    for k in 0..7 {
        sparse[(17 * k + 5) % 120] = if k % 2 == 0 { 6.0 } else { -4.0 };
    }
    (low.iter().zip(&sparse).map(|(l, s)| l + s).collect(), low, sparse)
}

fn check_optimum(key: &str, form: impl Fn(&Value) -> String) {
    let sandbox = Sandbox::new();
    let name = "rpca_20x20_r1_c0.05";
    let text = std::fs::read_to_string(Path::new(FIXTURES).join("optima.json")).unwrap();
    let optima: Value = serde_json::from_str(&text).unwrap();
    let optima = &optima[name];
    let (lower, upper) = (number(&optima[key]["lower"]), number(&optima[key]["upper"]));

    let path = Path::new(FIXTURES).join(format!("{name}.npz"));
    let option = form(optima);
    let line = format!(
        "recover rpca --data {} {option} --out X.npy --sparse S.npy --factors L.npy R.npy --dual Q.npy",
        path.display()
    );
    let answer = sandbox.json(&line);
    let objective = number(&answer["objective"]);
    assert_eq!(answer["status"], "certified", "{key}");
    assert!(objective >= lower * (1.0 - 1e-7), "{key}: {objective} under {lower}");
    assert!(objective <= upper * (1.0 + 1e-7), "{key}: {objective} over {upper}");
    assert!(number(&answer["lower_bound"]) <= upper * (1.0 + 1e-9), "{key}");
    assert!(number(&answer["relative_gap"]) <= 1e-7, "{key}");
    assert!(number(&answer["feasibility"]) <= 1e-9, "{key}");
    assert_eq!((&answer["rank"], &answer["m"]), (&1.into(), &400.into()), "{key}");

    let mut archive = Archive::open(&path).unwrap();
    let [y, truth] = ["matrix", "truth"].map(|field| archive.read(field).unwrap());
    let [x, s, q] = ["X.npy", "S.npy", "Q.npy"].map(|name| sandbox.array(name));
    assert!(distance(&x.values, &truth.values) < 1e-6, "{key}");
    let rest: Vec<f64> = y.values.iter().zip(&x.values).map(|(y, x)| y - x).collect();
    assert!(distance(&s.values, &rest) < 1e-6, "{key}");
    assert!((number(&answer["tau"]) / number(&optima["tau"]) - 1.0).abs() < 1e-6, "{key}");
    assert_eq!([sandbox.array("L.npy").shape, sandbox.array("R.npy").shape], [[20, 1], [20, 1]]);

    let lambda = number(&answer["lambda"]);
    assert!(q.values.iter().all(|q| q.abs() <= lambda * (1.0 + 1e-12)), "{key}");
    let tau = (key == "CON").then(|| number(&optima["tau"]));
    let proved = bound(&y, &q, tau);
    assert!((proved / number(&answer["lower_bound"]) - 1.0).abs() < 1e-10, "{key}: {proved}");
}

/// The default is the file's: `lambda = 1 / sqrt(20)`.
#[test]
fn the_penalised_optimum_is_reached() {
    check_optimum("PEN", |_| String::new());
    check_optimum("PEN", |optima| format!("--lambda {}", optima["lambda"]));
}

#[test]
fn the_constrained_optimum_is_reached() {
    check_optimum("CON", |optima| format!("--tau {}", optima["tau"]));
}

/// The fields of the other models, but for the one on uniqueness, and three more.
#[test]
fn the_report_has_the_fields_of_the_others() {
    let sandbox = Sandbox::new();
    let (y, _, sparse) = planted();
    sandbox.npy("Y.npy", &[12, 10], &y);
    let answer = sandbox.json("recover rpca --matrix Y.npy");
    sandbox.file("list.csv", "0,0,1\n0,1,2\n1,0,2\n");
    let other = sandbox.json("recover completion --entries list.csv");
    let (answer, mut other) = (answer.as_object().unwrap(), other.as_object().unwrap().clone());
    other.remove("unique");
    for field in other.keys().map(String::as_str).chain(["lambda", "tau", "sparse_entries"]) {
        assert!(answer.get(field).is_some_and(|v| !v.is_null()), "{field}");
    }
    assert_eq!(answer.len(), other.len() + 3);
    assert_eq!((&answer["model"], &answer["objective_kind"]), (&"rpca".into(), &"flat".into()));
    assert!((number(&answer["lambda"]) * 12f64.sqrt() - 1.0).abs() < 1e-15);
    assert!((number(&answer["tau"]) / absolute_sum(&sparse) - 1.0).abs() < 1e-6);
    assert_eq!(answer["sparse_entries"], 7);

    let nuclear = sandbox.json("recover rpca --matrix Y.npy --objective nuclear");
    assert_eq!(nuclear["objective_kind"], "nuclear");
    assert_eq!(nuclear["objective"], answer["objective"]);
    let output = sandbox.run("recover rpca --matrix Y.npy --out X.csv");
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["rpca: 12 x 10, 120 entries seen", "certified", "7 entries", "wrote X.csv"] {
        assert!(text.contains(word), "{word} is missing from {text}");
    }
}

/// Holes are filled in the low-rank part and zero in the sparse one and in the proof.
#[test]
fn every_form_of_input_and_of_holes() {
    let sandbox = Sandbox::new();
    let (y, low, sparse) = planted();
    let hole = |n: usize| n % 11 == 3;
    let holey: Vec<f64> =
        y.iter().enumerate().map(|(n, &v)| if hole(n) { f64::NAN } else { v }).collect();
    let flags: Vec<i64> = (0..120).map(|n| i64::from(!hole(n))).collect();
    let bytes: Vec<u8> = flags.iter().map(|&f| f as u8).collect();
    let rows = |values: &[f64]| -> String {
        let row = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n";
        values.chunks(10).map(row).collect()
    };
    sandbox.npy("whole.npy", &[12, 10], &y);
    sandbox.npy("holes.npy", &[12, 10], &holey);
    sandbox.file("holes.csv", rows(&holey));
    sandbox.file("mask.npy", npy_bytes("|b1", false, "(12, 10)", &bytes));
    let transposed: Vec<u8> =
        (0..120).flat_map(|n| holey[n % 12 * 10 + n / 12].to_le_bytes()).collect();
    sandbox.file("fortran.npy", npy_bytes("<f8", true, "(12, 10)", &transposed));
    let pixel = |x: u32, y: u32| Luma([u8::from(!hole((y * 10 + x) as usize)) * 255]);
    GrayImage::from_fn(10, 12, pixel).save(sandbox.path("mask.png")).unwrap();
    let whole: (&str, &[usize], _) = ("matrix", &[12, 10], F8(&y));
    sandbox.npz("masked.npz", true, &[whole, ("mask", &[12, 10], I8(&flags))]);
    sandbox.npz("holes.npz", false, &[("matrix", &[12, 10], F8(&holey))]);
    sandbox.npz(
        "other.npz",
        true,
        &[("rate", &[], F8(&[7.0])), ("video", &[12, 10], F8(&holey)), ("k", &[2], I8(&[0, 1]))],
    );
    for data in [
        "--matrix holes.npy",
        "--matrix holes.csv",
        "--matrix fortran.npy",
        "--matrix whole.npy --mask mask.npy",
        "--matrix whole.npy --mask mask.png",
        "--data masked.npz",
        "--data holes.npz",
        "--matrix masked.npz",
        "--matrix other.npz",
        "--data other.npz",
        "--matrix holes.npz --mask mask.png",
    ] {
        let line = format!("recover rpca {data} --out X.csv --sparse S.csv --dual Q.csv");
        let answer = sandbox.json(&line);
        assert_eq!((&answer["status"], &answer["m"]), (&"certified".into(), &109.into()), "{data}");
        let [x, s, q] = ["X.csv", "S.csv", "Q.csv"].map(|name| sandbox.array(name));
        assert!(distance(&x.values, &low) < 1e-6, "{data}: {:?}", x.values);
        let seen: Vec<f64> =
            sparse.iter().enumerate().map(|(n, &v)| if hole(n) { 0.0 } else { v }).collect();
        assert!(distance(&s.values, &seen) < 1e-6, "{data}");
        assert!((0..120).filter(|&n| hole(n)).all(|n| s.values[n] == 0.0));
        let y = Array { shape: vec![12, 10], values: holey.clone() };
        let proved = bound(&y, &q, None);
        assert!((proved / number(&answer["lower_bound"]) - 1.0).abs() < 1e-10, "{data}");
        let lambda = (120.0 / 109.0 / 12f64).sqrt();
        assert!((number(&answer["lambda"]) / lambda - 1.0).abs() < 1e-14, "{data}");
    }
}

/// A still background of 4 x 6 pixels with one bright pixel that moves, in 9 frames.
fn footage() -> (Vec<u8>, Vec<u8>) {
    let still: Vec<u8> = (0..24).map(|p| 40 + 5 * p).collect();
    let mut frames = Vec::new();
    for k in 0..9 {
        let mut frame = still.clone();
        frame[2 * k + 1] = 250;
        frames.extend(frame);
    }
    (still, frames)
}

#[test]
fn frames_come_back_as_stacks_and_as_pictures() {
    let sandbox = Sandbox::new();
    let (still, frames) = footage();
    sandbox.file("u1.npy", npy_bytes("|u1", false, "(9, 4, 6)", &frames));
    let f8: Vec<f64> = frames.iter().map(|&v| f64::from(v)).collect();
    sandbox.npz("video.npz", true, &[("frames", &[9, 4, 6], F8(&f8)), ("fps", &[], F8(&[5.0]))]);
    for data in ["u1.npy", "video.npz"] {
        let line = format!(
            "recover rpca --matrix {data} --out X.npy --sparse S.npy --factors L.npy R.npy \
             --dual Q.npy --frames-out a/pictures"
        );
        let answer = sandbox.json(&line);
        assert_eq!((&answer["d1"], &answer["d2"]), (&24.into(), &9.into()), "{data}");
        let [x, s, q] = ["X.npy", "S.npy", "Q.npy"].map(|name| sandbox.array(name));
        assert_eq!([&x.shape, &s.shape], [&[9, 4, 6], &[9, 4, 6]]);
        assert_eq!([sandbox.array("L.npy").shape[0], sandbox.array("R.npy").shape[0]], [24, 9]);
        // Frame by frame, pixel by pixel, as they came.
        let sum: Vec<f64> = x.values.iter().zip(&s.values).map(|(x, s)| x + s).collect();
        assert!(distance(&sum, &f8) < 1e-6, "{data}");
        assert!((0..216).all(|n| (x.values[n] - f64::from(still[n % 24])).abs() < 1e-4), "{data}");
        let columns: Vec<f64> = (0..216).map(|n| f8[n % 9 * 24 + n / 9]).collect();
        let proved = bound(&Array { shape: vec![24, 9], values: columns }, &q, None);
        assert!((proved / number(&answer["lower_bound"]) - 1.0).abs() < 1e-10, "{data}");
        for k in 0..9 {
            let open = |name: &str| {
                let path = sandbox.path(&format!("a/pictures/{name}_{k:04}.png"));
                image::open(path).unwrap().as_luma8().unwrap().clone()
            };
            let (background, foreground) = (open("background"), open("foreground"));
            assert_eq!((background.width(), background.height()), (6, 4));
            assert_eq!(background.as_raw(), &still, "{data} {k}");
            let moved = foreground.as_raw();
            let expected = |p: usize| if p == 2 * k + 1 { 250 - still[p] } else { 0 };
            assert!((0..24).all(|p| moved[p] == expected(p)), "{data} {k}: {moved:?}");
        }
    }
    // A second run writes over the first.
    let output = sandbox.run("recover rpca --matrix u1.npy --frames-out a/pictures");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("wrote a/pictures"), "{text}");
}

#[test]
fn frames_with_masks() {
    let sandbox = Sandbox::new();
    let (still, frames) = footage();
    let values: Vec<f64> = frames.iter().map(|&v| f64::from(v)).collect();
    // The first pixel is hidden in two frames, or in all of them.
    let hidden = |n: usize| n.is_multiple_of(24) && (48..96).contains(&n);
    let nan: Vec<f64> =
        values.iter().enumerate().map(|(n, &v)| if hidden(n) { f64::NAN } else { v }).collect();
    sandbox.npy("holes.npy", &[9, 4, 6], &nan);
    sandbox.npy("whole.npy", &[9, 4, 6], &values);
    let mask: Vec<f64> = (0..216).map(|n| f64::from(u8::from(!hidden(n)))).collect();
    sandbox.npy("stack.npy", &[9, 4, 6], &mask);
    sandbox.npy("frame.npy", &[4, 6], &mask[48..72]);
    let pixel = |x: u32, y: u32| Luma([u8::from((x, y) != (0, 0))]);
    GrayImage::from_fn(6, 4, pixel).save(sandbox.path("frame.png")).unwrap();
    for data in ["holes.npy", "whole.npy --mask stack.npy"] {
        let answer = sandbox.json(&format!("recover rpca --matrix {data} --out X.npy"));
        assert_eq!(answer["m"], 214, "{data}");
        let x = sandbox.array("X.npy").values;
        assert!((0..216).all(|n| (x[n] - f64::from(still[n % 24])).abs() < 1e-3), "{data}");
    }
    for mask in ["frame.npy", "frame.png"] {
        let line = format!("recover rpca --matrix whole.npy --mask {mask} --out X.npy");
        let answer = sandbox.json(&line);
        assert_eq!((&answer["m"], &answer["unidentified_rows"]), (&207.into(), &[0].into()));
        let x = sandbox.array("X.npy").values;
        assert!((0..9).all(|k| x[24 * k].abs() < 1e-9), "{mask}");
    }
}

/// Pictures of rank one with some pixels overwritten come back pixel by pixel.
#[test]
fn pictures_are_mended() {
    let sandbox = Sandbox::new();
    let level = |x: u32, y: u32| (1 + x) * (1 + y);
    let spoilt = |x: u32, y: u32| (3 * x + 5 * y).is_multiple_of(17);
    let spoil = |x, y, level: u32| if spoilt(x, y) { 255 } else { level as u8 };
    let grey = GrayImage::from_fn(12, 14, |x, y| Luma([spoil(x, y, level(x, y))]));
    grey.save(sandbox.path("grey.png")).unwrap();
    let rgb = |x, y| [level(x, y), level(x, y) / (1 + y) * 9, 200 - level(x, y)];
    let colour = RgbImage::from_fn(12, 14, |x, y| Rgb(rgb(x, y).map(|v| spoil(x, y, v))));
    colour.save(sandbox.path("colour.png")).unwrap();
    let mask = GrayImage::from_fn(12, 14, |x, y| Luma([u8::from(!spoilt(x, y))]));
    mask.save(sandbox.path("mask.png")).unwrap();

    let answer = sandbox.json("recover rpca --matrix grey.png --out X.png --sparse S.npy");
    assert_eq!((&answer["d1"], &answer["d2"]), (&14.into(), &12.into()));
    let out = image::open(sandbox.path("X.png")).unwrap();
    let out = out.as_luma8().unwrap();
    assert!(out.enumerate_pixels().all(|(x, y, p)| u32::from(p.0[0]) == level(x, y)));
    for (n, s) in sandbox.array("S.npy").values.iter().enumerate() {
        let (x, y) = (n as u32 % 12, n as u32 / 12);
        let expected = if spoilt(x, y) { 255.0 - f64::from(level(x, y)) } else { 0.0 };
        assert!((s - expected).abs() < 1e-4, "({x}, {y}): {s}");
    }

    // The mask of a picture hides all of its channels.
    let line = "recover rpca --matrix colour.png --mask mask.png --out X.png";
    let answer = sandbox.json(line);
    assert_eq!((&answer["d1"], &answer["d2"]), (&14.into(), &36.into()));
    let holes = mask.iter().filter(|&&v| v == 0).count();
    assert_eq!(answer["m"], 3 * (14 * 12 - holes));
    let out = image::open(sandbox.path("X.png")).unwrap();
    let out = out.as_rgb8().unwrap();
    assert!(out.enumerate_pixels().all(|(x, y, p)| p.0.map(u32::from) == rgb(x, y)));
}

/// `tau = 0` leaves no room for errors, a large one room for everything; so do large and small
/// `lambda`.
#[test]
fn extremes_of_tau_and_lambda() {
    let sandbox = Sandbox::new();
    let (y, ..) = planted();
    sandbox.npy("Y.npy", &[12, 10], &y);
    for option in ["--tau 0", "--lambda 1e6", "--lambda 1e300"] {
        sandbox.json(&format!("recover rpca --matrix Y.npy {option} --out X.npy"));
        assert!(distance(&sandbox.array("X.npy").values, &y) < 1e-9, "{option}");
    }
    for option in ["--tau 1e6", "--tau 1e300", "--lambda 1e-6", "--lambda 1e-300"] {
        let line =
            format!("recover rpca --matrix Y.npy {option} --out X.npy --factors L.npy R.npy");
        let answer = sandbox.json(&line);
        assert_eq!(answer["rank"], 0, "{option}");
        assert_eq!(sandbox.array("X.npy").values, [0.0; 120], "{option}");
        assert_eq!(sandbox.array("L.npy").shape, [12, 0], "{option}");
        assert!(!answer["warnings"].as_array().unwrap().is_empty(), "{option}");
    }
}

/// The low-rank part gives way until the rest is as small as was asked.
#[test]
fn a_tau_below_that_of_the_planted_split() {
    let sandbox = Sandbox::new();
    let (y, _, sparse) = planted();
    sandbox.npy("Y.npy", &[12, 10], &y);
    for fraction in [1e-9, 1e-2, 0.5, 0.9] {
        let tau = fraction * absolute_sum(&sparse);
        let answer = sandbox.json(&format!("recover rpca --matrix Y.npy --tau {tau}"));
        let most = tau + 1e-8 * absolute_sum(&y);
        assert!(number(&answer["tau"]) <= most, "{tau}: {answer}");
    }
}

/// Single rows and columns, one entry, constants and zeros, of any size.
#[test]
fn matrices_at_the_edge() {
    let sandbox = Sandbox::new();
    let shapes: [&[usize]; 6] = [&[1, 7], &[7, 1], &[1, 1], &[5, 4], &[1, 3, 2], &[4, 1, 1]];
    for shape in shapes {
        let n: usize = shape.iter().product();
        for value in [0.0, 1.0, -3.0, 1e-100, 1e100] {
            sandbox.npy("Y.npy", shape, &vec![value; n]);
            for option in ["", "--tau 1", "--tau 0"] {
                let line =
                    format!("recover rpca --matrix Y.npy {option} --out X.npy --sparse S.npy");
                let answer = sandbox.json(&line);
                let at = format!("{shape:?} {value:e} {option}: {answer}");
                let [x, s] = ["X.npy", "S.npy"].map(|name| sandbox.array(name));
                assert_eq!([&x.shape[..], &s.shape[..]], [shape; 2], "{at}");
                let sums = x.values.iter().zip(&s.values).map(|(x, s)| x + s);
                assert!(sums.into_iter().all(|v| (v - value).abs() <= 1e-6 * value.abs()), "{at}");
                assert!(number(&answer["lower_bound"]) <= number(&answer["objective"]), "{at}");
            }
        }
    }
}

/// The answer so far is kept.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_stops_the_split() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let sandbox = Sandbox::new();
    // Seconds of work, so that the interrupt comes long before the end.
    let y: Vec<f64> = (0..250_000).map(noise).collect();
    sandbox.npy("Y.npy", &[500, 500], &y);
    let line = "recover rpca --matrix Y.npy --tol 1e-12 --out X.npy --json";
    let mut child = sandbox.command(line).stdout(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && !catches_interrupts(child.id()) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["status"], "interrupted");
    assert_eq!(sandbox.array("X.npy").shape, [500, 500]);
}

/// A limit ends with code 3, and what there is is written.
#[test]
fn the_iteration_limit_ends_with_code_3() {
    let sandbox = Sandbox::new();
    let y: Vec<f64> = (0..900).map(noise).collect();
    sandbox.npy("Y.npy", &[30, 30], &y);
    let line = "recover rpca --matrix Y.npy --max-iters 1 --out X.npy --sparse S.npy --dual Q.npy";
    let answer = sandbox.json_and_code(line, 3);
    assert_eq!(answer["status"], "iteration limit");
    let [x, s, q] = ["X.npy", "S.npy", "Q.npy"].map(|name| sandbox.array(name));
    assert_eq!([x.shape, s.shape], [[30, 30]; 2]);
    let proved = bound(&Array { shape: vec![30, 30], values: y }, &q, None);
    assert!(number(&answer["lower_bound"]) <= proved + 1e-12, "{proved}: {answer}");
}
