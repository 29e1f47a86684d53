//! Ratings from a folder: NumPy archives with `row`, `col`, `val`, `shape`, and a `split` of 0 for
//! training, 1 for validation, 2 for test.

use crate::Error;
use flatmin::completion::ratings::{Observation, Ratings};
use npyz::NpyFile;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Environment variable that names the folder.
pub const VARIABLE: &str = "FLATMIN_DATA";

/// Where the folder is looked for when nobody names it, from the working directory.
const BESIDE: &str = "../shared/data";

/// The data sets: file, name for the reader.
pub(crate) const SETS: [(&str, &str); 3] = [
    ("ml_latest_small_2016", "MovieLens latest-small: films"),
    ("insteval", "InstEval: lecturers"),
    ("un_votes", "United Nations: roll calls"),
];

/// The folder that was named, or that of the environment, or the one beside the project.
///
/// ```
/// use flatmin_lab::studies::ratings::folder;
/// assert_eq!(folder(Some("here".as_ref())), Some("here".into()));
/// ```
pub fn folder(named: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os(VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let beside = || Some(PathBuf::from(BESIDE)).filter(|dir| dir.is_dir());
    named.map(Path::to_owned).or_else(variable).or_else(beside)
}

/// Ratings of a file, by their split.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) train: Ratings,
    /// Training and validation.
    pub(crate) both: Ratings,
    pub(crate) validation: Vec<Observation>,
    pub(crate) test: Vec<Observation>,
    /// FNV-1a of the file.
    pub(crate) checksum: String,
}

impl Set {
    /// Reads a set of a folder; `None` when the folder does not hold it.
    pub(crate) fn read(dir: &Path, file: &str) -> Result<Option<Set>, Error> {
        let path = dir.join(format!("{file}.npz"));
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut fields = Fields::open(&path)?;
        let [rows, cols, values, split, shape] =
            ["row", "col", "val", "split", "shape"].map(|name| fields.read(name));
        let (rows, cols, values) = (rows?, cols?, values?);
        let (split, shape) = (split?, shape?);
        let m = values.len();
        let whole = |list: &[f64]| list.iter().all(|v| *v >= 0.0 && v.fract() == 0.0);
        if [rows.len(), cols.len(), split.len()] != [m; 3] || shape.len() != 2 {
            return Err(fields.error("row, col, val, split must be of one length, shape of two"));
        }
        if ![&rows, &cols, &split, &shape].into_iter().all(|list| whole(list)) {
            return Err(fields.error("row, col, split and shape must hold whole numbers from 0"));
        }
        let part = |k: f64| -> Vec<usize> { (0..m).filter(|&t| split[t] == k).collect() };
        let held = |k: f64| -> Vec<Observation> {
            let of = |t: usize| (Some(rows[t] as usize), Some(cols[t] as usize), values[t]);
            part(k).into_iter().map(of).collect()
        };
        let (d1, d2) = (shape[0] as usize, shape[1] as usize);
        let ratings = |places: Vec<usize>| {
            let index = |of: &[f64]| places.iter().map(|&t| of[t] as usize).collect::<Vec<_>>();
            let fitted = places.iter().map(|&t| values[t]).collect();
            Ratings::new(d1, d2, &index(&rows), &index(&cols), fitted)
                .map_err(|e| fields.error(&e.to_string()))
        };
        let train = ratings(part(0.0))?;
        let both = ratings((0..m).filter(|&t| split[t] < 2.0).collect())?;
        let (validation, test) = (held(1.0), held(2.0));
        if validation.is_empty() || test.is_empty() {
            return Err(
                fields.error("split must name some ratings 1 (validation) and some 2 (test)")
            );
        }
        Ok(Some(Set { train, both, validation, test, checksum: format!("{hash:016x}") }))
    }
}

/// An archive of NumPy arrays.
struct Fields {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

impl Fields {
    fn open(path: &Path) -> Result<Fields, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        match ZipArchive::new(BufReader::new(file)) {
            Ok(zip) => Ok(Fields { path: path.to_owned(), zip }),
            Err(e) => Err(Error::Data { path: path.to_owned(), message: e.to_string() }),
        }
    }

    fn error(&self, message: &str) -> Error {
        Error::Data { path: self.path.clone(), message: message.to_owned() }
    }

    /// The numbers of a field, of whatever type they are.
    fn read(&mut self, name: &str) -> Result<Vec<f64>, Error> {
        let path = self.path.clone();
        let fault = |message: String| Error::Data {
            path: path.clone(),
            message: format!("field {name}: {message}"),
        };
        let entry = self.zip.by_name(&format!("{name}.npy")).map_err(|e| fault(e.to_string()))?;
        let array = NpyFile::new(entry).map_err(|e| fault(e.to_string()))?;
        numbers(array).map_err(|e| fault(e.to_string()))
    }
}

/// Elements of a real type as numbers.
fn numbers<R: Read>(array: NpyFile<R>) -> Result<Vec<f64>, std::io::Error> {
    let descr = array.dtype().descr();
    macro_rules! from {
        ($($name:literal => $type:ty),*) => {
            match descr.trim_matches('\'') {
                $($name => array
                    .data::<$type>()
                    .map_err(std::io::Error::other)?
                    .map(|v| v.map(|v| v as f64))
                    .collect(),)*
                other => Err(std::io::Error::other(format!("dtype {other} is not known here"))),
            }
        };
    }
    from!(
        "|u1" => u8, "|i1" => i8, "<i4" => i32, "<u4" => u32, "<i8" => i64, "<u8" => u64,
        "<f4" => f32, "<f8" => f64
    )
}
