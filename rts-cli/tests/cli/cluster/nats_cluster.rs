//! The set-up that the manual recommends: three nats-servers that form a cluster with TLS, and a
//! register with three replicas.

use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::nats_server::NatsServer;
use super::starting::Starting;
use super::{Crashed, Node, documented_nats, get, text, until, until_received, until_whole};
use crate::support::Engine;

/// A nats-server with the port at which it tells about itself.
struct Server {
    nats: NatsServer,
    monitor: u16,
}

/// Three of them, with the configuration of the manual at addresses of this machine.
fn three_servers() -> [Server; 3] {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("valid");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).expect("signed").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("valid");
    let own = own.signed_by(&key, &issuer).expect("signed").pem();
    let files = [("ca.pem", &*ca_pem), ("server.pem", &own), ("server.key", &key.serialize_pem())];
    let [one, two, three, monitors @ ..] = free_ports::<6>();
    let routes = [one, two, three];
    let documented = documented_nats();
    std::array::from_fn(|at| {
        let mut config = documented
            .replace("nats-1", &format!("nats-{}", at + 1))
            .replace("listen: 10.0.0.5:4222\n", &format!("http: \"127.0.0.1:{}\"\n", monitors[at]))
            .replace("/var/lib/nats", "DIRECTORY/store")
            .replace("/etc/nats/", "DIRECTORY/")
            .replace("listen: 10.0.0.5:6222", &format!("listen: 127.0.0.1:{}", routes[at]));
        for (address, other) in ["10.0.0.6:6222", "10.0.0.7:6222"].into_iter().zip([1, 2]) {
            let route = format!("127.0.0.1:{}", routes[(at + other) % 3]);
            assert!(config.contains(address), "{config}");
            config = config.replace(address, &route);
        }
        assert!(!config.contains("10.0.0."), "{config}");
        Server { nats: NatsServer::with_files(&config, &files), monitor: monitors[at] }
    })
}

/// What a node has in `[cluster]`.
fn cluster_over(servers: &[Server; 3]) -> String {
    let urls = servers.each_ref().map(|server| format!("tls://127.0.0.1:{}", server.nats.port));
    format!(
        "name = \"chat\"\nnats = {urls:?}\nuser = \"rts\"\npassword = \"a long random text\"\n\
         ca_file = {:?}\nreplicas = 3\n",
        servers[0].nats.file("ca.pem")
    )
}

fn free_ports<const N: usize>() -> [u16; N] {
    let all = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    all.map(|free| free.local_addr().expect("it has one").port())
}

/// The name of the server that leads the stream of the register.
fn leader(servers: &[&Server]) -> Option<String> {
    servers.iter().find_map(|server| {
        let about = format!("http://127.0.0.1:{}", server.monitor);
        let (_, about) = get(&about, "/jsz?streams=true&accounts=true")?;
        let accounts = about["account_details"].as_array()?.clone();
        let mut streams =
            accounts.iter().flat_map(|account| account["stream_detail"].as_array()).flatten();
        let register = streams.find(|stream| stream["name"] == "rts_chat")?;
        register["cluster"]["leader"].as_str().map(str::to_owned)
    })
}

#[test]
fn cluster_goes_on_when_the_server_that_leads_the_register_is_killed() {
    let mut servers = three_servers();
    let cluster = cluster_over(&servers);
    let [a, b, c] = ["a", "b", "c"].map(|name| Node::start_with(name, &cluster));
    until_whole(&[&a, &b, &c]);
    let mut leads = None;
    until("a server leads the register", || {
        leads = leader(&servers.each_ref());
        leads.is_some()
    });
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    is_received(&mut alice, &mut bob, "bob");

    let leads = leads.expect("one of them");
    let at = ["nats-1", "nats-2", "nats-3"].iter().position(|name| *name == leads);
    servers[at.expect("one of them")].nats.kill();
    is_received(&mut alice, &mut bob, "bob");
    for node in [&a, &b, &c] {
        let mut carol = node.server.user("carol");
        is_received(&mut alice, &mut carol, "carol");
        is_received(&mut carol, &mut alice, "alice");
    }
    // The two others change the register.
    let c = c.crash().start();
    until_whole(&[&a, &b, &c]);
}

#[test]
fn machine_with_a_node_and_a_server_of_nats_is_lost() {
    let mut servers = three_servers();
    let cluster = cluster_over(&servers);
    let [a, b, c] = ["a", "b", "c"].map(|name| Node::start_with(name, &cluster));
    until_whole(&[&a, &b, &c]);
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    servers[2].nats.kill();
    let _lost = c.crash();
    until_received(&mut alice, "bob");
    until_received(&mut bob, "alice");
    until_whole(&[&a, &b]);
    let mut carol = b.server.user("carol");
    until_received(&mut carol, "alice");
}

#[test]
fn node_that_starts_while_nats_has_no_leader_waits() {
    let mut servers = three_servers();
    servers[1..].iter_mut().for_each(|server| server.nats.kill());
    let node = Crashed::new("a", &cluster_over(&servers));
    let waiting = Starting::new(&node);
    waiting.until_logged("waiting for ");
    servers[1..].iter_mut().for_each(|server| server.nats.start_again());
    waiting.until_logged("listening address=rts://127.0.0.1:");
}

fn is_received(from: &mut Engine, to: &mut Engine, receiver: &str) {
    from.call("sendMessage", text(receiver, "are you there?"));
    assert_eq!(from.until("onMessageSendResult")["code"], 0);
    assert_eq!(to.until("onMessageReceived")["message"], "are you there?");
}
