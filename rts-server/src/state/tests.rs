use super::table::{BANS_FIRST_SWEEP, REVOKED_USERS_PER_APP_MAX, Until};
use super::*;

use std::fs;
use std::path::PathBuf;

use rts_proto::RoomId;
use rts_proto::server::{Credentials, Verdict};
use rts_transport_tokio::server::Authenticate;

/// A directory of one test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rts-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self) -> Arc<State> {
        Arc::new(State::open(Some(&self.0)).expect("a valid configuration"))
    }

    fn file(&self) -> PathBuf {
        self.0.join("bans.json")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn bans() -> [Ban; 4] {
    let room = || RoomId::new("lobby").expect("well formed");
    [
        Ban::Room(room()),
        Ban::UserInRoom(room(), user("bob")),
        Ban::User(user("bob")),
        Ban::Login(user("bob")),
    ]
}

struct NoLogin;

impl Authenticate for NoLogin {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        Verdict::Accept { claim: 1, issued_at: 0 }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn state_survives_a_restart() {
    let directory = Directory::new("restart");
    let state = directory.open();
    for ban in bans() {
        assert!(!state.ban(&app(), &ban, HOUR));
    }
    state.ban(&app(), &Ban::Login(user("carol")), Duration::MAX);
    assert_eq!(state.revoke(&app(), Some(&user("bob")), 2_000), Ok(2_000));
    assert_eq!(state.revoke(&app(), None, 1_000), Ok(1_000));
    state.save().await.expect("written");
    drop(state);
    let again = directory.open();
    for ban in bans().into_iter().chain([Ban::Login(user("carol"))]) {
        assert!(again.ban(&app(), &ban, Duration::ZERO), "{ban:?} was in force");
        assert!(!again.ban(&app(), &ban, Duration::ZERO), "{ban:?} is lifted already");
    }
    assert_eq!(again.revoked_before(&app(), &user("bob")), 2_000);
    assert_eq!(again.revoked_before(&app(), &user("alice")), 1_000);
    again.save().await.expect("written");
    drop(again);
    assert!(directory.open().lock().bans.is_empty(), "lifted bans stay lifted");
}

/// What others tell was on its way when a back end asked for something else.
#[test]
fn what_others_tell_does_not_replace_what_a_back_end_asks_meanwhile() {
    let directory = Directory::new("told");
    let state = directory.open();
    let [lifted, shorter, told, _] = bans();
    state.hear_others();
    state.ban(&app(), &lifted, Duration::ZERO);
    state.ban(&app(), &shorter, HOUR);
    for ban in [&lifted, &shorter, &told] {
        state.told(&app(), ban, 2 * HOUR);
    }
    let table = state.lock();
    let until = |ban: &Ban| match table.bans.get(&(app(), ban.clone())) {
        Some(Until::Second(second)) => Some(*second),
        other => {
            assert_eq!(other, None);
            None
        }
    };
    assert_eq!(until(&lifted), None);
    assert!(until(&shorter).is_some() && until(&shorter) < until(&told));
}

/// A node that was away: what the others do not tell was lifted meanwhile.
#[tokio::test]
async fn what_others_do_not_tell_is_forgotten_when_it_is_taken_over() {
    let directory = Directory::new("others");
    let state = directory.open();
    let [lifted, kept, told, set_here] = bans();
    for ban in [&lifted, &kept] {
        state.ban(&app(), ban, HOUR);
    }
    for (uid, moment) in [(Some("alice"), 10), (Some("bob"), 20), (None, 5)] {
        state.revoke(&app(), uid.map(user).as_ref(), moment).expect("few");
    }
    state.hear_others();
    for ban in [&kept, &told, &set_here] {
        state.ban(&app(), ban, HOUR);
    }
    state.revoke(&app(), Some(&user("bob")), 20).expect("few");
    assert_eq!(state.lock().bans.len(), 4, "all hold until then");
    assert_eq!(state.revoked_before(&app(), &user("alice")), 10);
    let server = rts_proto::server::Server::new(rts_proto::server::Config::default(), 1);
    let node = Node::new(server, Arc::new(NoLogin));
    state.restore(&node);
    state.take_over(&node).await;
    let in_core = |ban: &Ban| {
        let unban = Command::Unban { app_id: &app(), ban };
        node.commands().command(unban) == Returned::Whether(true)
    };
    assert_eq!([&lifted, &kept, &told].map(in_core), [false, true, true]);
    drop(state);
    let again = directory.open();
    let left: Vec<_> = again.lock().bans.keys().map(|(_, ban)| ban.clone()).collect();
    assert_eq!(left.len(), 3);
    assert!(!left.contains(&lifted), "{left:?}");
    let moments = ["alice", "bob"].map(|uid| again.revoked_before(&app(), &user(uid)));
    assert_eq!(moments, [0, 20]);
}

#[tokio::test]
async fn expired_bans_are_not_written() {
    let directory = Directory::new("over");
    let state = directory.open();
    let [ban, other, ..] = bans();
    state.ban(&app(), &ban, HOUR);
    state.ban(&app(), &other, HOUR);
    state.lock().bans.insert((app(), ban.clone()), Until::Second(unix_now()));
    assert!(!state.ban(&app(), &ban, Duration::ZERO), "the ban had expired");
    state.lock().bans.insert((app(), ban), Until::Second(unix_now()));
    state.save().await.expect("written");
    drop(state);
    assert_eq!(directory.open().lock().bans.keys().collect::<Vec<_>>(), [&(app(), other)]);
}

#[cfg(unix)]
#[tokio::test]
async fn state_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = Directory::new("private");
    let state = directory.open();
    let mode =
        |path: &Path| fs::metadata(path).expect("an existing file").permissions().mode() & 0o777;
    assert_eq!(mode(&directory.0), 0o700);
    let left = directory.0.join("bans.json.new");
    fs::write(&left, "").expect("a file");
    fs::set_permissions(&left, fs::Permissions::from_mode(0o666)).expect("ours");
    let [ban, ..] = bans();
    state.ban(&app(), &ban, HOUR);
    state.save().await.expect("written");
    for file in [directory.file(), directory.0.join("bans.lock")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn later_moment_wins_and_zero_withdraws() {
    let state = State::default();
    let bob = user("bob");
    let of_bob = |moment| state.revoke(&app(), Some(&bob), moment);
    assert_eq!([of_bob(10), of_bob(5), of_bob(11)], [Ok(10), Ok(10), Ok(11)]);
    assert_eq!(state.revoked_before(&app(), &user("alice")), 0, "other users are not affected");
    assert_eq!(state.revoke(&app(), None, 20), Ok(20));
    assert_eq!(of_bob(12), Ok(20), "the moment of all users holds for bob too");
    assert_eq!(state.revoke(&app(), None, 0), Ok(0));
    assert_eq!(state.revoked_before(&app(), &bob), 12, "bob's own moment is not withdrawn");
    assert_eq!(of_bob(0), Ok(0));
    assert_eq!(state.revoked_before(&app(), &bob), 0);
}

#[test]
fn revocations_of_single_users_are_bounded() {
    let state = State::default();
    for number in 0..REVOKED_USERS_PER_APP_MAX {
        state.revoke(&app(), Some(&user(&number.to_string())), 1).expect("within the bound");
    }
    assert_eq!(state.revoke(&app(), Some(&user("more")), 1), Err(TooManyRevoked));
    assert_eq!(state.revoke(&app(), Some(&user("0")), 2), Ok(2), "the user has an entry already");
    assert_eq!(state.revoke(&app(), None, 2), Ok(2), "it replaces the entries of all users");
    assert_eq!(state.revoke(&app(), Some(&user("more")), 3), Ok(3));
}

/// Forgotten moments of users are permanent, also when the moment of all users is withdrawn.
#[tokio::test]
async fn forgotten_revocation_stays_in_force() {
    let directory = Directory::new("lasting");
    let state = directory.open();
    for number in 0..REVOKED_USERS_PER_APP_MAX {
        let moment = 1_000 + number as u32 % 3;
        state.revoke(&app(), Some(&user(&number.to_string())), moment).expect("within the bound");
    }
    assert_eq!(state.revoke(&app(), None, 1_001), Ok(1_001));
    assert_eq!(state.revoke(&app(), Some(&user("more")), 5_000), Ok(5_000));
    assert_eq!(state.revoke(&app(), None, 9_000), Ok(9_000));
    state.save().await.expect("written");
    assert_eq!(state.revoke(&app(), None, 0), Ok(1_001), "it stands for the forgotten users");
    drop(state);
    let again = directory.open();
    assert_eq!(again.revoked_before(&app(), &user("alice")), 9_000, "as written");
    assert_eq!(again.revoke(&app(), None, 0), Ok(1_001));
    let before =
        ["0", "1", "2", "alice", "more"].map(|uid| again.revoked_before(&app(), &user(uid)));
    assert_eq!(before, [1_001, 1_001, 1_002, 1_001, 5_000]);
}

#[tokio::test]
async fn damaged_file_prevents_start_and_is_unchanged() {
    let directory = Directory::new("damaged");
    let state = directory.open();
    for ban in bans() {
        assert!(!state.ban(&app(), &ban, HOUR));
    }
    state.revoke(&app(), Some(&user("bob")), 7).expect("few");
    state.save().await.expect("written");
    drop(state);
    let whole = fs::read_to_string(directory.file()).expect("it was written");
    let mut damaged: Vec<String> = (0..whole.len()).map(|len| whole[..len].to_owned()).collect();
    let changed = [
        ("\"lobby\"", "\"no room\""),
        ("\"bob\"", "\"\""),
        ("\"login\"", "\"all-rooms-and-more\""),
        ("\"from\":\"login\"", "\"from\":\"room\""),
        ("\"issued_before\":7", "\"issued_before\":-7"),
        ("\"user\"", "\"usr\""),
    ];
    damaged.extend(changed.map(|(what, by)| {
        assert!(whole.contains(what), "{what} in {whole}");
        whole.replace(what, by)
    }));
    for text in damaged {
        fs::write(directory.file(), &text).expect("a file");
        let error = State::open(Some(&directory.0)).expect_err(&text).to_string();
        let path = directory.file().display().to_string();
        assert!(error.starts_with(&path) && error.contains("not a list of bans"), "{error}");
        assert_eq!(fs::read_to_string(directory.file()).expect("still there"), text);
    }
    fs::write(directory.file(), whole.replace("\"version\":1", "\"version\":2")).expect("a file");
    let error = State::open(Some(&directory.0)).expect_err("of another version").to_string();
    assert!(error.contains("format version 2"), "{error}");
}

#[test]
fn two_servers_cannot_share_a_directory() {
    let directory = Directory::new("shared");
    let state = directory.open();
    let error = State::open(Some(&directory.0)).expect_err("in use").to_string();
    assert!(error.contains("another server uses this directory"), "{error}");
    drop(state);
    directory.open();
}

#[tokio::test]
async fn unwritten_change_is_in_force_and_written_later() {
    let directory = Directory::new("full");
    let state = directory.open();
    // A directory of this name makes the write fail.
    let obstacle = directory.0.join("bans.json.new");
    fs::create_dir(&obstacle).expect("a directory");
    let [ban, ..] = bans();
    state.ban(&app(), &ban, HOUR);
    let error = state.save().await.expect_err("it is in the way").to_string();
    assert!(error.starts_with(&obstacle.display().to_string()), "{error}");
    assert_eq!(state.lock().bans.len(), 1, "in force");
    fs::remove_dir(&obstacle).expect("empty");
    state.save().await.expect("the obstacle is removed");
    drop(state);
    assert_eq!(directory.open().lock().bans.len(), 1);
}

#[tokio::test]
async fn interrupted_write_keeps_the_old_file() {
    let directory = Directory::new("broken-off");
    let state = directory.open();
    let [ban, ..] = bans();
    state.ban(&app(), &ban, HOUR);
    state.save().await.expect("written");
    drop(state);
    fs::write(directory.0.join("bans.json.new"), "{\"version\":1,\"ba").expect("a file");
    assert_eq!(directory.open().lock().bans.len(), 1);
}

#[test]
fn expired_bans_are_removed_without_a_file() {
    let state = State::default();
    let last = Ban::Login(user("last"));
    state.ban(&app(), &last, Duration::MAX);
    for number in 0..10 * BANS_FIRST_SWEEP {
        let ban = Ban::Login(user(&number.to_string()));
        state.ban(&app(), &ban, HOUR);
        state.lock().bans.insert((app(), ban), Until::Second(1));
    }
    assert!(state.lock().bans.len() <= 2 * BANS_FIRST_SWEEP);
    assert!(state.ban(&app(), &last, Duration::ZERO), "the permanent ban is kept");
}
