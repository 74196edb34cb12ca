//! Actions of operators on users, over real sockets.

use rts_openapi::Action;
use rts_transport_tokio::{Event, LogoutReason};
use serde_json::{Value, json};

use crate::support::{APP_ID, World};

fn of(uid: &str) -> Value {
    json!({"AppId": APP_ID, "UserId": uid})
}

#[tokio::test]
async fn puts_user_out_and_accepts_absent_user() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    let ended = |sessions: usize| json!({"Message": "success", "Sessions": sessions});
    assert_eq!(world.ask(Action::DisconnectUser, of("bob")).await.result(), ended(1));
    assert_eq!(bob.next().await, Event::Logout(LogoutReason::PutOut));
    for action in [Action::DisconnectUser, Action::BanUser] {
        assert_eq!(world.ask(action, of("bob")).await.result(), ended(0));
    }
    let unbanned = |was: bool| json!({"Message": "success", "WasBanned": was});
    assert_eq!(world.ask(Action::UnbanUser, of("bob")).await.result(), unbanned(true));
    assert_eq!(world.ask(Action::UnbanUser, of("bob")).await.result(), unbanned(false));
}

#[tokio::test]
async fn lists_users_page_by_page_with_app_figures() {
    let world = World::start().await;
    let mut people = Vec::new();
    for uid in ["carol", "alice", "bob"] {
        let mut person = world.log_in(uid).await;
        let room = person.join("lobby").await;
        people.push((person, room));
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let body = json!({"AppId": APP_ID, "After": after, "Limit": "2"});
        let page = world.ask(Action::ListUsers, body).await.result();
        assert_eq!(page["TotalUser"], json!(3));
        for user in page["Users"].as_array().expect("a list") {
            assert_eq!((&user["Status"], &user["Rooms"]), (&json!(1), &json!(1)));
            seen.push(user["UserId"].as_str().expect("an id").to_owned());
        }
        match page.get("Next") {
            Some(next) => after = next.as_str().expect("an id").to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["alice", "bob", "carol"]);
    let stats = world.ask(Action::GetStats, json!({"AppId": APP_ID})).await.result();
    let figures = ["Users", "Connected", "Rooms", "Memberships", "Bans"].map(|name| &stats[name]);
    assert_eq!(figures, [3, 3, 1, 3, 0].map(|count| json!(count)).each_ref());
}

#[tokio::test]
async fn revocation_returns_the_moment_in_force() {
    let world = World::start().await;
    let revoke = |moment: u64| {
        let body = json!({"AppId": APP_ID, "UserId": "bob", "IssuedBefore": moment});
        world.ask(Action::RevokeTokens, body)
    };
    for (asked, holds) in [(1_000, 1_000), (500, 1_000), (1_001, 1_001), (0, 0)] {
        assert_eq!(revoke(asked).await.result()["IssuedBefore"], json!(holds), "{asked}");
    }
    let unix_now = crate::support::unix_now();
    assert_eq!(revoke(unix_now + 800).await.status, 200);
    let (status, code) = revoke(unix_now + 1_000).await.error();
    assert_eq!((status, code.as_str()), (400, "InvalidTimestamp"));
}
