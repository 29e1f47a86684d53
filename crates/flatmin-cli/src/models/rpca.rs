//! Robust PCA: a matrix, perhaps with holes, a picture, or a stack of frames.
//!
//! A stack `(n, h, w)` of `n` frames becomes the `h w x n` matrix whose columns are the frames, pixel
//! row by pixel row, so that what stays still is of low rank.

use crate::Error;
use crate::read::image::{Layout, Picture};
use crate::read::{self, Array, Mask, extension, npz::Archive};
use clap::{ArgGroup, Args};
use flatmin::core::MatRef;
use flatmin::rpca::RobustPca;
use std::path::{Path, PathBuf};

/// Where the matrix of a robust PCA problem is.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["matrix", "data"]))]
pub struct RpcaFiles {
    /// The matrix Y: .npy or .csv with NaN (or empty) holes; an 8-bit grey or RGB .png, whose
    /// channels lie side by side as one d1 x 3 d2 matrix; or an .npz as with --data. An array of
    /// shape (n, h, w) is a stack of frames: Y is the h w x n matrix whose columns are the frames
    #[arg(long, value_name = "FILE")]
    pub matrix: Option<PathBuf>,
    /// Which entries of Y are seen: a .npy or .csv matrix or a .png of the same size, where nonzero
    /// means seen; for frames (n, h, w), or (h, w) for all of them [default: all that are not NaN]
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub mask: Option<PathBuf>,
    /// An .npz file with the field matrix, or a single array of two or three dimensions under
    /// another name, and optionally mask; further fields are not read
    #[arg(long, value_name = "FILE.npz")]
    pub data: Option<PathBuf>,
}

/// What the rows and columns of the matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// Those of a matrix or a picture.
    Matrix(Layout),
    /// Pixels, row by row, and frames.
    Frames {
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
}

/// A matrix or a stack of frames in memory, NaN where nothing is seen.
#[derive(Debug)]
pub struct Observed {
    array: Array,
    arrangement: Arrangement,
    place: String,
}

/// A robust PCA problem and where it came from.
#[derive(Debug)]
pub struct Split {
    problem: RobustPca,
    place: String,
}

impl RpcaFiles {
    /// Name of the model, as its subcommand.
    pub const NAME: &'static str = "rpca";

    /// The files that are read.
    pub fn inputs(&self) -> Vec<&Path> {
        [&self.matrix, &self.mask, &self.data].into_iter().flatten().map(PathBuf::as_path).collect()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, its array is neither a matrix nor a stack, or nothing in it is seen.
    pub fn read(&self) -> Result<Observed, Error> {
        let mask = self.mask.as_deref();
        match (&self.matrix, &self.data) {
            (Some(path), _) if extension(path) == "png" => picture(path, mask),
            (Some(path), _) if extension(path) == "npz" => archive(path, mask),
            (Some(path), _) => {
                let array = read::array(path)?;
                let mask = mask.map(Mask::read).transpose()?;
                Observed::new(array, mask, path.display().to_string())
            }
            (_, Some(path)) => archive(path, None),
            _ => Err(Error::NoData { options: "--matrix or --data".into() }),
        }
    }
}

/// The three channels of a picture share a mask.
fn picture(path: &Path, mask: Option<&Path>) -> Result<Observed, Error> {
    let picture = Picture::read(path)?;
    let (height, width) = (picture.height, picture.width);
    let matrix = picture.matrix();
    let cols = matrix.ncols();
    let mut values = Vec::with_capacity(height * cols);
    (0..height).for_each(|i| values.extend(matrix.row(i).iter()));
    if let Some(mask) = mask {
        let seen = Mask::read(mask)?.fit(&[&[height, width]])?;
        hide(&mut values, |n| seen[n / cols * width + n % cols % width]);
    }
    let array = Array { shape: vec![height, cols], values };
    let arrangement = Arrangement::Matrix(picture.layout);
    Observed { array, arrangement, place: path.display().to_string() }.checked()
}

/// The fields `matrix` and `mask`; a mask of its own file stands before that of the archive.
fn archive(path: &Path, mask: Option<&Path>) -> Result<Observed, Error> {
    let mut archive = Archive::open(path)?;
    let field = archive.field_or_only("matrix", &[2, 3], &["mask"])?;
    let place = archive.place(&field);
    let array = archive.read(&field)?;
    let mask = match mask {
        Some(path) => Some(Mask::read(path)?),
        None if archive.has("mask") => Some(Mask::of(archive.read("mask")?, archive.place("mask"))),
        None => None,
    };
    Observed::new(array, mask, place)
}

/// Makes NaN of what is not seen.
fn hide(values: &mut [f64], seen: impl Fn(usize) -> bool) {
    values.iter_mut().enumerate().filter(|(n, _)| !seen(*n)).for_each(|(_, v)| *v = f64::NAN);
}

impl Observed {
    /// An array from `place`, and which of its elements are seen.
    fn new(mut array: Array, mask: Option<Mask>, place: String) -> Result<Observed, Error> {
        let arrangement = match array.shape[..] {
            [rows, cols] if rows > 0 && cols > 0 => Arrangement::Matrix(Layout::Grey),
            [n, height, width] if n > 0 && height > 0 && width > 0 => {
                Arrangement::Frames { height, width }
            }
            _ => {
                let expected = "(d1, d2), or (n, h, w) for frames, with every length at least 1";
                return Err(Error::Shape { place, expected, got: read::tuple(&array.shape) });
            }
        };
        if let Some(mask) = mask {
            let whole = &array.shape[..];
            let seen = match arrangement {
                Arrangement::Matrix(_) => mask.fit(&[whole])?,
                Arrangement::Frames { height, width } => mask.fit(&[whole, &[height, width]])?,
            };
            // A mask of one frame serves all of them.
            let seen = |n: usize| seen[n % seen.len()];
            if let Some(n) =
                array.values.iter().enumerate().position(|(n, v)| seen(n) && v.is_nan())
            {
                let remedy = "the mask says that it is seen, so it must be finite";
                return Err(Error::of_element(place, whole, n, array.values[n], remedy));
            }
            hide(&mut array.values, seen);
        }
        Observed { array, arrangement, place }.checked()
    }

    /// The same, when something is seen and all of it is finite.
    fn checked(self) -> Result<Observed, Error> {
        let Observed { array: Array { shape, values }, place, .. } = &self;
        if let Some(n) = values.iter().position(|v| v.is_infinite()) {
            let remedy = "mark holes by NaN, everything else is finite";
            return Err(Error::of_element(place.clone(), shape, n, values[n], remedy));
        }
        match values.iter().all(|v| v.is_nan()) {
            true => Err(Error::NothingSeen { place: self.place }),
            false => Ok(self),
        }
    }

    /// The matrix `Y`, without a copy: frames in C order are columns one after the other.
    fn matrix(&self) -> MatRef<'_, f64> {
        let Array { shape, values } = &self.array;
        match self.arrangement {
            Arrangement::Matrix(_) => {
                MatRef::from_row_major_slice(values, shape[0], values.len() / shape[0])
            }
            Arrangement::Frames { height, width } => {
                MatRef::from_column_major_slice(values, height * width, shape[0])
            }
        }
    }

    /// What the rows and columns of the matrix are.
    pub fn arrangement(&self) -> Arrangement {
        self.arrangement
    }

    /// That it is no stack of frames, as an error.
    pub(crate) fn no_frames(&self) -> Error {
        Error::NoFrames { place: self.place.clone(), got: read::tuple(&self.array.shape) }
    }

    /// Poses the problem.
    ///
    /// # Errors
    /// None for what was read; what the model says otherwise.
    pub fn pose(self) -> Result<Split, Error> {
        match RobustPca::new(self.matrix()) {
            Ok(problem) => Ok(Split { problem, place: self.place }),
            Err(source) => Err(Error::Problem { place: self.place, source }),
        }
    }
}

impl Split {
    /// The problem.
    pub fn problem(&self) -> &RobustPca {
        &self.problem
    }

    /// Where the data came from, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_columns_and_pixels_are_rows() {
        let values = (0..12).map(f64::from).collect();
        let stack = Array { shape: vec![2, 3, 2], values };
        let one = Array { shape: vec![3, 2], values: vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0] };
        let mask = Mask::of(one, String::new());
        let observed = Observed::new(stack, Some(mask), String::new()).unwrap();
        let y = observed.matrix();
        assert_eq!((y.shape(), y[(3, 0)], y[(3, 1)]), ((6, 2), 3.0, 9.0));
        assert!(y[(4, 0)].is_nan() && y[(4, 1)].is_nan());
        let split = observed.pose().unwrap();
        assert_eq!((split.problem().shape(), split.problem().seen_entries()), ((6, 2), 10));
    }

    #[test]
    fn what_a_mask_hides_may_be_anything() {
        let matrix = |v: f64| Array { shape: vec![1, 3], values: vec![1.0, v, 2.0] };
        let mask = |v: f64| Some(Mask::of(matrix(v), String::new()));
        for hidden in [f64::INFINITY, f64::NAN, 7.0] {
            let observed = Observed::new(matrix(hidden), mask(0.0), String::new()).unwrap();
            assert_eq!(observed.pose().unwrap().problem().seen_entries(), 2);
        }
        for (seen, word) in [(f64::INFINITY, "is inf"), (f64::NAN, "is NaN")] {
            let said = Observed::new(matrix(seen), mask(1.0), String::new()).unwrap_err();
            let said = said.to_string();
            assert!(said.contains("entry (0, 1)") && said.contains(word), "{said}");
        }
    }
}
