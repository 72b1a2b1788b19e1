//! `--control -`: commands on standard input, one a line; each is answered by `command_result`.
//!
//! The end of the input ends nothing. A line that is too long, or not a command, is answered like
//! any other that cannot be carried out.

use std::future::Future;

use futures_util::future::{Either, select};
use kinglet::command::line;
use kinglet::event::Event;
use kinglet::io::client::Commands;
use kinglet::io::stdin::Stdin;
use kinglet::limits::CONTROL_LINE_BYTES_MAX;

/// Serves the commands while `printing` runs.
pub async fn beside(printing: impl Future<Output = ()>, commands: Commands) {
    let printing = std::pin::pin!(printing);
    let serving = std::pin::pin!(serve(commands));
    if let Either::Right(((), printing)) = select(printing, serving).await {
        printing.await;
    }
}

async fn serve(mut commands: Commands) {
    let mut stdin = match Stdin::open(commands.reactor()) {
        Ok(stdin) => stdin,
        Err(error) => {
            commands.report(Event::Warning { text: format!("stdin cannot be read for commands: {error}") });
            return;
        }
    };
    let mut line = Vec::new();
    while stdin.read_line(&mut line, CONTROL_LINE_BYTES_MAX).await {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if text.is_empty() {
            continue;
        }
        let answer = match line::parse(&text) {
            Ok(command) => commands.give(command).await,
            Err(error) => Err(error),
        };
        commands.report(Event::answered(text, answer));
    }
}
