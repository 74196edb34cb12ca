//! Tables of users, rooms and figures for people.

use rts_openapi::{RoomList, Stats, UserList};

pub(super) fn users(list: &UserList) -> String {
    if list.users.is_empty() {
        return nothing("users", list.total_user);
    }
    let rows = list.users.iter().map(|user| {
        let status = status(user.status).to_owned();
        let silent = format!("{} s", user.silent_seconds);
        let (rooms, bytes) = (user.rooms.to_string(), user.unacknowledged_bytes.to_string());
        [user.user_id.clone(), status, silent, rooms, bytes]
    });
    let table = table(["user", "status", "silent for", "rooms", "unacknowledged bytes"], rows);
    with_count(table, (list.users.len(), list.total_user), "users", list.next.as_deref())
}

pub(super) fn rooms(list: &RoomList) -> String {
    if list.rooms.is_empty() {
        return nothing("rooms", list.total_room);
    }
    let rows = list.rooms.iter().map(|room| [room.room_id.clone(), room.members.to_string()]);
    let table = table(["room", "members"], rows);
    with_count(table, (list.rooms.len(), list.total_room), "rooms", list.next.as_deref())
}

pub(super) fn stats(stats: &Stats) -> String {
    let rows = [
        ("users", stats.users),
        ("with a link", stats.connected),
        ("rooms", stats.rooms),
        ("memberships", stats.memberships),
        ("bans", stats.bans),
        ("unacknowledged bytes", stats.unacknowledged_bytes),
    ];
    lines(rows.map(|(name, value)| [name.to_owned(), value.to_string()]).as_ref())
}

pub(super) fn status(code: u32) -> &'static str {
    match code {
        0 => "offline",
        1 => "online",
        _ => "unreachable for 15 s or more",
    }
}

fn nothing(what: &str, total: usize) -> String {
    match total {
        0 => format!("no {what}"),
        total => format!("no {what} behind that one, {total} in all"),
    }
}

fn with_count(
    table: String,
    (shown, total): (usize, usize),
    what: &str,
    next: Option<&str>,
) -> String {
    match next {
        Some(next) => format!("{table}\n{shown} of {total} {what}; for more: --after {next}"),
        None if shown == total => table,
        None => format!("{table}\nthe last {shown} of {total} {what}"),
    }
}

pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let head = head.map(str::to_owned);
    lines(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Formats rows in columns, two spaces apart.
pub(super) fn lines<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
