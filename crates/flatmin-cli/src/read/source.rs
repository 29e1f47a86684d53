//! Several named arrays, from a file each or from one `.npz` archive.

use super::npz::Archive;
use super::{Array, array};
use crate::Error;
use std::path::{Path, PathBuf};

/// Where the arrays of a problem lie.
#[derive(Debug)]
pub struct Source {
    archive: Option<Archive>,
    /// The files opened so far.
    files: Vec<String>,
}

/// An array and where it lies, for messages.
#[derive(Debug)]
pub struct Named {
    array: Array,
    place: String,
}

impl Source {
    /// The archive, when there is one; separate files otherwise.
    ///
    /// # Errors
    /// When the archive cannot be opened.
    pub fn open(data: Option<&Path>) -> Result<Source, Error> {
        let archive = data.map(Archive::open).transpose()?;
        let files = data.iter().map(|path| path.display().to_string()).collect();
        Ok(Source { archive, files })
    }

    /// The array of a field: that of the archive, or else of the file of the option of that name.
    ///
    /// # Errors
    /// When there is neither, or it cannot be read.
    pub fn array(&mut self, field: &str, file: Option<&PathBuf>) -> Result<Named, Error> {
        match (&mut self.archive, file) {
            (Some(archive), _) => {
                Ok(Named { place: archive.place(field), array: archive.read(field)? })
            }
            (None, Some(path)) => {
                let named = Named { place: path.display().to_string(), array: array(path)? };
                self.files.push(named.place.clone());
                Ok(named)
            }
            (None, None) => Err(Error::NoData { options: format!("--{field}, or --data") }),
        }
    }

    /// The array of a field that an archive may have or not; none without an archive.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn optional(&mut self, field: &str) -> Result<Option<Named>, Error> {
        match &mut self.archive {
            Some(archive) if archive.has(field) => {
                Ok(Some(Named { place: archive.place(field), array: archive.read(field)? }))
            }
            _ => Ok(None),
        }
    }

    /// All files that were read, for messages.
    pub fn place(self) -> String {
        let mut files = self.files;
        match files.pop() {
            Some(last) if !files.is_empty() => format!("{} and {last}", files.join(", ")),
            last => last.unwrap_or_default(),
        }
    }
}

impl Named {
    /// The elements of a vector.
    ///
    /// # Errors
    /// As [`Array::into_vector`].
    pub fn into_vector(self) -> Result<Vec<f64>, Error> {
        self.array.into_vector(&self.place)
    }

    /// The number of an array with one element, whatever its dimensions, and where it lies.
    ///
    /// # Errors
    /// When there is another number of elements.
    pub fn into_number(self) -> Result<(f64, String), Error> {
        let Named { array: Array { shape, values }, place } = self;
        match values[..] {
            [value] => Ok((value, place)),
            _ => {
                let expected = "() for a single number";
                Err(Error::Shape { place, expected, got: super::tuple(&shape) })
            }
        }
    }

    /// Sizes `d1`, `d2` and the elements of a stack of matrices.
    ///
    /// # Errors
    /// As [`Array::into_stack`].
    pub fn into_stack(self) -> Result<(usize, usize, Vec<f64>), Error> {
        self.array.into_stack(&self.place)
    }

    /// Length `d` and the elements of an array of vectors, one a row: (m, d). Its elements must be
    /// finite.
    ///
    /// # Errors
    /// When the shape is another one, or an element is not finite (the error names it).
    pub fn into_vectors(self) -> Result<(usize, Vec<f64>), Error> {
        let Named { array: Array { shape, values }, place } = self;
        let [m, length] = shape[..] else {
            return Err(misshapen(place, &shape));
        };
        if m == 0 || length == 0 {
            return Err(misshapen(place, &shape));
        }
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok((length, values)),
            Some(n) => {
                let (row, col, value) = (n / length, n % length, values[n]);
                let remedy = "remove its row and its target, or replace it";
                Err(Error::Entry { place, row, col, value, remedy })
            }
        }
    }
}

fn misshapen(place: String, shape: &[usize]) -> Error {
    let expected = "(m, d) with every length at least 1";
    Error::Shape { place, expected, got: super::tuple(shape) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(shape: &[usize], values: &[f64]) -> Named {
        let array = Array { shape: shape.to_vec(), values: values.to_vec() };
        Named { array, place: "x.npy".into() }
    }

    #[test]
    fn vectors_are_rows_of_finite_numbers() {
        let (length, values) = named(&[2, 1], &[3.0, 4.0]).into_vectors().unwrap();
        assert_eq!((length, &values[..]), (1, &[3.0, 4.0][..]));
        for shape in [&[][..], &[4], &[0, 4], &[4, 0], &[1, 2, 2]] {
            let values = vec![1.0; shape.iter().product()];
            let said = named(shape, &values).into_vectors().unwrap_err().to_string();
            assert!(said.contains("x.npy") && said.contains("(m, d)"), "{said}");
        }
        let said = named(&[2, 2], &[1.0, 2.0, 3.0, f64::NAN]).into_vectors().unwrap_err();
        assert!(said.to_string().contains("entry (1, 1) is NaN"), "{said}");
    }

    #[test]
    fn places_are_listed() {
        let source = |files: &[&str]| Source {
            archive: None,
            files: files.iter().map(|f| f.to_string()).collect(),
        };
        assert_eq!(source(&["a"]).place(), "a");
        assert_eq!(source(&["a", "b", "c"]).place(), "a, b and c");
        assert_eq!(source(&[]).place(), "");
        let missing = source(&[]).array("targets", None).unwrap_err();
        assert!(missing.to_string().contains("--targets, or --data"), "{missing}");
    }
}
