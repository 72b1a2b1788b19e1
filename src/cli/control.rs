//! `--control -`: commands on standard input, one a line; each is answered by `command_result`.
//!
//! The end of the input ends nothing. A line that is too long, or not a command, is answered like
//! any other that cannot be carried out.

use std::future::Future;

use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};
use kinglet::command::{CommandError, line};
use kinglet::event::Event;
use kinglet::io::client::Commands;
use kinglet::io::stdin::Stdin;
use kinglet::limits::{COMMANDS_MAX, CONTROL_LINE_BYTES_MAX};

/// Serves the commands while `printing` runs.
pub async fn beside(printing: impl Future<Output = ()>, commands: Commands) {
    let printing = std::pin::pin!(printing);
    let serving = std::pin::pin!(serve(commands));
    if let Either::Right(((), printing)) = select(printing, serving).await {
        printing.await;
    }
}

async fn serve(commands: Commands) {
    let stdin = match Stdin::open(commands.reactor()) {
        Ok(stdin) => stdin,
        Err(error) => {
            commands.report(Event::Warning { text: format!("stdin cannot be read for commands: {error}") });
            return;
        }
    };
    let lines = stream::unfold(stdin, next_line);
    // Begun in order. One that waits for its answer does not hold up the next, up to a bound.
    lines.for_each_concurrent(COMMANDS_MAX, |text| carry_out(text, &commands)).await;
}

async fn next_line(mut stdin: Stdin) -> Option<(String, Stdin)> {
    let mut line = Vec::new();
    let is_there = stdin.read_line(&mut line, CONTROL_LINE_BYTES_MAX).await;
    is_there.then(|| (String::from_utf8_lossy(&line).trim().to_owned(), stdin))
}

async fn carry_out(text: String, commands: &Commands) {
    if text.is_empty() {
        return;
    }
    let command = match text.len() >= CONTROL_LINE_BYTES_MAX {
        true => Err(CommandError::usage(format!("the line is longer than {CONTROL_LINE_BYTES_MAX} bytes"))),
        false => line::parse(&text),
    };
    let answer = match command {
        Ok(command) => commands.give(command).await,
        Err(error) => Err(error),
    };
    commands.report(Event::answered(text, answer));
}
