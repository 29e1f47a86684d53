//! Writers: `.npy`, `.csv` and PNG, with every path checked before a solve starts.

mod frames;
mod table;

pub use frames::FrameFolder;
pub use table::{Prediction, Sink, predictions_to_stdout};

use crate::Error;
use crate::read::image::{Layout, Picture};
use crate::read::{extension, tuple};
use flatmin::core::MatRef;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A format, by the extension of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Npy,
    Csv,
    Png,
}

/// A file to be written.
#[derive(Debug, Clone)]
pub struct Output {
    path: PathBuf,
    format: Format,
}

impl Output {
    /// A file for numbers: `.npy` or `.csv`.
    ///
    /// # Errors
    /// When the extension is another one, or the file cannot be written.
    pub fn numbers(path: &Path) -> Result<Output, Error> {
        Output::checked(path, &[Format::Npy, Format::Csv], ".npy or .csv")
    }

    /// A file for a matrix that may be a picture: `.npy`, `.csv` or `.png`.
    ///
    /// # Errors
    /// When the extension is another one, or the file cannot be written.
    pub fn matrix_or_picture(path: &Path) -> Result<Output, Error> {
        Output::checked(path, &[Format::Npy, Format::Csv, Format::Png], ".npy, .csv or .png")
    }

    /// A file for a table: `.csv`.
    ///
    /// # Errors
    /// When the extension is another one, or the file cannot be written.
    pub fn table(path: &Path) -> Result<Output, Error> {
        Output::checked(path, &[Format::Csv], ".csv")
    }

    /// Files for a left and a right factor.
    ///
    /// # Errors
    /// As [`Output::numbers`].
    pub fn pair(paths: Option<&[PathBuf]>) -> Result<Option<[Output; 2]>, Error> {
        match paths {
            Some([left, right]) => Ok(Some([Output::numbers(left)?, Output::numbers(right)?])),
            _ => Ok(None),
        }
    }

    fn checked(path: &Path, formats: &[Format], accepted: &'static str) -> Result<Output, Error> {
        let format = match extension(path).as_str() {
            "npy" => Some(Format::Npy),
            "csv" => Some(Format::Csv),
            "png" => Some(Format::Png),
            _ => None,
        };
        let Some(format) = format.filter(|f| formats.contains(f)) else {
            return Err(Error::Extension { path: path.display().to_string(), accepted });
        };
        probe(path)?;
        Ok(Output { path: path.to_owned(), format })
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a matrix; as PNG, its values rounded and clipped to 0 to 255.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn matrix(&self, matrix: MatRef<'_, f64>, layout: Layout) -> Result<(), Error> {
        let (rows, cols) = matrix.shape();
        let elements = || (0..rows).flat_map(|i| (0..cols).map(move |j| matrix[(i, j)]));
        self.write(|out| match self.format {
            Format::Npy => npy(out, &[rows, cols], elements()),
            Format::Csv => csv(out, cols, elements()),
            Format::Png => png(out, &Picture::of(matrix, layout)),
        })
    }

    /// Checks that the format holds a stack of frames.
    ///
    /// # Errors
    /// When it holds matrices only.
    pub fn check_stack(&self) -> Result<(), Error> {
        match self.format {
            Format::Npy => Ok(()),
            _ => Err(Error::StackFormat { path: self.path.display().to_string() }),
        }
    }

    /// Writes a matrix whose columns are frames as a stack `(n, height, width)`.
    ///
    /// # Errors
    /// When the format holds no stack, or the file cannot be written.
    pub fn stack(&self, matrix: MatRef<'_, f64>, height: usize, width: usize) -> Result<(), Error> {
        self.check_stack()?;
        let elements = matrix.col_iter().flat_map(|frame| frame.iter().copied());
        self.write(|out| npy(out, &[matrix.ncols(), height, width], elements))
    }

    /// Writes a vector; as CSV, one element a line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn vector(&self, vector: &[f64]) -> Result<(), Error> {
        let column = MatRef::from_column_major_slice(vector, vector.len(), 1);
        match self.format {
            Format::Npy => self.write(|out| npy(out, &[vector.len()], vector.iter().copied())),
            _ => self.matrix(column, Layout::Grey),
        }
    }

    fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        let file = File::create(&self.path).map_err(|e| cannot_write(&self.path, e))?;
        let mut out = BufWriter::new(file);
        write(&mut out).and_then(|()| out.flush()).map_err(|e| cannot_write(&self.path, e))
    }
}

fn cannot_write(path: &Path, source: io::Error) -> Error {
    Error::Io { action: "write", path: path.display().to_string(), source }
}

/// Opens the file for writing without changing it; one that did not exist is removed again.
fn probe(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Error::Directory { path: path.display().to_string() })
        }
        // Opening a pipe would wait for its reader.
        Ok(metadata) if !metadata.is_file() => Ok(()),
        Ok(_) => match OpenOptions::new().append(true).open(path) {
            Ok(_) => Ok(()),
            Err(e) => Err(cannot_write(path, e)),
        },
        Err(_) => OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|_| fs::remove_file(path))
            .map_err(|e| cannot_write(path, e)),
    }
}

/// Checks that no two outputs are one file, and none is an input, under whatever names.
///
/// # Errors
/// Names an output that is another one or an input.
pub fn distinct<'a>(
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: &[&Path],
) -> Result<(), Error> {
    let inputs: Vec<PathBuf> = inputs.iter().map(|path| place(path)).collect();
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in outputs {
        let (shown, place) = (|| path.display().to_string(), place(path));
        if inputs.contains(&place) || inputs.iter().any(|input| is_same_file(input, &place)) {
            return Err(Error::OverInput { path: shown() });
        }
        if seen.contains(&place) {
            return Err(Error::SamePath { path: shown() });
        }
        seen.push(place);
    }
    Ok(())
}

/// Whether two paths are one file under two names.
#[cfg(unix)]
fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let node = |path| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
    node(a).is_some_and(|node_a| node(b) == Some(node_a))
}

/// Whether two paths are one file under two names: not seen on this system.
#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> bool {
    false
}

/// A path without links and detours; of a file that does not exist, by its folder.
fn place(path: &Path) -> PathBuf {
    let folder = || {
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    fs::canonicalize(path).ok().or_else(folder).unwrap_or_else(|| path.to_owned())
}

/// NumPy's format, version 1.0: little-endian float64 in C order.
///
/// ```
/// let mut bytes = Vec::new();
/// flatmin_cli::write::npy(&mut bytes, &[1, 2], [0.5, f64::NAN])?;
/// assert_eq!(bytes.len(), 128 + 16);
/// let array = flatmin_cli::read::npy::read(&bytes[..])?;
/// assert_eq!(array.shape, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of the writer.
pub fn npy(
    out: &mut dyn Write,
    shape: &[usize],
    elements: impl IntoIterator<Item = f64>,
) -> io::Result<()> {
    let shape = tuple(shape);
    let dict = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version, length, dict and a final newline fill a multiple of 64 bytes.
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&(length as u16).to_le_bytes())?;
    writeln!(out, "{dict:<width$}", width = length - 1)?;
    elements.into_iter().try_for_each(|v| out.write_all(&v.to_le_bytes()))
}

/// Rows of `cols` numbers, each in the fewest digits that read back to the same double.
fn csv(
    out: &mut dyn Write,
    cols: usize,
    elements: impl IntoIterator<Item = f64>,
) -> io::Result<()> {
    for (n, value) in elements.into_iter().enumerate() {
        let end = if (n + 1) % cols == 0 { "\n" } else { "," };
        write!(out, "{value:?}{end}")?;
    }
    Ok(())
}

fn png(out: &mut dyn Write, picture: &Picture) -> io::Result<()> {
    use image::ImageEncoder;
    use image::codecs::png::PngEncoder;
    let kind = match picture.layout {
        Layout::Grey => image::ExtendedColorType::L8,
        Layout::Rgb => image::ExtendedColorType::Rgb8,
    };
    let size = |n: usize| u32::try_from(n).map_err(io::Error::other);
    let (width, height) = (size(picture.width)?, size(picture.height)?);
    PngEncoder::new(out).write_image(&picture.pixels, width, height, kind).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    const HARD: [f64; 6] = [0.1, -1e-300, 1.7976931348623157e308, 5e-324, 1.0 / 3.0, -0.0];

    #[test]
    fn numbers_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let matrix = MatRef::from_row_major_slice(&HARD, 2, 3);
        for name in ["x.npy", "x.csv", "X.NPY"] {
            let output = Output::numbers(&folder.path().join(name)).unwrap();
            output.matrix(matrix, Layout::Grey).unwrap();
            let back = read::array(output.path()).unwrap();
            assert_eq!(back.shape, [2, 3]);
            assert_eq!(back.values.map_bits(), HARD.map(f64::to_bits));
            output.vector(&HARD).unwrap();
            let back = read::array(output.path()).unwrap().into_vector("x").unwrap();
            assert_eq!(back.map_bits(), HARD.map(f64::to_bits));
        }
    }

    trait MapBits {
        fn map_bits(&self) -> Vec<u64>;
    }
    impl MapBits for Vec<f64> {
        fn map_bits(&self) -> Vec<u64> {
            self.iter().map(|v| v.to_bits()).collect()
        }
    }

    /// The bytes are those that an independent implementation of the format reads.
    #[test]
    fn npy_is_read_by_others() {
        let mut bytes = Vec::new();
        npy(&mut bytes, &[3, 2], HARD).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!((file.shape(), file.order()), (&[3, 2][..], npyz::Order::C));
        assert_eq!(file.into_vec::<f64>().unwrap(), HARD);
        assert_eq!((bytes.len() - 48) % 64, 0);
    }

    #[test]
    fn pictures_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::matrix_or_picture(&folder.path().join("x.png")).unwrap();
        let row = [0.0, 10.4, 255.9, 1.0, 2.0, 3.0];
        let matrix = MatRef::from_row_major_slice(&row, 1, 6);
        for layout in [Layout::Grey, Layout::Rgb] {
            output.matrix(matrix, layout).unwrap();
            let picture = Picture::read(output.path()).unwrap();
            assert_eq!(picture.layout, layout);
            let back = picture.matrix();
            assert_eq!(back.shape(), (1, 6));
            assert_eq!([back[(0, 1)], back[(0, 2)], back[(0, 5)]], [10.0, 255.0, 3.0]);
        }
    }

    #[test]
    fn paths_are_checked_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        Output::numbers(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "kept").unwrap();
        let output = Output::numbers(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        assert!(matches!(
            distinct([output.path(), output.path()], &[]),
            Err(Error::SamePath { .. })
        ));
        let detour = folder.path().join("./x.npy");
        let twice = distinct([&*path, &detour], &[]);
        assert!(matches!(twice, Err(Error::SamePath { .. })));
        assert!(matches!(distinct([&*path], &[&detour]), Err(Error::OverInput { .. })));
        let none = folder.path().join("none/x.npy");
        assert!(matches!(Output::numbers(&none), Err(Error::Io { .. })));
        let png = Output::numbers(&folder.path().join("x.png"));
        assert!(matches!(png, Err(Error::Extension { .. })));
        let named = folder.path().join("folder.csv");
        fs::create_dir(&named).unwrap();
        assert!(matches!(Output::numbers(&named), Err(Error::Directory { .. })));
    }
}
