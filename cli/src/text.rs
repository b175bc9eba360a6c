//! What is printed for people: sizes, ages, names, tables; and how it gets out.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::failure::{Failure, Result};

/// Bytes in the unit that suits them: `24 B`, `1.5 KiB`, `64 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut unit = 0;
    while unit < 4 && bytes >= 1 << (10 * (unit + 1)) {
        unit += 1;
    }
    let name = ["B", "KiB", "MiB", "GiB", "TiB"][unit];
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    if tenths % 10 == 0 || unit == 0 {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// How long something takes or took, roughly.
pub(crate) fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A number and what is counted: `1 message`, `3 messages`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A name as it may be shown: one with control characters in it could do what it likes to a terminal.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_control) { name.escape_debug().to_string().into() } else { name.into() }
}

/// A name as a shell takes it for one word.
pub(crate) fn quoted(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_.,:+@%/".contains(c);
    if name.chars().any(char::is_control) {
        let byte = |byte: u8| match byte {
            b'\'' | b'\\' | 0..b' ' | 0x7f.. => format!("\\x{byte:02x}"),
            _ => char::from(byte).to_string(),
        };
        return format!("$'{}'", name.bytes().map(byte).collect::<String>()).into();
    }
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) {
        return name.into();
    }
    format!("'{}'", name.replace('\'', "'\\''")).into()
}

/// A user's name, where `/etc/passwd` has one.
pub(crate) fn user(uid: u32) -> String {
    by_number("/etc/passwd", uid)
}

/// A group's name, where `/etc/group` has one.
pub(crate) fn group(gid: u32) -> String {
    by_number("/etc/group", gid)
}

fn by_number(file: &str, number: u32) -> String {
    let number = number.to_string();
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    let found = lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    found.unwrap_or(number)
}

/// Columns, each as wide as its widest cell; the last as it comes. Numbers go to the right where the head says so, with a `>`.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let titles: Vec<_> = head.iter().map(|title| title.trim_start_matches('>')).collect();
    let widths: Vec<_> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0).max(titles[column].width()))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, width), title) in cells.zip(&widths).zip(head) {
            let gap = " ".repeat(width - cell.width());
            line += &if title.starts_with('>') { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") };
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    };
    let mut text = line(&mut titles.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// A table without the columns in which there is nothing.
pub(crate) fn table_of_filled(head: &[&str], rows: &[Vec<String>]) -> String {
    let filled: Vec<_> = (0..head.len()).filter(|&column| rows.iter().any(|row| !row[column].is_empty())).collect();
    let head: Vec<_> = filled.iter().map(|&column| head[column]).collect();
    let rows: Vec<_> = rows.iter().map(|row| filled.iter().map(|&column| row[column].clone()).collect()).collect();
    table(&head, &rows)
}

/// The head of a table of semaphores.
pub(crate) const SEMAPHORES: [&str; 6] =
    ["", ">SEMAPHORE", ">VALUE", ">WAIT FOR MORE", ">WAIT FOR ZERO", "LAST USED BY"];

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    done.map_err(|error| Failure::io("write to standard output", &error))
}

/// Writes JSON for people and programs: indented.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("keys are texts, and nothing here fails");
    print(&(text + "\n"))
}

/// Says something beside the point, on standard error.
pub(crate) fn remark(text: &str) {
    // Should that be closed, nobody wants to know.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        let expected = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (64 << 20, "64 MiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 40, "1 TiB"),
            (u64::MAX, "16777215.9 TiB"),
        ];
        for (bytes, text) in expected {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn ages_are_rough() {
        for (seconds, text) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let rows = [vec!["마당".to_owned(), "5".to_owned()], vec!["a".to_owned(), "1000".to_owned()]];
        assert_eq!(table(&["NAME", ">N"], &rows), "NAME     N\n마당     5\na     1000\n");
    }

    #[test]
    fn names_do_nothing_to_terminals_and_shells() {
        assert_eq!(name("orders"), "orders");
        assert_eq!(name("a\x1b[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(quoted("orders-1"), "orders-1");
        assert_eq!(quoted("two teas"), "'two teas'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("-f"), "'-f'");
        assert_eq!(quoted("a'\n"), "$'a\\x27\\x0a'");
    }
}
