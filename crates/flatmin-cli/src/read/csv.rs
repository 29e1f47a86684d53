//! Comma-separated values: entries `row,col,value` (indices from 0), or a whole matrix.
//!
//! A first line in which nothing is a number is a header; lines that start with `#` are comments.

use super::{Array, Triplets, whole};
use std::io::{self, BufRead};

/// What can be wrong with a `.csv` file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It could not be read as text.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A line that is not an entry.
    #[error("line {line}: `{text}` is not row,col,value")]
    Entry {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// An index that is not a whole number from 0 on.
    #[error("line {line}: `{text}`: row and column are whole numbers from 0 on")]
    Index {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// A value that is NaN or infinite.
    #[error("line {line}: `{text}`: the value is not finite, remove the line")]
    NotFinite {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// A field that is not a number.
    #[error("line {line}: `{text}`: field {field} is not a number (leave holes empty or nan)")]
    Number {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
        /// Field, counted from 1.
        field: usize,
    },
    /// A line of another length than the first.
    #[error("line {line} has {got} fields, but the first has {expected}")]
    Ragged {
        /// Line, counted from 1.
        line: u64,
        /// Fields of the first line.
        expected: usize,
        /// Fields of this line.
        got: usize,
    },
    /// No line with data.
    #[error("holds no data")]
    NoData,
}

/// A line with data: its fields, its number from 1, and its text for messages.
struct Line<'a> {
    fields: Vec<&'a str>,
    number: u64,
    text: &'a str,
}

impl Line<'_> {
    fn shown(&self) -> String {
        let mut shown: String = self.text.chars().take(60).flat_map(char::escape_debug).collect();
        if self.text.chars().nth(60).is_some() {
            shown.push_str("...");
        }
        shown
    }

    /// A first line is a header when it has several fields, some of them words and none a number.
    fn is_header(&self) -> bool {
        self.fields.len() > 1
            && self.fields.iter().all(|f| f.parse::<f64>().is_err())
            && self.fields.iter().any(|f| !f.is_empty())
    }
}

/// Calls `take` on every line with data.
fn for_each_line(
    stream: impl BufRead,
    mut take: impl FnMut(&Line<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut first = true;
    for (number, line) in (1..).zip(stream.lines()) {
        let line = line?;
        let text = line.strip_prefix('\u{feff}').unwrap_or(&line).trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let line = Line { fields: text.split(',').map(field).collect(), number, text };
        if !(first && line.is_header()) {
            take(&line)?;
        }
        first = false;
    }
    Ok(())
}

/// A field without the blanks and quotes around it.
fn field(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}

/// Reads entries `row,col,value`; rows and columns count from 0.
///
/// ```
/// let text = "user,item,stars\n0,2,4.5\n3,0,1\n";
/// let entries = flatmin_cli::read::csv::entries(text.as_bytes())?;
/// assert_eq!((entries.rows, entries.cols, entries.values), (vec![0, 3], vec![2, 0], vec![4.5, 1.0]));
/// # Ok::<(), flatmin_cli::read::csv::Fault>(())
/// ```
///
/// # Errors
/// When a line is not an entry (the error shows it), or there is none.
pub fn entries(stream: impl BufRead) -> Result<Triplets, Fault> {
    let mut entries = Triplets::default();
    for_each_line(stream, |line| {
        let fields: Vec<f64> = line.fields.iter().map_while(|f| f.parse().ok()).collect();
        let (number, text) = (line.number, || line.shown());
        let &[row, col, value] = &fields[..] else {
            return Err(Fault::Entry { line: number, text: text() });
        };
        if line.fields.len() != 3 {
            return Err(Fault::Entry { line: number, text: text() });
        }
        let (Some(row), Some(col)) = (whole(row), whole(col)) else {
            return Err(Fault::Index { line: number, text: text() });
        };
        if !value.is_finite() {
            return Err(Fault::NotFinite { line: number, text: text() });
        }
        entries.push(row, col, value);
        Ok(())
    })?;
    if entries.values.is_empty() { Err(Fault::NoData) } else { Ok(entries) }
}

/// Reads a matrix, one row a line; an empty field or `nan` is a hole (NaN).
///
/// ```
/// let matrix = flatmin_cli::read::csv::matrix("1,2\n,4e-3\n".as_bytes())?;
/// assert_eq!(matrix.shape, [2, 2]);
/// assert!(matrix.values[2].is_nan() && matrix.values[3] == 4e-3);
/// # Ok::<(), flatmin_cli::read::csv::Fault>(())
/// ```
///
/// # Errors
/// When a field is not a number, the lines differ in length, or there is none.
pub fn matrix(stream: impl BufRead) -> Result<Array, Fault> {
    let mut values = Vec::new();
    let mut width = None;
    for_each_line(stream, |line| {
        let got = line.fields.len();
        let expected = *width.get_or_insert(got);
        if got != expected {
            return Err(Fault::Ragged { line: line.number, expected, got });
        }
        for (field, &text) in line.fields.iter().enumerate() {
            let value = if text.is_empty() { Ok(f64::NAN) } else { text.parse() };
            let fault =
                |_| Fault::Number { line: line.number, text: line.shown(), field: field + 1 };
            values.push(value.map_err(fault)?);
        }
        Ok(())
    })?;
    match width {
        Some(cols) if cols > 0 => Ok(Array { shape: vec![values.len() / cols, cols], values }),
        _ => Err(Fault::NoData),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: Result<impl std::fmt::Debug, Fault>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn headers_comments_blank_lines_and_byte_order_marks_are_skipped() {
        let expected = entries("0,1,2.5\n7,0,-3\n".as_bytes()).unwrap();
        for text in [
            "row,col,value\n0,1,2.5\n7,0,-3\n",
            "\u{feff}row,col,value\r\n0,1,2.5\r\n7,0,-3",
            "# row,col,value\n\n0.0, 1.0, 2.5\n7e0,0,-3.0\n\n",
            "\"0\",\"1\",\"2.5\"\n7,0,-3\n",
        ] {
            assert_eq!(entries(text.as_bytes()).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bad_entry_is_shown_with_its_line() {
        let cases = [
            ("0,1,2\n3,4\n", "line 2: `3,4` is not row,col,value"),
            ("0,1,2\n3,4,x\n", "line 2: `3,4,x` is not row,col,value"),
            ("0,1,x\n", "line 1: `0,1,x` is not row,col,value"),
            ("0,1,2,3\n", "line 1: `0,1,2,3` is not row,col,value"),
            ("0 1 2\n", "line 1: `0 1 2` is not row,col,value"),
            ("row,col,value\n\n-1,1,2\n", "line 3: `-1,1,2`: row and column are whole"),
            ("0,1.5,2\n", "line 1: `0,1.5,2`: row and column are whole"),
            ("0,1,nan\n", "line 1: `0,1,nan`: the value is not finite"),
            ("0,1,-inf\n", "line 1: `0,1,-inf`: the value is not finite"),
            ("row,col,value\n", "holds no data"),
            ("\n\n", "holds no data"),
        ];
        for (text, message) in cases {
            let said = said(entries(text.as_bytes()));
            assert!(said.starts_with(message), "{text:?} gives {said:?}");
        }
        assert!(said(entries(&b"0,1,2\n0,\xff,2\n"[..])).contains("cannot be read"));
        let long = format!("0,{},2\n", "9".repeat(500));
        assert!(said(entries(long.as_bytes())).len() < 200);
    }

    #[test]
    fn a_bad_matrix_is_shown_with_its_line() {
        assert!(said(matrix("1,2\n3\n".as_bytes())).contains("line 2 has 1 fields"));
        assert!(said(matrix("1,2\n3,x\n".as_bytes())).contains("line 2: `3,x`: field 2"));
        assert!(said(matrix("# nothing\n".as_bytes())).contains("no data"));
        let with_header = matrix("a,b\n1,2\n".as_bytes()).unwrap();
        assert_eq!(with_header, Array { shape: vec![1, 2], values: vec![1.0, 2.0] });
    }

    #[test]
    fn a_single_column_has_no_header() {
        assert_eq!(matrix("1\n2\n".as_bytes()).unwrap().shape, [2, 1]);
        assert!(said(matrix("x\n2\n".as_bytes())).contains("line 1"));
    }

    /// A line of holes only is data: its fields are empty, not words.
    #[test]
    fn a_first_line_of_holes_is_not_a_header() {
        assert_eq!(matrix(",\n1,2\n".as_bytes()).unwrap().shape, [2, 2]);
    }
}
