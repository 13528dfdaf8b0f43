//! Why an event does not apply to a message.
//!
//! Apart from `message.rs` because callers match on it and the transition function only returns it; late and repeated events
//! are normal.

/// Why an event does not apply; a value, since late and repeated events are normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The message already exists.
    #[error("the message already exists")]
    AlreadyMade,
    /// The message does not exist yet.
    #[error("the message does not exist")]
    NotMade,
    /// It is not waiting.
    #[error("the message is not waiting")]
    NotWaiting,
    /// No such attempt.
    #[error("the message has no such attempt")]
    NoSuchAttempt,
    /// The attempt was settled before.
    #[error("the attempt is settled already")]
    AlreadySettled,
    /// Its fate is known.
    #[error("the message is not unclear")]
    NotUnclear,
}
