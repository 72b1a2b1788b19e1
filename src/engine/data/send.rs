//! What the application sends: data, text, chat, files, keys of a telephone, calls, and the recording for agents.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use crate::command::message::{Address, DataMessage, FileMessage, RpcAnswer, RpcCommand, TextMessage};
use crate::command::{Answer, CommandError, Reply};
use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::rpc::RpcCode;
use crate::data::stream_tx;
use crate::engine::outbox::Outbox;
use crate::event::Event;
use crate::limits::{PRECONNECT_SAMPLE_RATE_HZ, STREAM_CHUNK_BYTES, TEXT_SENT_BYTES_MAX};
use crate::signal::sid::Sid;

use super::rpc::{self, Rpc};
use super::streams::CHAT_TOPIC;
use super::{Data, DataContext};

/// Room that the envelopes of a text stream may take in the outbox beside the text: eight packets.
const ENVELOPES_BYTES: usize = 8 * 1024;

/// Keys in one command: a telephone number with its extension, several times over.
const COMMAND_DIGITS_MAX: usize = 64;

impl DataContext<'_> {
    /// Whether a message can be sent now, or will be when the session is mended.
    fn check(&self) -> Result<(), CommandError> {
        self.may_send.clone()?;
        if self.room.own().is_none_or(|own| !own.permission.data) {
            return Err(CommandError::refused("the token does not allow data to be sent (canPublishData)"));
        }
        Ok(())
    }
}

impl Data {
    /// Sends bytes for the applications of others.
    pub(in crate::engine) fn send_data(
        &mut self,
        message: DataMessage,
        context: &DataContext<'_>,
        out: &mut Outbox,
    ) -> Answer {
        context.check()?;
        let DataMessage { address, payload, is_lossy } = message;
        address.check()?;
        let Address { topic, to } = address;
        let content = Content::User { topic: topic.clone(), payload };
        let outgoing = Outgoing { destinations: to, content };
        if is_lossy {
            self.channels.send_lossy(&outgoing, out)?;
        } else {
            self.channels.send_reliable(Some(&topic), &outgoing)?;
        }
        Ok(Value::Null)
    }

    /// Each key of `digits`, in order (RFC 4733 §3.2).
    pub(in crate::engine) fn send_dtmf(&mut self, digits: &str, context: &DataContext<'_>) -> Answer {
        const KEYS: &str = "0123456789*#ABCD";
        context.check()?;
        // The code of a key is its place (RFC 4733 §3.2).
        let code = |digit: char| Some((KEYS.find(digit)? as u32, digit));
        let keys: Option<Vec<(u32, char)>> =
            digits.chars().map(|digit| code(digit.to_ascii_uppercase())).collect();
        let keys =
            keys.filter(|keys| !keys.is_empty() && keys.len() <= COMMAND_DIGITS_MAX).ok_or_else(|| {
                CommandError::usage(format!("dtmf takes 1 to {COMMAND_DIGITS_MAX} of the keys {KEYS}"))
            })?;
        for (code, digit) in keys {
            let content = Content::Dtmf { code, digit: digit.to_string() };
            self.channels.send_reliable(Some("dtmf"), &Outgoing { destinations: Vec::new(), content })?;
        }
        Ok(Value::Null)
    }

    /// Sends a chat message twice under one number: as a stream for agents and components, and as a packet for older
    /// clients. Clients that know both show it once.
    pub(in crate::engine) fn send_chat(
        &mut self,
        text: String,
        context: &mut DataContext<'_>,
        now: Instant,
    ) -> Answer {
        let address = Address { topic: CHAT_TOPIC.to_owned(), to: Vec::new() };
        let answer = self.send_text(TextMessage { address, text: text.clone() }, context, now)?;
        let id = answer.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        let content = Content::Chat { id, text, timestamp_ms: self.unix_ms(now), is_deleted: false };
        self.channels.send_reliable(None, &Outgoing { destinations: Vec::new(), content })?;
        Ok(answer)
    }

    /// A text stream goes out whole or not at all.
    pub(in crate::engine) fn send_text(
        &mut self,
        message: TextMessage,
        context: &mut DataContext<'_>,
        now: Instant,
    ) -> Answer {
        context.check()?;
        let TextMessage { address, text } = message;
        address.check()?;
        let Address { topic, to } = address;
        if text.len() > TEXT_SENT_BYTES_MAX {
            return Err(CommandError::refused(format!(
                "text has at most {TEXT_SENT_BYTES_MAX} bytes: send a file instead"
            )));
        }
        // Each packet repeats the destinations.
        let packets = 3 + text.len() / STREAM_CHUNK_BYTES;
        let addresses: usize = to.iter().map(|identity| identity.len() + 4).sum();
        if text.len() + packets * addresses + ENVELOPES_BYTES > self.channels.free_bytes() {
            return Err(CommandError::refused("too much is waiting to be sent: try again later"));
        }
        let id = new_id(context.random);
        let header = StreamHeader {
            id: id.clone(),
            timestamp_ms: self.unix_ms(now),
            topic: topic.clone(),
            mime_type: "text/plain".to_owned(),
            total_bytes: Some(text.len() as u64),
            attributes: BTreeMap::new(),
            byte_name: None,
        };
        for content in stream_tx::text_packets(header, &text) {
            // A lost stream is reported once, by its end.
            let is_end = matches!(content, Content::StreamTrailer { .. });
            let outgoing = Outgoing { destinations: to.clone(), content };
            self.channels.send_reliable(is_end.then_some(&topic), &outgoing)?;
        }
        Ok(json!({ "id": id }))
    }

    /// Sends a file; the answer comes when all of it is on its way.
    pub(in crate::engine) fn send_file(
        &mut self,
        message: FileMessage,
        context: &mut DataContext<'_>,
        out: &mut Outbox,
    ) -> Reply {
        if let Err(error) = context.check().and_then(|()| message.address.check()) {
            return Err(error).into();
        }
        self.files.begin(message, || new_id(context.random), out)
    }

    /// Calls a method of another participant. A call that cannot be sent is answered like every call that fails.
    pub(in crate::engine) fn call(
        &mut self,
        command: RpcCommand,
        context: &mut DataContext<'_>,
        now: Instant,
        out: &mut Outbox,
    ) -> Reply {
        let ticket = match context.check().and_then(|()| out.take_ticket()) {
            Ok(ticket) => ticket,
            Err(error) => return Err(error).into(),
        };
        if let Err(code) = self.rpc.check(&command, context.server, context.room) {
            Rpc::refuse(command, code, ticket, out);
            return Reply::Later(ticket);
        }
        let id = new_id(context.random);
        match self.channels.send_reliable(None, &rpc::request(id.clone(), &command)) {
            Ok(()) => self.rpc.begin(id, &command, ticket, now),
            Err(_) => Rpc::refuse(command, RpcCode::SendFailed, ticket, out),
        }
        Reply::Later(ticket)
    }

    /// The application answers a call of another participant.
    pub(in crate::engine) fn answer_call(&mut self, answer: RpcAnswer) -> Answer {
        let response = self.rpc.answer(answer)?;
        self.channels.send_reliable(None, &response)?;
        Ok(Value::Null)
    }

    /// Sends the sound from before agents came to them, as a byte stream that belongs to `track`.
    pub(in crate::engine) fn send_recording(
        &mut self,
        (track, pcm): (Sid, Vec<u8>),
        agents: Vec<String>,
        context: &mut DataContext<'_>,
        now: Instant,
        out: &mut Outbox,
    ) {
        if context.check().is_err() {
            return out.warn("the recording for an agent is lost: the token does not allow data");
        }
        let seconds = pcm.len() as f32 / (2 * PRECONNECT_SAMPLE_RATE_HZ) as f32;
        // Nothing of it may be left: the end is sent all the same, since an agent waits for it.
        if !pcm.is_empty() {
            let text = format!("{seconds:.1} s of earlier sound go to {}", agents.join(", "));
            out.emit(Event::Log { text });
        }
        let (id, sequence) = (new_id(context.random), self.channels.next_sequence());
        let header = self.recording.begin(id, (track, pcm), agents, self.unix_ms(now), sequence);
        if self.channels.send_reliable(None, &header).is_err() {
            return self.recording.forget();
        }
        self.send_more(out);
    }

    /// What was captured until now is private: a recording on its way is cut short.
    pub(in crate::engine) fn cut_recording(&mut self) {
        let withdrawn = self.channels.withdraw(self.recording.sequences());
        if let Some(end) = self.recording.cut(withdrawn) {
            // If there is no room for it, the receiver's own limits end the stream.
            let _ = self.channels.send_reliable(None, &end);
        }
    }
}

/// A number for a stream, call or message of ours (RFC 9562 §5.4, version 4).
fn new_id(random: &mut fastrand::Rng) -> String {
    let (high, low) = (random.u64(..), random.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
