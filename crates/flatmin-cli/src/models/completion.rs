//! Matrix completion: a list of seen entries, a matrix with holes, or a picture with a mask.

use super::{Model, Posed};
use crate::Error;
use crate::read::image::{Layout, Picture};
use crate::read::ratings::{self, IdKind, Ids, Labels, Side};
use crate::read::{self, Mask, Triplets, extension, matrix_market, npz::Archive, open, whole};
use clap::{ArgGroup, Args};
use flatmin::completion::Completion;
use flatmin::core::MatRef;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Matrices with more entries than this are refused, unless labels make them up: one mistyped index
/// would ask for all memory.
pub const MOST_ENTRIES: usize = 1 << 30;

/// Where the data of a completion problem are.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["entries", "matrix", "data"]))]
pub struct CompletionFiles {
    /// Seen entries, row,col,value a line. A .csv file of indices from 0, header optional; ratings
    /// with ids of any kind (see --ids): .csv with a header such as userId,movieId,rating, tabs
    /// (u.data, .tsv) or :: (ratings.dat), where columns after the third are passed over; a
    /// MatrixMarket .mtx file (coordinate; indices from 1); or an .npz file with the fields row, col,
    /// val, shape
    #[arg(long, value_name = "FILE")]
    pub entries: Option<PathBuf>,
    /// What the ids in --entries are: rows and columns counted from 0, or labels, any text, counted in
    /// order of first appearance. Auto takes for indices what stands in a .csv of three columns, with
    /// no header or one that names row,col or user,item, and is all numbers
    #[arg(
        long,
        value_enum,
        default_value_t = IdKind::Auto,
        hide_possible_values = true,
        value_name = "auto|index|label",
        conflicts_with = "matrix"
    )]
    pub ids: IdKind,
    /// Rows and columns of the matrix, where the file of entries does not state them [default: up
    /// to the largest indices]
    #[arg(long, value_name = "D1,D2", conflicts_with_all = ["matrix", "data"])]
    pub shape: Option<Shape>,
    /// A matrix: .npy or .csv with NaN (or empty) holes, or an 8-bit grey or RGB .png with --mask.
    /// The channels of an RGB image are completed together, side by side as one d1 x 3 d2 matrix
    #[arg(long, value_name = "FILE")]
    pub matrix: Option<PathBuf>,
    /// Which entries of the matrix are seen: a .npy or .csv matrix or a .png of the same size,
    /// where nonzero means seen
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entries", "data"])]
    pub mask: Option<PathBuf>,
    /// An .npz file with the fields row, col, val, shape, or matrix and optionally mask
    #[arg(long, value_name = "FILE.npz")]
    pub data: Option<PathBuf>,
}

/// Rows and columns, written `D1,D2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape(pub usize, pub usize);

/// Not two positive whole numbers.
#[derive(Debug, thiserror::Error)]
#[error("give two positive whole numbers, as in 100,80")]
pub struct ShapeSyntax;

impl FromStr for Shape {
    type Err = ShapeSyntax;

    fn from_str(text: &str) -> Result<Shape, ShapeSyntax> {
        let (rows, cols) = text.split_once(',').ok_or(ShapeSyntax)?;
        match (rows.trim().parse(), cols.trim().parse()) {
            (Ok(rows), Ok(cols)) if rows > 0 && cols > 0 => Ok(Shape(rows, cols)),
            _ => Err(ShapeSyntax),
        }
    }
}

/// The data of a completion problem.
#[derive(Debug)]
pub struct Arrays {
    entries: Triplets,
    shape: (usize, usize),
    layout: Layout,
    place: String,
    ids: Ids,
    warnings: Vec<String>,
}

impl Arrays {
    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Where the entries came from, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Takes out the ids of the rows and columns, and what the reader of the answer should know of
    /// how they were read.
    pub fn take_ids(&mut self) -> (Ids, Vec<String>) {
        (std::mem::replace(&mut self.ids, Ids::INDICES), std::mem::take(&mut self.warnings))
    }
}

impl Model for CompletionFiles {
    const NAME: &'static str = "completion";
    type Arrays = Arrays;
    type Problem = Posed<Completion>;

    fn inputs(&self) -> Vec<&Path> {
        [&self.entries, &self.matrix, &self.mask, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    fn read(&self) -> Result<Arrays, Error> {
        match (&self.entries, &self.matrix, &self.data) {
            (Some(path), ..) => entries_of_file(path, self.shape, self.ids),
            (_, Some(path), _) if extension(path) == "png" => {
                let place = path.display().to_string();
                let Some(mask) = &self.mask else {
                    return Err(Error::Unmasked { path: place });
                };
                let picture = Picture::read(path)?;
                let (height, width) = (picture.height, picture.width);
                let seen = Mask::read(mask)?.fit(&[&[height, width]])?;
                let pixels = picture.matrix();
                // One mask serves every channel.
                let seen = |i, j| seen[i * width + j % width];
                seen_entries(pixels.as_ref(), seen, picture.layout, place)
            }
            (_, Some(path), _) => {
                let place = path.display().to_string();
                let matrix = read::array(path)?.into_matrix(&place)?;
                match &self.mask {
                    None => holey_entries(matrix.as_ref(), place),
                    Some(mask) => masked_entries(matrix.as_ref(), Mask::read(mask)?, place),
                }
            }
            (_, _, Some(path)) => {
                let mut archive = Archive::open(path)?;
                if archive.has("row") || !archive.has("matrix") {
                    return entries_of_archive(&mut archive, path, None, self.ids);
                }
                let place = archive.place("matrix");
                let matrix = archive.read("matrix")?.into_matrix(&place)?;
                if !archive.has("mask") {
                    return holey_entries(matrix.as_ref(), place);
                }
                let mask = archive.place("mask");
                let mask = Mask::of(archive.read("mask")?, mask);
                masked_entries(matrix.as_ref(), mask, place)
            }
            _ => Err(Error::NoData { options: "--entries, --matrix or --data".into() }),
        }
    }

    fn pose(arrays: Arrays) -> Result<Posed<Completion>, Error> {
        let Arrays { entries, shape: (rows, cols), layout, place, .. } = arrays;
        let problem = Completion::new(rows, cols, &entries.rows, &entries.cols, entries.values);
        Ok(Posed::new(problem, place)?.with_layout(layout))
    }
}

fn entries_of_file(path: &Path, asked: Option<Shape>, ids: IdKind) -> Result<Arrays, Error> {
    let place = path.display().to_string();
    match extension(path).as_str() {
        kind @ ("csv" | "tsv" | "data" | "dat") => {
            let read = ratings::entries(open(path)?, kind, ids)
                .map_err(|fault| Error::Ratings { place: place.clone(), fault })?;
            let warnings = read.warnings;
            match read.ids.are_labels() {
                true => Ok(Arrays { warnings, ..labelled(read.entries, read.ids, asked, place)? }),
                false => Ok(Arrays { warnings, ..sized(read.entries, asked, place)? }),
            }
        }
        "mtx" => {
            let entries = matrix_market::entries(open(path)?)
                .map_err(|fault| Error::MatrixMarket { place: place.clone(), fault })?;
            match ids {
                IdKind::Label => relabelled(entries, 1, asked, place),
                _ => sized(entries, asked, format!("{place} (counted from 0)")),
            }
        }
        "npz" => entries_of_archive(&mut Archive::open(path)?, path, asked, ids),
        _ => {
            let accepted = ".csv, .mtx or .npz, or for ratings .tsv, .data or .dat";
            Err(Error::Extension { path: place, accepted })
        }
    }
}

/// The fields row, col, val and shape; the last may be missing when the shape was asked for.
fn entries_of_archive(
    archive: &mut Archive,
    path: &Path,
    asked: Option<Shape>,
    ids: IdKind,
) -> Result<Arrays, Error> {
    let [row, col, val] = ["row", "col", "val"].map(|field| archive.place(field));
    let rows = archive.read("row")?.into_indices(&row)?;
    let cols = archive.read("col")?.into_indices(&col)?;
    let values = archive.read("val")?.into_vector(&val)?;
    for (place, got) in [(&col, cols.len()), (&val, values.len())] {
        if got != rows.len() {
            let expected = rows.len();
            return Err(Error::Lengths { place: place.clone(), expected, got });
        }
    }
    if ids == IdKind::Label {
        let entries = Triplets { rows, cols, values, shape: None };
        return relabelled(entries, 0, asked, path.display().to_string());
    }
    let shape = if archive.has("shape") || asked.is_none() {
        let place = archive.place("shape");
        let array = archive.read("shape")?;
        match array.values[..] {
            [d1, d2] => match (whole(d1), whole(d2)) {
                (Some(d1), Some(d2)) => Some((d1, d2)),
                (Some(_), None) => {
                    return Err(Error::Index { place, position: 1, value: d2 });
                }
                (None, _) => {
                    return Err(Error::Index { place, position: 0, value: d1 });
                }
            },
            _ => {
                let got = read::tuple(&array.shape);
                return Err(Error::Shape { place, expected: "(2,)", got });
            }
        }
    } else {
        None
    };
    sized(Triplets { rows, cols, values, shape }, asked, path.display().to_string())
}

/// Settles the size of the matrix: what the file states, what was asked for, or the largest indices.
fn sized(entries: Triplets, asked: Option<Shape>, place: String) -> Result<Arrays, Error> {
    let asked = asked.map(|Shape(rows, cols)| (rows, cols));
    let shape = match (entries.shape, asked) {
        (Some(stated), Some(asked)) if stated != asked => {
            let shown = |(rows, cols): (usize, usize)| format!("{rows} x {cols}");
            return Err(Error::ShapeConflict { place, stated: shown(stated), asked: shown(asked) });
        }
        (Some(shape), _) | (None, Some(shape)) => shape,
        (None, None) => {
            let largest = |indices: &[usize]| indices.iter().max().map_or(0, |&i| i + 1);
            (largest(&entries.rows), largest(&entries.cols))
        }
    };
    let (rows, cols) = shape;
    match rows.checked_mul(cols) {
        Some(n) if n.max(rows).max(cols) <= MOST_ENTRIES => {
            let (ids, warnings) = (Ids::INDICES, Vec::new());
            Ok(Arrays { entries, shape, layout: Layout::Grey, place, ids, warnings })
        }
        _ => Err(Error::TooLarge { place, rows, cols, limit: MOST_ENTRIES }),
    }
}

/// Entries whose indices stand for labels: those make up the matrix.
fn labelled(
    entries: Triplets,
    ids: Ids,
    asked: Option<Shape>,
    place: String,
) -> Result<Arrays, Error> {
    let (Side::Labels(rows), Side::Labels(cols), None) = (&ids.rows, &ids.cols, asked) else {
        return Err(Error::LabelledShape { place });
    };
    let shape = (rows.names().len(), cols.names().len());
    Ok(Arrays { entries, shape, layout: Layout::Grey, place, ids, warnings: Vec::new() })
}

/// Whole numbers, `first` and up in the file, as labels.
fn relabelled(
    mut entries: Triplets,
    first: usize,
    asked: Option<Shape>,
    place: String,
) -> Result<Arrays, Error> {
    let relabel = |indices: &mut [usize]| {
        let mut labels = Labels::default();
        for index in indices {
            *index = labels.index(&(*index + first).to_string());
        }
        Side::Labels(labels)
    };
    let ids = Ids { rows: relabel(&mut entries.rows), cols: relabel(&mut entries.cols) };
    labelled(entries, ids, asked, place)
}

/// An error that names the first entry that is bad.
fn find_entry(
    matrix: MatRef<'_, f64>,
    bad: impl Fn(f64, usize, usize) -> bool,
    place: &str,
    remedy: &'static str,
) -> Result<(), Error> {
    for row in 0..matrix.nrows() {
        for col in 0..matrix.ncols() {
            let value = matrix[(row, col)];
            if bad(value, row, col) {
                return Err(Error::Entry { place: place.to_owned(), row, col, value, remedy });
            }
        }
    }
    Ok(())
}

fn holey_entries(matrix: MatRef<'_, f64>, place: String) -> Result<Arrays, Error> {
    let remedy = "mark holes by NaN, everything else is finite";
    find_entry(matrix, |v, _, _| v.is_infinite(), &place, remedy)?;
    seen_entries(matrix, |i, j| !matrix[(i, j)].is_nan(), Layout::Grey, place)
}

fn masked_entries(matrix: MatRef<'_, f64>, mask: Mask, place: String) -> Result<Arrays, Error> {
    let (rows, cols) = matrix.shape();
    let seen = mask.fit(&[&[rows, cols]])?;
    let seen = |i, j| seen[i * cols + j];
    let remedy = "the mask says that it is seen, so it must be finite";
    find_entry(matrix, |v, i, j| seen(i, j) && !v.is_finite(), &place, remedy)?;
    seen_entries(matrix, seen, Layout::Grey, place)
}

/// The entries that are seen, in row-major order.
fn seen_entries(
    matrix: MatRef<'_, f64>,
    seen: impl Fn(usize, usize) -> bool,
    layout: Layout,
    place: String,
) -> Result<Arrays, Error> {
    let mut entries = Triplets::default();
    for i in 0..matrix.nrows() {
        for j in 0..matrix.ncols() {
            if seen(i, j) {
                entries.push(i, j, matrix[(i, j)]);
            }
        }
    }
    if entries.values.is_empty() {
        return Err(Error::NothingSeen { place });
    }
    let (ids, warnings) = (Ids::INDICES, Vec::new());
    Ok(Arrays { entries, shape: matrix.shape(), layout, place, ids, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_two_positive_numbers() {
        assert_eq!("3,40".parse::<Shape>().unwrap(), Shape(3, 40));
        for bad in ["3", "3,", "0,4", "3,-4", "3x4", "3,4,5", "99999999999999999999,1"] {
            assert!(bad.parse::<Shape>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_come_from_file_option_or_indices() {
        let entries = |shape| Triplets { rows: vec![4], cols: vec![1], values: vec![1.0], shape };
        let size = |stated, asked| sized(entries(stated), asked, String::new()).map(|a| a.shape);
        assert_eq!(size(None, None).unwrap(), (5, 2));
        assert_eq!(size(None, Some(Shape(9, 9))).unwrap(), (9, 9));
        assert_eq!(size(Some((6, 7)), None).unwrap(), (6, 7));
        assert_eq!(size(Some((6, 7)), Some(Shape(6, 7))).unwrap(), (6, 7));
        let conflict = size(Some((6, 7)), Some(Shape(7, 6)));
        assert!(matches!(conflict, Err(Error::ShapeConflict { .. })));
        assert!(matches!(size(Some((1 << 20, 1 << 20)), None), Err(Error::TooLarge { .. })));
        assert!(matches!(size(Some((usize::MAX, 2)), None), Err(Error::TooLarge { .. })));
        assert!(matches!(size(Some((usize::MAX, 0)), None), Err(Error::TooLarge { .. })));
    }
}
