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

    /// Reads a field.
    ///
    /// # Errors
    /// When it is not there (the error lists what is) or its array cannot be read.
    pub fn read(&mut self, field: &str) -> Result<Array, Error> {
        let place = self.path.clone();
        if !self.has(field) {
            let present = match self.fields() {
                none if none.is_empty() => "none".to_owned(),
                names => names.join(", "),
            };
            let fault = Fault::Missing { field: field.to_owned(), present };
            return Err(Error::Npz { place, fault });
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
