//! What can be wrong with what the command is given: one line each, with the place and the remedy.

use crate::read::{csv, image, matrix_market, npy, npz, ratings};
use std::io;

/// A reason to end with exit code 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be opened, read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A directory where a file is wanted.
    #[error("{path} is a directory: give a file")]
    Directory {
        /// The directory.
        path: String,
    },
    /// A file of no bytes.
    #[error("{path} is empty: write it again")]
    EmptyFile {
        /// The file.
        path: String,
    },
    /// A format that does not fit the option.
    #[error("{path}: the extension must be {accepted}")]
    Extension {
        /// The file.
        path: String,
        /// The extensions that fit.
        accepted: &'static str,
    },
    /// An archive where a single array is wanted.
    #[error("{path} is an archive: give it as --data, or save this array alone as .npy")]
    Archive {
        /// The file.
        path: String,
    },
    /// A faulty `.npy` file.
    #[error("{place}: {fault}")]
    Npy {
        /// The file.
        place: String,
        /// What is wrong.
        fault: npy::Fault,
    },
    /// A faulty `.npz` archive.
    #[error("{place}: {fault}")]
    Npz {
        /// The file.
        place: String,
        /// What is wrong.
        fault: npz::Fault,
    },
    /// A faulty `.csv` file.
    #[error("{place}: {fault}")]
    Csv {
        /// The file.
        place: String,
        /// What is wrong.
        fault: csv::Fault,
    },
    /// Faulty ratings or pairs.
    #[error("{place}: {fault}")]
    Ratings {
        /// The file.
        place: String,
        /// What is wrong.
        fault: ratings::Fault,
    },
    /// A faulty `.mtx` file.
    #[error("{place}: {fault}")]
    MatrixMarket {
        /// The file.
        place: String,
        /// What is wrong.
        fault: matrix_market::Fault,
    },
    /// A faulty image.
    #[error("{place}: {fault}")]
    Image {
        /// The file.
        place: String,
        /// What is wrong.
        fault: image::Fault,
    },
    /// An array of the wrong shape.
    #[error("{place}: the shape must be {expected}, but is {got}")]
    Shape {
        /// The file and field.
        place: String,
        /// The shape it should have.
        expected: &'static str,
        /// The shape it has.
        got: String,
    },
    /// An index that is not a whole number from 0 on.
    #[error("{place}: element {position} is {value}, but indices are whole numbers from 0 on")]
    Index {
        /// The file and field.
        place: String,
        /// Position of the element, counted from 0.
        position: usize,
        /// The element.
        value: f64,
    },
    /// A value that is not a number where one is needed.
    #[error("{place}: entry ({row}, {col}) is {value}: {remedy}")]
    Entry {
        /// The file and field.
        place: String,
        /// Row of the entry, counted from 0.
        row: usize,
        /// Column of the entry, counted from 0.
        col: usize,
        /// The value.
        value: f64,
        /// What to do.
        remedy: &'static str,
    },
    /// A value in a stack of frames that is not a number where one is needed.
    #[error("{place}: pixel ({row}, {col}) of frame {frame} is {value}: {remedy}")]
    Pixel {
        /// The file and field.
        place: String,
        /// The frame, counted from 0.
        frame: usize,
        /// Row of the pixel, counted from 0.
        row: usize,
        /// Column of the pixel, counted from 0.
        col: usize,
        /// The value.
        value: f64,
        /// What to do.
        remedy: &'static str,
    },
    /// A mask that is not as large as what it masks.
    #[error("{place}: the mask is {got}, but what it masks is {expected}: make them equal")]
    Mask {
        /// The file and field.
        place: String,
        /// Size of what is masked.
        expected: String,
        /// Size of the mask.
        got: String,
    },
    /// An image that is to be completed without word of what is missing.
    #[error("{path}: an image has no holes: say with --mask which of its pixels are seen")]
    Unmasked {
        /// The image.
        path: String,
    },
    /// Factors of a symmetric matrix that are not equal up to the signs of their columns.
    #[error(
        "{place}: column {column} of R must be that of L or its negative, since X = L R^T is \
         symmetric with R = L diag(+-1): give the factors that `flatmin recover` writes"
    )]
    Asymmetric {
        /// The files of the factors.
        place: String,
        /// The column, counted from 0.
        column: usize,
    },
    /// Lists that belong together and differ in length.
    #[error("{place}: the length must be {expected}, that of the field `row`, but is {got}")]
    Lengths {
        /// The file and field.
        place: String,
        /// The length it should have.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// A matrix all of whose entries are missing.
    #[error("{place}: no entry is seen: give at least one")]
    NothingSeen {
        /// The file and field.
        place: String,
    },
    /// No option says where the data are.
    #[error("no data: give {options}")]
    NoData {
        /// The options.
        options: String,
    },
    /// Two sizes for one matrix.
    #[error("{place}: the matrix is {stated}, but --shape says {asked}: leave --shape out")]
    ShapeConflict {
        /// The file.
        place: String,
        /// Size that the file states.
        stated: String,
        /// Size that the option states.
        asked: String,
    },
    /// A size for what labels make up.
    #[error(
        "{place}: the ids are labels, which make up the matrix: leave --shape out, or say --ids index"
    )]
    LabelledShape {
        /// The file.
        place: String,
    },
    /// A matrix too large to hold, which one wrong index suffices for.
    #[error(
        "{place}: the entries span a {rows} x {cols} matrix, more than the {limit} entries that \
         are supported: check the largest row and column index (ids that are none: --ids label)"
    )]
    TooLarge {
        /// The file.
        place: String,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// The largest number of entries.
        limit: usize,
    },
    /// A matrix too large to write as a whole.
    #[error(
        "{place}: X is {rows} x {cols}, more than the {limit} entries that are written: give --factors \
         or --predict instead of --out"
    )]
    TooWide {
        /// The file.
        place: String,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// The largest number of entries.
        limit: usize,
    },
    /// A setting that the solvers refuse.
    #[error(transparent)]
    Setting(flatmin::core::Error),
    /// The setting of one option that is refused.
    #[error("{option}: {source}")]
    Option {
        /// The option.
        option: &'static str,
        /// The reason.
        source: flatmin::core::Error,
    },
    /// A problem that the solvers refuse.
    #[error("{place}: {source}")]
    Problem {
        /// The files it came from.
        place: String,
        /// Their reason.
        source: flatmin::core::Error,
    },
    /// Pictures of frames, asked of what is no stack of frames.
    #[error(
        "{place}: the shape is {got}, but --frames-out is for a stack of frames (n, h, w): leave it \
         out"
    )]
    NoFrames {
        /// The file.
        place: String,
        /// The shape it has.
        got: String,
    },
    /// A stack of frames, asked to be written where only a matrix or a picture can be.
    #[error(
        "{path}: a stack of frames (n, h, w) is written as .npy, or as pictures with --frames-out DIR"
    )]
    StackFormat {
        /// The file.
        path: String,
    },
    /// A file where a directory is wanted.
    #[error("{path} is a file: give a directory")]
    NotDirectory {
        /// The file.
        path: String,
    },
    /// No number of factors.
    #[error(
        "{place}: {value} is no depth: give a whole number from 2 on, or inf (with one factor all \
         solutions are equally flat)"
    )]
    Depth {
        /// Where it lies.
        place: String,
        /// What is there.
        value: f64,
    },
    /// As many files as neither fit one array of all factors nor a file each.
    #[error("--factors: give one file for all {factors} factors, or {factors} files, not {files}")]
    FactorFiles {
        /// Number of factors.
        factors: usize,
        /// Number of files.
        files: usize,
    },
    /// Options that make no sense together.
    #[error("{option} {rule}")]
    Combination {
        /// The option.
        option: &'static str,
        /// What it goes with.
        rule: &'static str,
    },
    /// A row asked for by what is no index.
    #[error(
        "--top-for {id}: rows are indices, whole numbers from 0 on (any other id: --ids label)"
    )]
    NoRow {
        /// What was given.
        id: String,
    },
    /// An output that would replace what is read.
    #[error("{path} is read, and would be written over: give the output another name")]
    OverInput {
        /// The path of the output.
        path: String,
    },
    /// Two outputs with one path.
    #[error("{path} is named for two outputs: give each its own file")]
    SamePath {
        /// The path.
        path: String,
    },
}

impl Error {
    /// An element, counted in C order, of a matrix or of a stack of frames.
    pub(crate) fn of_element(
        place: String,
        shape: &[usize],
        index: usize,
        value: f64,
        remedy: &'static str,
    ) -> Error {
        let cols = shape.last().copied().unwrap_or(1).max(1);
        let (row, col) = (index / cols, index % cols);
        match *shape {
            [_, height, _] if height > 0 => {
                let (frame, row) = (row / height, row % height);
                Error::Pixel { place, frame, row, col, value, remedy }
            }
            _ => Error::Entry { place, row, col, value, remedy },
        }
    }

    /// What a solver says about a problem from `place`.
    pub(crate) fn of_problem(place: &str, source: flatmin::core::Error) -> Error {
        match source {
            flatmin::core::Error::Parameter { .. } => Error::Setting(source),
            _ => Error::Problem { place: place.to_owned(), source },
        }
    }
}
