//! A run may be killed at any moment, and may use any number of workers: the bytes are the same.

use flatmin::core::rng::{Role, Stream};
use flatmin_lab::args::Options;
use flatmin_lab::progress::Progress;
use flatmin_lab::record::{Record, Timed};
use flatmin_lab::reproduce::{Finished, reproduce};
use flatmin_lab::runner::Draw;
use flatmin_lab::spec::Scale;
use flatmin_lab::{Error, trial};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SMALL: &str = "name = 'small'\nmodel = 'sensing'\nd = [8, 9]\nrank = 2\nm = [30, 50]\n\
                     trials = 2\n";

/// An empty directory of this test.
fn scratch(name: &str) -> Result<PathBuf, std::io::Error> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn options(dir: &Path, spec: &Path, jobs: usize) -> Options {
    Options {
        experiments: Vec::new(),
        scale: Scale::Quick,
        jobs: Some(jobs),
        seed: 3,
        out: Some(dir.to_owned()),
        spec: Some(spec.to_owned()),
        fresh: false,
    }
}

/// A stand-in for the solver: numbers that depend on the draw alone, and times that do not.
fn fake(draw: &Draw<'_>, calls: &AtomicUsize) -> Vec<Timed> {
    let call = calls.fetch_add(1, Ordering::Relaxed);
    let (family, key) = draw.cell.key();
    let mut stream = Stream::new(draw.seed, family, key, u64::from(draw.trial), Role::Truth);
    let row = |objective| {
        let mut record = Record::blank(&draw.sweep.id, &draw.cell, draw.trial, objective);
        record.seed = draw.seed;
        record.status = "pretended, \"so\"".to_owned();
        record.value = Some(stream.gaussian());
        record.error = Some(stream.uniform() * 2e-6);
        record.success = record.error < Some(1e-6);
        Timed {
            record,
            seconds: call as f64 + 0.25,
        }
    };
    draw.sweep.objectives.iter().copied().map(row).collect()
}

fn pretend(options: &Options) -> Result<(Finished, usize), Error> {
    let calls = AtomicUsize::new(0);
    let finished = reproduce(options, &|draw| fake(draw, &calls), &Progress::silent())?;
    Ok((finished, calls.into_inner()))
}

/// All files that must not depend on how the run went.
fn results(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, std::io::Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(dir).unwrap_or(&path).to_owned();
            let changing = ["journal", "timings.csv", "report/timings.js"];
            if changing.iter().any(|c| name == Path::new(c)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(name, fs::read(path)?);
            }
        }
    }
    Ok(files)
}

#[test]
fn a_journal_cut_at_any_byte_ends_in_the_same_bytes() -> Outcome {
    let dir = scratch("cut")?;
    let spec = dir.join("spec.toml");
    fs::write(&spec, SMALL.replace("[8, 9]", "8"))?;
    let whole = dir.join("whole");
    let (finished, calls) = pretend(&options(&whole, &spec, 1))?;
    assert_eq!((finished.tally.computed, calls), (4, 4));
    let expected = results(&whole)?;
    assert!(expected.contains_key(Path::new("records/small.csv")));
    assert!(expected.contains_key(Path::new("figures/small.svg")));
    assert!(expected.contains_key(Path::new("report/index.html")));
    let journal = fs::read(whole.join("journal/small.csv"))?;
    let lines_before = |cut: usize| journal[..cut].iter().filter(|&&b| b == b'\n').count();

    let again = dir.join("again");
    pretend(&options(&again, &spec, 1))?;
    for cut in 0..=journal.len() {
        fs::write(again.join("journal/small.csv"), &journal[..cut])?;
        let (finished, calls) = pretend(&options(&again, &spec, 2))?;
        // One line of header, then two lines a draw.
        let kept = lines_before(cut).saturating_sub(1) / 2;
        assert_eq!(
            (finished.tally.resumed, calls),
            (kept, 4 - kept),
            "cut at {cut}"
        );
        assert_eq!(results(&again)?, expected, "cut at {cut}");
    }
    // Nothing is left to do.
    assert_eq!(pretend(&options(&again, &spec, 2))?.1, 0);
    Ok(())
}

#[test]
fn the_number_of_workers_is_not_seen() -> Outcome {
    let dir = scratch("jobs")?;
    let spec = dir.join("spec.toml");
    // Tiny probabilities, so that some draws see nothing.
    let text = "name = 'small'\nmodel = 'completion'\nd = [4, 12]\nrank = 1\n\
                p = [0.01, 0.6]\ntrials = 3\n";
    fs::write(&spec, text)?;
    let mut seen = Vec::new();
    for jobs in [1, 2] {
        let out = dir.join(format!("jobs{jobs}"));
        let finished = reproduce(
            &options(&out, &spec, jobs),
            &trial::run,
            &Progress::silent(),
        )?;
        assert_eq!(finished.tally.computed, 12);
        let records = finished.sections[0].records();
        assert_eq!(records.len(), 24);
        assert!(
            records
                .iter()
                .any(|r| r.status == trial::NOTHING_SAMPLED && !r.success)
        );
        assert!(
            records
                .iter()
                .any(|r| r.certified && r.success && r.rank_found == Some(1))
        );
        seen.push(results(&out)?);
    }
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

#[test]
fn runs_that_differ_are_never_mixed() -> Outcome {
    let dir = scratch("mixed")?;
    let spec = dir.join("spec.toml");
    fs::write(&spec, SMALL)?;
    let out = dir.join("out");
    pretend(&options(&out, &spec, 1))?;
    let before = results(&out)?;
    let journal = fs::read(out.join("journal/small.csv"))?;

    let mut other = options(&out, &spec, 1);
    other.seed = 4;
    let message = pretend(&other)
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(
        message.contains("seed: 3 there, 4 in this run"),
        "{message}"
    );
    assert!(
        message.contains("--out") && message.contains("--fresh"),
        "{message}"
    );

    fs::write(&spec, SMALL.replace("trials = 2", "trials = 3"))?;
    let message = pretend(&options(&out, &spec, 1))
        .err()
        .map(|e| e.to_string());
    assert!(message.is_some_and(|m| m.contains("3 trials")));
    assert_eq!(results(&out)?, before);
    assert_eq!(fs::read(out.join("journal/small.csv"))?, journal);

    other.fresh = true;
    assert_eq!(pretend(&other)?.1, 12);

    fs::write(out.join("journal/small.csv"), "something else\n")?;
    other.fresh = false;
    assert!(matches!(pretend(&other), Err(Error::NotAJournal { .. })));
    Ok(())
}

#[test]
fn a_directory_serves_one_run_at_a_time() -> Outcome {
    let dir = scratch("busy")?;
    let spec = dir.join("spec.toml");
    fs::write(&spec, SMALL)?;
    let out = dir.join("out");
    let inner = options(&out, &spec, 1);
    let calls = AtomicUsize::new(0);
    let nested = |draw: &Draw<'_>| {
        assert!(matches!(pretend(&inner), Err(Error::Busy { .. })));
        fake(draw, &calls)
    };
    reproduce(&options(&out, &spec, 1), &nested, &Progress::silent())?;
    assert_eq!(calls.into_inner(), 8);
    Ok(())
}

/// The command itself, killed with no chance to clean up.
#[test]
fn a_killed_process_is_taken_up_where_it_stopped() -> Outcome {
    let dir = scratch("killed")?;
    let spec = dir.join("spec.toml");
    let text = "name = 'small'\nmodel = 'sensing'\nd = 14\nrank = 2\nm = [60, 80, 100]\n\
                trials = 12\n";
    fs::write(&spec, text)?;
    let command = |out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flatmin-lab"));
        command
            .arg("--spec")
            .arg(&spec)
            .arg("--out")
            .arg(out)
            .args(["--jobs", "2"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let whole = dir.join("whole");
    assert!(command(&whole).status()?.success());

    let killed = dir.join("killed");
    let journal = killed.join("journal/small.csv");
    let lines = || fs::read(&journal).map_or(0, |b| b.iter().filter(|&&b| b == b'\n').count());
    let started = Instant::now();
    let mut child = command(&killed).spawn()?;
    while lines() < 5 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    assert!(
        !killed.join("records/small.csv").exists(),
        "it was too fast to be killed"
    );

    let done = (lines() - 1) / 2;
    let output = command(&killed).output()?;
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout)?;
    let expected = format!("{} draws solved in", 36 - done);
    assert!(
        said.contains(&expected) && done >= 2,
        "'{expected}' is not in '{said}'"
    );
    assert_eq!(results(&killed)?, results(&whole)?);
    Ok(())
}

#[test]
fn bad_usage_and_bad_sweeps_exit_with_two() -> Outcome {
    let dir = scratch("usage")?;
    let spec = dir.join("spec.toml");
    fs::write(&spec, SMALL.replace("rank", "rnak"))?;
    let spec = spec.to_string_lossy().into_owned();
    for (words, part) in [
        (vec!["fig9"], "fig3-sensing, fig3-completion, nonuniform"),
        (vec!["--jobs", "none"], "--jobs must be"),
        (vec!["--spec", spec.as_str()], "unknown field `rnak`"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_flatmin-lab"))
            .args(&words)
            .output()?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(part), "'{part}' is not in '{said}'");
    }
    let list = Command::new(env!("CARGO_BIN_EXE_flatmin-lab"))
        .arg("--list")
        .output()?;
    assert!(list.status.success());
    assert!(String::from_utf8(list.stdout)?.contains("must show"));
    Ok(())
}
