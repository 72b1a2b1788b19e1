//! A doorbell: whoever is in the room can ring it and open the door, by RPC. `tests/live/test_examples.py` does.
//!
//! ```text
//!   doorbell wss://… TOKEN_FILE [INPUT OUTPUT]
//! ```

use std::error::Error;

use kinglet::command::message::{RpcAnswer, RpcRefusal};
use kinglet::command::{Command, Tone};
use kinglet::event::Event;
use kinglet::io::client::{self, Options};
use kinglet::signal::secret::Secret;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, token_file, sound @ ..] = words.as_slice() else {
        return Err("doorbell URL TOKEN_FILE [INPUT OUTPUT]".into());
    };
    let token = Secret::new(std::fs::read_to_string(token_file)?.trim().to_owned());
    let mut options = Options::new(url.parse()?, token)?;
    options.settings.rpc_methods = vec!["ring".into(), "open".into()];
    if let [input, output] = sound {
        (options.input, options.output) = (input.parse()?, output.parse()?);
    }
    let outcome = client::run(options, |mut events, commands| async move {
        while let Some(event) = events.next().await {
            let Event::RpcInvoked(call) = event else { continue };
            let result = match call.method.as_str() {
                "ring" => {
                    let _ = commands.give(Command::Tone(Tone::Ringing)).await;
                    Ok("it rings".to_owned())
                }
                "open" if call.identity.starts_with("flat-") => {
                    // Here a relay would be driven.
                    println!("{} opens the door", call.identity);
                    let _ = commands.give(Command::Tone(Tone::Answered)).await;
                    Ok(String::new())
                }
                _ => Err(RpcRefusal { message: "not for you".into(), ..RpcRefusal::default() }),
            };
            // A caller who is gone needs no answer.
            let _ = commands.give(Command::RpcAnswer(RpcAnswer { id: call.id, result })).await;
        }
    })?;
    println!("{}", outcome.text);
    Ok(())
}
