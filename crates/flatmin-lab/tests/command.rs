//! The command as a process: killed with no chance to clean up, and given bad input.

mod outputs;

use outputs::{results, scratch};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

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
        command.arg("--spec").arg(&spec).arg("--out").arg(out).args(["--jobs", "2"]);
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
    assert!(!killed.join("records/small.csv").exists(), "it was too fast to be killed");

    let done = (lines() - 1) / 2;
    let output = command(&killed).output()?;
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout)?;
    let expected = format!("{} draws solved in", 36 - done);
    assert!(said.contains(&expected) && done >= 2, "'{expected}' is not in '{said}'");
    assert_eq!(results(&killed)?, results(&whole)?);
    Ok(())
}

#[test]
fn bad_usage_and_bad_sweeps_exit_with_two() -> Outcome {
    let dir = scratch("usage")?;
    let spec = dir.join("spec.toml");
    let text = "model = 'sensing'\nd = 8\nrnak = 2\nm = 30\ntrials = 2\n";
    fs::write(&spec, text)?;
    let spec = spec.to_string_lossy().into_owned();
    for (words, part) in [
        (vec!["fig9"], "scaling-noise, ratings, estimators, depth"),
        (vec!["fig9"], "and the groups fig3, fig4, scaling, semidefinite"),
        (vec!["--jobs", "none"], "--jobs must be"),
        (vec!["--spec", spec.as_str()], "unknown field `rnak`"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_flatmin-lab")).args(&words).output()?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(part), "'{part}' is not in '{said}'");
    }
    let list = Command::new(env!("CARGO_BIN_EXE_flatmin-lab")).arg("--list").output()?;
    assert!(list.status.success());
    let list = String::from_utf8(list.stdout)?;
    for part in ["must show", "from the records of fig3-bilinear", "fig4 stands for fig4-sensing,"]
    {
        assert!(list.contains(part), "'{part}' is not in '{list}'");
    }
    Ok(())
}
