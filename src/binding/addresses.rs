//! The local addresses of sockets, for JavaScript. Those of the peers of connections come with the handshakes.

use napi::Result;
use napi_derive::napi;
use socket2::{SockAddr, SockRef};

use super::workers::{Workers, borrow_descriptor};
use crate::net::TrafficView;

/// An address as Node.js spells it.
#[napi(object, object_from_js = false)]
pub struct NativeAddress {
    pub address: String,
    pub family: &'static str,
    pub port: u16,
}

impl NativeAddress {
    fn of(address: SockAddr) -> Option<Self> {
        let address = address.as_socket()?;
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        Some(Self { address: address.ip().to_string(), family, port: address.port() })
    }
}

/// Returns the local address of a socket of the caller; nothing if it has none.
#[napi(catch_unwind)]
pub fn socket_name(descriptor: i32) -> Result<Option<NativeAddress>> {
    let address = SockRef::from(&borrow_descriptor(descriptor)?).local_addr();
    Ok(address.ok().and_then(NativeAddress::of))
}

#[napi]
impl Workers {
    /// Returns the local address of a connection that has not been released; nothing if it has ended.
    #[napi(catch_unwind)]
    pub fn local_address(&self, id: u32) -> Result<Option<NativeAddress>> {
        let environment = self.environment.borrow();
        let view = || environment.pool().traffic(id).filter(|traffic| traffic.is_open);
        let Some(TrafficView { descriptor, local_address, .. }) = view() else { return Ok(None) };
        if let Some(address) = local_address {
            return Ok(NativeAddress::of(address.into()));
        }
        let address = SockRef::from(&borrow_descriptor(descriptor)?).local_addr();
        // The worker may have closed it meanwhile, and the descriptor may be another connection's.
        let Some(_) = view() else { return Ok(None) };
        Ok(address.ok().and_then(NativeAddress::of))
    }
}
