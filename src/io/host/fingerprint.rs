//! What a file holds, without keeping it: whether it is the same as before.

use std::io;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// SHA-256 of the contents of a file, so that it reveals no secret. It is not printed in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

impl Fingerprint {
    /// Of this file, now. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Fingerprint> {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, &std::fs::read(path)?).as_ref());
        Ok(Fingerprint(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::TempFile;

    #[test]
    fn it_goes_by_what_is_in_the_file() {
        let of = |name, bytes: &[u8]| {
            let file = TempFile::new(name, bytes);
            Fingerprint::of_file(file.path()).expect("readable")
        };
        assert!(of("one", b"a") == of("other", b"a"), "with any name");
        assert!(of("one", b"a") != of("one", b"b"));
        assert!(Fingerprint::of_file(Path::new("/nowhere/key")).is_err());
    }
}
