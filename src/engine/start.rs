//! Why an engine cannot be made: memory is lacking for its codec.

use crate::media::receive::decode::DecoderError;
use crate::media::send::encode::EncoderError;

/// Why an [`Engine`](super::Engine) could not be made.
#[derive(Debug)]
pub enum StartError {
    /// The encoder cannot be created.
    Encoder(EncoderError),
    /// A decoder cannot be created.
    Decoder(DecoderError),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Encoder(error) => error.fmt(f),
            StartError::Decoder(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<EncoderError> for StartError {
    fn from(error: EncoderError) -> Self {
        StartError::Encoder(error)
    }
}

impl From<DecoderError> for StartError {
    fn from(error: DecoderError) -> Self {
        StartError::Decoder(error)
    }
}
