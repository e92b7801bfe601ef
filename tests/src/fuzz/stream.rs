//! The items of an HTTP body that is a stream.

use sinew_bridge::fuzzing::items;

use super::script::Script;
use crate::Must as _;

/// However a body is cut on its way, it has the same items, and they are those that a plain reading of the whole has.
pub(super) fn run(input: &[u8]) {
    let mut script = Script(input);
    let (how, cut) = (script.byte(), usize::from(script.byte() % 16) + 1);
    let (body, is_text) = (script.0, how & 1 == 1);
    let is_events = how & 2 == 2;
    let kind = match (is_events, is_text) {
        (true, _) => "text/event-stream; charset=utf-8",
        (false, true) => "text/plain",
        (false, false) => "application/x-ndjson",
    };
    let whole = items(kind, is_text, [body]);
    assert_eq!(items(kind, is_text, body.chunks(cut)), whole, "cut at every {cut}");
    let expected = if is_events { events(body) } else { lines(body, is_text) };
    let expected = expected.map(|items| {
        let json = |text: String| if is_text { as_json(&text) } else { text.into_bytes() };
        items.into_iter().map(json).collect::<Vec<_>>()
    });
    // Lines that are no text are not looked at: whoever reads the JSON in them does.
    if is_text || is_events || std::str::from_utf8(body).is_ok() {
        let whole = whole.map(|items| items.into_iter().map(Vec::from).collect::<Vec<_>>());
        assert_eq!(whole, expected, "{kind}: {:?}", String::from_utf8_lossy(body));
    }
}

fn as_json(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).must("text is JSON")
}

/// The lines; blank ones are items of text, and nothing between two items of JSON.
fn lines(body: &[u8], is_text: bool) -> Option<Vec<String>> {
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    // What follows the last end is a line if there is anything.
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let count = lines.len();
    let ended = body.ends_with(b"\n");
    let lines = lines.into_iter().enumerate().map(|(at, line)| {
        let is_whole = ended || at + 1 < count;
        std::str::from_utf8(line).ok().map(|line| match line.strip_suffix('\r') {
            Some(line) if is_whole => line.to_owned(),
            _ => line.to_owned(),
        })
    });
    let lines: Option<Vec<_>> = lines.collect();
    lines.map(|lines| {
        lines.into_iter().filter(|line| is_text || !line.trim_ascii().is_empty()).collect()
    })
}

/// The data of the events, after the standard's own words: fields of lines, an event at each blank one.
fn events(body: &[u8]) -> Option<Vec<String>> {
    // What follows the last end of a line is no line, and is not looked at.
    let ends = body.iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
    let text = std::str::from_utf8(&body[..ends.map_or(0, |end| end + 1)]).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut items, mut data) = (Vec::new(), Vec::new());
    let whole = text.strip_suffix('\n').unwrap_or(&text);
    for line in whole.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "" if line.is_empty() && !data.is_empty() => {
                items.push(std::mem::take(&mut data).join("\n"));
            }
            "data" => data.push(value.strip_prefix(' ').unwrap_or(value).to_owned()),
            _ => {}
        }
    }
    Some(items)
}
