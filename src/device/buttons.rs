//! All buttons and keys of a box: from the levels of their lines to events, and to the meaning of a press.

use std::time::Instant;

use super::button::{Button, ButtonEvent};
use super::settings::{ButtonSettings, Press};
use crate::event::Event;
use crate::limits::CONFIG_SECTIONS_MAX;

/// The buttons, in the order in which the caller numbers them.
#[derive(Debug)]
pub(super) struct Buttons {
    buttons: Vec<(ButtonSettings, Button)>,
}

/// The result of a change of a line.
#[derive(Debug, PartialEq)]
pub(super) struct Touch {
    /// The event to report.
    pub(super) event: Event,
    /// A talk key is held now, or no longer.
    pub(super) talk: Option<bool>,
    /// What is to be done.
    pub(super) press: Option<Press>,
}

impl Buttons {
    /// All of them up; each begins when its line is watched.
    pub(super) fn new(settings: Vec<ButtonSettings>) -> Buttons {
        let settings = settings.into_iter().take(2 * CONFIG_SECTIONS_MAX);
        Buttons { buttons: settings.map(|settings| (settings, Button::default())).collect() }
    }

    /// A line or key is watched from `now` on and has this level, or is gone. A button that was held before counts as
    /// released, without a press.
    pub(super) fn begin(&mut self, index: usize, is_down: bool, now: Instant) -> Option<Touch> {
        let (settings, button) = self.buttons.get_mut(index)?;
        let was_pressed = button.is_pressed();
        button.begin(is_down, now);
        was_pressed.then(|| settings.released(None))
    }

    /// A line or key has this level since `now`.
    pub(super) fn handle_level(&mut self, index: usize, is_down: bool, now: Instant) -> Option<Touch> {
        let (settings, button) = self.buttons.get_mut(index)?;
        let action = button.handle_level(is_down, now)?;
        Some(settings.meaning(action, button.was_held()))
    }

    /// When [`Buttons::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.buttons.iter().filter_map(|(_, button)| button.poll_timeout()).min()
    }

    /// What is due at `now`; call it until it gives `None`.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Touch> {
        self.buttons.iter_mut().find_map(|(settings, button)| {
            let action = button.handle_timeout(now)?;
            Some(settings.meaning(action, button.was_held()))
        })
    }
}

impl ButtonSettings {
    fn meaning(&self, action: ButtonEvent, was_held: bool) -> Touch {
        // Where a hold means something of its own, a press is one when it has ended as one.
        match action {
            ButtonEvent::Pressed => {
                let press = self.press.filter(|_| self.hold.is_none());
                Touch { talk: self.talk(true), ..self.touch("pressed", press) }
            }
            ButtonEvent::Held => self.touch("held", self.hold),
            ButtonEvent::Released => {
                self.released(self.press.filter(|_| self.hold.is_some() && !was_held))
            }
            ButtonEvent::Chatters => self.said(Event::Warning {
                text: format!(
                    "the line {} of '{}' chatters: it is held back until it is quiet; does it hang in the air? Set \
                     bias = \"pull-up\" or \"pull-down\", or look at its wires",
                    self.line, self.name
                ),
            }),
            ButtonEvent::Quiet => self.said(Event::Log {
                text: format!("the line {} of '{}' is quiet, and heard again", self.line, self.name),
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
