//! Ratings as text: `row,col,value` a line, by indices from 0 or by ids of any kind.
//!
//! | file | separator | ids |
//! |---|---|---|
//! | `.csv` without header, all ids numbers | comma | indices |
//! | `.csv` with header `row,col,...`, `i,j,...` or `user,item,...` | comma | indices |
//! | other `.csv`: MovieLens' `userId,movieId,rating,timestamp`, ids that are words | comma | labels |
//! | `.tsv`, `.data`: MovieLens' `u.data` | tab | labels |
//! | `.dat`: MovieLens' `ratings.dat` | `::` | labels |
//!
//! Labels are counted in the order in which they first appear; columns after the third, such as
//! timestamps, are passed over. Lines that start with `#` are comments.

mod entries;
mod ids;
mod line;
mod pairs;

pub use entries::{Ratings, entries};
pub use ids::{Ids, Labels, Side};
pub use line::Separator;
pub use pairs::{Id, Pairs, pairs};

use clap::ValueEnum;
use std::io;

/// What the ids of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IdKind {
    /// As the file looks
    #[default]
    Auto,
    /// Rows and columns counted from 0
    Index,
    /// Any text, counted in order of first appearance
    Label,
}

/// What can be wrong with ratings, or with pairs to predict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A line that is not text.
    #[error("line {line} cannot be read: it is not UTF-8 text, write the file again as such")]
    Encoding {
        /// Line, counted from 1.
        line: u64,
    },
    /// A line that is not what its place asks for.
    #[error("line {line}: `{text}` is not {expected}")]
    Entry {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A line of more or fewer columns than the first.
    #[error("line {line}: `{text}` has {got} columns, but the first line has {expected}")]
    Ragged {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
        /// Columns of the first line.
        expected: usize,
        /// Columns of this line.
        got: usize,
    },
    /// A quoted field without an end.
    #[error("line {line}: `{text}`: a quoted field does not end where a column ends")]
    Quote {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// An index that is not a whole number from 0 on.
    #[error(
        "line {line}: `{text}`: row and column are whole numbers from 0 on (any other id: --ids \
         label)"
    )]
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
    /// A header that names the columns in another order.
    #[error(
        "line {line}: the header `{text}` does not have the value third: order the columns row,col,\
         value"
    )]
    Order {
        /// Line, counted from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// One entry given twice.
    #[error("lines {first} and {second} both give row `{row}`, column `{col}`: remove one of them")]
    Duplicate {
        /// Id of the row.
        row: String,
        /// Id of the column.
        col: String,
        /// Line of the first, counted from 1.
        first: u64,
        /// Line of the second, counted from 1.
        second: u64,
    },
    /// No line with data.
    #[error("holds no data")]
    NoData,
}

/// Names of columns, without case and punctuation.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Names by which headers call rows.
const ROW_NAMES: [&str; 12] = [
    "row",
    "rows",
    "rowid",
    "i",
    "u",
    "user",
    "users",
    "userid",
    "username",
    "customer",
    "customerid",
    "reviewerid",
];
/// Names by which headers call columns.
const COL_NAMES: [&str; 18] = [
    "col",
    "cols",
    "column",
    "columns",
    "colid",
    "j",
    "item",
    "items",
    "itemid",
    "movie",
    "movieid",
    "film",
    "product",
    "productid",
    "book",
    "bookid",
    "isbn",
    "asin",
];
/// Names by which headers call values.
const VALUE_NAMES: [&str; 9] =
    ["value", "val", "values", "rating", "ratings", "bookrating", "stars", "score", "vote"];
