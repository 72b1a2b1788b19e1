//! Streams that we send: text, cut into chunks that end at a character.

use super::packet::{Content, StreamHeader};
use crate::limits::{DATA_NAME_BYTES_MAX, STREAM_CHUNK_BYTES};

/// All packets of a text stream, in order: header, chunks, trailer.
pub fn text_packets(header: StreamHeader, text: &str) -> impl Iterator<Item = Content> {
    let id = header.id.clone();
    let trailer = end(&id, "");
    let chunks = pieces(text).zip(0..).map(move |(piece, index)| Content::StreamChunk {
        id: id.clone(),
        index,
        content: piece.as_bytes().to_vec(),
    });
    std::iter::once(Content::StreamHeader(header)).chain(chunks).chain([trailer])
}

/// The end of a stream; an empty `reason` means that it is complete.
pub fn end(id: &str, reason: &str) -> Content {
    Content::StreamTrailer { id: id.to_owned(), reason: reason.to_owned(), attributes: Default::default() }
}

/// What the bytes of a file are, by the name's end (RFC 6838); what is not known is only bytes.
pub fn mime_type_of(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "txt" | "log" => "text/plain",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "wav" => "audio/wav",
        "ogg" | "opus" => "audio/ogg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// The complete characters of `bytes`, and the beginning of an incomplete one; `None` if it is not text (UTF-8).
pub fn whole_characters(mut bytes: Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)> {
    match std::str::from_utf8(&bytes) {
        Ok(_) => Some((bytes, Vec::new())),
        Err(error) if error.error_len().is_none() => {
            let rest = bytes.split_off(error.valid_up_to());
            Some((bytes, rest))
        }
        Err(_) => None,
    }
}

/// A file's name, no longer than receivers take.
pub fn short_name(mut name: String) -> String {
    let is_boundary = |end: &usize| name.is_char_boundary(*end);
    let end = (0..=DATA_NAME_BYTES_MAX.min(name.len())).rev().find(is_boundary).unwrap_or(0);
    name.truncate(end);
    name
}

/// `text` in pieces of at most [`STREAM_CHUNK_BYTES`], no character cut in two.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let is_boundary = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=STREAM_CHUNK_BYTES.min(text.len())).rev().find(is_boundary).unwrap_or(0);
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_type_and_a_name_that_fits() {
        assert_eq!(mime_type_of("a.b.PNG"), "image/png");
        assert_eq!(mime_type_of("png"), "application/octet-stream");
        assert_eq!(short_name("€".repeat(100)), "€".repeat(85));
        assert_eq!(short_name("a.png".to_owned()), "a.png");
    }

    #[test]
    fn text_is_read_in_whole_characters() {
        for text in ["", "x", "x€", "€€", "a𝄞b"] {
            for cut in 0..=text.len() {
                let (whole, rest) = whole_characters(text.as_bytes()[..cut].to_vec()).expect("text");
                assert!(text.is_char_boundary(whole.len()) && rest.len() < 4, "{text} {cut}");
                assert_eq!([whole, rest].concat(), text.as_bytes()[..cut]);
            }
        }
        assert_eq!(whole_characters(b"ab\xffcd".to_vec()), None);
        assert_eq!(whole_characters("€".as_bytes()[1..].to_vec()), None);
    }

    #[test]
    fn text_is_cut_between_characters() {
        for text in ["", "x", &"€".repeat(20_000), &"a".repeat(STREAM_CHUNK_BYTES)] {
            let all: Vec<&str> = pieces(text).collect();
            assert_eq!(all.concat(), text);
            assert!(all.iter().all(|piece| !piece.is_empty() && piece.len() <= STREAM_CHUNK_BYTES));
            assert!(all.len() <= text.len().div_ceil(STREAM_CHUNK_BYTES - 2), "none is needlessly short");
        }
    }
}
