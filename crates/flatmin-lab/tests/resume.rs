//! A run may stop at any moment, and may use any number of workers: the bytes are the same.
//!
//! Nothing here starts a process: a child shares the locks of its parent until it runs its program.

mod outputs;

use flatmin::core::rng::{Role, Stream};
use flatmin_lab::args::Options;
use flatmin_lab::progress::Progress;
use flatmin_lab::record::{Record, Timed};
use flatmin_lab::reproduce::{Finished, reproduce};
use flatmin_lab::runner::{Draw, OutDir, Settings, run};
use flatmin_lab::spec::Scale;
use flatmin_lab::{Error, spec_file, trial};
use outputs::{results, scratch};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SMALL: &str = "name = 'small'\nmodel = 'sensing'\nd = [8, 9]\nrank = 2\nm = [30, 50]\n\
                     trials = 2\n";

fn options(dir: &Path, spec: &Path, jobs: usize) -> Options {
    Options {
        experiments: Vec::new(),
        scale: Scale::Quick,
        jobs: Some(jobs),
        seed: 3,
        out: Some(dir.to_owned()),
        spec: Some(spec.to_owned()),
        data: None,
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
        Timed::new(record, call as f64 + 0.25)
    };
    draw.sweep.objectives.iter().copied().map(row).collect()
}

fn pretend(options: &Options) -> Result<(Finished, usize), Error> {
    let calls = AtomicUsize::new(0);
    let finished = reproduce(options, &|draw| fake(draw, &calls), &Progress::silent())?;
    Ok((finished, calls.into_inner()))
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

    // The records at every byte; figures and report, which are made from them, where lines end.
    let again = dir.join("again");
    pretend(&options(&again, &spec, 1))?;
    let sweep = spec_file::read(&spec)?;
    let settings = Settings { seed: 3, jobs: 2, dir: again.clone(), scale: sweep.id.clone() };
    let rows = |dir: &OutDir| -> Result<Vec<Record>, Error> {
        let rows = dir.rows(&sweep)?.unwrap_or_default();
        Ok(rows.into_iter().map(|row| row.record).collect())
    };
    let records = rows(&OutDir::open(&settings, std::slice::from_ref(&sweep), false)?)?;
    assert_eq!(records.len(), 8);
    for cut in 0..=journal.len() {
        fs::write(again.join("journal/small.csv"), &journal[..cut])?;
        // One line of header, then two lines a draw.
        let kept = lines_before(cut).saturating_sub(1) / 2;
        let near_a_line_end =
            (cut.saturating_sub(1)..(cut + 2).min(journal.len())).any(|k| journal[k] == b'\n');
        let (resumed, calls) = if near_a_line_end {
            let (finished, calls) = pretend(&options(&again, &spec, 2))?;
            assert_eq!(results(&again)?, expected, "cut at {cut}");
            (finished.tally.resumed, calls)
        } else {
            let calls = AtomicUsize::new(0);
            let out = OutDir::open(&settings, std::slice::from_ref(&sweep), false)?;
            let trial = |draw: &Draw<'_>| fake(draw, &calls);
            let sweeps = std::slice::from_ref(&sweep);
            let tally = run(&out, &settings, sweeps, &trial, &Progress::silent())?;
            assert_eq!(rows(&out)?, records, "cut at {cut}");
            (tally.resumed, calls.into_inner())
        };
        assert_eq!((resumed, calls), (kept, 4 - kept), "cut at {cut}");
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
        let finished = reproduce(&options(&out, &spec, jobs), &trial::run, &Progress::silent())?;
        assert_eq!(finished.tally.computed, 12);
        let records = finished.sections[0].records();
        assert_eq!(records.len(), 24);
        assert!(records.iter().any(|r| r.status == trial::NOTHING_SAMPLED && !r.success));
        assert!(records.iter().any(|r| r.certified && r.success && r.rank_found == Some(1)));
        seen.push(results(&out)?);
    }
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

/// The models with rank-one measurements, in general and in symmetric matrices.
#[test]
fn the_number_of_workers_is_not_seen_in_rank_one_measurements() -> Outcome {
    let dir = scratch("rank-one")?;
    let spec = dir.join("spec.toml");
    for text in [
        "name = 'small'\nmodel = 'bilinear'\nd1 = [6, 12]\nd2 = [8, 9]\nrank = 1\n\
         m = [20, 70]\ntrials = 3\n",
        "name = 'small'\nmodel = 'quadnet'\nd = [6, 9]\nrank = 2\nm = [12, 44]\ntrials = 3\n",
    ] {
        fs::write(&spec, text)?;
        let mut seen = Vec::new();
        for jobs in [1, 2] {
            let mut options = options(&dir.join(format!("jobs{jobs}")), &spec, jobs);
            options.fresh = true;
            let finished = reproduce(&options, &trial::run, &Progress::silent())?;
            assert_eq!(finished.tally.computed, 12);
            let records = finished.sections[0].records();
            assert!(records.iter().all(|r| r.certified), "{text}");
            assert!(records.iter().any(|r| r.success) && records.iter().any(|r| !r.success));
            seen.push(results(&dir.join(format!("jobs{jobs}")))?);
        }
        assert_eq!(seen[0], seen[1], "{text}");
        // Cut within the last draw: the same draws again, to the bit.
        let out = dir.join("jobs2");
        let journal = out.join("journal/small.csv");
        let bytes = fs::read(&journal)?;
        fs::write(&journal, &bytes[..bytes.len() - 30])?;
        let finished = reproduce(&options(&out, &spec, 2), &trial::run, &Progress::silent())?;
        assert_eq!(finished.tally.computed, 1);
        assert_eq!(results(&out)?, seen[0], "{text}");
    }
    Ok(())
}

/// Four solves a draw under noise, of which two go by the others' multipliers.
#[test]
fn the_number_of_workers_is_not_seen_under_noise() -> Outcome {
    let dir = scratch("noise")?;
    let spec = dir.join("spec.toml");
    let text = "name = 'small'\nmodel = 'sensing'\nd = 8\nrank = 1\nm = [40, 50, 60]\n\
                noise = [1e-5, 1e-3, 0.1]\ntrials = 2\n";
    fs::write(&spec, text)?;
    let mut seen = Vec::new();
    for jobs in [1, 2] {
        let out = dir.join(format!("jobs{jobs}"));
        let finished = reproduce(&options(&out, &spec, jobs), &trial::run, &Progress::silent())?;
        let records = finished.sections[0].records();
        assert_eq!((finished.tally.computed, records.len()), (18, 72));
        assert!(records.iter().all(|r| r.certified && r.delta.is_some()));
        // Three panels of levels in one figure, three of numbers in the other.
        assert_eq!(finished.sections[0].figures.len(), 2);
        seen.push(results(&out)?);
    }
    assert_eq!(seen[0], seen[1]);
    let out = dir.join("jobs2");
    let journal = out.join("journal/small.csv");
    let bytes = fs::read(&journal)?;
    fs::write(&journal, &bytes[..bytes.len() - 30])?;
    let finished = reproduce(&options(&out, &spec, 2), &trial::run, &Progress::silent())?;
    assert_eq!(finished.tally.computed, 1);
    assert_eq!(results(&out)?, seen[0]);
    Ok(())
}

/// Figure 4 is computed from the solves of Figure 3.
#[test]
fn a_view_has_no_solves_of_its_own() -> Outcome {
    let dir = scratch("view")?;
    let options = Options {
        experiments: vec!["fig4-bilinear".to_owned(), "fig3-bilinear".to_owned()],
        spec: None,
        ..options(&dir, Path::new(""), 2)
    };
    let (finished, calls) = pretend(&options)?;
    assert_eq!((finished.tally.computed, calls), (400, 400));
    let ids: Vec<_> = finished.sections.iter().map(|s| s.sweep.id.as_str()).collect();
    assert_eq!(ids, ["fig3-bilinear", "fig4-bilinear"]);
    let [source, view] = &finished.sections[..] else { return Err("two sections".into()) };
    assert_eq!(view.source.as_deref(), Some("fig3-bilinear"));
    assert_eq!(view.rows, source.rows);
    assert_eq!((view.claims.len(), view.figures.len()), (5, 2));
    let files = results(&dir)?;
    assert!(files.contains_key(Path::new("records/fig3-bilinear.csv")));
    assert!(!files.contains_key(Path::new("records/fig4-bilinear.csv")));
    assert!(files.contains_key(Path::new("figures/fig4-bilinear-kappa.svg")));
    let timings = fs::read_to_string(dir.join("timings.csv"))?;
    assert_eq!(timings.lines().count(), 1 + 800);
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
    let message = pretend(&other).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("seed: 3 there, 4 in this run"), "{message}");
    assert!(message.contains("--out") && message.contains("--fresh"), "{message}");

    fs::write(&spec, SMALL.replace("trials = 2", "trials = 3"))?;
    let message = pretend(&options(&out, &spec, 1)).err().map(|e| e.to_string());
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
