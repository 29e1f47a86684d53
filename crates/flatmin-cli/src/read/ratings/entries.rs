//! Entries from ratings.

use super::ids::{Ids, Labels, Side, index};
use super::line::{Columns, Line, Separator, for_each_line};
use super::{COL_NAMES, Fault, IdKind, ROW_NAMES, VALUE_NAMES};
use crate::read::Triplets;
use std::io::BufRead;

/// Entries, and the ids of their rows and columns.
#[derive(Debug)]
pub struct Ratings {
    /// The entries.
    pub entries: Triplets,
    /// Ids of the rows and columns.
    pub ids: Ids,
    /// What the reader of the answer should know of how they were read.
    pub warnings: Vec<String>,
}

/// Reads entries; `extension` says what separator is likely.
///
/// ```
/// use flatmin_cli::read::ratings::{IdKind, entries};
/// let text = "userId,movieId,rating,timestamp\n12,tt7,4.5,978300760\n3,tt7,1,978300761\n";
/// let ratings = entries(text.as_bytes(), "csv", IdKind::Auto)?;
/// assert_eq!((ratings.entries.rows, ratings.entries.cols), (vec![0, 1], vec![0, 0]));
/// assert_eq!((ratings.ids.rows.name(1), ratings.ids.cols.name(0)), ("3".into(), "tt7".into()));
/// # Ok::<(), flatmin_cli::read::ratings::Fault>(())
/// ```
///
/// # Errors
/// When a line is not an entry (the error shows it), an entry of labels is given twice, or there is
/// none.
pub fn entries(stream: impl BufRead, extension: &str, kind: IdKind) -> Result<Ratings, Fault> {
    let mut reader: Option<Reader> = None;
    let comments = for_each_line(stream, |line| match &mut reader {
        Some(reader) => reader.take(line),
        None => {
            let (first, is_header) = Reader::new(line, extension, kind)?;
            let reader = reader.insert(first);
            if is_header { Ok(()) } else { reader.take(line) }
        }
    })?;
    reader.ok_or(Fault::NoData)?.finish(comments)
}

/// What the ids may still turn out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Index,
    Label,
    /// Indices, unless one is no number at all.
    Either,
}

/// The first line of a kind, and its text for messages.
type Found = Option<(u64, String)>;

struct Reader {
    separator: Separator,
    reading: Reading,
    width: usize,
    in_doubt: bool,
    entries: Triplets,
    rows: Labels,
    cols: Labels,
    lines: Numbering,
    /// An id that is a number and no index.
    no_index: Found,
    /// An id that is no number.
    word: Found,
    numbers: bool,
    warnings: Vec<String>,
}

impl Reader {
    /// A reader of files with this first line, and whether that is a header.
    fn new(line: &Line<'_>, extension: &str, kind: IdKind) -> Result<(Reader, bool), Fault> {
        let separator = Separator::of(line.text, extension);
        let width = line.columns(separator)?.count;
        let is_header = line.is_header(separator);
        let names = if is_header { line.names(separator) } else { Vec::new() };
        let mut warnings = Vec::new();
        let is_value = |name: &String| VALUE_NAMES.contains(&&name[..]);
        if names.iter().any(is_value) && !names.get(2).is_some_and(is_value) {
            return Err(Fault::Order { line: line.number, text: line.shown() });
        }
        let names: Vec<&str> = names.iter().map(|name| &name[..]).collect();
        let reading = match (kind, &names[..]) {
            (IdKind::Index, _) => Reading::Index,
            (IdKind::Label, _) => Reading::Label,
            _ if separator != Separator::Comma || extension != "csv" => Reading::Label,
            (_, ["row" | "rows" | "i", "col" | "cols" | "column" | "j", ..]) => Reading::Index,
            (_, [] | ["user", "item", _]) => Reading::Either,
            _ => Reading::Label,
        };
        if let [row, col, value, ..] = names[..]
            && reading == Reading::Label
            && !ROW_NAMES.contains(&row)
            && !COL_NAMES.contains(&col)
            && !VALUE_NAMES.contains(&value)
        {
            warnings.push(format!(
                "line {}, `{}`, is taken for a header",
                line.number,
                line.shown()
            ));
        }
        let reader = Reader {
            separator,
            reading,
            width,
            in_doubt: !is_header && separator == Separator::Comma && reading != Reading::Label,
            entries: Triplets::default(),
            rows: Labels::default(),
            cols: Labels::default(),
            lines: Numbering::default(),
            no_index: None,
            word: None,
            numbers: false,
            warnings,
        };
        Ok((reader, is_header))
    }

    fn take(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        let columns = line.columns(self.separator)?;
        let [row, col, value] = columns.first() else {
            return Err(line.is_not("row,col,value"));
        };
        self.check_width(line, &columns)?;
        if row.is_empty() || col.is_empty() {
            return Err(line.is_not("row,col,value"));
        }
        let value: f64 = value.parse().map_err(|_| line.is_not("row,col,value"))?;
        if !value.is_finite() {
            return Err(Fault::NotFinite { line: line.number, text: line.shown() });
        }
        let known = (self.rows.names().len(), self.cols.names().len());
        let (i, j) = (self.rows.index(row), self.cols.index(col));
        if self.reading != Reading::Label {
            for (id, is_new) in [(row, i == known.0), (col, j == known.1)] {
                if is_new {
                    self.look_at(id, line)?;
                }
            }
        }
        self.lines.see(self.entries.values.len(), line.number);
        self.entries.push(i, j, value);
        Ok(())
    }

    /// Where neither a header nor the separator tells, a fourth column may be a decimal comma.
    fn check_width(&self, line: &Line<'_>, columns: &Columns<'_>) -> Result<(), Fault> {
        let got = columns.count;
        if self.in_doubt && got != 3 {
            return Err(line.is_not("row,col,value (of more columns, --ids label reads three)"));
        }
        if got != self.width {
            let (line, text) = (line.number, line.shown());
            return Err(Fault::Ragged { line, text, expected: self.width, got });
        }
        Ok(())
    }

    /// Remembers what kind of id a new one is.
    fn look_at(&mut self, id: &str, line: &Line<'_>) -> Result<(), Fault> {
        let found = || Some((line.number, line.shown()));
        if index(id).is_some() {
            self.numbers = true;
        } else if self.reading == Reading::Index {
            return Err(Fault::Index { line: line.number, text: line.shown() });
        } else if id.parse::<f64>().is_ok() {
            self.no_index = self.no_index.take().or_else(found);
        } else {
            self.word = self.word.take().or_else(found);
        }
        Ok(())
    }

    fn finish(mut self, comments: usize) -> Result<Ratings, Fault> {
        if self.entries.values.is_empty() {
            return Err(Fault::NoData);
        }
        let labels = match (self.reading, &self.word, self.no_index) {
            (Reading::Label, ..) | (_, Some(_), _) => true,
            (_, None, None) => false,
            (_, None, Some((line, text))) => return Err(Fault::Index { line, text }),
        };
        if !labels {
            relabel(&mut self.entries.rows, &self.rows);
            relabel(&mut self.entries.cols, &self.cols);
            return Ok(Ratings {
                entries: self.entries,
                ids: Ids::INDICES,
                warnings: self.warnings,
            });
        }
        if let Some((line, text)) = self.word
            && self.numbers
        {
            self.warnings.push(format!(
                "all ids are taken for labels, since line {line}, `{text}`, has one that is no number \
                 (--ids says what they are)"
            ));
        }
        if comments > 0 {
            self.warnings.push(format!(
                "{comments} lines that start with # were passed over as comments (quote an id that \
                 starts so)"
            ));
        }
        if let Some((first, second)) = duplicate(&self.entries) {
            let name = |labels: &Labels, n: usize| labels.name(n).unwrap_or_default().to_owned();
            return Err(Fault::Duplicate {
                row: name(&self.rows, self.entries.rows[first]),
                col: name(&self.cols, self.entries.cols[first]),
                first: self.lines.of(first),
                second: self.lines.of(second),
            });
        }
        let ids = Ids { rows: Side::Labels(self.rows), cols: Side::Labels(self.cols) };
        Ok(Ratings { entries: self.entries, ids, warnings: self.warnings })
    }
}

/// Puts the indices that the labels are in place of those that stand for them.
fn relabel(places: &mut [usize], labels: &Labels) {
    let meant: Vec<usize> = labels.names().filter_map(index).collect();
    places.iter_mut().for_each(|place| *place = meant[*place]);
}

/// The first two entries of one position, by position.
fn duplicate(entries: &Triplets) -> Option<(usize, usize)> {
    let cols = entries.cols.iter().max()? + 1;
    let positions = || entries.rows.iter().zip(&entries.cols).map(|(i, j)| i * cols + j);
    let mut sorted: Vec<usize> = positions().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1])?[0];
    let mut places = positions().enumerate().filter(|(_, p)| *p == twice).map(|(n, _)| n);
    Some((places.next()?, places.next()?))
}

/// Lines of the entries, kept only where an entry is not on the line after that of the one before.
#[derive(Default)]
struct Numbering(Vec<(usize, u64)>);

impl Numbering {
    fn see(&mut self, entry: usize, line: u64) {
        if self.of(entry) != line {
            self.0.push((entry, line));
        }
    }

    fn of(&self, entry: usize) -> u64 {
        let after = self.0.partition_point(|(first, _)| *first <= entry);
        match after.checked_sub(1).and_then(|run| self.0.get(run)) {
            Some((first, line)) => line + (entry - first) as u64,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    fn read(text: &str) -> Ratings {
        entries(text.as_bytes(), "csv", IdKind::Auto).unwrap()
    }

    fn said(result: Result<impl Debug, Fault>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn headers_comments_blank_lines_and_byte_order_marks_are_skipped() {
        let expected = read("0,1,2.5\n7,0,-3\n");
        assert!(!expected.ids.are_labels());
        for text in [
            "row,col,value\n0,1,2.5\n7,0,-3\n",
            "user,item,stars\n0,1,2.5\n7,0,-3\n",
            "\u{feff}row,col,value\r\n0,1,2.5\r\n7,0,-3",
            "# row,col,value\n\n0.0, 1.0, 2.5\n  # none\n7e0,0,-3.0\n\n",
            "\"0\",\"1\",\"2.5\"\n7,0,-3\n",
        ] {
            let ratings = read(text);
            assert_eq!(ratings.entries, expected.entries, "{text:?}");
            assert_eq!((ratings.ids.are_labels(), ratings.warnings.len()), (false, 0), "{text:?}");
        }
    }

    #[test]
    fn a_bad_entry_is_shown_with_its_line() {
        let cases = [
            ("0,1,2\n3,4\n", "line 2: `3,4` is not row,col,value"),
            ("0,1,2\n3,4,x\n", "line 2: `3,4,x` is not row,col,value"),
            ("0,1,x\n", "line 1: `0,1,x` is not row,col,value"),
            ("0,1,2,3\n", "line 1: `0,1,2,3` is not row,col,value (of more columns, --ids label"),
            ("0 1 2\n", "line 1: `0 1 2` is not row,col,value"),
            ("row,col,value\n\n-1,1,2\n", "line 3: `-1,1,2`: row and column are whole"),
            ("row,col,value\n0,1,2\n0,two,2\n", "line 3: `0,two,2`: row and column are whole"),
            ("0,1.5,2\n", "line 1: `0,1.5,2`: row and column are whole"),
            ("0,1,nan\n", "line 1: `0,1,nan`: the value is not finite"),
            ("0,1,-inf\n", "line 1: `0,1,-inf`: the value is not finite"),
            ("row,col,value\n", "holds no data"),
            ("\n\n", "holds no data"),
            ("", "holds no data"),
            ("userId,movieId,rating\n1,2,3\n1,,3\n", "line 3: `1,,3` is not row,col,value"),
            ("userId,movieId,rating\n1,2,3\n1,5\n", "line 3: `1,5` is not row,col,value"),
            ("userId,movieId,rating\n1,2,3\n1,5,4,5\n", "line 3: `1,5,4,5` has 4 columns, but the"),
            ("userId,movieId,rating\n1,2,3\n1,5,good\n", "line 3: `1,5,good` is not row,col,value"),
            ("userId,movieId,rating\n1,2,NaN\n", "line 2: `1,2,NaN`: the value is not finite"),
            ("userId,rating,movieId\n1,2,3\n", "line 1: the header `userId,rating,movieId` does"),
            ("u,\"v,3\n", "line 1: `u,\\\"v,3`: a quoted field does not end"),
            ("u,v,3\n\nw,v,2\n#\nu,v,4\n", "lines 1 and 5 both give row `u`, column `v`"),
        ];
        for (text, message) in cases {
            let said = said(entries(text.as_bytes(), "csv", IdKind::Auto));
            assert!(said.starts_with(message), "{text:?} gives {said:?}");
        }
        let latin = entries(&b"0,1,2\n0,\xff,2\n"[..], "csv", IdKind::Auto);
        assert!(said(latin).starts_with("line 2 cannot be read"));
        let long = format!("0,{},2\n", "9".repeat(500));
        assert!(said(entries(long.as_bytes(), "csv", IdKind::Auto)).len() < 300);
    }

    #[test]
    fn ids_of_any_kind_are_counted_as_they_appear() {
        let quoted = "user,item,rating\n\"Doe, J.\",b,1\n x ,b,2\n\"x\",\"Doe, J.\",3\n";
        let movielens = "userId,movieId,rating,timestamp\r\n31,1029,1,0\r\n7,1029,2,1\r\n7,31,3,1";
        let dat = "31::1029::1::0\n7::1029::2::1\n7::31::3::1\n";
        let cases = [
            (quoted, "csv", ["Doe, J.", "x"], ["b", "Doe, J."]),
            (movielens, "csv", ["31", "7"], ["1029", "31"]),
            (dat, "dat", ["31", "7"], ["1029", "31"]),
            (&dat.replace("::", "\t"), "data", ["31", "7"], ["1029", "31"]),
            (&dat.replace("::", "\t"), "csv", ["31", "7"], ["1029", "31"]),
            ("é,1,1\n7,1,2\n7,x,3\n", "csv", ["é", "7"], ["1", "x"]),
        ];
        for (text, extension, rows, cols) in cases {
            let Ratings { entries, ids, .. } =
                super::entries(text.as_bytes(), extension, IdKind::Auto).unwrap();
            assert_eq!((entries.rows, entries.cols), (vec![0, 1, 1], vec![0, 0, 1]), "{text}");
            assert_eq!(entries.values, [1.0, 2.0, 3.0]);
            assert_eq!([ids.rows.name(0), ids.rows.name(1)], rows, "{text}");
            assert_eq!([ids.cols.name(0), ids.cols.name(1)], cols, "{text}");
        }
    }

    #[test]
    fn the_kind_of_ids_may_be_said() {
        let read = |text: &str, kind| entries(text.as_bytes(), "csv", kind);
        assert_eq!(read("5,9,1\n", IdKind::Label).unwrap().entries.rows, [0]);
        assert_eq!(read("5,9,1,2\n", IdKind::Label).unwrap().entries.cols, [0]);
        assert_eq!(read("userId,movieId,r\n5,9,1\n", IdKind::Index).unwrap().entries.cols, [9]);
        let tabs = entries("5\t9\t1\t0\n".as_bytes(), "data", IdKind::Index).unwrap();
        assert_eq!((tabs.entries.rows, tabs.entries.values), (vec![5], vec![1.0]));
        assert_eq!(read("row,col,v,time\n5,9,1,0\n", IdKind::Auto).unwrap().entries.cols, [9]);
        assert!(said(read("5,a,1\n", IdKind::Index)).contains("--ids label"));
    }

    #[test]
    fn doubts_are_told() {
        let warnings = |text: &str| read(text).warnings.join("; ");
        assert_eq!(
            warnings("alice,jaws,x\nbob,jaws,3\n"),
            "line 1, `alice,jaws,x`, is taken for a header"
        );
        assert!(warnings("0,1,2\n3,O,2\n").contains("line 2, `3,O,2`, has one that is no number"));
        assert!(warnings("a,b,2\n#c,d,2\n").starts_with("1 lines that start with #"));
        assert_eq!(warnings("a,b,2\nc,d,2\n"), "");
    }
}
