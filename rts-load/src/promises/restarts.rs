//! A run against one server, which is killed and drained.

use std::io;
use std::time::{Duration, Instant};

use super::laws::Violation;
use super::run::{Promises, PromisesError, Run};
use super::traffic::flood;
use crate::target::Target;

/// The time without a server after a crash.
const DOWN: Duration = Duration::from_millis(500);

/// A server that can be ended and started again at the same address.
pub trait Restart {
    /// Kills it, as in a crash.
    ///
    /// # Errors
    ///
    /// The system refuses.
    fn kill(&mut self) -> io::Result<()>;

    /// Asks it to stop, and waits for its end.
    ///
    /// # Errors
    ///
    /// The system refuses, or the server does not end.
    fn stop(&mut self) -> io::Result<()>;

    /// Starts it.
    ///
    /// # Errors
    ///
    /// It does not start.
    fn start(&mut self) -> io::Result<()>;
}

/// Puts load on a server, ends and restarts it, and checks all laws. Calls `say` with a line for
/// each phase. Returns the violations.
///
/// # Errors
///
/// Fails if the server or a client cannot be started.
pub fn check_promises(
    job: &Promises,
    target: &Target,
    server: &mut dyn Restart,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<Violation>, PromisesError> {
    Run::new(job, target, server, say)?.judge(Run::phases)
}

impl Run<'_, dyn Restart + '_> {
    fn phases(&mut self) -> Result<(), PromisesError> {
        self.phase("login", Self::log_in)?;
        self.phase("steady", |run| run.talk(|_| Ok(String::new())))?;
        self.phase("kill -9", |run| {
            run.talk(|run| {
                run.outage(|server| {
                    server.kill()?;
                    std::thread::sleep(DOWN);
                    server.start()
                })
            })
        })?;
        self.phase("drain", |run| {
            run.talk(|run| {
                run.outage(|server| {
                    server.stop()?;
                    server.start()
                })
            })
        })?;
        self.phase("displacement", |run| run.talk(Self::displace))?;
        self.phase("joins", Self::crowd).map(drop)
    }

    /// Ends the server and starts another one. Waits until all clients are back.
    fn outage(
        &mut self,
        restart: impl FnOnce(&mut dyn Restart) -> io::Result<()>,
    ) -> Result<String, PromisesError> {
        let players = self.fleet.newest();
        let sessions: Vec<u64> = players.iter().map(|player| player.sessions()).collect();
        let (begun, from) = (Instant::now(), self.fleet.now());
        for player in &players {
            flood(player, self.job.users, &mut self.random);
        }
        restart(self.server).map_err(PromisesError::Server)?;
        let up = begun.elapsed().as_secs_f64();
        self.wait_for("the return of all clients", move || {
            let mut players = players.iter().zip(&sessions);
            players.all(|(player, before)| player.sessions() > *before && player.is_back())
        });
        self.fleet.outage(from..self.fleet.now());
        let back = begun.elapsed().as_secs_f64();
        Ok(format!("server up again after {up:.1} s, all clients after {back:.1} s, "))
    }
}
