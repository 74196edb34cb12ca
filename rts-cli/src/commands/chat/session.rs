//! The loop of a chat: input lines and events in, output lines out.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use rts_client::contract::{Event, Events};
use tokio::sync::mpsc::Receiver;

use super::command::Command;
use super::input::Input;
use super::line::{Line, Mark};
use super::pace::{Retries, pause_after};
use super::screen::Screen;
use super::talk::Talk;
use crate::out::is_unread;

/// Most simultaneous events that are reported together.
const BATCH_EVENTS_MAX: usize = 256;

/// The kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A person types, and sees results on the screen.
    EngineIndex,
    /// A program or a file. The next line is read when the previous one is answered.
    Pipe,
}

pub(super) struct Session {
    talk: Talk,
    events: Events,
    input: Receiver<Input>,
    screen: Screen,
    mode: Mode,
    /// Commands that are not carried out yet.
    queue: VecDeque<Command>,
    /// The earliest time of the next command.
    next_at: Instant,
    retries: Retries,
    /// Whether the input has ended.
    is_over: bool,
    failures: Failures,
}

/// Failed commands. A line counts once, even if several failures follow from it.
#[derive(Debug, Default)]
struct Failures {
    lines: u64,
    /// Another failure: the join of `--room`, or the login between two lines.
    is_other: bool,
    current: Current,
}

/// The line of a pipe that is being carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Current {
    #[default]
    None,
    Open,
    Failed,
}

impl Failures {
    fn line_begins(&mut self) {
        self.current = Current::Open;
    }

    fn line_ends(&mut self) {
        self.current = Current::None;
    }

    fn count(&mut self) {
        match self.current {
            Current::None => self.is_other = true,
            Current::Open => {
                self.lines += 1;
                self.current = Current::Failed;
            }
            Current::Failed => {}
        }
    }

    /// The final error of a pipe.
    fn result(&self) -> anyhow::Result<()> {
        match (self.lines, self.is_other) {
            (0, false) => Ok(()),
            (0, true) => bail!("a command failed, see above"),
            (1, _) => bail!("1 line failed, see above"),
            (lines, _) => bail!("{lines} lines failed, see above"),
        }
    }
}

impl Session {
    /// `first` is carried out before any input is read.
    pub(super) fn new(
        talk: Talk,
        events: Events,
        (screen, input): (Screen, Receiver<Input>),
        mode: Mode,
        first: Option<Command>,
    ) -> Self {
        Self {
            talk,
            events,
            input,
            screen,
            mode,
            queue: first.into_iter().collect(),
            next_at: Instant::now(),
            retries: Retries::default(),
            is_over: false,
            failures: Failures::default(),
        }
    }

    /// Runs until the input or the login ends.
    pub(super) async fn run(mut self, hello: String) -> anyhow::Result<ExitCode> {
        let ended = match self.screen.show(&Line::Page(hello)) {
            Ok(()) => self.carry_on().await,
            Err(error) => Err(error),
        };
        let open = self.talk.give_up();
        let shown = open.iter().try_for_each(|line| self.screen.show(line));
        // The terminal may be closed.
        let _ = self.screen.end();
        ended.and(shown).map_err(|error| match self.mode {
            Mode::Pipe if is_unread(&error) => {
                anyhow!("nobody reads what is printed: the rest of the input is not sent")
            }
            _ => error,
        })?;
        if self.mode == Mode::Pipe {
            self.failures.result()?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_on(&mut self) -> anyhow::Result<()> {
        loop {
            self.run_due_commands()?;
            if self.is_free() {
                self.failures.line_ends();
            }
            if self.is_done() {
                return Ok(());
            }
            // A terminal that cannot be painted on was closed.
            if self.screen.paint(&self.talk).is_err() {
                return Ok(());
            }
            let may_read = !self.is_over && (self.mode == Mode::EngineIndex || self.is_free());
            let next_at = self.next_at;
            let is_due = tokio::time::sleep_until(next_at.into());
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => self.report_all(event)?,
                    None => return Ok(()),
                },
                input = self.input.recv(), if may_read => {
                    self.typed(input.unwrap_or(Input::End(None)))?;
                    self.typed_meanwhile()?;
                }
                // The moment may have passed since the check above.
                () = is_due, if !self.queue.is_empty() => {}
            }
        }
    }

    /// Whether all commands are carried out and answered.
    fn is_free(&self) -> bool {
        self.queue.is_empty() && !self.talk.is_waiting()
    }

    fn is_done(&self) -> bool {
        match self.mode {
            Mode::EngineIndex => self.is_over && self.queue.is_empty(),
            Mode::Pipe => self.is_over && self.is_free(),
        }
    }

    fn typed(&mut self, input: Input) -> anyhow::Result<()> {
        self.failures.line_begins();
        match input {
            Input::Line(line) => self.entered(&line)?,
            Input::Key(event) => match self.screen.takes(&event, &self.talk)? {
                Some(lines) => lines.iter().try_for_each(|line| self.entered(line))?,
                None => {
                    self.queue.clear();
                    self.is_over = true;
                }
            },
            Input::Bad(why) => self.show(vec![Line::Problem(why)])?,
            Input::End(Some(why)) => bail!(why),
            Input::End(None) => self.is_over = true,
        }
        Ok(())
    }

    /// Handles all keys that are available, so that the screen changes once.
    fn typed_meanwhile(&mut self) -> anyhow::Result<()> {
        while self.mode == Mode::EngineIndex
            && let Ok(input) = self.input.try_recv()
        {
            self.typed(input)?;
        }
        Ok(())
    }

    fn entered(&mut self, line: &str) -> anyhow::Result<()> {
        match Command::parse(line) {
            // The rest of a pasted text after the end.
            _ if self.is_over => {}
            Ok(Command::Quit) => self.is_over = true,
            Ok(command) => self.queue.push_back(command),
            Err(why) => self.show(vec![Line::Problem(why)])?,
        }
        Ok(())
    }

    fn run_due_commands(&mut self) -> anyhow::Result<()> {
        loop {
            if Instant::now() < self.next_at {
                return Ok(());
            }
            let Some(command) = self.queue.pop_front() else { return Ok(()) };
            let lines = self.talk.run(&command);
            self.next_at = Instant::now() + pause_after(&command);
            self.show(lines)?;
        }
    }

    /// Reports all available events together.
    fn report_all(&mut self, first: Event) -> anyhow::Result<()> {
        let mut next = Some(first);
        let mut left = BATCH_EVENTS_MAX;
        while let Some(event) = next {
            if let Event::Logout(reason) = event {
                bail!("logged out: {reason}");
            }
            let lines = self.talk.event(&event);
            self.show(lines)?;
            left -= 1;
            next = if left == 0 { None } else { self.events.try_next() };
        }
        let lines = self.talk.report_arrivals();
        self.show(lines)
    }

    fn show(&mut self, lines: Vec<Line>) -> anyhow::Result<()> {
        for line in lines {
            match &line {
                Line::Sent { to, text, mark: Mark::OverRate(_) } if self.may_retry() => {
                    self.queue.push_front(Command::Message(to.clone(), text.clone()));
                    continue;
                }
                Line::Sent { mark: Mark::Done, .. } => self.retries.end(),
                Line::Sent { .. } | Line::Problem(_) => self.failures.count(),
                Line::Message { .. } | Line::Note(_) | Line::Page(_) => {}
            }
            self.screen.show(&line)?;
        }
        Ok(())
    }

    /// Whether and when a message that was over the rate is sent again. A person sees the failure
    /// instead, and may have written other messages since.
    fn may_retry(&mut self) -> bool {
        let now = Instant::now();
        let pause = if self.mode == Mode::Pipe { self.retries.pause(now) } else { None };
        if let Some(pause) = pause {
            self.next_at = now + pause;
        }
        pause.is_some()
    }
}
