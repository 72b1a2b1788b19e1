//! Commands that answer RPC calls of others: each call starts the command of its method, whose output is the answer.
//!
//! ```text
//!   rpc_invoked ─► command: payload on standard input, caller and method in the environment
//!   status 0: standard output is the answer      anything else: 1500, and a warning
//! ```

use std::rc::Rc;

use async_executor::LocalExecutor;

use super::client_queue::ClientQueue;
use super::mailbox::AnswerSlot;
use super::reactor::Reactor;
use crate::command::message::{RpcAnswer, RpcRefusal};
use crate::command::{Command, words};
use crate::data::rpc::{RESPONSE_TIMEOUT, RpcCode};
use crate::event::{Event, RpcCallFacts};
use crate::io::host::environment::Environment;
use crate::io::host::program::{Program, ProgramError, run};
use crate::limits::RPC_PAYLOAD_BYTES_MAX;
use crate::signal::argument;

/// A method and the command that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Name of the RPC method.
    pub method: String,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its variables, beside `KINGLET_RPC_METHOD` and `KINGLET_RPC_CALLER`.
    pub environment: Environment,
}

/// A text that is not `METHOD=COMMAND`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerError;

impl std::str::FromStr for Handler {
    type Err = HandlerError;

    /// Reads `METHOD=COMMAND`, the command as words; words with spaces are in double quotes.
    fn from_str(text: &str) -> Result<Self, HandlerError> {
        let (method, command) = text.split_once('=').ok_or(HandlerError)?;
        let words = words::split(command).filter(|words| !words.is_empty() && !method.is_empty());
        let words = words.ok_or(HandlerError)?;
        Ok(Self { method: method.to_owned(), words, environment: Environment::default() })
    }
}

impl std::fmt::Display for HandlerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it must be METHOD=COMMAND, optionally with arguments")
    }
}

impl std::error::Error for HandlerError {}

/// Starts the command of a call, if there is one for it. As many run at a time as calls may be pending.
pub(super) fn answer(
    executor: &LocalExecutor<'_>,
    reactor: &Rc<Reactor>,
    queue: &Rc<ClientQueue>,
    handlers: &[Handler],
    call: &RpcCallFacts,
) {
    let Some(handler) = handlers.iter().find(|handler| handler.method == call.method) else { return };
    let (reactor, queue, words, call) = (reactor.clone(), queue.clone(), handler.words.clone(), call.clone());
    let environment = handler
        .environment
        .clone()
        .with("KINGLET_RPC_METHOD", call.method.clone())
        .with("KINGLET_RPC_CALLER", argument::variable(&call.identity));
    let answering = async move {
        let program = Program {
            words: &words,
            environment: &environment,
            input: call.payload.as_bytes(),
            output_bytes_max: RPC_PAYLOAD_BYTES_MAX,
            patience: RESPONSE_TIMEOUT,
        };
        let result = result_of(run(&reactor, program).await);
        if let Err(refusal) = &result {
            let text = format!("the command of {} for {}: {}", call.method, call.identity, refusal.message);
            queue.post(Box::new(Event::Warning { text }));
        }
        let answer = Command::RpcAnswer(RpcAnswer { id: call.id, result });
        // Only the engine knows whether a caller still waits for it.
        queue.commands.send((answer, AnswerSlot::default())).await;
    };
    executor.spawn(answering).detach();
}

/// The answer, or how the call failed.
fn result_of(output: Result<Vec<u8>, ProgramError>) -> Result<String, RpcRefusal> {
    let refused =
        |code: RpcCode, message: String| RpcRefusal { code: Some(code as u32), message, data: String::new() };
    match output {
        Ok(output) => String::from_utf8(output)
            .map_err(|_| refused(RpcCode::ApplicationError, "its answer is not text".to_owned())),
        Err(error @ ProgramError::TooMuch) => {
            Err(refused(RpcCode::ResponsePayloadTooLarge, error.to_string()))
        }
        Err(error @ ProgramError::TooLate) => Err(refused(RpcCode::ResponseTimeout, error.to_string())),
        Err(error) => Err(refused(RpcCode::ApplicationError, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_a_method_and_words() {
        let handler = r#"open=/usr/bin/door --name "front door" --for=5"#.parse::<Handler>().expect("valid");
        assert_eq!(handler.method, "open");
        assert_eq!(handler.words, ["/usr/bin/door", "--name", "front door", "--for=5"]);
        for text in ["open", "open=", "=door", "open=\"door", ""] {
            assert_eq!(text.parse::<Handler>(), Err(HandlerError), "{text}");
        }
    }

    #[test]
    fn every_failure_has_its_number() {
        let code = |output| result_of(output).err().and_then(|refusal| refusal.code);
        assert_eq!(code(Ok(b"yes".to_vec())), None);
        assert_eq!(code(Ok(vec![0xff])), Some(1500));
        assert_eq!(code(Err(ProgramError::Failed("ended with status 3".to_owned()))), Some(1500));
        assert_eq!(code(Err(ProgramError::TooLate)), Some(1502));
        assert_eq!(code(Err(ProgramError::TooMuch)), Some(1504));
    }
}
