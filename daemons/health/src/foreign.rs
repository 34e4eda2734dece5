//! Texts of others: made harmless once, where they come in. Whoever shows them later, a log, a terminal, a balancer's page, shows
//! letters and no commands.

use crate::observe::{Observation, Ready};

/// Longest text of others.
pub const CHARS_MAX: usize = 300;

/// True of a letter that does something to whoever shows it: ends the line, moves the cursor, turns the direction of what follows.
#[must_use]
pub fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text of others as one line of letters, no longer than [`CHARS_MAX`].
#[must_use]
pub fn tame(text: &str) -> String {
    let mut line = String::new();
    // One more than may be told: that something was left out shows in it.
    let mut room = CHARS_MAX + 1;
    for letter in text.chars() {
        let letter = match letter {
            letter if letter.is_whitespace() => ' ',
            letter if is_harmful(letter) => char::REPLACEMENT_CHARACTER,
            letter => letter,
        };
        // What stands behind a line's end is often indented.
        if letter == ' ' && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        line.push(letter);
        room -= 1;
        if room == 0 {
            break;
        }
    }
    cut(line.trim_end(), CHARS_MAX)
}

/// Start of a text, up to the end of a word, where it is longer than that.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.to_owned();
    }
    let end = text.char_indices().nth(chars_max.saturating_sub(2)).map_or(0, |(end, _)| end);
    let (start, rest) = text.split_at(end);
    // Of a word without an end, as much as there is room for.
    let words = if rest.starts_with(' ') { None } else { start.rsplit_once(' ') };
    let start = words.map_or(start, |(words, _)| words).trim_end();
    format!("{start} …")
}

/// An observation, with all that its target says in words made harmless.
#[must_use]
pub fn tamed(mut observation: Observation) -> Observation {
    let seen = match &mut observation.seen {
        Ok(seen) => seen,
        Err(reason) => {
            *reason = tame(reason);
            return observation;
        }
    };
    let said = [seen.state.as_mut(), seen.obstacle.as_mut()].into_iter().flatten();
    for reason in said.filter_map(|said| said.as_mut().err()) {
        *reason = tame(reason);
    }
    if let Some(Ready::No(reason)) = &mut seen.ready {
        *reason = tame(reason);
    }
    if let Some((fork, _)) = &mut seen.unknown_fork {
        *fork = tame(fork);
    }
    observation
}

#[cfg(test)]
mod tests {
    use super::{CHARS_MAX, cut, tame, tamed};
    use crate::observe::{Observation, Ready, Seen};
    use std::time::Duration;

    #[test]
    fn what_would_do_something_is_shown_instead() {
        for (text, expect) in [
            ("3 blocks behind", "3 blocks behind"),
            ("größer als 3 Blöcke, ∞", "größer als 3 Blöcke, ∞"),
            ("one\r\n  two\tthree\n", "one two three"),
            ("\x1b[31mred\x07", "\u{fffd}[31mred\u{fffd}"),
            ("up\u{202e}nwod\u{2028}ready", "up\u{fffd}nwod ready"),
            ("\0", "\u{fffd}"),
            (" \n ", ""),
        ] {
            assert_eq!(tame(text), expect, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_ends_with_a_word() {
        assert_eq!(cut("one two three", 13), "one two three");
        assert_eq!(cut("one two three", 12), "one two …");
        assert_eq!(cut("one two three", 9), "one two …", "the word is whole");
        assert_eq!(cut("onetwothree", 6), "onet …");
        assert_eq!(cut("äöüäöü", 4), "äö …");
        let told = tame(&"no answer\n".repeat(100_000));
        assert!(told.ends_with("answer …") || told.ends_with("no …"), "{told}");
        assert!(told.chars().count() <= CHARS_MAX, "{told}");
        assert_eq!(tame(&"x".repeat(CHARS_MAX)), "x".repeat(CHARS_MAX));
    }

    #[test]
    fn every_word_of_a_target_is_tamed() {
        let wild = || "a\nb".to_owned();
        let look = |seen| tamed(Observation { took: Duration::ZERO, seen }).seen;
        assert_eq!(look(Err(wild())).unwrap_err(), "a b");
        let seen = Seen {
            state: Some(Err(wild())),
            obstacle: Some(Err(wild())),
            ready: Some(Ready::No(wild())),
            unknown_fork: Some((wild(), 7)),
            ..Seen::default()
        };
        let seen = look(Ok(seen)).unwrap();
        assert_eq!((seen.state, seen.obstacle), (Some(Err("a b".to_owned())), Some(Err("a b".to_owned()))));
        assert_eq!(seen.ready, Some(Ready::No("a b".to_owned())));
        assert_eq!(seen.unknown_fork, Some(("a b".to_owned(), 7)));
    }
}
