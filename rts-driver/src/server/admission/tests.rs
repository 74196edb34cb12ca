use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;

fn at(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), 1)
}

fn take(admission: &mut Admission, peer: SocketAddr, descriptor: Option<usize>) -> Option<Permit> {
    admission.admit(peer, descriptor, Instant::now()).ok()
}

fn admission(bounds: LinkLimits) -> Admission {
    let mut admission = Admission::default();
    admission.set_limits(bounds);
    admission
}

#[test]
fn bounds_links_of_a_network_before_login() {
    for (first, same, other) in [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"),
    ] {
        let bounds = LinkLimits { per_network_before_login_max: 2, ..LinkLimits::default() };
        let mut admission = admission(bounds);
        let mut place = take(&mut admission, at(first), None).expect("the first");
        take(&mut admission, at(same), None).expect("the second");
        assert!(take(&mut admission, at(first), None).is_none());
        assert!(take(&mut admission, at(other), None).is_some());
        admission.logged_in(&mut place);
        admission.logged_in(&mut place);
        assert!(take(&mut admission, at(same), None).is_some(), "the place before login is free");
        assert!(take(&mut admission, at(same), None).is_none());
    }
}

#[test]
fn bounds_links_of_a_network() {
    let mut admission = admission(LinkLimits { per_network_max: 2, ..LinkLimits::default() });
    let mut first = take(&mut admission, at("192.0.2.1"), None).expect("the first");
    let second = take(&mut admission, at("192.0.2.1"), None).expect("the second");
    admission.logged_in(&mut first);
    assert!(take(&mut admission, at("192.0.2.1"), None).is_none());
    assert!(!admission.release(second, Instant::now()));
    assert!(take(&mut admission, at("192.0.2.1"), None).is_some());
}

#[test]
fn exempt_addresses_count_only_against_the_total() {
    let mut admission = admission(LinkLimits {
        links_max: 3,
        per_network_max: 1,
        is_exempt: Arc::new(|ip| ip.is_loopback()),
        ..LinkLimits::default()
    });
    for ip in ["127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"] {
        assert!(take(&mut admission, at(ip), None).is_some());
    }
    assert!(take(&mut admission, at("127.0.0.1"), None).is_none());
}

#[test]
fn refuses_links_above_the_highest_descriptor() {
    let mut admission = admission(LinkLimits { descriptor_max: 48, ..LinkLimits::default() });
    assert!(take(&mut admission, at("192.0.2.1"), Some(48)).is_some());
    assert!(take(&mut admission, at("192.0.2.1"), Some(49)).is_none());
}

#[test]
fn bounds_the_rate_of_links_of_a_network() {
    let bounds = LinkLimits { per_network_per_second: 2, ..LinkLimits::default() };
    let (mut admission, start) = (admission(bounds), Instant::now());
    let opened = |admission: &mut Admission, ip, now| {
        let taken = (0..100).map_while(|_| admission.admit(at(ip), None, now).ok());
        taken.collect::<Vec<_>>().into_iter().map(|place| admission.release(place, now)).count()
    };
    assert_eq!(opened(&mut admission, "192.0.2.1", start), 10);
    assert_eq!(opened(&mut admission, "192.0.2.1", start), 0);
    assert_eq!(
        opened(&mut admission, "192.0.2.2", start),
        10,
        "other networks have their own limits"
    );
    assert_eq!(opened(&mut admission, "192.0.2.1", start + Duration::from_secs(1)), 2);
}

#[test]
fn forgets_networks_at_rest() {
    let bounds = LinkLimits { per_network_per_second: 1, ..LinkLimits::default() };
    let (mut admission, start) = (admission(bounds), Instant::now());
    for number in 0..100_000 {
        let ip = Ipv4Addr::from_bits(0x0A00_0000 + number);
        let now = start + Duration::from_millis(u64::from(number));
        let place = admission.admit(SocketAddr::new(ip.into(), 1), None, now).expect("the first");
        admission.release(place, now);
    }
    assert!(admission.networks.len() <= 3 * 1_024, "{}", admission.networks.len());
}

#[test]
fn forgets_networks_without_links() {
    let mut admission = admission(LinkLimits::default());
    let taken =
        ["192.0.2.1", "2001:db8::1", "192.0.2.1"].map(|ip| take(&mut admission, at(ip), None));
    let now = Instant::now();
    let last = taken.map(|place| admission.release(place.expect("there is room"), now));
    assert_eq!(last, [false, false, true]);
    assert_eq!((admission.networks.len(), admission.sites.len()), (0, 0));
    assert_eq!(admission.links(), 0);
}

/// An address of a site, in a network of its own.
fn in_site(site: u16, network: u16) -> SocketAddr {
    at(&format!("2001:db8:{site:x}:{network:x}::1"))
}

#[test]
fn ipv6_site_has_multiples_of_the_limits_of_a_network() {
    let bounds = LinkLimits { per_network_before_login_max: 3, ..LinkLimits::default() };
    let mut before_login = admission(bounds);
    let mut first = take(&mut before_login, in_site(1, 0), None).expect("the first");
    for network in 1..6 {
        assert!(take(&mut before_login, in_site(1, network), None).is_some());
    }
    assert!(take(&mut before_login, in_site(1, 6), None).is_none());
    assert!(
        take(&mut before_login, in_site(2, 0), None).is_some(),
        "other networks have their own limits"
    );
    before_login.logged_in(&mut first);
    assert!(take(&mut before_login, in_site(1, 6), None).is_some());
    assert!(take(&mut before_login, in_site(1, 7), None).is_none());

    let mut links = admission(LinkLimits { per_network_max: 3, ..LinkLimits::default() });
    let taken: Vec<_> =
        (0..12).map(|network| take(&mut links, in_site(1, network), None)).collect();
    assert!(taken.iter().all(Option::is_some));
    assert!(take(&mut links, in_site(1, 12), None).is_none());
    assert!(take(&mut links, in_site(2, 0), None).is_some());
    links.release(taken[0].expect("it was taken"), Instant::now());
    assert!(take(&mut links, in_site(1, 12), None).is_some());
}

#[test]
fn ipv6_site_has_four_times_the_rate_of_a_network() {
    let bounds = LinkLimits { per_network_per_second: 2, ..LinkLimits::default() };
    let (mut admission, start) = (admission(bounds), Instant::now());
    let opened = |admission: &mut Admission, site, now| {
        let taken =
            (0..100).filter_map(|network| admission.admit(in_site(site, network), None, now).ok());
        let taken: Vec<_> = taken.collect();
        taken.into_iter().map(|place| admission.release(place, now)).count()
    };
    assert_eq!(opened(&mut admission, 1, start), 40);
    assert_eq!(opened(&mut admission, 1, start), 0);
    assert_eq!(opened(&mut admission, 2, start), 40);
    assert_eq!(opened(&mut admission, 1, start + Duration::from_secs(1)), 8);
}

#[test]
fn network_with_a_login_is_known() {
    let mut admission = admission(LinkLimits {
        is_exempt: Arc::new(|ip| ip.is_loopback()),
        ..LinkLimits::default()
    });
    let lane =
        |admission: &mut Admission, ip| take(admission, at(ip), None).expect("a place").lane();
    let mut place = take(&mut admission, at("192.0.2.1"), None).expect("a place");
    assert_eq!(lane(&mut admission, "192.0.2.1"), Lane::Unknown);
    admission.logged_in(&mut place);
    assert_eq!(lane(&mut admission, "192.0.2.1"), Lane::Known);
    admission.release(place, Instant::now());
    assert_eq!(
        lane(&mut admission, "192.0.2.1"),
        Lane::Known,
        "the network stays known after the user left"
    );
    assert_eq!(lane(&mut admission, "192.0.2.2"), Lane::Unknown);
    assert_eq!(lane(&mut admission, "127.0.0.1"), Lane::Free);
}
