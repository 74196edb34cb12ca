//! Arbitrary fields and arbitrary damage. A failure prints the smallest input that shows it.

mod support;

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rts_token::{AppKey, Expiry, Token, TokenError, inspect, verify};
use support::{APP_ID, KEY, LOGIN_VECTOR, Msg, NOW, ROOM_VECTOR, UID, reference, token_of};

proptest! {
    #[test]
    fn any_fields_come_back_as_they_were_minted(
        app_id in "[A-Za-z0-9]{24}",
        uid in "[A-Za-z0-9_@.-]{1,128}",
        room in prop::collection::vec(any::<u8>(), 0..300),
        numbers in any::<[u32; 3]>(),
        grants in prop::collection::vec((any::<u16>(), any::<u32>()), 0..60),
        key in prop::collection::vec(any::<u8>(), 1..100),
    ) {
        let key = AppKey::new(key).expect("not empty");
        let [nonce, issued_at, expire_at] = numbers;
        let expiry = if expire_at == 0 { Expiry::Never } else { Expiry::At(expire_at) };
        let mut token = Token::new(&app_id, &uid, expiry)?
            .with_nonce(nonce)
            .with_issued_at(issued_at)
            .with_room_id(&room)?;
        let mut expected = BTreeMap::new();
        for (privilege, until) in grants {
            token = token.grant(privilege, until)?;
            expected.insert(privilege, until);
            if privilege == 0 {
                expected.extend([(1, until), (2, until), (3, until)]);
            }
        }

        let text = token.sign(&key);
        let read = verify(&text, &app_id, &key, &uid, u64::from(expire_at))?;
        prop_assert_eq!(read.app_id(), app_id);
        prop_assert_eq!(read.user_id(), uid);
        prop_assert_eq!(read.room_id(), room);
        prop_assert_eq!([read.nonce(), read.issued_at(), read.expire_at()], numbers);
        prop_assert_eq!(read.privileges(), &expected);
        prop_assert_eq!(inspect(&text)?.verify(&key), Ok(token));
        prop_assert_eq!(read.sign(&key), text);
    }

    #[test]
    fn no_text_makes_either_reader_panic(
        text in prop_oneof![any::<String>(), "001[A-Za-z0-9]{24}[A-Za-z0-9+/=]{0,200}"],
    ) {
        let key = AppKey::new(KEY).expect("not empty");
        let _ = inspect(&text);
        prop_assert!(verify(&text, APP_ID, &key, UID, NOW).is_err());
    }
}

#[test]
fn inspect_reads_all_that_verify_accepts() {
    let key = AppKey::new(KEY).expect("not empty");
    let config = Config { source_file: Some(file!()), ..Config::default() };
    let accepted = Cell::new(0);
    let outcome = TestRunner::new(config).run(&message(), |msg| {
        let text = msg.token();
        if let Ok(token) = verify(&text, APP_ID, &key, UID, NOW) {
            let unverified = inspect(&text)?;
            prop_assert_eq!(unverified.claims(), &token);
            accepted.set(accepted.get() + 1);
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(accepted.get() > 10, "accepted only {} of 256", accepted.get());
}

/// The reference shares no code with the crate. Each layer is damaged: the text, and the message
/// under a fresh signature, where only the checks of fields can find the damage.
#[test]
fn accepts_exactly_what_the_reference_verifier_accepts() {
    let key = AppKey::new(KEY).expect("not empty");
    let accepted = Cell::new(0u32);
    let refused: Cell<BTreeMap<String, u32>> = Cell::default();

    let config = Config { cases: 8_000, source_file: Some(file!()), ..Config::default() };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&(damaged_token(), now()), |(text, now)| {
        let result = verify(&text, APP_ID, &key, UID, now);
        let expected = reference::accepts(text.as_bytes(), APP_ID, KEY, UID, now);
        prop_assert_eq!(result.is_ok(), expected, "{:?} for {} at {}", result, text, now);
        match result {
            Ok(_) => accepted.set(accepted.get() + 1),
            Err(error) => {
                let mut causes = refused.take();
                *causes.entry(cause(error)).or_default() += 1;
                refused.set(causes);
            }
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }

    // The comparison proves nothing about a case that never occurred.
    let refused = refused.take();
    assert!(accepted.get() > 100, "accepted only {} of 8000", accepted.get());
    for cause in [
        "Version",
        "AppIdMalformed",
        "AppIdMismatch",
        "Base64",
        "LengthOverrun",
        "Rest",
        "SignatureLength",
        "SignatureMismatch",
        "UserIdMalformed",
        "UserIdMismatch",
        "PrivilegeTwice",
        "TooManyPrivileges",
        "Expired",
    ] {
        assert!(refused.contains_key(cause), "{cause} never came up: {refused:?}");
    }
}

/// The variant's name.
fn cause(error: TokenError) -> String {
    format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}

fn now() -> impl Strategy<Value = u64> {
    prop_oneof![Just(NOW), Just(NOW + 1), any::<u64>()]
}

/// Mostly correct fields, with a wrong one now and then.
fn message() -> impl Strategy<Value = Msg> {
    let user_id = prop_oneof![
        12 => Just(UID.as_bytes().to_vec()),
        1 => "[a-z.]{0,3}".prop_map(String::into_bytes),
        1 => (127usize..130).prop_map(|len| vec![b'u'; len]),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    let room_id = prop_oneof![
        12 => "[a-zA-Z0-9_@.-]{0,20}".prop_map(String::into_bytes),
        1 => (127usize..130).prop_map(|len| vec![b'r'; len]),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    let privileges = prop_oneof![
        6 => Just(Vec::new()),
        6 => prop::collection::btree_map(any::<u16>(), any::<u32>(), 0..8)
            .prop_map(|map| map.into_iter().collect()),
        2 => prop::collection::vec((0u16..9, any::<u32>()), 0..4),
        1 => prop_oneof![63u16..67, Just(200)]
            .prop_map(|count| (0..count).map(|number| (number, 0)).collect()),
    ];
    let expire_at = prop_oneof![4 => Just(0), 4 => Just(NOW as u32), 1 => any::<u32>()];
    (any::<[u32; 2]>(), expire_at, room_id, user_id, privileges).prop_map(
        |([nonce, issued_at], expire_at, room_id, user_id, privileges)| Msg {
            nonce,
            issued_at,
            expire_at,
            room_id,
            user_id,
            privileges,
        },
    )
}

fn damaged_token() -> impl Strategy<Value = String> {
    let whole = prop_oneof![
        message().prop_map(|msg| msg.token()),
        Just(LOGIN_VECTOR.to_owned()),
        Just(ROOM_VECTOR.to_owned()),
    ];
    let resigned =
        (message(), damage()).prop_map(|(msg, damage)| token_of(&damage.done_to(msg.bytes())));
    let repacked = (message(), damage()).prop_map(|(msg, damage)| {
        let payload = reference::decode(&msg.token().as_bytes()[27..]).expect("just encoded");
        support::text_of(&damage.done_to(payload))
    });
    let respelled = (message(), damage()).prop_map(|(msg, damage)| {
        String::from_utf8_lossy(&damage.done_to(msg.token().into_bytes())).into_owned()
    });
    // With an even spread, the damage would rarely hit the few bytes that have their own check.
    let head =
        (message(), 0usize..27, any::<prop::sample::Selector>()).prop_map(|(msg, at, letter)| {
            let mut token = msg.token().into_bytes();
            token[at] = *letter.select(b"0129aZ_ ");
            String::from_utf8(token).expect("ASCII")
        });
    let signature = (message(), 30usize..35).prop_map(|(msg, len)| {
        let msg = msg.bytes();
        let mut signature = support::hmac_sha256(KEY, &msg).to_vec();
        signature.resize(len, 0);
        let parts = [support::behind_length(&msg), support::behind_length(&signature)];
        support::text_of(&parts.concat())
    });
    prop_oneof![2 => whole, 3 => resigned, 2 => repacked, 2 => respelled, 1 => head, 1 => signature]
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Append(Vec<u8>),
    Swap(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    // Letters are as frequent as any byte, so that damaged text stays text.
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(b"AQgw+/=019azZ".to_vec())];
    prop_oneof![
        (index(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (index(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (index(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        index().prop_map(Damage::Remove),
        index().prop_map(Damage::Cut),
        prop::collection::vec(byte(), 1..8).prop_map(Damage::Append),
        (index(), index()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

impl Damage {
    fn done_to(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let len = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len + 1), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Cut(at) => bytes.truncate(at.index(len)),
            Self::Append(tail) => bytes.extend(tail),
            Self::Swap(one, other) => bytes.swap(one.index(len), other.index(len)),
        }
        bytes
    }
}
