//! A study may stop at any moment, use any number of workers and change its grid: the bytes are the same.

#![allow(clippy::unwrap_used)]

use flatmin_lab::Error;
use flatmin_lab::progress::Progress;
use flatmin_lab::spec::Scale;
use flatmin_lab::study::{About, Outcome, Study, failed, rows_csv, run};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Squares up to each of some numbers. The text of 13 is a mistake, that of 14 no name.
#[derive(Default)]
struct Squares {
    numbers: Vec<u64>,
    calls: AtomicUsize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    number: u64,
    word: String,
    square: Option<f64>,
}

impl Study for Squares {
    type Task = String;
    type Row = Row;
    const ABOUT: About = About { id: "squares", title: "Squares", must_show: "squares" };

    fn tasks(&self, _: Scale) -> Vec<String> {
        self.numbers.iter().map(u64::to_string).collect()
    }

    fn perform(&self, task: &String, seed: u64) -> Result<Vec<Row>, Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let number: u64 = task.parse().map_err(failed(task))?;
        if number == 13 {
            return Err(failed(task)("unlucky"));
        }
        let row = |number: u64| Row {
            number,
            word: format!("{number}, {}", if number == 14 { "\n" } else { "\"quoted\"" }),
            square: (number != 2).then(|| (seed as f64 + 0.1) * (number * number) as f64),
        };
        Ok((1..=number % 10).chain([number]).map(row).collect())
    }
}

/// A path of these tests with nothing there.
fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("study").join(name);
    let _ = fs::remove_file(&path);
    path
}

fn squares(journal: &Path, numbers: &[u64], jobs: usize) -> Result<(Vec<u8>, usize), Error> {
    let study = Squares { numbers: numbers.to_vec(), ..Squares::default() };
    let done = run(&study, journal, (Scale::Quick, 3, jobs), &Progress::silent())?;
    assert!(done.iter().map(|d| &d.task).eq(&study.tasks(Scale::Quick)));
    let rows = rows_csv(Outcome::new("squares", done).rows())?;
    Ok((rows, study.calls.into_inner()))
}

#[test]
fn a_journal_cut_at_any_byte_ends_in_the_same_bytes() {
    let journal = scratch("cut.csv");
    let numbers = [1, 2, 30, 11, 5];
    let (expected, calls) = squares(&journal, &numbers, 1).unwrap();
    assert_eq!(calls, 5);
    let whole = fs::read(&journal).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&journal, &whole[..cut]).unwrap();
        let lines = whole[..cut].split_inclusive(|&b| b == b'\n');
        let kept = lines.filter(|l| l.starts_with(b"end") && l.ends_with(b"\n")).count();
        let again = |jobs| squares(&journal, &numbers, jobs).unwrap();
        assert_eq!(again(2), (expected.clone(), 5 - kept), "cut at {cut}");
        assert_eq!(again(1), (expected.clone(), 0), "cut at {cut}");
    }
}

#[test]
fn a_changed_grid_computes_what_is_new() {
    let journal = scratch("grid.csv");
    assert_eq!(squares(&journal, &[1, 3], 1).unwrap().1, 2);
    let (wider, calls) = squares(&journal, &[4, 3, 2, 1], 2).unwrap();
    assert_eq!(calls, 2);
    assert_eq!(squares(&journal, &[2], 1).unwrap().1, 0);
    assert_eq!(squares(&scratch("other.csv"), &[4, 3, 2, 1], 1).unwrap(), (wider, 4));
    // Rows of another seed are not taken for those of this one.
    let study = Squares { numbers: vec![2, 3], ..Squares::default() };
    let done = run(&study, &journal, (Scale::Quick, 4, 1), &Progress::silent()).unwrap();
    assert_eq!(study.calls.into_inner(), 2);
    assert_eq!(done[1].rows[2].square, Some(4.1 * 9.0));
}

#[test]
fn mistakes_come_back_as_errors() {
    let journal = scratch("mistakes.csv");
    for (number, part) in [(13, "cannot perform 13: unlucky"), (14, "cannot be read back")] {
        let message = squares(&journal, &[1, number], 1).unwrap_err().to_string();
        assert!(message.contains(part), "'{part}' is not in '{message}'");
    }
    // What was done before them is kept.
    assert_eq!(squares(&journal, &[1], 1).unwrap().1, 0);
}
