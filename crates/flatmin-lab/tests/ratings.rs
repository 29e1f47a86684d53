//! Ratings from a folder: the same bytes for any number of workers and after any interruption, and a
//! clear word where there is nothing to read.

use flatmin::core::rng::{Role, Stream};
use flatmin_lab::Error;
use flatmin_lab::progress::Progress;
use flatmin_lab::spec::Scale;
use flatmin_lab::studies::ratings::{Method, Outcome, run};
use flatmin_lab::study::Findings;
use npyz::{AutoSerialize, WriterBuilder};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An empty directory of this test.
fn scratch(name: &str) -> Result<PathBuf, std::io::Error> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

type Outcomes = Result<(), Box<dyn std::error::Error>>;

fn field<T: AutoSerialize + Copy>(
    zip: &mut ZipWriter<File>,
    name: &str,
    values: &[T],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[values.len() as u64]);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    zip.start_file(format!("{name}.npy"), SimpleFileOptions::default())?;
    zip.write_all(&bytes)?;
    Ok(())
}

/// 15 x 12 ratings of rank one with noise; `m` of the 180, a tenth for validation, a tenth for test.
fn write(path: &Path, m: usize) -> Outcomes {
    let mut stream = Stream::new(2, "ratings", 0, 0, Role::Truth);
    let (u, v) = (stream.gaussian_vector(15), stream.gaussian_vector(12));
    let place = |t: usize| (101 * t % 180 / 12, 101 * t % 12);
    let (i, j): (Vec<i32>, Vec<i32>) = (0..m).map(place).map(|(i, j)| (i as i32, j as i32)).unzip();
    let value = |t: usize| {
        let (i, j) = place(t);
        (3.0 + u[i] * v[j] + 0.3 * stream.gaussian()) as f32
    };
    let values: Vec<f32> = (0..m).map(value).collect();
    let split: Vec<u8> = (0..m).map(|t| [1, 2].get(t % 10).copied().unwrap_or(0)).collect();
    let mut zip = ZipWriter::new(File::create(path)?);
    field(&mut zip, "row", &i)?;
    field(&mut zip, "col", &j)?;
    field(&mut zip, "val", &values)?;
    field(&mut zip, "split", &split)?;
    field(&mut zip, "shape", &[15_i64, 12])?;
    zip.finish()?;
    Ok(())
}

fn rate(data: &Path, journal: &Path, jobs: usize) -> Result<Outcome, Error> {
    run(Some(data), journal, (Scale::Quick, jobs), &Progress::silent())
}

#[test]
fn neither_workers_nor_interruptions_are_seen() -> Outcomes {
    let dir = scratch("ratings")?;
    write(&dir.join("insteval.npz"), 150)?;
    let journal = dir.join("one.csv");
    let whole = rate(&dir, &journal, 1)?;
    assert!(whole.skipped.as_ref().is_some_and(|why| why.contains("un_votes.npz")));
    assert_eq!((whole.curves.len(), whole.sets()), (8, vec!["insteval"]));
    let flat = whole.curve("insteval", false, Method::Flat).ok_or("no curve")?;
    let alone = whole.curve("insteval", false, Method::Offsets).ok_or("no curve")?;
    let (best, mean) = (flat.best().ok_or("empty")?, &alone.rows[0]);
    assert!(best.test < 0.7 * mean.test, "{} {}", best.test, mean.test);
    let first = &flat.rows[0];
    // From the largest penalty down: nearly the mean alone at first.
    assert!((first.validation / mean.validation - 1.0).abs() < 0.1 && first.rank <= 1, "{first:?}");
    let (below, above) = flat.leeway();
    assert!(below.is_none_or(|f| f > 1.0) && above.is_some_and(|f| f > 1.0));
    let expected = whole.records_csv()?;
    assert_eq!(rate(&dir, &dir.join("two.csv"), 2)?.records_csv()?, expected);
    let bytes = fs::read(&journal)?;
    for part in [1, 3] {
        let cut = bytes.len() * (2 * part + 1) / 8;
        fs::write(&journal, &bytes[..cut])?;
        assert_eq!(rate(&dir, &journal, 1)?.records_csv()?, expected, "cut at {cut}");
        // And where a line ends.
        let end = bytes[..cut].iter().rposition(|&b| b == b'\n').map_or(0, |k| k + 1);
        fs::write(&journal, &bytes[..end])?;
        assert_eq!(rate(&dir, &journal, 1)?.records_csv()?, expected, "cut at {end}");
    }
    assert_eq!(whole.claims().len(), 4);
    assert_eq!(whole.figures()?.len(), 2);
    Ok(())
}

#[test]
fn what_cannot_be_read_is_said() -> Outcomes {
    let dir = scratch("unrated")?;
    let journal = dir.join("journal.csv");
    let nothing = run(None, &journal, (Scale::Quick, 1), &Progress::silent())?;
    assert!(nothing.skipped.is_some_and(|why| why.contains("--data DIR")));
    fs::write(dir.join("insteval.npz"), "no archive")?;
    let message = rate(&dir, &journal, 1).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("insteval.npz"), "{message}");
    // Nothing for validation or test.
    write(&dir.join("insteval.npz"), 1)?;
    assert!(matches!(rate(&dir, &journal, 1), Err(Error::Data { .. })));
    Ok(())
}
