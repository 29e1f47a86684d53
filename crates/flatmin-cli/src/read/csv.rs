//! Comma-separated values: a whole matrix, one row a line.
//!
//! A first line in which nothing is a number is a header; lines that start with `#` are comments.

use super::Array;
use std::io::{self, BufRead};

/// What can be wrong with a `.csv` file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It could not be read as text.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
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
