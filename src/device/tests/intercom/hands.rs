//! Buttons that are held when the box starts, and lines that chatter.

use super::*;

impl Device {
    /// Starts watching all lines and keys; those of `down` are down.
    fn begin(&mut self, down: &[usize]) {
        for button in [BELL, TALK, PRIVACY] {
            self.intercom.handle_start(button, down.contains(&button), self.now);
        }
        self.wait(SECOND);
    }
}

fn muted() -> IntercomSettings {
    IntercomSettings { is_muted: true, ..settings(JoinWhen::Always, MicrophoneMode::PushToTalk) }
}

/// Held, stuck, or wired with inverted polarity: at power-on, and after a reload that opens the lines again.
#[test]
fn a_button_that_is_down_at_the_start_does_not_count_until_it_was_up() {
    let mut door = Device::of(muted());
    for _ in 0..2 {
        door.begin(&[BELL, TALK, PRIVACY]);
        door.wait(10 * SECOND);
        for button in [BELL, TALK, PRIVACY] {
            door.intercom.handle_level(button, false, door.now);
            door.wait(SECOND);
        }
        let done = door.done();
        assert!(["mute-true enter talk-false", ""].contains(&done.as_str()), "{done}");
        assert!(door.intercom.is_muted());
        door.intercom.configure(muted(), true, door.now);
    }
    door.press(PRIVACY);
    assert_eq!(door.done(), "mute-false play(unmuted)", "a press");
    door.press(BELL);
    assert_eq!(door.done(), "enter play(ringing) ringing");
}

#[test]
fn a_talk_key_that_is_down_at_the_start_opens_at_its_next_press() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::PushToTalk);
    door.begin(&[TALK]);
    door.intercom.ring(None, door.now).expect("idle");
    assert_eq!(door.done(), "mute-false enter talk-false enter play(ringing) ringing", "closed");
    door.intercom.handle_level(TALK, false, door.now);
    door.wait(SECOND);
    assert_eq!(door.done(), "");
    door.intercom.handle_level(TALK, true, door.now);
    assert_eq!(door.done(), "talk-true");
    // Its keyboard is unplugged, and plugged in again with the key held down.
    door.begin(&[]);
    assert_eq!(door.done(), "talk-false");
    door.begin(&[TALK]);
    assert_eq!(door.done(), "");
}

/// A press that counts on release does not count if its keyboard disappears.
#[test]
fn a_key_that_is_down_when_its_keyboard_is_unplugged_is_not_a_press() {
    let mut both = settings(JoinWhen::OnRing, MicrophoneMode::Open);
    both.buttons[BELL].hold = Some(Press::Mute);
    let mut door = Device::of(both);
    door.done();
    door.intercom.handle_level(BELL, true, door.now);
    door.begin(&[]);
    assert_eq!(door.done(), "", "it has not been released");
}

/// A line without a resistor that picks up 50 Hz mains hum, for a minute.
#[test]
fn a_line_that_chatters_rings_a_few_times_and_is_reported_once() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    let (mut rung, mut told) = (0, Vec::new());
    for index in 0..6000 {
        door.intercom.handle_level(BELL, index % 2 == 0, door.now);
        door.wait(SECOND / 100);
        while let Some(action) = door.intercom.poll_action() {
            match action {
                Action::Tell(Event::Ringing(_)) => rung += 1,
                Action::Tell(Event::Warning { text }) => told.push(text),
                _ => {}
            }
        }
    }
    assert!(rung <= 5, "{rung} times");
    assert!(
        told.len() == 1 && told[0].contains("the line GPIO23 of 'bell' chatters") && told[0].contains("bias")
    );
    door.wait(10 * SECOND);
    let quiet = std::iter::from_fn(|| door.intercom.poll_action())
        .any(|action| matches!(action, Action::Tell(Event::Log { text }) if text.contains("quiet")));
    assert!(quiet && door.intercom.is_idle(door.now));
    door.press(BELL);
    assert_eq!(door.done(), "enter play(ringing) ringing talk-true");
}
