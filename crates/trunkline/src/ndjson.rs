//! Questions on standard input, one JSON object a line; answers on standard output, in order.
//!
//! Its own file because several commands answer whole files this way, and all must be fast: nothing is flushed before its
//! buffer is full or the input ends. What a line means is theirs; one that cannot be read is answered too, so that the
//! answers stay beside their questions.

use std::io::{BufRead, BufWriter, ErrorKind, Write};

/// Answers each line of `input` with one line of `output`, in order.
pub(crate) fn each_line(mut input: impl BufRead, output: impl Write, mut answer: impl FnMut(&str) -> serde_json::Value) -> anyhow::Result<()> {
    let mut output = BufWriter::new(output);
    let mut line = Vec::new();
    let mut all = || -> std::io::Result<()> {
        while input.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            serde_json::to_writer(&mut output, &answer(text.trim_end_matches(['\n', '\r'])))?;
            output.write_all(b"\n")?;
            line.clear();
        }
        output.flush()
    };
    match all() {
        // Whoever read it has enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_line_is_answered_in_order() {
        let mut output = Vec::new();
        each_line(&b"one\r\n\n\xfftwo\nlast"[..], &mut output, |line| json!(line)).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), "\"one\"\n\"\"\n\"\u{fffd}two\"\n\"last\"\n");
    }
}
