//! Says a WAV file into the room, once somebody is there, and leaves.
//!
//! ```text
//!   announce wss://… TOKEN_FILE WAV_FILE
//! ```

use std::error::Error;

use kinglet::command::Command;
use kinglet::event::Event;
use kinglet::io::client::{self, Options};
use kinglet::io::sound::spec::{InputSpec, OutputSpec};
use kinglet::signal::secret::Secret;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, token_file, path] = words.as_slice() else {
        return Err("announce URL TOKEN_FILE WAV_FILE".into());
    };
    let token = Secret::new(std::fs::read_to_string(token_file)?.trim().to_owned());
    let mut options = Options::new(url.parse()?, token)?;
    // Neither microphone nor loudspeaker: the recording is a track of its own.
    (options.input, options.output) = (InputSpec::None, OutputSpec::None);
    (options.settings.publish, options.settings.listens) = (None, false);
    let announcement = Command::Announce(path.clone());
    client::run(options, |mut events, commands| async move {
        while let Some(event) = events.next().await {
            if !matches!(event, Event::ParticipantJoined(_)) {
                continue;
            }
            // The answer comes when the last word was said.
            match commands.give(announcement).await {
                Ok(said) => println!("said {} s", said["seconds"]),
                Err(error) => eprintln!("announce: {error}"),
            }
            // Whoever returns leaves the room.
            return;
        }
    })?;
    Ok(())
}
