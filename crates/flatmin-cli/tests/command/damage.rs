//! Damaged and mistyped files of every format: exit code 2 and one line.

use crate::refusals::{all_refused, good};
use crate::sandbox::{Elements::F8, Elements::I8, Sandbox, npy_bytes};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma};
use std::fs;

#[test]
fn damaged_numpy_files() {
    let sandbox = good();
    let whole = fs::read(sandbox.path("A.npy")).unwrap();
    sandbox.file("head.npy", &whole[..40]);
    sandbox.file("body.npy", &whole[..whole.len() - 5]);
    sandbox.file("long.npy", [&whole[..], b"more"].concat());
    sandbox.file("text.npy", "1 2 3\n");
    let claim = |shape| npy_bytes("<f8", false, shape, &[0; 24]);
    sandbox.file("claim.npy", claim("(1000000, 1000000, 1000)"));
    sandbox.file("absurd.npy", claim("(4294967296, 4294967296, 4294967296)"));
    sandbox.file("negative.npy", claim("(-3,)"));
    sandbox.file("complex.npy", npy_bytes("<c16", false, "(1,)", &[0; 16]));
    sandbox.file("object.npy", npy_bytes("|O", false, "(1,)", &[0; 16]));
    sandbox.file("half.npy", npy_bytes("<f2", false, "(1,)", &[0; 2]));
    let cases: [(&str, &[&str]); 9] = [
        ("head.npy", &["within its .npy header", "truncated"]),
        ("body.npy", &["(3, 2, 2)", "96 bytes", "91 follow", "truncated"]),
        ("long.npy", &["bytes follow after the array of shape (3, 2, 2)"]),
        ("text.npy", &["not a NumPy .npy file"]),
        ("claim.npy", &["(1000000, 1000000, 1000)", "only 24 follow"]),
        ("absurd.npy", &["impossible shape"]),
        ("negative.npy", &["header", "(-3,)"]),
        ("complex.npy", &["'<c16'", "astype"]),
        ("object.npy", &["'|O'", "astype"]),
    ];
    for (name, words) in cases {
        let line = format!("recover sensing --measurements {name} --targets b.npy");
        all_refused(&sandbox, &[(&line, &[&[name], words].concat())]);
    }
    all_refused(
        &sandbox,
        &[("recover sensing --measurements A.npy --targets half.npy", &["half.npy", "'<f2'"])],
    );
}

#[test]
fn damaged_archives() {
    let sandbox = good();
    sandbox.file("text.npz", "not a zip file at all\n");
    let entries: [(&str, &[usize], _); 4] = [
        ("row", &[2], I8(&[0, 1])),
        ("col", &[2], I8(&[0, 1])),
        ("val", &[2], F8(&[1.0, 2.0])),
        ("shape", &[2], I8(&[2, 2])),
    ];
    sandbox.npz("whole.npz", true, &entries);
    let whole = fs::read(sandbox.path("whole.npz")).unwrap();
    sandbox.file("cut.npz", &whole[..whole.len() / 2]);
    let mut flipped = whole.clone();
    flipped[60] ^= 0xff;
    sandbox.file("flipped.npz", flipped);
    sandbox.npz("no_val.npz", false, &[("row", &[1], I8(&[0])), ("col", &[1], I8(&[0]))]);
    sandbox.npz("no_shape.npz", false, &entries[..3]);
    sandbox.npz("nothing.npz", false, &[]);
    sandbox.npz("b.npz", false, &[("targets", &[1], F8(&[1.0]))]);
    let spoilt = |name, field: usize, shape: &'static [usize], elements| {
        let [(_, row, _), (_, col, _), (_, val, _), (_, size, _)] = &entries;
        let mut fields = vec![
            ("row", *row, I8(&[0, 1])),
            ("col", *col, I8(&[0, 1])),
            ("val", *val, F8(&[1.0, 2.0])),
            ("shape", *size, I8(&[2, 2])),
        ];
        fields[field] = (fields[field].0, shape, elements);
        sandbox.npz(name, false, &fields);
    };
    spoilt("negative.npz", 0, &[2], I8(&[0, -1]));
    spoilt("fraction.npz", 1, &[2], F8(&[0.0, 0.5]));
    spoilt("outside.npz", 1, &[2], I8(&[0, 2]));
    spoilt("twice.npz", 0, &[2], I8(&[1, 1]));
    spoilt("short.npz", 2, &[1], F8(&[1.0]));
    spoilt("nan.npz", 2, &[2], F8(&[1.0, f64::NAN]));
    spoilt("shape3.npz", 3, &[3], I8(&[2, 2, 2]));
    spoilt("shape_minus.npz", 3, &[2], I8(&[2, -2]));
    spoilt("shape_huge.npz", 3, &[2], I8(&[1 << 40, 1 << 40]));
    let entries = |name: &str| format!("recover completion --data {name}");
    let cases: [(&str, &[&str]); 15] = [
        ("text.npz", &["not a whole .npz archive", "numpy.savez"]),
        ("cut.npz", &["not a whole .npz archive"]),
        ("flipped.npz", &["row"]),
        ("no_val.npz", &["no field `val`", "row, col"]),
        ("no_shape.npz", &["no field `shape`", "row, col, val"]),
        ("nothing.npz", &["no field `row`", "none"]),
        ("negative.npz", &["field `row`", "element 1 is -1"]),
        ("fraction.npz", &["field `col`", "element 1 is 0.5"]),
        ("outside.npz", &["(1, 2)", "outside the 2 x 2 matrix"]),
        ("short.npz", &["field `val`", "length must be 2", "is 1"]),
        ("nan.npz", &["NaN", "1"]),
        ("shape3.npz", &["field `shape`", "(2,)", "(3,)"]),
        ("shape_minus.npz", &["field `shape`", "element 1 is -2"]),
        ("shape_huge.npz", &["1099511627776 x 1099511627776", "largest row and column"]),
        ("b.npz", &["no field `row`", "targets"]),
    ];
    for (name, words) in cases {
        all_refused(&sandbox, &[(&entries(name), &[&[name], words].concat())]);
    }
    spoilt("twice.npz", 1, &[2], I8(&[0, 0]));
    let line = "recover completion --data no_shape.npz --shape 2,2";
    assert!(sandbox.refusal(line).contains("--data"));
    all_refused(
        &sandbox,
        &[
            ("recover sensing --data b.npz", &["no field `measurements`", "targets"]),
            ("recover completion --entries whole.npz --shape 3,2", &["2 x 2", "3 x 2"]),
            ("recover completion --data list.csv", &["list.csv", "not a whole .npz archive"]),
        ],
    );
}

#[test]
fn lists_of_entries() {
    let sandbox = Sandbox::new();
    let cases: [(&str, &[&str]); 12] = [
        ("0,0,1\n0,1\n", &["line 2", "`0,1`", "row,col,value"]),
        ("0,0,1\n0,1,one\n", &["line 2", "`0,1,one`"]),
        ("0 0 1\n", &["line 1", "`0 0 1`"]),
        ("0;0;1\n", &["line 1", "`0;0;1`"]),
        ("row,col,value\n-1,0,1\n", &["line 2", "`-1,0,1`", "from 0"]),
        ("0,0.5,1\n", &["line 1", "`0,0.5,1`", "whole"]),
        ("0,0,nan\n", &["line 1", "not finite"]),
        ("0,0,inf\n", &["line 1", "not finite"]),
        ("row,col,value\n", &["no data"]),
        ("0,0,1\n1,1,2\n0,0,3\n", &["entry (0, 0)", "twice", "0 and 2"]),
        ("4000000000,4000000000,1\n", &["4000000001 x 4000000001", "largest row"]),
        ("1e300,0,1\n", &["line 1"]),
    ];
    for (text, words) in cases {
        sandbox.file("list.csv", text);
        let words = [&["list.csv"], words].concat();
        all_refused(&sandbox, &[("recover completion --entries list.csv", &words)]);
    }
    sandbox.file("list.csv", "0,0,1\n2,1,1\n");
    let line = "recover completion --entries list.csv --shape 2,2";
    all_refused(&sandbox, &[(line, &["entry (2, 1)", "outside the 2 x 2"])]);

    let head = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1\n";
    let cases: [(String, &[&str]); 8] = [
        (format!("{head}2 3 1\n"), &["line 4", "(2, 3)", "2 x 2", "from 1"]),
        (format!("{head}0 1 1\n"), &["line 4", "(0, 1)", "from 1"]),
        (format!("{head}2 1\n"), &["line 4", "`2 1`"]),
        (head.to_owned(), &["2 entries are announced, but 1 follow"]),
        (format!("{head}1 1 5\n"), &["entry (0, 0)", "counted from 0", "twice"]),
        (head.replace("real", "complex"), &["complex", "coordinate real general"]),
        (head.replace("coordinate", "array"), &["array", "coordinate real general"]),
        ("1 1 1\n".to_owned(), &["not a MatrixMarket file"]),
    ];
    for (text, words) in cases {
        sandbox.file("list.mtx", text);
        let words = [&["list.mtx"], words].concat();
        all_refused(&sandbox, &[("recover completion --entries list.mtx", &words)]);
    }
}

#[test]
fn pictures() {
    let sandbox = good();
    let deep: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_pixel(3, 2, Luma([900]));
    deep.save(sandbox.path("deep.png")).unwrap();
    DynamicImage::new_rgba8(3, 2).save(sandbox.path("clear.png")).unwrap();
    GrayImage::from_pixel(2, 3, Luma([9])).save(sandbox.path("turned.png")).unwrap();
    GrayImage::new(3, 2).save(sandbox.path("black.png")).unwrap();
    let whole = fs::read(sandbox.path("grey.png")).unwrap();
    sandbox.file("cut.png", &whole[..whole.len() / 2]);
    sandbox.file("text.png", "not an image");
    let mut wide = whole.clone();
    // The width field claims two thousand million pixels.
    wide[16..20].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    sandbox.file("wide.png", wide);
    all_refused(
        &sandbox,
        &[
            ("recover completion --matrix grey.png", &["grey.png", "--mask"]),
            ("recover completion --matrix deep.png --mask grey.png", &["deep.png", "L16", "8-bit"]),
            ("recover completion --matrix clear.png --mask grey.png", &["clear.png", "Rgba8"]),
            ("recover completion --matrix cut.png --mask grey.png", &["cut.png", "PNG"]),
            ("recover completion --matrix text.png --mask grey.png", &["text.png", "PNG"]),
            ("recover completion --matrix wide.png --mask grey.png", &["wide.png", "PNG"]),
            (
                "recover completion --matrix grey.png --mask turned.png",
                &["turned.png", "3 x 2", "2 x 3"],
            ),
            ("recover completion --matrix grey.png --mask black.png", &["no entry is seen"]),
            ("recover completion --matrix grey.png --mask X.npy", &["X.npy"]),
        ],
    );
}
