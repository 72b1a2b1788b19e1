//! All buttons and keys of a box: turns the levels of their lines into events and configured presses.

use std::time::Instant;

use super::button::{Button, ButtonEvent};
use super::settings::{ButtonSettings, Press};
use crate::event::Event;
use crate::limits::CONFIG_SECTIONS_MAX;

/// The buttons and keys, in the caller's order: the position is the number.
#[derive(Debug)]
pub(super) struct Buttons {
    buttons: Vec<(ButtonSettings, Button)>,
}

/// The result of a change of a button or key.
#[derive(Debug, PartialEq)]
pub(super) struct Touch {
    /// The event to report.
    pub(super) event: Event,
    /// The new state of a talk key: `true` while held. `None` if the button is not a talk key.
    pub(super) talk: Option<bool>,
    /// The configured press to carry out.
    pub(super) press: Option<Press>,
}

impl Buttons {
    /// Creates the buttons, all of them up. Each one starts with [`Buttons::begin`].
    pub(super) fn new(settings: Vec<ButtonSettings>) -> Buttons {
        let settings = settings.into_iter().take(2 * CONFIG_SECTIONS_MAX);
        Buttons { buttons: settings.map(|settings| (settings, Button::default())).collect() }
    }

    /// Starts watching a line or key at `now`, with this level; a line or key that is gone counts as up. A button that
    /// was pressed before counts as released, without a press.
    pub(super) fn begin(&mut self, index: usize, is_down: bool, now: Instant) -> Option<Touch> {
        let (settings, button) = self.buttons.get_mut(index)?;
        let was_pressed = button.is_pressed();
        button.begin(is_down, now);
        was_pressed.then(|| settings.released(None))
    }

    /// Takes a new level of a line or key.
    pub(super) fn handle_level(&mut self, index: usize, is_down: bool, now: Instant) -> Option<Touch> {
        let (settings, button) = self.buttons.get_mut(index)?;
        let action = button.handle_level(is_down, now)?;
        Some(settings.meaning(action, button.was_held()))
    }

    /// Returns when [`Buttons::handle_timeout`] must be called next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.buttons.iter().filter_map(|(_, button)| button.poll_timeout()).min()
    }

    /// Returns the next change that is due at `now`. Call it until it returns `None`.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Touch> {
        self.buttons.iter_mut().find_map(|(settings, button)| {
            let action = button.handle_timeout(now)?;
            Some(settings.meaning(action, button.was_held()))
        })
    }
}

impl ButtonSettings {
    fn meaning(&self, action: ButtonEvent, was_held: bool) -> Touch {
        // If a hold has its own function, a press counts only on release, when it was not a hold.
        match action {
            ButtonEvent::Pressed => {
                let press = self.press.filter(|_| self.hold.is_none());
                Touch { talk: self.talk(true), ..self.touch("pressed", press) }
            }
            ButtonEvent::Held => self.touch("held", self.hold),
            ButtonEvent::Released => self.released(self.press.filter(|_| self.hold.is_some() && !was_held)),
            ButtonEvent::Chatters => self.said(Event::Warning {
                text: format!(
                    "the line {} of '{}' chatters and is ignored until it is quiet: if it floats, set \
                     bias = \"pull-up\" or \"pull-down\"; otherwise check its wiring",
                    self.line, self.name
                ),
            }),
            ButtonEvent::Quiet => self.said(Event::Log {
                text: format!("the line {} of '{}' is quiet: its presses count again", self.line, self.name),
            }),
        }
    }

    fn released(&self, press: Option<Press>) -> Touch {
        Touch { talk: self.talk(false), ..self.touch("released", press) }
    }

    fn touch(&self, action: &'static str, press: Option<Press>) -> Touch {
        Touch { press, ..self.said(Event::Button { name: self.name.clone(), action }) }
    }

    fn said(&self, event: Event) -> Touch {
        Touch { event, talk: None, press: None }
    }

    fn talk(&self, is_held: bool) -> Option<bool> {
        (self.press == Some(Press::Talk)).then_some(is_held)
    }
}
