//! Every form of input poses the same problem.

use crate::sandbox::{Elements::F8, Elements::I8, Sandbox, distance, npy_bytes};
use image::{GrayImage, Luma, Rgb, RgbImage};

const ROWS: usize = 4;
const COLS: usize = 3;

/// Entry of a matrix of rank one with whole entries.
fn truth(i: usize, j: usize) -> f64 {
    ([1.0, 2.0, -3.0, 4.0][i]) * ([2.0, 5.0, 3.0][j])
}

/// Every entry but the first is seen.
fn seen(i: usize, j: usize) -> bool {
    (i, j) != (0, 0)
}

fn positions() -> impl Iterator<Item = (usize, usize)> {
    (0..ROWS).flat_map(|i| (0..COLS).map(move |j| (i, j)))
}

fn full() -> Vec<f64> {
    positions().map(|(i, j)| truth(i, j)).collect()
}

fn holey() -> Vec<f64> {
    positions().map(|(i, j)| if seen(i, j) { truth(i, j) } else { f64::NAN }).collect()
}

fn triplets() -> (Vec<i64>, Vec<i64>, Vec<f64>) {
    let seen = || positions().filter(|&(i, j)| seen(i, j));
    (
        seen().map(|(i, _)| i as i64).collect(),
        seen().map(|(_, j)| j as i64).collect(),
        seen().map(|(i, j)| truth(i, j)).collect(),
    )
}

fn list(separator: &str, first: i64) -> String {
    let (rows, cols, values) = triplets();
    let lines = rows.iter().zip(&cols).zip(&values);
    lines
        .map(|((i, j), v)| format!("{}{separator}{}{separator}{v}\n", i + first, j + first))
        .collect()
}

#[test]
fn completion_from_every_form() {
    let sandbox = Sandbox::new();
    let (rows, cols, values) = triplets();
    let m = rows.len();
    sandbox.file("plain.csv", list(",", 0));
    sandbox.file("header.csv", format!("user,item,stars\n{}", list(",", 0)));
    let head = "%%MatrixMarket matrix coordinate real general\n% made by hand\n";
    sandbox.file("list.mtx", format!("{head}{ROWS} {COLS} {m}\n{}", list(" ", 1)));
    for (name, deflate) in [("stored.npz", false), ("deflated.npz", true)] {
        sandbox.npz(
            name,
            deflate,
            &[
                ("row", &[m], I8(&rows)),
                ("col", &[m], I8(&cols)),
                ("val", &[m], F8(&values)),
                ("shape", &[2], I8(&[ROWS as i64, COLS as i64])),
            ],
        );
    }
    sandbox.npz(
        "shapeless.npz",
        true,
        &[("row", &[m, 1], I8(&rows)), ("col", &[m], I8(&cols)), ("val", &[m], F8(&values))],
    );
    sandbox.npy("holes.npy", &[ROWS, COLS], &holey());
    let single: Vec<u8> = holey().iter().flat_map(|&v| (v as f32).to_be_bytes()).collect();
    sandbox.file("single.npy", npy_bytes(">f4", false, "(4, 3)", &single));
    let transposed: Vec<u8> =
        (0..12).flat_map(|n| holey()[n % 4 * 3 + n / 4].to_le_bytes()).collect();
    sandbox.file("fortran.npy", npy_bytes("<f8", true, "(4, 3)", &transposed));
    let lines: String = holey()
        .chunks(COLS)
        .map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    sandbox.file("empty.csv", lines.replace("NaN", ""));
    sandbox.file("holes.csv", lines);
    // Masked entries may hold anything.
    let whole: Vec<u8> = full().iter().flat_map(|&v| (v as i16).to_le_bytes()).collect();
    sandbox.file("whole.npy", npy_bytes("<i2", false, "(4, 3)", &whole));
    let mask: Vec<u8> = positions().map(|(i, j)| u8::from(seen(i, j))).collect();
    sandbox.file("mask.npy", npy_bytes("|b1", false, "(4, 3)", &mask));
    let pixel = |x: u32, y: u32| Luma([u8::from(seen(y as usize, x as usize)) * 255]);
    GrayImage::from_fn(3, 4, pixel).save(sandbox.path("mask.png")).unwrap();
    let flags: Vec<i64> = mask.iter().map(|&b| i64::from(b)).collect();
    let fields: [(&str, &[usize], _); 2] =
        [("matrix", &[ROWS, COLS], F8(&full())), ("mask", &[ROWS, COLS], I8(&flags))];
    sandbox.npz("masked.npz", true, &fields);
    sandbox.npz("holes.npz", true, &[("matrix", &[ROWS, COLS], F8(&holey()))]);

    for data in [
        "--entries plain.csv",
        "--entries plain.csv --shape 4,3",
        "--entries header.csv",
        "--entries list.mtx",
        "--entries list.mtx --shape 4,3",
        "--entries stored.npz",
        "--entries deflated.npz",
        "--entries shapeless.npz --shape 4,3",
        "--data stored.npz",
        "--data deflated.npz",
        "--data holes.npz",
        "--data masked.npz",
        "--matrix holes.npy",
        "--matrix single.npy",
        "--matrix fortran.npy",
        "--matrix holes.csv",
        "--matrix empty.csv",
        "--matrix whole.npy --mask mask.npy",
        "--matrix whole.npy --mask mask.png",
    ] {
        let answer = sandbox.json(&format!("recover completion {data} --out X.npy"));
        assert_eq!(
            (&answer["d1"], &answer["d2"], &answer["m"]),
            (&4.into(), &3.into(), &11.into())
        );
        assert_eq!(answer["status"], "certified", "{data}");
        let x = sandbox.array("X.npy");
        assert_eq!(x.shape, [ROWS, COLS]);
        assert!(distance(&x.values, &full()) < 1e-6, "{data}: {:?}", x.values);
    }
}

#[test]
fn a_given_shape_may_exceed_the_indices() {
    let sandbox = Sandbox::new();
    sandbox.file("list.csv", list(",", 0));
    let answer = sandbox.json("recover completion --entries list.csv --shape 6,4 --out X.csv");
    assert_eq!(answer["unidentified_rows"], serde_json::json!([4, 5]));
    assert_eq!(answer["unidentified_cols"], serde_json::json!([3]));
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 2);
    assert_eq!(answer["unique"], false);
    let x = sandbox.array("X.csv");
    assert_eq!(x.shape, [6, 4]);
    assert!(x.values[16..].iter().all(|&v| v == 0.0));
}

/// A skew-symmetric file holds half of the entries.
#[test]
fn symmetric_matrix_market_files_are_expanded() {
    let sandbox = Sandbox::new();
    let text = "%%MatrixMarket matrix coordinate integer symmetric\n2 2 3\n1 1 1\n2 1 2\n2 2 4\n";
    sandbox.file("s.mtx", text);
    let answer = sandbox.json("recover completion --entries s.mtx --out X.npy");
    assert_eq!((&answer["m"], &answer["rank"]), (&4.into(), &1.into()));
    assert!(distance(&sandbox.array("X.npy").values, &[1.0, 2.0, 2.0, 4.0]) < 1e-9);
}

#[test]
fn sensing_from_every_form() {
    let sandbox = Sandbox::new();
    // Five signed measurements of a 2 x 2 matrix of rank one: they determine it.
    let a: [i8; 20] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, -1, 2, -3];
    let x = [2.0, 4.0, 3.0, 6.0];
    let b: Vec<f64> =
        a.chunks(4).map(|a| a.iter().zip(x).map(|(&a, x)| f64::from(a) * x).sum()).collect();
    let f8: Vec<f64> = a.iter().map(|&v| f64::from(v)).collect();
    sandbox.npy("A.npy", &[5, 2, 2], &f8);
    sandbox.file("A_i1.npy", npy_bytes("|i1", false, "(5, 2, 2)", &a.map(|v| v as u8)));
    let i4: Vec<u8> = a.iter().flat_map(|&v| i32::from(v).to_be_bytes()).collect();
    sandbox.file("A_i4.npy", npy_bytes(">i4", false, "(5, 2, 2)", &i4));
    let fortran: Vec<u8> = (0..20)
        .flat_map(|n| f64::from(a[n % 5 * 4 + n / 5 % 2 * 2 + n / 10]).to_le_bytes())
        .collect();
    sandbox.file("A_fortran.npy", npy_bytes("<f8", true, "(5, 2, 2)", &fortran));
    sandbox.npy("b.npy", &[5], &b);
    sandbox.npy("b_column.npy", &[5, 1], &b);
    sandbox.file("b.csv", b.iter().map(|v| format!("{v}\n")).collect::<String>());
    for (name, deflate) in [("stored.npz", false), ("deflated.npz", true)] {
        let fields: [(&str, &[usize], _); 2] =
            [("measurements", &[5, 2, 2], F8(&f8)), ("targets", &[5], F8(&b))];
        sandbox.npz(name, deflate, &fields);
    }
    for data in [
        "--measurements A.npy --targets b.npy",
        "--measurements A_i1.npy --targets b.npy",
        "--measurements A_i4.npy --targets b.npy",
        "--measurements A_fortran.npy --targets b_column.npy",
        "--measurements A.npy --targets b.csv",
        "--data stored.npz",
        "--data deflated.npz",
    ] {
        let answer = sandbox.json(&format!("recover sensing {data} --out X.npy"));
        assert_eq!((&answer["m"], &answer["model"]), (&5.into(), &"sensing".into()), "{data}");
        assert!(distance(&sandbox.array("X.npy").values, &x) < 1e-6, "{data}");
    }
}

/// A picture of rank one, most of it seen, comes back pixel by pixel; so do three such channels.
#[test]
fn pictures_are_completed() {
    let sandbox = Sandbox::new();
    let level = |x: u32, y: u32| (1 + x) * (1 + y);
    let missing = |x: u32, y: u32| (3 * x + 5 * y).is_multiple_of(7);
    let hide = |x, y, level: u32| if missing(x, y) { 0 } else { level as u8 };
    let mask = GrayImage::from_fn(10, 12, |x, y| Luma([u8::from(!missing(x, y))]));
    mask.save(sandbox.path("mask.png")).unwrap();
    let flags: Vec<f64> = mask.pixels().map(|p| f64::from(p.0[0])).collect();
    sandbox.npy("mask.npy", &[12, 10], &flags);

    let grey = GrayImage::from_fn(10, 12, |x, y| Luma([hide(x, y, level(x, y))]));
    grey.save(sandbox.path("grey.png")).unwrap();
    let rgb = |x, y| [level(x, y), 2 * level(x, y), 120 - level(x, y)];
    let colour = RgbImage::from_fn(10, 12, |x, y| Rgb(rgb(x, y).map(|v| hide(x, y, v))));
    colour.save(sandbox.path("colour.png")).unwrap();

    for mask in ["mask.png", "mask.npy"] {
        let line = format!("recover completion --matrix grey.png --mask {mask} --out X.png");
        let answer = sandbox.json(&line);
        assert_eq!((&answer["d1"], &answer["d2"]), (&12.into(), &10.into()));
        let out = image::open(sandbox.path("X.png")).unwrap();
        let out = out.as_luma8().unwrap();
        assert!(out.enumerate_pixels().all(|(x, y, p)| u32::from(p.0[0]) == level(x, y)));

        let line = format!("recover completion --matrix colour.png --mask {mask} --out X.png");
        let answer = sandbox.json(&line);
        assert_eq!((&answer["d1"], &answer["d2"]), (&12.into(), &30.into()));
        let out = image::open(sandbox.path("X.png")).unwrap();
        let out = out.as_rgb8().unwrap();
        assert!(out.enumerate_pixels().all(|(x, y, p)| p.0.map(u32::from) == rgb(x, y)));
    }
}
