//! An allocator that counts who asks for memory.
//!
//! ```text
//!   allocation on a watched thread ─► raw return addresses ─► table of stacks, each with a count
//!                                                       stop ─► owner.rs: names, owners, report
//! ```
//!
//! A thread is watched from [`Recorder::watch_this_thread`] on and counted between `start` and `stop`;
//! all other threads are left alone, so that tests beside each other do not see each other. Nothing
//! is resolved while it counts: a stack costs some microseconds, its names milliseconds.

#[allow(dead_code, reason = "not every program that counts also meters")]
pub mod meter;
pub mod owner;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Return addresses kept of one stack, from the innermost. The deepest of ours (a WebSocket message
/// in a task in the loop) have about sixty.
const FRAMES_MAX: usize = 96;

/// Different stacks kept. A call in steady state has about a hundred; a join about a thousand.
const STACKS_MAX: usize = 4096;

/// The allocator: the system's, and a note for whoever watches this thread.
pub struct Counting;

thread_local! {
    /// `None` also while a note is taken, since taking one may allocate.
    static WATCHED_BY: Cell<Option<&'static Recorder>> = const { Cell::new(None) };
}

// SAFETY: everything is done by the system's allocator, with the arguments as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        let memory = unsafe { System.alloc(layout) };
        meter::allocated(memory as usize, layout.size());
        memory
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        let memory = unsafe { System.alloc_zeroed(layout) };
        meter::allocated(memory as usize, layout.size());
        memory
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        meter::freed(memory as usize);
        // SAFETY: the caller keeps the contract of `realloc`.
        let memory = unsafe { System.realloc(memory, layout, size) };
        meter::allocated(memory as usize, size);
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        meter::freed(memory as usize);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn note(bytes: usize) {
    // A thread that ends frees its locals before it frees everything else.
    let Ok(Some(recorder)) = WATCHED_BY.try_with(Cell::take) else { return };
    if recorder.is_counting.load(Ordering::Relaxed) {
        recorder.record(bytes);
    }
    WATCHED_BY.set(Some(recorder));
}

/// Counts the allocations of the threads that it watches, by stack.
pub struct Recorder {
    is_counting: AtomicBool,
    table: Mutex<Table>,
}

struct Table {
    stacks: Vec<Stack>,
    /// Allocations of stacks for which there was no room.
    left_out: u64,
}

/// One way through the program that allocates.
#[derive(Clone)]
pub struct Stack {
    frames: [usize; FRAMES_MAX],
    depth: usize,
    /// How often, in all.
    pub count: u64,
    /// How much, in all.
    pub bytes: u64,
}

impl Stack {
    const EMPTY: Self = Self { frames: [0; FRAMES_MAX], depth: 0, count: 0, bytes: 0 };

    /// Return addresses, innermost first.
    pub fn frames(&self) -> &[usize] {
        &self.frames[..self.depth]
    }
}

impl Recorder {
    /// A recorder that does not count yet. It lives for ever, since an allocator cannot know who still needs it.
    pub fn new() -> &'static Self {
        let table = Mutex::new(Table { stacks: vec![Stack::EMPTY; STACKS_MAX], left_out: 0 });
        Box::leak(Box::new(Self { is_counting: AtomicBool::new(false), table }))
    }

    /// From now on the allocations of this thread are this recorder's.
    pub fn watch_this_thread(&'static self) {
        WATCHED_BY.set(Some(self));
    }

    /// Counts from now on.
    pub fn start(&self) {
        self.is_counting.store(true, Ordering::Relaxed);
    }

    /// Counts no longer.
    pub fn stop(&self) {
        self.is_counting.store(false, Ordering::Relaxed);
    }

    /// What was counted.
    ///
    /// # Panics
    /// There were more different stacks than there is room for.
    pub fn stacks(&self) -> Vec<Stack> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(table.left_out, 0, "more than {STACKS_MAX} different stacks");
        table.stacks.iter().filter(|stack| stack.count > 0).cloned().collect()
    }

    fn record(&self, bytes: usize) {
        let mut stack = Stack::EMPTY;
        backtrace::trace(|frame| {
            stack.frames[stack.depth] = frame.ip() as usize;
            stack.depth += 1;
            stack.depth < FRAMES_MAX
        });
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { stacks, left_out } = &mut *table;
        let home = hash(stack.frames()) as usize;
        let slot = (0..STACKS_MAX)
            .map(|step| home.wrapping_add(step) % STACKS_MAX)
            .find(|&slot| stacks[slot].count == 0 || stacks[slot].frames() == stack.frames());
        let Some(slot) = slot else {
            *left_out += 1;
            return;
        };
        if stacks[slot].count == 0 {
            stacks[slot] = stack;
        }
        stacks[slot].count += 1;
        stacks[slot].bytes += bytes as u64;
    }
}

fn hash(frames: &[usize]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    frames.hash(&mut hasher);
    hasher.finish()
}
