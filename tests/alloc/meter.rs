//! How much of the heap one part of a program holds: a [`Meter`] around it.
//!
//! Memory that is taken inside [`Meter::around`] counts until it is given back, wherever that is; what
//! the part frees of others' memory does not. One thread, which is all that a simulation has.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

thread_local! {
    static LIVE: RefCell<HashMap<usize, usize>> = RefCell::new(HashMap::new());
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread ever metered: all others pay nothing.
    static IS_USED: Cell<bool> = const { Cell::new(false) };
}

/// The meter of this thread.
#[derive(Debug)]
pub struct Meter;

impl Meter {
    /// Counts what `part` takes.
    pub fn around<T>(part: impl FnOnce() -> T) -> T {
        IS_USED.set(true);
        IS_INSIDE.set(true);
        let result = part();
        IS_INSIDE.set(false);
        result
    }

    /// Does not count what `part` takes, in the middle of a metered part: what a test keeps of it.
    pub fn aside<T>(part: impl FnOnce() -> T) -> T {
        let was_inside = IS_INSIDE.replace(false);
        let result = part();
        IS_INSIDE.set(was_inside);
        result
    }

    /// Bytes that are held now.
    pub fn bytes() -> usize {
        BYTES.get()
    }

    /// Most bytes that were held at once since the last call.
    pub fn take_peak() -> usize {
        PEAK.replace(BYTES.get())
    }
}

/// The allocator gave `address`.
pub fn allocated(address: usize, size: usize) {
    if IS_INSIDE.try_with(Cell::get) != Ok(true) {
        return;
    }
    // The table's own memory is not the part's.
    IS_INSIDE.set(false);
    LIVE.with_borrow_mut(|live| live.insert(address, size));
    IS_INSIDE.set(true);
    BYTES.set(BYTES.get() + size);
    PEAK.set(PEAK.get().max(BYTES.get()));
}

/// The allocator takes `address` back.
pub fn freed(address: usize) {
    if IS_USED.try_with(Cell::get) != Ok(true) {
        return;
    }
    // Borrowed: the table itself gives memory back.
    let size = LIVE.try_with(|live| live.try_borrow_mut().ok().and_then(|mut live| live.remove(&address)));
    if let Ok(Some(size)) = size {
        BYTES.set(BYTES.get() - size);
    }
}
