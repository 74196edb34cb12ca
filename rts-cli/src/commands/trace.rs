//! `rts trace`, which reads recordings. A recording contains texts of other users, and may be
//! forged.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use rts_trace::{Difference, ExplainError, Explained, Replayed, Story, explain, replay};
use serde_json::json;

use crate::out::{eprint_line, plain, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run the core of a recording again, and compare its outputs with the recorded ones
    Replay {
        /// The recording
        file: PathBuf,
    },
    /// Print what happened in a recording, or in those of several shards of one node
    Show {
        /// The recordings
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Print only the message with this number, and its result
        #[arg(long, value_name = "N")]
        message: Option<u64>,
        /// Print only messages of this user, from the recording of a server
        #[arg(long, value_name = "UID")]
        from: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Exit code 1 means that the replay differs, or that there is no such message.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Replay { file } => replay_file(&file),
        Command::Show { files, message, from, json } => {
            let explained = explain_files(&files)?;
            for (file, replayed) in files.iter().zip(&explained.replayed) {
                warn((files.len() > 1).then_some(file), replayed);
            }
            if message.is_none() && from.is_none() {
                return timeline(&explained, json);
            }
            let is_wanted = |story: &&Story| {
                message.is_none_or(|id| story.id.0 == id)
                    && from.as_ref().is_none_or(|from| story.from.as_ref() == Some(from))
            };
            stories(explained.stories.iter().filter(is_wanted), json)
        }
    }
}

fn open(file: &Path) -> anyhow::Result<BufReader<File>> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    Ok(BufReader::new(opened))
}

fn explain_files(files: &[PathBuf]) -> anyhow::Result<Explained> {
    let opened = files.iter().map(|file| open(file)).collect::<anyhow::Result<Vec<_>>>()?;
    explain(opened).map_err(|ExplainError { trace, error }| {
        anyhow::Error::new(error).context(files[trace].display().to_string())
    })
}

fn replay_file(file: &Path) -> anyhow::Result<ExitCode> {
    let replayed = replay(open(file)?, &mut ()).with_context(|| file.display().to_string())?;
    let recording = &replayed.recording;
    let of = match (&recording.app_id, recording.placement) {
        (Some(app_id), _) => format!("an engine of app {app_id}"),
        (None, Some(placement)) if placement.count() > 1 => {
            format!("shard {} of a server", placement.own().number())
        }
        (None, _) => "a server".into(),
    };
    say(format_args!(
        "{of}: {} inputs and calls over {:.1} s, compared {} times",
        replayed.steps,
        replayed.span.as_secs_f64(),
        replayed.compared
    ))?;
    warn(None, &replayed);
    match &replayed.difference {
        None => {
            say("the same outputs, bit for bit")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(difference) => {
            say(plain(&in_words(difference)))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn in_words(difference: &Difference) -> String {
    format!(
        "the outputs differ from the recorded ones, first at record {}, {} ms after the beginning, after: {}",
        difference.record,
        difference.at.as_micros() / 1_000,
        difference.since.join("; ")
    )
}

/// Prints warnings about a recording to standard error, with its name if there are others.
fn warn(file: Option<&PathBuf>, replayed: &Replayed) {
    let of = file.map_or(String::new(), |file| format!("{}: ", plain(&file.to_string_lossy())));
    if replayed.torn_bytes > 0 {
        eprint_line(format_args!(
            "{of}the last record is torn: its {} bytes are left out",
            replayed.torn_bytes
        ));
    }
    let (recorded, own) = (replayed.recording.version.as_str(), env!("CARGO_PKG_VERSION"));
    if recorded != own {
        eprint_line(format_args!(
            "{of}recorded by version {}; this is {own}, which may say other things",
            plain(recorded)
        ));
    }
    if let Some(difference) = &replayed.difference {
        eprint_line(format_args!(
            "{of}what follows may be wrong: {}",
            plain(&in_words(difference))
        ));
    }
}

fn timeline(explained: &Explained, as_json: bool) -> anyhow::Result<ExitCode> {
    for line in &explained.lines {
        let micros = line.at.as_micros();
        let shard = line.shard.map(|shard| shard.number());
        if as_json {
            say(json!({"at_us": micros, "shard": shard, "what": line.what}))?;
            continue;
        }
        let of = shard.map_or(String::new(), |shard| format!("shard {shard}  "));
        let millis = micros as f64 / 1_000.0;
        say(format_args!("{millis:>12.3} ms  {of}{}", plain(&line.what)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn stories<'a>(
    stories: impl Iterator<Item = &'a Story>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut count = 0;
    for story in stories {
        count += 1;
        if !as_json {
            say(plain(&story.to_string()))?;
            continue;
        }
        let steps: Vec<_> = story
            .steps
            .iter()
            .map(|(at, what)| json!({"at_us": at.as_micros(), "what": what}))
            .collect();
        let result = story.result.map(|(_, code)| code.code());
        let ended = story.result.map(|(at, _)| at.as_micros());
        say(json!({"message": story.id.0, "from": story.from, "to": story.to,
            "at_us": story.at.as_micros(), "steps": steps, "result": result, "ended_us": ended}))?;
    }
    if count == 0 {
        anyhow::bail!("the trace has no such message");
    }
    Ok(ExitCode::SUCCESS)
}
