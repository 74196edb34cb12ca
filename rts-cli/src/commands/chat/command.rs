//! The commands of a chat.

use std::fmt;

use rts_client::contract::{RoomId, UserId};

/// Name, arguments and meaning of each command, for the help and for completion.
const COMMANDS: [(&str, &str, &str); 10] = [
    ("/to", "USER or #ROOM", "lines go there from now on"),
    ("/join", "ROOM", "enter a room; lines go there"),
    ("/leave", "[ROOM]", "leave a room, or the one that lines go to"),
    ("/rooms", "", "the rooms that you are in"),
    ("/who", "[#ROOM]", "who is in the room"),
    ("/who", "USER", "is the user online?"),
    ("/msg", "USER or #ROOM TEXT", "one line to somebody else"),
    ("/token", "TOKEN", "a fresh token, for when one is needed next"),
    ("/help", "", "this list"),
    ("/quit", "", "the end; so are Ctrl-D and Ctrl-C"),
];

/// The receiver of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum To {
    User(String),
    Room(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// An empty line.
    Nothing,
    /// A text for the current receiver.
    Say(String),
    Message(To, String),
    To(To),
    Join(String),
    /// A room to leave. `None`: the current room.
    Leave(Option<String>),
    /// A room whose members are listed. `None`: the current room.
    Members(Option<String>),
    Online(String),
    Rooms,
    Token(String),
    Help,
    Quit,
}

impl Command {
    /// Parses a line. The error says what would be right.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return Ok(Self::Nothing);
        }
        let (blanks, rest) = line.split_at(line.len() - line.trim_start().len());
        let Some(command) = rest.strip_prefix('/') else {
            return Ok(Self::Say(line.to_owned()));
        };
        // A text that begins with a slash is typed with two.
        if command.starts_with('/') {
            return Ok(Self::Say(format!("{blanks}{command}")));
        }
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        match (name, rest) {
            ("to", "") => Err("write /to USER, or /to #ROOM".to_owned()),
            ("to", _) => to(rest).map(Self::To),
            ("join", "") => Err("write /join ROOM".to_owned()),
            ("join", _) => room(rest).map(Self::Join),
            ("leave", "") => Ok(Self::Leave(None)),
            ("leave", _) => room(rest).map(|room| Self::Leave(Some(room))),
            ("rooms", "") => Ok(Self::Rooms),
            ("who", "") => Ok(Self::Members(None)),
            ("who", _) => to(rest).map(|who| match who {
                To::User(uid) => Self::Online(uid),
                To::Room(room) => Self::Members(Some(room)),
            }),
            ("msg", _) => match rest.split_once(char::is_whitespace) {
                Some((who, text)) => Ok(Self::Message(to(who)?, text.trim_start().to_owned())),
                None => Err("write /msg USER TEXT, or /msg #ROOM TEXT".to_owned()),
            },
            ("token", "") => Err("write /token TOKEN".to_owned()),
            ("token", _) => Ok(Self::Token(rest.to_owned())),
            ("help", "") => Ok(Self::Help),
            ("quit", "") => Ok(Self::Quit),
            ("rooms" | "help" | "quit", _) => Err(format!("/{name} takes no arguments")),
            _ => Err(format!("there is no /{name}; /help shows what there is")),
        }
    }
}

/// The names of all commands, without repeats.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    COMMANDS
        .iter()
        .map(|(name, ..)| *name)
        .filter(move |name| std::mem::replace(&mut last, name) != *name)
}

pub(super) fn help() -> String {
    let line = |(name, arguments, what): &(&str, &str, &str)| {
        format!("  {:<25} {what}\n", format!("{name} {arguments}"))
    };
    let commands: String = COMMANDS.iter().map(line).collect();
    format!(
        "{commands}  everything else is sent; a text that begins with / is written with //\n  \
         Tab completes; the up arrow brings back lines that begin as what is typed"
    )
}

pub(super) fn to(who: &str) -> Result<To, String> {
    if who.starts_with('#') {
        return room(who).map(To::Room);
    }
    UserId::new(who).map_err(|error| format!("{who:?}: {error}"))?;
    Ok(To::User(who.to_owned()))
}

/// The id of a room, with or without the `#` that marks rooms here. An id never contains `#`.
pub(super) fn room(id: &str) -> Result<String, String> {
    let id = id.strip_prefix('#').unwrap_or(id);
    RoomId::new(id).map_err(|error| format!("{id:?}: {error}"))?;
    Ok(id.to_owned())
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => f.write_str(uid),
            Self::Room(room) => write!(f, "#{room}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        Command::parse(line).expect("a command")
    }

    fn refused(line: &str) -> String {
        Command::parse(line).expect_err("not a command")
    }

    #[test]
    fn line_is_a_text_unless_it_begins_with_one_slash() {
        let say = |text: &str| Command::Say(text.to_owned());
        assert_eq!(parsed("hi bob"), say("hi bob"));
        assert_eq!(parsed("  hi /to\r\n"), say("  hi /to"));
        assert_eq!(parsed("//to bob"), say("/to bob"));
        assert_eq!(parsed(" //x"), say(" /x"));
        assert_eq!(parsed("\t///x // y"), say("\t//x // y"));
        assert_eq!(parsed("x //y"), say("x //y"));
        assert_eq!(parsed(" /help"), Command::Help);
        for empty in ["", "  ", "\r\n"] {
            assert_eq!(parsed(empty), Command::Nothing);
        }
    }

    #[test]
    fn sign_distinguishes_rooms_from_users() {
        let (user, room) = (To::User("bob".to_owned()), To::Room("lobby".to_owned()));
        assert_eq!(parsed("/to bob"), Command::To(user.clone()));
        assert_eq!(parsed("/to #lobby"), Command::To(room.clone()));
        assert_eq!(parsed("/msg bob  hi  you"), Command::Message(user, "hi  you".to_owned()));
        assert_eq!(parsed("/msg #lobby hi"), Command::Message(room, "hi".to_owned()));
        assert_eq!(parsed("/who #lobby"), Command::Members(Some("lobby".to_owned())));
        assert_eq!(parsed("/who bob"), Command::Online("bob".to_owned()));
        assert_eq!(parsed("/join #lobby"), parsed("/join lobby"));
        assert_eq!(parsed("/leave #lobby "), Command::Leave(Some("lobby".to_owned())));
    }

    #[test]
    fn mistakes_have_helpful_errors() {
        for (line, says) in [
            ("/to", "/to USER"),
            ("/to b b", "\"b b\": the user id has"),
            ("/join not.a.room", "\"not.a.room\": the room id has"),
            ("/msg bob", "/msg USER TEXT"),
            ("/quit now", "takes no arguments"),
            ("/fly", "there is no /fly; /help"),
        ] {
            assert!(refused(line).contains(says), "{line}: {}", refused(line));
        }
    }

    #[test]
    fn every_command_of_the_help_parses() {
        for name in names() {
            assert!(help().contains(name));
            let says =
                [name.to_owned(), format!("{name} bob hi")].map(|line| Command::parse(&line));
            let is_one = says.iter().any(|parsed| match parsed {
                Ok(_) => true,
                Err(error) => error.starts_with("write "),
            });
            assert!(is_one, "{name}: {says:?}");
        }
        assert_eq!(names().count(), 9, "no name repeats");
    }
}
