//! MatrixMarket coordinate files: `row col value` a line, indices counted from 1.
//!
//! Reference: Boisvert, Pozo, Remington, *The Matrix Market exchange formats* (NISTIR 5935, 1996).
//! Real and integer matrices are read, general, symmetric and skew-symmetric; of the last two each
//! stored entry off the diagonal is followed by its mirror image.

use super::Triplets;
use std::io::{self, BufRead};

/// What can be wrong with a `.mtx` file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It could not be read as text.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It does not start as the format does.
    #[error("not a MatrixMarket file: its first line must start with %%MatrixMarket matrix")]
    Banner,
    /// A kind of matrix that is not read.
    #[error(
        "a MatrixMarket matrix of kind `{kind}` is not read: write it as coordinate real general"
    )]
    Kind {
        /// The words of the banner.
        kind: String,
    },
    /// The line of sizes is missing or wrong.
    #[error("line {line}: `{text}` is not the sizes: rows, columns, entries")]
    Sizes {
        /// Line, counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A line that is not an entry.
    #[error("line {line}: `{text}` is not `row col value`")]
    Entry {
        /// Line, counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// An entry outside the matrix.
    #[error(
        "line {line}: entry ({row}, {col}) lies outside the {rows} x {cols} matrix \
         (this format counts from 1)"
    )]
    OutOfRange {
        /// Line, counted from 1.
        line: usize,
        /// Row, counted from 1.
        row: usize,
        /// Column, counted from 1.
        col: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        cols: usize,
    },
    /// An entry above the diagonal of a matrix stored by its lower triangle.
    #[error("line {line}: `{text}`: a {symmetry} matrix is stored by its lower triangle")]
    Triangle {
        /// Line, counted from 1.
        line: usize,
        /// The line.
        text: String,
        /// The symmetry.
        symmetry: String,
    },
    /// A value that is NaN or infinite.
    #[error("line {line}: `{text}`: the value is not finite, remove the entry")]
    NotFinite {
        /// Line, counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// Another number of entries than stated.
    #[error("{expected} entries are announced, but {got} follow: the file is damaged")]
    Count {
        /// Entries announced.
        expected: usize,
        /// Entries found.
        got: usize,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

fn banner(line: &str) -> Result<Symmetry, Fault> {
    let line = line.to_lowercase();
    let mut words = line.split_whitespace();
    if words.next() != Some("%%matrixmarket") || words.next() != Some("matrix") {
        return Err(Fault::Banner);
    }
    let kind: Vec<&str> = words.collect();
    match kind[..] {
        ["coordinate", "real" | "integer", symmetry] => match symmetry {
            "general" => Ok(Symmetry::General),
            "symmetric" => Ok(Symmetry::Symmetric),
            "skew-symmetric" => Ok(Symmetry::Skew),
            _ => Err(Fault::Kind { kind: clipped(&kind.join(" ")) }),
        },
        _ => Err(Fault::Kind { kind: clipped(&kind.join(" ")) }),
    }
}

fn clipped(text: &str) -> String {
    text.trim().chars().take(60).flat_map(char::escape_debug).collect()
}

/// Reads the entries of a coordinate file; the positions returned count from 0.
///
/// ```
/// let text = "%%MatrixMarket matrix coordinate real general\n% two seen\n2 3 2\n1 1 0.5\n2 3 -1\n";
/// let entries = flatmin_cli::read::matrix_market::entries(text.as_bytes())?;
/// assert_eq!(entries.shape, Some((2, 3)));
/// assert_eq!((entries.rows, entries.cols), (vec![0, 1], vec![0, 2]));
/// # Ok::<(), flatmin_cli::read::matrix_market::Fault>(())
/// ```
///
/// # Errors
/// When the file is of another kind, or a line is not what its place asks for.
pub fn entries(stream: impl BufRead) -> Result<Triplets, Fault> {
    let mut lines = stream.lines();
    let symmetry = match lines.next() {
        Some(line) => banner(&line?)?,
        None => return Err(Fault::Banner),
    };
    let mut entries = Triplets::default();
    let mut sizes = None;
    let mut got = 0;
    for (number, line) in lines.enumerate() {
        let (line, text) = (number + 2, line?);
        let mut words = text.split_whitespace();
        let (Some(first), second, third, None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            if text.trim().is_empty() || text.starts_with('%') {
                continue;
            }
            return Err(Fault::Entry { line, text: clipped(&text) });
        };
        if text.starts_with('%') {
            continue;
        }
        let index = |word: Option<&str>| word.and_then(|w| w.parse::<usize>().ok());
        let (first, second) = (index(Some(first)), index(second));
        let Some((rows, cols, _)) = sizes else {
            let (Some(rows), Some(cols), Some(count)) = (first, second, index(third)) else {
                return Err(Fault::Sizes { line, text: clipped(&text) });
            };
            sizes = Some((rows, cols, count));
            continue;
        };
        let value = third.and_then(|w| w.parse::<f64>().ok());
        let (Some(row), Some(col), Some(value)) = (first, second, value) else {
            return Err(Fault::Entry { line, text: clipped(&text) });
        };
        if !(1..=rows).contains(&row) || !(1..=cols).contains(&col) {
            return Err(Fault::OutOfRange { line, row, col, rows, cols });
        }
        if !value.is_finite() {
            return Err(Fault::NotFinite { line, text: clipped(&text) });
        }
        got += 1;
        entries.push(row - 1, col - 1, value);
        if symmetry != Symmetry::General {
            if row < col || row > cols || col > rows || (symmetry == Symmetry::Skew && row == col) {
                let symmetry = match symmetry {
                    Symmetry::Skew => "skew-symmetric",
                    _ => "symmetric",
                };
                let text = clipped(&text);
                return Err(Fault::Triangle { line, text, symmetry: symmetry.to_owned() });
            }
            if row != col {
                let mirrored = if symmetry == Symmetry::Skew { -value } else { value };
                entries.push(col - 1, row - 1, mirrored);
            }
        }
    }
    let Some((rows, cols, expected)) = sizes else {
        return Err(Fault::Sizes { line: 2, text: String::new() });
    };
    if got != expected {
        return Err(Fault::Count { expected, got });
    }
    entries.shape = Some((rows, cols));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Triplets, Fault> {
        entries(text.as_bytes())
    }

    #[test]
    fn symmetric_matrices_are_expanded() {
        let head = "%%MatrixMarket matrix coordinate integer";
        let t = read(&format!("{head} symmetric\n2 2 2\n1 1 5\n2 1 7\n")).unwrap();
        assert_eq!((t.rows, t.cols, t.values), (vec![0, 1, 0], vec![0, 0, 1], vec![5.0, 7.0, 7.0]));
        let t = read(&format!("{head} skew-symmetric\n2 2 1\n2 1 7\n")).unwrap();
        assert_eq!((t.rows, t.cols, t.values), (vec![1, 0], vec![0, 1], vec![7.0, -7.0]));
        let upper = read(&format!("{head} symmetric\n2 2 1\n1 2 7\n"));
        assert!(matches!(upper, Err(Fault::Triangle { line: 3, .. })));
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_line() {
        let head = "%%MatrixMarket matrix coordinate real general\n%\n\n2 3 2\n1 1 1\n";
        let cases = [
            ("2 4 1\n", "line 6: entry (2, 4) lies outside the 2 x 3 matrix"),
            ("0 1 1\n", "line 6: entry (0, 1) lies outside the 2 x 3 matrix"),
            ("-1 1 1\n", "line 6: `-1 1 1` is not `row col value`"),
            ("1.5 1 1\n", "line 6: `1.5 1 1` is not `row col value`"),
            ("2 1\n", "line 6: `2 1` is not `row col value`"),
            ("2 1 3 4\n", "line 6: `2 1 3 4` is not `row col value`"),
            ("2 1 nan\n", "line 6: `2 1 nan`: the value is not finite"),
            ("", "2 entries are announced, but 1 follow"),
            ("2 1 1\n2 2 1\n", "2 entries are announced, but 3 follow"),
        ];
        for (tail, message) in cases {
            let said = read(&format!("{head}{tail}")).unwrap_err().to_string();
            assert!(said.starts_with(message), "{tail:?} gives {said:?}");
        }
        assert!(matches!(read("1 2 3\n"), Err(Fault::Banner)));
        assert!(matches!(read(""), Err(Fault::Banner)));
        let banner = "%%MatrixMarket matrix coordinate real general\n";
        assert!(matches!(read(banner), Err(Fault::Sizes { .. })));
        assert!(matches!(read(&format!("{banner}2 x 3\n")), Err(Fault::Sizes { line: 2, .. })));
        for kind in
            ["array real general", "coordinate complex general", "coordinate pattern general"]
        {
            let said = read(&format!("%%MatrixMarket matrix {kind}\n1 1 1\n")).unwrap_err();
            assert!(said.to_string().contains(kind), "{said}");
        }
    }
}
