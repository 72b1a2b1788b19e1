//! Messages ⇄ bounded types.
