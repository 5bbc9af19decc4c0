//! The `cluecast-loadtest` binary: parses the command line, runs the test and prints its report.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use cluecast_loadtest::abuse::abuse;
use cluecast_loadtest::arguments::{
    AbuseArguments, Arguments, ChaosArguments, ChurnArguments, FanoutArguments, IdleArguments,
    LatencyArguments, ReplayArguments, Task,
};
use cluecast_loadtest::chaos::chaos;
use cluecast_loadtest::churn::churn;
use cluecast_loadtest::fanout::fanout;
use cluecast_loadtest::idle::idle;
use cluecast_loadtest::latency::latency;
use cluecast_loadtest::replay::{Conclusion, Replayed, replay};
use serde::Serialize;

type Run = Result<Conclusion, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let run = match Arguments::parse().task {
        Task::Replay(arguments) => run_replay(*arguments).await,
        Task::Idle(arguments) => run_idle(*arguments).await,
        Task::Latency(arguments) => run_latency(*arguments).await,
        Task::Fanout(arguments) => run_fanout(*arguments).await,
        Task::Chaos(arguments) => run_chaos(*arguments).await,
        Task::Abuse(arguments) => run_abuse(*arguments).await,
        Task::Churn(arguments) => run_churn(*arguments).await,
    };
    let conclusion = run.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        Conclusion::Unfinished
    });
    ExitCode::from(conclusion.exit_status())
}

async fn run_replay(arguments: ReplayArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let replayed = replay(arguments).await?;
    show(&replayed);
    if let Some(error) = &replayed.unfinished {
        eprintln!("error: the replay did not complete: {error}");
    } else {
        write_json(json, &replayed.report)?;
    }
    Ok(replayed.conclusion())
}

fn show(replayed: &Replayed) {
    println!("{}", replayed.report);
    show_problems(&replayed.problems);
}

fn show_problems(problems: &[String]) {
    if !problems.is_empty() {
        println!("\nFirst problems:");
    }
    for problem in problems {
        println!("- {problem}");
    }
}

async fn run_chaos(arguments: ChaosArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let run = Box::pin(chaos(arguments)).await?;
    println!("{}", run.report);
    show_problems(&run.problems);
    if let Some(error) = &run.unfinished {
        eprintln!("error: the run did not complete: {error}");
    }
    write_json(json, &run.report)?;
    Ok(run.conclusion())
}

async fn run_idle(arguments: IdleArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let report = Box::pin(idle(arguments)).await?;
    println!("{report}");
    write_json(json, &report)?;
    Ok(Conclusion::from_passed(report.is_good()))
}

async fn run_latency(arguments: LatencyArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let report = Box::pin(latency(arguments)).await?;
    println!("{report}");
    write_json(json, &report)?;
    Ok(Conclusion::from_passed(!report.is_missed()))
}

async fn run_fanout(arguments: FanoutArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let report = Box::pin(fanout(arguments)).await?;
    println!("{report}");
    write_json(json, &report)?;
    Ok(Conclusion::from_passed(report.is_good()))
}

async fn run_abuse(arguments: AbuseArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let report = Box::pin(abuse(arguments)).await?;
    println!("{report}");
    write_json(json, &report)?;
    Ok(Conclusion::from_passed(report.is_good()))
}

async fn run_churn(arguments: ChurnArguments) -> Run {
    let json = create(arguments.json.as_deref())?;
    let report = Box::pin(churn(arguments)).await?;
    println!("{report}");
    write_json(json, &report)?;
    Ok(Conclusion::from_passed(report.is_good()))
}

/// Creates the JSON file before the run, so that a failed run leaves no report of an earlier one.
fn create(path: Option<&Path>) -> Result<Option<File>, String> {
    let create = |path: &Path| {
        File::create(path)
            .map_err(|error| format!("cannot create {} for --json: {error}", path.display()))
    };
    path.map(create).transpose()
}

fn write_json(file: Option<File>, report: &impl Serialize) -> std::io::Result<()> {
    let Some(mut file) = file else {
        return Ok(());
    };
    serde_json::to_writer_pretty(&mut file, report)?;
    writeln!(file)
}
