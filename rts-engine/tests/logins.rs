//! Logins that overtake each other, in every order.

mod common;

use common::{engine, exchange_judged, now_or_never};
use rts_engine::{Driver, Engine, Events, LoginStatus, LoginWatch, ReservedLogin};
use rts_proto::client::{Call, LoginError};
use rts_proto::server::{Config, Server};
use rts_proto::{LoginCode, LogoutReason};

const OVER: LoginStatus = LoginStatus::LoggedOut(LogoutReason::Own);

/// What one task of an application does, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Alice's login is reserved, and then it gets its token or is given up.
    Reserve,
    GetToken,
    GiveUp,
    LogInBob,
    LogOut,
    /// A token for the login that is the present one at this moment.
    Update,
}

/// An application, and what is to be expected of its engine.
struct World {
    engine: Engine,
    _events: Events,
    _driver: Driver,
    reserved: Option<ReservedLogin>,
    /// Alice's login, from its reservation on.
    alice: Option<LoginWatch>,
    expected: Expected,
    /// Alice's login was neither overtaken nor ended.
    alice_stands: bool,
}

/// The present login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Nobody,
    /// Carol's token was refused.
    CarolRefused,
    Reserved,
    LoggingIn(&'static str),
}

impl World {
    fn new(carol_is_refused: bool) -> Self {
        let (engine, events, driver) = engine();
        let mut expected = Expected::Nobody;
        if carol_is_refused {
            engine.login("refused", "carol").expect("not logged in");
            let mut server = Server::new(Config::default(), 1);
            exchange_judged(&driver, &mut server, LoginCode::InvalidToken);
            expected = Expected::CarolRefused;
        }
        let (reserved, alice) = (None, None);
        let alice_stands = false;
        Self { engine, _events: events, _driver: driver, reserved, alice, expected, alice_stands }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Reserve => match self.engine.reserve_login() {
                Ok(reserved) => {
                    assert!(!matches!(self.expected, Expected::LoggingIn(_)));
                    self.alice = Some(reserved.watch());
                    self.reserved = Some(reserved);
                    (self.expected, self.alice_stands) = (Expected::Reserved, true);
                }
                Err(error) => {
                    assert_eq!(error, LoginError::AlreadyLoggedIn);
                    assert!(matches!(self.expected, Expected::LoggingIn(_)));
                }
            },
            Step::GetToken => {
                if let Some(reserved) = self.reserved.take() {
                    let mut watch = reserved.log_in("token", "alice").expect("a good token");
                    if self.alice_stands {
                        self.expected = Expected::LoggingIn("alice");
                    } else {
                        assert_eq!(watch.status(), OVER);
                    }
                }
            }
            Step::GiveUp => {
                if self.reserved.take().is_some() && self.alice_stands {
                    (self.expected, self.alice_stands) = (Expected::Nobody, false);
                }
            }
            Step::LogInBob => {
                let logged_in = self.engine.login("token", "bob");
                let is_free = !matches!(self.expected, Expected::LoggingIn(_));
                assert_eq!(logged_in.is_ok(), is_free);
                if is_free {
                    (self.expected, self.alice_stands) = (Expected::LoggingIn("bob"), false);
                }
            }
            Step::LogOut => {
                self.engine.logout();
                (self.expected, self.alice_stands) = (Expected::Nobody, false);
            }
            Step::Update => {
                self.engine.watch_login().update_token("another");
                if self.expected == Expected::CarolRefused {
                    self.expected = Expected::LoggingIn("carol");
                }
            }
        }
    }

    fn check(&mut self, order: &[Step]) {
        let view = self.engine.watch_login().look();
        let present = match view.status() {
            LoginStatus::Idle | OVER => Expected::Nobody,
            LoginStatus::TokenRefused => Expected::CarolRefused,
            LoginStatus::Reserved => Expected::Reserved,
            LoginStatus::LoggingIn => {
                let uid = view.uid().expect("somebody logs in").as_str();
                let known = ["alice", "bob", "carol"].into_iter().find(|known| *known == uid);
                Expected::LoggingIn(known.expect("one of them"))
            }
            status => panic!("{status:?} after {order:?}"),
        };
        assert_eq!(present, self.expected, "{order:?}");
        if let Some(alice) = &mut self.alice {
            assert_eq!(alice.status() != OVER, self.alice_stands, "{order:?}");
        }
    }
}

/// Every order of the steps in which each task keeps its own.
fn orders(tasks: &[&[Step]]) -> Vec<Vec<Step>> {
    let mut orders = Vec::new();
    for (chosen, task) in tasks.iter().enumerate() {
        let Some((first, rest)) = task.split_first() else { continue };
        let mut others = tasks.to_vec();
        others[chosen] = rest;
        orders.extend(self::orders(&others).into_iter().map(|mut order| {
            order.insert(0, *first);
            order
        }));
    }
    if orders.is_empty() { vec![Vec::new()] } else { orders }
}

#[test]
fn the_last_call_decides_whoever_is_interrupted() {
    use Step::{GetToken, GiveUp, LogInBob, LogOut, Reserve, Update};
    let mut count = 0;
    for carol_is_refused in [false, true] {
        for login in [[Reserve, GetToken], [Reserve, GiveUp]] {
            for order in orders(&[&login, &[LogInBob], &[LogOut, LogOut], &[Update, Update]]) {
                let mut world = World::new(carol_is_refused);
                for step in &order {
                    world.take(*step);
                    world.check(&order);
                }
                count += 1;
            }
        }
    }
    assert_eq!(count, 4 * 630, "7 steps of 4 tasks: 7! / (2! 1! 2! 2!)");
}

#[test]
fn a_token_replaces_only_the_one_that_was_seen() {
    let (engine, _events, _driver) = engine();
    engine.login("first", "alice").expect("not logged in");
    let mut watch = engine.watch_login();
    let seen = watch.look();
    assert!(watch.replace_token(&seen, "second"));
    assert!(!watch.replace_token(&seen, "third"), "the application has set another one");
    let seen_now = watch.look();
    assert!(!watch.replace_token(&seen_now, ""), "no token at all");
    assert_eq!(watch.look().token(), Some(b"second".as_slice()));
    engine.logout();
    assert!(!watch.replace_token(&seen, "fourth"));
    assert_eq!(watch.look().token(), None);
}

#[test]
fn a_new_token_wakes_the_watch() {
    let (engine, _events, _driver) = engine();
    engine.login("first", "alice").expect("not logged in");
    let mut watch = engine.watch_login();
    assert!(now_or_never(watch.changed()).is_none());
    engine.update_login_token("second");
    assert!(now_or_never(watch.changed()).is_some());
    engine.call(Call::UpdateLoginToken { token: "third" });
    assert!(now_or_never(watch.changed()).is_some());
}

#[test]
fn a_token_brings_back_a_refused_login_that_was_left_as_the_contract_says() {
    for through_call in [false, true] {
        let mut world = World::new(true);
        let mut left = world.engine.watch_login();
        let carol = left.look();
        world.take(Step::LogOut);
        assert_eq!((left.status(), left.look().uid()), (OVER, None));
        match through_call {
            true => drop(world.engine.call(Call::UpdateLoginToken { token: "token" })),
            false => world.engine.update_login_token("token"),
        }
        let back = left.look();
        assert_eq!(back.status(), LoginStatus::LoggingIn);
        assert_ne!(back.id(), carol.id());
    }
}
