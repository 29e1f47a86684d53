//! Positions of sampled entries in row order and in column order, for products with thin matrices.

use crate::linalg::sampled::Lists;

/// The entries `(i_t, j_t)` sorted by row and column, and by column and row.
///
/// ```
/// use flatmin_core::operator::Pattern;
/// let pattern = Pattern::new(2, 3, &[1, 0, 1], &[2, 1, 0]).unwrap();
/// assert_eq!(pattern.by_row().indices(), [1, 0, 2]);
/// assert_eq!(pattern.in_row_order(&[7.0, 8.0, 9.0]), [8.0, 9.0, 7.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    rows: Lists,
    cols: Lists,
    /// Place in the caller's order of each entry in row order; `None` when they are the same.
    order: Option<Vec<u32>>,
    /// Place in row order of each entry in column order.
    turned: Vec<u32>,
}

impl Pattern {
    /// From positions within `rows x cols`; `None` when there are more than 32 bits can count.
    pub fn new(rows: usize, cols: usize, i: &[usize], j: &[usize]) -> Option<Pattern> {
        let m = i.len();
        if m.max(rows).max(cols) >= u32::MAX as usize {
            return None;
        }
        let position = |t: usize| (i[t], j[t]);
        let sorted = (1..m).all(|t| position(t - 1) < position(t));
        let order = (!sorted).then(|| {
            // Stable by column, then by row.
            let (_, by_col) = counted(cols, m, |t| (j[t], t as u32));
            counted(rows, m, |t| (i[by_col[t] as usize], by_col[t])).1
        });
        let place = |t: usize| order.as_ref().map_or(t, |order| order[t] as usize);
        let row_starts = starts(rows, i.iter().copied());
        let indices: Vec<u32> = (0..m).map(|t| j[place(t)] as u32).collect();
        let (col_starts, turned) = counted(cols, m, |t| (indices[t] as usize, t as u32));
        let col_indices = turned.iter().map(|&t| i[place(t as usize)] as u32).collect();
        Some(Pattern {
            rows: Lists::new(row_starts, indices),
            cols: Lists::new(col_starts, col_indices),
            order,
            turned,
        })
    }

    /// For each row the columns of its entries.
    pub fn by_row(&self) -> &Lists {
        &self.rows
    }

    /// For each column the rows of its entries.
    pub fn by_col(&self) -> &Lists {
        &self.cols
    }

    /// Values in the caller's order, brought to row order.
    pub fn in_row_order(&self, values: &[f64]) -> Vec<f64> {
        match &self.order {
            None => values.to_vec(),
            Some(order) => order.iter().map(|&t| values[t as usize]).collect(),
        }
    }

    /// Values in row order, brought to column order.
    pub fn in_col_order(&self, values: &[f64]) -> Vec<f64> {
        self.turned.iter().map(|&t| values[t as usize]).collect()
    }

    /// Values in row order, brought back to the caller's order.
    pub fn in_given_order(&self, values: Vec<f64>) -> Vec<f64> {
        let Some(order) = &self.order else { return values };
        let mut out = vec![0.0; values.len()];
        order.iter().zip(values).for_each(|(&t, v)| out[t as usize] = v);
        out
    }
}

/// Where each key starts among the sorted ones; one more than keys.
fn starts(keys: usize, of: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0; keys + 1];
    of.for_each(|key| starts[key + 1] += 1);
    for key in 0..keys {
        starts[key + 1] += starts[key];
    }
    starts
}

/// Counting sort of `m` pairs (key, value), stable; the starts of the keys and the values.
fn counted(keys: usize, m: usize, pair: impl Fn(usize) -> (usize, u32)) -> (Vec<usize>, Vec<u32>) {
    let starts = starts(keys, (0..m).map(|t| pair(t).0));
    let mut next = starts.clone();
    let mut out = vec![0; m];
    for t in 0..m {
        let (key, value) = pair(t);
        out[next[key]] = value;
        next[key] += 1;
    }
    (starts, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There and back, in any order, with rows and columns that hold nothing.
    #[test]
    fn orders_agree() {
        let (i, j) = ([3, 0, 3, 1, 0], [1, 4, 0, 1, 1]);
        let values = [10.0, 11.0, 12.0, 13.0, 14.0];
        let pattern = Pattern::new(5, 6, &i, &j).unwrap();
        let by_row = pattern.in_row_order(&values);
        assert_eq!(by_row, [14.0, 11.0, 13.0, 12.0, 10.0]);
        assert_eq!(pattern.in_col_order(&by_row), [12.0, 14.0, 13.0, 10.0, 11.0]);
        assert_eq!(pattern.in_given_order(by_row), values);
        assert_eq!(pattern.by_col().indices(), [3, 0, 1, 3, 0]);
        assert_eq!((pattern.by_row().places(2), pattern.by_col().places(4)), (3..3, 4..5));
    }
}
