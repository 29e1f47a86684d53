//! `flatmin-lab`: what `cargo xtask reproduce` runs.

use flatmin_lab::args::{self, Command};
use flatmin_lab::experiment::{EXPERIMENTS, groups};
use flatmin_lab::progress::Progress;
use flatmin_lab::reproduce::{Finished, reproduce};
use flatmin_lab::{Error, trial};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = args::parse(std::env::args().skip(1)).and_then(|command| {
        let text = match command {
            Command::Help => args::HELP.to_owned(),
            Command::List => list(),
            Command::Run(options) => {
                summary(&reproduce(&options, &trial::run, &Progress::stderr())?)
            }
        };
        // A reader that went away (`| head`) is no failure of the run.
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// 2 for what the user can mend on the command line or in a sweep, 1 for the rest.
fn exit_code(error: &Error) -> u8 {
    match error {
        Error::UnknownOption { .. }
        | Error::MissingValue { .. }
        | Error::BadValue { .. }
        | Error::Conflict { .. }
        | Error::UnknownExperiment { .. }
        | Error::SpecSyntax { .. }
        | Error::Spec { .. }
        | Error::Data { .. }
        | Error::OtherRun { .. } => 2,
        _ => 1,
    }
}

fn list() -> String {
    let mut text = String::new();
    for experiment in EXPERIMENTS {
        text.push_str(&format!("{}\n  {}\n", experiment.id, experiment.title));
        text.push_str(&format!("  must show: {}\n", experiment.must_show));
        for line in experiment.extent() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for group in groups() {
        let members = EXPERIMENTS.iter().filter(|e| e.group == group);
        let members: Vec<_> = members.map(|e| e.id).collect();
        text.push_str(&format!("{group} stands for {}.\n", members.join(", ")));
    }
    text
}

fn summary(finished: &Finished) -> String {
    let mut text = String::new();
    for section in &finished.sections {
        text.push_str(&format!("\n{}\n", section.sweep.title));
        for claim in &section.claims {
            text.push_str(&format!("  {}: {}\n", claim.verdict, claim.statement));
            text.push_str(&format!("    {}\n", claim.measured));
        }
        if let Some(skipped) = section.findings.as_ref().and_then(|found| found.skipped()) {
            text.push_str(&format!("  {skipped}\n"));
        }
        if section.source.is_some() || !section.is_swept() {
            continue;
        }
        let certified = section.rows.iter().filter(|row| row.record.certified).count();
        text.push_str(&format!(
            "  {certified} of {} solves certified to a relative gap of {:e}\n",
            section.rows.len(),
            section.sweep.tolerance
        ));
    }
    text.push_str(&match (finished.tally.computed, finished.tally.resumed) {
        (0, 0) => format!("\ndone in {:.0} s\n", finished.seconds),
        (computed, resumed) => format!(
            "\n{computed} draws solved in {:.0} s, {resumed} found in the journal\n",
            finished.seconds
        ),
    });
    text.push_str(&format!("report: {}\n", finished.report.display()));
    text
}
