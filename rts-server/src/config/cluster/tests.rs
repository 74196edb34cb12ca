//! What the section accepts and refuses.

use super::*;
use crate::Config;

/// A configuration with these lines at the top, and these in `[cluster]`.
fn parsed(top: &str, cluster: &str) -> Result<Cluster, String> {
    let text = format!(
        "listen = \"127.0.0.1:1\"\nshards = 2\n{top}\n[apps.123456781234567812345678]\n\
         keys = [\"a long random key\"]\n[cluster]\n{cluster}\n"
    );
    let config = Config::parse(&text).map_err(|error| error.to_string())?;
    Ok(config.cluster.expect("it has the section"))
}

const STATE: &str = "state_dir = \"/var/lib/rts\"";
const LEAST: &str = "name = \"chat\"\nnode = \"a\"\nnats = \"nats://127.0.0.1:4222\"";

fn refused(more: &str) -> String {
    parsed(STATE, &format!("{LEAST}\n{more}")).expect_err(more)
}

fn login(more: &str) -> NatsLogin {
    let cluster = parsed(STATE, &format!("{LEAST}\n{more}")).expect(more);
    cluster.nats_config().expect(more).login
}

#[test]
fn cluster_needs_its_name_the_nodes_name_and_a_server() {
    let cluster = parsed(STATE, LEAST).expect("enough");
    assert_eq!((cluster.name.as_str(), cluster.node.as_str()), ("chat", "a"));
    assert_eq!((cluster.arbiter, cluster.replicas), (ArbiterKind::Nats, 1));
    for (left_out, key) in [("name = ", "name"), ("node = ", "node"), ("nats = ", "nats")] {
        let lines = LEAST.lines().filter(|line| !line.starts_with(left_out));
        let error = parsed(STATE, &lines.collect::<Vec<_>>().join("\n")).expect_err(key);
        assert!(error.contains(&format!("missing field `{key}`")), "{error}");
    }
    let none = parsed(STATE, "name = \"chat\"\nnode = \"a\"\nnats = []").expect_err("none");
    assert!(none.starts_with("cluster.nats: at least one"), "{none}");
}

#[test]
fn node_needs_a_state_directory() {
    let error = parsed("", LEAST).expect_err("no directory");
    assert!(error.starts_with("state_dir: a node of a cluster needs it"), "{error}");
}

#[test]
fn names_and_urls_are_checked_where_they_are() {
    for (line, place, what) in [
        ("name = \"Chat\"", "line 7, column 8, cluster.name", "characters of a-z, 0-9 and -"),
        ("node = \"\"", "line 8, column 8, cluster.node", "1 to 32 characters"),
        ("nats = \"http://a\"", "line 9, column 8, cluster.nats", "nats://HOST:PORT"),
    ] {
        let key = line.split(' ').next().expect("a key");
        let lines = LEAST.lines().map(|good| if good.starts_with(key) { line } else { good });
        let error = parsed(STATE, &lines.collect::<Vec<_>>().join("\n")).expect_err(line);
        assert!(error.starts_with(place) && error.contains(what), "{error}");
    }
}

#[test]
fn one_login_is_allowed() {
    assert_eq!(login(""), NatsLogin::None);
    let password = || NatsPassword::new("canary").expect("a password");
    let user = NatsLogin::User { user: "rts".to_owned(), password: password() };
    assert_eq!(login("user = \"rts\"\npassword = \"canary\""), user);
    assert_eq!(login("token = \"canary\""), NatsLogin::Token(password()));
    assert_eq!(login("nkey_seed_file = \"/n\""), NatsLogin::NkeySeedFile("/n".into()));
    assert_eq!(login("creds_file = \"/c\""), NatsLogin::CredsFile("/c".into()));
    for half in ["user = \"rts\"", "password = \"canary\""] {
        let error = refused(half);
        assert!(error.contains("user and password belong together"), "{error}");
    }
    for two in [
        "token = \"canary\"\ncreds_file = \"/c\"",
        "user = \"rts\"\npassword = \"canary\"\nnkey_seed_file = \"/n\"",
    ] {
        let error = refused(two);
        assert!(error.contains("write one login for NATS"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn certificate_and_key_belong_together() {
    let both = format!("{LEAST}\ncertificate_file = \"/c\"\nkey_file = \"/k\"");
    let config = parsed(STATE, &both).expect("both").nats_config().expect("a login");
    assert_eq!(config.identity, Some(("/c".into(), "/k".into())));
    for half in ["certificate_file = \"/c\"", "key_file = \"/k\""] {
        assert!(refused(half).contains("belong together"), "{half}");
    }
}

#[test]
fn replicas_arbiter_and_isolation_have_few_values() {
    for replicas in [1, 3, 5] {
        assert!(parsed(STATE, &format!("{LEAST}\nreplicas = {replicas}")).is_ok());
    }
    for replicas in [0, 2, 4, 6] {
        let error = refused(&format!("replicas = {replicas}"));
        assert!(error.starts_with("cluster.replicas: 1, 3 or 5"), "{error}");
    }
    assert!(parsed(STATE, &format!("{LEAST}\nisolation = \"freeze\"")).is_ok());
    for (line, what) in [
        ("isolation = \"thaw\"", "cluster.isolation: unknown value, expected `freeze`"),
        ("isolation = \"serve\"", "two parts of a cluster would decide about one user"),
        ("arbiter = \"etcd\"", "cluster.arbiter: unknown value, expected `nats` or `static`"),
    ] {
        assert!(refused(line).contains(what), "{}", refused(line));
    }
}

#[test]
fn fixed_set_has_this_node_with_its_shards() {
    let set = |nodes: &str| {
        format!(
            "arbiter = \"static\"\n[cluster.set]\nsecret = \"sixteen bytes 16\"\n\
             generation = 1\nnodes = {nodes}"
        )
    };
    assert!(parsed(STATE, &format!("{LEAST}\n{}", set("{ a = 2, b = 4 }"))).is_ok());
    for (nodes, what) in [
        ("{ a = 1, b = 4 }", "another one than its key shards"),
        ("{ b = 4 }", "this node is not among them"),
        ("{ a = 2, b = 65 }", "node b has 65 shards"),
        ("{ a = 2, B = 1 }", "a name has 1 to 32"),
    ] {
        let error = refused(&set(nodes));
        assert!(error.contains("cluster.set.nodes") && error.contains(what), "{error}");
    }
    assert!(refused("arbiter = \"static\"").starts_with("cluster.set: arbiter = \"static\""));
    let unused = set("{ a = 2 }").replace("\"static\"", "\"nats\"");
    assert!(refused(&unused).starts_with("cluster.set: only arbiter"));
    let short = set("{ a = 2 }").replace("sixteen bytes 16", "sixteen bytes 1");
    assert!(refused(&short).contains("at least 16 bytes"));
}
