//! Records what a room says, into a WAV file, for a while.
//!
//! ```text
//!   record_room wss://… TOKEN_FILE WAV_FILE SECONDS
//! ```

use std::error::Error;
use std::time::Duration;

use kinglet::event::Event;
use kinglet::io::client::{self, Options};
use kinglet::io::sound::spec::InputSpec;
use kinglet::signal::secret::Secret;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, token_file, path, seconds] = words.as_slice() else {
        return Err("record_room URL TOKEN_FILE WAV_FILE SECONDS".into());
    };
    let token = Secret::new(std::fs::read_to_string(token_file)?.trim().to_owned());
    let mut options = Options::new(url.parse()?, token)?;
    options.output = format!("wav:{path}").parse()?;
    (options.input, options.settings.publish) = (InputSpec::None, None);
    options.duration = Some(Duration::from_secs(seconds.parse()?));
    let outcome = client::run(options, |mut events, _commands| async move {
        while let Some(event) = events.next().await {
            if let Event::TrackSubscribed(track) = event {
                println!("{} is recorded", track.identity);
            }
        }
    })?;
    println!("{}", outcome.text);
    Ok(())
}
