//! Pairs whose entries are to be predicted.

use super::ids::{Ids, Side};
use super::line::{Line, Separator, for_each_line};
use super::{COL_NAMES, Fault, ROW_NAMES};
use std::borrow::Cow;
use std::io::BufRead;

/// A row or column of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// One of the matrix, by its index.
    Seen(usize),
    /// One that the matrix does not have.
    Unseen(Box<str>),
}

impl Id {
    /// Its index, where the matrix has it.
    pub fn index(&self) -> Option<usize> {
        match self {
            Id::Seen(index) => Some(*index),
            Id::Unseen(_) => None,
        }
    }

    /// The id as the user gave it.
    pub fn name<'a>(&'a self, side: &'a Side) -> Cow<'a, str> {
        match self {
            Id::Seen(index) => side.name(*index),
            Id::Unseen(text) => Cow::Borrowed(text),
        }
    }

    /// An id of a matrix with `count` rows or columns.
    pub(crate) fn of(text: &str, side: &Side, count: usize) -> Option<Id> {
        match side.find(text) {
            Ok(Some(index)) if index < count => Some(Id::Seen(index)),
            Ok(_) => Some(Id::Unseen(text.into())),
            Err(_) => None,
        }
    }
}

/// Rows and columns of entries to predict.
pub type Pairs = Vec<(Id, Id)>;

/// Reads pairs `row,col`; what follows in a line is passed over, so that a file of ratings is one of
/// pairs, too. The ids are those of a matrix of the given numbers of rows and columns.
///
/// # Errors
/// When a line has fewer than two columns, an id that must be an index is none, or there is no line.
pub fn pairs(
    stream: impl BufRead,
    extension: &str,
    ids: &Ids,
    shape: (usize, usize),
) -> Result<Pairs, Fault> {
    let mut separator = None;
    let mut pairs = Pairs::new();
    for_each_line(stream, |line| {
        let first = separator.is_none();
        let separator = *separator.get_or_insert_with(|| Separator::of(line.text, extension));
        let columns = line.columns(separator)?;
        let [row, col, ..] = columns.first() else {
            return Err(line.is_not("row,col"));
        };
        if row.is_empty() || col.is_empty() {
            return Err(line.is_not("row,col"));
        }
        if first && is_header(line, separator, ids) {
            return Ok(());
        }
        match (Id::of(row, &ids.rows, shape.0), Id::of(col, &ids.cols, shape.1)) {
            (Some(row), Some(col)) => pairs.push((row, col)),
            _ => return Err(Fault::Index { line: line.number, text: line.shown() }),
        }
        Ok(())
    })?;
    if pairs.is_empty() { Err(Fault::NoData) } else { Ok(pairs) }
}

/// Of indices a line without a number is a header; of labels, whose ids may be any text, one that
/// holds names of columns and no id that was seen.
fn is_header(line: &Line<'_>, separator: Separator, ids: &Ids) -> bool {
    let names = line.names(separator);
    let [row, col, ..] = &names[..] else {
        return false;
    };
    let (Side::Labels(rows), Side::Labels(cols)) = (&ids.rows, &ids.cols) else {
        return line.is_header(separator);
    };
    let named = ROW_NAMES.contains(&&row[..]) || COL_NAMES.contains(&&col[..]);
    let numbers = |labels: &super::Labels| labels.names().all(|n| n.parse::<f64>().is_ok());
    let wordless = || numbers(rows) && numbers(cols) && line.is_header(separator);
    let seen = || match line.columns(separator) {
        Ok(columns) => match columns.first() {
            [row, col, ..] => rows.find(row).is_some() || cols.find(col).is_some(),
            _ => false,
        },
        Err(_) => false,
    };
    (named || wordless()) && !seen()
}

#[cfg(test)]
mod tests {
    use super::super::{IdKind, entries};
    use super::*;

    fn read(ratings: &str, text: &str) -> Result<Pairs, Fault> {
        let ids = entries(ratings.as_bytes(), "csv", IdKind::Auto).unwrap().ids;
        pairs(text.as_bytes(), "csv", &ids, (2, 2))
    }

    #[test]
    fn pairs_by_label_and_by_index() {
        let ratings = "user,item,stars\na,x,1\nb,y,2\n";
        let (seen, unseen) = (Id::Seen, |text: &str| Id::Unseen(text.into()));
        for text in
            ["b,x\nc,y\n", "user,item\nb,x\nc,y\n", "\u{feff}USER_ID,i\r\n b , x\r\nc,y,5,6"]
        {
            let expected = vec![(seen(1), seen(0)), (unseen("c"), seen(1))];
            assert_eq!(read(ratings, text).unwrap(), expected, "{text}");
        }
        for text in ["1,0\n1,7\n", "r,c\n1,0\n1,7\n", "1.0,0e0\n1,7\n"] {
            let expected = vec![(seen(1), seen(0)), (seen(1), unseen("7"))];
            assert_eq!(read("0,0,1\n1,1,2\n", text).unwrap(), expected, "{text}");
        }
        // An id may be called as a column is.
        assert_eq!(read("user,x,1\nb,y,2\n", "user,y\n").unwrap(), [(seen(0), seen(1))]);
        let numbers = "userId,movieId,rating\n5,6,1\n";
        assert_eq!(read(numbers, "person,thing\n5,6\n").unwrap(), [(seen(0), seen(0))]);
    }

    #[test]
    fn what_is_no_pair_is_shown_with_its_line() {
        let cases = [
            ("0,1\n0\n", "line 2: `0` is not row,col"),
            ("0,1\n0,\n", "line 2: `0,` is not row,col"),
            ("0,1\n0,x\n", "line 2: `0,x`: row and column are whole numbers"),
            ("0,1\n0,-1\n", "line 2: `0,-1`: row and column are whole numbers"),
            ("row,col\n", "holds no data"),
        ];
        for (text, message) in cases {
            let said = read("0,0,1\n", text).unwrap_err().to_string();
            assert!(said.starts_with(message), "{text:?} gives {said:?}");
        }
    }
}
