//! A temporary folder to run the command in, and ways to fill it.

use flatmin_cli::write;
use serde_json::Value;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

pub(crate) struct Sandbox(TempDir);

/// Elements of an array in a dtype of NumPy's.
pub(crate) enum Elements<'a> {
    F8(&'a [f64]),
    I8(&'a [i64]),
}

/// A `.npy` file of any dtype and order, from its raw elements.
pub(crate) fn npy_bytes(descr: &str, fortran: bool, shape: &str, raw: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(raw);
    bytes
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn npy(&self, name: &str, shape: &[usize], values: &[f64]) {
        let mut bytes = Vec::new();
        write::npy(&mut bytes, shape, values.iter().copied()).unwrap();
        self.file(name, bytes);
    }

    pub(crate) fn npz(&self, name: &str, deflate: bool, fields: &[(&str, &[usize], Elements<'_>)]) {
        let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (field, shape, elements) in fields {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{field}.npy"), options).unwrap();
            match elements {
                Elements::F8(values) => {
                    write::npy(&mut zip, shape, values.iter().copied()).unwrap();
                }
                Elements::I8(values) => {
                    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                    let lengths: String = shape.iter().map(|d| format!("{d},")).collect();
                    let array = npy_bytes("<i8", false, &format!("({lengths})"), &raw);
                    zip.write_all(&array).unwrap();
                }
            }
        }
        self.file(name, zip.finish().unwrap().into_inner());
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flatmin"));
        command.args(line.split_whitespace()).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a line that must succeed, with `--json`; its object.
    pub(crate) fn json(&self, line: &str) -> Value {
        self.json_and_code(line, 0)
    }

    pub(crate) fn json_and_code(&self, line: &str, code: i32) -> Value {
        let output = self.run(&format!("{line} --json"));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {complaint}");
        assert_eq!(complaint, "", "{line}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a line that must be refused; its one line of complaint.
    pub(crate) fn refusal(&self, line: &str) -> String {
        let output = self.run(line);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {complaint}");
        assert_eq!(output.stdout, b"", "{line}");
        assert!(complaint.starts_with("error: "), "{line}: {complaint}");
        assert_eq!(complaint.matches('\n').count(), 1, "{line}: {complaint}");
        complaint
    }

    /// Shape and elements of a `.npy` or `.csv` file that the command wrote.
    pub(crate) fn array(&self, name: &str) -> flatmin_cli::read::Array {
        flatmin_cli::read::array(&self.path(name)).unwrap()
    }
}

/// `max |a - b| / max |b|`.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / largest
}
