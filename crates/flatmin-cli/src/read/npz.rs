//! NumPy's `.npz` archives: a zip file with one `.npy` file a field, stored or deflated.

use super::{Array, npy, open};
use crate::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// What can be wrong with an `.npz` archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not a zip file, or a damaged one.
    #[error("not a whole .npz archive ({0}): write it with numpy.savez")]
    Archive(ZipError),
    /// A field that is needed is not there.
    #[error("has no field `{field}`; its fields are: {present}")]
    Missing {
        /// The field.
        field: String,
        /// The fields that it has.
        present: String,
    },
    /// The array of a field cannot be read.
    #[error("field `{field}`: {fault}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong with its array.
        fault: npy::Fault,
    },
}

/// An archive, opened.
#[derive(Debug)]
pub struct Archive {
    path: String,
    zip: ZipArchive<BufReader<File>>,
}

impl Archive {
    /// Opens an archive and reads its directory.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a zip archive.
    pub fn open(path: &Path) -> Result<Archive, Error> {
        let file = open(path)?;
        let path = path.display().to_string();
        match ZipArchive::new(file) {
            Ok(zip) => Ok(Archive { path, zip }),
            Err(fault) => Err(Error::Npz { place: path, fault: Fault::Archive(fault) }),
        }
    }

    /// Whether a field is there.
    pub fn has(&self, field: &str) -> bool {
        self.zip.index_for_name(&format!("{field}.npy")).is_some()
    }

    /// Names of the fields, in the archive's order.
    pub fn fields(&self) -> Vec<String> {
        let names = self.zip.file_names().filter_map(Result::ok);
        names.map(|n| n.strip_suffix(".npy").unwrap_or(&n).to_owned()).collect()
    }

    /// The field of that name, or else the only one with one of these numbers of dimensions, those
    /// to be left out aside.
    ///
    /// # Errors
    /// When it is not there and no or several others could be meant (the error lists the fields).
    pub fn field_or_only(
        &mut self,
        field: &str,
        dimensions: &[usize],
        aside: &[&str],
    ) -> Result<String, Error> {
        if self.has(field) {
            return Ok(field.to_owned());
        }
        let mut names = self.fields();
        names.retain(|name| !aside.contains(&&name[..]));
        names.retain(|name| {
            let entry = self.zip.by_name(&format!("{name}.npy")).ok();
            let shape = entry.and_then(|entry| npy::shape(entry).ok());
            shape.is_some_and(|shape| dimensions.contains(&shape.len()))
        });
        match names.pop() {
            Some(only) if names.is_empty() => Ok(only),
            _ => Err(self.missing(field)),
        }
    }

    fn missing(&self, field: &str) -> Error {
        let present = match self.fields() {
            none if none.is_empty() => "none".to_owned(),
            names => names.join(", "),
        };
        let fault = Fault::Missing { field: field.to_owned(), present };
        Error::Npz { place: self.path.clone(), fault }
    }

    /// Reads a field.
    ///
    /// # Errors
    /// When it is not there (the error lists what is) or its array cannot be read.
    pub fn read(&mut self, field: &str) -> Result<Array, Error> {
        let place = self.path.clone();
        if !self.has(field) {
            return Err(self.missing(field));
        }
        let entry = match self.zip.by_name(&format!("{field}.npy")) {
            Ok(entry) => entry,
            Err(fault) => {
                return Err(Error::Npz { place, fault: Fault::Archive(fault) });
            }
        };
        npy::read(entry).map_err(|fault| {
            let field = field.to_owned();
            Error::Npz { place, fault: Fault::Field { field, fault } }
        })
    }

    /// Where a field lies, for messages.
    pub fn place(&self, field: &str) -> String {
        format!("{}, field `{field}`", self.path)
    }
}
