//! The server core and its driver: verdicts, posts, deadlines.

use rts_proto::LinkId;
use rts_proto::server::{self, Server};
use rts_proto::wire::ResumeKey;

use super::{Happening, Party, World, move_deadline, owner};
use crate::Side;

impl World {
    pub(super) fn tick_server(&mut self) {
        let now = self.now();
        self.server.handle_input(now, server::Input::Tick);
        self.drain_server();
        let next = self.server_deadline;
        assert!(next.is_none_or(|next| next > now), "{:?}", self.server.wake_reason());
    }

    /// A resume key that differs from all others. It is not secret in a simulation.
    pub(super) fn resume_key(&self, link: LinkId) -> ResumeKey {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&link.0.to_le_bytes());
        key[8..].copy_from_slice(&self.restarts.to_le_bytes());
        ResumeKey(key)
    }

    pub(crate) fn drain_server(&mut self) {
        let now = self.now();
        let deadline = loop {
            match self.server.poll_output() {
                server::Output::Transmit(link, bytes) => {
                    self.transmit(link, Side::Client, bytes);
                    self.look_at_congestion(link);
                }
                server::Output::Disconnect(link, code) => {
                    self.log.push((now, Happening::Closed(owner(link).0, code)));
                    self.remember_stale_link(Side::Server, link);
                    self.net.close(now, link, Side::Server);
                    self.congested.remove(&link);
                }
                server::Output::Authenticate(login, credentials) => {
                    self.judged.insert(login, *credentials);
                    self.verdicts.insert((now + self.verdict_delay, login));
                    self.give_verdicts();
                }
                server::Output::CheckTarget(target, asked) => {
                    let is_allowed = self.app_server.allows(&asked);
                    self.log.push((now, Happening::TargetChecked(asked, is_allowed)));
                    let input = server::Input::TargetChecked(target, is_allowed);
                    self.server.handle_input(now, input);
                }
                server::Output::PostToAppServer(call, post) => {
                    self.log.push((now, Happening::Posted(call, post.clone())));
                    self.app_server.post(now, call, *post);
                }
                server::Output::AbandonPost(call) => {
                    self.log.push((now, Happening::PostAbandoned(call)));
                    self.app_server.abandon(call);
                }
                server::Output::Report(app, report) => {
                    self.log.push((now, Happening::Reported(app, report)));
                }
                server::Output::Notice(_) => {}
                server::Output::Wait(deadline) => break deadline,
            }
        };
        let before = std::mem::replace(&mut self.server_deadline, deadline);
        move_deadline(&mut self.deadlines, Party::Server, before, deadline);
    }

    pub(super) fn let_app_server_answer(&mut self) {
        while let Some((call, progress)) = self.app_server.take(self.now()) {
            let said = Happening::AppServerSaid(call, progress.clone());
            self.log.push((self.now(), said));
            let input = server::Input::AppServerReplied(call, progress);
            self.server.handle_input(self.now(), input);
            self.drain_server();
        }
    }

    pub(super) fn give_verdicts(&mut self) {
        let now = self.now();
        let mut gave = false;
        while let Some((_, login)) = self.verdicts.first().copied().filter(|(at, _)| *at <= now) {
            self.verdicts.pop_first();
            let Some(credentials) = self.judged.remove(&login) else { continue };
            let verdict = self.gate.judge(self.clock.wall_micros(), &credentials);
            self.log.push((now, Happening::Judged(credentials, verdict)));
            self.server.handle_input(now, server::Input::Verdict(login, verdict));
            gave = true;
        }
        if gave {
            self.drain_server();
        }
    }

    /// Replaces the server by a new one without any state.
    pub fn restart_server(&mut self, config: server::Config) {
        self.cut_all();
        self.restarts += 1;
        self.verdicts.clear();
        self.judged.clear();
        self.stale_links.clear();
        self.gate.restart();
        self.app_server.forget_callers();
        self.congested.clear();
        self.log.push((self.now(), Happening::Restarted));
        self.server = Server::new(config, self.seed.wrapping_add(self.restarts));
        self.drain_server();
    }
}
