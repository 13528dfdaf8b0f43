//! Questions on standard input, one JSON object a line; answers on standard output, in order.
//!
//! Its own file because several commands speak it, and all must be fast: nothing is flushed before its buffer is full or
//! the input ends. It knows no question: reading a line and answering it is the command's.

use std::io::{BufRead, BufWriter, ErrorKind, Write};

/// Answers each line of `input` with one line of `output`, in order.
pub(crate) fn each_line(mut input: impl BufRead, output: impl Write, mut answer: impl FnMut(&str) -> serde_json::Value) -> anyhow::Result<()> {
    let mut output = BufWriter::new(output);
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let told = serde_json::to_vec(&answer(line.trim_end()))?;
        let written = output.write_all(&told).and_then(|()| output.write_all(b"\n"));
        match written {
            // Whoever read it has enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
        line.clear();
    }
    output.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_for_each_line() {
        let mut out = Vec::new();
        each_line("one\r\n\nthree".as_bytes(), &mut out, |line| json!({"line": line})).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"line\":\"one\"}\n{\"line\":\"\"}\n{\"line\":\"three\"}\n");
    }
}
