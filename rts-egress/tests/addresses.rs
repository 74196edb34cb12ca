//! The classes of addresses, against an independent table: it has ranges, first to last, while the
//! code has prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use proptest::prelude::*;
use rts_egress::{AddressPolicy, Network, is_public};

/// The first and last address of each range outside of the public internet.
const NOT_PUBLIC: [(&str, &str); 15] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];

fn v4(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn expected(ip: Ipv4Addr) -> bool {
    static RANGES: LazyLock<Vec<RangeInclusive<Ipv4Addr>>> =
        LazyLock::new(|| NOT_PUBLIC.iter().map(|(first, last)| v4(first)..=v4(last)).collect());
    !RANGES.iter().any(|range| range.contains(&ip))
}

/// Every form in which IPv6 wraps an IPv4 address, and is judged by it.
fn wrapped(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = ip.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
    ]
}

/// Some addresses of each of the 65,536 blocks of 16 bits: its ends, and the edges of smaller
/// blocks.
fn every_block() -> impl Iterator<Item = Ipv4Addr> {
    let lows = [
        0, 1, 0x00_ff, 0x01_00, 0x01_ff, 0x02_00, 0x02_ff, 0x63_ff, 0x64_00, 0x64_ff, 0x71_00,
        0xff_ff,
    ];
    (0..=u16::MAX).flat_map(move |high| {
        lows.map(|low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
    })
}

#[test]
fn every_ipv4_block_follows_the_table() {
    for ip in every_block() {
        assert_eq!(is_public(ip.into()), expected(ip), "{ip}");
    }
}

#[test]
fn wrapped_ipv4_is_judged_as_ipv4() {
    // At least two of each block, and all places in it in turn.
    for ip in every_block().step_by(5) {
        for form in wrapped(ip) {
            assert_eq!(is_public(form.into()), expected(ip), "{form}, which wraps {ip}");
        }
        if u32::from(ip) > 1 {
            let compatible = Ipv6Addr::from(u128::from(u32::from(ip)));
            assert_eq!(is_public(compatible.into()), expected(ip), "{compatible}");
        }
    }
}

#[test]
fn refuses_ipv6_outside_of_the_internet() {
    for ip in [
        "::",
        "::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "feff::1",
        "ff02::1",
        "64:ff9b:1::1",
        "64:ff9b:1:808:8:800::",
        "4000::1",
        "8000::1",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:7f00:1::1",
        "fd00:ec2::254",
        "64:ff9b::1:808:808",
    ] {
        assert!(!is_public(v6(ip).into()), "{ip}");
    }
    for ip in ["2001:200::1", "2606:4700::1111", "2a00::1", "3ffe::1", "2002:808:808::1"] {
        assert!(is_public(v6(ip).into()), "{ip}");
    }
}

fn networks(texts: [&str; 2]) -> [Network; 2] {
    texts.map(|text| text.parse().expect("a network"))
}

fn vets(policy: &AddressPolicy, addresses: &[&str]) -> bool {
    let addresses: Vec<SocketAddr> =
        addresses.iter().map(|address| address.parse().expect("an address")).collect();
    policy.vet(&addresses).is_ok()
}

#[test]
fn one_bad_address_refuses_all() {
    let policy = AddressPolicy::default();
    assert!(vets(&policy, &["8.8.8.8:443", "[2606:4700::1111]:443"]));
    assert!(!vets(&policy, &["8.8.8.8:443", "10.0.0.1:443"]));
    assert!(!vets(&policy, &["[2606:4700::1111]:443", "[::ffff:10.0.0.1]:443"]));
    assert!(!vets(&policy, &[]));
}

#[test]
fn exceptions_allow_only_their_addresses() {
    let policy = AddressPolicy::new(networks(["10.1.0.0/16", "fd00:1::/32"]));
    for address in ["10.1.255.255:1", "[fd00:1::1]:1", "[::ffff:10.1.0.1]:1", "8.8.8.8:1"] {
        assert!(vets(&policy, &[address]), "{address}");
    }
    for address in ["10.2.0.0:1", "127.0.0.1:1", "[64:ff9b::10.1.0.1]:1", "169.254.169.254:1"] {
        assert!(!vets(&policy, &[address]), "{address}");
    }
    let policy = AddressPolicy::default().with_loopback();
    assert!(vets(&policy, &["127.0.0.1:1", "[::1]:1"]));
    for address in ["127.0.0.2:1", "10.0.0.1:1", "0.0.0.0:1", "[::]:1", "[::ffff:127.0.0.2]:1"] {
        assert!(!vets(&policy, &[address]), "{address}");
    }
}

#[test]
fn own_listeners_are_always_refused() {
    let own = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let policy = AddressPolicy::new(networks(["0.0.0.0/0", "::/0"])).with_loopback();
    let policy = policy.without([own("127.0.0.1:7600"), own("0.0.0.0:7601"), own("8.8.4.4:7602")]);
    for address in [
        "127.0.0.1:7600",
        "[::1]:7600",
        "[::ffff:127.0.0.1]:7600",
        "127.9.9.9:7600",
        "0.0.0.0:7600",
        "10.0.0.1:7601",
        "[fd00::1]:7601",
        "127.0.0.1:7601",
        "8.8.4.4:7602",
        "127.0.0.1:7602",
    ] {
        assert!(!vets(&policy, &[address]), "{address}");
    }
    for address in ["127.0.0.1:7599", "10.0.0.1:7600", "8.8.8.8:7601", "8.8.8.8:7602"] {
        assert!(vets(&policy, &[address]), "{address}");
    }
}

#[test]
fn networks_have_no_bits_after_their_prefix() {
    for text in ["10.1.0.1/16", "10.1.0.0", "10.1.0.0/33", "fd00::1/8", "ten", ""] {
        let error = text.parse::<Network>().expect_err(text).to_string();
        assert!(error.starts_with("a network is written 10.1.0.0/16"), "{error}");
    }
}

/// The networks of an operator.
const LISTED: [&str; 2] = ["10.1.0.0/16", "fd00:1::/32"];

/// Any address, often at an edge of a private range or of a listed one.
fn interesting_v4() -> impl Strategy<Value = Ipv4Addr> {
    let edges = NOT_PUBLIC.into_iter().flat_map(|(first, last)| [first, last]);
    let edges: Vec<&str> = edges.chain(["10.1.0.0", "10.1.255.255"]).collect();
    let beside = (prop::sample::select(edges), -2_i32..=2)
        .prop_map(|(edge, step)| Ipv4Addr::from(u32::from(v4(edge)).wrapping_add_signed(step)));
    prop_oneof![any::<u32>().prop_map(Ipv4Addr::from), beside]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_ipv4_address_follows_the_table(bits in any::<u32>()) {
        let ip = Ipv4Addr::from(bits);
        prop_assert_eq!(is_public(ip.into()), expected(ip));
    }

    /// The expectation comes only from the table above, and from the operator's networks as ranges.
    #[test]
    fn vetted_addresses_are_public_or_listed(ip in interesting_v4(), port in any::<u16>()) {
        let policy = AddressPolicy::new(networks(LISTED));
        let listed = v4("10.1.0.0")..=v4("10.1.255.255");
        for form in [IpAddr::V4(ip), IpAddr::V6(ip.to_ipv6_mapped())] {
            let address = SocketAddr::new(form, port);
            let vetted = policy.vet(&[address]);
            prop_assert_eq!(vetted.is_ok(), expected(ip) || listed.contains(&ip), "{}", form);
            prop_assert!(vetted.is_err() || vetted.unwrap()[0].address() == address);
        }
        for form in wrapped(ip).into_iter().skip(1) {
            // An entry of the list allows only the written form.
            let vetted = policy.vet(&[SocketAddr::new(form.into(), port)]);
            prop_assert_eq!(vetted.is_ok(), expected(ip), "{}", form);
        }
    }

    /// In IPv6, only 2000::/3 is assigned to hosts.
    #[test]
    fn refuses_addresses_that_are_not_assigned(bits in any::<u128>(), port in any::<u16>()) {
        let ip = Ipv6Addr::from(bits);
        let policy = AddressPolicy::new(networks(LISTED));
        let is_given_out = (0x2000..0x4000).contains(&ip.segments()[0]);
        let is_listed = (0xfd00_0001_0000_0000..0xfd00_0002_0000_0000).contains(&((bits >> 64) as u64));
        let is_vetted = policy.vet(&[SocketAddr::new(ip.into(), port)]).is_ok();
        prop_assert!(is_given_out || is_listed || !is_vetted || bits >> 32 == 0x64_ff9b << 64, "{}", ip);
        prop_assert!(!is_listed || is_vetted, "{}", ip);
    }
}
