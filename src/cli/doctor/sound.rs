//! Cards: which exist, which the box would use and how, which program holds them, what sets the volume, and what the
//! microphone hears.

use std::time::Duration;

use kinglet::appliance::probe::Cards;
use kinglet::io::sound::auto::choose;
use kinglet::io::sound::list::{CardListing, OpensAs, PcmListing};
use kinglet::io::sound::pcm_name::card_of;
use kinglet::io::sound::spec::{InputSpec, OutputSpec};
use kinglet::io::sound::{StreamDirection, self_test};
use kinglet::media::block::{BLOCK_FRAMES, Block};
use kinglet::media::level::level_dbfs;

use super::finding::{Finding, State};

/// How long the microphone is listened to.
const LISTENED: Duration = Duration::from_secs(2);

/// Below this even a quiet room is not heard: the microphone is muted, or the wrong channel.
const MUTE_DBFS: f32 = -85.0;

/// Samples as loud as this are cut off.
const FULL_SCALE: f32 = 0.999;

/// Findings about all cards, the two that would be used, and the volume. `is_served`: a box runs on this device and
/// holds them.
pub fn examine(listed: &[CardListing], cards: &Cards, is_served: bool) -> Vec<Finding> {
    if listed.is_empty() {
        return vec![Finding::failed(
            "cards",
            "no sound card: is it plugged in, its overlay in config.txt, its module loaded?",
        )];
    }
    let names: Vec<String> = listed.iter().map(|card| format!("{} ({})", card.id, card.driver)).collect();
    let mut findings = vec![Finding::ok("cards", names.join(", "))];
    let auto = choose(listed);
    let input = match &cards.input {
        InputSpec::Alsa(name) => Some(name.clone()),
        InputSpec::Auto => cards.setup.capture.pcm.clone().or(auto.input),
        _ => None,
    };
    let output = match &cards.output {
        OutputSpec::Alsa(name) => Some(name.clone()),
        OutputSpec::Auto => cards.setup.playback.pcm.clone().or(auto.output),
        _ => None,
    };
    findings.extend(
        microphone(cards).then(|| direction(StreamDirection::Capture, input.as_deref(), listed, is_served)),
    );
    findings.extend(
        loudspeaker(cards)
            .then(|| direction(StreamDirection::Playback, output.as_deref(), listed, is_served)),
    );
    let card = output.as_deref().and_then(card_of);
    let card = listed.iter().find(|listed| card == Some(&*listed.id));
    findings.extend(card.map(|card| match &card.volume {
        Some(control) => Finding::ok("volume", format!("'{control}' of {}", card.id)),
        None => Finding::ok("volume", format!("{} has none; the samples are changed", card.id)),
    }));
    findings
}

/// Whether the box speaks through a card.
pub fn microphone(cards: &Cards) -> bool {
    matches!(cards.input, InputSpec::Alsa(_) | InputSpec::Auto)
}

/// Whether the box is heard through a card.
pub fn loudspeaker(cards: &Cards) -> bool {
    matches!(cards.output, OutputSpec::Alsa(_) | OutputSpec::Auto)
}

/// The number of the device in `hw:CARD=Mic,DEV=1` or `hw:Mic,1`; the first where none is named.
fn device_of(name: &str) -> u32 {
    let second = name.split(',').nth(1).unwrap_or_default();
    second.trim_start_matches("DEV=").parse().unwrap_or(0)
}

/// The PCM that would be used for one direction.
fn direction(way: StreamDirection, name: Option<&str>, listed: &[CardListing], is_served: bool) -> Finding {
    let check = match way {
        StreamDirection::Capture => "microphone",
        StreamDirection::Playback => "loudspeaker",
    };
    let Some(name) = name else { return Finding::warning(check, "no card has one: one direction only") };
    let cards = listed.iter().filter(|card| card_of(name) == Some(&*card.id));
    let mut pcms = cards.flat_map(|card| &card.pcms);
    let found = pcms.find(|pcm| pcm.device == device_of(name) && pcm.direction == way);
    let Some(PcmListing { opens_as, fault, holders, .. }) = found else {
        return Finding::ok(check, format!("{name}: not a name of the cards' own"));
    };
    if let Some(opens) = opens_as {
        return Finding::ok(check, format!("{name}: {}", settings(opens)));
    }
    let who: Vec<String> =
        holders.iter().map(|holder| format!("{} (process {})", holder.program, holder.pid)).collect();
    let who = who.join(", ");
    if is_served && holders.iter().any(|holder| holder.program.starts_with("kinglet")) {
        return Finding::ok(check, format!("{name}: the service has it"));
    }
    let why = fault.as_deref().unwrap_or("cannot be opened");
    match who.is_empty() {
        true => Finding::failed(check, why),
        false => Finding::failed(check, format!("{why}; it is {who}")),
    }
}

fn settings(opens: &OpensAs) -> String {
    let channels = match opens.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        more => format!("{more} channels"),
    };
    let period_ms = f64::from(opens.period_frames) * 1000.0 / f64::from(opens.rate_hz.max(1));
    format!("{} Hz, {channels}, {}, period {period_ms:.0} ms", opens.rate_hz, opens.format)
}

/// Two seconds of the microphone.
pub fn listen(cards: &Cards) -> Finding {
    match self_test::listen(&cards.input, &cards.setup, LISTENED) {
        Ok(heard) => judge(&heard),
        Err(error) => Finding::failed("level", error.to_string()),
    }
}

/// The loudest of the last two seconds, of a box that runs.
pub fn recent(loudest_dbfs: f32) -> Finding {
    let text = format!("loudest {loudest_dbfs:.0} dBFS in the last two seconds");
    match loudest_dbfs <= MUTE_DBFS {
        true => silent(&text),
        false => Finding::ok("level", text),
    }
}

fn silent(text: &str) -> Finding {
    let why = "silent; is it switched off (alsamixer, F4), or is its voice on another channel?";
    Finding::warning("level", format!("{text}: {why}"))
}

fn judge(heard: &[f32]) -> Finding {
    let levels = heard.chunks_exact(BLOCK_FRAMES).map(|samples| {
        let mut block = Block::SILENCE;
        block.0.copy_from_slice(samples);
        level_dbfs(&block)
    });
    let mut levels: Vec<f32> = levels.collect();
    levels.sort_by(f32::total_cmp);
    let (usual, loudest) = match (levels.get(levels.len() / 2), levels.last()) {
        (Some(usual), Some(loudest)) => (*usual, *loudest),
        _ => return Finding::failed("level", "the microphone's card brings no sound"),
    };
    let cut = heard.iter().filter(|sample| sample.abs() >= FULL_SCALE).count();
    let text = format!("{usual:.0} dBFS, loudest {loudest:.0}");
    if loudest <= MUTE_DBFS {
        return silent(&text);
    }
    match cut {
        0 => Finding::ok("level", text),
        cut => Finding::warning(
            "level",
            format!("{text}: {cut} samples are cut off; lower its gain (alsamixer, F4)"),
        ),
    }
}

/// Chirps, played and heard back.
pub fn echo(cards: &Cards) -> Finding {
    let told_ms = cards.setup.playback.echo_delay_ms;
    match self_test::measure_echo(&cards.input, &cards.output, &cards.setup) {
        Ok(Some(echo)) => {
            let text = format!(
                "heard {:.1} ms later than the cards report, {:+.0} dB: echo_delay_ms = {:.0}",
                echo.delay_ms,
                echo.level_db,
                echo.delay_ms.max(0.0)
            );
            let is_off = (echo.delay_ms - told_ms as f32).abs() > ECHO_SLACK_MS;
            match is_off {
                true => Finding::warning(
                    "echo",
                    format!("{text} belongs into the board file, which has {told_ms}"),
                ),
                false => Finding::ok("echo", text),
            }
        }
        Ok(None) => Finding::warning(
            "echo",
            "the microphone does not hear the loudspeaker: is the volume up, and are both switched on?",
        ),
        Err(error) => Finding::failed("echo", error.to_string()),
    }
}

/// Echo cancellation finds it itself within this much.
const ECHO_SLACK_MS: f32 = 20.0;

/// Whether both directions can be had now.
pub fn can_be_tried(findings: &[Finding], check: &str) -> bool {
    findings.iter().any(|finding| finding.check == check && finding.state == State::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinglet::io::sound::holder::Holder;

    fn card(program: &str) -> CardListing {
        let opens_as = OpensAs {
            rate_hz: 48_000,
            channels: 1,
            format: "S16_LE".to_owned(),
            period_frames: 480,
            buffer_frames: 1_440,
        };
        let name = "plughw:CARD=X,DEV=0".to_owned();
        let microphone = PcmListing {
            name: name.clone(),
            direction: StreamDirection::Capture,
            opens_as: Some(opens_as),
            ..PcmListing::default()
        };
        let loudspeaker = PcmListing {
            name,
            direction: StreamDirection::Playback,
            fault: Some("is busy".to_owned()),
            holders: vec![Holder { pid: 7, program: program.to_owned() }],
            ..PcmListing::default()
        };
        let (id, driver) = ("X".to_owned(), "USB-Audio".to_owned());
        CardListing { id, driver, pcms: vec![microphone, loudspeaker], ..CardListing::default() }
    }

    #[test]
    fn what_a_card_gives_and_who_has_it() {
        let cards = Cards::default();
        let words: Vec<String> =
            examine(&[card("aplay")], &cards, false).iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "ok      cards        X (USB-Audio)",
                "ok      microphone   plughw:CARD=X,DEV=0: 48000 Hz, mono, S16_LE, period 10 ms",
                "FAILED  loudspeaker  is busy; it is aplay (process 7)",
                "ok      volume       X has none; the samples are changed",
            ]
        );
        let ours = examine(&[card("kinglet")], &cards, true);
        assert!(ours.iter().all(|finding| finding.state == State::Ok), "{ours:?}");
        let foreign = examine(&[card("kinglet")], &cards, false);
        assert!(!can_be_tried(&foreign, "loudspeaker") && can_be_tried(&foreign, "microphone"));
        assert_eq!(examine(&[], &cards, false)[0].state, State::Failed);
        let without = Cards { input: InputSpec::None, output: OutputSpec::None, ..Cards::default() };
        assert_eq!(examine(&[card("aplay")], &without, false).len(), 1);
    }

    #[test]
    fn devices_by_every_spelling() {
        let spelled = ["hw:CARD=X,DEV=2", "plughw:X,2", "hw:X,2,0", "hw:X", "default"].map(device_of);
        assert_eq!(spelled, [2, 2, 2, 0, 0]);
    }

    #[test]
    fn what_a_microphone_brings_is_judged() {
        let sine = |peak: f32| (0..9_600).map(|n| peak * (n as f32 * 0.1).sin()).collect::<Vec<f32>>();
        assert_eq!(judge(&sine(0.1)), Finding::ok("level", "-23 dBFS, loudest -23"));
        assert!(judge(&[0.0; 9_600]).text.contains("silent"));
        let loud: Vec<f32> = sine(1.5).iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
        assert!(judge(&loud).text.contains("cut off"));
        assert_eq!(judge(&[]).state, State::Failed);
    }
}
