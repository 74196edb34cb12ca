//! The one link that an engine has: connecting, then up.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rts_proto::LinkId;
use rts_proto::client::Input;
use rts_stream::{Connector, LinkError};

use crate::link::{Link, Step};
use crate::runtime::Runtime;

/// The one link that the core has, or is connecting.
pub(super) enum CurrentLink<R: Runtime> {
    None,
    Connecting(LinkId, Pin<Box<dyn Future<Output = Established<R>> + Send>>),
    Up(LinkId, Link<R::Stream>),
}

/// A link whose layers are open; or the error, with a link that may have bytes left to write.
type Established<R> =
    Result<Link<<R as Runtime>::Stream>, (LinkError, Option<Link<<R as Runtime>::Stream>>)>;

/// A change of the link.
pub(super) enum LinkNews<R: Runtime> {
    Input(Input),
    /// The link broke, or the server closed it without a frame.
    Ended(LinkId, Option<io::ErrorKind>),
    /// The link failed, with the reason. The link, if any, may have bytes left to write.
    Failed(LinkId, LinkError, Option<Link<R::Stream>>),
}

impl<R: Runtime> CurrentLink<R> {
    pub(super) fn connecting(id: LinkId, connector: &Connector) -> Self {
        Self::Connecting(id, Box::pin(establish::<R>(connector.clone())))
    }

    /// The link that is connecting or up.
    pub(super) fn id(&self) -> Option<LinkId> {
        match self {
            Self::None => None,
            Self::Connecting(id, _) | Self::Up(id, _) => Some(*id),
        }
    }

    pub(super) fn link(&mut self, wanted: LinkId) -> Option<&mut Link<R::Stream>> {
        match self {
            Self::Up(id, link) if *id == wanted => Some(link),
            _ => None,
        }
    }

    /// Gives up a link, and returns it if it was up.
    pub(super) fn take(&mut self, unwanted: LinkId) -> Option<Link<R::Stream>> {
        if self.id() != Some(unwanted) {
            return None;
        }
        match std::mem::replace(self, Self::None) {
            Self::Up(_, link) => Some(link),
            Self::None | Self::Connecting(..) => None,
        }
    }

    /// The next input for the core, or the failure of the link.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        reading: bool,
    ) -> Poll<LinkNews<R>> {
        Poll::Ready(match self {
            Self::None => return Poll::Pending,
            Self::Connecting(id, connecting) => {
                let id = *id;
                match ready!(connecting.as_mut().poll(context)) {
                    Ok(link) => {
                        *self = Self::Up(id, link);
                        LinkNews::Input(Input::Connected(id))
                    }
                    Err((error, link)) => {
                        *self = Self::None;
                        LinkNews::Failed(id, error, link)
                    }
                }
            }
            Self::Up(id, link) => {
                let id = *id;
                match ready!(link.poll_step(context, reading)) {
                    Step::Received(bytes) => LinkNews::Input(Input::Received(id, bytes)),
                    Step::Over(Some(error)) => LinkNews::Failed(id, error.into(), self.take(id)),
                    Step::Over(None) => {
                        *self = Self::None;
                        LinkNews::Ended(id, None)
                    }
                    Step::Gone(how) => {
                        *self = Self::None;
                        LinkNews::Ended(id, how)
                    }
                }
            }
        })
    }
}

async fn establish<R: Runtime>(connector: Connector) -> Established<R> {
    let stream = match R::connect(connector.dial()).await {
        Ok(stream) => stream,
        Err(error) => {
            return Err((LinkError::Connect { at: connector.first_hop(), error }, None));
        }
    };
    let mut link = Link::new(stream, connector.layers());
    match link.open().await {
        Ok(()) => Ok(link),
        Err(error) => Err((error, Some(link))),
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use rts_stream::ConnectOptions;

    use super::*;
    use crate::testing::{Pipe, Still, pipe};

    const ID: LinkId = LinkId(7);
    const OTHER: LinkId = LinkId(8);

    fn connector() -> Connector {
        Connector::new("rts://localhost:1", ConnectOptions::default()).expect("a good address")
    }

    /// A link that is up, and the server's end of it.
    fn up() -> (CurrentLink<Still>, Pipe) {
        let (near, far) = pipe(100);
        (CurrentLink::Up(ID, Link::new(near, connector().layers())), far)
    }

    fn poll(current: &mut CurrentLink<Still>, reading: bool) -> Option<LinkNews<Still>> {
        match current.poll_next(&mut Context::from_waker(Waker::noop()), reading) {
            Poll::Ready(news) => Some(news),
            Poll::Pending => None,
        }
    }

    #[test]
    fn link_comes_up_when_it_is_open() {
        let (near, mut far) = pipe(100);
        let established = async { Ok(Link::new(near, connector().layers())) };
        let mut current = CurrentLink::<Still>::Connecting(ID, Box::pin(established));
        assert!(current.link(ID).is_none());
        let news = poll(&mut current, true);
        assert!(matches!(news, Some(LinkNews::Input(Input::Connected(ID)))));
        assert!(current.link(ID).is_some() && current.link(OTHER).is_none());
        far.write(b"hi");
        let Some(LinkNews::Input(Input::Received(ID, bytes))) = poll(&mut current, true) else {
            panic!("no bytes");
        };
        assert_eq!(bytes, "hi");
    }

    #[test]
    fn failed_attempt_is_reported_once_with_its_reason() {
        let mut current = CurrentLink::<Still>::connecting(ID, &connector());
        let Some(LinkNews::Failed(ID, error, None)) = poll(&mut current, true) else {
            panic!("no failure");
        };
        assert!(error.to_string().contains("localhost:1"), "{error}");
        assert!(matches!(current, CurrentLink::None));
        assert!(poll(&mut current, true).is_none());
    }

    #[test]
    fn end_by_the_server_is_reported_once() {
        let (mut current, far) = up();
        drop(far);
        assert!(matches!(poll(&mut current, true), Some(LinkNews::Ended(ID, None))));
        assert!(matches!(current, CurrentLink::None));
        assert!(poll(&mut current, true).is_none());
    }

    #[test]
    fn bytes_wait_while_nobody_reads() {
        let (mut current, mut far) = up();
        far.write(b"hi");
        assert!(poll(&mut current, false).is_none());
        assert!(matches!(poll(&mut current, true), Some(LinkNews::Input(Input::Received(ID, _)))));
    }

    #[test]
    fn only_the_link_that_is_named_is_given_up() {
        let (mut current, _far) = up();
        assert!(current.take(OTHER).is_none() && current.link(ID).is_some());
        assert!(current.take(ID).is_some());
        assert!(matches!(current, CurrentLink::None));
        let mut current = CurrentLink::<Still>::connecting(ID, &connector());
        assert!(current.take(OTHER).is_none());
        assert!(matches!(current, CurrentLink::Connecting(ID, _)));
        assert!(current.take(ID).is_none(), "it is not up");
        assert!(matches!(current, CurrentLink::None));
    }
}
