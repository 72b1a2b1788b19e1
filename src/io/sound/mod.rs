//! Sound cards, files, pipes.
