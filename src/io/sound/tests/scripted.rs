//! A card for tests, controlled by the test: a clock that the test moves, and every fault that a card has been seen to
//! have. It answers with errno as alsa-lib does, so that everything above [`Pcm`](crate::io::sound::pcm::Pcm) is the
//! real code. Kernel cards do the same in the rig, where they can be made to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use crate::io::sound::list::{CardListing, PcmListing};
use crate::io::sound::open_error::CardFault;
use crate::io::sound::pcm_settings::{PcmRequest, PcmSettings};
use crate::io::sound::sizes::StreamDirection;
use crate::media::sample_format::SampleFormat;

/// The test's hand on the card of that name, opened as `scripted:NAME` on this thread.
#[derive(Debug, Clone)]
pub struct Script(Rc<RefCell<State>>);

/// An open PCM of it.
#[derive(Debug)]
pub struct Scripted {
    state: Rc<RefCell<State>>,
    frame_bytes: usize,
    always_readable: File,
    /// The plug that it was opened at: pulled since, it stays dead.
    plug: u32,
}

#[derive(Debug)]
struct State {
    is_there: bool,
    plug: u32,
    available: usize,
    failure: Option<i32>,
    resumes: Result<(), i32>,
    is_ready: bool,
    calls: Vec<&'static str>,
    requests: Vec<PcmRequest>,
    written_frames: usize,
}

thread_local! {
    static CARDS: RefCell<HashMap<String, Rc<RefCell<State>>>> = RefCell::default();
    static LISTED: RefCell<Option<Vec<CardListing>>> = const { RefCell::new(None) };
}

/// The cards that `auto` chooses from on this thread, if a test has set them.
pub fn cards() -> Option<Vec<CardListing>> {
    LISTED.with_borrow(Clone::clone)
}

/// From now on these are the cards that `auto` chooses from on this thread: their ids, and the directions of each, whose
/// PCMs are `scripted:ID-in` and `scripted:ID-out`.
pub fn list(cards: &[(&str, &[StreamDirection])]) {
    let cards = cards.iter().map(|(id, directions)| CardListing {
        id: (*id).to_owned(),
        pcms: directions
            .iter()
            .map(|&direction| PcmListing { name: pcm_of(id, direction), direction, ..Default::default() })
            .collect(),
        ..CardListing::default()
    });
    LISTED.with_borrow_mut(|listed| *listed = Some(cards.collect()));
}

/// The PCM of a listed card.
pub fn pcm_of(id: &str, direction: StreamDirection) -> String {
    let end = if direction == StreamDirection::Capture { "in" } else { "out" };
    format!("scripted:{id}-{end}")
}

impl Script {
    /// A card that is there, has nothing to read and no room to write.
    pub fn new(name: &str) -> Script {
        let state = State {
            is_there: true,
            plug: 0,
            available: 0,
            failure: None,
            resumes: Ok(()),
            is_ready: false,
            calls: Vec::new(),
            requests: Vec::new(),
            written_frames: 0,
        };
        let state = Rc::new(RefCell::new(state));
        CARDS.with_borrow_mut(|cards| cards.insert(name.to_owned(), state.clone()));
        Script(state)
    }

    /// So many more frames can be read or written.
    pub fn run(&self, frames: usize) {
        self.0.borrow_mut().available += frames;
    }

    /// The next attempt to move frames fails so.
    pub fn fail_once(&self, errno: i32) {
        self.0.borrow_mut().failure = Some(errno);
    }

    /// The result of an attempt to resume.
    pub fn resumes(&self, result: Result<(), i32>) {
        self.0.borrow_mut().resumes = result;
    }

    /// Whether it reports that it is ready, right or wrong.
    pub fn claims_ready(&self, claims: bool) {
        self.0.borrow_mut().is_ready = claims;
    }

    /// Out, or in again.
    pub fn plug(&self, is_there: bool) {
        let mut state = self.0.borrow_mut();
        state.plug += u32::from(state.is_there && !is_there);
        state.is_there = is_there;
        state.available = 0;
    }

    /// What it was asked to do since the last call.
    pub fn take_calls(&self) -> String {
        std::mem::take(&mut self.0.borrow_mut().calls).join(" ")
    }

    /// What each opening asked for.
    pub fn requests(&self) -> Vec<PcmRequest> {
        self.0.borrow().requests.clone()
    }

    /// Frames written so far.
    pub fn written_frames(&self) -> usize {
        self.0.borrow().written_frames
    }
}

impl Scripted {
    /// Opens the card of that name, as 48 kHz mono S16 unless wished otherwise.
    pub fn open(
        name: &str,
        direction: StreamDirection,
        request: &PcmRequest,
    ) -> Result<(Scripted, PcmSettings), CardFault> {
        let state = CARDS.with_borrow(|cards| cards.get(name).cloned()).ok_or(CardFault::Missing)?;
        if !state.borrow().is_there {
            return Err(CardFault::Missing);
        }
        state.borrow_mut().requests.push(*request);
        let rate_hz = request.rate_hz.unwrap_or(48_000);
        let (period_frames, buffer_frames) = request.buffering.wanted(direction, rate_hz);
        let sizes = request.buffering.granted(direction, rate_hz, period_frames, buffer_frames);
        let settings = PcmSettings {
            rate_hz,
            channels: request.channels.unwrap_or(1),
            format: request.format.unwrap_or(SampleFormat::S16),
            sizes: sizes.ok_or(CardFault::Refused("is too small", libc::EINVAL))?,
        };
        let plug = state.borrow().plug;
        let always_readable = File::open("/dev/zero").expect("a file that is always readable");
        Ok((Scripted { state, frame_bytes: settings.frame_bytes(), always_readable, plug }, settings))
    }

    fn moving(&self) -> Result<usize, i32> {
        let mut state = self.state.borrow_mut();
        if !state.is_there || state.plug != self.plug {
            return Err(libc::ENODEV);
        }
        match state.failure.take() {
            Some(errno) => Err(errno),
            None => Ok(state.available),
        }
    }

    fn call(&self, what: &'static str) {
        self.state.borrow_mut().calls.push(what);
    }

    pub fn start(&self) -> Result<(), i32> {
        self.call("start");
        Ok(())
    }

    pub fn prepare(&self) -> Result<(), i32> {
        self.call("prepare");
        self.state.borrow_mut().available = 0;
        Ok(())
    }

    pub fn resume(&self) -> Result<(), i32> {
        self.call("resume");
        self.state.borrow().resumes
    }

    pub fn available(&self) -> Result<usize, i32> {
        self.moving()
    }

    pub fn read(&self, bytes: &mut [u8]) -> Result<usize, i32> {
        let frames = self.moving()?.min(bytes.len() / self.frame_bytes);
        if frames == 0 {
            return Err(libc::EAGAIN);
        }
        bytes[..frames * self.frame_bytes].fill(1);
        self.state.borrow_mut().available -= frames;
        Ok(frames)
    }

    pub fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        let frames = self.moving()?.min(bytes.len() / self.frame_bytes);
        if frames == 0 {
            return Err(libc::EAGAIN);
        }
        let mut state = self.state.borrow_mut();
        state.available -= frames;
        state.written_frames += frames;
        Ok(frames)
    }

    pub fn delay(&self) -> Result<i64, i32> {
        Ok(0)
    }

    /// One descriptor, which is ready at all times.
    pub fn fill(&self, fds: &mut [libc::pollfd]) -> usize {
        fds[0].fd = self.always_readable.as_raw_fd();
        fds[0].events = libc::POLLIN;
        1
    }

    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready
    }

    pub fn is_there(&self) -> bool {
        let state = self.state.borrow();
        state.is_there && state.plug == self.plug
    }
}
