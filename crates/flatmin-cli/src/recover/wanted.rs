//! What is to be predicted: entries, and the best columns of rows.

use crate::Error;
use crate::args::RatingSettings;
use crate::read::npz::Archive;
use crate::read::ratings::{self, Id, Ids, Pairs, Side};
use crate::read::{extension, open};
use flatmin::completion::ratings::{Centring, RatingsModel};
use std::path::Path;

/// What is to be predicted.
pub(super) struct Wanted {
    /// Entries.
    pub(super) pairs: Pairs,
    /// How many columns of each row.
    top: usize,
    /// These rows, or all.
    rows: Vec<Id>,
}

impl Wanted {
    /// Reads what the settings name, with the ids of a matrix of that shape.
    pub(super) fn read(
        settings: &RatingSettings,
        ids: &Ids,
        shape: (usize, usize),
    ) -> Result<Wanted, Error> {
        let pairs = match &settings.predict {
            Some(path) => read_pairs(path, ids, shape)?,
            None => Pairs::new(),
        };
        let row = |id: &String| {
            let id = id.trim();
            Id::of(id, &ids.rows, shape.0).ok_or_else(|| Error::NoRow { id: id.to_owned() })
        };
        let rows = settings.top_for.iter().map(row).collect::<Result<_, _>>()?;
        let top = settings.top.map_or(0, |n| n as usize);
        Ok(Wanted { pairs, top, rows })
    }

    /// Values of the pairs.
    pub(super) fn predictions(&self, model: &RatingsModel) -> Vec<f64> {
        self.pairs.iter().map(|(i, j)| model.predict(i.index(), j.index())).collect()
    }

    /// How many pairs have a row or a column that was never seen.
    pub(super) fn unseen(&self, model: &RatingsModel) -> usize {
        let unseen = |(i, j): &&(Id, Id)| {
            !met(model, i) || j.index().is_none_or(|j| model.popularity(j) == 0)
        };
        self.pairs.iter().filter(unseen).count()
    }

    /// Rows with their best columns, best first.
    pub(super) fn recommendations<'a>(
        &'a self,
        model: &'a RatingsModel,
    ) -> impl Iterator<Item = (Id, usize, f64)> + 'a {
        let all = if self.rows.is_empty() { model.shape().0 } else { 0 };
        let all = (0..all).map(Id::Seen).filter(|id| met(model, id));
        let rows = self.rows.iter().cloned().chain(all);
        rows.flat_map(move |id| {
            let row = model.row(id.index());
            let best = row.top(self.top, row.seen());
            // To the last bit what --predict says of the pair.
            let value = |id: &Id, col| model.predict(id.index(), Some(col));
            best.into_iter().map(move |(col, _)| (id.clone(), col, value(&id, col)))
        })
    }

    /// What was asked for and never seen.
    pub(super) fn warnings(&self, model: &RatingsModel) -> Vec<String> {
        let mut warnings = Vec::new();
        let unseen = self.unseen(model);
        let get = match model.offsets.centring() {
            Centring::None => {
                "there are no offsets to go by (--center row-col): they get 0, within the \
                               range of the ratings"
            }
            _ => "they get what the offsets say",
        };
        if unseen > 0 {
            warnings.push(format!(
                "{unseen} of {} pairs have a row or column that was never seen: {get}",
                self.pairs.len()
            ));
        }
        if unseen > 0 && unseen == self.pairs.len() {
            warnings.push("no pair was met: compare the ids of the two files".to_owned());
        }
        let unmet = self.rows.iter().filter(|id| !met(model, id)).count();
        if unmet > 0 {
            warnings.push(format!(
                "{unmet} of {} rows of --top-for were never seen: {get}",
                self.rows.len()
            ));
        }
        warnings
    }
}

fn met(model: &RatingsModel, row: &Id) -> bool {
    !model.seen(row.index()).is_empty()
}

fn read_pairs(path: &Path, ids: &Ids, shape: (usize, usize)) -> Result<Pairs, Error> {
    let place = path.display().to_string();
    match extension(path).as_str() {
        kind @ ("csv" | "tsv" | "data" | "dat") => ratings::pairs(open(path)?, kind, ids, shape)
            .map_err(|fault| Error::Ratings { place, fault }),
        "npz" => {
            let mut archive = Archive::open(path)?;
            let [row, col] = ["row", "col"].map(|field| archive.place(field));
            let rows = archive.read("row")?.into_indices(&row)?;
            let cols = archive.read("col")?.into_indices(&col)?;
            if rows.len() != cols.len() {
                let (expected, got) = (rows.len(), cols.len());
                return Err(Error::Lengths { place: col, expected, got });
            }
            let id = |index: usize, side: &Side, count| match side {
                Side::Indices if index < count => Id::Seen(index),
                _ => Id::of(&index.to_string(), side, count)
                    .unwrap_or_else(|| Id::Unseen(index.to_string().into())),
            };
            let pairs = rows.into_iter().zip(cols);
            Ok(pairs.map(|(i, j)| (id(i, &ids.rows, shape.0), id(j, &ids.cols, shape.1))).collect())
        }
        _ => {
            let accepted = ".csv, .tsv, .data, .dat or .npz";
            Err(Error::Extension { path: place, accepted })
        }
    }
}
