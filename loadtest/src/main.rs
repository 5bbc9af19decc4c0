//! The command `cluecast-loadtest`: reads the command line, runs the task, tells the result.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use cluecast_loadtest::arguments::{Arguments, ReplayArguments, Task};
use cluecast_loadtest::replay::{Conclusion, Replayed, replay};
use cluecast_loadtest::report::Report;

/// Something was lost, doubled, out of order, missing or judged differently.
const EXIT_BAD: u8 = 1;

/// The run could not be finished.
const EXIT_UNFINISHED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let Task::Replay(arguments) = Arguments::parse().task;
    match run(*arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(EXIT_UNFINISHED)
        }
    }
}

async fn run(arguments: ReplayArguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // Created before the replay, so that no figures of an earlier one are left if it fails.
    let json = arguments.json.as_deref().map(create).transpose()?;
    let replayed = replay(arguments).await?;
    show(&replayed);
    if let Some(error) = &replayed.unfinished {
        eprintln!("error: the replay is not complete: {error}");
    } else if let Some(file) = json {
        write_json(file, &replayed.report)?;
    }
    Ok(match replayed.conclusion() {
        Conclusion::Good => ExitCode::SUCCESS,
        Conclusion::Bad => ExitCode::from(EXIT_BAD),
        Conclusion::Unfinished => ExitCode::from(EXIT_UNFINISHED),
    })
}

fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn write_json(mut file: File, report: &Report) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut file, report)?;
    writeln!(file)
}

fn show(replayed: &Replayed) {
    println!("{}", replayed.report);
    if !replayed.problems.is_empty() {
        println!("\nThe first problems:");
    }
    for problem in &replayed.problems {
        println!("- {problem}");
    }
}
