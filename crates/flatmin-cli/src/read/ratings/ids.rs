//! Ids and the indices that stand for them.

use crate::read::whole;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Distinct texts, counted in order of first appearance.
///
/// ```
/// let mut labels = flatmin_cli::read::ratings::Labels::default();
/// assert_eq!([labels.index("tt02"), labels.index("tt01"), labels.index("tt02")], [0, 1, 0]);
/// assert_eq!((labels.find("tt01"), labels.find("tt03")), (Some(1), None));
/// assert_eq!(labels.names().collect::<Vec<_>>(), ["tt02", "tt01"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Labels {
    indices: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
    last: usize,
}

impl Labels {
    /// The index of a text, a new one where it has none yet.
    pub fn index(&mut self, text: &str) -> usize {
        // Files are mostly sorted by one of the two ids.
        if self.names.get(self.last).is_some_and(|name| **name == *text) {
            return self.last;
        }
        self.last = match self.indices.get(text) {
            Some(&index) => index,
            None => {
                let name: Arc<str> = text.into();
                self.names.push(Arc::clone(&name));
                self.indices.insert(name, self.names.len() - 1);
                self.names.len() - 1
            }
        };
        self.last
    }

    /// The index of a text, where it has one.
    pub fn find(&self, text: &str) -> Option<usize> {
        self.indices.get(text).copied()
    }

    /// The texts in order of their indices.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Text of an index.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index).map(|name| &**name)
    }
}

/// The ids of the rows or of the columns.
#[derive(Debug, Clone)]
pub enum Side {
    /// They are indices from 0.
    Indices,
    /// They are texts.
    Labels(Labels),
}

impl Side {
    /// The index of an id: none where it is a text that was not seen. An error where it is no index
    /// and should be one.
    pub(super) fn find(&self, text: &str) -> Result<Option<usize>, NotIndex> {
        match self {
            Side::Indices => index(text).map(Some).ok_or(NotIndex),
            Side::Labels(labels) => Ok(labels.find(text)),
        }
    }

    /// The id of an index.
    pub fn name(&self, index: usize) -> Cow<'_, str> {
        match self {
            Side::Indices => Cow::Owned(index.to_string()),
            Side::Labels(labels) => Cow::Borrowed(labels.name(index).unwrap_or_default()),
        }
    }
}

/// A text that is no index.
#[derive(Debug)]
pub(super) struct NotIndex;

/// A whole number from 0 on, however it is written.
pub(super) fn index(text: &str) -> Option<usize> {
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// The ids of a matrix.
#[derive(Debug, Clone)]
pub struct Ids {
    /// Of its rows.
    pub rows: Side,
    /// Of its columns.
    pub cols: Side,
}

impl Ids {
    /// Rows and columns counted from 0.
    pub const INDICES: Ids = Ids { rows: Side::Indices, cols: Side::Indices };

    /// Whether they are texts.
    pub fn are_labels(&self) -> bool {
        matches!(self.rows, Side::Labels(_))
    }
}
