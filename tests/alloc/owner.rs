//! Whose an allocation is: the innermost frame that is kinglet's, str0m's, sonora's or the test's decides.
//!
//! ```text
//!   Vec … ◄ str0m … ◄ src/rtc …            str0m's
//!   Vec … ◄ sonora_aec3 … ◄ src/media …    sonora's
//!   Arc … ◄ src/rtc …                      ours
//!   bytes … ◄ tungstenite … ◄ src/io …     ours: we chose to call it
//!   Vec … ◄ tests/sim … ◄ src/engine …     the test's, which stands in for the world
//!   Vec … ◄ str0m … ◄ tests/sim …          the test's
//! ```
//!
//! Where a frame comes from is told by the path of its source, and for libraries built without line
//! tables by the first word of the function's name.

use std::collections::HashMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::{Recorder, Stack};

/// str0m and what it is made of: ICE, SCTP, DTLS, their cryptography. TLS shares `aws_lc_rs`, but has
/// nothing to do where the server is asked by `ws://`.
const STR0M: &[&str] = &["str0m", "str0m_proto", "str0m_aws_lc_rs", "is", "sctp_proto", "dimpl", "aws_lc_rs"];

/// The signal processing of the microphone.
const SONORA: &[&str] = &[
    "sonora",
    "sonora_aec3",
    "sonora_agc2",
    "sonora_common_audio",
    "sonora_fft",
    "sonora_ns",
    "sonora_simd",
];

/// Frames of ours that a report shows of one place, beside the one that asked.
const OUR_FRAMES_SHOWN: usize = 4;

/// Who asked for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// kinglet, or a library that it called, but for those below.
    Ours,
    /// str0m, called by kinglet.
    Str0m,
    /// sonora, called by kinglet.
    Sonora,
    /// Whatever drives kinglet in a test.
    Test,
}

/// Everything that was counted, but for the test's.
#[derive(Debug, Default)]
pub struct Report {
    /// Allocations of ours.
    pub ours: u64,
    /// Allocations of str0m's.
    pub str0m: u64,
    /// Allocations of sonora's.
    pub sonora: u64,
    places: Vec<Place>,
}

/// One place in the program that allocates.
#[derive(Debug)]
pub struct Place {
    owner: Owner,
    /// How often.
    pub count: u64,
    /// How much.
    pub bytes: u64,
    /// The function that asked, and those of ours around it, innermost first, each with file and line.
    pub frames: Vec<String>,
}

impl Report {
    /// Sorts what was counted. Takes seconds, since all names are looked up.
    pub fn new(recorder: &Recorder) -> Self {
        let mut names = HashMap::new();
        let mut places: HashMap<(Owner, Vec<String>), (u64, u64)> = HashMap::new();
        for stack in recorder.stacks() {
            let frames = frames(&stack, &mut names);
            let place = places.entry((owner(&frames), shown(&frames))).or_default();
            place.0 += stack.count;
            place.1 += stack.bytes;
        }
        let mut report = Self::default();
        for ((owner, frames), (count, bytes)) in places {
            match owner {
                Owner::Ours => report.ours += count,
                Owner::Str0m => report.str0m += count,
                Owner::Sonora => report.sonora += count,
                Owner::Test => continue,
            }
            report.places.push(Place { owner, count, bytes, frames });
        }
        report.places.sort_by(|one, other| other.count.cmp(&one.count).then(one.frames.cmp(&other.frames)));
        report
    }

    /// The places of one owner, the most frequent first.
    pub fn of(&self, owner: Owner) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |place| place.owner == owner)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} times, {} bytes", self.count, self.bytes)?;
        self.frames.iter().try_for_each(|frame| write!(f, "\n    {frame}"))
    }
}

/// Where a function's source lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// src/
    Kinglet,
    /// tests/
    Test,
    Str0m,
    Sonora,
    Library,
    /// The standard library and the counting itself: everything comes through them.
    Standard,
}

/// One function on a stack; an address has several where some are inlined.
#[derive(Debug, Clone)]
struct Frame {
    home: Home,
    text: String,
}

fn owner(frames: &[Frame]) -> Owner {
    let mut decisive = frames.iter().filter(|frame| !matches!(frame.home, Home::Standard | Home::Library));
    let innermost = decisive.next().map(|frame| frame.home);
    // A library's are kinglet's doing only where kinglet called it.
    let mut is_called = || {
        let caller = decisive.find(|frame| Some(frame.home) != innermost);
        caller.is_some_and(|frame| frame.home == Home::Kinglet)
    };
    match innermost {
        Some(Home::Kinglet) => Owner::Ours,
        Some(Home::Str0m) if is_called() => Owner::Str0m,
        Some(Home::Sonora) if is_called() => Owner::Sonora,
        _ => Owner::Test,
    }
}

fn shown(frames: &[Frame]) -> Vec<String> {
    let asked = frames.iter().position(|frame| frame.home != Home::Standard).unwrap_or(0);
    let around = frames.iter().skip(asked + 1).filter(|frame| frame.home == Home::Kinglet);
    let shown = frames.get(asked).into_iter().chain(around.take(OUR_FRAMES_SHOWN));
    shown.map(|frame| frame.text.clone()).collect()
}

fn frames(stack: &Stack, names: &mut HashMap<usize, Vec<Frame>>) -> Vec<Frame> {
    let of_address = |&address| names.entry(address).or_insert_with(|| look_up(address)).clone();
    stack.frames().iter().flat_map(of_address).collect()
}

fn look_up(address: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    backtrace::resolve(address as *mut _, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}")).unwrap_or_default();
        let path = symbol.filename().map(plain).unwrap_or_default();
        let line = symbol.lineno().unwrap_or_default();
        let home = home(&path, &name);
        let name = without_types(&name);
        let text = if path.is_empty() { name.to_owned() } else { format!("{name} ({path}:{line})") };
        frames.push(Frame { home, text });
    });
    frames
}

/// The types of a generic function make lines that nobody reads.
fn without_types(function: &str) -> &str {
    let end = function.find(['<', '(']).filter(|&end| end > 0);
    end.map_or(function, |end| &function[..end])
}

/// The path inside the project, where it is inside, without the detours of `#[path = "../…"]`.
fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    plain.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&plain).display().to_string()
}

fn home(path: &str, function: &str) -> Home {
    if path.starts_with("src/") {
        return Home::Kinglet;
    }
    if path.starts_with("/rustc/") || path.starts_with("tests/alloc/") || function.contains("__rust_") {
        return Home::Standard;
    }
    if path.starts_with("tests/") {
        return Home::Test;
    }
    match crate_in_path(path).unwrap_or_else(|| crate_in_name(function)).as_str() {
        "kinglet" => Home::Kinglet,
        env!("CARGO_CRATE_NAME") => Home::Test,
        "std" | "core" | "alloc" | "backtrace" => Home::Standard,
        name if STR0M.contains(&name) => Home::Str0m,
        name if SONORA.contains(&name) => Home::Sonora,
        _ => Home::Library,
    }
}

/// `…/registry/src/…/sctp-proto-0.10.8/src/…` → `sctp_proto`.
fn crate_in_path(path: &str) -> Option<String> {
    let (_, inside) = path.split_once("/registry/src/")?;
    let (name, _version) = inside.split('/').nth(1)?.rsplit_once('-')?;
    Some(name.replace('-', "_"))
}

/// `<alloc::vec::Vec<T> as Trait>::push` → `alloc`.
fn crate_in_name(function: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    function.trim_start_matches(|c| !is_word(c)).split(|c| !is_word(c)).next().unwrap_or_default().to_owned()
}
