//! Lines and their columns.

use super::Fault;
use std::borrow::Cow;
use std::io::BufRead;

/// What stands between the columns of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `,`; a field with one is quoted.
    Comma,
    /// A tab.
    Tab,
    /// `::`, without quoting.
    Colons,
}

impl Separator {
    fn text(self) -> &'static str {
        match self {
            Separator::Comma => ",",
            Separator::Tab => "\t",
            Separator::Colons => "::",
        }
    }

    /// The separator of a file, by its extension and its first line: the likeliest that occurs.
    ///
    /// ```
    /// use flatmin_cli::read::ratings::Separator;
    /// assert_eq!(Separator::of("196\t242\t3", "data"), Separator::Tab);
    /// assert_eq!(Separator::of("1::1193::5::978300760", "dat"), Separator::Colons);
    /// assert_eq!(Separator::of("a::b,c,4.5", "csv"), Separator::Comma);
    /// ```
    pub fn of(first_line: &str, extension: &str) -> Separator {
        use Separator::{Colons, Comma, Tab};
        let likely = match extension {
            "csv" => [Comma, Tab, Colons],
            "dat" => [Colons, Tab, Comma],
            _ => [Tab, Colons, Comma],
        };
        likely.into_iter().find(|s| first_line.contains(s.text())).unwrap_or(likely[0])
    }
}

/// Columns of a line, without the blanks and quotes around them.
pub(super) struct Columns<'a> {
    first: [Cow<'a, str>; 3],
    /// How many there are.
    pub(super) count: usize,
}

impl Columns<'_> {
    /// The first ones, at most three.
    pub(super) fn first(&self) -> &[Cow<'_, str>] {
        &self.first[..self.count.min(3)]
    }
}

/// A quoted field does not end, or something follows its end.
struct Unclosed;

impl Separator {
    /// What stands before the first separator, and behind it. A character is found faster than a text.
    fn split(self, text: &str) -> Option<(&str, &str)> {
        match self {
            Separator::Comma => text.split_once(','),
            Separator::Tab => text.split_once('\t'),
            Separator::Colons => text.split_once("::"),
        }
    }

    /// The first column of `text`, and what follows its separator.
    fn column(self, text: &str) -> Result<(Cow<'_, str>, Option<&str>), Unclosed> {
        let separator = self.text();
        // A tab is no blank where it separates.
        let blank = |c: char| c.is_whitespace() && !separator.contains(c);
        let start = text.trim_start_matches(blank);
        let quoted = start.strip_prefix('"').filter(|_| self != Separator::Colons);
        let Some(quoted) = quoted else {
            return Ok(match self.split(text) {
                Some((field, rest)) => (Cow::Borrowed(field.trim()), Some(rest)),
                None => (Cow::Borrowed(text.trim()), None),
            });
        };
        let mut end = quoted.find('"').ok_or(Unclosed)?;
        let mut doubled = false;
        while quoted[end + 1..].starts_with('"') {
            doubled = true;
            end += 2 + quoted[end + 2..].find('"').ok_or(Unclosed)?;
        }
        let field = quoted[..end].trim();
        let field = match doubled {
            true => Cow::Owned(field.replace("\"\"", "\"")),
            false => Cow::Borrowed(field),
        };
        let rest = quoted[end + 1..].trim_start_matches(blank);
        match rest.strip_prefix(separator) {
            Some(rest) => Ok((field, Some(rest))),
            None if rest.is_empty() => Ok((field, None)),
            None => Err(Unclosed),
        }
    }

    fn columns(self, text: &str) -> Result<Columns<'_>, Unclosed> {
        let mut columns = Columns { first: Default::default(), count: 0 };
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (column, after) = self.column(text)?;
            if let Some(place) = columns.first.get_mut(columns.count) {
                *place = column;
            }
            columns.count += 1;
            rest = after;
        }
        Ok(columns)
    }
}

/// A line with data.
pub(super) struct Line<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// Its number, from 1.
    pub(super) number: u64,
}

impl<'a> Line<'a> {
    /// Its text for messages, shortened.
    pub(super) fn shown(&self) -> String {
        let mut shown: String = self.text.chars().take(60).flat_map(char::escape_debug).collect();
        if self.text.chars().nth(60).is_some() {
            shown.push_str("...");
        }
        shown
    }

    pub(super) fn columns(&self, separator: Separator) -> Result<Columns<'a>, Fault> {
        let fault = |Unclosed| Fault::Quote { line: self.number, text: self.shown() };
        separator.columns(self.text).map_err(fault)
    }

    /// All columns, as a header has them.
    pub(super) fn names(&self, separator: Separator) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = Some(self.text);
        while let Some(Ok((column, after))) = rest.map(|text| separator.column(text)) {
            names.push(super::plain(&column));
            rest = after;
        }
        names
    }

    pub(super) fn is_not(&self, expected: &'static str) -> Fault {
        Fault::Entry { line: self.number, text: self.shown(), expected }
    }

    /// A first line is a header when it has several columns and none of them is a number or empty.
    pub(super) fn is_header(&self, separator: Separator) -> bool {
        let mut columns = 0;
        let mut rest = Some(self.text);
        while let Some(text) = rest {
            match separator.column(text) {
                Ok((column, after)) if !column.is_empty() && column.parse::<f64>().is_err() => {
                    (columns, rest) = (columns + 1, after);
                }
                _ => return false,
            }
        }
        columns > 1
    }
}

/// Calls `take` on every line with data, and says how many comments stood behind the first of them.
pub(super) fn for_each_line(
    mut stream: impl BufRead,
    mut take: impl FnMut(&Line<'_>) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    let (mut bytes, mut started, mut comments) = (Vec::new(), false, 0);
    for number in 1.. {
        bytes.clear();
        if stream.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Encoding { line: number })?;
        let text = if number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            continue;
        }
        if text.trim_start().starts_with('#') {
            comments += usize::from(started);
            continue;
        }
        started = true;
        take(&Line { text, number })?;
    }
    Ok(comments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(separator: Separator, text: &str) -> Option<(Vec<String>, usize)> {
        let columns = separator.columns(text).ok()?;
        Some((columns.first().iter().map(|c| c.to_string()).collect(), columns.count))
    }

    fn columns(first: &[&str], count: usize) -> Option<(Vec<String>, usize)> {
        Some((first.iter().map(|c| c.to_string()).collect(), count))
    }

    #[test]
    fn quotes_keep_what_they_hold() {
        use Separator::{Colons, Comma, Tab};
        assert_eq!(split(Comma, "a, b ,c,d"), columns(&["a", "b", "c"], 4));
        assert_eq!(
            split(Comma, r#""Doe, J." ,"say ""hi""",4"#),
            columns(&["Doe, J.", r#"say "hi""#, "4"], 3)
        );
        assert_eq!(split(Comma, r#"5" disk,"",4"#), columns(&["5\" disk", "", "4"], 3));
        assert_eq!(split(Comma, r#""""",b"#), columns(&["\"", "b"], 2));
        assert_eq!(split(Tab, "\tb\t\t4"), columns(&["", "b", ""], 4));
        assert_eq!(split(Tab, "a b\t\"c\td\""), columns(&["a b", "c\td"], 2));
        assert_eq!(split(Colons, "a:b::\"c::4"), columns(&["a:b", "\"c", "4"], 3));
        for unclosed in [r#""a,b"#, r#"a,"b"#, r#""a"b,c"#, r#""a"""""#] {
            assert_eq!(split(Comma, unclosed), None, "{unclosed}");
        }
    }

    #[test]
    fn headers_hold_no_number() {
        let header = |text| Line { text, number: 1 }.is_header(Separator::Comma);
        assert!(header("user,item,stars") && header("\"User, id\",x"));
        assert!(!header("a,b,3") && !header("a,,c") && !header("a") && !header("nan,b,c"));
    }
}
