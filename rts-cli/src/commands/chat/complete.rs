//! What the Tab key offers.

use super::command;

/// Users that were heard of, and rooms that were joined.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) users: Vec<String>,
    pub(super) rooms: Vec<String>,
}

/// Where the last word begins, and what it may become.
pub(super) fn complete(before: &str, names: &Names) -> (usize, Vec<String>) {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let start = before.len() - word.len();
    let earlier = &before[..start];
    let rooms = |sign: &'static str| names.rooms.iter().map(move |room| format!("{sign}{room}"));
    let users = || names.users.iter().cloned();
    let all: Vec<String> = match earlier.trim_end() {
        "" if word.starts_with('/') => command::names().map(str::to_owned).collect(),
        "/join" | "/leave" => rooms("").collect(),
        "/to" | "/msg" | "/who" => users().chain(rooms("#")).collect(),
        // Inside a text, the name of somebody.
        _ if word.is_empty() => Vec::new(),
        _ => users().collect(),
    };
    (start, all.into_iter().filter(|name| name.starts_with(word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let names = Names {
            users: ["bob", "bobby", "carol"].map(str::to_owned).to_vec(),
            rooms: ["lobby", "lounge"].map(str::to_owned).to_vec(),
        };
        let (start, offered) = complete(line, &names);
        offered.iter().map(|name| format!("{}{name}", &line[..start])).collect()
    }

    #[test]
    fn a_command_its_user_or_its_room_is_completed() {
        assert_eq!(offered("/t"), ["/to", "/token"]);
        assert_eq!(offered("/to bo"), ["/to bob", "/to bobby"]);
        assert_eq!(offered("/to #lo"), ["/to #lobby", "/to #lounge"]);
        assert_eq!(offered("/join lob"), ["/join lobby"]);
        assert_eq!(
            offered("/who "),
            ["/who bob", "/who bobby", "/who carol", "/who #lobby", "/who #lounge"]
        );
        assert_eq!(offered("/quit "), [""; 0]);
    }

    #[test]
    fn a_name_inside_a_text_is_completed_and_an_empty_word_is_not() {
        assert_eq!(offered("grüße, ca"), ["grüße, carol"]);
        assert_eq!(offered("\u{3000}bobb"), ["\u{3000}bobby"]);
        assert_eq!(offered("hi "), [""; 0]);
        assert_eq!(offered(""), [""; 0]);
    }
}
