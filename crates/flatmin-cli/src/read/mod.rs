//! Readers of the file formats that the command accepts, one module a format.
//!
//! Every reader turns a damaged or mistyped file into an error that says what is wrong, where, and
//! what to do; none trusts a size that a file claims.

pub mod csv;
pub mod image;
mod mask;
pub mod matrix_market;
pub mod npy;
pub mod npz;
pub mod ratings;
mod source;

pub use mask::Mask;
pub use source::{Named, Source};

use crate::Error;
use flatmin::core::Mat;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A real array in C order (last index fastest).
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Lengths of its dimensions.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: Vec<f64>,
}

/// Entries of a sparse matrix, positions counted from 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Triplets {
    /// Rows of the entries.
    pub rows: Vec<usize>,
    /// Columns of the entries.
    pub cols: Vec<usize>,
    /// Values of the entries.
    pub values: Vec<f64>,
    /// Rows and columns of the matrix, when the file states them.
    pub shape: Option<(usize, usize)>,
}

impl Triplets {
    pub(crate) fn push(&mut self, row: usize, col: usize, value: f64) {
        self.rows.push(row);
        self.cols.push(col);
        self.values.push(value);
    }
}

/// Opens a file for reading.
///
/// # Errors
/// When it does not exist, may not be read, is a directory, or is empty.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let shown = || path.display().to_string();
    let fail = |source| Error::Io { action: "read", path: shown(), source };
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(Error::Directory { path: shown() });
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(Error::EmptyFile { path: shown() });
    }
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// A path's extension, in lower case.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Reads an array from a `.npy` file, or a matrix from a `.csv` file.
///
/// # Errors
/// When the file cannot be read or its extension says another format.
pub fn array(path: &Path) -> Result<Array, Error> {
    let place = || path.display().to_string();
    match extension(path).as_str() {
        "npy" => npy::read(open(path)?).map_err(|fault| Error::Npy { place: place(), fault }),
        "csv" => csv::matrix(open(path)?).map_err(|fault| Error::Csv { place: place(), fault }),
        "npz" => Err(Error::Archive { path: place() }),
        _ => Err(Error::Extension { path: place(), accepted: ".npy or .csv" }),
    }
}

/// A shape as NumPy prints it.
pub(crate) fn tuple(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => {
            let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
            format!("({})", lengths.join(", "))
        }
    }
}

impl Array {
    fn misshapen(&self, place: &str, expected: &'static str) -> Error {
        Error::Shape { place: place.to_owned(), expected, got: tuple(&self.shape) }
    }

    /// The elements of a vector; a single column or a single row counts as one.
    ///
    /// # Errors
    /// When the array has another shape.
    pub fn into_vector(self, place: &str) -> Result<Vec<f64>, Error> {
        match self.shape[..] {
            [_] | [_, 1] | [1, _] => Ok(self.values),
            _ => Err(self.misshapen(place, "(m,)")),
        }
    }

    /// The elements as a matrix.
    ///
    /// # Errors
    /// When the array has another number of dimensions, or one of length 0.
    pub fn into_matrix(self, place: &str) -> Result<Mat<f64>, Error> {
        match self.shape[..] {
            [rows, cols] if rows > 0 && cols > 0 => {
                Ok(Mat::from_fn(rows, cols, |i, j| self.values[i * cols + j]))
            }
            _ => Err(self.misshapen(place, "(d1, d2) with at least one row and one column")),
        }
    }

    /// Sizes `d1`, `d2` and the elements of a stack of `m` matrices.
    ///
    /// # Errors
    /// When the array has another number of dimensions, or one of length 0.
    pub fn into_stack(self, place: &str) -> Result<(usize, usize, Vec<f64>), Error> {
        match self.shape[..] {
            [m, rows, cols] if m > 0 && rows > 0 && cols > 0 => Ok((rows, cols, self.values)),
            _ => Err(self.misshapen(place, "(m, d1, d2) with every length at least 1")),
        }
    }

    /// The elements of a vector of indices.
    ///
    /// # Errors
    /// When the array is not a vector, or an element is not a whole number from 0 on (the error
    /// names it).
    pub fn into_indices(self, place: &str) -> Result<Vec<usize>, Error> {
        let values = self.into_vector(place)?;
        let index = |(position, &value): (usize, &f64)| {
            whole(value).ok_or_else(|| Error::Index { place: place.to_owned(), position, value })
        };
        values.iter().enumerate().map(index).collect()
    }
}

/// A number as an index: whole, not negative, and exact in double precision.
pub(crate) fn whole(value: f64) -> Option<usize> {
    let exact = value >= 0.0 && value < (1_u64 << 53) as f64 && value.fract() == 0.0;
    exact.then_some(value as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeros(shape: &[usize]) -> Array {
        Array { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] }
    }

    #[test]
    fn shapes_are_checked() {
        assert_eq!(zeros(&[3, 1]).into_vector("b").unwrap().len(), 3);
        assert!(zeros(&[3, 2]).into_vector("b").unwrap_err().to_string().contains("(3, 2)"));
        assert!(zeros(&[]).into_vector("b").is_err());
        assert!(zeros(&[4]).into_matrix("x").is_err());
        assert!(zeros(&[0, 4]).into_matrix("x").is_err());
        assert!(zeros(&[3, 0, 4]).into_stack("a").is_err());
        assert_eq!(zeros(&[3, 2, 4]).into_stack("a").unwrap().1, 4);
    }

    #[test]
    fn indices_are_whole() {
        let indices = |v: f64| Array { shape: vec![2], values: vec![0.0, v] }.into_indices("row");
        assert_eq!(indices(7.0).unwrap(), [0, 7]);
        for bad in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert!(matches!(indices(bad), Err(Error::Index { position: 1, .. })), "{bad}");
        }
    }
}
